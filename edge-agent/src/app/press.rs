//! What the cashier presses and scans.

use std::time::{Duration, Instant};

use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, RefundId,
    api::{GOODS_LINES_MAX, Goods, RefundState, SCANNED_CODE_LEN_MAX, TEXT_LEN_MAX, stands_in_text},
    money::AMOUNT_MINOR_MAX,
};
use tokio::sync::oneshot;

use super::{
    happen::Beside,
    now,
    owner::{Awaiting, Early, Order, Owner, Waiter},
};
use crate::{
    journal::Intent,
    peripherals::{Kind, PeripheralError},
    sale::{Event, Keyed, NotAReference, Reference, Sale, ScannedCode, Tender},
    sync::Stop,
    till::{
        command::{Approval, Press, Pressed, Reply, SaleMethod, SaleRequest, Sold},
        problem::Refused,
        view::{AwaitingScan, SaleView, ScanView},
    },
};

/// How long a press waits for core's answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Sales that may wait for core's first word: a till has one cashier.
const EARLY_MAX: usize = 8;
/// How long a sale waits for the customer's code; then nobody stands there any more.
const SCAN_MS_MAX: i64 = 5 * 60 * 1000;
/// Presses without a trace in the journal that are remembered, for a page that repeats them.
const REPLAYS_MAX: usize = 256;
/// Most of one line of goods, as core allows.
const QUANTITY_MAX: u32 = 9_999;

/// What a key stood for when it was seen before.
pub(super) struct Seen {
    payment: Option<PaymentId>,
    refund: Option<RefundId>,
}

/// A sale request that can be carried out.
pub(super) struct Checked {
    pub(super) order: Order,
    /// None: the customer's code is still to be scanned.
    pub(super) tender: Option<Tender>,
}

impl Awaiting {
    pub(super) const fn view(&self) -> AwaitingScan {
        AwaitingScan { amount_minor: self.order.amount.minor(), since: self.since }
    }
}

impl Owner {
    /// `POST /api/sales`. What core takes part in waits for its first word since the start: if this disk was set back, the
    /// next number is used, and core would answer with what was paid under it then.
    pub(super) async fn sell_or_wait(&mut self, pressed: Pressed, request: SaleRequest, reply: Reply<Sold>) {
        // A key that is known already makes no new number.
        if request.method != SaleMethod::Cash
            && !self.knows_its_numbers()
            && !matches!(self.seen(&pressed).await, Ok(Some(Seen { payment: Some(_), .. })))
        {
            if self.early.len() < EARLY_MAX {
                self.early.push_back(Early { pressed, request, reply, until: Instant::now() + ANSWER_MAX });
            } else {
                let _ = reply.send(Err(not_compared()));
            }
            return;
        }
        let sold = self.sell(pressed, request).await;
        let _ = reply.send(sold);
    }

    /// Core was heard of; or it lets this terminal do nothing, and says so to each sale.
    fn knows_its_numbers(&self) -> bool {
        self.sync.is_compared() || self.sync.stopped().is_some() || self.alarms.rings("terminal_locked")
    }

    /// Goes on with sales that waited for core's word, and refuses those that wait in vain.
    pub(super) async fn sell_early(&mut self) {
        let (now, is_clear) = (Instant::now(), self.knows_its_numbers());
        while let Some(early) = self.early.pop_front_if(|early| is_clear || self.line.is_lost() || early.until <= now) {
            let Early { pressed, request, reply, .. } = early;
            let sold = if is_clear { self.sell(pressed, request).await } else { Err(not_compared()) };
            let _ = reply.send(sold);
        }
    }

    /// A sale request that core has had its word on.
    async fn sell(&mut self, pressed: Pressed, mut request: SaleRequest) -> Result<Sold, Refused> {
        if let Some(Seen { payment: Some(payment), .. }) = self.seen(&pressed).await? {
            return Ok(Sold::Seen(Box::new(self.view(payment).await?)));
        }
        self.check_not_training()?;
        request.cashier = self.named(request.cashier.take())?;
        let (currency, is_cash) = (self.identity.profile.currency, request.method == SaleMethod::Cash);
        let basket = request.basket;
        let Checked { mut order, tender } = check(request, currency, self.cashier())?;
        if let Some(awaiting) = self.awaiting.as_ref().filter(|awaiting| awaiting.pressed.key == pressed.key) {
            if awaiting.pressed != pressed {
                return Err(Refused::KeyReused);
            }
            if tender.is_none() {
                return Ok(Sold::AwaitingScan(awaiting.view()));
            }
        }
        if let Some(revision) = basket {
            order.goods = self.basket_goods(revision, order.amount, &order.goods)?;
            (order.of_basket, order.held) = (true, self.filling.seen(revision)?.held);
        }
        self.check_shift(is_cash)?;
        self.check_held(order.held)?;
        self.check_open_for_sales().await?;
        let Some(tender) = tender else {
            let awaiting = Awaiting { pressed, order, since: now() };
            let view = awaiting.view();
            self.awaiting = Some(awaiting);
            return Ok(Sold::AwaitingScan(view));
        };
        let view = self.key(pressed, order, tender).await?;
        // Whoever keys another sale does not wait for a scan any more.
        self.awaiting = None;
        Ok(Sold::Made(Box::new(view)))
    }

    async fn key(&mut self, pressed: Pressed, order: Order, tender: Tender) -> Result<SaleView, Refused> {
        let Order { amount, goods, of_basket, reference, cashier, held } = order;
        let counter = self.counted.next();
        let (tenant, terminal, _) = self.ids();
        let payment = PaymentId::for_sale(tenant, terminal, counter);
        let Pressed { key, fingerprint } = pressed;
        let intent = Intent { key, fingerprint, payment, refund: None };
        let view =
            self.begin(Keyed { payment, counter, amount, tender, goods, reference, cashier }, intent, held).await?;
        if of_basket {
            self.filling.take(Some(payment));
        }
        Ok(view)
    }

    /// New sales are stopped while the disk is full, and when their numbers could have been used already.
    pub(super) async fn check_open_for_sales(&mut self) -> Result<(), Refused> {
        if let Some(Stop::SetBack { .. }) = self.sync.stopped() {
            let why = "this terminal's disk was set back to an older day, sales are stopped: call the service";
            return Err(Refused::Journal(why.to_owned()));
        }
        let room = self.journal.run(|store| store.check_room()).await;
        if room.is_err() {
            self.look_at_disk().await;
        }
        Ok(room?)
    }

    /// A button on a sale. The answer goes out when core has answered, or after [`ANSWER_MAX`].
    pub(super) async fn press(
        &mut self,
        pressed: Pressed,
        payment: PaymentId,
        press: Press,
        (approval, reply): (Option<Approval>, Reply<SaleView>),
    ) {
        match self.pressed(pressed, payment, press, approval).await {
            Ok(refund) => {
                self.waiters.push(Waiter { payment, refund, until: Instant::now() + ANSWER_MAX, reply });
                // If it cannot be read now, the waiter is answered when its time is over.
                if let Ok(Some(held)) = self.sale(payment).await {
                    self.answer_waiters(&held.sale, held.entry);
                }
            }
            Err(refused) => {
                let _ = reply.send(Err(refused));
            }
        }
    }

    /// Does what was pressed, once; the refund that it made, if it made one.
    async fn pressed(
        &mut self,
        pressed: Pressed,
        payment: PaymentId,
        press: Press,
        approval: Option<Approval>,
    ) -> Result<Option<RefundId>, Refused> {
        let repeatable = matches!(press, Press::Query | Press::Cancel);
        if let Some(Seen { refund, .. }) = self.seen(&pressed).await?
            && !repeatable
        {
            return Ok(refund);
        }
        if !repeatable {
            self.check_not_training()?;
        }
        let (tenant, ..) = self.ids();
        let refund = RefundId::for_key(tenant, payment, &pressed.key);
        let mut approved_by = None;
        if matches!(press, Press::Void | Press::Refund { .. }) {
            let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
            self.check_shift(held.sale.method().is_none())?;
            approved_by = self.approved(approval).await?;
        }
        let cashier = self.cashier().to_owned();
        let (event, refund) = match press {
            Press::Query => (Event::QueryPressed, None),
            Press::Cancel => (Event::CancelPressed, None),
            Press::Void => {
                let utc_offset_minutes = self.config.till.utc_offset_minutes;
                (Event::VoidPressed { refund, cashier, utc_offset_minutes }, Some(refund))
            }
            Press::Refund { amount_minor } => {
                let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
                let amount = amount_of(amount_minor, held.sale.kept.amount.currency())?;
                (Event::RefundPressed { refund, amount, cashier }, Some(refund))
            }
            Press::Reprint => (Event::ReprintPressed, None),
        };
        let Pressed { key, fingerprint } = pressed.clone();
        let intent = (!repeatable).then_some(Intent { key, fingerprint, payment, refund });
        self.happen(payment, event, Beside { intent, approved_by, ..Beside::default() }).await?;
        if repeatable {
            self.remember(pressed, Some(payment));
        }
        Ok(refund)
    }

    /// `POST /api/scan`.
    pub(super) async fn scan(&mut self, pressed: Pressed, text: ScannedCode) -> Result<ScanView, Refused> {
        match self.seen(&pressed).await? {
            Some(Seen { payment: Some(payment), .. }) => {
                return Ok(ScanView::Sale { sale: Box::new(self.view(payment).await?) });
            }
            Some(_) => return Ok(ScanView::Basket { basket: self.filling.view().map(Box::new), scanned: None }),
            None => {}
        }
        let scanned = self.scanned(text).await?;
        match &scanned {
            ScanView::Sale { sale } => self.remember(pressed, Some(sale.payment)),
            ScanView::Basket { .. } => self.remember(pressed, None),
            _ => {}
        }
        Ok(scanned)
    }

    /// The scanner has no page that could show an error: everything is an event.
    pub(super) async fn hardware_scan(&mut self, text: ScannedCode) {
        let scanned = self.scanned(text).await.unwrap_or_else(|error| {
            tracing::info!(%error, "a scan led to nothing");
            match error {
                Refused::BarcodeUnknown(barcode) => ScanView::BarcodeUnknown { barcode },
                Refused::GoodsScanned => ScanView::GoodsScanned,
                _ => ScanView::Unexpected,
            }
        });
        self.emit("scan", &scanned);
    }

    async fn scanned(&mut self, text: ScannedCode) -> Result<ScanView, Refused> {
        check_code(&text)?;
        if self.training.is_on() {
            return self.scan_training(text);
        }
        // A receipt is no customer, whatever is waited for: what was being sold goes on waiting.
        if let Some(payment) = payment_in(text.expose()) {
            return match self.view(payment).await {
                Ok(sale) => Ok(ScanView::Found { sale: Box::new(sale) }),
                Err(Refused::SaleNotFound) => Err(Refused::ReceiptElsewhere),
                Err(error) => Err(error),
            };
        }
        let Some(Awaiting { pressed, order, .. }) = self.awaiting.clone() else {
            return self.scan_goods(&text).await;
        };
        // What lies on the counter is no customer's code: core would decline the sale for it.
        if self.article(&text).await?.is_some() {
            return Err(Refused::GoodsScanned);
        }
        if !self.knows_its_numbers() {
            return Err(not_compared());
        }
        self.check_shift(false)?;
        if let Err(gone) = self.check_held(order.held) {
            // No further scan could sell it: the cashier begins anew.
            self.awaiting = None;
            return Err(gone);
        }
        self.check_open_for_sales().await?;
        let sale = self.key(pressed, order, Tender::Scan { code: trimmed(&text) }).await?;
        self.awaiting = None;
        Ok(ScanView::Sale { sale: Box::new(sale) })
    }

    pub(super) async fn stop_scan(&mut self, pressed: Pressed) -> Result<(), Refused> {
        self.seen(&pressed).await?;
        self.awaiting = None;
        self.training.stop_scan();
        self.remember(pressed, None);
        Ok(())
    }

    /// Nobody came with a code.
    pub(super) fn forget_scan(&mut self, now: Millis) {
        self.awaiting.take_if(|awaiting| is_forgotten(awaiting, now));
    }

    pub(super) async fn open_drawer(&mut self, pressed: Pressed) -> Result<(), Refused> {
        if self.seen(&pressed).await?.is_none() {
            self.check_not_training()?;
            self.counter.open_drawer();
            self.remember(pressed, None);
        }
        Ok(())
    }

    pub(super) async fn self_test(
        &mut self,
        pressed: Pressed,
        kind: Kind,
    ) -> Result<oneshot::Receiver<Result<String, PeripheralError>>, Refused> {
        self.seen(&pressed).await?;
        if kind == Kind::Drawer {
            self.check_not_training()?;
        }
        self.remember(pressed, None);
        Ok(self.counter.self_test(kind))
    }

    /// What this key stood for, if it was seen before.
    ///
    /// # Errors
    /// `KeyReused` if it stood for something else than what is asked now.
    pub(super) async fn seen(&self, pressed: &Pressed) -> Result<Option<Seen>, Refused> {
        let held = self.replays.iter().find(|(held, _)| held.key == pressed.key);
        let (fingerprint, seen) = match held {
            Some((held, payment)) => (held.fingerprint.clone(), Seen { payment: *payment, refund: None }),
            None => {
                let key = pressed.key.clone();
                let found = self.journal.run(move |store| Ok((store.intent(&key)?, store.shift_press(&key)?))).await?;
                match found {
                    (Some(intent), _) => {
                        (intent.fingerprint, Seen { payment: Some(intent.payment), refund: intent.refund })
                    }
                    (None, Some(fingerprint)) => (fingerprint, Seen { payment: None, refund: None }),
                    (None, None) => return Ok(None),
                }
            }
        };
        if fingerprint == pressed.fingerprint { Ok(Some(seen)) } else { Err(Refused::KeyReused) }
    }

    pub(super) fn remember(&mut self, pressed: Pressed, payment: Option<PaymentId>) {
        self.replays.retain(|(held, _)| held.key != pressed.key);
        if self.replays.len() == REPLAYS_MAX {
            self.replays.pop_front();
        }
        self.replays.push_back((pressed, payment));
    }

    /// A sale as the page sees it.
    ///
    /// # Errors
    /// `SaleNotFound`, the journal's.
    pub(super) async fn view(&self, payment: PaymentId) -> Result<SaleView, Refused> {
        let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
        Ok(SaleView::of(&held.sale, held.entry <= self.sync.through()))
    }

    /// The latest sales, newest first.
    ///
    /// # Errors
    /// The journal's.
    pub(super) async fn views(&self, limit: u32) -> Result<Vec<SaleView>, Refused> {
        let latest = self.journal.latest_sales(limit).await?;
        let through = self.sync.through();
        Ok(latest.into_iter().map(|(kept, entry)| SaleView::of(&Sale::reopened(kept), entry <= through)).collect())
    }

    /// Answers those who wait for this sale, if no request about it is under way any more.
    pub(super) fn answer_waiters(&mut self, sale: &Sale, entry: saoma_protocol::Sequence) {
        if sale.waits.is_busy() || self.waiters.is_empty() {
            return;
        }
        let view = SaleView::of(sale, entry <= self.sync.through());
        for waiter in self.waiters.extract_if(.., |waiter| waiter.payment == sale.kept.payment) {
            let answer = answer_to(&waiter, sale, &view);
            let _ = waiter.reply.send(answer);
        }
    }

    /// Answers those who have waited long enough with the sale as it stands.
    pub(super) fn answer_late(&mut self) {
        let now = Instant::now();
        for waiter in self.waiters.extract_if(.., |waiter| waiter.until <= now) {
            let Some(held) = self.sales.get(&waiter.payment) else {
                // Only a sale that could not be read right after the press is not in memory here.
                let _ = waiter.reply.send(Err(Refused::Journal("the sale cannot be read; look again".to_owned())));
                continue;
            };
            let view = SaleView::of(&held.sale, held.entry <= self.sync.through());
            let _ = waiter.reply.send(Ok(view));
        }
    }
}

fn not_compared() -> Refused {
    Refused::CoreUnreachable("after its start this till needs it once before it sells for more than cash".to_owned())
}

/// The sale, or why the refund that was pressed will not be.
fn answer_to(waiter: &Waiter, sale: &Sale, view: &SaleView) -> Result<SaleView, Refused> {
    let refund = waiter.refund.and_then(|refund| sale.refund(refund));
    // Without a version it never was at core: core (or the way to it) said no. Else it is a refund that failed.
    let refused = refund.filter(|held| held.state == RefundState::Failed && held.version == 0);
    match refused.and_then(|held| held.failure.clone()) {
        Some(failure) if failure.code == "core_unreachable" => Err(Refused::CoreUnreachable(failure.message)),
        Some(failure) => Err(Refused::Core(failure)),
        None => Ok(view.clone()),
    }
}

/// Whether so much time has passed that nobody stands there any more with a code.
pub(super) fn is_forgotten(awaiting: &Awaiting, now: Millis) -> bool {
    !(0..SCAN_MS_MAX).contains(&now.since(awaiting.since))
}

pub(super) fn amount_of(minor: i64, currency: Currency) -> Result<Amount, Refused> {
    Amount::new(minor, currency).map_err(|error| Refused::Amount(error.to_string()))
}

/// A sale request that can be carried out.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(request: SaleRequest, currency: Currency, cashier: &str) -> Result<Checked, Refused> {
    let SaleRequest { amount_minor, method, code, tendered_minor, goods, basket: _, reference, held, cashier: named } =
        request;
    let amount = amount_of(amount_minor, currency)?;
    let tender = match (method, code, tendered_minor) {
        (SaleMethod::Cash, None, tendered_minor) => {
            let tendered_minor = tendered_minor.unwrap_or(amount_minor);
            if tendered_minor < amount_minor {
                return Err(Refused::TenderedTooSmall);
            }
            if tendered_minor > AMOUNT_MINOR_MAX {
                return Err(Refused::Amount(format!("at most {AMOUNT_MINOR_MAX} can be handed over")));
            }
            Some(Tender::Cash { tendered_minor })
        }
        (SaleMethod::Code, None, None) => Some(Tender::Code),
        (SaleMethod::Scan, code, None) => match code {
            Some(code) => {
                check_code(&code.0)?;
                Some(Tender::Scan { code: trimmed(&code.0) })
            }
            None => None,
        },
        (_, _, Some(_)) => return Err(Refused::Method("only a cash sale has tendered_minor")),
        (_, Some(_), _) => return Err(Refused::Method("only a sale by scan has a code")),
    };
    check_goods(&goods)?;
    let cashier = named.unwrap_or_else(|| cashier.to_owned());
    if !is_text(&cashier) {
        return Err(Refused::Cashier);
    }
    let reference = reference_of(reference.as_deref())?;
    Ok(Checked { order: Order { amount, goods, of_basket: false, reference, cashier, held }, tender })
}

pub(super) fn reference_of(text: Option<&str>) -> Result<Option<Reference>, Refused> {
    Reference::parse(text.unwrap_or_default()).map_err(|NotAReference| Refused::Reference)
}

fn check_goods(goods: &[Goods]) -> Result<(), Refused> {
    if goods.len() > GOODS_LINES_MAX {
        return Err(Refused::Goods(format!("at most {GOODS_LINES_MAX} lines of goods")));
    }
    for line in goods {
        let Goods { name, quantity, price_minor, .. } = line;
        let why = if !line.is_plain() {
            "a line with a discount or a tax is made of a basket".to_owned()
        } else if !is_text(name) {
            format!("a name must have 1 to {TEXT_LEN_MAX} characters, no control characters")
        } else if !(1..=QUANTITY_MAX).contains(quantity) {
            format!("a quantity must be 1 to {QUANTITY_MAX}")
        } else if !(0..=AMOUNT_MINOR_MAX).contains(price_minor) {
            format!("a price must be 0 to {AMOUNT_MINOR_MAX} minor units")
        } else {
            continue;
        };
        return Err(Refused::Goods(why));
    }
    Ok(())
}

pub(super) fn is_text(text: &str) -> bool {
    (1..=TEXT_LEN_MAX).contains(&text.chars().count())
        && text.chars().all(stands_in_text)
        && !text.chars().all(char::is_whitespace)
}

/// Scanners add line ends, fields add spaces.
fn trimmed(code: &ScannedCode) -> ScannedCode {
    ScannedCode::new(code.expose().trim().to_owned())
}

fn check_code(code: &ScannedCode) -> Result<(), Refused> {
    let text = code.expose().trim();
    let good = (1..=SCANNED_CODE_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Refused::Code) }
}

/// The first number of a sale in a text: a receipt's QR code holds it alone, other papers in a sentence or a link.
pub(super) fn payment_in(text: &str) -> Option<PaymentId> {
    /// `pay_` and 26 characters.
    const NUMBER_LEN: usize = 30;
    // A scanner behind a keyboard with Caps Lock on types capitals.
    let text = text.to_ascii_lowercase();
    text.match_indices("pay_").find_map(|(start, _)| text.get(start..start + NUMBER_LEN)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: serde_json::Value) -> Result<Checked, Refused> {
        let request = serde_json::from_value(json).map_err(|error| Refused::BodyUnreadable(error.to_string()))?;
        check(request, Currency::CNY, "1")
    }

    #[test]
    fn what_is_keyed_is_checked_once() {
        use serde_json::json;
        let long = "x".repeat(129);
        for (body, code) in [
            (json!({"amount_minor": 1250, "method": "cash"}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000, "cashier": "Li"}), "ok"),
            (json!({"amount_minor": 1250, "method": "code"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan", "code": " 28123\n"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan", "code": ""}), "code_invalid"),
            (json!({"amount_minor": 1250, "method": "scan", "code": "x".repeat(513)}), "code_invalid"),
            (json!({"amount_minor": 1250, "method": "scan", "code": "a\u{0}b"}), "code_invalid"),
            (json!({"amount_minor": 0, "method": "cash"}), "amount_invalid"),
            (json!({"amount_minor": -5, "method": "code"}), "amount_invalid"),
            (json!({"amount_minor": 1_000_000_000_000_i64, "method": "code"}), "amount_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 1249}), "tendered_too_small"),
            (json!({"amount_minor": 1, "method": "cash", "tendered_minor": i64::MAX}), "amount_invalid"),
            (json!({"amount_minor": 1250, "method": "code", "tendered_minor": 1250}), "method_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "code": "1"}), "method_invalid"),
            (json!({"amount_minor": 1250, "method": "card"}), "body_unreadable"),
            (json!({"amount_minor": 12.5, "method": "cash"}), "body_unreadable"),
            (json!({"amount_minor": 1250, "method": "cash", "tip": 1}), "body_unreadable"),
            (json!({"amount_minor": 1250, "method": "cash", "cashier": long}), "cashier_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "cashier": " "}), "cashier_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": "桌 7", "held": 3}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": " "}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": "a\nb"}), "reference_invalid"),
            (json!({"amount_minor": 1250, "method": "code", "reference": "x".repeat(33)}), "reference_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "held": -1}), "body_unreadable"),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "", "quantity": 1, "price_minor": 1}]}),
                "goods_invalid",
            ),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "a", "quantity": 0, "price_minor": 1}]}),
                "goods_invalid",
            ),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "a", "quantity": 1, "price_minor": -1}]}),
                "goods_invalid",
            ),
        ] {
            let told = request(body.clone()).map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned());
            assert_eq!(told, code, "{body}");
        }
    }

    #[test]
    fn a_scanned_code_is_handed_on_without_its_line_end() {
        let body = serde_json::json!({"amount_minor": 1, "method": "scan", "code": "28123\r\n"});
        let Ok(Checked { tender: Some(Tender::Scan { code }), .. }) = request(body) else { panic!("refused") };
        assert_eq!(code.expose(), "28123");
    }

    #[test]
    fn numbers_of_sales_are_found_in_what_is_scanned() {
        let number = "pay_lpgotadatwo6tslwumbgtvnmti";
        for text in
            [number.to_owned(), number.to_uppercase(), format!("No. {number}."), format!("pay_x https://a/{number}?b")]
        {
            assert_eq!(payment_in(&text).map(|payment| payment.to_string()).as_deref(), Some(number), "{text}");
        }
        for text in ["", "pay_", "pay_lpgotadatwo6tslwumbgtvnmt", "2812345678", "pay_好好好好好好好好好好"] {
            assert_eq!(payment_in(text), None, "{text}");
        }
    }
}

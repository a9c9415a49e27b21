//! What the cashier presses and scans.

use std::time::{Duration, Instant};

use saoma_protocol::{Millis, PaymentId, RefundId, Sequence, api::RefundState, code::phone::is_confirmation};
use tokio::sync::oneshot;

use super::{
    happen::Beside,
    keyed::{Checked, amount_of, check, check_code, payment_in, trimmed},
    now,
    owner::{Awaiting, Early, Order, Owner, Waiter},
};
use crate::{
    journal::Intent,
    offline::{OfflineRefusal, is_meant},
    peripherals::{Kind, PeripheralError},
    sale::{Event, Keyed, Sale, ScannedCode, Tender},
    stored::StoredRefusal,
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
pub(super) const SCAN_MS_MAX: i64 = 5 * 60 * 1000;
/// Presses without a trace in the journal that are remembered, for a page that repeats them.
const REPLAYS_MAX: usize = 256;

/// What a key stood for when it was seen before.
pub(super) struct Seen {
    payment: Option<PaymentId>,
    refund: Option<RefundId>,
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
        let must_wait = !self.goes_alone(&request) && !self.knows_its_numbers() || self.is_in_doubt(&request);
        // A key that is known already makes no new number.
        if must_wait && !matches!(self.seen(&pressed).await, Ok(Some(Seen { payment: Some(_), .. }))) {
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

    /// Whether this is sold without core's word since the start. An offline code, and a card, waits for it where core is there: if
    /// this disk was set back, core has another sale under the next number, and would never book this one.
    fn goes_alone(&self, request: &SaleRequest) -> bool {
        match (request.method, &request.code) {
            (SaleMethod::Cash, _) => true,
            // Still to be shown.
            (SaleMethod::Scan, None) => self.offline.is_on(),
            (SaleMethod::Scan, Some(code)) => is_meant(code.0.expose()) && self.line.is_lost(),
            (SaleMethod::Card, _) => self.offline.sells_to_cards() && self.line.is_lost(),
            (SaleMethod::Code, _) => self.phone_carries(),
        }
    }

    /// Whether core is being looked for just now, which says who carries its code there.
    fn is_in_doubt(&self, request: &SaleRequest) -> bool {
        request.method == SaleMethod::Code && self.may_phone_carry()
    }

    /// Core was heard of; or it lets this terminal do nothing, and says so to each sale.
    pub(super) fn knows_its_numbers(&self) -> bool {
        self.sync.is_compared() || self.sync.stopped().is_some() || self.is_locked_out()
    }

    /// Goes on with sales that waited for core's word, and refuses those that wait in vain.
    pub(super) async fn sell_early(&mut self) {
        let (now, is_clear) = (Instant::now(), self.knows_its_numbers());
        while let Some(early) = self.early.front() {
            let is_told = (is_clear || self.line.is_lost()) && !self.is_in_doubt(&early.request);
            if !is_told && early.until > now {
                return;
            }
            let Some(Early { pressed, request, reply, .. }) = self.early.pop_front() else { return };
            let sold = if self.is_in_doubt(&request) {
                // Begun now, it would stand there without a code for as long as core stays away.
                Err(Refused::CoreUnreachable("the till is still looking for it: press again in a moment".to_owned()))
            } else if is_clear || self.goes_alone(&request) {
                self.sell(pressed, request).await
            } else {
                Err(not_compared())
            };
            let _ = reply.send(sold);
        }
    }

    /// A sale request that core has had its word on.
    async fn sell(&mut self, pressed: Pressed, mut request: SaleRequest) -> Result<Sold, Refused> {
        match self.seen(&pressed).await? {
            Some(Seen { payment: Some(payment), .. }) => {
                return Ok(Sold::Seen(Box::new(self.view(payment).await?)));
            }
            // It waited for a card.
            Some(Seen { payment: None, .. }) => return Err(Refused::CardOver),
            None => {}
        }
        self.check_not_training()?;
        if let Some(awaiting) = self.awaiting.as_ref().filter(|awaiting| awaiting.pressed.key == pressed.key) {
            if awaiting.pressed != pressed {
                return Err(Refused::KeyReused);
            }
            if request.code.is_none() {
                return Ok(Sold::AwaitingScan(awaiting.view()));
            }
        }
        if let Some(awaited) = self.awaited_card(&pressed)? {
            return Ok(Sold::AwaitingCard(awaited));
        }
        request.cashier = self.named(&pressed.key, request.cashier.take(), request.cashier_pin.take()).await?;
        let (currency, method) = (self.identity.profile.currency, request.method);
        let (basket, split, quote) = (request.basket, request.split, request.quote);
        let Checked { mut order, tender } = check(request, currency, self.cashier())?;
        if let Some(ask) = split {
            order.split = Some(self.part_of(ask, &order, basket.is_some())?);
        }
        if let Some(Tender::Scan { code }) = &tender
            && !is_meant(code.expose())
            && self.are_goods(code).await?
        {
            return Err(Refused::GoodsScanned);
        }
        let quote = self.quotes.of(quote, &order, basket.is_some(), (Instant::now(), now()))?;
        if let Some(revision) = basket {
            let whole = quote.as_ref().map_or(order.whole(), |quote| quote.asked);
            order.goods = self.basket_goods(revision, whole, &order.goods)?;
            (order.of_basket, order.held) = (true, self.filling.seen(revision)?.held);
        }
        order.quote = quote.map(|quote| quote.sold(&order.goods)).transpose()?.flatten();
        self.check_shift(method == SaleMethod::Cash)?;
        self.check_held(order.held, order.of_basket)?;
        self.check_part(&order)?;
        self.check_open_for_sales().await?;
        if method == SaleMethod::Card {
            return self.await_card(pressed, order).map(Sold::AwaitingCard);
        }
        let tender = match tender {
            Some(Tender::Scan { code }) => Some(self.offline_tender(code, order.amount, order.split.is_some())?),
            Some(Tender::Code) if self.phone_carries() => {
                Some(self.phone_tender(order.amount, order.split.is_some()).await?)
            }
            other => other,
        };
        let Some(tender) = tender else {
            let awaiting = Awaiting { pressed, order, since: now() };
            let view = awaiting.view();
            self.awaiting = Some(awaiting);
            self.end_card();
            return Ok(Sold::AwaitingScan(view));
        };
        let view = self.key(pressed, order, tender).await?;
        // Whoever keys another sale does not wait for a scan or a card any more.
        self.awaiting = None;
        self.end_card();
        Ok(Sold::Made(Box::new(view)))
    }

    pub(super) async fn key(
        &mut self,
        pressed: Pressed,
        mut order: Order,
        tender: Tender,
    ) -> Result<SaleView, Refused> {
        let counter = self.counted.next();
        let (split, begun) = self.begin_part(&mut order, counter)?;
        let Order { amount, goods, of_basket, reference, cashier, held, quote, .. } = order;
        let (tenant, terminal, _) = self.ids();
        let payment = PaymentId::for_sale(tenant, terminal, counter);
        let Pressed { key, fingerprint } = pressed;
        let intent = Intent { key, fingerprint, payment, refund: None };
        let quoted = quote.as_ref().map(|quote| quote.id);
        let keyed = Keyed { payment, counter, amount, tender, goods, reference, split, quote, cashier };
        let sale = self.begin(keyed, intent, (held, of_basket, begun)).await?;
        if let Some(id) = quoted {
            self.quotes.forget(id);
        }
        Ok(sale)
    }

    /// New sales are stopped while the disk is full, when their numbers could have been used already, and where core would book none.
    pub(super) async fn check_open_for_sales(&mut self) -> Result<(), Refused> {
        self.check_let_in()?;
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
        let repeatable = matches!(press, Press::Query | Press::Cancel | Press::Confirm { .. });
        if let Some(Seen { refund, .. }) = self.seen(&pressed).await?
            && !repeatable
        {
            return Ok(refund);
        }
        if !repeatable {
            self.check_not_training()?;
        }
        self.check_elsewhere(payment, press).await?;
        let (tenant, ..) = self.ids();
        let refund = RefundId::for_key(tenant, payment, &pressed.key);
        let mut approved_by = None;
        if matches!(press, Press::Void | Press::Refund { .. }) {
            self.check_let_in()?;
            let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
            self.check_shift(held.sale.method().is_none())?;
            if held.sale.kept.offline && held.entry > self.sync.through() {
                return Err(OfflineRefusal::Unsynced.into());
            }
            if held.sale.is_forwarded() {
                return Err(match () {
                    () if held.entry > self.sync.through() => StoredRefusal::Unsynced,
                    () if held.sale.awaits_office() => StoredRefusal::Held,
                    () => StoredRefusal::NotFinal,
                }
                .into());
            }
            approved_by = self.approved(&pressed.key, approval).await?;
        }
        let cashier = self.cashier().to_owned();
        let (event, refund) = match press {
            Press::Query => (Event::QueryPressed, None),
            Press::Cancel => {
                self.check_may_cancel(payment).await?;
                (Event::CancelPressed, None)
            }
            Press::Confirm { confirmation } => {
                self.check_confirmation(payment, confirmation).await?;
                (Event::Confirmed, None)
            }
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
            Press::Acknowledge => (Event::AcknowledgePressed, None),
        };
        let Pressed { key, fingerprint } = pressed.clone();
        let intent = (!repeatable).then_some(Intent { key, fingerprint, payment, refund });
        self.happen(payment, event, Beside { intent, approved_by, ..Beside::default() }).await?;
        if matches!(press, Press::Acknowledge) {
            tracing::info!(payment.id = %payment, cashier = self.cashier(), "what became of a sale was seen");
        }
        if repeatable {
            self.remember(pressed, Some(payment));
        }
        Ok(refund)
    }

    /// `POST /api/scan`.
    pub(super) async fn scan(&mut self, pressed: Pressed, text: ScannedCode, reply: Reply<ScanView>) {
        let payment = payment_in(text.expose());
        match (self.scan_here(pressed, text).await, payment) {
            (Err(Refused::SaleNotFound), Some(payment)) => self.ask_elsewhere(payment, Some(reply)),
            (scanned, _) => drop(reply.send(scanned)),
        }
    }

    async fn scan_here(&mut self, pressed: Pressed, text: ScannedCode) -> Result<ScanView, Refused> {
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
        let payment = payment_in(text.expose());
        match (self.scanned(text).await, payment) {
            (Err(Refused::SaleNotFound), Some(payment)) => self.ask_elsewhere(payment, None),
            (scanned, _) => self.tell_scan(scanned),
        }
    }

    pub(super) fn tell_scan(&self, scanned: Result<ScanView, Refused>) {
        let scanned = scanned.unwrap_or_else(|error| {
            tracing::info!(%error, "a scan led to nothing");
            match error {
                Refused::BarcodeUnknown(ends_in) => ScanView::BarcodeUnknown { ends_in },
                Refused::GoodsScanned => ScanView::GoodsScanned,
                Refused::CardSwiped => ScanView::CardSwiped,
                Refused::ScanNotAwaited => ScanView::Unexpected,
                refused => ScanView::Refused { code: refused.code().to_owned(), detail: refused.to_string() },
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
            let held = self.sale(payment).await?;
            // How another till's stands now core alone knows, also if something of it went back here.
            let held = held.filter(|held| !held.sale.kept.elsewhere).ok_or(Refused::SaleNotFound)?;
            let sale = SaleView::of(&held.sale, held.entry <= self.sync.through());
            return Ok(ScanView::Found { sale: Box::new(sale) });
        }
        if is_confirmation(text.expose()) {
            return self.scan_confirmation(&text).await;
        }
        let is_offline = is_meant(text.expose());
        let Some(Awaiting { pressed, order, .. }) = self.awaiting.clone() else {
            return if is_offline { Err(Refused::ScanNotAwaited) } else { self.scan_goods(&text).await };
        };
        if !is_offline && self.are_goods(&text).await? {
            return Err(Refused::GoodsScanned);
        }
        if !(self.knows_its_numbers() || is_offline && self.line.is_lost()) {
            return Err(not_compared());
        }
        self.check_shift(false)?;
        if let Err(gone) = self.check_held(order.held, order.of_basket).and_then(|()| self.check_part(&order)) {
            // No further scan could sell it: the cashier begins anew.
            self.awaiting = None;
            return Err(gone);
        }
        self.check_open_for_sales().await?;
        // One that is not taken is waited for no less: the customer shows another.
        let tender = self.offline_tender(trimmed(&text), order.amount, order.split.is_some())?;
        let sale = self.key(pressed, order, tender).await?;
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
    pub(super) async fn view_numbered(&self, counter: Sequence) -> Result<Vec<SaleView>, Refused> {
        let found = self.journal.run(move |store| store.sale_numbered(counter)).await?;
        // What is under way is newer in memory.
        let payment = found.map(|(kept, _)| kept.payment);
        Ok(match payment {
            Some(payment) => vec![self.view(payment).await?],
            None => Vec::new(),
        })
    }

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

pub(super) fn not_compared() -> Refused {
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

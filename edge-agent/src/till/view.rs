//! What the till's pages get to see: the types of `TILL-API.md`. Made from the inner types, never read back.

use saoma_protocol::{
    Currency, GoodsId, Grams, Millis, Money, PaymentId, RefundId, Sequence, StoreId, TenantId, TerminalId,
    api::{Failure, Goods, PaymentState, RefundState, TerminalBooks},
    message::{PeripheralHealth, Unsent},
};
use serde::Serialize;

use super::{
    basket::BasketView,
    held::HeldView,
    quote::PricedView,
    received::ReceivedView,
    shift::ShiftBrief,
    split::{PartOfView, SplitView},
};
use crate::{
    app::update::Wait,
    journal::Books,
    peripherals::{
        Display, DisplayMessage,
        card_reader::{CardStep, CardTrouble},
    },
    sale::{Action, CardShown, ReceiptState, Refund, Sale, Stage, actions},
    training::TrainingNumber,
};

/// A sale, called by its number; a played one has one of its own kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaleView<N = PaymentId> {
    pub payment: N,
    pub counter: Sequence,
    pub method: &'static str,
    pub state: &'static str,
    pub settled: bool,
    pub paid: bool,
    pub amount_minor: i64,
    pub refunded_minor: i64,
    pub currency: Currency,
    pub amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tendered_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// The customer's phone carries it to core.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub phone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    pub cancelling: bool,
    pub paid_late: bool,
    /// Of a card without a network: a person at core is waited for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaits_office: bool,
    pub synced: bool,
    /// Another till's: `counter` is of that one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    pub receipt: ReceiptState,
    pub cashier: String,
    pub goods: Vec<Goods>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Of a sale by card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<CardShown>,
    /// What it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<PartOfView>,
    /// What its price is made of, if core has quoted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<PricedView>,
    pub refunds: Vec<GivenBack>,
    /// By core's clock where that was known and the machine's wrong.
    pub keyed_at: Millis,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_core: bool,
    /// Nobody knows when it was: the machine's clock was wrong, and core not heard since it was switched on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub time_lost: bool,
    pub updated_at: Millis,
    pub actions: Vec<Action>,
}

/// Money that went, goes, or did not go back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenBack {
    pub refund: RefundId,
    pub amount_minor: i64,
    pub void: bool,
    pub state: RefundState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The supervisor who let it be given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

impl SaleView {
    /// `synced`: whether core has the journal entry that began the sale.
    #[must_use]
    pub fn of(sale: &Sale, synced: bool) -> Self {
        Self::numbered(sale.kept.payment, sale, synced)
    }
}

impl<N> SaleView<N> {
    #[must_use]
    pub fn numbered(payment: N, sale: &Sale, synced: bool) -> Self {
        let kept = &sale.kept;
        let (view, keyed) = (sale.view(), kept.keyed());
        let tendered_minor = match kept.stage {
            Stage::Cash { tendered_minor } => Some(tendered_minor),
            _ => None,
        };
        let presenting = view.filter(|view| view.state == PaymentState::Presenting);
        let carried = kept.phone.as_ref().filter(|_| sale.awaits_phone());
        // What is to be cancelled is not shown any more; until its end it may still be opened.
        let on_show = carried.filter(|_| !sale.is_cancelling());
        let channel = match kept.stage {
            Stage::Cash { .. } => Some("cash".to_owned()),
            _ => view.map(|view| view.channel.clone()),
        };
        let touched_here = kept.refunds.iter().map(|refund| refund.keyed_at).fold(keyed.at(), Millis::max);
        Self {
            payment,
            counter: kept.counter,
            method: method(sale),
            state: sale.state_text(),
            settled: !sale.is_open() || sale.is_forwarded(),
            paid: sale.state().is_some_and(PaymentState::is_paid),
            amount_minor: kept.amount.minor(),
            refunded_minor: sale.refunded_minor(),
            currency: kept.amount.currency(),
            amount: kept.amount.money().decimal(),
            tendered_minor,
            change_minor: tendered_minor.map(|tendered| tendered - kept.amount.minor()),
            channel,
            code_url: presenting.and_then(|view| view.code_url.clone()).or_else(|| Some(on_show?.link.clone())),
            expires_at: presenting.and_then(|view| view.expires_at).or_else(|| Some(carried?.expires_at)),
            phone: sale.awaits_phone(),
            failure: sale.failure().cloned(),
            cancelling: sale.is_cancelling(),
            paid_late: view.is_some_and(|view| view.paid_late),
            awaits_office: sale.awaits_office(),
            synced,
            elsewhere: kept.elsewhere,
            receipt: kept.receipt,
            cashier: kept.cashier.clone(),
            goods: kept.goods.clone(),
            reference: kept.reference.as_ref().map(ToString::to_string),
            card: kept.card.clone(),
            split: PartOfView::of(sale),
            quote: kept.quote.as_ref().map(PricedView::of),
            refunds: kept.refunds.iter().map(GivenBack::of).collect(),
            keyed_at: keyed.at(),
            by_core: keyed.is_machine_wrong(),
            time_lost: keyed.is_lost(),
            updated_at: view.map_or(touched_here, |view| view.updated_at),
            actions: actions(sale).into_iter().filter(|action| synced || !needs_core(sale, *action)).collect(),
        }
    }
}

/// What an offline code paid goes back through core, which must have the sale for it.
fn needs_core(sale: &Sale, action: Action) -> bool {
    sale.kept.offline && matches!(action, Action::Void | Action::Refund)
}

pub(super) const fn method(sale: &Sale) -> &'static str {
    use saoma_protocol::journal::Method;
    match sale.method() {
        _ if sale.kept.offline => "offline",
        _ if sale.kept.stored => "stored",
        None => "cash",
        Some(Method::MerchantPresented) => "code",
        Some(Method::CustomerPresented) => "scan",
        Some(Method::Card) => "card",
    }
}

impl GivenBack {
    pub(super) fn of(refund: &Refund) -> Self {
        Self {
            refund: refund.refund,
            amount_minor: refund.amount.minor(),
            void: refund.void,
            state: refund.state,
            failure: refund.failure.clone(),
            approved_by: refund.approved_by.as_ref().map(|approver| approver.name.clone()),
        }
    }
}

/// `GET /api/state`, all but the time of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateView {
    pub version: &'static str,
    pub till: TillView,
    pub currency: Currency,
    pub minor_digits: u8,
    pub cashier: String,
    /// The shift that is open.
    pub shift: Option<ShiftBrief>,
    /// Whether sales need one.
    pub shift_required: bool,
    /// The merchant has rules of its own: a price is asked for before a sale.
    pub rules: bool,
    /// Signing on needs a PIN: core has said who may.
    pub pins: bool,
    /// Refunds and voids need a supervisor's PIN while whoever signed on stands there.
    pub supervisor_needed: bool,
    pub link: LinkView,
    pub unsent: Unsent,
    pub sync: SyncView,
    pub disk: DiskView,
    /// Nothing that is keyed is real.
    pub training: Option<TrainingView>,
    /// What is put aside, oldest first.
    pub held: Vec<HeldView>,
    /// Split payments that are not finished, oldest first.
    pub splits: Vec<SplitView>,
    /// What is being scanned; nothing while it is empty.
    pub basket: Option<BasketView>,
    /// Of the basket, empty or not: by it a page tells which of two states is the newer.
    pub basket_revision: u64,
    /// How many goods can be scanned.
    pub catalogue_count: u64,
    /// How offline codes stand, where they are taken.
    pub offline: Option<OfflineView>,
    /// How cards without a network stand, where they are taken or wait to be forwarded.
    pub stored: Option<StoredView>,
    /// What was paid today through the shop's printed codes, newest first.
    pub received: Vec<ReceivedView>,
    /// How codes stand that the customer's phone carries to core, where they may be shown.
    pub phone: Option<OfflineView>,
    pub awaiting_scan: Option<AwaitingScan>,
    pub awaiting_card: Option<AwaitingCard>,
    pub open_sales: Vec<PaymentId>,
    pub peripherals: Vec<PeripheralHealth>,
    pub alarms: Vec<AlarmView>,
    /// What a stop of the agent would come between; nothing of it is lost, but it waits.
    pub under_way: Vec<Wait>,
    /// Of the program itself, if it updates itself here.
    pub update: Option<UpdateView>,
}

/// The state with the till's clock.
#[derive(Clone, Debug, Serialize)]
pub struct StateNow {
    #[serde(flatten)]
    pub state: StateView,
    pub now: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TillView {
    pub merchant_name: String,
    pub store_name: String,
    pub terminal_name: String,
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub store: StoreId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinkView {
    pub online: bool,
    pub mqtt: bool,
    pub https: bool,
    /// When core was heard last. Not known while it is there, and where it never was.
    pub offline_since: Option<Millis>,
    /// Core has shut this terminal out: nothing is sold.
    pub locked_since: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncView {
    pub head: Sequence,
    pub through: Sequence,
    pub stopped: Option<StoppedView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoppedView {
    pub sequence: Sequence,
    /// Of its alarm.
    pub code: &'static str,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskView {
    pub ok: bool,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AwaitingScan {
    pub amount_minor: i64,
    pub since: Millis,
}

/// A sale that waits for a card, and what the customer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AwaitingCard {
    pub amount_minor: i64,
    pub since: Millis,
    pub step: CardStep,
    /// Why the last card did not pay.
    pub trouble: Option<CardTrouble>,
    /// It is sold without a network.
    pub stored: bool,
}

/// What a `card` event says: how the waiting ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum CardView {
    Sale { sale: Box<SaleView> },
    Over { code: String, detail: String },
}

/// Why no offline code is taken at this moment, if so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfflineView {
    pub why: Option<&'static str>,
    pub detail: Option<String>,
}

/// The most that a card pays now without a network, or why none does; how many such sales the bank has not answered for, and how many it
/// has declined that nobody here has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredView {
    pub most_minor: Option<i64>,
    pub why: Option<&'static str>,
    pub detail: Option<String>,
    pub waiting_count: usize,
    pub waiting_minor: i64,
    /// What waits for a person at core.
    pub office_count: usize,
    pub office_minor: i64,
    pub declined_count: usize,
    pub declined_minor: i64,
    /// Oldest first, a screenful of them.
    pub to_acknowledge: Vec<ToAcknowledge>,
}

/// A card sale without a network that somebody must look at, and say that he did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToAcknowledge {
    pub payment: PaymentId,
    pub counter: Sequence,
    pub amount_minor: i64,
    pub masked: String,
    /// Of its alarm.
    pub code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrainingView {
    pub since: Millis,
    /// Who stood at the till.
    pub cashier: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmView {
    pub code: String,
    pub message: String,
    pub at: Millis,
}

/// How the next release stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpdateView {
    pub running: String,
    /// The one that runs has not proven itself yet.
    pub on_trial: bool,
    pub next: Option<String>,
    pub waits_for: Vec<Wait>,
    /// Why there is none, if something is wrong.
    pub trouble: Option<String>,
}

/// `GET /api/books`.
#[derive(Clone, Debug, Serialize)]
pub struct BooksView {
    pub agree: bool,
    pub terminal: Books,
    pub core: Option<TerminalBooks>,
}

impl BooksView {
    #[must_use]
    pub fn new(terminal: Books, core: Option<TerminalBooks>) -> Self {
        let sorted = |sums: &[Money]| {
            let mut sums: Vec<Money> = sums.iter().copied().filter(|sum| sum.minor() != 0).collect();
            sums.sort_by_key(|sum| sum.currency());
            sums
        };
        let agree = core.as_ref().is_some_and(|core| {
            core.journal_through == terminal.journal_through
                && core.sales_count == terminal.sales_count
                && core.refunds_count == terminal.refunds_count
                && sorted(&core.sales) == sorted(&terminal.sales)
                && sorted(&core.refunds) == sorted(&terminal.refunds)
        });
        Self { agree, terminal, core }
    }
}

/// `GET /api/display`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DisplayView {
    Idle {
        merchant_name: String,
    },
    Code {
        payment: PaymentId,
        amount: String,
        currency: Currency,
        code_url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        svg: String,
    },
    Message {
        message: DisplayMessage,
        #[serde(skip_serializing_if = "Option::is_none")]
        amount: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        currency: Option<Currency>,
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<String>,
    },
    Basket {
        name: String,
        quantity: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        weight_grams: Option<Grams>,
        line: String,
        total: String,
        currency: Currency,
    },
    Training {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<DisplayMessage>,
        #[serde(skip_serializing_if = "Option::is_none")]
        amount: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        currency: Option<Currency>,
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<String>,
    },
}

impl DisplayView {
    #[must_use]
    pub fn of(display: &Display) -> Self {
        match display.clone() {
            Display::Idle { merchant_name } => Self::Idle { merchant_name },
            Display::Code { payment, amount, currency, code_url, expires_at } => {
                match code_svg(&code_url) {
                    Some(svg) => Self::Code { payment, amount, currency, code_url, expires_at, svg },
                    // Core's links are a tenth of what a code holds; one that does not fit cannot be scanned by anybody.
                    None => Self::Message {
                        message: DisplayMessage::Failed,
                        amount: Some(amount),
                        currency: Some(currency),
                        change: None,
                    },
                }
            }
            Display::Message { message, amount, currency, change } => {
                Self::Message { message, amount, currency, change }
            }
            Display::Basket { name, quantity, weight_grams, line, total, currency } => {
                Self::Basket { name, quantity, weight_grams, line, total, currency }
            }
            Display::Training { message, amount, currency, change } => {
                Self::Training { message, amount, currency, change }
            }
        }
    }
}

/// A QR code with its quiet zone, black on white. Error correction M: what cashiers' screens need, and the code stays coarse.
pub(super) fn code_svg(text: &str) -> Option<String> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).ok()?;
    let svg = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(320, 320).build();
    // Inside a page, an XML declaration is an error.
    svg.find("<svg").map(|start| svg[start..].to_owned())
}

/// The answer to `POST /api/scan`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ScanView {
    Sale {
        sale: Box<SaleView>,
    },
    Found {
        sale: Box<SaleView>,
    },
    /// A played sale began with it.
    #[serde(rename = "training_sale")]
    Training {
        sale: Box<SaleView<TrainingNumber>>,
    },
    /// Goods came into the basket. Without `scanned`, the same press had brought them before.
    Basket {
        #[serde(skip_serializing_if = "Option::is_none")]
        scanned: Option<Scanned>,
        basket: Option<Box<BasketView>>,
    },
    /// Goods that are sold by weight: they come into the basket once it is known how much of them there is.
    Weigh {
        goods: GoodsId,
        name: String,
        /// Of a kilogram.
        price_minor: i64,
    },
    /// The catalogue does not have it; only as an event. The end of it is told if it looks like one that is printed on packages.
    BarcodeUnknown {
        #[serde(skip_serializing_if = "Option::is_none")]
        ends_in: Option<String>,
    },
    /// Goods, where a customer's code is awaited; only as an event.
    GoodsScanned,
    /// What was scanned is understood and not taken; only as an event.
    Refused {
        code: String,
        detail: String,
    },
    /// A card's stripe.
    CardSwiped,
    /// A hardware scan that nobody waited for; only as an event.
    Unexpected,
}

/// What was scanned, and on which line it is.
#[derive(Clone, Debug, Serialize)]
pub struct Scanned {
    pub name: String,
    pub line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_with_its_quiet_zone_and_no_declaration() {
        let svg = code_svg("https://pay.example/c/abc").unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
        assert!(code_svg(&"x".repeat(4_000)).is_none());
    }

    #[test]
    fn books_agree_only_with_an_equal_answer() {
        let yuan = |minor| vec![Money::new(minor, Currency::CNY)];
        let books =
            |sales, refunds| Books { journal_through: Sequence(4), sales_count: 2, sales, refunds_count: 1, refunds };
        let core = |journal_through, sales: Vec<Money>, refunds: Vec<Money>| TerminalBooks {
            journal_through: Sequence(journal_through),
            sales_count: 2,
            sales,
            refunds_count: 1,
            refunds,
        };
        for (core, agree) in [
            (None, false),
            (Some(core(4, yuan(1250), yuan(50))), true),
            (Some(core(4, [yuan(1250), vec![Money::new(0, Currency::USD)]].concat(), yuan(50))), true),
            (Some(core(3, yuan(1250), yuan(50))), false),
            (Some(core(4, yuan(1251), yuan(50))), false),
            (Some(core(4, yuan(1250), Vec::new())), false),
        ] {
            assert_eq!(BooksView::new(books(yuan(1250), yuan(50)), core.clone()).agree, agree, "{core:?}");
        }
    }
}

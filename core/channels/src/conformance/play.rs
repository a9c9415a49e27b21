//! Plays one case: core, the customer and the scheme in turn, each answer held to what the line allows and to the books.

use std::{collections::BTreeMap, sync::Arc};

use saoma_domain::settlement::RowKind;
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, PaymentId, RefundId, StoreId, TenantId, TerminalId, money::AMOUNT_MINOR_MAX,
};

use super::{
    bill, checks,
    disputing::{self, Disputing},
    far_side::{Books, FarSide, Played, Script},
    laws,
    report::Finding,
    settling::{self, Settling, row_of_refund},
    table::{Case, Step, Verb, Way},
    told::{self, Told},
    visit,
    world::{KitChance, KitClock, KitKv, fresh},
};
use crate::{
    card::{Card, KeptCard},
    failure::Failure,
    manifest::{Capability, Manifest},
    message::{
        Account, HttpMessage, KnownOrder, Order, PaymentAnswer, PaymentStatus, Presenter, RefundOrder, RefundStatus,
    },
    ports::{ChannelCaller, Clock as _, NoChance},
    secret::Secrets,
    settlement::Row,
};

/// Of an order whose case does not say: more than its parts in the table, and under every scheme's limit.
const AMOUNT_MINOR: i64 = 1_250;
/// How long an order may be paid, as core's default is.
const ORDER_LIFE_MS: i64 = 120_000;
/// Nothing listens there; a scheme that calls it is told so at once.
const NOTIFY_URL: &str = "http://127.0.0.1:9/v1/notify/kit";

/// What the kit controls around the component.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub clock: &'a Arc<KitClock>,
    pub chance: &'a Arc<KitChance>,
    pub kv: &'a Arc<KitKv>,
}

/// Why a case ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(Finding),
    Skipped(String),
}

impl Stop {
    pub(super) fn failed(expected: impl Into<String>, came: impl Into<String>) -> Self {
        Self::Failed(Finding { expected: expected.into(), came: came.into(), aside: false })
    }

    /// The same, and it is not what the case is about.
    pub(super) fn aside(self) -> Self {
        match self {
            Self::Failed(finding) => Self::Failed(Finding { aside: true, ..finding }),
            Self::Skipped(why) => Self::Skipped(why),
        }
    }
}

impl From<NoChance> for Stop {
    fn from(error: NoChance) -> Self {
        Self::failed("random bytes for the kit", error.to_string())
    }
}

/// How long a terminal was without a network.
const STORED_FOR_MS: i64 = 3_600_000;

/// An order as core has it.
pub(super) struct Sale {
    pub order: Order,
    pub pays_by: PaysBy,
    reference: String,
    /// The last word of a cancel was that it is closed, or never was.
    is_closed: bool,
    pub refunds: BTreeMap<String, RefundOrder>,
}

/// What the customer shows, the same at each repetition.
#[derive(Clone)]
pub(super) enum PaysBy {
    /// Nothing: the shop shows a code.
    Shown,
    Code(String),
    Card(Box<Card>),
    /// The same, told later.
    Stored(Box<Card>),
    InApp {
        app: String,
        payer: String,
    },
}

impl Sale {
    /// As a row of a batch, without its place.
    fn row(&self, kind: RowKind) -> Row {
        Row {
            place: 0,
            kind,
            payment: self.order.number,
            reference: self.reference.clone(),
            refund: None,
            refund_reference: String::new(),
            amount: self.order.amount,
            at: self.order.created_at,
            card: self.kept_card(),
        }
    }

    fn kept_card(&self) -> Option<KeptCard> {
        match &self.pays_by {
            PaysBy::Card(card) | PaysBy::Stored(card) => Some(card.kept.clone()),
            PaysBy::Shown | PaysBy::Code(_) | PaysBy::InApp { .. } => None,
        }
    }
}

pub(super) struct Player<'a> {
    pub caller: &'a dyn ChannelCaller,
    pub manifest: &'a Manifest,
    pub far_side: &'a FarSide,
    pub world: World<'a>,
    pub script: Script,
    pub account: Account,
    /// The last is the one that lines are about.
    pub sales: Vec<Sale>,
    pub settling: Settling,
    pub disputing: Disputing,
    /// Core's clock against the scheme's.
    pub ahead_ms: i64,
    subject: String,
    pub last_message: Option<HttpMessage>,
    /// For the report.
    pub done: Vec<String>,
    /// What the component said in words, which goes to core's logs.
    pub said: Vec<String>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        caller: &'a dyn ChannelCaller,
        manifest: &'a Manifest,
        far_side: &'a FarSide,
        world: World<'a>,
        script: Script,
    ) -> Result<Self, Stop> {
        let account = Account {
            id: ChannelAccountId::from_bytes(fresh()?),
            tenant: TenantId::from_bytes(fresh()?),
            channel: manifest.id.clone(),
            package: None,
            settings_json: serde_json::Value::Object(script.settings.clone()).to_string(),
            secrets: secrets_of(&script),
            notify_url: NOTIFY_URL.to_owned(),
        };
        Ok(Self {
            caller,
            manifest,
            far_side,
            world,
            script,
            account,
            sales: Vec::new(),
            settling: Settling::default(),
            disputing: Disputing::default(),
            ahead_ms: 0,
            subject: "大杯 coffee".to_owned(),
            last_message: None,
            done: Vec::new(),
            said: Vec::new(),
        })
    }

    pub(super) async fn play(&mut self, case: &Case) -> Result<(), Stop> {
        for step in &case.steps {
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let told = match &step.verb {
            Verb::Ask { way, amount_minor } => {
                if self.sales.is_empty() {
                    self.open(*way, *amount_minor).await?;
                }
                self.ask().await?
            }
            Verb::Query => self.query().await?,
            Verb::Cancel => self.cancel().await?,
            Verb::Refund { name, amount_minor } => self.refund(name, *amount_minor).await?,
            Verb::QueryRefund { name } => self.query_refund(name).await?,
            Verb::Notify { fault, refund } => self.notified(fault.as_deref(), refund.as_deref()).await?,
            Verb::Again => self.notified_again().await?,
            Verb::NotifyDispute { fault } => disputing::notified(self, fault.as_deref()).await?,
            Verb::DisputeAgain => disputing::again(self).await?,
            Verb::DisputeHeld => disputing::held(self).await?,
            Verb::Bill => bill::told(self).await?,
            Verb::Settle { off_minor } => settling::settle(self, *off_minor).await?,
            Verb::Upload => settling::upload(self).await?,
            Verb::Finish => settling::finish(self).await?,
            verb => {
                self.done.push(step.text.clone());
                return self.arrange(verb).await;
            }
        };
        self.held_to(&step.text, &told, &step.expected)
    }

    /// Notes what came, and ends the case if that is not among what may come.
    pub(super) fn held_to(&mut self, text: &str, told: &Told, expected: &[String]) -> Result<(), Stop> {
        let doing = text.split(" -> ").next().unwrap_or(text);
        self.done.push(format!("{doing} -> {}", told.sentence));
        if told.is_one_of(expected) {
            return Ok(());
        }
        Err(Stop::failed(format!("{doing} -> {}", expected.join(" or ")), format!("{}: {}", told.word, told.sentence)))
    }

    /// The line before said that it waits: that it does not is the channel's fault, and nothing that the far side cannot play.
    async fn pays(&self, number: &str) -> Result<(), Stop> {
        match self.far_side.pays(number).await? {
            Played::Done(()) => Ok(()),
            Played::Unplayable(why) => {
                Err(Stop::failed("what the channel told of to wait at the scheme, where it can be paid now", why))
            }
        }
    }

    /// What the customer cannot do with an order that the scheme has never heard of is the channel's fault, not the far side's.
    async fn is_there(&self, outcome: Played<()>) -> Result<(), Stop> {
        match outcome {
            Played::Unplayable(why) if self.books().await?.is_none() => {
                Err(Stop::failed("the customer to find the order at the scheme, since the channel asked for it", why))
            }
            outcome => played(outcome),
        }
    }

    async fn pays_late(&self) -> Result<(), Stop> {
        // That the scheme lets nobody pay any more is what is wanted.
        let _ = self.far_side.pays(&self.number()?).await?;
        let kept_minor = self.books().await?.map_or(0, |books| books.kept_minor());
        if self.sale()?.is_closed && kept_minor != 0 {
            return Err(Stop::failed(
                "nobody to be able to pay what the channel called closed or not found",
                format!("the customer has paid since, and the scheme keeps {kept_minor} minor units"),
            ));
        }
        Ok(())
    }

    /// What core does not ask of the channel.
    async fn arrange(&mut self, verb: &Verb) -> Result<(), Stop> {
        match verb {
            Verb::Next { act, fault } => played(self.far_side.next(act, fault).await?),
            Verb::Paid => self.paid().await.map_err(Stop::aside),
            Verb::Pays { refund: None } => self.pays(&self.number()?).await,
            Verb::Pays { refund: Some(name) } => self.pays(&self.refund_of(name)?.refund_number.to_string()).await,
            Verb::PaysLate => self.pays_late().await,
            Verb::Declines => {
                let outcome = self.far_side.declines(&self.number()?).await?;
                self.is_there(outcome).await
            }
            Verb::Books { taken, back_minor } => self.held_to_books(*taken, *back_minor).await,
            Verb::Subject(text) => {
                self.subject.clone_from(text);
                Ok(())
            }
            Verb::Clock(ahead_ms) => {
                self.ahead_ms = *ahead_ms;
                self.world.clock.set_ahead(*ahead_ms);
                Ok(())
            }
            Verb::Dispute(news) => played(self.far_side.disputes(&self.number()?, news).await?),
            Verb::HoldDispute => disputing::hold(self).await,
            Verb::Other => self.open(self.way(), None).await,
            Verb::Batches { over, balanced } => settling::held_to_batches(self, *over, *balanced).await,
            Verb::Check(name) => checks::run(self, name).await,
            _ => Ok(()),
        }
    }

    /// The way that every channel of this manifest has for a customer to pay.
    pub(super) fn way(&self) -> Way {
        if self.manifest.can(Capability::CustomerPresented) {
            Way::Code
        } else if self.manifest.can(Capability::MerchantPresented) {
            Way::Shown
        } else {
            Way::Card
        }
    }

    /// An order for the lines to come.
    pub(super) async fn open(&mut self, way: Way, amount_minor: Option<i64>) -> Result<(), Stop> {
        let currency = *self.manifest.currencies.first().ok_or_else(|| Stop::failed("a currency", "none"))?;
        let minor = amount_minor.unwrap_or(AMOUNT_MINOR).min(AMOUNT_MINOR_MAX);
        let amount = Amount::new(minor, currency).map_err(|error| Stop::failed("an amount", error.to_string()))?;
        let nothing = |what: &str| {
            Stop::Skipped(format!("the script of this far side has no {what}, so that nothing can be charged"))
        };
        let pays_by = match way {
            Way::Shown => PaysBy::Shown,
            // Schemes' codes are good for one payment, so each order has one of its own.
            Way::Code => PaysBy::Code(self.far_side.script().await?.code.ok_or_else(|| nothing("code"))?),
            Way::Card | Way::Stored => {
                let shown = self.script.card.as_ref().ok_or_else(|| nothing("card"))?;
                let card = Card::read(&shown.presented)
                    .map_err(|error| Stop::failed("a card as terminals send it in the script", error.to_string()))?;
                if way == Way::Stored {
                    PaysBy::Stored(Box::new(Card { pin: None, ..card }))
                } else {
                    PaysBy::Card(Box::new(card))
                }
            }
            Way::InApp => {
                let (app, payer) = visit::payer(self).await?;
                PaysBy::InApp { app, payer }
            }
        };
        let now = self.world.clock.now();
        let order = Order {
            number: PaymentId::from_bytes(fresh()?),
            amount,
            subject: self.subject.clone(),
            merchant_name: "Corner Shop 街角小店".to_owned(),
            store: StoreId::from_bytes([6; 16]),
            store_name: "Main Street".to_owned(),
            terminal: Some(TerminalId::from_bytes([7; 16])),
            terminal_name: "till 1".to_owned(),
            created_at: now,
            expires_at: now.plus(ORDER_LIFE_MS),
        };
        self.sales.push(Sale { order, pays_by, reference: String::new(), is_closed: false, refunds: BTreeMap::new() });
        Ok(())
    }

    pub(super) fn sale(&self) -> Result<&Sale, Stop> {
        self.sales.last().ok_or_else(|| Stop::failed("an order before this line", "there is none: mend the table"))
    }

    pub(super) fn number(&self) -> Result<String, Stop> {
        Ok(self.sale()?.order.number.to_string())
    }

    pub(super) fn refund_of(&self, name: &str) -> Result<&RefundOrder, Stop> {
        self.sale()?.refunds.get(name).ok_or_else(|| Stop::failed(format!("the refund {name}"), "there is none"))
    }

    pub(super) fn known(&self) -> Result<KnownOrder, Stop> {
        let sale = self.sale()?;
        Ok(KnownOrder {
            number: sale.order.number,
            reference: sale.reference.clone(),
            amount: sale.order.amount,
            presented_by: match sale.pays_by {
                PaysBy::Shown | PaysBy::InApp { .. } => Presenter::Merchant,
                PaysBy::Code(_) | PaysBy::Card(_) | PaysBy::Stored(_) => Presenter::Customer,
            },
            created_at: sale.order.created_at,
            card: sale.kept_card(),
        })
    }

    /// Asks for the money of the last order, by its way.
    pub(super) async fn ask(&mut self) -> Result<Told, Stop> {
        let sale = self.sale()?;
        match &sale.pays_by {
            PaysBy::Shown => {
                let outcome = self.caller.create(&self.account, &sale.order).await;
                let told = self.believed_by_books(told::created(&outcome), false).await?;
                match outcome {
                    Ok(created) => self.leads_here(&created.code).await.map(|()| told),
                    Err(_) => Ok(told),
                }
            }
            PaysBy::Code(code) => {
                let outcome = self.caller.charge(&self.account, &sale.order, code).await;
                self.learned(outcome).await
            }
            PaysBy::InApp { app, payer } => {
                let outcome = self.caller.open_in_app(&self.account, app, &sale.order, payer).await;
                self.believed_by_books(told::opened(&outcome), false).await
            }
            PaysBy::Card(card) => {
                let outcome = self.caller.charge_card(&self.account, &sale.order, card).await;
                self.learned(outcome).await
            }
            PaysBy::Stored(card) => {
                let sold_at = sale.order.created_at.plus(-STORED_FOR_MS);
                let outcome = self.caller.forward(&self.account, &sale.order, card, sold_at).await;
                self.learned(outcome).await
            }
        }
    }

    pub(super) async fn query(&mut self) -> Result<Told, Stop> {
        let outcome = self.caller.query(&self.account, &self.known()?).await;
        self.learned(outcome).await
    }

    async fn cancel(&mut self) -> Result<Told, Stop> {
        let outcome = self.caller.cancel(&self.account, &self.known()?).await;
        if let Some(sale) = self.sales.last_mut() {
            sale.is_closed = outcome
                .as_ref()
                .is_ok_and(|answer| matches!(answer.status, PaymentStatus::Closed | PaymentStatus::NotFound));
        }
        self.learned(outcome).await
    }

    async fn learned(&mut self, outcome: Result<PaymentAnswer, Failure>) -> Result<Told, Stop> {
        let told = told::payment(&outcome, self.sale()?.order.amount.money(), self.manifest);
        if let (Ok(answer), Some(sale)) = (outcome, self.sales.last_mut()) {
            if !answer.reference.is_empty() {
                sale.reference = answer.reference;
            }
            let kind = match answer.status {
                PaymentStatus::Succeeded => Some(RowKind::Sale),
                PaymentStatus::Closed => Some(RowKind::Void),
                _ => None,
            };
            let row = kind.map(|kind| sale.row(kind));
            row.into_iter().for_each(|row| self.settling.note_sale(row));
        }
        self.believed_by_books(told, false).await
    }

    pub(super) async fn believed_by_books(&mut self, told: Told, is_old: bool) -> Result<Told, Stop> {
        self.said.push(told.sentence.clone());
        let books = self.books().await?;
        let order = &self.sale()?.order;
        let borne_out = laws::payment(&told.word, order.amount.money(), books.as_ref(), is_old)
            .and_then(|()| laws::subject(&order.subject, books.as_ref()));
        match borne_out {
            Ok(()) => Ok(told),
            Err(lie) => {
                Err(Stop::failed("an answer that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
            }
        }
    }

    /// Whoever scans the code pays this order and no other.
    async fn leads_here(&self, code: &str) -> Result<(), Stop> {
        let leading = self.books().await?.and_then(|books| books.code);
        // A QR has room for more letters if they are capitals, and then the case says nothing.
        match leading.filter(|leading| !code.to_lowercase().contains(&leading.to_lowercase())) {
            None => Ok(()),
            Some(leading) => Err(Stop::failed(
                format!("a code that leads to the order at the scheme, by {leading:?}"),
                format!("{code:?}: whoever scans it pays something else, or nothing"),
            )),
        }
    }

    pub(super) async fn books(&self) -> Result<Option<Books>, Stop> {
        Ok(self.far_side.books(&self.number()?).await?)
    }

    async fn refund(&mut self, name: &str, amount_minor: Option<i64>) -> Result<Told, Stop> {
        if self.sales.is_empty() {
            self.open(self.way(), None).await?;
        }
        let total = self.sale()?.order.amount;
        let amount = Amount::new(amount_minor.unwrap_or(total.minor()), total.currency())
            .map_err(|error| Stop::failed("an amount", error.to_string()))?;
        let refund = RefundOrder {
            number: self.sale()?.order.number,
            reference: self.sale()?.reference.clone(),
            refund_number: RefundId::from_bytes(fresh()?),
            amount,
            total,
            reason: "cold 凉了".to_owned(),
            created_at: self.world.clock.now(),
            card: self.sale()?.kept_card(),
        };
        let refund = match self.sales.last_mut() {
            Some(sale) => sale.refunds.entry(name.to_owned()).or_insert(refund).clone(),
            None => refund,
        };
        let before = self.books().await?;
        let outcome = self.caller.refund(&self.account, &refund).await;
        let told = told::refund(&outcome, refund.amount.money(), self.manifest);
        if let Ok(answer) = &outcome
            && answer.status == RefundStatus::Succeeded
        {
            self.settling.note_refund(row_of_refund(&refund, answer.reference.clone()));
        }
        self.refund_believed(told, &refund, before).await
    }

    async fn query_refund(&mut self, name: &str) -> Result<Told, Stop> {
        let refund = self.refund_of(name)?.clone();
        let before = self.books().await?;
        let outcome = self.caller.query_refund(&self.account, &refund).await;
        let told = told::refund(&outcome, refund.amount.money(), self.manifest);
        self.refund_believed(told, &refund, before).await
    }

    pub(super) async fn refund_believed(
        &mut self,
        told: Told,
        refund: &RefundOrder,
        before: Option<Books>,
    ) -> Result<Told, Stop> {
        self.said.push(told.sentence.clone());
        let after = self.books().await?;
        match laws::refund(&told.word, refund.amount.money(), before.as_ref(), after.as_ref()) {
            Ok(()) => Ok(told),
            Err(lie) => {
                Err(Stop::failed("an answer that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
            }
        }
    }

    /// An order that the customer has paid.
    pub(super) async fn paid(&mut self) -> Result<(), Stop> {
        self.open(self.way(), None).await?;
        let mut told = self.ask().await?;
        if told.word == "pending" || told.word == "created" {
            self.pays(&self.number()?).await?;
            told = self.query().await?;
        }
        match told.word.as_str() {
            "succeeded" => Ok(()),
            _ => Err(Stop::failed("an order that is paid, which this case is about", told.sentence)),
        }
    }

    /// At the end of a case: money was taken for the orders of the case, and for no other.
    pub(super) async fn took_nothing_else(&self) -> Result<(), Stop> {
        let Some(in_all) = self.far_side.taken().await? else { return Ok(()) };
        let mut known = 0;
        for sale in &self.sales {
            known += self.far_side.books(&sale.order.number.to_string()).await?.map_or(0, |books| books.times_taken);
        }
        if in_all == known {
            return Ok(());
        }
        let came = format!("customers' money was taken {in_all} times, {known} of them for these orders");
        Err(Stop::failed("money to be taken under the orders' own numbers alone", came))
    }

    async fn held_to_books(&self, taken: u32, back_minor: Option<i64>) -> Result<(), Stop> {
        let amount_minor = self.sale()?.order.amount.minor();
        let wanted = (taken, back_minor.unwrap_or(amount_minor));
        let books = self.books().await?;
        let found = books.as_ref().map_or((0, 0), |books| (books.times_taken, books.given_back_minor));
        if found == wanted {
            return Ok(());
        }
        let told = |(taken, back): (u32, i64)| format!("money taken {taken} times, {back} minor units given back");
        let state = books.map_or_else(|| "no such order".to_owned(), |books| format!("state {}", books.state));
        Err(Stop::failed(told(wanted), format!("{} ({state})", told(found))))
    }

    pub(super) fn now(&self) -> Millis {
        self.world.clock.now()
    }
}

pub(super) fn secrets_of(script: &Script) -> Secrets {
    script.secrets.iter().fold(Secrets::none(), |secrets, (name, value)| {
        secrets.with(name.clone(), value.as_str().unwrap_or_default().as_bytes().to_vec())
    })
}

fn played(outcome: Played<()>) -> Result<(), Stop> {
    match outcome {
        Played::Done(()) => Ok(()),
        Played::Unplayable(why) => Err(Stop::Skipped(format!("this far side cannot: {why}"))),
    }
}

//! Plays one case: core, the customer and the scheme in turn, each answer held to what the line allows and to the books.

use std::{collections::BTreeMap, sync::Arc};

use saoma_domain::settlement::RowKind;
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, PaymentId, RefundId, StoreId, TenantId, TerminalId, money::AMOUNT_MINOR_MAX,
};

use super::{
    bill, checks,
    disputing::{self, Disputing},
    far_side::{Books, FarSide, Message, Played, Script},
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
        Self::Failed(Finding { expected: expected.into(), came: came.into() })
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
    subject: String,
    last_message: Option<HttpMessage>,
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

    /// What core does not ask of the channel.
    async fn arrange(&mut self, verb: &Verb) -> Result<(), Stop> {
        match verb {
            Verb::Next { act, fault } => played(self.far_side.next(act, fault).await?),
            Verb::Paid => self.paid().await,
            Verb::Pays { refund: None } => played(self.far_side.pays(&self.number()?).await?),
            Verb::Pays { refund: Some(name) } => {
                let number = self.refund_of(name)?.refund_number.to_string();
                played(self.far_side.pays(&number).await?)
            }
            Verb::Declines => played(self.far_side.declines(&self.number()?).await?),
            Verb::Books { taken, back_minor } => self.held_to_books(*taken, *back_minor).await,
            Verb::Subject(text) => {
                self.subject.clone_from(text);
                Ok(())
            }
            Verb::Clock(ahead_ms) => {
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
        self.sales.push(Sale { order, pays_by, reference: String::new(), refunds: BTreeMap::new() });
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
                self.believed_by_books(told::created(&outcome), false).await
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

    async fn believed_by_books(&mut self, told: Told, is_old: bool) -> Result<Told, Stop> {
        self.said.push(told.sentence.clone());
        let books = self.books().await?;
        match laws::payment(&told.word, self.sale()?.order.amount.money(), books.as_ref(), is_old) {
            Ok(()) => Ok(told),
            Err(lie) => {
                Err(Stop::failed("an answer that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
            }
        }
    }

    async fn books(&self) -> Result<Option<Books>, Stop> {
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

    async fn refund_believed(&mut self, told: Told, refund: &RefundOrder, before: Option<Books>) -> Result<Told, Stop> {
        self.said.push(told.sentence.clone());
        let after = self.books().await?;
        match laws::refund(&told.word, refund.amount.money(), before.as_ref(), after.as_ref()) {
            Ok(()) => Ok(told),
            Err(lie) => {
                Err(Stop::failed("an answer that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
            }
        }
    }

    async fn notified(&mut self, fault: Option<&str>, refund: Option<&str>) -> Result<Told, Stop> {
        let refund_number = refund.map(|name| Ok::<_, Stop>(self.refund_of(name)?.refund_number.to_string()));
        let refund_number = refund_number.transpose()?;
        let is_cut = fault == Some("truncated");
        let asked = fault.filter(|_| !is_cut);
        let Message { headers, mut body } =
            match self.far_side.notification(&self.number()?, refund_number.as_deref(), asked).await? {
                Played::Done(message) => message,
                Played::Unplayable(why) => return Err(Stop::Skipped(format!("this far side cannot: {why}"))),
            };
        if is_cut {
            body.truncate(body.len() / 2);
        }
        self.last_message = Some(HttpMessage { headers, body });
        self.read_notification(refund).await
    }

    async fn notified_again(&mut self) -> Result<Told, Stop> {
        self.read_notification(None).await
    }

    /// The last notification, as this account's component reads it.
    pub(super) async fn read_notification(&mut self, refund: Option<&str>) -> Result<Told, Stop> {
        let Some(message) = self.last_message.clone() else {
            return Err(Stop::failed("a notification before this line", "there is none"));
        };
        let (amount, refund_number) = match refund {
            Some(name) => (self.refund_of(name)?.amount, Some(self.refund_of(name)?.refund_number.to_string())),
            None => (self.sale()?.order.amount, None),
        };
        let outcome = self.caller.parse_notification(&self.account, &message).await;
        let told =
            told::notification(&outcome, &self.number()?, amount.money(), refund_number.as_deref(), self.manifest);
        match refund {
            None => self.believed_by_books(told, true).await,
            Some(name) => {
                let (refund, books) = (self.refund_of(name)?.clone(), self.books().await?);
                self.refund_believed(told, &refund, books).await
            }
        }
    }

    /// Whether the scheme has a notification about the order; it is kept for [`Self::read_notification`].
    pub(super) async fn has_notification(&mut self) -> Result<bool, Stop> {
        let played = self.far_side.notification(&self.number()?, None, None).await?;
        if let Played::Done(Message { headers, body }) = played {
            self.last_message = Some(HttpMessage { headers, body });
            return Ok(true);
        }
        Ok(false)
    }

    /// An order that the customer has paid.
    pub(super) async fn paid(&mut self) -> Result<(), Stop> {
        self.open(self.way(), None).await?;
        let mut told = self.ask().await?;
        if told.word == "pending" || told.word == "created" {
            played(self.far_side.pays(&self.number()?).await?)?;
            told = self.query().await?;
        }
        match told.word.as_str() {
            "succeeded" => Ok(()),
            _ => Err(Stop::failed("an order that is paid, which this case is about", told.sentence)),
        }
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

//! A terminal: the agent's own rules (`sale`, `sync`) over its own journal on a disk that outlives crashes.
//!
//! What the agent's owner does between them is done here in the same order (decide, write, act), without threads, sockets
//! and devices, so that the process can end before and after each commit.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
};

use saoma_edge::{
    journal::{Commit, Intent, JournalError, Settings, Store},
    link::https::{Call, outcome},
    sale::{self, Decision, Effect, Event, Keyed, LeftToDo, Outcome, ReceiptState, Sale, ScannedCode, Tender},
    signer::Signer,
    sync::{self, Order, Sync},
};
use saoma_protocol::{
    Amount, Millis, PaymentId, RefundId, Sequence, TenantId, TerminalId,
    api::{CreatePayment, PaymentView, Pushes},
    code::offline::SignedGrant,
    message::{Envelope, JournalAck, JournalBatch, MessageError, Push, PushAck, PushBody},
    topic::{Leaf, Topic},
};

use super::{
    alone::{Alone, keyed_at},
    caller::code_of,
    canary::Canary,
    door::Answer,
    plan::{Pressed, Tendered},
    template::Hand,
    wires::Wires,
};

/// How often core is asked for pushes while the broker is away, in milliseconds.
const POLL_MS: i64 = 5_000;
/// The till stands where the merchant counts its days.
const UTC_OFFSET_MINUTES: i32 = 0;
/// How long a code of this till lives.
const CODE_SECONDS: u32 = 60;

/// A message that leaves the terminal.
#[derive(Clone, Debug)]
pub enum Sent {
    Sale { payment: PaymentId, ask: sale::Ask, call: Box<Call> },
    Journal { batch: JournalBatch, by_broker: bool },
    Acknowledge { ack: PushAck, by_broker: bool },
    Pushes,
    OfflineList,
}

/// The process ended, by a mishap or because its disk failed it.
#[derive(Debug)]
pub enum End {
    Crash,
    Broken(String),
}

impl From<JournalError> for End {
    fn from(error: JournalError) -> Self {
        Self::Broken(error.to_string())
    }
}

pub(super) type Done<T = ()> = Result<T, End>;

/// What outlives the process: the disk, and what people saw and remember.
pub struct Terminal {
    pub idx: usize,
    /// Its place among the clocks.
    pub clock: usize,
    pub tenant: TenantId,
    pub id: TerminalId,
    pub path: PathBuf,
    pub hand: Hand,
    pub run: Option<Run>,
    /// Grows with each start: what was under way for an earlier one goes nowhere.
    pub incarnation: u64,
    pub wires: Wires,
    pub canary: Option<Canary>,
    pub sent: Vec<Sent>,
    /// What the till has told people, as it learned it: for the auditor.
    pub told: Vec<PaymentView>,
    /// Sales that the cashier was told are paid.
    pub promised: BTreeMap<PaymentId, i64>,
    /// Which sale number each payment is, written by the cashier beside the receipt.
    pub numbers: BTreeMap<PaymentId, usize>,
    /// Sales in cash.
    pub cash: BTreeSet<PaymentId>,
    pub acknowledged: Vec<Sequence>,
    pub alarms: Vec<String>,
    /// Of the holder's phone, where terminals sell without core.
    pub grant: Option<SignedGrant>,
}

/// One run of the process.
pub struct Run {
    pub journal: Store,
    pub sales: BTreeMap<PaymentId, Sale>,
    pub sync: Sync,
    counted: Sequence,
    follow_ups: VecDeque<(PaymentId, Event)>,
    pub mqtt: bool,
    https: bool,
    polling: bool,
    poll_at_ms: i64,
    /// The batch without an answer, and whether it went to the broker: sent again, it takes the other way.
    last_batch: Option<(Sequence, bool)>,
    pub(super) alone: Option<Alone>,
}

impl Run {
    pub(super) const fn is_online(&self) -> bool {
        self.mqtt || self.https
    }
}

impl Terminal {
    pub(super) fn now(&self) -> Millis {
        self.wires.clock(self.clock)
    }

    pub(super) fn run(&mut self) -> Done<&mut Run> {
        self.run.as_mut().ok_or(End::Crash)
    }

    /// Starts the process on what the disk holds.
    ///
    /// # Errors
    /// `Broken` if the journal cannot be believed.
    pub fn start(&mut self) -> Done {
        let settings = Settings { path: self.path.clone(), free_bytes_min: 0, pages_max: 0 };
        let (mut journal, opened) = Store::open(&settings, self.id, self.now())?;
        let Hand { chain, key } = &self.hand;
        journal.sign_by(Signer::new(self.tenant, self.id, chain, key).map_err(JournalError::from)?);
        self.incarnation += 1;
        let mut follow_ups = VecDeque::new();
        let mut sales = BTreeMap::new();
        for kept in opened.open_sales {
            if kept.receipt == ReceiptState::Queued {
                follow_ups.push_back((kept.payment, Event::ReprintPressed));
            }
            sales.insert(kept.payment, Sale::reopened(kept));
        }
        let alone = self.grant.map(|_| Alone::opened(opened.offline, opened.spent, opened.stored, self.canary));
        self.run = Some(Run {
            alone,
            journal,
            sales,
            sync: Sync::new(opened.head, opened.synced_through),
            counted: opened.counter,
            follow_ups,
            mqtt: false,
            https: false,
            polling: false,
            poll_at_ms: 0,
            last_batch: None,
        });
        self.follow_up()
    }

    /// Whether the process ends here.
    fn crash(&mut self, what: &'static str) -> Done {
        let mut world = self.wires.lock();
        let chance = world.rates.terminal_crash;
        if world.strikes(chance, what) { Err(End::Crash) } else { Ok(()) }
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Done<Sequence> {
        self.crash("a terminal dies before a commit")?;
        let (now, core_time) = (self.now(), self.core_time()?);
        let head = self.run()?.journal.commit(&Commit { core_time, ..commit.clone() }, now)?;
        self.crash("a terminal dies right after a commit")?;
        Ok(head)
    }

    /// The cashier keys a sale. The page's key makes it one, however often it is pressed.
    pub fn sell(&mut self, sale: usize, tendered: Tendered, amount: Amount) -> Done<Option<PaymentId>> {
        let key = format!("sale-{sale}");
        if let Some(intent) = self.run()?.journal.intent(&key)? {
            self.numbers.insert(intent.payment, sale);
            return Ok(Some(intent.payment));
        }
        let (tender, beside) = match tendered {
            Tendered::Cash => (Tender::Cash { tendered_minor: amount.minor() }, Commit::default()),
            Tendered::Code => (Tender::Code, Commit::default()),
            Tendered::Scan => (Tender::Scan { code: ScannedCode::new(code_of(sale)) }, Commit::default()),
            Tendered::Offline { .. } | Tendered::Stored => match self.tender_alone(sale, tendered, amount)? {
                Some(tender) => tender,
                None => return Ok(None),
            },
        };
        let counter = self.run()?.counted.next();
        let payment = PaymentId::for_sale(self.tenant, self.id, counter);
        let keyed = Keyed {
            payment,
            counter,
            amount,
            tender,
            goods: Vec::new(),
            reference: None,
            split: None,
            quote: None,
            cashier: "1".to_owned(),
        };
        let decision = sale::key(keyed, keyed_at(&beside, self.now()));
        let intent = Intent { key, fingerprint: String::new(), payment, refund: None };
        if self.canary == Some(Canary::SentBeforeJournaled) {
            self.numbers.insert(payment, sale);
            self.send_asks(&decision)?;
        }
        self.write(&decision, Commit { intent: Some(intent), ..beside.clone() })?;
        self.run()?.counted = counter;
        let entry = self.run()?.sync.head();
        self.took_alone(entry, &beside)?;
        if tendered == Tendered::Cash {
            self.cash.insert(payment);
        }
        self.numbers.insert(payment, sale);
        self.act(decision)?;
        self.follow_up()?;
        Ok(Some(payment))
    }

    /// The cashier presses a button. A press that is not possible now does nothing.
    pub fn press(&mut self, payment: PaymentId, press: Pressed, key: u64) -> Done {
        let key = format!("press-{key}");
        if self.run()?.journal.intent(&key)?.is_some() {
            return Ok(());
        }
        let refund = RefundId::for_key(self.tenant, payment, &key);
        let Some(held) = self.sale(payment)? else { return Ok(()) };
        let cashier = "1".to_owned();
        let (event, kept) = match press {
            Pressed::Query => (Event::QueryPressed, false),
            Pressed::Cancel => (Event::CancelPressed, false),
            Pressed::Void => (Event::VoidPressed { refund, cashier, utc_offset_minutes: UTC_OFFSET_MINUTES }, true),
            Pressed::Refund { minor } => match Amount::new(minor, held.kept.amount.currency()) {
                Ok(amount) => (Event::RefundPressed { refund, amount, cashier }, true),
                Err(_) => return Ok(()),
            },
        };
        let intent = Intent { key, fingerprint: String::new(), payment, refund: Some(refund) };
        self.happen(payment, event, kept.then_some(intent), None)?;
        self.follow_up()
    }

    fn sale(&mut self, payment: PaymentId) -> Done<Option<Sale>> {
        let run = self.run()?;
        if let Some(held) = run.sales.get(&payment) {
            return Ok(Some(held.clone()));
        }
        Ok(run.journal.sale(payment)?.map(|(kept, _)| Sale::reopened(kept)))
    }

    /// One event of one sale: decided, written down, and then acted on. Whether there is such a sale.
    fn happen(
        &mut self,
        payment: PaymentId,
        event: Event,
        intent: Option<Intent>,
        push: Option<Sequence>,
    ) -> Done<bool> {
        let Some(held) = self.sale(payment)? else { return Ok(false) };
        let now = self.now();
        let event = match event {
            // Core gets its entry yet: that it does not have the sale says nothing.
            Event::Answered { ask, outcome: Outcome::NotFound } if self.is_untold(&held)? => {
                Event::Answered { ask, outcome: Outcome::Silent }
            }
            event => event,
        };
        let Ok(decision) = sale::decide(held.clone(), event, now) else { return Ok(true) };
        let changed =
            decision.sale.kept != held.kept || !decision.records.is_empty() || intent.is_some() || push.is_some();
        if changed {
            self.write(&decision, Commit { intent, pushes: push.into_iter().collect(), ..Commit::default() })?;
        }
        self.act(decision)?;
        Ok(true)
    }

    /// Whether it was sold without core, and core does not have its entry.
    fn is_untold(&mut self, sale: &Sale) -> Done<bool> {
        if !(sale.kept.offline || sale.kept.stored) {
            return Ok(false);
        }
        let run = self.run()?;
        let through = run.sync.through();
        Ok(run.journal.sale(sale.kept.payment)?.is_some_and(|(_, entry)| entry > through))
    }

    fn write(&mut self, decision: &Decision, beside: Commit) -> Done {
        let sale = &decision.sale;
        let commit = Commit {
            records: decision.records.clone(),
            sale: Some(sale.kept.clone()),
            sale_open: sale.left_to_do(),
            sale_captured: sale.was_captured(),
            sale_state: sale.state_text(),
            ..beside
        };
        let grew = !commit.records.is_empty();
        let head = self.commit(&commit)?;
        if grew {
            self.sync_event(sync::Event::Appended { head })?;
        }
        Ok(())
    }

    fn send_asks(&mut self, decision: &Decision) -> Done {
        for effect in &decision.effects {
            if let Effect::Ask(ask) = effect
                && let Some(call) = self.call_for(&decision.sale, *ask)
            {
                let payment = decision.sale.kept.payment;
                self.sent.push(Sent::Sale { payment, ask: *ask, call: Box::new(call) });
            }
        }
        Ok(())
    }

    fn act(&mut self, decision: Decision) -> Done {
        self.send_asks(&decision)?;
        let Decision { sale, effects, .. } = decision;
        let payment = sale.kept.payment;
        for effect in effects {
            match effect {
                Effect::Ask(_) | Effect::OpenDrawer => {}
                Effect::Print(_) => self.run()?.follow_ups.push_back((payment, Event::Printed { done: true })),
                Effect::Alarm { code, message } => self.alarms.push(format!("{code}: {message}")),
            }
        }
        if let Some(view) = sale.view() {
            self.told.push(view.clone());
        }
        if sale.was_captured() {
            self.promised.insert(payment, sale.kept.amount.minor());
        }
        let busy = {
            let waits = &sale.waits;
            waits.creating || waits.querying || waits.cancelling || waits.fetching || !waits.refunding.is_empty()
        };
        if sale.left_to_do() != LeftToDo::Nothing || busy {
            self.run()?.sales.insert(payment, sale);
        } else {
            self.run()?.sales.remove(&payment);
        }
        Ok(())
    }

    fn follow_up(&mut self) -> Done {
        while let Some((payment, event)) = self.run()?.follow_ups.pop_front() {
            self.happen(payment, event, None, None)?;
        }
        Ok(())
    }

    fn call_for(&self, sale: &Sale, ask: sale::Ask) -> Option<Call> {
        let call = Call::of(sale, ask, CODE_SECONDS, str::to_owned)?;
        let is_resent = sale.waits.unanswered.is_some_and(|unanswered| unanswered > 0);
        Some(match call {
            Call::Create { body, .. } if is_resent && self.canary == Some(Canary::NewNumberOnRetry) => {
                let counter = Sequence(sale.kept.counter.0 + 1_000 + self.wires.lock().luck.below(1_000));
                let payment = PaymentId::for_sale(self.tenant, self.id, counter);
                Call::Create { payment, body: Box::new(CreatePayment { counter: Some(counter), ..*body }) }
            }
            call => call,
        })
    }

    /// A request about a sale ended: with an answer, in silence, or before it was sent.
    pub fn answered(&mut self, payment: PaymentId, ask: sale::Ask, end: Result<Answer, Unheard>) -> Done {
        let outcome = match end {
            Ok(Answer { status, body }) => outcome(ask == sale::Ask::Create, status, &body),
            Err(Unheard::NotSent) => Outcome::NotSent,
            Err(Unheard::Silent) => Outcome::Silent,
        };
        if matches!(outcome, Outcome::NotSent | Outcome::Silent) {
            self.not_heard()?
        } else {
            self.heard()?
        }
        self.happen(payment, Event::Answered { ask, outcome }, None, None)?;
        self.follow_up()
    }

    pub fn journal_answered(&mut self, end: Result<Answer, Unheard>) -> Done {
        match end.ok().filter(|answer| answer.status == 200) {
            Some(answer) => {
                self.heard()?;
                match serde_json::from_slice(&answer.body) {
                    Ok(ack) => self.journal_ack(ack),
                    Err(error) => Err(End::Broken(format!("core's answer to a journal: {error}"))),
                }
            }
            None => self.not_heard(),
        }
    }

    pub fn pushes_answered(&mut self, end: Result<Answer, Unheard>) -> Done {
        let now_ms = self.wires.lock().now_ms;
        let run = self.run()?;
        (run.polling, run.poll_at_ms) = (false, now_ms + POLL_MS);
        let Some(answer) = end.ok().filter(|answer| answer.status == 200) else { return self.not_heard() };
        self.heard()?;
        let pushes: Pushes =
            serde_json::from_slice(&answer.body).map_err(|error| End::Broken(format!("core's pushes: {error}")))?;
        self.take_pushes(pushes.pushes)
    }

    /// A message of the broker.
    pub fn told_by_broker(&mut self, topic: &Topic, payload: &[u8]) -> Done {
        let unreadable = |error: MessageError| End::Broken(format!("core's message: {error}"));
        match topic.leaf {
            Leaf::Push => {
                let push = Envelope::<Push>::decode(payload).map_err(unreadable)?.body;
                self.take_pushes(vec![push])
            }
            Leaf::JournalAck => self.journal_ack(Envelope::<JournalAck>::decode(payload).map_err(unreadable)?.body),
            _ => Ok(()),
        }
    }

    fn take_pushes(&mut self, pushes: Vec<Push>) -> Done {
        let ids: Vec<Sequence> = pushes.iter().map(|push| push.id).collect();
        if self.canary == Some(Canary::PushAckedEarly) {
            self.acknowledge(ids.clone())?;
        }
        for push in pushes {
            self.take_push(&push)?;
        }
        if self.canary != Some(Canary::PushAckedEarly) && !ids.is_empty() {
            self.acknowledge(ids)?;
        }
        self.follow_up()
    }

    fn take_push(&mut self, push: &Push) -> Done {
        if self.run()?.journal.is_push_seen(push.id)? {
            return Ok(());
        }
        let seen = Commit { pushes: vec![push.id], ..Commit::default() };
        let (view, refund) = match &push.body {
            PushBody::Payment { payment } => (payment, None),
            PushBody::Refund { refund, payment } => (payment, Some(Box::new(refund.clone()))),
            PushBody::SyncNow => {
                self.commit(&seen)?;
                return self.sync_event(sync::Event::Asked);
            }
            // Nobody listens to it here.
            PushBody::StaticCodePaid { .. } => {
                self.commit(&seen)?;
                return Ok(());
            }
            // Nothing is scanned here, and nobody signs on.
            PushBody::GoodsChanged | PushBody::CashiersChanged | PushBody::OfflineListChanged => {
                if let Some(alone) = &mut self.run()?.alone {
                    alone.changed();
                }
                self.commit(&seen)?;
                return Ok(());
            }
        };
        let event = Event::Pushed { view: Box::new(view.clone()), refund };
        if !self.happen(view.id, event, None, Some(push.id))? {
            self.commit(&seen)?;
        }
        Ok(())
    }

    fn acknowledge(&mut self, ids: Vec<Sequence>) -> Done {
        self.acknowledged.extend(&ids);
        let by_broker = self.run()?.mqtt;
        self.sent.push(Sent::Acknowledge { ack: PushAck { ids }, by_broker });
        Ok(())
    }

    /// The connection to the broker is up, or gone.
    pub fn link(&mut self, up: bool) -> Done {
        let now_ms = self.wires.lock().now_ms;
        let run = self.run()?;
        run.mqtt = up;
        run.poll_at_ms = now_ms;
        if up {
            return self.sync_event(sync::Event::Connected);
        }
        if !run.https { self.sync_event(sync::Event::Disconnected) } else { Ok(()) }
    }

    pub(super) fn heard(&mut self) -> Done {
        let run = self.run()?;
        if !std::mem::replace(&mut run.https, true) && !run.mqtt {
            return self.sync_event(sync::Event::Connected);
        }
        Ok(())
    }

    pub(super) fn not_heard(&mut self) -> Done {
        let run = self.run()?;
        if std::mem::replace(&mut run.https, false) && !run.mqtt {
            return self.sync_event(sync::Event::Disconnected);
        }
        Ok(())
    }

    pub fn tick(&mut self) -> Done {
        let now_ms = self.wires.lock().now_ms;
        let run = self.run()?;
        let mqtt = run.mqtt;
        let open: Vec<Sale> = run.sales.values().filter(|sale| sale.is_open()).cloned().collect();
        for sale in open {
            if !sale.kept.stored || !self.is_untold(&sale)? {
                self.happen(sale.kept.payment, Event::Tick { mqtt, poll_ms: POLL_MS }, None, None)?;
            }
        }
        self.list_tick()?;
        self.sync_event(sync::Event::Tick)?;
        let run = self.run()?;
        // Asking for pushes is also how the terminal finds out that core can be reached again.
        if !run.mqtt && !run.polling && run.poll_at_ms <= now_ms {
            run.polling = true;
            self.sent.push(Sent::Pushes);
        }
        self.follow_up()
    }

    fn journal_ack(&mut self, ack: JournalAck) -> Done {
        self.run()?.last_batch = None;
        self.sync_event(sync::Event::Ack(ack))
    }

    fn sync_event(&mut self, event: sync::Event) -> Done {
        let now = self.now();
        for order in self.run()?.sync.handle(event, now) {
            match order {
                Order::Send { after } => {
                    let run = self.run()?;
                    let batch = run.journal.batch_after(after)?;
                    let swallowed = run.last_batch == Some((after, true)) && run.https;
                    let by_broker = run.mqtt && !swallowed;
                    run.last_batch = Some((after, by_broker));
                    self.sent.push(Sent::Journal { batch, by_broker });
                }
                Order::Synced { through } => {
                    self.commit(&Commit { synced_through: Some(through), ..Commit::default() })?;
                }
                Order::Stopped(stop) => self.alarms.push(format!("sync stopped: {stop:?}")),
                Order::Held { sequence, why } => self.alarms.push(format!("entry {sequence} is held: {why}")),
            }
        }
        Ok(())
    }

    /// Whether nothing is open here and core has all of the journal.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        // What core holds is a person's to settle.
        let is_open = |sale: &Sale| sale.is_open() && !sale.is_held();
        self.run.as_ref().is_some_and(|run| run.sync.through() == run.sync.head() && !run.sales.values().any(is_open))
    }
}

/// How a request ended that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    NotSent,
    Silent,
}

//! The owner of all state, and its loop.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use saoma_protocol::{
    Millis, PaymentId, RefundId, Sequence, StoreId, TenantId, TerminalId,
    api::{Goods, GoodsChanges, PaymentState, Quoted, TerminalProfile},
    cashier::CashierList,
    message::{JournalAck, PeripheralHealth, Push},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinSet,
    time::MissedTickBehavior,
};

use super::{
    Held, StartError,
    alarms::Alarms,
    basket::Filling,
    cards::Waiting,
    cashiers::{Fetch, WrongPins},
    catalogue::Catalogue,
    devices::Notes,
    elsewhere::{LookedAt, Told as ToldElsewhere},
    last_word::Word,
    line::Line,
    now,
    offline::{Offline, Told},
    paper::Paper,
    quotes::{Quotes, Told as ToldQuote},
    renew::Renewal,
    split::{PartOf, Splits},
    training::Training,
    update::Updating,
};
use crate::{
    cashiers::Cashiers,
    config::Config,
    counter::{Counter, Report},
    held::Held as PutAside,
    journal::{Journal, JournalError, Opened, UnsentEntries},
    link::{
        https::{Core, HttpsError},
        identity::Identity,
        mqtt::{Mqtt, News},
        renew::{Next, RenewError},
    },
    offline::OfflineCodes,
    received::Received,
    sale::{Ask, Event, Outcome, ReceiptState, Reference, Sale},
    shift::Shift,
    stored::StoredCards,
    sync::Sync,
    till::{
        command::{Asked, Pressed, Reply, SaleRequest, Sold, TillEvent},
        view::{DisplayView, SaleView, StateView},
    },
    update::trial::Updates,
};

/// How often what waits is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the disk is looked at.
const DISK_EVERY: Duration = Duration::from_secs(10);
/// Events that a slow page may be behind before it has to connect again.
const EVENTS_MAX: usize = 256;
/// How long the printer may take for what it has when the agent stops.
const PRINTER_MAX: Duration = Duration::from_secs(3);
/// How long payments under way, and slips at the printer, may take when the agent stops. A customer who confirms on the phone
/// needs about that; whatever takes longer goes on at the next start.
pub(super) const PAYMENTS_MAX: Duration = Duration::from_secs(20);
/// The alarms about the disk.
const UNWRITABLE: &str = "disk_unwritable";
const FULL: &str = "disk_full";

/// What the owner works with.
pub(super) struct Means {
    pub(super) config: Config,
    pub(super) held: Held,
    pub(super) identity: Identity,
    pub(super) journal: Journal,
    pub(super) core: Core,
    pub(super) mqtt: Option<Mqtt>,
    pub(super) counter: Counter,
    pub(super) updates: Option<Updates>,
}

/// Where things come from.
pub(super) struct Inputs {
    pub(super) asked: mpsc::Receiver<Asked>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) stopping: oneshot::Receiver<()>,
}

pub(super) struct Owner {
    pub(super) config: Config,
    pub(super) held: Held,
    pub(super) identity: Identity,
    pub(super) journal: Journal,
    pub(super) core: Core,
    pub(super) mqtt: Option<Mqtt>,
    pub(super) counter: Counter,
    /// The number of the last sale keyed.
    pub(super) counted: Sequence,
    /// The last shift, open or closed.
    pub(super) shift: Option<Shift>,
    /// What is put aside, by its number, and the last number that was given.
    pub(super) held_aside: BTreeMap<Sequence, PutAside>,
    pub(super) held_last: Sequence,
    /// The split payments of which something is still to be done.
    pub(super) splits: Splits,
    pub(super) cashiers: Cashiers,
    pub(super) wrong_pins: WrongPins,
    pub(super) fetch: Fetch,
    /// The basket that is being filled, and how far the catalogue is here.
    pub(super) filling: Filling,
    pub(super) catalogue: Catalogue,
    pub(super) offline: Offline,
    pub(super) stored: StoredCards,
    pub(super) quotes: Quotes,
    /// Other tills' sales whose receipts were scanned here.
    pub(super) elsewhere: LookedAt,
    /// What was paid last through printed codes, newest first.
    pub(super) received: Vec<Received>,
    /// Sales about which something is to be found out or under way. All others are read from the journal when needed.
    pub(super) sales: BTreeMap<PaymentId, OpenSale>,
    pub(super) training: Training,
    /// What follows from what was just done, in order.
    pub(super) follow_ups: VecDeque<(PaymentId, Event)>,
    pub(super) awaiting: Option<Awaiting>,
    /// The sale that waits for a card.
    pub(super) card: Option<Waiting>,
    /// Sales that were keyed before core's first word, in order.
    pub(super) early: VecDeque<Early>,
    pub(super) waiters: Vec<Waiter>,
    /// What presses that leave no trace in the journal answered, newest last.
    pub(super) replays: VecDeque<(Pressed, Option<PaymentId>)>,
    pub(super) sync: Sync,
    pub(super) line: Line,
    pub(super) renewal: Renewal,
    /// How far the disk says that core has the journal.
    pub(super) kept_through: Sequence,
    /// Requests to core that are under way. They end with the owner.
    pub(super) calls: JoinSet<Done>,
    pub(super) unsent: UnsentEntries,
    pub(super) disk: Result<(), String>,
    disk_looked_at: Instant,
    pub(super) devices: BTreeMap<String, PeripheralHealth>,
    pub(super) notes: Notes,
    pub(super) alarms: Alarms,
    pub(super) on_display: Option<OnDisplay>,
    pub(super) shown: Option<(crate::peripherals::Display, DisplayView)>,
    pub(super) told: Option<StateView>,
    pub(super) events: broadcast::Sender<TillEvent>,
    /// Slips that wait for paper.
    pub(super) paper: Paper,
    pub(super) updating: Updating,
    /// The agent is asked to stop, and does so at this moment at the latest.
    pub(super) stop_by: Option<Instant>,
}

/// A sale in memory, with the journal entry that began it.
#[derive(Clone, Debug)]
pub(super) struct OpenSale {
    pub(super) sale: Sale,
    pub(super) entry: Sequence,
}

/// What is sold, however it is paid for.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) amount: saoma_protocol::Amount,
    pub(super) goods: Vec<Goods>,
    /// It is a part of something.
    pub(super) split: Option<PartOf>,
    /// Core has quoted the amount.
    pub(super) quote: Option<Quoted>,
    /// The basket is sold.
    pub(super) of_basket: bool,
    pub(super) reference: Option<Reference>,
    pub(super) cashier: String,
    /// What it was put aside as; that goes when this is sold.
    pub(super) held: Option<Sequence>,
}

/// A sale that begins when the customer's code is scanned.
#[derive(Clone, Debug)]
pub(super) struct Awaiting {
    pub(super) pressed: Pressed,
    pub(super) order: Order,
    pub(super) since: Millis,
}

/// A sale that waits for core's first word on this disk's numbers.
pub(super) struct Early {
    pub(super) pressed: Pressed,
    pub(super) request: SaleRequest,
    pub(super) reply: Reply<Sold>,
    pub(super) until: Instant,
}

/// Somebody who pressed a button and waits for core's answer.
pub(super) struct Waiter {
    pub(super) payment: PaymentId,
    /// The refund or void that was pressed.
    pub(super) refund: Option<RefundId>,
    pub(super) until: Instant,
    pub(super) reply: Reply<SaleView>,
}

/// The sale that the customer sees.
pub(super) struct OnDisplay {
    pub(super) sale: Sale,
    /// When the display goes idle; not before the sale is settled.
    pub(super) until: Option<Instant>,
}

/// How a request to core ended.
pub(super) enum Done {
    /// `span`: the request, to which what follows belongs.
    Sale {
        payment: PaymentId,
        ask: Ask,
        outcome: Outcome,
        span: tracing::Span,
    },
    Journal(Result<JournalAck, HttpsError>),
    Pushes(Result<Vec<Push>, HttpsError>),
    Acknowledged(Result<(), HttpsError>),
    Health(Result<(), HttpsError>),
    Profile(Result<TerminalProfile, HttpsError>),
    Cashiers(Result<CashierList, HttpsError>),
    Goods(Result<GoodsChanges, HttpsError>),
    Offline(Box<Told>),
    Quote(Box<ToldQuote>),
    Elsewhere(Box<ToldElsewhere>),
    Renewed(Result<Box<Next>, RenewError>),
}

impl Owner {
    /// # Errors
    /// `Journal`.
    pub(super) async fn new(means: Means, opened: Opened) -> Result<Self, StartError> {
        let Means { config, held, identity, journal, core, mqtt, counter, updates } = means;
        let Opened {
            head,
            synced_through,
            counter: counted,
            open_sales,
            shift,
            held: aside,
            held_last,
            splits,
            cashiers,
            tries,
            offline,
            spent,
            stored,
            received,
        } = opened;
        let mut sales = BTreeMap::new();
        let mut follow_ups = VecDeque::new();
        for kept in open_sales {
            let payment = kept.payment;
            if kept.receipt == ReceiptState::Queued {
                // Nobody knows whether the slip came out before the end. A copy says that it is one.
                follow_ups.push_back((payment, Event::ReprintPressed));
            }
            let entry = journal.sale(payment).await?.map_or(Sequence(0), |(_, entry)| entry);
            sales.insert(payment, OpenSale { sale: Sale::reopened(kept), entry });
        }
        let unsent = journal.run(crate::journal::Store::unsent).await?;
        let known = journal.run(crate::journal::Store::goods_known).await?;
        let basket_mark = journal.run(crate::journal::Store::basket_mark).await?;
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let word = Word::kept(journal.run(crate::journal::Store::last_word).await?, &identity);
        let renewal = Renewal::of(&identity.certificate_chain_pem);
        let mut owner = Self {
            config,
            held,
            identity,
            journal,
            core,
            mqtt,
            counter,
            counted,
            shift,
            held_aside: aside.into_iter().map(|held| (held.number, held)).collect(),
            held_last,
            splits: Splits::new(splits),
            cashiers: Cashiers::new(cashiers, tries, Instant::now()),
            wrong_pins: WrongPins::default(),
            fetch: Fetch::new(),
            filling: Filling::begun(now(), basket_mark),
            catalogue: Catalogue::new(known),
            offline: Offline::new(OfflineCodes::new(offline, spent)),
            stored: StoredCards::new(stored),
            quotes: Quotes::default(),
            elsewhere: LookedAt::default(),
            received,
            sales,
            training: Training::default(),
            follow_ups,
            awaiting: None,
            card: None,
            early: VecDeque::new(),
            waiters: Vec::new(),
            replays: VecDeque::new(),
            sync: Sync::new(head, synced_through),
            line: Line::new(word),
            renewal,
            kept_through: synced_through,
            calls: JoinSet::new(),
            unsent,
            disk: Ok(()),
            disk_looked_at: Instant::now(),
            devices: BTreeMap::new(),
            notes: Notes::default(),
            alarms: Alarms::default(),
            on_display: None,
            shown: None,
            told: None,
            events,
            paper: Paper::default(),
            updating: Updating::new(updates),
            stop_by: None,
        };
        owner.look_at_disk().await;
        owner.tell_unkept_time();
        owner.tell_lost_basket();
        owner.tell_locked();
        owner.ring_stored();
        owner.print_left_report().await;
        owner.splits_begin().await;
        Ok(owner)
    }

    pub(super) const fn ids(&self) -> (TenantId, TerminalId, StoreId) {
        (self.identity.tenant, self.identity.terminal, self.identity.store)
    }

    pub(super) async fn run(mut self, mut inputs: Inputs) {
        let mut ticks = tokio::time::interval(TICK);
        // After a pause (a laptop that slept) one look is enough.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.probe();
        loop {
            self.follow_up().await;
            self.sell_early().await;
            self.tell();
            if self.stop_by.is_some_and(|by| by <= Instant::now() || !(self.is_paying() || self.is_printing())) {
                break;
            }
            tokio::select! {
                Some(asked) = inputs.asked.recv() => {
                    let Asked { command, span } = asked;
                    tracing::Instrument::instrument(self.command(command), span).await;
                }
                Some(report) = inputs.reports.recv() => self.report(report).await,
                Some(news) = inputs.news.recv() => self.news(news).await,
                Some(done) = self.calls.join_next(), if !self.calls.is_empty() => match done {
                    Ok(done) => self.done(done).await,
                    Err(error) => tracing::error!(%error, "a request to core ended by a mistake of ours"),
                },
                _ = ticks.tick() => self.tick().await,
                _ = &mut inputs.stopping, if self.stop_by.is_none() => self.begin_stop(),
            }
        }
        // From here on the door answers `stopping`.
        drop(inputs);
        self.keep_last_word().await;
        self.calls.abort_all();
        if let Some(mqtt) = &self.mqtt {
            mqtt.close().await;
        }
        let counter = self.counter;
        // The devices' threads are waited for where waiting is allowed.
        let _ = tokio::task::spawn_blocking(move || counter.stop(PRINTER_MAX)).await;
    }

    /// Begins nothing new from here on; what is under way ends first.
    pub(super) fn begin_stop(&mut self) {
        tracing::info!(paying = self.is_paying(), printing = self.is_printing(), "stopping");
        self.stop_by = Some(Instant::now() + PAYMENTS_MAX);
        // They are answered `stopping`.
        self.early.clear();
        (self.awaiting, self.card) = (None, None);
    }

    async fn report(&mut self, report: Report) {
        match report {
            Report::Printed { about, failure } => self.came_back(about, failure).await,
            Report::Health(health) => {
                self.device_told(health);
                self.look_for_paper().await;
            }
            Report::Used { kind, failure } => self.notes.used(kind, failure.as_ref(), now()),
            Report::Absent(kind) => self.device_gone(kind),
            Report::Scanned(_) if self.stop_by.is_some() => {}
            Report::Scanned(text) => {
                self.updating.pressed();
                self.hardware_scan(text).await;
            }
            Report::Card { reading, news } => self.card_news(reading, news).await,
        }
    }

    async fn tick(&mut self) {
        let now = now();
        if self.disk_looked_at.elapsed() >= DISK_EVERY {
            self.look_at_disk().await;
            if self.disk.is_ok() && self.kept_through != self.sync.through() {
                self.keep_through().await;
            }
        }
        let event = Event::Tick {
            mqtt: self.line.mqtt_up,
            poll_ms: i64::try_from(self.config.link.poll_ms).unwrap_or(i64::MAX),
        };
        // Of what its entry alone tells, core is not asked before it has that.
        let through = self.sync.through();
        let is_asked = |held: &&OpenSale| held.sale.is_open() && !(held.sale.kept.stored && held.entry > through);
        // Where core is not, nothing is to be heard of what a customer carries there.
        let is_online = self.line.is_online();
        let is_asked = |held: &&OpenSale| match () {
            () if held.sale.awaits_cores_word() => is_online,
            () => is_asked(held) && (is_online || !held.sale.awaits_phone()),
        };
        let open: Vec<PaymentId> = self.sales.values().filter(is_asked).map(|held| held.sale.kept.payment).collect();
        for payment in open {
            self.happen_logged(payment, event.clone()).await;
        }
        self.look_for_paper().await;
        self.forget_scan(now);
        self.forget_card(now);
        self.training_tick(now);
        self.splits_tick().await;
        self.answer_late();
        self.line_tick(now).await;
        self.mark_basket().await;
        self.cashiers_tick();
        self.catalogue_tick();
        self.offline_tick().await;
        self.renewal_tick(now);
        self.update_tick().await;
    }

    pub(super) async fn look_at_disk(&mut self) {
        self.disk_looked_at = Instant::now();
        // A disk that kept nothing is believed again when it keeps something.
        let is_doubted = self.alarms.rings(UNWRITABLE);
        let looked = self.journal.run(move |store| {
            store.check_room()?;
            if is_doubted { store.check_writes() } else { Ok(()) }
        });
        self.disk_is(looked.await.err().as_ref());
    }

    /// What was found out about the disk.
    pub(super) fn disk_is(&mut self, trouble: Option<&JournalError>) {
        let code = match trouble {
            None => None,
            Some(JournalError::Unwritable { .. }) => Some(UNWRITABLE),
            Some(_) => Some(FULL),
        };
        for other in [UNWRITABLE, FULL].into_iter().filter(|other| Some(*other) != code) {
            self.alarms.silence(other);
        }
        self.disk = trouble.map_or(Ok(()), |error| Err(error.to_string()));
        if let (Some(code), Err(why)) = (code, self.disk.clone()) {
            self.alarm(code, why);
        }
    }

    pub(super) fn is_disk_doubted(&self) -> bool {
        self.alarms.rings(UNWRITABLE)
    }

    /// Whether money may be moving at this moment: a request about it is under way, or a customer confirms on the phone. A code
    /// that is merely on show is none of that, nor is what waits for a core that is away: the next start goes on with these.
    pub(super) fn is_paying(&self) -> bool {
        let moves = |sale: &Sale| {
            let confirming = !sale.is_forwarded()
                && matches!(
                    sale.state(),
                    None | Some(PaymentState::Submitting | PaymentState::Pending | PaymentState::Unknown)
                );
            let waits = &sale.waits;
            waits.creating || waits.cancelling || !waits.refunding.is_empty() || (confirming && self.line.is_online())
        };
        self.sales.values().any(|held| moves(&held.sale))
    }
}

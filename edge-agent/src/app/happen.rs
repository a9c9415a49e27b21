//! One event of one sale: decided, written down, and then acted on.

use std::time::{Duration, Instant};

use ring::rand::SecureRandom as _;
use saoma_protocol::{
    PaymentId, Sequence,
    journal::{Approver, Stamp},
};

use super::{
    now,
    offline::keyed_by,
    owner::{Done, OnDisplay, OpenSale, Owner},
    paper::Fate,
    split::Follows,
};
use crate::{
    counter::{About, Unprinted},
    held::HeldChange,
    journal::{Commit, Intent, JournalError},
    link::https::Call,
    offline::Spent,
    peripherals::PeripheralState,
    phone::PhoneShown,
    receipt::{Heading, compose},
    sale::{self, Ask, Decision, Effect, Event, Keyed, LeftToDo, Outcome, ReceiptState, Sale, Slip, Tender},
    split::Split,
    stored::SoldCard,
    sync,
    till::{
        printed::ReceiptView,
        problem::{Code, Refused},
        view::SaleView,
    },
};

/// How long the customer sees how it ended: long enough to count the change.
pub(super) const SHOWN_MAX: Duration = Duration::from_secs(15);
/// Pause before an answer that could not be written down is asked for again.
const UNWRITTEN_MS: i64 = 5_000;

/// What else is written in the same transaction.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) intent: Option<Intent>,
    pub(super) push: Option<Sequence>,
    /// What was put aside, and is sold now.
    pub(super) sold: Option<Sequence>,
    /// The basket is sold.
    pub(super) of_basket: bool,
    /// The split payment that begins with this sale.
    pub(super) split: Option<Split>,
    /// Who let whoever stands there give money back.
    pub(super) approved_by: Option<Approver>,
    /// The offline code that pays it.
    pub(super) spent: Option<Spent>,
    /// The card that it is sold to without a network.
    pub(super) stored: Option<SoldCard>,
}

impl Owner {
    /// Begins a sale: on the disk first, then sent (or, for cash, done). `sold`: what was put aside and is sold by it, and whether the
    /// basket is; the split payment that begins with it.
    ///
    /// # Errors
    /// Of the journal; nothing has happened then.
    pub(super) async fn begin(
        &mut self,
        keyed: Keyed,
        intent: Intent,
        (sold, of_basket, split): (Option<Sequence>, bool, Option<Split>),
    ) -> Result<SaleView, Refused> {
        let (payment, counter) = (keyed.payment, keyed.counter);
        let spent = if let Tender::Offline { spent, .. } = &keyed.tender { Some((**spent).clone()) } else { None };
        let stored = if let Tender::Stored { sold, .. } = &keyed.tender { Some((**sold).clone()) } else { None };
        let at = keyed_by(&keyed.tender, self.stamp());
        let decision = sale::key(keyed, at);
        let is_part = decision.sale.kept.split.is_some();
        let is_stored = stored.is_some();
        let intent = Some(intent);
        let (took, sold_to) = (spent.clone(), stored.clone());
        let beside = Beside { intent, sold, of_basket, split, spent: took, stored: sold_to, ..Beside::default() };
        let (head, whole) = self.write(&decision, beside).await?;
        self.counted = counter;
        if let Some(spent) = spent {
            let through = self.kept_through;
            self.offline.codes().took(head, spent, through);
        }
        if let Some(stored) = stored {
            self.stored.took(head, stored, self.kept_through);
        }
        // From here on it is sold, whatever goes wrong: nobody may find it to be sold again.
        if of_basket {
            // That of a split is back when all of that comes to nothing; that of a stored sale never, since the customer has left with it.
            self.filling.take((!is_part && !is_stored).then_some(payment));
        }
        if let Some(number) = sold {
            self.not_aside(number);
        }
        tracing::info!(payment.id = %payment, counter = counter.0, method = ?decision.sale.method(), "keyed");
        self.on_display = Some(OnDisplay { sale: decision.sale.clone(), until: None });
        self.act(decision, head, false).await;
        self.split_is(whole);
        self.view(payment).await
    }

    /// One event of one sale.
    ///
    /// # Errors
    /// `SaleNotFound`, a refusal of the press, or the journal's; nothing has changed then.
    pub(super) async fn happen(&mut self, payment: PaymentId, event: Event, beside: Beside) -> Result<(), Refused> {
        let held = self.sale(payment).await?.ok_or(Refused::SaleNotFound)?;
        let event = match event {
            // Core was restored, and gets the entry again: that it does not have the sale says nothing yet.
            Event::Answered { ask, outcome: Outcome::NotFound }
                if (held.sale.kept.offline || held.sale.kept.stored) && held.entry > self.sync.through() =>
            {
                Event::Answered { ask, outcome: Outcome::Silent }
            }
            // The customer's phone may be on the way with it, unless core is to be asked to let it in no more.
            Event::Answered { ask, outcome: Outcome::NotFound }
                if self.may_be_opened_yet(&held.sale) && !(held.sale.is_cancelling() && ask == Ask::Fetch) =>
            {
                Event::Answered { ask, outcome: Outcome::Silent }
            }
            event => event,
        };
        let answered = if let Event::Answered { ask, .. } = &event { Some(*ask) } else { None };
        let decision = sale::decide(held.sale.clone(), event, self.stamp())?.approved(beside.approved_by.clone());
        let changed = decision.sale.kept != held.sale.kept
            || !decision.records.is_empty()
            || beside.intent.is_some()
            || beside.push.is_some();
        let written = if changed { Some(self.write(&decision, beside).await) } else { None };
        let whole = match written.transpose() {
            Ok(written) => written.and_then(|(_, whole)| whole),
            Err(error) => {
                // What is not on the disk has not happened; what else is under way goes on.
                if let (Some(ask), Some(OpenSale { sale, .. })) = (answered, self.sales.get_mut(&payment)) {
                    sale.waits.end_unheard(ask, now().plus(UNWRITTEN_MS));
                }
                return Err(error);
            }
        };
        let was_captured = held.sale.was_captured();
        self.act(decision, held.entry, was_captured).await;
        self.split_is(whole);
        Ok(())
    }

    /// As [`Self::happen`], for what nobody pressed: a failure is an alarm.
    pub(super) async fn happen_logged(&mut self, payment: PaymentId, event: Event) {
        if let Err(error) = self.happen(payment, event, Beside::default()).await {
            tracing::error!(payment.id = %payment, code = %Code(&error), %error, "news of a sale could not be kept");
            self.alarm("journal_failed", format!("news of a sale could not be kept: {error}"));
        }
    }

    /// Works off what followed from what was done.
    pub(super) async fn follow_up(&mut self) {
        while let Some((payment, event)) = self.follow_ups.pop_front() {
            self.happen_logged(payment, event).await;
        }
    }

    /// The sale, from memory or from the journal.
    ///
    /// # Errors
    /// The journal's.
    pub(super) async fn sale(&self, payment: PaymentId) -> Result<Option<OpenSale>, JournalError> {
        if let Some(held) = self.sales.get(&payment) {
            return Ok(Some(held.clone()));
        }
        let found = self.journal.sale(payment).await?;
        let found = found.map(|(kept, entry)| OpenSale { sale: Sale::reopened(kept), entry });
        let looked_at = || Some(OpenSale { sale: self.elsewhere.find(payment)?.clone(), entry: Sequence(0) });
        Ok(found.or_else(looked_at))
    }

    /// Writes a decision down, with what follows from it for the split that the sale is a part of; the journal's new head.
    async fn write(&mut self, decision: &Decision, beside: Beside) -> Result<(Sequence, Option<Follows>), Refused> {
        let sale = &decision.sale;
        let whole = self.whole_with(sale, beside.split).await?;
        let commit = Commit {
            records: decision.records.clone(),
            split: whole.as_ref().map(|follows| follows.whole.split.clone()),
            sale: Some(sale.kept.clone()),
            sale_open: sale.left_to_do(),
            sale_captured: sale.was_captured(),
            sale_state: sale.state_text(),
            intent: beside.intent,
            held: beside.sold.map(HeldChange::Drop).into_iter().chain(whole.as_ref().and_then(Follows::held)).collect(),
            basket_done: beside.of_basket,
            pushes: beside.push.into_iter().collect(),
            spent: beside.spent,
            stored: beside.stored,
            ..Commit::default()
        };
        Ok((self.commit(commit).await?, whole))
    }

    /// Writes that down; the journal's new head.
    pub(super) async fn commit(&mut self, commit: Commit) -> Result<Sequence, Refused> {
        let grew = !commit.records.is_empty();
        let Stamp { machine, core: core_time } = self.stamp();
        let head = match self.journal.commit(Commit { core_time, ..commit }, machine).await {
            Ok(head) => head,
            Err(error) => {
                if matches!(error, JournalError::Full | JournalError::Unwritable { .. }) {
                    self.disk_is(Some(&error));
                }
                return Err(error.into());
            }
        };
        if self.is_disk_doubted() {
            self.look_at_disk().await;
        }
        if grew {
            self.count_unsent().await;
            self.sync_event(sync::Event::Appended { head }).await;
        }
        Ok(head)
    }

    pub(super) async fn count_unsent(&mut self) {
        match self.journal.run(crate::journal::Store::unsent).await {
            Ok(unsent) => {
                self.line.health_due |= unsent.count != self.unsent.count;
                self.unsent = unsent;
            }
            Err(error) => tracing::error!(%error, "what core does not know yet could not be counted"),
        }
    }

    /// After the decision is on the disk. `was_captured`: whether money had come in on the sale before.
    async fn act(&mut self, decision: Decision, entry: Sequence, was_captured: bool) {
        let Decision { sale, effects, .. } = decision;
        if let Some(amount) = sale::to_announce(was_captured, &sale, now()) {
            self.counter.announce(amount);
        }
        self.filling.heard_of(&sale);
        let payment = sale.kept.payment;
        let before = self.sales.get(&payment).map(|held| held.sale.kept.clone());
        if before.as_ref().is_none_or(|kept| *kept != sale.kept) {
            self.emit("sale", &SaleView::of(&sale, entry <= self.sync.through()));
            tracing::info!(payment.id = %payment, state = sale.state_text(), receipt = ?sale.kept.receipt, "sale");
        }
        for effect in effects {
            match effect {
                Effect::Ask(ask) => self.start_call(&sale, ask),
                Effect::OpenDrawer => self.counter.open_drawer(),
                Effect::Print(slip) => {
                    if matches!(slip, Slip::Refund(_)) {
                        self.on_display = Some(OnDisplay { sale: sale.clone(), until: None });
                    }
                    self.print(&sale, slip);
                }
                Effect::Alarm { code, message } => self.alarm(code, message),
            }
        }
        if let Some(shown) = self.on_display.as_mut().filter(|shown| shown.sale.kept.payment == payment) {
            let over = !sale.is_open() || sale.is_forwarded();
            let long = match &sale.kept.phone {
                _ if over => Some(SHOWN_MAX),
                Some(phone) if sale.awaits_phone() => Some(shown_for(phone)),
                _ => None,
            };
            shown.until = long.and_then(|long| shown.until.or_else(|| Some(Instant::now() + long)));
            shown.sale = sale.clone();
        }
        if sale.left_to_do() != LeftToDo::Nothing || sale.waits.is_busy() {
            self.sales.insert(payment, OpenSale { sale: sale.clone(), entry });
        } else {
            self.sales.remove(&payment);
        }
        self.silence_stored();
        self.answer_waiters(&sale, entry);
    }

    /// Ends the alarms about sales without a network whose causes are gone.
    fn silence_stored(&mut self) {
        for code in ["stored_declined", "stored_not_booked", "paid_after_all"] {
            let mut causes = self.sales.values().filter_map(|held| held.sale.alarm());
            if !causes.any(|(cause, _)| cause == code) {
                self.alarms.silence(code);
            }
        }
    }

    fn print(&mut self, sale: &Sale, slip: Slip) {
        let payment = sale.kept.payment;
        if !self.counter.print(About::Sale(payment, slip), compose(&self.heading(), sale, slip, self.stamp())) {
            self.paper.forget(About::Sale(payment, slip));
            self.tell_receipt(
                payment,
                Some("the printer did not answer in time; switch it off and on, then reprint".to_owned()),
            );
            self.follow_ups.push_back((payment, Event::Printed { done: false }));
        }
    }

    pub(super) fn heading(&self) -> Heading {
        let profile = &self.identity.profile;
        Heading {
            merchant_name: profile.merchant_name.clone(),
            store_name: profile.store_name.clone(),
            terminal_name: profile.terminal_name.clone(),
            utc_offset_minutes: self.config.till.utc_offset_minutes,
        }
    }

    /// The printer is done with a slip, one way or the other.
    pub(super) async fn came_back(&mut self, about: About, failure: Option<Unprinted>) {
        if let About::Training(number) = about {
            return self.training_came_back(number, failure.map(|unprinted| unprinted.error.to_string()));
        }
        let fate = self.paper.came_back(about, failure.as_ref());
        let why = failure.map(|unprinted| unprinted.error.to_string());
        match about {
            About::Batch { batch, .. } => self.report_came_back(batch, fate, why).await,
            About::Split { number, .. } => self.split_came_back(number, fate, why).await,
            About::Training(_) => {}
            About::Sale(payment, _) => {
                // One that waits for paper stays queued, also over a restart.
                if fate != Fate::Owed {
                    self.happen_logged(payment, Event::Printed { done: fate == Fate::Printed }).await;
                }
                self.tell_receipt(payment, why);
            }
        }
    }

    /// Prints what waited for paper, if there is some.
    pub(super) async fn look_for_paper(&mut self) {
        let printer = self.devices.get("printer");
        if printer.is_none_or(|printer| printer.state == PeripheralState::Failed) {
            return;
        }
        for about in self.paper.is_there() {
            match about {
                About::Sale(payment, slip) => self.follow_ups.push_back((payment, Event::PaperIsBack { slip })),
                About::Batch { is_copy, .. } => self.print_report(is_copy).await,
                About::Split { number, is_copy } => self.print_split(number, is_copy),
                About::Training(_) => {}
            }
        }
    }

    /// Whether a slip is at the printer. One that waits for paper is not.
    pub(super) fn is_printing(&self) -> bool {
        let of_sale = self.sales.values().any(|held| {
            let payment = held.sale.kept.payment;
            held.sale.kept.receipt == ReceiptState::Queued
                && !self.paper.waits(|about| matches!(about, About::Sale(owed, _) if owed == payment))
        });
        let of_batch = self.shift.as_ref().is_some_and(|shift| {
            let waits = |about| matches!(about, About::Batch { batch, .. } if batch == shift.batch);
            shift.is_report_queued() && !self.paper.waits(waits)
        });
        let owed =
            |number| self.paper.waits(|about| matches!(about, About::Split { number: owed, .. } if owed == number));
        of_sale || of_batch || self.splits.is_printing(owed)
    }

    pub(super) fn tell_receipt(&self, payment: PaymentId, why: Option<String>) {
        if let Some(why) = &why {
            tracing::warn!(payment.id = %payment, why, "a receipt was not printed");
        }
        self.emit("receipt", &ReceiptView::new(payment, why));
    }

    /// The request to core for one step of a sale.
    pub(super) fn start_call(&mut self, sale: &Sale, ask: Ask) {
        let Some(call) = self.call_for(sale, ask) else { return };
        let (core, payment) = (self.core.clone(), sale.kept.payment);
        let span = tracing::info_span!("core.request", otel.kind = "client", payment.id = %payment, ask = ask_name(ask),
            trace_id = tracing::field::Empty);
        crate::telemetry::continue_trace(&span, None);
        let within = span.clone();
        self.calls.spawn(tracing::Instrument::instrument(
            async move { Done::Sale { payment, ask, outcome: core.call(&call).await, span } },
            within,
        ));
    }

    /// The request that an ask stands for; none if what it needs is gone.
    pub(super) fn call_for(&self, sale: &Sale, ask: Ask) -> Option<Call> {
        Call::of(sale, ask, self.config.till.code_expires_in_seconds, fresh_key)
    }
}

/// A code is shown for as long as it is good.
fn shown_for(phone: &PhoneShown) -> Duration {
    Duration::from_millis(phone.expires_at.since(phone.made_at).max(0).unsigned_abs())
}

fn fresh_key(what: &str) -> String {
    let mut bytes = [0; 16];
    // Without chance the key repeats an older one, and core answers what it answered then.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    format!("{what}-{}", hex::encode(bytes))
}

const fn ask_name(ask: Ask) -> &'static str {
    match ask {
        Ask::Create => "create",
        Ask::Fetch => "fetch",
        Ask::Query => "query",
        Ask::Cancel => "cancel",
        Ask::ListRefunds => "list refunds",
        Ask::Refund(_) => "refund",
    }
}

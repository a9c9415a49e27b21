//! The day as it is lived: people press what the plan says, when it says, and note what came of it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use saoma_protocol::{PaymentId, Sequence};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    door::{Answer, Door, DoorError, SaleSeen, ShiftSeen, StateSeen},
    figures::{About, Drawer, End, Step, Summary, Tally},
    plan::{By, Deed, OPEN_FOR, OPENS_AT_MINUTE, Undo, What},
};

/// Who signs on. Told to whoever finds the shift open.
pub const CASHIER: &str = "Simulated day";
const FLOAT_MINOR: i64 = 50_000;
/// How often a sale is looked at that is not through.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long it is looked at: a channel may take a minute to be sure; whoever simulates goes on sooner.
const LOOK_MAX: Duration = Duration::from_secs(15);
/// A customer looks at the code for that long at least, however fast the day goes: core and channel do not go faster with it.
const PATIENCE_MIN: Duration = Duration::from_millis(300);
/// How long the close waits for sales that are in flight, and the end for core to have the journal.
const END_MAX: Duration = Duration::from_secs(30);
/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Why the day did not begin or did not end.
#[derive(Debug, thiserror::Error)]
pub enum DayError {
    #[error(transparent)]
    Door(#[from] DoorError),
    #[error("sign on for a simulated day: a shift of {0} is open. Close it at the till first")]
    ShiftOpen(String),
    #[error("sign on for a simulated day: {0}")]
    SignOn(String),
}

/// How it is lived.
#[derive(Clone, Debug)]
pub struct Terms {
    pub seed: u64,
    /// Times as fast as a day; `None`: nobody waits for anything but the till.
    pub speed: Option<u32>,
    /// How many press at the same time.
    pub cashiers: usize,
    /// Customers' codes, scanned in turn. With none there must be no scans in the plan.
    pub codes: Vec<String>,
}

struct Day<'a> {
    door: &'a Door,
    plan: &'a [Deed],
    terms: &'a Terms,
    began: Instant,
    next: AtomicUsize,
    codes_shown: AtomicU64,
    stop: watch::Receiver<bool>,
    /// Sales that were paid, by their number in the plan.
    paid: Mutex<BTreeMap<u32, Sold>>,
    tally: Mutex<Tally>,
}

#[derive(Clone, Copy)]
struct Sold {
    payment: PaymentId,
    amount_minor: i64,
    is_cash: bool,
}

/// Opens, sells, closes. `stop` ends it early, in order; `tell` is given lines of progress.
///
/// # Errors
/// `ShiftOpen`, `SignOn`, `Door` before anything is sold. Afterwards everything that goes wrong is in the summary.
pub async fn play(
    door: &Door,
    plan: &[Deed],
    terms: &Terms,
    stop: watch::Receiver<bool>,
    tell: impl Fn(String),
) -> Result<Summary, DayError> {
    let before: StateSeen = door.look("/api/state").await?;
    if let Some(shift) = before.shift {
        return Err(DayError::ShiftOpen(shift.cashier));
    }
    let open = json!({"float_minor": FLOAT_MINOR, "cashier": CASHIER});
    let shift: ShiftSeen = match door.press("/api/shift/open", &open, &door.key()).await {
        Answer::Done(shift) => shift,
        Answer::Refused(problem) => return Err(DayError::SignOn(problem.detail)),
        Answer::Unheard(why) => return Err(DayError::SignOn(why)),
    };
    let day = Day {
        door,
        plan,
        terms,
        began: Instant::now(),
        next: AtomicUsize::new(0),
        codes_shown: AtomicU64::new(0),
        stop,
        paid: Mutex::default(),
        tally: Mutex::new(Tally::new(FLOAT_MINOR)),
    };
    let cashiers = join_all((0..terms.cashiers).map(|_| day.cashier(shift.batch)));
    tokio::select! {
        _ = cashiers => {}
        () = day.tell_progress(&tell) => {}
    }
    let lasted = day.began.elapsed();
    tell("the day is over: counting the drawer, and waiting for core to have the journal".to_owned());
    let drawer = day.close(shift.batch, before.currency).await;
    let after = day.synced().await;
    // Core may have had entries to catch up with, which are not of this day; both are counted from the beginning.
    let head = after.as_ref().map_or(before.sync.head, |after| after.sync.head);
    let through = after.as_ref().map_or(before.sync.through, |after| after.sync.through);
    let about = About {
        seed: terms.seed,
        speed: terms.speed,
        cashiers: terms.cashiers,
        currency: before.currency,
        lasted,
        watched: day.began.elapsed(),
        entries: head.0.saturating_sub(before.sync.head.0),
        synced: through.0.saturating_sub(before.sync.through.0),
        unsent: after.map_or(head.0.saturating_sub(through.0), |after| after.unsent.count),
        was_stopped: day.is_stopped(),
        drawer,
    };
    Ok(day.tally().summary(about))
}

impl Day<'_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// How long a time of the shop's day takes here.
    fn scaled(&self, time: Duration) -> Duration {
        self.terms.speed.map_or(Duration::ZERO, |speed| time / speed.max(1))
    }

    /// Waits until that time of the day; false if the day is stopped before.
    async fn comes(&self, at: Duration) -> bool {
        let (due, mut stop) = (self.began + self.scaled(at), self.stop.clone());
        tokio::select! {
            biased;
            _ = stop.wait_for(|stopped| *stopped) => return false,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        if self.terms.speed.is_some() {
            self.tally().began_late(due.elapsed());
        }
        true
    }

    async fn cashier(&self, batch: Sequence) {
        while let Some(deed) = self.plan.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if !self.comes(deed.at).await {
                return;
            }
            match deed.what {
                What::Sell { number, amount_minor, by, twice } => self.sell(number, amount_minor, by, twice).await,
                What::Undo { number, how } => self.undo(number, how).await,
                What::Move { is_in, amount_minor } => self.move_cash(batch, is_in, amount_minor).await,
            }
        }
    }

    /// Presses, and notes how long it took or why it did not work. The second: whether it may have happened all the same.
    async fn timed<T: DeserializeOwned>(&self, step: Step, path: &str, body: &Value, key: &str) -> (Option<T>, bool) {
        let began = Instant::now();
        match self.door.press(path, body, key).await {
            Answer::Done(done) => {
                self.tally().took(step, began.elapsed());
                (Some(done), false)
            }
            Answer::Refused(problem) => {
                self.tally().refused(step, problem.code, problem.detail);
                (None, false)
            }
            Answer::Unheard(why) => {
                self.tally().unheard(why);
                (None, true)
            }
        }
    }

    async fn sell(&self, number: u32, amount_minor: i64, by: By, twice: bool) {
        let (step, body) = match by {
            By::Cash { tendered_minor } => (
                Step::CashSale,
                json!({"amount_minor": amount_minor, "method": "cash", "tendered_minor": tendered_minor}),
            ),
            By::Code { .. } => (Step::CodeKeyed, json!({"amount_minor": amount_minor, "method": "code"})),
            By::Scan => {
                (Step::ScanKeyed, json!({"amount_minor": amount_minor, "method": "scan", "code": self.next_code()}))
            }
        };
        let (key, began) = (self.door.key(), Instant::now());
        let (sale, is_unsure) = self.timed::<SaleSeen>(step, "/api/sales", &body, &key).await;
        let is_cash = matches!(by, By::Cash { .. });
        self.tally().is_drawer_unsure |= is_cash && is_unsure;
        let Some(sale) = sale else { return };
        if twice
            && let Answer::Done(again) = self.door.press::<SaleSeen>("/api/sales", &body, &key).await
            && again.payment != sale.payment
        {
            let fault = format!("one press made two sales, {} and {}", sale.payment, again.payment);
            self.tally().faults.push(fault);
        }
        let sale = match by {
            By::Cash { .. } => {
                self.tally().drawer_minor += amount_minor;
                sale
            }
            By::Scan => self.settles(sale, began).await,
            By::Code { patience } => self.is_shown(sale, began, patience).await,
        };
        let end = match sale.state.as_str() {
            _ if sale.paid => End::Paid,
            "cancelled" => End::Cancelled,
            _ if sale.settled => End::NotPaid,
            _ => End::Open,
        };
        self.tally().ended(end, amount_minor);
        if end == End::Paid {
            let sold = Sold { payment: sale.payment, amount_minor, is_cash };
            self.paid.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sold);
        }
    }

    fn next_code(&self) -> &str {
        let shown = usize::try_from(self.codes_shown.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        let turn = shown.checked_rem(self.terms.codes.len()).unwrap_or(0);
        self.terms.codes.get(turn).map_or("", String::as_str)
    }

    /// Looks at the sale until `is_enough`, or no longer.
    async fn look_at(&self, mut sale: SaleSeen, until: Instant, is_enough: impl Fn(&SaleSeen) -> bool) -> SaleSeen {
        let path = format!("/api/sales/{}", sale.payment);
        while !is_enough(&sale) && Instant::now() < until && !self.is_stopped() {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.door.look(&path).await {
                Ok(seen) => sale = seen,
                Err(error) => self.tally().unheard(error.to_string()),
            }
        }
        sale
    }

    /// The customer's phone asks, and says yes or no.
    async fn settles(&self, sale: SaleSeen, began: Instant) -> SaleSeen {
        let sale = self.look_at(sale, began + LOOK_MAX, |sale| sale.settled).await;
        if sale.settled {
            self.tally().took(Step::ScanSettled, began.elapsed());
        }
        sale
    }

    /// A code is on show until somebody pays it, or the customer goes away.
    async fn is_shown(&self, sale: SaleSeen, began: Instant, patience: Duration) -> SaleSeen {
        let is_on_show = |sale: &SaleSeen| sale.state == "presenting" || sale.settled;
        let sale = self.look_at(sale, began + LOOK_MAX, is_on_show).await;
        if sale.state == "presenting" {
            self.tally().took(Step::CodeOnShow, began.elapsed());
        }
        let patience = self.scaled(patience).max(PATIENCE_MIN);
        let sale = self.look_at(sale, Instant::now() + patience, |sale| sale.settled).await;
        if sale.settled {
            return sale;
        }
        let path = format!("/api/sales/{}/cancel", sale.payment);
        let (cancelled, _) = self.timed(Step::Cancel, &path, &json!({}), &self.door.key()).await;
        // Somebody may have paid at the last moment.
        self.look_at(cancelled.unwrap_or(sale), Instant::now() + LOOK_MAX, |sale| sale.settled).await
    }

    async fn undo(&self, number: u32, how: Undo) {
        // Not paid, or not yet: then there is nothing to undo.
        let sold = self.paid.lock().unwrap_or_else(PoisonError::into_inner).get(&number).copied();
        let Some(Sold { payment, amount_minor, is_cash }) = sold else { return };
        let (step, button, body, back_minor) = match how {
            Undo::Void => (Step::Void, "void", json!({}), amount_minor),
            Undo::Refund(part_minor) => (Step::Refund, "refund", json!({"amount_minor": part_minor}), part_minor),
            Undo::Reprint => (Step::Reprint, "reprint", json!({}), 0),
        };
        let path = format!("/api/sales/{payment}/{button}");
        let (done, is_unsure) = self.timed::<SaleSeen>(step, &path, &body, &self.door.key()).await;
        if is_cash {
            let mut tally = self.tally();
            tally.is_drawer_unsure |= is_unsure;
            tally.drawer_minor -= if done.is_some() { back_minor } else { 0 };
        }
    }

    async fn move_cash(&self, batch: Sequence, is_in: bool, amount_minor: i64) {
        let path = if is_in { "/api/shift/paid-in" } else { "/api/shift/paid-out" };
        let reason = if is_in { "change from the bank" } else { "takings to the safe" };
        let body = json!({"batch": batch, "amount_minor": amount_minor, "reason": reason});
        let (done, is_unsure) = self.timed::<ShiftSeen>(Step::CashMoved, path, &body, &self.door.key()).await;
        let mut tally = self.tally();
        tally.is_drawer_unsure |= is_unsure;
        if done.is_some() {
            tally.drawer_minor += if is_in { amount_minor } else { -amount_minor };
        }
    }

    /// Counts the drawer and closes the batch.
    async fn close(&self, batch: Sequence, currency: saoma_protocol::Currency) -> Option<Drawer> {
        let money = |minor| saoma_protocol::Money::new(minor, currency);
        let counted_minor = self.tally().drawer_minor;
        let body = json!({"batch": batch, "counted_minor": counted_minor});
        let until = Instant::now() + END_MAX;
        let closed: ShiftSeen = loop {
            match self.door.press("/api/shift/close", &body, &self.door.key()).await {
                Answer::Done(shift) => break shift,
                // A sale is in flight yet.
                Answer::Refused(problem) if problem.code == "shift_busy" && Instant::now() < until => {
                    tokio::time::sleep(LOOK_EVERY * 10).await;
                }
                Answer::Refused(problem) => {
                    self.tally().unheard(format!("the batch cannot be closed, do it at the till: {}", problem.detail));
                    return None;
                }
                Answer::Unheard(why) => {
                    self.tally().unheard(format!("the batch was not closed, do it at the till: {why}"));
                    return None;
                }
            }
        };
        let expected_minor = closed.closed?.expected_minor;
        let mut tally = self.tally();
        if expected_minor != counted_minor {
            let (counted, expected) = (money(counted_minor), money(expected_minor));
            if tally.is_drawer_unsure {
                let why = "answers about cash were lost, so the count is not held against the till's".to_owned();
                tally.unheard(why);
            } else {
                tally.faults.push(format!(
                    "the drawer holds {counted}, and the till expected {expected}: unless somebody else sold meanwhile, the \
                     till has counted wrongly"
                ));
            }
        }
        Some(Drawer { counted: money(counted_minor), expected: money(expected_minor) })
    }

    /// The state once core has the journal, or as it is when it takes too long or core is away.
    async fn synced(&self) -> Option<StateSeen> {
        let until = Instant::now() + END_MAX;
        loop {
            let state = self.door.look::<StateSeen>("/api/state").await.ok()?;
            if state.unsent.count == 0 || !state.link.online || Instant::now() > until {
                return Some(state);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// For ever.
    async fn tell_progress(&self, tell: &impl Fn(String)) {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let done = self.next.load(Ordering::Relaxed).min(self.plan.len());
            let at = self.plan.get(done).map_or(OPEN_FOR, |deed| deed.at);
            let minute = OPENS_AT_MINUTE + at.as_secs() / 60;
            let (sold, taken_minor) = self.tally().sold();
            let line = match self.door.look::<StateSeen>("/api/state").await {
                Ok(state) => {
                    let link = if state.link.online { "online" } else { "offline" };
                    let taken = saoma_protocol::Money::new(taken_minor, state.currency);
                    format!("{sold} sold, {taken}; {link}, {} unsent", state.unsent.count)
                }
                Err(error) => format!("{sold} sold; failed to {error}"),
            };
            tell(format!("{:02}:{:02}  {done}/{}  {line}", minute / 60, minute % 60, self.plan.len()));
        }
    }
}

//! The walk through both sides. What is held at a time: a page of each and what it takes to sort one, and a batch of findings.
//!
//! Beside the two go the corrections that persons have booked, by number as well: where the sides agree by now and one stands,
//! and where neither side has the number any more, that is a difference too.

mod elsewhere;
mod pages;

use std::collections::{BTreeMap, BTreeSet};

use saoma_domain::recon::{self, Correction, Finding, Fix, Key, Merge, MergeError, Movement, Ours, Pair, Side, Theirs};
use saoma_protocol::{Currency, DiscrepancyId};
use saoma_store::{
    StoreError,
    bills::{self, Bill},
    discrepancies::{self, Decided, KEEP_MAX, Run},
    reconciliations::Counted,
};

use self::{
    elsewhere::{Alone, Row},
    pages::Pages,
};
use super::{Case, ReconcileError, go_on, on_a_thread, renew};
use crate::app::App;

/// Rows after which a walk on which all agrees says that it goes on.
const RENEW_ROWS: u64 = 5_000;
/// How often a day is walked through while persons decide about its account: each takes minutes for the largest, in which they
/// may decide again; the comparison of the next day sees that.
const WALKS_MAX: u32 = 3;
/// How often a batch is tried that persons act on meanwhile. Each may save a few rows in a second; a batch takes a fraction.
const KEEP_TRIES: u32 = 10;

pub async fn compare(app: &App, case: &Case, bill: &Bill) -> Result<Counted, ReconcileError> {
    let (task_app, case, bill) = (app.clone(), case.clone(), bill.clone());
    on_a_thread(move || {
        let (scope, account) = (case.scope, case.span.account);
        let decisions = || task_app.store().read_blocking(|tx| discrepancies::decisions(tx, &scope, account));
        let mut before = decisions()?;
        let mut counted = Comparison::new(&task_app, &case, &bill)?.run()?;
        for _ in 1..WALKS_MAX {
            let after = decisions()?;
            if after == before {
                break;
            }
            // What a person decided during the walk may be about what it had passed.
            before = after;
            counted = Comparison::new(&task_app, &case, &bill)?.run()?;
        }
        Ok(counted)
    })
    .await
}

/// Whether the books have something on the day that was not undone on it.
pub async fn is_anything_expected(app: &App, case: &Case) -> Result<bool, ReconcileError> {
    let (task_app, case) = (app.clone(), case.clone());
    on_a_thread(move || {
        let sorted = pages::sort_ours(&task_app, &case)?;
        for pair in Merge::new(pages::ours(&sorted)?, std::iter::empty::<Result<Theirs, ReconcileError>>()) {
            if !matches!(pair.map_err(walk_error)?, Pair::Netted(..)) {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await
}

fn walk_error(error: MergeError<ReconcileError>) -> ReconcileError {
    match error {
        MergeError::Read(error) => error,
        MergeError::Order(key) => ReconcileError::Walk(format!("{key:?} comes out of its turn")),
    }
}

struct Comparison<'a> {
    app: &'a App,
    case: &'a Case,
    bill: &'a Bill,
    run: Run,
    /// The newest bills of the account's other days.
    bills: BTreeMap<String, u64>,
    counted: Counted,
    n_pairs: u64,
    /// Findings that are kept one by one.
    n_kept: u64,
    at: AtNumber,
    /// Rows that one side alone has, to be looked for elsewhere.
    alone: Vec<Alone>,
    found: Vec<(DiscrepancyId, Finding)>,
    /// What agrees though the days differ.
    settled: Vec<Key>,
}

/// What is known of the number that the walk is at.
#[derive(Default)]
struct AtNumber {
    number: String,
    /// What persons have booked about it.
    decided: Vec<Decided>,
    /// Lines of this bill so far.
    lines: BTreeMap<Movement, u64>,
    /// Movements that either side has.
    seen: BTreeSet<Movement>,
    /// Movements of which the first line met the books.
    met: BTreeSet<Movement>,
}

impl AtNumber {
    fn line(&mut self, movement: Movement) -> u64 {
        let lines = self.lines.entry(movement).or_default();
        *lines += 1;
        *lines
    }
}

/// Whether something was booked about it that was not taken back.
fn stands(decided: &[Decided], day: &str, movement: Movement, nth: u64) -> bool {
    let mut sums: BTreeMap<Currency, Correction> = BTreeMap::new();
    for one in decided.iter().filter(|one| one.key.movement == movement && one.nth == nth) {
        if nth > 0 && one.day != day {
            continue;
        }
        let currency = one.correction.amount.currency();
        let sum = sums.entry(currency).or_insert_with(|| Correction::nothing(currency));
        match sum.checked_add(&one.correction) {
            Ok(more) => *sum = more,
            // Past 64 bits it is not nothing.
            Err(_) => return true,
        }
    }
    sums.values().any(|sum| !sum.is_nothing())
}

impl<'a> Comparison<'a> {
    fn new(app: &'a App, case: &'a Case, bill: &'a Bill) -> Result<Self, ReconcileError> {
        let (scope, account) = (case.scope, case.span.account);
        let mut bills = app.store().read_blocking(|tx| bills::newest_of_days(tx, &scope, account))?;
        bills.remove(&case.day);
        Ok(Self {
            app,
            case,
            bill,
            run: Run { id: case.id, account, day: case.day.clone() },
            bills,
            counted: Counted { revision: bill.revision, theirs: bill.lines, ..Counted::default() },
            n_pairs: 0,
            n_kept: 0,
            at: AtNumber::default(),
            alone: Vec::new(),
            found: Vec::new(),
            settled: Vec::new(),
        })
    }

    fn run(mut self) -> Result<Counted, ReconcileError> {
        let pages =
            Pages { store: self.app.store().clone(), scope: self.case.scope, rows: self.case.limits.theirs_page };
        let mut decided = pages.clone().decided(self.case.span.account).peekable();
        let sorted = pages::sort_ours(self.app, self.case)?;
        let theirs = pages.theirs(self.bill.id).map(|row| row.map_err(ReconcileError::from));
        for pair in Merge::new(pages::ours(&sorted)?, theirs) {
            let pair = pair.map_err(walk_error)?;
            self.tick()?;
            let number = match &pair {
                Pair::Both(row, _) | Pair::OnlyOurs(row) | Pair::Netted(row, _) => &row.key.number,
                Pair::OnlyTheirs(row) | Pair::Again(row) => &row.key.number,
            };
            if *number != self.at.number {
                let number = number.clone();
                self.turn_to(&mut decided, Some(number))?;
            }
            self.take(pair)?;
        }
        self.turn_to(&mut decided, None)?;
        self.look_elsewhere()?;
        self.unreadable()?;
        self.keep()?;
        let (scope, now, run, case) = (self.case.scope, self.app.now(), &self.run, self.case);
        // More than is kept may hide that an earlier one is over. Those that are not come back once the day has fewer.
        let why =
            if self.counted.overflowed { "more was found than is kept" } else { "a later comparison did not find it" };
        self.app.store().write_blocking(|tx| {
            renew(tx, case, now)?;
            discrepancies::close_others(tx, &scope, run, why, now)
        })?;
        Ok(self.counted)
    }

    /// Now and then on a long walk, whichever side its rows are on.
    fn tick(&mut self) -> Result<(), ReconcileError> {
        self.n_pairs += 1;
        if self.n_pairs.is_multiple_of(RENEW_ROWS) {
            go_on(self.app)?;
            let (case, now) = (self.case, self.app.now());
            self.app.store().write_blocking(|tx| renew(tx, case, now))?;
        }
        Ok(())
    }

    /// The walk is done with a number, and comes to the next: what was booked about those between is about no row of the day.
    fn turn_to(
        &mut self,
        decided: &mut std::iter::Peekable<impl Iterator<Item = Result<Decided, StoreError>>>,
        number: Option<String>,
    ) -> Result<(), ReconcileError> {
        self.leave_number()?;
        loop {
            let mut group: Vec<Decided> = Vec::new();
            let is_next = |group: &[Decided], one: &Decided| match group.first() {
                Some(first) => first.key.number == one.key.number,
                None => number.as_ref().is_none_or(|number| one.key.number <= *number),
            };
            while let Some(one) = decided.next_if(|one| one.as_ref().map_or(true, |one| is_next(&group, one))) {
                group.push(one?);
            }
            let of = group.first().map(|first| first.key.number.clone());
            self.at = AtNumber { number: of.clone().unwrap_or_default(), decided: group, ..AtNumber::default() };
            if of.is_none() || of == number {
                self.at.number = number.unwrap_or_default();
                return Ok(());
            }
            self.leave_number()?;
        }
    }

    /// What was booked on this day about lines and movements that are gone from it.
    fn leave_number(&mut self) -> Result<(), ReconcileError> {
        let AtNumber { number, decided, lines, seen, met } = std::mem::take(&mut self.at);
        let booked: BTreeSet<(Movement, u64)> =
            decided.iter().filter(|one| one.day == self.run.day).map(|one| (one.key.movement, one.nth)).collect();
        for (movement, nth) in booked {
            if !stands(&decided, &self.run.day, movement, nth) {
                continue;
            }
            let key = Key { number: number.clone(), movement };
            let n_lines = lines.get(&movement).copied().unwrap_or(0);
            if nth == 0 && !seen.contains(&movement) {
                self.push_alone(Row::Gone(key), &[])?;
            } else if nth > n_lines || (nth == 1 && met.contains(&movement)) {
                self.note(recon::corrected(&key, nth, None, None))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, pair: Pair) -> Result<(), ReconcileError> {
        match pair {
            Pair::Both(ours, theirs) => {
                self.sum_ours(&ours)?;
                self.sum_theirs(&theirs)?;
                let movement = ours.key.movement;
                self.at.line(movement);
                self.at.seen.insert(movement);
                self.at.met.insert(movement);
                match recon::compare(&ours, &theirs) {
                    Some(finding) => self.note(finding),
                    None if self.stands(movement, 0) => {
                        self.note(recon::corrected(&ours.key, 0, Some(ours.side), Some(&theirs)))
                    }
                    None => {
                        self.counted.agreed += 1;
                        Ok(())
                    }
                }
            }
            Pair::Netted(payment, reversal) => {
                self.sum_ours(&payment)?;
                self.sum_ours(&reversal)?;
                self.at.seen.extend([payment.key.movement, reversal.key.movement]);
                if self.stands(reversal.key.movement, 0) {
                    self.note(recon::corrected(&reversal.key, 0, Some(reversal.side), None))?;
                }
                match recon::netted(&payment, &reversal) {
                    Some(finding) => self.note(finding),
                    None if self.stands(payment.key.movement, 0) => {
                        self.note(recon::corrected(&payment.key, 0, Some(payment.side), None))
                    }
                    None => {
                        self.counted.netted += 2;
                        Ok(())
                    }
                }
            }
            Pair::Again(theirs) => {
                self.sum_theirs(&theirs)?;
                let nth = self.at.line(theirs.key.movement);
                self.note(recon::duplicate(&theirs, nth))
            }
            Pair::OnlyOurs(ours) => {
                self.sum_ours(&ours)?;
                self.at.seen.insert(ours.key.movement);
                self.push_alone(Row::Ours(ours), &[])
            }
            Pair::OnlyTheirs(theirs) => {
                self.sum_theirs(&theirs)?;
                self.at.line(theirs.key.movement);
                self.at.seen.insert(theirs.key.movement);
                let standing = [0, 1].map(|nth| self.stands(theirs.key.movement, nth));
                self.push_alone(Row::Theirs(theirs), &standing)
            }
        }
    }

    fn stands(&self, movement: Movement, nth: u64) -> bool {
        stands(&self.at.decided, &self.run.day, movement, nth)
    }

    fn unreadable(&mut self) -> Result<(), ReconcileError> {
        let (scope, bill, rows, mut after) = (self.case.scope, self.bill.id, self.case.limits.theirs_page, 0);
        loop {
            let page = self.app.store().read_blocking(|tx| bills::unreadable(tx, &scope, bill, after, rows))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (line, words) in page {
                self.tick()?;
                self.note(recon::unreadable(line, words))?;
            }
        }
    }

    fn count(&mut self, finding: &Finding) {
        *self.counted.found.entry(finding.class.text().to_owned()).or_default() += 1;
    }

    /// Counts it, and keeps what somebody has to look at.
    fn note(&mut self, finding: Finding) -> Result<(), ReconcileError> {
        self.count(&finding);
        if finding.fix == Fix::NothingToDo {
            return Ok(());
        }
        self.n_kept += 1;
        if self.n_kept > self.case.limits.found {
            self.counted.overflowed = true;
            return Ok(());
        }
        self.found.push((DiscrepancyId::from_bytes(self.app.random_16()?), finding));
        if self.found.len() >= KEEP_MAX { self.keep() } else { Ok(()) }
    }

    fn keep(&mut self) -> Result<(), ReconcileError> {
        let (found, settled) = (std::mem::take(&mut self.found), std::mem::take(&mut self.settled));
        let (scope, run, case) = (self.case.scope, &self.run, self.case);
        let mut tries = 1;
        loop {
            let now = self.app.now();
            let kept = self.app.store().write_blocking(|tx| {
                renew(tx, case, now)?;
                discrepancies::keep(tx, &scope, run, &found, now)?;
                discrepancies::settle(tx, &scope, run, &settled, now)
            });
            match kept {
                // A person acted on one of them between reading and writing: what that booked counts now.
                Err(discrepancies::STALE) if tries < KEEP_TRIES => tries += 1,
                kept => return Ok(kept?),
            }
        }
    }

    fn sum_ours(&mut self, row: &Ours) -> Result<(), ReconcileError> {
        self.counted.ours += 1;
        let sums = self.counted.sums.entry(row.side.currency()).or_default();
        sums.ours_minor = add(sums.ours_minor, &row.key, &row.side)?;
        sums.ours_fee_minor = plus(sums.ours_fee_minor, row.side.fee.minor())?;
        Ok(())
    }

    fn sum_theirs(&mut self, row: &Theirs) -> Result<(), ReconcileError> {
        let sums = self.counted.sums.entry(row.side.currency()).or_default();
        sums.theirs_minor = add(sums.theirs_minor, &row.key, &row.side)?;
        sums.theirs_fee_minor = plus(sums.theirs_fee_minor, row.side.fee.minor())?;
        Ok(())
    }

    /// A line that was summed is another account's.
    fn sum_without(&mut self, row: &Theirs) -> Result<(), ReconcileError> {
        let opposite = |minor: i64| minor.checked_neg().ok_or_else(past_64_bits);
        let sums = self.counted.sums.entry(row.side.currency()).or_default();
        let listed = add(0, &row.key, &row.side)?;
        sums.theirs_minor = plus(sums.theirs_minor, opposite(listed)?)?;
        sums.theirs_fee_minor = plus(sums.theirs_fee_minor, opposite(row.side.fee.minor())?)?;
        Ok(())
    }
}

/// Payments less what went back.
fn add(sum: i64, key: &Key, side: &Side) -> Result<i64, ReconcileError> {
    let minor = if key.movement.is_income() { Some(side.money.minor()) } else { side.money.minor().checked_neg() };
    plus(sum, minor.ok_or_else(past_64_bits)?)
}

fn plus(one: i64, other: i64) -> Result<i64, ReconcileError> {
    one.checked_add(other).ok_or_else(past_64_bits)
}

fn past_64_bits() -> ReconcileError {
    ReconcileError::Amount("a sum past 64 bits".to_owned())
}

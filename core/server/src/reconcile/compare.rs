//! The walk through both sides. What is held at a time: a page of each, and a batch of findings.

use std::collections::BTreeMap;

use saoma_domain::recon::{self, Finding, Key, Known, Merge, MergeError, Ours, Pair, Side, Theirs};
use saoma_protocol::{DiscrepancyId, Millis};
use saoma_store::{
    Store, StoreError, TenantScope,
    bills::{self, Bill},
    discrepancies::{self, KEEP_MAX, Run},
    ledger::{self, Standing},
    reconciliations::{self, Counted},
};

use super::{Case, LEASE_MS, ReconcileError};
use crate::app::App;

/// Rows of a page of the books. Each page costs a walk through the day's index: large ones make few walks, and this many
/// rows are some 10 MB.
const OURS_PAGE: u32 = 50_000;
/// Rows of a page of the bill, which is read in the order in which it lies.
const THEIRS_PAGE: u32 = 5_000;
/// Most findings that are kept one by one: more than people work through; past it the bill as a whole is wrong, and the
/// counts say so.
const FOUND_MAX: u64 = 10_000;

pub async fn compare(app: &App, case: &Case, bill: &Bill) -> Result<Counted, ReconcileError> {
    let (task_app, case, bill) = (app.clone(), case.clone(), bill.clone());
    // Pages come from the database, a thread of its own waits for them.
    let done = tokio::task::spawn_blocking(move || Comparison::new(&task_app, &case, &bill)?.run());
    done.await.map_err(|error| ReconcileError::Walk(error.to_string()))?
}

struct Comparison<'a> {
    app: &'a App,
    case: &'a Case,
    bill: &'a Bill,
    run: Run,
    /// The newest bills of the neighbouring days, where they are here.
    near_bills: [Option<Bill>; 2],
    counted: Counted,
    /// Rows that one side alone has, to be looked for elsewhere.
    alone: Vec<Pair>,
    found: Vec<(DiscrepancyId, Finding)>,
}

impl<'a> Comparison<'a> {
    fn new(app: &'a App, case: &'a Case, bill: &'a Bill) -> Result<Self, ReconcileError> {
        let (scope, account) = (case.scope, case.span.account);
        let [before, after] = &case.neighbours;
        let newest = |day: &str| app.store().read_blocking(|tx| bills::newest(tx, &scope, account, day));
        let near_bills = [newest(before)?, newest(after)?];
        let run = Run { id: case.id, account, day: case.day.clone() };
        let counted = Counted { revision: bill.revision, theirs: bill.lines, ..Counted::default() };
        Ok(Self { app, case, bill, run, near_bills, counted, alone: Vec::new(), found: Vec::new() })
    }

    fn run(mut self) -> Result<Counted, ReconcileError> {
        let pages = Pages { store: self.app.store().clone(), scope: self.case.scope };
        let (span, bill) = (self.case.span, self.bill.id);
        let ours = pages.clone().ours(span);
        for pair in Merge::new(ours, pages.theirs(bill)) {
            let pair = pair.map_err(|error| match error {
                MergeError::Read(error) => ReconcileError::Store(error),
                MergeError::Order(key) => ReconcileError::Walk(format!("{key:?} comes out of its turn")),
            })?;
            self.take(pair)?;
        }
        self.look_elsewhere()?;
        self.unreadable()?;
        self.keep()?;
        if !self.counted.overflowed {
            let (scope, now, run) = (self.case.scope, self.app.now(), self.run.clone());
            self.app.store().write_blocking(|tx| discrepancies::close_others(tx, &scope, &run, now))?;
        }
        Ok(self.counted)
    }

    fn take(&mut self, pair: Pair) -> Result<(), ReconcileError> {
        match &pair {
            Pair::Both(ours, theirs) => {
                self.sum_ours(ours)?;
                self.sum_theirs(theirs)?;
                match recon::compare(ours, theirs) {
                    None => self.counted.agreed += 1,
                    Some(finding) => self.note(finding)?,
                }
                return Ok(());
            }
            Pair::Netted(payment, reversal) => {
                self.sum_ours(payment)?;
                self.sum_ours(reversal)?;
                match recon::netted(payment, reversal) {
                    None => self.counted.netted += 2,
                    Some(finding) => self.note(finding)?,
                }
                return Ok(());
            }
            Pair::Again(theirs) => {
                self.sum_theirs(theirs)?;
                return self.note(recon::duplicate(theirs));
            }
            Pair::OnlyOurs(ours) => self.sum_ours(ours)?,
            Pair::OnlyTheirs(theirs) => self.sum_theirs(theirs)?,
        }
        self.alone.push(pair);
        if self.alone.len() >= KEEP_MAX { self.look_elsewhere() } else { Ok(()) }
    }

    /// Where the rows are that one side alone has: on a neighbouring day, in another state, or nowhere.
    fn look_elsewhere(&mut self) -> Result<(), ReconcileError> {
        let alone = std::mem::take(&mut self.alone);
        if alone.is_empty() {
            return Ok(());
        }
        let key_of = |pair: &Pair| match pair {
            Pair::OnlyTheirs(row) | Pair::Again(row) => row.key.clone(),
            Pair::OnlyOurs(row) | Pair::Both(row, _) | Pair::Netted(row, _) => row.key.clone(),
        };
        let keys: Vec<Key> = alone.iter().map(key_of).collect();
        let keys: Vec<&Key> = keys.iter().collect();
        let (scope, span) = (self.case.scope, self.case.span);
        let near_bills = self.near_bills.clone();
        let (standing, listed) = self.app.store().read_blocking(|tx| {
            let mut listed: BTreeMap<Key, Theirs> = BTreeMap::new();
            for bill in near_bills.iter().flatten() {
                listed.extend(bills::find(tx, &scope, bill.id, &keys)?.into_iter().map(|row| (row.key.clone(), row)));
            }
            Ok::<_, StoreError>((ledger::standing(tx, &scope, &span, &keys)?, listed))
        })?;
        let may_follow = self.near_bills[1].is_none();
        for pair in alone {
            let finding = match pair {
                Pair::OnlyOurs(ours) => recon::only_ours(&ours, listed.get(&ours.key), may_follow),
                Pair::OnlyTheirs(theirs) => {
                    let known = match standing.get(&theirs.key) {
                        None => Known::Nothing,
                        Some(Standing::State(state)) => Known::Standing(state.clone()),
                        Some(Standing::Moved(ours)) => Known::Moved {
                            side: ours.side,
                            is_near: self.is_near(ours.side.at),
                            is_listed: listed.contains_key(&theirs.key),
                        },
                    };
                    recon::only_theirs(&theirs, known)
                }
                Pair::Both(..) | Pair::Again(_) | Pair::Netted(..) => continue,
            };
            self.note(finding)?;
        }
        Ok(())
    }

    fn is_near(&self, at: Millis) -> bool {
        (self.case.near.from..self.case.near.to).contains(&at)
    }

    fn unreadable(&mut self) -> Result<(), ReconcileError> {
        let (scope, bill, mut after) = (self.case.scope, self.bill.id, 0);
        loop {
            let page = self.app.store().read_blocking(|tx| bills::unreadable(tx, &scope, bill, after, THEIRS_PAGE))?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (line, words) in page {
                self.note(recon::unreadable(line, words))?;
            }
        }
    }

    fn note(&mut self, finding: Finding) -> Result<(), ReconcileError> {
        *self.counted.found.entry(finding.class.text().to_owned()).or_default() += 1;
        if self.counted.found.values().sum::<u64>() > FOUND_MAX {
            self.counted.overflowed = true;
            return Ok(());
        }
        self.found.push((DiscrepancyId::from_bytes(self.app.random_16()?), finding));
        if self.found.len() >= KEEP_MAX { self.keep() } else { Ok(()) }
    }

    fn keep(&mut self) -> Result<(), ReconcileError> {
        let found = std::mem::take(&mut self.found);
        let (scope, run, now) = (self.case.scope, self.run.clone(), self.app.now());
        self.app.store().write_blocking(|tx| {
            reconciliations::renew(tx, &scope, run.id, now.plus(LEASE_MS))?;
            discrepancies::keep(tx, &scope, &run, &found, now)
        })?;
        Ok(())
    }

    fn sum_ours(&mut self, row: &Ours) -> Result<(), ReconcileError> {
        self.counted.ours += 1;
        // Now and then on a long walk on which all agrees.
        if self.counted.ours.is_multiple_of(THEIRS_PAGE.into()) {
            if self.app.is_stopping() {
                return Err(ReconcileError::Stopped);
            }
            let (scope, id, until) = (self.case.scope, self.case.id, self.app.now().plus(LEASE_MS));
            self.app.store().write_blocking(|tx| reconciliations::renew(tx, &scope, id, until))?;
        }
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

/// Rows of a side, read a page at a time as they are asked for.
#[derive(Clone)]
struct Pages {
    store: Store,
    scope: TenantScope,
}

impl Pages {
    fn ours(self, span: ledger::Span) -> impl Iterator<Item = Result<Ours, StoreError>> {
        let Self { store, scope } = self;
        paged(move |last: Option<&Ours>| {
            let after = last.map(|row| &row.key);
            store.read_blocking(|tx| ledger::movements(tx, &scope, &span, after, OURS_PAGE))
        })
    }

    fn theirs(self, bill: u64) -> impl Iterator<Item = Result<Theirs, StoreError>> {
        let Self { store, scope } = self;
        paged(move |last: Option<&Theirs>| store.read_blocking(|tx| bills::page(tx, &scope, bill, last, THEIRS_PAGE)))
    }
}

/// The rows of all pages; over with the first empty page or the first error.
fn paged<T: Clone>(
    mut page: impl FnMut(Option<&T>) -> Result<Vec<T>, StoreError>,
) -> impl Iterator<Item = Result<T, StoreError>> {
    let (mut rows, mut last, mut is_over) = (Vec::new().into_iter(), None, false);
    std::iter::from_fn(move || {
        loop {
            if let Some(row) = rows.next() {
                return Some(Ok(row));
            }
            if is_over {
                return None;
            }
            match page(last.as_ref()) {
                Ok(next) => {
                    last = next.last().cloned().or(last.take());
                    is_over = next.is_empty();
                    rows = next.into_iter();
                }
                Err(error) => {
                    is_over = true;
                    return Some(Err(error));
                }
            }
        }
    })
}

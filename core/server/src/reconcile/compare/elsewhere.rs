//! Where the rows are that one side alone has on the day: on another day, in another state, at another account, or nowhere.

use std::collections::BTreeMap;

use jiff::{ToSpan as _, civil::Date};
use saoma_domain::recon::{self, Fix, Key, Known, Movement, Ours, Side, Theirs};
use saoma_protocol::PaymentId;
use saoma_store::{
    StoreError, Tx, bills,
    discrepancies::{self, KEEP_MAX},
    disputes::{self, Disputed, StoredDispute},
    ledger::{self, Standing},
};

use super::{Comparison, ReconcileError};
use crate::reconcile::chargeback::named;

/// Days before and after, on whose bills every row is looked for. Those of which nothing is found, and that the books do not
/// have on another day, are looked for on all bills there are: each is a search of its own.
const NEAR_DAYS: i64 = 35;

pub(super) enum Row {
    Ours(Ours),
    Theirs(Theirs),
    /// On this day something was booked about it, and neither side has it on the day any more.
    Gone(Key),
}

pub(super) struct Alone {
    row: Row,
    /// Whether corrections stand about the movement itself, and about the day's first line as one too many.
    stands: [bool; 2],
}

impl Row {
    const fn key(&self) -> &Key {
        match self {
            Self::Ours(row) => &row.key,
            Self::Theirs(row) => &row.key,
            Self::Gone(key) => key,
        }
    }
}

/// What is known of a batch of rows beyond the day.
#[derive(Default)]
struct Beyond {
    standing: BTreeMap<Key, Standing>,
    /// Lines on other days' bills, the earliest day first.
    listed: BTreeMap<Key, Vec<(String, Theirs)>>,
    /// Of chargebacks whose case the books do not have.
    cases: BTreeMap<Key, Known>,
    /// Lines that decisions about another account have booked.
    elsewhere: Vec<(Key, Side)>,
}

impl Beyond {
    /// Of a line that the books know nothing of.
    fn of_unknown(&self, line: &Theirs) -> Known {
        if self.elsewhere.iter().any(|(key, side)| *key == line.key && *side == line.side) {
            return Known::OtherAccount;
        }
        self.cases.get(&line.key).cloned().unwrap_or(Known::Nothing)
    }
}

impl Comparison<'_> {
    pub(super) fn push_alone(&mut self, row: Row, standing: &[bool]) -> Result<(), ReconcileError> {
        let stands = [0, 1].map(|nth| standing.get(nth).copied().unwrap_or(false));
        self.alone.push(Alone { row, stands });
        if self.alone.len() >= KEEP_MAX { self.look_elsewhere() } else { Ok(()) }
    }

    pub(super) fn look_elsewhere(&mut self) -> Result<(), ReconcileError> {
        let alone = std::mem::take(&mut self.alone);
        if alone.is_empty() {
            return Ok(());
        }
        // None of it is kept any more, and the searches would be for the counts alone.
        let beyond = if self.counted.overflowed { Beyond::default() } else { self.beyond(&alone)? };
        let may_follow = !self.bills.contains_key(&self.case.next_day);
        for one in alone {
            let listed = beyond.listed.get(one.row.key()).map_or(&[][..], Vec::as_slice);
            let standing = beyond.standing.get(one.row.key());
            match one.row {
                Row::Ours(ours) => {
                    let elsewhere = listed.first().map(|(_, line)| line);
                    self.note(recon::only_ours(&ours, elsewhere, may_follow))?;
                }
                Row::Theirs(theirs) => {
                    let known = match self.known(theirs.key.movement, standing, listed) {
                        Known::Nothing => beyond.of_unknown(&theirs),
                        known => known,
                    };
                    if known == Known::OtherAccount {
                        // No payout of this account brings it.
                        self.sum_without(&theirs)?;
                    }
                    self.judge(&theirs, known, one.stands)?;
                }
                // Told on the day that lists it.
                Row::Gone(_) if !listed.is_empty() => {}
                Row::Gone(key) => match standing {
                    Some(Standing::Moved(ours)) => self.note(recon::only_ours(ours, None, may_follow))?,
                    _ => self.note(recon::corrected(&key, 0, None, None))?,
                },
            }
        }
        if self.settled.len() >= KEEP_MAX { self.keep() } else { Ok(()) }
    }

    fn judge(&mut self, theirs: &Theirs, known: Known, stands: [bool; 2]) -> Result<(), ReconcileError> {
        let finding = recon::only_theirs(theirs, known);
        if finding.nth == 0 && stands[1] {
            self.note(recon::corrected(&theirs.key, 1, None, None))?;
        }
        // Nothing of this line is for the books of this account to follow, so a correction that stands is one too many.
        if finding.fix == Fix::NothingToDo && stands[0] {
            return self.note(recon::corrected(&theirs.key, 0, finding.ours, Some(theirs)));
        }
        if finding.fix == Fix::NothingToDo {
            self.settled.push(theirs.key.clone());
        }
        self.note(finding)
    }

    /// What is known of a line that the books do not have on its day. Of several days that list it, the one counts on which
    /// the books have it, else the first.
    fn known(&self, movement: Movement, standing: Option<&Standing>, listed: &[(String, Theirs)]) -> Known {
        let moved: Option<Side> = match standing {
            Some(Standing::OtherAccount) => return Known::OtherAccount,
            Some(Standing::Moved(ours)) => Some(ours.side),
            Some(Standing::State(_)) | None => None,
        };
        let books_day = moved.and_then(|side| self.day_of(&side));
        if listed.iter().any(|(day, _)| *day < self.case.day || Some(day) == books_day.as_ref()) {
            return Known::Listed(moved);
        }
        match (moved, standing) {
            (Some(side), _) => Known::Moved(side),
            (None, Some(Standing::State(state))) if is_ended(movement, state) => Known::Ended(state.clone()),
            (None, Some(Standing::State(state))) => Known::Standing(state.clone()),
            (None, _) => Known::Nothing,
        }
    }

    fn day_of(&self, side: &Side) -> Option<String> {
        self.case.days.day_of(side.at).map(|day| day.to_string())
    }

    fn beyond(&self, alone: &[Alone]) -> Result<Beyond, ReconcileError> {
        let keys: Vec<&Key> = alone.iter().map(|one| one.row.key()).collect();
        let (scope, span) = (self.case.scope, self.case.span);
        let near = self.near_days();
        let beyond = self.app.store().read_blocking(|tx| {
            let standing = ledger::standing(tx, &scope, &span, &keys)?;
            let books_days = standing.values().filter_map(|standing| match standing {
                Standing::Moved(ours) => self.day_of(&ours.side),
                Standing::State(_) | Standing::OtherAccount => None,
            });
            let mut days: Vec<String> = books_days.chain(near.iter().cloned()).collect();
            days.sort_unstable();
            days.dedup();
            let mut listed = self.listed(tx, days.iter(), &keys)?;
            // A row of ours that nothing lists, and a line that the books have nowhere.
            let open = alone.iter().filter(|one| {
                let key = one.row.key();
                let is_known =
                    matches!(one.row, Row::Theirs(_)) && matches!(standing.get(key), Some(Standing::Moved(_)));
                !is_known && !listed.contains_key(key)
            });
            let open: Vec<&Key> = open.map(|one| one.row.key()).collect();
            if !open.is_empty() {
                let far = self.bills.keys().filter(|day| days.binary_search(day).is_err());
                listed.extend(self.listed(tx, far, &open)?);
            }
            let cases = self.cases(tx, alone, &standing)?;
            let unknown = alone.iter().filter(|one| matches!(one.row, Row::Theirs(_))).map(|one| one.row.key());
            let unknown: Vec<&Key> = unknown.filter(|key| !standing.contains_key(*key)).collect();
            let elsewhere = discrepancies::booked_elsewhere(tx, &scope, span.account, &unknown)?;
            Ok::<_, StoreError>(Beyond { standing, listed, cases, elsewhere })
        });
        Ok(beyond?)
    }

    /// What a line can be about that says that money was taken for a case which the books do not have.
    fn cases(
        &self,
        tx: &mut Tx<'_>,
        alone: &[Alone],
        standing: &BTreeMap<Key, Standing>,
    ) -> Result<BTreeMap<Key, Known>, StoreError> {
        let lines = alone.iter().filter_map(|one| match &one.row {
            Row::Theirs(line) if line.key.movement == Movement::Chargeback => Some(line),
            Row::Theirs(_) | Row::Ours(_) | Row::Gone(_) => None,
        });
        let lines: Vec<&Theirs> = lines.filter(|line| !standing.contains_key(&line.key)).collect();
        if lines.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys: Vec<&Key> = lines.iter().map(|line| &line.key).collect();
        let orders = bills::orders(tx, &self.case.scope, self.bill.id, &keys)?;
        let payment_of = |line: &Theirs| named(&line.key, orders.get(&line.key));
        let payments: Vec<PaymentId> = lines.iter().filter_map(|line| payment_of(line)).collect();
        let disputed = disputes::disputed(tx, &self.case.scope, self.case.span.account, &payments)?;
        let mut cases = BTreeMap::new();
        for line in lines {
            let known = match payment_of(line).and_then(|payment| disputed.get(&payment)) {
                None => Known::Nothing,
                Some(Disputed::OtherAccount) => Known::OtherAccount,
                Some(Disputed::Here(disputes)) => self.unlisted(tx, line, disputes)?,
            };
            cases.insert(line.key.clone(), known);
        }
        Ok(cases)
    }

    /// The one dispute of the line's sum that no bill has, if there is just one: whoever wrote it down knew the case by another
    /// number.
    fn unlisted(&self, tx: &mut Tx<'_>, line: &Theirs, disputes: &[StoredDispute]) -> Result<Known, StoreError> {
        let bills: Vec<u64> = self.bills.values().copied().chain([self.bill.id]).collect();
        let mut unlisted = Vec::new();
        for dispute in disputes {
            let key = Key { number: dispute.number().to_owned(), movement: Movement::Chargeback };
            if dispute.dispute.amount.money() == line.side.money
                && dispute.bill_number.is_none()
                && bills::find(tx, &self.case.scope, &bills, &[&key])?.is_empty()
            {
                unlisted.push(dispute);
            }
        }
        Ok(match &unlisted[..] {
            [dispute] => Known::DisputeUnnamed(dispute.dispute.id.to_string()),
            _ => Known::Disputable,
        })
    }

    fn listed<'b>(
        &self,
        tx: &mut Tx<'_>,
        days: impl Iterator<Item = &'b String>,
        keys: &[&Key],
    ) -> Result<BTreeMap<Key, Vec<(String, Theirs)>>, StoreError> {
        let day_of: BTreeMap<u64, &String> =
            days.filter_map(|day| self.bills.get(day).map(|bill| (*bill, day))).collect();
        let bills: Vec<u64> = day_of.keys().copied().collect();
        let mut listed: BTreeMap<Key, Vec<(String, Theirs)>> = BTreeMap::new();
        for (bill, line) in bills::find(tx, &self.case.scope, &bills, keys)? {
            let Some(day) = day_of.get(&bill) else { continue };
            listed.entry(line.key.clone()).or_default().push(((*day).clone(), line));
        }
        listed.values_mut().for_each(|lines| lines.sort_by(|(one, _), (other, _)| one.cmp(other)));
        Ok(listed)
    }

    fn near_days(&self) -> Vec<String> {
        let Ok(day) = self.case.day.parse::<Date>() else { return Vec::new() };
        let near = (-NEAR_DAYS..=NEAR_DAYS).filter_map(|days| day.checked_add(days.days()).ok());
        near.map(|day| day.to_string()).collect()
    }
}

/// Whether a payment or refund in this state can never become what a line of this kind says. A payment always can: a late
/// success is heard.
fn is_ended(movement: Movement, state: &str) -> bool {
    match movement {
        Movement::Payment | Movement::Chargeback => false,
        Movement::ChargebackReversal => state == "lost",
        Movement::Refund => state == "failed",
        Movement::Reversal => matches!(state, "succeeded" | "partly_refunded" | "refunded"),
    }
}

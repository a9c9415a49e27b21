//! What core does not have yet: how many entries, since when, and how much money is on this disk alone.
//!
//! Counted whole when the journal is opened, and from then on by what came and what core took: a till that sold for days without a line
//! must not open every sum again at each key press. The rows are the truth; the tally is only how far they have been counted.

use std::collections::BTreeMap;

use diesel::{
    dsl::{count_star, max},
    prelude::*,
};
use saoma_protocol::{Currency, Money, Sequence};

use super::{
    JournalError, Store, UnsentEntries,
    rows::{ENTRY_CASH, EntryRow},
    schema::entries,
    store::{loaded, stored, unreadable},
};

/// The entries after `through` up to `head`, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    through: Sequence,
    head: Sequence,
    count: u64,
    sums: BTreeMap<Currency, Money>,
}

impl Tally {
    /// None of those after `through`.
    pub(super) const fn none_after(through: Sequence) -> Self {
        Self { through, head: through, count: 0, sums: BTreeMap::new() }
    }
}

impl Store {
    /// What core does not have. Opens the sums of those entries alone that came, or that core took, since this was asked last.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, `Sealed`.
    pub fn unsent(&mut self) -> Result<UnsentEntries, JournalError> {
        /// A build for tests counts so many anew each time.
        #[cfg(debug_assertions)]
        const RECOUNTED_MAX: u64 = 100;
        let head: Option<i64> = entries::table.select(max(entries::sequence)).first(&mut self.connection)?;
        let head = loaded(head.unwrap_or(0));
        let through = self.synced_through()?.min(head);
        // Core, or this disk, was set back; or there is nothing in common.
        let is_anew = through < self.tally.through || head < self.tally.head || self.tally.head <= through;
        let from = if is_anew { Tally::none_after(through) } else { self.tally.clone() };
        let tally = self.counted(from, through, head)?;
        #[cfg(debug_assertions)]
        if head.0 - through.0 <= RECOUNTED_MAX {
            assert_eq!(tally, self.counted(Tally::none_after(through), through, head)?, "the tally is the rows'");
        }
        let after = entries::table.filter(entries::sequence.gt(stored(through))).order(entries::sequence);
        let oldest: Option<EntryRow> = after.first(&mut self.connection).optional()?;
        let oldest_at = oldest.map(|row| row.open(&self.seals)).transpose()?.map(|(entry, _)| entry.stamp().at());
        let at_risk = tally.sums.values().copied().filter(|sum| sum.minor() != 0).collect();
        let unsent = UnsentEntries { count: tally.count, oldest_at, at_risk };
        self.tally = tally;
        Ok(unsent)
    }

    /// That tally, brought to what is after `through` up to `head`.
    fn counted(&mut self, mut tally: Tally, through: Sequence, head: Sequence) -> Result<Tally, JournalError> {
        let (came, cash_in) = self.between(tally.head, head)?;
        let (went, cash_out) = self.between(tally.through, through)?;
        tally.count = (tally.count + came).saturating_sub(went);
        let failed = |error| unreadable("a sum", error);
        for cash in cash_in {
            let sum = tally.sums.entry(cash.currency()).or_insert_with(|| Money::new(0, cash.currency()));
            *sum = sum.checked_add(cash).map_err(failed)?;
        }
        for cash in cash_out {
            let sum = tally.sums.entry(cash.currency()).or_insert_with(|| Money::new(0, cash.currency()));
            *sum = sum.checked_sub(cash).map_err(failed)?;
        }
        tally.sums.retain(|_, sum| sum.minor() != 0);
        Ok(Tally { through, head, ..tally })
    }

    /// How many entries there are after `after` up to `last`, and the money of each that is at risk.
    fn between(&mut self, after: Sequence, last: Sequence) -> Result<(u64, Vec<Money>), JournalError> {
        let rows = entries::table.filter(entries::sequence.gt(stored(after)).and(entries::sequence.le(stored(last))));
        let count: i64 = rows.select(count_star()).first(&mut self.connection)?;
        let cash: Vec<(i64, Vec<u8>)> = rows
            .filter(entries::cash.is_not_null())
            .select((entries::sequence, entries::cash.assume_not_null()))
            .load(&mut self.connection)?;
        let cash = cash.iter().map(|(sequence, sum)| {
            let (minor, code) = self.seals.open_sum(ENTRY_CASH, &sequence.to_string(), sum)?;
            let currency = code.parse().map_err(|error| unreadable("a currency", error))?;
            Ok(Money::new(minor, currency))
        });
        Ok((u64::try_from(count).unwrap_or(0), cash.collect::<Result<_, JournalError>>()?))
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{
        Amount, Millis, PaymentId, TerminalId,
        journal::{CoreTime, Record},
    };

    use super::*;
    use crate::journal::{Commit, Settings};

    fn sold(number: u64) -> Record {
        let currency = if number.is_multiple_of(3) { "USD".parse().unwrap() } else { Currency::CNY };
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Record::CashSale {
            payment: PaymentId::from_bytes(id),
            counter: Sequence(number),
            amount: Amount::new(i64::try_from(number).unwrap(), currency).unwrap(),
            tendered_minor: i64::try_from(number).unwrap(),
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        }
    }

    /// Entry `n` is a sale of `n`: whatever came and went, what is told is the sum of those that core does not have.
    #[test]
    fn the_tally_follows_sales_acknowledgements_and_a_core_that_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let terminal = TerminalId::from_bytes([2; 16]);
        let (mut store, _) = Store::open(&settings, terminal, Millis(0)).unwrap();
        let mut head = 0;
        for (step, (sales, through)) in
            [(0, 0), (3, 0), (250, 2), (1, 2), (0, 150), (7, 149), (0, 0), (5, 266), (4, 266), (0, 270)]
                .into_iter()
                .enumerate()
        {
            let records = (head + 1..=head + sales).map(sold).collect();
            head += sales;
            let commit = Commit { records, synced_through: Some(Sequence(through)), ..Commit::default() };
            store.commit(&commit, Millis(i64::try_from(step).unwrap())).unwrap();
            let after = through + 1;
            let sum = |dollars: bool| (after..=head).filter(|number| (number % 3 == 0) == dollars).sum::<u64>();
            let sums = [("CNY", sum(false)), ("USD", sum(true))];
            let expected: Vec<_> = sums.into_iter().filter(|(_, sum)| *sum > 0).collect();
            for is_opened_anew in [false, true] {
                if is_opened_anew {
                    drop(store);
                    store = Store::open(&settings, terminal, Millis(0)).unwrap().0;
                }
                let told = store.unsent().unwrap();
                let at_risk: Vec<_> = told
                    .at_risk
                    .iter()
                    .map(|sum| (sum.currency().code(), u64::try_from(sum.minor()).unwrap()))
                    .collect();
                assert_eq!((told.count, at_risk), (head + 1 - after, expected.clone()), "step {step}");
                assert_eq!(told.oldest_at.is_some(), told.count > 0, "step {step}");
            }
        }
    }

    /// A machine in 1970 has waited since core's time of it, and not for half a century.
    #[test]
    fn how_long_it_waits_is_told_by_cores_clock_where_the_machines_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap();
        let core = Millis(1_790_000_000_000);
        for (number, core_time) in [(1, CoreTime::At(core)), (2, CoreTime::Unknown)] {
            let commit = Commit { records: vec![sold(number)], core_time, ..Commit::default() };
            store.commit(&commit, Millis(5_000)).unwrap();
        }
        assert_eq!(store.unsent().unwrap().oldest_at, Some(core));
        store.commit(&Commit { synced_through: Some(Sequence(1)), ..Commit::default() }, Millis(5_000)).unwrap();
        assert_eq!(store.unsent().unwrap().oldest_at, Some(Millis(5_000)));
    }

    /// What was counted is not opened again: a row that somebody changed meanwhile is not noticed by the count, but by the next start.
    #[test]
    fn a_sum_that_was_counted_is_not_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let (mut store, _) = Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap();
        let commit = Commit { records: (1..=300).map(sold).collect(), ..Commit::default() };
        store.commit(&commit, Millis(0)).unwrap();
        assert_eq!(store.unsent().unwrap().count, 300);
        store.execute("UPDATE entries SET cash = x'00' WHERE sequence <= 200").unwrap();
        store.commit(&Commit { records: vec![sold(301)], ..Commit::default() }, Millis(0)).unwrap();
        assert_eq!(store.unsent().unwrap().count, 301);
        store.tally = Tally::none_after(Sequence(0));
        assert!(store.unsent().is_err(), "a count of all finds it");
    }
}

//! Which entries of a batch are the next good ones. Pure: what core has is passed in, what follows is returned.
//!
//! Survives a terminal that sends twice, out of order, with a hole, or with a journal that somebody altered. The rule is
//! one line: only the entry after the last one that core has is taken, and only if it names that one's hash.

use std::collections::HashMap;

use saoma_protocol::{
    Sequence,
    journal::{Entry, EntryError, GENESIS, Record},
    message::{JournalVerdict, Verdict},
};

/// Longest explanation in a verdict, in characters ([`JournalVerdict::why`]).
const WHY_LEN_MAX: usize = 500;

/// The last entry of a terminal that core has: its number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub through: Sequence,
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first entry.
    pub const NONE: Self = Self { through: Sequence(0), hash: GENESIS };
}

/// An entry that follows the one before, with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    pub entry: &'a Entry,
    pub hash: [u8; 32],
    pub record: Record,
}

/// What to do with a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// To be stored and booked, in this order.
    pub taken: Vec<Taken<'a>>,
    /// Entries that cannot be stored; each is for the audit log as well.
    pub rejected: Vec<JournalVerdict>,
    /// The last entry core has once `taken` is stored.
    pub head: Head,
}

/// The numbers of the entries that core must look up before [`plan`]: those it has already by their number.
#[must_use]
pub fn known_sequences(head: Head, batch: &[Entry]) -> Vec<Sequence> {
    batch.iter().map(|entry| entry.sequence).filter(|sequence| sequence.0 > 0 && *sequence <= head.through).collect()
}

/// Which entries of `batch` follow `head`. `known` has the hashes of the entries named by [`known_sequences`].
///
/// After a gap nothing is taken, and after a rejected entry neither: the entries behind it hang on it.
#[must_use]
pub fn plan<'a>(head: Head, known: &HashMap<Sequence, [u8; 32]>, batch: &'a [Entry]) -> Plan<'a> {
    let mut plan = Plan { taken: Vec::new(), rejected: Vec::new(), head };
    for entry in batch {
        if entry.sequence <= plan.head.through {
            let hash = entry.hash();
            let taken_now = plan.taken.iter().find(|taken| taken.entry.sequence == entry.sequence);
            let ours = taken_now.map(|taken| &taken.hash).or_else(|| known.get(&entry.sequence));
            if ours != Some(&hash) {
                plan.reject(entry.sequence, "core has another entry under this number; the journal was altered".into());
            }
            continue;
        }
        if entry.sequence != plan.head.through.next() {
            break;
        }
        match entry.checked(plan.head.hash) {
            Ok(record) => {
                let hash = entry.hash();
                plan.head = Head { through: entry.sequence, hash };
                plan.taken.push(Taken { entry, hash, record });
            }
            Err(error) => {
                plan.reject(entry.sequence, explain(&error));
                if let (EntryError::Newer { .. }, Some(verdict)) = (&error, plan.rejected.last_mut()) {
                    verdict.newer = true;
                }
                break;
            }
        }
    }
    plan
}

impl Plan<'_> {
    fn reject(&mut self, sequence: Sequence, why: String) {
        let why = why.chars().take(WHY_LEN_MAX).collect();
        self.rejected.push(JournalVerdict { sequence, verdict: Verdict::Rejected, why, newer: false });
    }
}

fn explain(error: &EntryError) -> String {
    match error {
        EntryError::BrokenChain { .. } => format!("{error}: this journal is not the one that core has the start of"),
        EntryError::Newer { .. } => format!("{error}: update core, the terminal sends it again"),
        EntryError::TooLong { .. } | EntryError::Unreadable { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saoma_protocol::{Amount, Currency, Millis, PaymentId, api::PaymentState};

    use super::*;

    fn record(number: u64) -> Record {
        Record::SaleSettled {
            payment: PaymentId::from_bytes([u8::try_from(number % 256).unwrap(); 16]),
            state: PaymentState::Succeeded,
            amount_refunded_minor: 0,
        }
    }

    /// A good journal of `len` entries.
    fn journal(len: u64) -> Vec<Entry> {
        let mut prev = GENESIS;
        (1..=len)
            .map(|number| {
                let entry = Entry::new(Sequence(number), Millis(1000), prev, record(number)).unwrap();
                prev = entry.hash();
                entry
            })
            .collect()
    }

    fn head_after(journal: &[Entry], through: usize) -> Head {
        match through {
            0 => Head::NONE,
            _ => Head { through: Sequence(through as u64), hash: journal[through - 1].hash() },
        }
    }

    fn hashes(journal: &[Entry]) -> HashMap<Sequence, [u8; 32]> {
        journal.iter().map(|entry| (entry.sequence, entry.hash())).collect()
    }

    /// `have` entries are in core; the batch is the entries numbered in `sent`. `taken` and `through` are what follows.
    fn check(have: usize, sent: &[usize], taken: &[u64], through: u64) {
        let journal = journal(9);
        let batch: Vec<Entry> = sent.iter().map(|number| journal[number - 1].clone()).collect();
        let plan = plan(head_after(&journal, have), &hashes(&journal[..have]), &batch);
        let numbers: Vec<u64> = plan.taken.iter().map(|taken| taken.entry.sequence.0).collect();
        assert_eq!((numbers.as_slice(), plan.head.through.0), (taken, through), "have {have}, sent {sent:?}");
        assert_eq!(plan.rejected, [], "have {have}, sent {sent:?}");
    }

    #[test]
    fn only_what_follows_is_taken() {
        check(0, &[], &[], 0);
        check(0, &[1, 2, 3], &[1, 2, 3], 3);
        check(3, &[4, 5], &[4, 5], 5);
        // Sent again, in part or whole.
        check(3, &[1, 2, 3], &[], 3);
        check(3, &[2, 3, 4], &[4], 4);
        check(0, &[1, 1, 2, 2], &[1, 2], 2);
        // A gap, and batches in the wrong order.
        check(0, &[2, 3], &[], 0);
        check(3, &[5, 6], &[], 3);
        check(3, &[4, 6, 7], &[4], 4);
        check(0, &[3, 1, 2], &[], 0);
        check(0, &[1, 3, 2], &[1], 1);
    }

    #[test]
    fn an_altered_journal_is_rejected() {
        let good = journal(5);
        let altered = |number: usize, change: &dyn Fn(&mut Entry)| {
            let mut entries = good.clone();
            change(&mut entries[number - 1]);
            entries
        };
        let newer = format!(r#"{{"v":{},"record":1}}"#, saoma_protocol::journal::RECORD_VERSION + 1);
        for (have, batch, at, why, through) in [
            // Core has it already, and it was another then.
            (5, altered(2, &|entry| entry.at = Millis(7)), 2, "altered", 5),
            (5, altered(5, &|entry| entry.payload = entry.payload.replace("succeeded", "failed")), 5, "altered", 5),
            // Core does not have it yet: the entry behind shows it.
            (0, altered(2, &|entry| entry.at = Millis(7)), 3, "not the one", 2),
            (2, altered(3, &|entry| entry.prev_hash = "00".repeat(32)), 3, "not the one", 2),
            (2, altered(3, &|entry| entry.payload = "{".to_owned()), 3, "cannot be read", 2),
            (2, altered(3, &|entry| entry.payload = newer.clone()), 3, "update core", 2),
            (2, altered(3, &|entry| entry.payload = " ".repeat(40_000)), 3, "at most", 2),
            (2, altered(1, &|entry| entry.sequence = Sequence(0)), 0, "altered", 5),
        ] {
            let plan = plan(head_after(&good, have), &hashes(&good[..have]), &batch);
            assert_eq!(plan.rejected.len(), 1, "{why}");
            assert_eq!(plan.rejected[0].sequence.0, at, "{why}");
            assert!(plan.rejected[0].why.contains(why), "{why}: {}", plan.rejected[0].why);
            assert_eq!(plan.rejected[0].newer, why == "update core");
            // As a core of before said it, in words alone.
            let in_words = JournalVerdict { newer: false, ..plan.rejected[0].clone() };
            assert_eq!(in_words.is_newer(), why == "update core");
            assert_eq!(plan.head.through.0, through, "{why}");
        }
    }

    #[test]
    fn the_money_in_an_entry_is_under_the_hash() {
        let amount = Amount::new(1250, Currency::CNY).unwrap();
        let sale = Record::CashSale {
            payment: PaymentId::from_bytes([1; 16]),
            counter: Sequence(1),
            amount,
            tendered_minor: 1250,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
        };
        let good = Entry::new(Sequence(1), Millis(1), GENESIS, sale).unwrap();
        let mut cheaper = good.clone();
        cheaper.payload = cheaper.payload.replace("1250", "0001");
        assert_ne!(good.hash(), cheaper.hash());
    }

    proptest! {
        /// However batches are cut, repeated and shuffled, core ends with a prefix of the journal, each entry taken once,
        /// and a terminal that follows `through` always gets to the end.
        #[test]
        fn any_order_of_sending_gives_a_prefix(
            sends in prop::collection::vec((0_usize..20, 0_usize..8), 0..40),
        ) {
            let journal = journal(20);
            let (mut head, mut taken) = (Head::NONE, Vec::new());
            let mut send = |head: Head, batch: &[Entry]| {
                let known: HashMap<_, _> = known_sequences(head, batch)
                    .into_iter()
                    .map(|sequence| (sequence, journal[usize::try_from(sequence.0).unwrap() - 1].hash()))
                    .collect();
                let plan = plan(head, &known, batch);
                assert_eq!(plan.rejected, []);
                taken.extend(plan.taken.iter().map(|taken| taken.entry.sequence.0));
                plan.head
            };
            for (start, len) in sends {
                let end = (start + len).min(journal.len());
                head = send(head, &journal[start..end]);
            }
            while head.through.0 < 20 {
                let next = usize::try_from(head.through.0).unwrap();
                head = send(head, &journal[next..]);
            }
            prop_assert_eq!(taken, (1..=20).collect::<Vec<u64>>());
        }
    }
}

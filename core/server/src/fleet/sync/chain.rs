//! Which entries of a batch are the next good ones. Pure: what core has is passed in, what follows is returned.
//!
//! Survives a terminal that sends twice, out of order, with a hole, or with a journal that somebody altered. The rule is
//! one line: only the entry after the last one that core has is taken, and only if it names that one's hash and the terminal signed it.
//!
//! An agent from before there were signatures goes on without, until it is updated: what follows an unsigned entry, or nothing yet, may be
//! unsigned. A journal that may not begin so would be one whose terminal can neither deliver nor, with sales unsent, be updated. From the
//! first signature on nothing is taken without one.

use std::collections::HashMap;

use saoma_protocol::{
    Sequence,
    journal::{Entry, EntryError, GENESIS, Record, Stamp},
    message::{JournalVerdict, Verdict},
};

use super::signed::{NewEntry, ReadBatch};

/// Longest explanation in a verdict, in characters ([`JournalVerdict::why`]).
const WHY_LEN_MAX: usize = 500;

/// The last entry of a terminal that core has: its number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub through: Sequence,
    pub hash: [u8; 32],
    pub is_signed: bool,
}

impl Head {
    /// Before the first entry.
    pub const NONE: Self = Self { through: Sequence(0), hash: GENESIS, is_signed: false };

    /// Whether an agent from before may go on.
    const fn lets_unsigned(&self) -> bool {
        !self.is_signed
    }
}

/// An entry that follows the one before, with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    pub entry: &'a Entry,
    pub hash: [u8; 32],
    pub record: Record,
    /// When it was made, by the terminal's clock and as it knew core's.
    pub stamp: Stamp,
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
pub fn known_sequences(head: Head, batch: &ReadBatch) -> Vec<Sequence> {
    let new = batch.new.iter().map(NewEntry::entry);
    let sequences = batch.known.iter().chain(new).map(|entry| entry.sequence);
    sequences.filter(|sequence| sequence.0 > 0 && *sequence <= head.through).collect()
}

/// Which entries of `batch` follow `head`. `known` has the hashes of the entries named by [`known_sequences`].
///
/// After a gap nothing is taken, and after a rejected entry neither: the entries behind it hang on it.
#[must_use]
pub fn plan<'a>(head: Head, known: &HashMap<Sequence, [u8; 32]>, batch: &'a ReadBatch) -> Plan<'a> {
    let mut plan = Plan { taken: Vec::new(), rejected: Vec::new(), head };
    for entry in &batch.known {
        plan.compare(known, entry.sequence, entry.hash());
    }
    for new in &batch.new {
        let (entry, hash) = (new.entry(), new.hash());
        if entry.sequence <= plan.head.through {
            plan.compare(known, entry.sequence, hash);
            continue;
        }
        if entry.sequence != plan.head.through.next() {
            return plan;
        }
        let is_signed = matches!(new, NewEntry::Signed(_));
        if !is_signed && !plan.head.lets_unsigned() {
            plan.reject(
                entry.sequence,
                format!("entry {} is not signed: update saoma-edge on the terminal", entry.sequence),
            );
            return plan;
        }
        match entry.checked(plan.head.hash) {
            Ok(record) => {
                plan.head = Head { through: entry.sequence, hash, is_signed };
                plan.taken.push(Taken { entry, hash, record, stamp: entry.stamp() });
            }
            Err(error) => {
                plan.reject(entry.sequence, explain(&error));
                if let (EntryError::Newer { .. }, Some(verdict)) = (&error, plan.rejected.last_mut()) {
                    verdict.newer = true;
                }
                return plan;
            }
        }
    }
    // Behind a gap it waits for its turn; and one that core has meanwhile is known by its hash when it comes again.
    if let Some((sequence, error)) = batch.refused.as_ref().filter(|(next, _)| *next == plan.head.through.next()) {
        plan.reject(*sequence, format!("entry {sequence} is not this terminal's word: {error}"));
    }
    plan
}

impl Plan<'_> {
    /// An entry that core has under its number is the same, or another's.
    fn compare(&mut self, known: &HashMap<Sequence, [u8; 32]>, sequence: Sequence, hash: [u8; 32]) {
        let taken_now = self.taken.iter().find(|taken| taken.entry.sequence == sequence);
        let ours = taken_now.map(|taken| &taken.hash).or_else(|| known.get(&sequence));
        if ours != Some(&hash) {
            self.reject(sequence, "core has another entry under this number; the journal was altered".into());
        }
    }

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
    use crate::fleet::sync::signed::SignatureError;

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
            _ => Head { through: Sequence(through as u64), hash: journal[through - 1].hash(), is_signed: true },
        }
    }

    fn hashes(journal: &[Entry]) -> HashMap<Sequence, [u8; 32]> {
        journal.iter().map(|entry| (entry.sequence, entry.hash())).collect()
    }

    /// `have` entries are in core; the batch is the entries numbered in `sent`. `taken` and `through` are what follows.
    fn check(have: usize, sent: &[usize], taken: &[u64], through: u64) {
        let journal = journal(9);
        let batch: Vec<Entry> = sent.iter().map(|number| journal[number - 1].clone()).collect();
        let head = head_after(&journal, have);
        let batch = ReadBatch::signed(head.through, &batch);
        let plan = plan(head, &hashes(&journal[..have]), &batch);
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
            let head = head_after(&good, have);
            let batch = ReadBatch::signed(head.through, &batch);
            let plan = plan(head, &hashes(&good[..have]), &batch);
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

    /// `S` is a signed entry, `u` an unsigned one, `x` one whose signature is refused; what stands before the space is in core.
    #[test]
    fn nothing_is_taken_without_a_signature_once_there_was_one() {
        for (story, through, why) in [
            (" SSS", 3, ""),
            (" uu", 2, ""),
            (" uSu", 2, "update saoma-edge"),
            ("u uu", 3, ""),
            ("u uSu", 3, "update saoma-edge"),
            ("uS u", 2, "update saoma-edge"),
            ("uS S", 3, ""),
            ("S SxS", 2, "does not fit"),
            ("u xu", 1, "does not fit"),
        ] {
            let (have, sent) = story.split_once(' ').unwrap();
            let journal = journal((have.len() + sent.len()) as u64);
            let head = Head { is_signed: have.ends_with('S'), ..head_after(&journal, have.len()) };
            let all = ReadBatch::signed(head.through, &journal[have.len()..]);
            let mut batch = ReadBatch::default();
            for (kind, new) in sent.chars().zip(all.new) {
                match kind {
                    'S' => batch.new.push(new),
                    'u' => batch.new.push(NewEntry::Unsigned(new.entry().clone())),
                    _ => {
                        batch.refused = Some((new.entry().sequence, SignatureError::Wrong));
                        break;
                    }
                }
            }
            let plan = plan(head, &HashMap::new(), &batch);
            let told: Vec<&str> = plan.rejected.iter().map(|verdict| verdict.why.as_str()).collect();
            assert_eq!((plan.head.through.0, told.len()), (through, usize::from(!why.is_empty())), "{story}: {told:?}");
            assert!(told.iter().all(|told| told.contains(why)), "{story}: {told:?}");
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
            reference: None,
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
                let batch = &ReadBatch::signed(head.through, batch);
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

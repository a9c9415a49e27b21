//! The intake of terminals' journals: each entry once, in order, as it was written.

use saoma_protocol::{
    Millis, Sequence, TerminalId,
    journal::{Entry, EntrySignature, GENESIS, Record},
    message::{JournalVerdict, Verdict},
};
use saoma_store::{
    StoreError,
    journal::{self, StoredEntry, Through},
    terminals::{self, NewTerminal},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, bytes, cny},
};

const STALE: StoreError = StoreError::Stale { what: "the journal" };
const START: Through = Through { sequence: Sequence(0), hash: GENESIS, is_signed: false };

fn entry(house: &House, number: u64, before: [u8; 32]) -> Entry {
    let record = Record::CashRefund {
        refund: house.refund_id(1),
        payment: house.payment_id(1),
        amount: cny(5),
        void: false,
        cashier: "梅".to_owned(),
        approved_by: None,
    };
    Entry::new(Sequence(number), NOW, before, record).expect("an entry")
}

fn append(base: &Base, house: &House, entry: &Entry, received_at: Millis) -> Result<(), StoreError> {
    base.try_write(|tx| journal::append(tx, &house.scope, house.terminal, entry, None, received_at))
}

fn through(base: &Base, house: &House) -> Through {
    base.read(|tx| journal::through(tx, &house.scope, house.terminal))
}

#[test]
fn entries_come_in_one_after_the_other() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(through(base, &tea), START);
        let mut before = GENESIS;
        let mut written = Vec::new();
        for number in 1..=4 {
            let mut entry = entry(&tea, number, before);
            // The first are from before terminals signed.
            let is_signed = number > 2;
            entry.signature = is_signed.then(|| EntrySignature::new("ab01".to_owned(), &[7; 64]));
            assert_eq!(append(base, &tea, &entry, at(100)), Ok(()));
            before = entry.hash();
            assert_eq!(through(base, &tea), Through { sequence: Sequence(number), hash: before, is_signed });
            written.push(StoredEntry { hash: entry.hash(), entry, received_at: at(100), verdict: None });
        }
        let read =
            |after, limit| base.read(|tx| journal::entries(tx, &tea.scope, tea.terminal, Sequence(after), limit));
        assert_eq!(read(0, 10), written);
        assert_eq!(read(1, 2), written[1..3]);
        assert_eq!(read(4, 10), []);
        // The text that was hashed is the text that is kept: the chain can be checked again.
        let mut hash = GENESIS;
        for stored in read(0, 10) {
            stored.entry.checked(hash).expect("a good entry");
            hash = stored.entry.hash();
        }
    });
}

#[test]
fn what_does_not_follow_is_stale() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = entry(&tea, 1, GENESIS);
        assert_eq!(append(base, &tea, &entry(&tea, 2, GENESIS), NOW), Err(STALE), "a gap");
        assert_eq!(append(base, &tea, &entry(&tea, 0, GENESIS), NOW), Err(STALE), "before the first");
        assert_eq!(append(base, &tea, &entry(&tea, 1, [7; 32]), NOW), Err(STALE), "another beginning");
        assert_eq!(append(base, &tea, &first, NOW), Ok(()));
        assert_eq!(append(base, &tea, &first, NOW), Err(STALE), "again");
        assert_eq!(append(base, &tea, &entry(&tea, 2, GENESIS), NOW), Err(STALE), "another entry before");
        assert_eq!(append(base, &tea, &entry(&tea, u64::MAX, first.hash()), NOW), Err(STALE), "a number past all");
        assert_eq!(append(base, &tea, &entry(&tea, 2, first.hash()), NOW), Ok(()));
        assert_eq!(through(base, &tea).sequence, Sequence(2));
    });
}

#[test]
fn of_many_that_bring_one_entry_at_once_one_does_and_the_others_are_stale() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut before = GENESIS;
        for number in 1..=8 {
            let entry = entry(&tea, number, before);
            before = entry.hash();
            let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
                let starts: Vec<_> = (0..5).map(|_| scope.spawn(|| append(base, &tea, &entry, NOW))).collect();
                starts.into_iter().map(|start| start.join().expect("an append")).collect()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
            assert_eq!(results.iter().filter(|result| **result == Err(STALE)).count(), 4, "{results:?}");
        }
        assert_eq!(through(base, &tea), Through { sequence: Sequence(8), hash: before, is_signed: false });
    });
}

#[test]
fn terminals_have_journals_of_their_own() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let second = TerminalId::from_bytes(bytes(b'T', 2));
        let till = NewTerminal { id: second, store: tea.store, name: "Window".to_owned(), created_at: NOW };
        base.write(|tx| terminals::create(tx, &tea.scope, &till));
        append(base, &tea, &entry(&tea, 1, GENESIS), NOW).expect("an entry");
        assert_eq!(base.read(|tx| journal::through(tx, &tea.scope, second)), START);
        base.write(|tx| journal::append(tx, &tea.scope, second, &entry(&tea, 1, GENESIS), None, NOW));
        let nobody = TerminalId::from_bytes(bytes(b'T', 3));
        let missing = base.try_write(|tx| journal::append(tx, &tea.scope, nobody, &entry(&tea, 1, GENESIS), None, NOW));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the terminal" }));
    });
}

#[test]
fn what_waits_for_a_person_is_found() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (mut before, mut held) = (GENESIS, Vec::new());
        for number in 1..=4 {
            let entry = entry(&tea, number, before);
            before = entry.hash();
            let verdict = (number % 2 == 0).then_some((Verdict::Held, "the sale was voided"));
            base.write(|tx| journal::append(tx, &tea.scope, tea.terminal, &entry, verdict, at(9)));
            if let Some((verdict, why)) = verdict {
                let verdict =
                    Some(JournalVerdict { sequence: Sequence(number), verdict, why: why.to_owned(), newer: false });
                held.push(StoredEntry { hash: entry.hash(), entry, received_at: at(9), verdict });
            }
        }
        let waiting =
            |after, limit| base.read(|tx| journal::held(tx, &tea.scope, tea.terminal, Sequence(after), limit));
        assert_eq!(
            (waiting(0, 10), waiting(0, 1), waiting(2, 10)),
            (held.clone(), held[..1].to_vec(), held[1..].to_vec())
        );
        // What is rejected is not kept, and the journal stands where it stood.
        let next = entry(&tea, 5, before);
        let rejected = base.try_write(|tx| {
            journal::append(tx, &tea.scope, tea.terminal, &next, Some((Verdict::Rejected, "unreadable")), NOW)
        });
        assert!(matches!(rejected, Err(StoreError::Conflict { .. })), "{rejected:?}");
        assert_eq!(append(base, &tea, &next, NOW), Ok(()));
    });
}

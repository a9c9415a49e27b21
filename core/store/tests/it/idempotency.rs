//! Idempotency keys: one key, one request.

use saoma_protocol::Millis;
use saoma_store::{
    Opaque, StoreError,
    idempotency::{self, Kind},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM},
};

const TAKEN: StoreError = StoreError::Conflict { what: "the Idempotency-Key" };

fn keep(base: &Base, house: &House, kind: Kind, key: &str, request: u8) -> Result<(), StoreError> {
    base.try_write(|tx| idempotency::keep(tx, &house.scope, kind, key, &[request; 32], NOW))
}

fn kept(base: &Base, house: &House, kind: Kind, key: &str) -> Option<idempotency::Fingerprint> {
    base.read(|tx| idempotency::kept(tx, &house.scope, kind, key))
}

#[test]
fn a_key_stays_with_its_first_request() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        assert_eq!(kept(base, &tea, Kind::Payment, "key"), None);
        assert_eq!(keep(base, &tea, Kind::Payment, "key", 1), Ok(()));
        assert_eq!(keep(base, &tea, Kind::Payment, "key", 1), Err(TAKEN));
        assert_eq!(keep(base, &tea, Kind::Payment, "key", 2), Err(TAKEN));
        assert_eq!(kept(base, &tea, Kind::Payment, "key"), Some([1; 32]));
        // Elsewhere the same key is another request.
        for (house, kind, key, request) in [
            (&tea, Kind::Refund, "key", 3),
            (&tea, Kind::Cancel, "key", 4),
            (&tea, Kind::Payment, "KEY", 5),
            (&milk, Kind::Payment, "key", 6),
        ] {
            assert_eq!(keep(base, house, kind, key, request), Ok(()));
            assert_eq!(kept(base, house, kind, key), Some([request; 32]));
        }
        assert_eq!(kept(base, &tea, Kind::Payment, "key"), Some([1; 32]));
    });
}

#[test]
fn of_many_that_come_at_once_one_is_first() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for round in 0..6 {
            let key = format!("round {round}");
            let outcomes: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
                let (tea, key) = (&tea, &key);
                let come = |request| scope.spawn(move || keep(base, tea, Kind::Refund, key, request));
                let starts: Vec<_> = (1..6).map(come).collect();
                starts.into_iter().map(|start| start.join().expect("a request")).collect()
            });
            let first = outcomes.iter().position(Result::is_ok).expect("one is first");
            assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(TAKEN)).count(), 4, "{outcomes:?}");
            let request = u8::try_from(first + 1).expect("a few");
            assert_eq!(kept(base, &tea, Kind::Refund, &key), Some([request; 32]));
        }
    });
}

#[test]
fn a_request_that_is_refused_leaves_no_key_behind() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let refused: Result<(), StoreError> = base.try_write(|tx| {
            idempotency::keep(tx, &tea.scope, Kind::Payment, "key", &[1; 32], NOW)?;
            Err(StoreError::NotFound { what: "the store" })
        });
        assert!(refused.is_err());
        assert_eq!(kept(base, &tea, Kind::Payment, "key"), None);
        assert_eq!(keep(base, &tea, Kind::Payment, "key", 2), Ok(()));
    });
}

#[test]
fn an_answer_lies_beside_its_key_for_a_while() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let sealed = Opaque(vec![7, 0, 255]);
        let lay = |house: &House, key: &str| {
            base.try_write(|tx| idempotency::keep_answer(tx, &house.scope, Kind::Request, key, &sealed, NOW.plus(100)))
        };
        let beside = |house: &House, key: &str, at: Millis| {
            base.read(|tx| idempotency::answer(tx, &house.scope, Kind::Request, key, at))
        };
        assert_eq!(lay(&tea, "key"), Err(StoreError::NotFound { what: "the Idempotency-Key" }));
        assert_eq!(keep(base, &tea, Kind::Request, "key", 1), Ok(()));
        assert_eq!(keep(base, &tea, Kind::Request, "none", 1), Ok(()));
        assert_eq!(beside(&tea, "key", NOW), None);
        assert_eq!(lay(&tea, "key"), Ok(()));
        assert_eq!(beside(&tea, "key", NOW.plus(99)), Some(sealed.clone()));
        assert_eq!(beside(&tea, "key", NOW.plus(100)), None);
        assert_eq!((beside(&tea, "none", NOW), beside(&milk, "key", NOW)), (None, None));
        assert_eq!(lay(&milk, "key"), Err(StoreError::NotFound { what: "the Idempotency-Key" }));
        for (at, forgotten) in [(99, 0), (100, 1), (101, 0)] {
            assert_eq!(base.write(|tx| idempotency::forget_answers(tx, &PLATFORM, NOW.plus(at))), forgotten);
        }
        assert_eq!(beside(&tea, "key", NOW), None);
        assert_eq!(kept(base, &tea, Kind::Request, "key"), Some([1; 32]), "the key stays");
    });
}

//! Idempotency keys: one request, one answer.

use saoma_protocol::Millis;
use saoma_store::{
    StoreError,
    idempotency::{self, Claim, Claimed, KEY_LEN_MAX, Response},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at},
};

const ROUTE: &str = "POST /v1/payments";

fn claim_as(base: &Base, house: &House, key: &str, route: &str, body: u8, now: i64) -> Result<Claimed, StoreError> {
    let claim = Claim { key, route, fingerprint: [body; 32], now: at(now), lease_until: at(now + 10) };
    base.try_write(|tx| idempotency::claim(tx, &house.scope, &claim))
}

fn claim(base: &Base, house: &House, body: u8, now: i64) -> Claimed {
    claim_as(base, house, "key", ROUTE, body, now).expect("a claim")
}

fn answer(base: &Base, house: &House, status: u16, body: &str) -> Result<(), StoreError> {
    let response = Response { status, body: body.to_owned() };
    base.try_write(|tx| idempotency::answer(tx, &house.scope, "key", ROUTE, &response, at(1)))
}

#[test]
fn the_same_request_again_gets_the_same_answer() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(claim(base, &tea, 1, 0), Claimed::New);
        assert_eq!(claim(base, &tea, 1, 1), Claimed::InFlight);
        assert_eq!(claim(base, &tea, 2, 1), Claimed::Mismatch);
        assert_eq!(answer(base, &tea, 201, "{\"钱\":1}"), Ok(()));
        let replay = Claimed::Replay(Response { status: 201, body: "{\"钱\":1}".to_owned() });
        assert_eq!(claim(base, &tea, 1, 2), replay);
        assert_eq!(claim(base, &tea, 1, 1_000), replay, "the end of the lease means nothing any more");
        assert_eq!(claim(base, &tea, 2, 3), Claimed::Mismatch);
        // Elsewhere the same key is another request.
        assert_eq!(claim_as(base, &tea, "key", "POST /v1/other", 2, 3), Ok(Claimed::New));
        assert_eq!(claim_as(base, &tea, "KEY", ROUTE, 2, 3), Ok(Claimed::New));
    });
}

#[test]
fn the_first_answer_stays() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(claim(base, &tea, 1, 0), Claimed::New);
        // The first worker is so slow that a second one takes over and answers before it.
        assert_eq!(claim(base, &tea, 1, 10), Claimed::New);
        assert_eq!(answer(base, &tea, 201, "second worker"), Ok(()));
        assert_eq!(answer(base, &tea, 409, "first worker"), Ok(()));
        let replay = Claimed::Replay(Response { status: 201, body: "second worker".to_owned() });
        assert_eq!(claim(base, &tea, 1, 20), replay, "somebody was told this");
        base.write(|tx| idempotency::release(tx, &tea.scope, "key", ROUTE));
        assert_eq!(claim(base, &tea, 1, 20), replay, "what was answered is not released");
    });
}

#[test]
fn a_request_whose_worker_died_is_taken_over_by_one() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(claim(base, &tea, 1, 0), Claimed::New);
        assert_eq!(claim(base, &tea, 1, 9), Claimed::InFlight);
        let claims: Vec<Claimed> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..5).map(|_| scope.spawn(|| claim(base, &tea, 1, 10))).collect();
            starts.into_iter().map(|start| start.join().expect("a claim")).collect()
        });
        assert_eq!(claims.iter().filter(|claimed| **claimed == Claimed::New).count(), 1, "{claims:?}");
        assert_eq!(claims.iter().filter(|claimed| **claimed == Claimed::InFlight).count(), 4, "{claims:?}");
    });
}

#[test]
fn of_many_that_come_at_once_one_is_new() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for round in 0..6 {
            let key = format!("round {round}");
            let claims: Vec<Result<Claimed, StoreError>> = std::thread::scope(|scope| {
                let come = || claim_as(base, &tea, &key, ROUTE, 1, 0);
                let starts: Vec<_> = (0..5).map(|_| scope.spawn(come)).collect();
                starts.into_iter().map(|start| start.join().expect("a claim")).collect()
            });
            assert_eq!(claims.iter().filter(|claimed| **claimed == Ok(Claimed::New)).count(), 1, "{claims:?}");
            assert_eq!(claims.iter().filter(|claimed| **claimed == Ok(Claimed::InFlight)).count(), 4, "{claims:?}");
        }
    });
}

#[test]
fn a_claim_that_is_released_meanwhile_is_no_error() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..40 {
                        if claim(base, &tea, 1, 0) == Claimed::New {
                            base.write(|tx| idempotency::release(tx, &tea.scope, "key", ROUTE));
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn a_claim_without_effect_is_released() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(claim(base, &tea, 1, 0), Claimed::New);
        base.write(|tx| idempotency::release(tx, &tea.scope, "key", ROUTE));
        assert_eq!(answer(base, &tea, 201, ""), Err(StoreError::NotFound { what: "the claimed request" }));
        assert_eq!(claim(base, &tea, 2, 1), Claimed::New, "also for another request");
        base.write(|tx| idempotency::release(tx, &tea.scope, "none", ROUTE));
        assert_eq!(base.write(|tx| idempotency::prune(tx, &PLATFORM, at(1))), 0);
        assert_eq!(base.write(|tx| idempotency::prune(tx, &PLATFORM, Millis(NOW.0 + 2))), 1);
        assert_eq!(claim(base, &tea, 3, 5), Claimed::New);
    });
}

#[test]
fn a_key_has_a_length() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let longest = "k".repeat(KEY_LEN_MAX);
        assert_eq!(claim_as(base, &tea, &longest, ROUTE, 1, 0), Ok(Claimed::New));
        for key in [String::new(), "k".repeat(KEY_LEN_MAX + 1)] {
            let refused = claim_as(base, &tea, &key, ROUTE, 1, 0);
            assert!(matches!(refused, Err(StoreError::Limit { max: 128, .. })), "{refused:?}");
        }
    });
}

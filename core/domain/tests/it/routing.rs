//! Which account collects, and when one is passed over.

use saoma_domain::routing::{Candidate, Choice, REST_MS, SILENCES_MAX, Silence, choose};
use saoma_protocol::Millis;

const NOW: Millis = Millis(1_790_000_000_000);

/// `a1` is an account of plugin a and priority 1; `a1!` one that is passed over.
fn candidates(words: &str) -> Vec<Candidate<'_>> {
    words
        .split_whitespace()
        .map(|word| Candidate {
            plugin: &word[..1],
            priority: word[1..2].parse().unwrap(),
            is_passed_over: word.ends_with('!'),
        })
        .collect()
}

#[test]
fn the_first_that_answers_collects() {
    let (one, nobody) = (Choice::One, Choice::Nobody);
    for (accounts, to_show, of_customer) in [
        ("", nobody.clone(), nobody),
        ("a1", one(0), one(0)),
        ("a1 a1 b2", one(0), one(0)),
        ("a1! a1 b2", one(1), one(1)),
        ("a1! a1! b2", one(2), one(2)),
        ("a1! a2! b3!", one(0), one(0)),
        ("a1 b1", one(0), Choice::Ambiguous(vec![0, 1])),
        // That a's channel is silent does not make its codes b's.
        ("a1! b1", one(1), Choice::Ambiguous(vec![1, 0])),
        ("a1! a1 b1", one(1), Choice::Ambiguous(vec![1, 2])),
        ("a1! b2 c2", one(1), Choice::Ambiguous(vec![1, 2])),
        ("a1! b1! c2", one(2), one(2)),
        ("a1! b1!", one(0), Choice::Ambiguous(vec![0, 1])),
    ] {
        let candidates = candidates(accounts);
        assert_eq!(choose(&candidates, false), to_show, "a code to show: {accounts}");
        assert_eq!(choose(&candidates, true), of_customer, "a customer's code: {accounts}");
    }
}

fn silent(calls: u32) -> Silence {
    (1..calls).fold(Silence::again(None, NOW), |silence, _| Silence::again(Some(silence), NOW))
}

#[test]
fn an_account_rests_after_some_silences_in_a_row_and_is_then_tried_by_one_payment() {
    assert!(!silent(SILENCES_MAX - 1).is_passed_over(NOW));
    let silence = silent(SILENCES_MAX);
    for (after_ms, rests) in [(0, true), (REST_MS - 1, true), (REST_MS, false), (i64::MAX, false), (-1, false)] {
        assert_eq!(silence.is_passed_over(Millis(NOW.0.saturating_add(after_ms))), rests, "{after_ms} ms later");
    }
    let tried_at = NOW.plus(REST_MS);
    let tried = silence.tried(tried_at);
    assert!(tried.is_passed_over(tried_at), "others do not try it as well");
    assert!(!tried.is_passed_over(tried_at.plus(REST_MS)), "a try that came to nothing is repeated");
    assert!(Silence::again(Some(tried), tried_at).is_passed_over(tried_at.plus(REST_MS - 1)));
}

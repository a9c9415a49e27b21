//! Each check at its edge, with codes of a phone and an issuer of ours.

use ring::signature::Ed25519KeyPair;
use saoma_protocol::code::offline::{Grant, Issuer, KeyId, SignedGrant, public_key};

use super::*;

const NOW: Millis = Millis(1_790_000_000_000);
const SECOND: u32 = 1_790_000_000;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

fn moment() -> Moment {
    Moment { boot: "this start".to_owned(), up_ms: 1_000 }
}

fn grant(token: u8) -> Grant {
    Grant {
        issuer: KeyId::of(&public_key(&pair(2))),
        token: Token([token; 8]),
        currency: Currency::CNY,
        cap_single: 2_000,
        cap_grant: 5_000,
        not_before: SECOND - 3_600,
        valid_hours: 24,
        code_seconds: 60,
        device_key: public_key(&pair(3)),
    }
}

fn signed(grant: Grant) -> SignedGrant {
    grant.sign(&pair(2))
}

fn code(token: u8, counter: u32) -> String {
    signed(grant(token)).code(&pair(3), counter, SECOND).text()
}

fn limits() -> OfflineLimits {
    OfflineLimits {
        sale_minor_max: 1_500,
        grant_day_count_max: 4,
        unsent_minor_max: 6_000,
        unsent_count_max: 5,
        unsent_hours_max: 24,
        list_hours_max: 48,
    }
}

fn known(change: impl FnOnce(&mut OfflineList)) -> Known {
    let issuer = Issuer {
        public_key: hex::encode(public_key(&pair(2))),
        not_before: NOW.plus(-HOUR_MS),
        not_after: NOW.plus(1_000 * HOUR_MS),
        revoked: false,
    };
    let mut list = OfflineList {
        issued_at: NOW,
        limits: Some(limits()),
        issuers: vec![issuer],
        denied: Vec::new(),
        cards: None,
        phone: None,
    };
    change(&mut list);
    Known { list, clock: Anchor::between(&moment(), &moment(), NOW, NOW), stopped: false }
}

fn codes(spent: Vec<(Sequence, Spent)>) -> OfflineCodes {
    OfflineCodes::new(Some(known(|_| {})), spent)
}

fn spent(entry: u64, token: u8, counter: u32, minor: i64, hours_ago: i64) -> (Sequence, Spent) {
    let at = NOW.plus(-hours_ago * HOUR_MS);
    (Sequence(entry), Spent { token: [token; 8], counter, amount: cny(minor), at, until: NOW.plus(DAY_MS) })
}

fn told(codes: &OfflineCodes, text: &str, minor: i64, through: u64) -> &'static str {
    let checked = codes.check(text, cny(minor), (Some(&moment()), NOW), Sequence(through));
    checked.map_or_else(|refusal| refusal.code(), |_| "taken")
}

#[test]
fn each_limit_holds_at_its_edge() {
    let ago = |hours| spent(1, 1, 1, 100, hours);
    for (what, before, minor, through, expected) in [
        ("nothing before", vec![], 1_500, 0, "taken"),
        ("above what the till takes", vec![], 1_501, 0, "offline_sale_cap"),
        ("above what the code pays", vec![], 2_001, 0, "offline_code_cap"),
        ("the same code", vec![spent(1, 1, 9, 100, 0)], 100, 0, "offline_code_used"),
        ("an older code, with core", vec![spent(1, 1, 10, 100, 0)], 100, 9, "offline_code_used"),
        ("the next code", vec![spent(1, 1, 8, 100, 0)], 100, 0, "taken"),
        ("another's code of that number", vec![spent(1, 2, 9, 100, 0)], 100, 0, "taken"),
        ("all of the grant", vec![spent(1, 1, 1, 3_500, 0)], 1_500, 1, "taken"),
        ("more than the grant", vec![spent(1, 1, 1, 3_501, 0)], 1_500, 1, "offline_grant_cap"),
        ("the last of the day", (1..4).map(|idx| spent(idx, 1, 1, 1, 23)).collect(), 100, 9, "taken"),
        ("too often in a day", (1..5).map(|idx| spent(idx, 1, 1, 1, 23)).collect(), 100, 9, "offline_grant_day"),
        ("as often, but a day ago", (1..5).map(|idx| spent(idx, 1, 1, 1, 24)).collect(), 100, 9, "taken"),
        ("as much as may be unsent", vec![spent(1, 2, 1, 4_500, 0)], 1_500, 0, "taken"),
        ("more than may be unsent", vec![spent(1, 2, 1, 4_501, 0)], 1_500, 0, "offline_unsent_sum"),
        ("as much, but core has it", vec![spent(1, 2, 1, 4_501, 0)], 1_500, 1, "taken"),
        ("as many as may be unsent", (1..5).map(|idx| spent(idx, 2, 1, 1, 0)).collect(), 1, 0, "taken"),
        ("more than may be unsent", (1..6).map(|idx| spent(idx, 2, 1, 1, 0)).collect(), 1, 0, "offline_unsent_count"),
        ("as many, but core has one", (1..6).map(|idx| spent(idx, 2, 1, 1, 0)).collect(), 1, 1, "taken"),
        ("as long as may be unsent", vec![ago(24)], 1, 0, "taken"),
        ("longer than may be unsent", vec![ago(25)], 1, 0, "offline_unsent_age"),
    ] {
        assert_eq!(told(&codes(before), &code(1, 9), minor, through), expected, "{what}");
    }
}

#[test]
fn what_core_said_decides_in_its_order() {
    let denied = |list: &mut OfflineList| list.denied = vec!["0101010101010101".to_owned()];
    let with = |change: fn(&mut OfflineList)| OfflineCodes::new(Some(known(change)), Vec::new());
    let good = code(1, 9);
    assert_eq!(told(&OfflineCodes::default(), &good, 1, 0), "offline_list_missing");
    assert_eq!(told(&OfflineCodes::default(), &good[..41], 1, 0), "offline_code_length", "the form comes first");
    assert_eq!(told(&with(|list| list.limits = None), &good, 1, 0), "offline_codes_off");
    assert_eq!(told(&with(|list| list.issued_at = NOW.plus(-48 * HOUR_MS)), &good, 1, 0), "taken");
    assert_eq!(told(&with(|list| list.issued_at = NOW.plus(-48 * HOUR_MS - 1)), &good, 1, 0), "offline_list_old");
    let stopped = codes(Vec::new()).stopped().unwrap();
    let stopped = OfflineCodes::new(Some(stopped), Vec::new());
    assert_eq!((told(&stopped, &good, 1, 0), stopped.stopped()), ("offline_stopped", None), "said once");
    assert_eq!(stopped.closed(Some(&moment()), NOW, Sequence(0)).map(|why| why.code()), Some("offline_stopped"));
    assert_eq!(with(|list| list.limits = None).stopped(), None, "nothing is sold by it anyway");
    assert_eq!(told(&with(|list| list.issuers.clear()), &good, 1, 0), "offline_issuer_unknown");
    assert_eq!(told(&OfflineCodes::new(Some(known(denied)), Vec::new()), &good, 1, 0), "offline_code_denied");
    let used = OfflineCodes::new(Some(known(denied)), vec![spent(1, 1, 9, 1, 0)]);
    assert_eq!(told(&used, &good, 1, 0), "offline_code_used", "a replay is found before the block");
    let dollars = signed(Grant { currency: "USD".parse().unwrap(), ..grant(1) }).code(&pair(3), 9, SECOND).text();
    assert_eq!(told(&codes(Vec::new()), &dollars, 9_999, 0), "offline_currency_other");
}

#[test]
fn without_a_sure_clock_nothing_is_taken() {
    let at = |moment: Option<&Moment>, machine: Millis| {
        let checked = codes(Vec::new()).check(&code(1, 9), cny(1), (moment, machine), Sequence(0));
        checked.map_or_else(|refusal| refusal.code(), |_| "taken")
    };
    let restarted = Moment { boot: "the next start".to_owned(), up_ms: 1_000 };
    assert_eq!(at(Some(&moment()), NOW.plus(30_000)), "taken", "core's clock counts");
    assert_eq!(at(Some(&moment()), NOW.plus(30_001)), "offline_clock_wrong");
    assert_eq!(at(Some(&restarted), NOW), "offline_clock_unheard");
    assert_eq!(at(None, NOW), "offline_clock_unheard");
    let unheard = OfflineCodes::new(Some(Known { clock: None, ..known(|_| {}) }), Vec::new());
    assert_eq!(told(&unheard, &code(1, 9), 1, 0), "offline_clock_unheard");
}

#[test]
fn only_what_is_clearly_old_is_no_answer() {
    let list = |ms| known(|list| list.issued_at = NOW.plus(ms)).list;
    assert!(!OfflineCodes::default().is_stale(&list(-99_999_999), NOW), "nothing was said before");
    for (what, ms, machine_ms, is_stale) in [
        ("newer", 1, 1, false),
        ("another node's clock", -30_000, 0, false),
        ("kept on the way", -30_001, 0, true),
        ("the node before was ahead", -DAY_MS, -DAY_MS + 30_000, false),
        ("and this one's is old all the same", -DAY_MS, -DAY_MS + 30_001, true),
    ] {
        assert_eq!(codes(Vec::new()).is_stale(&list(ms), NOW.plus(machine_ms)), is_stale, "{what}");
    }
}

#[test]
fn what_is_over_and_known_to_core_is_forgotten() {
    let (entry, ended) = spent(1, 1, 9, 100, 30);
    let ended = Spent { until: NOW, ..ended };
    assert!(!is_over(&ended, entry, NOW.plus(-1), entry), "its grant is good for a moment more");
    assert!(!is_over(&ended, entry, NOW, Sequence(0)), "core does not have it");
    let mut codes = codes(vec![(entry, ended)]);
    codes.took(Sequence(2), spent(2, 2, 1, 1, 0).1, Sequence(1));
    assert_eq!(codes.spent.len(), 1);
}

#[test]
fn the_till_says_why_nothing_can_be_taken() {
    let full = codes((1..6).map(|idx| spent(idx, 2, 1, 1, 0)).collect());
    let closed = |codes: &OfflineCodes, through| {
        codes.closed(Some(&moment()), NOW, Sequence(through)).map(|refusal| refusal.code())
    };
    assert_eq!(closed(&full, 0), Some("offline_unsent_count"));
    assert_eq!(closed(&full, 1), None);
    assert_eq!(closed(&codes(Vec::new()), 0), None);
    assert_eq!(closed(&OfflineCodes::default(), 0), None, "there are none here");
    assert_eq!(full.closed(None, NOW, Sequence(5)).map(|refusal| refusal.code()), Some("offline_clock_unheard"));
}

#[test]
fn a_text_that_is_meant_as_an_offline_code() {
    for (text, is) in [(" OPC1:X", true), ("opc1:x", true), ("OPC1", false), ("OPC2:X", false), ("好好好", false)] {
        assert_eq!(is_meant(text), is, "{text}");
    }
    let spoilt = code(1, 9).to_lowercase();
    assert_eq!(told(&codes(Vec::new()), &spoilt, 1, 0), "offline_code_prefix");
    assert_eq!(told(&codes(Vec::new()), &format!(" {}\r\n", code(1, 9)), 1, 0), "taken");
}

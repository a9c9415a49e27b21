//! Each limit at its edge.

use saoma_protocol::api::{OfflineLimits, OfflineList};

use super::*;
use crate::offline::{HOUR_MS, clock::Anchor};

const NOW: Millis = Millis(1_790_000_000_000);

fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

fn moment() -> Moment {
    Moment { boot: "this start".to_owned(), up_ms: 1_000 }
}

fn digits(first_6: &str, last_4: &str) -> CardDigits {
    CardDigits::new(first_6, last_4).unwrap()
}

fn limits() -> CardLimits {
    CardLimits {
        channel_account: ChannelAccountId::from_bytes([5; 16]),
        currency: Currency::CNY,
        sale_minor_max: 1_500,
        card_day_count_max: 4,
        card_day_minor_max: 5_000,
        unsent_minor_max: 6_000,
        unsent_count_max: 5,
        unsent_hours_max: 24,
        list_hours_max: 48,
        stripe: false,
        prefixes: vec!["62".to_owned(), "401234".to_owned()],
        blocked: vec![digits("622848", "0018")],
    }
}

fn known(change: impl FnOnce(&mut CardLimits)) -> Known {
    let mut limits = limits();
    change(&mut limits);
    // Offline codes have limits of their own, which are none of these.
    let of_codes = OfflineLimits {
        sale_minor_max: 1,
        grant_day_count_max: 1,
        unsent_minor_max: 1,
        unsent_count_max: 1,
        unsent_hours_max: 1,
        list_hours_max: 1,
    };
    let (issuers, denied) = (Vec::new(), Vec::new());
    let list =
        OfflineList { issued_at: NOW, limits: Some(of_codes), issuers, denied, cards: Some(limits), phone: None };
    Known { list, clock: Anchor::between(&moment(), &moment(), NOW, NOW), stopped: false }
}

fn card(entry: CardEntry, masked: &str) -> CardShown {
    CardShown { entry, masked: masked.to_owned(), label: String::new(), aid: String::new(), wants_signature: true }
}

fn chip() -> CardShown {
    card(CardEntry::Chip, "401234***8909")
}

fn sold(entry: u64, last_4: &str, minor: i64, hours_ago: i64) -> (Sequence, SoldCard) {
    let at = NOW.plus(-hours_ago * HOUR_MS);
    (Sequence(entry), SoldCard { digits: digits("401234", last_4), amount: cny(minor), at })
}

fn asked(moment: &Moment, through: u64) -> Asked<'_> {
    Asked { moment: Some(moment), machine: NOW, through: Sequence(through) }
}

fn told(known: &Known, before: Vec<(Sequence, SoldCard)>, card: &CardShown, minor: i64, through: u64) -> &'static str {
    let checked = StoredCards::new(before).check(Some(known), card, cny(minor), asked(&moment(), through));
    checked.map_or_else(|refusal| refusal.code(), |_| "taken")
}

#[test]
fn each_limit_holds_at_its_edge() {
    let many = |count, last_4, hours| (1..=count).map(|idx| sold(idx, last_4, 1, hours)).collect::<Vec<_>>();
    for (what, before, minor, through, expected) in [
        ("nothing before", vec![], 1_500, 0, "taken"),
        ("above the floor limit", vec![], 1_501, 0, "stored_sale_cap"),
        ("as much as may be unsent", vec![sold(1, "1111", 4_500, 0)], 1_500, 0, "taken"),
        ("more than may be unsent", vec![sold(1, "1111", 4_501, 0)], 1_500, 0, "stored_unsent_sum"),
        ("as much, but core has it", vec![sold(1, "1111", 4_501, 0)], 1_500, 1, "taken"),
        ("as often as may be unsent", many(4, "1111", 0), 1, 0, "taken"),
        ("more often than may be unsent", many(5, "1111", 0), 1, 0, "stored_unsent_count"),
        ("as often, but core has one", many(5, "1111", 0), 1, 1, "taken"),
        ("as long as may be unsent", vec![sold(1, "1111", 1, 24)], 1, 0, "taken"),
        ("longer than may be unsent", vec![sold(1, "1111", 1, 25)], 1, 0, "stored_unsent_age"),
        ("the card's last of the day", many(3, "8909", 23), 1, 9, "taken"),
        ("the card too often in a day", many(4, "8909", 23), 1, 9, "stored_card_count"),
        ("as often, but a day ago", many(4, "8909", 24), 1, 9, "taken"),
        ("as often, but other cards", many(4, "8908", 23), 1, 9, "taken"),
        ("as often, and the clock was set back", many(4, "8909", -30), 1, 9, "stored_card_count"),
        ("all that the card may pay in a day", vec![sold(1, "8909", 3_500, 23)], 1_500, 1, "taken"),
        ("more than the card may pay in a day", vec![sold(1, "8909", 3_501, 23)], 1_500, 1, "stored_card_sum"),
    ] {
        assert_eq!(told(&known(|_| {}), before, &chip(), minor, through), expected, "{what}");
    }
}

#[test]
fn the_card_itself_must_be_one_that_is_taken() {
    let with = |change: fn(&mut CardLimits), shown: CardShown| told(&known(change), Vec::new(), &shown, 1, 0);
    for (what, entry, masked, expected) in [
        ("a chip", CardEntry::Chip, "401234***8909", "taken"),
        ("by a short prefix", CardEntry::Chip, "629999*********0018", "taken"),
        ("of no prefix", CardEntry::Chip, "401235***8909", "stored_card_other"),
        ("blocked", CardEntry::Chip, "622848*********0018", "stored_card_blocked"),
        ("of the same beginning", CardEntry::Chip, "622848*********0019", "taken"),
        ("without a number", CardEntry::Chip, "", "stored_card_other"),
        ("a stripe", CardEntry::Swiped, "401234***8909", "stored_stripe"),
        ("for a chip", CardEntry::Fallback, "401234***8909", "stored_stripe"),
        ("keyed", CardEntry::Keyed, "401234***8909", "stored_stripe"),
    ] {
        assert_eq!(with(|_| {}, card(entry, masked)), expected, "{what}");
    }
    for (entry, expected) in
        [(CardEntry::Swiped, "taken"), (CardEntry::Fallback, "stored_stripe"), (CardEntry::Keyed, "stored_stripe")]
    {
        assert_eq!(with(|limits| limits.stripe = true, card(entry, "401234***8909")), expected, "{entry:?}");
    }
    for prefixes in [vec![], vec![String::new()]] {
        let none = known(|limits| limits.prefixes = prefixes.clone());
        assert_eq!(told(&none, Vec::new(), &chip(), 1, 0), "stored_card_other");
    }
}

#[test]
fn what_core_said_and_the_time_decide_first() {
    let stored = StoredCards::default();
    let open = |known: Option<&Known>, amount, moment: Option<&Moment>, machine| {
        let asked = Asked { moment, machine, through: Sequence(0) };
        stored.open(known, amount, asked).map_or_else(|refusal| refusal.code(), |_| "open")
    };
    let good = known(|_| {});
    assert_eq!(open(None, cny(1), Some(&moment()), NOW), "stored_off");
    let mut without = good.clone();
    without.list.cards = None;
    assert_eq!(open(Some(&without), cny(1), Some(&moment()), NOW), "stored_off");
    assert_eq!(open(Some(&good), cny(1), None, NOW), "stored_clock_unheard");
    let stopped = Known { stopped: true, ..good.clone() };
    assert_eq!(open(Some(&stopped), cny(1), Some(&moment()), NOW), "stored_stopped", "core has locked this till since");
    let restarted = Moment { boot: "the next start".to_owned(), up_ms: 1_000 };
    assert_eq!(open(Some(&good), cny(1), Some(&restarted), NOW), "stored_clock_unheard");
    assert_eq!(open(Some(&good), cny(1), Some(&moment()), NOW.plus(30_001)), "stored_clock_wrong");
    assert_eq!(open(Some(&good), cny(1), Some(&moment()), NOW.plus(30_000)), "open", "core's clock counts");
    let issued = |ms| Known { list: OfflineList { issued_at: NOW.plus(ms), ..good.list.clone() }, ..good.clone() };
    assert_eq!(open(Some(&issued(-48 * HOUR_MS)), cny(1), Some(&moment()), NOW), "open");
    assert_eq!(open(Some(&issued(-48 * HOUR_MS - 1)), cny(1), Some(&moment()), NOW), "stored_list_old");
    let dollar = Amount::new(1, "USD".parse().unwrap()).unwrap();
    assert_eq!(open(Some(&good), dollar, Some(&moment()), NOW), "stored_currency_other");
}

#[test]
fn what_is_sold_bears_cores_time_and_the_account() {
    let checked = StoredCards::default().check(Some(&known(|_| {})), &chip(), cny(7), asked(&moment(), 0)).unwrap();
    let sold = SoldCard { digits: digits("401234", "8909"), amount: cny(7), at: NOW };
    assert_eq!(checked, (sold, ChannelAccountId::from_bytes([5; 16])));
}

#[test]
fn the_till_says_how_much_a_card_may_pay_and_why_not() {
    let most = |before: Vec<(Sequence, SoldCard)>, through| {
        StoredCards::new(before).most_minor(Some(&known(|_| {})), asked(&moment(), through)).map_err(|why| why.code())
    };
    assert_eq!(most(vec![], 0), Ok(1_500));
    assert_eq!(most(vec![sold(1, "1111", 5_000, 0)], 0), Ok(1_000));
    assert_eq!(most(vec![sold(1, "1111", 6_000, 0)], 0), Err("stored_unsent_sum"));
    assert_eq!(most(vec![sold(1, "1111", 9_000, 0)], 0), Err("stored_unsent_sum"), "the limits were lowered since");
    assert_eq!(most((1..6).map(|idx| sold(idx, "1111", 1, 0)).collect(), 0), Err("stored_unsent_count"));
    assert_eq!(most(vec![sold(1, "1111", 1, 25)], 0), Err("stored_unsent_age"));
    assert_eq!(most(vec![sold(1, "1111", 1, 25)], 1), Ok(1_500));
}

#[test]
fn what_no_limit_looks_at_any_more_is_forgotten() {
    let (entry, before) = sold(1, "8909", 1, 24);
    assert!(!is_over(&before, entry, NOW.plus(-1), entry), "a moment more");
    assert!(!is_over(&before, entry, NOW, Sequence(0)), "core does not have it");
    let mut stored = StoredCards::new(vec![(entry, before)]);
    stored.took(Sequence(2), sold(2, "8909", 1, 0).1, Sequence(1));
    assert_eq!(stored.0.len(), 1);
}

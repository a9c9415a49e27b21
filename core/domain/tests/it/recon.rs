//! The books against a bill: every row ends in one place, with the right name, and nothing is lost on the way.

use std::{collections::BTreeMap, convert::Infallible};

use proptest::prelude::*;
use saoma_domain::recon::{
    Class, Correction, Field, Finding, Fix, Key, Known, Merge, MergeError, Movement, Ours, Pair, Side, Standing, Step,
    StepRefusal, Theirs, compare, corrected, duplicate, netted, only_ours, only_theirs, paid_out_otherwise, step,
    unreadable,
};
use saoma_protocol::{Currency, Millis, Money};

const AT: Millis = Millis(1_769_817_600_000);

fn side(money: Money, fee_minor: i64) -> Side {
    Side { money, fee: Money::new(fee_minor, money.currency()), at: AT }
}

fn cny(minor: i64, fee_minor: i64) -> Side {
    side(Money::new(minor, Currency::CNY), fee_minor)
}

fn key(number: &str, movement: Movement) -> Key {
    Key { number: number.to_owned(), movement }
}

/// `pay_1 payment 1250 8`, a row a line.
fn ours(text: &str) -> Vec<Ours> {
    rows(text).into_iter().map(|(key, side)| Ours { key, side }).collect()
}

fn theirs(text: &str) -> Vec<Theirs> {
    (1..).zip(rows(text)).map(|(line, (key, side))| Theirs { key, side, line }).collect()
}

fn rows(text: &str) -> Vec<(Key, Side)> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let movement = Movement::from_text(words[1]).unwrap();
        (key(words[0], movement), cny(words[2].parse().unwrap(), words[3].parse().unwrap()))
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(row).collect()
}

fn walk(ours: Vec<Ours>, theirs: Vec<Theirs>) -> Vec<Pair> {
    let (ours, theirs) = (ours.into_iter().map(Ok::<_, Infallible>), theirs.into_iter().map(Ok));
    Merge::new(ours, theirs).collect::<Result<_, _>>().unwrap()
}

fn told(pair: &Pair) -> String {
    let name = |key: &Key| format!("{} {}", key.number, key.movement.text());
    match pair {
        Pair::Both(ours, theirs) => format!("both {} line {}", name(&ours.key), theirs.line),
        Pair::OnlyOurs(row) => format!("ours {}", name(&row.key)),
        Pair::OnlyTheirs(row) => format!("theirs {} line {}", name(&row.key), row.line),
        Pair::Again(row) => format!("again {} line {}", name(&row.key), row.line),
        Pair::Netted(payment, _) => format!("netted {}", payment.key.number),
    }
}

#[test]
fn rows_meet_by_their_number() {
    let table: &[(&str, &str, &[&str])] = &[
        ("", "", &[]),
        ("a payment 5 0", "", &["ours a payment"]),
        ("", "a payment 5 0", &["theirs a payment line 1"]),
        ("a payment 5 0", "a payment 6 0", &["both a payment line 1"]),
        (
            "a payment 5 0\nc refund 2 0",
            "b payment 5 0\nc refund 2 0",
            &["ours a payment", "theirs b payment line 1", "both c refund line 2"],
        ),
        // A refund under a payment's number is not the payment.
        ("a payment 5 0", "a refund 5 0", &["theirs a refund line 1", "ours a payment"]),
        (
            "a payment 5 0",
            "a payment 5 0\na payment 5 0\na payment 1 0",
            &["both a payment line 1", "again a payment line 2", "again a payment line 3"],
        ),
        ("", "a payment 5 0\na payment 5 0", &["theirs a payment line 1", "again a payment line 2"]),
        // Taken and undone on one day.
        ("a payment 5 0\na reversal 5 0", "", &["netted a"]),
        ("a payment 5 0\na reversal 5 0\nb payment 5 0", "b payment 5 0", &["netted a", "both b payment line 1"]),
        (
            "a payment 5 0\na reversal 5 0",
            "a payment 5 0\na reversal 5 0",
            &["both a payment line 1", "both a reversal line 2"],
        ),
        ("a payment 5 0\na reversal 5 0", "a reversal 5 0", &["ours a payment", "both a reversal line 1"]),
        ("a payment 5 0\na reversal 5 0", "a payment 5 0", &["both a payment line 1", "ours a reversal"]),
        ("a payment 5 0\na reversal 4 0", "", &["ours a payment", "ours a reversal"]),
        ("a payment 5 0\nb reversal 5 0", "", &["ours a payment", "ours b reversal"]),
        ("a payment 5 0\nb payment 5 0\nb reversal 5 0", "", &["ours a payment", "netted b"]),
        ("a payment 5 0", "b payment 5 0", &["ours a payment", "theirs b payment line 1"]),
    ];
    for (here, there, expected) in table {
        let pairs: Vec<String> = walk(ours(here), theirs(there)).iter().map(told).collect();
        assert_eq!(pairs, *expected, "{here:?} against {there:?}");
    }
}

#[test]
fn a_side_out_of_order_and_a_failed_read_stop_the_walk() {
    let ok = |row| Ok::<_, &str>(row);
    let twice = Merge::new(ours("a payment 1 0\na payment 1 0").into_iter().map(ok), theirs("").into_iter().map(Ok));
    assert_eq!(twice.last(), Some(Err(MergeError::Order(key("a", Movement::Payment)))));
    let falling = Merge::new(ours("").into_iter().map(ok), theirs("b payment 1 0\na payment 1 0").into_iter().map(Ok));
    assert_eq!(falling.last(), Some(Err(MergeError::Order(key("a", Movement::Payment)))));
    let broken = vec![Err("gone"), Ok(theirs("a payment 1 0").remove(0))];
    let mut walk = Merge::new(ours("z payment 1 0").into_iter().map(ok), broken);
    assert_eq!((walk.next(), walk.next()), (Some(Err(MergeError::Read("gone"))), None), "and it is over");
}

/// Class, fields, fix, and the correction as `amount/fee`, if nothing was booked before.
fn said(finding: &Finding) -> String {
    let fields: Vec<&str> = finding.fields.iter().map(|field| field.text()).collect();
    let correction = finding
        .correction(None)
        .unwrap()
        .map_or("-".to_owned(), |correction| format!("{}/{}", correction.amount.minor(), correction.fee.minor()));
    format!("{} [{}] {} {correction}", finding.class.text(), fields.join(" "), finding.fix.text())
}

#[test]
fn differences_have_their_class_fields_fix_and_correction() {
    let mine = |movement, side| Ours { key: key("a", movement), side };
    let line = |movement, side| Theirs { key: key("a", movement), side, line: 7 };
    let (payment, refund, reversal) = (Movement::Payment, Movement::Refund, Movement::Reversal);
    let usd = side(Money::new(100, "USD".parse().unwrap()), 1);
    let both =
        |movement, ours, theirs| compare(&mine(movement, ours), &line(movement, theirs)).map(|found| said(&found));
    assert_eq!(both(payment, cny(100, 1), cny(100, 1)), None);
    // When it was booked is each side's own business within the day.
    assert_eq!(both(payment, cny(100, 1), Side { at: Millis(AT.0 + 9), ..cny(100, 1) }), None);
    for (found, expected) in [
        (both(payment, cny(100, 1), cny(90, 1)), "amount [amount] claim_from_channel -10/0"),
        (both(payment, cny(100, 1), cny(120, 2)), "amount [amount fee] claim_from_channel 20/1"),
        (both(payment, cny(100, 1), cny(100, 3)), "fee [fee] follow_bill 0/2"),
        (both(refund, cny(100, -1), cny(100, 0)), "fee [fee] follow_bill 0/1"),
        (both(refund, cny(100, 0), cny(90, 0)), "amount [amount] claim_from_channel 10/0"),
        (both(payment, cny(100, 1), usd), "currency [currency] claim_from_channel -"),
    ] {
        assert_eq!(found.as_deref(), Some(expected));
    }
    let moved = || Known::Moved(cny(100, 1));
    for (found, expected) in [
        (only_ours(&mine(payment, cny(100, 1)), None, false), "missing_there [] claim_from_channel -100/-1"),
        (only_ours(&mine(payment, cny(100, 1)), None, true), "missing_there [] wait_for_next_bill -100/-1"),
        (only_ours(&mine(refund, cny(40, -1)), None, false), "missing_there [] claim_from_channel 40/1"),
        (
            only_ours(&mine(payment, cny(100, 1)), Some(&line(payment, cny(5, 0))), true),
            "cut_off [date] nothing_to_do -",
        ),
        (only_theirs(&line(payment, cny(100, 1)), Known::Nothing), "missing_here [] follow_bill 100/1"),
        (only_theirs(&line(refund, cny(100, 0)), Known::Nothing), "missing_here [] follow_bill -100/0"),
        (only_theirs(&line(reversal, cny(100, -1)), Known::Nothing), "missing_here [] follow_bill -100/-1"),
        (
            only_theirs(&line(payment, cny(100, 1)), Known::Standing("failed".to_owned())),
            "status [status] settle_payment -",
        ),
        (
            only_theirs(&line(refund, cny(100, 0)), Known::Ended("failed".to_owned())),
            "missing_here [status] follow_bill -100/0",
        ),
        (only_theirs(&line(payment, cny(100, 1)), Known::OtherAccount), "other_account [] nothing_to_do -"),
        (only_theirs(&line(payment, cny(100, 1)), moved()), "cut_off [date] nothing_to_do -"),
        (only_theirs(&line(payment, cny(90, 1)), moved()), "amount [amount date] claim_from_channel -10/0"),
        (
            only_theirs(&line(payment, cny(100, 1)), Known::Listed(Some(cny(100, 1)))),
            "duplicate [date] claim_from_channel 100/1",
        ),
        (only_theirs(&line(payment, cny(100, 1)), Known::Listed(None)), "duplicate [date] claim_from_channel 100/1"),
        (duplicate(&line(payment, cny(100, 1)), 2), "duplicate [] claim_from_channel 100/1"),
        (corrected(&key("a", payment), 0, Some(cny(100, 1)), None), "corrected [] follow_bill -"),
        (paid_out_otherwise(cny(100, 0), cny(70, 0), "pyo_1".to_owned()), "payout [amount] claim_from_channel -30/0"),
        (unreadable(3, ",,,".to_owned()), "unreadable [] fetch_again -"),
    ] {
        assert_eq!(said(&found), expected, "{found:?}");
    }
    let undone = |back| netted(&mine(payment, cny(100, 6)), &mine(reversal, cny(100, back))).map(|found| said(&found));
    assert_eq!((undone(-6), undone(0).as_deref()), (None, Some("fee [fee] follow_bill 0/-6")));
}

#[test]
fn the_edges_of_64_bits_are_exact_or_refused() {
    let edge = |minor| Side { money: Money::new(minor, Currency::CNY), fee: Money::new(0, Currency::CNY), at: AT };
    let row = Theirs { key: key("a", Movement::Payment), side: edge(i64::MAX), line: 1 };
    let most = only_theirs(&row, Known::Nothing).correction(None).unwrap().unwrap();
    assert_eq!(most.net().unwrap().minor(), i64::MAX);
    let mine = Ours { key: key("a", Movement::Payment), side: edge(-2) };
    assert!(compare(&mine, &row).unwrap().correction(None).is_err());
}

/// What persons have booked about a movement is not offered again; what they booked too much is offered back.
#[test]
fn what_was_booked_is_taken_off() {
    let mine = Ours { key: key("a", Movement::Payment), side: cny(100, 1) };
    let line = |side| Theirs { key: key("a", Movement::Payment), side, line: 1 };
    let booked =
        |amount, fee| Correction { amount: Money::new(amount, Currency::CNY), fee: Money::new(fee, Currency::CNY) };
    let left = |finding: &Finding, before: Correction| {
        let left = finding.correction(Some(&before)).unwrap().unwrap();
        (left.amount.minor(), left.fee.minor())
    };
    let less = compare(&mine, &line(cny(70, 1))).unwrap();
    assert_eq!(left(&less, booked(-30, 0)), (0, 0));
    assert_eq!(left(&less, booked(-20, 2)), (-10, -2));
    assert_eq!(left(&less, booked(-100, -1)), (70, 1));
    let agree = corrected(&mine.key, 0, Some(mine.side), None);
    assert_eq!(left(&agree, booked(-100, -1)), (100, 1));
    let dollars = Correction::nothing("USD".parse().unwrap());
    assert!(less.correction(Some(&dollars)).is_err(), "one currency is not taken off another");
    assert_eq!(only_theirs(&line(cny(1, 0)), Known::OtherAccount).correction(Some(&booked(1, 0))), Ok(None));
}

/// Every standing against every step; a row a standing, a column a step.
#[test]
fn a_discrepancy_ends_in_one_of_three_ways() {
    let steps = [Step::Assign, Step::Resolve, Step::ProposeWriteOff, Step::ApproveWriteOff, Step::DeclineWriteOff];
    let told = Standing::ALL.map(|standing| {
        let next = |one: Step| step(standing, one, Class::Amount, true, false).map_or("-", Standing::text);
        format!("{}: {}", standing.text(), steps.map(next).join(" "))
    });
    assert_eq!(
        told,
        [
            "open: assigned resolved write_off_proposed - -",
            "assigned: assigned resolved write_off_proposed - -",
            "write_off_proposed: - - - written_off open",
            "resolved: - - - - -",
            "written_off: - - - - -",
            "closed: - - - - -",
        ]
    );
    let same = step(Standing::WriteOffProposed, Step::ApproveWriteOff, Class::Amount, true, true);
    assert_eq!(same, Err(StepRefusal::SamePerson));
    // Where nothing can be posted: what no later bill need settle may be left, by two persons.
    for (class, may_be_left) in [
        (Class::Unreadable, true),
        (Class::NoBill, true),
        (Class::Currency, true),
        (Class::Status, false),
        (Class::Amount, false),
    ] {
        let refused = Err(StepRefusal::NothingToPost { class });
        assert_eq!(step(Standing::Open, Step::Resolve, class, false, false), refused);
        let left = step(Standing::Open, Step::ProposeWriteOff, class, false, false);
        assert_eq!(left, if may_be_left { Ok(Standing::WriteOffProposed) } else { refused }, "{class:?}");
    }
}

#[test]
fn names_read_back() {
    assert!(Standing::ALL.iter().all(|standing| Standing::from_text(standing.text()) == Some(*standing)));
    assert!(Class::ALL.iter().all(|class| Class::from_text(class.text()) == Some(*class)));
    assert!(Fix::ALL.iter().all(|fix| Fix::from_text(fix.text()) == Some(*fix)));
    assert!(Field::ALL.iter().all(|field| Field::from_text(field.text()) == Some(*field)));
    let texts: Vec<&str> = Movement::ALL.iter().map(|movement| movement.text()).collect();
    assert!(texts.is_sorted() && Movement::ALL.is_sorted(), "databases sort by the text: {texts:?}");
}

fn any_rows() -> impl Strategy<Value = Vec<(Key, Side)>> {
    let row = ("[ab]{1,2}", 0_usize..5, 1_i64..4, -1_i64..2)
        .prop_map(|(number, movement, minor, fee)| (key(&number, Movement::ALL[movement]), cny(minor, fee)));
    prop::collection::vec(row, 0..12)
}

fn sorted(rows: &[(Key, Side)]) -> (Vec<Ours>, Vec<Theirs>) {
    let unique: BTreeMap<Key, Side> = rows.iter().cloned().collect();
    let mut lines: Vec<Theirs> =
        (1..).zip(rows.iter().cloned()).map(|(line, (key, side))| Theirs { key, side, line }).collect();
    lines.sort_by(|one, other| (&one.key, one.line).cmp(&(&other.key, other.line)));
    (unique.into_iter().map(|(key, side)| Ours { key, side }).collect(), lines)
}

fn sum<'a>(sides: impl Iterator<Item = &'a Side>) -> (usize, i64, i64) {
    sides.fold((0, 0, 0), |(n, money, fee), side| (n + 1, money + side.money.minor(), fee + side.fee.minor()))
}

proptest! {
    /// Each row of each side is in exactly one pair, whatever the other side holds, and so are the sums.
    #[test]
    fn no_row_is_lost_or_counted_twice(here in any_rows(), there in any_rows()) {
        let (ours, theirs) = (sorted(&here).0, sorted(&there).1);
        let pairs = walk(ours.clone(), theirs.clone());
        let (mut mine, mut listed) = (Vec::new(), Vec::new());
        for pair in pairs {
            match pair {
                Pair::Both(one, other) => { mine.push(one); listed.push(other); }
                Pair::OnlyOurs(one) => mine.push(one),
                Pair::OnlyTheirs(other) | Pair::Again(other) => listed.push(other),
                Pair::Netted(one, two) => mine.extend([one, two]),
            }
        }
        prop_assert_eq!(sum(mine.iter().map(|row| &row.side)), sum(ours.iter().map(|row| &row.side)));
        prop_assert_eq!(sum(listed.iter().map(|row| &row.side)), sum(theirs.iter().map(|row| &row.side)));
        mine.sort_by(|one, other| one.key.cmp(&other.key));
        listed.sort_by_key(|row| row.line);
        prop_assert_eq!(&mine, &ours);
        let mut lines = theirs;
        lines.sort_by_key(|row| row.line);
        prop_assert_eq!(listed, lines);
    }

    /// A bill that is the books agrees with them, in whatever order it was written.
    #[test]
    fn the_order_of_a_bill_does_not_matter(here in any_rows(), turn in any::<prop::sample::Index>()) {
        let ours = sorted(&here).0;
        let mut rows: Vec<(Key, Side)> = ours.iter().map(|row| (row.key.clone(), row.side)).collect();
        if !rows.is_empty() {
            let by = turn.index(rows.len());
            rows.rotate_left(by);
            rows.reverse();
        }
        for pair in walk(ours, sorted(&rows).1) {
            let Pair::Both(one, other) = pair else { panic!("{pair:?}") };
            prop_assert_eq!(compare(&one, &other), None);
        }
    }

    /// What a finding's correction adds to the books makes them the bill's.
    #[test]
    fn a_correction_brings_the_books_to_the_bill(mine in (1_i64..50, -5_i64..5), listed in (1_i64..50, -5_i64..5), income in any::<bool>()) {
        let movement = if income { Movement::Payment } else { Movement::Refund };
        let one = Ours { key: key("a", movement), side: cny(mine.0, mine.1) };
        let other = Theirs { key: key("a", movement), side: cny(listed.0, listed.1), line: 1 };
        let sign = if income { 1 } else { -1 };
        let net = |side: &Side| sign * side.money.minor() - side.fee.minor();
        let added = compare(&one, &other).and_then(|found| found.correction(None).unwrap());
        prop_assert_eq!(net(&one.side) + added.map_or(0, |added| added.net().unwrap().minor()), net(&other.side));
    }
}

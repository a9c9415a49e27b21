//! The books: each movement once, sums that hold, and a check that finds what does not.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_domain::{
    ledger::{Account, Kind, Posting, PostingSet, rules},
    payment::Method,
};
use saoma_protocol::{Amount, Currency, Money};
use saoma_store::{
    StoreError,
    ledger::{self, Balance, Booking, Finding, Of, Subject, TrialBalance},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, captured, cny},
};

const CHANNEL: Method = Method::CustomerPresented;

fn yen() -> Currency {
    "JPY".parse().expect("a currency")
}

fn booking(house: &House, number: u8, kind: Kind) -> Booking {
    let subject = Subject::Payment(house.payment_id(number));
    Booking { subject, kind, channel_account: Some(house.account), at: NOW, booked_at: NOW }
}

/// Of refund `refund` of payment 1.
fn of_refund(house: &House, refund: u8, kind: Kind) -> Booking {
    let subject = Subject::Refund { payment: house.payment_id(1), refund: house.refund_id(refund) };
    Booking { subject, ..booking(house, 1, kind) }
}

fn none(currency: Currency) -> Money {
    Money::new(0, currency)
}

fn post(base: &Base, house: &House, booking: &Booking, sets: &[PostingSet]) -> Result<(), StoreError> {
    base.try_write(|tx| ledger::post(tx, &house.scope, booking, sets))
}

/// Sells for 5.00 with a fee of 0.03, as payment `number`.
fn sell_and_book(base: &Base, house: &House, number: u8) {
    house.sell(base, number, cny(500), &captured(0, 0));
    post(base, house, &booking(house, number, Kind::Captured), &rules::captured(CHANNEL, cny(500), cny(3).money()))
        .expect("a booking");
}

fn balance(account: Account, house: Option<&House>, minor: i64) -> Balance {
    Balance { account, channel_account: house.map(|house| house.account), money: Money::new(minor, Currency::CNY) }
}

#[test]
fn a_movement_is_booked_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let sets = rules::captured(CHANNEL, cny(500), cny(3).money());
        let again = post(base, &tea, &booking(&tea, 1, Kind::Captured), &sets);
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM posting_sets"), 2);
        // Other movements of the same payment are others: two refunds, each kind.
        for refund in [1, 2] {
            let of_refund = |kind| of_refund(&tea, refund, kind);
            let reserved = post(base, &tea, &of_refund(Kind::RefundReserved), &rules::refund_reserved(cny(10)));
            let paid = rules::refund_succeeded(CHANNEL, cny(10), none(Currency::CNY));
            let done = post(base, &tea, &of_refund(Kind::RefundSucceeded), &paid);
            assert_eq!((reserved, done), (Ok(()), Ok(())));
            let again = post(base, &tea, &of_refund(Kind::RefundReserved), &rules::refund_reserved(cny(10)));
            assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        }
        let missing = post(base, &tea, &booking(&tea, 9, Kind::Captured), &sets);
        assert_eq!(missing, Err(StoreError::NotFound { what: "the payment" }));
    });
}

#[test]
fn of_many_that_book_at_once_one_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 0));
        let sets = rules::captured(CHANNEL, cny(500), cny(3).money());
        let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let book = || post(base, &tea, &booking(&tea, 1, Kind::Captured), &sets);
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(book)).collect();
            starts.into_iter().map(|start| start.join().expect("a booking")).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let conflicts = results.iter().filter(|result| matches!(result, Err(StoreError::Conflict { .. }))).count();
        assert_eq!(conflicts, 5, "{results:?}");
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM postings"), 4);
    });
}

#[test]
fn a_booking_is_read_as_it_was_written() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let later = Booking { at: at(-50), booked_at: at(70), ..of_refund(&tea, 1, Kind::RefundReserved) };
        post(base, &tea, &later, &rules::refund_reserved(cny(10))).expect("a booking");
        let booked = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)));
        let kinds: Vec<_> = booked.iter().map(|set| (set.kind, set.refund, set.at, set.booked_at)).collect();
        let sale = (Kind::Captured, None, NOW, NOW);
        assert_eq!(kinds, [sale, sale, (Kind::RefundReserved, Some(tea.refund_id(1)), at(-50), at(70))]);
        let mut written = rules::captured(CHANNEL, cny(500), cny(3).money());
        written.extend(rules::refund_reserved(cny(10)));
        for (set, written) in booked.iter().zip(&written) {
            assert_eq!(set.postings, written.postings());
            assert_eq!((set.payment, set.channel_account), (Some(tea.payment_id(1)), Some(tea.account)));
        }
    });
}

#[test]
fn what_moves_without_a_payment_is_booked_once_too() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let payout = |id: &str| Booking {
            subject: Subject::Other(id.to_owned()),
            channel_account: Some(tea.account),
            ..booking(&tea, 1, Kind::PayoutReceived)
        };
        let sets = rules::payout_received(cny(900));
        assert_eq!(post(base, &tea, &payout("payout 1"), &sets), Ok(()));
        assert_eq!(post(base, &tea, &payout("payout 1"), &sets), Err(StoreError::Conflict { what: "the movement" }));
        assert_eq!(post(base, &tea, &payout("payout 2"), &sets), Ok(()));
        let balances = base.read(|tx| ledger::balances(tx, &tea.scope, None));
        let clearing = balance(Account::ChannelClearing, Some(&tea), -1_800);
        assert_eq!(balances, [balance(Account::Bank, None, 1_800), clearing]);
        assert_eq!(base.read(|tx| ledger::check(tx, &tea.scope)), []);
    });
}

#[test]
fn balances_are_the_sums_of_what_was_booked() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let balances = || base.read(|tx| ledger::balances(tx, &tea.scope, None));
        assert_eq!(balances(), []);
        for number in 1..=3 {
            sell_and_book(base, &tea, number);
        }
        let cash = Booking { channel_account: None, ..booking(&tea, 4, Kind::Captured) };
        tea.sell(base, 4, cny(700), &captured(0, 0));
        post(base, &tea, &cash, &rules::captured(Method::Cash, cny(700), none(Currency::CNY))).expect("cash");
        post(base, &tea, &of_refund(&tea, 1, Kind::RefundReserved), &rules::refund_reserved(cny(200)))
            .expect("a booking");
        let mut expected = [
            balance(Account::CashInDrawer, None, 700),
            balance(Account::ChannelClearing, Some(&tea), 1_491),
            balance(Account::Fees, Some(&tea), 9),
            balance(Account::MerchantPayable, None, -2_000),
            balance(Account::RefundsInTransit, None, -200),
        ];
        assert_eq!(balances(), expected);
        let trial = |minor| TrialBalance { currency: Currency::CNY, debits_minor: minor, credits_minor: minor };
        assert_eq!(ledger::trial_balance(&balances()), Ok(vec![trial(2_200)]));

        let paid = rules::refund_succeeded(CHANNEL, cny(200), cny(1).money());
        post(base, &tea, &of_refund(&tea, 1, Kind::RefundSucceeded), &paid).expect("a booking");
        expected[1] = balance(Account::ChannelClearing, Some(&tea), 1_292);
        expected[2] = balance(Account::Fees, Some(&tea), 8);
        expected[4] = balance(Account::RefundsInTransit, None, 0);
        assert_eq!(balances(), expected);
        assert_eq!(ledger::trial_balance(&balances()), Ok(vec![trial(2_000)]));
    });
}

#[test]
fn currencies_are_never_added_up() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let sold = Amount::new(900, yen()).expect("an amount");
        tea.sell(base, 2, sold, &captured(0, 0));
        let sets = rules::captured(CHANNEL, sold, none(yen()));
        post(base, &tea, &booking(&tea, 2, Kind::Captured), &sets).expect("a booking");
        let balances = base.read(|tx| ledger::balances(tx, &tea.scope, None));
        let line = |currency, minor| TrialBalance { currency, debits_minor: minor, credits_minor: minor };
        assert_eq!(ledger::trial_balance(&balances), Ok(vec![line(Currency::CNY, 500), line(yen(), 900)]));
    });
}

/// A line that nobody could book, by somebody with access to the database.
fn forge(base: &Base, house: &House, set: u64, idx: u8, minor: i64) {
    let tenant = house.scope.tenant();
    let forged = format!("INSERT INTO postings VALUES ('{tenant}', {set}, {idx}, 'fees', NULL, 'CNY', {minor})");
    sql_query(forged).execute(&mut base.raw()).expect("a forged row");
}

#[test]
fn the_check_finds_what_nobody_could_book() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        sell_and_book(base, &tea, 1);
        sell_and_book(base, &milk, 1);
        let tenant = tea.scope.tenant();
        let set = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)))[0].id;
        forge(base, &tea, set, 9, 7);
        let empty = format!(
            "INSERT INTO posting_sets (tenant_id, subject, kind, part, at, booked_at) \
             VALUES ('{tenant}', 'forged', 'captured', 0, 0, {})",
            NOW.0
        );
        sql_query(empty).execute(&mut base.raw()).expect("a forged row");
        let found = base.read(|tx| ledger::check(tx, &tea.scope));
        let told: Vec<_> = found.iter().map(|finding| (finding.subject.as_str(), finding.code)).collect();
        let (set, payment) = (format!("set {set}"), tea.payment_id(1).to_string());
        let empty = told.get(1).map_or("", |finding| finding.0);
        assert!(empty.starts_with("set ") && empty != set, "{told:?}");
        let expected = [
            (set.as_str(), "set_unbalanced"),
            (empty, "set_unbalanced"),
            // The gross amount stands in a set that is none now.
            (payment.as_str(), "account"),
            ("CNY", "sum"),
        ];
        assert_eq!(told, expected);
        assert_eq!(found[3].detail, "all postings sum to 7 minor units");
        assert_eq!(base.read(|tx| ledger::check(tx, &milk.scope)), []);
        let all: Vec<Finding> =
            base.read(|tx| ledger::check_all(tx, &PLATFORM)).into_iter().map(|(_, finding)| finding).collect();
        assert_eq!(all, found);
    });
}

#[test]
fn a_sum_past_64_bits_is_corrupt() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let set = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)))[0].id;
        for idx in [8, 9] {
            forge(base, &tea, set, idx, i64::MAX);
        }
        let corrupt = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Corrupt { .. }));
        let period = (at(-1), at(1));
        let of =
            Of { account: Account::Fees, channel_account: None, currency: Currency::CNY, from: period.0, to: period.1 };
        assert!(corrupt(base.try_read(|tx| ledger::balances(tx, &tea.scope, None)).map(drop)));
        assert!(corrupt(base.try_read(|tx| ledger::turnover(tx, &tea.scope, period.0, period.1)).map(drop)));
        assert!(corrupt(base.try_read(|tx| ledger::statement(tx, &tea.scope, &of, None, 10)).map(drop)));
        assert!(corrupt(base.try_read(|tx| ledger::check_all(tx, &PLATFORM)).map(drop)));
        let edge = [balance(Account::Fees, None, i64::MAX), balance(Account::Bank, None, 1)];
        assert!(corrupt(ledger::trial_balance(&edge).map(drop)));
    });
}

#[test]
fn a_set_that_a_rule_did_not_make_is_booked_line_by_line() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 0));
        let line = |account, minor| Posting { account, money: Money::new(minor, Currency::CNY) };
        let lines =
            vec![line(Account::StoredValue, -500), line(Account::ChannelClearing, 200), line(Account::Fees, 300)];
        let set = PostingSet::new(lines.clone()).expect("a set");
        post(base, &tea, &booking(&tea, 1, Kind::DisputeWon), &[set]).expect("a booking");
        post(base, &tea, &booking(&tea, 1, Kind::DisputeLost), &[]).expect("a booking of nothing");
        let booked = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)));
        assert_eq!(booked.len(), 1);
        assert_eq!(booked[0].postings, lines);
    });
}

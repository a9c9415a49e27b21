//! The books: each movement once, sums that hold, and a check that finds what does not.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_domain::{
    ledger::{Account, Posting, PostingSet, rules},
    payment::Method,
};
use saoma_protocol::{Amount, Currency, Money};
use saoma_store::{
    StoreError,
    ledger::{self, Balance, Booking, Broken, TrialBalance},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, captured, cny},
};

const CHANNEL: Method = Method::CustomerPresented;

fn yen() -> Currency {
    "JPY".parse().expect("a currency")
}

fn booking(house: &House, number: u8, kind: &'static str) -> Booking {
    Booking { payment: house.payment_id(number), refund: None, kind, channel_account: Some(house.account), at: NOW }
}

fn post(base: &Base, house: &House, booking: &Booking, sets: &[PostingSet]) -> Result<(), StoreError> {
    base.try_write(|tx| ledger::post(tx, &house.scope, booking, sets))
}

/// Sells for 5.00 with a fee of 0.03, as payment `number`.
fn sell_and_book(base: &Base, house: &House, number: u8) {
    house.sell(base, number, cny(500), &captured(0, 0));
    post(base, house, &booking(house, number, "captured"), &rules::captured(CHANNEL, cny(500), cny(3).money()))
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
        let again = post(base, &tea, &booking(&tea, 1, "captured"), &sets);
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM posting_sets"), 2);
        // Other movements of the same payment are others: two refunds, each kind.
        for refund in [1, 2] {
            let of_refund = |kind| Booking { refund: Some(tea.refund_id(refund)), ..booking(&tea, 1, kind) };
            let reserved = post(base, &tea, &of_refund("refund_reserved"), &rules::refund_reserved(cny(10)));
            let done = post(base, &tea, &of_refund("refund_succeeded"), &rules::refund_succeeded(CHANNEL, cny(10)));
            assert_eq!((reserved, done), (Ok(()), Ok(())));
            let again = post(base, &tea, &of_refund("refund_reserved"), &rules::refund_reserved(cny(10)));
            assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        }
        let missing = post(base, &tea, &booking(&tea, 9, "captured"), &sets);
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
            let book = || post(base, &tea, &booking(&tea, 1, "captured"), &sets);
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
        let refund = Booking { refund: Some(tea.refund_id(1)), ..booking(&tea, 1, "refund_reserved") };
        post(base, &tea, &refund, &rules::refund_reserved(cny(10))).expect("a booking");
        let booked = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)));
        let kinds: Vec<_> = booked.iter().map(|set| (set.kind.as_str(), set.refund)).collect();
        assert_eq!(kinds, [("captured", None), ("captured", None), ("refund_reserved", Some(tea.refund_id(1)))]);
        let mut written = rules::captured(CHANNEL, cny(500), cny(3).money());
        written.extend(rules::refund_reserved(cny(10)));
        for (set, written) in booked.iter().zip(&written) {
            assert_eq!(set.postings, written.postings());
            assert_eq!((set.payment, set.channel_account, set.at), (tea.payment_id(1), Some(tea.account), NOW));
        }
    });
}

#[test]
fn balances_are_the_sums_of_what_was_booked() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        assert_eq!(base.read(|tx| ledger::balances(tx, &tea.scope)), []);
        assert_eq!(base.read(|tx| ledger::trial_balance(tx, &tea.scope)), []);
        for number in 1..=3 {
            sell_and_book(base, &tea, number);
        }
        let cash = Booking { channel_account: None, ..booking(&tea, 4, "captured") };
        tea.sell(base, 4, cny(700), &captured(0, 0));
        post(base, &tea, &cash, &rules::captured(Method::Cash, cny(700), Money::new(0, Currency::CNY))).expect("cash");
        let refund = |kind| Booking { refund: Some(tea.refund_id(1)), ..booking(&tea, 1, kind) };
        post(base, &tea, &refund("refund_reserved"), &rules::refund_reserved(cny(200))).expect("a booking");
        let balances = base.read(|tx| ledger::balances(tx, &tea.scope));
        let mut expected = [
            balance(Account::CashInDrawer, None, 700),
            balance(Account::ChannelClearing, Some(&tea), 1_491),
            balance(Account::Fees, None, 9),
            balance(Account::MerchantPayable, None, -2_000),
            balance(Account::RefundsInTransit, None, -200),
        ];
        assert_eq!(balances, expected);
        let trial = |minor| TrialBalance { currency: Currency::CNY, debits_minor: minor, credits_minor: minor };
        assert_eq!(base.read(|tx| ledger::trial_balance(tx, &tea.scope)), [trial(2_200)]);

        post(base, &tea, &refund("refund_succeeded"), &rules::refund_succeeded(CHANNEL, cny(200))).expect("a booking");
        expected[1] = balance(Account::ChannelClearing, Some(&tea), 1_291);
        expected[4] = balance(Account::RefundsInTransit, None, 0);
        assert_eq!(base.read(|tx| ledger::balances(tx, &tea.scope)), expected);
        assert_eq!(base.read(|tx| ledger::trial_balance(tx, &tea.scope)), [trial(2_000)]);
        assert_eq!(base.read(|tx| ledger::check(tx, &tea.scope)), []);
        assert_eq!(base.read(|tx| ledger::check_all(tx, &PLATFORM)), []);
    });
}

#[test]
fn currencies_are_never_added_up() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let sold = Amount::new(900, yen()).expect("an amount");
        tea.sell(base, 2, sold, &captured(0, 0));
        let none = Money::new(0, yen());
        post(base, &tea, &booking(&tea, 2, "captured"), &rules::captured(CHANNEL, sold, none)).expect("a booking");
        let trial = base.read(|tx| ledger::trial_balance(tx, &tea.scope));
        let line = |currency, minor| TrialBalance { currency, debits_minor: minor, credits_minor: minor };
        assert_eq!(trial, [line(Currency::CNY, 500), line(yen(), 900)]);
    });
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
        // Somebody with access to the database adds a line to a good set, and a set without lines.
        for forged in [
            format!("INSERT INTO postings VALUES ('{tenant}', {set}, 9, 'fees', NULL, 'CNY', 7)"),
            format!(
                "INSERT INTO posting_sets (tenant_id, payment_id, refund_id, kind, part, at) \
                 VALUES ('{tenant}', '{}', '', 'forged', 0, 0)",
                tea.payment_id(1)
            ),
        ] {
            sql_query(forged).execute(&mut base.raw()).expect("a forged row");
        }
        let broken = base.read(|tx| ledger::check(tx, &tea.scope));
        let empty = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1))).last().unwrap().id;
        let expected = [
            Broken::Set { scope: tea.scope, id: set },
            Broken::Set { scope: tea.scope, id: empty },
            Broken::Sum { scope: tea.scope, money: cny(7).money() },
        ];
        assert_eq!(broken, expected);
        assert_eq!(base.read(|tx| ledger::check(tx, &milk.scope)), []);
        assert_eq!(base.read(|tx| ledger::check_all(tx, &PLATFORM)), expected);
    });
}

#[test]
fn a_sum_past_64_bits_is_corrupt() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell_and_book(base, &tea, 1);
        let tenant = tea.scope.tenant();
        let set = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)))[0].id;
        for idx in [8, 9] {
            let forged =
                format!("INSERT INTO postings VALUES ('{tenant}', {set}, {idx}, 'fees', NULL, 'CNY', {})", i64::MAX);
            sql_query(forged).execute(&mut base.raw()).expect("a forged row");
        }
        let refused = base.try_read(|tx| ledger::balances(tx, &tea.scope));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        let refused = base.try_read(|tx| ledger::trial_balance(tx, &tea.scope));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        let refused = base.try_read(|tx| ledger::check_all(tx, &PLATFORM));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    });
}

#[test]
fn a_set_that_a_rule_did_not_make_is_booked_line_by_line() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 0));
        let line = |account, minor| Posting { account, money: Money::new(minor, Currency::CNY) };
        let lines =
            vec![line(Account::WalletLiability, -500), line(Account::ChannelClearing, 200), line(Account::Fees, 300)];
        let set = PostingSet::new(lines.clone()).expect("a set");
        post(base, &tea, &booking(&tea, 1, "moved"), &[set]).expect("a booking");
        post(base, &tea, &booking(&tea, 1, "nothing"), &[]).expect("a booking of nothing");
        let booked = base.read(|tx| ledger::of_payment(tx, &tea.scope, tea.payment_id(1)));
        assert_eq!(booked.len(), 1);
        assert_eq!(booked[0].postings, lines);
    });
}

//! Balances by period and statements: they add up, page by page, and what a period said it says for good.

use saoma_domain::ledger::{Account, Kind, PostingSet, rules};
use saoma_protocol::{Amount, Currency, Millis, Money};
use saoma_store::ledger::{self, Booking, Of, Place, Subject, Turnover};

use crate::{
    base::{Base, on_both},
    house::{House, at, cny},
};

fn book(base: &Base, house: &House, id: &str, kind: Kind, at: Millis, booked_at: Millis, sets: &[PostingSet]) {
    let subject = Subject::Other(id.to_owned());
    let booking = Booking { subject, kind, channel_account: Some(house.account), at, booked_at };
    base.write(|tx| ledger::post(tx, &house.scope, &booking, sets));
}

fn pay_in(base: &Base, house: &House, id: &str, minor: i64, moment: Millis) {
    book(base, house, id, Kind::PaidIn, moment, moment, &rules::paid_in(cny(minor)));
}

fn pay_out(base: &Base, house: &House, id: &str, minor: i64, moment: Millis) {
    book(base, house, id, Kind::PaidOut, moment, moment, &rules::paid_out(cny(minor)));
}

fn drawer(from: Millis, to: Millis) -> Of {
    Of { account: Account::CashInDrawer, channel_account: None, currency: Currency::CNY, from, to }
}

/// Opening, debits, credits, closing of the drawer.
fn of_drawer(base: &Base, house: &House, from: Millis, to: Millis) -> Option<[i64; 4]> {
    let lines = base.read(|tx| ledger::turnover(tx, &house.scope, from, to));
    lines.iter().find(|line| line.account == Account::CashInDrawer).map(
        |Turnover { opening_minor, debits_minor, credits_minor, closing_minor, .. }| {
            [*opening_minor, *debits_minor, *credits_minor, *closing_minor]
        },
    )
}

#[test]
fn a_period_opens_moves_and_closes() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        pay_in(base, &tea, "a", 100, at(10));
        pay_in(base, &tea, "b", 50, at(20));
        pay_out(base, &tea, "c", 30, at(20));
        pay_in(base, &tea, "d", 7, at(30));
        for ((from, to), expected) in [
            ((0, 10), None),
            ((0, 11), Some([0, 100, 0, 100])),
            ((10, 20), Some([0, 100, 0, 100])),
            ((11, 20), Some([100, 0, 0, 100])),
            ((20, 21), Some([100, 50, 30, 120])),
            ((20, 31), Some([100, 57, 30, 127])),
            ((31, 99), Some([127, 0, 0, 127])),
            // An end before its beginning is an empty period.
            ((30, 10), Some([120, 0, 0, 120])),
        ] {
            assert_eq!(of_drawer(base, &tea, at(from), at(to)), expected, "{from} to {to}");
        }
        let as_of = |moment| base.read(|tx| ledger::balances(tx, &tea.scope, Some(moment)));
        assert_eq!(as_of(at(9)), []);
        let drawer_at = |moment| {
            as_of(moment).iter().find(|line| line.account == Account::CashInDrawer).map(|line| line.money.minor())
        };
        assert_eq!([at(10), at(19), at(20), Millis(i64::MAX)].map(drawer_at), [100, 100, 120, 127].map(Some));
    });
}

#[test]
fn what_comes_late_changes_no_period_that_is_over() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        pay_in(base, &tea, "a", 100, at(100));
        let before = of_drawer(base, &tea, at(0), at(101));
        // Yesterday's cash, brought today; and a clock that jumped back by an hour.
        book(base, &tea, "b", Kind::PaidIn, at(50), at(200), &rules::paid_in(cny(5)));
        pay_in(base, &tea, "c", 2, at(-3_600_000));
        assert_eq!(of_drawer(base, &tea, at(0), at(101)), before);
        assert_eq!(of_drawer(base, &tea, at(101), at(201)), Some([100, 7, 0, 107]));
        let page = base.read(|tx| ledger::statement(tx, &tea.scope, &drawer(at(0), at(201)), None, 10));
        let lines: Vec<_> = page.lines.iter().map(|line| (line.subject.as_str(), line.at, line.booked_at)).collect();
        assert_eq!(lines, [("a", at(100), at(100)), ("b", at(50), at(200)), ("c", at(-3_600_000), at(200))]);
    });
}

#[test]
fn a_statement_is_read_page_by_page_with_a_running_balance() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        let sums = [100, -30, 7, 1, -8, 40, 2, -2, 9, 1];
        for (n, sum) in (0..).zip(sums) {
            let (id, moment) = (format!("move {n}"), at(10 * n));
            if sum > 0 {
                pay_in(base, &tea, &id, sum, moment)
            } else {
                pay_out(base, &tea, &id, -sum, moment)
            }
            pay_in(base, &milk, &id, 1_000, moment);
        }
        // One set that moves the drawer twice.
        let twice = rules::paid_in(cny(3)).into_iter().chain(rules::paid_out(cny(1))).collect::<Vec<_>>();
        let twice: Vec<_> = twice.iter().flat_map(|set| set.postings().to_vec()).collect();
        book(base, &tea, "twice", Kind::PaidIn, at(100), at(100), &[PostingSet::new(twice).expect("a set")]);

        let all: Vec<(i64, i64)> = [sums.as_slice(), &[3, -1]]
            .concat()
            .iter()
            .scan(0, |balance, sum| {
                *balance += sum;
                Some((*sum, *balance))
            })
            .collect();
        for checkpoints in [false, true] {
            if checkpoints {
                while base.write(|tx| ledger::checkpoint(tx, &tea.scope, 3)) {}
                assert!(base.count("SELECT COUNT(DISTINCT through_set) AS n FROM ledger_checkpoints") >= 3);
            }
            for limit in [1, 2, 3, 5, 50] {
                let (mut after, mut read) = (None, Vec::new());
                loop {
                    let of = drawer(at(20), at(101));
                    let page = base.read(|tx| ledger::statement(tx, &tea.scope, &of, after, limit));
                    assert_eq!((page.opening_minor, page.closing_minor), (70, 122));
                    assert!(page.lines.len() <= limit as usize);
                    read.extend(page.lines.iter().map(|line| (line.money.minor(), line.balance_minor)));
                    let Some(next) = page.next else { break };
                    after = Some(next.to_string().parse().expect("a place is read as it is written"));
                }
                assert_eq!(read, all[2..], "{limit} at a time");
            }
        }
        assert_eq!(base.read(|tx| ledger::check(tx, &tea.scope)), []);
    });
}

#[test]
fn a_place_that_is_none_is_refused_or_the_start() {
    for text in ["", "1", "-1-0", "1--1", "0-0", "x-1", "1-x", "99999999999999999999-1"] {
        assert!(text.parse::<Place>().is_err(), "{text:?}");
    }
    on_both(|base| {
        let tea = House::build(base, b'T');
        pay_in(base, &tea, "a", 100, at(10));
        pay_in(base, &tea, "b", 1, at(20));
        let page = |from, place: &str| {
            let of = drawer(at(from), at(99));
            let after = place.parse().expect("a place");
            let page = base.read(|tx| ledger::statement(tx, &tea.scope, &of, Some(after), 10));
            page.lines.iter().map(|line| line.balance_minor).collect::<Vec<_>>()
        };
        assert_eq!(page(15, "1-0"), [101], "from before the period");
        assert_eq!(page(0, &format!("{}-0", i64::MAX)), [0_i64; 0]);
    });
}

#[test]
fn a_statement_is_of_one_account_currency_and_channel() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let other = saoma_protocol::ChannelAccountId::from_bytes([7; 16]);
        let yen = |minor| Amount::new(minor, "JPY".parse().expect("yen")).expect("an amount");
        for (id, account, amount) in [("a", tea.account, cny(5)), ("b", other, cny(70)), ("c", tea.account, yen(900))] {
            let subject = Subject::Other(id.to_owned());
            let booking = Booking {
                subject,
                kind: Kind::PayoutReceived,
                channel_account: Some(account),
                at: at(1),
                booked_at: at(1),
            };
            base.write(|tx| ledger::post(tx, &tea.scope, &booking, &rules::payout_received(amount)));
        }
        for ((channel_account, amount), expected) in [
            ((None, cny(1)), vec![-5, -75]),
            ((Some(tea.account), cny(1)), vec![-5]),
            ((Some(other), cny(1)), vec![-70]),
            ((Some(tea.account), yen(1)), vec![-900]),
            ((Some(other), yen(1)), vec![]),
        ] {
            let currency = amount.currency();
            let of = Of { account: Account::ChannelClearing, channel_account, currency, from: at(0), to: at(9) };
            let page = base.read(|tx| ledger::statement(tx, &tea.scope, &of, None, 10));
            let balances: Vec<_> = page.lines.iter().map(|line| line.balance_minor).collect();
            assert_eq!(balances, expected);
            assert_eq!(page.closing_minor, expected.last().copied().unwrap_or(0));
            assert!(page.lines.iter().all(|line| line.money == Money::new(line.money.minor(), currency)));
        }
    });
}

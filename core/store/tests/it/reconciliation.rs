//! Bills, what the books say of the same days, comparisons of both, and payouts.

use saoma_domain::{
    ledger::{Kind, rules},
    payment::{Method, State as PaymentState},
    recon::{Key, Movement, Ours, Side, Theirs},
};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PayoutId, ReconciliationId, api::RefundKind};
use saoma_store::{
    StoreError,
    bills::{self, NewLine, Said},
    channel_accounts,
    ledger::{self, Booking, Span, Subject},
    payouts,
    reconciliations::{self, Counted, Ended, Reconciliation, State},
    refunds,
};

use crate::{
    base::{Base, on_both},
    furniture::payout,
    house::{DAY_MS, House, NOW, account, at, bytes, captured, cny},
};

pub const DAY: &str = "2026-01-31";

pub fn side(minor: i64, fee_minor: i64) -> Side {
    let money = |minor| Money::new(minor, Currency::CNY);
    Side { money: money(minor), fee: money(fee_minor), at: NOW }
}

pub fn key(number: &str, movement: Movement) -> Key {
    Key { number: number.to_owned(), movement }
}

pub fn row(line: u64, number: &str, movement: Movement, minor: i64) -> NewLine {
    let said = Said::Row {
        key: key(number, movement),
        order_number: number.to_owned(),
        reference: "W1".to_owned(),
        side: side(minor, 1),
    };
    NewLine { line, said }
}

/// Fetches a bill whole, a page for each of `pages`.
pub fn fetch(base: &Base, house: &House, day: &str, digest: &str, pages: &[Vec<NewLine>]) -> u64 {
    let id = base.write(|tx| bills::begin(tx, &house.scope, house.account, day));
    for page in pages {
        base.write(|tx| bills::add(tx, &house.scope, id, page));
    }
    let lines: Vec<&NewLine> = pages.iter().flatten().collect();
    let unreadable = lines.iter().filter(|line| matches!(line.said, Said::Unreadable(_))).count() as u64;
    let lines = lines.len() as u64;
    base.write(|tx| bills::finish(tx, &house.scope, id, lines, unreadable, digest, at(5)));
    id
}

fn read(base: &Base, house: &House, bill: u64, limit: u32) -> Vec<(String, u64)> {
    let (mut rows, mut last) = (Vec::new(), None::<Theirs>);
    loop {
        let page = base.read(|tx| bills::page(tx, &house.scope, bill, last.as_ref(), limit));
        let Some(end) = page.last() else { return rows };
        last = Some(end.clone());
        rows.extend(page.iter().map(|row| (format!("{} {}", row.key.number, row.key.movement.text()), row.line)));
    }
}

#[test]
fn a_bill_is_read_in_the_order_of_its_bytes_and_each_content_is_a_revision() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let garbage = |line| NewLine { line, said: Said::Unreadable(format!("合计,,{line}")) };
        let pages = [
            vec![row(1, "pay_b", Movement::Payment, 5), row(2, "PAY_A", Movement::Payment, 5), garbage(3)],
            vec![row(4, "pay_b", Movement::Payment, 6), row(5, "pay-z", Movement::Refund, 7), garbage(6)],
            vec![row(7, "pay_b", Movement::Reversal, 5), row(8, "é", Movement::Payment, 9)],
        ];
        let first = fetch(base, &tea, DAY, "one", &pages);
        // By bytes on both, whatever the language of the database: capitals first, `-` before `_`, é last.
        let expected = [
            ("PAY_A payment", 2),
            ("pay-z refund", 5),
            ("pay_b payment", 1),
            ("pay_b payment", 4),
            ("pay_b reversal", 7),
            ("é payment", 8),
        ]
        .map(|(name, line)| (name.to_owned(), line));
        for limit in [1, 2, 100] {
            assert_eq!(read(base, &tea, first, limit), expected, "pages of {limit}");
        }
        let garbled = base.read(|tx| bills::unreadable(tx, &tea.scope, first, 3, 10));
        assert_eq!(garbled, [(6, "合计,,6".to_owned())]);
        let keys = [key("pay_b", Movement::Payment), key("pay_b", Movement::Refund), key("no", Movement::Payment)];
        let keys: Vec<&Key> = keys.iter().collect();
        let second = fetch(base, &tea, DAY, "two", &[vec![row(1, "pay_b", Movement::Payment, 4)]]);
        let found = base.read(|tx| bills::find(tx, &tea.scope, &[second, first, 99], &keys));
        let lines: Vec<_> = found.iter().map(|(bill, row)| (*bill, row.line, row.side.money.minor())).collect();
        assert_eq!(lines, [(first, 1, 5), (second, 1, 4)], "the first line on each of those that have it");
        let other_day = fetch(base, &tea, "2026-01-30", "three", &[]);
        let newest = base.read(|tx| bills::newest_of_days(tx, &tea.scope, tea.account));
        assert_eq!(newest, [("2026-01-30".to_owned(), other_day), (DAY.to_owned(), second)].into());
        let newest = base.read(|tx| bills::newest(tx, &tea.scope, tea.account, DAY)).expect("a bill");
        assert_eq!((newest.id, newest.revision, newest.digest.as_str(), newest.lines), (second, 2, "two", 1));
        assert_eq!(read(base, &tea, first, 100), expected, "what was there before stays");
        assert_eq!(base.read(|tx| bills::newest(tx, &tea.scope, tea.account, "2026-01-29")), None);
        let twice = base.try_write(|tx| bills::finish(tx, &tea.scope, second, 1, 0, "x", NOW));
        assert_eq!(twice, Err(StoreError::NotFound { what: "the bill" }), "a whole bill does not change");
    });
}

#[test]
fn a_bill_that_was_cut_off_leaves_nothing() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let whole = fetch(base, &tea, DAY, "one", &[vec![row(1, "a", Movement::Payment, 5)]]);
        let cut = base.write(|tx| bills::begin(tx, &tea.scope, tea.account, DAY));
        base.write(|tx| {
            bills::add(tx, &tea.scope, cut, &[row(1, "b", Movement::Payment, 5), row(2, "b", Movement::Refund, 5)])
        });
        let newest = || base.read(|tx| bills::newest(tx, &tea.scope, tea.account, DAY)).map(|bill| bill.id);
        assert_eq!(newest(), Some(whole), "pages that are still coming are no bill");
        let mut steps = 0;
        while base.write(|tx| bills::drop_unfinished(tx, &tea.scope, tea.account, DAY)) {
            steps += 1;
        }
        assert_eq!((steps, newest()), (2, Some(whole)));
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM bill_lines"), 1);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM bills"), 1);
    });
}

/// Books a movement as if at `moment`.
fn book(
    base: &Base,
    house: &House,
    subject: Subject,
    kind: Kind,
    moment: Millis,
    sets: &[saoma_domain::ledger::PostingSet],
) {
    let booking = Booking { subject, kind, channel_account: Some(house.account), at: moment, booked_at: moment };
    base.write(|tx| ledger::post(tx, &house.scope, &booking, sets));
}

fn span(house: &House) -> Span {
    Span { account: house.account, from: NOW, to: at(DAY_MS), late_by_cancel: false }
}

fn told(rows: &[Ours]) -> Vec<String> {
    let row = |row: &Ours| {
        format!("{} {} {} {}", row.key.number, row.key.movement.text(), row.side.money.minor(), row.side.fee.minor())
    };
    rows.iter().map(row).collect()
}

#[test]
fn the_books_say_what_moved_through_an_account_on_a_day() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let method = Method::CustomerPresented;
        let capture = |number: u8, minor: i64, fee_minor: i64, moment: Millis| {
            tea.sell(base, number, cny(minor), &captured(0, 0));
            let sets = rules::captured(method, cny(minor), cny(fee_minor).money());
            book(base, &tea, Subject::Payment(tea.payment_id(number)), Kind::Captured, moment, &sets);
        };
        capture(1, 1_000, 6, NOW);
        capture(2, 500, 3, at(DAY_MS - 1));
        capture(3, 700, 4, at(DAY_MS));
        capture(4, 900, 5, at(-1));
        capture(5, 300, 2, at(7));
        // Given back in part, with a part of the fee; voided; undone by the channel; corrected.
        let give_back = |number: u8, payment: u8, minor: i64, back: i64, kind: RefundKind| {
            let mut refund = tea.refund(number, tea.payment_id(payment), cny(minor));
            refund.refund.kind = kind;
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &refund));
            let subject = Subject::Refund { payment: tea.payment_id(payment), refund: tea.refund_id(number) };
            book(base, &tea, subject.clone(), Kind::RefundReserved, at(8), &rules::refund_reserved(cny(minor)));
            let sets = rules::refund_succeeded(method, cny(minor), Money::new(back, Currency::CNY));
            book(base, &tea, subject, Kind::RefundSucceeded, at(9), &sets);
        };
        give_back(1, 1, 200, 1, RefundKind::Refund);
        give_back(2, 2, 500, 0, RefundKind::Void);
        give_back(3, 4, 900, 5, RefundKind::Late);
        let undone = rules::undone(method, cny(300), cny(2).money());
        book(base, &tea, Subject::Payment(tea.payment_id(5)), Kind::Undone, at(10), &undone);
        let correct = |by: &str, payment: u8, refund, minor: i64| {
            let subject = Subject::Correction { by: by.to_owned(), payment: tea.payment_id(payment), refund };
            let sets = rules::fee_corrected(Money::new(minor, Currency::CNY)).expect("a correction");
            book(base, &tea, subject, Kind::FeeCorrected, at(3 * DAY_MS), &sets);
        };
        correct("dsc_1", 1, None, 2);
        correct("dsc_2", 1, Some(tea.refund_id(1)), 1);
        // What answered a bill is not compared with one, and neither are those corrections of fees.
        let answered = rules::bill_corrected(cny(77).money()).expect("a correction");
        book(base, &tea, Subject::Other("dsc_3".to_owned()), Kind::BillCorrected, at(11), &answered);
        // Of another account and of cash.
        let other = House { account: ChannelAccountId::from_bytes(bytes(b'T', 2)), ..tea };
        base.write(|tx| channel_accounts::create(tx, &tea.scope, &account(b'T', 2)));
        tea.sell_with(base, 6, cny(10), &captured(0, 0), |payment| payment.channel_account = Some(other.account));
        let sets = rules::captured(method, cny(10), cny(1).money());
        book(base, &other, Subject::Payment(tea.payment_id(6)), Kind::Captured, NOW, &sets);

        let [one, two, _, four, five] = [1, 2, 3, 4, 5].map(|number| tea.payment_id(number).to_string());
        let [back, _, late] = [1, 2, 3].map(|number| tea.refund_id(number).to_string());
        let mut expected = vec![
            format!("{one} payment 1000 6"),
            format!("{two} payment 500 3"),
            format!("{two} reversal 500 0"),
            format!("{five} payment 300 2"),
            format!("{five} reversal 300 -2"),
            format!("{back} refund 200 -1"),
            format!("{late} refund 900 -5"),
        ];
        expected.sort();
        let now = || base.read(|tx| ledger::through_now(tx, &tea.scope));
        let read_through = |through, span: Span, limit: u32| {
            let (mut rows, mut after) = (Vec::new(), None);
            loop {
                let page = base.read(|tx| ledger::movements(tx, &tea.scope, &span, through, after.as_ref(), limit));
                assert!(page.rows.len() <= limit as usize);
                rows.extend(page.rows);
                let Some(next) = page.next else { break };
                after = Some(next);
            }
            rows.sort_by(|one: &Ours, other| one.key.cmp(&other.key));
            rows
        };
        let read = |span: Span, limit: u32| read_through(now(), span, limit);
        for limit in [1, 3, 100] {
            assert_eq!(told(&read(span(&tea), limit)), expected, "pages of {limit}");
        }
        // A channel that knows no refunds is told of what came late by a cancel.
        let by_cancel = told(&read(Span { late_by_cancel: true, ..span(&tea) }, 100));
        assert!(by_cancel.contains(&format!("{four} reversal 900 -5")), "{by_cancel:?}");

        // What comes into the books while they are read is not read, wherever on the day it stands.
        let before = now();
        for (number, moment) in [(8, NOW), (9, at(DAY_MS - 1))] {
            capture(number, 400, 2, moment);
            assert_eq!(told(&read_through(before, span(&tea), 2)), expected);
        }
        assert_eq!(read(span(&tea), 2).len(), expected.len() + 2);

        // Whenever it was, and what has not moved at all.
        tea.sell(base, 7, cny(50), &PaymentState::Reversed);
        let seven = tea.payment_id(7).to_string();
        let keys = [
            key(&four, Movement::Payment),
            key(&four, Movement::Reversal),
            key(&seven, Movement::Payment),
            key(&back, Movement::Refund),
            key(&tea.payment_id(6).to_string(), Movement::Payment),
            key("WX20260131", Movement::Payment),
            key("'; DROP TABLE payments; --", Movement::Refund),
        ];
        let known = base.read(|tx| ledger::standing(tx, &tea.scope, &span(&tea), &keys.iter().collect::<Vec<_>>()));
        let shown: Vec<String> = keys
            .iter()
            .map(|key| match known.get(key) {
                Some(ledger::Standing::Moved(row)) => told(std::slice::from_ref(row)).remove(0),
                Some(ledger::Standing::State(state)) => state.clone(),
                Some(ledger::Standing::OtherAccount) => "another account's".to_owned(),
                None => "nothing".to_owned(),
            })
            .collect();
        let moved = [format!("{four} payment 900 5"), format!("{back} refund 200 -1")];
        let [captured, refunded] = &moved;
        assert_eq!(
            shown,
            [captured, "succeeded", "reversed", refunded, "another account's", "nothing", "nothing"],
            "six is in the other account's books"
        );
    });
}

pub fn new_run(house: &House, number: u8, started_at: Millis) -> Reconciliation {
    Reconciliation {
        id: ReconciliationId::from_bytes(bytes(house.letter, number)),
        account: house.account,
        day: DAY.to_owned(),
        state: State::Running,
        bill: None,
        result: None,
        words: None,
        started_by: "core".to_owned(),
        started_at,
        ended_at: None,
        lease_until: started_at.plus(100),
    }
}

pub fn started(base: &Base, house: &House, number: u8, started_at: Millis) -> ReconciliationId {
    let new = new_run(house, number, started_at);
    assert_eq!(base.write(|tx| reconciliations::start(tx, &house.scope, &new)), None);
    new.id
}

#[test]
fn one_comparison_of_an_account_runs_at_a_time() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = started(base, &tea, 1, NOW);
        let start =
            |number, moment| base.write(|tx| reconciliations::start(tx, &tea.scope, &new_run(&tea, number, moment)));
        assert_eq!(start(2, at(99)).map(|running| running.id), Some(first));
        let next_day = Reconciliation { day: "2026-02-01".to_owned(), ..new_run(&tea, 2, at(99)) };
        let running = base.write(|tx| reconciliations::start(tx, &tea.scope, &next_day));
        assert_eq!(running.map(|running| running.id), Some(first), "days of an account take turns");
        base.write(|tx| reconciliations::renew(tx, &tea.scope, first, at(301)));
        assert_eq!(start(2, at(100)).map(|running| running.id), Some(first), "its clock is a little ahead");
        base.write(|tx| reconciliations::renew(tx, &tea.scope, first, at(300)));
        assert_eq!(start(2, at(200)).map(|running| running.id), Some(first), "it says that it still runs");
        // Its process is gone.
        let later = |tx: &mut saoma_store::Tx<'_>| reconciliations::renew(tx, &tea.scope, first, at(9_000_000));
        base.write(later);
        assert_eq!(start(2, at(300)), None, "a lease by a clock that was ahead");
        let second = new_run(&tea, 2, at(300)).id;
        let stale = Err(StoreError::Stale { what: "the reconciliation" });
        assert_eq!(base.try_write(|tx| reconciliations::renew(tx, &tea.scope, first, at(900))), stale);
        let cut = base.read(|tx| reconciliations::load(tx, &tea.scope, first));
        assert_eq!((cut.state, cut.words.as_deref()), (State::Failed, Some("it was cut off")));
        let bill = fetch(base, &tea, DAY, "one", &[]);
        let result = Counted { revision: 1, ours: 3, ..Counted::default() };
        let done = Ended::Done { bill, result: result.clone() };
        base.write(|tx| reconciliations::end(tx, &tea.scope, second, &done, at(400)));
        assert_eq!(base.try_write(|tx| reconciliations::end(tx, &tea.scope, second, &done, at(401))), stale);
        let tries =
            |ready_at| base.read(|tx| reconciliations::tries(tx, &tea.scope, tea.account, DAY, ready_at)).expect("one");
        let ready = tries(at(300));
        assert_eq!((ready.newest.id, ready.newest.result, ready.newest.bill), (second, Some(result), Some(bill)));
        assert_eq!((ready.failures, ready.done, ready.last_done_at), (0, 1, Some(at(300))));
        assert_eq!((tries(at(301)).done, tries(at(301)).last_done_at), (0, None), "it began before the bill was whole");
        let other = Reconciliation { day: "2026-01-30".to_owned(), ..new_run(&tea, 3, at(500)) };
        assert_eq!(base.write(|tx| reconciliations::start(tx, &tea.scope, &other)), None);
        let ids = |account, day: Option<&str>, after| {
            let listed = base.read(|tx| reconciliations::list(tx, &tea.scope, account, day, after, 2));
            listed.iter().map(|run| run.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some(tea.account), Some(DAY), None), [second, first]);
        assert_eq!(ids(None, None, None), [other.id, second]);
        let after = reconciliations::Cursor { at: at(300), id: second };
        assert_eq!(after.to_string().parse(), Ok(after));
        assert_eq!(ids(None, None, Some(after)), [first]);
    });
}

#[test]
fn of_two_that_start_at_once_one_runs() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let start = |number| {
            move |tx: &mut saoma_store::Tx<'_>| reconciliations::start(tx, &tea.scope, &new_run(&tea, number, NOW))
        };
        let (first, second) = base.overlap(start(1), || base.write(start(2)));
        assert_eq!((first, second.map(|running| running.id)), (Ok(None), Some(new_run(&tea, 1, NOW).id)));
    });
}

/// A foreign key without an index on its own side reads a whole table for each row that is taken away.
#[test]
fn a_bill_is_taken_away_without_reading_other_tables_whole() {
    let base = Base::new(saoma_store::Dialect::Sqlite);
    let plan = base.plan("DELETE FROM bills WHERE tenant_id = 'mrc_x' AND id = 1");
    assert!(plan.iter().any(|step| step.contains("bill_lines")), "keys are in the plan: {plan:?}");
    assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
}

#[test]
fn a_payout_is_booked_once_from_the_channel_to_the_bank() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let new = payouts::Payout { amount: cny(900), expected_minor: 1_000, ..payout(&tea) };
        base.write(|tx| payouts::enter(tx, &tea.scope, &new));
        let mut again = payouts::Payout { id: PayoutId::from_bytes(bytes(b'T', 2)), entered_at: at(5), ..new.clone() };
        let taken = base.try_write(|tx| payouts::enter(tx, &tea.scope, &again));
        assert_eq!(taken, Err(StoreError::Conflict { what: "the payout's reference" }));
        again.reference = "B2".to_owned();
        base.write(|tx| payouts::enter(tx, &tea.scope, &again));
        let balances: Vec<String> = base
            .read(|tx| ledger::balances(tx, &tea.scope, None))
            .iter()
            .map(|balance| format!("{} {}", balance.account.text(), balance.money.minor()))
            .collect();
        assert_eq!(balances, ["bank 1800", "channel_clearing -1800"]);
        let list = |account, after, limit| base.read(|tx| payouts::list(tx, &tea.scope, account, after, limit));
        assert_eq!(list(Some(tea.account), None, 9), [again.clone(), new.clone()]);
        let after = payouts::Cursor { at: at(5), id: again.id };
        assert_eq!(after.to_string().parse(), Ok(after));
        assert_eq!(list(None, Some(after), 9), [new]);
        assert_eq!(list(Some(ChannelAccountId::from_bytes([1; 16])), None, 9), []);

        // One was a mistake: what it booked is booked back, and its reference is free for the right one.
        let mistake = payouts::Reversed { by: "usr_a".to_owned(), at: at(9), reason: "mistyped".to_owned() };
        base.write(|tx| payouts::reverse(tx, &tea.scope, again.id, &mistake));
        let twice = base.try_write(|tx| payouts::reverse(tx, &tea.scope, again.id, &mistake));
        assert_eq!(twice, Err(StoreError::Stale { what: "the payout" }));
        let right = payouts::Payout { id: PayoutId::from_bytes(bytes(b'T', 3)), amount: cny(90), ..again.clone() };
        base.write(|tx| payouts::enter(tx, &tea.scope, &right));
        let bank = base.read(|tx| ledger::balances(tx, &tea.scope, None));
        assert_eq!(bank.iter().map(|balance| balance.money.minor()).collect::<Vec<_>>(), [990, -990]);
        let taken_back = base.read(|tx| payouts::load(tx, &tea.scope, again.id));
        assert_eq!(taken_back.reversed, Some(mistake));
        let of_days = |from: &str, to: &str| {
            let found = base.read(|tx| payouts::of_days(tx, &tea.scope, tea.account, Currency::CNY, from, to));
            found.iter().map(|payout| payout.amount.minor()).collect::<Vec<_>>()
        };
        assert_eq!(of_days("2026-01-01", "2026-02-28"), [900, 90], "those that stand");
        assert_eq!(of_days("2026-02-01", "2026-02-28"), [0; 0]);
    });
}

//! Bills, what the books say of the same days, comparisons of both, and what did not agree.

use saoma_domain::{
    ledger::{Kind, rules},
    payment::{Method, State as PaymentState},
    recon::{Class, Finding, Key, Known, Movement, Ours, Side, Standing, Theirs, only_ours, only_theirs, unreadable},
};
use saoma_protocol::{
    ChannelAccountId, Currency, DiscrepancyId, Millis, Money, PayoutId, ReconciliationId, api::RefundKind,
};
use saoma_store::{
    StoreError,
    bills::{self, NewLine, Said},
    channel_accounts,
    discrepancies::{self, Discrepancy, Filter, Run},
    ledger::{self, Booking, Span, Subject},
    payouts,
    reconciliations::{self, Counted, Ended, Reconciliation, State},
    refunds,
};

use crate::{
    base::{Base, on_both},
    house::{DAY_MS, House, NOW, account, at, bytes, captured, cny},
    isolation::payout,
};

const DAY: &str = "2026-01-31";

fn side(minor: i64, fee_minor: i64) -> Side {
    let money = |minor| Money::new(minor, Currency::CNY);
    Side { money: money(minor), fee: money(fee_minor), at: NOW }
}

fn key(number: &str, movement: Movement) -> Key {
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
    let id = base.write(|tx| bills::begin(tx, &house.scope, house.account, day, NOW));
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
        let found = base.read(|tx| bills::find(tx, &tea.scope, first, &keys.iter().collect::<Vec<_>>()));
        assert_eq!(found.iter().map(|row| row.line).collect::<Vec<_>>(), [1], "the first line of those that it has");

        let second = fetch(base, &tea, DAY, "two", &[vec![row(1, "pay_b", Movement::Payment, 4)]]);
        let newest = base.read(|tx| bills::newest(tx, &tea.scope, tea.account, DAY)).expect("a bill");
        assert_eq!((newest.id, newest.revision, newest.digest.as_str(), newest.lines), (second, 2, "two", 1));
        assert_eq!(read(base, &tea, first, 100), expected, "what was there before stays");
        assert_eq!(base.read(|tx| bills::newest(tx, &tea.scope, tea.account, "2026-01-30")), None);
        let twice = base.try_write(|tx| bills::finish(tx, &tea.scope, second, 1, 0, "x", NOW));
        assert_eq!(twice, Err(StoreError::NotFound { what: "the bill" }), "a whole bill does not change");
    });
}

#[test]
fn a_bill_that_was_cut_off_leaves_nothing() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let whole = fetch(base, &tea, DAY, "one", &[vec![row(1, "a", Movement::Payment, 5)]]);
        let cut = base.write(|tx| bills::begin(tx, &tea.scope, tea.account, DAY, NOW));
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
        // What answered a bill is not compared with one.
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
            format!("{one} payment 1000 8"),
            format!("{two} payment 500 3"),
            format!("{two} reversal 500 0"),
            format!("{five} payment 300 2"),
            format!("{five} reversal 300 -2"),
            format!("{back} refund 200 0"),
            format!("{late} refund 900 -5"),
        ];
        expected.sort();
        let read = |span: Span, limit: u32| {
            let (mut rows, mut last) = (Vec::new(), None::<Key>);
            loop {
                let page = base.read(|tx| ledger::movements(tx, &tea.scope, &span, last.as_ref(), limit));
                let Some(end) = page.last() else { break rows };
                last = Some(end.key.clone());
                rows.extend(page);
            }
        };
        for limit in [1, 3, 100] {
            assert_eq!(told(&read(span(&tea), limit)), expected, "pages of {limit}");
        }
        // A channel that knows no refunds is told of what came late by a cancel.
        let by_cancel = told(&read(Span { late_by_cancel: true, ..span(&tea) }, 100));
        assert!(by_cancel.contains(&format!("{four} reversal 900 -5")), "{by_cancel:?}");

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
                None => "nothing".to_owned(),
            })
            .collect();
        let moved = [format!("{four} payment 900 5"), format!("{back} refund 200 0")];
        let [captured, refunded] = &moved;
        assert_eq!(shown, [captured, "succeeded", "reversed", refunded, "nothing", "nothing", "nothing"]);
    });
}

fn new_run(house: &House, number: u8, started_at: Millis) -> Reconciliation {
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
fn one_comparison_of_a_day_runs_at_a_time() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = started(base, &tea, 1, NOW);
        let start =
            |number, moment| base.write(|tx| reconciliations::start(tx, &tea.scope, &new_run(&tea, number, moment)));
        assert_eq!(start(2, at(99)).map(|running| running.id), Some(first));
        base.write(|tx| reconciliations::renew(tx, &tea.scope, first, at(300)));
        assert_eq!(start(2, at(200)).map(|running| running.id), Some(first), "it says that it still runs");
        // Its process is gone.
        assert_eq!(start(2, at(300)), None);
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
        let (newest, failures) =
            base.read(|tx| reconciliations::newest(tx, &tea.scope, tea.account, DAY)).expect("one");
        assert_eq!((newest.id, newest.result, newest.bill, failures), (second, Some(result), Some(bill), 0));
        // Another account or day is another matter.
        let other = Reconciliation { day: "2026-01-30".to_owned(), ..new_run(&tea, 3, at(500)) };
        assert_eq!(base.write(|tx| reconciliations::start(tx, &tea.scope, &other)), None);
        let ids = |account, day: Option<&str>, after| {
            let listed = base.read(|tx| reconciliations::list(tx, &tea.scope, account, day, after, 2));
            listed.iter().map(|run| run.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(Some(tea.account), Some(DAY), None), [second, first]);
        assert_eq!(ids(None, None, None), [other.id, second]);
        let after = reconciliations::Cursor { started_at: at(300), id: second };
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
        let after = payouts::Cursor { entered_at: at(5), id: again.id };
        assert_eq!(after.to_string().parse(), Ok(after));
        assert_eq!(list(None, Some(after), 9), [new]);
        assert_eq!(list(Some(ChannelAccountId::from_bytes([1; 16])), None, 9), []);
    });
}

fn lacks(number: &str, minor: i64) -> Finding {
    only_ours(&Ours { key: key(number, Movement::Payment), side: side(minor, 1) }, None, true)
}

fn strange(number: &str, minor: i64) -> Finding {
    only_theirs(&Theirs { key: key(number, Movement::Payment), side: side(minor, 1), line: 4 }, Known::Nothing)
}

#[test]
fn a_repeated_comparison_keeps_what_was_decided_and_closes_what_is_gone() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut next = 0;
        let mut found = |findings: Vec<Finding>| -> Vec<(DiscrepancyId, Finding)> {
            let mut id = || {
                next += 1;
                DiscrepancyId::from_bytes(bytes(b'T', next))
            };
            findings.into_iter().map(|finding| (id(), finding)).collect()
        };
        let run = |number, day: &str| Run {
            id: started_on(base, &tea, number, day),
            account: tea.account,
            day: day.to_owned(),
        };
        let keep = |run: &Run, found: &[(DiscrepancyId, Finding)], moment| {
            base.write(|tx| discrepancies::keep(tx, &tea.scope, run, found, moment));
            base.write(|tx| discrepancies::close_others(tx, &tea.scope, run, moment))
        };
        let all = || {
            let list = base.read(|tx| discrepancies::list(tx, &tea.scope, &Filter::default(), None, 50));
            let mut told: Vec<String> = list
                .iter()
                .map(|one| {
                    let number = one.finding.key.as_ref().map_or("-", |key| key.number.as_str());
                    let minor = one.finding.ours.or(one.finding.theirs).map_or(0, |side| side.money.minor());
                    format!("{} {} {number} {minor} {}", one.day, one.finding.class.text(), one.standing.text())
                })
                .collect();
            told.sort();
            told
        };
        let first = run(1, DAY);
        let findings = vec![
            lacks("a", 5),
            lacks("b", 6),
            strange("c", 7),
            unreadable(2, "?".to_owned()),
            unreadable(9, "!".to_owned()),
        ];
        assert_eq!(keep(&first, &found(findings.clone()), at(1)), 0);
        let read = base.read(|tx| discrepancies::list(tx, &tea.scope, &Filter::default(), None, 50));
        let mut back: Vec<Finding> = read.iter().map(|one| one.finding.clone()).collect();
        back.sort_by_key(|finding| findings.iter().position(|one| one == finding));
        assert_eq!(back, findings, "what was found is read back as it was");

        // A person books c away, two others write line 2 off.
        let decide = |number: &str, standing: Standing| {
            let one = read.iter().find(|one| one.finding.key.as_ref().map_or("-", |key| key.number.as_str()) == number);
            let mut one: Discrepancy = one.expect("it").clone();
            one.standing = standing;
            base.write(|tx| discrepancies::save(tx, &tea.scope, &mut one.clone()));
            let stale = base.try_write(|tx| discrepancies::save(tx, &tea.scope, &mut one.clone()));
            assert_eq!(stale, Err(StoreError::Stale { what: "the discrepancy" }));
        };
        decide("c", Standing::Resolved);
        decide("a", Standing::WriteOffProposed);
        // The same bill again: nothing moves. A revised one: a is of another amount, b is gone, and so is line 2.
        let second = run(2, DAY);
        assert_eq!(keep(&second, &found(findings), at(2)), 0);
        let third = run(3, DAY);
        let gone = keep(
            &third,
            &found(vec![lacks("a", 4), strange("c", 7), strange("d", 1), unreadable(9, "!".to_owned())]),
            at(3),
        );
        assert_eq!(gone, 2);
        let shown = [
            "2026-01-31 missing_here c 7 resolved",
            "2026-01-31 missing_here d 1 open",
            // Nobody has agreed to write that off.
            "2026-01-31 missing_there a 4 open",
            "2026-01-31 missing_there b 6 closed",
            "2026-01-31 unreadable - 0 closed",
            "2026-01-31 unreadable - 0 open",
        ];
        assert_eq!(all(), shown);
        // Another amount of what was booked away is another matter.
        let fourth = run(4, DAY);
        keep(&fourth, &found(vec![strange("c", 8), lacks("a", 4)]), at(4));
        assert!(all().contains(&"2026-01-31 missing_here c 8 open".to_owned()) && all().contains(&shown[0].to_owned()));

        // The next day's bill has a.
        let theirs = Theirs { key: key("a", Movement::Payment), side: side(4, 1), line: 1 };
        let known = Known::Moved { side: side(4, 1), is_near: true, is_listed: false };
        let fifth = run(5, "2026-02-01");
        keep(&fifth, &found(vec![only_theirs(&theirs, known)]), at(5));
        let after = all();
        assert!(after.contains(&"2026-01-31 missing_there a 4 closed".to_owned()), "{after:?}");
        assert!(after.contains(&"2026-02-01 cut_off a 4 closed".to_owned()), "{after:?}");

        let of = |filter: Filter| base.read(|tx| discrepancies::list(tx, &tea.scope, &filter, None, 50)).len();
        assert_eq!(of(Filter { waiting: true, ..Filter::default() }), 1);
        assert_eq!(of(Filter { standing: Some(Standing::Resolved), ..Filter::default() }), 1);
        assert_eq!(of(Filter { class: Some(Class::CutOff), ..Filter::default() }), 1);
        assert_eq!(of(Filter { day: Some(DAY.to_owned()), account: Some(tea.account), ..Filter::default() }), 7);
        let (mut paged, mut last) = (0, None);
        loop {
            let page = base.read(|tx| discrepancies::list(tx, &tea.scope, &Filter::default(), last, 3));
            let Some(end) = page.last() else { break };
            last = Some(discrepancies::Cursor { found_at: end.found_at, id: end.id });
            paged += page.len();
        }
        assert_eq!(paged, 8);
        assert_eq!(last.expect("one").to_string().parse(), Ok(last.expect("one")));
    });
}

fn started_on(base: &Base, house: &House, number: u8, day: &str) -> ReconciliationId {
    let new = Reconciliation { day: day.to_owned(), ..new_run(house, number, at(i64::from(number) * 1_000)) };
    assert_eq!(base.write(|tx| reconciliations::start(tx, &house.scope, &new)), None);
    new.id
}

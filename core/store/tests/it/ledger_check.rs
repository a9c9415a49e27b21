//! Proving the books: what does not hold is found, by the news or by the whole, told once, and over when it holds again.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_domain::{
    ledger::{Kind, rules},
    payment::{Method, State},
};
use saoma_store::ledger::{self, Booking, CheckState, Finding, Subject};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, captured, cny},
};

/// Sells for 5.00 and books it, as core does.
fn sell(base: &Base, house: &House, number: u8) {
    house.sell(base, number, cny(500), &captured(0, 0));
    let subject = Subject::Payment(house.payment_id(number));
    let booking =
        Booking { subject, kind: Kind::Captured, channel_account: Some(house.account), at: NOW, booked_at: NOW };
    base.write(|tx| {
        saoma_store::events::append(tx, &house.scope, &house.event(house.payment_id(number), "succeeded"))?;
        ledger::post(tx, &house.scope, &booking, &rules::captured(Method::CustomerPresented, cny(500), cny(3).money()))
    });
}

fn codes(findings: &[Finding]) -> Vec<(String, &'static str)> {
    findings.iter().map(|finding| (finding.subject.clone(), finding.code)).collect()
}

#[test]
fn states_and_postings_that_disagree_are_found() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell(base, &tea, 1);
        assert_eq!(base.read(|tx| ledger::check(tx, &tea.scope)), []);
        // Paid, and nothing was booked.
        tea.sell(base, 2, cny(500), &captured(0, 0));
        // Not paid, and nothing was booked: fine.
        tea.sell(base, 3, cny(500), &State::Unknown { since: NOW });
        // A refund that is set aside in its row alone.
        sell(base, &tea, 4);
        tea.give_back(base, 4, tea.payment_id(4), cny(100));
        let found = base.read(|tx| ledger::check(tx, &tea.scope));
        let (two, four) = (tea.payment_id(2).to_string(), tea.payment_id(4).to_string());
        assert_eq!(codes(&found), [(two, "account"), (four.clone(), "in_transit"), (four, "reserved")]);
        assert!(
            found[0].detail.contains("ChannelClearing holds 0 of it, and by its state it should be 500"),
            "{found:?}"
        );
    });
}

#[test]
fn the_news_alone_are_looked_at() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell(base, &tea, 1);
        let state = base.read(|tx| CheckState::newest(tx, &tea.scope, NOW));
        assert_eq!(base.read(|tx| ledger::check_news(tx, &tea.scope, state.through_event)).1, None);
        assert_eq!(base.read(|tx| ledger::check_sets(tx, &tea.scope, state.through_set)), (vec![], None));
        sell(base, &tea, 2);
        let (proven, last) = base.read(|tx| ledger::check_news(tx, &tea.scope, state.through_event));
        assert_eq!((proven.payments, proven.findings), (vec![tea.payment_id(2)], vec![]));
        assert!(last > Some(state.through_event));
        sql_query("UPDATE payments SET refunded_minor = 200")
            .execute(&mut base.raw())
            .expect("a change behind our back");
        let (proven, _) = base.read(|tx| ledger::check_news(tx, &tea.scope, state.through_event));
        let two = tea.payment_id(2).to_string();
        assert_eq!(codes(&proven.findings), [(two.clone(), "account"), (two, "refunded")]);
    });
}

#[test]
fn a_finding_is_told_until_it_is_over() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let finding =
            |subject: &str, code| Finding { subject: subject.to_owned(), code, detail: "it is off".to_owned() };
        let record = |now: i64, found: &[Finding], looked_at: Option<&[String]>| {
            let state = CheckState { through_set: now, through_event: now, checked_at: at(now), whole_at: NOW };
            base.write(|tx| ledger::record(tx, &tea.scope, &state, found, looked_at));
            assert_eq!(base.read(|tx| ledger::state(tx, &tea.scope)), Some(state));
            let open = base.read(|tx| ledger::findings(tx, &tea.scope));
            open.into_iter().map(|open| (open.subject, open.found_at - NOW.0, open.seen_at - NOW.0)).collect::<Vec<_>>()
        };
        let open = |subject: &str, found_at, seen_at| (subject.to_owned(), found_at, seen_at);
        assert_eq!(base.read(|tx| ledger::state(tx, &tea.scope)), None);
        assert_eq!(
            record(1, &[finding("pay_1", "account"), finding("CNY", "sum")], None),
            [open("CNY", 1, 1), open("pay_1", 1, 1)]
        );
        assert_eq!(
            record(2, &[finding("pay_1", "account")], Some(&["pay_1".to_owned()])),
            [open("CNY", 1, 1), open("pay_1", 1, 2)]
        );
        assert_eq!(record(3, &[], Some(&["pay_2".to_owned()])), [open("CNY", 1, 1), open("pay_1", 1, 2)]);
        assert_eq!(record(4, &[], Some(&["pay_1".to_owned()])), [open("CNY", 1, 1)]);
        assert_eq!(record(5, &[], None), []);
        // It does not hold again: the same finding is open once more.
        assert_eq!(record(6, &[finding("CNY", "sum")], None), [open("CNY", 1, 6)]);
    });
}

#[test]
fn totals_that_were_written_down_wrong_are_found() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sell(base, &tea, 1);
        sell(base, &tea, 2);
        assert!(base.write(|tx| ledger::checkpoint(tx, &tea.scope, 3)));
        assert!(!base.write(|tx| ledger::checkpoint(tx, &tea.scope, 3)), "one set is left over");
        assert_eq!(base.read(|tx| ledger::check(tx, &tea.scope)), []);
        sql_query("UPDATE ledger_checkpoints SET debits_minor = debits_minor + 1 WHERE account = 'fees'")
            .execute(&mut base.raw())
            .expect("a change behind our back");
        let found = base.read(|tx| ledger::check(tx, &tea.scope));
        let told: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(told, ["checkpoint", "sum"]);
    });
}

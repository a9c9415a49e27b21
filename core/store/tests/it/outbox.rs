//! The outbox: due in order, one claimer each, gone once acknowledged.

use saoma_protocol::{Millis, Sequence};
use saoma_store::{
    Dialect, StoreError, events,
    outbox::{self, Due, Kind, NewMessage},
    terminals,
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, captured, cny},
};

fn push(base: &Base, house: &House, payload: &str) -> Sequence {
    base.write(|tx| outbox::append(tx, &house.scope, &house.push(payload)))
}

fn ids(due: &[Due]) -> Vec<Sequence> {
    due.iter().map(|due| due.message.id).collect()
}

fn claim(base: &Base, kind: Kind, now: i64, lease_until: i64, limit: u32) -> Vec<Due> {
    base.write(|tx| outbox::claim_due(tx, &PLATFORM, "here", kind, at(now), at(lease_until), limit))
}

#[test]
fn what_was_written_comes_out_in_order() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        let written = [push(base, &tea, "1"), push(base, &milk, "2"), push(base, &tea, "3")];
        assert!(written[0] < written[1] && written[1] < written[2], "{written:?}");
        let first = claim(base, Kind::Push, 0, 50, 2);
        assert_eq!(ids(&first), written[..2]);
        assert_eq!(first.iter().map(|due| due.scope).collect::<Vec<_>>(), [tea.scope, milk.scope]);
        let message = &first[0].message;
        assert_eq!(message.message, tea.push("1"));
        assert_eq!((message.attempts, message.next_at, message.acked_at), (1, at(50), None));
        assert_eq!(ids(&claim(base, Kind::Push, 0, 50, 10)), written[2..]);
        assert_eq!(ids(&claim(base, Kind::Push, 49, 90, 10)), []);
        // Nobody said that they arrived, so they are sent again, in order.
        let again = claim(base, Kind::Push, 50, 90, 10);
        assert_eq!(ids(&again), written);
        assert!(again.iter().all(|due| due.message.attempts == 2), "{again:?}");
    });
}

#[test]
fn nothing_of_a_transaction_that_failed_is_sent() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let refused = base.try_write(|tx| {
            outbox::append(tx, &tea.scope, &tea.push("1"))?;
            Err::<(), _>(StoreError::NotFound { what: "a reason" })
        });
        assert!(refused.is_err());
        assert_eq!(claim(base, Kind::Push, 0, 50, 10), []);
        assert_eq!(base.read(|tx| outbox::next_due_at(tx, &PLATFORM, Kind::Push, NOW)), None);
    });
}

#[test]
fn each_kind_has_its_own_worker() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let hook = NewMessage { kind: Kind::Webhook, terminal: None, payload: "{}".to_owned(), created_at: at(7) };
        let hook = base.write(|tx| outbox::append(tx, &tea.scope, &hook));
        let push = push(base, &tea, "1");
        let next = |kind| base.read(|tx| outbox::next_due_at(tx, &PLATFORM, kind, NOW));
        assert_eq!((next(Kind::Push), next(Kind::Webhook)), (Some(NOW), Some(at(7))));
        assert_eq!(ids(&claim(base, Kind::Webhook, 6, 50, 10)), []);
        assert_eq!(ids(&claim(base, Kind::Webhook, 7, 50, 10)), [hook]);
        assert_eq!(ids(&claim(base, Kind::Push, 7, 50, 10)), [push]);
        base.write(|tx| outbox::resend_at(tx, &tea.scope, hook, at(9)));
        assert_eq!(next(Kind::Webhook), Some(at(9)));
        base.write(|tx| outbox::settle(tx, &tea.scope, hook, at(10)));
        assert_eq!(next(Kind::Webhook), None);
        // A wish to send again that comes late raises no dead.
        base.write(|tx| outbox::resend_at(tx, &tea.scope, hook, at(11)));
        assert_eq!(claim(base, Kind::Webhook, 1_000, 2_000, 10), []);
        // Written by a clock that was a day ahead.
        let early =
            NewMessage { kind: Kind::Webhook, terminal: None, payload: "{}".to_owned(), created_at: at(86_400_000) };
        let early = base.write(|tx| outbox::append(tx, &tea.scope, &early));
        assert_eq!(next(Kind::Webhook), Some(NOW));
        assert_eq!(ids(&claim(base, Kind::Webhook, 1_000, 2_000, 10)), [early]);
    });
}

#[test]
fn what_the_terminal_has_is_not_sent_again() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let written = [push(base, &tea, "1"), push(base, &tea, "2"), push(base, &tea, "3")];
        let pending = |after: Sequence| -> Vec<Sequence> {
            let messages = base.read(|tx| outbox::pending(tx, &tea.scope, tea.terminal, after, 10));
            messages.into_iter().map(|message| message.id).collect()
        };
        assert_eq!(pending(Sequence(0)), written);
        assert_eq!(pending(written[0]), written[1..]);
        let ack = |ids: &[Sequence]| base.write(|tx| outbox::ack(tx, &tea.scope, tea.terminal, ids, at(5)));
        assert_eq!(ack(&[written[1], Sequence(999_999), Sequence(u64::MAX)]), 1);
        assert_eq!(ack(&[written[1]]), 0, "saying it again is fine");
        assert_eq!(ack(&[]), 0);
        assert_eq!(pending(Sequence(0)), [written[0], written[2]]);
        assert_eq!(ids(&claim(base, Kind::Push, 1_000, 2_000, 10)), [written[0], written[2]]);
        // It is back: what it has not got is due now, not when the lease ends.
        assert_eq!(base.write(|tx| outbox::hurry(tx, &tea.scope, tea.terminal, at(1_001))), 2);
        assert_eq!(ids(&claim(base, Kind::Push, 1_001, 2_000, 10)), [written[0], written[2]]);
        // Only what was acknowledged long enough ago is forgotten.
        assert_eq!(base.write(|tx| outbox::prune(tx, &PLATFORM, at(5))), 0);
        assert_eq!(base.write(|tx| outbox::prune(tx, &PLATFORM, at(6))), 1);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM outbox"), 2);
    });
}

#[test]
fn ids_are_never_given_twice() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let last = push(base, &tea, "1");
        base.write(|tx| outbox::ack(tx, &tea.scope, tea.terminal, &[last], NOW));
        assert_eq!(base.write(|tx| outbox::prune(tx, &PLATFORM, Millis(i64::MAX))), 1);
        // A terminal that remembers the highest id it saw must not take a new message for an old one.
        assert!(push(base, &tea, "2") > last);
    });
}

#[test]
fn no_two_claimers_get_the_same_message() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let written: Vec<Sequence> = base.write(|tx| {
            (0..120).map(|number| outbox::append(tx, &tea.scope, &tea.push(&number.to_string()))).collect()
        });
        let mut claimed: Vec<Sequence> = std::thread::scope(|scope| {
            let work = || {
                let mut mine = Vec::new();
                loop {
                    let some = ids(&claim(base, Kind::Push, 1, 1_000, 7));
                    if some.is_empty() {
                        return mine;
                    }
                    assert!(some.is_sorted(), "{some:?}");
                    mine.extend(some);
                }
            };
            let claimers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            claimers.into_iter().flat_map(|claimer| claimer.join().expect("a claimer")).collect()
        });
        claimed.extend(ids(&claim(base, Kind::Push, 1, 1_000, 1_000)));
        claimed.sort();
        assert_eq!(claimed, written);
        assert_eq!(base.count("SELECT COUNT(*) AS n FROM outbox WHERE attempts <> 1"), 0);
    });
}

#[test]
fn a_claim_that_is_not_committed_yet_is_passed_over() {
    let base = Base::new(Dialect::Postgres);
    let tea = House::build(&base, b'T');
    let written = [push(&base, &tea, "1"), push(&base, &tea, "2")];
    let (first, second) = base.write(|tx| {
        let first = ids(&outbox::claim_due(tx, &PLATFORM, "here", Kind::Push, NOW, at(50), 1)?);
        Ok((first, ids(&claim(&base, Kind::Push, 0, 50, 10))))
    });
    assert_eq!((first, second), (vec![written[0]], vec![written[1]]));
}

#[test]
fn a_message_and_an_event_know_the_trace_that_caused_them() {
    on_both(|base| {
        const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let tea = House::build(base, b'T');
        push(base, &tea, "1");
        let traced = base.store.clone().noting_trace(|| Some(TRACE.to_owned()));
        let paid = tea.sell(base, 1, cny(900), &captured(0, 0)).payment.id;
        base.write(|tx| events::append(tx, &tea.scope, &tea.event(paid, "succeeded")));
        let refund = tea.refund(1, paid, cny(100));
        traced
            .write_blocking(|tx| {
                saoma_store::refunds::insert_new(tx, &tea.scope, &refund)?;
                let event = events::NewEvent { refund: Some(refund.refund.id), ..tea.event(paid, "refund_submitted") };
                events::append(tx, &tea.scope, &event)?;
                outbox::append(tx, &tea.scope, &tea.push("2"))
            })
            .expect("a write");
        let sent: Vec<_> = claim(base, Kind::Push, 0, 50, 10).into_iter().map(|due| due.message.traceparent).collect();
        assert_eq!(sent, [None, Some(TRACE.to_owned())]);
        let trace = |refund| base.read(|tx| events::trace_of(tx, &tea.scope, paid, refund));
        assert_eq!((trace(Some(refund.refund.id)).as_deref(), trace(None)), (Some(TRACE), None));
    });
}

#[test]
fn the_backlog_is_counted_until_it_is_acknowledged() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let backlog = || base.read(|tx| outbox::backlog(tx, &PLATFORM, Kind::Push));
        assert_eq!(backlog(), outbox::Backlog { messages: 0, oldest: None });
        let first = push(base, &tea, "1");
        base.write(|tx| outbox::append(tx, &milk.scope, &NewMessage { created_at: at(3), ..milk.push("2") }));
        let hook = NewMessage { kind: Kind::Webhook, terminal: None, ..tea.push("{}") };
        base.write(|tx| outbox::append(tx, &tea.scope, &hook));
        assert_eq!(backlog(), outbox::Backlog { messages: 2, oldest: Some(NOW.min(at(3))) });
        base.write(|tx| outbox::ack(tx, &tea.scope, tea.terminal, &[first], at(9)));
        assert_eq!(backlog(), outbox::Backlog { messages: 1, oldest: Some(at(3)) });
    });
}

/// More than one statement of SQLite takes variables.
#[test]
fn a_terminal_may_acknowledge_any_number_at_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let had = push(base, &tea, "1");
        let all: Vec<Sequence> = (1..=40_000).map(Sequence).collect();
        assert_eq!(base.write(|tx| outbox::ack(tx, &tea.scope, tea.terminal, &all, at(1))), 1);
        assert_eq!(base.write(|tx| outbox::ack(tx, &tea.scope, tea.terminal, &[had], at(2))), 0);
    });
}

#[test]
fn what_a_terminal_will_never_fetch_is_not_sent_again() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let (_, others) = (push(base, &tea, "1"), push(base, &milk, "2"));
        base.write(|tx| terminals::revoke(tx, &tea.scope, tea.terminal, at(1)));
        assert_eq!(ids(&claim(base, Kind::Push, 1, 50, 10)), [others]);
    });
}

#[test]
fn of_what_is_of_use_for_a_while_the_newest_wait() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let (first, others) = (push(base, &tea, "told 1"), push(base, &milk, "told 1"));
        let [refund, second, third] = ["refund", "told 2", "told 3"].map(|payload| push(base, &tea, payload));
        let keep = |keep| base.write(|tx| outbox::keep_newest(tx, &tea.scope, tea.terminal, "told", keep, at(1)));
        assert_eq!([keep(3), keep(2), keep(2)], [0, 1, 0], "{first:?}");
        assert_eq!(ids(&claim(base, Kind::Push, 1, 50, 10)), [others, refund, second, third]);
    });
}

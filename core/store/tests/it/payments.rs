//! Orders and payments: new or there before, saved by one, listed in pages, handed to workers.

use std::collections::BTreeSet;

use saoma_domain::payment::{Capture, Close, State};
use saoma_protocol::{
    PaymentId, Sequence,
    api::{Failure, PaymentState},
};
use saoma_store::{
    Dialect, Insertion, StoreError,
    leases::{self, Renewal},
    orders,
    payments::{self, Cursor, Due, Filter},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, captured, cny},
};

const STALE: StoreError = StoreError::Stale { what: "the payment" };

fn unknown() -> State {
    State::Unknown { since: NOW }
}

fn claim(base: &Base, now: i64, lease_until: i64, limit: u32) -> Vec<PaymentId> {
    let due = base.write(|tx| payments::claim_due_for_resolving(tx, &PLATFORM, at(now), at(lease_until), limit));
    due.into_iter().map(|due| due.payment.payment.id).collect()
}

#[test]
fn an_order_is_new_once_and_stays_as_it_was() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let order = tea.order(1, cny(500));
        assert_eq!(base.write(|tx| orders::insert_new(tx, &tea.scope, &order)), Insertion::Inserted);
        let other = tea.order(1, cny(900));
        assert_eq!(base.write(|tx| orders::insert_new(tx, &tea.scope, &other)), Insertion::Existing);
        assert_eq!(base.read(|tx| orders::load(tx, &tea.scope, order.id)), order);
        let bare = orders::Order {
            terminal: None,
            counter: None,
            cashier: None,
            reference: None,
            goods: Vec::new(),
            ..tea.order(2, cny(1))
        };
        base.write(|tx| orders::insert_new(tx, &tea.scope, &bare));
        assert_eq!(base.read(|tx| orders::load(tx, &tea.scope, bare.id)), bare);
        let missing = base.try_read(|tx| orders::load(tx, &tea.scope, tea.order_id(9)));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the order" }));
    });
}

#[test]
fn a_payment_is_new_once_and_stays_as_it_was() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let first = tea.sell(base, 1, cny(500), &State::Created);
        let again = payments::StoredPayment { version: 7, ..tea.payment(1, cny(900), captured(0, 0)) };
        assert_eq!(base.write(|tx| payments::insert_new(tx, &tea.scope, &again)), Insertion::Existing);
        assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, first.payment.id)), first);
    });
}

#[test]
fn of_two_that_insert_one_payment_at_once_one_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| orders::insert_new(tx, &tea.scope, &tea.order(1, cny(500))));
        let payment = tea.payment(1, cny(500), State::Created);
        let mut insertions: Vec<Insertion> = std::thread::scope(|scope| {
            let insert = || base.write(|tx| payments::insert_new(tx, &tea.scope, &payment));
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(insert)).collect();
            starts.into_iter().map(|start| start.join().expect("an insert")).collect()
        });
        insertions.sort_by_key(|insertion| *insertion == Insertion::Existing);
        let existing = Insertion::Existing;
        assert_eq!(insertions, vec![Insertion::Inserted, existing, existing, existing]);
    });
}

#[test]
fn every_state_comes_back_as_it_was_saved() {
    let failure = Failure { code: "no_funds".to_owned(), message: "余额不足".to_owned() };
    let states = [
        State::Created,
        State::Presenting { expires_at: at(60_000) },
        State::Submitting { since: at(1) },
        State::Pending { since: at(2) },
        State::Unknown { since: at(3) },
        captured(0, 0),
        captured(200, 300),
        captured(500, 0),
        State::Captured(Capture {
            at: at(4),
            late: true,
            by_hand: true,
            refunded_minor: 0,
            reserved_minor: 500,
            disputed_minor: 0,
        }),
        State::Voided { captured_at: at(5) },
        State::Failed { failure },
        State::Reversed,
        State::Expired { close: Close::Asked },
        State::Expired { close: Close::Confirmed },
        State::Cancelled { close: Close::Asked },
        State::Cancelled { close: Close::Confirmed },
    ];
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut payment = tea.sell(base, 1, cny(500), &State::Created);
        for (number, state) in (2_u8..).zip(&states) {
            // Written at once, and one after the other over the same row.
            let fresh = tea.sell(base, number, cny(500), state);
            assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, fresh.payment.id)), fresh);
            payment.payment.state = state.clone();
            payment.channel_reference = Some(format!("wx-{number}"));
            payment.payer_hint = (number % 2 == 0).then(|| "王*".to_owned());
            let wish = (number % 2 == 0).then(|| at(6));
            // What is over is not closed any more; it may be doubted.
            let may_close = payment.payment.is_open() || matches!(state, State::Created | State::Presenting { .. });
            payment.close_asked_at = wish.filter(|_| may_close);
            payment.watch.doubted_at = wish.filter(|_| !may_close);
            payment.watch.attention_at = (number % 5 == 0).then(|| at(8));
            payment.next_attempt_at = (number % 3 == 0).then(|| at(7));
            payment.attempts = number.into();
            payment.updated_at = at(number.into());
            base.write(|tx| {
                let mut copy = payment.clone();
                payments::save(tx, &tea.scope, &mut copy)
            });
            payment.version += 1;
            assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, payment.payment.id)), payment);
            let filter = Filter { state: Some(payment.payment.public_state()), ..Filter::default() };
            let listed = base.read(|tx| payments::list(tx, &tea.scope, &filter, None, 200)).sales;
            assert!(listed.iter().any(|sale| sale.payment == payment), "{state:?} is not listed as {filter:?}");
        }
    });
}

#[test]
fn who_saves_second_is_stale_and_changes_nothing() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let loaded = tea.sell(base, 1, cny(500), &unknown());
        let (mut first, mut second) = (loaded.clone(), loaded.clone());
        first.payment.state = captured(0, 0);
        base.write(|tx| payments::save(tx, &tea.scope, &mut first));
        assert_eq!(first.version, 2);
        second.payment.state = State::Reversed;
        assert_eq!(base.try_write(|tx| payments::save(tx, &tea.scope, &mut second)), Err(STALE));
        assert_eq!(second.version, 1, "a save that failed counts nothing");
        assert_eq!(base.try_write(|tx| payments::reschedule(tx, &tea.scope, &loaded)), Err(STALE));
        assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, first.payment.id)), first);
        let mut nobody = tea.payment(9, cny(500), unknown());
        let missing = base.try_write(|tx| payments::save(tx, &tea.scope, &mut nobody));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the payment" }));
    });
}

#[test]
fn of_many_that_save_at_once_one_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let loaded = tea.sell(base, 1, cny(500), &unknown());
        let results: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let save = || base.try_write(|tx| payments::save(tx, &tea.scope, &mut loaded.clone()));
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(save)).collect();
            starts.into_iter().map(|start| start.join().expect("a save")).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert_eq!(results.iter().filter(|result| **result == Err(STALE)).count(), 5, "{results:?}");
        assert_eq!(base.read(|tx| payments::load(tx, &tea.scope, loaded.payment.id)).version, 2);
    });
}

#[test]
fn more_cannot_be_given_back_than_was_paid() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut payment = tea.sell(base, 1, cny(500), &captured(0, 0));
        payment.payment.state = captured(300, 201);
        let refused = base.try_write(|tx| payments::save(tx, &tea.scope, &mut payment));
        assert!(matches!(refused, Err(StoreError::Internal { .. })), "{refused:?}");
    });
}

#[test]
fn pages_show_each_payment_once_newest_first() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        // Several of one moment, so that the id must decide.
        for number in 1..=9_u8 {
            tea.sell_with(base, number, cny(100), &unknown(), |payment| payment.created_at = at(i64::from(number) / 3));
        }
        let filter = Filter::default();
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = base.read(|tx| payments::list(tx, &tea.scope, &filter, cursor.as_ref(), 4));
            seen.extend(page.sales.iter().map(|sale| (sale.payment.created_at, sale.payment.payment.id.to_string())));
            pages += 1;
            // What arrives while someone pages is newer than where they are.
            if pages == 1 {
                tea.sell_with(base, 20, cny(100), &unknown(), |payment| payment.created_at = at(99));
            }
            let Some(next) = page.next else { break };
            // The API hands it out as text.
            cursor = Some(next.to_string().parse::<Cursor>().expect("a cursor of our own"));
            assert_eq!(cursor, Some(next));
        }
        let mut expected = seen.clone();
        expected.sort_by(|a, b| b.cmp(a));
        assert_eq!(seen, expected);
        assert_eq!((seen.len(), pages), (9, 3));
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 9);
        // A page that is exactly full is the last one.
        let all = base.read(|tx| payments::list(tx, &tea.scope, &filter, None, 10));
        assert_eq!((all.sales.len(), all.next), (10, None));
        // Nobody gets an empty page by asking for nothing.
        assert_eq!(base.read(|tx| payments::list(tx, &tea.scope, &filter, None, 0)).sales.len(), 1);
    });
}

#[test]
fn a_cursor_that_is_none_is_not_found() {
    for text in ["", "-", "12", "12-", "12-pay", "x-y", "99999999999999999999-a"] {
        assert!(matches!(text.parse::<Cursor>(), Err(StoreError::NotFound { .. })), "{text:?}");
    }
}

#[test]
fn filters_are_all_kept() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(100), &captured(0, 0));
        tea.sell_with(base, 2, cny(100), &captured(100, 0), |payment| payment.created_at = at(10));
        tea.sell_with(base, 3, cny(100), &captured(0, 0), |payment| {
            payment.created_at = at(20);
            payment.terminal = None;
            payment.channel_account = None;
        });
        let numbers = |filter: Filter| -> Vec<String> {
            let listed = base.read(|tx| payments::list(tx, &tea.scope, &filter, None, 10));
            listed.sales.iter().map(|sale| sale.payment.payment.id.to_string()).collect()
        };
        let ids = |numbers: &[u8]| -> Vec<String> {
            numbers.iter().map(|number| tea.payment_id(*number).to_string()).collect()
        };
        let none = Filter::default();
        assert_eq!(numbers(none.clone()), ids(&[3, 2, 1]));
        assert_eq!(numbers(Filter { state: Some(PaymentState::Succeeded), ..none.clone() }), ids(&[3, 1]));
        assert_eq!(numbers(Filter { terminal: Some(tea.terminal), ..none.clone() }), ids(&[2, 1]));
        assert_eq!(numbers(Filter { channel_account: Some(tea.account), ..none.clone() }), ids(&[2, 1]));
        assert_eq!(numbers(Filter { from: Some(at(10)), ..none.clone() }), ids(&[3, 2]));
        assert_eq!(numbers(Filter { to: Some(at(10)), ..none.clone() }), ids(&[1]));
        let store = saoma_protocol::StoreId::from_bytes([9; 16]);
        assert_eq!(numbers(Filter { store: Some(store), ..none.clone() }), ids(&[]));
        let both = Filter { state: Some(PaymentState::Succeeded), from: Some(at(1)), ..none };
        assert_eq!(numbers(both), ids(&[3]));
    });
}

#[test]
fn a_lease_is_one_workers_until_it_ends() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for (number, due) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
            tea.sell_with(base, number, cny(100), &unknown(), |payment| payment.next_attempt_at = Some(at(due)));
        }
        tea.sell(base, 5, cny(100), &unknown());
        let id = |number| tea.payment_id(number);
        assert_eq!(claim(base, 9, 100, 10), []);
        assert_eq!(base.read(|tx| payments::next_due_at(tx, &PLATFORM)), Some(at(10)));
        // The longest due come first.
        assert_eq!(claim(base, 50, 100, 2), [id(2), id(3)]);
        assert_eq!(claim(base, 50, 100, 10), [id(1)]);
        assert_eq!(claim(base, 50, 100, 10), []);
        // The next is payment 4, before the leases end.
        assert_eq!(base.read(|tx| payments::next_due_at(tx, &PLATFORM)), Some(at(99)));
        assert_eq!(claim(base, 99, 200, 10), [id(4)]);
        // A worker that died lost its lease; at its very end it is over.
        assert_eq!(claim(base, 100, 300, 1), [id(2)]);

        // Saving or rescheduling ends a lease at once.
        let mut second = base.read(|tx| payments::load(tx, &tea.scope, id(2)));
        second.next_attempt_at = Some(at(120));
        second.attempts = 3;
        base.write(|tx| payments::reschedule(tx, &tea.scope, &second));
        let after = base.read(|tx| payments::load(tx, &tea.scope, id(2)));
        assert_eq!((after.version, after.attempts, after.next_attempt_at), (1, 3, Some(at(120))));
        let mut third = base.read(|tx| payments::load(tx, &tea.scope, id(3)));
        third.next_attempt_at = Some(at(110));
        base.write(|tx| payments::save(tx, &tea.scope, &mut third.clone()));
        assert_eq!(claim(base, 120, 400, 10), [id(1), id(3), id(2)]);
        // Nothing left to ask: never claimed again.
        for number in 1..=4 {
            let mut done = base.read(|tx| payments::load(tx, &tea.scope, id(number)));
            (done.payment.state, done.next_attempt_at) = (captured(0, 0), None);
            base.write(|tx| payments::save(tx, &tea.scope, &mut done.clone()));
        }
        assert_eq!(claim(base, 1_000, 2_000, 10), []);
        assert_eq!(base.read(|tx| payments::next_due_at(tx, &PLATFORM)), None);
    });
}

#[test]
fn no_two_workers_get_the_same_payment() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for number in 1..=40 {
            tea.sell_with(base, number, cny(100), &unknown(), |payment| payment.next_attempt_at = Some(NOW));
        }
        let mut claimed: Vec<PaymentId> = std::thread::scope(|scope| {
            let work = || {
                let mut mine = Vec::new();
                loop {
                    let some = claim(base, 1, 1_000, 3);
                    if some.is_empty() {
                        return mine;
                    }
                    mine.extend(some);
                }
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
        });
        // Whoever found the rest locked stops early; what nobody took is there for the next, but for one account no more
        // than its share: the rest waits until these are given back.
        claimed.extend(claim(base, 1, 1_000, 100));
        claimed.sort();
        let taken = claimed.len();
        claimed.dedup();
        assert_eq!(claimed.len(), taken, "one payment was given out twice");
        assert!(taken >= payments::IN_HAND_MAX as usize && taken < 40, "{taken} of one account are in hand");
        assert_eq!(claim(base, 2, 1_000, 100), []);
    });
}

#[test]
fn a_claim_that_is_not_committed_yet_is_passed_over() {
    let base = Base::new(Dialect::Postgres);
    let tea = House::build(&base, b'T');
    for number in 1..=3 {
        tea.sell_with(&base, number, cny(100), &unknown(), |payment| payment.next_attempt_at = Some(at(number.into())));
    }
    let ids = |due: Vec<Due>| due.into_iter().map(|due| due.payment.payment.id).collect::<Vec<_>>();
    let (first, second) = base.write(|tx| {
        let first = ids(payments::claim_due_for_resolving(tx, &PLATFORM, at(9), at(99), 2)?);
        Ok((first, claim(&base, 9, 99, 10)))
    });
    assert_eq!((first, second), (vec![tea.payment_id(1), tea.payment_id(2)], vec![tea.payment_id(3)]));
}

#[test]
fn a_lease_is_put_off_by_who_holds_it() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell_with(base, 1, cny(100), &unknown(), |payment| payment.next_attempt_at = Some(at(1)));
        let id = tea.payment_id(1);
        let renew = |from, until| base.write(|tx| leases::renew_of_payment(tx, &tea.scope, id, at(from), at(until)));
        assert_eq!(renew(30, 60), Renewal::Lost, "nobody has taken it");
        assert_eq!(claim(base, 1, 30, 10), [id]);
        assert_eq!(renew(30, 60), Renewal::Done);
        assert_eq!(claim(base, 31, 90, 10), [], "the lease was put off");
        assert_eq!(claim(base, 61, 90, 10), [id]);
        assert_eq!(renew(60, 120), Renewal::Lost, "it is another's by now");
        assert_eq!(claim(base, 91, 120, 10), [id]);
        let mut saved = base.read(|tx| payments::load(tx, &tea.scope, id));
        base.write(|tx| payments::save(tx, &tea.scope, &mut saved));
        assert_eq!(renew(120, 150), Renewal::Lost, "the lease ended as it was saved");
        let milk = House::build(base, b'M');
        assert_eq!(claim(base, 121, 150, 10), [id]);
        let others = base.write(|tx| leases::renew_of_payment(tx, &milk.scope, id, at(150), at(180)));
        assert_eq!(others, Renewal::Lost, "another merchant's");
    });
}

/// A till that looks at a payment, or a neighbour that has stopped amid it, keeps no other payment waiting.
#[test]
fn a_lease_whose_row_is_in_use_is_put_off_later() {
    let base = Base::new(Dialect::Postgres);
    let tea = House::build(&base, b'T');
    tea.sell_with(&base, 1, cny(100), &unknown(), |payment| payment.next_attempt_at = Some(at(1)));
    let id = tea.payment_id(1);
    assert_eq!(claim(&base, 1, 30, 10), [id]);
    let renew = || base.write(|tx| leases::renew_of_payment(tx, &tea.scope, id, at(30), at(60)));
    let meanwhile = base.write(|tx| {
        let held = payments::load(tx, &tea.scope, id)?;
        payments::reschedule(tx, &tea.scope, &held)?;
        Ok(renew())
    });
    assert_eq!(meanwhile, Renewal::Later);
    assert_eq!(renew(), Renewal::Lost, "it was planned anew");
}

#[test]
fn codes_on_show_are_over_when_their_time_is() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let milk = House::build(base, b'M');
        for (house, number, end) in [(&tea, 1, 30), (&milk, 1, 10), (&tea, 2, 20), (&tea, 3, 99)] {
            house.sell(base, number, cny(100), &State::Presenting { expires_at: at(end) });
        }
        let gone = tea.sell(base, 4, cny(100), &State::Expired { close: Close::Asked });
        let due = |now, limit| -> Vec<_> {
            let due = base.read(|tx| payments::due_for_expiry(tx, &PLATFORM, at(now), &[], limit));
            due.into_iter().map(|due| (due.scope, due.payment.payment.id)).collect()
        };
        assert_eq!(due(9, 10), []);
        assert_eq!(base.read(|tx| payments::next_due_at(tx, &PLATFORM)), Some(at(10)));
        let expected =
            [(milk.scope, milk.payment_id(1)), (tea.scope, tea.payment_id(2)), (tea.scope, tea.payment_id(1))];
        assert_eq!(due(30, 10), expected);
        assert_eq!(due(30, 2), expected[..2]);
        assert!(!due(1_000, 10).contains(&(tea.scope, gone.payment.id)));
    });
}

#[test]
fn a_sale_is_a_payment_with_its_order() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let payment = tea.sell(base, 1, cny(500), &captured(0, 0));
        let sale = base.read(|tx| payments::load_sale(tx, &tea.scope, payment.payment.id));
        assert_eq!(
            sale,
            payments::Sale { payment, order: tea.order(1, cny(500)), code: None, static_code: None, stored_at: None }
        );
        assert_eq!(sale.order.counter, Some(Sequence(1)));
    });
}

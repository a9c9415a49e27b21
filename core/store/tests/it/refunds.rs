//! Refunds and voids: new or there before, saved by one, handed to workers.

use saoma_domain::refund::State;
use saoma_protocol::{
    RefundId,
    api::{Failure, RefundKind},
};
use saoma_store::{Insertion, StoreError, refunds};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, at, captured, cny},
};

const STALE: StoreError = StoreError::Stale { what: "the refund" };

fn claim(base: &Base, now: i64, lease_until: i64, limit: u32) -> Vec<RefundId> {
    let due = base.write(|tx| refunds::claim_due_for_resolving(tx, &PLATFORM, at(now), at(lease_until), limit));
    due.into_iter().map(|due| due.refund.refund.id).collect()
}

#[test]
fn a_refund_is_new_once_and_stays_as_it_was() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let first = tea.refund(1, paid, cny(100));
        assert_eq!(base.write(|tx| refunds::insert_new(tx, &tea.scope, &first)), Insertion::Inserted);
        let again = refunds::StoredRefund { version: 7, ..tea.refund(1, paid, cny(200)) };
        assert_eq!(base.write(|tx| refunds::insert_new(tx, &tea.scope, &again)), Insertion::Existing);
        assert_eq!(base.read(|tx| refunds::load(tx, &tea.scope, first.refund.id)), first);
        let orphan = tea.refund(2, tea.payment_id(9), cny(1));
        let refused = base.try_write(|tx| refunds::insert_new(tx, &tea.scope, &orphan));
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    });
}

#[test]
fn every_state_comes_back_as_it_was_saved() {
    let failure = Failure { code: "too_late".to_owned(), message: "过期".to_owned() };
    let states = [State::Submitting, State::Pending, State::Unknown, State::Succeeded, State::Failed { failure }];
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let mut void = tea.refund(1, paid, cny(500));
        void.refund.kind = RefundKind::Void;
        void.reason = None;
        base.write(|tx| refunds::insert_new(tx, &tea.scope, &void));
        for (number, state) in (2_u8..).zip(&states) {
            let mut fresh = tea.refund(number, paid, cny(1));
            fresh.refund.state = state.clone();
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &fresh));
            assert_eq!(base.read(|tx| refunds::load(tx, &tea.scope, fresh.refund.id)), fresh);
            void.refund.state = state.clone();
            void.channel_reference = (number % 2 == 0).then(|| "wx-9".to_owned());
            void.next_attempt_at = (number % 2 == 0).then(|| at(3));
            void.attempts = number.into();
            void.updated_at = at(number.into());
            base.write(|tx| refunds::save(tx, &tea.scope, &mut void.clone()));
            void.version += 1;
            assert_eq!(base.read(|tx| refunds::load(tx, &tea.scope, void.refund.id)), void);
        }
    });
}

#[test]
fn who_saves_second_is_stale_and_changes_nothing() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 100)).payment.id;
        let loaded = tea.give_back(base, 1, paid, cny(100));
        let (mut first, mut second) = (loaded.clone(), loaded.clone());
        first.refund.state = State::Succeeded;
        base.write(|tx| refunds::save(tx, &tea.scope, &mut first));
        second.refund.state = State::Pending;
        assert_eq!(base.try_write(|tx| refunds::save(tx, &tea.scope, &mut second)), Err(STALE));
        assert_eq!(base.try_write(|tx| refunds::reschedule(tx, &tea.scope, &loaded)), Err(STALE));
        assert_eq!((first.version, second.version), (2, 1));
        assert_eq!(base.read(|tx| refunds::load(tx, &tea.scope, loaded.refund.id)), first);
        let mut nobody = tea.refund(9, paid, cny(1));
        let missing = base.try_write(|tx| refunds::save(tx, &tea.scope, &mut nobody));
        assert_eq!(missing, Err(StoreError::NotFound { what: "the refund" }));
    });
}

#[test]
fn those_of_a_payment_are_listed_oldest_first() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let other = tea.sell(base, 2, cny(500), &captured(0, 0)).payment.id;
        tea.give_back(base, 9, other, cny(1));
        for (number, made) in [(1, 20), (2, 10), (3, 10)] {
            let refund = refunds::StoredRefund { created_at: at(made), ..tea.refund(number, paid, cny(1)) };
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &refund));
        }
        let listed: Vec<RefundId> =
            base.read(|tx| refunds::of_payment(tx, &tea.scope, paid)).iter().map(|refund| refund.refund.id).collect();
        assert_eq!(listed, [2, 3, 1].map(|number| tea.refund_id(number)));
    });
}

#[test]
fn a_lease_is_one_workers_until_it_ends() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        for (number, due) in [(1, Some(30)), (2, Some(10)), (3, None)] {
            let mut refund = tea.refund(number, paid, cny(1));
            refund.next_attempt_at = due.map(at);
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &refund));
        }
        let id = |number| tea.refund_id(number);
        assert_eq!(base.read(|tx| refunds::next_due_at(tx, &PLATFORM)), Some(at(10)));
        assert_eq!(claim(base, 9, 100, 10), []);
        assert_eq!(claim(base, 50, 100, 1), [id(2)]);
        assert_eq!(base.read(|tx| refunds::next_due_at(tx, &PLATFORM)), Some(at(30)));
        assert_eq!(claim(base, 50, 90, 10), [id(1)]);
        assert_eq!(claim(base, 89, 200, 10), []);
        assert_eq!(base.read(|tx| refunds::next_due_at(tx, &PLATFORM)), Some(at(90)));
        assert_eq!(claim(base, 90, 200, 10), [id(1)]);
        let mut second = base.read(|tx| refunds::load(tx, &tea.scope, id(2)));
        (second.next_attempt_at, second.attempts) = (Some(at(95)), 4);
        base.write(|tx| refunds::reschedule(tx, &tea.scope, &second));
        let stored = base.read(|tx| refunds::load(tx, &tea.scope, id(2)));
        assert_eq!((stored.version, stored.attempts), (1, 4));
        assert_eq!(claim(base, 95, 200, 10), [id(2)]);
        second.next_attempt_at = None;
        base.write(|tx| refunds::save(tx, &tea.scope, &mut second.clone()));
        assert_eq!(claim(base, 500, 900, 10), [id(1)]);
    });
}

#[test]
fn no_two_workers_get_the_same_refund() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        for number in 1..=20 {
            let refund = refunds::StoredRefund { next_attempt_at: Some(NOW), ..tea.refund(number, paid, cny(1)) };
            base.write(|tx| refunds::insert_new(tx, &tea.scope, &refund));
        }
        let mut claimed: Vec<RefundId> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..3).flat_map(|_| claim(base, 1, 1_000, 2)).collect::<Vec<_>>()))
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
        });
        claimed.extend(claim(base, 1, 1_000, 100));
        claimed.sort();
        let taken = claimed.len();
        claimed.dedup();
        assert_eq!(claimed.len(), taken, "one refund was given out twice");
        assert!(taken >= refunds::IN_HAND_MAX as usize, "{taken} are in hand");
    });
}

//! Disputes: written down once, saved by one, counted with their payment, and nobody else's.

use saoma_domain::{
    dispute::{Dispute, State},
    ledger::{Kind, rules},
    payment::{Capture, State as PaymentState},
};
use saoma_protocol::{Amount, DisputeId, PaymentId};
use saoma_store::{
    StoreError, Tx,
    disputes::{self, Cursor, Due, Filter, StoredDispute},
    events::{self, NewEvent},
    ledger::{self, Booking, Subject},
    payments,
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, PLATFORM, account, at, bytes, captured, cny},
};

const OPEN: State = State::NeedsResponse { respond_by: None };

fn dispute_id(house: &House, number: u8) -> DisputeId {
    DisputeId::from_bytes(bytes(house.letter, number))
}

fn dispute(house: &House, number: u8, payment: PaymentId, amount: Amount) -> StoredDispute {
    StoredDispute {
        dispute: Dispute { id: dispute_id(house, number), amount, state: OPEN },
        payment,
        channel_account: house.account,
        version: 1,
        case_reference: format!("CASE-{number}"),
        bill_number: None,
        reason_code: Some("10.4".to_owned()),
        evidence: None,
        opened_by: "usr_mei".to_owned(),
        attention_at: None,
        heard_at: None,
        created_at: at(number.into()),
        updated_at: at(number.into()),
    }
}

/// A dispute that is over, so that the payment of the house stands as it did.
pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    let mut over = dispute(house, 1, house.payment_id(1), cny(100));
    over.dispute.state = State::Won { fee: None };
    disputes::insert(tx, &house.scope, &over)
}

/// The sum that the payment has in disputes, by each way to load it.
fn disputed_minor(base: &Base, house: &House, number: u8) -> i64 {
    let (scope, payment, order) = (house.scope, house.payment_id(number), house.order_id(number));
    let of = |state: &PaymentState| match state {
        PaymentState::Captured(Capture { disputed_minor, .. }) => *disputed_minor,
        other => panic!("it is captured, not {other:?}"),
    };
    let loaded = base.read(|tx| payments::load(tx, &scope, payment));
    let listed = base.read(|tx| payments::list(tx, &scope, &payments::Filter::default(), None, 10)).sales;
    let listed = listed.into_iter().find(|sale| sale.payment.payment.id == payment).expect("it is listed");
    let of_order = base.read(|tx| payments::of_order(tx, &scope, order)).remove(0);
    let sums = [loaded, listed.payment, of_order].map(|stored| of(&stored.payment.state));
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    sums[0]
}

fn save_with(base: &Base, house: &House, number: u8, disputed_minor: i64) {
    base.write(|tx| {
        let mut stored = payments::load(tx, &house.scope, house.payment_id(number))?;
        if let PaymentState::Captured(capture) = &mut stored.payment.state {
            capture.disputed_minor = disputed_minor;
        }
        payments::save(tx, &house.scope, &mut stored)
    });
}

#[test]
fn every_state_comes_back_as_it_was_saved() {
    let fee = Some(cny(15));
    let states = [
        State::NeedsResponse { respond_by: Some(at(9)) },
        OPEN,
        State::UnderReview,
        State::Accepted,
        State::Won { fee: None },
        State::Won { fee },
        State::Lost { accepted: false, fee: None },
        State::Lost { accepted: true, fee },
    ];
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let mut kept = dispute(&tea, 1, paid, cny(500));
        base.write(|tx| disputes::insert(tx, &tea.scope, &kept));
        assert_eq!(base.read(|tx| disputes::load(tx, &tea.scope, kept.dispute.id)), kept);
        for (number, state) in (2_u8..).zip(&states) {
            let mut fresh = dispute(&tea, number, paid, cny(1));
            fresh.dispute.state = state.clone();
            base.write(|tx| disputes::insert(tx, &tea.scope, &fresh));
            assert_eq!(base.read(|tx| disputes::load(tx, &tea.scope, fresh.dispute.id)), fresh);
            kept.dispute.state = state.clone();
            kept.evidence = (number % 2 == 0).then(|| "收据\nsignature".to_owned());
            kept.attention_at = (number % 2 == 0).then_some(NOW);
            kept.updated_at = at(number.into());
            let stale = kept.clone();
            base.write(|tx| disputes::save(tx, &tea.scope, &mut kept.clone()));
            kept.version += 1;
            assert_eq!(base.read(|tx| disputes::load(tx, &tea.scope, kept.dispute.id)), kept);
            let refused = base.try_write(|tx| disputes::save(tx, &tea.scope, &mut stale.clone()));
            assert_eq!(refused, Err(StoreError::Stale { what: "the dispute" }));
        }
        let all = base.read(|tx| disputes::of_payment(tx, &tea.scope, paid));
        assert_eq!(
            all.iter().map(|one| one.dispute.id).collect::<Vec<_>>(),
            (1..=9).map(|n| dispute_id(&tea, n)).collect::<Vec<_>>()
        );
    });
}

#[test]
fn a_case_of_an_account_is_written_down_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        base.write(|tx| disputes::insert(tx, &tea.scope, &dispute(&tea, 1, paid, cny(100))));
        let again = StoredDispute { case_reference: "CASE-1".to_owned(), ..dispute(&tea, 2, paid, cny(100)) };
        let refused = base.try_write(|tx| disputes::insert(tx, &tea.scope, &again));
        assert_eq!(refused, Err(StoreError::Conflict { what: "the channel's case reference" }));
        let other = account(b'T', 2);
        base.write(|tx| saoma_store::channel_accounts::create(tx, &tea.scope, &other));
        base.write(|tx| {
            disputes::insert(tx, &tea.scope, &StoredDispute { channel_account: other.id, ..again.clone() })
        });
        let orphan = dispute(&tea, 3, tea.payment_id(9), cny(1));
        let refused = base.try_write(|tx| disputes::insert(tx, &tea.scope, &orphan));
        assert_eq!(refused, Err(StoreError::NotFound { what: "the payment" }));
    });
}

#[test]
fn a_payment_has_the_sum_of_its_disputes_that_are_open_or_lost() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let by_hand = match captured(0, 0) {
            PaymentState::Captured(capture) => PaymentState::Captured(Capture { by_hand: true, ..capture }),
            other => other,
        };
        for (number, state) in [(1, captured(100, 50)), (2, by_hand)] {
            let paid = tea.sell(base, number, cny(500), &state).payment.id;
            assert_eq!(disputed_minor(base, &tea, number), 0);
            let mut one = dispute(&tea, 10 * number, paid, cny(300));
            let two = dispute(&tea, 10 * number + 1, paid, cny(400));
            base.write(|tx| {
                disputes::insert(tx, &tea.scope, &one)?;
                disputes::insert(tx, &tea.scope, &two)
            });
            save_with(base, &tea, number, 700);
            assert_eq!(disputed_minor(base, &tea, number), 700, "more than was paid");
            one.dispute.state = State::Won { fee: None };
            base.write(|tx| disputes::save(tx, &tea.scope, &mut one));
            save_with(base, &tea, number, 400);
            assert_eq!(disputed_minor(base, &tea, number), 400);
            let mut lost = two.clone();
            lost.dispute.state = State::Lost { accepted: true, fee: None };
            base.write(|tx| disputes::save(tx, &tea.scope, &mut lost));
            assert_eq!(disputed_minor(base, &tea, number), 400, "what is lost is gone");
            let stored = base.read(|tx| payments::load(tx, &tea.scope, paid)).payment.state;
            let expected = match state {
                PaymentState::Captured(capture) => PaymentState::Captured(Capture { disputed_minor: 400, ..capture }),
                other => other,
            };
            assert_eq!(stored, expected);
            save_with(base, &tea, number, 0);
            assert_eq!(disputed_minor(base, &tea, number), 0);
        }
    });
}

/// Who set money aside on a payment as it was before the dispute must decide again.
#[test]
fn a_refund_and_a_dispute_at_once_do_not_get_the_same_money() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let (disputed, refunded) = base.overlap(
            |tx| {
                let mut stored = payments::load(tx, &tea.scope, paid)?;
                disputes::insert(tx, &tea.scope, &dispute(&tea, 1, paid, cny(500)))?;
                stored.payment.state = match captured(0, 0) {
                    PaymentState::Captured(capture) => {
                        PaymentState::Captured(Capture { disputed_minor: 500, ..capture })
                    }
                    other => other,
                };
                payments::save(tx, &tea.scope, &mut stored)
            },
            || {
                let mut tries = 0;
                loop {
                    let done = base.try_write(|tx| {
                        let mut stored = payments::load(tx, &tea.scope, paid)?;
                        if stored.payment.refundable_minor() < 500 {
                            return Ok(None);
                        }
                        stored.payment.state = captured(0, 500);
                        payments::save(tx, &tea.scope, &mut stored).map(Some)
                    });
                    match done {
                        Err(StoreError::Stale { .. }) => tries += 1,
                        done => return (done, tries),
                    }
                }
            },
        );
        assert_eq!(disputed, Ok(()));
        assert_eq!(refunded.0, Ok(None), "after {} tries", refunded.1);
        assert_eq!(disputed_minor(base, &tea, 1), 500);
    });
}

#[test]
fn those_whose_time_runs_out_are_found_across_merchants() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'm'));
        for house in [&tea, &milk] {
            let paid = house.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
            let due = |number, respond_by: i64| {
                let mut one = dispute(house, number, paid, cny(1));
                one.dispute.state = State::NeedsResponse { respond_by: Some(at(respond_by)) };
                one
            };
            let mut called = due(3, 10);
            called.attention_at = Some(NOW);
            let mut answered = due(4, 10);
            answered.dispute.state = State::UnderReview;
            let own = i64::from(house.letter);
            for one in [due(1, 1_000 + own), due(2, own), called, answered, dispute(house, 5, paid, cny(1))] {
                base.write(|tx| disputes::insert(tx, &house.scope, &one));
            }
        }
        let found = |until| base.read(|tx| disputes::wanting_an_answer(tx, &PLATFORM, at(until), 10));
        let due = |house: &House, number| Due { scope: house.scope, dispute: dispute_id(house, number) };
        assert_eq!(found(83), []);
        assert_eq!(found(84), [due(&tea, 2)]);
        assert_eq!(found(1_084), [due(&tea, 2), due(&milk, 2), due(&tea, 1)]);
        // A person who is called for one finds its payment.
        let attention = payments::Filter { attention: true, ..payments::Filter::default() };
        let listed = base.read(|tx| payments::list(tx, &tea.scope, &attention, None, 10)).sales;
        assert_eq!(listed.iter().map(|sale| sale.payment.payment.id).collect::<Vec<_>>(), [tea.payment_id(1)]);
    });
}

#[test]
fn lists_are_newest_first_by_pages_and_filters() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (one, two) = (tea.payment_id(1), tea.payment_id(2));
        for number in [1, 2] {
            tea.sell(base, number, cny(500), &captured(0, 0));
        }
        for (number, payment) in [(1, one), (2, two), (3, one)] {
            let mut kept = dispute(&tea, number, payment, cny(1));
            if number == 3 {
                kept.dispute.state = State::Accepted;
            }
            base.write(|tx| disputes::insert(tx, &tea.scope, &kept));
        }
        let list = |filter: &Filter, after| -> Vec<DisputeId> {
            let found = base.read(|tx| disputes::list(tx, &tea.scope, filter, after, 2));
            found.iter().map(|one| one.dispute.id).collect()
        };
        let id = |number| dispute_id(&tea, number);
        let any = Filter::default();
        assert_eq!(list(&any, None), [id(3), id(2)]);
        assert_eq!(list(&any, Some(Cursor { at: at(2), id: id(2) })), [id(1)]);
        assert_eq!(list(&Filter { payment: Some(one), ..any.clone() }, None), [id(3), id(1)]);
        assert_eq!(list(&Filter { state: Some("accepted"), ..any.clone() }, None), [id(3)]);
        assert_eq!(list(&Filter { channel_account: Some(tea.account), ..any }, None).len(), 2);
    });
}

#[test]
fn the_check_of_the_books_knows_disputes() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let booking =
            |subject, kind| Booking { subject, kind, channel_account: Some(tea.account), at: NOW, booked_at: NOW };
        let sale = rules::captured(saoma_domain::payment::Method::CustomerPresented, cny(500), cny(3).money());
        base.write(|tx| ledger::post(tx, scope, &booking(Subject::Payment(paid), Kind::Captured), &sale));
        let mut one = dispute(&tea, 1, paid, cny(500));
        base.write(|tx| disputes::insert(tx, scope, &one));
        let codes =
            || -> Vec<&str> { base.read(|tx| ledger::check(tx, scope)).iter().map(|finding| finding.code).collect() };
        assert_eq!(codes(), ["dispute", "disputed"]);
        save_with(base, &tea, 1, 500);
        assert_eq!(codes(), ["dispute"]);
        let subject = Subject::Dispute { payment: paid, dispute: one.dispute.id };
        let opened = booking(subject.clone(), Kind::DisputeOpened);
        base.write(|tx| ledger::post(tx, scope, &opened, &rules::dispute_opened(cny(500))));
        assert_eq!(codes(), Vec::<&str>::new());
        let twice = base.try_write(|tx| ledger::post(tx, scope, &opened, &rules::dispute_opened(cny(500))));
        assert_eq!(twice, Err(StoreError::Conflict { what: "the movement" }));
        one.dispute.state = State::Lost { accepted: false, fee: Some(cny(15)) };
        base.write(|tx| disputes::save(tx, scope, &mut one));
        assert_eq!(codes(), ["dispute"]);
        let lost = rules::dispute_lost(cny(500), cny(15).money());
        base.write(|tx| ledger::post(tx, scope, &booking(subject.clone(), Kind::DisputeLost), &lost));
        assert_eq!(codes(), Vec::<&str>::new());
        let sets = base.read(|tx| ledger::of_payment(tx, scope, paid));
        let of_dispute = sets.iter().filter(|set| set.dispute == Some(one.dispute.id)).count();
        assert_eq!((sets.len(), of_dispute), (5, 3));
    });
}

#[test]
fn what_happens_to_one_stands_in_its_payments_timeline_for_good() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let event = NewEvent { dispute: Some(dispute_id(&tea, 1)), ..tea.event(paid, "dispute_opened") };
        base.write(|tx| events::append(tx, &tea.scope, &event));
        let told = base.read(|tx| events::timeline(tx, &tea.scope, paid));
        assert_eq!(told.into_iter().map(|told| told.event).collect::<Vec<_>>(), [event]);
        let rewritten = diesel::RunQueryDsl::execute(
            diesel::sql_query("UPDATE payment_events SET dispute_id = 'dsp_other'"),
            &mut base.raw(),
        );
        assert!(rewritten.is_err());
    });
}

#[test]
fn of_others_nothing_is_seen_or_changed() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'm'));
        let paid = tea.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let one = dispute(&tea, 1, paid, cny(500));
        base.write(|tx| disputes::insert(tx, &tea.scope, &one));
        let scope = milk.scope;
        let missing = |what| StoreError::NotFound { what };
        assert_eq!(base.try_read(|tx| disputes::load(tx, &scope, one.dispute.id)), Err(missing("the dispute")));
        assert_eq!(base.read(|tx| disputes::of_payment(tx, &scope, paid)), []);
        assert_eq!(base.read(|tx| disputes::list(tx, &scope, &Filter::default(), None, 10)), []);
        let mut changed = StoredDispute { attention_at: Some(NOW), ..one.clone() };
        assert_eq!(base.try_write(|tx| disputes::save(tx, &scope, &mut changed)), Err(missing("the dispute")));
        let stolen = dispute(&milk, 2, paid, cny(1));
        assert_eq!(base.try_write(|tx| disputes::insert(tx, &scope, &stolen)), Err(missing("the payment")));
        // Into their account, of a payment of one's own.
        let own = milk.sell(base, 1, cny(500), &captured(0, 0)).payment.id;
        let into_theirs = StoredDispute { channel_account: tea.account, ..dispute(&milk, 2, own, cny(1)) };
        assert_eq!(base.try_write(|tx| disputes::insert(tx, &scope, &into_theirs)), Err(missing("the payment")));
        assert_eq!(base.read(|tx| disputes::load(tx, &tea.scope, one.dispute.id)), one);
    });
}

//! Batches of what moved through an account: nothing in two of them, nothing in none.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_domain::{
    ledger::{Kind, rules},
    payment::Method,
    settlement::{Drain, RowKind, State, Tally, UnderWay},
};
use saoma_protocol::{PaymentId, SettlementBatchId};
use saoma_store::{
    StoreError, Tx, channel_accounts,
    ledger::{self, Booking, Subject},
    settlement_batches::{self as batches, Closing, Cursor, Filter, Resolved, Room, SettlementBatch},
};

use crate::{
    base::{Base, on_both},
    furniture::booking,
    house::{House, NOW, PLATFORM, account, at, bytes, captured, cny},
};

const ROWS_MAX: u32 = 10;
const ROOM: Room = Room { all: 5, repeats: 5, uploads: 5 };

pub fn id(house: &House, number: u8) -> SettlementBatchId {
    SettlementBatchId::from_bytes(bytes(house.letter, number))
}

fn closing(house: &House, number: u8) -> Closing {
    Closing {
        id: id(house, number),
        account: house.account,
        by: "core".to_owned(),
        at: at(i64::from(number)),
        holds_until: at(100),
    }
}

fn close(tx: &mut Tx<'_>, house: &House, number: u8) -> Result<SettlementBatch, StoreError> {
    let open = batches::open(tx, &house.scope, house.account, ROWS_MAX, NOW)?;
    batches::close(tx, &house.scope, closing(house, number), &open)
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    batches::begin(tx, &house.scope, house.account, NOW)?;
    close(tx, house, 1).map(drop)
}

/// `theirs` has what it has; the other's scope sees its own alone.
pub fn of_others_is_nothing(
    tx: &mut Tx<'_>,
    scope: &saoma_store::TenantScope,
    theirs: &House,
) -> Result<(), StoreError> {
    assert_eq!(batches::last(tx, scope, theirs.account)?, None);
    assert!(!batches::holds(tx, scope, theirs.account, NOW)?);
    assert_eq!(batches::list(tx, scope, Filter::default(), None, 10)?.len(), 1);
    assert_eq!(batches::open(tx, scope, theirs.account, ROWS_MAX, NOW)?.rows, 0);
    assert_eq!(batches::glance(tx, scope, theirs.account, ROWS_MAX, NOW)?, None);
    assert_eq!(batches::under_way(tx, scope, theirs.account, NOW)?, UnderWay::default());
    assert_eq!(batches::settling(tx, scope, theirs.account)?, None);
    Ok(())
}

pub fn hold_theirs(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let drain = Drain { wanted_at: NOW, held_at: NOW, holds: 1 };
    batches::hold(tx, &ours.scope, theirs.account, drain, "core")
}

pub fn close_theirs(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let open = batches::open(tx, &ours.scope, theirs.account, ROWS_MAX, NOW)?;
    batches::close(tx, &ours.scope, closing(theirs, 9), &open).map(drop)
}

fn sold(base: &Base, house: &House, number: u8, minor: i64) {
    house.sell(base, number, cny(minor), &captured(0, 0));
    let of = Booking { subject: Subject::Payment(house.payment_id(number)), ..booking(house) };
    let sets = rules::captured(Method::Card, cny(minor), cny(1).money());
    base.write(|tx| ledger::post(tx, &house.scope, &of, &sets));
}

fn undone(base: &Base, house: &House, number: u8, minor: i64) {
    let of = Booking { subject: Subject::Payment(house.payment_id(number)), kind: Kind::Undone, ..booking(house) };
    let sets = rules::undone(Method::Card, cny(minor), cny(1).money());
    base.write(|tx| ledger::post(tx, &house.scope, &of, &sets));
}

fn given_back(base: &Base, house: &House, number: u8, of: PaymentId, minor: i64) {
    let refund = house.give_back(base, number, of, cny(minor)).refund.id;
    let subject = Subject::Refund { payment: of, refund };
    let of = Booking { subject, kind: Kind::RefundSucceeded, ..booking(house) };
    let sets = rules::refund_succeeded(Method::Card, cny(minor), cny(1).money());
    base.write(|tx| ledger::post(tx, &house.scope, &of, &sets));
}

/// One for each of so many accounts, closed with what is open of the house's own.
fn batches_of_accounts(base: &Base, house: &House, count: u8, change: impl Fn(&mut SettlementBatch)) {
    let open = base.read(|tx| batches::open(tx, &house.scope, house.account, ROWS_MAX, NOW));
    for number in 1..=count {
        let account = account(house.letter, 100 + number);
        base.write(|tx| {
            channel_accounts::create(tx, &house.scope, &account)?;
            let closing = Closing { account: account.id, at: at(0), ..closing(house, number) };
            let mut batch = batches::close(tx, &house.scope, closing, &open)?;
            change(&mut batch);
            batches::save(tx, &house.scope, &mut batch)
        });
    }
}

fn ended(base: &Base, house: &House, mut batch: SettlementBatch) {
    (batch.state, batch.next_attempt_at) = (State::Settled, None);
    base.write(|tx| batches::save(tx, &house.scope, &mut batch.clone()));
}

#[test]
fn what_moved_is_in_one_batch_and_in_no_other() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        sold(base, &tea, 1, 500);
        sold(base, &milk, 1, 9_000);
        sold(base, &tea, 2, 700);
        given_back(base, &tea, 1, tea.payment_id(1), 99);
        let first = base.write(|tx| close(tx, &tea, 1));
        let tally = |count, minor| Tally { count, minor };
        let [total] = first.totals.as_slice() else { panic!("{first:?}") };
        assert_eq!((total.debits, total.credits, first.rows), (tally(2, 1_200), tally(1, 99), 3));
        assert_eq!((first.sequence, &first.state), (1, &State::Closing));
        assert_eq!(base.read(|tx| batches::load(tx, &tea.scope, first.id)), first);
        // What comes while it is on its way is of the next.
        sold(base, &tea, 3, 1);
        undone(base, &tea, 2, 700);
        let taken = StoreError::Conflict { what: "the account's batch on its way" };
        assert_eq!(base.try_write(|tx| close(tx, &tea, 2).map(drop)), Err(taken));
        let rows = base.read(|tx| batches::page(tx, &tea.scope, &first, 1));
        let [(through, row)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.kind, row.payment), (RowKind::Sale, tea.payment_id(1)));
        // The next ones are those behind the last that was taken.
        let (mut uploading, through) = (first.clone(), *through);
        (uploading.state, uploading.sent_through) = (State::Uploading { sent: 1 }, through);
        base.write(|tx| batches::save(tx, &tea.scope, &mut uploading.clone()));
        let first = base.read(|tx| batches::load(tx, &tea.scope, first.id));
        assert_eq!((first.sent_through, &first.state), (through, &uploading.state));
        let rows = base.read(|tx| batches::page(tx, &tea.scope, &first, 10));
        let kinds: Vec<_> = rows.iter().map(|(_, row)| (row.kind, row.payment, row.amount.minor())).collect();
        assert_eq!(kinds, [(RowKind::Sale, tea.payment_id(2), 700), (RowKind::Refund, tea.payment_id(1), 99)]);
        ended(base, &tea, first);
        let next = base.write(|tx| close(tx, &tea, 3));
        let [total] = next.totals.as_slice() else { panic!("{next:?}") };
        assert_eq!((next.sequence, total.debits, total.credits), (2, tally(1, 1), tally(1, 700)));
        let rows = base.read(|tx| batches::page(tx, &tea.scope, &next, 10));
        assert_eq!(rows.iter().map(|(_, row)| row.kind).collect::<Vec<_>>(), [RowKind::Sale, RowKind::Void]);
        ended(base, &tea, next);
        assert_eq!(base.read(|tx| batches::open(tx, &tea.scope, tea.account, ROWS_MAX, NOW)).rows, 0);
        // More than a batch has room for waits for the one after it.
        for number in 4..=7 {
            sold(base, &tea, number, number.into());
        }
        let open = base.read(|tx| batches::open(tx, &tea.scope, tea.account, 3, NOW));
        assert_eq!((open.rows, open.totals[0].debits), (3, tally(3, 4 + 5 + 6)));
        let third = base.write(|tx| batches::close(tx, &tea.scope, closing(&tea, 4), &open));
        ended(base, &tea, third);
        assert_eq!(base.read(|tx| batches::open(tx, &tea.scope, tea.account, 3, NOW)).totals[0].debits, tally(1, 7));
    });
}

#[test]
fn what_is_taken_back_is_open_again() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| batches::begin(tx, &tea.scope, tea.account, NOW));
        sold(base, &tea, 1, 500);
        let batch = base.write(|tx| close(tx, &tea, 1));
        let mut back = batch.clone();
        back.take_back(Resolved { by: "usr_1".to_owned(), at: at(2), reason: "no line".to_owned() });
        base.write(|tx| {
            batches::save(tx, &tea.scope, &mut back.clone())?;
            batches::put_off(tx, &tea.scope, tea.account, at(2))
        });
        let stored = base.read(|tx| batches::load(tx, &tea.scope, batch.id));
        back.version = 2;
        assert_eq!(stored, back);
        assert_eq!(base.read(|tx| batches::page(tx, &tea.scope, &stored, 10)).len(), 0);
        assert_eq!(base.read(|tx| batches::open(tx, &tea.scope, tea.account, ROWS_MAX, NOW)).rows, 1);
        assert!(!base.read(|tx| batches::holds(tx, &tea.scope, tea.account, at(3))));
        assert_eq!(base.write(|tx| batches::claim_due(tx, &PLATFORM, at(3), at(50), ROOM)), []);
        let settling = base.read(|tx| batches::settling(tx, &tea.scope, tea.account)).expect("it is there");
        assert_eq!((settling.put_off_at, settling.drain), (Some(at(2)), None));
        let next = base.write(|tx| close(tx, &tea, 4));
        assert_eq!((next.sequence, next.rows), (2, 1));
    });
}

#[test]
fn one_worker_has_a_batch_and_sales_wait_for_it() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sold(base, &tea, 1, 500);
        let holds = |ms| base.read(|tx| batches::holds(tx, &tea.scope, tea.account, at(ms)));
        assert!(!holds(0));
        let batch = base.write(|tx| close(tx, &tea, 1));
        assert_eq!((holds(1), holds(99), holds(100)), (true, true, false));
        let claims = |now, until| base.write(|tx| batches::claim_due(tx, &PLATFORM, at(now), at(until), ROOM));
        assert_eq!((claims(0, 50).len(), claims(1, 50).len(), claims(2, 60).len()), (0, 1, 0));
        let again = claims(50, 90);
        assert_eq!((again.len(), again[0].batch.version), (1, 3));
        // Who had it before writes nothing any more.
        let stale = StoreError::Stale { what: "the settlement batch" };
        assert_eq!(base.try_write(|tx| batches::save(tx, &tea.scope, &mut batch.clone())), Err(stale));
        ended(base, &tea, again[0].batch.clone());
        assert!(!holds(60));
        assert_eq!(claims(200, 300), []);
        sold(base, &tea, 2, 500);
        base.write(|tx| close(tx, &tea, 2));
        let listed = |filter, after| base.read(|tx| batches::list(tx, &tea.scope, filter, after, 5));
        let ids = |batches: Vec<SettlementBatch>| batches.iter().map(|batch| batch.id).collect::<Vec<_>>();
        assert_eq!(ids(listed(Filter::default(), None)), [id(&tea, 2), id(&tea, 1)]);
        let after = Cursor { at: at(2), id: id(&tea, 2) };
        assert_eq!(ids(listed(Filter::default(), Some(after))), [id(&tea, 1)]);
        assert_eq!(ids(listed(Filter { account: None, waiting: true }, None)), []);
    });
}

#[test]
fn one_merchant_of_many_accounts_leaves_room_for_others() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        sold(base, &tea, 1, 500);
        sold(base, &milk, 1, 500);
        // Nine accounts of one merchant, whose batches wait for longer than the other's.
        batches_of_accounts(base, &tea, 9, |batch| batch.state = State::Uploading { sent: 0 });
        base.write(|tx| {
            let mut batch = close(tx, &milk, 1)?;
            batch.state = State::Uploading { sent: 0 };
            batches::save(tx, &milk.scope, &mut batch)
        });
        let claims = |now: i64, others| {
            let room = Room { all: others + 1, repeats: others, uploads: others };
            let claimed = base.write(|tx| batches::claim_due(tx, &PLATFORM, at(now), at(now + 50), room));
            let of = |house: &House| claimed.iter().filter(|due| due.scope == house.scope).count();
            (of(&tea), of(&milk))
        };
        let many = usize::try_from(batches::OF_TENANT_MAX).expect("a count");
        assert_eq!(claims(10, 8), (many, 1));
        assert_eq!(claims(11, 8), (0, 0), "those in hand count");
        assert_eq!(claims(70, 2), (2, 0), "nor more than there is room for");
        // An account is held for this one: it goes first, and however many uploads are in hand.
        assert_eq!(claims(80, 2), (2, 0));
        let next = base.write(|tx| close(tx, &tea, 10));
        assert_eq!((claims(81, 2), claims(82, 2)), ((1, 1), (0, 0)));
        // One that was asked about before takes no place of a new one's.
        let mut repeat = base.read(|tx| batches::load(tx, &tea.scope, next.id));
        (repeat.attempts, repeat.lease_until) = (1, None);
        base.write(|tx| batches::save(tx, &tea.scope, &mut repeat.clone()));
        assert_eq!((claims(83, 0), claims(84, 1)), ((0, 0), (1, 0)));
        ended(base, &tea, base.read(|tx| batches::load(tx, &tea.scope, next.id)));
        // One that cannot be read keeps no other waiting.
        let first = id(&tea, 1);
        for change in [
            format!("UPDATE settlement_batches SET totals_json = 'x', next_attempt_at = -1 WHERE id = '{first}'"),
            "UPDATE settlement_batches SET lease_until = NULL".to_owned(),
        ] {
            sql_query(change).execute(&mut base.raw()).expect("a change");
        }
        assert_eq!(claims(200, 8), (many - 1, 1));
    });
}

#[test]
fn an_acquirer_that_is_away_leaves_room_for_uploads_and_those_go_first_whose_account_is_held() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        sold(base, &tea, 1, 500);
        sold(base, &milk, 1, 500);
        batches_of_accounts(base, &tea, 6, |batch| (batch.attempts, batch.holds_until) = (3, at(5)));
        base.write(|tx| {
            let mut batch = close(tx, &milk, 1)?;
            batch.state = State::Uploading { sent: 0 };
            batches::save(tx, &milk.scope, &mut batch)
        });
        // Asked about before as well, and later; but payments wait for its answer.
        let held = base.write(|tx| {
            let mut batch = close(tx, &tea, 9)?;
            batch.attempts = 1;
            batches::save(tx, &tea.scope, &mut batch)?;
            Ok(batch.id)
        });
        let claims = |now: i64, repeats, uploads| {
            let room = Room { all: 16, repeats, uploads };
            let claimed = base.write(|tx| batches::claim_due(tx, &PLATFORM, at(now), at(now + 50), room));
            claimed.into_iter().map(|due| due.batch.id).collect::<Vec<_>>()
        };
        assert_eq!(claims(10, 1, 0), [held]);
        let many = usize::try_from(batches::OF_TENANT_MAX).expect("a count");
        let rest = claims(11, 6, 6);
        assert_eq!(rest.len(), many, "{rest:?}: three more of the one merchant, and the other's upload");
        assert!(rest.contains(&id(&milk, 1)));
    });
}

#[test]
fn an_account_is_held_until_it_is_closed() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let held = |ms| {
            let found = base.read(|tx| batches::held(tx, &PLATFORM, at(ms), 5));
            let holds = base.read(|tx| batches::holds(tx, &tea.scope, tea.account, at(ms)));
            assert_eq!(found.contains(&(tea.scope, tea.account)), holds, "{ms}");
            holds
        };
        base.write(|tx| batches::begin(tx, &tea.scope, tea.account, NOW));
        assert!(!held(0));
        let drain = Drain { wanted_at: at(0), held_at: at(0), holds: 1 };
        base.write(|tx| batches::hold(tx, &tea.scope, tea.account, drain, "usr_1"));
        assert_eq!((held(0), held(119_999), held(120_000)), (true, true, false));
        let settling = base.read(|tx| batches::settling(tx, &tea.scope, tea.account)).expect("it is there");
        assert_eq!((settling.drain, settling.wanted_by.as_deref()), (Some(drain), Some("usr_1")));
        let waiting = |ms| base.read(|tx| batches::waiting_count(tx, &PLATFORM, at(ms)));
        let call = || base.write(|tx| batches::call_person(tx, &tea.scope, tea.account, at(1)));
        assert_eq!(waiting(1), 0);
        call();
        assert_eq!((waiting(1), waiting(24 * 3_600_000)), (1, 0), "what was given up calls nobody");
        // A second hold goes on with the call; another close begins without one.
        for (holds, calls) in [(2, 1), (1, 0)] {
            base.write(|tx| batches::hold(tx, &tea.scope, tea.account, Drain { holds, ..drain }, "usr_1"));
            assert_eq!(waiting(1), calls, "{holds}");
        }
        call();
        base.write(|tx| batches::end_drain(tx, &tea.scope, tea.account));
        assert_eq!((held(1), waiting(1)), (false, 0));
    });
}

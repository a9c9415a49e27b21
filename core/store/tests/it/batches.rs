//! Batches: what is open, what moved a drawer's cash, what the journal and core say of the same sales, and what differed.

use saoma_domain::{
    batch::{Class, Difference, Field, Fix, Side, State, Subject, compare},
    ledger::{Kind, rules},
    payment::{Method, State as Stand},
};
use saoma_protocol::{
    BatchId, Currency, Millis, Money, Sequence,
    api::{PaymentState, RefundState},
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{
        self, Batch, Closed, Cursor, DrawerMovement, Filter, Place, Span, Tally, TerminalRefund, TerminalSale,
        Uncounted,
    },
    ledger::{self, Booking, Subject as Of},
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, captured, cny},
};

fn cash(minor: i64) -> Money {
    Money::new(minor, Currency::CNY)
}

pub fn batch(house: &House, number: u64) -> Batch {
    Batch {
        id: BatchId::of(house.scope.tenant(), house.terminal, Sequence(number)),
        store: house.store,
        terminal: house.terminal,
        number: Sequence(number),
        cashier: "梅".to_owned(),
        cashier_number: "07".to_owned(),
        float: cash(1_000),
        opened_at: NOW,
        opened_sequence: Sequence(number * 10),
        closed: None,
    }
}

pub fn closed() -> Closed {
    Closed {
        at: at(100),
        sequence: Sequence(19),
        by: "梅".to_owned(),
        expected_minor: 1_000,
        counted_minor: 990,
        told_minor: 1_000,
        received_at: at(200),
    }
}

fn movement(house: &House, number: u64, is_in: bool, minor: i64) -> DrawerMovement {
    DrawerMovement {
        batch: batch(house, 1).id,
        sequence: Sequence(number),
        is_in,
        amount: cny(minor),
        reason: "零钱".to_owned(),
        cashier: "梅".to_owned(),
        at: NOW,
    }
}

fn sale(house: &House, number: u8, batch: Option<BatchId>, cash: bool, minor: i64) -> TerminalSale {
    let (terminal, payment) = (house.terminal, house.payment_id(number));
    TerminalSale { terminal, payment, batch, cash, amount: cny(minor), keyed_at: NOW }
}

fn refund(house: &House, number: u8, batch: Option<BatchId>, cash: bool, minor: i64) -> TerminalRefund {
    let (terminal, refund, payment) = (house.terminal, house.refund_id(number), house.payment_id(number));
    TerminalRefund { terminal, refund, payment, batch, cash, amount: cny(minor), keyed_at: NOW }
}

/// A row in each of the tables.
pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    let scope = &house.scope;
    let open = batch(house, 1);
    batches::open(tx, scope, &open)?;
    batches::move_cash(tx, scope, &movement(house, 11, true, 5))?;
    batches::note_sale(tx, scope, &sale(house, 1, Some(open.id), false, 500))?;
    batches::note_refund(tx, scope, &refund(house, 1, Some(open.id), false, 100))?;
    batches::keep_differences(tx, scope, &Place::Batch(open.id), &[unheard(house, 1)], NOW)
}

/// Of a house that is another tenant's, nothing is read.
pub fn of_others_is_nothing(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    let batch = batch(theirs, 1);
    let own = batches::list(tx, scope, &Filter::default(), None, 10)?;
    assert!(own.len() == 1 && own[0].id != batch.id);
    assert_eq!(batches::last_of(tx, scope, theirs.terminal)?, None);
    assert_eq!(batches::movements(tx, scope, &batch)?, []);
    assert_eq!(batches::drawer(tx, scope, &batch)?.sales.minor(), 0);
    assert_eq!(batches::totals(tx, scope, batch.id)?, []);
    assert_eq!(batches::differences(tx, scope, &Place::Batch(batch.id))?, []);
    assert!(batches::open_count(tx, scope, &[batch.id])?.is_empty());
    assert_eq!(batches::to_compare(tx, scope, Millis(0), None, 10)?, []);
    assert_eq!(batches::first_keyed_at(tx, scope, theirs.terminal)?, None);
    assert_eq!(batches::sweep(tx, scope, &batch)?, None);
    let span = Span::Time { terminal: theirs.terminal, from: NOW, to: at(100) };
    assert!(batches::terminal_says(tx, scope, &span)?.is_empty());
    assert!(batches::core_says(tx, scope, &span)?.is_empty());
    assert_eq!(ledger::settlement_of_batch(tx, scope, batch.id)?, []);
    Ok(())
}

pub fn move_cash(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    batches::move_cash(tx, scope, &movement(theirs, 9, true, 5))
}

pub fn note_sale(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    batches::note_sale(tx, scope, &sale(theirs, 9, None, true, 5))
}

fn side(minor: i64, state: Option<State>) -> Side {
    Side { money: cash(minor), state, refunded_minor: 0 }
}

const PAID: Option<State> = Some(State::Sale(PaymentState::Succeeded));

fn unheard(house: &House, number: u8) -> Difference {
    Difference {
        subject: Subject::Sale(house.payment_id(number)),
        class: Class::State,
        fields: vec![Field::State],
        fix: Fix::SendJournal,
        terminal: Some(side(500, None)),
        core: Some(side(500, PAID)),
    }
}

#[test]
fn a_terminal_has_one_open_batch_and_each_number_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let last = || base.read(|tx| batches::last_of(tx, &tea.scope, tea.terminal));
        assert_eq!(last(), None);
        let (one, two) = (batch(&tea, 1), batch(&tea, 2));
        base.write(|tx| batches::open(tx, &tea.scope, &one));
        assert_eq!(last(), Some(one.clone()));
        let taken = StoreError::Conflict { what: "the terminal's open batch" };
        assert_eq!(base.try_write(|tx| batches::open(tx, &tea.scope, &two)), Err(taken.clone()));
        base.write(|tx| batches::close(tx, &tea.scope, one.id, &closed()));
        let again = base.try_write(|tx| batches::close(tx, &tea.scope, one.id, &closed()));
        assert_eq!(again, Err(StoreError::NotFound { what: "the open batch" }));
        assert_eq!(base.try_write(|tx| batches::open(tx, &tea.scope, &one)), Err(taken));
        base.write(|tx| batches::open(tx, &tea.scope, &two));
        let ended = Batch { closed: Some(closed()), ..one };
        assert_eq!(base.read(|tx| batches::load(tx, &tea.scope, ended.id)), ended);
        let list = |filter: Filter, after, limit| base.read(|tx| batches::list(tx, &tea.scope, &filter, after, limit));
        let mut both = vec![ended.clone(), two];
        both.sort_by_key(|batch| std::cmp::Reverse(batch.id.to_string()));
        assert_eq!(list(Filter::default(), None, 10), both);
        let cursor = Cursor { at: NOW, id: both[0].id };
        assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        assert_eq!(list(Filter::default(), Some(cursor), 10), both[1..]);
        let later = Filter { from: Some(at(1)), ..Filter::default() };
        assert_eq!(list(later, None, 10), []);
        let of_now = Filter { store: Some(tea.store), terminal: Some(tea.terminal), from: Some(NOW), to: Some(at(1)) };
        assert_eq!(list(of_now, None, 1).len(), 1);
    });
}

/// A close is young from when it came in; what differs is looked at for as long as it does, unless only a person ends it.
#[test]
fn what_is_worth_another_look() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let numbers = [1, 2, 3].map(|number| batch(&tea, number));
        for one in &numbers {
            base.write(|tx| {
                batches::open(tx, &tea.scope, one)?;
                batches::close(tx, &tea.scope, one.id, &closed())
            });
        }
        base.write(|tx| batches::open(tx, &tea.scope, &batch(&tea, 4)));
        let look = |since, after, limit| {
            let found = base.read(|tx| batches::to_compare(tx, &tea.scope, since, after, limit));
            found.iter().map(|batch| batch.id).collect::<Vec<_>>()
        };
        let mut ids = numbers.map(|batch| batch.id);
        ids.sort_by_key(ToString::to_string);
        assert_eq!(look(at(200), None, 10), ids, "by when core heard of it, not by the terminal's clock");
        assert_eq!((look(at(200), None, 2), look(at(200), Some(ids[1]), 2)), (ids[..2].to_vec(), ids[2..].to_vec()));
        assert_eq!(look(at(201), None, 10), []);
        let uncounted = Uncounted { sum: cash(5), entries: 1 };
        base.write(|tx| {
            batches::keep_differences(tx, &tea.scope, &Place::Batch(ids[0]), &[unheard(&tea, 1)], NOW)?;
            batches::keep_uncounted(tx, &tea.scope, ids[1], uncounted, NOW)
        });
        assert_eq!(look(at(201), None, 10), ids[..1]);
        base.write(|tx| batches::keep_differences(tx, &tea.scope, &Place::Batch(ids[0]), &[], NOW));
        assert_eq!(look(at(201), None, 10), []);
    });
}

#[test]
fn cash_of_no_shift_is_swept_once_and_ended_by_a_person() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (one, two) = (batch(&tea, 1), batch(&tea, 2));
        let swept = |of: &Batch| base.write(|tx| batches::sweep(tx, &tea.scope, of));
        base.write(|tx| {
            batches::open(tx, &tea.scope, &one)?;
            batches::note_sale(tx, &tea.scope, &sale(&tea, 1, None, true, 500))?;
            batches::note_sale(tx, &tea.scope, &sale(&tea, 2, None, true, 70))?;
            batches::note_refund(tx, &tea.scope, &refund(&tea, 1, None, true, 100))?;
            // Of a shift, and through a channel: neither is this cash.
            batches::note_sale(tx, &tea.scope, &sale(&tea, 3, Some(one.id), true, 9))?;
            batches::note_sale(tx, &tea.scope, &sale(&tea, 4, None, false, 9))
        });
        let uncounted = Uncounted { sum: cash(470), entries: 3 };
        assert_eq!((swept(&one), swept(&one)), (Some(uncounted), None));
        base.write(|tx| {
            batches::close(tx, &tea.scope, one.id, &closed())?;
            batches::open(tx, &tea.scope, &two)?;
            batches::note_refund(tx, &tea.scope, &refund(&tea, 2, None, true, 70))
        });
        assert_eq!(swept(&two), Some(Uncounted { sum: cash(-70), entries: 1 }));

        let accept = || base.try_write(|tx| batches::accept_uncounted(tx, &tea.scope, one.id, at(9)));
        assert_eq!(accept(), Err(StoreError::NotFound { what: "the uncounted cash" }));
        base.write(|tx| batches::keep_uncounted(tx, &tea.scope, one.id, uncounted, NOW));
        base.write(|tx| batches::keep_differences(tx, &tea.scope, &Place::Batch(one.id), &[], at(5)));
        let kept = || base.read(|tx| batches::differences(tx, &tea.scope, &Place::Batch(one.id))).remove(0);
        assert_eq!((kept().class, kept().closed_at), (Class::Uncounted, None), "no comparison ends it");
        assert_eq!(kept().core.map(|core| (core.amount, core.entries)), Some((cash(470), Some(3))));
        assert_eq!((accept(), accept(), kept().closed_at), (Ok(true), Ok(false), Some(at(9))));
    });
}

/// What should be in the drawer is what the rules booked on its account.
#[test]
fn a_drawer_is_its_batchs_cash_and_the_books_have_the_same() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let open = batch(&tea, 1);
        base.write(|tx| {
            let scope = &tea.scope;
            batches::open(tx, scope, &open)?;
            batches::note_sale(tx, scope, &sale(&tea, 1, Some(open.id), true, 250))?;
            // Noted before; keyed without a shift; through a channel: none of them is this drawer's cash.
            batches::note_sale(tx, scope, &sale(&tea, 1, Some(open.id), true, 999))?;
            batches::note_sale(tx, scope, &sale(&tea, 2, None, true, 7))?;
            batches::note_sale(tx, scope, &sale(&tea, 3, Some(open.id), false, 70))?;
            batches::note_refund(tx, scope, &refund(&tea, 1, Some(open.id), true, 50))?;
            batches::note_refund(tx, scope, &refund(&tea, 3, Some(open.id), false, 20))?;
            batches::move_cash(tx, scope, &movement(&tea, 12, false, 30))?;
            batches::move_cash(tx, scope, &movement(&tea, 11, true, 5))
        });
        let drawer = base.read(|tx| batches::drawer(tx, &tea.scope, &open));
        let sums = [drawer.float, drawer.sales, drawer.given_back, drawer.paid_in, drawer.paid_out];
        assert_eq!(sums.map(Money::minor), [1_000, 250, 50, 5, 30]);
        assert_eq!(drawer.expected().map(Money::minor), Ok(1_175));
        let moved = base.read(|tx| batches::movements(tx, &tea.scope, &open));
        assert_eq!(moved, [movement(&tea, 11, true, 5), movement(&tea, 12, false, 30)]);
        let twice = base.try_write(|tx| batches::move_cash(tx, &tea.scope, &movement(&tea, 11, true, 5)));
        assert_eq!(twice, Err(StoreError::Conflict { what: "the drawer's movement" }));
    });
}

fn book(base: &Base, house: &House, subject: Of, kind: Kind, method: Method, minor: i64) {
    let channel_account = (method != Method::Cash).then_some(house.account);
    let booking = Booking { subject, kind, channel_account, at: NOW, booked_at: NOW };
    let sets = match kind {
        Kind::Captured => rules::captured(method, cny(minor), cash(1)),
        _ => rules::refund_succeeded(method, cny(minor), cash(0)),
    };
    base.write(|tx| ledger::post(tx, &house.scope, &booking, &sets));
}

#[test]
fn totals_and_the_statement_are_of_the_batch_alone() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let open = batch(&tea, 1);
        let (first, second) =
            (tea.sell(base, 1, cny(500), &captured(200, 0)), tea.sell(base, 2, cny(70), &captured(0, 0)));
        tea.sell(base, 3, cny(9), &Stand::Created);
        let mut given = tea.refund(1, first.payment.id, cny(200));
        given.requested_by = tea.terminal.to_string();
        given.refund.state = saoma_domain::refund::State::Succeeded;
        base.write(|tx| saoma_store::refunds::insert_new(tx, &tea.scope, &given));
        let of = |payment| Of::Payment(payment);
        book(base, &tea, of(first.payment.id), Kind::Captured, Method::CustomerPresented, 500);
        book(base, &tea, of(second.payment.id), Kind::Captured, Method::CustomerPresented, 70);
        let of_refund = Of::Refund { payment: first.payment.id, refund: given.refund.id };
        book(base, &tea, of_refund, Kind::RefundSucceeded, Method::CustomerPresented, 200);
        base.write(|tx| {
            let scope = &tea.scope;
            batches::open(tx, scope, &open)?;
            batches::note_sale(tx, scope, &sale(&tea, 1, Some(open.id), false, 500))?;
            batches::note_sale(tx, scope, &sale(&tea, 2, None, false, 70))?;
            batches::note_sale(tx, scope, &sale(&tea, 3, Some(open.id), false, 9))?;
            batches::note_refund(tx, scope, &refund(&tea, 1, Some(open.id), false, 200))
        });
        let empty = base.read(|tx| batches::totals(tx, &tea.scope, open.id));
        assert_eq!(empty[0].refunds, Tally::default(), "the terminal does not know yet that it went out");
        base.write(|tx| {
            let (terminal, refund) = (tea.terminal, tea.refund_id(1));
            batches::note_refund_state(tx, &tea.scope, terminal, refund, RefundState::Succeeded, Some(open.id))
        });
        let totals = base.read(|tx| batches::totals(tx, &tea.scope, open.id));
        let [total] = totals.as_slice() else { panic!("{totals:?}") };
        let tally = |count, minor| Tally { count, minor };
        assert_eq!((total.channel.as_str(), total.currency), ("sandbox", Currency::CNY));
        assert_eq!((total.sales, total.refunds, total.voids), (tally(1, 500), tally(1, 200), tally(0, 0)));
        let lines = base.read(|tx| ledger::settlement_of_batch(tx, &tea.scope, open.id));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((line.payments, line.gross_minor, line.refunds, line.refunded_minor), (1, 500, 1, 200));
        assert_eq!((line.fees_minor, line.net_minor(), line.terminal), (1, Some(299), Some(tea.terminal)));
    });
}

#[test]
fn both_sides_of_the_leg_are_found() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut open = batch(&tea, 1);
        for (number, minor) in [(1, 500), (2, 600), (3, 700)] {
            tea.sell(base, number, cny(minor), &captured(0, 0));
        }
        tea.give_back(base, 1, tea.payment_id(1), cny(100));
        base.write(|tx| {
            let scope = &tea.scope;
            batches::open(tx, scope, &open)?;
            batches::note_sale(tx, scope, &sale(&tea, 1, Some(open.id), false, 500))?;
            batches::note_sale_state(tx, scope, tea.terminal, tea.payment_id(1), PaymentState::Succeeded, 0)?;
            // Keyed without a shift: known, and not of the batch. The third is in no journal.
            batches::note_sale(tx, scope, &sale(&tea, 2, None, false, 600))?;
            batches::note_refund(tx, scope, &refund(&tea, 4, Some(open.id), false, 40))?;
            batches::note_refund_state(tx, scope, tea.terminal, tea.refund_id(4), RefundState::Pending, None)?;
            // Of what was never keyed there is nothing to note.
            batches::note_sale_state(tx, scope, tea.terminal, tea.payment_id(9), PaymentState::Failed, 0)
        });
        assert_eq!(Span::of(&open), None);
        open.closed = Some(closed());
        let span = Span::of(&open).expect("it is closed");
        let told = base.read(|tx| batches::terminal_says(tx, &tea.scope, &span));
        let refund_4 = Subject::Refund(tea.refund_id(4));
        assert_eq!(
            told.into_iter().collect::<Vec<_>>(),
            [
                (Subject::Sale(tea.payment_id(1)), side(500, PAID)),
                (refund_4, side(40, Some(State::Refund(RefundState::Pending)))),
            ]
        );
        let ours = base.read(|tx| batches::core_says(tx, &tea.scope, &span));
        let subjects: Vec<Subject> = ours.keys().copied().collect();
        assert_eq!(
            subjects,
            [1, 3].map(|number| Subject::Sale(tea.payment_id(number))),
            "a refund by core is not the till's"
        );
        let day = Span::Time { terminal: tea.terminal, from: NOW, to: at(1) };
        let leg = base.read(|tx| {
            let told = batches::terminal_says(tx, &tea.scope, &day)?;
            Ok(compare(&told, &batches::core_says(tx, &tea.scope, &day)?))
        });
        assert_eq!((leg.rows, leg.agreed), (4, 1));
    });
}

#[test]
fn differences_are_found_changed_closed_and_found_again() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let open = batch(&tea, 1);
        base.write(|tx| batches::open(tx, &tea.scope, &open));
        let keep = |found: &[Difference], when| {
            base.write(|tx| batches::keep_differences(tx, &tea.scope, &Place::Batch(open.id), found, when));
            let kept = base.read(|tx| batches::differences(tx, &tea.scope, &Place::Batch(open.id)));
            kept.iter().map(|one| (one.subject.clone(), one.class, one.found_at, one.closed_at)).collect::<Vec<_>>()
        };
        let counted = || base.read(|tx| batches::open_count(tx, &tea.scope, &[open.id])).get(&open.id).copied();
        let [first, second] = [1, 2].map(|number| tea.payment_id(number).to_string());
        assert_eq!((keep(&[], NOW), counted()), (Vec::new(), None));
        let both = [unheard(&tea, 1), unheard(&tea, 2)];
        let (one, two) = ((first.clone(), Class::State, at(1), None), (second.clone(), Class::State, at(1), None));
        assert_eq!((keep(&both, at(1)), counted()), (vec![one, two.clone()], Some(2)));
        // Another difference by now, found at the same moment as before; the second is over.
        let amount = Difference { class: Class::Amount, fields: vec![Field::Amount, Field::State], ..unheard(&tea, 1) };
        let one = (first.clone(), Class::Amount, at(1), None);
        let over = (second.clone(), Class::State, at(1), Some(at(2)));
        assert_eq!(keep(std::slice::from_ref(&amount), at(2)), [one.clone(), over]);
        let again = (second, Class::State, at(3), None);
        assert_eq!((keep(&[amount, unheard(&tea, 2)], at(3)), counted()), (vec![one, again], Some(2)));
        let kept = base.read(|tx| batches::differences(tx, &tea.scope, &Place::Batch(open.id))).remove(0);
        assert_eq!(kept.fields, [Field::Amount, Field::State]);
        assert_eq!(kept.core.map(|core| core.state), Some(Some("succeeded".to_owned())));
        assert_eq!(kept.terminal.map(|told| told.state), Some(None));
    });
}

/// The journal carries what core's view says: the whole of a void, and what is being given back.
#[test]
fn core_counts_what_went_back_as_its_view_does() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &Stand::Voided { captured_at: NOW });
        tea.sell(base, 2, cny(600), &captured(200, 40));
        tea.sell(base, 3, cny(700), &Stand::Reversed);
        let day = Span::Time { terminal: tea.terminal, from: NOW, to: at(1) };
        let ours = base.read(|tx| batches::core_says(tx, &tea.scope, &day));
        let refunded: Vec<i64> = ours.values().map(|side| side.refunded_minor).collect();
        assert_eq!(refunded, [500, 240, 0]);
    });
}

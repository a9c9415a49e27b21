//! Stored value on both databases: what is kept of it, who sees it, and two who want the last of it.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_domain::stored_value::{Account, Charge, Event, Limits, MovementKind, State, decide};
use saoma_protocol::{Currency, Sequence, StoredValueAccountId, StoredValueMovementId};
use saoma_store::{
    StoreError, Tx, ledger,
    stored_value::{
        self, Filter, StoredAccount, charges,
        charges::StoredCharge,
        codes,
        movements::{self, Movement, NewMovement, Numbered},
    },
};

use crate::{
    base::{Base, on_both},
    house::{House, NOW, at, bytes, cny},
};

const DAY: &str = "2026-01-31";

fn account(house: &House, number: u8) -> StoredAccount {
    StoredAccount {
        id: StoredValueAccountId::from_bytes(bytes(house.letter, number)),
        holder: "Mei".to_owned(),
        reference: Some(format!("S{number}")),
        account: Account {
            currency: Currency::CNY,
            state: State::Active,
            balance_minor: 0,
            limits: Limits { charge_minor_max: Some(300), ..Limits::default() },
        },
        movements: 0,
        version: 1,
        created_at: at(number.into()),
        updated_at: at(number.into()),
    }
}

fn told(house: &House, number: u8, kind: MovementKind) -> NewMovement {
    let of = match kind {
        MovementKind::ToppedUp | MovementKind::TopUpReversed | MovementKind::Recovered | MovementKind::PaidOut => None,
        MovementKind::Charged | MovementKind::ChargeCancelled | MovementKind::Refunded => Some(Numbered {
            acceptor: "canteen".to_owned(),
            number: format!("n{number}"),
            charge_number: format!("n{number}"),
        }),
    };
    NewMovement {
        id: StoredValueMovementId::from_bytes(bytes(house.letter, number)),
        kind,
        numbered: of,
        reverses: None,
        reason: None,
        made_by: "usr_x".to_owned(),
        day: DAY.to_owned(),
        at: at(number.into()),
        borne_minor: 0,
    }
}

fn charge(house: &House, number: u8, charge: Charge) -> StoredCharge {
    StoredCharge {
        acceptor: "canteen".to_owned(),
        number: format!("n{number}"),
        account: Some(account(house, 1).id),
        charge,
        movement: None,
        day: DAY.to_owned(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// What a use-case does: takes its turn, loads, decides, writes down.
fn moves(
    tx: &mut Tx<'_>,
    house: &House,
    account_number: u8,
    event: &Event,
    told: &NewMovement,
) -> Result<Option<Movement>, StoreError> {
    ledger::take_turn(tx, &house.scope)?;
    let mut stored = stored_value::load(tx, &house.scope, account(house, account_number).id)?;
    let Ok(after) = decide(&stored.account, event) else { return Ok(None) };
    movements::record(tx, &house.scope, &mut stored, after, told.clone()).map(Some)
}

/// An account with a movement, a charge and a code.
pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    stored_value::open(tx, &house.scope, &account(house, 1))?;
    moves(tx, house, 1, &Event::ToppedUp(cny(500)), &told(house, 1, MovementKind::ToppedUp))?;
    charges::insert(tx, &house.scope, &charge(house, 1, Charge::Barred))?;
    codes::put(tx, &house.scope, account(house, 1).id, &[house.letter; 32], at(60_000))?;
    crate::offline::furnish(tx, house, account(house, 1).id)
}

#[test]
fn what_is_written_is_read_back() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        base.write(|tx| furnish(tx, &tea));
        let stored = base.read(|tx| stored_value::load(tx, scope, account(&tea, 1).id));
        let mut expected = StoredAccount { movements: 1, version: 2, updated_at: at(1), ..account(&tea, 1) };
        expected.account.balance_minor = 500;
        assert_eq!(stored, expected);
        // The same number twice, or an account changed meanwhile, moves nothing.
        let spends = Event::Charged { amount: cny(200), spent_minor: 0, reserved_minor: 0 };
        let spent = told(&tea, 2, MovementKind::Charged);
        let moved = base.write(|tx| moves(tx, &tea, 1, &spends, &spent)).expect("a movement");
        assert_eq!((moved.money.minor(), moved.balance_minor, moved.sequence), (-200, 300, Sequence(2)));
        let again = NewMovement { id: StoredValueMovementId::from_bytes(bytes(b'T', 9)), ..spent.clone() };
        let refused = base.try_write(|tx| moves(tx, &tea, 1, &spends, &again));
        assert_eq!(refused, Err(StoreError::Conflict { what: "the movement" }));
        let stale = base.try_write(|tx| {
            let mut stale = stored.clone();
            movements::record(tx, scope, &mut stale, stored.account, told(&tea, 3, MovementKind::ToppedUp))
        });
        assert!(matches!(stale, Err(StoreError::Stale { .. } | StoreError::Corrupt { .. })), "{stale:?}");
        base.read(|tx| {
            assert_eq!(movements::load(tx, scope, spent.id)?, moved);
            assert_eq!(movements::of_number(tx, scope, "canteen", MovementKind::Charged, "n2")?, Some(moved.clone()));
            assert_eq!(movements::of_number(tx, scope, "gate", MovementKind::Charged, "n2")?, None);
            let sequences = |before, limit| -> Result<Vec<u64>, StoreError> {
                let page = movements::statement(tx, scope, stored.id, before, limit)?;
                Ok(page.iter().map(|movement| movement.sequence.0).collect())
            };
            let mut sequences = sequences;
            assert_eq!(sequences(None, 5)?, [2, 1]);
            assert_eq!(sequences(None, 1)?, [2]);
            assert_eq!(sequences(Some(Sequence(2)), 5)?, [1]);
            let bill = movements::bill(tx, scope, "canteen", NOW, at(60), None, 5)?;
            assert_eq!(bill, std::slice::from_ref(&moved));
            let after = movements::BillCursor { at: moved.told.at, id: moved.told.id };
            assert_eq!(movements::bill(tx, scope, "canteen", NOW, at(60), Some(after), 5)?, []);
            assert_eq!(movements::bill(tx, scope, "canteen", NOW, moved.told.at, None, 5)?, []);
            Ok(())
        });
        // The books say the same: what was paid in, what of it is held, and what is owed for the rest.
        let balances: Vec<(String, i64)> = base
            .read(|tx| ledger::balances(tx, scope, None))
            .into_iter()
            .map(|balance| (balance.account.text().to_owned(), balance.money.minor()))
            .collect();
        for expected in [("cash_in_safe", 500), ("stored_value", -300), ("stored_value_due", -200)] {
            assert!(balances.contains(&(expected.0.to_owned(), expected.1)), "{balances:?}");
        }
    });
}

#[test]
fn a_reference_is_one_holders_and_lists_have_pages() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        for number in 1..=3 {
            base.write(|tx| stored_value::open(tx, scope, &account(&tea, number)));
        }
        let twin = StoredAccount { reference: Some("S1".to_owned()), ..account(&tea, 9) };
        let refused = base.try_write(|tx| stored_value::open(tx, scope, &twin));
        assert_eq!(refused, Err(StoreError::Conflict { what: "the reference" }));
        let ids = |filter: &Filter, after, limit| -> Vec<StoredValueAccountId> {
            base.read(|tx| stored_value::list(tx, scope, filter, after, limit)).iter().map(|found| found.id).collect()
        };
        let id = |number| account(&tea, number).id;
        assert_eq!(ids(&Filter::default(), None, 2), [id(3), id(2)]);
        assert_eq!(ids(&Filter::default(), Some(stored_value::Cursor { at: at(2), id: id(2) }), 2), [id(1)]);
        assert_eq!(ids(&Filter { reference: Some("S2".to_owned()), state: None }, None, 2), [id(2)]);
        assert_eq!(ids(&Filter { reference: None, state: Some(State::Frozen) }, None, 2), []);
    });
}

#[test]
fn charges_are_kept_by_their_number_and_summed_by_the_day() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        base.write(|tx| stored_value::open(tx, scope, &account(&tea, 1)));
        let refused = Charge::Refused { amount: cny(900), reason: "charge_limit".to_owned() };
        let cancelled = Charge::Cancelled { amount: cny(70) };
        let charged = |returned_minor| Charge::Charged { amount: cny(100), borne_minor: 0, returned_minor };
        let nobodys = StoredCharge { account: None, ..charge(&tea, 5, Charge::Barred) };
        let yesterdays = StoredCharge { day: "2026-01-30".to_owned(), ..charge(&tea, 6, charged(0)) };
        let all = [
            charge(&tea, 1, charged(0)),
            charge(&tea, 2, charged(40)),
            charge(&tea, 3, refused),
            charge(&tea, 4, cancelled),
            nobodys,
            yesterdays,
        ];
        for charge in &all {
            base.write(|tx| charges::insert(tx, scope, charge));
            let found = base.read(|tx| charges::find(tx, scope, &charge.acceptor, &charge.number));
            assert_eq!(found.as_ref(), Some(charge));
            let again = base.try_write(|tx| charges::insert(tx, scope, charge));
            assert_eq!(again, Err(StoreError::Conflict { what: "the charge's number" }));
        }
        let spent = || base.read(|tx| charges::spent_minor(tx, scope, account(&tea, 1).id, DAY));
        assert_eq!(spent(), 160);
        let returned = StoredCharge { updated_at: at(5), ..charge(&tea, 1, charged(100)) };
        base.write(|tx| charges::save(tx, scope, &returned));
        assert_eq!(base.read(|tx| charges::find(tx, scope, "canteen", "n1")), Some(returned));
        assert_eq!(spent(), 60);
        // What the issuer bears the holder has not spent, and it comes back before the holder's part.
        let borne = |returned_minor| Charge::Charged { amount: cny(100), borne_minor: 30, returned_minor };
        base.write(|tx| charges::insert(tx, scope, &charge(&tea, 7, borne(0))));
        for (after, expected) in [(borne(0), 130), (borne(20), 130), (borne(50), 110), (borne(100), 60)] {
            base.write(|tx| charges::save(tx, scope, &charge(&tea, 7, after.clone())));
            assert_eq!(spent(), expected);
        }
    });
}

/// An offline code that was spent twice moves nothing on its account, and stands in its statement and on the bill all the same.
#[test]
fn what_the_issuer_bears_is_booked_as_its_loss() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let scope = &tea.scope;
        base.write(|tx| stored_value::open(tx, scope, &account(&tea, 1)));
        base.write(|tx| moves(tx, &tea, 1, &Event::ToppedUp(cny(500)), &told(&tea, 1, MovementKind::ToppedUp)));
        for (number, kind, borne_minor, change) in [
            (2, MovementKind::Charged, 70, Some(Event::SpentOffline(cny(30)))),
            (3, MovementKind::Charged, 100, None),
            (4, MovementKind::Refunded, 80, None),
            (5, MovementKind::Recovered, 0, Some(Event::Recovered { amount: cny(20), reserved_minor: 0 })),
        ] {
            base.write(|tx| {
                ledger::take_turn(tx, scope)?;
                let mut stored = stored_value::load(tx, scope, account(&tea, 1).id)?;
                let after = change.as_ref().map_or(stored.account, |event| decide(&stored.account, event).unwrap());
                let told = NewMovement { borne_minor, ..told(&tea, number, kind) };
                movements::record(tx, scope, &mut stored, after, told).map(drop)
            });
        }
        let statement = base.read(|tx| movements::statement(tx, scope, account(&tea, 1).id, None, 9));
        let lines: Vec<_> = statement.iter().map(|line| (line.money.minor(), line.balance_minor)).collect();
        assert_eq!(lines, [(-20, 450), (0, 470), (0, 470), (-30, 470), (500, 500)]);
        let bill = base.read(|tx| movements::bill(tx, scope, "canteen", at(0), at(9), None, 9));
        let amounts: Vec<i64> = bill.iter().map(|line| line.amount().unwrap().minor()).collect();
        assert_eq!(amounts, [100, 100, 80], "the acceptor sees the whole of each, and no recovery");
        let sums = base.read(|tx| ledger::balances(tx, scope, None));
        for expected in [("stored_value", -450), ("stored_value_due", -120), ("risk_loss", 70)] {
            assert!(sums.iter().any(|sum| (sum.account.text(), sum.money.minor()) == expected), "{sums:?}");
        }
        let nothing = base.try_write(|tx| {
            ledger::take_turn(tx, scope)?;
            let mut stored = stored_value::load(tx, scope, account(&tea, 1).id)?;
            let after = stored.account;
            movements::record(tx, scope, &mut stored, after, told(&tea, 6, MovementKind::Charged)).map(drop)
        });
        assert!(nothing.is_err(), "of nothing there is no movement");
    });
}

#[test]
fn a_code_is_good_once_and_the_next_takes_its_place() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let (scope, id) = (&tea.scope, account(&tea, 1).id);
        base.write(|tx| stored_value::open(tx, scope, &account(&tea, 1)));
        let take = |code: u8| base.write(|tx| codes::take(tx, scope, &[code; 32]));
        for code in [1, 2] {
            base.write(|tx| codes::put(tx, scope, id, &[code; 32], at(60)));
        }
        assert_eq!((take(1), take(2), take(2)), (None, Some((id, at(60))), None));
        base.write(|tx| codes::put(tx, scope, id, &[3; 32], at(60)));
        base.write(|tx| codes::kill(tx, scope, id));
        assert_eq!(take(3), None);
    });
}

#[test]
fn of_two_who_want_the_last_cent_one_has_it() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| {
            stored_value::open(tx, &tea.scope, &account(&tea, 1))?;
            moves(tx, &tea, 1, &Event::ToppedUp(cny(100)), &told(&tea, 1, MovementKind::ToppedUp))
        });
        let spends = Event::Charged { amount: cny(100), spent_minor: 0, reserved_minor: 0 };
        let spend = |number| {
            let told = told(&tea, number, MovementKind::Charged);
            move |tx: &mut Tx<'_>| moves(tx, &tea, 1, &spends, &told)
        };
        let (first, second) = base.overlap(spend(2), || base.try_write(spend(3)));
        assert!(first.expect("the first").is_some());
        assert_eq!(second, Ok(None), "nothing was left");
        let left = base.read(|tx| stored_value::load(tx, &tea.scope, account(&tea, 1).id));
        assert_eq!((left.account.balance_minor, left.movements), (0, 2));
    });
}

#[test]
fn nothing_of_another_tenant_is_read_or_changed() {
    on_both(|base| {
        let [rice, tea] = [House::build(base, b'R'), House::build(base, b'T')];
        base.write(|tx| furnish(tx, &tea));
        let before = rows(base);
        let (theirs, id) = (&rice.scope, account(&tea, 1).id);
        let not_found = Err(StoreError::NotFound { what: "the stored-value account" });
        base.read(|tx| {
            assert_eq!(stored_value::load(tx, theirs, id).map(drop), not_found);
            assert_eq!(stored_value::list(tx, theirs, &Filter::default(), None, 9)?, []);
            assert_eq!(movements::statement(tx, theirs, id, None, 9)?, []);
            assert_eq!(movements::bill(tx, theirs, "canteen", NOW, at(60), None, 9)?, []);
            assert_eq!(charges::find(tx, theirs, "canteen", "n1")?, None);
            assert_eq!(charges::spent_minor(tx, theirs, id, DAY)?, 0);
            assert!(!movements::is_reversed(tx, theirs, told(&tea, 1, MovementKind::ToppedUp).id)?);
            movements::load(tx, theirs, told(&tea, 1, MovementKind::ToppedUp).id).expect_err("another's");
            Ok(())
        });
        assert_eq!(base.write(|tx| codes::take(tx, theirs, &[tea.letter; 32])), None);
        base.write(|tx| codes::kill(tx, theirs, id));
        assert_eq!(base.try_write(|tx| codes::put(tx, theirs, id, &[7; 32], NOW)), not_found);
        let mut stored = base.read(|tx| stored_value::load(tx, &tea.scope, id));
        stored.holder = "Robber".to_owned();
        assert_eq!(base.try_write(|tx| stored_value::save(tx, theirs, &mut stored)), not_found);
        assert_eq!(rows(base), before);
    });
}

#[test]
fn what_moved_is_written_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| furnish(tx, &tea));
        let mut conn = base.raw();
        for attempt in ["UPDATE stored_value_movements SET amount_minor = 9", "DELETE FROM stored_value_movements"] {
            let refused = sql_query(attempt).execute(&mut conn).expect_err(attempt).to_string();
            assert!(refused.contains("is written once"), "{attempt}: {refused}");
        }
    });
}

/// How many rows there are, and what of them could be changed.
fn rows(base: &Base) -> [i64; 4] {
    [
        "SELECT COUNT(*) AS n FROM stored_value_accounts WHERE holder = 'Mei' AND version = 2",
        "SELECT COUNT(*) AS n FROM stored_value_movements",
        "SELECT COUNT(*) AS n FROM stored_value_charges",
        "SELECT COUNT(*) AS n FROM stored_value_codes",
    ]
    .map(|query| base.count(query))
}

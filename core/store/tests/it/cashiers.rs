//! Those who sign on at tills: whose they are, where they may, and the number that tells terminals of a change.

use saoma_protocol::{
    CashierId, Millis, StoreId,
    cashier::{SupervisorFor, TillRole},
};
use saoma_store::{
    Opaque, StoreError, TenantScope, Tx,
    cashiers::{self, Cashier, Settings},
};

use crate::{
    base::on_both,
    house::{House, NOW, at},
};

fn cashier(letter: u8, number: u8, staff_code: &str) -> Cashier {
    Cashier {
        id: CashierId::from_bytes(crate::house::bytes(letter, number)),
        staff_code: staff_code.parse().expect("a staff code"),
        name: "Mei".to_owned(),
        role: TillRole::Cashier,
        stores: Vec::new(),
        active: true,
        version: 1,
        pin_set_at: NOW,
        created_at: NOW,
        changed_at: NOW,
    }
}

/// Sealed under a data key that no test rotates.
fn pin(byte: u8) -> Opaque<Vec<u8>> {
    Opaque(vec![255, 0, 0, 1, byte])
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    cashiers::changes(tx, &house.scope, NOW)?;
    cashiers::create(tx, &house.scope, &cashier(house.letter, 1, "07"), &pin(house.letter))
}

pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    cashiers::update(tx, scope, &cashier(theirs.letter, 1, "9"))
}

pub fn set_pin(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    cashiers::set_pin(tx, scope, cashier(theirs.letter, 1, "9").id, &pin(0), NOW)
}

/// `theirs` has what it has; `ours` sees its own alone.
pub fn of_others_is_nothing(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let (scope, own) = (&ours.scope, cashier(ours.letter, 1, "07"));
    let missing = cashiers::load(tx, scope, cashier(theirs.letter, 1, "07").id);
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    assert_eq!(cashiers::list(tx, scope)?, std::slice::from_ref(&own));
    // Whoever may sign on everywhere may do so in a store of another merchant as well, if that is asked for by our scope.
    assert_eq!(cashiers::of_store(tx, scope, theirs.store)?, [(own, pin(ours.letter))]);
    assert_eq!(cashiers::settings(tx, scope)?.version, 1);
    Ok(())
}

#[test]
fn a_staff_code_is_one_person_s_alone_and_free_in_the_next_shop() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let taken = Err(StoreError::Conflict { what: "the staff code" });
        let create =
            |house: &House, who: &Cashier| base.try_write(|tx| cashiers::create(tx, &house.scope, who, &pin(1)));
        assert_eq!(create(&tea, &cashier(b'T', 1, "07")), Ok(()));
        assert_eq!(create(&tea, &cashier(b'T', 2, "07")), taken);
        assert_eq!(create(&tea, &cashier(b'T', 2, "7")), Ok(()));
        assert_eq!(create(&milk, &cashier(b'M', 1, "07")), Ok(()));
        let gone = Cashier { active: false, ..cashier(b'T', 1, "07") };
        base.write(|tx| cashiers::update(tx, &tea.scope, &gone));
        assert_eq!(create(&tea, &cashier(b'T', 3, "07")), taken, "also of one who has left");
        let update = |who: Cashier| base.try_write(|tx| cashiers::update(tx, &tea.scope, &who));
        assert_eq!(update(cashier(b'T', 2, "07")), taken);
        let moved = Cashier { staff_code: "10".parse().expect("a code"), ..gone.clone() };
        assert_eq!(update(moved.clone()), Err(StoreError::Stale { what: "the cashier" }), "it has changed meanwhile");
        assert_eq!(update(Cashier { version: 2, ..moved }), Ok(()));
        assert_eq!(update(cashier(b'T', 2, "07")), Ok(()));
        assert_eq!(update(cashier(b'T', 9, "99")), Err(StoreError::NotFound { what: "the cashier" }));
        let codes = base.read(|tx| cashiers::list(tx, &tea.scope));
        assert_eq!(codes.iter().map(|who| who.staff_code.to_string()).collect::<Vec<_>>(), ["07", "10"]);
    });
}

#[test]
fn a_store_s_tills_hear_of_those_who_may_sign_on_there() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let elsewhere = StoreId::from_bytes([7; 16]);
        let here = Cashier { stores: vec![tea.store], role: TillRole::Supervisor, ..cashier(b'T', 1, "1") };
        let both = Cashier { stores: vec![elsewhere, tea.store], ..cashier(b'T', 2, "2") };
        let there = Cashier { stores: vec![elsewhere], ..cashier(b'T', 3, "3") };
        let everywhere = cashier(b'T', 4, "4");
        let gone = Cashier { active: false, ..cashier(b'T', 5, "5") };
        for (number, who) in (1..).zip([&here, &both, &there, &everywhere, &gone]) {
            base.write(|tx| cashiers::create(tx, &tea.scope, who, &pin(number)));
        }
        let of = |store| base.read(|tx| cashiers::of_store(tx, &tea.scope, store));
        assert_eq!(of(tea.store), [(here, pin(1)), (both.clone(), pin(2)), (everywhere.clone(), pin(4))]);
        base.write(|tx| cashiers::set_pin(tx, &tea.scope, everywhere.id, &pin(9), at(5)));
        let everywhere = Cashier { pin_set_at: at(5), changed_at: at(5), ..everywhere };
        assert_eq!(of(elsewhere), [(both, pin(2)), (there, pin(3)), (everywhere, pin(9))]);
    });
}

#[test]
fn each_change_has_the_next_number_and_keeps_the_rule_about_supervisors() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let settings = |house: &House| base.read(|tx| cashiers::settings(tx, &house.scope));
        assert_eq!(settings(&tea), Settings { version: 0, supervisor_for: SupervisorFor::None });
        base.write(|tx| cashiers::changes(tx, &tea.scope, Millis(1)));
        base.write(|tx| cashiers::set_supervisor_for(tx, &tea.scope, SupervisorFor::Refunds, Millis(2)));
        base.write(|tx| cashiers::changes(tx, &tea.scope, Millis(3)));
        assert_eq!(settings(&tea), Settings { version: 3, supervisor_for: SupervisorFor::Refunds });
        assert_eq!(settings(&milk).version, 0);
    });
}

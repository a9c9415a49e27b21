//! Printed codes: whose they are, which payments came through them, and what a revoked one still is.

use saoma_protocol::StaticCodeId;
use saoma_store::{
    StoreError, TenantScope, Tx, access,
    static_codes::{self, Origin, StaticCode},
    tenants,
};

use crate::{
    base::on_both,
    house::{House, NOW, at},
};

fn code(house: &House, number: u8) -> StaticCode {
    StaticCode {
        id: StaticCodeId::from_bytes(crate::house::bytes(house.letter, number)),
        store: house.store,
        terminal: Some(house.terminal),
        announce_at: None,
        label: "counter".to_owned(),
        min_minor: 1,
        max_minor: 50_000,
        created_at: NOW,
        revoked_at: None,
    }
}

fn origin(house: &House) -> Origin {
    Origin { code: code(house, 1).id, app: Some("wechat".to_owned()) }
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    static_codes::create(tx, &house.scope, &code(house, 1))?;
    static_codes::note_payment(tx, &house.scope, house.payment_id(1), &origin(house))
}

pub fn announce_at(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    static_codes::announce_at(tx, scope, code(theirs, 1).id, Some(theirs.terminal))
}

pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, theirs: &House) -> Result<(), StoreError> {
    static_codes::revoke(tx, scope, code(theirs, 1).id, NOW)
}

/// `theirs` has what it has; `ours` sees its own alone.
pub fn of_others_is_nothing(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let missing = static_codes::load(tx, &ours.scope, code(theirs, 1).id);
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    assert_eq!(static_codes::list(tx, &ours.scope)?, [code(ours, 1)]);
    Ok(())
}

#[test]
fn where_a_code_is_announced_is_changed_and_taken_back() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        base.write(|tx| static_codes::create(tx, &tea.scope, &code(&tea, 1)));
        for terminal in [Some(tea.terminal), None] {
            base.write(|tx| static_codes::announce_at(tx, &tea.scope, code(&tea, 1).id, terminal));
            let announced = StaticCode { announce_at: terminal, ..code(&tea, 1) };
            assert_eq!(base.read(|tx| static_codes::load(tx, &tea.scope, announced.id)), announced);
        }
        let missing = base.try_write(|tx| static_codes::announce_at(tx, &tea.scope, code(&tea, 2).id, None));
        assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    });
}

#[test]
fn whoever_scans_a_code_enters_its_merchant_and_a_revoked_one_says_so() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        for house in [&tea, &milk] {
            base.write(|tx| static_codes::create(tx, &house.scope, &code(house, 1)));
        }
        let scanned = |house: &House| base.read(|tx| access::by_static_code(tx, code(house, 1).id));
        assert_eq!(scanned(&tea), (tea.scope, code(&tea, 1)));
        base.write(|tx| static_codes::revoke(tx, &tea.scope, code(&tea, 1).id, at(5)));
        base.write(|tx| static_codes::revoke(tx, &tea.scope, code(&tea, 1).id, at(9)));
        assert_eq!(scanned(&tea).1.revoked_at, Some(at(5)), "once");
        assert_eq!(scanned(&milk).1.revoked_at, None);
        let nobody_s = base.try_read(|tx| access::by_static_code(tx, code(&tea, 2).id));
        assert!(matches!(nobody_s, Err(StoreError::NotFound { .. })), "{nobody_s:?}");
        base.write(|tx| {
            let mut tenant = tenants::load(tx, &milk.scope)?;
            tenant.active = false;
            tenants::update(tx, &access::process(), &tenant)
        });
        let closed = base.try_read(|tx| access::by_static_code(tx, code(&milk, 1).id));
        assert!(matches!(closed, Err(StoreError::NotFound { .. })), "{closed:?}");
    });
}

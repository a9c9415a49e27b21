//! Those who sign on at a tenant's tills, and what holds for all of them.

use diesel::prelude::*;
use saoma_protocol::{
    CashierId, Millis, StoreId, TenantId,
    cashier::{StaffCode, SupervisorFor, TillRole},
};

use crate::{
    Opaque, StoreError, TenantScope, Tx,
    column::{Tag, Txt, corrupt, found, signed, unsigned},
    dialect::insert_or_ignore,
    schema::{cashier_lists, cashiers},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cashier {
    pub id: CashierId,
    /// Unique within the tenant, also among those who are not active.
    pub staff_code: StaffCode,
    pub name: String,
    pub role: TillRole,
    /// Where the person may sign on; everywhere if it is empty.
    pub stores: Vec<StoreId>,
    pub active: bool,
    /// Grows with each change but that of the PIN, from 1.
    pub version: u64,
    pub pin_set_at: Millis,
    pub created_at: Millis,
    pub changed_at: Millis,
}

impl Cashier {
    #[must_use]
    pub fn is_of(&self, store: StoreId) -> bool {
        self.stores.is_empty() || self.stores.contains(&store)
    }
}

/// With the sealed verifier of the PIN.
pub type WithPin = (Cashier, Opaque<Vec<u8>>);

/// What holds for all cashiers of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Grows by 1 with each change of a cashier or of this; 0 before the first.
    pub version: u64,
    pub supervisor_for: SupervisorFor,
}

/// `pin`: the sealed verifier ([`crate::sealed::Place::CashierPin`]).
///
/// # Errors
/// `Conflict` if the staff code or the id is taken.
pub fn create(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    cashier: &Cashier,
    pin: &Opaque<Vec<u8>>,
) -> Result<(), StoreError> {
    let values = (&Row::of(scope, cashier), cashiers::pin.eq(pin.0.as_slice()));
    match insert_or_ignore!(tx, scope, cashiers::table, values)? {
        0 => Err(TAKEN),
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, cashier: CashierId) -> Result<Cashier, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, cashier).select(Row::as_select()).first(conn).optional())?;
    row.map(Cashier::try_from).transpose()?.ok_or(StoreError::NotFound { what: WHO })
}

/// All of them, by staff code.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Cashier>, StoreError> {
    let of_tenant = cashiers::table.filter(cashiers::tenant_id.eq(Txt(scope.tenant())));
    let rows: Vec<Row> =
        tx.run(scope, |conn| of_tenant.order(cashiers::staff_code).select(Row::as_select()).load(conn))?;
    rows.into_iter().map(Cashier::try_from).collect()
}

/// Changes all but the PIN. `cashier` has the version that was seen; the row has the next one then.
///
/// # Errors
/// `NotFound`; `Conflict` if the staff code is another's; `Stale` if it has another version.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, cashier: &Cashier) -> Result<(), StoreError> {
    let changes = (
        cashiers::staff_code.eq(Txt(cashier.staff_code.clone())),
        cashiers::name.eq(&cashier.name),
        cashiers::role.eq(Tag(cashier.role)),
        cashiers::stores.eq(stores_text(&cashier.stores)),
        cashiers::active.eq(cashier.active),
        cashiers::version.eq(signed(cashier.version + 1)),
        cashiers::changed_at.eq(cashier.changed_at.0),
    );
    let others = cashiers::table
        .filter(cashiers::tenant_id.eq(Txt(scope.tenant())))
        .filter(cashiers::staff_code.eq(Txt(cashier.staff_code.clone())))
        .filter(cashiers::id.ne(Txt(cashier.id)))
        .count();
    if tx.run(scope, |conn| others.get_result::<i64>(conn))? > 0 {
        return Err(TAKEN);
    }
    load(tx, scope, cashier.id)?;
    let seen = row_of(scope, cashier.id).filter(cashiers::version.eq(signed(cashier.version)));
    let n = tx.run(scope, |conn| diesel::update(seen).set(changes).execute(conn));
    match n.map_err(|error| error.about(CODE))? {
        0 => Err(StoreError::Stale { what: WHO }),
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound`.
pub fn set_pin(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    cashier: CashierId,
    pin: &Opaque<Vec<u8>>,
    at: Millis,
) -> Result<(), StoreError> {
    let changes = (cashiers::pin.eq(pin.0.as_slice()), cashiers::pin_set_at.eq(at.0), cashiers::changed_at.eq(at.0));
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, cashier)).set(changes).execute(conn))?;
    found(n, WHO)
}

/// Those who may sign on at a store's tills now, by staff code, with their sealed verifiers.
///
/// # Errors
/// None of its own.
pub fn of_store(tx: &mut Tx<'_>, scope: &TenantScope, store: StoreId) -> Result<Vec<WithPin>, StoreError> {
    let active = cashiers::table
        .filter(cashiers::tenant_id.eq(Txt(scope.tenant())))
        .filter(cashiers::active.eq(true))
        .order(cashiers::staff_code)
        .select((Row::as_select(), cashiers::pin));
    let rows: Vec<(Row, Vec<u8>)> = tx.run(scope, |conn| active.load(conn))?;
    let both = rows.into_iter().map(|(row, pin)| Ok((Cashier::try_from(row)?, Opaque(pin))));
    let of_store = both.filter(|read| read.as_ref().map_or(true, |(cashier, _)| cashier.is_of(store)));
    of_store.collect()
}

/// # Errors
/// None of its own.
pub fn settings(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Settings, StoreError> {
    let columns = (cashier_lists::version, cashier_lists::supervisor_for);
    let row: Option<(i64, Tag<SupervisorFor>)> =
        tx.run(scope, |conn| cashier_lists::table.find(Txt(scope.tenant())).select(columns).first(conn).optional())?;
    row.map_or(Ok(Settings::default()), |(version, Tag(supervisor_for))| {
        Ok(Settings { version: unsigned(version)?, supervisor_for })
    })
}

/// Notes that a cashier changes, in the transaction that changes it, before that: those who change cashiers take turns here.
///
/// # Errors
/// None of its own.
pub fn changes(tx: &mut Tx<'_>, scope: &TenantScope, at: Millis) -> Result<(), StoreError> {
    let tenant = cashier_lists::tenant_id.eq(Txt(scope.tenant()));
    let none = (
        tenant,
        cashier_lists::version.eq(0_i64),
        cashier_lists::supervisor_for.eq(Tag(SupervisorFor::None)),
        cashier_lists::changed_at.eq(at.0),
    );
    insert_or_ignore!(tx, scope, cashier_lists::table, none)?;
    let next = (cashier_lists::version.eq(cashier_lists::version + 1), cashier_lists::changed_at.eq(at.0));
    let row = cashier_lists::table.filter(tenant);
    tx.run(scope, |conn| diesel::update(row).set(next).execute(conn)).map(drop)
}

/// # Errors
/// None of its own.
pub fn set_supervisor_for(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    supervisor_for: SupervisorFor,
    at: Millis,
) -> Result<(), StoreError> {
    changes(tx, scope, at)?;
    let row = cashier_lists::table.filter(cashier_lists::tenant_id.eq(Txt(scope.tenant())));
    let change = cashier_lists::supervisor_for.eq(Tag(supervisor_for));
    tx.run(scope, |conn| diesel::update(row).set(change).execute(conn)).map(drop)
}

const WHO: &str = "the cashier";
const CODE: &str = "the staff code";
const TAKEN: StoreError = StoreError::Conflict { what: CODE };

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(scope: &'a TenantScope, cashier: CashierId) -> _ {
    let (tenant, cashier): (Txt<TenantId>, Txt<CashierId>) = (Txt(scope.tenant()), Txt(cashier));
    cashiers::table.filter(cashiers::tenant_id.eq(tenant)).filter(cashiers::id.eq(cashier))
}

fn stores_text(stores: &[StoreId]) -> String {
    stores.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = cashiers)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<CashierId>,
    staff_code: Txt<StaffCode>,
    name: String,
    role: Tag<TillRole>,
    stores: String,
    active: bool,
    version: i64,
    pin_set_at: i64,
    created_at: i64,
    changed_at: i64,
}

impl Row {
    fn of(scope: &TenantScope, cashier: &Cashier) -> Self {
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(cashier.id),
            staff_code: Txt(cashier.staff_code.clone()),
            name: cashier.name.clone(),
            role: Tag(cashier.role),
            stores: stores_text(&cashier.stores),
            active: cashier.active,
            version: signed(cashier.version),
            pin_set_at: cashier.pin_set_at.0,
            created_at: cashier.created_at.0,
            changed_at: cashier.changed_at.0,
        }
    }
}

impl TryFrom<Row> for Cashier {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let store = |id: &str| id.parse().map_err(|error| corrupt(format!("a cashier's stores: {error}")));
        Ok(Self {
            id: row.id.0,
            staff_code: row.staff_code.0,
            name: row.name,
            role: row.role.0,
            stores: row.stores.split_whitespace().map(store).collect::<Result<_, _>>()?,
            active: row.active,
            version: unsigned(row.version)?,
            pin_set_at: Millis(row.pin_set_at),
            created_at: Millis(row.created_at),
            changed_at: Millis(row.changed_at),
        })
    }
}

//! Stored value at the tenant that issues it: accounts, their movements, what was charged, and the codes that holders show.
//!
//! Whoever moves or freezes an account first takes the tenant's turn at the books ([`crate::ledger::take_turn`]) and loads it
//! then: of two who spend the last of it, the second sees what the first has left.

pub mod charges;
pub mod codes;
pub mod movements;
pub mod offline;
mod schema;

use diesel::prelude::*;
use saoma_domain::stored_value::{Account, Limits, State};
use saoma_protocol::{Currency, Millis, StoredValueAccountId, TenantId};

use self::schema::stored_value_accounts as accounts;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, found, signed, unsigned},
};

/// An account with what is kept beside the part that rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    pub id: StoredValueAccountId,
    /// Whom it is for, as the tenant calls them.
    pub holder: String,
    /// As the tenant numbers its holders: unlike any other's.
    pub reference: Option<String>,
    pub account: Account,
    /// How many movements it has.
    pub movements: u64,
    /// 1 when opened; each save adds one.
    pub version: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// Which accounts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub reference: Option<String>,
    pub state: Option<State>,
}

/// A place in the list, by `created_at`.
pub type Cursor = crate::Cursor<StoredValueAccountId>;

/// Writes a new account down. `movements` and `version` are not read.
///
/// # Errors
/// `Conflict` if another account has its reference.
pub fn open(tx: &mut Tx<'_>, scope: &TenantScope, account: &StoredAccount) -> Result<(), StoreError> {
    let row = Row::new(scope, &StoredAccount { movements: 0, version: 1, ..account.clone() });
    tx.run(scope, |conn| diesel::insert_into(accounts::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the reference"))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: StoredValueAccountId) -> Result<StoredAccount, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| row_of(scope, id).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(NO_ACCOUNT)?.try_into()
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<StoredAccount>, StoreError> {
    let mut query = accounts::table
        .filter(accounts::tenant_id.eq(Txt(scope.tenant())))
        .order((accounts::created_at.desc(), accounts::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(reference) = &filter.reference {
        query = query.filter(accounts::reference.eq(reference));
    }
    if let Some(state) = filter.state {
        query = query.filter(accounts::state.eq(state.text()));
    }
    if let Some(Cursor { at: created_at, id }) = after {
        let same_moment = accounts::created_at.eq(created_at.0).and(accounts::id.lt(Txt(id)));
        query = query.filter(accounts::created_at.lt(created_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(StoredAccount::try_from).collect()
}

/// Saves holder, reference, state, limits, balance and count of movements if the row still has `account.version`, which is then
/// one higher in the row and in `account`. A balance moves with its movement alone ([`movements::record`]).
///
/// # Errors
/// `Conflict` if another account has its reference, `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, account: &mut StoredAccount) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, account.id).filter(accounts::version.eq(signed(account.version)));
    let row = Row::new(scope, account);
    let changes = (
        accounts::holder.eq(row.holder),
        accounts::reference.eq(row.reference),
        accounts::state.eq(row.state),
        accounts::balance_minor.eq(row.balance_minor),
        accounts::charge_minor_max.eq(row.charge_minor_max),
        accounts::day_minor_max.eq(row.day_minor_max),
        accounts::balance_minor_max.eq(row.balance_minor_max),
        accounts::movements.eq(row.movements),
        accounts::version.eq(signed(account.version + 1)),
        accounts::updated_at.eq(row.updated_at),
    );
    let saved = tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn));
    if found(saved.map_err(|error| error.about("the reference"))?, "the account").is_ok() {
        account.version += 1;
        return Ok(());
    }
    load(tx, scope, account.id)?;
    Err(StoreError::Stale { what: "the account" })
}

const NO_ACCOUNT: StoreError = StoreError::NotFound { what: "the stored-value account" };

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: StoredValueAccountId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<StoredValueAccountId> = Txt(id);
    accounts::table.filter(accounts::tenant_id.eq(tenant)).filter(accounts::id.eq(id))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = accounts)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<StoredValueAccountId>,
    holder: String,
    reference: Option<String>,
    currency: Txt<Currency>,
    state: String,
    balance_minor: i64,
    charge_minor_max: Option<i64>,
    day_minor_max: Option<i64>,
    balance_minor_max: Option<i64>,
    movements: i64,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn new(scope: &TenantScope, stored: &StoredAccount) -> Self {
        let Account { currency, state, balance_minor, limits } = stored.account;
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(stored.id),
            holder: stored.holder.clone(),
            reference: stored.reference.clone(),
            currency: Txt(currency),
            state: state.text().to_owned(),
            balance_minor,
            charge_minor_max: limits.charge_minor_max,
            day_minor_max: limits.day_minor_max,
            balance_minor_max: limits.balance_minor_max,
            movements: signed(stored.movements),
            version: signed(stored.version),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
        }
    }
}

impl TryFrom<Row> for StoredAccount {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let state =
            State::from_text(&row.state).ok_or_else(|| corrupt(format!("an account that is {:?}", row.state)))?;
        let limits = Limits {
            charge_minor_max: row.charge_minor_max,
            day_minor_max: row.day_minor_max,
            balance_minor_max: row.balance_minor_max,
        };
        Ok(Self {
            id: row.id.0,
            holder: row.holder,
            reference: row.reference,
            account: Account { currency: row.currency.0, state, balance_minor: row.balance_minor, limits },
            movements: unsigned(row.movements)?,
            version: unsigned(row.version)?,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

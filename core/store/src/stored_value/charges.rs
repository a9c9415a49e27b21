//! What became of the numbers under which acceptors charged stored value, those that took nothing too.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::stored_value::Charge;
use saoma_protocol::{Currency, Millis, StoredValueAccountId, StoredValueMovementId, TenantId};

use super::schema::stored_value_charges as charges;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, found},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCharge {
    pub acceptor: String,
    /// As the acceptor gave it: unlike any other of its.
    pub number: String,
    /// `None` where the code named none, or the charge was cancelled before it came.
    pub account: Option<StoredValueAccountId>,
    pub charge: Charge,
    /// What it moved when it was charged.
    pub movement: Option<StoredValueMovementId>,
    /// The tenant's day on which it came.
    pub day: String,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// # Errors
/// None of its own.
pub fn find(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    acceptor: &str,
    number: &str,
) -> Result<Option<StoredCharge>, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, acceptor, number).select(Row::as_select()).first(conn).optional())?;
    row.map(StoredCharge::try_from).transpose()
}

/// # Errors
/// `Conflict` if the number was used before.
pub fn insert(tx: &mut Tx<'_>, scope: &TenantScope, charge: &StoredCharge) -> Result<(), StoreError> {
    let row = Row::new(scope, charge);
    tx.run(scope, |conn| diesel::insert_into(charges::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the charge's number"))
}

/// Saves its state, what was given back, and what of it is the issuer's.
///
/// # Errors
/// `NotFound`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, charge: &StoredCharge) -> Result<(), StoreError> {
    let Row { state, returned_minor, borne_minor, updated_at, .. } = Row::new(scope, charge);
    let changes = (
        charges::state.eq(state),
        charges::returned_minor.eq(returned_minor),
        charges::borne_minor.eq(borne_minor),
        charges::updated_at.eq(updated_at),
    );
    let row = row_of(scope, &charge.acceptor, &charge.number);
    found(tx.run(scope, |conn| diesel::update(row).set(changes).execute(conn))?, "the charge")
}

/// What the account paid of the charges of a day, less what it has back of it: the issuer's part comes back first.
///
/// # Errors
/// None of its own.
pub fn spent_minor(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    day: &str,
) -> Result<i64, StoreError> {
    let row: SumRow = tx.run(scope, |conn| {
        sql_query(
            "SELECT CAST(COALESCE(SUM(amount_minor - \
             CASE WHEN returned_minor > borne_minor THEN returned_minor ELSE borne_minor END), 0) AS BIGINT) AS sum_minor \
             FROM stored_value_charges WHERE tenant_id = $1 AND account_id = $2 AND day = $3 AND state = 'charged'",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(account.to_string())
        .bind::<Text, _>(day)
        .get_result(conn)
    })?;
    Ok(row.sum_minor)
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(scope: &TenantScope, acceptor: &'a str, number: &'a str) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    charges::table
        .filter(charges::tenant_id.eq(tenant))
        .filter(charges::acceptor.eq(acceptor))
        .filter(charges::number.eq(number))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = charges)]
struct Row {
    tenant_id: Txt<TenantId>,
    acceptor: String,
    number: String,
    account_id: Option<Txt<StoredValueAccountId>>,
    state: String,
    currency: Option<Txt<Currency>>,
    amount_minor: Option<i64>,
    returned_minor: i64,
    refusal: Option<String>,
    movement_id: Option<Txt<StoredValueMovementId>>,
    day: String,
    created_at: i64,
    updated_at: i64,
    borne_minor: i64,
}

impl Row {
    fn new(scope: &TenantScope, stored: &StoredCharge) -> Self {
        let (amount, borne_minor, returned_minor, refusal) = match &stored.charge {
            Charge::Barred => (None, 0, 0, None),
            Charge::Refused { amount, reason } => (Some(*amount), 0, 0, Some(reason.clone())),
            Charge::Charged { amount, borne_minor, returned_minor } => {
                (Some(*amount), *borne_minor, *returned_minor, None)
            }
            Charge::Cancelled { amount } => (Some(*amount), 0, amount.minor(), None),
        };
        Self {
            tenant_id: Txt(scope.tenant()),
            acceptor: stored.acceptor.clone(),
            number: stored.number.clone(),
            account_id: stored.account.map(Txt),
            state: stored.charge.text().to_owned(),
            currency: amount.map(|amount| Txt(amount.currency())),
            amount_minor: amount.map(|amount| amount.minor()),
            returned_minor,
            refusal,
            movement_id: stored.movement.map(Txt),
            day: stored.day.clone(),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
            borne_minor,
        }
    }
}

impl TryFrom<Row> for StoredCharge {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let of = match (row.amount_minor, row.currency) {
            (Some(minor), Some(currency)) => Some(amount(minor, currency.0)?),
            _ => None,
        };
        let charge = match (row.state.as_str(), of) {
            ("barred", _) => Charge::Barred,
            ("refused", Some(amount)) => Charge::Refused { amount, reason: row.refusal.unwrap_or_default() },
            ("charged", Some(amount)) => {
                Charge::Charged { amount, borne_minor: row.borne_minor, returned_minor: row.returned_minor }
            }
            ("cancelled", Some(amount)) => Charge::Cancelled { amount },
            (other, _) => return Err(corrupt(format!("a charge of stored value that is {other:?}"))),
        };
        Ok(Self {
            acceptor: row.acceptor,
            number: row.number,
            account: row.account_id.map(|account| account.0),
            charge,
            movement: row.movement_id.map(|movement| movement.0),
            day: row.day,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

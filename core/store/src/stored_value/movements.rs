//! The movements of stored value: written once, each with its set in the books.

use diesel::{dsl::sql, prelude::*, sql_types::Text};
use saoma_domain::{
    ledger::{Kind, PostingSet, rules},
    stored_value::{Account, MovementKind},
};
use saoma_protocol::{
    Amount, Currency, Millis, Money, Sequence, StoredValueAccountId, StoredValueMovementId, TenantId,
};

use super::{
    StoredAccount, save,
    schema::{stored_value_accounts as accounts, stored_value_movements as movements},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, sequence, signed},
    ledger::{self, Booking, Subject},
};

/// Of a movement that somebody outside asked for, by the numbers that they gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Who accepted the stored value.
    pub acceptor: String,
    /// The charge's own, or the refund's.
    pub number: String,
    pub charge_number: String,
}

/// What is to be written down about a movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMovement {
    pub id: StoredValueMovementId,
    pub kind: MovementKind,
    pub numbered: Option<Numbered>,
    /// The one that this one takes back.
    pub reverses: Option<StoredValueMovementId>,
    pub reason: Option<String>,
    pub made_by: String,
    /// The tenant's day of it, `2026-01-31`.
    pub day: String,
    pub at: Millis,
    /// The issuer's own part, beside what the account moves by: what it bore of a charge, or has again of what came back. 0 unless an
    /// offline code paid.
    pub borne_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    pub account: StoredValueAccountId,
    /// From 1, without gaps in an account.
    pub sequence: Sequence,
    /// Negative where the account has less of it; nothing where all of it is the issuer's.
    pub money: Money,
    /// Of the account, after it.
    pub balance_minor: i64,
    pub told: NewMovement,
}

impl Movement {
    /// What was charged, given back, paid in or out: with the issuer's part.
    ///
    /// # Errors
    /// `Corrupt` for nothing, which no movement is of.
    pub fn amount(&self) -> Result<Amount, StoreError> {
        amount(self.money.minor().saturating_abs().saturating_add(self.told.borne_minor), self.money.currency())
    }
}

/// A place in an acceptor's bill of a day.
pub type BillCursor = crate::Cursor<StoredValueMovementId>;

/// Moves the account to `after`, writes down why, and books it.
///
/// # Errors
/// `Stale` if the account was changed since it was loaded; `Conflict` if this number was moved before, or what it takes back was
/// taken back.
pub fn record(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredAccount,
    after: Account,
    told: NewMovement,
) -> Result<Movement, StoreError> {
    let minor = after.balance_minor - stored.account.balance_minor;
    let money = Money::new(minor, after.currency);
    let at = told.at;
    (stored.account, stored.movements, stored.updated_at) = (after, stored.movements + 1, at);
    save(tx, scope, stored)?;
    let numbered = told.numbered.as_ref();
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(told.id),
        account_id: Txt(stored.id),
        sequence: signed(stored.movements),
        kind: told.kind.text().to_owned(),
        amount_minor: minor,
        balance_minor: after.balance_minor,
        acceptor: numbered.map(|numbered| numbered.acceptor.clone()),
        number: numbered.map(|numbered| numbered.number.clone()),
        charge_number: numbered.map(|numbered| numbered.charge_number.clone()),
        reverses: told.reverses.map(Txt),
        reason: told.reason.clone(),
        made_by: told.made_by.clone(),
        day: told.day.clone(),
        at: at.0,
        borne_minor: told.borne_minor,
    };
    tx.run(scope, |conn| diesel::insert_into(movements::table).values(&row).execute(conn))
        .map_err(|error| error.about("the movement"))?;
    let moved = Amount::new(minor.saturating_abs(), after.currency).ok().map(|moved| booked(told.kind, moved));
    let borne = Amount::new(told.borne_minor, after.currency).ok().map(|borne| borne_of(told.kind, borne));
    for (kind, sets) in moved.into_iter().chain(borne.transpose()?) {
        let subject = Subject::Other(told.id.to_string());
        let booking = Booking { subject, kind, channel_account: None, at, booked_at: at };
        ledger::post(tx, scope, &booking, &sets)?;
    }
    Ok(Movement {
        account: stored.id,
        sequence: Sequence(stored.movements),
        money,
        balance_minor: after.balance_minor,
        told,
    })
}

fn booked(kind: MovementKind, amount: Amount) -> (Kind, Vec<PostingSet>) {
    match kind {
        MovementKind::ToppedUp => (Kind::StoredValueToppedUp, rules::stored_value_topped_up(amount)),
        MovementKind::TopUpReversed => (Kind::StoredValueTopUpReversed, rules::stored_value_paid_out(amount)),
        MovementKind::Charged => (Kind::StoredValueCharged, rules::stored_value_charged(amount)),
        MovementKind::ChargeCancelled | MovementKind::Refunded => {
            (Kind::StoredValueReturned, rules::stored_value_returned(amount))
        }
        MovementKind::Recovered => (Kind::LossRecovered, rules::loss_recovered(amount)),
        MovementKind::PaidOut => (Kind::StoredValuePaidOut, rules::stored_value_paid_out(amount)),
    }
}

/// The issuer's own part.
fn borne_of(kind: MovementKind, amount: Amount) -> Result<(Kind, Vec<PostingSet>), StoreError> {
    match kind {
        MovementKind::Charged => Ok((Kind::DoubleSpent, rules::double_spent(amount))),
        MovementKind::ChargeCancelled | MovementKind::Refunded => {
            Ok((Kind::DoubleSpentReturned, rules::double_spent_returned(amount)))
        }
        MovementKind::ToppedUp | MovementKind::TopUpReversed | MovementKind::Recovered | MovementKind::PaidOut => {
            Err(StoreError::Internal { why: format!("{} has no part of the issuer's", kind.text()) })
        }
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: StoredValueMovementId) -> Result<Movement, StoreError> {
    let found: Option<(Row, Txt<Currency>)> =
        tx.run(scope, |conn| rows(scope).filter(movements::id.eq(Txt(id))).first(conn).optional())?;
    found.ok_or(StoreError::NotFound { what: "the movement" }).and_then(read)
}

/// Whether a movement was taken back.
///
/// # Errors
/// None of its own.
pub fn is_reversed(tx: &mut Tx<'_>, scope: &TenantScope, id: StoredValueMovementId) -> Result<bool, StoreError> {
    let n: i64 = tx.run(scope, |conn| {
        movements::table
            .filter(movements::tenant_id.eq(Txt(scope.tenant())))
            .filter(movements::reverses.eq(Txt(id)))
            .count()
            .get_result(conn)
    })?;
    Ok(n > 0)
}

/// What an acceptor asked for under this number, if it moved anything.
///
/// # Errors
/// None of its own.
pub fn of_number(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    acceptor: &str,
    kind: MovementKind,
    number: &str,
) -> Result<Option<Movement>, StoreError> {
    let found: Option<(Row, Txt<Currency>)> = tx.run(scope, |conn| {
        rows(scope)
            .filter(movements::acceptor.eq(acceptor))
            .filter(movements::kind.eq(kind.text()))
            .filter(movements::number.eq(number))
            .first(conn)
            .optional()
    })?;
    found.map(read).transpose()
}

/// An account's movements, the last one first, from before `before` on.
///
/// # Errors
/// None of its own.
pub fn statement(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    before: Option<Sequence>,
    limit: u32,
) -> Result<Vec<Movement>, StoreError> {
    let before = before.map_or(i64::MAX, |before| signed(before.0));
    let found: Vec<(Row, Txt<Currency>)> = tx.run(scope, |conn| {
        rows(scope)
            .filter(movements::account_id.eq(Txt(account)))
            .filter(movements::sequence.lt(before))
            .order(movements::sequence.desc())
            .limit(limit.into())
            .load(conn)
    })?;
    found.into_iter().map(read).collect()
}

/// What moved for an acceptor from `from` on and before `to`, the first one first.
///
/// # Errors
/// None of its own.
pub fn bill(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    acceptor: &str,
    from: Millis,
    to: Millis,
    after: Option<BillCursor>,
    limit: u32,
) -> Result<Vec<Movement>, StoreError> {
    let (at, id) = after.map_or((i64::MIN, String::new()), |after| (after.at.0, after.id.to_string()));
    let same_moment = movements::at.eq(at).and(sql::<Text>("stored_value_movements.id").gt(id));
    let found: Vec<(Row, Txt<Currency>)> = tx.run(scope, |conn| {
        rows(scope)
            .filter(movements::acceptor.eq(acceptor))
            .filter(movements::at.ge(from.0))
            .filter(movements::at.lt(to.0))
            .filter(movements::at.gt(at).or(same_moment))
            .order((movements::at, movements::id))
            .limit(limit.into())
            .load(conn)
    })?;
    found.into_iter().map(read).collect()
}

/// Movements with the currency of their accounts.
#[diesel::dsl::auto_type(no_type_alias)]
fn rows(scope: &TenantScope) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let of_tenant: Txt<TenantId> = Txt(scope.tenant());
    let columns: diesel::dsl::AsSelect<Row, crate::conn::MultiBackend> = Row::as_select();
    movements::table
        .inner_join(accounts::table.on(accounts::id.eq(movements::account_id)))
        .filter(movements::tenant_id.eq(tenant))
        .filter(accounts::tenant_id.eq(of_tenant))
        .select((columns, accounts::currency))
}

fn read((row, currency): (Row, Txt<Currency>)) -> Result<Movement, StoreError> {
    let kind = MovementKind::from_text(&row.kind)
        .ok_or_else(|| corrupt(format!("a movement of stored value called {:?}", row.kind)))?;
    let numbered = match (row.acceptor, row.number, row.charge_number) {
        (Some(acceptor), Some(number), Some(charge_number)) => Some(Numbered { acceptor, number, charge_number }),
        _ => None,
    };
    Ok(Movement {
        account: row.account_id.0,
        sequence: sequence(row.sequence)?,
        money: Money::new(row.amount_minor, currency.0),
        balance_minor: row.balance_minor,
        told: NewMovement {
            id: row.id.0,
            kind,
            numbered,
            reverses: row.reverses.map(|reverses| reverses.0),
            reason: row.reason,
            made_by: row.made_by,
            day: row.day,
            at: Millis(row.at),
            borne_minor: row.borne_minor,
        },
    })
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = movements)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<StoredValueMovementId>,
    account_id: Txt<StoredValueAccountId>,
    sequence: i64,
    kind: String,
    amount_minor: i64,
    balance_minor: i64,
    acceptor: Option<String>,
    number: Option<String>,
    charge_number: Option<String>,
    reverses: Option<Txt<StoredValueMovementId>>,
    reason: Option<String>,
    made_by: String,
    day: String,
    at: i64,
    borne_minor: i64,
}

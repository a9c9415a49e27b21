//! What did not agree between books and bills, and what became of it.
//!
//! A comparison that is repeated finds the same again: what waits is brought up to date, what is not found any more is closed
//! (and open again if it comes back), and of what differs, that much is told which no decision has booked yet. Of a movement
//! one waits at most, whichever day it is told on, so that nothing is booked twice.

mod keep;
mod row;

use std::collections::BTreeMap;

use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::Bool,
};
use saoma_domain::recon::{Class, Correction, Finding, Standing};
use saoma_protocol::{ChannelAccountId, DiscrepancyId, Millis, ReconciliationId, TenantId, UserId};

pub use self::keep::{
    Decided, KEEP_MAX, Run, booked_elsewhere, close_others, decided, decisions, keep, keep_no_bill, lost_before,
    of_movement, settle,
};
use self::row::Row;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, signed, unsigned},
    payouts::Payout,
    schema::discrepancies,
};

/// Somebody else changed it at this moment.
pub const STALE: StoreError = StoreError::Stale { what: "the discrepancy" };

/// In these words, or the database does not see that its partial indexes are meant.
const WAITS: &str = "state IN ('open', 'assigned', 'write_off_proposed')";
const DECIDED: &str = "state IN ('resolved', 'written_off')";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub id: DiscrepancyId,
    pub account: ChannelAccountId,
    /// As the scheme counts days, `2026-01-31`.
    pub day: String,
    /// The last comparison that found it.
    pub reconciliation: ReconciliationId,
    pub finding: Finding,
    /// What deciding it moves, and once it is decided, what it moved: no more than earlier decisions had not. `None`: nothing
    /// can be posted.
    pub correction: Option<Correction>,
    /// Of that, once it is decided, what is nobody's; negative where an earlier write-off was taken back.
    pub lost: Option<Correction>,
    pub standing: Standing,
    pub assigned_to: Option<UserId>,
    /// Of the last decision about it.
    pub reason: Option<String>,
    pub proposed_by: Option<String>,
    pub decided_by: Option<String>,
    pub found_at: Millis,
    pub updated_at: Millis,
    /// Grows with each change; see [`save`].
    pub version: u64,
}

/// Which to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub account: Option<ChannelAccountId>,
    pub day: Option<String>,
    pub class: Option<Class>,
    pub standing: Option<Standing>,
    /// Those alone that wait for somebody.
    pub waiting: bool,
}

/// A place in the list, by `found_at`.
pub type Cursor = crate::Cursor<DiscrepancyId>;

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: DiscrepancyId) -> Result<Discrepancy, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| row_of(scope, id).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the discrepancy" })?.try_into()
}

/// All that was found about the amounts of these payouts of an account, whatever became of it.
///
/// # Errors
/// None of its own.
pub fn of_payouts(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    payouts: &[Payout],
) -> Result<Vec<Discrepancy>, StoreError> {
    let days: Vec<&str> = payouts.iter().map(|payout| &*payout.to_day).collect();
    let ids: Vec<String> = payouts.iter().map(|payout| payout.id.to_string()).collect();
    let rows: Vec<Row> = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(account)))
            .filter(discrepancies::number.eq(""))
            .filter(discrepancies::day.eq_any(&days))
            .filter(discrepancies::class.eq(Class::Payout.text()))
            .filter(discrepancies::words.eq_any(&ids))
            .order((discrepancies::found_at, discrepancies::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Discrepancy::try_from).collect()
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
) -> Result<Vec<Discrepancy>, StoreError> {
    let mut query = discrepancies::table
        .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
        .order((discrepancies::found_at.desc(), discrepancies::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(account) = filter.account {
        query = query.filter(discrepancies::channel_account_id.eq(Txt(account)));
    }
    if let Some(day) = &filter.day {
        query = query.filter(discrepancies::day.eq(day.clone()));
    }
    if let Some(class) = filter.class {
        query = query.filter(discrepancies::class.eq(class.text()));
    }
    if let Some(standing) = filter.standing {
        query = query.filter(discrepancies::state.eq(standing.text()));
    }
    if filter.waiting {
        query = query.filter(sql::<Bool>(WAITS));
    }
    if let Some(Cursor { at: found_at, id }) = after {
        let same_moment = discrepancies::found_at.eq(found_at.0).and(discrepancies::id.lt(Txt(id)));
        query = query.filter(discrepancies::found_at.lt(found_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Discrepancy::try_from).collect()
}

/// How many of a day wait for somebody, by channel account; one of which none does is absent.
///
/// # Errors
/// None of its own.
pub fn waiting_of_day(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    day: &str,
) -> Result<BTreeMap<ChannelAccountId, u64>, StoreError> {
    let rows: Vec<(Txt<ChannelAccountId>, i64)> = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::day.eq(day))
            .filter(sql::<Bool>(WAITS))
            .group_by(discrepancies::channel_account_id)
            .select((discrepancies::channel_account_id, count_star()))
            .load(conn)
    })?;
    rows.into_iter().map(|(account, count)| Ok((account.0, unsigned(count)?))).collect()
}

/// Saves all but identity, if the row still has `discrepancy.version`, which is then one higher in both.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, discrepancy: &mut Discrepancy) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, discrepancy.id).filter(discrepancies::version.eq(signed(discrepancy.version)));
    discrepancy.version += 1;
    let row = Row::new(scope, discrepancy)?;
    if tx.run(scope, |conn| diesel::update(as_loaded).set(&row).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, discrepancy.id)?;
    Err(STALE)
}

/// Writes a new one down.
///
/// # Errors
/// `Conflict` if another one of it waits.
pub fn insert(tx: &mut Tx<'_>, scope: &TenantScope, new: &Discrepancy) -> Result<(), StoreError> {
    let row = Row::new(scope, new)?;
    tx.run(scope, |conn| diesel::insert_into(discrepancies::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the discrepancy"))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: DiscrepancyId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<DiscrepancyId> = Txt(id);
    discrepancies::table.filter(discrepancies::tenant_id.eq(tenant)).filter(discrepancies::id.eq(id))
}

//! Comparisons of a channel account's books with its bill of a day: one at a time for each account, over all nodes. Days look
//! into each other's bills, so that two at once would miss each other.

use std::collections::BTreeMap;

use diesel::{dsl::max, prelude::*};
use saoma_protocol::{ChannelAccountId, Currency, Millis, ReconciliationId, TenantId};
use serde::{Deserialize, Serialize};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, from_json, millis, signed, to_json, unsigned},
    payments::AHEAD_MS_MAX,
    schema::reconciliations,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Done,
    /// It has no result; nothing that was found before is changed by it.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    pub id: ReconciliationId,
    pub account: ChannelAccountId,
    /// As the scheme counts days, `2026-01-31`.
    pub day: String,
    pub state: State,
    pub bill: Option<u64>,
    pub result: Option<Counted>,
    /// Why it failed.
    pub words: Option<String>,
    pub started_by: String,
    pub started_at: Millis,
    pub ended_at: Option<Millis>,
    pub lease_until: Millis,
}

/// What was compared and what came of it. Every row is in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub revision: u32,
    /// Movements of the books, and lines of the bill.
    pub ours: u64,
    pub theirs: u64,
    /// Pairs that agree.
    pub agreed: u64,
    /// Taken and undone on the day, and in no bill.
    pub netted: u64,
    /// By class.
    pub found: BTreeMap<String, u64>,
    /// More was found than is kept one by one.
    pub overflowed: bool,
    pub sums: BTreeMap<Currency, Sums>,
}

/// Of one currency, in its minor units: payments less what went back, and fees less what came back of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    pub ours_minor: i64,
    pub ours_fee_minor: i64,
    pub theirs_minor: i64,
    pub theirs_fee_minor: i64,
}

/// A place in the list, by `started_at`.
pub type Cursor = crate::Cursor<ReconciliationId>;

/// Begins one, unless one of the account is running, of whichever day: then that is the answer. One whose lease is over was cut
/// off.
///
/// # Errors
/// `NotFound` if the account is not the tenant's.
pub fn start(tx: &mut Tx<'_>, scope: &TenantScope, new: &Reconciliation) -> Result<Option<Reconciliation>, StoreError> {
    crate::channel_accounts::load(tx, scope, new.account)?;
    crate::dialect::take_turn_named(tx, scope, &format!("reconciliation {}", new.account))?;
    let running: Option<Row> = tx.run(scope, |conn| {
        reconciliations::table
            .filter(reconciliations::tenant_id.eq(Txt(scope.tenant())))
            .filter(reconciliations::channel_account_id.eq(Txt(new.account)))
            .filter(reconciliations::state.eq(State::Running.text()))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    if let Some(running) = running {
        let running = Reconciliation::try_from(running)?;
        // One that ends an hour later than ours would was written by a clock that was ahead.
        let ends_max = new.lease_until.plus(AHEAD_MS_MAX);
        if running.lease_until > new.started_at && running.lease_until <= ends_max {
            return Ok(Some(running));
        }
        end(tx, scope, running.id, &Ended::Failed("it was cut off".to_owned()), new.started_at)?;
    }
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(new.id),
        channel_account_id: Txt(new.account),
        day: new.day.clone(),
        state: Txt(State::Running),
        bill: None,
        result_json: None,
        words: None,
        started_by: new.started_by.clone(),
        started_at: new.started_at.0,
        ended_at: None,
        lease_until: new.lease_until.0,
    };
    tx.run(scope, |conn| diesel::insert_into(reconciliations::table).values(&row).execute(conn))?;
    Ok(None)
}

/// Says that it still runs.
///
/// # Errors
/// `Stale` if it ended, or was taken for cut off.
pub fn renew(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: ReconciliationId,
    lease_until: Millis,
) -> Result<(), StoreError> {
    let lease = reconciliations::lease_until.eq(lease_until.0);
    let n = tx.run(scope, |conn| diesel::update(running(scope, id)).set(lease).execute(conn))?;
    if n == 1 { Ok(()) } else { Err(STALE) }
}

/// How one ended.
#[derive(Clone, Debug)]
pub enum Ended {
    Done { bill: u64, result: Counted },
    Failed(String),
}

/// # Errors
/// `Stale` if it has ended, or was taken for cut off.
pub fn end(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: ReconciliationId,
    ended: &Ended,
    at: Millis,
) -> Result<(), StoreError> {
    let (state, bill, result_json, words) = match ended {
        Ended::Done { bill, result } => (State::Done, Some(signed(*bill)), Some(to_json(result)?), None),
        Ended::Failed(words) => (State::Failed, None, None, Some(words.clone())),
    };
    let changes = (
        reconciliations::state.eq(state.text()),
        reconciliations::bill.eq(bill),
        reconciliations::result_json.eq(result_json),
        reconciliations::words.eq(words),
        reconciliations::ended_at.eq(at.0),
    );
    let n = tx.run(scope, |conn| diesel::update(running(scope, id)).set(changes).execute(conn))?;
    if n == 1 { Ok(()) } else { Err(STALE) }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: ReconciliationId) -> Result<Reconciliation, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        reconciliations::table
            .filter(reconciliations::tenant_id.eq(Txt(scope.tenant())))
            .filter(reconciliations::id.eq(Txt(id)))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the reconciliation" })?.try_into()
}

/// Newest first, of all accounts or of one.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: Option<ChannelAccountId>,
    day: Option<&str>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Reconciliation>, StoreError> {
    let mut query = reconciliations::table
        .filter(reconciliations::tenant_id.eq(Txt(scope.tenant())))
        .order((reconciliations::started_at.desc(), reconciliations::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(account) = account {
        query = query.filter(reconciliations::channel_account_id.eq(Txt(account)));
    }
    if let Some(day) = day {
        query = query.filter(reconciliations::day.eq(day.to_owned()));
    }
    if let Some(Cursor { at: started_at, id }) = after {
        let same_moment = reconciliations::started_at.eq(started_at.0).and(reconciliations::id.lt(Txt(id)));
        query = query.filter(reconciliations::started_at.lt(started_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Reconciliation::try_from).collect()
}

/// How often an account's day was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tries {
    pub newest: Reconciliation,
    /// Since the last that did not fail.
    pub failures: u32,
    /// Those that came to a result with a bill that was ready.
    pub done: u32,
    /// When the last of those began.
    pub last_done_at: Option<Millis>,
}

/// The tries of an account's day, if there was any. `ready_at`: what began before that counts as no result, since the bill may
/// not have been whole.
///
/// # Errors
/// None of its own.
pub fn tries(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
    ready_at: Millis,
) -> Result<Option<Tries>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        of_day(scope, account, day)
            .order((reconciliations::started_at.desc(), reconciliations::id.desc()))
            .limit(TRIES_COUNTED_MAX)
            .select(Row::as_select())
            .load(conn)
    })?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let failures = count(rows.iter().take_while(|row| row.state.0 == State::Failed).count());
    let is_done = |row: &&Row| row.state.0 == State::Done && row.started_at >= ready_at.0;
    let done = count(rows.iter().filter(is_done).count());
    let last_done_at = millis(rows.iter().find(is_done).map(|row| row.started_at));
    let newest = rows.into_iter().next().map(Reconciliation::try_from).transpose()?;
    Ok(newest.map(|newest| Tries { newest, failures, done, last_done_at }))
}

/// Which of an account's days, from the first to the last, were tried, whenever that began last; and whether any try came to a
/// result.
///
/// # Errors
/// None of its own.
pub fn tried_days(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    first: &str,
    last: &str,
) -> Result<BTreeMap<String, (Millis, bool)>, StoreError> {
    let rows: Vec<(String, Txt<State>, Option<i64>)> = tx.run(scope, |conn| {
        reconciliations::table
            .filter(reconciliations::tenant_id.eq(Txt(scope.tenant())))
            .filter(reconciliations::channel_account_id.eq(Txt(account)))
            .filter(reconciliations::day.between(first, last))
            .group_by((reconciliations::day, reconciliations::state))
            .select((reconciliations::day, reconciliations::state, max(reconciliations::started_at)))
            .load(conn)
    })?;
    let mut days: BTreeMap<String, (Millis, bool)> = BTreeMap::new();
    for (day, state, started_at) in rows {
        let (last, is_done) = days.entry(day).or_insert((Millis(0), false));
        *last = (*last).max(Millis(started_at.unwrap_or(0)));
        *is_done |= state.0 == State::Done;
    }
    Ok(days)
}

/// The last of an account's day that came to a result.
///
/// # Errors
/// None of its own.
pub fn last_done(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
) -> Result<Option<Reconciliation>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        of_day(scope, account, day)
            .filter(reconciliations::state.eq(State::Done.text()))
            .order((reconciliations::started_at.desc(), reconciliations::id.desc()))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(Reconciliation::try_from).transpose()
}

/// Tries that are looked at: more than a week of failures brings.
const TRIES_COUNTED_MAX: i64 = 64;

const STALE: StoreError = StoreError::Stale { what: "the reconciliation" };

impl State {
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Failed];

    /// The stable text of this state, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }
}

crate::column::stored_as_text!(State);

#[diesel::dsl::auto_type(no_type_alias)]
fn of_day<'a>(scope: &TenantScope, account: ChannelAccountId, day: &'a str) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let account: Txt<ChannelAccountId> = Txt(account);
    reconciliations::table
        .filter(reconciliations::tenant_id.eq(tenant))
        .filter(reconciliations::channel_account_id.eq(account))
        .filter(reconciliations::day.eq(day))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn running(scope: &TenantScope, id: ReconciliationId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<ReconciliationId> = Txt(id);
    let state: &'static str = State::Running.text();
    reconciliations::table
        .filter(reconciliations::tenant_id.eq(tenant))
        .filter(reconciliations::id.eq(id))
        .filter(reconciliations::state.eq(state))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = reconciliations)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<ReconciliationId>,
    channel_account_id: Txt<ChannelAccountId>,
    day: String,
    state: Txt<State>,
    bill: Option<i64>,
    result_json: Option<String>,
    words: Option<String>,
    started_by: String,
    started_at: i64,
    ended_at: Option<i64>,
    lease_until: i64,
}

impl TryFrom<Row> for Reconciliation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            account: row.channel_account_id.0,
            day: row.day,
            state: row.state.0,
            bill: row.bill.map(unsigned).transpose()?,
            result: row.result_json.map(|json| from_json(&json, "a reconciliation's result")).transpose()?,
            words: row.words,
            started_by: row.started_by,
            started_at: Millis(row.started_at),
            ended_at: millis(row.ended_at),
            lease_until: Millis(row.lease_until),
        })
    }
}

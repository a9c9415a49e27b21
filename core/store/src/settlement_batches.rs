//! What moved through a channel account between two settlements at its scheme.
//!
//! Which rows are a batch's follows from the books: they are only added to, in the order of their sets, and each batch begins behind the
//! set that the one before it ends with. So nothing is in two of them, and what is confirmed later is in a later one.

mod accounts;
mod claims;
mod rows;

use diesel::prelude::*;
use saoma_domain::settlement::{Difference, State, Tally, Total};
use saoma_protocol::{ChannelAccountId, Currency, Millis, SettlementBatchId, TenantId};
use serde::{Deserialize, Serialize};

pub use self::{
    accounts::{
        Settling, begin, call_person, end_drain, goes_out, held, hold, holds, is_closing, put_off, settling,
        waiting_count,
    },
    claims::{Due, OF_TENANT_MAX, Room, claim_due},
    rows::{BatchRow, Glance, Open, RowAt, glance, is_in_batch, leave_out, open, open_again, page, under_way},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, from_json, millis, moment, signed, signed32, to_json, unsigned, unsigned32},
    dialect::take_turn_named,
    schema::settlement_batches,
};

/// How long a call of a channel lasts at most, with its wait and with what is written after it.
pub const CALL_MS_MAX: i64 = 75_000;

/// A batch that is closed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementBatch {
    pub id: SettlementBatchId,
    pub account: ChannelAccountId,
    /// From 1, for each account.
    pub sequence: u64,
    /// The account's sets after the one, through the other.
    after_set: i64,
    through_set: i64,
    pub rows: u32,
    pub totals: Vec<Total>,
    pub state: State,
    /// The last of its rows that was uploaded; before the first, where it begins.
    pub sent_through: RowAt,
    /// The scheme's own totals, if it said them.
    pub theirs: Option<Vec<Total>>,
    /// What keeps it from its end.
    pub words: Option<String>,
    pub closed_by: String,
    pub closed_at: Millis,
    /// Until when new payments of the account wait for it.
    pub holds_until: Millis,
    pub next_attempt_at: Option<Millis>,
    /// Of a node that works on it.
    pub lease_until: Option<Millis>,
    pub attempts: u32,
    /// Since when a person is called.
    pub attention_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    pub resolved: Option<Resolved>,
    /// Whether nothing of it ever left: no attempt was made, or each said so.
    pub unsent: bool,
    /// 1 when inserted; [`save`] adds one.
    pub version: u64,
}

/// A person has seen to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub by: String,
    pub at: Millis,
    pub reason: String,
}

/// Which batches to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub account: Option<ChannelAccountId>,
    /// Those that a person is called for.
    pub waiting: bool,
}

/// A place in the list, by `closed_at`.
pub type Cursor = crate::Cursor<SettlementBatchId>;

/// Who closes what is open, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    pub id: SettlementBatchId,
    pub account: ChannelAccountId,
    pub by: String,
    pub at: Millis,
    pub holds_until: Millis,
}

/// From here to the commit nobody else closes a batch of the account, or begins what would be sent through it. Before
/// [`crate::ledger::take_turn`], where both are taken.
///
/// # Errors
/// None of its own.
pub fn take_turn(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId) -> Result<(), StoreError> {
    take_turn_named(tx, scope, &format!("settlement {account}"))
}

/// Closes what is open: its rows and totals are fixed with this. In the tenant's turn at the books ([`crate::ledger::take_turn`]), in
/// which `open` was read.
///
/// # Errors
/// `Conflict` if the account has one on its way.
pub fn close(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    closing: Closing,
    open: &Open,
) -> Result<SettlementBatch, StoreError> {
    let sequence = last(tx, scope, closing.account)?.map_or(1, |last| last.sequence + 1);
    let batch = SettlementBatch {
        id: closing.id,
        account: closing.account,
        sequence,
        after_set: open.after_set,
        through_set: open.through_set,
        rows: open.rows,
        totals: open.totals.clone(),
        state: State::Closing,
        sent_through: RowAt(open.after_set),
        theirs: None,
        words: None,
        closed_by: closing.by,
        closed_at: closing.at,
        holds_until: closing.holds_until,
        next_attempt_at: Some(closing.at),
        lease_until: None,
        attempts: 0,
        attention_at: None,
        ended_at: None,
        resolved: None,
        unsent: true,
        version: 1,
    };
    let row = Row::new(scope, &batch)?;
    match tx.run(scope, |conn| diesel::insert_into(settlement_batches::table).values(&row).execute(conn)) {
        Err(StoreError::Conflict { .. }) => Err(StoreError::Conflict { what: "the account's batch on its way" }),
        inserted => inserted.map(|_| batch),
    }
}

impl SettlementBatch {
    /// A person takes it back, and what was in it is open again. In the account's turn and the tenant's at the books. Nothing is saved.
    pub fn take_back(&mut self, by: Resolved) {
        (self.state, self.ended_at, self.holds_until) = (State::Cancelled, Some(by.at), self.holds_until.min(by.at));
        (self.next_attempt_at, self.lease_until, self.attention_at) = (None, None, None);
        (self.through_set, self.resolved) = (self.after_set, Some(by));
    }
}

/// The account's newest batch.
///
/// # Errors
/// None of its own.
pub fn last(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<Option<SettlementBatch>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        of_account(scope, account)
            .order(settlement_batches::sequence.desc())
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(SettlementBatch::try_from).transpose()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: SettlementBatchId) -> Result<SettlementBatch, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| row_of(scope, id).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(NO_BATCH)?.try_into()
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<SettlementBatch>, StoreError> {
    let mut query = settlement_batches::table
        .filter(settlement_batches::tenant_id.eq(Txt(scope.tenant())))
        .order((settlement_batches::closed_at.desc(), settlement_batches::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(account) = filter.account {
        query = query.filter(settlement_batches::channel_account_id.eq(Txt(account)));
    }
    if filter.waiting {
        query = query.filter(settlement_batches::attention_at.is_not_null());
    }
    if let Some(Cursor { at, id }) = after {
        let same_moment = settlement_batches::closed_at.eq(at.0).and(settlement_batches::id.lt(Txt(id)));
        query = query.filter(settlement_batches::closed_at.lt(at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(SettlementBatch::try_from).collect()
}

/// Saves all that may change of it if the row still has `batch.version`, which is then one higher in the row and in `batch`.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, batch: &mut SettlementBatch) -> Result<(), StoreError> {
    let row = Row::new(scope, batch)?;
    let changes = (
        settlement_batches::state.eq(row.state),
        settlement_batches::through_set.eq(row.through_set),
        settlement_batches::sent.eq(row.sent),
        settlement_batches::sent_set.eq(row.sent_set),
        settlement_batches::theirs_json.eq(row.theirs_json),
        settlement_batches::words.eq(row.words),
        settlement_batches::holds_until.eq(row.holds_until),
        settlement_batches::next_attempt_at.eq(row.next_attempt_at),
        settlement_batches::lease_until.eq(row.lease_until),
        settlement_batches::attempts.eq(row.attempts),
        settlement_batches::attention_at.eq(row.attention_at),
        settlement_batches::ended_at.eq(row.ended_at),
        settlement_batches::resolved_by.eq(row.resolved_by),
        settlement_batches::resolved_at.eq(row.resolved_at),
        settlement_batches::resolution.eq(row.resolution),
        settlement_batches::unsent.eq(row.unsent),
        settlement_batches::version.eq(signed(batch.version + 1)),
    );
    let as_loaded = row_of(scope, batch.id).filter(settlement_batches::version.eq(signed(batch.version)));
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        batch.version += 1;
        return Ok(());
    }
    load(tx, scope, batch.id)?;
    Err(StoreError::Stale { what: "the settlement batch" })
}

/// The states in which the scheme still has to answer.
const ON_THEIR_WAY: [&str; 2] = ["closing", "uploading"];
/// Of `differs`: what stands in `words` if the scheme did not close the batch by itself.
const TOTALS_DIFFER: &str = "";

const NO_BATCH: StoreError = StoreError::NotFound { what: "the settlement batch" };

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: SettlementBatchId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<SettlementBatchId> = Txt(id);
    settlement_batches::table.filter(settlement_batches::tenant_id.eq(tenant)).filter(settlement_batches::id.eq(id))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_account(scope: &TenantScope, account: ChannelAccountId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let account: Txt<ChannelAccountId> = Txt(account);
    settlement_batches::table
        .filter(settlement_batches::tenant_id.eq(tenant))
        .filter(settlement_batches::channel_account_id.eq(account))
}

/// A total as it lies in its column.
#[derive(Serialize, Deserialize)]
struct StoredTotal {
    currency: Currency,
    debits: (u32, i64),
    credits: (u32, i64),
}

fn totals_json(totals: &[Total]) -> Result<String, StoreError> {
    let tally = |tally: Tally| (tally.count, tally.minor);
    let stored = |total: &Total| StoredTotal {
        currency: total.currency,
        debits: tally(total.debits),
        credits: tally(total.credits),
    };
    to_json(&totals.iter().map(stored).collect::<Vec<_>>())
}

fn totals_of(json: &str) -> Result<Vec<Total>, StoreError> {
    let stored: Vec<StoredTotal> = from_json(json, "a batch's totals")?;
    let tally = |(count, minor)| Tally { count, minor };
    let total =
        |StoredTotal { currency, debits, credits }| Total { currency, debits: tally(debits), credits: tally(credits) };
    Ok(stored.into_iter().map(total).collect())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = settlement_batches)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<SettlementBatchId>,
    channel_account_id: Txt<ChannelAccountId>,
    sequence: i64,
    after_set: i64,
    through_set: i64,
    row_count: i32,
    totals_json: String,
    state: String,
    sent: i32,
    sent_set: i64,
    theirs_json: Option<String>,
    words: Option<String>,
    closed_by: String,
    closed_at: i64,
    holds_until: i64,
    next_attempt_at: Option<i64>,
    lease_until: Option<i64>,
    attempts: i32,
    attention_at: Option<i64>,
    ended_at: Option<i64>,
    resolved_by: Option<String>,
    resolved_at: Option<i64>,
    resolution: Option<String>,
    version: i64,
    unsent: bool,
}

impl Row {
    fn new(scope: &TenantScope, batch: &SettlementBatch) -> Result<Self, StoreError> {
        let (sent, words) = match &batch.state {
            State::Closing | State::Cancelled => (0, batch.words.clone()),
            State::Uploading { sent } => (*sent, batch.words.clone()),
            State::Settled => (batch.rows, None),
            State::Differs(Difference::Totals) => (batch.rows, Some(TOTALS_DIFFER.to_owned())),
            State::Differs(Difference::Elsewhere(words)) => (0, Some(words.clone())),
        };
        let resolved = batch.resolved.as_ref();
        Ok(Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(batch.id),
            channel_account_id: Txt(batch.account),
            sequence: signed(batch.sequence),
            after_set: batch.after_set,
            through_set: batch.through_set,
            row_count: signed32(batch.rows),
            totals_json: totals_json(&batch.totals)?,
            state: batch.state.text().to_owned(),
            sent: signed32(sent),
            sent_set: batch.sent_through.0,
            theirs_json: batch.theirs.as_deref().map(totals_json).transpose()?,
            words,
            closed_by: batch.closed_by.clone(),
            closed_at: batch.closed_at.0,
            holds_until: batch.holds_until.0,
            next_attempt_at: moment(batch.next_attempt_at),
            lease_until: moment(batch.lease_until),
            attempts: signed32(batch.attempts),
            attention_at: moment(batch.attention_at),
            ended_at: moment(batch.ended_at),
            resolved_by: resolved.map(|resolved| resolved.by.clone()),
            resolved_at: resolved.map(|resolved| resolved.at.0),
            resolution: resolved.map(|resolved| resolved.reason.clone()),
            version: signed(batch.version),
            unsent: batch.unsent,
        })
    }
}

impl TryFrom<Row> for SettlementBatch {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let (state, words) = match (row.state.as_str(), row.words) {
            ("closing", words) => (State::Closing, words),
            ("uploading", words) => (State::Uploading { sent: unsigned32(row.sent)? }, words),
            ("settled", _) => (State::Settled, None),
            ("cancelled", words) => (State::Cancelled, words),
            ("differs", Some(words)) if words != TOTALS_DIFFER => (State::Differs(Difference::Elsewhere(words)), None),
            ("differs", _) => (State::Differs(Difference::Totals), None),
            (other, _) => return Err(corrupt(format!("a settlement batch in state {other:?}"))),
        };
        let resolved = match (row.resolved_by, row.resolved_at, row.resolution) {
            (Some(by), Some(at), Some(reason)) => Some(Resolved { by, at: Millis(at), reason }),
            _ => None,
        };
        Ok(Self {
            id: row.id.0,
            account: row.channel_account_id.0,
            sequence: unsigned(row.sequence)?,
            after_set: row.after_set,
            through_set: row.through_set,
            rows: unsigned32(row.row_count)?,
            totals: totals_of(&row.totals_json)?,
            state,
            sent_through: RowAt(row.sent_set),
            theirs: row.theirs_json.as_deref().map(totals_of).transpose()?,
            words,
            closed_by: row.closed_by,
            closed_at: Millis(row.closed_at),
            holds_until: Millis(row.holds_until),
            next_attempt_at: millis(row.next_attempt_at),
            lease_until: millis(row.lease_until),
            attempts: unsigned32(row.attempts)?,
            attention_at: millis(row.attention_at),
            ended_at: millis(row.ended_at),
            resolved,
            unsent: row.unsent,
            version: unsigned(row.version)?,
        })
    }
}

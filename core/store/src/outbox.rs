//! What must be sent because of what was committed: written in the same transaction, sent at least once after it.

use diesel::{
    dsl::{count_star, exists, min, not},
    prelude::*,
};
use saoma_protocol::{Millis, Sequence, TenantId, TerminalId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, corrupt, sequence, signed, unsigned, unsigned32},
    dialect::claim,
    payments::AHEAD_MS_MAX,
    schema::{outbox, terminals},
};

/// Most ids in one statement: SQLite takes 32,766 variables (SQLITE_MAX_VARIABLE_NUMBER), and a terminal may send more.
const IDS_MAX: usize = 1_000;

/// The road a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To one terminal over MQTT, until the terminal acknowledges it.
    Push,
    /// To a merchant's URL.
    Webhook,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub kind: Kind,
    /// For pushes.
    pub terminal: Option<TerminalId>,
    /// JSON text; for pushes a [`saoma_protocol::message::PushBody`].
    pub payload: String,
    pub created_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Grows, with gaps; the push's id.
    pub id: Sequence,
    pub message: NewMessage,
    /// How often it was sent.
    pub attempts: u32,
    pub next_at: Millis,
    pub acked_at: Option<Millis>,
    /// The trace in which it was written.
    pub traceparent: Option<String>,
}

/// What waits to be acknowledged, of all tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub messages: u64,
    pub oldest: Option<Millis>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub message: Message,
}

/// Due at once (at its `created_at`).
///
/// # Errors
/// None of its own.
pub fn append(tx: &mut Tx<'_>, scope: &TenantScope, message: &NewMessage) -> Result<Sequence, StoreError> {
    let row = (
        outbox::tenant_id.eq(Txt(scope.tenant())),
        outbox::kind.eq(message.kind.text()),
        outbox::terminal_id.eq(message.terminal.map(Txt)),
        outbox::payload.eq(&message.payload),
        outbox::created_at.eq(message.created_at.0),
        outbox::next_at.eq(message.created_at.0),
        outbox::attempts.eq(0),
        outbox::acked_at.eq(None::<i64>),
        outbox::traceparent.eq(tx.traceparent.clone()),
    );
    let id: i64 =
        tx.run(scope, |conn| diesel::insert_into(outbox::table).values(row).returning(outbox::id).get_result(conn))?;
    sequence(id)
}

/// Takes messages that are due, in order of their ids: nobody else gets them until `lease_until`, which is also when they
/// are due again. Those for a terminal that is connected to another node are left to that node. Counts an attempt.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    node: &str,
    kind: Kind,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    // What a clock wrote that ran ahead is not waited for.
    let never = outbox::table
        .filter(outbox::kind.eq(kind.text()))
        .filter(outbox::acked_at.is_null())
        .filter(outbox::next_at.gt(now.plus(AHEAD_MS_MAX).0));
    tx.run(platform, |conn| diesel::update(never).set(outbox::next_at.eq(now.0)).execute(conn))?;
    let elsewhere = terminals::table
        .filter(terminals::tenant_id.eq(outbox::tenant_id))
        .filter(terminals::id.nullable().eq(outbox::terminal_id))
        .filter(terminals::node_id.ne(node));
    let ids: Vec<i64> = claim!(
        tx,
        platform,
        outbox::table
            .filter(outbox::kind.eq(kind.text()))
            .filter(outbox::acked_at.is_null())
            .filter(outbox::next_at.le(now.0))
            .filter(not(exists(elsewhere)))
            .order(outbox::id)
            .limit(limit.into())
            .select(outbox::id)
    )?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let taken = outbox::table.filter(outbox::id.eq_any(ids.clone()));
    let changes = (outbox::next_at.eq(lease_until.0), outbox::attempts.eq(outbox::attempts + 1));
    tx.run(platform, |conn| diesel::update(taken).set(changes).execute(conn))?;
    let rows: Vec<MessageRow> = tx.run(platform, |conn| {
        outbox::table.filter(outbox::id.eq_any(ids)).order(outbox::id).select(MessageRow::as_select()).load(conn)
    })?;
    rows.into_iter().map(|row| Ok(Due { scope: access::of_row(row.tenant_id.0), message: row.try_into()? })).collect()
}

/// When to send it again unless it is acknowledged before.
///
/// # Errors
/// None of its own: a message that was acknowledged or pruned meanwhile is left alone.
pub fn resend_at(tx: &mut Tx<'_>, scope: &TenantScope, id: Sequence, next_at: Millis) -> Result<(), StoreError> {
    let open = outbox::table
        .filter(outbox::tenant_id.eq(Txt(scope.tenant())))
        .filter(outbox::id.eq(signed(id.0)))
        .filter(outbox::acked_at.is_null());
    tx.run(scope, |conn| diesel::update(open).set(outbox::next_at.eq(next_at.0)).execute(conn)).map(drop)
}

/// The terminal has these; ids of other terminals are ignored. The answer is how many were new.
///
/// # Errors
/// None of its own.
pub fn ack(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    ids: &[Sequence],
    at: Millis,
) -> Result<u64, StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| signed(id.0)).collect();
    let mut n = 0;
    for some in ids.chunks(IDS_MAX) {
        let open = of_terminal(scope, terminal).filter(outbox::id.eq_any(some));
        n += tx.run(scope, |conn| diesel::update(open).set(outbox::acked_at.eq(at.0)).execute(conn))?;
    }
    Ok(n as u64)
}

/// Nobody will fetch this terminal's pushes any more: none is sent again.
///
/// # Errors
/// None of its own.
pub fn give_up(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, at: Millis) -> Result<u64, StoreError> {
    let open = of_terminal(scope, terminal);
    tx.run(scope, |conn| diesel::update(open).set(outbox::acked_at.eq(at.0)).execute(conn)).map(|n| n as u64)
}

/// Of a terminal's pushes that begin like this and wait, those before the newest `keep` are not sent any more.
///
/// # Errors
/// None of its own.
pub fn keep_newest(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    begins: &str,
    keep: u32,
    at: Millis,
) -> Result<u64, StoreError> {
    let such = || of_terminal(scope, terminal).filter(outbox::payload.like(format!("{begins}%")));
    let oldest_kept: Option<i64> = tx.run(scope, |conn| {
        let newest = such().select(outbox::id).order(outbox::id.desc());
        newest.offset((i64::from(keep) - 1).max(0)).first(conn).optional()
    })?;
    let Some(oldest_kept) = oldest_kept else { return Ok(0) };
    let old = such().filter(outbox::id.lt(oldest_kept));
    tx.run(scope, |conn| diesel::update(old).set(outbox::acked_at.eq(at.0)).execute(conn)).map(|n| n as u64)
}

/// A terminal's unacknowledged messages.
#[diesel::dsl::auto_type(no_type_alias)]
fn of_terminal<'a>(scope: &'a TenantScope, terminal: TerminalId) -> _ {
    let (tenant, terminal): (Txt<TenantId>, Txt<TerminalId>) = (Txt(scope.tenant()), Txt(terminal));
    outbox::table
        .filter(outbox::tenant_id.eq(tenant))
        .filter(outbox::terminal_id.eq(terminal))
        .filter(outbox::acked_at.is_null())
}

/// What a webhook tells has become deliveries, or a push is of no use any more: it is not claimed again.
///
/// # Errors
/// None of its own.
pub fn settle(tx: &mut Tx<'_>, scope: &TenantScope, id: Sequence, at: Millis) -> Result<(), StoreError> {
    let open = outbox::table
        .filter(outbox::tenant_id.eq(Txt(scope.tenant())))
        .filter(outbox::id.eq(signed(id.0)))
        .filter(outbox::acked_at.is_null());
    tx.run(scope, |conn| diesel::update(open).set(outbox::acked_at.eq(at.0)).execute(conn)).map(drop)
}

/// A terminal's unacknowledged pushes after `after`, oldest first.
///
/// # Errors
/// None of its own.
pub fn pending(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    after: Sequence,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let rows: Vec<MessageRow> = tx.run(scope, |conn| {
        outbox::table
            .filter(outbox::tenant_id.eq(Txt(scope.tenant())))
            .filter(outbox::terminal_id.eq(Txt(terminal)))
            .filter(outbox::kind.eq(Kind::Push.text()))
            .filter(outbox::acked_at.is_null())
            .filter(outbox::id.gt(signed(after.0)))
            .order(outbox::id)
            .limit(limit.into())
            .select(MessageRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Message::try_from).collect()
}

/// The terminals for which this very message waits to be acknowledged.
///
/// # Errors
/// None of its own.
pub fn waiting(tx: &mut Tx<'_>, scope: &TenantScope, payload: &str) -> Result<Vec<TerminalId>, StoreError> {
    let open: Vec<Option<Txt<TerminalId>>> = tx.run(scope, |conn| {
        outbox::table
            .filter(outbox::tenant_id.eq(Txt(scope.tenant())))
            .filter(outbox::kind.eq(Kind::Push.text()))
            .filter(outbox::acked_at.is_null())
            .filter(outbox::payload.eq(payload))
            .select(outbox::terminal_id)
            .load(conn)
    })?;
    Ok(open.into_iter().flatten().map(|terminal| terminal.0).collect())
}

/// Makes a terminal's unacknowledged pushes due at `now`: it has just connected.
///
/// # Errors
/// None of its own.
pub fn hurry(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId, now: Millis) -> Result<u64, StoreError> {
    let open = outbox::table
        .filter(outbox::tenant_id.eq(Txt(scope.tenant())))
        .filter(outbox::terminal_id.eq(Txt(terminal)))
        .filter(outbox::acked_at.is_null())
        .filter(outbox::next_at.gt(now.0));
    tx.run(scope, |conn| diesel::update(open).set(outbox::next_at.eq(now.0)).execute(conn)).map(|n| n as u64)
}

/// When the next message of this kind is due.
///
/// # Errors
/// None of its own.
pub fn next_due_at(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    kind: Kind,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    let waiting =
        outbox::table.filter(outbox::kind.eq(kind.text())).filter(outbox::acked_at.is_null()).select(outbox::next_at);
    let never = waiting.filter(outbox::next_at.gt(now.plus(AHEAD_MS_MAX).0));
    if tx.run(platform, |conn| never.first::<i64>(conn).optional())?.is_some() {
        return Ok(Some(now));
    }
    let at: Option<i64> = tx.run(platform, |conn| waiting.order(outbox::next_at).first(conn).optional())?;
    Ok(at.map(Millis))
}

/// How much of this kind waits to be acknowledged, and since when.
///
/// # Errors
/// None of its own.
pub fn backlog(tx: &mut Tx<'_>, platform: &PlatformScope, kind: Kind) -> Result<Backlog, StoreError> {
    let (count, oldest): (i64, Option<i64>) = tx.run(platform, |conn| {
        outbox::table
            .filter(outbox::kind.eq(kind.text()))
            .filter(outbox::acked_at.is_null())
            .select((count_star(), min(outbox::created_at)))
            .first(conn)
    })?;
    Ok(Backlog { messages: unsigned(count)?, oldest: oldest.map(Millis) })
}

/// Deletes what was acknowledged before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, platform: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    let old = outbox::table.filter(outbox::acked_at.lt(before.0));
    tx.run(platform, |conn| diesel::delete(old).execute(conn)).map(|n| n as u64)
}

impl Kind {
    const fn text(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Webhook => "webhook",
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct MessageRow {
    id: i64,
    tenant_id: Txt<TenantId>,
    kind: String,
    terminal_id: Option<Txt<TerminalId>>,
    payload: String,
    created_at: i64,
    next_at: i64,
    attempts: i32,
    acked_at: Option<i64>,
    traceparent: Option<String>,
}

impl TryFrom<MessageRow> for Message {
    type Error = StoreError;

    fn try_from(row: MessageRow) -> Result<Self, StoreError> {
        let kind = [Kind::Push, Kind::Webhook].into_iter().find(|kind| kind.text() == row.kind);
        let message = NewMessage {
            kind: kind.ok_or_else(|| corrupt(format!("a message of the kind {:?}", row.kind)))?,
            terminal: row.terminal_id.map(|terminal| terminal.0),
            payload: row.payload,
            created_at: Millis(row.created_at),
        };
        Ok(Self {
            id: sequence(row.id)?,
            message,
            attempts: unsigned32(row.attempts)?,
            next_at: Millis(row.next_at),
            acked_at: row.acked_at.map(Millis),
            traceparent: row.traceparent,
        })
    }
}

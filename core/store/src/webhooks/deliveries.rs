//! The deliveries: one event for one endpoint, until it succeeded or is given up.

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_protocol::{Millis, Sequence, TenantId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId};

use super::{Announcement, Disabled, Endpoint, disable, endpoints, load, take_endpoint};
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, millis, moment, sequence, signed, signed32, stored_as_text, unsigned, unsigned32},
    dialect::{claim, insert_or_ignore, take_turn_named},
    outbox::{self, Kind},
    schema::{webhook_attempts, webhook_deliveries},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Succeeded,
    /// Given up; a replay makes it pending again.
    Failed,
}

impl State {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed].into_iter().find(|state| state.text() == text)
    }
}

stored_as_text!(State);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: WebhookDeliveryId,
    pub endpoint: WebhookEndpointId,
    pub event: WebhookEventId,
    pub event_type: String,
    /// The order of the tenant's events.
    pub sequence: Sequence,
    pub payload: String,
    pub state: State,
    /// Of all rounds; the number of the attempt under way or last.
    pub attempts: u32,
    /// The first attempt since it was queued, replayed, or its endpoint enabled.
    pub began_at: Option<Millis>,
    /// `None` while it waits for its turn or its endpoint, and once it is done.
    pub next_at: Option<Millis>,
    pub created_at: Millis,
    pub done_at: Option<Millis>,
    /// The trace in which the event was written.
    pub traceparent: Option<String>,
}

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1; a gap is an attempt whose process ended before it was written down.
    pub number: u32,
    pub at: Millis,
    pub duration_ms: u64,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none, in words for the receiver's owner.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub body: Option<String>,
}

/// What is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub scope: TenantScope,
    pub delivery: Delivery,
    pub url: String,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Succeeded,
    Again(Millis),
    GiveUp,
    /// The receiver wants no more of anything.
    Gone,
}

/// Turns events of the outbox into deliveries, in order. The answer is how many events were taken, and the payloads that
/// nobody can read, which are dropped.
///
/// # Errors
/// None of its own.
pub fn fan_out(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    limit: u32,
) -> Result<(u32, Vec<Sequence>), StoreError> {
    // One at a time: two that took batches could commit the later events first.
    take_turn_named(tx, platform, "webhook fan-out")?;
    // It is for no terminal, so that every node is as good.
    let due = outbox::claim_due(tx, platform, "", Kind::Webhook, now, now, limit)?;
    let taken = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let mut unreadable = Vec::new();
    for outbox::Due { scope, message } in due {
        match serde_json::from_str::<Announcement>(&message.message.payload) {
            Ok(announcement) => queue(tx, &scope, &message, &announcement, now)?,
            Err(_) => unreadable.push(message.id),
        }
        outbox::settle(tx, &scope, message.id, now)?;
    }
    Ok((taken, unreadable))
}

fn queue(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    message: &outbox::Message,
    announcement: &Announcement,
    now: Millis,
) -> Result<(), StoreError> {
    let wants = |endpoint: &Endpoint| match announcement.only {
        Some(only) => endpoint.id == only,
        None => endpoint.event_types.is_empty() || endpoint.event_types.contains(&announcement.event_type),
    };
    let created_at = message.message.created_at;
    let event = WebhookEventId::of(scope.tenant(), message.id, created_at);
    for endpoint in endpoints::list(tx, scope)?.into_iter().filter(wants) {
        take_endpoint(tx, scope, endpoint.id)?;
        // It may have been ended or disabled since it was listed.
        match load(tx, scope, endpoint.id) {
            Ok(endpoint) if endpoint.disabled.is_none() => {}
            Ok(_) | Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        }
        let row = (
            webhook_deliveries::tenant_id.eq(Txt(scope.tenant())),
            webhook_deliveries::id.eq(Txt(WebhookDeliveryId::of(endpoint.id, event))),
            webhook_deliveries::endpoint_id.eq(Txt(endpoint.id)),
            webhook_deliveries::event_id.eq(Txt(event)),
            webhook_deliveries::event_type.eq(&announcement.event_type),
            webhook_deliveries::sequence.eq(signed(message.id.0)),
            webhook_deliveries::payload.eq(&announcement.payload),
            webhook_deliveries::state.eq(Txt(State::Pending)),
            webhook_deliveries::attempts.eq(0),
            webhook_deliveries::next_at.eq((!endpoint.ordered).then_some(now.0)),
            webhook_deliveries::created_at.eq(created_at.0),
            webhook_deliveries::traceparent.eq(&message.traceparent),
        );
        insert_or_ignore!(tx, scope, webhook_deliveries::table, row)?;
        if endpoint.ordered {
            promote(tx, scope, endpoint.id, now)?;
        }
    }
    Ok(())
}

/// No delivery is planned further ahead than this, in milliseconds: the longest pause is 15 hours. Whatever is was planned by a
/// clock that was ahead, and is due now.
const PLANNED_MS_MAX: i64 = 16 * 3_600_000;

/// When there is something to fan out or to send; in the past if there is now, and for what a clock planned that was ahead.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, platform: &PlatformScope, now: Millis) -> Result<Option<Millis>, StoreError> {
    let event = outbox::next_due_at(tx, platform, Kind::Webhook, now)?;
    let planned = webhook_deliveries::table.select(webhook_deliveries::next_at);
    let soonest: Option<Option<i64>> = tx.run(platform, |conn| {
        let planned = planned.filter(webhook_deliveries::next_at.is_not_null());
        planned.order(webhook_deliveries::next_at).first(conn).optional()
    })?;
    let never: Option<Option<i64>> = tx.run(platform, |conn| {
        planned.filter(webhook_deliveries::next_at.gt(now.plus(PLANNED_MS_MAX).0)).first(conn).optional()
    })?;
    let delivery = if never.is_some() { Some(now) } else { millis(soonest.flatten()) };
    Ok([event, delivery].into_iter().flatten().min())
}

/// What the caller has in its hands already: an endpoint that is slow gets no more than its share.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub in_hand: &'a BTreeMap<WebhookEndpointId, u32>,
    pub per_endpoint_max: u32,
    pub limit: u32,
}

/// Takes deliveries that are due: nobody else gets them until `lease_until`, when they are due again. Counts an attempt.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    wanted: Wanted<'_>,
) -> Result<Vec<Job>, StoreError> {
    let never = webhook_deliveries::table.filter(webhook_deliveries::next_at.gt(now.plus(PLANNED_MS_MAX).0));
    tx.run(platform, |conn| diesel::update(never).set(webhook_deliveries::next_at.eq(now.0)).execute(conn))?;
    let (mut in_hand, mut jobs) = (wanted.in_hand.clone(), Vec::new());
    // The oldest may all be of an endpoint that has its share by now: then others are looked for without it.
    while let room @ 1.. = wanted.limit.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX)) {
        let full: Vec<Txt<WebhookEndpointId>> =
            in_hand.iter().filter(|(_, count)| **count >= wanted.per_endpoint_max).map(|(id, _)| Txt(*id)).collect();
        let rows: Vec<DeliveryRow> = claim!(
            tx,
            platform,
            webhook_deliveries::table
                .filter(webhook_deliveries::next_at.le(now.0))
                .filter(webhook_deliveries::endpoint_id.ne_all(full.clone()))
                .order((webhook_deliveries::next_at, webhook_deliveries::sequence))
                .limit(room.into())
                .select(DeliveryRow::as_select())
        )?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let count = in_hand.entry(row.endpoint_id.0).or_default();
            if *count < wanted.per_endpoint_max {
                *count += 1;
                jobs.push(take(tx, platform, row, now, lease_until)?);
            }
        }
    }
    Ok(jobs)
}

fn take(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    row: DeliveryRow,
    now: Millis,
    lease_until: Millis,
) -> Result<Job, StoreError> {
    let scope = access::of_row(row.tenant_id.0);
    let mut delivery = Delivery::try_from(row)?;
    delivery.attempts += 1;
    // The three days do not begin in what is still to come: that clock was ahead.
    delivery.began_at = Some(delivery.began_at.map_or(now, |began_at| began_at.min(now)));
    delivery.next_at = Some(lease_until);
    let changes = (
        webhook_deliveries::attempts.eq(signed32(delivery.attempts)),
        webhook_deliveries::began_at.eq(moment(delivery.began_at)),
        webhook_deliveries::next_at.eq(lease_until.0),
    );
    let row = row_of(&scope, delivery.id);
    tx.run(platform, |conn| diesel::update(row).set(changes).execute(conn))?;
    let url = load(tx, &scope, delivery.endpoint)?.url;
    Ok(Job { scope, delivery, url })
}

/// Writes down what came of an attempt and what follows. The answer is why the endpoint was disabled, if that follows.
/// Somebody who was too slow, so that another has taken the delivery since, changes nothing.
///
/// # Errors
/// None of its own: a delivery that was ended with its endpoint is left alone.
pub fn finish(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    delivery: &Delivery,
    attempt: &Attempt,
    next: Next,
    now: Millis,
) -> Result<Option<Disabled>, StoreError> {
    take_endpoint(tx, scope, delivery.endpoint)?;
    let endpoint = match load(tx, scope, delivery.endpoint) {
        Ok(endpoint) => endpoint,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let again = match next {
        Next::Again(at) if endpoint.disabled.is_none() => Some(at),
        _ => None,
    };
    let state = match next {
        Next::Succeeded => State::Succeeded,
        Next::Again(_) => State::Pending,
        Next::GiveUp | Next::Gone => State::Failed,
    };
    let as_claimed = row_of(scope, delivery.id)
        .filter(webhook_deliveries::state.eq(Txt(State::Pending)))
        .filter(webhook_deliveries::attempts.eq(signed32(delivery.attempts)));
    let changes = (
        webhook_deliveries::state.eq(Txt(state)),
        webhook_deliveries::next_at.eq(moment(again)),
        webhook_deliveries::done_at.eq((state != State::Pending).then_some(now.0)),
    );
    if tx.run(scope, |conn| diesel::update(as_claimed).set(changes).execute(conn))? == 0 {
        return Ok(None);
    }
    note(tx, scope, delivery.id, attempt)?;
    if state == State::Succeeded {
        endpoints::succeeded(tx, scope, endpoint.id, now)?;
    }
    let since = |at: Millis| delivery.began_at.is_none_or(|began_at| at >= began_at);
    let disabled = match next {
        Next::Gone => Some(Disabled::Gone),
        Next::GiveUp if endpoint.ordered || !endpoint.last_success_at.is_some_and(since) => Some(Disabled::Failing),
        _ => None,
    }
    .filter(|_| endpoint.disabled.is_none());
    match disabled {
        Some(reason) => disable(tx, scope, endpoint.id, reason, now)?,
        None if endpoint.ordered && endpoint.disabled.is_none() => promote(tx, scope, endpoint.id, now)?,
        None => {}
    }
    Ok(disabled)
}

fn note(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    delivery: WebhookDeliveryId,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let row = (
        webhook_attempts::tenant_id.eq(Txt(scope.tenant())),
        webhook_attempts::delivery_id.eq(Txt(delivery)),
        webhook_attempts::number.eq(signed32(attempt.number)),
        webhook_attempts::at.eq(attempt.at.0),
        webhook_attempts::duration_ms.eq(signed(attempt.duration_ms)),
        webhook_attempts::status.eq(attempt.status.map(i32::from)),
        webhook_attempts::error.eq(&attempt.error),
        webhook_attempts::body.eq(&attempt.body),
    );
    insert_or_ignore!(tx, scope, webhook_attempts::table, row).map(drop)
}

/// Makes the oldest open delivery of an ordered endpoint due, unless one is due or under way.
fn promote(tx: &mut Tx<'_>, scope: &TenantScope, endpoint: WebhookEndpointId, now: Millis) -> Result<(), StoreError> {
    let under_way = open_of(scope, endpoint).filter(webhook_deliveries::next_at.is_not_null());
    let count: i64 = tx.run(scope, |conn| under_way.count().get_result(conn))?;
    if count > 0 {
        return Ok(());
    }
    let oldest: Option<Txt<WebhookDeliveryId>> = tx.run(scope, |conn| {
        open_of(scope, endpoint)
            .order(webhook_deliveries::sequence)
            .select(webhook_deliveries::id)
            .first(conn)
            .optional()
    })?;
    let Some(Txt(oldest)) = oldest else { return Ok(()) };
    let row = row_of(scope, oldest);
    tx.run(scope, |conn| diesel::update(row).set(webhook_deliveries::next_at.eq(now.0)).execute(conn)).map(drop)
}

/// The endpoint was enabled: what is open begins anew.
pub(super) fn resume(tx: &mut Tx<'_>, scope: &TenantScope, endpoint: &Endpoint, now: Millis) -> Result<(), StoreError> {
    let due = (!endpoint.ordered).then_some(now.0);
    let changes = (webhook_deliveries::began_at.eq(None::<i64>), webhook_deliveries::next_at.eq(due));
    let open = open_of(scope, endpoint.id);
    tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn))?;
    if endpoint.ordered { promote(tx, scope, endpoint.id, now) } else { Ok(()) }
}

/// Sends a delivery that is done once more, under the same event id. One that is pending is on its way already. While the
/// endpoint is disabled it waits.
///
/// # Errors
/// `NotFound`.
pub fn replay(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: WebhookDeliveryId,
    now: Millis,
) -> Result<Delivery, StoreError> {
    let delivery = load_delivery(tx, scope, id)?;
    take_endpoint(tx, scope, delivery.endpoint)?;
    let done = row_of(scope, id).filter(webhook_deliveries::state.ne(Txt(State::Pending)));
    tx.run(scope, |conn| diesel::update(done).set(reopened()).execute(conn))?;
    after_replay(tx, scope, delivery.endpoint, now)?;
    load_delivery(tx, scope, id)
}

/// The same for all that are done and were queued from `from` to before `to`, those that failed or all. The answer is how
/// many.
///
/// # Errors
/// `NotFound`, `Limit` if there are more than `count_max`; then nothing is replayed.
pub fn replay_range(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    endpoint: WebhookEndpointId,
    (from, to): (Millis, Millis),
    failed_only: bool,
    count_max: u32,
    now: Millis,
) -> Result<u32, StoreError> {
    take_endpoint(tx, scope, endpoint)?;
    load(tx, scope, endpoint)?;
    let states = if failed_only { vec![Txt(State::Failed)] } else { vec![Txt(State::Failed), Txt(State::Succeeded)] };
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let done = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant))
        .filter(webhook_deliveries::endpoint_id.eq(Txt(endpoint)))
        .filter(webhook_deliveries::created_at.ge(from.0))
        .filter(webhook_deliveries::created_at.lt(to.0))
        .filter(webhook_deliveries::state.eq_any(states));
    let count: i64 = tx.run(scope, |conn| done.clone().count().get_result(conn))?;
    if count > i64::from(count_max) {
        return Err(StoreError::Limit { what: "deliveries in one replay", max: count_max.into() });
    }
    let count = tx.run(scope, |conn| diesel::update(done).set(reopened()).execute(conn))?;
    after_replay(tx, scope, endpoint, now)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Open, of no round yet, and not due: [`after_replay`] says when.
#[diesel::dsl::auto_type(no_type_alias)]
fn reopened() -> _ {
    let pending: Txt<State> = Txt(State::Pending);
    let none: Option<i64> = None;
    (webhook_deliveries::state.eq(pending), webhook_deliveries::began_at.eq(none), webhook_deliveries::done_at.eq(none))
}

/// Makes due what was just opened again.
fn after_replay(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    endpoint: WebhookEndpointId,
    now: Millis,
) -> Result<(), StoreError> {
    let endpoint = load(tx, scope, endpoint)?;
    if endpoint.disabled.is_some() {
        return Ok(());
    }
    if endpoint.ordered {
        return promote(tx, scope, endpoint.id, now);
    }
    let waiting = open_of(scope, endpoint.id).filter(webhook_deliveries::next_at.is_null());
    tx.run(scope, |conn| diesel::update(waiting).set(webhook_deliveries::next_at.eq(now.0)).execute(conn)).map(drop)
}

/// # Errors
/// `NotFound`.
pub fn load_delivery(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookDeliveryId) -> Result<Delivery, StoreError> {
    let row: Option<DeliveryRow> =
        tx.run(scope, |conn| row_of(scope, id).select(DeliveryRow::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the webhook delivery" })?.try_into()
}

/// Which deliveries of an endpoint to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    /// Those of events before this one.
    pub before: Option<Sequence>,
}

/// Newest event first.
///
/// # Errors
/// None of its own.
pub fn list_deliveries(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    endpoint: WebhookEndpointId,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let mut query = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(Txt(scope.tenant())))
        .filter(webhook_deliveries::endpoint_id.eq(Txt(endpoint)))
        .order(webhook_deliveries::sequence.desc())
        .limit(limit.into())
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(webhook_deliveries::state.eq(Txt(state)));
    }
    if let Some(before) = filter.before {
        query = query.filter(webhook_deliveries::sequence.lt(signed(before.0)));
    }
    let rows: Vec<DeliveryRow> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Delivery::try_from).collect()
}

/// What came of a delivery's attempts, oldest first.
///
/// # Errors
/// None of its own.
pub fn attempts(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookDeliveryId) -> Result<Vec<Attempt>, StoreError> {
    let rows: Vec<AttemptRow> = tx.run(scope, |conn| {
        webhook_attempts::table
            .filter(webhook_attempts::tenant_id.eq(Txt(scope.tenant())))
            .filter(webhook_attempts::delivery_id.eq(Txt(id)))
            .order(webhook_attempts::number)
            .select(AttemptRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Attempt::try_from).collect()
}

/// Forgets what was done before `before`; the answer is how many deliveries that was.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, platform: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    let old = webhook_deliveries::table.filter(webhook_deliveries::done_at.lt(before.0));
    tx.run(platform, |conn| diesel::delete(old).execute(conn)).map(|n| n as u64)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: WebhookDeliveryId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<WebhookDeliveryId> = Txt(id);
    webhook_deliveries::table.filter(webhook_deliveries::tenant_id.eq(tenant)).filter(webhook_deliveries::id.eq(id))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn open_of(scope: &TenantScope, endpoint: WebhookEndpointId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let endpoint: Txt<WebhookEndpointId> = Txt(endpoint);
    let pending: Txt<State> = Txt(State::Pending);
    webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(tenant))
        .filter(webhook_deliveries::endpoint_id.eq(endpoint))
        .filter(webhook_deliveries::state.eq(pending))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries)]
struct DeliveryRow {
    tenant_id: Txt<TenantId>,
    id: Txt<WebhookDeliveryId>,
    endpoint_id: Txt<WebhookEndpointId>,
    event_id: Txt<WebhookEventId>,
    event_type: String,
    sequence: i64,
    payload: String,
    state: Txt<State>,
    attempts: i32,
    began_at: Option<i64>,
    next_at: Option<i64>,
    created_at: i64,
    done_at: Option<i64>,
    traceparent: Option<String>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            endpoint: row.endpoint_id.0,
            event: row.event_id.0,
            event_type: row.event_type,
            sequence: sequence(row.sequence)?,
            payload: row.payload,
            state: row.state.0,
            attempts: unsigned32(row.attempts)?,
            began_at: millis(row.began_at),
            next_at: millis(row.next_at),
            created_at: Millis(row.created_at),
            done_at: millis(row.done_at),
            traceparent: row.traceparent,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_attempts)]
struct AttemptRow {
    number: i32,
    at: i64,
    duration_ms: i64,
    status: Option<i32>,
    error: Option<String>,
    body: Option<String>,
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: unsigned32(row.number)?,
            at: Millis(row.at),
            duration_ms: unsigned(row.duration_ms)?,
            status: row.status.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
            body: row.body,
        })
    }
}

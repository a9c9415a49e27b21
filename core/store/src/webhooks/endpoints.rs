//! The endpoints: what they want, and whether anything is sent to them.

use diesel::prelude::*;
use saoma_protocol::{Millis, TenantId, WebhookEndpointId};

use super::{State, deliveries, take_endpoint};
use crate::{
    Opaque, StoreError, TenantScope, Tx,
    column::{Txt, found, from_json, millis, moment, stored_as_text, to_json},
    dialect::{insert_or_ignore, take_turn},
    schema::{webhook_deliveries, webhook_endpoints},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub id: WebhookEndpointId,
    pub url: String,
    pub description: String,
    /// Empty: all.
    pub event_types: Vec<String>,
    /// One at a time, in the order of the events, the next only after a success. Never changes.
    pub ordered: bool,
    /// Until then the secret before the present one signs too.
    pub previous_until: Option<Millis>,
    /// `None`: events are sent.
    pub disabled: Option<(Disabled, Millis)>,
    pub last_success_at: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// Why nothing is sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    ByPerson,
    /// A delivery was given up, and none had succeeded since its first attempt.
    Failing,
    /// The receiver answered 410: it wants no more.
    Gone,
}

impl Disabled {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ByPerson => "by_person",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::ByPerson, Self::Failing, Self::Gone].into_iter().find(|reason| reason.text() == text)
    }
}

stored_as_text!(Disabled);

/// What signs, each sealed by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    pub current: Opaque<Vec<u8>>,
    /// With the moment from which it signs no more.
    pub previous: Option<(Opaque<Vec<u8>>, Millis)>,
}

/// # Errors
/// `Conflict` if the id is taken, `Limit` if the tenant has `count_max` already.
pub fn create(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    endpoint: &Endpoint,
    secret: &Opaque<Vec<u8>>,
    count_max: u32,
) -> Result<(), StoreError> {
    take_turn(tx, scope)?;
    let count: i64 = tx.run(scope, |conn| {
        webhook_endpoints::table.filter(webhook_endpoints::tenant_id.eq(Txt(scope.tenant()))).count().get_result(conn)
    })?;
    if count >= i64::from(count_max) {
        return Err(StoreError::Limit { what: "webhook endpoints", max: count_max.into() });
    }
    let row = (
        webhook_endpoints::tenant_id.eq(Txt(scope.tenant())),
        webhook_endpoints::id.eq(Txt(endpoint.id)),
        webhook_endpoints::url.eq(&endpoint.url),
        webhook_endpoints::description.eq(&endpoint.description),
        webhook_endpoints::event_types_json.eq(to_json(&endpoint.event_types)?),
        webhook_endpoints::ordered.eq(endpoint.ordered),
        webhook_endpoints::secret.eq(secret.0.as_slice()),
        webhook_endpoints::enabled.eq(endpoint.disabled.is_none()),
        webhook_endpoints::disabled_reason.eq(endpoint.disabled.map(|(reason, _)| Txt(reason))),
        webhook_endpoints::disabled_at.eq(moment(endpoint.disabled.map(|(_, at)| at))),
        webhook_endpoints::created_at.eq(endpoint.created_at.0),
        webhook_endpoints::updated_at.eq(endpoint.updated_at.0),
    );
    match insert_or_ignore!(tx, scope, webhook_endpoints::table, row)? {
        0 => Err(StoreError::Conflict { what: "the endpoint's id" }),
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookEndpointId) -> Result<Endpoint, StoreError> {
    let row: Option<EndpointRow> =
        tx.run(scope, |conn| row_of(scope, id).select(EndpointRow::as_select()).first(conn).optional())?;
    row.ok_or(NO_ENDPOINT)?.try_into()
}

/// All of them, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Endpoint>, StoreError> {
    let rows: Vec<EndpointRow> = tx.run(scope, |conn| {
        webhook_endpoints::table
            .filter(webhook_endpoints::tenant_id.eq(Txt(scope.tenant())))
            .order((webhook_endpoints::created_at, webhook_endpoints::id))
            .select(EndpointRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Endpoint::try_from).collect()
}

/// Whether an event would be sent anywhere.
///
/// # Errors
/// None of its own.
pub fn has_listeners(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<bool, StoreError> {
    let enabled = webhook_endpoints::table
        .filter(webhook_endpoints::tenant_id.eq(Txt(scope.tenant())))
        .filter(webhook_endpoints::enabled.eq(true));
    let count: i64 = tx.run(scope, |conn| enabled.count().get_result(conn))?;
    Ok(count > 0)
}

/// Saves URL, description and event types.
///
/// # Errors
/// `NotFound`.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, endpoint: &Endpoint) -> Result<(), StoreError> {
    let changes = (
        webhook_endpoints::url.eq(&endpoint.url),
        webhook_endpoints::description.eq(&endpoint.description),
        webhook_endpoints::event_types_json.eq(to_json(&endpoint.event_types)?),
        webhook_endpoints::updated_at.eq(endpoint.updated_at.0),
    );
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, endpoint.id)).set(changes).execute(conn))?;
    found(n, "the webhook endpoint")
}

/// A new secret signs from now on; the one before it signs too, until then.
///
/// # Errors
/// `NotFound`.
pub fn add_secret(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: WebhookEndpointId,
    secret: &Opaque<Vec<u8>>,
    previous_until: Millis,
    at: Millis,
) -> Result<(), StoreError> {
    let changes = (
        webhook_endpoints::previous_secret.eq(webhook_endpoints::secret.nullable()),
        webhook_endpoints::secret.eq(secret.0.as_slice()),
        webhook_endpoints::previous_until.eq(previous_until.0),
        webhook_endpoints::updated_at.eq(at.0),
    );
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, id)).set(changes).execute(conn))?;
    found(n, "the webhook endpoint")
}

/// # Errors
/// `NotFound`.
pub fn secrets(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookEndpointId) -> Result<Secrets, StoreError> {
    type Row = (Vec<u8>, Option<Vec<u8>>, Option<i64>);
    let columns = (webhook_endpoints::secret, webhook_endpoints::previous_secret, webhook_endpoints::previous_until);
    let row: Option<Row> = tx.run(scope, |conn| row_of(scope, id).select(columns).first(conn).optional())?;
    let (current, previous, until) = row.ok_or(NO_ENDPOINT)?;
    Ok(Secrets { current: Opaque(current), previous: previous.map(Opaque).zip(millis(until)) })
}

/// Nothing is sent any more; what is open waits. Disabling again changes nothing.
///
/// # Errors
/// `NotFound`.
pub fn disable(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: WebhookEndpointId,
    reason: Disabled,
    at: Millis,
) -> Result<(), StoreError> {
    take_endpoint(tx, scope, id)?;
    if load(tx, scope, id)?.disabled.is_some() {
        return Ok(());
    }
    let changes = (
        webhook_endpoints::enabled.eq(false),
        webhook_endpoints::disabled_reason.eq(Txt(reason)),
        webhook_endpoints::disabled_at.eq(at.0),
        webhook_endpoints::updated_at.eq(at.0),
    );
    tx.run(scope, |conn| diesel::update(row_of(scope, id)).set(changes).execute(conn))?;
    let open = webhook_deliveries::table
        .filter(webhook_deliveries::tenant_id.eq(Txt(scope.tenant())))
        .filter(webhook_deliveries::endpoint_id.eq(Txt(id)))
        .filter(webhook_deliveries::state.eq(Txt(State::Pending)));
    tx.run(scope, |conn| diesel::update(open).set(webhook_deliveries::next_at.eq(None::<i64>)).execute(conn)).map(drop)
}

/// What waited is due, with three days before it again.
///
/// # Errors
/// `NotFound`.
pub fn enable(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookEndpointId, at: Millis) -> Result<(), StoreError> {
    take_endpoint(tx, scope, id)?;
    let endpoint = load(tx, scope, id)?;
    if endpoint.disabled.is_none() {
        return Ok(());
    }
    let changes = (
        webhook_endpoints::enabled.eq(true),
        webhook_endpoints::disabled_reason.eq(None::<String>),
        webhook_endpoints::disabled_at.eq(None::<i64>),
        webhook_endpoints::updated_at.eq(at.0),
    );
    tx.run(scope, |conn| diesel::update(row_of(scope, id)).set(changes).execute(conn))?;
    deliveries::resume(tx, scope, &endpoint, at)
}

/// Ends it, with all that was and would be sent to it.
///
/// # Errors
/// `NotFound`.
pub fn delete(tx: &mut Tx<'_>, scope: &TenantScope, id: WebhookEndpointId) -> Result<(), StoreError> {
    take_endpoint(tx, scope, id)?;
    let n = tx.run(scope, |conn| diesel::delete(row_of(scope, id)).execute(conn))?;
    found(n, "the webhook endpoint")
}

/// A delivery of the endpoint succeeded.
pub(super) fn succeeded(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: WebhookEndpointId,
    at: Millis,
) -> Result<(), StoreError> {
    let row = row_of(scope, id);
    tx.run(scope, |conn| diesel::update(row).set(webhook_endpoints::last_success_at.eq(at.0)).execute(conn)).map(drop)
}

const NO_ENDPOINT: StoreError = StoreError::NotFound { what: "the webhook endpoint" };

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: WebhookEndpointId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<WebhookEndpointId> = Txt(id);
    webhook_endpoints::table.filter(webhook_endpoints::tenant_id.eq(tenant)).filter(webhook_endpoints::id.eq(id))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_endpoints)]
struct EndpointRow {
    id: Txt<WebhookEndpointId>,
    url: String,
    description: String,
    event_types_json: String,
    ordered: bool,
    previous_until: Option<i64>,
    disabled_reason: Option<Txt<Disabled>>,
    disabled_at: Option<i64>,
    last_success_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<EndpointRow> for Endpoint {
    type Error = StoreError;

    fn try_from(row: EndpointRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            url: row.url,
            description: row.description,
            event_types: from_json(&row.event_types_json, "the event types of an endpoint")?,
            ordered: row.ordered,
            previous_until: millis(row.previous_until),
            disabled: row.disabled_reason.map(|reason| reason.0).zip(millis(row.disabled_at)),
            last_success_at: millis(row.last_success_at),
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

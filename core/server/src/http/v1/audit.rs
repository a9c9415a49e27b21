//! `/v1/audit`: who did what. Every administrative request writes here, in the transaction that does it.

use std::fmt::Display;

use actix_web::web;
use saoma_protocol::{Millis, Sequence};
use saoma_store::{
    Principal, StoreError, TenantScope, Tx,
    audit::{self, NewEntry, StoredEntry},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadAudit},
        paging,
        problem::Problem,
        router::other_method,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/audit").route(web::get().to(list)).default_service(web::to(other_method)));
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// From 1, without gaps.
    sequence: Sequence,
    /// The id of who did it, or `core`.
    actor: String,
    /// For example `channel_account.changed`.
    action: String,
    /// The id of what it was done to.
    subject: String,
    /// More about it; never a secret.
    detail: Value,
    at: Millis,
    /// SHA-256 over this entry and the hash of the one before it, in hex.
    hash: String,
}

impl From<StoredEntry> for AuditEntry {
    fn from(stored: StoredEntry) -> Self {
        let NewEntry { actor, action, subject, detail_json, at } = stored.entry;
        let detail = serde_json::from_str(&detail_json).unwrap_or(Value::String(detail_json));
        Self { sequence: stored.sequence, actor, action, subject, detail, at, hash: stored.hash }
    }
}

#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    items: Vec<AuditEntry>,
    /// Give it as `before` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<Sequence>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Entries with lower numbers than this.
    before: Option<Sequence>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// The audit log of the merchant, or of the platform for its administrators; newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(ListQuery),
    responses((status = 200, body = AuditPage)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadAudit>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<AuditPage>, Problem> {
    let (who, before) = (caller.principal().clone(), query.before);
    let limit = paging::limit(query.limit)?;
    let listed = app.store().read(move |tx| match &who {
        Principal::Platform { scope, .. } => audit::list_platform(tx, scope, before, limit),
        Principal::User { scope, .. } | Principal::ApiKey { scope, .. } | Principal::Terminal { scope, .. } => {
            audit::list(tx, scope, before, limit)
        }
    });
    let stored = listed.await?;
    // The log begins at 1.
    let next_before = stored.last().map(|entry| entry.sequence).filter(|sequence| sequence.0 > 1);
    Ok(web::Json(AuditPage { items: stored.into_iter().map(AuditEntry::from).collect(), next_before }))
}

/// Writes down what `who` did, in the log of those `who` belongs to. From here on to the commit others who write there
/// wait: called before a row is loaded, the row cannot change between loading and saving it.
pub(super) fn note(
    tx: &mut Tx<'_>,
    who: &Principal,
    action: &str,
    subject: &impl Display,
    detail: &Value,
    at: Millis,
) -> Result<(), StoreError> {
    let entry = entry(who, action, subject, detail, at);
    match who {
        Principal::Platform { scope, .. } => audit::append_platform(tx, scope, &entry).map(drop),
        Principal::User { scope, .. } | Principal::ApiKey { scope, .. } | Principal::Terminal { scope, .. } => {
            audit::append(tx, scope, &entry).map(drop)
        }
    }
}

/// What the platform did to a merchant, in the platform's log and in the merchant's.
pub(super) fn note_of_tenant(
    tx: &mut Tx<'_>,
    who: &Principal,
    scope: &TenantScope,
    action: &str,
    detail: &Value,
    at: Millis,
) -> Result<(), StoreError> {
    let subject = scope.tenant();
    note(tx, who, action, &subject, detail, at)?;
    audit::append(tx, scope, &entry(who, action, &subject, detail, at)).map(drop)
}

fn entry(who: &Principal, action: &str, subject: &impl Display, detail: &Value, at: Millis) -> NewEntry {
    NewEntry::new(&who.actor(), action, &subject, detail, at)
}

//! What of a terminal's journal waits for a person, and the close of a batch that its terminal cannot close any more.

use actix_web::web;
use saoma_protocol::{BatchId, Millis, Money, Sequence, TerminalId, api::Page, journal::Record};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{self, Batch},
    journal::{self, StoredEntry},
    terminals,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    audit::note,
    batches::{BatchDetail, detail},
    settlements::person,
};
use crate::{
    app::App,
    fleet::sync::{
        book::Source,
        shift::{Close, end},
    },
    http::{
        auth::{
            Caller,
            rights::{ManageFleet, ReadBooks},
        },
        idempotency::IdempotencyKey,
        once::{Wish, once},
        paging,
        problem::{BATCH_LIVE, CONFLICT, INVALID, Problem},
        router::other_method,
        text,
    },
};

/// Held entries that are read at once.
const PAGE: u32 = 200;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/terminals/{terminal}/held").route(web::get().to(list)))
        .service(resource("/batches/{batch}/close").route(web::post().to(close)));
}

/// An entry of a terminal's journal that is stored and booked nothing, or cash or an offline code that is booked and whose lines do not
/// come to it; or a card sale without a network, which has its payment and stands in `/v1/stored-cards/sales`.
#[derive(Serialize, ToSchema)]
pub struct HeldEntry {
    sequence: Sequence,
    /// The terminal's clock.
    at: Millis,
    received_at: Millis,
    /// What does not fit.
    why: String,
    /// The entry's own words: JSON as the terminal wrote it.
    payload: String,
}

impl From<StoredEntry> for HeldEntry {
    fn from(stored: StoredEntry) -> Self {
        let StoredEntry { entry, hash: _, received_at, verdict } = stored;
        let why = verdict.map(|verdict| verdict.why).unwrap_or_default();
        Self { sequence: entry.sequence, at: entry.at, received_at, why, payload: entry.payload }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HeldQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// What of a terminal's journal waits for a person, in its order. It moved nothing in the books, but for cash and offline codes whose
/// lines do not come to their amount, which are booked since they are paid, and for cards without a network, of which the acquirer is told.
#[utoipa::path(get, path = "/v1/terminals/{terminal}/held", operation_id = "list", tag = "held",
    params(("terminal" = TerminalId, Path), HeldQuery), responses((status = 200, body = Page<HeldEntry>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    terminal: web::Path<TerminalId>,
    asked: web::Query<HeldQuery>,
) -> Result<web::Json<Page<HeldEntry>>, Problem> {
    let (scope, terminal) = (caller.scope()?, terminal.into_inner());
    let limit = paging::limit(asked.limit)?;
    let after = Sequence(paging::after(asked.cursor.as_deref())?.unwrap_or(0));
    let found = app
        .store()
        .read(move |tx| {
            terminals::load(tx, &scope, terminal)?;
            journal::held(tx, &scope, terminal, after, limit + 1)
        })
        .await?;
    Ok(web::Json(paging::page(found, limit, |last: &StoredEntry| last.entry.sequence)))
}

/// What was counted in the drawer, and why the terminal does not close the batch itself.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseBatch {
    counted: Money,
    reason: String,
}

/// Closes a batch in its terminal's place, with what a person counted: only where the terminal was shut out, or its own close
/// is held. The drawer is booked as at any close. The same request again, with its key, changes nothing.
#[utoipa::path(post, path = "/v1/batches/{batch}/close", tag = "held", request_body = CloseBatch,
    params(("batch" = BatchId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = BatchDetail)))]
pub async fn close(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    batch: web::Path<BatchId>,
    key: IdempotencyKey,
    body: web::Json<CloseBatch>,
) -> Result<web::Json<BatchDetail>, Problem> {
    let (scope, who, by) = (caller.scope()?, caller.principal().clone(), person(&caller)?);
    let (id, now) = (batch.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/batches/{id}/close"), &caller, &key, &*body)?;
    let CloseBatch { counted, reason } = body.into_inner();
    let reason = text::name(&reason, "/reason")?;
    let close = move |tx: &mut Tx<'_>| {
        let batch = batches::load(tx, &scope, id)?;
        if batch.closed.is_some() {
            return Err(Problem::new(CONFLICT, "The batch is closed, by another request or by its terminal."));
        }
        if !is_stuck(tx, &scope, &batch)? {
            let detail = "The terminal can close this batch: it is not shut out, and no close of its own is held.";
            return Err(Problem::new(BATCH_LIVE, detail));
        }
        let sequence = journal::through(tx, &scope, batch.terminal)?.sequence;
        let source = Source { tenant: scope.tenant(), terminal: batch.terminal, now, quoted: true };
        let close = Close { counted, told: None, by: by.clone(), at: now, sequence };
        if let Err(why) = end(tx, &scope, source, &batch, close)? {
            return Err(Problem::new(INVALID, format!("The batch cannot be closed: {why}.")).at("/counted"));
        }
        Ok(note(tx, &who, "batch.closed", &id, &json!({ "counted": counted, "reason": reason }), now)?)
    };
    once(&app, scope, wish, close).await?;
    detail(&app, scope, id).await.map(web::Json)
}

/// Whether the terminal cannot close it any more.
fn is_stuck(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<bool, StoreError> {
    if terminals::load(tx, scope, batch.terminal)?.revoked_at.is_some() {
        return Ok(true);
    }
    let mut after = batch.opened_sequence;
    loop {
        let held = journal::held(tx, scope, batch.terminal, after, PAGE)?;
        let is_close = |stored: &StoredEntry| matches!(stored.entry.record(), Ok(Record::ShiftClosed { batch: number, .. }) if number == batch.number);
        if held.iter().any(is_close) {
            return Ok(true);
        }
        let Some(last) = held.last().filter(|_| held.len() as u64 == u64::from(PAGE)) else { return Ok(false) };
        after = last.entry.sequence;
    }
}

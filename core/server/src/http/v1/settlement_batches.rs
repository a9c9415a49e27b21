//! `/v1/settlement-batches`: batches of channel accounts whose scheme wants them settled, as card acquirers do (结算).

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_domain::settlement::{Difference, State, Tally, Total};
use saoma_protocol::{ChannelAccountId, Currency, Millis, SettlementBatchId, api::Page};
use saoma_store::{
    StoreError, channel_accounts,
    settlement_batches::{self, Cursor, Filter, Resolved, SettlementBatch},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::settlements::person;
use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ReadBooks, Reconcile},
        },
        idempotency::IdempotencyKey,
        once::{Wish, bytes, response},
        paging,
        problem::{CHANNEL_CANNOT, NOT_IN_STATE, PAYMENTS_UNDER_WAY, Problem},
        router::other_method,
        text,
    },
    settlement::{self, SettlementError},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/settlement-batches").route(web::get().to(list)).route(web::post().to(close)))
        .service(resource("/settlement-batches/open").route(web::get().to(open)))
        .service(resource("/settlement-batches/{settlement_batch}").route(web::get().to(show)))
        .service(resource("/settlement-batches/{settlement_batch}/resolve").route(web::post().to(resolve)));
}

/// A batch: what came into the books through a channel account since the one before it, whenever it was paid.
#[derive(Serialize, ToSchema)]
pub struct SettlementBatchView {
    id: SettlementBatchId,
    channel_account: ChannelAccountId,
    /// From 1, for each account.
    sequence: u64,
    /// `closing`: the totals are on their way; `uploading`: they differ, and rows are on their way; `settled`: both sides count the same;
    /// `differs`: it is over at the scheme, and a person has to see to it.
    state: &'static str,
    /// Sales, refunds and voids.
    rows: u32,
    /// Of those that were uploaded, once the totals differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u32>,
    totals: Vec<SettlementTotal>,
    /// The scheme's own totals, if it said them.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_totals: Option<Vec<SettlementTotal>>,
    /// What keeps it from its end, or what the scheme said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The id of a person or key, or `core`.
    closed_by: String,
    closed_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Millis>,
    /// Whether a person has to see to it.
    needs_attention: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<SettlementResolution>,
    version: u64,
}

/// What a batch comes to in one currency.
#[derive(Serialize, ToSchema)]
pub struct SettlementTotal {
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Sales, whatever became of them later.
    debits: SettlementTally,
    /// Refunds and voids.
    credits: SettlementTally,
}

#[derive(Serialize, ToSchema)]
pub struct SettlementTally {
    count: u32,
    minor: i64,
}

/// That a person has seen to it.
#[derive(Serialize, ToSchema)]
pub struct SettlementResolution {
    by: String,
    at: Millis,
    reason: String,
}

fn total(total: &Total) -> SettlementTotal {
    let tally = |Tally { count, minor }: Tally| SettlementTally { count, minor };
    SettlementTotal { currency: total.currency, debits: tally(total.debits), credits: tally(total.credits) }
}

impl From<SettlementBatch> for SettlementBatchView {
    fn from(batch: SettlementBatch) -> Self {
        let (sent, said) = match &batch.state {
            State::Uploading { sent } => (Some(*sent), None),
            State::Differs(Difference::Totals) => (Some(batch.rows), None),
            State::Differs(Difference::Elsewhere(words)) => (None, Some(words.clone())),
            State::Closing | State::Settled => (None, None),
        };
        let resolved = |Resolved { by, at, reason }: Resolved| SettlementResolution { by, at, reason };
        Self {
            id: batch.id,
            channel_account: batch.account,
            sequence: batch.sequence,
            state: batch.state.text(),
            rows: batch.rows,
            sent,
            totals: batch.totals.iter().map(total).collect(),
            channel_totals: batch.theirs.map(|theirs| theirs.iter().map(total).collect()),
            why: said.or(batch.words),
            closed_by: batch.closed_by,
            closed_at: batch.closed_at,
            ended_at: batch.ended_at,
            needs_attention: batch.attention_at.is_some(),
            resolved: batch.resolved.map(resolved),
            version: batch.version,
        }
    }
}

/// Accounts whose channel settles batches, with what is in none yet.
#[derive(Serialize, ToSchema)]
pub struct OpenSettlements {
    items: Vec<OpenSettlement>,
}

#[derive(Serialize, ToSchema)]
pub struct OpenSettlement {
    channel_account: ChannelAccountId,
    name: String,
    rows: u32,
    totals: Vec<SettlementTotal>,
    /// When the last batch was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Millis>,
    /// The batch on its way, after which the next one can be closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_its_way: Option<SettlementBatchId>,
}

/// What is open of each channel account that settles batches, accounts by priority, then by age.
#[utoipa::path(get, path = "/v1/settlement-batches/open", tag = "settlement batches",
    responses((status = 200, body = OpenSettlements)))]
pub async fn open(app: web::Data<App>, caller: Caller<ReadBooks>) -> Result<web::Json<OpenSettlements>, Problem> {
    let (scope, now, app_in) = (caller.scope()?, app.now(), app.clone());
    let items = app
        .store()
        .read(move |tx| {
            let mut items = Vec::new();
            for account in channel_accounts::list(tx, &scope)? {
                let Some(terms) = settlement::terms(&app_in, scope, &account) else { continue };
                let open = settlement::open_of(tx, &scope, account.id, terms, now)?;
                let last = settlement_batches::last(tx, &scope, account.id)?;
                items.push(OpenSettlement {
                    channel_account: account.id,
                    name: account.name,
                    rows: open.rows,
                    totals: open.totals.iter().map(total).collect(),
                    since: last.as_ref().map(|last| last.closed_at),
                    on_its_way: last.filter(|last| last.state.is_on_its_way()).map(|last| last.id),
                });
            }
            Ok::<_, StoreError>(items)
        })
        .await?;
    Ok(web::Json(OpenSettlements { items }))
}

/// Of which account.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseSettlementBatch {
    channel_account: ChannelAccountId,
}

/// Closes what is open of an account into a batch and sends its totals to the scheme, as core does by itself after each day. Goes on by
/// itself; ask for it again to see its end. While one of the account is on its way, that is the answer. Until its totals have an
/// answer, for two minutes from the close at most, new payments and refunds of the account are refused with `batch_closing`.
#[utoipa::path(post, path = "/v1/settlement-batches", tag = "settlement batches", request_body = CloseSettlementBatch,
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = SettlementBatchView)))]
pub async fn close(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    key: IdempotencyKey,
    body: web::Json<CloseSettlementBatch>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/settlement-batches", &caller, &key, &*body)?;
    let (scope, CloseSettlementBatch { channel_account }) = (caller.scope()?, body.into_inner());
    if let Some(answer) = wish.answer_already(&app, scope).await? {
        return Ok(response(StatusCode::ACCEPTED, answer));
    }
    let batch = settlement::close(&app, scope, channel_account, &caller.actor(), false, None).await?;
    let answer = bytes(&SettlementBatchView::from(batch))?;
    wish.keep_afterwards(&app, scope, Some(answer.clone())).await?;
    Ok(response(StatusCode::ACCEPTED, answer))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SettlementBatchQuery {
    channel_account: Option<ChannelAccountId>,
    /// `true`: those alone that a person has to see to.
    #[serde(default)]
    needs_attention: bool,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// Batches, the last one closed first.
#[utoipa::path(get, path = "/v1/settlement-batches", tag = "settlement batches", params(SettlementBatchQuery),
    responses((status = 200, body = Page<SettlementBatchView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<SettlementBatchQuery>,
) -> Result<web::Json<Page<SettlementBatchView>>, Problem> {
    let (scope, query) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<Cursor>(query.cursor.as_deref())?);
    let filter = Filter { account: query.channel_account, waiting: query.needs_attention };
    let found = app.store().read(move |tx| settlement_batches::list(tx, &scope, filter, after, limit + 1)).await?;
    Ok(web::Json(paging::page(found, limit, |last| Cursor { at: last.closed_at, id: last.id })))
}

/// One batch.
#[utoipa::path(get, path = "/v1/settlement-batches/{settlement_batch}", tag = "settlement batches",
    params(("settlement_batch" = SettlementBatchId, Path)), responses((status = 200, body = SettlementBatchView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    batch: web::Path<SettlementBatchId>,
) -> Result<web::Json<SettlementBatchView>, Problem> {
    let (scope, id) = (caller.scope()?, batch.into_inner());
    let stored = app.store().read(move |tx| settlement_batches::load(tx, &scope, id)).await?;
    Ok(web::Json(stored.into()))
}

/// What was done about it.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveSettlementBatch {
    reason: String,
    /// Of the batch as it was seen: if it has changed since, nothing is done.
    version: u64,
}

/// A person has seen to a batch that differs. Or gives one up that has no end although a person is called for it: core sends nothing more
/// of it, and the account's next one can be closed. No money is booked by either. For people alone.
#[utoipa::path(post, path = "/v1/settlement-batches/{settlement_batch}/resolve", tag = "settlement batches",
    request_body = ResolveSettlementBatch,
    params(("settlement_batch" = SettlementBatchId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = SettlementBatchView)))]
pub async fn resolve(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    batch: web::Path<SettlementBatchId>,
    key: IdempotencyKey,
    body: web::Json<ResolveSettlementBatch>,
) -> Result<HttpResponse, Problem> {
    let (scope, id, actor) = (caller.scope()?, batch.into_inner(), person(&caller)?);
    let wish = Wish::of(&app, &format!("POST /v1/settlement-batches/{id}/resolve"), &caller, &key, &*body)?;
    let ResolveSettlementBatch { reason, version } = body.into_inner();
    let reason = text::name(&reason, "/reason")?;
    if let Some(answer) = wish.answer_already(&app, scope).await? {
        return Ok(response(StatusCode::OK, answer));
    }
    let batch = settlement::resolve(&app, scope, id, version, reason, &actor).await?;
    let answer = bytes(&SettlementBatchView::from(batch))?;
    wish.keep_afterwards(&app, scope, Some(answer.clone())).await?;
    Ok(response(StatusCode::OK, answer))
}

impl From<SettlementError> for Problem {
    fn from(error: SettlementError) -> Self {
        match error {
            SettlementError::Store(error) => error.into(),
            SettlementError::NoChance(error) => error.into(),
            SettlementError::Channel(error) => error.into(),
            SettlementError::NoSettlement(plugin) => {
                Self::new(CHANNEL_CANNOT, format!("The channel {plugin} settles no batches, or is not installed."))
            }
            SettlementError::Nothing => {
                Self::new(NOT_IN_STATE, "Nothing was paid or given back through this account since the last batch.")
            }
            SettlementError::UnderWay(count) => Self::new(
                PAYMENTS_UNDER_WAY,
                format!(
                    "{count} payments or refunds of this account are under way. Try again when they have their end."
                ),
            ),
            SettlementError::NotWaiting(state) => {
                Self::new(NOT_IN_STATE, format!("It is {state}, and no person is called for it."))
            }
        }
    }
}

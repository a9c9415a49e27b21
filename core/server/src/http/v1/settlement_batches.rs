//! `/v1/settlement-batches`: batches of channel accounts whose scheme wants them settled, as card acquirers do (结算).

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_domain::settlement::HOLD_MS;
use saoma_protocol::{ChannelAccountId, Millis, SettlementBatchId, api::Page};
use saoma_store::{
    StoreError, TenantScope, Tx, channel_accounts,
    settlement_batches::{self, Cursor, Filter},
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
        once::{Undone, Wish, answered, bytes, carry_out, response},
        paging,
        problem::{CHANNEL_CANNOT, NOT_IN_STATE, PAYMENTS_UNDER_WAY, Problem, SETTLEMENT_BUSY},
        router::other_method,
        text,
    },
    settlement::{self, SettlementBatchView, SettlementCloseView, SettlementError, SettlementTotal, Turned},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/settlement-batches").route(web::get().to(list)).route(web::post().to(close)))
        .service(resource("/settlement-batches/open").route(web::get().to(open)))
        .service(resource("/settlement-batches/open/cancel").route(web::post().to(cancel_close)))
        .service(resource("/settlement-batches/{settlement_batch}").route(web::get().to(show)))
        .service(resource("/settlement-batches/{settlement_batch}/resolve").route(web::post().to(resolve)))
        .service(resource("/settlement-batches/{settlement_batch}/cancel").route(web::post().to(cancel)));
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
    /// A close that payments under way hold up.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<WaitingClose>,
}

/// A close that payments and refunds under way hold up.
#[derive(Serialize, ToSchema)]
pub struct WaitingClose {
    since: Millis,
    /// Payments and refunds that have no end yet.
    under_way: u64,
    /// Until when new ones are held back, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<Millis>,
    /// Whether it has lasted so long that a person has to see to it: to what is under way, or to the acquirer.
    needs_attention: bool,
}

fn waits(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<Option<WaitingClose>, StoreError> {
    let settling = settlement_batches::settling(tx, scope, account)?;
    let Some((drain, attention_at)) = settling.and_then(|settling| Some((settling.drain?, settling.attention_at)))
    else {
        return Ok(None);
    };
    if !drain.is_wanted_at(now) {
        return Ok(None);
    }
    Ok(Some(WaitingClose {
        since: drain.wanted_at,
        under_way: settlement_batches::under_way(tx, scope, account, now)?.sent,
        held_until: drain.holds_at(now).then(|| drain.held_at.plus(HOLD_MS)),
        needs_attention: attention_at.is_some(),
    }))
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
                    totals: open.totals.iter().map(Into::into).collect(),
                    since: last.as_ref().map(|last| last.closed_at),
                    on_its_way: last.filter(|last| last.state.is_on_its_way()).map(|last| last.id),
                    waits: waits(tx, &scope, account.id, now)?,
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
/// answer, for two minutes from the close at most, new payments and refunds of the account are refused with `batch_closing`; and again while
/// the totals are asked about once more, as long as nothing was paid or given back since. While some
/// are under way nothing is closed (`payments_under_way`): new ones are held back in the same manner, for two minutes at most, and core closes
/// it as soon as those have their end. While too many others are being settled, nothing is closed or held back (`settlement_busy`).
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
    let close = settlement::prepare(&app, scope, channel_account, &caller.actor(), None).await?;
    // A hold for it stays although nothing was closed: the key is kept with a batch alone.
    let whole = move |tx: &mut Tx<'_>| {
        if let Some(answer) = wish.answer(tx, &scope)? {
            return Ok::<_, Undone>((answer, None));
        }
        let turned = close.carry_out(tx, &scope)?;
        let Turned::Closed(batch) = &turned else { return Ok((Vec::new(), Some(turned))) };
        let answer = bytes(&SettlementBatchView::from((**batch).clone()))?;
        wish.keep_answer(tx, &scope, &answer)?;
        Ok((answer, Some(turned)))
    };
    let (answer, turned) = carry_out(&app, whole).await?;
    if let Some(turned) = turned {
        settlement::report(&app, scope, turned)?;
    }
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
    let now = app.now();
    let whole = move |tx: &mut Tx<'_>| {
        let batch = settlement::resolve_in(tx, &scope, id, version, &reason, &actor, now)?;
        Ok(SettlementBatchView::from(batch))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, whole).await?;
    app.news_of(scope.tenant());
    Ok(answer)
}

/// Why it is taken back.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelSettlementBatch {
    reason: String,
    /// Of the batch as it was seen: if it has changed since, nothing is done.
    version: u64,
}

/// Takes a batch back of which nothing was sent (`cancellable`): what was in it is open again, payments that wait for it go on, and core
/// closes nothing of the account by itself before the merchant's next day. For people alone. What the scheme may have is not taken back.
#[utoipa::path(post, path = "/v1/settlement-batches/{settlement_batch}/cancel", tag = "settlement batches",
    request_body = CancelSettlementBatch,
    params(("settlement_batch" = SettlementBatchId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = SettlementBatchView)))]
pub async fn cancel(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    batch: web::Path<SettlementBatchId>,
    key: IdempotencyKey,
    body: web::Json<CancelSettlementBatch>,
) -> Result<HttpResponse, Problem> {
    let (scope, id, actor) = (caller.scope()?, batch.into_inner(), person(&caller)?);
    let wish = Wish::of(&app, &format!("POST /v1/settlement-batches/{id}/cancel"), &caller, &key, &*body)?;
    let CancelSettlementBatch { reason, version } = body.into_inner();
    let reason = text::name(&reason, "/reason")?;
    let now = app.now();
    let whole = move |tx: &mut Tx<'_>| {
        let batch = settlement::cancel_in(tx, &scope, id, version, &reason, &actor, now)?;
        Ok(SettlementBatchView::from(batch))
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, whole).await?;
    app.news_of(scope.tenant());
    Ok(answer)
}

/// Which close that waits, and why it is taken back.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelClose {
    channel_account: ChannelAccountId,
    /// `waits.since` as it was seen: if another close waits by now, nothing is done.
    since: Millis,
    reason: String,
}

/// Takes a close back that payments under way hold up (`waits`): nothing was closed or sent, payments that wait for it go on, and core closes
/// nothing of the account by itself before the merchant's next day. For people alone.
#[utoipa::path(post, path = "/v1/settlement-batches/open/cancel", tag = "settlement batches", request_body = CancelClose,
    params(("Idempotency-Key" = String, Header)), responses((status = 200, body = SettlementCloseView)))]
pub async fn cancel_close(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    key: IdempotencyKey,
    body: web::Json<CancelClose>,
) -> Result<HttpResponse, Problem> {
    let (scope, actor) = (caller.scope()?, person(&caller)?);
    let wish = Wish::of(&app, "POST /v1/settlement-batches/open/cancel", &caller, &key, &*body)?;
    let CancelClose { channel_account, since, reason } = body.into_inner();
    let reason = text::name(&reason, "/reason")?;
    let now = app.now();
    let whole = move |tx: &mut Tx<'_>| {
        channel_accounts::load(tx, &scope, channel_account)?;
        Ok(settlement::cancel_close_in(tx, &scope, channel_account, since, &reason, &actor, now)?)
    };
    let answer = answered(&app, scope, wish, StatusCode::OK, whole).await?;
    app.news_of(scope.tenant());
    Ok(answer)
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
            SettlementError::NoRoom => Self::new(
                SETTLEMENT_BUSY,
                "Too many batches are being settled just now. Nothing was closed and nothing is held back. Try again in a minute.",
            ),
            SettlementError::UnderWay { count, held_until } => {
                let then = match held_until {
                    Some(_) => {
                        "New ones are held back for two minutes meanwhile, and the batch is closed by itself as soon as those have their end."
                    }
                    None => "They did not end in the two minutes in which new ones were held back. Try again later.",
                };
                let said = format!("{count} payments or refunds of this account are under way. {then}");
                Self::new(PAYMENTS_UNDER_WAY, said)
            }
            SettlementError::NotWaiting(state) => {
                Self::new(NOT_IN_STATE, format!("It is {state}, and no person is called for it."))
            }
            SettlementError::MayBeSent(state) => {
                let why = "its totals were sent, or are being sent just now. Look at it again in two minutes; what may have been sent is not taken back.";
                Self::new(NOT_IN_STATE, format!("It is {state}, and {why}"))
            }
            SettlementError::NoneWaits => {
                Self::new(NOT_IN_STATE, "No close of this account waits; it was made meanwhile, or given up.")
            }
        }
    }
}

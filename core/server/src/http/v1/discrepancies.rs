//! `/v1/discrepancies`: what did not agree between books and bills, and what persons do about it.

use actix_web::web;
use saoma_domain::recon::{Class, Side, Standing};
use saoma_protocol::{ChannelAccountId, DiscrepancyId, Millis, Money, ReconciliationId, UserId, api::Page};
use saoma_store::discrepancies::{self, Cursor, Discrepancy, Filter};
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
        idempotency::{IdempotencyKey, fingerprint},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
    reconcile::resolve::{Deed, Keyed, act},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(format!("/discrepancies{path}")).default_service(web::to(other_method));
    config
        .service(resource("").route(web::get().to(list)))
        .service(resource("/{discrepancy}").route(web::get().to(show)))
        .service(resource("/{discrepancy}/assign").route(web::post().to(assign)))
        .service(resource("/{discrepancy}/resolve").route(web::post().to(resolve)))
        .service(resource("/{discrepancy}/write-off").route(web::post().to(propose_write_off)))
        .service(resource("/{discrepancy}/write-off/approve").route(web::post().to(approve_write_off)))
        .service(resource("/{discrepancy}/write-off/decline").route(web::post().to(decline_write_off)));
}

/// One side's word on a movement.
#[derive(Serialize, ToSchema)]
pub struct SideView {
    /// Positive for a payment and for what went back alike.
    money: Money,
    /// What the channel keeps; negative where it gives a fee back.
    fee: Money,
    at: Millis,
}

/// What resolving it would book.
#[derive(Serialize, ToSchema)]
pub struct CorrectionView {
    /// Positive: the channel has more of the merchant's money than the books say.
    amount: Money,
    /// Positive: the channel keeps more than the books say.
    fee: Money,
}

/// Something that did not agree.
#[derive(Serialize, ToSchema)]
pub struct DiscrepancyView {
    id: DiscrepancyId,
    channel_account: ChannelAccountId,
    /// As the scheme counts days.
    day: String,
    /// The last comparison that found it.
    reconciliation: ReconciliationId,
    /// `currency`, `amount`, `fee`, `missing_here`, `missing_there`, `status`, `duplicate`, `unreadable`, `corrected` (the sides
    /// agree, and what was booked to correct them is to be taken back), `payout` or `no_bill` (the channel gives none of a day on which the books have something).
    class: &'static str,
    /// `payment`, `refund`, `reversal`, `chargeback` (the channel took back what a customer disputes) or `chargeback_reversal` (it
    /// gave that back); absent for a line that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<&'static str>,
    /// By which both sides call it: our number of the refund, the channel's of a disputed case, our number of the payment, or one
    /// that is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// Of the bill.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours: Option<SideView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theirs: Option<SideView>,
    /// In which state the payment, refund or dispute is here, which dispute the line is about, what stands in the line, or which payout it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
    /// Which of `currency`, `amount`, `fee`, `status`, `date` differ.
    fields: Vec<&'static str>,
    /// A proposal: `nothing_to_do`, `wait_for_next_bill`, `follow_bill`, `claim_from_channel`, `settle_payment`,
    /// `fetch_again`, `open_dispute` (from the line), `name_dispute` (as the line does) or `win_dispute`; resolving it does these
    /// three.
    fix: &'static str,
    /// What no decision has booked yet; once it is decided, what it booked. Absent where a posting settles nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    correction: Option<CorrectionView>,
    /// `open`, `assigned`, `write_off_proposed`, `resolved`, `written_off` or `closed`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<UserId>,
    /// Of the last decision about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    found_at: Millis,
    updated_at: Millis,
    /// Grows with each change; whoever decides names the one that they saw.
    version: u64,
}

impl From<Discrepancy> for DiscrepancyView {
    fn from(stored: Discrepancy) -> Self {
        let side = |side: Side| SideView { money: side.money, fee: side.fee, at: side.at };
        let correction = stored.correction;
        let finding = stored.finding;
        Self {
            id: stored.id,
            channel_account: stored.account,
            day: stored.day,
            reconciliation: stored.reconciliation,
            class: finding.class.text(),
            movement: finding.key.as_ref().map(|key| key.movement.text()),
            number: finding.key.map(|key| key.number),
            line: finding.line,
            ours: finding.ours.map(side),
            theirs: finding.theirs.map(side),
            words: finding.words,
            fields: finding.fields.iter().map(|field| field.text()).collect(),
            fix: finding.fix.text(),
            correction: correction.map(|correction| CorrectionView { amount: correction.amount, fee: correction.fee }),
            state: stored.standing.text(),
            assigned_to: stored.assigned_to,
            reason: stored.reason,
            proposed_by: stored.proposed_by,
            decided_by: stored.decided_by,
            found_at: stored.found_at,
            updated_at: stored.updated_at,
            version: stored.version,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    channel_account: Option<ChannelAccountId>,
    /// As the scheme counts days, `2026-01-31`.
    day: Option<String>,
    /// For example `amount`.
    class: Option<String>,
    /// For example `open`.
    state: Option<String>,
    /// `true`: only those that wait for somebody.
    waiting: Option<bool>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// What did not agree, the newest first.
#[utoipa::path(get, path = "/v1/discrepancies", tag = "discrepancies", params(ListQuery),
    responses((status = 200, body = Page<DiscrepancyView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<DiscrepancyView>>, Problem> {
    let scope = caller.scope()?;
    let ListQuery { channel_account, day, class, state, waiting, cursor, limit } = query.into_inner();
    let (limit, after) = (paging::limit(limit)?, paging::after(cursor.as_deref())?);
    let class = class.map(|text| Class::from_text(&text).ok_or_else(|| one_of("class", Class::ALL, Class::text)));
    let standing =
        state.map(|text| Standing::from_text(&text).ok_or_else(|| one_of("state", &Standing::ALL, Standing::text)));
    let filter = Filter {
        account: channel_account,
        day,
        class: class.transpose()?,
        standing: standing.transpose()?,
        waiting: waiting.unwrap_or(false),
    };
    let stored = app.store().read(move |tx| discrepancies::list(tx, &scope, &filter, after, limit + 1)).await?;
    Ok(web::Json(paging::page(stored, limit, |last| Cursor { at: last.found_at, id: last.id })))
}

fn one_of<T: Copy>(what: &str, all: &[T], text: fn(T) -> &'static str) -> Problem {
    let names: Vec<&str> = all.iter().map(|one| text(*one)).collect();
    Problem::new(INVALID, format!("{what} must be one of: {}.", names.join(", ")))
}

/// One discrepancy.
#[utoipa::path(get, path = "/v1/discrepancies/{discrepancy}", tag = "discrepancies",
    params(("discrepancy" = DiscrepancyId, Path)), responses((status = 200, body = DiscrepancyView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    discrepancy: web::Path<DiscrepancyId>,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let (scope, id) = (caller.scope()?, discrepancy.into_inner());
    let stored = app.store().read(move |tx| discrepancies::load(tx, &scope, id)).await?;
    Ok(web::Json(stored.into()))
}

/// Who looks after it.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignDiscrepancy {
    to: UserId,
}

/// Why, and about what.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideDiscrepancy {
    reason: String,
    /// Of the discrepancy as it was seen: if it has changed since, nothing is decided.
    version: u64,
}

/// About what.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveWriteOff {
    /// Of the discrepancy as it was seen: if it has changed since, nothing is decided.
    version: u64,
}

/// Gives it to a person of the merchant's.
#[utoipa::path(post, path = "/v1/discrepancies/{discrepancy}/assign", tag = "discrepancies",
    request_body = AssignDiscrepancy,
    params(("discrepancy" = DiscrepancyId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DiscrepancyView)))]
pub async fn assign(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    discrepancy: web::Path<DiscrepancyId>,
    key: IdempotencyKey,
    body: web::Json<AssignDiscrepancy>,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let deed = Deed::Assign { to: body.to };
    carry_out(&app, &caller, discrepancy.into_inner(), "assign", deed, &key, &*body).await
}

/// Books it away: the books follow the bill, and the merchant has or bears the difference. What the channel took or gave back for a
/// dispute is followed by that dispute, which is opened, named or closed as won. The same request again, with its
/// key, is answered with the discrepancy as it then stands; so it is with the other decisions.
#[utoipa::path(post, path = "/v1/discrepancies/{discrepancy}/resolve", tag = "discrepancies",
    request_body = DecideDiscrepancy,
    params(("discrepancy" = DiscrepancyId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DiscrepancyView)))]
pub async fn resolve(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    discrepancy: web::Path<DiscrepancyId>,
    key: IdempotencyKey,
    body: web::Json<DecideDiscrepancy>,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let deed = Deed::Resolve { reason: text::name(&body.reason, "/reason")?, version: body.version };
    carry_out(&app, &caller, discrepancy.into_inner(), "resolve", deed, &key, &*body).await
}

/// Proposes to write it off. Nothing is booked before a second person approves.
#[utoipa::path(post, path = "/v1/discrepancies/{discrepancy}/write-off", tag = "discrepancies",
    request_body = DecideDiscrepancy,
    params(("discrepancy" = DiscrepancyId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DiscrepancyView)))]
pub async fn propose_write_off(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    discrepancy: web::Path<DiscrepancyId>,
    key: IdempotencyKey,
    body: web::Json<DecideDiscrepancy>,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let deed = Deed::ProposeWriteOff { reason: text::name(&body.reason, "/reason")?, version: body.version };
    carry_out(&app, &caller, discrepancy.into_inner(), "write-off", deed, &key, &*body).await
}

/// Writes it off, as a second person: what the channel pays less is a loss, what it pays more a gain.
#[utoipa::path(post, path = "/v1/discrepancies/{discrepancy}/write-off/approve", tag = "discrepancies",
    request_body = ApproveWriteOff,
    params(("discrepancy" = DiscrepancyId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DiscrepancyView)))]
pub async fn approve_write_off(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    discrepancy: web::Path<DiscrepancyId>,
    key: IdempotencyKey,
    body: web::Json<ApproveWriteOff>,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let deed = Deed::ApproveWriteOff { version: body.version };
    carry_out(&app, &caller, discrepancy.into_inner(), "write-off/approve", deed, &key, &*body).await
}

/// Does not write it off: it is open again.
#[utoipa::path(post, path = "/v1/discrepancies/{discrepancy}/write-off/decline", tag = "discrepancies",
    params(("discrepancy" = DiscrepancyId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = DiscrepancyView)))]
pub async fn decline_write_off(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    discrepancy: web::Path<DiscrepancyId>,
    key: IdempotencyKey,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    carry_out(&app, &caller, discrepancy.into_inner(), "write-off/decline", Deed::DeclineWriteOff, &key, &()).await
}

/// Books are moved by people alone.
async fn carry_out(
    app: &App,
    caller: &Caller<Reconcile>,
    id: DiscrepancyId,
    what: &str,
    deed: Deed,
    key: &IdempotencyKey,
    body: &impl Serialize,
) -> Result<web::Json<DiscrepancyView>, Problem> {
    let (scope, actor) = (caller.scope()?, person(caller)?);
    let asked = format!("POST /v1/discrepancies/{id}/{what}");
    let keyed = Keyed { key: key.to_string(), fingerprint: fingerprint(app, &asked, caller.principal(), body)? };
    Ok(web::Json(act(app, scope, id, deed, &actor, keyed).await?.into()))
}

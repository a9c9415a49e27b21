//! `/v1/reconciliations`: comparisons of a channel account's books with the channel's bill of a day.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{ChannelAccountId, Currency, Millis, ReconciliationId, api::Page};
use saoma_store::reconciliations::{self, Cursor, Reconciliation};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
        problem::{
            ANOTHER_DAY_RUNS, CHANNEL_CANNOT, CURRENCY_MISMATCH, DAY_NOT_COMPARED, DAYS_PAID_OUT, INVALID, KEY_REUSED,
            NOT_IN_STATE, NOTHING_TO_POST, Problem, SECOND_PERSON_NEEDED, UNAVAILABLE,
        },
        router::other_method,
    },
    reconcile::{self, ReconcileError},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/reconciliations")
                .route(web::get().to(list))
                .route(web::post().to(start))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/reconciliations/{reconciliation}")
                .route(web::get().to(show))
                .default_service(web::to(other_method)),
        );
}

/// What is to be compared.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartReconciliation {
    channel_account: ChannelAccountId,
    /// As the scheme counts days, `2026-01-31`.
    day: String,
}

/// A comparison. What did not agree is under `/v1/discrepancies`.
#[derive(Serialize, ToSchema)]
pub struct ReconciliationView {
    id: ReconciliationId,
    channel_account: ChannelAccountId,
    /// As the scheme counts days.
    day: String,
    /// `running`, `done` or `failed`.
    state: &'static str,
    /// Once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultView>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The id of a person or key, or `core`.
    started_by: String,
    started_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Millis>,
}

/// Counts and sums, all as if no difference had been booked away. Every movement of the books and every line of the bill is in
/// exactly one of `agreed` (two of them), `netted` and `found`; a difference of two that meet is one of `found`.
#[derive(Serialize, ToSchema)]
pub struct ResultView {
    /// Of the bill: a bill that the scheme changed has a higher one.
    revision: u32,
    /// Movements of the books, and lines of the bill.
    ours: u64,
    theirs: u64,
    /// Pairs that agree.
    agreed: u64,
    /// Movements taken and undone on the day, and in no bill.
    netted: u64,
    /// By class: `amount`, `missing_here`, …; also `cut_off` and `other_account`, which nobody need do anything about, and
    /// `corrected`: corrections to be taken back.
    found: BTreeMap<String, u64>,
    /// So much was found that not all of it is kept one by one.
    overflowed: bool,
    sums: Vec<SumsView>,
}

/// Payments less what went back, and fees less what came back of them, in minor units.
#[derive(Serialize, ToSchema)]
pub struct SumsView {
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    ours_minor: i64,
    ours_fee_minor: i64,
    theirs_minor: i64,
    theirs_fee_minor: i64,
}

impl From<Reconciliation> for ReconciliationView {
    fn from(stored: Reconciliation) -> Self {
        let result = stored.result.map(|counted| ResultView {
            revision: counted.revision,
            ours: counted.ours,
            theirs: counted.theirs,
            agreed: counted.agreed,
            netted: counted.netted,
            found: counted.found,
            overflowed: counted.overflowed,
            sums: counted
                .sums
                .into_iter()
                .map(|(currency, sums)| SumsView {
                    currency,
                    ours_minor: sums.ours_minor,
                    ours_fee_minor: sums.ours_fee_minor,
                    theirs_minor: sums.theirs_minor,
                    theirs_fee_minor: sums.theirs_fee_minor,
                })
                .collect(),
        });
        Self {
            id: stored.id,
            channel_account: stored.account,
            day: stored.day,
            state: stored.state.text(),
            result,
            why: stored.words,
            started_by: stored.started_by,
            started_at: stored.started_at,
            ended_at: stored.ended_at,
        }
    }
}

/// Fetches the channel's bill of a day and compares it with the books. Goes on by itself; ask for it again to see its end.
/// While one of the account and day is running, that is the answer; days of an account take turns.
#[utoipa::path(post, path = "/v1/reconciliations", tag = "reconciliations", request_body = StartReconciliation,
    params(("Idempotency-Key" = String, Header)), responses((status = 202, body = ReconciliationView)))]
pub async fn start(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    key: IdempotencyKey,
    body: web::Json<StartReconciliation>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/reconciliations", &caller, &key, &*body)?;
    let (scope, StartReconciliation { channel_account, day }) = (caller.scope()?, body.into_inner());
    if let Some(answer) = wish.answer_already(&app, scope).await? {
        return Ok(response(StatusCode::ACCEPTED, answer));
    }
    let started = reconcile::start(&app, scope, channel_account, &day, &caller.actor()).await?;
    let answer = bytes(&ReconciliationView::from(started))?;
    wish.keep_afterwards(&app, scope, Some(answer.clone())).await?;
    Ok(response(StatusCode::ACCEPTED, answer))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    channel_account: Option<ChannelAccountId>,
    /// As the scheme counts days, `2026-01-31`.
    day: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// Comparisons, the last one first.
#[utoipa::path(get, path = "/v1/reconciliations", tag = "reconciliations", params(ListQuery),
    responses((status = 200, body = Page<ReconciliationView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<ReconciliationView>>, Problem> {
    let (scope, ListQuery { channel_account, day, cursor, limit }) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(limit)?, paging::after(cursor.as_deref())?);
    let stored = app
        .store()
        .read(move |tx| reconciliations::list(tx, &scope, channel_account, day.as_deref(), after, limit + 1))
        .await?;
    Ok(web::Json(paging::page(stored, limit, |last| Cursor { at: last.started_at, id: last.id })))
}

/// One comparison.
#[utoipa::path(get, path = "/v1/reconciliations/{reconciliation}", tag = "reconciliations",
    params(("reconciliation" = ReconciliationId, Path)), responses((status = 200, body = ReconciliationView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    reconciliation: web::Path<ReconciliationId>,
) -> Result<web::Json<ReconciliationView>, Problem> {
    let (scope, id) = (caller.scope()?, reconciliation.into_inner());
    let stored = app.store().read(move |tx| reconciliations::load(tx, &scope, id)).await?;
    Ok(web::Json(stored.into()))
}

impl From<ReconcileError> for Problem {
    fn from(error: ReconcileError) -> Self {
        use saoma_domain::recon::StepRefusal;
        match error {
            ReconcileError::Store(error) => error.into(),
            ReconcileError::NoChance(error) => error.into(),
            ReconcileError::Channel(error) => error.into(),
            ReconcileError::Day(error) => error.into(),
            ReconcileError::DayOpen(day) => {
                Self::new(INVALID, format!("The day {day} is not over where the scheme counts it.")).at("/day")
            }
            ReconcileError::DayNotCompared(day) => Self::new(
                DAY_NOT_COMPARED,
                format!("Compare the day {day} with its bill first: POST /v1/reconciliations."),
            ),
            ReconcileError::Busy(day) => Self::new(
                ANOTHER_DAY_RUNS,
                format!(
                    "The day {day} of this account is being compared, and days take turns. Try again when it is done."
                ),
            ),
            ReconcileError::TooMany => {
                Self::new(UNAVAILABLE, "As many days are being compared as may be at a time. Try again in a minute.")
            }
            ReconcileError::OtherCurrency(currency) => {
                Self::new(CURRENCY_MISMATCH, format!("The bills of these days have nothing in {currency}."))
                    .at("/amount/currency")
            }
            ReconcileError::DaysPaidOut(reference) => {
                let detail = format!(
                    "The payout {reference} is for some of these days. If this one brought more of the same, say so: \
                     \"further\": true."
                );
                Self::new(DAYS_PAID_OUT, detail).at("/further")
            }
            ReconcileError::Reversed => Self::new(NOT_IN_STATE, "It was reversed before."),
            ReconcileError::BookedElsewhere => Self::new(
                NOT_IN_STATE,
                "Another account's bill has the same line, and it is in the books by that. Compare the day again.",
            ),
            ReconcileError::KeyReused => Self::new(KEY_REUSED, "Another request had this Idempotency-Key."),
            ReconcileError::Amount(_) => {
                Self::new(INVALID, "The amounts are too large to be put together.").at("/amount/minor")
            }
            ReconcileError::NoBills(name) => Self::new(CHANNEL_CANNOT, format!("{name} has no bills.")),
            ReconcileError::Refused(refusal) => match refusal {
                StepRefusal::Standing { standing, verb } => {
                    Self::new(NOT_IN_STATE, format!("It is {} and cannot be {verb}.", standing.text()))
                }
                StepRefusal::SamePerson => {
                    Self::new(SECOND_PERSON_NEEDED, "Whoever proposed the write-off cannot approve it.")
                }
                StepRefusal::NothingToPost { class } => {
                    let detail = format!(
                        "A difference of the class {} has nothing to post: it ends with the payment or with a later bill.",
                        class.text()
                    );
                    Self::new(NOTHING_TO_POST, detail)
                }
            },
            // Within a run, which writes them down itself.
            ReconcileError::Stopped
            | ReconcileError::Fetch(_)
            | ReconcileError::Bill(_)
            | ReconcileError::EmptyBill
            | ReconcileError::Sort(_)
            | ReconcileError::Walk(_) => Self::internal(&error),
        }
    }
}

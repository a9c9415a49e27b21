//! `/v1/batches`: cashiers' shifts, what should have been in the drawer and what was, and where the terminal's journal and
//! core do not agree; and the same comparison for any day of a terminal.

use actix_web::{HttpResponse, web};
use saoma_protocol::{Amount, BatchId, Currency, Millis, Money, Sequence, StoreId, TerminalId, api::Page};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{
        self, Batch, Cursor, DrawerMovement, Filter, OpenDay, Place, Span, Stated, StoredDifference, Tally, Total,
    },
    ledger, terminals,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    audit::note,
    ledger::{
        export::{Format, whole},
        settlement::{SettlementItem, item, items, rows},
        zone_of,
    },
};
use crate::{
    app::App,
    batches::{OPEN_DAYS_MAX, leg},
    http::{
        auth::{
            Caller,
            rights::{ManageFleet, ReadBooks},
        },
        idempotency::IdempotencyKey,
        once::{Wish, once},
        paging,
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
    period::{Period, PeriodError, local_day},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/batches").route(web::get().to(list)))
        .service(resource("/batches/{batch}").route(web::get().to(show)))
        .service(resource("/batches/{batch}/uncounted/accept").route(web::post().to(accept_uncounted)))
        .service(resource("/batches/{batch}/settlement").route(web::get().to(settlement)))
        .service(resource("/batches/{batch}/settlement/export").route(web::get().to(export)))
        .service(resource("/terminals/{terminal}/leg").route(web::get().to(day)))
        .service(resource("/legs").route(web::get().to(days)));
}

/// What a terminal keyed from signing on to the close.
#[derive(Serialize, ToSchema)]
pub struct BatchView {
    id: BatchId,
    store: StoreId,
    terminal: TerminalId,
    /// From 1, growing on each terminal; printed on the terminal's report.
    number: Sequence,
    cashier: String,
    /// As the merchant numbers its people; may be empty.
    cashier_number: String,
    /// Counted into the drawer at the start.
    float: Money,
    /// By the terminal's clock, as far as it is believed.
    opened_at: Millis,
    /// Absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<CloseView>,
    /// Differences between the journal and core that are not over.
    differences: u64,
}

/// How a batch ended.
#[derive(Serialize, ToSchema)]
pub struct CloseView {
    at: Millis,
    by: String,
    /// Float, cash sales and cash paid in, less cash given back and paid out: what the books had in the drawer.
    expected: Money,
    counted: Money,
    /// What was counted more than that, or less if it is negative; booked as over or short.
    difference: Money,
}

fn view(batch: Batch, differences: u64) -> BatchView {
    let money = |minor| Money::new(minor, batch.float.currency());
    let close = |closed: batches::Closed| CloseView {
        at: closed.at,
        by: closed.by,
        expected: money(closed.expected_minor),
        counted: money(closed.counted_minor),
        difference: money(closed.counted_minor.saturating_sub(closed.expected_minor)),
    };
    BatchView {
        id: batch.id,
        store: batch.store,
        terminal: batch.terminal,
        number: batch.number,
        cashier: batch.cashier,
        cashier_number: batch.cashier_number,
        float: batch.float,
        opened_at: batch.opened_at,
        closed: batch.closed.map(close),
        differences,
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BatchQuery {
    store: Option<StoreId>,
    terminal: Option<TerminalId>,
    /// Those that were opened on this day, as `2026-01-31`, in the merchant's time zone.
    day: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// Batches, the last one opened first.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(BatchQuery),
    responses((status = 200, body = Page<BatchView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<BatchQuery>,
) -> Result<web::Json<Page<BatchView>>, Problem> {
    let (scope, BatchQuery { store, terminal, day, cursor, limit }) = (caller.scope()?, query.into_inner());
    let (limit, after) = (paging::limit(limit)?, paging::after::<Cursor>(cursor.as_deref())?);
    let period = match day {
        Some(day) => Some(day_of(&day, &zone_of(&app, scope).await?)?),
        None => None,
    };
    let filter = Filter { store, terminal, from: period.map(|period| period.from), to: period.map(|period| period.to) };
    let found = app
        .store()
        .read(move |tx| {
            let found = batches::list(tx, &scope, &filter, after, limit + 1)?;
            let ids: Vec<BatchId> = found.iter().map(|batch| batch.id).collect();
            let differ = batches::open_count(tx, &scope, &ids)?;
            let counted = |batch: Batch| Listed { differences: differ.get(&batch.id).copied().unwrap_or(0), batch };
            Ok::<_, StoreError>(found.into_iter().map(counted).collect())
        })
        .await?;
    Ok(web::Json(paging::page(found, limit, |last: &Listed| Cursor { at: last.batch.opened_at, id: last.batch.id })))
}

fn day_of(day: &str, zone: &str) -> Result<Period, Problem> {
    Period::of_days(day, day, zone).map_err(|error| match error {
        PeriodError::NoZone(_) => Problem::internal(&error),
        PeriodError::NoDay(_) | PeriodError::Backwards | PeriodError::TooLong(_) => {
            Problem::new(INVALID, format!("day must be a day: {error}."))
        }
    })
}

/// A batch of the list with its count of differences.
struct Listed {
    batch: Batch,
    differences: u64,
}

impl From<Listed> for BatchView {
    fn from(listed: Listed) -> Self {
        view(listed.batch, listed.differences)
    }
}

/// A batch with all that is known of it.
#[derive(Serialize, ToSchema)]
pub struct BatchDetail {
    batch: BatchView,
    /// What moved its cash so far.
    drawer: DrawerView,
    /// What each channel comes to, as payments and refunds stand now.
    totals: Vec<TotalView>,
    movements: Vec<MovementView>,
    /// Those that are not over first.
    differences: Vec<DifferenceView>,
}

/// `float + sales − given_back + paid_in − paid_out = expected`.
#[derive(Serialize, ToSchema)]
pub struct DrawerView {
    float: Money,
    sales: Money,
    /// Refunds and voids.
    given_back: Money,
    paid_in: Money,
    paid_out: Money,
    expected: Money,
}

#[derive(Serialize, ToSchema)]
pub struct TotalView {
    /// Name of the plugin, or `cash`.
    channel: String,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Paid, whatever became of it later.
    sales: TallyView,
    /// Given back: by the terminal in this batch, also for sales of earlier ones, and for its sales by anybody else.
    refunds: TallyView,
    voids: TallyView,
}

#[derive(Serialize, ToSchema)]
pub struct TallyView {
    count: u64,
    minor: i64,
}

/// Cash that neither a sale brought nor a refund took.
#[derive(Serialize, ToSchema)]
pub struct MovementView {
    /// `paid_in` or `paid_out`.
    kind: &'static str,
    amount: Amount,
    reason: String,
    cashier: String,
    at: Millis,
}

/// Where the terminal's journal and core do not agree.
#[derive(Serialize, ToSchema)]
pub struct DifferenceView {
    /// A payment's, a refund's or the batch's own id, the last with `/uncounted` behind it for such cash.
    subject: String,
    /// `amount`, `state`, `refunded`, `missing_here`, `missing_there`, `expected` or `uncounted`: cash that moved with no shift
    /// open, which a person ends.
    class: &'static str,
    /// `amount`, `state`, `refunded`.
    fields: Vec<&'static str>,
    /// What is best done about it: `wait_for_terminal`, `send_journal`, `settle_payment` or `look_at_terminal`.
    fix: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<StatedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core: Option<StatedView>,
    found_at: Millis,
    /// When a later comparison found that both agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<Millis>,
}

/// What one side says.
#[derive(Serialize, ToSchema)]
pub struct StatedView {
    amount: Money,
    /// Absent: it does not say how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    refunded_minor: i64,
    /// How many sales and refunds make up the amount, where it is a sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
}

impl From<Total> for TotalView {
    fn from(total: Total) -> Self {
        let tally = |Tally { count, minor }| TallyView { count, minor };
        Self {
            channel: total.channel,
            currency: total.currency,
            sales: tally(total.sales),
            refunds: tally(total.refunds),
            voids: tally(total.voids),
        }
    }
}

impl From<DrawerMovement> for MovementView {
    fn from(movement: DrawerMovement) -> Self {
        Self {
            kind: if movement.is_in { "paid_in" } else { "paid_out" },
            amount: movement.amount,
            reason: movement.reason,
            cashier: movement.cashier,
            at: movement.at,
        }
    }
}

impl From<StoredDifference> for DifferenceView {
    fn from(stored: StoredDifference) -> Self {
        let stated =
            |Stated { amount, state, refunded_minor, entries }| StatedView { amount, state, refunded_minor, entries };
        Self {
            subject: stored.subject,
            class: stored.class.text(),
            fields: stored.fields.into_iter().map(|field| field.text()).collect(),
            fix: stored.fix.text(),
            terminal: stored.terminal.map(stated),
            core: stored.core.map(stated),
            found_at: stored.found_at,
            closed_at: stored.closed_at,
        }
    }
}

/// One batch.
#[utoipa::path(get, path = "/v1/batches/{batch}", tag = "batches", params(("batch" = BatchId, Path)),
    responses((status = 200, body = BatchDetail)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    batch: web::Path<BatchId>,
) -> Result<web::Json<BatchDetail>, Problem> {
    detail(&app, caller.scope()?, batch.into_inner()).await.map(web::Json)
}

pub(super) async fn detail(app: &App, scope: TenantScope, id: BatchId) -> Result<BatchDetail, Problem> {
    let (batch, drawer, totals, movements, differences) = app
        .store()
        .read(move |tx| {
            let batch = batches::load(tx, &scope, id)?;
            let drawer = batches::drawer(tx, &scope, &batch)?;
            let totals = batches::totals(tx, &scope, id)?;
            let movements = batches::movements(tx, &scope, &batch)?;
            Ok::<_, StoreError>((
                batch,
                drawer,
                totals,
                movements,
                batches::differences(tx, &scope, &Place::Batch(id))?,
            ))
        })
        .await?;
    let expected = drawer.expected().map_err(|error| Problem::internal(&error))?;
    let differ = differences.iter().filter(|difference| difference.closed_at.is_none()).count();
    Ok(BatchDetail {
        batch: view(batch, differ as u64),
        drawer: DrawerView {
            float: drawer.float,
            sales: drawer.sales,
            given_back: drawer.given_back,
            paid_in: drawer.paid_in,
            paid_out: drawer.paid_out,
            expected,
        },
        totals: totals.into_iter().map(TotalView::from).collect(),
        movements: movements.into_iter().map(MovementView::from).collect(),
        differences: differences.into_iter().map(DifferenceView::from).collect(),
    })
}

/// What was found out about the cash that moved with no shift open.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptUncounted {
    reason: String,
}

/// Ends the difference that cash left which moved before this batch with no shift open: somebody has looked for it. The books
/// have it in the safe already; the reason stays in the audit log. A repeat changes nothing.
#[utoipa::path(post, path = "/v1/batches/{batch}/uncounted/accept", tag = "batches", request_body = AcceptUncounted,
    params(("batch" = BatchId, Path), ("Idempotency-Key" = String, Header)), responses((status = 200, body = BatchDetail)))]
pub async fn accept_uncounted(
    app: web::Data<App>,
    caller: Caller<ManageFleet>,
    batch: web::Path<BatchId>,
    key: IdempotencyKey,
    body: web::Json<AcceptUncounted>,
) -> Result<web::Json<BatchDetail>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), batch.into_inner(), app.now());
    let wish = Wish::of(&app, &format!("POST /v1/batches/{id}/uncounted/accept"), &caller, &key, &*body)?;
    let reason = text::name(&body.reason, "/reason")?;
    let accept = move |tx: &mut Tx<'_>| {
        batches::load(tx, &scope, id)?;
        if batches::accept_uncounted(tx, &scope, id, now)? {
            note(tx, &who, "batch.uncounted_accepted", &id, &json!({ "reason": reason }), now)?;
        }
        Ok(())
    };
    once(&app, scope, wish, accept).await?;
    detail(&app, scope, id).await.map(web::Json)
}

/// The settlement statement of a batch.
#[derive(Serialize, ToSchema)]
pub struct BatchSettlement {
    batch: BatchId,
    items: Vec<SettlementItem>,
}

/// What the sales and refunds of a batch moved and what is due of it, by channel account.
#[utoipa::path(get, path = "/v1/batches/{batch}/settlement", operation_id = "settlement", tag = "batches",
    params(("batch" = BatchId, Path)), responses((status = 200, body = BatchSettlement)))]
pub async fn settlement(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    batch: web::Path<BatchId>,
) -> Result<web::Json<BatchSettlement>, Problem> {
    let id = batch.into_inner();
    let (_, lines) = lines(&app, &caller, id).await?;
    Ok(web::Json(BatchSettlement { batch: id, items: items(lines)?.into_iter().map(item).collect() }))
}

async fn lines(
    app: &App,
    caller: &Caller<ReadBooks>,
    id: BatchId,
) -> Result<(Batch, Vec<ledger::SettlementLine>), Problem> {
    let scope = caller.scope()?;
    let found = app
        .store()
        .read(move |tx| {
            let batch = batches::load(tx, &scope, id)?;
            Ok::<_, StoreError>((batch, ledger::settlement_of_batch(tx, &scope, id)?))
        })
        .await?;
    Ok(found)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BatchExport {
    #[param(inline)]
    format: Format,
}

/// The same as a file.
#[utoipa::path(get, path = "/v1/batches/{batch}/settlement/export", operation_id = "export_settlement", tag = "batches",
    params(("batch" = BatchId, Path), BatchExport),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn export(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    batch: web::Path<BatchId>,
    asked: web::Query<BatchExport>,
) -> Result<HttpResponse, Problem> {
    let (batch, lines) = lines(&app, &caller, batch.into_inner()).await?;
    let name = format!("settlement-{}-batch-{}", batch.terminal, batch.number);
    whole(asked.format, "settlement", &name, rows(items(lines)?)).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DayQuery {
    /// As `2026-01-31`, in the merchant's time zone.
    day: String,
}

/// A terminal's journal of a day against core's payments, as both stand now.
#[derive(Serialize, ToSchema)]
pub struct LegView {
    terminal: TerminalId,
    /// How far core has the journal.
    journal_through: Sequence,
    /// `rows = agreed + differences`: sales and refunds through channels that either side has.
    rows: u64,
    agreed: u64,
    differences: Vec<DifferenceView>,
}

/// Days on which a terminal's journal and core did not agree about what was keyed while no shift was open.
#[derive(Serialize, ToSchema)]
pub struct OpenDays {
    /// At most 200, the oldest difference first.
    days: Vec<OpenDayView>,
}

#[derive(Serialize, ToSchema)]
pub struct OpenDayView {
    terminal: TerminalId,
    /// As `2026-01-31`, in the merchant's time zone.
    day: String,
    /// Differences that are not over.
    differences: u64,
    /// When the oldest of them was found.
    since: Millis,
}

/// Where something is open of what terminals keyed outside of shifts, which no batch shows. Compared every five minutes, today's
/// and yesterday's up to a quarter of an hour ago. `/v1/terminals/{terminal}/leg` shows the rows.
#[utoipa::path(get, path = "/v1/legs", operation_id = "days", tag = "batches",
    responses((status = 200, body = OpenDays)))]
pub async fn days(app: web::Data<App>, caller: Caller<ReadBooks>) -> Result<web::Json<OpenDays>, Problem> {
    let scope = caller.scope()?;
    let open = app.store().read(move |tx| batches::open_days(tx, &scope, OPEN_DAYS_MAX)).await?;
    let view = |open: OpenDay| OpenDayView {
        terminal: open.terminal,
        day: open.day,
        differences: open.open,
        since: open.since,
    };
    Ok(web::Json(OpenDays { days: open.into_iter().map(view).collect() }))
}

/// What a terminal's journal and core do not agree about of a day, whether or not shifts were opened.
#[utoipa::path(get, path = "/v1/terminals/{terminal}/leg", operation_id = "day", tag = "batches",
    params(("terminal" = TerminalId, Path), DayQuery), responses((status = 200, body = LegView)))]
pub async fn day(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    terminal: web::Path<TerminalId>,
    asked: web::Query<DayQuery>,
) -> Result<web::Json<LegView>, Problem> {
    let (scope, terminal) = (caller.scope()?, terminal.into_inner());
    let zone = zone_of(&app, scope).await?;
    let period = day_of(&asked.day, &zone)?;
    let (through, first, leg) = app
        .store()
        .read(move |tx| {
            terminals::load(tx, &scope, terminal)?;
            let through = saoma_store::journal::through(tx, &scope, terminal)?.sequence;
            let first = batches::first_keyed_at(tx, &scope, terminal)?;
            let span = Span::Time { terminal, from: period.from, to: period.to };
            Ok::<_, StoreError>((through, first, leg(tx, &scope, &span)?))
        })
        .await?;
    // Of earlier days core has no word of the journal, and each sale would seem to be missing from it.
    let from = first.map(|first| local_day(first, &zone));
    let why = match (first, from) {
        (Some(first), Some(from)) if period.to <= first => {
            Some(format!("day must be {from} or later: from there on the sales of the terminal's journal are known."))
        }
        (None, _) if through.0 > 0 => Some("No sale of the terminal's journal is known, of any day.".to_owned()),
        _ => None,
    };
    if let Some(why) = why {
        return Err(Problem::new(INVALID, why));
    }
    let now = app.now();
    let found = leg.differences.iter().map(|difference| StoredDifference::found(difference, now));
    let differences: Vec<StoredDifference> = found.collect::<Result<_, _>>()?;
    Ok(web::Json(LegView {
        terminal,
        journal_through: through,
        rows: leg.rows,
        agreed: leg.agreed,
        differences: differences.into_iter().map(DifferenceView::from).collect(),
    }))
}

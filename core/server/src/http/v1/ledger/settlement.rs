//! Settlement statements: what was sold, given back, charged and is due, by channel, for the merchant, each store or each
//! terminal.

use actix_web::{HttpResponse, web};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, StoreId, TerminalId};
use saoma_store::ledger::{self, SettlementLine};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    export::{Format, whole},
    zone_of,
};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadBooks},
        problem::Problem,
        sheet::Cell,
    },
    period::Period,
};

/// How finely lines are parted.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    #[default]
    Merchant,
    Store,
    Terminal,
}

#[derive(Serialize, ToSchema)]
pub struct Settlement {
    /// The first moment of the period, and the first one after it.
    from: Millis,
    to: Millis,
    time_zone: String,
    items: Vec<SettlementItem>,
}

/// `gross − refunded − disputed − fees + corrected = net`, in minor units.
#[derive(Serialize, ToSchema)]
pub struct SettlementItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<TerminalId>,
    /// Absent: cash.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    payments: u64,
    gross_minor: i64,
    /// Refunds, voids, and what channels undid by themselves.
    refunds: u64,
    refunded_minor: i64,
    /// What channels took back because customers dispute it, less what they gave back of it.
    disputed_minor: i64,
    fees_minor: i64,
    /// What channels' bills were found to move more, or less if it is negative.
    corrected_minor: i64,
    net_minor: i64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SettlementQuery {
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
    #[param(inline)]
    #[serde(default)]
    by: By,
}

async fn lines(
    app: &App,
    caller: &Caller<ReadBooks>,
    from: &str,
    to: &str,
    by: By,
) -> Result<(Period, String, Vec<(SettlementLine, i64)>), Problem> {
    let scope = caller.scope()?;
    let zone = zone_of(app, scope).await?;
    let period = Period::of_days(from, to, &zone)?;
    let by = match by {
        By::Merchant => ledger::By::Merchant,
        By::Store => ledger::By::Store,
        By::Terminal => ledger::By::Terminal,
    };
    let lines = app.store().read(move |tx| ledger::settlement(tx, &scope, by, period.from, period.to)).await?;
    Ok((period, zone, items(lines)?))
}

/// Each line with what is due of it.
///
/// # Errors
/// `INTERNAL` for a sum past 64 bits.
pub fn items(lines: Vec<SettlementLine>) -> Result<Vec<(SettlementLine, i64)>, Problem> {
    let with_net = |line: SettlementLine| line.net_minor().map(|net| (line, net));
    let lines: Option<Vec<_>> = lines.into_iter().map(with_net).collect();
    let past = || saoma_store::StoreError::Corrupt { why: "a sum past 64 bits".to_owned() };
    Ok(lines.ok_or_else(past)?)
}

/// A line as it is shown.
pub fn item((line, net_minor): (SettlementLine, i64)) -> SettlementItem {
    SettlementItem {
        store: line.store,
        terminal: line.terminal,
        channel_account: line.channel_account,
        currency: line.currency,
        payments: line.payments,
        gross_minor: line.gross_minor,
        refunds: line.refunds,
        refunded_minor: line.refunded_minor,
        disputed_minor: line.disputed_minor,
        fees_minor: line.fees_minor,
        corrected_minor: line.corrected_minor,
        net_minor,
    }
}

/// What is due of a period, by channel account.
#[utoipa::path(get, path = "/v1/ledger/settlement", operation_id = "settlement", tag = "ledger", params(SettlementQuery),
    responses((status = 200, body = Settlement)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<SettlementQuery>,
) -> Result<web::Json<Settlement>, Problem> {
    let (period, time_zone, lines) = lines(&app, &caller, &asked.from, &asked.to, asked.by).await?;
    let items = lines.into_iter().map(item).collect();
    Ok(web::Json(Settlement { from: period.from, to: period.to, time_zone, items }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SettlementExport {
    #[param(inline)]
    format: Format,
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
    #[param(inline)]
    #[serde(default)]
    by: By,
}

/// The same as a file.
#[utoipa::path(get, path = "/v1/ledger/settlement/export", operation_id = "export_settlement", tag = "ledger",
    params(SettlementExport), responses((status = 200, content_type = "text/csv", body = String)))]
pub async fn export(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<SettlementExport>,
) -> Result<HttpResponse, Problem> {
    let SettlementExport { format, from, to, by } = asked.into_inner();
    let (_, _, lines) = lines(&app, &caller, &from, &to, by).await?;
    whole(format, "settlement", &format!("settlement-{from}-{to}"), rows(lines)).await
}

/// The lines as a file has them, with their head.
pub fn rows(lines: Vec<(SettlementLine, i64)>) -> Vec<Vec<Cell>> {
    let head = [
        "store",
        "terminal",
        "channel_account",
        "currency",
        "payments",
        "gross",
        "refunds",
        "refunded",
        "disputed",
        "fees",
        "corrected",
        "net",
    ];
    let mut rows = vec![head.map(Cell::head).to_vec()];
    rows.extend(lines.into_iter().map(|(line, net_minor)| {
        let id = |id: Option<String>| Cell::code(id.unwrap_or_default());
        let money = |minor| Cell::Money(Money::new(minor, line.currency));
        vec![
            id(line.store.map(|store| store.to_string())),
            id(line.terminal.map(|terminal| terminal.to_string())),
            Cell::code(line.channel_account.map_or("cash".to_owned(), |account| account.to_string())),
            Cell::code(line.currency.code()),
            Cell::code(line.payments.to_string()),
            money(line.gross_minor),
            Cell::code(line.refunds.to_string()),
            money(line.refunded_minor),
            money(line.disputed_minor),
            money(line.fees_minor),
            money(line.corrected_minor),
            money(net_minor),
        ]
    }));
    rows
}

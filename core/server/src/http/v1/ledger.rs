//! `/v1/ledger`: the merchant's books.
//!
//! Periods are days of the merchant's time zone and go by when money came into the books, so that what a day said when it
//! was over stays what it says.

pub mod export;
pub mod settlement;

use actix_web::web;
use saoma_domain::ledger::Account;
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PaymentId, RefundId};
use saoma_store::{
    StoreError, TenantScope,
    ledger::{self, LINES_MAX, Of, Place},
    tenants,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadBooks},
        problem::{INVALID, Problem},
        router::other_method,
    },
    period::{Period, PeriodError},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(format!("/ledger/{path}")).default_service(web::to(other_method));
    config
        .service(resource("trial-balance").route(web::get().to(trial_balance)))
        .service(resource("balances").route(web::get().to(show_balances)))
        .service(resource("balances/export").route(web::get().to(export::balances)))
        .service(resource("statement").route(web::get().to(show_statement)))
        .service(resource("statement/export").route(web::get().to(export::statement)))
        .service(resource("settlement").route(web::get().to(settlement::show)))
        .service(resource("settlement/export").route(web::get().to(settlement::export)))
        .service(resource("findings").route(web::get().to(list_findings)));
}

const LINES_DEFAULT: u32 = 100;

/// Debits and credits of every account, and that they are equal.
#[derive(Serialize, ToSchema)]
pub struct TrialBalance {
    /// With everything that was booked up to and in this millisecond.
    as_of: Millis,
    currencies: Vec<CurrencyTotals>,
    accounts: Vec<AccountBalance>,
}

#[derive(Serialize, ToSchema)]
pub struct CurrencyTotals {
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    debits_minor: i64,
    /// As a positive number; equal to the debits, or the books are broken.
    credits_minor: i64,
}

#[derive(Serialize, ToSchema)]
pub struct AccountBalance {
    account: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    /// Positive: a debit balance.
    balance: Money,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// A moment; without it, now.
    as_of: Option<Millis>,
}

/// The trial balance as of a moment.
#[utoipa::path(get, path = "/v1/ledger/trial-balance", tag = "ledger", params(AsOf),
    responses((status = 200, body = TrialBalance)))]
pub async fn trial_balance(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<AsOf>,
) -> Result<web::Json<TrialBalance>, Problem> {
    let (scope, as_of) = (caller.scope()?, asked.as_of);
    let balances = app.store().read(move |tx| ledger::balances(tx, &scope, as_of)).await?;
    let currencies = ledger::trial_balance(&balances)?
        .into_iter()
        .map(|line| CurrencyTotals {
            currency: line.currency,
            debits_minor: line.debits_minor,
            credits_minor: line.credits_minor,
        })
        .collect();
    let accounts = balances
        .into_iter()
        .map(|line| AccountBalance {
            account: line.account.text(),
            channel_account: line.channel_account,
            balance: line.money,
        })
        .collect();
    Ok(web::Json(TrialBalance { as_of: as_of.unwrap_or_else(|| app.now()), currencies, accounts }))
}

/// What moved on every account in a period.
#[derive(Serialize, ToSchema)]
pub struct Balances {
    /// The first moment of the period, and the first one after it.
    from: Millis,
    to: Millis,
    time_zone: String,
    items: Vec<PeriodBalance>,
}

/// `opening + debits − credits = closing`; balances are positive if they are debits.
#[derive(Serialize, ToSchema)]
pub struct PeriodBalance {
    account: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    opening_minor: i64,
    debits_minor: i64,
    /// As a positive number.
    credits_minor: i64,
    closing_minor: i64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
}

/// Balances at the start and the end of a period, and what moved in it.
#[utoipa::path(get, path = "/v1/ledger/balances", operation_id = "balances", tag = "ledger", params(Days),
    responses((status = 200, body = Balances)))]
pub async fn show_balances(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    days: web::Query<Days>,
) -> Result<web::Json<Balances>, Problem> {
    let scope = caller.scope()?;
    let time_zone = zone_of(&app, scope).await?;
    let period = Period::of_days(&days.from, &days.to, &time_zone)?;
    let items = app.store().read(move |tx| ledger::turnover(tx, &scope, period.from, period.to)).await?;
    let item = |line: ledger::Turnover| PeriodBalance {
        account: line.account.text(),
        channel_account: line.channel_account,
        currency: line.currency,
        opening_minor: line.opening_minor,
        debits_minor: line.debits_minor,
        credits_minor: line.credits_minor,
        closing_minor: line.closing_minor,
    };
    let items = items.into_iter().map(item).collect();
    Ok(web::Json(Balances { from: period.from, to: period.to, time_zone, items }))
}

/// A page of an account's lines, in the order in which they were booked.
#[derive(Serialize, ToSchema)]
pub struct Statement {
    /// Of the whole period, as is the closing balance.
    opening: Money,
    closing: Money,
    items: Vec<StatementLine>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct StatementLine {
    /// When it came into the books.
    booked_at: Millis,
    /// When it happened: earlier, for cash taken without a network.
    at: Millis,
    /// `captured`, `refund_succeeded`, `payout_received`, …
    kind: &'static str,
    /// The id of what it is about.
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    /// Positive: a debit.
    money: Money,
    /// After this line; positive: a debit balance.
    balance: Money,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StatementQuery {
    /// For example `channel_clearing`.
    account: String,
    #[param(value_type = String, example = "CNY")]
    currency: Currency,
    /// Of one channel account alone, where the account is kept for each.
    channel_account: Option<ChannelAccountId>,
    /// The first day, as `2026-01-31`, in the merchant's time zone.
    from: String,
    /// The last day.
    to: String,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 1,000; 100 if absent.
    limit: Option<u32>,
}

/// An account's statement, page by page.
#[utoipa::path(get, path = "/v1/ledger/statement", operation_id = "statement", tag = "ledger", params(StatementQuery),
    responses((status = 200, body = Statement)))]
pub async fn show_statement(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    asked: web::Query<StatementQuery>,
) -> Result<web::Json<Statement>, Problem> {
    let (scope, asked) = (caller.scope()?, asked.into_inner());
    let limit = asked.limit.unwrap_or(LINES_DEFAULT);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(Problem::new(INVALID, format!("limit must be from 1 to {LINES_MAX}.")));
    }
    let after = asked.cursor.map(|cursor| cursor.parse::<Place>()).transpose();
    let after = after.map_err(|_| Problem::new(INVALID, "cursor must be the next_cursor of a page."))?;
    let period = Period::of_days(&asked.from, &asked.to, &zone_of(&app, scope).await?)?;
    let of = of_account(&asked.account, asked.channel_account, asked.currency, period)?;
    let page = app.store().read(move |tx| ledger::statement(tx, &scope, &of, after, limit)).await?;
    let money = |minor| Money::new(minor, of.currency);
    let line = |line: ledger::Line| StatementLine {
        booked_at: line.booked_at,
        at: line.at,
        kind: line.kind.text(),
        subject: line.subject,
        payment: line.payment,
        refund: line.refund,
        channel_account: line.channel_account,
        money: line.money,
        balance: money(line.balance_minor),
    };
    Ok(web::Json(Statement {
        opening: money(page.opening_minor),
        closing: money(page.closing_minor),
        items: page.lines.into_iter().map(line).collect(),
        next_cursor: page.next.map(|place| place.to_string()),
    }))
}

/// Where the merchant sells: whose midnights part its days.
pub(super) async fn zone_of(app: &App, scope: TenantScope) -> Result<String, StoreError> {
    Ok(app.store().read(move |tx| tenants::load(tx, &scope)).await?.time_zone)
}

fn of_account(
    account: &str,
    channel_account: Option<ChannelAccountId>,
    currency: Currency,
    period: Period,
) -> Result<Of, Problem> {
    let account = Account::from_text(account).ok_or_else(|| {
        let names: Vec<&str> = Account::ALL.iter().map(|account| account.text()).collect();
        Problem::new(INVALID, format!("account must be one of: {}.", names.join(", ")))
    })?;
    if channel_account.is_some() && !account.is_per_channel() {
        return Err(Problem::new(INVALID, format!("{} is not kept for each channel account.", account.text())));
    }
    Ok(Of { account, channel_account, currency, from: period.from, to: period.to })
}

/// Whether the books hold.
#[derive(Serialize, ToSchema)]
pub struct Findings {
    /// When core last looked; absent if it has not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<Millis>,
    /// When it last looked at everything from the first movement on.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole_at: Option<Millis>,
    /// Empty while the books hold. Nothing here is ever mended by itself.
    items: Vec<FindingView>,
}

#[derive(Serialize, ToSchema)]
pub struct FindingView {
    /// A payment's id, `set 12`, a currency, or `checkpoint 12`.
    subject: String,
    /// `account`, `in_transit`, `refunded`, `reserved`, `fees`, `currency`, `set_unbalanced`, `sum` or `checkpoint`.
    code: String,
    detail: String,
    found_at: Millis,
    seen_at: Millis,
}

/// What does not hold in the books, and when core last looked.
#[utoipa::path(get, path = "/v1/ledger/findings", operation_id = "findings", tag = "ledger",
    responses((status = 200, body = Findings)))]
pub async fn list_findings(app: web::Data<App>, caller: Caller<ReadBooks>) -> Result<web::Json<Findings>, Problem> {
    let scope = caller.scope()?;
    let (state, open) = app
        .store()
        .read(move |tx| Ok::<_, StoreError>((ledger::state(tx, &scope)?, ledger::findings(tx, &scope)?)))
        .await?;
    let view = |finding: ledger::OpenFinding| FindingView {
        subject: finding.subject,
        code: finding.code,
        detail: finding.detail,
        found_at: Millis(finding.found_at),
        seen_at: Millis(finding.seen_at),
    };
    Ok(web::Json(Findings {
        checked_at: state.map(|state| state.checked_at),
        whole_at: state.map(|state| state.whole_at),
        items: open.into_iter().map(view).collect(),
    }))
}

impl From<PeriodError> for Problem {
    fn from(error: PeriodError) -> Self {
        let words = error.to_string();
        match error {
            PeriodError::NoZone(_) => Self::internal(&error),
            PeriodError::NoDay(_) | PeriodError::Backwards | PeriodError::TooLong(_) => {
                Self::new(INVALID, format!("from and to must be days of a period: {words}."))
            }
        }
    }
}

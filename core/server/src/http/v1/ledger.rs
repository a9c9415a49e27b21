//! `/v1/ledger`: the merchant's books.

use actix_web::web;
use saoma_protocol::{ChannelAccountId, Currency, Money};
use saoma_store::{StoreError, ledger};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadBooks},
        problem::Problem,
        router::other_method,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/ledger/trial-balance")
            .route(web::get().to(trial_balance))
            .default_service(web::to(other_method)),
    );
}

/// Debits and credits of every account, and that they are equal.
#[derive(Serialize, ToSchema)]
pub struct TrialBalance {
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
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    /// Positive: a debit balance.
    balance: Money,
}

/// The trial balance as of now.
#[utoipa::path(get, path = "/v1/ledger/trial-balance", tag = "ledger", responses((status = 200, body = TrialBalance)))]
pub async fn trial_balance(app: web::Data<App>, caller: Caller<ReadBooks>) -> Result<web::Json<TrialBalance>, Problem> {
    let scope = caller.scope()?;
    let (totals, balances) = app
        .store()
        .read(move |tx| Ok::<_, StoreError>((ledger::trial_balance(tx, &scope)?, ledger::balances(tx, &scope)?)))
        .await?;
    let currencies = totals
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
            account: line.account.text().to_owned(),
            channel_account: line.channel_account,
            balance: line.money,
        })
        .collect();
    Ok(web::Json(TrialBalance { currencies, accounts }))
}

//! `/v1/reconciliations/days/{day}`: a day at one look, every channel account beside the others.

use actix_web::web;
use saoma_protocol::{ChannelAccountId, Millis};
use saoma_store::{channel_accounts, discrepancies, reconciliations};
use serde::Serialize;
use utoipa::ToSchema;

use super::reconciliations::ReconciliationView;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadBooks},
        problem::Problem,
        router::other_method,
    },
    period::Period,
    reconcile::{self, ReconcileError},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/reconciliations/days/{day}").route(web::get().to(day)).default_service(web::to(other_method)),
    );
}

/// A day of all channel accounts.
#[derive(Serialize, ToSchema)]
pub struct ReconciliationDay {
    /// As each scheme counts days.
    day: String,
    items: Vec<AccountDay>,
}

/// A channel account's day.
#[derive(Serialize, ToSchema)]
pub struct AccountDay {
    channel_account: ChannelAccountId,
    name: String,
    plugin: String,
    /// From when on the bill of the day should be whole. Absent: the channel has no bills, or its plugin is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    bill_ready_at: Option<Millis>,
    /// The last comparison, however it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest: Option<ReconciliationView>,
    /// The last that came to a result; what a later one did not come to changes nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<ReconciliationView>,
    /// Discrepancies of the day that wait for somebody.
    waiting: u64,
}

/// How the books of each channel account agree with its bill of a day, accounts by priority, then by age.
#[utoipa::path(get, path = "/v1/reconciliations/days/{day}", tag = "reconciliations",
    params(("day" = String, Path, example = "2026-01-31")), responses((status = 200, body = ReconciliationDay)))]
pub async fn day(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    day: web::Path<String>,
) -> Result<web::Json<ReconciliationDay>, Problem> {
    let (scope, day) = (caller.scope()?, day.into_inner());
    // A day that is none is none in every zone, whatever the accounts' channels can do.
    Period::of_days(&day, &day, "Etc/UTC").map_err(ReconcileError::from)?;
    let asked = day.clone();
    let accounts = app
        .store()
        .read(move |tx| {
            let waiting = discrepancies::waiting_of_day(tx, &scope, &asked)?;
            channel_accounts::list(tx, &scope)?
                .into_iter()
                .map(|account| {
                    let newest = reconciliations::list(tx, &scope, Some(account.id), Some(&asked), None, 1)?.pop();
                    let compared = reconciliations::last_done(tx, &scope, account.id, &asked)?;
                    let waiting = waiting.get(&account.id).copied().unwrap_or(0);
                    Ok::<_, saoma_store::StoreError>((account, newest, compared, waiting))
                })
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let mut items = Vec::with_capacity(accounts.len());
    for (account, newest, compared, waiting) in accounts {
        items.push(AccountDay {
            bill_ready_at: reconcile::bill_ready_at(&app, scope, &account, &day)?,
            channel_account: account.id,
            name: account.name,
            plugin: account.plugin,
            newest: newest.map(ReconciliationView::from),
            compared: compared.map(ReconciliationView::from),
            waiting,
        });
    }
    Ok(web::Json(ReconciliationDay { day, items }))
}

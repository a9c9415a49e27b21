//! `/v1/terminal/goods`: the catalogue, as far as a terminal does not have it yet.

use actix_web::web;
use saoma_protocol::{Sequence, api::GoodsChanges};
use saoma_store::terminals;
use serde::Deserialize;
use utoipa::IntoParams;

use super::own;
use crate::{
    app::App,
    goods,
    http::{
        auth::{Caller, rights::BeTerminal},
        problem::Problem,
    },
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChangesQuery {
    /// The `through` of the answer before; 0 for all of it.
    since: Option<u64>,
}

/// What changed in the catalogue since a version, for this terminal's store.
#[utoipa::path(get, path = "/v1/terminal/goods", operation_id = "goods", tag = "terminal", params(ChangesQuery),
    responses((status = 200, body = GoodsChanges)))]
pub async fn changes(
    app: web::Data<App>,
    caller: Caller<BeTerminal>,
    query: web::Query<ChangesQuery>,
) -> Result<web::Json<GoodsChanges>, Problem> {
    let (scope, terminal) = own(&caller)?;
    let since = Sequence(query.since.unwrap_or(0));
    let changes = app.store().read(move |tx| {
        let store = terminals::load(tx, &scope, terminal)?.store;
        goods::changes(tx, &scope, store, since)
    });
    Ok(web::Json(changes.await?))
}

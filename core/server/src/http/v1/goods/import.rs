//! Many goods at once, as an office has them in a table: all of them or none.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::GoodsId;
use saoma_store::{Tx, goods};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CreateGoods, put_in, told};
use crate::{
    app::App,
    goods::announce,
    http::{
        auth::{Caller, rights::ManageGoods},
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::{INVALID, Problem},
        v1::audit::note,
    },
};

/// Most goods of one request: one transaction, in which on SQLite nobody else writes.
const IMPORT_MAX: usize = 500;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportGoods {
    /// 1 to 500.
    goods: Vec<CreateGoods>,
}

#[derive(Serialize, ToSchema)]
pub struct ImportedGoods {
    /// In the order of the request.
    ids: Vec<GoodsId>,
}

/// Adds many goods, or none: if one of them cannot be, `errors` of the problem names everything that is wrong with any of them.
#[utoipa::path(post, path = "/v1/goods/import", tag = "goods", request_body = ImportGoods,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ImportedGoods)))]
pub async fn import(
    app: web::Data<App>,
    caller: Caller<ManageGoods>,
    key: IdempotencyKey,
    body: web::Json<ImportGoods>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/goods/import", &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let ImportGoods { goods: asked } = body.into_inner();
    if !(1..=IMPORT_MAX).contains(&asked.len()) {
        let detail = format!("1 to {IMPORT_MAX} goods at once; send more in several requests.");
        return Err(Problem::new(INVALID, detail).at("/goods"));
    }
    let mut read = Vec::with_capacity(asked.len());
    for one in asked {
        read.push(one.into_item(GoodsId::from_bytes(app.random_16()?), now));
    }
    let add = move |tx: &mut Tx<'_>| {
        goods::take_turn(tx, &scope)?;
        let (mut made, mut wrong) = (Vec::with_capacity(read.len()), Vec::new());
        for (idx, item) in read.iter().enumerate() {
            match item.clone().and_then(|item| put_in(tx, &scope, &item)) {
                Ok(item) => made.push(item),
                Err(problem) if problem.is_ours() => return Err(problem),
                Err(problem) => wrong.push(problem.within(&format!("/goods/{idx}"))),
            }
        }
        if !wrong.is_empty() {
            let detail = format!("Nothing was added: {} of the goods cannot be added, as errors says.", wrong.len());
            return Err(Problem::new(INVALID, detail).at("/goods").with_errors(wrong));
        }
        announce(tx, &scope, now)?;
        for item in &made {
            note(tx, &who, "goods.created", &item.id, &told(item), now)?;
        }
        Ok(ImportedGoods { ids: made.into_iter().map(|item| item.id).collect() })
    };
    let made = answered(&app, scope, wish, StatusCode::CREATED, add).await?;
    app.wake_outbox();
    Ok(made)
}

//! Many goods at once, as an office has them in a table: all of them or none.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{GoodsId, barcode::Barcode};
use saoma_store::{
    Tx,
    goods::{self, Item},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{CreateGoods, Terms, check_barcodes, told};
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

/// Most goods of one request: one transaction, in which the merchant's sales are not written, and on SQLite nobody's.
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
        // Sales of the merchant wait for the turn: what can be looked at without it is looked at before.
        let terms = Terms::read(tx, &scope)?;
        let fits = |item| terms.check(item, None).map(|()| item);
        let checked: Vec<Result<&Item, Problem>> =
            read.iter().map(|item| item.as_ref().map_err(Problem::clone).and_then(fits)).collect();
        let barcodes: Vec<&str> =
            checked.iter().flatten().flat_map(|item| item.barcodes.iter().map(Barcode::as_str)).collect();
        goods::take_turn(tx, &scope)?;
        let mut held = goods::holders(tx, &scope, &barcodes)?;
        let (mut made, mut wrong) = (Vec::with_capacity(read.len()), Vec::new());
        for (idx, item) in checked.into_iter().enumerate() {
            match item.and_then(|item| check_barcodes(item, &held).map(|()| item)) {
                Ok(item) => {
                    held.extend(item.barcodes.iter().map(|barcode| (barcode.to_string(), item.id)));
                    made.push(item.clone());
                }
                Err(problem) => wrong.push(problem.within(&format!("/goods/{idx}"))),
            }
        }
        if !wrong.is_empty() {
            let detail = format!("Nothing was added: {} of the goods cannot be added, as errors says.", wrong.len());
            return Err(Problem::new(INVALID, detail).at("/goods").with_errors(wrong));
        }
        goods::create_all(tx, &scope, &made)?;
        announce(tx, &scope, now)?;
        let all: Vec<_> = made.iter().map(|item| json!({ "id": item.id, "created": told(item) })).collect();
        note(tx, &who, "goods.imported", &scope.tenant(), &json!({ "goods": all }), now)?;
        Ok(ImportedGoods { ids: made.into_iter().map(|item| item.id).collect() })
    };
    let made = answered(&app, scope, wish, StatusCode::CREATED, add).await?;
    app.wake_outbox();
    Ok(made)
}

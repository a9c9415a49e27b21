//! `/v1/goods`: what a merchant sells.
//!
//! Terminals hear of each change and hold what is sold in their store. Nothing is deleted: what is not sold any more is not active,
//! and its barcodes are free for others.

pub mod import;

use std::collections::{BTreeSet, HashMap};

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    Currency, GoodsId, Millis, Money, StoreId, TaxRateId,
    api::Page,
    barcode::{Barcode, BarcodeError},
    money::AMOUNT_MINOR_MAX,
};
use saoma_store::{
    Cursor, StoreError, TenantScope, Tx,
    goods::{self, BARCODES_MAX, Item, TaxRate},
    stores, tenants,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::audit::note;
use crate::{
    app::App,
    goods::announce,
    http::{
        auth::{
            Caller,
            rights::{ManageGoods, ReadPayments},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        paging,
        problem::{CHANGED_MEANWHILE, CONFLICT, CURRENCY_MISMATCH, INVALID, Problem},
        router::other_method,
        text,
    },
};

/// Most stores that goods are bound to; who sells in more sells everywhere.
const STORES_MAX: usize = 100;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/goods").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/goods/import").route(web::post().to(import::import)))
        .service(resource("/goods/{goods}").route(web::get().to(show)).route(web::put().to(change)));
}

/// Something that is sold.
#[derive(Serialize, ToSchema)]
pub struct GoodsView {
    id: GoodsId,
    name: String,
    /// A UPC-A as the EAN-13 that it is.
    barcodes: Vec<String>,
    /// Of one, or of a kilogram of what is sold by weight.
    price: Money,
    /// It is weighed when it is sold.
    by_weight: bool,
    /// Without it, it is not taxed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_rate: Option<TaxRateId>,
    /// Where it is sold; empty: in all stores.
    stores: Vec<StoreId>,
    active: bool,
    /// To be sent with a change.
    version: u64,
    created_at: Millis,
    updated_at: Millis,
}

impl From<Item> for GoodsView {
    fn from(item: Item) -> Self {
        Self {
            id: item.id,
            name: item.name,
            barcodes: item.barcodes.iter().map(ToString::to_string).collect(),
            price: item.price,
            by_weight: item.by_weight,
            tax_rate: item.tax_rate,
            stores: item.stores,
            active: item.active,
            version: item.version,
            created_at: item.created_at,
            updated_at: item.updated_at,
        }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGoods {
    /// 1 to 128 characters; stands on receipts.
    name: String,
    /// At most 20: EAN-8, EAN-13 or UPC-A with its check digit, or a code of the merchant's own of 1 to 32 visible ASCII
    /// characters (which is not of 8, 12 or 13 digits). Each is of one of the goods that are active.
    #[serde(default)]
    barcodes: Vec<String>,
    /// Of one, or of a kilogram, in the merchant's currency; 0 to 999,999,999,999 minor units.
    price: Money,
    /// It is weighed when it is sold.
    #[serde(default)]
    by_weight: bool,
    #[serde(default)]
    tax_rate: Option<TaxRateId>,
    /// At most 100; without any, it is sold in all stores.
    #[serde(default)]
    stores: Vec<StoreId>,
}

impl CreateGoods {
    /// What is wrong with it without a look at anything else is told here.
    fn into_item(self, id: GoodsId, now: Millis) -> Result<Item, Problem> {
        let Self { name, barcodes, price, by_weight, tax_rate, stores } = self;
        Ok(Item {
            id,
            name: text::name(&name, "/name")?,
            barcodes: all_barcodes(&barcodes)?,
            price,
            by_weight,
            tax_rate,
            stores,
            active: true,
            version: 0,
            created_at: now,
            updated_at: now,
        })
    }
}

/// The goods as they shall be from now on. What was sold stays as it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeGoods {
    /// The version that was seen. If they have another by now, nothing is changed.
    version: u64,
    name: String,
    #[serde(default)]
    barcodes: Vec<String>,
    price: Money,
    /// Without it as before: whoever knows no weights does not turn the price of a kilogram into that of a piece.
    #[serde(default)]
    by_weight: Option<bool>,
    #[serde(default)]
    tax_rate: Option<TaxRateId>,
    #[serde(default)]
    stores: Vec<StoreId>,
    /// Those that are not are not sold, and their barcodes are free.
    active: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Those that are sold, or those that are not.
    active: Option<bool>,
    /// The active goods with this barcode alone, whatever else is asked for.
    barcode: Option<String>,
    /// Those that have this text in their name or in a barcode: 1 to 128 characters, in upper or lower case (of ASCII letters).
    search: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
}

/// The merchant's goods, oldest first.
#[utoipa::path(get, path = "/v1/goods", tag = "goods", params(ListQuery),
    responses((status = 200, body = Page<GoodsView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<GoodsView>>, Problem> {
    let (scope, active, limit) = (caller.scope()?, query.active, paging::limit(query.limit)?);
    let after: Option<Cursor<GoodsId>> = paging::after(query.cursor.as_deref())?;
    let barcode = query.barcode.as_deref().map(|text| barcode(text, "/barcode")).transpose()?;
    let search = query.search.as_deref().map(|words| text::name(words, "/search")).transpose()?;
    let found = app.store().read(move |tx| match &barcode {
        None => goods::list(tx, &scope, active, search.as_deref(), after, limit + 1),
        Some(barcode) => {
            let held = goods::holder(tx, &scope, barcode)?;
            held.map(|held| goods::load(tx, &scope, held)).into_iter().collect()
        }
    });
    Ok(web::Json(paging::page(found.await?, limit, |item| Cursor { at: item.created_at, id: item.id })))
}

/// Adds goods.
#[utoipa::path(post, path = "/v1/goods", tag = "goods", request_body = CreateGoods,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = GoodsView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageGoods>,
    key: IdempotencyKey,
    body: web::Json<CreateGoods>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/goods", &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let item = body.into_inner().into_item(GoodsId::from_bytes(app.random_16()?), now)?;
    let add = move |tx: &mut Tx<'_>| {
        Terms::read(tx, &scope)?.check(&item, None)?;
        goods::take_turn(tx, &scope)?;
        check_barcodes(&item, &holders(tx, &scope, &item)?)?;
        let made = goods::create(tx, &scope, &item)?;
        announce(tx, &scope, now)?;
        note(tx, &who, "goods.created", &item.id, &told(&item), now)?;
        Ok(GoodsView::from(made))
    };
    let made = answered(&app, scope, wish, StatusCode::CREATED, add).await?;
    app.wake_outbox();
    Ok(made)
}

/// One of the goods.
#[utoipa::path(get, path = "/v1/goods/{goods}", tag = "goods", params(("goods" = GoodsId, Path)),
    responses((status = 200, body = GoodsView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    item: web::Path<GoodsId>,
) -> Result<web::Json<GoodsView>, Problem> {
    let (scope, item) = (caller.scope()?, item.into_inner());
    Ok(web::Json(app.store().read(move |tx| goods::load(tx, &scope, item)).await?.into()))
}

/// Changes goods, takes them off or brings them back.
#[utoipa::path(put, path = "/v1/goods/{goods}", tag = "goods", request_body = ChangeGoods,
    params(("goods" = GoodsId, Path)), responses((status = 200, body = GoodsView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageGoods>,
    item: web::Path<GoodsId>,
    body: web::Json<ChangeGoods>,
) -> Result<web::Json<GoodsView>, Problem> {
    let (scope, who, id, now) = (caller.scope()?, caller.principal().clone(), item.into_inner(), app.now());
    let ChangeGoods { version, name, barcodes, price, by_weight, tax_rate, stores, active } = body.into_inner();
    let (name, barcodes) = (text::name(&name, "/name")?, all_barcodes(&barcodes)?);
    let changed = app.store().write(move |tx| {
        let terms = Terms::read(tx, &scope)?;
        goods::take_turn(tx, &scope)?;
        let before = goods::load(tx, &scope, id)?;
        let by_weight = by_weight.unwrap_or(before.by_weight);
        let detail = json!({ "name": name, "price": price, "by_weight": by_weight, "barcodes": barcodes, "tax_rate": tax_rate,
            "stores": stores, "active": active });
        if before.version != version {
            let detail = format!("It has version {} by now; load it and look again.", before.version);
            return Err(Problem::new(CHANGED_MEANWHILE, detail).at("/version"));
        }
        let wanted = Item {
            name: name.clone(),
            barcodes: barcodes.clone(),
            price,
            by_weight,
            tax_rate,
            stores: stores.clone(),
            active,
            updated_at: now,
            ..before.clone()
        };
        terms.check(&wanted, before.tax_rate)?;
        check_barcodes(&wanted, &holders(tx, &scope, &wanted)?)?;
        let item = goods::save(tx, &scope, &wanted)?;
        announce(tx, &scope, now)?;
        note(tx, &who, "goods.changed", &id, &detail, now)?;
        Ok(item)
    });
    let changed = changed.await?;
    app.wake_outbox();
    Ok(web::Json(changed.into()))
}

/// What the audit log says of new goods.
fn told(item: &Item) -> Value {
    json!({ "name": item.name, "price": item.price, "by_weight": item.by_weight, "barcodes": item.barcodes,
        "tax_rate": item.tax_rate, "stores": item.stores })
}

fn barcode(text: &str, pointer: &str) -> Result<Barcode, Problem> {
    text.parse().map_err(|error: BarcodeError| Problem::new(INVALID, format!("No barcode: {error}.")).at(pointer))
}

fn all_barcodes(texts: &[String]) -> Result<Vec<Barcode>, Problem> {
    if texts.len() > BARCODES_MAX {
        return Err(Problem::new(INVALID, format!("At most {BARCODES_MAX} barcodes.")).at("/barcodes"));
    }
    let mut all: Vec<Barcode> = Vec::with_capacity(texts.len());
    for (idx, text) in texts.iter().enumerate() {
        let one = barcode(text, &format!("/barcodes/{idx}"))?;
        if all.contains(&one) {
            return Err(Problem::new(INVALID, "It is there twice.").at(format!("/barcodes/{idx}")));
        }
        all.push(one);
    }
    Ok(all)
}

/// What goods must fit, besides other goods. It is read before the tenant's turn is taken, which sales wait for.
struct Terms {
    currency: Currency,
    stores: BTreeSet<StoreId>,
    rates: Vec<TaxRate>,
}

impl Terms {
    fn read(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Self, StoreError> {
        Ok(Self {
            currency: tenants::load(tx, scope)?.currency,
            stores: stores::list(tx, scope)?.into_iter().map(|store| store.id).collect(),
            rates: goods::list_rates(tx, scope)?,
        })
    }

    /// Whether it can be sold like this. `kept`: the tax that it had before, which it may keep though that is not active any more.
    fn check(&self, item: &Item, kept: Option<TaxRateId>) -> Result<(), Problem> {
        if !(0..=AMOUNT_MINOR_MAX).contains(&item.price.minor()) {
            return Err(Problem::new(INVALID, format!("0 to {AMOUNT_MINOR_MAX}.")).at("/price/minor"));
        }
        if item.price.currency() != self.currency {
            let detail = format!("The merchant's terminals sell in {}.", self.currency);
            return Err(Problem::new(CURRENCY_MISMATCH, detail).at("/price/currency"));
        }
        if item.stores.len() > STORES_MAX {
            return Err(Problem::new(INVALID, format!("At most {STORES_MAX} stores.")).at("/stores"));
        }
        if !item.stores.iter().all(|store| self.stores.contains(store)) {
            return Err(StoreError::NotFound { what: "the store" }.into());
        }
        if let Some(rate) = item.tax_rate.filter(|rate| kept != Some(*rate)) {
            let found = self.rates.iter().find(|one| one.id == rate);
            if !found.ok_or(StoreError::NotFound { what: "the tax" })?.active {
                return Err(Problem::new(INVALID, "This tax is not active any more.").at("/tax_rate"));
            }
        }
        Ok(())
    }
}

/// Which goods have its barcodes.
fn holders(tx: &mut Tx<'_>, scope: &TenantScope, item: &Item) -> Result<HashMap<String, GoodsId>, StoreError> {
    let barcodes: Vec<&str> = item.barcodes.iter().map(Barcode::as_str).collect();
    goods::holders(tx, scope, &barcodes)
}

/// Whether it can have its barcodes; `held`: which goods have some already.
fn check_barcodes(item: &Item, held: &HashMap<String, GoodsId>) -> Result<(), Problem> {
    for (idx, barcode) in item.barcodes.iter().enumerate().filter(|_| item.active) {
        if held.get(barcode.as_str()).is_some_and(|holder| *holder != item.id) {
            let detail = format!("Other goods have the barcode {barcode}: take it from them first.");
            return Err(Problem::new(CONFLICT, detail).at(format!("/barcodes/{idx}")));
        }
    }
    Ok(())
}

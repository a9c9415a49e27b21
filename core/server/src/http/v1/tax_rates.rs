//! `/v1/tax-rates`: the taxes on a merchant's goods.
//!
//! Whether prices contain a tax is said of each tax, not of the merchant: then no setting changes what a price means that was
//! written down before. A tax that is not active is given to no further goods; those that have it keep it.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    Millis, TaxRateId,
    api::{GoodsTax, Page},
    pricing::BASIS_POINTS_MAX,
};
use saoma_store::{
    Tx,
    goods::{self, TaxRate},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

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
        problem::{INVALID, Problem},
        router::other_method,
        text,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/tax-rates").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/tax-rates/{tax_rate}").route(web::put().to(change)));
}

/// A tax.
#[derive(Serialize, ToSchema)]
pub struct TaxRateView {
    id: TaxRateId,
    name: String,
    basis_points: u16,
    included: bool,
    active: bool,
    /// To be sent with a change.
    version: u64,
    created_at: Millis,
}

impl From<TaxRate> for TaxRateView {
    fn from(rate: TaxRate) -> Self {
        let TaxRate { id, tax: GoodsTax { name, basis_points, included }, active, version, created_at } = rate;
        Self { id, name, basis_points, included, active, version, created_at }
    }
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTaxRate {
    /// 1 to 128 characters; stands on receipts.
    name: String,
    /// In hundredths of a percent, 0 to 10,000.
    basis_points: u16,
    /// Whether prices contain it; else it comes on top.
    included: bool,
}

/// The tax as it shall be from now on. What was sold stays as it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTaxRate {
    /// The version that was seen. If it has another by now, nothing is changed.
    version: u64,
    name: String,
    basis_points: u16,
    included: bool,
    active: bool,
}

fn tax(name: &str, basis_points: u16, included: bool) -> Result<GoodsTax, Problem> {
    if basis_points > BASIS_POINTS_MAX {
        return Err(Problem::new(INVALID, "A tax is from 0 to 10,000.").at("/basis_points"));
    }
    Ok(GoodsTax { name: text::name(name, "/name")?, basis_points, included })
}

/// The merchant's taxes, oldest first.
#[utoipa::path(get, path = "/v1/tax-rates", tag = "tax-rates", responses((status = 200, body = Page<TaxRateView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<ReadPayments>) -> Result<web::Json<Page<TaxRateView>>, Problem> {
    let scope = caller.scope()?;
    let rates = app.store().read(move |tx| goods::list_rates(tx, &scope)).await?;
    Ok(web::Json(Page { items: rates.into_iter().map(TaxRateView::from).collect(), next_cursor: None }))
}

/// Adds a tax.
#[utoipa::path(post, path = "/v1/tax-rates", tag = "tax-rates", request_body = CreateTaxRate,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = TaxRateView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageGoods>,
    key: IdempotencyKey,
    body: web::Json<CreateTaxRate>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/tax-rates", &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let rate = TaxRate {
        id: TaxRateId::from_bytes(app.random_16()?),
        tax: tax(&body.name, body.basis_points, body.included)?,
        active: true,
        version: 0,
        created_at: now,
    };
    let add = move |tx: &mut Tx<'_>| {
        let made = goods::create_rate(tx, &scope, &rate)?;
        note(tx, &who, "tax_rate.created", &rate.id, &json!(rate.tax), now)?;
        Ok(TaxRateView::from(made))
    };
    answered(&app, scope, wish, StatusCode::CREATED, add).await
}

/// Changes a tax, for what is sold from now on.
#[utoipa::path(put, path = "/v1/tax-rates/{tax_rate}", tag = "tax-rates", request_body = ChangeTaxRate,
    params(("tax_rate" = TaxRateId, Path)), responses((status = 200, body = TaxRateView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageGoods>,
    rate: web::Path<TaxRateId>,
    body: web::Json<ChangeTaxRate>,
) -> Result<web::Json<TaxRateView>, Problem> {
    let (scope, who, id, body, now) =
        (caller.scope()?, caller.principal().clone(), rate.into_inner(), body.into_inner(), app.now());
    let tax = tax(&body.name, body.basis_points, body.included)?;
    let changed = app.store().write(move |tx| {
        goods::take_turn(tx, &scope)?;
        let before = goods::load_rate(tx, &scope, id)?;
        let wanted = TaxRate { tax: tax.clone(), active: body.active, version: body.version, ..before };
        let rate = goods::save_rate(tx, &scope, &wanted)?;
        announce(tx, &scope, now)?;
        note(tx, &who, "tax_rate.changed", &id, &json!({ "tax": tax, "active": body.active }), now)?;
        Ok::<_, saoma_store::StoreError>(rate)
    });
    let changed = changed.await?;
    app.wake_outbox();
    Ok(web::Json(changed.into()))
}

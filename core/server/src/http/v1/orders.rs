//! `/v1/orders/{order}`: what is sold, and all attempts to collect it.

use actix_web::web;
use saoma_domain::order::standing;
use saoma_protocol::{Amount, OrderId, PaymentId, api::PaymentView};
use saoma_store::{Principal, StoreError, orders, payments};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadPayments},
        problem::Problem,
        router::other_method,
    },
    payments::payment_view,
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/orders/{order}").route(web::get().to(show)).default_service(web::to(other_method)));
}

#[derive(Serialize, ToSchema)]
pub struct OrderView {
    id: OrderId,
    amount: Amount,
    /// `open`, `closed`, `paid`, `overpaid` (a second payment is being given back) or `returned`.
    state: String,
    /// The payment whose success was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_by: Option<PaymentId>,
    /// Oldest first.
    payments: Vec<PaymentView>,
}

/// An order with its payments. A terminal sees its own.
#[utoipa::path(get, path = "/v1/orders/{order}", tag = "orders", params(("order" = OrderId, Path)),
    responses((status = 200, body = OrderView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    order: web::Path<OrderId>,
) -> Result<web::Json<OrderView>, Problem> {
    let (scope, order) = (caller.scope()?, order.into_inner());
    let (order, sales) = app
        .store()
        .read(move |tx| {
            let found = orders::load(tx, &scope, order)?;
            let attempts = payments::of_order(tx, &scope, order)?;
            let sales: Result<Vec<_>, StoreError> =
                attempts.iter().map(|attempt| payments::load_sale(tx, &scope, attempt.payment.id)).collect();
            Ok::<_, StoreError>((found, sales?))
        })
        .await?;
    if matches!(caller.principal(), Principal::Terminal { terminal, .. } if order.terminal != Some(*terminal)) {
        return Err(StoreError::NotFound { what: "the order" }.into());
    }
    let rules: Vec<_> = sales.iter().map(|sale| sale.payment.payment.clone()).collect();
    Ok(web::Json(OrderView {
        id: order.id,
        amount: order.amount,
        state: standing(order.paid_by, &rules).text().to_owned(),
        paid_by: order.paid_by,
        payments: sales.iter().map(|sale| payment_view(&app, sale)).collect(),
    }))
}

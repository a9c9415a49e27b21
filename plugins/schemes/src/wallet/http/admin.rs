//! The far side's books, for tests: unsigned, unprotected, never part of the published protocol's merchant API.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::json;
use crate::wallet::{
    order::AdminView,
    refusal::Refusal,
    server::{Rim, now_ms},
};

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/admin/orders", web::get().to(orders))
        .route("/admin/orders/{number}", web::get().to(order))
        .route("/admin/totals", web::get().to(totals));
}

#[derive(Deserialize)]
struct Which {
    merchant: Option<String>,
}

/// All orders in the sequence of their creation.
async fn orders(rim: web::Data<Rim>) -> HttpResponse {
    let mut state = rim.scheme.lock();
    let views = state.book.orders(now_ms()).iter().map(|order| order.admin_view(&rim.base_url));
    json(Ok(views.collect::<Vec<AdminView>>()))
}

/// One order; `?merchant=` picks among merchants that use the same number.
async fn order(rim: web::Data<Rim>, number: web::Path<String>, which: web::Query<Which>) -> HttpResponse {
    let mut state = rim.scheme.lock();
    let mut found = state.book.orders_numbered(&number, now_ms());
    found.retain(|order| which.merchant.as_ref().is_none_or(|merchant| *merchant == order.merchant));
    json(match found.as_slice() {
        [] => Err(Refusal::OrderNotFound),
        [order] => Ok(order.admin_view(&rim.base_url)),
        [_, _, ..] => Err(Refusal::Ambiguous),
    })
}

async fn totals(rim: web::Data<Rim>) -> HttpResponse {
    json(Ok(rim.scheme.lock().totals(now_ms())))
}

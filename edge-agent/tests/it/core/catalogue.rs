//! The goods that a terminal copies.

use actix_web::{HttpResponse, web};
use saoma_protocol::{Sequence, api::GoodsChanges};

use super::{Shared, problem};

#[derive(serde::Deserialize)]
pub(super) struct Since {
    since: u64,
}

/// The catalogue, in small pages; until there is one, as a core of before.
pub(super) async fn changes(known: Shared, query: web::Query<Since>) -> HttpResponse {
    const PAGE: usize = 2;
    let mut known = known.lock().unwrap();
    if known.catalogue.is_empty() {
        return problem(404, "not_found");
    }
    known.goods_asked.push(query.since);
    let afresh = query.since == 0;
    let from = usize::try_from(query.since).unwrap();
    let page: Vec<_> = known.catalogue[from..].iter().take(PAGE).cloned().collect();
    let through = from + page.len();
    let (sold, gone): (Vec<_>, Vec<_>) = page.into_iter().partition(|(_, is_sold)| *is_sold);
    let (weighed, sold): (Vec<_>, Vec<_>) =
        sold.into_iter().map(|(item, _)| item).partition(|item| known.weighed.contains(&item.id));
    HttpResponse::Ok().json(GoodsChanges {
        through: Sequence(through as u64),
        more: through < known.catalogue.len(),
        afresh,
        goods: sold,
        weighed,
        removed: gone.into_iter().map(|(item, _)| item.id).collect(),
        tax_rates: known.tax_rates.clone(),
    })
}

//! Plugins that misbehave harm their own payments and nobody else's.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::json;

use super::people::{Customer, Office};
use crate::{api::text, shop::Shop};

const NEIGHBOURS: usize = 10;
/// A neighbour's payment while two plugins rage on a machine of two cores: far above what it takes, far below the
/// deadline that the raging plugins are stopped at together.
const NEIGHBOUR_MAX: Duration = Duration::from_secs(5);

pub async fn beside_payments(shop: &mut Shop) -> Result<()> {
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    let made = shop.made()?.clone();
    let rage = |account: String, code: &'static str| {
        let (office, store) = (&office, made.store.clone());
        async move {
            let body = json!({
                "amount": Office::amount(500),
                "presentation": {"kind": "customer", "code": code},
                "channel_account": account,
                "store": store,
            });
            let reply = office.asks("/v1/payments", &body).await?;
            ensure!(reply.status.is_success(), "a plugin's failure is its payment's: {}", reply.body);
            let payment = text(&reply.body, "/id")?;
            let events = office.events(&payment).await?;
            ensure!(events.iter().any(|event| event == "no_answer"), "not known to be unknown: {events:?}");
            ensure!(reply.body["state"] != "succeeded", "{}", reply.body);
            Ok(())
        }
    };
    let raging = try_join_all([
        rage(made.trapping.clone(), "770000000000000001"),
        rage(made.looping.clone(), "770000000000000002"),
        rage(made.looping.clone(), "770000000000000003"),
    ]);
    let neighbours = try_join_all((0..NEIGHBOURS).map(|_| async {
        let code = customer.shows_code().await?;
        let started = Instant::now();
        let payment = office.charges(shop, 600, &code).await?;
        ensure!(payment["state"] == "succeeded", "{payment}");
        let took = started.elapsed();
        ensure!(took < NEIGHBOUR_MAX, "a neighbour waited {took:?}");
        Ok(())
    }));
    try_join(raging, neighbours).await.map(drop)
}

//! Every route of the till's door, and who reaches it from the network. A route that is new is to be decided upon here.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::paired::{Device, code, paired, shop, told};

const DOOR: &str = include_str!("../../src/till.rs");

/// What a customer display reaches.
const DISPLAYS: [&str; 3] = ["GET /display", "GET /display/code.svg", "GET /events"];
/// What is done at the till itself.
const AT_THE_TILL: [&str; 8] = [
    "GET /paired",
    "GET /peripherals",
    "POST /paired/code",
    "POST /paired/code/cancel",
    "POST /paired/{id}/revoke",
    "POST /peripherals/settings",
    "POST /peripherals/{kind}/restart",
    "POST /peripherals/search",
];
/// What a device that is a till reaches: what a cashier does.
const CASHIERS: [&str; 44] = [
    "GET /basket",
    "GET /books",
    "GET /display",
    "GET /display/code.svg",
    "GET /events",
    "GET /held",
    "GET /receipts/last.png",
    "GET /receipts/last.txt",
    "GET /sales",
    "GET /sales/{payment}",
    "GET /scale",
    "GET /shift",
    "GET /splits/{number}",
    "GET /state",
    "GET /training/sales",
    "POST /basket",
    "POST /card/cancel",
    "POST /drawer/open",
    "POST /held",
    "POST /held/{number}/drop",
    "POST /peripherals/{kind}/self-test",
    "POST /quotes",
    "POST /sales",
    "POST /sales/{payment}/acknowledge",
    "POST /sales/{payment}/cancel",
    "POST /sales/{payment}/confirm",
    "POST /sales/{payment}/query",
    "POST /sales/{payment}/refund",
    "POST /sales/{payment}/reprint",
    "POST /sales/{payment}/void",
    "POST /scan",
    "POST /scan/cancel",
    "POST /shift/close",
    "POST /shift/open",
    "POST /shift/paid-in",
    "POST /shift/paid-out",
    "POST /shift/reprint",
    "POST /splits/{number}/give-back",
    "POST /splits/{number}/reprint",
    "POST /sync-now",
    "POST /training/enter",
    "POST /training/leave",
    "POST /training/sales",
    "POST /training/sales/{number}/{press}",
];

/// The routes as the door has them.
fn routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for line in DOOR.lines() {
        let Some((_, rest)) = line.split_once("only(\"") else { continue };
        let (path, handlers) = rest.split_once('"').unwrap();
        for (method, handler) in [("GET", "web::get()"), ("POST", "web::post()")] {
            if handlers.contains(handler) {
                routes.insert(format!("{method} {path}"));
            }
        }
    }
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_for_those_who_were_meant() {
    let decided: BTreeSet<String> = CASHIERS.iter().chain(&AT_THE_TILL).map(|route| (*route).to_owned()).collect();
    assert_eq!(routes(), decided);

    let shop = shop().await;
    let (tablet, display) = (paired(&shop, "Tablet", "till").await, paired(&shop, "Display", "display").await);
    for (at, route) in routes().into_iter().enumerate() {
        let (method, path) = route.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let path =
            format!("/api{}", path.replace("{kind}", "printer").replace("{number}", "1").replace(['{', '}'], ""));
        let asked = async |device: &Device| {
            let body = json!({});
            let body = (method == Method::POST).then_some(&body);
            let marks = [("x-saoma-till", "1"), ("idempotency-key", "k")];
            let response = device.call(method.clone(), &path, &marks, body).await;
            // A stream of events has no end.
            if response.status() == StatusCode::OK { (200, String::new()) } else { owned(told(response).await) }
        };
        // Not more of one address than a stranger may ask in a minute.
        let stranger = Device::from(&shop, [127, 0, 1, u8::try_from(at).unwrap() + 1]).await;
        assert_eq!(asked(&stranger).await, (403, "not_paired".to_owned()), "{route}");
        let looked = asked(&display).await;
        let may_look = DISPLAYS.contains(&route.as_str());
        assert_eq!(looked == (403, "display_only".to_owned()), !may_look, "{route}: {looked:?}");
        let (status, refused) = asked(&tablet).await;
        if AT_THE_TILL.contains(&route.as_str()) {
            assert_eq!((status, refused.as_str()), (403, "loopback_only"), "{route}");
        } else {
            let of_the_guard = ["not_paired", "display_only", "loopback_only", "foreign_origin", "method_not_allowed"];
            assert!(status != 403 && !of_the_guard.contains(&refused.as_str()), "{route}: {status} {refused}");
        }
    }
}

fn owned(reply: crate::shop::Reply) -> (u16, String) {
    let (status, code) = code(&reply);
    (status, code.to_owned())
}

//! What is seen of payments: the list and its pages, one payment's timeline, the live view.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::{
    door::Door,
    town::{DEADLINE, Merchant, Town, becomes, present, text},
};

async fn teahouse() -> (Town, Merchant) {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    (town, jade)
}

/// The ids of all pages of this list, and how many pages there were.
async fn pages(door: &Door, query: &str) -> (Vec<String>, usize) {
    let (mut ids, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page: Value = door.get(&format!("/v1/payments?{query}{cursor}")).await.json(200);
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "/id").to_owned()));
        count += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (ids, count),
        }
    }
}

#[actix_web::test]
async fn every_payment_is_on_one_page() {
    let (town, jade) = teahouse().await;
    let mut sold = Vec::new();
    for nth in 0..7 {
        sold.push(text(&jade.sells(&town, &jade.owner, 100, &format!("sale-{nth}")).await, "/id").to_owned());
    }
    // All at the same moment: the order within it must not lose or repeat one.
    town.force("UPDATE payments SET created_at = 1700000000000");
    let (mut listed, count) = pages(&jade.owner, "limit=3").await;
    assert_eq!(count, 3);
    listed.sort();
    let mut all = sold.clone();
    all.sort();
    assert_eq!(listed, all);
    assert_eq!(pages(&jade.owner, "limit=7").await.1, 1, "a full last page has no next one");
    // What is sold meanwhile is newer than the place in the list, and does not push anything down.
    let first: Value = jade.owner.get("/v1/payments?limit=4").await.json(200);
    jade.sells(&town, &jade.owner, 100, "meanwhile").await;
    let next = format!("/v1/payments?limit=4&cursor={}", text(&first, "/next_cursor"));
    let second: Value = jade.owner.get(&next).await.json(200);
    assert_eq!(second["items"].as_array().unwrap().len(), 3);

    let shown: Value = jade.owner.post("/v1/payments").key("shown").json(&present(100)).await.json(201);
    assert_eq!(pages(&jade.owner, "state=presenting").await.0, [text(&shown, "/id")]);
    assert_eq!(pages(&jade.owner, "from=1700000000000&to=1700000000001").await.0.len(), 7);
    assert_eq!(pages(&jade.owner, "from=1700000000001&state=succeeded").await.0.len(), 1);
    assert_eq!(pages(&jade.owner, &format!("channel_account={}&limit=200", jade.account)).await.0.len(), 9);
    assert_eq!(pages(&jade.owner, "store=sto_qqqqqqqqqqqqqqqqqqqqqqqqqa").await.0.len(), 0);
}

#[actix_web::test]
async fn a_terminal_sees_its_own_payments_alone() {
    let (town, jade) = teahouse().await;
    let (till, other) = (town.till(&jade).await, town.till(&jade).await);
    let mut sale = crate::town::charge(300, &town.code_of("alice").await);
    sale["counter"] = json!(1);
    let number = till.number(&jade, 1);
    let _: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(201);
    let office = jade.sells(&town, &jade.owner, 100, "office").await;
    assert_eq!(pages(&till.door, "limit=10").await.0, [number.as_str()]);
    // Not even by asking for them.
    assert_eq!(pages(&till.door, &format!("terminal={}", other.id)).await.0, [number.as_str()]);
    assert!(pages(&other.door, "limit=10").await.0.is_empty());
    // One beside it sees single payments of its, and gives them back; one of another store does neither.
    let second: Value = jade.owner.post("/v1/stores").json(&json!({ "name": "Second" })).await.json(201);
    let far = town.till_in(&jade, text(&second, "/id")).await;
    assert!(pages(&far.door, "limit=10").await.0.is_empty());
    assert_eq!(other.door.get(&format!("/v1/payments/{number}/timeline")).await.status, 404);
    for (door, id) in [(&till.door, text(&office, "/id")), (&far.door, &number)] {
        for path in ["", "/timeline", "/refunds"] {
            let refused = door.get(&format!("/v1/payments/{id}{path}")).await;
            assert_eq!(refused.refusal(), (404, "not_found".to_owned()), "{path}");
        }
        for act in ["query", "cancel"] {
            let refused = door.post(&format!("/v1/payments/{id}/{act}")).key("k").await;
            assert_eq!(refused.refusal(), (404, "not_found".to_owned()), "{act}");
        }
        let body = json!({ "amount": { "minor": 1, "currency": "CNY" } });
        let refused = door.post(&format!("/v1/payments/{id}/refunds")).key("k").json(&body).await;
        assert_eq!(refused.refusal(), (404, "not_found".to_owned()));
    }
}

#[actix_web::test]
async fn a_timeline_tells_all_that_happened() {
    let (town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let id = text(&sold, "/id");
    let body = json!({ "amount": { "minor": 400, "currency": "CNY" }, "reason": "cold" });
    let _: Value = jade.owner.post(&format!("/v1/payments/{id}/refunds")).key("r").json(&body).await.json(201);
    becomes(&jade.owner, id, "partly_refunded").await;
    let timeline: Value = jade.owner.get(&format!("/v1/payments/{id}/timeline")).await.json(200);
    let words = |list: &str, word: &str| -> Vec<String> {
        timeline[list].as_array().unwrap().iter().map(|item| text(item, word).to_owned()).collect()
    };
    assert_eq!(
        words("events", "/kind"),
        ["created", "submitting", "succeeded", "refund_submitted", "refund_succeeded"]
    );
    let me: Value = jade.owner.get("/v1/auth/me").await.json(200);
    let me = text(&me, "/user/id");
    assert_eq!(words("events", "/actor"), [me, me, "channel", me, "channel"]);
    assert!(words("posting_sets", "/kind").starts_with(&["captured".to_owned()]));
    for set in timeline["posting_sets"].as_array().unwrap() {
        let sum: i64 = set["postings"].as_array().unwrap().iter().map(|p| p["money"]["minor"].as_i64().unwrap()).sum();
        assert_eq!(sum, 0, "{set}");
    }
    // 10.00 with 0.60 % for the channel, and 4.00 given back.
    let balance: Value = jade.owner.get("/v1/ledger/trial-balance").await.json(200);
    assert!(balance["accounts"].as_array().unwrap().len() >= 3, "{balance}");
}

/// Reads events until one satisfies; the ids must grow.
async fn hears(
    stream: &mut (impl futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    text: &mut String,
    wanted: &str,
) -> u64 {
    while !text.contains(wanted) {
        let next = tokio::time::timeout(DEADLINE, stream.next()).await.expect("it comes in time");
        text.push_str(std::str::from_utf8(&next.expect("the view goes on").unwrap()).unwrap());
    }
    let ids: Vec<u64> = text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    *ids.last().unwrap()
}

#[actix_web::test]
async fn a_live_view_misses_nothing_when_it_comes_back() {
    let (mut town, jade) = teahouse().await;
    let mut view = jade.owner.get("/v1/stream").open().await.bytes_stream();
    let mut heard = String::new();
    let first = jade.sells(&town, &jade.owner, 100, "first").await;
    let last = hears(&mut view, &mut heard, "\"kind\":\"succeeded\"").await;
    assert!(heard.contains(text(&first, "/id")) && heard.contains("event: payment"), "{heard}");
    drop(view);
    let away = jade.sells(&town, &jade.owner, 200, "away").await;
    town.restart().await;
    let resumed = jade.owner.get("/v1/stream").header("last-event-id", last.to_string().as_bytes()).open().await;
    assert_eq!(resumed.status(), 200);
    let (mut view, mut heard) = (resumed.bytes_stream(), String::new());
    hears(&mut view, &mut heard, "\"kind\":\"succeeded\"").await;
    assert!(heard.contains(text(&away, "/id")) && !heard.contains(text(&first, "/id")), "{heard}");
}

#[actix_web::test]
async fn a_live_view_ends_for_whoever_is_shut_out() {
    let (town, jade) = teahouse().await;
    let cashier = town.person(&jade, "cashier").await;
    let mut view = cashier.get("/v1/stream").open().await.bytes_stream();
    let out = cashier.post("/v1/auth/sign-out").await;
    assert_eq!(out.status, 204);
    let ends = async { while let Some(Ok(_)) = view.next().await {} };
    tokio::time::timeout(DEADLINE, ends).await.expect("the view ends");
}

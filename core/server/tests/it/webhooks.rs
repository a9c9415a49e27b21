//! Webhooks over a merchant's shoulder: what their server hears and can trust, and what the API and the dashboard tell of it.

use serde_json::{Value, json};

use crate::{
    bad_input_desk::Desk,
    door::{Answer, Door},
    receiver::{Receiver, Reply},
    town::{DEADLINE, Merchant, Town, present, text},
};

/// An endpoint, and its secret.
async fn listens(owner: &Door, receiver: &Receiver, with: Value) -> (String, String) {
    let mut body = json!({ "url": receiver.url });
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let made: Value = owner.post("/v1/webhook-endpoints").json(&body).await.json(201);
    (text(&made, "/endpoint/id").to_owned(), text(&made, "/secret").to_owned())
}

async fn deliveries(owner: &Door, endpoint: &str, state: &str) -> Vec<Value> {
    let path = format!("/v1/webhook-endpoints/{endpoint}/deliveries?state={state}");
    let page: Value = owner.get(&path).await.json(200);
    page["items"].as_array().unwrap().clone()
}

/// Waits until so many of the endpoint's deliveries have come to this.
async fn come_to(owner: &Door, endpoint: &str, state: &str, count: usize) -> Vec<Value> {
    let until = tokio::time::Instant::now() + DEADLINE;
    loop {
        let found = deliveries(owner, endpoint, state).await;
        if found.len() >= count {
            return found;
        }
        assert!(tokio::time::Instant::now() < until, "{count} {state} in time: {found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn detail(owner: &Door, delivery: &Value) -> Value {
    owner.get(&format!("/v1/webhook-deliveries/{}", text(delivery, "/id"))).await.json(200)
}

async fn endpoint(owner: &Door, id: &str) -> Value {
    owner.get(&format!("/v1/webhook-endpoints/{id}")).await.json(200)
}

async fn test(owner: &Door, id: &str) -> Answer {
    owner.post(&format!("/v1/webhook-endpoints/{id}/test")).await
}

async fn change(owner: &Door, id: &str, changes: Value) -> Answer {
    owner.ask("PATCH", &format!("/v1/webhook-endpoints/{id}")).json(&changes).await
}

async fn teahouse() -> (Town, Merchant, Receiver) {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    (town, jade, Receiver::open().await)
}

/// Another implementation of the specification reads what we send; the payload is what the API shows.
#[actix_web::test]
async fn a_sale_and_its_refund_are_told_and_signed_as_the_specification_says() {
    let (town, jade, receiver) = teahouse().await;
    let (id, secret) = listens(&jade.owner, &receiver, json!({})).await;
    let mut sale = crate::town::charge(2_000, &town.code_of("alice").await);
    sale["cashier"] = json!("Mei Lin");
    sale["reference"] = json!("table 7");
    let sold: Value = jade.owner.post("/v1/payments").key("k").json(&sale).await.json(201);
    let paid = receiver.hears_of("payment.succeeded").await;
    let refund = json!({ "amount": { "minor": 500, "currency": "CNY" }, "reason": "Mr Wang was unhappy" });
    let path = format!("/v1/payments/{}/refunds", text(&sold, "/id"));
    let refund: Value = jade.owner.post(&path).key("r").json(&refund).await.json(201);
    let given_back = receiver.hears_of("refund.succeeded").await;
    let all = receiver.hears(4).await;
    let mut kinds: Vec<_> = all.iter().map(|heard| heard.kind()).collect();
    kinds.sort();
    assert_eq!(kinds, ["payment.created", "payment.succeeded", "refund.created", "refund.succeeded"]);
    let (_, foreign) = listens(&jade.owner, &Receiver::open().await, json!({ "event_types": ["refund.failed"] })).await;
    for heard in &all {
        assert!(heard.is_signed_with(&secret) && !heard.is_signed_with(&foreign), "{}", heard.kind());
        let mut changed = heard.clone();
        *changed.body.last_mut().unwrap() = b' ';
        assert!(!changed.is_signed_with(&secret), "a changed body is not ours");
        assert_eq!(heard.header("content-type"), "application/json");
        assert!(heard.header("webhook-id").starts_with("evt_"));
        let body = String::from_utf8(heard.body.clone()).unwrap();
        assert!(!body.contains("Mei") && !body.contains("Wang"), "no names of people: {body}");
    }
    let mut ids: Vec<_> = all.iter().map(|heard| heard.header("webhook-id").to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let mut shown = sold.clone();
    shown.as_object_mut().unwrap().remove("cashier");
    assert_eq!(paid.json()["data"], shown);
    assert!(text(&paid.json(), "/timestamp").ends_with('Z'), "{}", paid.json());
    assert_eq!(given_back.json()["data"]["id"], refund["id"]);
    assert_eq!(given_back.json()["data"]["payment"], sold["id"]);

    // The secret was shown once, and lies nowhere in the clear.
    let (listed, log) = (jade.owner.get("/v1/webhook-endpoints").await.text, jade.owner.get("/v1/audit").await.text);
    assert!(!listed.contains(&secret) && listed.contains(&id), "{listed}");
    // A path may be a secret of the receiver's.
    assert!(!log.contains(&secret) && log.contains(&id) && !log.contains("/hooks"), "{log}");
    let rows = town.rows_of(&jade.id).join("\n").to_lowercase();
    let bytes = data_encoding::BASE64.decode(secret.trim_start_matches("whsec_").as_bytes()).unwrap();
    assert!(!rows.contains(&data_encoding::HEXLOWER.encode(&bytes)) && !rows.contains(&secret.to_lowercase()));
}

/// A code on show is money to whoever photographs it: it is in no payload.
#[actix_web::test]
async fn a_code_on_show_is_told_without_the_code() {
    let (_town, jade, receiver) = teahouse().await;
    let (id, _) = listens(&jade.owner, &receiver, json!({ "event_types": ["payment.presenting"] })).await;
    let shown: Value = jade.owner.post("/v1/payments").key("k").json(&present(100)).await.json(201);
    let heard = receiver.hears_of("payment.presenting").await;
    assert!(shown["code_url"].is_string() && heard.json()["data"]["code_url"].is_null(), "{}", heard.json());
    assert_eq!(heard.json()["data"]["state"], "presenting");
    assert_eq!(come_to(&jade.owner, &id, "succeeded", 1).await.len(), 1, "and of nothing else it heard");
}

#[actix_web::test]
async fn while_a_secret_is_changed_every_request_can_be_trusted() {
    let (_town, jade, receiver) = teahouse().await;
    let (id, old) = listens(&jade.owner, &receiver, json!({})).await;
    let rotate = |body: Value| jade.owner.post(&format!("/v1/webhook-endpoints/{id}/rotate-secret")).json(&body);
    let rotated: Value = rotate(json!({})).await.json(200);
    let new = text(&rotated, "/secret").to_owned();
    assert!(rotated["endpoint"]["previous_secret_until"].is_i64() && new != old, "{rotated}");
    test(&jade.owner, &id).await.json::<Value>(202);
    let both = receiver.hears(1).await.remove(0);
    assert!(both.is_signed_with(&new) && both.is_signed_with(&old), "{}", both.header("webhook-signature"));
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    // One that got out is worth nothing from now on.
    let rotated: Value = rotate(json!({ "overlap_seconds": 0 })).await.json(200);
    let newest = text(&rotated, "/secret");
    assert!(rotated["endpoint"]["previous_secret_until"].is_null(), "{rotated}");
    test(&jade.owner, &id).await.json::<Value>(202);
    let one = receiver.hears(2).await.remove(1);
    assert!(one.is_signed_with(newest) && !one.is_signed_with(&new) && !one.is_signed_with(&old));
    assert_eq!(rotate(json!({ "overlap_seconds": 604_801 })).await.refusal(), (422, "invalid".to_owned()));
    assert_eq!(jade.audited("webhook_endpoint.secret_rotated").await.len(), 2);
}

/// One that answers wrongly in every way; in the order of the events, and each event until it is understood.
#[actix_web::test]
async fn an_ordered_endpoint_is_told_again_until_it_understands() {
    let (town, jade, receiver) = teahouse().await;
    let elsewhere = Receiver::open().await;
    let wanted = json!({ "event_types": ["payment.succeeded"], "ordered": true });
    let (id, secret) = listens(&jade.owner, &receiver, wanted).await;
    let page = "<p>no</p>".repeat(10_000);
    receiver.next([Reply::Says(500, page), Reply::HangUp, Reply::MovedTo(elsewhere.url.clone()), Reply::Status(200)]);
    let first = jade.sells(&town, &jade.owner, 100, "1").await;
    let second = jade.sells(&town, &jade.owner, 200, "2").await;
    receiver.hears(1).await;
    let hurry = || {
        town.force("UPDATE webhook_deliveries SET next_at = 1 WHERE next_at IS NOT NULL AND state = 'pending'");
    };
    for count in 2..=4 {
        // What only time does: the pauses are 5 s and more. The outcome of the one before is there once it has a pause.
        crate::fleet_world::eventually("the attempt is written down", async || {
            town.column("SELECT CAST(COUNT(*) AS TEXT) AS text FROM webhook_attempts")[0] == (count - 1).to_string()
        })
        .await;
        hurry();
        receiver.hears(count).await;
    }
    // It has understood, and the next one goes out by itself: nothing of it needs to be waited for.
    receiver.hears(5).await;
    let heard = receiver.heard();
    let ids: Vec<_> = heard.iter().map(|heard| heard.header("webhook-id")).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "{ids:?}");
    assert!(heard.iter().all(|heard| heard.is_signed_with(&secret)));
    assert_eq!((&heard[3].json()["data"]["id"], &heard[4].json()["data"]["id"]), (&first["id"], &second["id"]));
    assert_eq!((heard[0].body.clone(), receiver.at_once_most()), (heard[3].body.clone(), 1));
    assert!(elsewhere.heard().is_empty(), "nobody is led elsewhere");

    let done = come_to(&jade.owner, &id, "succeeded", 2).await;
    let told = detail(&jade.owner, &done[1]).await;
    let attempts = told["attempts"].as_array().unwrap();
    let seen: Vec<_> =
        attempts.iter().map(|attempt| (attempt["number"].as_u64(), attempt["status"].as_u64())).collect();
    assert_eq!(seen, [(Some(1), Some(500)), (Some(2), None), (Some(3), Some(307)), (Some(4), Some(200))]);
    assert_eq!(text(&attempts[0], "/body").len(), 2_048, "the beginning is kept");
    assert!(text(&attempts[1], "/error").starts_with("the connection broke"), "{}", attempts[1]);
    assert!(text(&attempts[2], "/error").contains("redirects are not followed"), "{}", attempts[2]);
    assert_eq!(told["payload"], heard[0].json());
    assert!(endpoint(&jade.owner, &id).await["last_success_at"].is_i64());
}

#[actix_web::test]
async fn what_was_told_is_told_again_when_somebody_asks() {
    let (town, jade, receiver) = teahouse().await;
    let (id, secret) = listens(&jade.owner, &receiver, json!({ "event_types": ["payment.succeeded"] })).await;
    for number in ["1", "2", "3"] {
        jade.sells(&town, &jade.owner, 100, number).await;
    }
    let heard = receiver.hears(3).await;
    let done = come_to(&jade.owner, &id, "succeeded", 3).await;
    let path = format!("/v1/webhook-deliveries/{}/replay", text(&done[0], "/id"));
    assert_eq!(jade.owner.post(&path).await.json::<Value>(202)["state"], "pending");
    let again = receiver.hears(4).await.remove(3);
    assert_eq!(again.header("webhook-id"), text(&done[0], "/event"));
    assert!(again.is_signed_with(&secret) && heard.iter().any(|heard| heard.body == again.body));
    come_to(&jade.owner, &id, "succeeded", 3).await;

    let range = |body: Value| jade.owner.post(&format!("/v1/webhook-endpoints/{id}/replay")).json(&body);
    let (from, to) = (done[1]["created_at"].as_i64().unwrap(), done[0]["created_at"].as_i64().unwrap());
    assert_eq!(range(json!({ "from": from, "to": to })).await.json::<Value>(202)["count"], 0, "nothing has failed");
    let replayed: Value = range(json!({ "from": from, "to": to, "succeeded_too": true })).await.json(202);
    assert_eq!(replayed["count"], 1);
    assert_eq!(receiver.hears(5).await[4].header("webhook-id"), text(&done[1], "/event"));
    assert_eq!(range(json!({ "from": to, "to": from })).await.refusal(), (422, "invalid".to_owned()));
    assert_eq!(jade.audited("webhook_delivery.replayed").await.len(), 1);
    assert_eq!(jade.audited("webhook_endpoint.replayed").await.len(), 2);
    come_to(&jade.owner, &id, "succeeded", 3).await;

    // Switched off, it hears nothing, and nobody is told that it will.
    let off: Value =
        change(&jade.owner, &id, json!({ "enabled": false, "description": "moving house" })).await.json(200);
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("by_person")));
    for refused in
        [jade.owner.post(&path).await, range(json!({ "from": 0, "to": 1 })).await, test(&jade.owner, &id).await]
    {
        assert_eq!(refused.refusal(), (409, "webhook_disabled".to_owned()));
    }
    jade.sells(&town, &jade.owner, 100, "4").await;
    change(&jade.owner, &id, json!({ "enabled": true })).await.json::<Value>(200);
    test(&jade.owner, &id).await.json::<Value>(202);
    assert_eq!(receiver.hears(6).await[5].kind(), "webhook.test", "what happened meanwhile is not told later");
    let gone = jade.owner.ask("DELETE", &format!("/v1/webhook-endpoints/{id}")).await;
    assert_eq!((gone.status, jade.owner.post(&path).await.status), (204, 404));
}

/// A receiver that has the events' types of another endpoint, or is gone for good.
#[actix_web::test]
async fn a_receiver_that_answers_410_is_left_alone() {
    let (town, jade, receiver) = teahouse().await;
    let (id, _) = listens(&jade.owner, &receiver, json!({ "event_types": ["payment.succeeded"] })).await;
    receiver.next([Reply::Status(410)]);
    jade.sells(&town, &jade.owner, 100, "1").await;
    come_to(&jade.owner, &id, "failed", 1).await;
    let shown = endpoint(&jade.owner, &id).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    assert_eq!(jade.audited("webhook_endpoint.disabled").await.len(), 1);
    jade.sells(&town, &jade.owner, 100, "2").await;
    assert_eq!(receiver.heard().len(), 1);
}

#[actix_web::test]
async fn wishes_that_cannot_be_granted() {
    let mut desk = Desk::open().await;
    let owner = desk.owner().clone();
    let of_nothing = "/v1/webhook-endpoints/whe_qqqqqqqqqqqqqqqqqqqqqqqqqa";
    let url = "https://shop.example/hooks";
    for (what, method, path, body) in [
        ("without a URL", "POST", "", json!({})),
        ("a URL that is a number", "POST", "", json!({ "url": 1 })),
        ("an unknown type", "POST", "", json!({ "url": url, "event_types": ["payment.stolen"] })),
        ("a type in capitals", "POST", "", json!({ "url": url, "event_types": ["Payment.Created"] })),
        ("an unknown field", "POST", "", json!({ "url": url, "secret": "whsec_bXk=" })),
        ("a long description", "POST", "", json!({ "url": url, "description": "x".repeat(129) })),
        (
            "a description with a line break",
            "POST",
            "",
            json!({ "url": url, "description": "a
b" }),
        ),
        ("an order that is changed", "PATCH", of_nothing, json!({ "ordered": true })),
        ("another URL without TLS", "PATCH", of_nothing, json!({ "url": "http://8.8.8.8/" })),
        ("of nothing", "PATCH", of_nothing, json!({ "enabled": true })),
        ("an overlap below nothing", "POST", "/rotate-secret", json!({ "overlap_seconds": -1 })),
        ("an overlap of more than a week", "POST", "/rotate-secret", json!({ "overlap_seconds": 604_801 })),
        ("a range without an end", "POST", "/replay", json!({ "from": 1 })),
        ("a range of nothing", "POST", "/replay", json!({ "from": 1, "to": 1 })),
        ("a range in words", "POST", "/replay", json!({ "from": "yesterday", "to": 1 })),
    ] {
        let path = match path {
            "" => "/v1/webhook-endpoints".to_owned(),
            action if action.starts_with("/r") => format!("{of_nothing}{action}"),
            path => path.to_owned(),
        };
        let answer = owner.ask(method, &path).json(&body).await;
        desk.is_refused(&format!("{what}: {method}"), &answer);
    }
    for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=-1", "state=lost", "since=1"] {
        let answer = owner.get(&format!("{of_nothing}/deliveries?{query}")).await;
        desk.is_refused(query, &answer);
    }
    for id in ["whd_qqqqqqqqqqqqqqqqqqqqqqqqqa", "whe_qqqqqqqqqqqqqqqqqqqqqqqqqa", "x"] {
        let answer = owner.get(&format!("/v1/webhook-deliveries/{id}")).await;
        desk.is_refused(&format!("delivery {id}"), &answer);
    }
    for _ in 0..16 {
        owner.post("/v1/webhook-endpoints").json(&json!({ "url": url })).await.json::<Value>(201);
    }
    let answer = owner.post("/v1/webhook-endpoints").json(&json!({ "url": url })).await;
    desk.is_refused("a seventeenth", &answer);
    desk.before = desk.town.rows_of(&desk.jade.id);
    insta::assert_snapshot!(desk.close().await);
}

/// Without the operator's leave nothing goes to an address that is not public, however it is written, and whatever a name
/// leads to when it is sent.
#[actix_web::test]
async fn addresses_inside_are_out_of_reach() {
    let town = Town::found_with(&[("SAOMA_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "false")]).await;
    let (jade, inside) = (town.merchant("jade").await, Receiver::open().await);
    for url in [
        inside.url.as_str(),
        "http://shop.example/hooks",
        "https://127.0.0.1/hooks",
        "https://127.1/hooks",
        "https://2130706433/hooks",
        "https://0x7f000001/hooks",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[2002:a00:1::]/",
        "https://user:pass@shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "shop.example",
        "",
    ] {
        let refused = jade.owner.post("/v1/webhook-endpoints").json(&json!({ "url": url })).await;
        assert_eq!(refused.refusal(), (422, "webhook_url_refused".to_owned()), "{url}");
    }
    let long = format!("https://shop.example/{}", "x".repeat(2_048));
    let refused = jade.owner.post("/v1/webhook-endpoints").json(&json!({ "url": long })).await;
    assert_eq!(refused.refusal(), (422, "webhook_url_refused".to_owned()));

    // A name is a name until it is asked for: this one leads to ourselves.
    let by_name = inside.url.replace("http://127.0.0.1", "https://localhost");
    let made: Value = jade.owner.post("/v1/webhook-endpoints").json(&json!({ "url": by_name })).await.json(201);
    let id = text(&made, "/endpoint/id");
    for forced in [by_name, inside.url.clone()] {
        // As if the name had been public when it was written down, or the operator had allowed it then.
        town.force(&format!("UPDATE webhook_endpoints SET url = '{forced}'"));
        let sent: Value = test(&jade.owner, id).await.json(202);
        let delivery = json!({ "id": sent["delivery"] });
        let mut told = Value::Null;
        crate::fleet_world::eventually("it was tried", async || {
            let answer = jade.owner.get(&format!("/v1/webhook-deliveries/{}", text(&delivery, "/id"))).await;
            told = if answer.status == 200 { answer.json(200) } else { Value::Null };
            told["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty())
        })
        .await;
        assert!(text(&told, "/attempts/0/error").starts_with("not sent: "), "{told}");
        assert_eq!(told["delivery"]["state"], "pending", "the merchant may mend the URL meanwhile");
    }
    assert!(inside.heard().is_empty());
}

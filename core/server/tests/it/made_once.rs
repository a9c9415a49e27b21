//! Whatever a request makes, it makes once: a repeat whose answer was lost hears the same answer, the secret in it too, and
//! nobody else does.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    receiver::Receiver,
    town::{Merchant, PASSWORD, Town, sign_in, text},
};

/// How many rows there are of what requests make, and of what they leave in the log.
fn made(town: &Town) -> Vec<String> {
    let tables = [
        "api_keys",
        "audit_log",
        "cashiers",
        "channel_accounts",
        "goods",
        "outbox",
        "static_codes",
        "stores",
        "tax_rates",
        "tenants",
        "terminal_claims",
        "terminals",
        "users",
        "webhook_endpoints",
    ];
    let count = |table| town.column(&format!("SELECT '{table} ' || count(*) AS text FROM {table}"));
    tables.into_iter().flat_map(count).collect()
}

async fn sent(door: &Door, key: &str, (path, body): (&str, &Value)) -> Answer {
    match body {
        Value::Null => door.post(path).key(key).await,
        body => door.post(path).key(key).json(body).await,
    }
}

/// Every POST that makes something, with a body of its own.
async fn wishes(town: &Town, jade: &Merchant, receiver: &Receiver) -> Vec<(String, Value)> {
    let till = town.till(jade).await.id;
    let hook = json!({ "url": receiver.url });
    let hook: Value = jade.owner.post("/v1/webhook-endpoints").json(&hook).await.json(201);
    let hook = format!("/v1/webhook-endpoints/{}", text(&hook, "/endpoint/id"));
    let trial: Value = jade.owner.post(&format!("{hook}/test")).await.json(202);
    receiver.hears(1).await;
    let person = json!({ "email": "spare@jade.example", "name": "spare", "role": "cashier" });
    let person: Value = jade.owner.post("/v1/users").json(&person).await.json(201);
    [
        ("/v1/api-keys".to_owned(), json!({ "name": "shop system", "role": "owner" })),
        ("/v1/cashiers".to_owned(), json!({ "name": "Mei", "staff_code": "1", "role": "cashier", "pin": "739182" })),
        (
            "/v1/channel-accounts".to_owned(),
            json!({ "plugin": "sandbox", "name": "second", "fee_basis_points": 10,
                "settings": { "base_url": "http://127.0.0.1:9", "merchant_id": "m" }, "secrets": { "merchant-key": "k" } }),
        ),
        ("/v1/goods".to_owned(), json!({ "name": "tea", "price": { "minor": 500, "currency": "CNY" } })),
        ("/v1/tax-rates".to_owned(), json!({ "name": "VAT", "basis_points": 1_300, "included": true })),
        ("/v1/static-codes".to_owned(), json!({ "store": jade.store, "label": "gate", "max_minor": 100 })),
        ("/v1/stores".to_owned(), json!({ "name": "Second" })),
        ("/v1/terminals".to_owned(), json!({ "name": "second", "store": jade.store })),
        (format!("/v1/terminals/{till}/claim-code"), Value::Null),
        ("/v1/users".to_owned(), json!({ "email": "new@jade.example", "name": "new", "role": "cashier" })),
        (format!("/v1/users/{}/reset-password", text(&person, "/user/id")), Value::Null),
        ("/v1/webhook-endpoints".to_owned(), json!({ "url": "http://127.0.0.1:9/" })),
        (format!("{hook}/test"), Value::Null),
        (format!("{hook}/rotate-secret"), json!({ "overlap_seconds": 60 })),
        (format!("{hook}/replay"), json!({ "from": 0, "to": 1 })),
        (format!("/v1/webhook-deliveries/{}/replay", text(&trial, "/delivery")), Value::Null),
    ]
    .into()
}

/// Another body of the same kind.
fn other(body: &Value) -> Value {
    let mut other = body.clone();
    let fields = other.as_object_mut().unwrap();
    let change = |value: &Value| match value {
        Value::String(text) => json!(format!("{text}x")),
        _ => json!(2),
    };
    for name in ["name", "label", "url", "overlap_seconds", "to"] {
        if let Some(value) = fields.get_mut(name) {
            *value = change(value);
        }
    }
    other
}

#[actix_web::test]
async fn a_repeat_makes_nothing_and_hears_the_first_answer() {
    let town = Town::found().await;
    let (jade, receiver) = (town.merchant("jade").await, Receiver::open().await);
    let manager = town.key(&jade, "owner").await;
    let merchant =
        json!({ "name": "rust", "currency": "CNY", "owner_name": "rust owner", "owner_email": "owner@rust.example" });
    let mut all = wishes(&town, &jade, &receiver).await;
    all.push(("/v1/tenants".to_owned(), merchant));
    for (path, body) in &all {
        let wish = (path.as_str(), body);
        let door = if path == "/v1/tenants" { &town.admin } else { &jade.owner };
        let missing = match body {
            Value::Null => door.post(path).without_key().await,
            body => door.post(path).without_key().json(body).await,
        };
        assert_eq!(missing.refusal(), (400, "idempotency_key_missing".to_owned()), "{path}");
        let first = sent(door, "wish", wish).await;
        assert!(first.status < 300, "{path}: {}", first.text);
        let rows = made(&town);
        let again = sent(door, "wish", wish).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
        assert_eq!(made(&town), rows, "{path}");
        let reused = (422, "idempotency_key_reused".to_owned());
        if !body.is_null() {
            assert_eq!(sent(door, "wish", (path, &other(body))).await.refusal(), reused, "{path}");
        }
        if path != "/v1/tenants" {
            // Not even to a colleague who knows the key and the body is the secret told.
            assert_eq!(sent(&manager, "wish", wish).await.refusal(), reused, "{path}");
        }
        assert_eq!(made(&town), rows, "{path}");
    }
    // An hour later nobody opens the answers any more; what was done is still known.
    town.force("UPDATE idempotency_keys SET answer_until = 1 WHERE answer_until IS NOT NULL");
    let rows = made(&town);
    for (path, body) in &all {
        let door = if path == "/v1/tenants" { &town.admin } else { &jade.owner };
        let late = sent(door, "wish", (path, body)).await;
        assert_eq!(late.refusal(), (409, "answered_before".to_owned()), "{path}");
    }
    assert_eq!(made(&town), rows);
}

/// The secrets that were told twice work, and the database holds none of them in the clear.
#[actix_web::test]
async fn a_secret_that_was_told_again_works_and_lies_sealed() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let key = json!({ "name": "shop system", "role": "owner" });
    let person = json!({ "email": "new@jade.example", "name": "new", "role": "cashier" });
    let (mut secrets, mut answers) = (Vec::new(), Vec::new());
    for (path, body, pointer) in [("/v1/api-keys", &key, "/secret"), ("/v1/users", &person, "/one_time_password")] {
        let _: Value = sent(&jade.owner, "lost", (path, body)).await.json(201);
        let again: Value = sent(&jade.owner, "lost", (path, body)).await.json(201);
        secrets.push(text(&again, pointer).to_owned());
        answers.push(again);
    }
    let stores: Value = town.nobody().with(&secrets[0]).get("/v1/stores").await.json(200);
    assert_eq!(stores["items"].as_array().unwrap().len(), 1);
    sign_in(&town.nobody(), "new@jade.example", &secrets[1]).await;
    let sealed = town.column("SELECT hex(answer) AS text FROM idempotency_keys WHERE answer IS NOT NULL");
    assert!(sealed.len() >= 2);
    for secret in secrets.iter().map(String::as_str).chain(["shop system", PASSWORD]) {
        let plain = data_encoding::HEXUPPER.encode(secret.as_bytes());
        assert!(sealed.iter().all(|answer| !answer.contains(&plain)), "{answers:?}");
    }
}

/// Of many that come at once one is first, and all hear the same.
#[actix_web::test]
async fn the_same_request_at_once_makes_one_thing() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let body = json!({ "name": "shop system", "role": "cashier" });
    let asks = (0..8).map(|_| sent(&jade.owner, "at-once", ("/v1/api-keys", &body)));
    let answers = futures_util::future::join_all(asks).await;
    let first: Value = answers[0].json(201);
    assert!(answers.iter().all(|answer| answer.json::<Value>(201) == first));
    let keys: Value = jade.owner.get("/v1/api-keys").await.json(200);
    assert_eq!(keys["items"].as_array().unwrap().len(), 1);
}

/// What only repeats itself still belongs to one request.
#[actix_web::test]
async fn a_comparison_is_started_once() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let body = |day: &str| json!({ "channel_account": jade.account, "day": day });
    let path = "/v1/reconciliations";
    let first: Value = sent(&jade.owner, "day", (path, &body("2026-01-31"))).await.json(202);
    let shown = format!("{path}/{}", text(&first, "/id"));
    crate::fleet_world::eventually("the comparison ends", async || {
        jade.owner.get(&shown).await.json::<Value>(200)["state"] == "done"
    })
    .await;
    let again: Value = sent(&jade.owner, "day", (path, &body("2026-01-31"))).await.json(202);
    assert_eq!(again, first);
    let reused = sent(&jade.owner, "day", (path, &body("2026-01-30"))).await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));
    let runs: Value = jade.owner.get(path).await.json(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
    // Attending, and the two steps of a settlement: the first takes a body of its own, the others none.
    let sold = jade.sells(&town, &jade.owner, 100, "sale").await;
    let attend = format!("/v1/payments/{}/attend", text(&sold, "/id"));
    for (reason, status) in [("seen to", 200), ("seen to", 200), ("not seen to", 422)] {
        let answer = sent(&jade.owner, "seen", (&attend, &json!({ "reason": reason }))).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    for step in ["confirm", "withdraw"] {
        let path = format!("/v1/settlements/hst_{}a/{step}", "q".repeat(25));
        let refused = sent(&jade.owner, "step", (&path, &json!({ "reason": "x" }))).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
}

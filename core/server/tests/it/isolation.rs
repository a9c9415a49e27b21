//! What is one merchant's is out of another's reach on the ways that the API's document does not describe: topics, channel
//! plugins and their small store, and ids inside bodies.

use std::collections::BTreeSet;

use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{PubAckReason, SubscribeReasonCode},
};
use saoma_protocol::{
    Amount, Currency, Millis, Sequence,
    api::{PaymentState, RefundState},
    journal::{Entry, GENESIS, Record},
    topic::{Leaf, Topic},
};
use serde_json::{Value, json};

use crate::{
    fleet_client::{Client, Connect},
    fleet_world::eventually,
    notifications::{Notice, paid_order},
    town::{Merchant, Till, Town, charge, present, text},
};

impl Till {
    async fn connect(&self) -> Client {
        let (port, client_id, tls) = (self.mqtt_port, self.id.clone(), self.identity.tls(true));
        Client::connect(Connect { port, client_id, tls, will: None, clean_start: true }).await.expect("core lets it in")
    }
}

fn topic(merchant: &Merchant, till: &Till, leaf: Leaf) -> Topic {
    Topic { tenant: merchant.id.parse().unwrap(), terminal: till.id.parse().unwrap(), leaf }
}

/// Every topic there is, of oneself, of the neighbour and of a stranger: who may publish, who may subscribe.
#[actix_web::test]
async fn a_terminal_has_its_own_leaves_of_the_topic_table_alone() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let (till, neighbour, stranger) = (town.till(&jade).await, town.till(&jade).await, town.till(&rust).await);
    // A tenant with another's terminal, too.
    let crossed = |leaf| Topic { tenant: rust.id.parse().unwrap(), terminal: till.id.parse().unwrap(), leaf };
    let before = (town.rows_of(&jade.id), town.rows_of(&rust.id));
    let mut client = stranger.connect().await;
    for leaf in Leaf::ALL {
        for foreign in [topic(&jade, &till, leaf), topic(&jade, &neighbour, leaf), crossed(leaf)] {
            let foreign = foreign.to_string();
            assert_eq!(client.publish(&foreign, "{}").await, PubAckReason::NotAuthorized, "publish {foreign}");
            assert_eq!(client.subscribe(&foreign).await, SubscribeReasonCode::NotAuthorized, "subscribe {foreign}");
        }
        let own = topic(&rust, &stranger, leaf).to_string();
        let (may_publish, may_subscribe) = if leaf.is_up() {
            (PubAckReason::Success, SubscribeReasonCode::NotAuthorized)
        } else {
            (PubAckReason::NotAuthorized, SubscribeReasonCode::Success(QoS::AtLeastOnce))
        };
        assert_eq!(client.publish(&own, "{}").await, may_publish, "publish {own}");
        assert_eq!(client.subscribe(&own).await, may_subscribe, "subscribe {own}");
    }
    assert_eq!(town.rows_of(&jade.id), before.0);
    // That it came and went may be written down of itself.
    let of_others = |rows: &[String]| rows.iter().filter(|row| !row.contains(&stranger.id)).count();
    assert_eq!(of_others(&town.rows_of(&rust.id)), of_others(&before.1));
}

/// What core sends one merchant's terminal arrives at no other's.
#[actix_web::test]
async fn a_push_reaches_its_terminal_alone() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let (till, stranger) = (town.till(&jade).await, town.till(&rust).await);
    let (mut ours, mut theirs) = (till.connect().await, stranger.connect().await);
    for (client, merchant, till) in [(&mut ours, &jade, &till), (&mut theirs, &rust, &stranger)] {
        let down = Topic::down_filter(merchant.id.parse().unwrap(), till.id.parse().unwrap());
        assert_eq!(client.subscribe(&down).await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    }
    let push = |merchant: &Merchant, till: &Till| merchant.owner.post(&format!("/v1/terminals/{}/sync-now", till.id));
    assert_eq!(push(&jade, &till).await.status, 202);
    ours.message("down/push").await;
    // The stranger's next message is its own, so nothing came before it.
    let sale = json!({ "amount": { "minor": 777, "currency": "CNY" }, "presentation": { "kind": "customer",
        "code": town.code_of("alice").await }, "counter": 1 });
    let number = stranger.number(&rust, 1);
    let _: Value = stranger.door.post("/v1/payments").key(&number).json(&sale).await.json(201);
    let message = String::from_utf8(theirs.message("down/push").await).unwrap();
    assert!(message.contains(&number) && !message.contains("sync_now"), "{message}");
}

/// Every id that a body can hold, as the document says: operation and pointer.
fn ids_in_bodies() -> BTreeSet<String> {
    fn walk(document: &Value, schema: &Value, place: &str, found: &mut BTreeSet<String>) {
        if let Some(name) = schema["$ref"].as_str().and_then(|whole| whole.rsplit('/').next()) {
            let schema = &document["components"]["schemas"][name];
            // `pay_…`, `sto_…`: as every id of the list in `saoma_protocol::id` is described.
            if schema["pattern"].as_str().is_some_and(|pattern| pattern.ends_with("_[a-z2-7]{26}$")) {
                found.insert(place.to_owned());
            } else {
                walk(document, schema, place, found);
            }
        }
        for list in ["oneOf", "anyOf", "allOf"] {
            schema[list].as_array().into_iter().flatten().for_each(|one| walk(document, one, place, found));
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            walk(document, property, &format!("{place}/{name}"), found);
        }
        if schema["items"].is_object() {
            walk(document, &schema["items"], &format!("{place}/0"), found);
        }
    }
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut found = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            walk(&document, schema, text(operation, "/operationId"), &mut found);
        }
    }
    found
}

/// A day that has been compared with its bill, and a payout that the bill does not know: what is to be decided about it.
async fn discrepancy_of(merchant: &Merchant) -> String {
    let owner = &merchant.owner;
    let day = "2026-01-31";
    let asked = json!({ "channel_account": merchant.account, "day": day });
    let started: Value = owner.post("/v1/reconciliations").key("day").json(&asked).await.json(202);
    eventually("the comparison ends", async || {
        let shown: Value = owner.get(&format!("/v1/reconciliations/{}", text(&started, "/id"))).await.json(200);
        shown["state"] == "done"
    })
    .await;
    let payout = json!({
        "channel_account": merchant.account, "from_day": day, "to_day": day, "reference": "B1",
        "amount": { "minor": 1, "currency": "CNY" }, "received_at": 1_790_000_000_000_i64,
    });
    let _: Value = owner.post("/v1/payouts").key("payout").json(&payout).await.json(201);
    let found: Value = owner.get("/v1/discrepancies").await.json(200);
    text(&found, "/items/0/id").to_owned()
}

/// Nobody charges through another's contract, sells in another's store or for its order, gives back through it, or gives its
/// people work. Every id that a body can hold is tried: an operation that takes another one fails here until its row is added.
#[actix_web::test]
async fn another_merchants_ids_inside_a_body_are_ids_of_nothing() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let sold = jade.sells(&town, &jade.owner, 100, "sale").await;
    let give_back = json!({ "amount": { "minor": 1, "currency": "CNY" } });
    let refunds = format!("/v1/payments/{}/refunds", text(&sold, "/id"));
    let refund: Value = jade.owner.post(&refunds).key("r").json(&give_back).await.json(201);
    let me: Value = jade.owner.get("/v1/colleagues").await.json(200);
    let own = rust.sells(&town, &rust.owner, 100, "own").await;
    let discrepancy = discrepancy_of(&rust).await;
    let settlements = format!("/v1/payments/{}/settlements", text(&own, "/id"));
    let assign = format!("/v1/discrepancies/{discrepancy}/assign");
    let (day, money) = ("2026-01-30", json!({ "minor": 1, "currency": "CNY" }));
    let payout = json!({ "channel_account": "", "from_day": day, "to_day": day, "reference": "B2", "amount": money,
        "received_at": 1_790_000_000_000_i64 });
    let hand = json!({ "outcome": "paid", "reference": "S1", "reason": "the channel's page", "refund": "" });
    // A merchant tries its plugins on nobody else, whoever is named.
    let (trial, canary) =
        ("/v1/plugin-rollouts/sandbox/canary", json!({ "version": 0, "package": "0".repeat(64), "tenants": [""] }));
    let tax = json!({ "name": "tax", "basis_points": 600, "included": true });
    let tax: Value = jade.owner.post("/v1/tax-rates").json(&tax).await.json(201);
    let mut sold_goods = json!({ "name": "tea", "price": money.clone() });
    let goods: Value = rust.owner.post("/v1/goods").json(&sold_goods).await.json(201);
    let change_goods = format!("PUT /v1/goods/{}", text(&goods, "/id"));
    sold_goods["stores"] = json!([rust.store]);
    const IMPORT: &str = "/v1/goods/import";
    let mut table = json!({ "goods": [sold_goods] });
    table["goods"][0]["tax_rate"] = Value::Null;
    let named = |staff_code: &str| json!({ "name": "x", "staff_code": staff_code, "role": "cashier", "pin": "739182", "stores": [rust.store] });
    let cashier: Value = rust.owner.post("/v1/cashiers").json(&named("1")).await.json(201);
    let change_cashier = format!("PATCH /v1/cashiers/{}", text(&cashier, "/id"));
    let moved = json!({ "version": cashier["version"], "stores": [rust.store] });
    const POLICY: &str = "PUT /v1/stored-value/offline-policy";
    let policy = json!({ "enabled": true, "acceptor": "hall" });
    const CARDS: &str = "PUT /v1/stored-cards/policy";
    let cards = crate::access_bodies::card_policy("", true);
    const PHONE: &str = "PUT /v1/phone-codes/policy";
    let phone = crate::phone_codes::policy("", true);
    let printed = json!({ "store": rust.store, "label": "gate", "max_minor": 100 });
    let code: Value = rust.owner.post("/v1/static-codes").json(&printed).await.json(201);
    let change_code = format!("PATCH /v1/static-codes/{}", text(&code, "/id"));
    let till = json!({ "name": "till", "store": jade.store });
    let till: Value = jade.owner.post("/v1/terminals").json(&till).await.json(201);
    let account = jade.account.as_str();
    let store = jade.store.as_str();
    let rows = [
        ("cashiers_create", "/stores/0", "/v1/cashiers", named("2"), store, "422 invalid"),
        ("cashiers_change", "/stores/0", &change_cashier, moved, store, "422 invalid"),
        ("payments_create", "/channel_account", "/v1/payments", present(100), account, "409 channel_unavailable"),
        ("payments_create", "/store", "/v1/payments", present(100), store, "422 invalid"),
        ("payments_ask", "/store", "/v1/quotes", json!({ "amount": money.clone() }), store, "422 invalid"),
        ("payments_create", "/order", "/v1/payments", present(100), text(&sold, "/order"), "404 not_found"),
        ("settlements_create", "/refund", &settlements, hand, text(&refund, "/id"), "404 not_found"),
        ("discrepancies_assign", "/to", &assign, json!({}), text(&me, "/items/0/id"), "404 not_found"),
        ("plugin-rollouts_canary", "/tenants/0", trial, canary, jade.id.as_str(), "422 invalid"),
        ("payouts_enter", "/channel_account", "/v1/payouts", payout, account, "404 not_found"),
        (
            "reconciliations_start",
            "/channel_account",
            "/v1/reconciliations",
            json!({ "day": day }),
            account,
            "404 not_found",
        ),
        ("settlement_batches_close", "/channel_account", "/v1/settlement-batches", json!({}), account, "404 not_found"),
        (
            "settlement_batches_cancel_close",
            "/channel_account",
            "/v1/settlement-batches/open/cancel",
            json!({ "since": 1, "reason": "not now" }),
            account,
            "404 not_found",
        ),
        ("goods_create", "/tax_rate", "/v1/goods", sold_goods.clone(), text(&tax, "/id"), "404 not_found"),
        ("goods_create", "/stores/0", "/v1/goods", sold_goods.clone(), store, "404 not_found"),
        ("goods_change", "/tax_rate", &change_goods, sold_goods.clone(), text(&tax, "/id"), "404 not_found"),
        ("goods_change", "/stores/0", &change_goods, sold_goods, store, "404 not_found"),
        ("goods_import", "/goods/0/tax_rate", IMPORT, table.clone(), text(&tax, "/id"), "422 invalid"),
        ("goods_import", "/goods/0/stores/0", IMPORT, table, store, "422 invalid"),
        ("stored-value_put_policy", "/channel_account", POLICY, policy, account, "404 not_found"),
        ("stored-cards_put_policy", "/channel_account", CARDS, cards, account, "404 not_found"),
        ("phone-codes_put_policy", "/channel_account", PHONE, phone, account, "404 not_found"),
        ("static-codes_create", "/store", "/v1/static-codes", printed.clone(), store, "422 invalid"),
        ("static-codes_create", "/terminal", "/v1/static-codes", printed.clone(), text(&till, "/id"), "422 invalid"),
        ("static-codes_create", "/announce_at", "/v1/static-codes", printed, text(&till, "/id"), "422 invalid"),
        ("static-codes_change", "/announce_at", &change_code, json!({}), text(&till, "/id"), "422 invalid"),
        ("terminals_create", "/store", "/v1/terminals", json!({ "name": "x" }), store, "404 not_found"),
    ];
    let mut tried: BTreeSet<String> =
        rows.iter().map(|(operation, pointer, ..)| format!("{operation}{pointer}")).collect();
    // No row has it: it is a MAC of what was quoted to whom, and another merchant's is refused in `quotes.rs`.
    tried.insert("payments_create/quote/id".to_owned());
    assert_eq!(tried, ids_in_bodies());
    let before = (town.rows_at_rest(&jade.id).await, town.rows_at_rest(&rust.id).await);
    for (operation, pointer, path, body, known, refusal) in rows {
        let nothing = format!("{}_{}a", &known[..3], "q".repeat(25));
        let mut told = Vec::new();
        for id in [known, nothing.as_str()] {
            let mut bodies = vec![body.clone()];
            if operation == "payments_create" {
                bodies.push(charge(100, &town.code_of("alice").await));
            }
            for mut body in bodies {
                match body.pointer_mut(pointer) {
                    Some(inside) => *inside = json!(id),
                    None => body[&pointer[1..]] = json!(id),
                }
                if operation == "goods_change" {
                    (body["version"], body["active"]) = (goods["version"].clone(), json!(true));
                }
                let (method, path) = path.split_once(' ').unwrap_or(("POST", path));
                let refused = rust.owner.ask(method, path).key("foreign").json(&body).await;
                let (status, code) = refused.refusal();
                assert_eq!(format!("{status} {code}"), refusal, "{operation}{pointer}");
                told.push(refused.problem().to_string().replace(id, "{id}"));
            }
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    }
    let after = (town.rows_of(&jade.id), town.rows_of(&rust.id));
    assert_eq!(after, before, "what was refused is not half-done");
}

/// A journal's entries hold ids too: what a stranger's terminal writes about a sale of ours is no word about it.
#[actix_web::test]
async fn another_merchants_sale_in_a_journal_stays_as_it_is() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let stranger = town.till(&rust).await;
    let sold = jade.sells(&town, &jade.owner, 500, "sale").await;
    let give_back = json!({ "amount": { "minor": 1, "currency": "CNY" } });
    let path = format!("/v1/payments/{}/refunds", text(&sold, "/id"));
    let given: Value = jade.owner.post(&path).key("r").json(&give_back).await.json(201);
    let (payment, refund) = (text(&sold, "/id").parse().unwrap(), text(&given, "/id").parse().unwrap());
    let (amount, cashier) = (Amount::new(499, Currency::CNY).unwrap(), "rust".to_owned());
    let records = [
        Record::SaleSettled { payment, state: PaymentState::Refunded, amount_refunded_minor: 500 },
        Record::CashRefund { refund, payment, amount, void: false, cashier: cashier.clone(), approved_by: None },
        Record::RefundKeyed { refund, payment, amount, void: false, cashier, approved_by: None },
        Record::RefundSettled { refund, payment, state: RefundState::Failed },
    ];
    let before = town.rows_at_rest(&jade.id).await;
    let (mut entries, mut prev) = (Vec::new(), GENESIS);
    for (number, record) in (1..).zip(records) {
        let entry = Entry::new(Sequence(number), Millis(1_790_000_000_000), prev, record).unwrap();
        prev = entry.hash();
        entries.push(entry);
    }
    let answer = stranger.door.post("/v1/terminal/journal").json(&stranger.signed(&rust, &entries)).await;
    assert!(answer.status < 500 && !answer.text.contains("jade"), "{}", answer.text);
    assert_eq!(town.rows_of(&jade.id), before);
}

/// A payment's key of one merchant is nothing to another: both sell under the same key, each its own.
#[actix_web::test]
async fn the_same_key_is_each_merchants_own() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let ours = jade.sells(&town, &jade.owner, 100, "order-1").await;
    let theirs = rust.sells(&town, &rust.owner, 200, "order-1").await;
    assert_ne!(ours["id"], theirs["id"]);
    // And not even the number itself gives a stranger a way in.
    let number = text(&ours, "/id");
    let same = rust.sells(&town, &rust.owner, 300, number).await;
    assert_eq!(same["amount"]["minor"], 300);
    assert_ne!(same["id"], ours["id"]);
    let shown: Value = jade.owner.get(&format!("/v1/payments/{number}")).await.json(200);
    assert_eq!(shown, ours);
}

/// A notification in another account's name, however well signed, moves nothing.
#[actix_web::test]
async fn a_notification_moves_its_own_accounts_payments_alone() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    // Both have their contract with the same scheme under the same key, which is the worst case.
    let shown: Value = jade.owner.post("/v1/payments").key("k").json(&present(500)).await.json(201);
    let before = town.rows_at_rest(&jade.id).await;
    let order = paid_order(text(&shown, "/id"), "5.00");
    for (account, status) in [(&rust.account, 404), (&jade.account, 200)] {
        let answer = Notice::signed(&order).to(&town, account).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 404 {
            assert_eq!(town.rows_of(&jade.id), before);
        }
    }
    let paid: Value = jade.owner.get(&format!("/v1/payments/{}", text(&shown, "/id"))).await.json(200);
    assert_eq!(paid["state"], "succeeded", "with the right account it does");
}

/// A plugin that looks for secrets finds none, although its neighbour has some; and one that fills its store fills its
/// own account's alone.
#[actix_web::test]
async fn a_plugin_sees_neither_secrets_nor_values_of_another_account() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let probing = town.hostile_account(&rust.owner, "secret-probe").await;
    let before = town.rows_of(&jade.id);
    let tested: Value = rust.owner.post(&format!("/v1/channel-accounts/{probing}/self-test")).await.json(200);
    assert_eq!((&tested["ok"], &tested["code"]), (&json!(false), &json!("not_sent")), "{tested}");
    assert!(text(&tested, "/message").contains("no secret was found"), "{tested}");

    let flooding = town.hostile_account(&rust.owner, "kv-flood").await;
    let _: Value = rust.owner.post(&format!("/v1/channel-accounts/{flooding}/self-test")).await.json(200);
    let owners = town.column("SELECT DISTINCT tenant_id || ' ' || channel_account_id AS text FROM plugin_kv");
    assert_eq!(owners, [format!("{} {flooding}", rust.id)], "what it wrote is its own account's");
    assert_eq!(town.rows_of(&jade.id), before);

    // Nobody else can have core run a plugin with this account.
    for door in [&rust.owner, &town.admin, &town.nobody()] {
        let refused = door.post(&format!("/v1/channel-accounts/{}/self-test", jade.account)).await;
        assert!([401, 403, 404].contains(&refused.status), "{}", refused.text);
    }
    assert_eq!(town.rows_of(&jade.id), before);
}

/// A live view begun from the first event on holds nothing of another merchant.
#[actix_web::test]
async fn a_live_view_is_of_ones_own_payments() {
    use futures_util::StreamExt as _;

    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let mut theirs = rust.owner.get("/v1/stream").header("last-event-id", b"0").open().await.bytes_stream();
    jade.sells(&town, &jade.owner, 100, "ours").await;
    let sold = rust.sells(&town, &rust.owner, 200, "theirs").await;
    let mut heard = String::new();
    while !heard.contains("\"succeeded\"") {
        let next = tokio::time::timeout(crate::town::DEADLINE, theirs.next()).await.expect("in time");
        heard.push_str(std::str::from_utf8(&next.unwrap().unwrap()).unwrap());
    }
    assert!(heard.contains(text(&sold, "/id")) && !heard.contains("jade"), "{heard}");
    assert!(!heard.contains(&jade.account) && !heard.contains(&jade.store), "{heard}");
}

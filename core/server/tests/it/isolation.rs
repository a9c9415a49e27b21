//! What is one merchant's is out of another's reach on the ways that the API's document does not describe: topics, channel
//! plugins and their small store, and ids inside bodies.

use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{PubAckReason, SubscribeReasonCode},
};
use saoma_protocol::topic::{Leaf, Topic};
use serde_json::{Value, json};

use crate::{
    fleet_client::{Client, Connect},
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

/// Nobody charges through another's contract, sells in another's store, or gives back through it.
#[actix_web::test]
async fn another_merchants_ids_inside_a_body_are_ids_of_nothing() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let before = town.rows_of(&jade.id);
    let nothing = ["cha_qqqqqqqqqqqqqqqqqqqqqqqqqa", "sto_qqqqqqqqqqqqqqqqqqqqqqqqqa"];
    for (name, known, unknown, status, code) in [
        ("channel_account", jade.account.as_str(), nothing[0], 409, "channel_unavailable"),
        ("store", jade.store.as_str(), nothing[1], 422, "invalid"),
    ] {
        let mut told = Vec::new();
        for id in [known, unknown] {
            for sale in [present(100), charge(100, &town.code_of("alice").await)] {
                let mut sale = sale;
                sale[name] = json!(id);
                let refused = rust.owner.post("/v1/payments").key("foreign").json(&sale).await;
                assert_eq!(refused.refusal(), (status, code.to_owned()), "{name}");
                told.push(refused.text.replace(id, "{id}").split("trace_id").next().unwrap().to_owned());
            }
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    }
    let terminal = json!({ "name": "x", "store": jade.store });
    assert_eq!(rust.owner.post("/v1/terminals").json(&terminal).await.refusal(), (404, "not_found".to_owned()));
    assert_eq!(town.rows_of(&jade.id), before);
    let theirs: Value = rust.owner.get("/v1/payments").await.json(200);
    assert_eq!(theirs["items"], json!([]), "what was refused is not half-done");
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

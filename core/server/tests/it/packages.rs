//! Packages of plugins: who may publish what, which of them serves whom, and that a payment keeps its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    fleet_world::eventually,
    packages_author::{Author, sandbox, sandbox_called, sandbox_with_other_settings, send},
    postgres,
    town::{Merchant, Town, charge, text},
};

const ROLLOUT: &str = "/v1/plugin-rollouts/sandbox";

async fn rollout(door: &Door) -> Value {
    door.get(ROLLOUT).await.json(200)
}

/// Takes a step from the rollout as it stands.
async fn step(door: &Door, step: &str, body: Value) -> Answer {
    let seen = rollout(door).await["version"].clone();
    step_from(door, step, &seen, body).await
}

async fn step_from(door: &Door, step: &str, seen: &Value, mut body: Value) -> Answer {
    body["version"] = seen.clone();
    door.post(&format!("{ROLLOUT}/{step}")).json(&body).await
}

/// The package that a payment keeps; empty for the built-in.
fn package_of(town: &Town, payment: &Value) -> Vec<String> {
    let id = text(payment, "/id");
    town.column(&format!("SELECT package AS text FROM payment_packages WHERE payment_id = '{id}'"))
}

async fn town() -> Town {
    Town::found_with(&[("SAOMA_TELEMETRY__METRICS_LISTEN", "127.0.0.1:0")]).await
}

/// How often this function was called of that version of the sandbox.
async fn calls(town: &Town, version: &str, function: &str) -> f64 {
    let watched = Door::at(&format!("http://{}", town.running().metrics.unwrap())).get("/metrics").await;
    let labels =
        [format!("version=\"{version}\""), format!("function=\"{function}\""), "plugin=\"sandbox\"".to_owned()];
    watched
        .text
        .lines()
        .filter(|line| line.starts_with("saoma_plugin_call_duration_seconds_count"))
        .filter(|line| labels.iter().all(|label| line.contains(label.as_str())))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn sells(town: &Town, merchant: &Merchant, key: &str) -> Value {
    let sold = merchant.sells(town, &merchant.owner, 700, key).await;
    assert_eq!(sold["state"], "succeeded", "{sold}");
    sold
}

#[actix_web::test]
async fn from_the_first_package_over_a_canary_to_everybody_and_back() {
    let town = town().await;
    let (admin, author) = (&town.admin, Author::new());
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    author.is_trusted_by(admin).await;
    let before = sells(&town, &jade, "before").await;
    assert_eq!(package_of(&town, &before), Vec::<String>::new());

    // The first package serves everybody.
    let second = author.has_published(admin, &sandbox("0.2.0")).await;
    let again: Value = author.publishes(admin, &sandbox("0.2.0")).await.json(200);
    assert_eq!(text(&again, "/hash"), second, "it was published before");
    assert_eq!(rollout(admin).await["version"], 0);
    let installed: Value = step(admin, "install", json!({ "package": second })).await.json(200);
    assert_eq!((&installed["version"], text(&installed, "/stable")), (&json!(1), second.as_str()));
    assert_eq!(installed["this_node"], json!({ "version": 1 }));
    let by_second = sells(&town, &jade, "by-second").await;
    assert_eq!(package_of(&town, &by_second), [second.as_str()]);

    // Then one for jade alone.
    let third = author.has_published(admin, &sandbox("0.3.0")).await;
    let canary: Value = step(admin, "canary", json!({ "package": third, "tenants": [jade.id] })).await.json(200);
    assert_eq!(canary["canary_tenants"], json!([jade.id]));
    let (of_jade, of_rust) = (sells(&town, &jade, "canary").await, sells(&town, &rust, "no-canary").await);
    assert_eq!((package_of(&town, &of_jade), package_of(&town, &of_rust)), (vec![third.clone()], vec![second.clone()]));
    let shown: Value = jade.owner.get("/v1/plugins").await.json(200);
    let version =
        |id: &str| shown["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap()["version"].clone();
    assert_eq!(version("sandbox"), "0.3.0");

    // Then for everybody, and back, in one call that cannot be made twice.
    step(admin, "promote", json!({})).await.json::<Value>(200);
    assert_eq!(package_of(&town, &sells(&town, &rust, "promoted").await), [third.as_str()]);
    let seen = rollout(admin).await["version"].clone();
    let back: Value = step_from(admin, "rollback", &seen, json!({})).await.json(200);
    assert_eq!((text(&back, "/stable"), &back["unfit"]), (second.as_str(), &json!([])));
    let twice = step_from(admin, "rollback", &seen, json!({})).await;
    assert_eq!(twice.refusal(), (409, "changed_meanwhile".to_owned()));
    assert_eq!(step(admin, "rollback", json!({})).await.refusal(), (409, "rollout_refused".to_owned()));
    assert_eq!(package_of(&town, &sells(&town, &jade, "rolled-back").await), [second.as_str()]);

    // What began with the third is asked about and given back by the third; what began with none, by the built-in.
    for (payment, version) in [(&of_jade, "0.3.0"), (&before, "0.1.0"), (&by_second, "0.2.0")] {
        let (id, asked, given) =
            (text(payment, "/id"), calls(&town, version, "query").await, calls(&town, version, "refund").await);
        jade.owner.post(&format!("/v1/payments/{id}/query")).await.json::<Value>(200);
        let refund = json!({ "amount": { "minor": 100, "currency": "CNY" } });
        let refund: Value = jade.owner.post(&format!("/v1/payments/{id}/refunds")).json(&refund).await.json(201);
        assert_eq!(refund["state"], "succeeded", "{refund}");
        assert_eq!(calls(&town, version, "refund").await, given + 1.0, "{version}");
        assert!(calls(&town, version, "query").await > asked, "{version}");
    }
    jade.books_balance().await;
    let log: Value = admin.get("/v1/audit?limit=50").await.json(200);
    let actions: Vec<&str> =
        log["items"].as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    for action in [
        "plugin_publisher.trusted",
        "plugin_package.published",
        "plugin_rollout.installed",
        "plugin_rollout.canary_started",
        "plugin_rollout.promoted",
        "plugin_rollout.rolled_back",
    ] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

#[actix_web::test]
async fn what_was_not_signed_played_or_named_rightly_is_refused() {
    let town = Town::found().await;
    let (admin, author, stranger) = (&town.admin, Author::new(), Author::new());
    let jade = town.merchant("jade").await;
    let component = sandbox("0.2.0");
    let refused = |answer: Answer| answer.refusal().1;
    assert_eq!(refused(author.publishes(admin, &component).await), "package_untrusted", "nobody is trusted yet");
    author.is_trusted_by(admin).await;
    assert_eq!(refused(stranger.publishes(admin, &component).await), "package_untrusted");
    let envelope = author.signed(&component).await;
    assert_eq!(refused(send(admin, b"", &component).await), "package_refused", "unsigned");
    assert_eq!(refused(send(admin, &envelope, &sandbox("0.3.0")).await), "package_refused", "another component");
    assert_eq!(refused(send(admin, &envelope, b"").await), "package_refused", "no component");
    let raw = admin.post("/v1/plugin-packages").bytes(envelope.clone()).await;
    assert_eq!(raw.refusal(), (400, "body_unreadable".to_owned()));
    // Signed for another purpose, or with its verdict changed after it was signed.
    let mut tampered: Value = serde_json::from_slice(&envelope).unwrap();
    let payload = text(&tampered, "/payload").to_owned();
    tampered["payload"] = json!(payload.replacen(&payload[40..41], if &payload[40..41] == "A" { "B" } else { "A" }, 1));
    let tampered = serde_json::to_vec(&tampered).unwrap();
    assert_eq!(refused(send(admin, &tampered, &component).await), "package_untrusted", "changed afterwards");
    assert_eq!(town.column("SELECT content_hash AS text FROM plugin_packages"), Vec::<String>::new());

    // A merchant trusts whom it likes, for plugins of a name of its own.
    stranger.is_trusted_by(&jade.owner).await;
    assert_eq!(refused(stranger.publishes(&jade.owner, &component).await), "plugin_id_taken");
    let own = stranger.has_published(&jade.owner, &sandbox_called("jadebox", "1.0.0")).await;
    let rust = town.merchant("rust").await;
    for door in [admin, &rust.owner] {
        assert_eq!(door.get(&format!("/v1/plugin-packages/{own}")).await.status, 404);
        assert_eq!(door.get("/v1/plugin-packages").await.json::<Value>(200)["items"], json!([]));
    }
    let install =
        |door: &Door| door.post("/v1/plugin-rollouts/jadebox/install").json(&json!({ "version": 0, "package": own }));
    assert_eq!(install(&rust.owner).await.status, 404);
    assert_eq!(install(admin).await.status, 404);
    let canary = json!({ "version": 0, "package": own, "tenants": [jade.id] });
    let canary = jade.owner.post("/v1/plugin-rollouts/jadebox/canary").json(&canary).await;
    assert_eq!(canary.refusal(), (422, "invalid".to_owned()));
    install(&jade.owner).await.json::<Value>(200);
    let listed = |plugins: Value| plugins["items"].as_array().unwrap().iter().any(|plugin| plugin["id"] == "jadebox");
    assert!(listed(jade.owner.get("/v1/plugins").await.json(200)));
    assert!(!listed(rust.owner.get("/v1/plugins").await.json(200)));

    // Who is not trusted any more publishes nothing and is rolled out nowhere.
    let id = stranger.key_id();
    jade.owner.post(&format!("/v1/plugin-publishers/{id}/revoke")).await.json::<Value>(200);
    let next = stranger.publishes(&jade.owner, &sandbox_called("jadebox", "1.1.0")).await;
    assert_eq!(refused(next), "package_untrusted");
    let again = json!({ "name": "again", "public_key": stranger.public_key() });
    let again = jade.owner.post("/v1/plugin-publishers").json(&again).await;
    assert_eq!(again.refusal(), (409, "publisher_revoked".to_owned()));
}

#[actix_web::test]
async fn accounts_whose_settings_do_not_fit_are_not_moved() {
    let town = Town::found().await;
    let (admin, author, jade) = (&town.admin, Author::new(), town.merchant("jade").await);
    author.is_trusted_by(admin).await;
    let unfit = author.has_published(admin, &sandbox_with_other_settings("0.4.0")).await;
    for (name, body) in
        [("install", json!({ "package": unfit })), ("canary", json!({ "package": unfit, "tenants": [jade.id] }))]
    {
        let refused = step(admin, name, body).await;
        assert_eq!(refused.refusal(), (409, "settings_refused".to_owned()), "{name}");
        assert!(refused.text.contains(&jade.account), "{}", refused.text);
    }
    assert_eq!(rollout(admin).await["version"], 0);
    // One whose accounts are none yet may try it; then it is for nobody else.
    let rust = town.merchant("rust").await;
    town.force(&format!("UPDATE channel_accounts SET enabled = FALSE WHERE tenant_id = '{}'", rust.id));
    step(admin, "canary", json!({ "package": unfit, "tenants": [rust.id] })).await.json::<Value>(200);
    assert_eq!(step(admin, "promote", json!({})).await.refusal(), (409, "settings_refused".to_owned()));
    let sold = sells(&town, &jade, "as-before").await;
    assert_eq!(package_of(&town, &sold), Vec::<String>::new());
}

#[actix_web::test]
async fn a_retired_package_hands_its_payments_on() {
    let town = town().await;
    let (admin, author, jade) = (&town.admin, Author::new(), town.merchant("jade").await);
    author.is_trusted_by(admin).await;
    let second = author.has_published(admin, &sandbox("0.2.0")).await;
    let third = author.has_published(admin, &sandbox("0.3.0")).await;
    step(admin, "install", json!({ "package": second })).await.json::<Value>(200);
    let sold = sells(&town, &jade, "sold").await;
    let retire = |package: &str, successor: &str| {
        admin.post(&format!("/v1/plugin-packages/{package}/retire")).json(&json!({ "successor": successor }))
    };
    assert_eq!(retire(&second, &third).await.refusal(), (409, "package_in_use".to_owned()));
    step(admin, "install", json!({ "package": third })).await.json::<Value>(200);
    assert_eq!(retire(&second, &third).await.refusal(), (409, "package_in_use".to_owned()), "a roll-back goes there");
    let fourth = author.has_published(admin, &sandbox("0.4.0")).await;
    step(admin, "install", json!({ "package": fourth })).await.json::<Value>(200);
    assert_eq!(retire(&second, &second).await.refusal(), (409, "package_retired".to_owned()));
    let retired: Value = retire(&second, &third).await.json(200);
    assert_eq!(text(&retired, "/successor"), third);
    let refund = json!({ "amount": { "minor": 100, "currency": "CNY" } });
    let path = format!("/v1/payments/{}/refunds", text(&sold, "/id"));
    let refund: Value = jade.owner.post(&path).json(&refund).await.json(201);
    assert_eq!(refund["state"], "succeeded", "{refund}");
    assert_eq!((calls(&town, "0.3.0", "refund").await, calls(&town, "0.2.0", "refund").await), (1.0, 0.0));
    let back = step(admin, "canary", json!({ "package": second, "tenants": [jade.id] })).await;
    assert_eq!(back.refusal(), (409, "package_retired".to_owned()));
}

#[actix_web::test]
async fn a_restart_and_another_node_keep_the_choice() {
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let mut town = Town::found_with(&[("SAOMA_DATABASE__URL", &database)]).await;
    let (author, jade) = (Author::new(), town.merchant("jade").await);
    author.is_trusted_by(&town.admin).await;
    let second = author.has_published(&town.admin, &sandbox("0.2.0")).await;
    step(&town.admin, "install", json!({ "package": second })).await.json::<Value>(200);
    town.restart().await;
    let sold = sells(&town, &jade, "after-the-restart").await;
    assert_eq!(package_of(&town, &sold), [second.as_str()]);
    let (other, _folder) = town.beside().await;
    let there = Door::at(&format!("http://{}", other.api)).with(&jade.owner.bearer());
    let code = town.code_of("alice").await;
    let sold: Value = there.post("/v1/payments").json(&charge(300, &code)).await.json(201);
    assert_eq!(package_of(&town, &sold), [second.as_str()]);

    // What is changed here is taken up there without anybody's help; what cannot be loaded there is said, and not served by half.
    let third = author.has_published(&town.admin, &sandbox("0.3.0")).await;
    let swapped = "(SELECT other.component FROM plugin_packages other WHERE other.content_hash =";
    town.force(&format!("UPDATE plugin_packages SET component = {swapped} '{second}') WHERE content_hash = '{third}'"));
    step(&town.admin, "install", json!({ "package": third })).await.json::<Value>(200);
    eventually("the other node has tried", async || {
        there.get("/ready").await.json::<Value>(200)["plugins"] == "behind"
    })
    .await;
    let code = town.code_of("alice").await;
    let sold: Value = there.post("/v1/payments").json(&charge(300, &code)).await.json(201);
    assert_eq!(package_of(&town, &sold), [second.as_str()], "it goes on with what it had");
    let (restarted, _restarted_folder) = town.beside().await;
    let lost = Door::at(&format!("http://{}", restarted.api));
    let ready: Value = lost.get("/ready").await.json(200);
    assert_eq!(ready["plugins"], "behind", "{ready}");
    let told: Value = lost.with(&town.admin.bearer()).get(ROLLOUT).await.json(200);
    assert!(text(&told, "/this_node/problem").contains("not those that were published"), "{told}");
    let code = town.code_of("alice").await;
    let refused = lost.with(&jade.owner.bearer()).post("/v1/payments").json(&charge(300, &code)).await;
    assert_eq!(refused.refusal(), (422, "code_not_recognised".to_owned()), "no other version takes its place");
    // Rolled back, it is whole again.
    step(&town.admin, "rollback", json!({})).await.json::<Value>(200);
    eventually("the other node has taken the roll-back up", async || {
        lost.get("/ready").await.json::<Value>(200)["plugins"] == "whole"
    })
    .await;
    let sold: Value = lost.with(&jade.owner.bearer()).post("/v1/payments").json(&charge(300, &code)).await.json(201);
    assert_eq!(package_of(&town, &sold), [second.as_str()]);
    restarted.stop().await;
    other.stop().await;
}

/// Cashiers sell all the while, a new version is tried, given to all, taken back and given again: not one payment fails.
#[actix_web::test]
async fn packages_are_swapped_under_load_without_a_failed_payment() {
    let town = Arc::new(Town::found().await);
    let (author, jade, rust) = (Author::new(), town.merchant("jade").await, town.merchant("rust").await);
    author.is_trusted_by(&town.admin).await;
    let versions = [
        author.has_published(&town.admin, &sandbox("0.2.0")).await,
        author.has_published(&town.admin, &sandbox("0.3.0")).await,
    ];
    let over = Arc::new(AtomicBool::new(false));
    let cashiers: Vec<_> = [(&jade, "jade"), (&rust, "rust")]
        .into_iter()
        .map(|(merchant, name)| {
            let (town, over, door) = (Arc::clone(&town), Arc::clone(&over), merchant.owner.clone());
            actix_web::rt::spawn(async move {
                let mut sold = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let (code, key) = (town.code_of("alice").await, format!("{name}-{}", sold.len()));
                    let sale: Value = door.post("/v1/payments").key(&key).json(&charge(100, &code)).await.json(201);
                    assert_eq!(sale["state"], "succeeded", "{sale}");
                    sold.push(sale);
                }
                sold
            })
        })
        .collect();
    step(&town.admin, "install", json!({ "package": versions[0] })).await.json::<Value>(200);
    for _ in 0..3 {
        step(&town.admin, "canary", json!({ "package": versions[1], "tenants": [jade.id] })).await.json::<Value>(200);
        step(&town.admin, "promote", json!({})).await.json::<Value>(200);
        step(&town.admin, "rollback", json!({})).await.json::<Value>(200);
    }
    over.store(true, Ordering::Relaxed);
    let mut n_sold = 0;
    for cashier in cashiers {
        n_sold += cashier.await.unwrap().len();
    }
    assert!(n_sold > 6, "there was load: {n_sold}");
    for merchant in [&jade, &rust] {
        merchant.books_balance().await;
    }
}

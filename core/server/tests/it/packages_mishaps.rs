//! Packages of plugins when something is amiss: a canary that does not load, a publisher who is not trusted any more, a way back
//! to nothing, settings that have come to fit no more.

use saoma_server::packages::{PACKAGES_EVER_PER_TENANT_MAX, PACKAGES_PER_TENANT_MAX};
use serde_json::{Value, json};

use crate::{
    door::Door,
    packages_author::{Author, sandbox, sandbox_called, sandbox_with_other_settings, send},
    postgres,
    town::{Town, charge, text},
};

async fn step(door: &Door, step: &str, version: u64, mut body: Value) -> Value {
    body["version"] = json!(version);
    door.post(&format!("/v1/plugin-rollouts/sandbox/{step}")).json(&body).await.json(200)
}

/// A node that starts and cannot load the canary serves everybody else; those whom it is for are not given another version.
#[actix_web::test]
async fn a_canary_that_does_not_load_takes_nobody_else_with_it() {
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let town = Town::found_with(&[("SAOMA_DATABASE__URL", &database)]).await;
    let (author, jade, rust) = (Author::new(), town.merchant("jade").await, town.merchant("rust").await);
    author.is_trusted_by(&town.admin).await;
    let second = author.has_published(&town.admin, &sandbox("0.2.0")).await;
    let third = author.has_published(&town.admin, &sandbox("0.3.0")).await;
    step(&town.admin, "install", 0, json!({ "package": second })).await;
    step(&town.admin, "canary", 1, json!({ "package": third, "tenants": [jade.id] })).await;
    let component = |hash: &str| format!("(SELECT component FROM plugin_packages WHERE content_hash = '{hash}')");
    let swap = |hash: &str, other: &str| {
        town.force(&format!(
            "UPDATE plugin_packages SET component = {} WHERE content_hash = '{hash}'",
            component(other)
        ));
    };
    town.force(&format!("CREATE TABLE aside AS SELECT component FROM plugin_packages WHERE content_hash = '{third}'"));
    swap(&third, &second);
    let (node, _folder) = town.beside().await;
    let there = Door::at(&format!("http://{}", node.api));
    assert_eq!(there.get("/ready").await.json::<Value>(200)["plugins"], "behind");
    let sells = async |owner: &Door| {
        let code = town.code_of("alice").await;
        there.with(&owner.bearer()).post("/v1/payments").json(&charge(300, &code)).await
    };
    let sold: Value = sells(&rust.owner).await.json(201);
    assert_eq!(sold["state"], "succeeded", "{sold}");
    assert_eq!(sells(&jade.owner).await.refusal(), (422, "code_not_recognised".to_owned()));
    // It is tried again by itself.
    town.force(&format!(
        "UPDATE plugin_packages SET component = (SELECT component FROM aside) WHERE content_hash = '{third}'"
    ));
    crate::fleet_world::eventually("the canary is served", async || {
        there.get("/ready").await.json::<Value>(200)["plugins"] == "whole"
    })
    .await;
    let sold: Value = sells(&jade.owner).await.json(201);
    let bound = format!("SELECT package AS text FROM payment_packages WHERE payment_id = '{}'", text(&sold, "/id"));
    assert_eq!(town.column(&bound), [third]);
    node.stop().await;
}

/// Who vouches for what a revoked publisher had published makes it usable again, by a signature over the same bytes.
#[actix_web::test]
async fn what_a_revoked_publisher_signed_another_can_sign() {
    let town = Town::found().await;
    let (first, second) = (Author::trusted_by(&town.admin).await, Author::trusted_by(&town.admin).await);
    let component = sandbox("0.2.0");
    let hash = first.has_published(&town.admin, &component).await;
    let published = async || town.admin.get(&format!("/v1/plugin-packages/{hash}")).await.json::<Value>(200);
    second.publishes(&town.admin, &component).await.json::<Value>(200);
    assert_eq!(
        text(&published().await, "/package/publisher"),
        first.key_id(),
        "the first is trusted: it stays the first's"
    );
    town.admin.post(&format!("/v1/plugin-publishers/{}/revoke", first.key_id())).await.json::<Value>(200);
    let body = json!({ "version": 0, "package": hash });
    let refused = town.admin.post("/v1/plugin-rollouts/sandbox/install").json(&body).await;
    assert_eq!(refused.refusal().1, "publisher_revoked");
    second.publishes(&town.admin, &component).await.json::<Value>(200);
    assert_eq!(text(&published().await, "/package/publisher"), second.key_id());
    step(&town.admin, "install", 0, json!({ "package": hash })).await;
    let log: Value = town.admin.get("/v1/audit?limit=20").await.json(200);
    assert!(log.to_string().contains("plugin_package.signed_anew"), "{log}");
}

/// A package is judged once: when it comes again, a kit that would refuse it by now is not asked.
#[actix_web::test]
async fn what_was_published_is_answered_the_same_whatever_is_asked_of_new_ones() {
    let town = Town::found().await;
    let (author, component) = (Author::trusted_by(&town.admin).await, sandbox("0.2.0"));
    let hash = author.has_published(&town.admin, &component).await;
    // One that this release would not take.
    let envelope = r#"{"kit":"of long ago"}"#;
    town.force(&format!("UPDATE plugin_packages SET envelope = '{envelope}' WHERE content_hash = '{hash}'"));
    let again: Value = send(&town.admin, envelope.as_bytes(), &component).await.json(200);
    assert_eq!(text(&again, "/hash"), hash);
    let other = send(&town.admin, br#"{"kit":"of another day"}"#, &component).await;
    assert!(other.status >= 400, "it is not the one that was taken: {}", other.text);
    town.admin.post(&format!("/v1/plugin-publishers/{}/revoke", author.key_id())).await.json::<Value>(200);
    let revoked = send(&town.admin, envelope.as_bytes(), &component).await;
    assert!(revoked.status >= 400, "nobody vouches for it: {}", revoked.text);
}

/// A plugin that is built in nowhere can be taken back to nothing, and whoever does it is told whom that concerns.
#[actix_web::test]
async fn a_way_back_to_nothing_names_the_accounts() {
    let town = Town::found().await;
    let (author, jade) = (Author::trusted_by(&town.admin).await, town.merchant("jade").await);
    let hash = author.has_published(&town.admin, &sandbox_called("teapays", "0.2.0")).await;
    let steps = async |step: &str, body: Value| {
        town.admin.post(&format!("/v1/plugin-rollouts/teapays/{step}")).json(&body).await.json::<Value>(200)
    };
    steps("install", json!({ "version": 0, "package": hash })).await;
    town.force(&format!("UPDATE channel_accounts SET plugin = 'teapays' WHERE tenant_id = '{}'", jade.id));
    let back = steps("rollback", json!({ "version": 1 })).await;
    assert!(back.to_string().contains(&jade.account) && back.to_string().contains("nothing serves it"), "{back}");
}

/// An account that was switched off while its plugin changed is looked at when it is switched on.
#[actix_web::test]
async fn an_account_that_fits_no_more_is_not_switched_on() {
    let town = Town::found().await;
    let (author, jade) = (Author::trusted_by(&town.admin).await, town.merchant("jade").await);
    let path = format!("/v1/channel-accounts/{}", jade.account);
    let switch = async |enabled: bool| {
        let version = jade.owner.get(&path).await.json::<Value>(200)["version"].clone();
        jade.owner.ask("PATCH", &path).json(&json!({ "version": version, "enabled": enabled })).await
    };
    switch(false).await.json::<Value>(200);
    let other = author.has_published(&town.admin, &sandbox_with_other_settings("0.4.0")).await;
    step(&town.admin, "install", 0, json!({ "package": other })).await;
    assert_eq!(switch(true).await.refusal(), (422, "invalid".to_owned()));
    step(&town.admin, "rollback", 1, json!({})).await;
    switch(true).await.json::<Value>(200);
}

/// What merchants publish takes up the platform's disk, so there is an end to it: also for two that want the last place at once.
#[actix_web::test]
async fn a_merchant_publishes_so_many_packages_and_no_more() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let author = Author::trusted_by(&jade.owner).await;
    let first = author.has_published(&jade.owner, &sandbox_called("teapays", "0.2.0")).await;
    // All but one of what it may have; copies will do.
    for n in 2..PACKAGES_PER_TENANT_MAX {
        town.force(&format!(
            "INSERT INTO plugin_packages (tenant_id, content_hash, plugin, version, contract, publisher, component_bytes, published_at, \
             published_by, envelope, component) SELECT tenant_id, '{n:064x}', plugin, '0.1.{n}', contract, publisher, component_bytes, \
             published_at, published_by, envelope, component FROM plugin_packages WHERE tenant_id = '{}' AND version = '0.2.0'",
            jade.id
        ));
    }
    let [third, fourth] = ["0.3.0", "0.4.0"].map(|version| sandbox_called("teapays", version));
    // A merchant has one on its way in at a time: the other comes again.
    let publishes = async |component: &[u8]| loop {
        let answer = author.publishes(&jade.owner, component).await;
        if answer.status != 503 {
            break answer;
        }
    };
    let (one, other) = tokio::join!(publishes(&third), publishes(&fourth));
    let (taken, refused, component) = if one.status == 201 { (one, other, &third) } else { (other, one, &fourth) };
    assert_eq!(taken.status, 201, "{}", taken.text);
    assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
    let most = PACKAGES_PER_TENANT_MAX.to_string();
    assert!(refused.text.contains(&format!("at most {most} packages")), "{}", refused.text);
    assert_eq!(town.column("SELECT CAST(COUNT(*) AS TEXT) AS text FROM plugin_packages"), [most]);
    // The same once more is no more; and whoever has room is not concerned.
    author.publishes(&jade.owner, component).await.json::<Value>(200);
    author.is_trusted_by(&rust.owner).await;
    author.has_published(&rust.owner, &sandbox_called("teapays", "0.5.0")).await;
    // One that is retired is called no more, and gives its place and its bytes up.
    let retire = format!("/v1/plugin-packages/{:064x}/retire", 2);
    jade.owner.post(&retire).json(&json!({ "successor": first })).await.json::<Value>(200);
    let left = format!(
        "SELECT CAST(length(component) AS TEXT) AS text FROM plugin_packages WHERE content_hash = '{:064x}'",
        2
    );
    assert_eq!(town.column(&left), ["0"]);
    author.has_published(&jade.owner, &sandbox_called("teapays", "0.6.0")).await;
    let refused = author.publishes(&jade.owner, &sandbox_called("teapays", "0.7.0")).await;
    assert!(refused.status == 422 && refused.text.contains("retire one"), "{}", refused.text);
    // Of a retired one a row stays, and there is an end to those as well.
    let rows = (PACKAGES_PER_TENANT_MAX + 1..PACKAGES_EVER_PER_TENANT_MAX).map(|n| {
        let hash = format!("{n:064x}");
        format!(
            "('{}', '{hash}', 'teapays', '0.1.{n}', '0.2.0', 'k1', 0, 0, 'usr_mei', 0, 'built_in', '{{}}', '')",
            jade.id
        )
    });
    town.force(&format!(
        "INSERT INTO plugin_packages (tenant_id, content_hash, plugin, version, contract, publisher, component_bytes, published_at, \
         published_by, retired_at, successor, envelope, component) VALUES {}",
        rows.collect::<Vec<_>>().join(", ")
    ));
    let refused = author.publishes(&jade.owner, &sandbox_called("teapays", "0.7.0")).await;
    assert!(refused.status == 422 && refused.text.contains("retired ones included"), "{}", refused.text);
}

/// The compiled code of what nobody can call any more goes when that is retired; of what nobody ever could, it does not outlast a restart.
#[actix_web::test]
async fn a_start_sweeps_what_nobody_can_call() {
    let mut town = Town::found().await;
    let author = Author::trusted_by(&town.admin).await;
    let first = author.has_published(&town.admin, &sandbox("0.2.0")).await;
    let second = author.has_published(&town.admin, &sandbox("0.3.0")).await;
    let cache = town.data().join("plugin-cache");
    let compiled = |hash: &str| {
        let files = std::fs::read_dir(&cache).unwrap().flatten().map(|entry| entry.path());
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(hash)).collect::<Vec<_>>()
    };
    let code = compiled(&first).pop().expect("what was published is compiled once");
    let nobodys = "0".repeat(64);
    std::fs::copy(&code, code.to_str().unwrap().replace(&first, &nobodys)).unwrap();
    town.restart().await;
    assert_eq!([&first, &second, &nobodys].map(|hash| compiled(hash).len()), [1, 1, 0]);
    let retire = format!("/v1/plugin-packages/{first}/retire");
    town.admin.post(&retire).json(&json!({ "successor": second })).await.json::<Value>(200);
    assert_eq!([&first, &second].map(|hash| compiled(hash).len()), [0, 1]);
    // And it does not come back with the same bytes.
    let again = author.publishes(&town.admin, &sandbox("0.2.0")).await;
    assert_eq!(again.refusal(), (409, "package_retired".to_owned()));
    assert_eq!(compiled(&first).len(), 0);
    town.restart().await;
    assert_eq!([&first, &second].map(|hash| compiled(hash).len()), [0, 1]);
}

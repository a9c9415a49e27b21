//! A merchant's rules as packages when something is amiss: a node that has not heard of a version, a version that lacks a rule, an
//! id that the operator gave to something else.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    fleet_world::eventually,
    packages_author::{
        Author, canteen, canteen_with_other_settings, canteen_without_risk, rules_called_canteen, sandbox_called,
    },
    packages_rules::{RULES, asked, chooses, step},
    postgres,
    town::{Merchant, Town, charge, text},
};

async fn two_nodes() -> (Town, Merchant, Author) {
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let town = Town::found_with(&[("SAOMA_DATABASE__URL", &database)]).await;
    let jade = town.merchant("jade").await;
    let author = Author::trusted_by(&jade.owner).await;
    (town, jade, author)
}

/// A sale of jade's through that door.
async fn sells_at(town: &Town, there: &Door) -> Answer {
    there.post("/v1/payments").json(&charge(300, &town.code_of("alice").await)).await
}

#[actix_web::test]
async fn a_node_that_has_not_heard_of_the_rules_looks_before_it_refuses() {
    let (town, jade, author) = two_nodes().await;
    let (node, _folder) = town.beside().await;
    let there = Door::at(&format!("http://{}", node.api)).with(&jade.owner.bearer());
    let second = author.has_published(&jade.owner, &canteen("0.2.0")).await;
    let other = author.has_published(&jade.owner, &canteen_with_other_settings("0.4.0")).await;
    // Each time the other node has what was before, unless it looked in between: often enough that it has not.
    for round in 0..3 {
        step(&jade.owner, "install", json!({ "package": second })).await.json::<Value>(200);
        chooses(&jade, json!({ "receipt_line": "谢谢" })).await.json::<Value>(200);
        let sold: Value = sells_at(&town, &there).await.json(201);
        assert_eq!(sold["state"], "succeeded", "round {round}: {sold}");
        chooses(&jade, json!({})).await.json::<Value>(200);
        step(&jade.owner, "install", json!({ "package": other })).await.json::<Value>(200);
        chooses(&jade, json!({ "receipt_note": "谢谢" })).await.json::<Value>(200);
        let sold: Value = sells_at(&town, &there).await.json(201);
        assert_eq!(sold["state"], "succeeded", "round {round}: {sold}");
        chooses(&jade, json!({})).await.json::<Value>(200);
    }
    node.stop().await;
}

#[actix_web::test]
async fn settings_are_not_saved_by_a_version_that_is_rolled_out_no_more() {
    let (town, jade, author) = two_nodes().await;
    let second = author.has_published(&jade.owner, &canteen("0.2.0")).await;
    let other = author.has_published(&jade.owner, &canteen_with_other_settings("0.4.0")).await;
    step(&jade.owner, "install", json!({ "package": second })).await.json::<Value>(200);
    chooses(&jade, json!({})).await.json::<Value>(200);
    let (node, _folder) = town.beside().await;
    let there = Door::at(&format!("http://{}", node.api)).with(&jade.owner.bearer());
    // The other node cannot load what this one has already, and goes on with the version before.
    town.force(&format!("CREATE TABLE aside AS SELECT component FROM plugin_packages WHERE content_hash = '{other}'"));
    let swapped = "(SELECT own.component FROM plugin_packages own WHERE own.content_hash =";
    town.force(&format!("UPDATE plugin_packages SET component = {swapped} '{second}') WHERE content_hash = '{other}'"));
    step(&jade.owner, "install", json!({ "package": other })).await.json::<Value>(200);
    let puts = async |settings: Value, version: u64| {
        let wish = json!({ "version": version, "extension": "canteen-rules", "enabled": true, "settings": settings });
        there.ask("PUT", RULES).json(&wish).await
    };
    assert_eq!(puts(json!({ "receipt_line": "谢谢" }), 1).await.refusal(), (409, "changed_meanwhile".to_owned()));
    let rules: Value = jade.owner.get(RULES).await.json(200);
    assert_eq!((&rules["version"], &rules["settings"]), (&json!(1), &json!({})));
    assert_eq!(asked(&town, &jade, "as-before").await, "canteen-rules 0.4.0");
    // Settings of the version that it cannot load fail there; the rules can be switched off there all the same.
    chooses(&jade, json!({ "receipt_note": "谢谢" })).await.json::<Value>(200);
    assert_eq!(sells_at(&town, &there).await.refusal(), (409, "rule_failed".to_owned()));
    let off = json!({ "version": 2, "extension": "canteen-rules", "enabled": false });
    there.ask("PUT", RULES).json(&off).await.json::<Value>(200);
    sells_at(&town, &there).await.json::<Value>(201);
    town.force(&format!(
        "UPDATE plugin_packages SET component = (SELECT component FROM aside) WHERE content_hash = '{other}'"
    ));
    eventually("the version is served there", async || {
        there.get("/ready").await.json::<Value>(200)["plugins"] == "whole"
    })
    .await;
    assert_eq!(puts(json!({ "receipt_line": "谢谢" }), 3).await.refusal(), (422, "invalid".to_owned()));
    puts(json!({ "receipt_note": "谢谢" }), 3).await.json::<Value>(200);
    sells_at(&town, &there).await.json::<Value>(201);
    node.stop().await;
}

#[actix_web::test]
async fn a_version_without_a_rule_that_must_answer_is_not_installed() {
    let town = Town::found().await;
    let (admin, author) = (&town.admin, Author::trusted_by(&town.admin).await);
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let whole = author.has_published(admin, &canteen("0.2.0")).await;
    let less = author.has_published(admin, &canteen_without_risk("0.3.0")).await;
    step(admin, "install", json!({ "package": whole })).await.json::<Value>(200);
    let sets = async |merchant: &Merchant, version: u64, refuse_on_failure: Value| {
        let wish = json!({
            "version": version, "extension": "canteen-rules", "enabled": true,
            "settings": { "cashier_hour_minor_max": 100 }, "refuse_on_failure": refuse_on_failure,
        });
        merchant.owner.ask("PUT", RULES).json(&wish).await.json::<Value>(200)
    };
    sets(&jade, 0, json!(["risk"])).await;
    sets(&rust, 0, json!(["price"])).await;
    let tries = async |name: &str, body: Value| {
        let refused = step(admin, name, body).await;
        assert_eq!(refused.refusal(), (409, "settings_refused".to_owned()), "{name}");
        assert!(refused.text.contains("it has no rule risk") && refused.text.contains(&jade.id), "{}", refused.text);
        assert!(!refused.text.contains(&rust.id), "{}", refused.text);
    };
    tries("install", json!({ "package": less })).await;
    tries("canary", json!({ "package": less, "tenants": [jade.id, rust.id] })).await;
    step(admin, "canary", json!({ "package": less, "tenants": [rust.id] })).await.json::<Value>(200);
    tries("promote", json!({})).await;
    let sale = charge(101, &town.code_of("alice").await);
    assert_eq!(jade.owner.post("/v1/payments").json(&sale).await.refusal(), (409, "sale_refused".to_owned()));
    // Whoever has that version already loses nothing by it, and jade does not insist any more.
    sets(&rust, 1, json!(["risk"])).await;
    sets(&jade, 1, json!([])).await;
    step(admin, "promote", json!({})).await.json::<Value>(200);
    assert_eq!(asked(&town, &jade, "less").await, "canteen-rules 0.3.0");
}

#[actix_web::test]
async fn what_the_operator_lays_beside_a_package_does_not_take_its_id() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(crate::town::plugins().join("sandbox.wasm"), folder.path().join("sandbox.wasm")).unwrap();
    let mut town = Town::found_with(&[("SAOMA_PLUGINS__DIR", folder.path().to_str().unwrap())]).await;
    let author = Author::trusted_by(&town.admin).await;
    let rollout = async |town: &Town, version: u64, package: &str| {
        let body = json!({ "version": version, "package": package });
        town.admin.post("/v1/plugin-rollouts/canteen/install").json(&body).await
    };
    let taken = |answer: Answer, why: &str| {
        assert_eq!(answer.refusal(), (409, "plugin_id_taken".to_owned()));
        assert!(answer.text.contains(why), "{}", answer.text);
    };
    // Rules that were published while nothing else had the id.
    let rules = author.has_published(&town.admin, &rules_called_canteen("0.9.0")).await;
    town.force("UPDATE plugin_packages SET plugin = 'elsewhere'");
    let first = author.has_published(&town.admin, &sandbox_called("canteen", "1.0.0")).await;
    let second = author.has_published(&town.admin, &sandbox_called("canteen", "1.1.0")).await;
    rollout(&town, 0, &first).await.json::<Value>(200);
    town.force("UPDATE plugin_packages SET plugin = 'canteen'");
    taken(rollout(&town, 1, &rules).await, "is the id of a channel already");

    let laid = folder.path().join("canteen.wasm");
    std::fs::write(&laid, rules_called_canteen("0.8.0")).unwrap();
    town.restart().await;
    let in_folder = "operator's folder of plugins has rules of the id canteen: take it out there";
    taken(rollout(&town, 1, &second).await, in_folder);
    taken(author.publishes(&town.admin, &sandbox_called("canteen", "1.2.0")).await, in_folder);
    taken(author.publishes(&town.admin, &rules_called_canteen("0.9.1")).await, "is the id of a channel already");
    std::fs::remove_file(&laid).unwrap();
    town.restart().await;
    rollout(&town, 1, &second).await.json::<Value>(200);

    // An envelope that only another release can read: nothing is decided about its id.
    town.force(&format!("UPDATE plugin_packages SET envelope = '{{}}' WHERE content_hash = '{second}'"));
    let refused = author.publishes(&town.admin, &sandbox_called("canteen", "1.2.0")).await;
    assert_eq!(refused.refusal().1, "package_unavailable");
    let shown: Value = town.admin.get(&format!("/v1/plugin-packages/{rules}")).await.json(200);
    assert_eq!(text(&shown, "/package/kind"), "rules");
}

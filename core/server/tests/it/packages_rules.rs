//! A merchant's rules as packages: its own, and those that the platform gives to everybody; chosen, upgraded and taken back while
//! it sells.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    fleet_world::eventually,
    packages_author::{Author, canteen, canteen_with_other_settings, sandbox_called},
    town::{Merchant, Town, charge, text},
};

pub const RULES: &str = "/v1/merchant-rules";
const ROLLOUT: &str = "/v1/plugin-rollouts/canteen-rules";

/// Takes a step from the rollout as it stands.
pub async fn step(door: &Door, step: &str, mut body: Value) -> Answer {
    body["version"] = door.get(ROLLOUT).await.json::<Value>(200)["version"].clone();
    door.post(&format!("{ROLLOUT}/{step}")).json(&body).await
}

/// Asks for the canteen's rules, as the merchant's own are seen now.
pub async fn chooses(merchant: &Merchant, settings: Value) -> Answer {
    let seen: Value = merchant.owner.get(RULES).await.json(200);
    let wish = json!({
        "version": seen["version"], "extension": "canteen-rules", "enabled": true, "settings": settings,
    });
    merchant.owner.ask("PUT", RULES).json(&wish).await
}

/// The ids and versions of what the merchant can choose.
async fn choice(merchant: &Merchant) -> Vec<String> {
    let extensions: Value = merchant.owner.get("/v1/extensions").await.json(200);
    let told = |item: &Value| format!("{} {}", text(item, "/id"), text(item, "/version"));
    extensions["items"].as_array().unwrap().iter().map(told).collect()
}

/// Which rules were asked about a sale that is made now.
pub async fn asked(town: &Town, merchant: &Merchant, key: &str) -> String {
    let sold = merchant.sells(town, &merchant.owner, 500, key).await;
    assert_eq!(sold["state"], "succeeded", "{sold}");
    let timeline: Value = merchant.owner.get(&format!("/v1/payments/{}/timeline", text(&sold, "/id"))).await.json(200);
    let told = timeline["events"].as_array().unwrap().iter().find(|event| event["kind"] == "rules_asked");
    let told = told.unwrap_or_else(|| panic!("no rules were asked: {timeline}")).to_string();
    let begins = told.find("canteen-rules ").unwrap_or_else(|| panic!("{told}"));
    told[begins..].split(':').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_merchants_own_rules_are_published_upgraded_and_taken_back() {
    let mut town = Town::found().await;
    let (author, jade, rust) = (Author::new(), town.merchant("jade").await, town.merchant("rust").await);
    author.is_trusted_by(&jade.owner).await;
    let published: Value = author.publishes(&jade.owner, &canteen("0.2.0")).await.json(201);
    assert_eq!((text(&published, "/kind"), text(&published, "/plugin")), ("rules", "canteen-rules"));
    let second = text(&published, "/hash").to_owned();
    // It serves nobody until it is installed.
    assert_eq!(choice(&jade).await, Vec::<String>::new());
    assert_eq!(chooses(&jade, json!({})).await.refusal(), (422, "plugin_missing".to_owned()));
    let installed: Value = step(&jade.owner, "install", json!({ "package": second })).await.json(200);
    assert_eq!((text(&installed, "/stable"), &installed["this_node"]), (second.as_str(), &json!({ "version": 1 })));
    assert_eq!((choice(&jade).await, choice(&rust).await), (vec!["canteen-rules 0.2.0".to_owned()], Vec::new()));
    // Rules are no channel that accounts could be made of.
    let plugins: Value = jade.owner.get("/v1/plugins").await.json(200);
    assert!(plugins["items"].as_array().unwrap().iter().all(|plugin| plugin["id"] != "canteen-rules"), "{plugins}");
    let account = json!({ "plugin": "canteen-rules", "name": "none", "fee_basis_points": 0, "settings": {} });
    let refused = jade.owner.post("/v1/channel-accounts").json(&account).await;
    assert_eq!(refused.refusal(), (422, "plugin_missing".to_owned()));

    let chosen: Value = chooses(&jade, json!({ "receipt_line": "谢谢" })).await.json(200);
    assert_eq!(chosen["problem"], Value::Null, "{chosen}");
    assert_eq!(asked(&town, &jade, "second").await, "canteen-rules 0.2.0");
    let quote = json!({ "amount": { "minor": 500, "currency": "CNY" } });
    let quote: Value = jade.owner.post("/v1/quotes").json(&quote).await.json(200);
    assert_eq!(quote["receipt_lines"], json!(["谢谢"]));
    assert_eq!(chooses(&rust, json!({})).await.refusal(), (422, "plugin_missing".to_owned()), "they are jade's");

    // The next version, after a restart too, and back.
    let third = author.has_published(&jade.owner, &canteen("0.3.0")).await;
    step(&jade.owner, "install", json!({ "package": third })).await.json::<Value>(200);
    assert_eq!(asked(&town, &jade, "third").await, "canteen-rules 0.3.0");
    town.restart().await;
    assert_eq!(asked(&town, &jade, "restarted").await, "canteen-rules 0.3.0");
    let back: Value = step(&jade.owner, "rollback", json!({})).await.json(200);
    assert_eq!((text(&back, "/stable"), &back["unfit"]), (second.as_str(), &json!([])));
    assert_eq!(asked(&town, &jade, "back").await, "canteen-rules 0.2.0");
    let retire = format!("/v1/plugin-packages/{third}/retire");
    jade.owner.post(&retire).json(&json!({ "successor": second })).await.json::<Value>(200);
    let again = step(&jade.owner, "install", json!({ "package": third })).await;
    assert_eq!(again.refusal(), (409, "package_retired".to_owned()));
    for action in ["plugin_package.published", "plugin_rollout.installed", "plugin_rollout.rolled_back"] {
        assert!(!jade.audited(action).await.is_empty(), "{action}");
    }
    jade.books_balance().await;
}

#[actix_web::test]
async fn the_platforms_rules_are_tried_by_one_merchant_first() {
    let town = Town::found().await;
    let (admin, author) = (&town.admin, Author::trusted_by(&town.admin).await);
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let second = author.has_published(admin, &canteen("0.2.0")).await;
    step(admin, "install", json!({ "package": second })).await.json::<Value>(200);
    for merchant in [&jade, &rust] {
        chooses(merchant, json!({})).await.json::<Value>(200);
    }
    let third = author.has_published(admin, &canteen("0.3.0")).await;
    step(admin, "canary", json!({ "package": third, "tenants": [jade.id] })).await.json::<Value>(200);
    assert_eq!(choice(&jade).await, ["canteen-rules 0.3.0"]);
    assert_eq!(
        (asked(&town, &jade, "canary").await.as_str(), asked(&town, &rust, "stable").await.as_str()),
        ("canteen-rules 0.3.0", "canteen-rules 0.2.0")
    );
    step(admin, "promote", json!({})).await.json::<Value>(200);
    assert_eq!(asked(&town, &rust, "promoted").await, "canteen-rules 0.3.0");
    // Nobody's own rules take that name.
    author.is_trusted_by(&jade.owner).await;
    let taken = author.publishes(&jade.owner, &canteen("0.9.0")).await;
    assert_eq!(taken.refusal(), (409, "plugin_id_taken".to_owned()));
}

#[actix_web::test]
async fn rules_whose_settings_do_not_fit_are_not_moved() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let author = Author::trusted_by(&jade.owner).await;
    let second = author.has_published(&jade.owner, &canteen("0.2.0")).await;
    step(&jade.owner, "install", json!({ "package": second })).await.json::<Value>(200);
    chooses(&jade, json!({ "receipt_line": "谢谢" })).await.json::<Value>(200);
    let unfit = author.has_published(&jade.owner, &canteen_with_other_settings("0.4.0")).await;
    let refused = step(&jade.owner, "install", json!({ "package": unfit })).await;
    assert_eq!(refused.refusal(), (409, "settings_refused".to_owned()));
    assert!(refused.text.contains(&format!("the rules of {}", jade.id)), "{}", refused.text);
    assert!(refused.text.contains("receipt_line"), "{}", refused.text);
    assert_eq!(asked(&town, &jade, "as-before").await, "canteen-rules 0.2.0");
    // Switched off they are in nobody's way.
    let off = json!({ "version": 1, "extension": "canteen-rules", "enabled": false });
    jade.owner.ask("PUT", RULES).json(&off).await.json::<Value>(200);
    step(&jade.owner, "install", json!({ "package": unfit })).await.json::<Value>(200);
    step(&jade.owner, "rollback", json!({})).await.json::<Value>(200);
    // Back to before the first version there are none, and whose sales hang on them is told.
    chooses(&jade, json!({ "receipt_line": "谢谢" })).await.json::<Value>(200);
    let third = author.has_published(&jade.owner, &canteen("0.3.0")).await;
    step(&jade.owner, "install", json!({ "package": third })).await.json::<Value>(200);
    town.force("UPDATE plugin_rollouts SET previous = 'built_in'");
    let back: Value = step(&jade.owner, "rollback", json!({})).await.json(200);
    assert_eq!((text(&back, "/stable"), text(&back, "/unfit/0/tenant")), ("built_in", jade.id.as_str()));
    assert!(text(&back, "/unfit/0/why").contains("nothing serves it"), "{back}");
    let rules: Value = jade.owner.get(RULES).await.json(200);
    assert!(text(&rules, "/problem").contains("no such extension"), "{rules}");
    // Such rules give no answer, and nothing is sold without that of `risk`, until they are switched off.
    let code = town.code_of("alice").await;
    let refused = jade.owner.post("/v1/payments").json(&charge(500, &code)).await;
    assert_eq!(refused.refusal(), (409, "rule_failed".to_owned()));
    let off = json!({ "version": rules["version"], "extension": "canteen-rules", "enabled": false });
    jade.owner.ask("PUT", RULES).json(&off).await.json::<Value>(200);
    assert_eq!(jade.sells(&town, &jade.owner, 500, "without").await["state"], "succeeded");
    // What no payment is bound to is retired for nothing in its place.
    let retire = format!("/v1/plugin-packages/{unfit}/retire");
    jade.owner.post(&retire).json(&json!({ "successor": "built_in" })).await.json::<Value>(200);
}

#[actix_web::test]
async fn an_id_is_of_a_channel_or_of_rules_and_never_of_both() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let author = Author::trusted_by(&jade.owner).await;
    author.has_published(&jade.owner, &sandbox_called("jadebox", "1.0.0")).await;
    // A component's id cannot be made longer here: the names of what is published are exchanged instead.
    let becomes = |from: &str, to: &str| {
        town.force(&format!("UPDATE plugin_packages SET plugin = '{to}' WHERE plugin = '{from}'"));
    };
    becomes("jadebox", "canteen-rules");
    let refused = author.publishes(&jade.owner, &canteen("0.2.0")).await;
    assert_eq!(refused.refusal(), (409, "plugin_id_taken".to_owned()));
    assert!(refused.text.contains("is the id of a channel already; give the rules another"), "{}", refused.text);
    becomes("canteen-rules", "elsewhere");
    author.has_published(&jade.owner, &canteen("0.2.0")).await;
    becomes("canteen-rules", "jadebox");
    let refused = author.publishes(&jade.owner, &sandbox_called("jadebox", "2.0.0")).await;
    assert_eq!(refused.refusal(), (409, "plugin_id_taken".to_owned()));
    assert!(refused.text.contains("is the id of rules already; give the channel another"), "{}", refused.text);
    let packages: Value = jade.owner.get("/v1/plugin-packages").await.json(200);
    let kinds = packages["items"].as_array().unwrap().iter().map(|package| text(package, "/kind").to_owned());
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort();
    assert_eq!(kinds, ["channel", "rules"]);
}

/// Cashiers sell all the while: each sale is asked about by one version or the other, and none fails.
#[actix_web::test]
async fn rules_are_swapped_under_load_without_a_failed_sale() {
    let town = Arc::new(Town::found().await);
    let jade = Arc::new(town.merchant("jade").await);
    let author = Author::trusted_by(&jade.owner).await;
    let versions = [
        author.has_published(&jade.owner, &canteen("0.2.0")).await,
        author.has_published(&jade.owner, &canteen("0.3.0")).await,
    ];
    step(&jade.owner, "install", json!({ "package": versions[0] })).await.json::<Value>(200);
    chooses(&jade, json!({})).await.json::<Value>(200);
    let (over, n_sold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let cashiers: Vec<_> = ["mei", "lu"]
        .into_iter()
        .map(|name| {
            let (town, jade) = (Arc::clone(&town), Arc::clone(&jade));
            let (over, n_sold) = (Arc::clone(&over), Arc::clone(&n_sold));
            actix_web::rt::spawn(async move {
                let mut told = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    told.push(asked(&town, &jade, &format!("{name}-{}", told.len())).await);
                    n_sold.fetch_add(1, Ordering::Relaxed);
                }
                told
            })
        })
        .collect();
    // One sale that began before a step may end after it, so that each of the two cashiers sells once more.
    let sold_since = async || {
        let before = n_sold.load(Ordering::Relaxed);
        eventually("somebody sells by it", async || n_sold.load(Ordering::Relaxed) > before + 2).await;
    };
    for _ in 0..3 {
        step(&jade.owner, "install", json!({ "package": versions[1] })).await.json::<Value>(200);
        sold_since().await;
        step(&jade.owner, "rollback", json!({})).await.json::<Value>(200);
        sold_since().await;
    }
    over.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for cashier in cashiers {
        all.extend(cashier.await.unwrap());
    }
    all.sort();
    all.dedup();
    assert_eq!(all, ["canteen-rules 0.2.0", "canteen-rules 0.3.0"]);
    jade.books_balance().await;
}

//! A merchant's own rules in its sales: the price before anybody pays, who may sell how much, where it goes, and what becomes of
//! it when they give no answer.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    door::Door,
    town::{Merchant, Town, charge, plugins, text},
};

const RULES: &str = "/v1/merchant-rules";
const STAFF_MEAL: &str = "员工餐";

fn copy(name: &str, into: &Path) {
    let built = plugins();
    let file = format!("{name}.wasm");
    let from = [built.join(&file), built.join("../channels").join(&file)];
    let from = from.iter().find(|path| path.exists()).expect("as `cargo xtask plugins` leaves it");
    std::fs::copy(from, into.join(&file)).unwrap();
}

pub struct Canteen {
    pub town: Town,
    pub merchant: Merchant,
    folder: tempfile::TempDir,
}

impl Canteen {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["sandbox", "canteen-rules", "hostile-rules"] {
            copy(name, folder.path());
        }
        let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", folder.path().to_str().unwrap())]).await;
        let merchant = town.merchant("jade").await;
        Self { town, merchant, folder }
    }

    async fn rules(&self) -> Value {
        self.merchant.owner.get(RULES).await.json(200)
    }

    /// Sets them as they are seen now.
    pub async fn sets(&self, mut wish: Value) -> Value {
        wish["version"] = self.rules().await["version"].clone();
        self.merchant.owner.ask("PUT", RULES).json(&wish).await.json(200)
    }

    async fn sells(&self, minor: i64, cashier: &str, key: &str, status: u16) -> Value {
        let mut sale = charge(minor, &self.town.code_of("alice").await);
        sale["cashier"] = json!(cashier);
        self.merchant.owner.post("/v1/payments").key(key).json(&sale).await.json(status)
    }

    /// What the timeline says of the rules.
    async fn told(&self, payment: &Value) -> Option<String> {
        let path = format!("/v1/payments/{}/timeline", text(payment, "/id"));
        let timeline: Value = self.merchant.owner.get(&path).await.json(200);
        let events = timeline["events"].as_array().unwrap();
        let asked = events.iter().find(|event| event["kind"] == "rules_asked");
        asked.map(|event| event.to_string())
    }

    fn payments(&self) -> usize {
        self.town.column("SELECT id AS text FROM payments").len()
    }
}

/// What was quoted, but for its id, which nobody else can make, and its end.
async fn quoted(door: &Door, ask: Value) -> Value {
    let mut quote: Value = door.post("/v1/quotes").json(&ask).await.json(200);
    let quote_of = quote.as_object_mut().unwrap();
    assert_eq!(quote_of.remove("id").is_some(), quote_of.remove("expires_at").is_some());
    quote
}

fn amount(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

#[actix_web::test]
async fn a_canteen_sells_by_its_own_rules() {
    let canteen = Canteen::open().await;
    let owner = &canteen.merchant.owner;
    let meal =
        json!({ "amount": amount(1_000), "goods": [{ "name": STAFF_MEAL, "quantity": 1, "price_minor": 1_000 }] });
    let as_asked = json!({ "amount": amount(1_000), "adjustments": [], "receipt_lines": [], "failed": [] });
    assert_eq!(
        (quoted(owner, meal.clone()).await, canteen.rules().await["version"].clone()),
        (as_asked.clone(), json!(0))
    );
    let extensions: Value = owner.get("/v1/extensions").await.json(200);
    assert_eq!(
        (&extensions["items"][0]["id"], &extensions["items"][0]["rules"]),
        (&json!("canteen-rules"), &json!(["price", "route", "risk", "receipt-lines"]))
    );

    let settings = json!({
        "staff_marker": "员工", "staff_percent": 20, "cashier_hour_minor_max": 2_000, "receipt_line": "谢谢光临",
    });
    let set = canteen.sets(json!({ "extension": "canteen-rules", "enabled": true, "settings": settings })).await;
    assert_eq!(
        (&set["version"], &set["refuse_on_failure"], &set["settings"], &set["problem"]),
        (&json!(1), &json!(["risk"]), &settings, &Value::Null)
    );
    let lower = json!({
        "amount": amount(800), "adjustments": [{ "name": "Staff discount", "minor": -200 }],
        "receipt_lines": ["You saved 2.00 CNY", "谢谢光临"], "failed": [],
    });
    let till = canteen.town.till(&canteen.merchant).await;
    for door in [owner, &till.door] {
        assert_eq!(quoted(door, meal.clone()).await, lower);
    }
    let elsewhere = json!({ "amount": amount(1), "store": format!("sto_{}", "0".repeat(26)) });
    assert_eq!(till.door.post("/v1/quotes").json(&elsewhere).await.status, 422);

    // Nobody's amount is changed: what was quoted is what is sold.
    let sold = canteen.sells(800, "Mei", "first", 201).await;
    assert_eq!((&sold["state"], &sold["amount"]), (&json!("succeeded"), &amount(800)));
    let told = canteen.told(&sold).await.expect("the rules were asked");
    assert!(told.contains("canteen-rules") && told.contains("risk: allowed"), "{told}");
    let before = canteen.payments();
    let refused = canteen.sells(1_201, "Mei", "second", 409).await;
    assert_eq!(refused["code"], "sale_refused", "{refused}");
    assert!(
        text(&refused, "/detail").contains("call a manager")
            && text(&refused, "/detail").contains("cashier_hour_limit")
    );
    assert_eq!(canteen.payments(), before);
    assert_eq!(canteen.sells(1_200, "Mei", "second", 201).await["state"], "succeeded");
    assert_eq!(canteen.sells(2_000, "Lu", "third", 201).await["state"], "succeeded");
    // A sale that was made is the same however often it is asked for, whatever the rules say by now.
    let mut again = charge(500, &canteen.town.code_of("alice").await);
    again["cashier"] = json!("Bo");
    let first: Value = owner.post("/v1/payments").key("again").json(&again).await.json(201);
    let tight = json!({ "extension": "canteen-rules", "enabled": true, "settings": { "cashier_hour_minor_max": 1 } });
    canteen.sets(tight).await;
    let second: Value = owner.post("/v1/payments").key("again").json(&again).await.json(200);
    assert_eq!(first["id"], second["id"]);

    let off = canteen.sets(json!({ "extension": "canteen-rules", "enabled": false })).await;
    assert_eq!((&off["enabled"], &off["settings"]), (&json!(false), &json!({ "cashier_hour_minor_max": 1 })));
    assert_eq!(quoted(owner, meal).await, as_asked);
    let free = canteen.sells(9_000, "Mei", "fourth", 201).await;
    assert_eq!((&free["state"], canteen.told(&free).await), (&json!("succeeded"), None));
    let audited = canteen.merchant.audited("merchant_rules.changed").await;
    assert_eq!(audited.len(), 3);
    assert_eq!(audited[2]["detail"]["settings"], settings, "{}", audited[2]);
    canteen.merchant.books_balance().await;
}

#[actix_web::test]
async fn the_cheapest_account_collects_unless_somebody_names_another() {
    let canteen = Canteen::open().await;
    let owner = &canteen.merchant.owner;
    let cheap = json!({
        "plugin": "sandbox", "name": "the cheap one", "fee_basis_points": 10, "priority": 9,
        "settings": { "base_url": canteen.town.scheme_root(), "merchant_id": "town" },
        "secrets": { "merchant-key": crate::town::SCHEME_KEY },
    });
    let made: Value = owner.post("/v1/channel-accounts").json(&cheap).await.json(201);
    let (cheap, dear) = (text(&made, "/id").to_owned(), canteen.merchant.account.clone());
    let account = |sold: &Value| text(sold, "/channel_account").to_owned();
    assert_eq!(account(&canteen.sells(500, "Mei", "a", 201).await), dear);
    canteen.sets(json!({ "extension": "canteen-rules", "enabled": true })).await;
    let sold = canteen.sells(500, "Mei", "b", 201).await;
    assert_eq!(account(&sold), cheap);
    assert!(canteen.told(&sold).await.unwrap().contains(&format!("route: {cheap}, {dear}")));
    // Also where the shop shows the code, and never against what was named.
    let shown: Value = owner.post("/v1/payments").json(&crate::town::present(500)).await.json(201);
    assert_eq!(account(&shown), cheap);
    let mut named = charge(500, &canteen.town.code_of("alice").await);
    named["channel_account"] = json!(dear);
    let sold: Value = owner.post("/v1/payments").json(&named).await.json(201);
    assert_eq!(account(&sold), dear);
    // An order that is no order, and one of strangers, are failures of the rule: the merchant's own order stands.
    for mode in ["foreign", "twice"] {
        canteen.sets(json!({ "extension": "hostile-rules", "enabled": true, "settings": { "mode": mode } })).await;
        let sold = canteen.sells(500, "Mei", mode, 201).await;
        assert_eq!(account(&sold), dear, "{mode}");
        assert!(canteen.told(&sold).await.unwrap().contains("route failed (bad_answer)"), "{mode}");
    }
    canteen.sets(json!({ "extension": "hostile-rules", "enabled": true, "settings": { "mode": "reverse" } })).await;
    assert_eq!(account(&canteen.sells(500, "Mei", "reverse", 201).await), cheap);
}

#[actix_web::test]
async fn a_rule_that_gives_no_answer_refuses_or_is_passed_over() {
    let canteen = Canteen::open().await;
    let owner = &canteen.merchant.owner;
    for (mode, code, status, told) in [
        ("trap", "trapped", 409, "rule_failed"),
        ("loop", "timed_out", 503, "rule_busy"),
        ("error", "undecided", 409, "rule_failed"),
        ("bad-code", "bad_answer", 409, "rule_failed"),
    ] {
        let wish = |refusing: Value| {
            let settings = json!({ "mode": mode });
            json!({ "extension": "hostile-rules", "enabled": true, "settings": settings, "refuse_on_failure": refusing })
        };
        let before = canteen.payments();
        canteen.sets(wish(json!(["risk", "price"]))).await;
        let refused = canteen.sells(500, "Mei", &format!("{mode}-1"), status).await;
        assert_eq!((&refused["code"], canteen.payments()), (&json!(told), before), "{mode}");
        // A cashier reads it: nothing of the rule's own words.
        assert!(!refused["detail"].to_string().contains("I do not want"), "{refused}");
        canteen.sets(wish(json!([]))).await;
        let sold = canteen.sells(500, "Mei", &format!("{mode}-2"), 201).await;
        assert_eq!(sold["state"], "succeeded", "{mode}");
        let told = canteen.told(&sold).await.unwrap();
        assert!(told.contains(&format!("risk failed ({code})")), "{mode}: {told}");
    }
    // A price that cannot be carried out is none.
    for mode in ["free", "usury", "wrong-sum"] {
        let settings = json!({ "mode": mode });
        let mild =
            json!({ "extension": "hostile-rules", "enabled": true, "settings": settings, "refuse_on_failure": [] });
        canteen.sets(mild).await;
        let quote = quoted(owner, json!({ "amount": amount(700) })).await;
        assert_eq!(
            (&quote["amount"], &quote["failed"]),
            (&amount(700), &json!(["price failed (bad_answer)"])),
            "{mode}"
        );
        let strict = json!({ "extension": "hostile-rules", "enabled": true, "refuse_on_failure": ["price"] });
        canteen.sets(strict).await;
        let refused: Value = owner.post("/v1/quotes").json(&json!({ "amount": amount(700) })).await.json(409);
        assert_eq!(refused["code"], "rule_failed", "{mode}");
    }
}

#[actix_web::test]
async fn rules_that_are_gone_refuse_until_they_are_switched_off() {
    let mut canteen = Canteen::open().await;
    canteen
        .sets(json!({ "extension": "canteen-rules", "enabled": true, "settings": { "receipt_line": "谢谢" } }))
        .await;
    std::fs::remove_file(canteen.folder.path().join("canteen-rules.wasm")).unwrap();
    canteen.town.restart().await;
    let problem = canteen.rules().await["problem"].to_string();
    assert!(problem.contains("no such extension"), "{problem}");
    let refused = canteen.sells(500, "Mei", "gone", 409).await;
    assert!(refused["code"] == "rule_failed" && text(&refused, "/detail").contains("not_installed"), "{refused}");
    let owner = &canteen.merchant.owner;
    let on = json!({ "version": 1, "extension": "canteen-rules", "enabled": true });
    let refused: Value = owner.ask("PUT", RULES).json(&on).await.json(422);
    assert_eq!(refused["code"], "plugin_missing", "{refused}");
    let off = canteen.sets(json!({ "extension": "canteen-rules", "enabled": false })).await;
    assert_eq!(off["settings"], json!({ "receipt_line": "谢谢" }));
    assert_eq!(canteen.sells(500, "Mei", "off", 201).await["state"], "succeeded");
}

/// One of them is allowed and uses the limit up; the others are that sale, not a second one that the limit forbids.
#[actix_web::test]
async fn the_same_sale_at_once_is_not_refused_by_itself() {
    let canteen = Canteen::open().await;
    let settings = json!({ "cashier_hour_minor_max": 800 });
    canteen.sets(json!({ "extension": "canteen-rules", "enabled": true, "settings": settings })).await;
    let mut sale = charge(800, &canteen.town.code_of("alice").await);
    sale["cashier"] = json!("Mei");
    let owner = &canteen.merchant.owner;
    let asked =
        futures_util::future::join_all((0..8).map(|_| owner.post("/v1/payments").key("one").json(&sale).into_future()))
            .await;
    let mut ids: Vec<String> = Vec::new();
    for answer in asked {
        assert!([200, 201].contains(&answer.status), "{} {}", answer.status, answer.text);
        ids.push(text(&serde_json::from_str(&answer.text).unwrap(), "/id").to_owned());
    }
    ids.dedup();
    assert_eq!((ids.len(), canteen.payments()), (1, 1));
}

#[actix_web::test]
async fn wrong_rules_are_refused_with_what_is_wrong() {
    let canteen = Canteen::open().await;
    let good = json!({ "version": 0, "extension": "canteen-rules", "enabled": true });
    for (field, value, status, code, pointer) in [
        ("version", json!(1), 409, "changed_meanwhile", "/version"),
        ("extension", json!("nobodys"), 422, "plugin_missing", "/extension"),
        ("settings", json!({ "staff_percent": 91 }), 422, "invalid", "/settings/staff_percent"),
        ("settings", json!({ "staff": 1 }), 422, "invalid", "/settings/staff"),
        ("refuse_on_failure", json!(["nothing"]), 422, "invalid", "/refuse_on_failure/0"),
        ("refuse_on_failure", json!(["risk", "risk"]), 422, "invalid", "/refuse_on_failure/1"),
    ] {
        let mut wish = good.clone();
        wish[field] = value.clone();
        let refused: Value = canteen.merchant.owner.ask("PUT", RULES).json(&wish).await.json(status);
        assert_eq!((&refused["code"], &refused["pointer"]), (&json!(code), &json!(pointer)), "{value}: {refused}");
    }
    assert_eq!(canteen.rules().await["version"], 0);
    // Two at once: one of them.
    let owner = &canteen.merchant.owner;
    let (one, other) = tokio::join!(owner.ask("PUT", RULES).json(&good), owner.ask("PUT", RULES).json(&good));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    for quote in [json!({ "amount": amount(0) }), json!({ "amount": amount(1), "method": "barter" })] {
        let refused: Value = owner.post("/v1/quotes").json(&quote).await.json(422);
        assert_eq!(refused["code"], "invalid", "{quote}");
    }
    let nameless = json!({ "amount": amount(1), "goods": [{ "name": "", "quantity": 1, "price_minor": 1 }] });
    let refused: Value = owner.post("/v1/quotes").json(&nameless).await.json(422);
    assert_eq!(refused["pointer"], "/goods/0/name");
}

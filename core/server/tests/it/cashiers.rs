//! Who signs on at a merchant's tills: named on the dashboard, told to the tills of their stores, and no PIN anywhere.

use std::{fs, path::Path};

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use saoma_protocol::cashier::{CashierList, SupervisorFor, TillRole};
use serde_json::{Value, json};

use crate::{
    door::Door,
    town::{Merchant, Till, Town, text},
};

/// Found in a file by chance once in 10^16 places.
const PIN: &str = "73918264";
const NEXT_PIN: &str = "60274815";

async fn add(owner: &Door, staff_code: &str, more: Value) -> Value {
    let mut body =
        json!({ "name": format!("cashier {staff_code}"), "staff_code": staff_code, "role": "cashier", "pin": PIN });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    owner.post("/v1/cashiers").json(&body).await.json(201)
}

async fn listed(till: &Till) -> CashierList {
    till.door.get("/v1/terminal/cashiers").await.json(200)
}

/// What the till is told and has not acknowledged: how often to look at core.
async fn nudges(till: &Till) -> Vec<u64> {
    let told: Value = till.door.get("/v1/terminal/pushes?after=0").await.json(200);
    let pushes = told["pushes"].as_array().unwrap();
    let nudges = pushes.iter().filter(|push| push["body"]["kind"] == "cashiers_changed");
    nudges.map(|push| push["id"].as_u64().unwrap()).collect()
}

async fn heard(till: &Till) -> usize {
    let ids = nudges(till).await;
    assert_eq!(till.door.post("/v1/terminal/pushes/ack").json(&json!({ "ids": ids })).await.status, 204);
    ids.len()
}

/// A change of whom it is, as whoever has just looked sends it.
async fn change(owner: &Door, path: &str, what: Value) -> Value {
    let mut body = what;
    body["version"] = owner.get(path).await.json::<Value>(200)["version"].clone();
    owner.ask("PATCH", path).json(&body).await.json(200)
}

async fn second_store(merchant: &Merchant) -> String {
    let store: Value = merchant.owner.post("/v1/stores").json(&json!({ "name": "Second" })).await.json(201);
    text(&store, "/id").to_owned()
}

fn codes(list: &CashierList) -> Vec<String> {
    list.cashiers.iter().map(|card| card.staff_code.to_string()).collect()
}

fn fits(list: &CashierList, staff_code: &str, pin: &str) -> bool {
    let card = list.cashiers.iter().find(|card| card.staff_code.to_string() == staff_code).unwrap();
    let hash = PasswordHash::new(&card.verifier.0).unwrap();
    Argon2::default().verify_password(pin.as_bytes(), &hash).is_ok()
}

#[actix_web::test]
async fn a_cashier_reaches_the_tills_of_the_stores_and_leaves_them() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (owner, till) = (&jade.owner, town.till(&jade).await);
    let none = listed(&till).await;
    assert_eq!((none.version, none.supervisor_for, none.cashiers.len()), (0, SupervisorFor::None, 0));

    let li = add(owner, "07", json!({ "name": "李雷", "role": "supervisor" })).await;
    assert_eq!((&li["staff_code"], &li["active"], &li["stores"]), (&json!("07"), &json!(true), &json!([])));
    let elsewhere = second_store(&jade).await;
    add(owner, "8", json!({ "stores": [elsewhere] })).await;
    assert_eq!(heard(&till).await, 1, "of the one who may sign on here alone");
    add(owner, "9", json!({ "stores": [elsewhere, jade.store, jade.store] })).await;
    assert_eq!(heard(&till).await, 1);
    let list = listed(&till).await;
    assert_eq!((list.version, codes(&list)), (3, vec!["07".to_owned(), "9".to_owned()]));
    assert_eq!((list.cashiers[0].name.as_str(), list.cashiers[0].role), ("李雷", TillRole::Supervisor));
    assert!(list.cashiers[0].verifier.0.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"));
    assert!(fits(&list, "07", PIN) && !fits(&list, "07", NEXT_PIN));

    let of_li = format!("/v1/cashiers/{}", text(&li, "/id"));
    // Moved away: the till that loses them hears of it as well.
    let moved = change(owner, &of_li, json!({ "stores": [elsewhere] })).await;
    assert_eq!(moved["stores"], json!([elsewhere]));
    assert_eq!((heard(&till).await, codes(&listed(&till).await)), (1, vec!["9".to_owned()]));
    change(owner, &of_li, json!({ "name": "李雷雷" })).await;
    assert_eq!(heard(&till).await, 0, "it is nothing to this till any more");
    let back = json!({ "stores": [], "role": "cashier", "staff_code": "70" });
    change(owner, &of_li, back).await;
    let set: Value = owner.post(&format!("{of_li}/pin")).key("p").json(&json!({ "pin": NEXT_PIN })).await.json(200);
    assert_eq!(set["staff_code"], "70");
    assert_eq!(heard(&till).await, 2);
    let list = listed(&till).await;
    assert!(fits(&list, "70", NEXT_PIN) && !fits(&list, "70", PIN));
    let rules = json!({ "supervisor_for": "refunds" });
    let _: Value = owner.ask("PUT", "/v1/cashier-rules").json(&rules).await.json(200);
    assert_eq!(owner.get("/v1/cashier-rules").await.json::<Value>(200), rules);
    change(owner, &of_li, json!({ "active": false })).await;
    assert_eq!(heard(&till).await, 2);
    let list = listed(&till).await;
    assert_eq!((list.version, list.supervisor_for, codes(&list)), (9, SupervisorFor::Refunds, vec!["9".to_owned()]));
    let all: Value = owner.get("/v1/cashiers").await.json(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 3, "who has left is remembered");
}

#[actix_web::test]
async fn what_cannot_be_a_cashier_is_refused_in_plain_words() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let good = json!({ "name": "Mei", "staff_code": "1", "role": "cashier", "pin": "7391" });
    let made: Value = jade.owner.post("/v1/cashiers").json(&good).await.json(201);
    for (field, value, status, words) in [
        ("pin", json!("1234"), 422, "first that is tried"),
        ("pin", json!("0000"), 422, "first that is tried"),
        ("pin", json!("739"), 422, "4 to 8 digits"),
        ("pin", json!("739182640"), 422, "4 to 8 digits"),
        ("pin", json!("73a1"), 422, "4 to 8 digits"),
        ("pin", json!(7391), 422, "a text of digits"),
        ("staff_code", json!("1"), 409, "another one"),
        ("staff_code", json!("x"), 422, "1 to 8 digits"),
        ("name", json!(" "), 422, "text is needed"),
        ("role", json!("owner"), 422, "unknown variant"),
        ("stores", json!([rust.store]), 422, "There is no store"),
        ("verifier", json!("x"), 422, "unknown field"),
    ] {
        let mut body = good.clone();
        body["staff_code"] = json!("2");
        body[field] = value;
        let answer = jade.owner.post("/v1/cashiers").json(&body).await;
        assert_eq!(answer.status, status, "{field}: {}", answer.text);
        assert!(answer.text.contains(words) && !answer.text.contains("7391"), "{field}: {}", answer.text);
    }
    let own_code = json!({ "name": "Mei", "staff_code": "7391", "role": "cashier", "pin": "7391" });
    assert_eq!(jade.owner.post("/v1/cashiers").json(&own_code).await.problem()["pointer"], "/pin");
    let path = format!("/v1/cashiers/{}", text(&made, "/id"));
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({})).await.status, 422);
    let nothing = jade.owner.ask("PATCH", &path).json(&json!({ "version": 1 })).await;
    assert!(nothing.text.contains("Say what to change"), "{}", nothing.text);
    // The code of another merchant's cashier is free here, and the cashier does not exist.
    let theirs: Value = rust.owner.post("/v1/cashiers").json(&good).await.json(201);
    let theirs = format!("/v1/cashiers/{}", text(&theirs, "/id"));
    for answer in [
        jade.owner.get(&theirs).await,
        jade.owner.ask("PATCH", &theirs).json(&json!({ "version": 1, "active": false })).await,
        jade.owner.post(&format!("{theirs}/pin")).json(&json!({ "pin": "7391" })).await,
    ] {
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()));
    }
    assert_eq!(rust.owner.get(&theirs).await.json::<Value>(200)["active"], true);
    let cashier = town.person(&jade, "cashier").await;
    assert_eq!(cashier.get("/v1/cashiers").await.refusal(), (403, "forbidden".to_owned()));
    let manager = town.person(&jade, "manager").await;
    add(&manager, "5", json!({})).await;
}

/// A form that was open while somebody else took a right away does not give it back.
#[actix_web::test]
async fn what_was_changed_meanwhile_is_looked_at_again() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let wu = add(&jade.owner, "08", json!({ "role": "supervisor" })).await;
    let path = format!("/v1/cashiers/{}", text(&wu, "/id"));
    let form =
        json!({ "version": wu["version"], "name": "Wu", "staff_code": "08", "role": "supervisor", "stores": [] });
    let demoted = change(&jade.owner, &path, json!({ "role": "cashier" })).await;
    assert_eq!((&wu["version"], &demoted["version"]), (&json!(1), &json!(2)));
    let late = jade.owner.ask("PATCH", &path).json(&form).await;
    assert_eq!(
        (late.refusal(), &late.problem()["pointer"]),
        ((409, "changed_meanwhile".to_owned()), &json!("/version"))
    );
    assert_eq!(jade.owner.get(&path).await.json::<Value>(200), demoted);
}

/// A till takes any name until the merchant names somebody, and asks for a PIN from then on: wherever that somebody may sign on.
#[actix_web::test]
async fn every_till_hears_whether_pins_are_asked_for() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (owner, till) = (&jade.owner, town.till(&jade).await);
    let elsewhere = second_store(&jade).await;
    let mei = add(owner, "1", json!({ "stores": [elsewhere] })).await;
    assert_eq!((heard(&till).await, listed(&till).await.pins, codes(&listed(&till).await)), (1, true, vec![]));
    add(owner, "2", json!({ "stores": [elsewhere] })).await;
    let path = format!("/v1/cashiers/{}", text(&mei, "/id"));
    change(owner, &path, json!({ "active": false })).await;
    assert_eq!(heard(&till).await, 0, "nothing is new here");
    let other: Value = owner.get("/v1/cashiers").await.json(200);
    let other = format!("/v1/cashiers/{}", text(&other, "/items/1/id"));
    change(owner, &other, json!({ "active": false })).await;
    assert_eq!((heard(&till).await, listed(&till).await.pins), (1, false));
    change(owner, &path, json!({ "active": true })).await;
    assert_eq!((heard(&till).await, listed(&till).await.pins), (1, true));
    let rules = json!({ "supervisor_for": "refunds" });
    let _: Value = owner.ask("PUT", "/v1/cashier-rules").json(&rules).await.json(200);
    assert_eq!(heard(&till).await, 1);
}

/// Every file that core writes, searched for the PIN.
fn with_pin(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            with_pin(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            let holds = |pin: &str| bytes.windows(pin.len()).any(|part| part == pin.as_bytes());
            if holds(PIN) || holds(NEXT_PIN) || holds("$argon2id$v=19$m=7168") {
                found.push(path.display().to_string());
            }
        }
    }
}

#[actix_web::test]
async fn a_pin_goes_in_and_is_nowhere() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let till = town.till(&jade).await;
    let body = json!({ "name": "Mei", "staff_code": "1", "role": "cashier", "pin": PIN });
    let first = jade.owner.post("/v1/cashiers").key("k").json(&body).await;
    let id = text(&first.json::<Value>(201), "/id").to_owned();
    let again = jade.owner.post("/v1/cashiers").key("k").json(&body).await;
    assert_eq!((again.status, &again.text), (201, &first.text), "a repeat makes nothing");
    let mut other = body.clone();
    other["pin"] = json!(NEXT_PIN);
    let reused = (422, "idempotency_key_reused".to_owned());
    assert_eq!(jade.owner.post("/v1/cashiers").key("k").json(&other).await.refusal(), reused);
    let path = format!("/v1/cashiers/{id}/pin");
    let set = jade.owner.post(&path).key("p").json(&json!({ "pin": NEXT_PIN })).await;
    assert_eq!(jade.owner.post(&path).key("p").json(&json!({ "pin": NEXT_PIN })).await.text, set.text);
    assert_eq!(jade.audited("cashier.pin_set").await.len(), 1);
    let audited = jade.audited("cashier.created").await;
    assert_eq!(
        audited[0]["detail"],
        json!({ "staff_code": "1", "name": "Mei", "role": "cashier", "stores": [], "active": true })
    );

    let mut told = vec![first.text, set.text];
    for path in ["/v1/cashiers", &format!("/v1/cashiers/{id}"), "/v1/audit?limit=200", "/v1/cashier-rules"] {
        told.push(jade.owner.get(path).await.text);
    }
    for text in told {
        assert!(!text.contains(PIN) && !text.contains(NEXT_PIN) && !text.contains("argon2"), "{text}");
    }
    for row in town.rows_of(&jade.id) {
        assert!(!row.contains(PIN) && !row.contains(NEXT_PIN) && !row.contains("m=7168"), "{row}");
    }
    let mut found = Vec::new();
    with_pin(&town.data(), &mut found);
    assert_eq!(found, Vec::<String>::new());
    // A new data key: the verifier is sealed anew, and still fits.
    let rotated = town.saoma(&["keys", "rotate-tenant", &jade.id]).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert!(fits(&listed(&till).await, "1", NEXT_PIN));
}

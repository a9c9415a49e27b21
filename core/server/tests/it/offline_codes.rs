//! A canteen lets phones pay where there is no network: granted, sold, told later; spent twice; lost; and forged.

use ring::signature::Ed25519KeyPair;
use saoma_protocol::{
    Amount,
    code::offline::{Code, Grant, KeyId, Token, public_key},
};
use serde_json::{Value, json};

use crate::{
    access_bodies,
    offline_world::{Canteen, Journal, Phone, cny, grants, now, nudges, seconds},
    receiver::Receiver,
    town::{charge, text},
};

#[actix_web::test]
async fn granted_sold_offline_and_told_later() {
    let canteen = Canteen::open(10_000).await;
    let owner = &canteen.merchant.owner;
    let asked = json!({ "device_key": "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
        "cap": cny(1_000) });
    let refused = owner.post(&grants(&canteen.account)).key("off").json(&asked).await;
    assert_eq!(refused.refusal(), (409, "offline_off".to_owned()));
    canteen.takes_offline_codes().await;
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    assert_eq!(cashier.post(&grants(&canteen.account)).json(&asked).await.status, 403);
    // A key under which anything is signed.
    let weak = json!({ "device_key": format!("01{}", "00".repeat(31)), "cap": cny(1_000) });
    assert_eq!(owner.post(&grants(&canteen.account)).key("weak").json(&weak).await.status, 422);

    let phone = Phone::granted(owner, &canteen.account, 3, 6_000).await;
    // What is granted is set aside: another grant, a pay-out and a top-up's reversal find the rest.
    let more = json!({ "device_key": hex::encode(phone.signed.grant.device_key), "cap": cny(4_001) });
    let refused = owner.post(&grants(&canteen.account)).key("more").json(&more).await;
    assert_eq!(refused.refusal(), (409, "balance_reserved".to_owned()));
    let close = format!("/v1/stored-value/accounts/{}/close", canteen.account);
    let refused = owner.post(&close).json(&json!({ "reason": "left" })).await;
    assert_eq!(refused.refusal(), (409, "balance_reserved".to_owned()));

    let till = canteen.town.till(&canteen.merchant).await;
    let list = canteen.list(&till).await;
    assert!(list.limits.is_some() && list.denied.is_empty());
    let mut journal = Journal::of(&till, &canteen.merchant);
    let code = phone.code(1);
    assert_eq!(Code::parse(&code).unwrap().verify(&list.issuers, now()), Ok(()));
    let sold = journal.sells(2_500, &code);
    journal.sells(1_500, &phone.code(2));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(journal.syncs().await, [""; 0], "again, it is booked once");
    // The till's clock is some seconds ahead of core's, and the phone's of the till's: all of them as far as they may be.
    journal.ahead_ms = 5_000;
    let ahead = phone.signed.code(&phone.key, 3, seconds(now().plus(12_000))).text();
    journal.sells(500, &ahead);
    assert_eq!(journal.syncs().await, [""; 0]);
    let shown = canteen.payment(&sold).await;
    assert_eq!((&shown["state"], &shown["channel_account"]), (&json!("succeeded"), &json!(canteen.merchant.account)));
    assert_eq!(canteen.shown().await, ("active".to_owned(), 5_500));
    assert_eq!(canteen.books().await, [-5_500, -4_500, 0]);
    let granted: Value = owner.get(&grants(&canteen.account)).await.json(200);
    assert_eq!(granted["items"][0]["spent"]["minor"], 4_500);
    let none: Value = owner.get("/v1/stored-value/double-spends").await.json(200);
    assert_eq!(none["items"], json!([]));
    // The key lies sealed: no row shows it, nor does the log of what was done.
    assert!(!canteen.merchant.audited("stored_value.offline_granted").await.is_empty());
}

#[actix_web::test]
async fn the_same_code_at_two_terminals_is_found_and_the_shop_is_paid() {
    let canteen = Canteen::open(10_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let receiver = Receiver::open().await;
    let endpoint = json!({ "url": receiver.url });
    let _: Value = owner.post("/v1/webhook-endpoints").json(&endpoint).await.json(201);
    let phone = Phone::granted(owner, &canteen.account, 3, 5_000).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let code = phone.code(1);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    here.sells(3_000, &code);
    let twice = there.sells(2_000, &code);
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(there.syncs().await, [""; 0]);
    let shown: Value = owner.get(&format!("/v1/payments/{twice}")).await.json(200);
    assert_eq!(shown["state"], "succeeded", "the goods are gone");
    assert_eq!(shown["reference"], "桌 7", "as the cashier wrote it");
    assert_eq!(canteen.shown().await, ("frozen".to_owned(), 7_000));
    assert_eq!(canteen.books().await, [-7_000, -5_000, 2_000]);
    assert_eq!(canteen.list(&one).await.denied, std::slice::from_ref(&phone.token));
    // What was spent before the terminals heard of it is booked, as far as it was granted.
    here.sells(2_500, &phone.code(2));
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-5_000, -7_500, 2_500]);
    let told: Value = owner.get("/v1/stored-value/double-spends").await.json(200);
    let why: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| text(item, "/why").to_owned()).collect();
    assert_eq!(why, ["cap", "counter"]);
    assert_eq!((&told["items"][1]["payment"], &told["items"][1]["covered"]["minor"]), (&json!(twice), &json!(0)));
    let heard = receiver.hears_of("stored_value.double_spent").await;
    assert_eq!(heard.json()["data"]["account"], json!(canteen.account));
    assert_eq!(canteen.merchant.audited("stored_value.double_spent").await.len(), 2);
}

/// Two terminals without a network each take of one grant what they cannot know the other took: the phone signed two codes, and the
/// account holds enough.
#[actix_web::test]
async fn an_honest_holder_pays_at_two_tills_and_stays_free() {
    let canteen = Canteen::open(8_000).await;
    canteen.takes_offline_codes().await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 5_000).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    here.sells(3_000, &phone.code(1));
    there.sells(3_000, &phone.code(2));
    assert_eq!((here.syncs().await, there.syncs().await), (vec![], vec![]));
    assert_eq!(canteen.shown().await, ("active".to_owned(), 2_000));
    assert_eq!(canteen.books().await, [-2_000, -6_000, 0]);
    // More than there is: the issuer bears it and is told, and the phone pays on.
    here.sells(3_000, &phone.code(3));
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(canteen.shown().await, ("active".to_owned(), 0));
    assert_eq!(canteen.books().await, [0, -9_000, 1_000]);
    let told: Value = canteen.merchant.owner.get("/v1/stored-value/double-spends").await.json(200);
    let items = told["items"].as_array().unwrap();
    assert_eq!((items.len(), text(&items[0], "/why"), &items[0]["covered"]["minor"]), (1, "cap", &json!(2_000)));
    assert_eq!(canteen.list(&one).await.denied, [""; 0]);
}

#[actix_web::test]
async fn a_lost_phone_is_on_every_terminals_list() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 500).await;
    let till = canteen.town.till(&canteen.merchant).await;
    assert_eq!(canteen.list(&till).await.denied, [""; 0]);
    assert_eq!(nudges(&till, true).await, 0, "it came after all of it");
    // One phone of two is sold: its grant is revoked, by whoever is at the desk, and the other pays on.
    let other = Phone::granted(owner, &canteen.account, 4, 300).await;
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    let revoke = format!("{}/{}/revoke", grants(&canteen.account), other.token);
    for key in ["k1", "k1", "k2"] {
        let revoked: Value = cashier.post(&revoke).key(key).json(&json!({ "reason": "sold" })).await.json(200);
        assert!(revoked["revoked_at"].is_i64(), "{revoked}");
    }
    assert_eq!(canteen.list(&till).await.denied, std::slice::from_ref(&other.token));
    assert_eq!(nudges(&till, true).await, 1);
    let revoked: Value = cashier.post(&revoke).key("k3").json(&json!({ "reason": "sold" })).await.json(200);
    assert!(revoked["revoked_at"].is_i64() && nudges(&till, true).await == 0, "not for what changes nothing");
    let elsewhere = format!("{}/{}/revoke", grants(&canteen.account), "0".repeat(16));
    assert_eq!(cashier.post(&elsewhere).json(&json!({ "reason": "sold" })).await.status, 404);
    let freeze = canteen.path("/freeze");
    let _: Value = owner.post(&freeze).json(&json!({ "reason": "lost on the bus" })).await.json(200);
    let mut denied = [phone.token.clone(), other.token];
    denied.sort();
    assert_eq!(canteen.list(&till).await.denied, denied);
    assert_eq!(nudges(&till, true).await, 1);
    let asked = json!({ "device_key": hex::encode(phone.signed.grant.device_key), "cap": cny(1) });
    let refused = owner.post(&grants(&canteen.account)).key("again").json(&asked).await;
    assert_eq!(refused.refusal(), (409, "account_frozen".to_owned()));
}

#[actix_web::test]
async fn what_no_terminal_should_have_taken_waits_for_a_person() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 500).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let created = seconds(now());
    let forged = phone.signed.grant.sign(&stranger).code(&phone.key, 1, created).text();
    let stolen = phone.signed.code(&stranger, 1, created).text();
    let of_nobody = Grant { issuer: KeyId::of(&public_key(&stranger)), token: Token([7; 8]), ..phone.signed.grant };
    let of_nobody = of_nobody.sign(&stranger).code(&phone.key, 1, created).text();
    let old = phone.signed.code(&phone.key, 1, created - 600).text();
    // Another merchant's stored value, as good as it is there.
    let rust = canteen.town.merchant("rust").await;
    let policy = access_bodies::offline_policy(&rust.account);
    let _: Value = rust.owner.ask("PUT", "/v1/stored-value/offline-policy").json(&policy).await.json(200);
    let opened: Value = rust.owner.post("/v1/stored-value/accounts").json(&json!({ "holder": "Li" })).await.json(201);
    let theirs = text(&opened, "/id");
    let top_up = json!({ "amount": cny(500) });
    let _: Value =
        rust.owner.post(&format!("/v1/stored-value/accounts/{theirs}/top-ups")).json(&top_up).await.json(201);
    let elsewhere = Phone::granted(&rust.owner, theirs, 5, 500).await;
    assert_eq!(canteen.list(&till).await.issuers.len(), 1, "its own alone");
    let mut journal = Journal::of(&till, &canteen.merchant);
    for code in [&forged, &stolen, &of_nobody, &old, "OPC1:ABC", &phone.code(1), &elsewhere.code(1)] {
        journal.sells(501, code);
    }
    journal.sells_for(Amount::new(100, "USD".parse().unwrap()).unwrap(), &phone.code(2));
    // A number that came online too: whichever it was, one of them is not there.
    let online = till.number(&canteen.merchant, 9);
    let mut sale = charge(100, &canteen.town.code_of("alice").await);
    sale["counter"] = json!(9);
    let _: Value = till.door.post("/v1/payments").key(&online).json(&sale).await.json(201);
    assert_eq!(journal.sells(100, &phone.code(3)), online);
    let held = journal.syncs().await;
    for (why, expected) in held.iter().zip([
        "forged: the offline code was not signed by its issuer",
        "forged: the offline code was not signed by the customer's phone",
        "the offline code is of an issuer that is not accepted",
        "the offline code is too old",
        "the offline code",
        "5.01 CNY is more than one code allows",
        "the offline code is of an issuer that is not accepted",
        "1.00 USD was taken with a code in CNY",
        "core has a sale under this number: 1.00 CNY",
    ]) {
        assert!(why.starts_with(expected), "{why}");
    }
    assert_eq!(held.len(), 9);
    let waiting: Value = owner.get(&format!("/v1/terminals/{}/held", till.id)).await.json(200);
    assert_eq!(waiting["items"].as_array().unwrap().len(), 9, "none is lost");
    assert_eq!(journal.syncs().await, held, "again, nothing else comes of it");
    assert_eq!(canteen.shown().await, ("active".to_owned(), 1_000));
    // With what the other merchant's holder has.
    assert_eq!(canteen.books().await, [-1_500, 0, 0]);
}

/// What was granted for a day is free the next, as soon as the tills have told what they took, and not before.
#[actix_web::test]
async fn what_a_grant_left_is_free_once_the_tills_have_told() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 600).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    let (code, late) = (phone.code(1), phone.code(2));
    canteen.town.force(&format!("UPDATE terminals SET enrolled_at = {}", now().plus(-3_600_000).0));
    canteen.town.force(&format!("UPDATE offline_grants SET not_after = {}", now().plus(-600_000).0));
    let again = json!({ "device_key": hex::encode(phone.signed.grant.device_key), "cap": cny(500) });
    let asked = async |key: &str| owner.post(&grants(&canteen.account)).key(key).json(&again).await;
    assert_eq!(asked("day-2").await.refusal(), (409, "balance_reserved".to_owned()));
    here.sells(100, &code);
    assert_eq!(here.syncs().await, [""; 0]);
    assert_eq!(asked("day-2-soon").await.refusal(), (409, "balance_reserved".to_owned()), "the other till is silent");
    there.sells(300, &late);
    assert_eq!(there.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-600, -400, 0], "all of it was set aside until then");
    let shown: Value = owner.get(&canteen.path("")).await.json(200);
    assert!(shown.get("reserved").is_none(), "{shown}");
    let _: Value = asked("day-2-later").await.json(201);
    let shown: Value = owner.get(&canteen.path("")).await.json(200);
    assert_eq!(shown["reserved"], cny(500));
}

/// The key with which grants are signed may have leaked: it is revoked, what it signed is good nowhere, and a new one signs.
#[actix_web::test]
async fn a_leaked_key_is_revoked() {
    const KEYS: &str = "/v1/stored-value/offline-keys";
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 400).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let keys: Value = owner.get(KEYS).await.json(200);
    let revoke = format!("{KEYS}/{}/revoke", text(&keys, "/items/0/id"));
    let reason = json!({ "reason": "the database was stolen" });
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    assert_eq!(cashier.post(&revoke).json(&reason).await.status, 403);
    let revoked: Value = owner.post(&revoke).json(&reason).await.json(200);
    assert!(revoked["revoked_at"].is_i64(), "{revoked}");
    assert_eq!(nudges(&till, true).await, 1);
    let code = phone.code(1);
    let refused = Code::parse(&code).unwrap().verify(&canteen.list(&till).await.issuers, now());
    assert!(refused.unwrap_err().to_string().contains("revoked"));
    // What a till took before it heard is booked.
    let mut journal = Journal::of(&till, &canteen.merchant);
    journal.sells(100, &code);
    assert_eq!(journal.syncs().await, [""; 0]);
    let next = Phone::granted(owner, &canteen.account, 4, 400).await;
    assert_ne!(next.signed.grant.issuer, phone.signed.grant.issuer);
    let list = canteen.list(&till).await;
    assert_eq!(list.issuers.iter().map(|issuer| issuer.revoked).collect::<Vec<_>>(), [true, false]);
    assert_eq!(Code::parse(&next.code(1)).unwrap().verify(&list.issuers, now()), Ok(()));
}

//! Signing in, staying signed in, and being put out: told by Mei, who owns the teahouse, and by whoever found her cookie.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{Merchant, PASSWORD, Town, present, sign_in, text},
};

/// A browser: the access token of its last answer, and the cookie that it keeps.
struct Browser {
    nobody: Door,
    cookie: String,
    token: String,
}

impl Browser {
    async fn signs_in(town: &Town, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = town.nobody().post("/v1/auth/sign-in").json(&body).await;
        let mut browser = Self { nobody: town.nobody(), cookie: String::new(), token: String::new() };
        browser.keeps(&answer);
        browser
    }

    fn keeps(&mut self, answer: &Answer) {
        let session: Value = answer.json(200);
        self.token = text(&session, "/access_token").to_owned();
        self.cookie = answer.cookie().expect("a refresh cookie");
        let set = answer.headers["set-cookie"].to_str().unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/v1/auth"), "{set}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }

    fn door(&self) -> Door {
        self.nobody.with(&self.token)
    }

    /// Sends a cookie, its own or one kept from before.
    async fn refreshes_with(&self, cookie: &str) -> Answer {
        self.nobody.post("/v1/auth/refresh").header("cookie", cookie.as_bytes()).await
    }

    async fn refreshes(&mut self) {
        let answer = self.refreshes_with(&self.cookie).await;
        self.keeps(&answer);
    }

    async fn is_let_in(&self) -> bool {
        self.door().get("/v1/auth/me").await.status == 200
    }
}

const MEI: &str = "owner@jade.example";

async fn teahouse() -> (Town, Merchant) {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    (town, jade)
}

fn signed_out() -> (u16, String) {
    (401, "unauthenticated".to_owned())
}

#[actix_web::test]
async fn a_session_goes_on_with_each_refresh_and_ends_with_the_sign_out() {
    let (town, jade) = teahouse().await;
    let mut mei = Browser::signs_in(&town, MEI).await;
    let first = mei.door();
    for _ in 0..3 {
        mei.refreshes().await;
        assert!(mei.is_let_in().await);
    }
    let out = mei.door().post("/v1/auth/sign-out").header("cookie", mei.cookie.as_bytes()).await;
    assert_eq!((out.status, out.cookie().as_deref()), (204, Some("saoma_refresh=")));
    assert!(!mei.is_let_in().await);
    assert_eq!(
        first.get("/v1/auth/me").await.refusal(),
        signed_out(),
        "her earlier access tokens end with the session"
    );
    let late = mei.refreshes_with(&mei.cookie).await;
    assert_eq!((late.refusal(), late.cookie().as_deref()), (signed_out(), Some("saoma_refresh=")));
    assert_eq!(jade.audited("session.ended").await.len(), 1);
    assert!(jade.owner.get("/v1/auth/me").await.status == 200, "her other session goes on");
}

#[actix_web::test]
async fn the_cookie_alone_signs_out_too() {
    let (town, _) = teahouse().await;
    let mei = Browser::signs_in(&town, MEI).await;
    let out = mei.nobody.post("/v1/auth/sign-out").header("cookie", mei.cookie.as_bytes()).await;
    assert_eq!(out.status, 204);
    assert!(!mei.is_let_in().await);
    // Without either there is nobody to sign out, which is no error.
    assert_eq!(town.nobody().post("/v1/auth/sign-out").await.status, 204);
}

#[actix_web::test]
async fn any_earlier_token_ends_the_session_for_thief_and_owner() {
    let (town, jade) = teahouse().await;
    for stolen in 0..4 {
        let mut mei = Browser::signs_in(&town, MEI).await;
        let mut cookies = vec![mei.cookie.clone()];
        for _ in 0..3 {
            mei.refreshes().await;
            cookies.push(mei.cookie.clone());
        }
        let newest = cookies.len() - 1;
        if stolen == newest {
            // The thief is faster: now Mei's own comes second.
            let thief = mei.refreshes_with(&mei.cookie).await;
            assert_eq!(thief.status, 200);
        }
        let reused = mei.refreshes_with(&cookies[stolen]).await;
        assert_eq!(reused.refusal(), signed_out(), "token {stolen}");
        assert!(!mei.is_let_in().await, "token {stolen}");
        for cookie in &cookies {
            assert_eq!(mei.refreshes_with(cookie).await.refusal(), signed_out(), "token {stolen}");
        }
        let told = jade.audited("session.token_reused").await;
        assert_eq!(told.len(), stolen + 1, "once for each theft: {told:?}");
    }
    assert_eq!(jade.owner.get("/v1/auth/me").await.status, 200, "a family is one session, not all of a person's");
}

#[actix_web::test]
async fn an_old_cookie_at_the_sign_out_is_a_theft_as_well() {
    let (town, jade) = teahouse().await;
    let mut mei = Browser::signs_in(&town, MEI).await;
    let old = mei.cookie.clone();
    mei.refreshes().await;
    let out = mei.nobody.post("/v1/auth/sign-out").header("cookie", old.as_bytes()).await;
    assert_eq!(out.status, 204);
    assert!(!mei.is_let_in().await);
    assert_eq!(jade.audited("session.token_reused").await.len(), 1);
}

#[actix_web::test]
async fn a_guess_ends_nothing() {
    let (town, jade) = teahouse().await;
    let mut mei = Browser::signs_in(&town, MEI).await;
    let (name, value) = mei.cookie.split_once('=').unwrap();
    let (session, secret) = value.split_once('.').unwrap();
    let turned: String = secret.chars().rev().collect();
    for guess in [turned.as_str(), &"A".repeat(43), &secret[..42], ""] {
        let refused = mei.refreshes_with(&format!("{name}={session}.{guess}")).await;
        assert_eq!(refused.refusal(), signed_out(), "{guess}");
    }
    assert!(mei.is_let_in().await);
    mei.refreshes().await;
    assert_eq!(jade.audited("session.token_reused").await.len(), 0);
}

#[actix_web::test]
async fn of_two_that_refresh_at_once_one_is_a_copy() {
    let (town, jade) = teahouse().await;
    let mei = Browser::signs_in(&town, MEI).await;
    let tries = (0..5).map(|_| mei.refreshes_with(&mei.cookie));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(!mei.is_let_in().await);
    assert_eq!(jade.audited("session.token_reused").await.len(), 1);
}

#[actix_web::test]
async fn a_session_outlives_core() {
    let (mut town, _) = teahouse().await;
    let mut mei = Browser::signs_in(&town, MEI).await;
    let old = mei.cookie.clone();
    mei.refreshes().await;
    town.restart().await;
    assert!(mei.is_let_in().await);
    mei.refreshes().await;
    assert_eq!(mei.refreshes_with(&old).await.refusal(), signed_out(), "and core still knows an old token");
    assert!(!mei.is_let_in().await);
}

#[actix_web::test]
async fn mei_sees_her_sessions_and_ends_one() {
    let (town, _) = teahouse().await;
    let (home, shop) = (Browser::signs_in(&town, MEI).await, Browser::signs_in(&town, MEI).await);
    let sessions: Value = home.door().get("/v1/auth/sessions").await.json(200);
    let sessions = sessions["items"].as_array().unwrap();
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let newest = text(&sessions[0], "/id");
    assert_eq!(home.door().ask("DELETE", &format!("/v1/auth/sessions/{newest}")).await.status, 204);
    assert!(home.is_let_in().await && !shop.is_let_in().await);
}

#[actix_web::test]
async fn a_changed_password_ends_the_other_sessions() {
    let (town, _) = teahouse().await;
    let (mei, other) = (Browser::signs_in(&town, MEI).await, Browser::signs_in(&town, MEI).await);
    let body = json!({ "current_password": PASSWORD, "new_password": "quite another password" });
    assert_eq!(mei.door().post("/v1/auth/password").json(&body).await.status, 204);
    assert!(mei.is_let_in().await && !other.is_let_in().await);
    let old = json!({ "email": MEI, "password": PASSWORD });
    assert_eq!(town.nobody().post("/v1/auth/sign-in").json(&old).await.refusal(), (401, "sign_in_failed".to_owned()));
    sign_in(&town.nobody(), MEI, "quite another password").await;
}

#[actix_web::test]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let (town, jade) = teahouse().await;
    let li = json!({ "email": "li@jade.example", "name": "Li", "role": "manager" });
    let made: Value = jade.owner.post("/v1/users").json(&li).await.json(201);
    let one_time = text(&made, "/one_time_password");
    let li = sign_in(&town.nobody(), "li@jade.example", one_time).await;
    assert_eq!(li.get("/v1/auth/me").await.status, 200);
    for path in ["/v1/payments", "/v1/stores", "/v1/stream"] {
        assert_eq!(li.get(path).await.refusal(), (403, "password_change_needed".to_owned()), "{path}");
    }
    let body = json!({ "current_password": one_time, "new_password": PASSWORD });
    assert_eq!(li.post("/v1/auth/password").json(&body).await.status, 204);
    assert_eq!(li.get("/v1/payments").await.status, 200);
}

#[actix_web::test]
async fn whoever_is_shut_out_is_out_at_once() {
    let (town, jade) = teahouse().await;
    let cashier = town.person(&jade, "cashier").await;
    let me: Value = cashier.get("/v1/auth/me").await.json(200);
    let path = format!("/v1/users/{}", text(&me, "/user/id"));
    // A new role counts from the next request on, in the session that there is.
    assert_eq!(cashier.get("/v1/ledger/trial-balance").await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "role": "accountant" })).await.status, 200);
    assert_eq!(cashier.get("/v1/ledger/trial-balance").await.status, 200);
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "active": false })).await.status, 200);
    assert_eq!(cashier.get("/v1/auth/me").await.refusal(), signed_out());
    let body = json!({ "email": "cashier@jade.example", "password": PASSWORD });
    assert_eq!(town.nobody().post("/v1/auth/sign-in").json(&body).await.refusal(), (401, "sign_in_failed".to_owned()));
    // Let in again, the old session stays dead.
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "active": true })).await.status, 200);
    assert_eq!(cashier.get("/v1/auth/me").await.refusal(), signed_out());
}

#[actix_web::test]
async fn an_api_key_works_until_it_is_revoked() {
    let (town, jade) = teahouse().await;
    let body = json!({ "name": "web shop", "role": "cashier" });
    let made: Value = jade.owner.post("/v1/api-keys").json(&body).await.json(201);
    let shop = town.nobody().with(text(&made, "/secret"));
    let sold = jade.sells(&town, &shop, 500, "web-1").await;
    assert_eq!(sold["state"], "succeeded");
    assert_eq!(shop.get("/v1/api-keys").await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(shop.get("/v1/auth/me").await.refusal(), (403, "forbidden".to_owned()), "a key has no session");
    let listed = jade.owner.get("/v1/api-keys").await;
    assert!(listed.text.contains("last_used_at") && !listed.text.contains(text(&made, "/secret")), "{}", listed.text);
    let path = format!("/v1/api-keys/{}", text(&made, "/id"));
    assert_eq!(jade.owner.ask("DELETE", &path).await.status, 204);
    assert_eq!(shop.get("/v1/payments").await.refusal(), signed_out());
    assert_eq!(jade.audited("api_key.revoked").await.len(), 1);
}

#[actix_web::test]
async fn a_merchant_that_is_shut_out_is_out_with_all_its_own() {
    let (town, jade) = teahouse().await;
    let (key, till) = (town.key(&jade, "owner").await, town.till(&jade).await);
    let path = format!("/v1/tenants/{}", jade.id);
    assert_eq!(town.admin.ask("PATCH", &path).json(&json!({ "active": false })).await.status, 200);
    for door in [&jade.owner, &key] {
        assert_eq!(door.get("/v1/payments").await.refusal(), signed_out());
    }
    let told = till.door.get("/v1/payments").await.refusal();
    assert_eq!(told, (401, "terminal_shut_out".to_owned()), "by which its tills know it");
    assert_eq!(town.admin.ask("PATCH", &path).json(&json!({ "active": true })).await.status, 200);
    assert_eq!(key.get("/v1/payments").await.status, 200);
}

/// Who works at the counter does not open a shop that the office has closed.
#[actix_web::test]
async fn a_closed_store_sells_nothing_at_its_terminals_either() {
    let (town, jade) = teahouse().await;
    let till = town.till(&jade).await;
    let sale = |counter: u64| {
        let mut sale = present(300);
        sale["counter"] = json!(counter);
        till.door.post("/v1/payments").key(&till.number(&jade, counter)).json(&sale)
    };
    let before: Value = sale(1).await.json(201);
    let path = format!("/v1/stores/{}", jade.store);
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "active": false })).await.status, 200);
    assert_eq!(sale(2).await.refusal(), (422, "invalid".to_owned()));
    let again: Value = sale(1).await.json(200);
    assert_eq!(again["id"], before["id"], "what was begun is finished");
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "active": true })).await.status, 200);
    let _: Value = sale(2).await.json(201);
}

/// What the office does is written down where those can read it whom it concerns.
#[actix_web::test]
async fn the_audit_log_knows_of_stores_and_the_platform_reads_its_own() {
    let (town, jade) = teahouse().await;
    let path = format!("/v1/stores/{}", jade.store);
    assert_eq!(jade.owner.ask("PATCH", &path).json(&json!({ "name": "New Lane", "active": false })).await.status, 200);
    let changed = jade.audited("store.changed").await;
    assert_eq!(changed.len(), 1);
    assert_eq!((&changed[0]["subject"], &changed[0]["detail"]["active"]), (&json!(jade.store), &json!(false)));
    assert_eq!(jade.audited("store.created").await.len(), 1);

    let platform: Value = town.admin.get("/v1/audit").await.json(200);
    let actions: Vec<&str> = platform["items"].as_array().unwrap().iter().map(|entry| text(entry, "/action")).collect();
    assert!(actions.contains(&"tenant.created") && actions.contains(&"user.password_changed"), "{actions:?}");
    assert!(!actions.contains(&"store.created"), "a merchant's own affairs are its own: {actions:?}");
    // A cashier, who must tell terminals apart, reads their names.
    let (till, cashier) = (town.till(&jade).await, town.person(&jade, "cashier").await);
    let shown: Value = cashier.get(&format!("/v1/terminals/{}", till.id)).await.json(200);
    assert_eq!(shown["name"], "jade till");
}

//! What is wrong with a request is said in a problem with a stable code, and nothing of it is done.
//!
//! One table a subject: what is sent, and in the snapshot what is answered. Around every table stand the merchant's rows,
//! before and after.

use serde_json::{Value, json};

use crate::{
    bad_input_desk::Desk,
    door::{Ask, Door},
    town::{charge, present, text},
};

/// Amounts as a careless or wicked program writes them, each where a good one would stand.
const AMOUNTS: &[&str] = &[
    r#"{"minor":-1,"currency":"CNY"}"#,
    r#"{"minor":0,"currency":"CNY"}"#,
    r#"{"minor":-0,"currency":"CNY"}"#,
    r#"{"minor":1000000000000,"currency":"CNY"}"#,
    r#"{"minor":9223372036854775807,"currency":"CNY"}"#,
    r#"{"minor":9223372036854775808,"currency":"CNY"}"#,
    r#"{"minor":-9223372036854775808,"currency":"CNY"}"#,
    r#"{"minor":-9223372036854775809,"currency":"CNY"}"#,
    r#"{"minor":18446744073709551616,"currency":"CNY"}"#,
    r#"{"minor":1.0,"currency":"CNY"}"#,
    r#"{"minor":0.1,"currency":"CNY"}"#,
    r#"{"minor":1e2,"currency":"CNY"}"#,
    r#"{"minor":1E400,"currency":"CNY"}"#,
    r#"{"minor":"100","currency":"CNY"}"#,
    r#"{"minor":null,"currency":"CNY"}"#,
    r#"{"minor":true,"currency":"CNY"}"#,
    r#"{"minor":[100],"currency":"CNY"}"#,
    r#"{"minor":NaN,"currency":"CNY"}"#,
    r#"{"minor":0100,"currency":"CNY"}"#,
    r#"{"minor":+100,"currency":"CNY"}"#,
    r#"{"minor":100,"minor":100,"currency":"CNY"}"#,
    r#"{"minor":100}"#,
    r#"{"currency":"CNY"}"#,
    r#"{"minor":100,"currency":"CNY","decimals":2}"#,
    r#"{"minor":100,"currency":"cny"}"#,
    r#"{"minor":100,"currency":"CNY "}"#,
    r#"{"minor":100,"currency":""}"#,
    r#"{"minor":100,"currency":"XXX"}"#,
    r#"{"minor":100,"currency":"人民币"}"#,
    r#"{"minor":100,"currency":156}"#,
    r#"{"minor":100,"currency":null}"#,
    "null",
    "100",
    r#""1.00""#,
    "[]",
];

#[actix_web::test]
async fn amounts() {
    let mut desk = Desk::open().await;
    for amount in AMOUNTS {
        let body = format!(r#"{{"amount":{amount},"presentation":{{"kind":"merchant"}}}}"#);
        desk.sale_is_refused(&format!("sale of {amount}"), body).await;
    }
    let refunds = format!("/v1/payments/{}/refunds", desk.paid);
    for amount in AMOUNTS.iter().chain(&[
        r#"{"minor":1001,"currency":"CNY"}"#,
        r#"{"minor":999999999999,"currency":"CNY"}"#,
        r#"{"minor":10,"currency":"USD"}"#,
        // No decimals, and three: the number alone would fit.
        r#"{"minor":10,"currency":"JPY"}"#,
        r#"{"minor":10,"currency":"KWD"}"#,
    ]) {
        let answer = desk.owner().post(&refunds).key("bad").bytes(format!(r#"{{"amount":{amount}}}"#)).await;
        desk.is_refused(&format!("refund of {amount}"), &answer);
    }
    // A good amount in a currency that no account of the merchant collects, by itself and through the account.
    for currency in ["USD", "KRW", "BHD"] {
        let mut sale = present(100);
        sale["amount"]["currency"] = json!(currency);
        desk.sale_is_refused(&format!("sale in {currency}"), sale.to_string()).await;
        sale["channel_account"] = json!(desk.jade.account);
        desk.sale_is_refused(&format!("sale in {currency} through the account"), sale.to_string()).await;
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn bodies() {
    let mut desk = Desk::open().await;
    let deep = format!(r#"{{"amount":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    for (what, body) in [
        ("nothing", b"".to_vec()),
        ("half an object", br#"{"amount":"#.to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("an array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", br#""sale""#.to_vec()),
        ("no JSON", b"amount=100".to_vec()),
        ("no UTF-8", b"{\"reference\":\"\xff\xfe\"}".to_vec()),
        ("GB18030", b"{\"reference\":\"\xb2\xe8\"}".to_vec()),
        ("half a surrogate pair", br#"{"reference":"\ud83d"}"#.to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("a thousand brackets", deep.into_bytes()),
        ("too much", vec![b' '; 262_145]),
        (
            "an unknown field",
            br#"{"amount":{"minor":1,"currency":"CNY"},"presentation":{"kind":"merchant"},"tip":1}"#.to_vec(),
        ),
        ("a field twice", br#"{"amount":{"minor":1,"currency":"CNY"},"amount":{"minor":2,"currency":"CNY"}}"#.to_vec()),
    ] {
        desk.sale_is_refused(what, body).await;
    }
    let good = present(100).to_string();
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/xml")] {
        let ask = desk.owner().post("/v1/payments").key("bad");
        let ask = match kind {
            Some(kind) => ask.header("content-type", kind.as_bytes()),
            None => ask,
        };
        let answer = ask.raw(good.clone()).await;
        desk.is_refused(&format!("a good body that says it is {kind:?}"), &answer);
    }
    let packed = desk.owner().post("/v1/payments").key("bad").header("content-encoding", b"gzip").bytes(good).await;
    desk.is_refused("a body that says it is packed", &packed);
    // Requests that say everything in their path.
    for what in ["query", "cancel"] {
        for body in [r#"{"reason":"x"}"#, "[]", "{", "null"] {
            let path = format!("/v1/payments/{}/{what}", desk.paid);
            let answer = desk.owner().post(&path).key("bad").bytes(body).await;
            desk.is_refused(&format!("{what} with {body}"), &answer);
        }
    }
    // Whoever may not ask at all does not hear what is wrong with a body.
    for door in [desk.town.nobody(), desk.town.nobody().with("x.y.z")] {
        let answer = door.post("/v1/payments").key("bad").bytes("{").await;
        assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()));
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn fields_of_a_sale() {
    let mut desk = Desk::open().await;
    let line = |name: &str, quantity: Value, price: Value| json!([{ "name": name, "quantity": quantity, "price_minor": price }]);
    for (field, value) in [
        ("presentation", json!({ "kind": "cash" })),
        ("presentation", json!({})),
        ("presentation", json!("merchant")),
        ("presentation", json!({ "kind": "merchant", "expires_in_seconds": 4 })),
        ("presentation", json!({ "kind": "merchant", "expires_in_seconds": 3_601 })),
        ("presentation", json!({ "kind": "merchant", "expires_in_seconds": -1 })),
        ("presentation", json!({ "kind": "merchant", "expires_in_seconds": 4_294_967_296_i64 })),
        ("presentation", json!({ "kind": "merchant", "code": "881234567890123456" })),
        ("presentation", json!({ "kind": "customer" })),
        ("presentation", json!({ "kind": "customer", "code": "" })),
        ("presentation", json!({ "kind": "customer", "code": "881234567" })),
        ("presentation", json!({ "kind": "customer", "code": "8".repeat(513) })),
        ("presentation", json!({ "kind": "customer", "code": "99".repeat(9) })),
        ("presentation", json!({ "kind": "customer", "code": "88123456789012345\u{0}" })),
        ("presentation", json!({ "kind": "customer", "code": "８８１２３４５６７８９０１２３４５６" })),
        ("presentation", json!({ "kind": "customer", "code": "88 1234 5678 9012 3456" })),
        ("presentation", json!({ "kind": "customer", "code": "00020101021126" })),
        ("presentation", json!({ "kind": "customer", "code": "https://pay.example/1" })),
        ("presentation", json!({ "kind": "customer", "code": 881_234_567_890_123_456_i64 })),
        ("channel_account", json!("cha_")),
        ("channel_account", json!(desk.paid)),
        ("channel_account", json!("")),
        ("channel_account", json!("cha_qqqqqqqqqqqqqqqqqqqqqqqqqa")),
        ("store", json!("sto_qqqqqqqqqqqqqqqqqqqqqqqqqa")),
        ("store", json!("../stores")),
        ("reference", json!("x".repeat(129))),
        ("reference", json!("收".repeat(129))),
        ("reference", json!("two\nlines")),
        ("reference", json!("nothing\u{0}")),
        ("reference", json!("\u{202e}00.1 YNC")),
        ("reference", json!("\u{2066}isolated\u{2069}")),
        ("reference", json!(7)),
        ("cashier", json!("\u{7}bell")),
        ("cashier", json!("x".repeat(129))),
        ("counter", json!(0)),
        ("counter", json!(9_223_372_036_854_775_808_u64)),
        ("counter", json!(-1)),
        ("counter", json!(1.5)),
        ("counter", json!("1")),
        ("goods", line("", json!(1), json!(1))),
        ("goods", line("  ", json!(1), json!(1))),
        ("goods", line("tea\ttab", json!(1), json!(1))),
        ("goods", line("tea", json!(0), json!(1))),
        ("goods", line("tea", json!(10_000), json!(1))),
        ("goods", line("tea", json!(-1), json!(1))),
        ("goods", line("tea", json!(1.5), json!(1))),
        ("goods", line("tea", json!(1), json!(-1))),
        ("goods", line("tea", json!(1), json!(1_000_000_000_000_i64))),
        ("goods", line("tea", json!(1), json!(9_223_372_036_854_775_808_u64))),
        ("goods", json!([{ "name": "tea", "quantity": 1, "price_minor": 1, "sku": "x" }])),
        ("goods", Value::Array((0..201).map(|_| line("tea", json!(1), json!(1))[0].clone()).collect())),
        ("goods", json!({})),
    ] {
        desk.field_is_refused(field, &value).await;
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn keys() {
    let mut desk = Desk::open().await;
    let longest = "k".repeat(129);
    let refunds = format!("/v1/payments/{}/refunds", desk.paid);
    let of_paid = |what: &str| format!("/v1/payments/{}/{what}", desk.paid);
    let paths = ["/v1/payments".to_owned(), refunds.clone(), of_paid("void"), of_paid("cancel")];
    for (nth, path) in paths.iter().enumerate() {
        let body = [present(100), json!({ "amount": { "minor": 1, "currency": "CNY" } }), json!({}), json!({})];
        let body = body[nth].to_string();
        let ask = |owner: &Door| owner.post(path).without_key().bytes(body.clone());
        let missing = ask(desk.owner()).await;
        desk.is_refused(&format!("{} without a key", path.replace(&desk.paid, "{payment}")), &missing);
        for key in [
            b"".as_slice(),
            longest.as_bytes(),
            b"two words",
            b"tab\there",
            "schl\u{fc}ssel".as_bytes(),
            b"\xff",
            "钥匙".as_bytes(),
        ] {
            let answer = ask(desk.owner()).header("idempotency-key", key).await;
            let shown: String = String::from_utf8_lossy(key).chars().take(12).collect();
            desk.is_refused(&format!("{} with key {shown:?}", path.replace(&desk.paid, "{payment}")), &answer);
        }
        let twice = ask(desk.owner()).key("one").key("two").await;
        desk.is_refused(&format!("{} with two keys", path.replace(&desk.paid, "{payment}")), &twice);
    }
    // A terminal's key is the number that follows from its counter.
    for (what, key, counter) in [
        ("a text of its own", "sale-7".to_owned(), json!(7)),
        ("another sale's number", desk.till.number(&desk.jade, 8), json!(7)),
        ("no counter", desk.till.number(&desk.jade, 7), Value::Null),
        ("a number of somebody else", desk.paid.clone(), json!(7)),
    ] {
        let mut sale = present(100);
        sale["counter"] = counter;
        let answer = desk.till.door.post("/v1/payments").key(&key).json(&sale).await;
        desk.is_refused(&format!("terminal: {what}"), &answer);
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn places_and_lists() {
    let mut desk = Desk::open().await;
    let paid = desk.paid.clone();
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=4294967296",
        "limit=",
        "limit=1&limit=2",
        "cursor=",
        "cursor=x",
        "cursor=.",
        "cursor=1.",
        "cursor=1.pay_x",
        "cursor=99999999999999999999.pay_qqqqqqqqqqqqqqqqqqqqqqqqqa",
        "cursor=1.5.pay_qqqqqqqqqqqqqqqqqqqqqqqqqa",
        "cursor=1.ter_qqqqqqqqqqqqqqqqqqqqqqqqqa",
        "cursor=%00",
        "state=paid",
        "state=Succeeded",
        "store=x",
        "terminal=pay_qqqqqqqqqqqqqqqqqqqqqqqqqa",
        "from=x",
        "from=1.5",
        "to=9223372036854775808",
        "sort=amount",
        "limit=1%27%20OR%201=1",
    ] {
        let answer = desk.owner().get(&format!("/v1/payments?{query}")).await;
        desk.is_refused(&format!("payments?{query}"), &answer);
    }
    for query in ["limit=0", "limit=201", "before=-1", "before=x", "after=1"] {
        let answer = desk.owner().get(&format!("/v1/audit?{query}")).await;
        desk.is_refused(&format!("audit?{query}"), &answer);
    }
    for query in ["limit=0", "cursor=x", "cursor=pay_qqqqqqqqqqqqqqqqqqqqqqqqqa"] {
        let answer = desk.town.admin.get(&format!("/v1/tenants?{query}")).await;
        desk.is_refused(&format!("tenants?{query}"), &answer);
    }
    for query in ["", "?after=-1", "?after=x", "?after=0&wait_ms=30001", "?after=0&wait_ms=-1", "?after=0&other=1"] {
        let answer = desk.till.door.get(&format!("/v1/terminal/pushes{query}")).await;
        desk.is_refused(&format!("pushes{query}"), &answer);
    }
    for id in [b"x".as_slice(), b"-1", b"18446744073709551616", b"1.5", b"\xff"] {
        let answer = desk.owner().get("/v1/stream").header("last-event-id", id).await;
        desk.is_refused(&format!("stream from {:?}", String::from_utf8_lossy(id)), &answer);
    }
    let long = format!("/v1/payments/{}", "a".repeat(4_000));
    for (what, path) in [
        ("no id", "/v1/payments/"),
        ("a word", "/v1/payments/first"),
        ("another kind of id", "/v1/payments/ter_qqqqqqqqqqqqqqqqqqqqqqqqqa"),
        ("capitals", "/v1/payments/PAY_QQQQQQQQQQQQQQQQQQQQQQQQQA"),
        ("an id that nothing has", "/v1/payments/pay_qqqqqqqqqqqqqqqqqqqqqqqqqa"),
        ("a zero byte", "/v1/payments/%00"),
        ("no UTF-8", "/v1/payments/%ff"),
        ("an emoji", "/v1/payments/%F0%9F%8D%B5"),
        ("a long one", &long),
        ("an id and more", &format!("/v1/payments/{paid}/")),
        ("an id and a space", &format!("/v1/payments/{paid}%20")),
        ("what there is not", "/v1/orders"),
        ("another version", "/v2/payments"),
    ] {
        // Pages of the dashboard find their own way: a path outside of /v1 is one of theirs.
        let answer = desk.owner().get(path).await;
        if path.starts_with("/v1") {
            desk.is_refused(what, &answer);
        }
    }
    for (method, path) in [
        ("PUT", "/v1/payments"),
        ("DELETE", "/v1/payments"),
        ("PATCH", &format!("/v1/payments/{paid}")),
        ("DELETE", &format!("/v1/payments/{paid}")),
        ("GET", &format!("/v1/payments/{paid}/void")),
        ("GET", "/v1/auth/sign-in"),
        ("POST", "/v1/stream"),
        ("POST", "/v1/ledger/trial-balance"),
        ("TRACE", "/v1/payments"),
        ("BREW", "/v1/payments"),
        ("POST", "/"),
    ] {
        let answer = desk.owner().ask(method, path).await;
        desk.is_refused(&format!("{method} {}", path.replace(&paid, "{payment}")), &answer);
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn credentials() {
    let mut desk = Desk::open().await;
    let key: Value = desk.owner().post("/v1/api-keys").json(&json!({ "name": "k", "role": "owner" })).await.json(201);
    let secret = text(&key, "/secret").to_owned();
    desk.before = desk.town.rows_of(&desk.jade.id);
    let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"session-1"}"#);
    let claims = data_encoding::BASE64URL_NOPAD
        .encode(br#"{"iss":"saoma","sub":"ses_qqqqqqqqqqqqqqqqqqqqqqqqqa","iat":0,"exp":99999999999}"#);
    let mut other_secret = secret.clone();
    let last = other_secret.pop().unwrap();
    other_secret.push(if last == 'A' { 'Q' } else { 'A' });
    let shortened = &secret[..secret.len() - 4];
    for (what, header) in [
        ("none", None),
        ("empty", Some(String::new())),
        ("another scheme", Some("Basic b3duZXI6cGFzcw==".to_owned())),
        ("no token", Some("Bearer".to_owned())),
        ("an empty token", Some("Bearer ".to_owned())),
        ("no JWT", Some("Bearer x".to_owned())),
        ("three dots", Some("Bearer ...".to_owned())),
        ("a JWT that is not signed", Some(format!("Bearer {none}.{claims}."))),
        ("no key", Some("Bearer saoma_".to_owned())),
        ("a key without a secret", Some("Bearer saoma_key_qqqqqqqqqqqqqqqqqqqqqqqqqa".to_owned())),
        ("a key that nobody has", Some("Bearer saoma_key_qqqqqqqqqqqqqqqqqqqqqqqqqa_AAAA".to_owned())),
        ("a key with emoji", Some("Bearer saoma_🍵🍵🍵🍵🍵🍵🍵🍵🍵🍵".to_owned())),
        ("a key with another secret", Some(format!("Bearer {other_secret}"))),
        ("a key with a shorter secret", Some(format!("Bearer {shortened}"))),
        ("a key with more behind", Some(format!("Bearer {secret}AAAA"))),
    ] {
        let ask = desk.town.nobody().get("/v1/payments");
        let answer = match header {
            Some(header) => ask.header("authorization", header.as_bytes()).await,
            None => ask.await,
        };
        desk.is_refused(&format!("authorization: {what}"), &answer);
    }
    for cookie in [
        "",
        "saoma_refresh=",
        "saoma_refresh=x",
        "saoma_refresh=ses_qqqqqqqqqqqqqqqqqqqqqqqqqa.",
        "saoma_refresh=.AAAA",
        "saoma_refresh=ses_qqqqqqqqqqqqqqqqqqqqqqqqqa.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let answer = desk.town.nobody().post("/v1/auth/refresh").header("cookie", cookie.as_bytes()).await;
        desk.is_refused(&format!("refresh with {cookie:?}"), &answer);
    }
    let foreign = desk.town.nobody().post("/v1/auth/refresh").header("origin", b"https://evil.example").await;
    desk.is_refused("refresh from another page", &foreign);
    for (what, body) in [
        ("no password", json!({ "email": "owner@jade.example" })),
        ("a wrong password", json!({ "email": "owner@jade.example", "password": "x" })),
        ("nobody", json!({ "email": "nobody@jade.example", "password": "x" })),
        ("an endless password", json!({ "email": "owner@jade.example", "password": "x".repeat(10_000) })),
        ("an endless name", json!({ "email": "x".repeat(255), "password": "x" })),
        ("a name with a zero byte", json!({ "email": "owner@jade.example\u{0}", "password": "x" })),
        ("no name", json!({ "email": " ", "password": "x" })),
        ("a quote", json!({ "email": "' OR 1=1 --", "password": "x" })),
    ] {
        let answer = desk.town.nobody().post("/v1/auth/sign-in").json(&body).await;
        desk.is_refused(&format!("sign in: {what}"), &answer);
    }
    for (what, claim, csr) in [
        ("no claim code", "", "x"),
        ("an odd claim code", "🍵", "x"),
        ("no request", "0000-0000-0000", ""),
        (
            "a request that is none",
            "0000-0000-0000",
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        ),
    ] {
        let body = json!({ "claim_code": claim, "csr_pem": csr });
        let answer = desk.town.nobody().post("/v1/terminal/enrol").json(&body).await;
        desk.is_refused(&format!("enrol: {what}"), &answer);
    }
    for csr in ["", "x"] {
        let answer = desk.till.door.post("/v1/terminal/renew").json(&json!({ "csr_pem": csr })).await;
        desk.is_refused(&format!("renew: {csr:?}"), &answer);
    }
    insta::assert_snapshot!(desk.close().await);
}

#[actix_web::test]
async fn the_office() {
    let mut desk = Desk::open().await;
    let me: Value = desk.owner().get("/v1/auth/me").await.json(200);
    let me = text(&me, "/user/id").to_owned();
    let (account, admin) = (desk.jade.account.clone(), desk.town.admin.clone());
    let settings = json!({ "base_url": "http://127.0.0.1:9", "merchant_id": "m" });
    let new = |changes: Value| {
        let mut body = json!({ "plugin": "sandbox", "name": "n", "fee_basis_points": 0, "settings": settings });
        changes.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let signing_with = |key: &str| {
        let settings = json!({ "mode": "honest" });
        new(json!({ "plugin": "hostile", "settings": settings, "secrets": { "signing-key": key } }))
    };
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n";
    let tenant = |changes: Value| {
        let mut body = json!({ "name": "n", "currency": "CNY", "owner_name": "o", "owner_email": "o@example.com" });
        changes.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let user = |email: &str, name: &str, role: &str| json!({ "email": email, "name": name, "role": role });
    let (accounts, one_account) = ("/v1/channel-accounts", format!("/v1/channel-accounts/{account}"));
    let owner = desk.owner().clone();
    let asks: Vec<(&str, Ask)> = vec![
        ("a store without a name", owner.post("/v1/stores").json(&json!({ "name": " " }))),
        ("a store with a line break", owner.post("/v1/stores").json(&json!({ "name": "a\nb" }))),
        ("a store that is turned around", owner.post("/v1/stores").json(&json!({ "name": "a\u{202e}b" }))),
        ("a store unchanged", owner.ask("PATCH", &format!("/v1/stores/{}", desk.jade.store)).json(&json!({}))),
        (
            "a terminal nowhere",
            owner.post("/v1/terminals").json(&json!({ "name": "t", "store": "sto_qqqqqqqqqqqqqqqqqqqqqqqqqa" })),
        ),
        ("a person without an address", owner.post("/v1/users").json(&user("x", "n", "cashier"))),
        ("a person whose address is taken", owner.post("/v1/users").json(&user("OWNER@jade.example", "n", "cashier"))),
        ("a person with an unknown role", owner.post("/v1/users").json(&user("a@b", "n", "god"))),
        ("a person of the platform", owner.post("/v1/users").json(&user("a@b", "n", "platform_admin"))),
        ("a key of the platform", owner.post("/v1/api-keys").json(&json!({ "name": "n", "role": "platform_admin" }))),
        (
            "the last owner made a cashier",
            owner.ask("PATCH", &format!("/v1/users/{me}")).json(&json!({ "role": "cashier" })),
        ),
        ("the last owner shut out", owner.ask("PATCH", &format!("/v1/users/{me}")).json(&json!({ "active": false }))),
        ("a person unchanged", owner.ask("PATCH", &format!("/v1/users/{me}")).json(&json!({}))),
        (
            "a short password",
            owner.post("/v1/auth/password").json(&json!({ "current_password": "x", "new_password": "short" })),
        ),
        (
            "an endless password",
            owner.post("/v1/auth/password").json(&json!({ "current_password": "x", "new_password": "x".repeat(257) })),
        ),
        (
            "the same password",
            owner
                .post("/v1/auth/password")
                .json(&json!({ "current_password": "x".repeat(12), "new_password": "x".repeat(12) })),
        ),
        ("another's session", owner.ask("DELETE", "/v1/auth/sessions/ses_qqqqqqqqqqqqqqqqqqqqqqqqqa")),
        ("an account of no plugin", owner.post(accounts).json(&new(json!({ "plugin": "none" })))),
        ("an account without settings", owner.post(accounts).json(&new(json!({ "settings": {} })))),
        (
            "an account with odd settings",
            owner.post(accounts).json(&new(json!({ "settings": { "base_url": "x", "merchant_id": "m" } }))),
        ),
        (
            "an account with a setting too many",
            owner
                .post(accounts)
                .json(&new(json!({ "settings": { "base_url": "http://a", "merchant_id": "m", "a/b": 1 } }))),
        ),
        ("an account with an unknown secret", owner.post(accounts).json(&new(json!({ "secrets": { "x": "y" } })))),
        (
            "an account with an empty secret",
            owner.post(accounts).json(&new(json!({ "secrets": { "merchant-key": "" } }))),
        ),
        ("an account with a certificate for a key", owner.post(accounts).json(&signing_with(certificate))),
        ("an account with half a key", owner.post(accounts).json(&signing_with("-----BEGIN PRIVATE KEY-----\nMIIE"))),
        ("an account with a fee of 101 %", owner.post(accounts).json(&new(json!({ "fee_basis_points": 10_100 })))),
        ("an account with a fee of -1", owner.post(accounts).json(&new(json!({ "fee_basis_points": -1 })))),
        ("an account with a broken fee", owner.post(accounts).json(&new(json!({ "fee_basis_points": 0.6 })))),
        ("an account changed without its version", owner.ask("PATCH", &one_account).json(&json!({ "name": "n" }))),
        (
            "an account changed from another version",
            owner.ask("PATCH", &one_account).json(&json!({ "version": 9, "name": "n" })),
        ),
        ("a merchant without a currency", admin.post("/v1/tenants").json(&tenant(json!({ "currency": "XXX" })))),
        ("a merchant in no time zone", admin.post("/v1/tenants").json(&tenant(json!({ "time_zone": "Mars/Olympus" })))),
        ("a merchant in an offset", admin.post("/v1/tenants").json(&tenant(json!({ "time_zone": "+08:00" })))),
        (
            "a merchant whose owner's address is taken",
            admin.post("/v1/tenants").json(&tenant(json!({ "owner_email": "owner@jade.example" }))),
        ),
        (
            "a merchant moved to no time zone",
            admin.ask("PATCH", &format!("/v1/tenants/{}", desk.jade.id)).json(&json!({ "time_zone": "" })),
        ),
        ("a merchant unchanged", admin.ask("PATCH", &format!("/v1/tenants/{}", desk.jade.id)).json(&json!({}))),
        ("a merchant that there is not", admin.get("/v1/tenants/ten_qqqqqqqqqqqqqqqqqqqqqqqqqa")),
        (
            "a journal of no entries' kind",
            desk.till.door.post("/v1/terminal/journal").json(&json!({ "entries": [{}] })),
        ),
        ("a journal that is no JSON", desk.till.door.post("/v1/terminal/journal").bytes("{")),
        ("an acknowledgement of texts", desk.till.door.post("/v1/terminal/pushes/ack").json(&json!({ "ids": ["1"] }))),
        (
            "a notification that is garbage",
            desk.town.nobody().post(&format!("/v1/notify/{account}")).raw(vec![0xff; 10]),
        ),
        (
            "a notification that is not signed",
            desk.town.nobody().post(&format!("/v1/notify/{account}")).json(&json!({})),
        ),
        (
            "a notification of nobody",
            desk.town.nobody().post("/v1/notify/cha_qqqqqqqqqqqqqqqqqqqqqqqqqa").json(&json!({})),
        ),
        (
            "a notification that never ends",
            desk.town.nobody().post(&format!("/v1/notify/{account}")).raw(vec![b' '; 2_000_000]),
        ),
    ];
    for (what, ask) in asks {
        let answer = ask.await;
        desk.is_refused(what, &answer);
    }
    insta::assert_snapshot!(desk.close().await);
}

/// Emoji, Arabic and Hebrew are people's own words: they come back as they were written.
#[actix_web::test]
async fn odd_but_good() {
    let desk = Desk::open().await;
    let words = [
        "🍵 matcha",
        "شاي بالنعناع",
        "תה",
        "奶茶 ×2",
        "O'Brien; DROP TABLE payments;--",
        "<b>&amp;</b>",
        "e\u{301}",
        "a/b\\c\"d",
    ];
    let goods: Vec<Value> = words
        .iter()
        .map(|name| json!({ "name": name, "quantity": 9_999, "price_minor": 999_999_999_999_i64 }))
        .collect();
    let mut sale = charge(1, &desk.town.code_of("alice").await);
    (sale["goods"], sale["reference"]) = (json!(goods), json!("收".repeat(128)));
    sale["cashier"] = json!(words[1]);
    // Every visible character may stand in a key.
    let key: String = (33_u8..127).map(char::from).collect();
    let sold: Value = desk.owner().post("/v1/payments").key(&key).json(&sale).await.json(201);
    assert_eq!(
        (&sold["goods"], &sold["reference"], &sold["cashier"]),
        (&sale["goods"], &sale["reference"], &sale["cashier"])
    );
    assert_eq!(sold["state"], "succeeded");
    let shown: Value = desk.owner().get(&format!("/v1/payments/{}", text(&sold, "/id"))).await.json(200);
    assert_eq!(shown, sold);
    let mut largest = present(999_999_999_999);
    largest["presentation"]["expires_in_seconds"] = json!(3_600);
    let shown: Value = desk.owner().post("/v1/payments").key("largest").json(&largest).await.json(201);
    assert_eq!((&shown["state"], &shown["amount"]["minor"]), (&json!("presenting"), &json!(999_999_999_999_i64)));
    // More than anybody has: that is the scheme's to say.
    let largest = charge(999_999_999_900, &desk.town.code_of("alice").await);
    let declined: Value = desk.owner().post("/v1/payments").key("too-dear").json(&largest).await.json(201);
    assert_eq!((&declined["state"], &declined["amount"]["minor"]), (&json!("failed"), &json!(999_999_999_900_i64)));
    desk.jade.books_balance().await;
}

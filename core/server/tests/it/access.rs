//! Every operation that the API describes, asked by everybody: as nobody, as each role and kind of key of its own merchant,
//! and as a stranger who knows all of the merchant's ids.
//!
//! The table of answers is a committed snapshot: whoever changes it says who may do what. A new operation fails here until
//! its row is in it, and one whose path or body this file cannot fill fails until it can.

use std::{collections::BTreeMap, fmt::Write as _};

use saoma_channels::{Clock as _, SystemClock};
use saoma_protocol::{
    Amount, BatchId, Currency, Millis, Money, PaymentId, Sequence,
    journal::{Entry, GENESIS, Record},
};
use serde_json::{Value, json};

use crate::{
    access_bodies::{body, webhook_of},
    door::{Answer, Door},
    fleet_world::eventually,
    packages_author::{Author, sandbox_called},
    receiver::Receiver,
    town::{Merchant, PASSWORD, Till, Town, charge, sign_in, text},
};

/// In every name that the merchant gives, and in no answer to a stranger.
pub const OURS: &str = "jade";
const STRANGER: &str = "rust";
/// A day whose bill is compared, on which nothing was sold; and the day of [`SOLD_AT`].
pub const DAY: &str = "2026-01-31";
const SOLD_ON: &str = "2026-09-21";
const SOLD_AT: Millis = Millis(1_790_000_000_000);

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    id: String,
    /// Name and whether it stands in the query (else in the path).
    parameters: Vec<(String, bool)>,
    needs_key: bool,
    body: Option<String>,
}

/// What tells of whoever asks: these may have made, signed or been something. Everything else that may be read must be the
/// same for a stranger as for a merchant with whom nothing has happened.
const OF_ONESELF: &[&str] = &[
    "api-keys_list",
    "audit_list",
    "auth_list",
    "auth_me",
    "cashiers_list",
    "channel-accounts_list",
    "reconciliations_day",
    "stored-value-acceptors_introduce",
    "stores_list",
    "terminal_cashiers",
    "terminal_goods",
    "terminal_offline_list",
    "terminal_profile",
    "terminal_pushes",
    "terminal_show_books",
    "terminals_list",
    "users_colleagues",
    "users_list",
];

/// The merchants' sales are of today, or of yesterday if it is past midnight meanwhile.
fn day_of_books(bound: &str) -> String {
    let before_ms = if bound == "from" { 24 * 3_600_000 } else { 0 };
    let moment = SystemClock.now().plus(-before_ms);
    saoma_server::period::local_day(moment, "Etc/UTC")
}

fn stands_in(parameter: &Value, place: &str) -> bool {
    parameter["in"] == place
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                id: text(operation, "/operationId").to_owned(),
                parameters: parameters
                    .iter()
                    .filter(|parameter| !stands_in(parameter, "header"))
                    .map(|parameter| (text(parameter, "/name").to_owned(), stands_in(parameter, "query")))
                    .collect(),
                needs_key: parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"),
                body: schema.as_str().and_then(|name| name.rsplit('/').next()).map(str::to_owned),
            });
        }
    }
    assert!(operations.len() > 50, "the document is read");
    operations
}

/// The ids that a request is filled with, by the name of the parameter.
#[derive(Clone)]
pub struct Ids(BTreeMap<&'static str, String>);

impl Ids {
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("say in access.rs what {{{name}}} is"))
    }

    fn with(&self, name: &'static str, id: &str) -> Self {
        let mut ids = self.clone();
        ids.0.insert(name, id.to_owned());
        ids
    }

    /// The same kinds of ids, of things that do not exist.
    fn of_nothing(&self) -> Self {
        let of_nothing = |name, id: &str| match name {
            "package" => "0".repeat(64),
            "offline_grant" => "0".repeat(16),
            "offline_key" => "0".repeat(8),
            _ => format!("{}_{}", &id[..3], "q".repeat(25) + "a"),
        };
        Self(self.0.iter().map(|(name, id)| (*name, of_nothing(*name, id))).collect())
    }

    /// A text in which each id is called by its name.
    fn named(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, id)| text.replace(id, &format!("{{{name}}}")))
    }
}

/// Somebody who asks.
struct Caller {
    name: &'static str,
    door: Door,
    /// What the n-th sale of a terminal is called.
    numbers: Option<Box<dyn Fn(u64) -> String>>,
}

impl Caller {
    fn new(name: &'static str, door: &Door) -> Self {
        Self { name, door: door.clone(), numbers: None }
    }

    fn terminal(name: &'static str, till: &Till, merchant: &Merchant) -> Self {
        let (tenant, terminal) = (merchant.id.parse().unwrap(), till.id.parse().unwrap());
        let number = move |counter| {
            saoma_protocol::PaymentId::for_sale(tenant, terminal, saoma_protocol::Sequence(counter)).to_string()
        };
        Self { name, door: till.door.clone(), numbers: Some(Box::new(number)) }
    }

    /// Asks for the operation about these ids. `nth` is another in every request.
    async fn ask(&self, operation: &Operation, ids: &Ids, nth: u64) -> Answer {
        let (mut path, mut query) = (operation.path.clone(), Vec::new());
        for (name, is_query) in &operation.parameters {
            match (name.as_str(), is_query) {
                // What is cancelled before it came is known from then on.
                ("number", false) if operation.id == "stored-value-acceptors_cancel" => {
                    path = path.replace("{number}", &ids.get(name).replacen("num", "cxl", 1));
                }
                (_, false) => path = path.replace(&format!("{{{name}}}"), ids.get(name)),
                ("store" | "terminal" | "channel_account", true) => query.push(format!("{name}={}", ids.get(name))),
                ("after", true) => query.push("after=0".to_owned()),
                ("account", true) => query.push("account=channel_clearing".to_owned()),
                ("currency", true) => query.push("currency=CNY".to_owned()),
                // Its own default: a picture is no sheet.
                ("format", true) if ["payments_code", "static-codes_picture"].contains(&operation.id.as_str()) => {}
                ("format", true) => query.push("format=csv".to_owned()),
                ("day", true) if operation.id == "batches_day" => query.push(format!("day={SOLD_ON}")),
                ("from" | "to", true) if operation.id.starts_with("ledger") => {
                    query.push(format!("{name}={}", day_of_books(name)));
                }
                // All others are of the caller's own choice and have a default.
                (_, true) => {}
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let mut ask = self.door.ask(&operation.method, &path);
        if operation.needs_key {
            let number = self.numbers.as_ref().filter(|_| operation.id == "payments_create");
            ask = ask.key(&number.map_or_else(|| format!("access-{nth}"), |number| number(nth)));
        }
        match &operation.body {
            Some(schema) => ask.json(&body(schema, ids, nth)).await,
            None => ask.await,
        }
    }
}

/// The status, and the code where the status alone does not say it.
fn told(answer: &Answer) -> String {
    if answer.status < 400 {
        return answer.status.to_string();
    }
    match answer.refusal() {
        (401, code) if code == "unauthenticated" => "401".to_owned(),
        (403, code) if code == "forbidden" => "403".to_owned(),
        (404, code) if code == "not_found" => "404".to_owned(),
        (status, code) => format!("{status} {code}"),
    }
}

/// A shift that is open on the till, as its journal says, after a sale that no shift counts.
async fn signed_on(merchant: &Merchant, till: &Till) -> String {
    let (tenant, terminal) = (merchant.id.parse().unwrap(), till.id.parse().unwrap());
    // Past the numbers that are used here.
    let counter = Sequence(9_000_000);
    let sold = Record::CashSale {
        payment: PaymentId::for_sale(tenant, terminal, counter),
        counter,
        amount: Amount::new(100, Currency::CNY).unwrap(),
        tendered_minor: 100,
        goods: Vec::new(),
        cashier: format!("{OURS} cashier"),
        split: None,
        quote: None,
        reference: None,
    };
    let opened = Record::ShiftOpened {
        batch: Sequence(1),
        cashier: format!("{OURS} cashier"),
        cashier_number: String::new(),
        float: Money::new(0, Currency::CNY),
    };
    let at = SOLD_AT;
    let sold = Entry::new(Sequence(1), at, GENESIS, sold).unwrap();
    let opened = Entry::new(Sequence(2), at, sold.hash(), opened).unwrap();
    let ack: Value =
        till.door.post("/v1/terminal/journal").json(&till.signed(merchant, &[sold, opened])).await.json(200);
    assert_eq!(ack, json!({ "through": 2, "verdicts": [] }));
    BatchId::of(tenant, terminal, Sequence(1)).to_string()
}

/// The merchant's ids, each of a thing that is there.
async fn ids_of(town: &Town, merchant: &Merchant, till: &Till, receiver: &Receiver) -> Ids {
    let owner = &merchant.owner;
    let sale = charge(100_000, &town.code_of("alice").await);
    let sale = json!({ "amount": sale["amount"], "presentation": sale["presentation"], "counter": 1,
        "reference": format!("{OURS} order"), "cashier": format!("{OURS} cashier"),
        "goods": [{ "name": format!("{OURS} tea"), "quantity": 1, "price_minor": 100_000 }] });
    let number = till.number(merchant, 1);
    let sold: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(201);
    assert_eq!(sold["state"], "succeeded", "{sold}");
    let refund = json!({ "amount": { "minor": 1, "currency": "CNY" }, "reason": format!("{OURS} reason") });
    let _: Value = owner.post(&format!("/v1/payments/{number}/refunds")).key("r").json(&refund).await.json(201);
    let user = json!({ "email": format!("spare@{OURS}.example"), "name": format!("{OURS} spare"), "role": "cashier" });
    let user: Value = owner.post("/v1/users").json(&user).await.json(201);
    let key = json!({ "name": format!("{OURS} spare"), "role": "cashier" });
    let key: Value = owner.post("/v1/api-keys").json(&key).await.json(201);
    let cashier = json!({ "name": format!("{OURS} cashier"), "staff_code": "1", "role": "cashier", "pin": "739182" });
    let cashier: Value = owner.post("/v1/cashiers").json(&cashier).await.json(201);
    let sessions: Value = owner.get("/v1/auth/sessions").await.json(200);
    let (endpoint, delivery) = webhook_of(owner, receiver).await;
    let author = Author::trusted_by(owner).await;
    let package = author.has_published(owner, &sandbox_called("jadebox", "1.0.0")).await;
    let (held, top_up) = stored_value(owner, "first").await;
    let add = async |what: &str, body: Value| owner.post(&format!("/v1/{what}")).json(&body).await.json::<Value>(201);
    let tax = add("tax-rates", json!({ "name": format!("{OURS} tax"), "basis_points": 1_300, "included": true })).await;
    let goods =
        json!({ "name": format!("{OURS} tea"), "price": { "minor": 1, "currency": "CNY" }, "tax_rate": tax["id"] });
    let goods = add("goods", goods).await;
    let grant = crate::offline_world::first_grant(owner, &merchant.account, &held).await;
    let static_code = json!({ "store": merchant.store, "label": format!("{OURS} gate"), "max_minor": 50_000 });
    let static_code = add("static-codes", static_code).await;
    let keys: Value = owner.get("/v1/stored-value/offline-keys").await.json(200);
    Ids(BTreeMap::from([
        ("publisher", author.key_id()),
        ("package", package),
        ("plugin", "jadebox".to_owned()),
        ("payment", number),
        ("stored_value_account", held),
        ("offline_grant", grant),
        ("offline_key", text(&keys, "/items/0/id").to_owned()),
        ("movement", top_up),
        // Who accepts it has a name of its own, and a number that nothing has come under.
        ("acceptor", format!("sto_{}a", "7".repeat(25))),
        ("number", format!("num_{}a", "7".repeat(25))),
        ("order", text(&sold, "/order").to_owned()),
        ("dispute", disputed(town, merchant, "d").await),
        ("settlement", proposed(town, merchant, "s").await),
        ("batch", signed_on(merchant, till).await),
        ("endpoint", endpoint),
        ("delivery", delivery),
        // A day that nothing was sold on; what persons do about differences is told in discrepancies.rs.
        ("reconciliation", reconciled(owner, &merchant.account).await),
        ("day", DAY.to_owned()),
        ("discrepancy", format!("dsc_{}a", "7".repeat(25))),
        ("payout", format!("pyo_{}a", "7".repeat(25))),
        // Its channel settles none; what is done with one is told in settlement.rs.
        ("settlement_batch", format!("stb_{}a", "7".repeat(25))),
        ("store", merchant.store.clone()),
        ("terminal", till.id.clone()),
        ("account", merchant.account.clone()),
        ("channel_account", merchant.account.clone()),
        ("user", text(&user, "/user/id").to_owned()),
        ("key", text(&key, "/id").to_owned()),
        ("cashier", text(&cashier, "/id").to_owned()),
        ("goods", text(&goods, "/id").to_owned()),
        ("static_code", text(&static_code, "/id").to_owned()),
        ("tax_rate", text(&tax, "/id").to_owned()),
        ("session", text(&sessions, "/items/0/id").to_owned()),
        ("tenant", merchant.id.clone()),
        ("email", format!("owner@{OURS}.example")),
        ("password", "not the password".to_owned()),
    ]))
}

/// An account of stored value, and a top-up of it.
async fn stored_value(owner: &Door, key: &str) -> (String, String) {
    let asked = json!({ "holder": format!("{OURS} holder") });
    let opened: Value = owner.post("/v1/stored-value/accounts").key(&format!("{key}-o")).json(&asked).await.json(201);
    let id = text(&opened, "/id").to_owned();
    let asked = json!({ "amount": { "minor": 100_000, "currency": "CNY" } });
    let path = format!("/v1/stored-value/accounts/{id}/top-ups");
    let paid: Value = owner.post(&path).key(&format!("{key}-t")).json(&asked).await.json(201);
    (id, text(&paid, "/id").to_owned())
}

/// A settlement by hand of a payment that the scheme keeps silent about until core asks it again, a second later: on a busy
/// machine it takes more than one try to be faster.
async fn proposed(town: &Town, merchant: &Merchant, key: &str) -> String {
    let body =
        json!({ "outcome": "paid", "reference": format!("{OURS} number"), "reason": format!("{OURS} statement") });
    let mut tries = 0;
    let (path, proposed): (String, Value) = loop {
        let mut sale = charge(1_093, &town.code_of("alice").await);
        // Else it would go past the account where so often nobody answered.
        sale["channel_account"] = json!(merchant.account);
        let silent: Value =
            merchant.owner.post("/v1/payments").key(&format!("{key}-{tries}")).json(&sale).await.json(201);
        let path = format!("/v1/payments/{}/settlements", text(&silent, "/id"));
        let answer = merchant.owner.post(&path).key(key).json(&body).await;
        if answer.status == 201 {
            break (path, answer.json(201));
        }
        assert_eq!(answer.refusal(), (409, "not_in_state".to_owned()));
        tries += 1;
        assert!(tries < 20, "core is always faster");
    };
    let again: Value = merchant.owner.post(&path).key(key).json(&body).await.json(200);
    assert_eq!(again, proposed);
    let other = json!({ "outcome": "not_paid", "reason": "changed my mind" });
    assert_eq!(merchant.owner.post(&path).key(key).json(&other).await.status, 422);
    text(&proposed, "/id").to_owned()
}

/// A dispute of a sale of its own.
async fn disputed(town: &Town, merchant: &Merchant, key: &str) -> String {
    let sold = merchant.sells(town, &merchant.owner, 500, &format!("{key}-sale")).await;
    let body = json!({ "amount": { "minor": 500, "currency": "CNY" }, "case_reference": format!("{OURS} case {key}") });
    let path = format!("/v1/payments/{}/disputes", text(&sold, "/id"));
    let opened: Value = merchant.owner.post(&path).key(key).json(&body).await.json(201);
    text(&opened, "/id").to_owned()
}

/// A comparison with the scheme's bill, which is empty.
async fn reconciled(owner: &Door, account: &str) -> String {
    let asked = json!({ "channel_account": account, "day": DAY });
    let started: Value = owner.post("/v1/reconciliations").key("first").json(&asked).await.json(202);
    let id = text(&started, "/id").to_owned();
    eventually("the comparison ends", async || {
        let shown: Value = owner.get(&format!("/v1/reconciliations/{id}")).await.json(200);
        assert_ne!(shown["state"], "failed", "{shown}");
        shown["state"] == "done"
    })
    .await;
    id
}

/// What an operation uses up is made anew for each who asks.
async fn fresh(town: &Town, merchant: &Merchant, operation: &Operation, ids: &Ids, nth: u64) -> Ids {
    let owner = &merchant.owner;
    match operation.id.as_str() {
        "api-keys_revoke" => {
            let key = json!({ "name": "to be revoked", "role": "cashier" });
            let key: Value = owner.post("/v1/api-keys").json(&key).await.json(201);
            ids.with("key", text(&key, "/id"))
        }
        "channel-accounts_change" | "channel-accounts_change_fee_plan" => {
            let account: Value = town.account(owner, "to be changed", "key").await.json(201);
            ids.with("account", text(&account, "/id"))
        }
        "disputes_accept" | "disputes_close" | "disputes_submit" => {
            ids.with("dispute", &disputed(town, merchant, &format!("d-{nth}")).await)
        }
        "settlements_confirm" | "settlements_withdraw" => {
            ids.with("settlement", &proposed(town, merchant, &format!("s-{nth}")).await)
        }
        "stored-value_change"
        | "stored-value_close"
        | "stored-value_freeze"
        | "stored-value_reverse"
        | "stored-value_unfreeze" => {
            let (held, top_up) = stored_value(owner, &format!("v-{nth}")).await;
            if operation.id == "stored-value_unfreeze" {
                let path = format!("/v1/stored-value/accounts/{held}/freeze");
                let frozen = owner.post(&path).key(&format!("f-{nth}")).json(&json!({ "reason": "lost" })).await;
                assert_eq!(frozen.status, 200, "{}", frozen.text);
            }
            ids.with("stored_value_account", &held).with("movement", &top_up)
        }
        "webhooks_delete" => {
            let asked = json!({ "url": "http://127.0.0.1:9/" });
            let made: Value = owner.post("/v1/webhook-endpoints").json(&asked).await.json(201);
            ids.with("endpoint", text(&made, "/endpoint/id"))
        }
        "terminals_revoke" => {
            let terminal = json!({ "name": "to be revoked", "store": merchant.store });
            let terminal: Value = owner.post("/v1/terminals").json(&terminal).await.json(201);
            ids.with("terminal", text(&terminal, "/id"))
        }
        "auth_end" => {
            let email = format!("owner@{OURS}.example");
            let other = sign_in(&town.nobody(), &email, PASSWORD).await;
            let sessions: Value = other.get("/v1/auth/sessions").await.json(200);
            let items = sessions["items"].as_array().unwrap();
            let current = items.iter().find(|session| session["current"] == true).unwrap();
            ids.with("session", text(current, "/id"))
        }
        "plugin-publishers_revoke" => ids.with("publisher", &Author::trusted_by(owner).await.key_id()),
        "auth_sign_in" => ids.with("password", PASSWORD),
        _ => ids.clone(),
    }
}

#[actix_web::test]
async fn who_may_do_what() {
    let town = Town::found().await;
    let (ours, theirs) = (town.merchant(OURS).await, town.merchant(STRANGER).await);
    let (till, their_till) = (town.till(&ours).await, town.till(&theirs).await);
    let receiver = Receiver::open().await;
    let ids = ids_of(&town, &ours, &till, &receiver).await;
    let mut callers = vec![Caller::new("admin", &town.admin), Caller::new("owner", &ours.owner)];
    for role in ["manager", "cashier", "accountant", "read_only", "plugin_publisher"] {
        callers.push(Caller::new(role, &town.person(&ours, role).await));
    }
    for (name, role) in [
        ("key:owner", "owner"),
        ("key:cashier", "cashier"),
        ("key:read_only", "read_only"),
        ("key:acceptor", "acceptor"),
    ] {
        callers.push(Caller::new(name, &town.key(&ours, role).await));
    }
    callers.push(Caller::terminal("terminal", &till, &ours));
    let strangers = [
        Caller::new("stranger", &theirs.owner),
        Caller::new("their key", &town.key(&theirs, "owner").await),
        Caller::terminal("their terminal", &their_till, &theirs),
    ];
    let newcomer = Caller::new("newcomer", &town.merchant("new").await.owner);
    let nobody = Caller::new("nobody", &town.nobody());
    let forged = Caller::new("forged", &town.nobody().with("saoma_key_aaaaaaaaaaaaaaaaaaaaaaaaaa_AAAA"));

    // First those who must change nothing.
    let (before, nothing) = (town.rows_at_rest(&ours.id).await, ids.of_nothing());
    let mut rows: Vec<Vec<(&str, String)>> = Vec::new();
    let mut nth = 10;
    for operation in operations() {
        let (mut row, place) = (Vec::new(), format!("{} {}", operation.method, operation.path));
        for caller in [&nobody, &forged].into_iter().chain(&strangers) {
            nth += 1;
            // Whoever signs out is nobody for the operations that follow.
            let another_session;
            let caller = if operation.id == "auth_sign_out" && caller.name == "stranger" {
                let email = format!("owner@{STRANGER}.example");
                another_session = Caller::new("stranger", &sign_in(&town.nobody(), &email, PASSWORD).await);
                &another_session
            } else {
                caller
            };
            let answer = caller.ask(&operation, &ids, nth).await;
            assert!(!answer.text.to_lowercase().contains(OURS), "{} {place}: {}", caller.name, answer.text);
            // What is another's looks like what is not there. Where schemes send their news is no secret: it is in every order.
            if answer.status >= 400 && operation.id != "notifications_receive" {
                let of_nothing = caller.ask(&operation, &nothing, nth).await;
                let (one, other) = (ids.named(&answer.problem().to_string()), of_nothing.problem().to_string());
                assert_eq!(one, nothing.named(&other), "{} {place}", caller.name);
            }
            if answer.status == 200 && operation.method == "GET" && !OF_ONESELF.contains(&operation.id.as_str()) {
                let of_nothing = newcomer.ask(&operation, &ids, nth).await;
                assert_eq!(timeless(&answer), timeless(&of_nothing), "{} {place}", caller.name);
            }
            row.push((caller.name, told(&answer)));
        }
        assert_eq!(row[0].1, row[1].1, "{place}: who shows what is forged is nobody");
        row.remove(1);
        rows.push(row);
    }
    let after = town.rows_of(&ours.id);
    assert_eq!(changes(&before, &after), Vec::<String>::new(), "a stranger has changed something");

    // Then the merchant's own.
    for (operation, row) in operations().iter().zip(&mut rows) {
        for caller in &callers {
            nth += 1;
            let about = fresh(&town, &ours, operation, &ids, nth).await;
            let one_more_session = operation.id == "auth_sign_out" && !caller.name.starts_with("key");
            let answer = match caller.name {
                "terminal" => caller.ask(operation, &about, nth).await,
                _ if one_more_session => {
                    let email = if caller.name == "admin" {
                        "admin@saoma.local".to_owned()
                    } else {
                        format!("{}@{OURS}.example", caller.name)
                    };
                    let door = sign_in(&town.nobody(), &email, PASSWORD).await;
                    Caller::new(caller.name, &door).ask(operation, &about, nth).await
                }
                _ => caller.ask(operation, &about, nth).await,
            };
            if caller.name == "owner" && operation.method == "GET" && operation.path.starts_with("/v1/ledger/") {
                let of_nothing = newcomer.ask(operation, &about, nth).await;
                let has_none = operation.id == "ledger_findings";
                assert_eq!(
                    timeless(&answer) == timeless(&of_nothing),
                    has_none,
                    "{}: the day has movements",
                    operation.path
                );
            }
            row.push((caller.name, told(&answer)));
        }
    }
    assert_ne!(changes(&after, &town.rows_of(&ours.id)), Vec::<String>::new(), "what is changed would be seen");
    ours.books_balance().await;
    insta::assert_snapshot!(table(&operations(), &rows));
}

/// The operations that are no part of `described`: pages and machines' endpoints. They tell nobody anything.
#[actix_web::test]
async fn what_is_open_tells_nothing() {
    let town = Town::found().await;
    let ours = town.merchant(OURS).await;
    town.till(&ours).await;
    for (path, status) in [
        ("/health", 200),
        ("/ready", 200),
        ("/openapi.json", 200),
        ("/docs/", 200),
        ("/p/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 404),
        ("/p/%00", 404),
        ("/m/AAAAAAAA", 404),
        ("/m/%00", 404),
        ("/v1", 401),
        ("/v1/", 401),
        ("/v1/nothing", 401),
        ("/v1/../v1/tenants", 401),
        ("/v1//tenants", 401),
        ("/v1/tenants/", 401),
        ("/v1/%74enants", 401),
    ] {
        let answer = town.nobody().get(path).await;
        assert!(!answer.text.contains(OURS), "{path}: {}", answer.text);
        assert_eq!(answer.status, status, "{path}");
    }
}

/// What was answered, but for when.
fn timeless(answer: &Answer) -> String {
    match serde_json::from_str::<Value>(&answer.text) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| !["as_of", "checked_at"].contains(&name.as_str()));
            Value::from(fields).to_string()
        }
        _ => answer.text.clone(),
    }
}

fn changes(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|row| !after.contains(row)).map(|row| format!("- {row}"));
    gone.chain(after.iter().filter(|row| !before.contains(row)).map(|row| format!("+ {row}"))).collect()
}

/// An operation a paragraph: whom it lets in, by what they are answered.
fn table(operations: &[Operation], rows: &[Vec<(&str, String)>]) -> String {
    let mut table = String::new();
    for (operation, row) in operations.iter().zip(rows) {
        let mut answers: Vec<(&str, Vec<&str>)> = Vec::new();
        for (caller, answer) in row {
            match answers.iter_mut().find(|(known, _)| known == answer) {
                Some((_, callers)) => callers.push(caller),
                None => answers.push((answer, vec![caller])),
            }
        }
        answers.sort_unstable_by_key(|(answer, _)| *answer);
        writeln!(table, "{} {}", operation.method, operation.path).unwrap();
        for (answer, callers) in answers {
            writeln!(table, "    {answer}: {}", callers.join(", ")).unwrap();
        }
    }
    table
}

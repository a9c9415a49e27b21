//! A canteen issues stored value: cash in, spent with a code, given back, lost, and paid out; and the books of it.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{Merchant, Town, text},
};

/// A canteen with its people, a holder's account, and a key of those who accept it.
struct Canteen {
    town: Town,
    merchant: Merchant,
    cashier: Door,
    acceptor: Door,
    account: String,
}

const HALL: &str = "/v1/stored-value/acceptors/hall";

fn cny(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

impl Canteen {
    async fn open(limits: Value) -> Self {
        Self::in_town(Town::found().await, limits).await
    }

    async fn in_town(town: Town, limits: Value) -> Self {
        let merchant = town.merchant("jade").await;
        let (cashier, acceptor) = (town.person(&merchant, "cashier").await, town.key(&merchant, "acceptor").await);
        let asked = json!({ "holder": "Mei", "reference": "S1", "limits": limits });
        let opened: Value = cashier.post("/v1/stored-value/accounts").json(&asked).await.json(201);
        let account = text(&opened, "/id").to_owned();
        Self { town, merchant, cashier, acceptor, account }
    }

    fn path(&self, leaf: &str) -> String {
        format!("/v1/stored-value/accounts/{}{leaf}", self.account)
    }

    async fn tops_up(&self, minor: i64, key: &str) -> Answer {
        self.cashier.post(&self.path("/top-ups")).key(key).json(&json!({ "amount": cny(minor) })).await
    }

    async fn code(&self) -> String {
        let made: Value = self.merchant.owner.post(&self.path("/codes")).json(&json!({})).await.json(201);
        text(&made, "/code").to_owned()
    }

    async fn charges(&self, number: &str, minor: i64, code: &str) -> Answer {
        let asked = json!({ "amount": cny(minor), "code": code });
        self.acceptor.post(&format!("{HALL}/charges")).key(number).json(&asked).await
    }

    /// The state, and why if it was refused.
    async fn charged(&self, number: &str, minor: i64, code: &str) -> String {
        let charge: Value = self.charges(number, minor, code).await.json(200);
        let refusal = charge["refusal"].as_str().map(|refusal| format!(": {refusal}")).unwrap_or_default();
        format!("{}{refusal}", text(&charge, "/state"))
    }

    async fn balance(&self) -> i64 {
        let shown: Value = self.cashier.get(&self.path("")).await.json(200);
        shown["balance"]["minor"].as_i64().unwrap()
    }

    /// The books of the canteen: what it holds in the safe, what holders have, what it owes those who accepted it.
    async fn books(&self) -> [i64; 3] {
        self.merchant.books_balance().await;
        let checked = self.town.saoma(&["ledger", "check"]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        let query = |account| {
            format!(
                "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS TEXT) AS text FROM postings WHERE account = '{account}'"
            )
        };
        ["cash_in_safe", "stored_value", "stored_value_due"]
            .map(|account| self.town.column(&query(account))[0].parse().unwrap())
    }
}

#[actix_web::test]
async fn cash_in_spent_given_back_and_paid_out() {
    let canteen = Canteen::open(json!({})).await;
    let first: Value = canteen.tops_up(10_000, "t1").await.json(201);
    let again: Value = canteen.tops_up(10_000, "t1").await.json(201);
    assert_eq!(first, again, "the same wish is one top-up");
    assert_eq!(canteen.tops_up(9_999, "t1").await.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(canteen.balance().await, 10_000);
    // A mistake is taken back, once, and only by those who may.
    let mistake: Value = canteen.tops_up(700, "t2").await.json(201);
    let reverse = format!("/v1/stored-value/movements/{}/reverse", text(&mistake, "/id"));
    let reason = json!({ "reason": "the wrong holder" });
    assert_eq!(canteen.cashier.post(&reverse).json(&reason).await.status, 403);
    let taken: Value = canteen.merchant.owner.post(&reverse).key("r1").json(&reason).await.json(201);
    assert_eq!((&taken["amount"]["minor"], &taken["reverses"]), (&json!(-700), &mistake["id"]));
    let refused = canteen.merchant.owner.post(&reverse).key("r2").json(&reason).await;
    assert_eq!(refused.refusal(), (409, "not_reversible".to_owned()));

    let code = canteen.code().await;
    assert_eq!(canteen.charged("n1", 2_500, &code).await, "charged");
    // The same number charges once, whatever is shown; a code is good once.
    assert_eq!(canteen.charged("n1", 2_500, "SV1:OTHER").await, "charged");
    assert_eq!(canteen.charges("n1", 2_600, &code).await.refusal(), (409, "charge_exists_differently".to_owned()));
    assert_eq!(canteen.charged("n2", 100, &code).await, "refused: code");
    assert_eq!(canteen.balance().await, 7_500);
    assert_eq!(canteen.books().await, [10_000, -7_500, -2_500]);

    let refunds = format!("{HALL}/charges/n1/refunds");
    let back = |number: &'static str, minor| {
        canteen.acceptor.post(&refunds).key(number).json(&json!({ "amount": cny(minor) }))
    };
    let refunded: Value = back("r1", 1_000).await.json(200);
    assert_eq!(back("r1", 1_000).await.json::<Value>(200), refunded);
    assert_eq!(back("r1", 900).await.refusal(), (409, "refund_exists_differently".to_owned()));
    assert_eq!(back("r2", 1_501).await.refusal(), (409, "refund_exceeds".to_owned()));
    let shown: Value = canteen.acceptor.get(&format!("{HALL}/refunds/r1")).await.json(200);
    assert_eq!(shown, refunded);
    assert_eq!(canteen.acceptor.get(&format!("{HALL}/refunds/r2")).await.refusal(), (404, "charge_unknown".to_owned()));
    let cancel = canteen.acceptor.post(&format!("{HALL}/charges/n1/cancel")).json(&json!({})).await;
    assert_eq!(cancel.refusal(), (409, "not_reversible".to_owned()), "a part of it was refunded");
    assert_eq!(canteen.books().await, [10_000, -8_500, -1_500]);

    let day = saoma_server::period::local_day(saoma_channels::Clock::now(&saoma_channels::SystemClock), "Etc/UTC");
    let bill: Value = canteen.acceptor.get(&format!("{HALL}/bills/{day}?limit=1")).await.json(200);
    assert_eq!((&bill["items"][0]["kind"], &bill["items"][0]["number"]), (&json!("charged"), &json!("n1")));
    let next = format!("{HALL}/bills/{day}?cursor={}", text(&bill, "/next_cursor"));
    let bill: Value = canteen.acceptor.get(&next).await.json(200);
    assert_eq!((&bill["items"][0]["kind"], &bill["items"][0]["charge"]), (&json!("refunded"), &json!("n1")));
    assert_eq!(bill.get("next_cursor"), None);

    let statement: Value = canteen.cashier.get(&canteen.path("/statement?limit=3")).await.json(200);
    let next = text(&statement, "/next_cursor");
    let rest: Value = canteen.cashier.get(&canteen.path(&format!("/statement?cursor={next}"))).await.json(200);
    let told: Vec<String> = statement["items"]
        .as_array()
        .unwrap()
        .iter()
        .chain(rest["items"].as_array().unwrap())
        .map(|item| format!("{} {} → {}", text(item, "/kind"), item["amount"]["minor"], item["balance"]["minor"]))
        .collect();
    let expected = [
        "refunded 1000 → 8500",
        "charged -2500 → 7500",
        "top_up_reversed -700 → 10000",
        "topped_up 700 → 10700",
        "topped_up 10000 → 10000",
    ];
    assert_eq!(told, expected);
    let file = canteen.cashier.get(&canteen.path("/statement/export?format=csv")).await;
    assert_eq!((file.status, file.text.lines().count()), (200, 6), "{}", file.text);
    assert!(file.text.contains(",charged,-25.00,75.00,CNY,hall,n1,"), "{}", file.text);

    let closed: Value =
        canteen.merchant.owner.post(&canteen.path("/close")).json(&json!({ "reason": "left school" })).await.json(200);
    assert_eq!((&closed["state"], &closed["balance"]["minor"]), (&json!("closed"), &json!(0)));
    assert_eq!(canteen.books().await, [1_500, 0, -1_500]);
    assert_eq!(canteen.tops_up(1, "t9").await.refusal(), (409, "account_closed".to_owned()));
    assert_eq!(back("r3", 100).await.refusal(), (409, "account_closed".to_owned()));
    for action in
        ["stored_value.opened", "stored_value.topped_up", "stored_value.top_up_reversed", "stored_value.closed"]
    {
        assert!(!canteen.merchant.audited(action).await.is_empty(), "{action}");
    }
}

#[actix_web::test]
async fn a_lost_phone_spends_nothing() {
    let canteen = Canteen::open(json!({})).await;
    let _: Value = canteen.tops_up(1_000, "t").await.json(201);
    let code = canteen.code().await;
    let reason = json!({ "reason": "lost on the bus" });
    let frozen: Value = canteen.cashier.post(&canteen.path("/freeze")).json(&reason).await.json(200);
    assert_eq!(frozen["state"], "frozen");
    // The code that was on show is dead, and there is no other.
    assert_eq!(canteen.charged("n1", 100, &code).await, "refused: code");
    let refused = canteen.merchant.owner.post(&canteen.path("/codes")).json(&json!({})).await;
    assert_eq!(refused.refusal(), (409, "account_frozen".to_owned()));
    assert_eq!(canteen.tops_up(1, "t2").await.refusal(), (409, "account_frozen".to_owned()));
    assert_eq!(canteen.cashier.post(&canteen.path("/unfreeze")).json(&reason).await.status, 403);
    let released: Value = canteen.merchant.owner.post(&canteen.path("/unfreeze")).json(&reason).await.json(200);
    assert_eq!(released["state"], "active");
    assert_eq!(canteen.charged("n2", 100, &code).await, "refused: code", "it stays dead");
    assert_eq!(canteen.charged("n3", 100, &canteen.code().await).await, "charged");
    assert_eq!(canteen.books().await, [1_000, -900, -100]);
}

#[actix_web::test]
async fn a_cancel_undoes_a_charge_or_comes_before_it() {
    let canteen = Canteen::open(json!({})).await;
    let _: Value = canteen.tops_up(1_000, "t").await.json(201);
    let cancel = |number: &str| canteen.acceptor.post(&format!("{HALL}/charges/{number}/cancel")).json(&json!({}));
    let code = canteen.code().await;
    let barred: Value = cancel("early").await.json(200);
    assert_eq!(barred["state"], "barred");
    assert_eq!(canteen.charged("early", 100, &code).await, "barred");
    assert_eq!(canteen.charged("n1", 400, &code).await, "charged", "a barred charge leaves the code good");
    for _ in 0..2 {
        let cancelled: Value = cancel("n1").await.json(200);
        assert_eq!((&cancelled["state"], &cancelled["returned_minor"]), (&json!("cancelled"), &json!(400)));
    }
    assert_eq!(canteen.charged("n1", 400, &canteen.code().await).await, "cancelled");
    let asked: Value = canteen.acceptor.get(&format!("{HALL}/charges/n1")).await.json(200);
    assert_eq!(asked["state"], "cancelled");
    assert_eq!(canteen.acceptor.get(&format!("{HALL}/charges/n2")).await.refusal(), (404, "charge_unknown".to_owned()));
    // Numbers are an acceptor's own.
    let elsewhere = canteen.acceptor.get("/v1/stored-value/acceptors/gate/charges/n1").await;
    assert_eq!(elsewhere.refusal(), (404, "charge_unknown".to_owned()));
    assert_eq!(canteen.books().await, [1_000, -1_000, 0]);
}

#[actix_web::test]
async fn limits_hold_and_the_last_cent_is_spent_once() {
    let limits = json!({ "charge_minor_max": 300, "day_minor_max": 500, "balance_minor_max": 1_000 });
    let canteen = Canteen::open(limits).await;
    assert_eq!(canteen.tops_up(1_001, "t1").await.refusal(), (409, "limit_exceeded".to_owned()));
    let _: Value = canteen.tops_up(1_000, "t2").await.json(201);
    for (number, minor, told) in
        [("n1", 301, "refused: charge_limit"), ("n2", 300, "charged"), ("n3", 201, "refused: day_limit")]
    {
        assert_eq!(canteen.charged(number, minor, &canteen.code().await).await, told);
        // A refusal is kept as well.
        assert_eq!(canteen.charged(number, minor, &canteen.code().await).await, told);
    }
    let shown: Value = canteen.cashier.get(&canteen.path("")).await.json(200);
    let none = json!({ "version": shown["version"], "limits": {} });
    let changed: Value = canteen.merchant.owner.ask("PATCH", &canteen.path("")).json(&none).await.json(200);
    assert_eq!(changed["limits"], json!({}));
    let stale = canteen.merchant.owner.ask("PATCH", &canteen.path("")).json(&none).await;
    assert_eq!(stale.refusal(), (409, "changed_meanwhile".to_owned()));
    // One code on two tills at once: one of them charges it.
    let code = canteen.code().await;
    let (one, other) = tokio::join!(canteen.charged("a", 700, &code), canteen.charged("b", 700, &code));
    let mut told = [one, other];
    told.sort();
    assert_eq!(told, ["charged", "refused: code"]);
    assert_eq!(canteen.charged("c", 1, &canteen.code().await).await, "refused: insufficient");
    assert_eq!(canteen.balance().await, 0);
    assert_eq!(canteen.books().await, [1_000, 0, -1_000]);
}

/// A folder with the plugins that the town needs and the channel that accepts stored value.
pub fn plugins_with_the_channel() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let built = crate::town::plugins();
    std::fs::copy(built.join("sandbox.wasm"), folder.path().join("sandbox.wasm")).unwrap();
    let channel = built.join("../channels/wallet.wasm");
    std::fs::copy(channel, folder.path().join("wallet.wasm")).expect("the channel, as `cargo xtask plugins` leaves it");
    folder
}

/// The same core is the issuer and the merchant, and the channel between them goes over HTTP as to any scheme.
#[actix_web::test]
async fn the_canteen_is_a_merchant_too() {
    let plugins = plugins_with_the_channel();
    let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", plugins.path().to_str().unwrap())]).await;
    let canteen = Canteen::in_town(town, json!({})).await;
    let (owner, town) = (&canteen.merchant.owner, &canteen.town);
    let asked = json!({
        "plugin": "wallet", "name": "our stored value", "fee_basis_points": 0,
        "settings": { "base_url": format!("http://{}", town.running().api), "acceptor": "till" },
        "secrets": { "api-key": canteen.acceptor.bearer() },
    });
    let account: Value = owner.post("/v1/channel-accounts").json(&asked).await.json(201);
    let path = format!("/v1/channel-accounts/{}/self-test", text(&account, "/id"));
    let tested: Value = owner.post(&path).json(&json!({})).await.json(200);
    assert_eq!(tested["ok"], true, "{tested}");
    let _: Value = canteen.tops_up(10_000, "t").await.json(201);

    let till = town.till(&canteen.merchant).await;
    let (number, code) = (till.number(&canteen.merchant, 1), canteen.code().await);
    let mut sale = crate::town::charge(2_500, &code);
    sale["counter"] = json!(1);
    let sold: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(201);
    assert_eq!(sold["state"], "succeeded", "{sold}");
    let again: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(200);
    assert_eq!(again["state"], "succeeded");
    assert_eq!(canteen.balance().await, 7_500);
    // Nobody spends what is not there.
    let mut poor = crate::town::charge(7_501, &canteen.code().await);
    poor["counter"] = json!(2);
    let refused: Value =
        till.door.post("/v1/payments").key(&till.number(&canteen.merchant, 2)).json(&poor).await.json(201);
    assert_eq!(
        (&refused["state"], &refused["failure"]["code"]),
        (&json!("failed"), &json!("insufficient_funds")),
        "{refused}"
    );
    let back = json!({ "amount": cny(1_000) });
    let refunded: Value = owner.post(&format!("/v1/payments/{number}/refunds")).key("r").json(&back).await.json(201);
    assert_eq!(refunded["state"], "succeeded", "{refunded}");
    assert_eq!(canteen.balance().await, 8_500);
    assert_eq!(canteen.books().await, [10_000, -8_500, -1_500]);
    // What the issuer owes for it is what the channel owes the merchant: the money is counted once.
    let of_payment = "SELECT CAST(SUM(amount_minor) AS TEXT) AS text FROM postings WHERE account = 'channel_clearing'";
    assert_eq!(canteen.town.column(of_payment), ["1500"]);
    let statement: Value = canteen.cashier.get(&canteen.path("/statement")).await.json(200);
    assert_eq!(
        (&statement["items"][1]["number"], &statement["items"][1]["acceptor"]),
        (&json!(number), &json!("till"))
    );
}

//! A merchant's books as its accountant reads them over HTTP, and fees as its owner agreed them.

use saoma_domain::{
    fee::{BasisPoints, FeePlan},
    payment::{AnswerStatus, Capture, Method, Payment, Source, State},
};
use saoma_protocol::{
    Amount, ApiKeyId, ChannelAccountId, Currency, Millis, OrderId, PaymentId, StoreId, money::AMOUNT_MINOR_MAX,
};
use saoma_server::{
    http::auth::api_key_text,
    ledger_check,
    payments::{Outcome, settle},
};
use saoma_store::{
    StoreError, TenantScope, api_keys,
    channel_accounts::{self, ChannelAccount},
    orders::{self, Order},
    payments::{self, StoredPayment},
    users::Role,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::fleet_world::World;

/// One of a merchant's people, by an API key of their role.
pub struct Person {
    http: reqwest::Client,
    root: String,
    key: String,
}

impl Person {
    pub async fn of(world: &World, scope: TenantScope, role: Role) -> Self {
        let app = world.app();
        let (id, secret) = (ApiKeyId::from_bytes(app.random_16().unwrap()), app.random_32().unwrap());
        let key = api_keys::ApiKey {
            id,
            name: role.text().to_owned(),
            scopes: vec![role.text().to_owned()],
            created_at: app.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let hash: [u8; 32] = Sha256::digest(secret).into();
        app.store().write(move |tx| api_keys::create(tx, &scope, &key, &hash)).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { http, root: world.api(), key: api_key_text(id, &secret) }
    }

    pub async fn response(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.root)).bearer_auth(&self.key).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.response(path).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// What was asked for.
    pub async fn reads(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The problem's code.
    pub async fn refused(&self, path: &str) -> String {
        let (status, body) = self.get(path).await;
        assert!(status >= 400, "{path}: {body}");
        format!("{status} {}", body["code"].as_str().unwrap())
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.put(format!("{}{path}", self.root)).bearer_auth(&self.key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// A channel account with a flat fee of 0.60 %.
pub async fn account(world: &World, scope: TenantScope) -> ChannelAccountId {
    let now = world.now();
    let account = ChannelAccount {
        id: ChannelAccountId::from_bytes(world.app().random_16().unwrap()),
        plugin: "sandbox".to_owned(),
        name: "our wallet".to_owned(),
        enabled: true,
        settings_json: "{}".to_owned(),
        fee: FeePlan::flat(BasisPoints::new(60).unwrap()),
        fee_version: 1,
        priority: 1,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let id = account.id;
    world.app().store().write(move |tx| channel_accounts::create(tx, &scope, &account)).await.unwrap();
    id
}

/// A payment that was sent to the channel and not answered yet, made under the plan that is in force.
pub async fn submitted(
    world: &World,
    (scope, store): (TenantScope, StoreId),
    account: ChannelAccountId,
    amount: Amount,
) -> PaymentId {
    let id = PaymentId::from_bytes(world.app().random_16().unwrap());
    insert(world, (scope, store), account, id, amount, State::Submitting { since: world.now() }).await;
    id
}

async fn insert(
    world: &World,
    (scope, store): (TenantScope, StoreId),
    account: ChannelAccountId,
    id: PaymentId,
    amount: Amount,
    state: State,
) {
    let now = world.now();
    let write = move |tx: &mut saoma_store::Tx<'_>| {
        let order = Order {
            id: OrderId::from_bytes(*id.as_bytes()),
            amount,
            store,
            terminal: None,
            counter: None,
            cashier: None,
            reference: None,
            goods: Vec::new(),
            created_at: now,
            paid_by: None,
        };
        let payment = StoredPayment {
            payment: Payment { id, amount, method: Method::CustomerPresented, state: state.clone() },
            version: 1,
            order: order.id,
            store,
            terminal: None,
            channel: "sandbox".to_owned(),
            channel_account: Some(account),
            channel_reference: None,
            payer_hint: None,
            fee_plan: Some(channel_accounts::load(tx, &scope, account)?.fee_version),
            close_asked_at: None,
            next_attempt_at: None,
            attempts: 0,
            watch: payments::Watch::default(),
            created_at: now,
            updated_at: now,
        };
        orders::insert_new(tx, &scope, &order)?;
        payments::insert_new(tx, &scope, &payment).map(drop)
    };
    world.app().store().write(write).await.unwrap();
}

/// The channel says how the payment stands.
pub async fn hear(world: &World, scope: TenantScope, payment: PaymentId, status: AnswerStatus) {
    // A reply to what was asked just now, of a payment that has not moved since.
    let stored = world.app().store().read(move |tx| saoma_store::payments::load(tx, &scope, payment)).await.unwrap();
    let answer = Outcome::Answer(saoma_server::payments::Heard {
        number: payment.to_string(),
        amount: None,
        status,
        reference: String::new(),
        payer_hint: String::new(),
        source: Source::Reply,
        amounts: saoma_domain::payment::Amounts::NotNamed,
        since_version: Some(stored.version),
        words: String::new(),
        note: None,
    });
    settle(world.app(), scope, payment, answer, "channel").await.unwrap();
}

pub fn amount(minor: i64, code: &str) -> Amount {
    Amount::new(minor, code.parse().unwrap()).unwrap()
}

/// Today in UTC, as `from=…&to=…`.
pub fn today(world: &World) -> String {
    let day = saoma_server::period::local_text(world.now(), "Etc/UTC");
    let day = day.split(' ').next().unwrap();
    format!("from={day}&to={day}")
}

/// `account channel?: opening debits credits closing`, a line each.
fn told(balances: &Value) -> Vec<String> {
    let line = |item: &Value| {
        let part = |name: &str| item[name].to_string();
        format!(
            "{} {} {} {} {} {}",
            item["account"].as_str().unwrap(),
            item["currency"].as_str().unwrap(),
            part("opening_minor"),
            part("debits_minor"),
            part("credits_minor"),
            part("closing_minor")
        )
    };
    balances["items"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn the_accountant_reads_balances_and_a_statement() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let accountant = Person::of(&world, scope, Role::Accountant).await;
    let days = today(&world);
    assert_eq!(accountant.reads("/v1/ledger/trial-balance").await["accounts"], json!([]));
    let before = world.now();
    let mut sold = Vec::new();
    for minor in [1_000, 250, AMOUNT_MINOR_MAX] {
        let payment = submitted(&world, (scope, store), account, amount(minor, "CNY")).await;
        hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
        sold.push(payment);
    }
    // Yen have no decimals, dinars three.
    for (minor, code) in [(900, "JPY"), (1_500, "KWD")] {
        let payment = submitted(&world, (scope, store), account, amount(minor, code)).await;
        hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
    }
    let balances = accountant.reads(&format!("/v1/ledger/balances?{days}")).await;
    assert_eq!(
        told(&balances),
        [
            "channel_clearing CNY 0 1000000001249 6000000008 994000001241",
            "fees CNY 0 6000000008 0 6000000008",
            "merchant_payable CNY 0 0 1000000001249 -1000000001249",
            "channel_clearing JPY 0 900 5 895",
            "fees JPY 0 5 0 5",
            "merchant_payable JPY 0 0 900 -900",
            "channel_clearing KWD 0 1500 9 1491",
            "fees KWD 0 9 0 9",
            "merchant_payable KWD 0 0 1500 -1500",
        ]
    );
    assert_eq!(balances["time_zone"], "Etc/UTC");
    let trial = accountant.reads("/v1/ledger/trial-balance").await;
    for totals in trial["currencies"].as_array().unwrap() {
        assert_eq!(totals["debits_minor"], totals["credits_minor"]);
    }
    assert_eq!(trial["accounts"].as_array().unwrap().len(), 9);
    let then = accountant.reads(&format!("/v1/ledger/trial-balance?as_of={}", before.0 - 1)).await;
    assert_eq!(then["accounts"], json!([]));

    let path = format!("/v1/ledger/statement?account=channel_clearing&currency=CNY&{days}&channel_account={account}");
    let whole = accountant.reads(&path).await;
    let line = |item: &Value| (item["money"]["minor"].as_i64().unwrap(), item["balance"]["minor"].as_i64().unwrap());
    let lines: Vec<_> = whole["items"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(lines[..4], [(1_000, 1_000), (-6, 994), (250, 1_244), (-2, 1_242)]);
    assert_eq!((&whole["opening"]["minor"], &whole["closing"]["minor"]), (&json!(0), &json!(994_000_001_241_i64)));
    assert_eq!(whole["items"][0]["payment"], json!(sold[0]));
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = accountant.reads(&format!("{path}&limit=2{cursor}")).await;
        pages.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(pages), whole["items"], "page by page it is the same");
}

#[tokio::test]
async fn what_cannot_be_asked_and_who_may_not_ask() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let payment = submitted(&world, (scope, store), account, amount(1_000, "CNY")).await;
    hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
    let accountant = Person::of(&world, scope, Role::Accountant).await;
    let statement = "/v1/ledger/statement?account=channel_clearing&currency=CNY";
    let days = "from=2026-01-01&to=2026-01-31";
    for path in [
        "/v1/ledger/balances".to_owned(),
        "/v1/ledger/balances?from=2026-02-30&to=2026-03-01".to_owned(),
        "/v1/ledger/balances?from=2026-02-02&to=2026-02-01".to_owned(),
        "/v1/ledger/balances?from=9999-12-31&to=9999-12-31".to_owned(),
        "/v1/ledger/balances?from=2026-01-01&to=2026-01-31&zone=UTC".to_owned(),
        "/v1/ledger/trial-balance?as_of=yesterday".to_owned(),
        "/v1/ledger/trial-balance?as_of=9223372036854775808".to_owned(),
        format!("/v1/ledger/statement?currency=CNY&{days}"),
        format!("/v1/ledger/statement?account=pocket&currency=CNY&{days}"),
        format!("/v1/ledger/statement?account=fees&currency=XXX&{days}"),
        format!("/v1/ledger/statement?account=bank&currency=CNY&{days}&channel_account={account}"),
        format!("{statement}&{days}&channel_account=cha_x"),
        format!("{statement}&{days}&limit=0"),
        format!("{statement}&{days}&limit=1001"),
        format!("{statement}&{days}&cursor=x"),
        format!("{statement}&{days}&cursor=-1-0"),
        format!("/v1/ledger/balances/export?{days}"),
        format!("/v1/ledger/balances/export?{days}&format=pdf"),
        format!("/v1/ledger/statement/export?account=pocket&currency=CNY&{days}&format=csv"),
    ] {
        assert_eq!(accountant.refused(&path).await, "422 invalid", "{path}");
    }
    for moment in [i64::MAX, i64::MIN, 0] {
        accountant.reads(&format!("/v1/ledger/trial-balance?as_of={moment}")).await;
    }
    let cashier = Person::of(&world, scope, Role::Cashier).await;
    let (stranger_scope, _) = world.another_merchant().await;
    let stranger = Person::of(&world, stranger_scope, Role::Owner).await;
    let today = today(&world);
    for path in [
        "trial-balance?".to_owned(),
        format!("balances?{today}"),
        format!("statement?account=fees&currency=CNY&{today}"),
        format!("settlement?{today}"),
        "findings?".to_owned(),
    ] {
        let path = format!("/v1/ledger/{path}");
        assert_eq!(cashier.refused(&path).await, "403 forbidden", "{path}");
        let theirs = stranger.reads(&path).await;
        assert!(!theirs.to_string().contains(&payment.to_string()), "{theirs}");
        let empty = theirs["items"].as_array().or(theirs["accounts"].as_array()).unwrap().is_empty();
        assert!(empty, "{theirs}");
    }
}

#[tokio::test]
async fn a_change_of_terms_is_for_payments_made_afterwards() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let owner = Person::of(&world, scope, Role::Owner).await;
    let path = format!("/v1/channel-accounts/{account}/fee-plan");
    let flat = json!({ "rate_basis_points": 60, "tariffs": [], "on_refund": "keep" });
    let first = owner.reads(&path).await;
    assert_eq!((&first["version"], &first["terms"]), (&json!(1), &flat));
    // Made under the first version, paid under the second.
    let before = submitted(&world, (scope, store), account, amount(1_000, "CNY")).await;

    let tariff = json!({ "currency": "CNY", "tiers": [{ "from_minor": 0, "rate_basis_points": 100, "fixed_minor": 5 }], "minimum_minor": 0, "maximum_minor": 12 });
    let terms = json!({ "rate_basis_points": 60, "tariffs": [tariff], "on_refund": "whole" });
    let asked = json!({ "account_version": first["account_version"], "terms": terms });
    let (status, second) = owner.put(&path, &asked).await;
    assert_eq!((status, &second["version"], &second["terms"]), (200, &json!(2), &terms), "{second}");
    let versions: Vec<_> = second["history"].as_array().unwrap().iter().map(|one| one["version"].clone()).collect();
    assert_eq!(versions, [json!(2), json!(1)]);
    assert_eq!(owner.put(&path, &asked).await.1["code"], "changed_meanwhile");

    let after = submitted(&world, (scope, store), account, amount(1_000, "CNY")).await;
    for payment in [before, after] {
        hear(&world, scope, payment, AnswerStatus::Succeeded { paid_at: world.now() }).await;
    }
    let fee_and_version = async |payment: PaymentId| {
        let timeline = owner.reads(&format!("/v1/payments/{payment}/timeline")).await;
        let postings =
            timeline["posting_sets"].as_array().unwrap().iter().flat_map(|set| set["postings"].as_array().unwrap());
        let fees = postings.filter(|posting| posting["account"] == "fees");
        (
            fees.map(|posting| posting["money"]["minor"].as_i64().unwrap()).collect::<Vec<_>>(),
            timeline["fee_plan_version"].clone(),
        )
    };
    assert_eq!(fee_and_version(before).await, (vec![6], json!(1)));
    assert_eq!(fee_and_version(after).await, (vec![12], json!(2)));
    // The channel undoes both by itself: one plan keeps its fee, the other gives it back.
    for payment in [before, after] {
        hear(&world, scope, payment, AnswerStatus::Closed).await;
    }
    assert_eq!(fee_and_version(before).await.0, [6]);
    assert_eq!(fee_and_version(after).await.0, [12, -12]);
    let store = world.app().store().clone();
    let found =
        tokio::task::spawn_blocking(move || ledger_check::prove_whole(&store, &scope, Millis(1))).await.unwrap();
    assert_eq!(found, Ok(vec![]));

    let tiers = |tiers: Value| json!({ "rate_basis_points": 60, "on_refund": "keep", "tariffs": [{ "currency": "CNY", "tiers": tiers }] });
    for terms in [
        json!({ "rate_basis_points": 10_001, "on_refund": "keep" }),
        json!({ "rate_basis_points": -1, "on_refund": "keep" }),
        json!({ "rate_basis_points": 60 }),
        json!({ "rate_basis_points": 60, "on_refund": "sometimes" }),
        json!({ "rate_basis_points": 60, "on_refund": "keep", "discount": 1 }),
        tiers(json!([])),
        tiers(json!([{ "from_minor": 1, "rate_basis_points": 60 }])),
        tiers(json!([{ "from_minor": 0, "rate_basis_points": 60, "fixed_minor": -1 }])),
        tiers(json!([{ "from_minor": 0, "rate_basis_points": 60, "fixed_minor": 9_223_372_036_854_775_807_i64 }])),
    ] {
        let (status, problem) = owner.put(&path, &json!({ "account_version": 2, "terms": terms })).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid")), "{terms}: {problem}");
    }
    let manager = Person::of(&world, scope, Role::Manager).await;
    assert_eq!(manager.put(&path, &asked).await.0, 403);
    let (stranger_scope, _) = world.another_merchant().await;
    let stranger = Person::of(&world, stranger_scope, Role::Owner).await;
    assert_eq!(stranger.put(&path, &asked).await.0, 404);
    assert_eq!(owner.reads(&path).await["version"], 2, "nothing of that changed anything");
}

#[tokio::test]
async fn books_that_do_not_hold_are_told() {
    let world = World::start().await;
    let (scope, store) = world.merchant();
    let account = account(&world, scope).await;
    let accountant = Person::of(&world, scope, Role::Accountant).await;
    let never = accountant.reads("/v1/ledger/findings").await;
    assert_eq!((never.get("checked_at"), &never["items"]), (None, &json!([])));
    // A row that says paid, by a hand that is not core's.
    let id = PaymentId::from_bytes(world.app().random_16().unwrap());
    let at = world.now();
    let state = State::Captured(Capture {
        at,
        late: false,
        by_hand: false,
        refunded_minor: 0,
        reserved_minor: 0,
        disputed_minor: 0,
    });
    insert(&world, (scope, store), account, id, Amount::new(700, Currency::CNY).unwrap(), state).await;
    let database = world.app().store().clone();
    let proven = tokio::task::spawn_blocking(move || ledger_check::prove(&database, &scope, at)).await.unwrap();
    assert_eq!(proven.map(|found: Option<Vec<_>>| found.map(|found| found.len())), Ok::<_, StoreError>(Some(1)));
    let told = accountant.reads("/v1/ledger/findings").await;
    assert_eq!((&told["checked_at"], &told["items"][0]["subject"]), (&json!(at.0), &json!(id)));
    assert_eq!((&told["items"][0]["code"], &told["items"][0]["found_at"]), (&json!("account"), &json!(at.0)));
    // Another node that comes a minute later leaves it at that; a check of the news alone goes on from there.
    let database = world.app().store().clone();
    let later = tokio::task::spawn_blocking(move || {
        [60_000, 600_000].map(|ms| ledger_check::prove(&database, &scope, at.plus(ms)).unwrap())
    });
    assert_eq!(later.await.unwrap(), [None, Some(vec![])]);
    // Nor does a check that a clock wrote which was a day ahead keep anybody from looking.
    let database = world.app().store().clone();
    let back =
        tokio::task::spawn_blocking(move || ledger_check::prove(&database, &scope, at.plus(-86_400_000)).unwrap());
    assert_eq!(back.await.unwrap().map(|found| found.len()), Some(1));
    assert_eq!(accountant.reads("/v1/ledger/findings").await["items"].as_array().unwrap().len(), 1, "it is not over");
}

//! A core with its people, all let in through its own doors, and a wallet scheme beside it: stories are told in a town.
//!
//! Nothing here is made from within core: merchants, people, keys, terminals and channel accounts are made over HTTP, as they are
//! made in life. The database file is read beside core, to see what a request has really changed.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use saoma_protocol::{PaymentId, Sequence, journal::Entry, message::JournalBatch};
use saoma_schemes::wallet;
use saoma_server::{app::App, config::Config, serve::Running};
use serde_json::{Value, json};

use crate::{
    compiled,
    door::{Answer, Door},
    fleet_client::{Identity, csr},
    postgres,
    town_database::Database,
};

/// The sandbox scheme's merchant id and key, the same for every merchant: whose money it is only core knows.
const SCHEME_MERCHANT: &str = "town";
pub const SCHEME_KEY: &str = "correct horse battery staple";
/// What everybody's password is after the first sign-in.
pub const PASSWORD: &str = "a password of the town";
/// Connected terminals are told of a moment's work by then.
pub const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longer than the scheme takes to announce what was paid.
const REST: Duration = Duration::from_millis(500);
/// How long a story's quiet part takes at most on a busy machine, with what core waits before it asks a scheme again.
const QUIET: Duration = Duration::from_secs(5);

pub struct Town {
    running: Option<Running>,
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
    scheme: wallet::Running,
    /// The platform's administrator.
    pub admin: Door,
}

/// A merchant and its owner.
pub struct Merchant {
    pub id: String,
    pub owner: Door,
    pub store: String,
    /// Its account at the sandbox scheme.
    pub account: String,
    name: &'static str,
}

/// A terminal that has enrolled.
pub struct Till {
    pub id: String,
    pub door: Door,
    pub identity: Identity,
    pub mqtt_port: u16,
}

/// Where the plugins are: as `cargo xtask plugins` leaves them, unless the environment says otherwise.
pub fn plugins() -> PathBuf {
    std::env::var_os("SAOMA_PLUGINS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"), PathBuf::from)
}

/// An address that nobody else takes before core listens there, or while it restarts: below the ports that the system
/// gives to outgoing connections, and each town of each process has its own.
fn address_kept_for_us() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (std::process::id() * 211 + step) % 20_000;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A database on PostgreSQL, where the test command wants stories told there that are told on SQLite else.
pub async fn postgresql_instead() -> Option<String> {
    std::env::var_os("SAOMA_STORIES_ON_POSTGRESQL")?;
    Some(tokio::task::spawn_blocking(postgres::migrated).await.unwrap())
}

impl Town {
    pub async fn found() -> Self {
        Self::found_with(&[]).await
    }

    /// With these settings of its own.
    pub async fn found_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Schemes send their notifications to the address that core gave them, so it must be known before core starts.
        let free = address_kept_for_us();
        let mut environment: Vec<(String, String)> = [
            ("SAOMA_DATA_DIR", folder.path().join("data").display().to_string()),
            ("SAOMA_PLUGINS__DIR", plugins().display().to_string()),
            ("SAOMA_PLUGINS__ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
            // A hundred cores in one process have to share its address space.
            ("SAOMA_PLUGINS__CALLS_MAX", "8".to_owned()),
            ("SAOMA_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true".to_owned()),
            ("SAOMA_SERVER__LISTEN", free.to_string()),
            ("SAOMA_SERVER__PUBLIC_URL", format!("http://{free}")),
            ("SAOMA_TERMINALS__HTTPS_LISTEN", "127.0.0.1:0".to_owned()),
            ("SAOMA_TERMINALS__MQTT_LISTEN", "127.0.0.1:0".to_owned()),
            ("SAOMA_TERMINALS__ALLOW_BROKER_SWITCH", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        environment.extend(postgresql_instead().await.map(|url| ("SAOMA_DATABASE__URL".to_owned(), url)));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut scheme = wallet::Config::new(
            "127.0.0.1:0".parse().unwrap(),
            vec![(SCHEME_MERCHANT.to_owned(), SCHEME_KEY.to_owned())],
        );
        scheme.slow = Duration::from_millis(300);
        scheme.refund_slow = Duration::from_millis(300);
        scheme.hold = Duration::from_millis(300);
        scheme.retry_first = Duration::from_millis(50);
        let scheme = wallet::start(scheme).unwrap();
        compiled::bring_along(&folder.path().join("data")).await;
        let running = start(&environment).await;
        let api = format!("http://{}", running.api);
        let one_time = std::fs::read_to_string(folder.path().join("data/admin-one-time-password")).unwrap();
        let admin = welcome(&Door::at(&api), "admin@saoma.local", one_time.trim()).await;
        Self { running: Some(running), environment, folder, scheme, admin }
    }

    /// Core from within, for what at its doors only time would bring about.
    pub fn app(&self) -> &App {
        self.running.as_ref().unwrap().app()
    }

    /// Core ends as at a shutdown and starts again on what it has written.
    pub async fn restart(&mut self) {
        self.running.take().unwrap().stop().await;
        self.running = Some(start(&self.environment).await);
    }

    /// Another node on the same database, and its folder. Schemes and customers still come to the first.
    pub async fn beside(&self) -> (Running, tempfile::TempDir) {
        self.beside_with(&[]).await
    }

    pub async fn beside_with(&self, settings: &[(&str, &str)]) -> (Running, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let key = self.data().join("master.key").display().to_string();
        let own = [
            ("SAOMA_DATA_DIR", folder.path().to_str().unwrap()),
            ("SAOMA_SERVER__LISTEN", "127.0.0.1:0"),
            ("SAOMA_SECRETS__MASTER_KEY_FILE", key.as_str()),
        ];
        let own = own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(own).collect();
        compiled::bring_along(folder.path()).await;
        (start(&environment).await, folder)
    }

    /// Where core has its files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program with core's settings, as its operator calls it.
    pub fn saoma(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saoma"));
        // It is no setting of core's.
        command.args(arguments).envs(self.environment.iter().cloned()).env_remove("SAOMA_STORIES_ON_POSTGRESQL");
        command
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Somebody whom nobody knows.
    pub fn nobody(&self) -> Door {
        Door::at(&format!("http://{}", self.running().api))
    }

    pub async fn merchant(&self, name: &'static str) -> Merchant {
        let email = email_of(name);
        let body = json!({
            "name": format!("{name} teahouse"), "currency": "CNY", "owner_name": format!("{name} owner"),
            "owner_email": email,
        });
        let made: Value = self.admin.post("/v1/tenants").json(&body).await.json(201);
        let owner = welcome(&self.nobody(), &email, text(&made, "/owner_one_time_password")).await;
        let store: Value = owner.post("/v1/stores").json(&json!({ "name": format!("{name} lane") })).await.json(201);
        let account = self.account(&owner, name, SCHEME_KEY).await.json::<Value>(201);
        Merchant {
            id: text(&made, "/id").to_owned(),
            owner,
            store: text(&store, "/id").to_owned(),
            account: text(&account, "/id").to_owned(),
            name,
        }
    }

    /// A channel account at the scheme.
    pub async fn account(&self, owner: &Door, name: &str, key: &str) -> Answer {
        let body = json!({
            "plugin": "sandbox", "name": format!("{name} wallet"), "fee_basis_points": 60,
            "settings": { "base_url": self.scheme_root(), "merchant_id": SCHEME_MERCHANT },
            "secrets": { "merchant-key": key },
        });
        owner.post("/v1/channel-accounts").json(&body).await
    }

    /// An account of the plugin that misbehaves as it is told.
    pub async fn hostile_account(&self, owner: &Door, mode: &str) -> String {
        let body = json!({ "plugin": "hostile", "name": mode, "fee_basis_points": 0, "settings": { "mode": mode } });
        let made: Value = owner.post("/v1/channel-accounts").json(&body).await.json(201);
        text(&made, "/id").to_owned()
    }

    pub fn scheme_root(&self) -> String {
        format!("http://{}", self.scheme.address)
    }

    /// A one-time payment code of a customer's wallet: `alice` is rich, `carol` has nothing.
    pub async fn code_of(&self, customer: &str) -> String {
        let path = format!("/wallet/api/accounts/{customer}/code");
        let shown: Value = Door::at(&self.scheme_root()).post(&path).json(&json!({})).await.json(200);
        text(&shown, "/code").to_owned()
    }

    /// A customer scans the code on show, follows the link on core's page, and pays.
    pub async fn pays(&self, customer: &str, code_url: &str) -> Answer {
        let page = Door::at("").get(code_url).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let link = page.text.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a way to pay");
        let token = link.rsplit('/').next().unwrap();
        let path = format!("/wallet/api/orders/{token}/pay");
        Door::at(&self.scheme_root()).post(&path).json(&json!({ "account": customer })).await
    }

    /// A person of the merchant with this role, signed in.
    pub async fn person(&self, merchant: &Merchant, role: &str) -> Door {
        let email = format!("{role}@{}.example", merchant.name);
        let body = json!({ "email": email, "name": format!("{} {role}", merchant.name), "role": role });
        let made: Value = merchant.owner.post("/v1/users").json(&body).await.json(201);
        welcome(&self.nobody(), &email, text(&made, "/one_time_password")).await
    }

    /// A program of the merchant's that may do what the role may.
    pub async fn key(&self, merchant: &Merchant, role: &str) -> Door {
        let body = json!({ "name": format!("{} key", merchant.name), "role": role });
        let made: Value = merchant.owner.post("/v1/api-keys").json(&body).await.json(201);
        self.nobody().with(text(&made, "/secret"))
    }

    pub async fn till(&self, merchant: &Merchant) -> Till {
        self.till_in(merchant, &merchant.store).await
    }

    pub async fn till_in(&self, merchant: &Merchant, store: &str) -> Till {
        let body = json!({ "name": format!("{} till", merchant.name), "store": store });
        let made: Value = merchant.owner.post("/v1/terminals").json(&body).await.json(201);
        let id = text(&made, "/id").to_owned();
        let offer: Value = merchant.owner.post(&format!("/v1/terminals/{id}/claim-code")).await.json(201);
        let key = rcgen::KeyPair::generate().unwrap();
        let body = json!({ "claim_code": offer["claim_code"], "csr_pem": csr(&key) });
        let enrolled: Value = self.nobody().post("/v1/terminal/enrol").json(&body).await.json(200);
        let pem = |pointer| text(&enrolled, pointer).to_owned();
        let identity = Identity { key, chain_pem: pem("/certificate_chain_pem"), ca_pem: pem("/ca_pem") };
        let door = Door::with_identity(&format!("https://{}", self.running().terminals_https), &identity);
        let mqtt_port = u16::try_from(enrolled["mqtt_port"].as_u64().unwrap()).unwrap();
        Till { id, door, identity, mqtt_port }
    }

    fn database(&self) -> Database {
        let url = self.environment.iter().rev().find(|(name, _)| name == "SAOMA_DATABASE__URL");
        match url {
            Some((_, url)) => Database::server(url),
            None => Database::file(&self.folder.path().join("data/core.db")),
        }
    }

    /// Does to the database what only time does, or somebody who owns the file.
    pub fn force(&self, change: &str) {
        self.database().execute(change);
    }

    /// Every row of the tenant's in every table, as text. Left out is what moves by itself: when a push is tried again, and
    /// how far the books were proven.
    pub fn rows_of(&self, tenant: &str) -> Vec<String> {
        let mut database = self.database();
        let mut rows = Vec::new();
        for table in database.tables() {
            if ["ledger_checks", "ledger_checkpoints"].contains(&table.as_str()) {
                continue;
            }
            let columns = database.columns(&table);
            let owner = if table == "tenants" { "id" } else { "tenant_id" };
            if !columns.iter().any(|column| column == owner) {
                assert!(
                    ["master_keys", "meta", "nodes", "server_keys"].contains(&table.as_str()),
                    "{table} has no tenant"
                );
                continue;
            }
            let shown: Vec<String> = columns
                .iter()
                .filter(|column| table != "outbox" || !["next_at", "attempts"].contains(&column.as_str()))
                .map(|column| database.quoted(column))
                .collect();
            let query = format!(
                "SELECT {} AS text FROM {table} WHERE {owner} = '{tenant}' ORDER BY 1",
                shown.join(" || ' ' || ")
            );
            rows.extend(database.texts(&query).into_iter().map(|row| format!("{table}: {row}")));
        }
        assert!(!rows.is_empty());
        rows
    }

    /// The tenant's rows once nothing moves any more: what was sold lately is still announced by the scheme and to terminals,
    /// and what nobody knows yet is asked about again soon.
    pub async fn rows_at_rest(&self, tenant: &str) -> Vec<String> {
        let until = tokio::time::Instant::now() + DEADLINE;
        let (mut rows, mut since) = (self.rows_of(tenant), tokio::time::Instant::now());
        while since.elapsed() < REST {
            assert!(tokio::time::Instant::now() < until, "it comes to rest in time");
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.rows_of(tenant);
            if now != rows || self.asks_soon(tenant) {
                (rows, since) = (now, tokio::time::Instant::now());
            }
        }
        rows
    }

    /// Whether core asks a scheme about one of the tenant's payments within the seconds that a story's quiet part may take.
    fn asks_soon(&self, tenant: &str) -> bool {
        let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + QUIET;
        let query = format!(
            "SELECT id AS text FROM payments WHERE tenant_id = '{tenant}' AND state = 'unknown' AND next_attempt_at < {}",
            soon.as_millis()
        );
        !self.database().texts(&query).is_empty()
    }

    /// What a query of one column `text` finds.
    pub fn column(&self, query: &str) -> Vec<String> {
        self.database().texts(query)
    }
}

impl Merchant {
    /// Its owner's.
    pub fn email(&self) -> String {
        email_of(self.name)
    }

    /// The books are whole: debits equal credits in every currency.
    pub async fn books_balance(&self) {
        let balance: Value = self.owner.get("/v1/ledger/trial-balance").await.json(200);
        for line in balance["currencies"].as_array().unwrap() {
            assert_eq!(line["debits_minor"], line["credits_minor"], "{balance}");
        }
    }

    /// A sale of so much: the customer's code is charged.
    pub async fn sells(&self, town: &Town, by: &Door, minor: i64, key: &str) -> Value {
        let code = town.code_of("alice").await;
        by.post("/v1/payments").key(key).json(&charge(minor, &code)).await.json(201)
    }

    /// What the audit log has of this action, newest first.
    pub async fn audited(&self, action: &str) -> Vec<Value> {
        let log: Value = self.owner.get("/v1/audit?limit=200").await.json(200);
        log["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == action).cloned().collect()
    }
}

impl Till {
    /// Entries of its journal as it sends them.
    pub fn signed(&self, merchant: &Merchant, entries: &[Entry]) -> JournalBatch {
        self.identity.signed(merchant.id.parse().unwrap(), entries)
    }

    /// The number of the terminal's `counter`-th sale.
    pub fn number(&self, merchant: &Merchant, counter: u64) -> String {
        PaymentId::for_sale(merchant.id.parse().unwrap(), self.id.parse().unwrap(), Sequence(counter)).to_string()
    }
}

/// The body of a sale in which the customer shows a code.
pub fn charge(minor: i64, code: &str) -> Value {
    json!({ "amount": { "minor": minor, "currency": "CNY" }, "presentation": { "kind": "customer", "code": code } })
}

/// The body of a sale in which the shop shows a code.
pub fn present(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "CNY" }, "presentation": { "kind": "merchant" } })
}

/// A text inside a JSON value, by pointer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {value}"))
}

/// Waits until the payment is in this state; fails at the deadline.
pub async fn becomes(door: &Door, payment: &str, state: &str) -> Value {
    let until = tokio::time::Instant::now() + DEADLINE;
    loop {
        let shown: Value = door.get(&format!("/v1/payments/{payment}")).await.json(200);
        if shown["state"] == state {
            return shown;
        }
        assert!(tokio::time::Instant::now() < until, "in time: {state}, not {shown}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Signs in.
pub async fn sign_in(nobody: &Door, email: &str, password: &str) -> Door {
    let body = json!({ "email": email, "password": password });
    let session: Value = nobody.post("/v1/auth/sign-in").json(&body).await.json(200);
    nobody.with(text(&session, "/access_token"))
}

fn email_of(merchant: &str) -> String {
    format!("owner@{merchant}.example")
}

/// The first sign-in, with the one-time password that must be changed.
async fn welcome(nobody: &Door, email: &str, one_time: &str) -> Door {
    let door = sign_in(nobody, email, one_time).await;
    let body = json!({ "current_password": one_time, "new_password": PASSWORD });
    assert_eq!(door.post("/v1/auth/password").json(&body).await.status, 204);
    door
}

async fn start(environment: &[(String, String)]) -> Running {
    let config = Config::read(None, environment.iter().cloned()).unwrap();
    Running::start(config).await.unwrap()
}

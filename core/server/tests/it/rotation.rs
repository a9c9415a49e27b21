//! Keys are rotated while merchants sell, and the program that does it is killed in the middle: nothing fails, nothing is
//! lost, and in the end the old master key can be destroyed.

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::{Child, Output, Stdio},
    time::{Duration, Instant},
};

use saoma_protocol::{Millis, TenantId};
use saoma_server::{
    own_keys,
    secrets::{SecretsError, Vault},
    serve::Running,
};
use saoma_store::{
    Store, StoreError, TenantScope, Tx, access, audit,
    channel_accounts::{self, ChannelAccount},
    master_keys, server_keys, tenant_keys,
    tenants::{self, LatePolicy, Tenant},
};
use serde_json::{Value, json};

use crate::{
    door::Door,
    fleet_world::eventually,
    postgres,
    receiver::Receiver,
    town::{DEADLINE, Merchant, PASSWORD, Town, charge, present, sign_in, text},
};

/// Merchants with a data key and nothing else: so many that wrapping them takes a while.
const OTHERS: u8 = 240;
/// Channel accounts of the merchant whose data key is rotated: so many that sealing them takes a while.
const ACCOUNTS: u8 = 120;
const LOOK_EVERY: Duration = Duration::from_millis(2);
const NOW: Millis = Millis(1_790_000_000_000);

/// The doors of the nodes for one caller, asked in turn.
struct Doors(Vec<Door>, Cell<usize>);

impl Doors {
    fn next(&self) -> &Door {
        self.1.set(self.1.get() + 1);
        &self.0[self.1.get() % self.0.len()]
    }
}

/// What goes on all the while. Every answer is checked where it comes.
struct Load<'a> {
    town: &'a Town,
    merchant: &'a Merchant,
    owner: Doors,
    key: Doors,
    nobody: Doors,
    over: Cell<bool>,
    done: Cell<usize>,
}

impl Load<'_> {
    fn goes_on(&self) -> bool {
        self.done.set(self.done.get() + 1);
        !self.over.get()
    }

    async fn sales(&self, who: &str) {
        let mut number = 0;
        while self.goes_on() {
            number += 1;
            let sale = charge(1_000 + number % 50, &self.town.code_of("alice").await);
            let key = format!("{who}-{number}");
            let sold: Value = self.key.next().post("/v1/payments").key(&key).json(&sale).await.json(201);
            assert_eq!(sold["state"], "succeeded", "{sold}");
            // The other node knows the request again, whatever keys it has by now.
            let again: Value = self.key.next().post("/v1/payments").key(&key).json(&sale).await.json(200);
            assert_eq!(again["id"], sold["id"]);
        }
    }

    /// Reading and changing secrets, with a token that was issued before, and one that is issued now.
    async fn office(&self) {
        let path = format!("/v1/channel-accounts/{}", self.merchant.account);
        while self.goes_on() {
            let shown: Value = self.owner.next().get(&path).await.json(200);
            assert_eq!(shown["secrets"], json!(["merchant-key"]), "{shown}");
            let change = json!({ "version": shown["version"], "secrets": { "merchant-key": crate::town::SCHEME_KEY } });
            let _: Value = self.owner.next().ask("PATCH", &path).json(&change).await.json(200);
            let email = self.merchant.email();
            let _: Value =
                sign_in(self.nobody.next(), &email, PASSWORD).await.get("/v1/channel-accounts").await.json(200);
        }
    }
}

fn master_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with("master.key")).collect();
    files.sort();
    files
}

fn masters_in_force(store: &Store) -> usize {
    let masters = store.read_blocking(|tx| master_keys::list(tx, &access::process())).unwrap();
    masters.iter().filter(|master| master.retired_at.is_none()).count()
}

fn data_keys(store: &Store, scope: TenantScope) -> Vec<u32> {
    let keys = store.read_blocking(|tx| tenant_keys::list(tx, &scope)).unwrap();
    keys.into_iter().map(|key| key.number).collect()
}

struct Story {
    town: Town,
    b: Option<(Running, tempfile::TempDir)>,
}

impl Story {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.town.running().app().store().read(work).await.unwrap()
    }

    fn doors(&self, a: &Door, bearer: Option<&str>) -> Doors {
        let b = self.b.as_ref().map(|(running, _)| Door::at(&format!("http://{}", running.api)));
        let b = b.map(|b| match bearer {
            Some(bearer) => b.with(bearer),
            None => b,
        });
        Doors(std::iter::once(a.clone()).chain(b).collect(), Cell::new(0))
    }

    /// Merchants who have a data key, and accounts of this one that have secrets.
    async fn furnish(&self, merchant: TenantId) {
        let app = self.town.running().app().clone();
        let (vault, now) = (app.vault().clone(), app.now());
        let add = move |tx: &mut Tx<'_>| {
            for number in 1..=OTHERS {
                let tenant = Tenant {
                    id: TenantId::from_bytes([number; 16]),
                    name: format!("Merchant {number}"),
                    currency: saoma_protocol::Currency::CNY,
                    late_policy: LatePolicy::Refund,
                    time_zone: "Asia/Shanghai".to_owned(),
                    active: true,
                    created_at: now,
                };
                let scope = tenants::create(tx, &access::process(), &tenant)?;
                vault.add_data_key(tx, scope, now)?;
            }
            let scope = access::enter_tenant(tx, &access::process(), merchant)?;
            let model = channel_accounts::list(tx, &scope)?.remove(0);
            for number in 1..=ACCOUNTS {
                let id = saoma_protocol::ChannelAccountId::from_bytes([number; 16]);
                // Not asked for by sales: they take the one that comes first.
                let account = ChannelAccount { id, priority: 9, enabled: false, ..model.clone() };
                channel_accounts::create(tx, &scope, &account)?;
                let secrets = [("merchant-key".to_owned(), format!("secret {number}"))].into();
                let sealed = vault.seal_secrets(tx, scope, id, &secrets, now)?;
                channel_accounts::set_secrets(tx, &scope, id, &sealed, now)?;
            }
            Ok::<_, SecretsError>(())
        };
        app.store().write(add).await.unwrap();
    }

    fn store(&self) -> Store {
        self.town.running().app().store().clone()
    }

    /// Keys that another master key than the current one wraps.
    async fn left_behind(&self) -> usize {
        self.read(|tx| {
            let process = access::process();
            let current = master_keys::current(tx, &process)?.unwrap();
            let data = tenant_keys::under_others(tx, &process, &current, 10_000)?.len();
            Ok(data + server_keys::under_others(tx, &process, &current, 10_000)?.len())
        })
        .await
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.town.saoma(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the program to its end.
    async fn runs(&self, arguments: &[&str]) -> Output {
        let child = self.begin(arguments);
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
    }

    /// Its output; it must succeed.
    async fn saoma(&self, arguments: &[&str]) -> String {
        let output = self.runs(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program and kills it as soon as `now` says so, which is looked at on a thread that does nothing else.
    async fn killed(&self, arguments: &[&str], now: impl Fn() -> bool + Send + 'static) {
        let mut child = self.begin(arguments);
        let killing = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + DEADLINE;
            while !now() {
                assert!(Instant::now() < until, "it comes to where it is killed");
                assert_eq!(child.try_wait().unwrap(), None, "it ended before it was killed");
                std::thread::sleep(LOOK_EVERY);
            }
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success(), "it ended before it was killed");
        });
        killing.await.unwrap();
    }

    /// Draws the next master key, killed before it is in force, and again while keys are wrapped anew; then to its end.
    async fn rotate_master(&self) {
        let folder = self.town.data();
        let (before, store, files) = (master_files(&folder), self.store(), folder.clone());
        self.killed(&["keys", "rotate-master"], move || master_files(&files).len() == 2).await;
        let drawn = master_files(&folder);
        assert_eq!(masters_in_force(&store), 1);
        self.killed(&["keys", "rotate-master"], move || masters_in_force(&store) == 2).await;
        assert_eq!(master_files(&folder), drawn, "it goes on with the key that was drawn");
        assert!(self.left_behind().await > 0, "nothing was left to do");
        let old = self.saoma(&["keys", "rotate-master"]).await;
        assert_eq!(old.lines().map(PathBuf::from).collect::<Vec<_>>(), before);
        assert_eq!((self.left_behind().await, masters_in_force(&self.store())), (0, 1));
    }

    /// The merchant's data key, killed while values are sealed anew; then to its end, and every other merchant's.
    async fn rotate_data_keys(&self, merchant: &str) {
        let tenant: TenantId = merchant.parse().unwrap();
        let scope = self.read(move |tx| access::enter_tenant(tx, &access::process(), tenant)).await;
        let store = self.store();
        assert_eq!(data_keys(&store, scope), [1]);
        let rotate = ["keys", "rotate-tenant", merchant];
        self.killed(&rotate, move || data_keys(&store, scope).len() == 2).await;
        let done = self.saoma(&rotate).await;
        assert!(done.contains("has data key 2"), "{done}");
        assert_eq!(data_keys(&self.store(), scope), [2]);
        self.saoma(&["keys", "rotate-tenant", "--all"]).await;
        assert_eq!(data_keys(&self.store(), scope), [3]);
        let log = self.read(move |tx| audit::list(tx, &scope, None, 200)).await;
        assert_eq!(log.iter().filter(|stored| stored.entry.action == "data_key.rotated").count(), 2);
    }
}

async fn sells_while_keys_are_rotated(town: Town, b: Option<(Running, tempfile::TempDir)>) {
    let mut story = Story { town, b };
    let jade = story.town.merchant("jade").await;
    story.furnish(jade.id.parse().unwrap()).await;
    let receiver = Receiver::open().await;
    let hook = json!({ "url": receiver.url, "event_types": ["payment.succeeded"] });
    let hook: Value = jade.owner.post("/v1/webhook-endpoints").json(&hook).await.json(201);
    let secret: Value =
        jade.owner.post("/v1/api-keys").json(&json!({ "name": "till", "role": "manager" })).await.json(201);
    let secret = text(&secret, "/secret").to_owned();
    let shown: Value = jade.owner.post("/v1/payments").key("shown").json(&present(700)).await.json(201);
    let before = charge(900, &story.town.code_of("alice").await);
    let sold: Value = jade.owner.post("/v1/payments").key("before").json(&before).await.json(201);
    let token = jade.owner.bearer();
    {
        let load = Load {
            town: &story.town,
            merchant: &jade,
            owner: story.doors(&jade.owner, Some(&token)),
            key: story.doors(&story.town.nobody().with(&secret), Some(&secret)),
            nobody: story.doors(&story.town.nobody(), None),
            over: Cell::new(false),
            done: Cell::new(0),
        };
        let rotations = async {
            story.rotate_master().await;
            story.rotate_data_keys(&jade.id).await;
            story.saoma(&["keys", "rotate-sessions"]).await;
            load.over.set(true);
        };
        tokio::join!(load.sales("a"), load.sales("b"), load.office(), rotations);
        assert!(load.done.get() >= 6, "{} rounds of three", load.done.get());
    }
    // The nodes that run have everything they need without the old file; so has one that starts.
    let listed = story.saoma(&["keys", "list"]).await;
    assert!(listed.contains("retired"), "{listed}");
    let folder = story.town.data();
    fs::remove_file(folder.join("master.key")).unwrap();
    let files = master_files(&folder);
    assert_eq!(files.len(), 1, "{files:?}");
    for door in story.doors(&jade.owner, Some(&token)).0 {
        let _: Value = door.get(&format!("/v1/channel-accounts/{}", jade.account)).await.json(200);
    }
    if let Some((b, _)) = story.b.take() {
        b.stop().await;
    }
    story.town.restart().await;
    let again: Value = jade.owner.post("/v1/payments").key("before").json(&before).await.json(200);
    assert_eq!(again["id"], sold["id"], "a request of before is known again");
    let paid = story.town.pays("alice", text(&shown, "/code_url")).await;
    assert_eq!(paid.status, 200, "a code of before is paid: {}", paid.text);
    crate::town::becomes(&jade.owner, text(&shown, "/id"), "succeeded").await;
    jade.sells(&story.town, &jade.owner, 1_100, "after").await;
    jade.books_balance().await;
    let heard = receiver.hears(1).await;
    assert!(heard.iter().all(|heard| heard.is_signed_with(text(&hook, "/secret"))));
    // Core has noted the ends of its logs by itself.
    let anchors = folder.join("audit-anchors.jsonl");
    eventually("anchors", async || anchors.exists()).await;
    let whole = story.saoma(&["audit", "verify", "--anchor", anchors.to_str().unwrap()]).await;
    assert!(whole.contains("hold"), "{whole}");
}

#[actix_web::test]
async fn merchants_sell_while_keys_are_rotated() {
    let town = Town::found_with(&[("SAOMA_PAYMENTS__CODE_LIFETIME_SECONDS", "3600")]).await;
    sells_while_keys_are_rotated(town, None).await;
}

#[actix_web::test]
async fn the_same_on_postgresql_with_two_nodes() {
    let url = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let settings = [("SAOMA_PAYMENTS__CODE_LIFETIME_SECONDS", "3600"), ("SAOMA_DATABASE__URL", &url)];
    let town = Town::found_with(&settings).await;
    let b = town.beside().await;
    sells_while_keys_are_rotated(town, Some(b)).await;
}

/// A node on another machine, whose folder of keys is its own.
#[actix_web::test]
async fn a_key_that_a_running_node_cannot_read_is_not_put_in_force() {
    let url = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let town = Town::found_with(&[("SAOMA_DATABASE__URL", &url)]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let key = elsewhere.path().join("master.key");
    fs::copy(town.data().join("master.key"), &key).unwrap();
    let (b, _folder) = town.beside_with(&[("SAOMA_SECRETS__MASTER_KEY_FILE", &key.display().to_string())]).await;
    let story = Story { town, b: None };
    let refused = story.runs(&["keys", "rotate-master"]).await;
    let words = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    let drawn = master_files(&story.town.data()).pop().unwrap();
    assert!(words.contains("cannot read it") && words.contains(&drawn.display().to_string()), "{words}");
    assert_eq!(masters_in_force(&story.store()), 1);
    fs::copy(&drawn, elsewhere.path().join(drawn.file_name().unwrap())).unwrap();
    story.saoma(&["keys", "rotate-master"]).await;
    assert_eq!(story.left_behind().await, 0);
    b.stop().await;
}

/// A program that starts without the key that seals is told its name; one with the old key alone is told which it lacks.
#[test]
fn what_is_sealed_under_a_key_that_is_not_here_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let store = Store::open(&folder.path().join("core.db").display().to_string(), 2).unwrap();
    let vault = own_keys::open(&store, &file, NOW).unwrap();
    let done = saoma_server::rotation::rotate_master(&store, &vault, || NOW, |_| {}).unwrap();
    assert_eq!(done.old_files, std::slice::from_ref(&file));
    assert!(done.rewrapped >= 4, "{done:?}");
    fs::remove_file(&done.file).unwrap();
    assert!(matches!(own_keys::open(&store, &file, NOW), Err(own_keys::KeysError::OtherMaster { .. })));
    let refused = vault.masters().read_again(&done.name).err().unwrap().to_string();
    assert!(refused.contains(&done.name), "{refused}");
    // What was read before stays, so that a node whose files are being moved goes on.
    assert!(vault.masters().ring().get(&done.name).is_some());
}

/// A database with a merchant that has this many accounts with secrets, and its vault.
fn merchant_with(folder: &Path, accounts: u8) -> (Store, Vault, TenantScope) {
    let store = Store::open(&folder.join("core.db").display().to_string(), 2).unwrap();
    let vault = own_keys::open(&store, &folder.join("master.key"), NOW).unwrap();
    let tenant = Tenant {
        id: TenantId::from_bytes([7; 16]),
        name: "Tea".to_owned(),
        currency: saoma_protocol::Currency::CNY,
        late_policy: LatePolicy::Refund,
        time_zone: "UTC".to_owned(),
        active: true,
        created_at: NOW,
    };
    let scope = store.write_blocking(|tx| {
        let scope = tenants::create(tx, &access::process(), &tenant)?;
        for number in 1..=accounts {
            let account = ChannelAccount {
                id: saoma_protocol::ChannelAccountId::from_bytes([number; 16]),
                plugin: "sandbox".to_owned(),
                name: "wallet".to_owned(),
                enabled: true,
                settings_json: "{}".to_owned(),
                fee: saoma_domain::fee::FeePlan::flat(saoma_domain::fee::BasisPoints::new(60).unwrap()),
                fee_version: 1,
                priority: 1,
                version: 1,
                created_at: NOW,
                updated_at: NOW,
            };
            channel_accounts::create(tx, &scope, &account)?;
            let secrets = [("merchant-key".to_owned(), format!("secret {number}"))].into();
            let sealed = vault.seal_secrets(tx, scope, account.id, &secrets, NOW)?;
            channel_accounts::set_secrets(tx, &scope, account.id, &sealed, NOW)?;
        }
        Ok::<_, SecretsError>(scope)
    });
    (store, vault, scope.unwrap())
}

#[test]
fn of_several_keys_that_this_database_does_not_know_none_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    let (store, vault, _) = merchant_with(folder.path(), 1);
    let rotate = || saoma_server::rotation::rotate_master(&store, &vault, || NOW, |_| {});
    let drawn = [(); 2].map(|()| vault.masters().ring().draw_beside(&file).unwrap());
    let refused = rotate().err().unwrap().to_string();
    assert!(drawn.iter().all(|(name, _)| refused.contains(name)), "{refused}");
    fs::remove_file(&drawn[0].1).unwrap();
    let done = rotate().unwrap();
    assert_eq!((done.name, done.old_files), (drawn[1].0.clone(), vec![file.clone()]));
    // One that was drawn by somebody else meanwhile is nothing that this rotation knows to be done with.
    let (_, others) = vault.masters().ring().draw_beside(&file).unwrap();
    let again = rotate().unwrap();
    assert!(again.old_files.contains(&drawn[1].1) && !again.old_files.contains(&others), "{again:?}");
}

/// It is told, and stays under its own key; the others have the new one. The next rotation goes on where this one stood.
#[test]
fn a_value_that_cannot_be_opened_keeps_no_other_from_the_new_key() {
    use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
    let folder = tempfile::tempdir().unwrap();
    let (store, vault, scope) = merchant_with(folder.path(), 30);
    let mut raw = SqliteConnection::establish(folder.path().join("core.db").to_str().unwrap()).unwrap();
    raw.batch_execute(&format!(
        "CREATE TABLE kept AS SELECT id, secrets FROM channel_accounts ORDER BY id LIMIT 1; \
         UPDATE channel_accounts SET secrets = x'00000001{}' WHERE id IN (SELECT id FROM kept)",
        "ab".repeat(40)
    ))
    .unwrap();
    let rotate = || saoma_server::rotation::rotate_tenant(&store, &vault, scope, || NOW);
    let under = |number| store.read_blocking(|tx| saoma_store::sealed::count_under(tx, &scope, number)).unwrap();
    for _ in 0..2 {
        let refused = rotate().err().unwrap().to_string();
        assert!(refused.contains("seal 1 values"), "{refused}");
        assert_eq!((under(1), under(2), data_keys(&store, scope)), (1, 29, vec![1, 2]));
    }
    raw.batch_execute(
        "UPDATE channel_accounts SET secrets = (SELECT secrets FROM kept WHERE kept.id = channel_accounts.id) \
         WHERE id IN (SELECT id FROM kept)",
    )
    .unwrap();
    assert_eq!(rotate().unwrap().map(|done| (done.number, done.resealed)), Some((2, 1)));
    assert_eq!((under(1), under(2), data_keys(&store, scope)), (0, 30, vec![2]));
}

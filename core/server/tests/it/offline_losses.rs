//! What a sale leaves that an offline code paid: its refund and void, its line on the bill, and what the issuer bore of it.

use serde_json::{Value, json};

use crate::{
    fleet_world::eventually,
    offline_world::{Canteen, Journal, Phone, cny, now},
    packages_author::{Author, sandbox},
    stored_value::plugins_with_the_channel,
    town::{Town, text},
};

const DAY_MS: i64 = 86_400_000;

/// A canteen that is its own merchant, over the channel that accepts stored value.
async fn canteen_with_the_channel(minor: i64) -> (Canteen, tempfile::TempDir) {
    let plugins = plugins_with_the_channel();
    let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", plugins.path().to_str().unwrap())]).await;
    let canteen = Canteen::in_town(town, minor).await;
    let acceptor = canteen.town.key(&canteen.merchant, "acceptor").await;
    let asked = json!({
        "plugin": "wallet", "name": "our stored value", "fee_basis_points": 0,
        "settings": { "base_url": format!("http://{}", canteen.town.running().api), "acceptor": "till" },
        "secrets": { "api-key": acceptor.bearer() },
    });
    let owner = &canteen.merchant.owner;
    let account: Value = owner.post("/v1/channel-accounts").json(&asked).await.json(201);
    let mut policy = json!({ "enabled": true, "channel_account": account["id"] });
    let set: Value = owner.ask("PUT", "/v1/stored-value/offline-policy").json(&policy).await.json(200);
    assert_eq!(set["acceptor"], "till", "as the account's settings call it");
    policy["acceptor"] = json!("hall");
    let refused = owner.ask("PUT", "/v1/stored-value/offline-policy").json(&policy).await;
    assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/acceptor")));
    (canteen, plugins)
}

impl Canteen {
    async fn refunds(&self, payment: &str, minor: i64, key: &str) -> String {
        let path = format!("/v1/payments/{payment}/refunds");
        let back: Value =
            self.merchant.owner.post(&path).key(key).json(&json!({ "amount": cny(minor) })).await.json(201);
        text(&back, "/state").to_owned()
    }

    /// Each line of today's bill of the till's: what it is, the charge, the amount. Those of one moment have no order.
    async fn bill(&self) -> Vec<(String, String, i64)> {
        let day = saoma_server::period::local_day(now(), "Etc/UTC");
        let path = format!("/v1/stored-value/acceptors/till/bills/{day}");
        let bill: Value = self.merchant.owner.get(&path).await.json(200);
        let line = |item: &Value| {
            (
                text(item, "/kind").to_owned(),
                text(item, "/charge").to_owned(),
                item["amount"]["minor"].as_i64().unwrap(),
            )
        };
        let mut lines: Vec<_> = bill["items"].as_array().unwrap().iter().map(line).collect();
        lines.sort();
        lines
    }

    fn clearing(&self) -> i64 {
        let query = "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS TEXT) AS text FROM postings \
                     WHERE account = 'channel_clearing'";
        self.town.column(query)[0].parse().unwrap()
    }

    async fn double_spends(&self, query: &str) -> Vec<Value> {
        let told: Value = self.merchant.owner.get(&format!("/v1/stored-value/double-spends{query}")).await.json(200);
        told["items"].as_array().unwrap().clone()
    }

    async fn closes(&self, key: &str) -> u16 {
        self.merchant.owner.post(&self.path("/close")).key(key).json(&json!({ "reason": "left" })).await.status
    }

    /// What was booked today was booked yesterday.
    fn it_was_yesterday(&self) {
        for table in ["posting_sets", "stored_value_movements"] {
            self.town.force(&if std::env::var_os("SAOMA_STORIES_ON_POSTGRESQL").is_some() {
                format!("ALTER TABLE {table} DISABLE TRIGGER USER")
            } else {
                format!("DROP TRIGGER {table}_no_update")
            });
            self.town.force(&format!("UPDATE {table} SET at = at - {DAY_MS}"));
        }
    }

    /// The time of all grants is over, and that for late journals too.
    fn grace_is_over(&self) {
        self.town.force("UPDATE offline_grants SET reserved_until = 1");
    }
}

#[actix_web::test]
async fn what_is_given_back_goes_to_whoever_paid() {
    let (canteen, _plugins) = canteen_with_the_channel(10_000).await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 5_000).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    let first = here.sells(3_000, &phone.code(1));
    let twice = there.sells(2_000, &phone.code(1));
    let beyond = there.sells(2_500, &phone.code(2));
    assert_eq!((here.syncs().await, there.syncs().await), (vec![], vec![]));
    assert_eq!(canteen.shown().await, ("frozen".to_owned(), 5_000));
    assert_eq!(canteen.books().await, [-5_000, -7_500, 2_500]);
    // The bill has each sale whole, whoever paid it, as the merchant's own books have it.
    let mut charged: Vec<(String, String, i64)> = [(&first, 3_000), (&twice, 2_000), (&beyond, 2_500)]
        .map(|(of, minor)| ("charged".to_owned(), of.clone(), minor))
        .to_vec();
    charged.sort();
    assert_eq!(canteen.bill().await, charged);
    assert_eq!(canteen.clearing(), 7_500);

    // A sale that nobody but the issuer paid: the holder has nothing of it.
    assert_eq!(canteen.refunds(&twice, 500, "r1").await, "succeeded");
    assert_eq!(canteen.books().await, [-5_000, -7_000, 2_000]);
    assert_eq!(canteen.refunds(&twice, 1_500, "r2").await, "succeeded");
    assert_eq!(canteen.books().await, [-5_000, -5_500, 500]);
    assert_eq!(canteen.payment(&twice).await["state"], "refunded");
    // One that the account paid: it has it back, frozen as it is.
    assert_eq!(canteen.refunds(&first, 1_000, "r3").await, "succeeded");
    assert_eq!(canteen.books().await, [-6_000, -4_500, 500]);
    // A void of one that both paid: each has its part.
    let void = format!("/v1/payments/{beyond}/void");
    let voided: Value = owner.post(&void).key("v1").json(&json!({})).await.json(201);
    assert_eq!(voided["state"], "succeeded", "{voided}");
    assert_eq!(canteen.payment(&beyond).await["state"], "voided");
    assert_eq!(canteen.books().await, [-8_000, -2_000, 0]);
    assert_eq!(canteen.shown().await.1, 8_000);
    assert_eq!(canteen.clearing(), 2_000, "what the channel owes is what the issuer owes");
    let back = [
        ("charge_cancelled", &beyond, 2_500),
        ("refunded", &first, 1_000),
        ("refunded", &twice, 500),
        ("refunded", &twice, 1_500),
    ];
    charged.extend(back.map(|(kind, of, minor)| (kind.to_owned(), of.clone(), minor)));
    charged.sort();
    assert_eq!(canteen.bill().await, charged);
}

/// Sales that were taken without a network, by whomever they were paid, and what went back of them: the merchant's books and the
/// issuer's bill of the day have the same of each.
#[actix_web::test]
async fn a_day_with_a_double_spend_agrees_with_its_bill() {
    let (canteen, _plugins) = canteen_with_the_channel(10_000).await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 1_000).await;
    let (till, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let (mut journal, mut there) = (Journal::of(&till, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    journal.sells(600, &phone.code(1));
    let twice = there.sells(300, &phone.code(1));
    assert_eq!((journal.syncs().await, there.syncs().await), (vec![], vec![]));
    journal.sells(700, &phone.code(2));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.refunds(&twice, 100, "r1").await, "succeeded");
    let policy: Value = owner.get("/v1/stored-value/offline-policy").await.json(200);
    let day = saoma_server::period::local_day(now().plus(-DAY_MS), "Etc/UTC");
    canteen.it_was_yesterday();
    let asked = json!({ "channel_account": policy["channel_account"], "day": day });
    let started: Value = owner.post("/v1/reconciliations").key("day").json(&asked).await.json(202);
    let path = format!("/v1/reconciliations/{}", text(&started, "/id"));
    eventually("the comparison ends", async || {
        let shown: Value = owner.get(&path).await.json(200);
        shown["state"] != "running"
    })
    .await;
    let done: Value = owner.get(&path).await.json(200);
    let result = &done["result"];
    assert_eq!(
        (&done["state"], &result["agreed"], &result["found"]),
        (&json!("done"), &json!(4), &json!({})),
        "{done}"
    );
    assert_eq!((&result["sums"][0]["ours_minor"], &result["sums"][0]["theirs_minor"]), (&json!(1_500), &json!(1_500)));
}

#[actix_web::test]
async fn a_part_of_what_both_paid_is_the_issuers_first() {
    let (canteen, _plugins) = canteen_with_the_channel(1_000).await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 1_000).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    journal.sells(700, &phone.code(1));
    let beyond = journal.sells(1_000, &phone.code(2));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [0, -1_700, 700]);
    for (minor, key, expected) in
        [(300, "r1", [0, -1_400, 400]), (600, "r2", [-200, -800, 0]), (100, "r3", [-300, -700, 0])]
    {
        assert_eq!(canteen.refunds(&beyond, minor, key).await, "succeeded");
        assert_eq!(canteen.books().await, expected);
    }
}

#[actix_web::test]
async fn a_person_has_the_account_pay_or_leaves_it() {
    let (canteen, _plugins) = canteen_with_the_channel(5_000).await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 3_000).await;
    let (till, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let third = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    let (mut there, mut yonder) = (Journal::of(&other, &canteen.merchant), Journal::of(&third, &canteen.merchant));
    journal.sells(1_000, &phone.code(1));
    let (twice, again) = (there.sells(600, &phone.code(1)), yonder.sells(900, &phone.code(1)));
    assert_eq!((journal.syncs().await, there.syncs().await, yonder.syncs().await), (vec![], vec![], vec![]));
    assert_eq!(canteen.books().await, [-4_000, -2_500, 1_500]);
    assert_eq!(canteen.double_spends("?open=true").await.len(), 2);
    let resolve = async |payment: &str, recover: bool, key: &str| {
        let asked = json!({ "reason": "he owns it", "recover": recover });
        owner.post(&format!("/v1/stored-value/double-spends/{payment}/resolve")).key(key).json(&asked).await
    };
    let cashier = canteen.town.person(&canteen.merchant, "cashier").await;
    let asked = json!({ "reason": "mine", "recover": true });
    let path = format!("/v1/stored-value/double-spends/{twice}/resolve");
    assert_eq!(cashier.post(&path).json(&asked).await.status, 403);
    let mut told: Vec<Value> = Vec::new();
    for _ in 0..2 {
        told.push(resolve(&twice, true, "d1").await.json(200));
    }
    assert_eq!(told[0], told[1], "a repeat is answered as the first");
    assert_eq!(told[0]["resolution"]["recovered_minor"], 600);
    assert_eq!(resolve(&twice, true, "d2").await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(canteen.books().await, [-3_400, -2_500, 900]);
    // What comes back of it is the holder's from now on.
    assert_eq!(canteen.refunds(&twice, 600, "r1").await, "succeeded");
    assert_eq!(canteen.books().await, [-4_000, -1_900, 900]);
    let left: Value = resolve(&again, false, "d3").await.json(200);
    assert_eq!(left["resolution"]["recovered_minor"], 0);
    assert_eq!(canteen.books().await, [-4_000, -1_900, 900]);
    assert_eq!(canteen.double_spends("?open=true").await, [] as [Value; 0]);
    assert_eq!(canteen.double_spends("").await.len(), 2);
    assert_eq!(canteen.merchant.audited("stored_value.double_spend_resolved").await.len(), 2);
    assert!(canteen.bill().await.iter().all(|(kind, ..)| kind != "recovered"), "it is nothing to the acceptor");
    assert_eq!(resolve(&journal.sells(1, "x"), false, "d4").await.status, 404);
}

/// Frozen, revoked, over, closed, switched off and disabled since: the goods are gone, and the shop is paid.
#[actix_web::test]
async fn whatever_happened_since_the_shop_is_paid() {
    let (canteen, _plugins) = canteen_with_the_channel(2_000).await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 1_500).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    journal.sells(100, &phone.code(1));
    let freeze: Value = owner.post(&canteen.path("/freeze")).json(&json!({ "reason": "lost" })).await.json(200);
    assert_eq!(freeze["state"], "frozen");
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-1_900, -100, 0], "it was set aside");
    assert_eq!(canteen.closes("c1").await, 409, "more may come");

    // The grace is over: what is left pays as far as it is free.
    journal.sells(200, &phone.code(2));
    canteen.grace_is_over();
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-1_700, -300, 0]);
    // The account is closed, the policy is off, its channel account is disabled.
    let late = journal.sells(300, &phone.code(3));
    assert_eq!(canteen.closes("c2").await, 200);
    let policy: Value = owner.get("/v1/stored-value/offline-policy").await.json(200);
    let account = text(&policy, "/channel_account").to_owned();
    let off = json!({ "enabled": false, "channel_account": account });
    let _: Value = owner.ask("PUT", "/v1/stored-value/offline-policy").json(&off).await.json(200);
    let path = format!("/v1/channel-accounts/{account}");
    let shown: Value = owner.get(&path).await.json(200);
    let disable = json!({ "version": shown["version"], "enabled": false });
    let _: Value = owner.ask("PATCH", &path).json(&disable).await.json(200);
    let on = json!({ "enabled": true, "channel_account": account });
    let refused = owner.ask("PUT", "/v1/stored-value/offline-policy").json(&on).await;
    assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/channel_account")));
    assert_eq!(journal.syncs().await, [""; 0]);
    let sold = canteen.payment(&late).await;
    assert_eq!((&sold["state"], &sold["channel_account"]), (&json!("succeeded"), &json!(account)));
    assert_eq!(canteen.books().await, [0, -600, 300]);
    let told = canteen.double_spends("").await;
    assert_eq!((told.len(), text(&told[0], "/why")), (1, "uncovered"));
    // Nothing of it is the closed account's, so nothing stands against its refund.
    assert_eq!(canteen.refunds(&late, 300, "r1").await, "succeeded");
    assert_eq!(canteen.books().await, [0, -300, 0]);
    let resolved: Value = owner
        .post(&format!("/v1/stored-value/double-spends/{late}/resolve"))
        .json(&json!({ "reason": "too late", "recover": true }))
        .await
        .json(200);
    assert_eq!(resolved["resolution"]["recovered_minor"], 0);
}

/// Two tills tell the same code at the same moment: one is paid by the account, the other by the issuer, whichever was first.
#[actix_web::test]
async fn two_tills_at_once_come_one_after_the_other() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 800).await;
    let (one, other) = (canteen.town.till(&canteen.merchant).await, canteen.town.till(&canteen.merchant).await);
    let (mut here, mut there) = (Journal::of(&one, &canteen.merchant), Journal::of(&other, &canteen.merchant));
    here.sells(500, &phone.code(1));
    there.sells(500, &phone.code(1));
    let (told_here, told_there) = tokio::join!(here.syncs(), there.syncs());
    assert_eq!((told_here, told_there), (vec![], vec![]));
    assert_eq!(canteen.books().await, [-500, -1_000, 500]);
    assert_eq!(canteen.double_spends("").await.len(), 1);
}

/// What fails in the middle leaves nothing, and the terminal sends it again.
#[actix_web::test]
async fn half_of_it_is_never_there() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 800).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    let sold = journal.sells(500, &phone.code(1));
    canteen.town.force("ALTER TABLE offline_spends RENAME TO offline_spends_away");
    assert_eq!(journal.sent().await.status, 500);
    canteen.town.force("ALTER TABLE offline_spends_away RENAME TO offline_spends");
    assert_eq!(canteen.merchant.owner.get(&format!("/v1/payments/{sold}")).await.status, 404);
    assert_eq!(canteen.books().await, [-1_000, 0, 0]);
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.books().await, [-500, -500, 0]);
}

/// No package began it: the one that its merchant has when it comes in answers for it, then and later.
#[actix_web::test]
async fn a_sale_is_bound_to_the_package_of_the_moment() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let (admin, author) = (&canteen.town.admin, Author::new());
    author.is_trusted_by(admin).await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 900).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    let package_of = |payment: &str| {
        canteen.town.column(&format!("SELECT package AS text FROM payment_packages WHERE payment_id = '{payment}'"))
    };
    let built_in = journal.sells(100, &phone.code(1));
    assert_eq!(journal.syncs().await, [""; 0]);
    let mut hashes = Vec::new();
    for (version, step) in [("0.2.0", "install"), ("0.3.0", "canary")] {
        let hash = author.has_published(admin, &sandbox(version)).await;
        let seen: Value = admin.get("/v1/plugin-rollouts/sandbox").await.json(200);
        let mut asked = json!({ "package": hash, "version": seen["version"] });
        if step == "canary" {
            asked["tenants"] = json!([canteen.merchant.id]);
        }
        let _: Value = admin.post(&format!("/v1/plugin-rollouts/sandbox/{step}")).json(&asked).await.json(200);
        hashes.push(hash);
    }
    let of_canary = journal.sells(200, &phone.code(2));
    assert_eq!(journal.syncs().await, [""; 0]);
    let seen: Value = admin.get("/v1/plugin-rollouts/sandbox").await.json(200);
    let back = json!({ "version": seen["version"] });
    let _: Value = admin.post("/v1/plugin-rollouts/sandbox/rollback").json(&back).await.json(200);
    let of_stable = journal.sells(300, &phone.code(3));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(package_of(&built_in), Vec::<String>::new());
    assert_eq!(package_of(&of_canary), [hashes[1].clone()], "it keeps its own");
    assert_eq!(package_of(&of_stable), [hashes[0].clone()]);
}

/// A terminal that tells one code as often as it likes: its own fault, for which neither the holder nor the issuer pays.
#[actix_web::test]
async fn a_terminal_that_tells_a_code_twice_is_held() {
    let canteen = Canteen::open(1_000).await;
    canteen.takes_offline_codes().await;
    let phone = Phone::granted(&canteen.merchant.owner, &canteen.account, 3, 800).await;
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    journal.sells(100, &phone.code(1));
    let again = journal.sells(700, &phone.code(1));
    let held = journal.syncs().await;
    assert_eq!(held, ["this terminal has told the same offline code before, which is the terminal's fault"]);
    assert_eq!(canteen.merchant.owner.get(&format!("/v1/payments/{again}")).await.status, 404);
    assert_eq!(canteen.shown().await, ("active".to_owned(), 900));
    assert_eq!(canteen.books().await, [-900, -100, 0]);
    assert_eq!(journal.syncs().await, held, "told again, it stays so");
}

/// The account is called otherwise since: sales are counted under the name by which its refunds ask.
#[actix_web::test]
async fn the_acceptors_name_is_the_accounts_own() {
    let (canteen, _plugins) = canteen_with_the_channel(1_000).await;
    let owner = &canteen.merchant.owner;
    let phone = Phone::granted(owner, &canteen.account, 3, 800).await;
    let policy: Value = owner.get("/v1/stored-value/offline-policy").await.json(200);
    let path = format!("/v1/channel-accounts/{}", text(&policy, "/channel_account"));
    let shown: Value = owner.get(&path).await.json(200);
    let mut settings = shown["settings"].clone();
    settings["acceptor"] = json!("till-2");
    let change = json!({ "version": shown["version"], "settings": settings });
    let _: Value = owner.ask("PATCH", &path).json(&change).await.json(200);
    let till = canteen.town.till(&canteen.merchant).await;
    let mut journal = Journal::of(&till, &canteen.merchant);
    let sold = journal.sells(500, &phone.code(1));
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(canteen.refunds(&sold, 500, "r1").await, "succeeded");
    assert_eq!(canteen.books().await, [-1_000, 0, 0]);
}

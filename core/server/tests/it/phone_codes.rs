//! A terminal with no network shows a code, and the customer's phone carries it to core: the policy, the payment that follows, what is confirmed,
//! and what leads nowhere.

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use saoma_protocol::{
    Amount, Currency, Millis, Sequence,
    api::{OfflineList, PhoneLimits},
    code::phone::{GRACE_SECONDS, PhoneCode, PhoneSale, Serial, read_confirmation},
    journal::{Entry, GENESIS, Record},
};
use saoma_server::fleet::ca::terminal_of;
use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    eyes,
    fleet_client::Identity,
    offline_world::{now, nudges, seconds},
    town::{Merchant, Till, Town, becomes},
};

pub const POLICY: &str = "/v1/phone-codes/policy";

pub fn policy(channel_account: &str, enabled: bool) -> Value {
    json!({
        "enabled": enabled, "channel_account": channel_account,
        "rules": { "sale_minor_max": 20_000, "code_seconds": 300, "list_hours_max": 24 },
    })
}

/// A teahouse whose terminal may show such codes.
pub struct Shop {
    pub town: Town,
    pub tea: Merchant,
    pub till: Till,
}

impl Shop {
    pub async fn open() -> Self {
        Self::in_town(Town::found().await).await
    }

    async fn in_town(town: Town) -> Self {
        let tea = town.merchant("tea").await;
        let till = town.till(&tea).await;
        let shop = Self { town, tea, till };
        shop.sets(true).await;
        shop
    }

    pub async fn sets(&self, enabled: bool) {
        let body = policy(&self.tea.account, enabled);
        let _: Value = self.tea.owner.ask("PUT", POLICY).json(&body).await.json(200);
    }

    pub async fn shuts_till_out(&self) {
        let shut = self.tea.owner.post(&format!("/v1/terminals/{}/revoke", self.till.id)).await;
        assert!(shut.status < 300, "{}", shut.text);
    }

    pub async fn list(&self) -> Option<PhoneLimits> {
        let list: OfflineList = self.till.door.get("/v1/terminal/offline-list").await.json(200);
        list.phone
    }

    /// What the terminal asks for at this moment.
    pub fn asks(&self, counter: u64, minor: i64) -> PhoneSale {
        asked(&self.tea, &self.till, counter, minor)
    }

    pub fn link(&self, code: &PhoneCode) -> String {
        code.link(&self.town.running().app().config().server.public_url)
    }

    pub async fn payments(&self) -> Vec<Value> {
        let listed: Value = self.tea.owner.get("/v1/payments").await.json(200);
        listed["items"].as_array().unwrap().clone()
    }

    pub async fn payment(&self, sale: &PhoneSale) -> Value {
        self.tea.owner.get(&format!("/v1/payments/{}", sale.payment())).await.json(200)
    }
}

pub fn asked(merchant: &Merchant, till: &Till, counter: u64, minor: i64) -> PhoneSale {
    PhoneSale {
        tenant: merchant.id.parse().unwrap(),
        terminal: till.id.parse().unwrap(),
        counter: Sequence(counter),
        amount: Amount::new(minor, Currency::CNY).unwrap(),
        made_at: seconds(now()),
        lives_seconds: 300,
        certificate: Serial::of_hex(&serial(&till.identity)).unwrap(),
    }
}

pub fn serial(identity: &Identity) -> String {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_slice(identity.chain_pem.as_bytes()).unwrap();
    terminal_of(&der).unwrap().1
}

pub fn signed(by: &Identity, sale: PhoneSale) -> PhoneCode {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &by.key.serialize_der(), &random).unwrap();
    let value = key.sign(&random, &[b"saoma phone code 1".as_slice(), &sale.bytes()].concat()).unwrap();
    PhoneCode { sale, signature: value.as_ref().try_into().unwrap() }
}

pub async fn opens(link: &str) -> Answer {
    Door::at("").get(link).header("accept-language", b"en").await
}

pub async fn goes_on(link: &str) -> Answer {
    Door::at("").post(link).without_key().header("accept-language", b"en").await
}

pub fn letters(page: &Answer) -> &str {
    let told = page.text.split("id=\"letters\"").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    told.unwrap_or_else(|| panic!("no letters in {}", page.text))
}

pub fn notice(page: &Answer) -> &str {
    let told = page.text.split("class=\"notice\">").nth(1).and_then(|rest| rest.split("</p>").next());
    told.unwrap_or_else(|| panic!("no notice in {}", page.text))
}

/// Once the scheme has told core, the page that waits shows it.
pub async fn paid(shop: &Shop, sale: &PhoneSale, link: &str) -> Answer {
    becomes(&shop.tea.owner, &sale.payment().to_string(), "succeeded").await;
    let page = opens(link).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

#[actix_web::test]
async fn a_customers_phone_carries_a_sale_to_core_and_its_confirmation_back() {
    let shop = Shop::open().await;
    let limits = shop.list().await.expect("the terminal may");
    let sale = shop.asks(7, 1_250);
    let link = shop.link(&signed(&shop.till.identity, sale));
    assert!(link.starts_with(&limits.base_url), "{link}");
    // Looking makes nothing: scanners and messengers look at what they are shown.
    for _ in 0..2 {
        let page = opens(&link).await;
        let shown = ["tea teahouse", "tea lane", "12.50", "id=\"go-on\""].iter().all(|part| page.text.contains(part));
        assert!(page.status == 200 && shown, "{}", page.text);
        assert!(!page.headers.contains_key("refresh") && page.headers["cache-control"] == "no-store");
    }
    assert!(shop.payments().await.is_empty());

    // Wherever a proxy has put this page, it leads back to it.
    let on = goes_on(&link).await;
    assert_eq!((on.status, on.headers["location"].to_str().ok()), (303, link.rsplit('/').next()));
    let page = opens(&link).await;
    assert!(page.text.contains("id=\"pay-link\"") && page.headers["refresh"] == "4", "{}", page.text);
    let made = shop.payment(&sale).await;
    for (field, value) in [
        ("state", json!("presenting")),
        ("method", json!("merchant_presented")),
        ("terminal", json!(shop.till.id)),
        ("counter", json!(7)),
        ("store", json!(shop.tea.store)),
        ("channel_account", json!(shop.tea.account)),
        // However long anything took.
        ("expires_at", json!(sale.expires_at().plus(GRACE_SECONDS * 1_000))),
    ] {
        assert_eq!(made[field], value, "{made}");
    }
    // The terminal hears of it like of any sale of its own, now or when its network is back.
    let seen: Value = shop.till.door.get(&format!("/v1/payments/{}", sale.payment())).await.json(200);
    assert_eq!(seen["state"], "presenting");

    let done = shop.town.pays("alice", &link).await;
    assert!(done.status < 300, "{}", done.text);
    let page = paid(&shop, &sale, &link).await;
    let expected = sale.confirmation(&limits.confirm_key);
    assert_eq!(letters(&page).parse(), Ok(expected));
    assert_eq!(read_confirmation(&eyes::read_page(&page.text)), Ok((Sequence(7), expected)));
    assert!(page.text.contains("12.50") && !page.headers.contains_key("refresh"), "{}", page.text);

    // The link is opened again, and gone on with again: it is the same payment.
    assert_eq!(goes_on(&link).await.status, 303);
    assert_eq!(letters(&opens(&link).await).parse(), Ok(expected));
    // Signed anew it is the same sale.
    let again = shop.link(&signed(&shop.till.identity, sale));
    assert_ne!(again, link);
    assert_eq!(goes_on(&again).await.status, 303);
    assert_eq!(shop.payments().await.len(), 1, "charged once");
    shop.tea.books_balance().await;
    // The number with another amount is none of this payment, and learns nothing of it.
    let other = signed(&shop.till.identity, PhoneSale { amount: Amount::new(1_251, Currency::CNY).unwrap(), ..sale });
    for page in [opens(&shop.link(&other)).await, goes_on(&shop.link(&other)).await] {
        assert_eq!((page.status, notice(&page)), (409, "This cannot be paid here."), "{}", page.text);
        assert!(!page.text.contains("letters"));
    }

    // What goes back is not confirmed any more.
    let refund = json!({ "amount": { "minor": 1_250, "currency": "CNY" } });
    let path = format!("/v1/payments/{}/refunds", sale.payment());
    let _: Value = shop.tea.owner.post(&path).json(&refund).await.json(201);
    becomes(&shop.tea.owner, &sale.payment().to_string(), "refunded").await;
    let page = opens(&link).await;
    assert!(page.text.contains("given back") && !page.text.contains("letters"), "{}", page.text);
}

#[actix_web::test]
async fn what_no_terminal_of_ours_signed_just_now_makes_nothing() {
    let shop = Shop::open().await;
    let neighbour = shop.town.till(&shop.tea).await;
    let rust = shop.town.merchant("rust").await;
    let theirs = shop.town.till(&rust).await;
    let sale = shop.asks(1, 1_250);
    let own = &shop.till.identity;
    let later = |by: i64| u32::try_from(i64::from(sale.made_at) + by).unwrap();
    let mut altered = signed(own, sale);
    altered.sale.amount = Amount::new(1, Currency::CNY).unwrap();
    let of = |identity: &Identity, sale| PhoneSale { certificate: Serial::of_hex(&serial(identity)).unwrap(), ..sale };
    let unknown = "There is no such code.";
    for (what, code, expected) in [
        ("altered", altered, (404, unknown)),
        ("another terminal's key in this one's name", signed(&neighbour.identity, sale), (404, unknown)),
        ("and under its own certificate", signed(&neighbour.identity, of(&neighbour.identity, sale)), (404, unknown)),
        ("another merchant's terminal", signed(&theirs.identity, of(&theirs.identity, sale)), (404, unknown)),
        ("of another merchant", signed(own, PhoneSale { tenant: rust.id.parse().unwrap(), ..sale }), (404, unknown)),
        (
            "of a merchant that has no such policy",
            signed(&theirs.identity, asked(&rust, &theirs, 1, 1_250)),
            (409, "This cannot be paid here."),
        ),
        ("over", signed(own, PhoneSale { made_at: later(-301), ..sale }), (410, "This code is no longer good.")),
        (
            "of a terminal that gives it longer than the merchant",
            signed(own, PhoneSale { made_at: later(-301), lives_seconds: 900, ..sale }),
            (410, "This code is no longer good."),
        ),
        (
            "of the future",
            signed(own, PhoneSale { made_at: later(60), ..sale }),
            (409, "The clock of the till is wrong."),
        ),
        (
            "too much",
            signed(own, PhoneSale { amount: Amount::new(20_001, Currency::CNY).unwrap(), ..sale }),
            (409, "This cannot be paid here."),
        ),
        (
            "of another currency",
            signed(own, PhoneSale { amount: Amount::new(100, Currency::USD).unwrap(), ..sale }),
            (409, "This cannot be paid here."),
        ),
    ] {
        let link = shop.link(&code);
        for page in [opens(&link).await, goes_on(&link).await] {
            assert_eq!((page.status, notice(&page)), expected, "{what}: {}", page.text);
        }
    }
    for text in ["x", "AAAA", &"A".repeat(188), &"A".repeat(4_000), "%E5%A5%BD"] {
        let page = opens(&format!("{}/m/{text}", shop.town.running().app().config().server.public_url)).await;
        assert_eq!((page.status, notice(&page)), (404, unknown), "{text:.20}");
    }
    assert!(shop.payments().await.is_empty());

    let (first, second) = (shop.link(&signed(own, sale)), shop.link(&signed(own, shop.asks(2, 100))));
    assert_eq!(goes_on(&first).await.status, 303);
    // The policy is taken back: what was begun goes on, and nothing begins.
    shop.sets(false).await;
    assert_eq!(shop.list().await, None);
    assert!(opens(&first).await.text.contains("id=\"pay-link\""));
    assert_eq!(notice(&goes_on(&second).await), "This cannot be paid here.");
    shop.sets(true).await;
    // So it is once the terminal is shut out.
    shop.shuts_till_out().await;
    assert!(opens(&first).await.text.contains("id=\"pay-link\""));
    for page in [opens(&second).await, goes_on(&second).await] {
        assert_eq!((page.status, notice(&page)), (404, unknown));
    }
    assert_eq!(shop.payments().await.len(), 1);
}

#[actix_web::test]
async fn two_phones_open_one_payment_and_nobody_wears_it_out() {
    let shop = Shop::in_town(Town::found_with(&[("SAOMA_PAYMENTS__SCAN_LIMIT", "2")]).await).await;
    let sale = shop.asks(3, 500);
    let link = shop.link(&signed(&shop.till.identity, sale));
    let both = tokio::join!(goes_on(&link), goes_on(&link));
    assert_eq!((both.0.status, both.1.status), (303, 303));
    assert_eq!(shop.payments().await.len(), 1);
    // Somebody who has copied the code presses on and on.
    for _ in 0..5 {
        assert_eq!(goes_on(&link).await.status, 303);
    }
    assert!(shop.town.pays("alice", &link).await.status < 300);
    paid(&shop, &sale, &link).await;
}

#[actix_web::test]
async fn a_certificate_of_before_counts_once_a_journal_has_brought_it() {
    let shop = Shop::open().await;
    shop.town.force("UPDATE terminal_certificates SET public_key = NULL");
    let link = shop.link(&signed(&shop.till.identity, shop.asks(2, 700)));
    let page = goes_on(&link).await;
    assert_eq!((page.status, notice(&page)), (409, "This shop's till is not known here yet."));
    let record = Record::CashSale {
        payment: shop.till.number(&shop.tea, 1).parse().unwrap(),
        counter: Sequence(1),
        amount: Amount::new(100, Currency::CNY).unwrap(),
        tendered_minor: 100,
        goods: Vec::new(),
        cashier: "Li".to_owned(),
        reference: None,
        split: None,
        quote: None,
    };
    let entry = Entry::new(Sequence(1), Millis(now().0), GENESIS, record).unwrap();
    let batch = shop.till.signed(&shop.tea, &[entry]);
    let _: Value = shop.till.door.post("/v1/terminal/journal").json(&batch).await.json(200);
    assert_eq!(goes_on(&link).await.status, 303);
    assert!(opens(&link).await.text.contains("id=\"pay-link\""));
}

#[actix_web::test]
async fn the_policy_is_suggested_set_refused_with_a_reason_and_told() {
    let town = Town::found().await;
    let (tea, rust) = (town.merchant("tea").await, town.merchant("rust").await);
    let (till, neighbour) = (town.till(&tea).await, town.till(&tea).await);
    let none: Value = tea.owner.get(POLICY).await.json(200);
    let rules = json!({ "sale_minor_max": 20_000, "code_seconds": 300, "list_hours_max": 24 });
    assert_eq!(none, json!({ "enabled": false, "rules": rules, "version": 0 }));
    let told = async |till: &Till| {
        let answer = till.door.get("/v1/terminal/offline-list").await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        answer.json::<OfflineList>(200).phone
    };
    assert_eq!(told(&till).await, None);
    for (change, pointer) in [
        (
            json!({ "rules": { "sale_minor_max": 0, "code_seconds": 300, "list_hours_max": 24 } }),
            "/rules/sale_minor_max",
        ),
        (json!({ "rules": { "sale_minor_max": 1, "code_seconds": 29, "list_hours_max": 24 } }), "/rules/code_seconds"),
        (json!({ "rules": { "sale_minor_max": 1, "code_seconds": 901, "list_hours_max": 24 } }), "/rules/code_seconds"),
        (
            json!({ "rules": { "sale_minor_max": 1, "code_seconds": 30, "list_hours_max": 169 } }),
            "/rules/list_hours_max",
        ),
    ] {
        let mut asked = policy(&tea.account, true);
        asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = tea.owner.ask("PUT", POLICY).json(&asked).await;
        assert_eq!((refused.status, refused.problem()["pointer"].as_str()), (422, Some(pointer)), "{asked}");
    }
    assert_eq!(tea.owner.ask("PUT", POLICY).json(&policy(&rust.account, true)).await.status, 404);
    let cashier = town.person(&tea, "cashier").await;
    assert_eq!(cashier.ask("PUT", POLICY).json(&policy(&tea.account, true)).await.status, 403);

    let set: Value = tea.owner.ask("PUT", POLICY).json(&policy(&tea.account, true)).await.json(200);
    assert_eq!((&set["enabled"], &set["version"]), (&json!(true), &json!(1)));
    assert_eq!(nudges(&till, false).await, 1);
    let (ours, others) = (told(&till).await.unwrap(), told(&neighbour).await.unwrap());
    assert_eq!((ours.sale_minor_max, ours.code_seconds, ours.currency), (20_000, 300, Currency::CNY));
    assert_ne!(ours.confirm_key, others.confirm_key, "each terminal has a key of its own");
    assert_eq!(told(&till).await.unwrap().confirm_key, ours.confirm_key);
    assert_eq!(tea.audited("phone_codes.policy_set").await.len(), 1);

    // An account that takes nothing shows no codes, and cannot be named.
    let path = format!("/v1/channel-accounts/{}", tea.account);
    let shown: Value = tea.owner.get(&path).await.json(200);
    let off = json!({ "version": shown["version"], "enabled": false });
    let _: Value = tea.owner.ask("PATCH", &path).json(&off).await.json(200);
    assert_eq!(told(&till).await, None);
    let refused = tea.owner.ask("PUT", POLICY).json(&policy(&tea.account, true)).await;
    assert_eq!((refused.status, refused.problem()["pointer"].as_str()), (422, Some("/channel_account")));
    let _: Value = tea.owner.ask("PUT", POLICY).json(&policy(&tea.account, false)).await.json(200);
}

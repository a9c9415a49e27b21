//! What ends a code that a customer's phone carries: its time, the terminal's certificate, the terminal that calls it off, a channel by which no
//! phone can pay; and what whoever has begun to pay sees then.

use std::time::Duration;

use saoma_protocol::{
    Millis,
    api::{OfflineList, PaymentState, PaymentView},
    code::phone::PhoneSale,
};
use saoma_schemes::wallet;
use saoma_server::{
    limits,
    payments::{Collect, How, PaymentError, collect},
    phone_codes::{begin, check, find},
    static_codes::Place,
};
use saoma_store::access;
use serde_json::{Value, json};

use crate::{
    door::Door,
    fleet_client::{Identity, csr},
    fleet_world::eventually,
    offline_world::{now, seconds},
    phone_codes::{POLICY, Shop, goes_on, letters, notice, opens, paid, policy, signed},
    town::{DEADLINE, SCHEME_KEY, Till, becomes},
};

const OVER: &str = "This code is no longer good.";
const UNKNOWN: &str = "There is no such code.";

impl Shop {
    /// Another machine takes the terminal's place.
    async fn enrols_again(&self) -> Till {
        let path = format!("/v1/terminals/{}/claim-code", self.till.id);
        let offer = self.tea.owner.post(&path).await;
        let offer: Value = serde_json::from_str(&offer.text).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let body = json!({ "claim_code": offer["claim_code"], "csr_pem": csr(&key) });
        let enrolled: Value = self.town.nobody().post("/v1/terminal/enrol").json(&body).await.json(200);
        self.with(key, enrolled["certificate_chain_pem"].as_str().unwrap())
    }

    async fn renews(&self) -> Till {
        let key = rcgen::KeyPair::generate().unwrap();
        let body = json!({ "csr_pem": csr(&key) });
        let renewed: Value = self.till.door.post("/v1/terminal/renew").json(&body).await.json(200);
        self.with(key, renewed["certificate_chain_pem"].as_str().unwrap())
    }

    fn with(&self, key: rcgen::KeyPair, chain_pem: &str) -> Till {
        let ca_pem = self.till.identity.ca_pem.clone();
        let identity = Identity { key, chain_pem: chain_pem.to_owned(), ca_pem };
        let door = Door::with_identity(&format!("https://{}", self.town.running().terminals_https), &identity);
        Till { id: self.till.id.clone(), door, identity, mqtt_port: self.till.mqtt_port }
    }

    /// The policy names an account whose codes are no links.
    async fn names_a_linkless_account(&self) -> wallet::Running {
        let mut scheme =
            wallet::Config::new("127.0.0.1:0".parse().unwrap(), vec![("town".to_owned(), SCHEME_KEY.to_owned())]);
        scheme.base_url = Some("weixin://wxpay".to_owned());
        let scheme = wallet::start(scheme).unwrap();
        let body = json!({
            "plugin": "sandbox", "name": "another wallet", "fee_basis_points": 60,
            "settings": { "base_url": format!("http://{}", scheme.address), "merchant_id": "town" },
            "secrets": { "merchant-key": SCHEME_KEY },
        });
        let account: Value = self.tea.owner.post("/v1/channel-accounts").json(&body).await.json(201);
        let named = policy(account["id"].as_str().unwrap(), true);
        let _: Value = self.tea.owner.ask("PUT", POLICY).json(&named).await.json(200);
        scheme
    }

    /// Four customers whose scheme takes its time: whoever comes next waits for their places.
    async fn crowd(&self) -> Vec<Place> {
        let (places, tenant) = (self.town.app().visitor_places(), self.tea.id.parse().unwrap());
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(places.take(tenant).await.expect("nobody is here"));
        }
        held
    }
}

async fn confirm_key(till: &Till) -> String {
    let list: OfflineList = till.door.get("/v1/terminal/offline-list").await.json(200);
    serde_json::to_value(list.phone.expect("it may show codes").confirm_key).unwrap().to_string()
}

async fn passes(at: Millis) {
    let began = tokio::time::Instant::now();
    while now() < at {
        assert!(began.elapsed() < DEADLINE, "time stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn a_code_whose_end_comes_while_its_customer_waits_begins_nothing() {
    let shop = Shop::open().await;
    // It has two to three seconds left.
    let sale = PhoneSale { made_at: seconds(now()) - 297, ..shop.asks(1, 700) };
    let link = shop.link(&signed(&shop.till.identity, sale));
    let crowd = shop.crowd().await;
    let pressing = actix_web::rt::spawn(async move { goes_on(&link).await });
    passes(sale.expires_at()).await;
    drop(crowd);
    let page = pressing.await.unwrap();
    // Or nobody had a place for them all the time.
    assert!([410, 429].contains(&page.status), "{}", page.text);
    // What the merchant decides meanwhile counts as well.
    let other = shop.link(&signed(&shop.till.identity, shop.asks(2, 700)));
    let crowd = shop.crowd().await;
    let pressing = actix_web::rt::spawn(async move { goes_on(&other).await });
    shop.sets(false).await;
    drop(crowd);
    let page = pressing.await.unwrap();
    assert!([409, 429].contains(&page.status), "{}", page.text);
    assert!(shop.payments().await.is_empty());
}

#[actix_web::test]
async fn whatever_was_waited_for_nothing_is_written_down_after_the_end() {
    let shop = Shop::open().await;
    let app = shop.town.app();
    let tenant = shop.tea.id.parse().unwrap();
    let scope = app.store().read(move |tx| access::enter_tenant(tx, &access::process(), tenant)).await.unwrap();
    let sale = shop.asks(1, 700);
    let wish = |begins_before: Millis| Collect {
        id: sale.payment(),
        fingerprint: [7; 32],
        amount: sale.amount,
        how: How::Carried { begins_before, ends_at: begins_before.plus(60_000) },
        account: Some(shop.tea.account.parse().unwrap()),
        order: None,
        store: shop.tea.store.parse().unwrap(),
        terminal: Some(sale.terminal),
        counter: Some(sale.counter),
        cashier: None,
        reference: None,
        goods: Vec::new(),
        quote: None,
        origin: None,
        actor: "customer".to_owned(),
    };
    let late = collect(app, scope, wish(now())).await;
    assert!(matches!(late, Err(PaymentError::CodeOver)), "{late:?}");
    assert!(shop.payments().await.is_empty());
    collect(app, scope, wish(now().plus(60_000))).await.unwrap();
    assert_eq!(shop.payment(&sale).await["state"], "presenting");
}

#[actix_web::test]
async fn whoever_has_paid_sees_it_whatever_becomes_of_the_terminal() {
    let shop = Shop::open().await;
    let sale = shop.asks(1, 1_250);
    let link = shop.link(&signed(&shop.till.identity, sale));
    let idle = shop.link(&signed(&shop.till.identity, shop.asks(2, 1_250)));
    assert_eq!(goes_on(&link).await.status, 303);
    assert!(shop.town.pays("alice", &link).await.status < 300);
    let shown = letters(&paid(&shop, &sale, &link).await).to_owned();
    // Its certificate ends, as it does when another has followed it.
    shop.town.force("UPDATE terminal_certificates SET not_after = 1");
    assert_eq!(letters(&opens(&link).await), shown);
    for page in [opens(&idle).await, goes_on(&idle).await] {
        assert_eq!((page.status, notice(&page)), (404, UNKNOWN), "and nothing begins by it");
    }
    // It is shut out, and somebody else may have its key.
    shop.shuts_till_out().await;
    for page in [opens(&link).await, goes_on(&link).await] {
        assert!([200, 303].contains(&page.status), "{}", page.text);
    }
    let page = opens(&link).await;
    assert!(page.text.contains("Paid. Thank you!") && page.text.contains("12.50"), "{}", page.text);
    assert!(!page.text.contains("letters") && page.text.contains("till was replaced"), "{}", page.text);
    assert_eq!(shop.payments().await.len(), 1);
}

#[actix_web::test]
async fn letters_are_of_one_certificate() {
    let shop = Shop::open().await;
    let first = confirm_key(&shop.till).await;
    let renewed = shop.renews().await;
    let second = confirm_key(&renewed).await;
    assert_ne!(first, second, "each certificate has a key of its own");
    let sale = shop.asks(1, 700);
    let link = shop.link(&signed(&shop.till.identity, sale));
    let again = shop.enrols_again().await;
    assert!(![first, second].contains(&confirm_key(&again).await), "who was shut out knows nothing of it");
    // The machine whose place was taken shows no code any more.
    assert_eq!((goes_on(&link).await.status, shop.payments().await.len()), (404, 0));
}

#[actix_web::test]
async fn a_terminal_calls_off_what_nobody_has_begun() {
    let shop = Shop::open().await;
    let neighbour = shop.town.till(&shop.tea).await;
    let (sale, begun) = (shop.asks(1, 700), shop.asks(2, 700));
    let path = |sale: &PhoneSale, query: &str| format!("/v1/payments/{}/cancel{query}", sale.payment());
    let link = shop.link(&signed(&shop.till.identity, sale));
    assert!(opens(&link).await.text.contains("id=\"go-on\""));
    // A number is its own terminal's to call off, and only by its name.
    for (till, query) in [(&shop.till, ""), (&shop.till, "?counter=2"), (&neighbour, "?counter=1")] {
        assert_eq!(till.door.post(&path(&sale, query)).await.status, 404, "{query}");
    }
    assert!(opens(&link).await.text.contains("id=\"go-on\""));
    for _ in 0..2 {
        let called_off = shop.till.door.post(&path(&sale, "?counter=1")).await;
        assert_eq!((called_off.status, called_off.problem()["code"].as_str()), (409, Some("sale_called_off")));
    }
    for page in [opens(&link).await, goes_on(&link).await] {
        assert_eq!((page.status, notice(&page)), (410, "The shop has called off this code."), "{}", page.text);
    }
    assert!(shop.payments().await.is_empty());
    // The customer was faster.
    let link = shop.link(&signed(&shop.till.identity, begun));
    assert_eq!(goes_on(&link).await.status, 303);
    let cancelled: PaymentView = shop.till.door.post(&path(&begun, "?counter=2")).await.json(200);
    assert_eq!((cancelled.id, cancelled.state), (begun.payment(), PaymentState::Cancelled));
    assert_eq!(notice(&opens(&link).await), "This payment is closed.");
}

#[actix_web::test]
async fn a_channel_by_whose_code_no_browser_can_pay_takes_no_money() {
    let shop = Shop::open().await;
    let _scheme = shop.names_a_linkless_account().await;
    let sale = shop.asks(1, 1_250);
    let link = shop.link(&signed(&shop.till.identity, sale));
    let page = goes_on(&link).await;
    let told = "This cannot be paid by a phone’s browser. Please pay in another way.";
    assert_eq!((page.status, notice(&page)), (409, told), "{}", page.text);
    // The till hears at once that nothing is paid, and nobody has seen the channel's code.
    becomes(&shop.tea.owner, &sale.payment().to_string(), "expired").await;
    let page = opens(&link).await;
    assert_eq!((page.status, notice(&page)), (410, OVER), "{}", page.text);
    assert!(!page.text.contains("<img"), "{}", page.text);
    // The next customer is not led the same way, terminals show no codes, and the merchant sees why, until it sets the policy again.
    let next = goes_on(&shop.link(&signed(&shop.till.identity, shop.asks(2, 1_250)))).await;
    assert_eq!((next.status, notice(&next)), (409, "This cannot be paid here."), "{}", next.text);
    assert_eq!((shop.payments().await.len(), shop.list().await), (1, None));
    assert!(shop.tea.owner.get(POLICY).await.json::<Value>(200)["no_link_at"].is_i64());
    shop.sets(true).await;
    assert!(shop.list().await.is_some());
    assert!(shop.tea.owner.get(POLICY).await.json::<Value>(200)["no_link_at"].is_null());
}

#[actix_web::test]
async fn a_customer_who_leaves_leaves_no_code_behind_that_no_phone_can_pay() {
    let shop = Shop::open().await;
    let _scheme = shop.names_a_linkless_account().await;
    let (app, sale) = (shop.town.app(), shop.asks(1, 1_250));
    let link = shop.link(&signed(&shop.till.identity, sale));
    let found = find(app, link.rsplit('/').next().unwrap()).await.unwrap();
    let to = check(&found, now()).unwrap();
    let place = app.visitor_places().take(sale.tenant).await.expect("nobody is here");
    // Gone as soon as it is begun.
    tokio::select! {
        biased;
        _ = begin(app, &found, to, place) => {}
        () = std::future::ready(()) => {}
    }
    eventually("it is begun", async || !shop.payments().await.is_empty()).await;
    becomes(&shop.tea.owner, &sale.payment().to_string(), "expired").await;
}

#[actix_web::test]
async fn a_page_that_waits_goes_on_waiting_where_too_many_do() {
    let shop = Shop::open().await;
    let link = shop.link(&signed(&shop.till.identity, shop.asks(1, 700)));
    assert_eq!(goes_on(&link).await.status, 303);
    let (app, here) = (shop.town.app(), limits::phone_code([127, 0, 0, 1].into()));
    while app.limits().begin(&here, app.now()).await.is_ok() {}
    let page = opens(&link).await;
    assert_eq!((page.status, page.headers["refresh"].to_str().ok()), (429, Some("15")), "{}", page.text);
    assert_eq!(goes_on(&link).await.status, 429);
    assert_eq!(shop.payments().await.len(), 1);
}

//! A customer's wallet pays where there is no network.

use std::time::SystemTime;

use ring::signature::Ed25519KeyPair;
use saoma_edge::journal::{
    Settings,
    export::{csv_line, json_line},
    look,
};
use saoma_protocol::{
    Currency, Millis, Sequence,
    api::{OfflineLimits, OfflineList},
    code::{
        base45,
        offline::{Code, Grant, Issuer, KeyId, PREFIX, Token, public_key},
    },
    journal::Record,
    message::PushBody,
};
use serde_json::{Value, json};

use crate::{
    core::quotes::Says,
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

mod against_core;
mod killed;
mod under_unit;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn now_seconds() -> u32 {
    u32::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// A customer's phone with a grant of 50.00 since an hour, of the issuer of seed 2.
struct Phone {
    grant: Grant,
}

impl Phone {
    fn new(token: u8) -> Self {
        let grant = Grant {
            issuer: KeyId::of(&public_key(&pair(2))),
            token: Token([token; 8]),
            currency: Currency::CNY,
            cap_single: 2_000,
            cap_grant: 5_000,
            not_before: now_seconds() - 3_600,
            valid_hours: 24,
            code_seconds: 60,
            device_key: public_key(&pair(3)),
        };
        Self { grant }
    }

    fn of(change: impl FnOnce(&mut Grant)) -> Self {
        let mut phone = Self::new(9);
        change(&mut phone.grant);
        phone
    }

    /// Made so many seconds from now.
    fn code_at(&self, counter: u32, seconds: i64) -> Code {
        let created_at = u32::try_from(i64::from(now_seconds()) + seconds).unwrap();
        self.grant.sign(&pair(2)).code(&pair(3), counter, created_at)
    }

    fn code(&self, counter: u32) -> String {
        self.code_at(counter, 0).text()
    }
}

const LIMITS: OfflineLimits = OfflineLimits {
    sale_minor_max: 1_500,
    grant_day_count_max: 20,
    unsent_minor_max: 100_000,
    unsent_count_max: 100,
    unsent_hours_max: 24,
    list_hours_max: 24,
};

fn list(limits: OfflineLimits) -> OfflineList {
    let issuer = Issuer {
        public_key: hex::encode(public_key(&pair(2))),
        not_before: Millis(0),
        not_after: Millis(4_000_000_000_000),
        revoked: false,
    };
    OfflineList {
        issued_at: Millis(0),
        limits: Some(limits),
        issuers: vec![issuer],
        denied: Vec::new(),
        cards: None,
        phone: None,
    }
}

impl Shop {
    async fn open_where_codes_are_taken(limits: OfflineLimits) -> Self {
        let shop = Self::open().await;
        shop.core_says(|offline| *offline = Some(list(limits))).await;
        until("the list", async || shop.till.get("/api/state").await["offline"].is_object().then_some(())).await;
        shop
    }

    /// Core's office changes something, and the till has heard of it.
    pub async fn core_says(&self, change: impl FnOnce(&mut Option<OfflineList>)) {
        let asked = self.core.look(|known| {
            change(&mut known.offline);
            known.tell(PushBody::OfflineListChanged);
            known.offline_asked
        });
        until("the till to ask", async || self.core.look(|known| (known.offline_asked > asked).then_some(()))).await;
    }

    async fn scans(&self, minor: i64, code: &str) -> Reply {
        self.till
            .post("/api/sales", &json!({"amount_minor": minor, "method": "scan", "code": code}), &fresh_key())
            .await
    }

    async fn takes(&self, minor: i64, code: &str) -> Value {
        let reply = self.scans(minor, code).await;
        assert_eq!((reply.status.as_u16(), &reply.body["paid"]), (201, &json!(true)), "{}", reply.body);
        reply.body
    }

    async fn refuses(&self, minor: i64, code: &str) -> String {
        let reply = self.scans(minor, code).await;
        assert_eq!(reply.status, 409, "{}", reply.body);
        reply.body["code"].as_str().unwrap().to_owned()
    }

    async fn sales(&self) -> usize {
        self.till.get("/api/sales").await["items"].as_array().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_without_core_and_core_books_it_once_when_it_is_back() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let phone = Phone::new(1);
    let code = phone.code(1);
    let body = json!({"amount_minor": 1_250, "method": "scan", "code": code, "reference": "桌 7"});
    let sold = shop.till.post("/api/sales", &body, "intent-1").await;
    let sale = &sold.body;
    assert_eq!(sold.status, 201, "{sale}");
    for (field, value) in [
        ("method", json!("offline")),
        ("state", json!("succeeded")),
        ("settled", json!(true)),
        ("synced", json!(false)),
        ("actions", json!(["reprint"])),
    ] {
        assert_eq!(sale[field], value, "{sale}");
    }
    let payment = number(sale);
    shop.till.sees(payment, "receipt", "printed").await;
    let receipt = shop.till.receipt_with("12.50").await;
    assert!(receipt.contains("钱包离线码 Wallet, offline"), "{receipt}");
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["unsent"]["at_risk"], json!([{"minor": 1_250, "currency": "CNY"}]));
    // The same press is the same sale, another one is none.
    let again = shop.till.post("/api/sales", &body, "intent-1").await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &sale["payment"]));
    assert_eq!(shop.refuses(1, &code).await, "offline_code_used");
    // What core does not have it cannot give back.
    for (button, body) in [("void", nothing()), ("refund", json!({"amount_minor": 1}))] {
        let refused = shop.till.press(payment, button, body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("offline_unsynced")));
    }

    // The plug is pulled, and there is still no network.
    shop.kill_till();
    shop.start_till().await;
    let again = shop
        .till
        .post("/api/sales", &json!({"amount_minor": 1_250, "method": "scan", "reference": "桌 7"}), "intent-1")
        .await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &sale["payment"]));
    assert_eq!(shop.refuses(1, &code).await, "offline_code_used");
    shop.takes(750, &phone.code(2)).await;
    assert_eq!(shop.refuses(1, &phone.code(1)).await, "offline_code_used", "an older counter");

    shop.core.switch_on();
    shop.nothing_unsent().await;
    let booked = shop.core.look(|known| known.payments.keys().copied().collect::<Vec<_>>());
    assert!(booked.len() == 2 && booked.contains(&payment), "{booked:?}");
    let table = shop.core.look(|known| known.payments[&payment].reference.clone());
    assert_eq!(table.as_deref(), Some("桌 7"));
    assert_eq!(shop.core.look(|known| known.created.clone()), [""; 0], "nothing was charged online");
    assert_eq!(shop.till.get("/api/state").await["alarms"], json!([]), "core holds nothing for a person");
    let synced = shop.till.sale(payment).await;
    assert_eq!(
        (&synced["synced"], &synced["actions"]),
        (&json!(true), &json!(["void", "refund", "reprint"])),
        "{synced}"
    );
    let refunded = shop.till.press(payment, "refund", json!({"amount_minor": 250})).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    let sale = shop.till.sees(payment, "state", "partly_refunded").await;
    assert_eq!((&sale["refunded_minor"], &sale["method"]), (&json!(250), &json!("offline")));
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let mut journal = look(&settings).unwrap();
    // An accountant gets what names the code, and none that could be shown again.
    for entry in journal.entries_after(Sequence(0)).unwrap() {
        let lines = [json_line(&entry, "").unwrap().to_string(), csv_line(&entry, "").unwrap()];
        assert!(lines.iter().all(|line| !line.contains(PREFIX)), "{lines:?}");
    }
    let told = journal.replay().unwrap();
    assert_eq!((told.sales, told.differences), (2, Vec::new()));
}

/// The price was named while there was a network.
#[tokio::test(flavor = "multi_thread")]
async fn a_quoted_price_is_paid_by_an_offline_code() {
    let mut shop = Shop::open_where_rules(Says::Less).await;
    shop.core_says(|offline| *offline = Some(list(LIMITS))).await;
    until("the list", async || shop.till.get("/api/state").await["offline"].is_object().then_some(())).await;
    let asked = shop.till.post("/api/quotes", &json!({"amount_minor": 1_000}), &fresh_key()).await.body;
    shop.core.switch_off().await;
    shop.online(false).await;
    let code = Phone::new(1).code(1);
    let body = json!({"amount_minor": 800, "method": "scan", "code": code, "quote": asked["quote"]["id"]});
    let sold = shop.till.sell(body).await;
    assert_eq!(
        (&sold["method"], &sold["state"], &sold["quote"]["list_minor"]),
        (&json!("offline"), &json!("succeeded"), &json!(1_000)),
        "{sold}"
    );
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let told = shop.core.look(|known| known.journal.last().cloned());
    let Some(Record::OfflineSale { quote: Some(quote), .. }) = told else { panic!("{told:?}") };
    assert_eq!(json!(quote.id), asked["quote"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_that_is_not_good_is_refused_for_what_it_is() {
    let shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let phone = Phone::new(1);
    let good = phone.code_at(5, 0);
    let bytes = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.bytes();
        change(&mut bytes);
        format!("{PREFIX}{}", base45::encode(&bytes))
    };
    let flip = |place: usize| bytes(&|bytes| bytes[place] ^= 1);
    // S + L is the same number to a check that does not look at its size.
    let malleated = bytes(&|bytes| {
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0;
        for (place, add) in bytes[135 + 32..].iter_mut().zip(order) {
            let sum = u16::from(*place) + u16::from(add) + carry;
            (*place, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
    });
    let dollars = Phone::of(|grant| grant.currency = "USD".parse().unwrap());
    let vector: Value = serde_json::from_str(include_str!("../../../sdk/protocol/vectors/offline-1.json")).unwrap();
    for (what, code, minor, expected) in [
        ("lower case", good.text().to_lowercase(), 1, "offline_code_prefix"),
        ("a character less", good.text()[..303].to_owned(), 1, "offline_code_text"),
        ("a byte less", bytes(&|bytes| bytes.truncate(198)), 1, "offline_code_length"),
        ("a byte more", bytes(&|bytes| bytes.push(0)), 1, "offline_code_length"),
        ("version", flip(0), 1, "offline_code_version"),
        ("flags", flip(1), 1, "offline_code_profile"),
        ("kid", flip(2), 1, "offline_issuer_unknown"),
        ("token", flip(6), 1, "offline_issuer_signature"),
        ("currency", bytes(&|bytes| bytes[14..16].fill(0)), 1, "offline_code_currency"),
        ("no cap", bytes(&|bytes| bytes[16..20].fill(0)), 1, "offline_code_terms"),
        ("cap of the grant", flip(23), 1, "offline_issuer_signature"),
        ("not before", flip(27), 1, "offline_issuer_signature"),
        ("hours", flip(29), 1, "offline_issuer_signature"),
        ("seconds", flip(30), 1, "offline_issuer_signature"),
        ("device key", flip(31), 1, "offline_issuer_signature"),
        ("issuer's signature", flip(70), 1, "offline_issuer_signature"),
        ("counter", flip(130), 1, "offline_device_signature"),
        ("time", flip(134), 1, "offline_device_signature"),
        ("device's signature", flip(140), 1, "offline_device_signature"),
        ("another way to write it", malleated, 1, "offline_device_signature"),
        ("from the future", phone.code_at(5, 20).text(), 1, "offline_code_early"),
        ("too old", phone.code_at(5, -75).text(), 1, "offline_code_over"),
        ("a grant of tomorrow", Phone::of(|grant| grant.not_before += 86_400).code(1), 1, "offline_grant_early"),
        ("a grant of yesterday", Phone::of(|grant| grant.not_before -= 2 * 86_400).code(1), 1, "offline_grant_over"),
        ("another currency", dollars.code(1), 1, "offline_currency_other"),
        ("more than it pays", good.text(), 2_001, "offline_code_cap"),
        ("more than the shop takes", good.text(), 1_501, "offline_sale_cap"),
        ("the fact sheet's own", vector["text"].as_str().unwrap().to_owned(), 1, "offline_grant_over"),
    ] {
        assert_eq!(shop.refuses(minor, &code).await, expected, "{what}");
    }
    let spaces = shop.refuses(1, &good.text().replace(' ', "")).await;
    assert!(
        ["offline_code_text", "offline_code_length", "offline_code_version"].contains(&spaces.as_str()),
        "{spaces}"
    );
    assert_eq!(shop.sales().await, 0);
    // What was refused did not use it up; a scanner's line end is none of it.
    shop.takes(1_500, &format!("{}\r\n", good.text())).await;
    assert_eq!(shop.refuses(1, &good.text()).await, "offline_code_used");
    assert_eq!(shop.refuses(1, &phone.code(4)).await, "offline_code_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_told_where_nothing_is_sold_offline() {
    let shop = Shop::open().await;
    let rings = async || {
        let state = shop.till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "clock_wrong")
    };
    let nothing_sold = OfflineList { limits: None, issuers: Vec::new(), ..list(LIMITS) };
    for (ahead_ms, is_told) in [(-60_000, true), (0, false)] {
        shop.core.look(|known| known.ahead_ms = ahead_ms);
        let says = nothing_sold.clone();
        shop.core_says(|offline| *offline = Some(says)).await;
        until("it to be judged", async || (rings().await == is_told).then_some(())).await;
        assert_eq!(shop.till.get("/api/state").await["offline"], Value::Null);
    }
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_core_says_decides_and_nothing_is_taken_before() {
    let shop = Shop::open().await;
    let phone = Phone::new(1);
    assert_eq!(shop.refuses(1, &phone.code(1)).await, "offline_list_missing");
    assert_eq!(shop.till.get("/api/state").await["offline"], Value::Null);
    let is = async |why: Value| {
        until(&format!("{why}"), async || (shop.till.get("/api/state").await["offline"]["why"] == why).then_some(()))
            .await;
    };
    // The machine's clock is wrong: codes go by core's, and somebody is told to set it.
    shop.core.look(|known| known.ahead_ms = -60_000);
    shop.core_says(|offline| *offline = Some(list(LIMITS))).await;
    is(json!(null)).await;
    let rings = async || {
        let state = shop.till.get("/api/state").await;
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "clock_wrong")
    };
    until("the alarm", async || rings().await.then_some(())).await;
    assert_eq!(shop.refuses(1, &phone.code(1)).await, "offline_code_early");
    shop.takes(1, &phone.code_at(1, -60).text()).await;
    shop.core.look(|known| known.ahead_ms = 0);
    shop.core_says(|_| {}).await;
    until("the alarm to end", async || (!rings().await).then_some(())).await;
    shop.takes(1, &phone.code(2)).await;
    // A phone that was lost.
    shop.core_says(|offline| offline.as_mut().unwrap().denied.push("0101010101010101".to_owned())).await;
    let blocked = async || (shop.scans(1, &phone.code(3)).await.body["code"] == "offline_code_denied").then_some(());
    until("the block", blocked).await;
    // The phone is found, says a node of core whose clock is behind that of the one before.
    shop.core.look(|known| known.ahead_ms = -2_000);
    shop.core_says(|offline| offline.as_mut().unwrap().denied.clear()).await;
    until("the next answer", async || (shop.scans(1, &phone.code(4)).await.status == 201).then_some(())).await;
    shop.core.look(|known| known.ahead_ms = 0);
    shop.core_says(|offline| offline.as_mut().unwrap().limits = None).await;
    until("the end", async || shop.till.get("/api/state").await["offline"].is_null().then_some(())).await;
    assert_eq!(shop.refuses(1, &phone.code(5)).await, "offline_codes_off");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsent_is_limited_until_core_has_it() {
    let limits = OfflineLimits { unsent_minor_max: 1_600, unsent_count_max: 2, ..LIMITS };
    let mut shop = Shop::open_where_codes_are_taken(limits).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let phone = Phone::new(1);
    shop.takes(1_000, &phone.code(1)).await;
    assert_eq!(shop.refuses(601, &phone.code(2)).await, "offline_unsent_sum");
    // Cash is none of it.
    shop.till.sell(json!({"amount_minor": 9_999, "method": "cash"})).await;
    shop.takes(599, &phone.code(2)).await;
    assert_eq!(shop.refuses(1, &phone.code(3)).await, "offline_unsent_count");
    assert_eq!(shop.till.get("/api/state").await["offline"]["why"], "offline_unsent_count");
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.refuses(1, &phone.code(3)).await, "offline_unsent_count");
    shop.core.switch_on();
    shop.nothing_unsent().await;
    shop.takes(1_000, &phone.code(3)).await;
}

/// Two pages, or a hand that taps twice: whoever comes second finds the code used, and nothing is sold twice.
#[tokio::test(flavor = "multi_thread")]
async fn however_often_it_is_pressed_it_is_one_sale() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let code = Phone::new(1).code(1);
    let (one, other, third) = tokio::join!(shop.scans(100, &code), shop.scans(100, &code), shop.scans(100, &code));
    let mut told = [one.status.as_u16(), other.status.as_u16(), third.status.as_u16()];
    told.sort_unstable();
    assert_eq!((told, shop.sales().await), ([201, 409, 409], 1));
    // The plug is pulled while it is sold, at another moment each time: after that it is sold or not, and it never is twice.
    for round in 2..8_u32 {
        let body = json!({"amount_minor": 100, "method": "scan", "code": Phone::new(1).code(round)});
        let (key, before) = (format!("cut-{round}"), shop.sales().await);
        let (client, url) = (reqwest::Client::new(), format!("{}/api/sales", shop.till.base));
        let request = client.post(url).header("x-saoma-till", "1").header("idempotency-key", &key).json(&body);
        let pressed = tokio::spawn(request.send());
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        shop.kill_till();
        pressed.abort();
        shop.start_till().await;
        let again = shop.till.post("/api/sales", &body, &key).await;
        assert!(again.status.is_success(), "{}", again.body);
        assert_eq!(shop.sales().await, before + 1);
        assert_eq!(shop.refuses(100, body["code"].as_str().unwrap()).await, "offline_code_used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_waits_for_a_scan_goes_on_until_a_code_is_good() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    // Also right after a start, when core has not been heard of.
    shop.kill_till();
    shop.start_till().await;
    let phone = Phone::new(1);
    let scan = async |text: &str| shop.till.post("/api/scan", &json!({"text": text}), &fresh_key()).await;
    let nobody = scan(&phone.code(1)).await;
    assert_eq!((nobody.status.as_u16(), &nobody.body["code"]), (409, &json!("scan_not_awaited")));
    let keyed = json!({"amount_minor": 700, "method": "scan"});
    assert_eq!(shop.till.post("/api/sales", &keyed, "waits").await.status, 202);
    // Once it is clear that core is not there; before that it may be.
    let old = until("core to be given up", async || {
        let old = scan(&phone.code_at(1, -100).text()).await;
        (old.body["code"] != "core_unreachable").then_some(old)
    })
    .await;
    assert_eq!((old.status.as_u16(), &old.body["code"]), (409, &json!("offline_code_over")));
    // What needs core says so at once, and is waited on no less.
    let online = scan(crate::core::GOOD_CODE).await;
    assert_eq!((online.status.as_u16(), &online.body["code"]), (503, &json!("core_unreachable")));
    let sold = scan(&phone.code(1)).await;
    assert_eq!((sold.status.as_u16(), &sold.body["sale"]["method"]), (200, &json!("offline")), "{}", sold.body);
    let again = shop.till.post("/api/sales", &keyed, "waits").await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &sold.body["sale"]["payment"]));
    // A part of a total is none.
    let part =
        json!({"amount_minor": 100, "method": "scan", "code": phone.code(2), "split": {"begin": {"total_minor": 300}}});
    let refused = shop.till.post("/api/sales", &part, &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("offline_split")), "{}", refused.body);
    let half = json!({"amount_minor": 100, "method": "scan", "code": &phone.code(2)[..150], "split": {"begin": {"total_minor": 300}}});
    let refused = shop.till.post("/api/sales", &half, &fresh_key()).await;
    let form = ["offline_code_text", "offline_code_length"];
    assert!(form.iter().any(|code| refused.body["code"] == *code), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_report_has_a_line_for_it_and_training_has_none_of_it() {
    let shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let open = json!({"cashier": "Li", "cashier_number": "7", "float_minor": 0});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    let phone = Phone::new(1);
    shop.takes(1_250, &phone.code(1)).await;
    shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await;
    let played = json!({"amount_minor": 100, "method": "scan", "code": phone.code(2)});
    assert_eq!(shop.till.post("/api/training/sales", &played, &fresh_key()).await.status, 201);
    until("the end of training", async || {
        let left = shop.till.post("/api/training/leave", &nothing(), &fresh_key()).await;
        left.status.is_success().then_some(())
    })
    .await;
    shop.takes(50, &phone.code(2)).await;
    let close = json!({"batch": 1, "counted_minor": 0});
    let closed = shop.till.post("/api/shift/close", &close, &fresh_key()).await;
    assert_eq!(
        closed.body["closed"]["totals"]["offline"]["sales"],
        json!({"count": 2, "minor": 1_300}),
        "{}",
        closed.body
    );
    assert_eq!(closed.body["closed"]["totals"]["customer_presented"]["sales"]["count"], 0);
    let report = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(report.contains("钱包离线码 Wallet, offline") && report.contains("13.00"), "{report}");
    shop.nothing_unsent().await;
    let codes = shop
        .core
        .look(|known| known.journal.iter().filter(|record| matches!(record, Record::OfflineSale { .. })).count());
    assert_eq!(codes, 2);
}

//! A till with no network shows a code, and the customer's phone carries it to core.

use std::sync::atomic::Ordering;

use saoma_edge::{
    journal::{Settings, look},
    signer::public_key,
};
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId,
    api::{OfflineList, PaymentState, PhoneLimits},
    code::phone::{ConfirmKey, PATH, PhoneCode},
    journal::{Method, Record},
};
use serde_json::{Value, json};

use crate::{
    hand::signer,
    secured::{Authority, Life},
    shop::{Reply, Shop, Till, fresh_key, nothing, number, until},
};

const BASE: &str = "https://pay.example";

fn key() -> ConfirmKey {
    ConfirmKey::new([7; 32])
}

fn list(code_seconds: u16) -> OfflineList {
    let phone = PhoneLimits {
        currency: Currency::CNY,
        sale_minor_max: 20_000,
        code_seconds,
        list_hours_max: 24,
        base_url: BASE.to_owned(),
        certificate: signer().serial().to_owned(),
        confirm_key: key(),
    };
    let (issuers, denied) = (Vec::new(), Vec::new());
    OfflineList { issued_at: Millis(0), limits: None, issuers, denied, cards: None, phone: Some(phone) }
}

/// What is on show of the sale.
fn code(sale: &Value) -> PhoneCode {
    let link = sale["code_url"].as_str().unwrap_or_else(|| panic!("no code: {sale}"));
    let text = link.strip_prefix(BASE).and_then(|rest| rest.strip_prefix(PATH)).unwrap();
    PhoneCode::parse(text).unwrap()
}

fn letters(sale: &Value) -> String {
    code(sale).sale.confirmation(&key()).letters()
}

impl Shop {
    /// Where codes are shown, and with no network.
    async fn open_alone(code_seconds: u16) -> Self {
        let mut shop = Self::open().await;
        shop.core_says(|offline| *offline = Some(list(code_seconds))).await;
        until("the list", async || shop.till.get("/api/state").await["phone"].is_object().then_some(())).await;
        shop.core.switch_off().await;
        shop.online(false).await;
        shop
    }

    /// Core says something else, and the till goes by it: it has asked once more since.
    async fn core_has_said(&self, change: impl FnOnce(&mut Option<OfflineList>)) {
        self.core_says(change).await;
        let asked = self.core.look(|known| known.offline_asked);
        until("the till to ask again", async || self.core.look(|known| (known.offline_asked > asked).then_some(())))
            .await;
    }

    async fn alarms(&self, code: &str) -> Vec<String> {
        let state = self.till.get("/api/state").await;
        let alarms = state["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["code"] == code);
        alarms.map(|alarm| alarm["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until it rings; what it says.
    async fn alarm_of(&self, code: &str) -> String {
        until(code, async || self.alarms(code).await.pop()).await
    }

    async fn shows(&self, minor: i64) -> Reply {
        self.till.post("/api/sales", &json!({"amount_minor": minor, "method": "code"}), &fresh_key()).await
    }

    async fn shown(&self, minor: i64) -> Value {
        let reply = self.shows(minor).await;
        assert_eq!((reply.status.as_u16(), &reply.body["state"]), (201, &json!("sending")), "{}", reply.body);
        assert_eq!(reply.body["phone"], true, "{}", reply.body);
        reply.body
    }

    async fn confirms(&self, payment: PaymentId, letters: &str) -> Reply {
        self.till.press(payment, "confirm", json!({"letters": letters})).await
    }

    async fn scans_text(&self, text: &str) -> Reply {
        self.till.post("/api/scan", &json!({"text": text}), &fresh_key()).await
    }
}

fn refusal(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_customers_phone_brings_back_pays_the_sale_once() {
    let mut shop = Shop::open_alone(300).await;
    assert_eq!(shop.till.get("/api/state").await["phone"], json!({"why": null, "detail": null}));
    let body = json!({"amount_minor": 1_250, "method": "code"});
    let sold = shop.till.post("/api/sales", &body, "intent-1").await;
    let sale = &sold.body;
    assert_eq!((sold.status.as_u16(), &sale["actions"]), (201, &json!(["query", "confirm", "cancel"])), "{sale}");
    let (payment, code_1) = (number(sale), code(sale));
    // Signed by the terminal, for this sale; and it is what the customer sees.
    assert!(code_1.is_signed_by(&public_key(signer().certificate()).unwrap()));
    assert_eq!((code_1.sale.payment(), code_1.sale.amount), (payment, Amount::new(1_250, Currency::CNY).unwrap()));
    assert_eq!((code_1.sale.lives_seconds, code_1.sale.certificate.hex().as_str()), (300, signer().serial()));
    let display = shop.till.get("/api/display").await;
    assert_eq!((&display["kind"], &display["code_url"]), (&json!("code"), &sale["code_url"]), "{display}");
    let told = serde_json::to_string(sale).unwrap();
    assert!(!told.contains(&letters(sale)), "what the customer shall bring is nowhere here: {told}");

    // The customer may still pay it: it cannot be given up, and nothing but core's word pays it.
    assert_eq!(refusal(&shop.till.press(payment, "cancel", nothing()).await), (409, "phone_not_over"));
    assert_eq!(refusal(&shop.confirms(payment, "AAAA2222").await), (409, "phone_confirmation_wrong"));
    assert_eq!(refusal(&shop.confirms(payment, "AAAA").await), (409, "phone_confirmation_unread"));
    let second = shop.shown(1_250).await;
    assert_eq!(refusal(&shop.confirms(number(&second), &letters(sale)).await), (409, "phone_confirmation_wrong"));
    for (text, code) in [
        ("SPC1:1", "phone_confirmation_unread"),
        ("SPC1:77:AAAA2222", "phone_confirmation_elsewhere"),
        ("SPC1:1:AAAA2222", "phone_confirmation_wrong"),
    ] {
        assert_eq!(refusal(&shop.scans_text(text).await), (409, code), "{text}");
    }

    // The plug is pulled in the middle, and there is still no network: it waits as it did, and the same press is the same sale.
    shop.kill_till();
    shop.start_till().await;
    let again = shop.till.post("/api/sales", &body, "intent-1").await;
    assert_eq!((again.status.as_u16(), &again.body["code_url"]), (200, &sale["code_url"]), "{}", again.body);

    // Typed as people type; the receipt comes, and the journal has it.
    let typed = format!(" {}-{}", letters(sale).split_at(4).0.to_lowercase(), letters(sale).split_at(4).1);
    let paid = shop.confirms(payment, &typed).await;
    assert_eq!((paid.status.as_u16(), &paid.body["state"]), (200, &json!("succeeded")), "{}", paid.body);
    shop.till.sees(payment, "receipt", "printed").await;
    shop.till.receipt_with("12.50").await;
    // Shown again it is the same sale, and prints nothing.
    let scanned = shop.scans_text(&code_1.sale.confirmation(&key()).text(code_1.sale.counter)).await;
    assert_eq!((&scanned.body["result"], number(&scanned.body["sale"])), (&json!("found"), payment));
    // The other one is scanned.
    let text = code(&second).sale.confirmation(&key()).text(code(&second).sale.counter);
    let scanned = shop.scans_text(&text).await;
    assert_eq!(
        (scanned.status.as_u16(), &scanned.body["sale"]["state"]),
        (200, &json!("succeeded")),
        "{}",
        scanned.body
    );

    // What core says itself, once it is there, is the same, and the till has sent neither sale.
    for sale in [sale, &second] {
        let payment = shop.core.phone_opens(&code(sale));
        shop.core.customer_pays(payment);
    }
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let settled = |known: &mut crate::core::Known, payment: PaymentId| {
        let is_it = |record: &&Record| matches!(record, Record::SaleSettled { payment: of, .. } if *of == payment);
        known.journal.iter().filter(is_it).cloned().collect::<Vec<_>>()
    };
    for payment in [payment, number(&second)] {
        let records = shop.core.look(|known| settled(known, payment));
        assert!(
            matches!(records.as_slice(), [Record::SaleSettled { state: PaymentState::Succeeded, .. }]),
            "{records:?}"
        );
    }
    let keyed = shop.core.look(|known| known.journal.clone()).into_iter();
    let by_code = keyed.filter(|record| matches!(record, Record::SaleKeyed { method: Method::MerchantPresented, .. }));
    assert_eq!(by_code.count(), 2);
    until("core's own word", async || shop.till.sale(payment).await["channel"].is_string().then_some(())).await;
    assert_eq!(shop.core.look(|known| known.created.clone()), [""; 0], "nothing was sent to be charged");
    assert_eq!(shop.till.get("/api/state").await["alarms"], json!([]));
    let refunded = shop.till.press(payment, "refund", json!({"amount_minor": 250})).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    shop.till.sees(payment, "state", "partly_refunded").await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let told = look(&settings).unwrap().replay().unwrap();
    assert_eq!((told.sales, told.differences), (2, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_network_is_back_the_till_finds_out_by_itself() {
    let mut shop = Shop::open_alone(300).await;
    let sale = shop.shown(900).await;
    let payment = shop.core.phone_opens(&code(&sale));
    shop.core.switch_on();
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.customer_pays(payment);
    let paid = shop.till.sees(payment, "state", "succeeded").await;
    assert!(paid["phone"].is_null(), "{paid}");
    shop.till.sees(payment, "receipt", "printed").await;
    // The customer comes with the confirmation all the same.
    let confirmed = shop.confirms(payment, &letters(&sale)).await;
    assert_eq!((confirmed.status.as_u16(), &confirmed.body["state"]), (200, &json!("succeeded")));
    assert_eq!(shop.core.look(|known| known.created.clone()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_opened_is_over_by_cores_clock_alone() {
    let mut shop = Shop::open_alone(30).await;
    let (sale, other) = (shop.shown(900).await, shop.shown(800).await);
    let (payment, other) = (number(&sale), number(&other));
    shop.core.switch_on();
    shop.online(true).await;
    shop.till.press(payment, "query", nothing()).await;
    // Core does not have it, and the customer may be on the way.
    let asked = shop.till.sale(payment).await;
    assert_eq!((&asked["state"], &asked["phone"]), (&json!("sending"), &json!(true)), "{asked}");
    // Five minutes pass there.
    shop.core.look(|known| known.ahead_ms = 300_000);
    shop.core_says(|_| ()).await;
    let over = shop.till.sees(payment, "state", "expired").await;
    assert_eq!((&over["failure"]["code"], &over["settled"]), (&json!("phone_over"), &json!(true)), "{over}");
    shop.till.sees(other, "state", "expired").await;
    // The word of a phone that was slow all the same is core's.
    let confirmed = shop.confirms(payment, &letters(&sale)).await;
    assert_eq!((confirmed.status.as_u16(), &confirmed.body["state"]), (200, &json!("succeeded")), "{}", confirmed.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_core_sold_before_under_the_number_ends_it_and_stays_as_it_was() {
    let mut shop = Shop::open_alone(300).await;
    let (sale, other) = (shop.shown(900).await, shop.shown(800).await);
    // Before this disk was set back: one that is paid, and one that its customer may be paying at this moment.
    let payment = shop.core.sold_before(&code(&sale), PaymentState::Succeeded);
    let presenting = shop.core.sold_before(&code(&other), PaymentState::Presenting);
    shop.core.switch_on();
    for payment in [payment, presenting] {
        let over = shop.till.sees(payment, "state", "expired").await;
        assert_eq!((&over["failure"]["code"], &over["actions"]), (&json!("phone_number_taken"), &json!([])), "{over}");
        assert_eq!(shop.till.press(payment, "cancel", nothing()).await.status, 409);
    }
    shop.alarm_of("core_answered_oddly").await;
    assert_eq!(shop.core.look(|known| known.payments[&presenting].state), PaymentState::Presenting);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_core_can_be_asked_it_is_cancelled_at_once_and_no_phone_begins_it() {
    let mut shop = Shop::open_alone(300).await;
    let (sale, other) = (shop.shown(900).await, shop.shown(800).await);
    assert_eq!(refusal(&shop.till.press(number(&sale), "cancel", nothing()).await), (409, "phone_not_over"));
    shop.core.switch_on();
    shop.online(true).await;
    assert!(shop.till.press(number(&sale), "cancel", nothing()).await.status.is_success());
    let over = shop.till.sees(number(&sale), "state", "cancelled").await;
    assert_eq!(over["failure"]["code"], "phone_called_off", "{over}");
    shop.core.phone_opens(&code(&sale));
    assert!(shop.core.look(|known| known.payments.is_empty()), "core lets it in no more");
    // The other customer was faster.
    let payment = shop.core.phone_opens(&code(&other));
    assert!(shop.till.press(payment, "cancel", nothing()).await.status.is_success());
    shop.till.sees(payment, "state", "cancelled").await;
    assert_eq!(shop.core.look(|known| known.payments[&payment].state), PaymentState::Cancelled);
    assert_eq!(shop.core.look(|known| known.created.clone()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_blinks_makes_no_sale_that_waits_for_a_phone() {
    let shop = Shop::open().await;
    shop.core_says(|offline| *offline = Some(list(300))).await;
    until("the list", async || shop.till.get("/api/state").await["phone"].is_object().then_some(())).await;
    shop.core.look(|known| known.is_hidden = true);
    shop.online(false).await;
    let till = Till::at(shop.till.base.clone());
    let selling = tokio::spawn(async move {
        till.post("/api/sales", &json!({"amount_minor": 900, "method": "code"}), &fresh_key()).await
    });
    let begun = json!("payment");
    until("the press", async || {
        let state = shop.till.get("/api/state").await;
        state["under_way"].as_array().unwrap().contains(&begun).then_some(())
    })
    .await;
    shop.core.look(|known| known.is_hidden = false);
    let sold = selling.await.unwrap().body;
    assert!(sold["phone"].is_null(), "{sold}");
    shop.till.sees(number(&sold), "state", "presenting").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_neither_answers_nor_breaks_begins_no_sale_without_a_code() {
    let shop = Shop::open_with(|config, _| config.link.answer_timeout_ms = 60_000).await;
    shop.core_says(|offline| *offline = Some(list(300))).await;
    until("the list", async || shop.till.get("/api/state").await["phone"].is_object().then_some(())).await;
    shop.core.look(|known| known.is_hidden = true);
    shop.online(false).await;
    let refused = shop.shows(900).await;
    assert_eq!(refusal(&refused), (503, "core_unreachable"), "{}", refused.body);
    shop.core.look(|known| known.is_hidden = false);
    shop.online(true).await;
    // Nothing was written down: the next is the first.
    let sold = shop.shows(900).await.body;
    assert_eq!((&sold["counter"], sold["phone"].is_null()), (&json!(1), true), "{sold}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_letters_paid_and_core_does_not_know_rings_also_after_a_restart() {
    let mut shop = Shop::open_alone(300).await;
    let sale = shop.shown(900).await;
    let confirmed = shop.confirms(number(&sale), &letters(&sale)).await;
    assert_eq!(confirmed.body["state"], "succeeded", "{}", confirmed.body);
    shop.till.sees(number(&sale), "receipt", "printed").await;
    shop.core.switch_on();
    let alarm = shop.alarm_of("core_forgot_sale").await;
    assert!(alarm.contains("sale 1,"), "{alarm}");
    shop.kill_till();
    shop.start_till().await;
    shop.alarm_of("core_forgot_sale").await;
    assert_eq!(shop.till.sale(number(&sale)).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_and_paid_all_the_same_rings() {
    let mut shop = Shop::open_alone(30).await;
    let (sale, other) = (shop.shown(900).await, shop.shown(800).await);
    shop.core.switch_on();
    shop.core.look(|known| known.ahead_ms = 300_000);
    shop.core_says(|_| ()).await;
    shop.till.sees(number(&sale), "state", "expired").await;
    shop.till.sees(number(&other), "state", "expired").await;
    // One customer has core's word, of the other core tells itself.
    assert_eq!(shop.confirms(number(&sale), &letters(&sale)).await.body["state"], "succeeded");
    let told = shop.alarm_of("paid_after_all").await;
    assert!(told.contains("sale 1 of 9.00 CNY"), "{told}");
    let payment = shop.core.phone_opens(&code(&other));
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "state", "succeeded").await;
    until("the second alarm", async || (shop.alarms("paid_after_all").await.len() == 2).then_some(())).await;
    // Nobody was there: it rings again, until both were seen.
    shop.till.sees(payment, "receipt", "printed").await;
    shop.kill_till();
    shop.start_till().await;
    until("both alarms", async || (shop.alarms("paid_after_all").await.len() == 2).then_some(())).await;
    for payment in [number(&sale), payment] {
        let seen = shop.till.press(payment, "acknowledge", nothing()).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
    }
    assert!(shop.alarms("paid_after_all").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_within_cores_terms_says_what_to_do() {
    let mut shop = Shop::open_alone(300).await;
    assert_eq!(refusal(&shop.shows(20_001).await), (409, "phone_sale_cap"));
    let part = json!({"amount_minor": 500, "method": "code", "split": {"begin": {"total_minor": 1_000}}});
    let refused = shop.till.post("/api/sales", &part, &fresh_key()).await;
    assert_eq!(refusal(&refused), (409, "phone_split"), "{}", refused.body);
    // Its certificate was renewed, and core has told its key for the old one alone.
    shop.core.switch_on();
    shop.online(true).await;
    let renewed = |list: &mut Option<OfflineList>, serial: &str| {
        serial.clone_into(&mut list.as_mut().and_then(|list| list.phone.as_mut()).unwrap().certificate);
    };
    shop.core_has_said(|list| renewed(list, "1f")).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    assert_eq!(refusal(&shop.shows(100).await), (409, "phone_certificate_new"));
    // With a network it is core's own code, as ever; and without core's leave there is none.
    shop.core.switch_on();
    shop.online(true).await;
    let ordinary = shop.shows(100).await;
    assert!(ordinary.status == 201 && ordinary.body["phone"].is_null(), "{}", ordinary.body);
    shop.till.sees(number(&ordinary.body), "state", "presenting").await;
    shop.core_says(|offline| *offline = offline.take().map(|list| OfflineList { phone: None, ..list })).await;
    until("no leave", async || shop.till.get("/api/state").await["phone"].is_null().then_some(())).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let reply = shop.shows(100).await;
    assert!(reply.body["phone"].is_null() && reply.body["code_url"].is_null(), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_outlives_the_certificate_that_signs_it() {
    // Core makes the next certificate, and its answers are lost.
    let never_told = |authority: &Authority| authority.lost.store(usize::MAX, Ordering::SeqCst);
    let (shop, _broker) = Shop::open_secured_by(Life { past: 86_400, left: 240 }, never_told).await;
    for (seconds, why) in [(300, json!("phone_certificate_over")), (30, json!(null))] {
        shop.core.look(|known| known.offline = Some(list(seconds)));
        let asked = shop.till.post("/api/sync-now", &nothing(), &fresh_key()).await;
        assert!(asked.status.is_success(), "{}", asked.body);
        until("the list", async || {
            let state = shop.till.get("/api/state").await;
            (state["phone"].is_object() && state["phone"]["why"] == why).then_some(())
        })
        .await;
    }
}

//! Cards without a network: sold at the merchant's risk, and forwarded by core later.

use saoma_edge::journal::{
    Settings,
    export::{csv_line, json_line},
    look,
};
use saoma_protocol::{
    ChannelAccountId, Currency, Millis, PaymentId, Sequence,
    api::{CardDigits, CardLimits, OfflineList, PaymentState},
    message::PushBody,
};

use super::*;

mod killed;
mod mishaps;

/// A stripe of a card without a chip, whose service code asks for nothing.
const PLAIN_STRIPE: &str = "swipe ;4012345678909=30121010000012345?";

fn list(change: impl FnOnce(&mut CardLimits)) -> OfflineList {
    let mut limits = CardLimits {
        channel_account: ChannelAccountId::from_bytes([5; 16]),
        currency: Currency::CNY,
        sale_minor_max: 1_500,
        card_day_count_max: 20,
        card_day_minor_max: 100_000,
        unsent_minor_max: 100_000,
        unsent_count_max: 100,
        unsent_hours_max: 24,
        list_hours_max: 24,
        stripe: false,
        prefixes: vec!["4012".to_owned()],
        blocked: Vec::new(),
    };
    change(&mut limits);
    let (issuers, denied) = (Vec::new(), Vec::new());
    OfflineList { issued_at: Millis(0), limits: None, issuers, denied, cards: Some(limits), phone: None }
}

impl Shop {
    /// A shop that may sell to cards without a network, and has none.
    async fn open_without_network(change: impl FnOnce(&mut CardLimits)) -> Self {
        let mut shop = Self::open_where_cards_are_stored(change).await;
        shop.core.switch_off().await;
        shop.online(false).await;
        shop
    }

    async fn open_where_cards_are_stored(change: impl FnOnce(&mut CardLimits)) -> Self {
        let shop = open().await;
        shop.core_says(|offline| *offline = Some(list(change))).await;
        until("the list", async || shop.till.get("/api/state").await["stored"].is_object().then_some(())).await;
        shop
    }

    async fn sold(&self) -> Vec<Value> {
        self.till.get("/api/sales").await["items"].as_array().unwrap().clone()
    }

    /// Sells to the card, which is taken out afterwards; the sale.
    async fn sells_to_card(&self, minor: i64) -> Value {
        let before = self.sold().await.len();
        self.key_card(minor).await;
        self.step("present", None).await;
        self.customer(CHIP);
        let sale = until("the sale", async || {
            let sales = self.sold().await;
            (sales.len() > before).then(|| sales[0].clone())
        })
        .await;
        self.customer("remove");
        sale
    }

    /// The card is read, and nothing is sold to it.
    async fn refuses_card(&self, does: &str) {
        let before = self.sold().await.len();
        self.key_card(100).await;
        self.step("present", None).await;
        self.customer(does);
        until("nobody to wait", async || {
            (self.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(())
        })
        .await;
        assert_eq!(self.sold().await.len(), before);
        self.customer("remove");
    }

    /// No card is asked for: why.
    async fn asks_for_none(&self, body: Value) -> String {
        let refused = self.till.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert_eq!(self.till.get("/api/state").await["awaiting_card"], Value::Null);
        refused.body["code"].as_str().unwrap().to_owned()
    }

    async fn rings(&self, code: &str) -> Value {
        until(code, async || {
            let state = self.till.get("/api/state").await;
            state["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == code).cloned()
        })
        .await
    }
}

fn card_of(minor: i64) -> Value {
    json!({"amount_minor": minor, "method": "card", "reference": "桌 7"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_sold_to_without_core_and_is_paid_once_the_bank_says_so() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    assert_eq!(shop.till.get("/api/state").await["stored"]["most_minor"], 1_500);
    let asked = shop.till.post("/api/sales", &card_of(1_250), "intent-1").await;
    assert_eq!((asked.status.as_u16(), &asked.body["awaiting_card"]["stored"]), (202, &json!(true)), "{}", asked.body);
    shop.reader_has_looked().await;
    // The card would want a PIN where it can be checked; here nobody is asked for one.
    shop.customer(CHIP);
    let sale = shop.first_sale().await;
    for (field, value) in [
        ("method", json!("stored")),
        ("state", json!("pending")),
        ("settled", json!(true)),
        ("paid", json!(false)),
        ("synced", json!(false)),
        ("actions", json!(["reprint"])),
    ] {
        assert_eq!(sale[field], value, "{sale}");
    }
    let payment = number(&sale);
    assert_eq!(shop.till.get("/api/display").await["message"], "sign_slip");
    let slip = shop.till.receipt_with("12.50").await;
    for words in ["Card, OFFLINE", "签名 Signature", "Bank answers later", "401234***8909"] {
        assert!(slip.contains(words), "{words}: {slip}");
    }
    shop.till.sees(payment, "receipt", "printed").await;
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["unsent"]["at_risk"], json!([{"minor": 1_250, "currency": "CNY"}]));
    assert_eq!((&state["stored"]["waiting_count"], &state["stored"]["waiting_minor"]), (&json!(1), &json!(1_250)));
    assert_eq!(state["open_sales"], json!([]), "nobody waits for it");
    for (button, body, code) in [
        ("void", nothing(), "stored_unsynced"),
        ("refund", json!({"amount_minor": 1}), "stored_unsynced"),
        ("cancel", nothing(), "not_now"),
        ("query", nothing(), "not_now"),
    ] {
        let refused = shop.till.press(payment, button, body).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!(code)), "{button}");
    }
    // The plug is pulled, and there is still no network: the same press is the same sale.
    shop.kill_till();
    shop.start_till().await;
    let again = shop.till.post("/api/sales", &card_of(1_250), "intent-1").await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &sale["payment"]));
    assert_eq!(shop.till.get("/api/state").await["stored"]["waiting_count"], 1);

    shop.core.switch_on();
    shop.nothing_unsent().await;
    let [card] = shop.stored().try_into().unwrap();
    assert_eq!((card.entry, card.ksn.as_str()), (CardEntry::Chip, "FFFF9876543210E00001"));
    assert_eq!((opened(&card.number), card.pin), ("4012345678909=3012".to_owned(), None));
    assert!(card.emv.unwrap().contains("9f270180"), "it asks its issuer");
    assert_eq!(shop.core.look(|known| known.created.clone()), [""; 0], "nothing was charged online");
    let refused = shop.till.press(payment, "void", nothing()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("stored_not_final")));

    let table = shop.core.look(|known| known.payments[&payment].reference.clone());
    assert_eq!(table.as_deref(), Some("桌 7"));

    shop.core.bank_says(payment, true);
    let paid = shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!((&paid["method"], &paid["paid"], &paid["receipt"]), (&json!("stored"), &json!(true), &json!("printed")));
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["alarms"], &state["stored"]["waiting_count"]), (&json!([]), &json!(0)));
    let refunded = shop.till.press(payment, "refund", json!({"amount_minor": 250})).await;
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    shop.till.sees(payment, "state", "partly_refunded").await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    assert_kept_nowhere(&shop);
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let mut journal = look(&settings).unwrap();
    // An accountant gets what names the card, and nothing of what is encrypted.
    for entry in journal.entries_after(Sequence(0)).unwrap() {
        let lines = [json_line(&entry, "").unwrap().to_string(), csv_line(&entry, "").unwrap()];
        assert!(lines.iter().all(|line| !line.contains("FFFF98765432") && !line.contains(&card.number)), "{lines:?}");
    }
    let told = journal.replay().unwrap();
    assert_eq!((told.sales, told.differences), (1, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bank_declines_is_told_to_a_person_and_is_no_sale_of_the_batch() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    let open = json!({"float_minor": 0, "cashier": "Li", "cashier_number": "7"});
    assert!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status.is_success());
    let declined = number(&shop.sells_to_card(700).await);
    shop.sells_to_card(1_250).await;
    shop.core.switch_on();
    shop.nothing_unsent().await;
    shop.core.bank_says(declined, false);
    let sale = shop.till.sees(declined, "state", "failed").await;
    assert_eq!(
        (&sale["failure"]["code"], &sale["actions"]),
        (&json!("declined"), &json!(["query", "reprint", "acknowledge"])),
        "{sale}"
    );
    let alarm = shop.rings("stored_declined").await;
    for words in ["401234***8909", "7.00 CNY", "keep the signed slip"] {
        assert!(alarm["message"].as_str().unwrap().contains(words), "{alarm}");
    }
    assert_eq!(shop.till.press(declined, "reprint", nothing()).await.status, 200);
    let slip = shop.till.receipt_with("COPY").await;
    assert!(slip.contains("失败 Failed") && slip.contains("签名 Signature"), "{slip}");
    // What the bank has not answered for is none of the batch's business, and is sold.
    let closed = shop.till.post("/api/shift/close", &json!({"batch": 1, "counted_minor": 0}), &fresh_key()).await;
    let totals = &closed.body["closed"]["totals"];
    assert_eq!(totals["stored"]["sales"], json!({"count": 1, "minor": 1_250}), "{}", closed.body);
    assert_eq!((&totals["card"]["sales"]["count"], &closed.body["closed"]["in_doubt"]), (&json!(0), &json!([])));
    let report = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(report.contains("银行卡离线 Card, offline"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_keeps_a_card_out() {
    let other = r#"insert {"number": "6228480402564890018"}"#;
    let shop = Shop::open_without_network(|limits| {
        limits.card_day_count_max = 3;
        limits.unsent_count_max = 4;
        limits.prefixes.push("6228".to_owned());
        limits.blocked = vec![CardDigits::new("622848", "0018").unwrap()];
    })
    .await;
    assert_eq!(shop.asks_for_none(card_of(1_501)).await, "stored_sale_cap");
    let part = json!({"amount_minor": 100, "method": "card", "split": {"begin": {"total_minor": 300}}});
    assert_eq!(shop.asks_for_none(part).await, "stored_split");
    shop.refuses_card(other).await;
    shop.refuses_card(r#"insert {"number": "4111111111111111"}"#).await;
    shop.sells_to_card(100).await;
    shop.sells_to_card(100).await;
    shop.sells_to_card(100).await;
    shop.refuses_card(CHIP).await;
    // Nothing was written for those: three sales, and room for one more.
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["stored"]["waiting_count"], &state["stored"]["why"]), (&json!(3), &Value::Null));
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsent_is_limited_over_a_restart_until_core_has_it() {
    let mut shop = Shop::open_without_network(|limits| {
        (limits.unsent_count_max, limits.unsent_minor_max) = (2, 1_600);
    })
    .await;
    shop.sells_to_card(1_000).await;
    assert_eq!(shop.till.get("/api/state").await["stored"]["most_minor"], 600);
    assert_eq!(shop.asks_for_none(card_of(601)).await, "stored_unsent_sum");
    shop.sells_to_card(100).await;
    shop.kill_till();
    shop.start_till().await;
    until("core to be given up", async || {
        let refused = shop.till.post("/api/sales", &card_of(1), &fresh_key()).await;
        (refused.body["code"] == "stored_unsent_count").then_some(())
    })
    .await;
    assert_eq!(shop.till.get("/api/state").await["stored"]["why"], "stored_unsent_count");
    shop.core.switch_on();
    shop.nothing_unsent().await;
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.sells_to_card(1_500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_is_sold_to_only_where_the_merchant_wants_it_and_the_card_lets_it() {
    for takes_stripes in [false, true] {
        let shop = Shop::open_without_network(|limits| limits.stripe = takes_stripes).await;
        shop.key_card(100).await;
        shop.step("present", None).await;
        // A chip's stripe; one whose issuer is to be asked at once; one that wants a PIN; one that is over.
        let swiped: &[(&str, &str)] = if takes_stripes {
            &[
                (";4012345678909=30122010000012345?", "use_chip"),
                (";4012345678909=30121210000012345?", "needs_bank"),
                (";4012345678909=20011010000012345?", "out_of_date"),
                (";4012345678909=30121000000012345?", "needs_bank"),
            ]
        } else {
            &[(";4012345678909=30122010000012345?", "use_chip"), (";4012345678909=30121010000012345?", "chip_only")]
        };
        for (stripe, trouble) in swiped {
            shop.customer(&format!("swipe {stripe}"));
            shop.step("present", Some(trouble)).await;
        }
        // A chip that does not answer has no stripe that stands in for it.
        shop.customer(r#"insert {"number": "4012345678909", "is_broken": true}"#);
        shop.step("remove", Some("chip_unreadable")).await;
        shop.customer("remove");
        shop.step("present", Some("chip_unreadable")).await;
        shop.customer(r#"insert {"number": "4012345678909", "expiry": "200131"}"#);
        shop.step("remove", Some("out_of_date")).await;
        shop.customer("remove");
        shop.step("present", Some("out_of_date")).await;
        shop.customer(PLAIN_STRIPE);
        if takes_stripes {
            let sale = shop.first_sale().await;
            assert_eq!((&sale["card"]["entry"], &sale["method"]), (&json!("swiped"), &json!("stored")), "{sale}");
        } else {
            shop.step("present", Some("chip_only")).await;
            assert_eq!(shop.sold().await, Vec::<Value>::new());
        }
    }
}

/// Whoever pulls the plug at whatever moment finds the sale whole or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_plug_that_is_pulled_leaves_a_sale_with_its_card_or_none() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    for round in 0..6_usize {
        let (key, before) = (format!("cut-{round}"), shop.sold().await.len());
        until("core to be given up", async || {
            let asked = shop.till.post("/api/sales", &card_of(100), &key).await;
            (asked.status == 202).then_some(())
        })
        .await;
        shop.step("present", None).await;
        shop.customer(CHIP);
        if round % 2 == 0 {
            until("the reading to be over", async || {
                (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(())
            })
            .await;
        }
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        shop.kill_till();
        shop.start_till().await;
        let sold = shop.sold().await.len() - before;
        assert!(sold == 1 || sold == 0 && round % 2 == 1, "round {round}: {sold}");
        assert_eq!(shop.till.get("/api/state").await["stored"]["waiting_count"], before + sold);
        let again = until("core to be given up", async || {
            let again = shop.till.post("/api/sales", &card_of(100), &key).await;
            (again.status != 503).then_some(again)
        })
        .await;
        assert_eq!(again.status.as_u16(), if sold == 1 { 200 } else { 202 }, "{}", again.body);
        if sold == 0 {
            assert_eq!(shop.till.post("/api/card/cancel", &nothing(), &fresh_key()).await.status, 200);
        }
        shop.customer("remove");
    }
    let sold = shop.sold().await.len();
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let mut keys: Vec<String> = shop.stored().into_iter().map(|card| card.ksn).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), sold, "each sale has a card of its own, under a key of its own");
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    assert_eq!(look(&settings).unwrap().replay().unwrap().differences, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_without_a_network_are_one_sale() {
    let shop = Shop::open_without_network(|_| {}).await;
    let body = card_of(100);
    let (first, second) =
        tokio::join!(shop.till.post("/api/sales", &body, "one"), shop.till.post("/api/sales", &body, "other"));
    let mut told = [first.status.as_u16(), second.status.as_u16()];
    told.sort_unstable();
    assert_eq!(told, [202, 409]);
    shop.reader_has_looked().await;
    shop.customer(CHIP);
    shop.first_sale().await;
    // The card stays in the reader, and pays no other sale.
    shop.key_card(100).await;
    shop.step("remove", None).await;
    assert_eq!(shop.sold().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_is_back_before_the_card_is_read_is_asked() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    shop.key_card(1_250).await;
    shop.step("present", None).await;
    shop.core.switch_on();
    shop.online(true).await;
    shop.customer(CHIP);
    let sale = shop.first_sale().await;
    let sale = shop.till.sees(number(&sale), "state", "succeeded").await;
    assert_eq!((&sale["method"], shop.presented().len(), shop.stored().len()), (&json!("card"), 1, 0), "{sale}");
}

/// A core that was set back to an older release, one that takes no entries, and one that holds this one for a person.
#[tokio::test(flavor = "multi_thread")]
async fn core_may_end_it_stop_it_or_hold_it() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    shop.sells_to_card(100).await;
    shop.core.look(|known| known.knows_no_baskets = true);
    shop.core.switch_on();
    until("the stop", async || shop.till.get("/api/state").await["sync"]["stopped"].is_object().then_some(())).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    assert_eq!(shop.asks_for_none(card_of(100)).await, "stored_stopped");
    assert_eq!(shop.till.get("/api/state").await["stored"]["why"], "stored_stopped");
    // It is updated, and has no policy any more: what was sold waits for a person there.
    shop.core.look(|known| {
        known.knows_no_baskets = false;
        known.offline.as_mut().unwrap().cards = None;
        known.tell(PushBody::SyncNow);
    });
    shop.core.switch_on();
    shop.nothing_unsent().await;
    shop.rings("journal_held").await;
    until("the end of the policy", async || {
        (shop.till.get("/api/state").await["stored"]["why"] == "stored_off").then_some(())
    })
    .await;
    // It is asked about, and counted, on; at once after a start.
    shop.kill_till();
    shop.start_till().await;
    shop.rings("stored_not_booked").await;
    // Told on by the next run as well, until somebody has seen it.
    shop.kill_till();
    shop.start_till().await;
    shop.rings("stored_not_booked").await;
    let stored = shop.till.get("/api/state").await["stored"].clone();
    assert_eq!((&stored["waiting_count"], &stored["office_count"]), (&json!(0), &json!(1)));
    assert_eq!(stored["to_acknowledge"][0]["code"], "stored_not_booked");
    // It is on the disk, and core is away.
    shop.core.switch_off().await;
    shop.online(false).await;
    let card = shop.till.post("/api/sales", &card_of(100), &fresh_key()).await;
    assert_eq!((card.status.as_u16(), &card.body["code"]), (503, &json!("core_unreachable")), "{}", card.body);
    let payment: PaymentId = number(&shop.sold().await[0]);
    let refused = shop.till.press(payment, "refund", json!({"amount_minor": 1})).await;
    assert_eq!(refused.body["code"], "stored_held", "{}", refused.body);
    assert_eq!(shop.core.look(|known| known.payments.get(&payment).map(|view| view.state)), None::<PaymentState>);
    for is_restarted in [false, true] {
        if is_restarted {
            shop.kill_till();
            shop.start_till().await;
        } else {
            let seen = shop.till.press(payment, "acknowledge", nothing()).await;
            assert_eq!((seen.status.as_u16(), &seen.body["awaits_office"]), (200, &json!(true)), "{}", seen.body);
        }
        let state = shop.till.get("/api/state").await;
        assert_eq!(state["stored"], Value::Null, "nothing is counted any more");
        let rings = state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "stored_not_booked");
        assert!(!rings, "{state}");
    }
}

//! Sales by card at the till: a simulated reader on one side, core on the other.

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::Path,
    sync::{Arc, Mutex, Once, OnceLock},
};

use des::{
    TdesEde3,
    cipher::{BlockCipherDecrypt as _, KeyInit as _},
};
use saoma_edge::config::Config;
use saoma_protocol::{
    api::{CardEntry, PresentedCard},
    journal::{Method, Record},
};
use serde_json::{Value, json};

use crate::{
    peripherals_wires::pseudo_terminal,
    shop::{Shop, fresh_key, nothing, number, until},
};

mod stored;

/// Of the example of ANSI X9.24-1:2009, annex A.4, as are the keys below.
const NUMBER: &str = "4012345678909";
const CHIP: &str = r#"insert {"number": "4012345678909"}"#;
/// A chip card's stripe.
const STRIPE: &str = ";4012345678909=30122010000012345?";
const KEYS: &str = r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"},
    "pin":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#;
/// Those by which core opens what is encrypted under the first serial number.
const FIRST_DATA_KEY: &str = "448D3F076D8304036A55A3D7E0055A78";
const FIRST_PIN_BLOCK: &str = "1b9c1845eb993a7a";

/// What all agents of this process log.
fn log() -> Arc<Mutex<Vec<u8>>> {
    #[derive(Clone)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    static BEGUN: Once = Once::new();
    let log = Arc::clone(LOG.get_or_init(Arc::default));
    BEGUN.call_once(|| {
        let kept = Kept(Arc::clone(&log));
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || kept.clone()).init();
    });
    log
}

fn keys(folder: &Path) -> String {
    let path = folder.join("card-keys.json");
    if !path.exists() {
        fs::write(&path, KEYS).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

fn simulated(config: &mut Config, folder: &Path) {
    config.peripherals.card_reader = "simulated".to_owned();
    config.peripherals.card_reader_device = folder.join("reader").to_str().unwrap().to_owned();
    config.peripherals.card_reader_keys = keys(folder);
}

async fn open() -> Shop {
    log();
    let shop = Shop::open_with(simulated).await;
    until("the reader's socket", async || shop.folder.path().join("reader").exists().then_some(())).await;
    shop
}

impl Shop {
    /// What a customer does at the reader.
    fn customer(&self, does: &str) {
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to(does.as_bytes(), self.folder.path().join("reader")).unwrap();
    }

    async fn key_card(&self, minor: i64) {
        let sale = json!({"amount_minor": minor, "method": "card"});
        let reply = self.till.post("/api/sales", &sale, &fresh_key()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.body["awaiting_card"]["amount_minor"]),
            (202, &json!(minor)),
            "{}",
            reply.body
        );
        self.reader_has_looked().await;
    }

    /// Until it has, a card that comes may have been there from before.
    async fn reader_has_looked(&self) {
        until("the reader's first look", async || {
            let state = self.till.get("/api/state").await;
            (state["awaiting_card"]["step"] != "wait").then_some(())
        })
        .await;
    }

    /// Waits until the customer is to do that, for that reason.
    async fn step(&self, step: &str, trouble: Option<&str>) {
        until(&format!("{step} {trouble:?}"), async || {
            let awaiting = self.till.get("/api/state").await["awaiting_card"].clone();
            (awaiting["step"] == step && awaiting["trouble"] == json!(trouble)).then_some(())
        })
        .await;
    }

    async fn insert_and_key_pin(&self) {
        self.customer(CHIP);
        self.step("pin", None).await;
        self.customer("pin 1234");
    }

    /// The only sale, once there is one.
    async fn first_sale(&self) -> Value {
        until("a sale", async || self.till.get("/api/sales").await["items"].get(0).cloned()).await
    }

    fn presented(&self) -> Vec<PresentedCard> {
        self.core.look(|known| known.cards.clone())
    }

    /// Each card that core has by an entry of the journal.
    fn stored(&self) -> Vec<PresentedCard> {
        let card = |record: &Record| match record {
            Record::StoredCardSale { card, .. } => Some(card.clone()),
            _ => None,
        };
        self.core.look(|known| known.journal.iter().filter_map(card).collect())
    }
}

/// TDES in CBC mode, as core's host opens it.
fn opened(sealed: &str) -> String {
    let key = hex::decode(format!("{FIRST_DATA_KEY}{}", &FIRST_DATA_KEY[..16])).unwrap();
    let key: [u8; 24] = key.try_into().unwrap();
    let tdes = TdesEde3::new(&key.into());
    let (mut before, mut plain) = ([0; 8], Vec::new());
    for block in hex::decode(sealed).unwrap().chunks_exact(8) {
        let mut opened: [u8; 8] = block.try_into().unwrap();
        tdes.decrypt_block((&mut opened).into());
        plain.extend(opened.iter().zip(before).map(|(byte, before)| byte ^ before));
        before = block.try_into().unwrap();
    }
    String::from_utf8(plain).unwrap().trim_end_matches('\0').to_owned()
}

/// No file of the terminal and no line of its log holds the number, as digits or packed, nor what is encrypted of the card.
fn assert_kept_nowhere(shop: &Shop) {
    let mut kept = vec![NUMBER.as_bytes().to_vec(), hex::decode(format!("{NUMBER}f")).unwrap()];
    for card in shop.presented().into_iter().chain(shop.stored()) {
        let pin = card.pin.map(|pin| pin.block);
        for sealed in [Some(card.number), card.track_2, pin].into_iter().flatten() {
            kept.push(hex::decode(&sealed).unwrap());
            kept.push(sealed.into_bytes());
        }
    }
    let holds = |bytes: &[u8]| kept.iter().any(|kept| bytes.windows(kept.len()).any(|part| part == kept));
    let mut folders = vec![shop.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                assert!(!holds(&fs::read(&path).unwrap()), "{path:?}");
            }
        }
    }
    let log = log();
    let log = log.lock().unwrap();
    assert!(!log.is_empty() && !holds(&log), "the log holds a card's number");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chip_pays_online_and_the_number_is_kept_nowhere() {
    let shop = open().await;
    let journaled = shop.core.look(|known| known.journal.len());
    shop.key_card(1_250).await;
    shop.step("present", None).await;
    assert_eq!(shop.till.get("/api/display").await["message"], "present_card");
    shop.insert_and_key_pin().await;
    let sale = shop.first_sale().await;
    let payment = number(&sale);
    let sale = shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!((&sale["method"], &sale["card"]["masked"]), (&json!("card"), &json!("401234***8909")), "{sale}");
    assert_eq!(shop.till.get("/api/state").await["awaiting_card"], Value::Null);

    let [card] = shop.presented().try_into().unwrap();
    assert_eq!((card.entry, card.ksn.as_str()), (CardEntry::Chip, "FFFF9876543210E00001"));
    assert_eq!(opened(&card.number), "4012345678909=3012");
    assert_eq!(opened(card.track_2.as_ref().unwrap()), "4012345678909=30122010000000");
    assert_eq!(card.pin.as_ref().unwrap().block, FIRST_PIN_BLOCK);
    let emv = card.emv.clone().unwrap();
    assert!(emv.contains("9f02060000000012505f2a020156") && emv.contains("9f270180"), "{emv}");

    let slip = shop.till.receipt_with("401234***8909").await;
    assert!(slip.contains("UnionPay Debit") && slip.contains("A000000333010101") && !slip.contains(NUMBER), "{slip}");
    shop.nothing_unsent().await;
    let journal = shop.core.look(|known| known.journal.clone());
    assert!(matches!(journal[journaled], Record::SaleKeyed { method: Method::Card, .. }), "{journal:?}");
    assert_eq!(shop.till.press(payment, "void", nothing()).await.body["state"], "voided");
    // It is still in the reader, and pays no other sale.
    shop.key_card(700).await;
    shop.step("remove", None).await;
    shop.customer("remove");
    shop.step("present", None).await;
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_declined_or_cancelled_is_no_sale() {
    let shop = open().await;
    shop.key_card(1_301).await;
    shop.insert_and_key_pin().await;
    let declined = shop.first_sale().await;
    let declined = shop.till.sees(number(&declined), "state", "failed").await;
    assert_eq!(declined["failure"]["code"], "declined");
    shop.customer("remove");
    // The card itself declines: another one may be tried.
    shop.key_card(1_250).await;
    shop.step("present", None).await;
    shop.customer(r#"insert {"number": "4012345678909", "decision": 0}"#);
    shop.step("pin", None).await;
    shop.customer("pin 1234");
    shop.step("remove", Some("declined")).await;
    shop.customer("remove");
    shop.step("present", Some("declined")).await;
    // The holder cancels at the pad.
    shop.customer(CHIP);
    shop.step("pin", None).await;
    shop.customer("pin cancel");
    until("nobody waits", async || (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(()))
        .await;
    shop.customer("remove");
    // And the cashier: a card that comes later is none of a sale.
    shop.key_card(800).await;
    shop.step("present", None).await;
    assert_eq!(shop.till.post("/api/card/cancel", &nothing(), &fresh_key()).await.status, 200);
    assert_eq!(shop.till.get("/api/state").await["awaiting_card"], Value::Null);
    until("the reader to be asked nothing more", async || {
        let told = shop.till.post("/api/peripherals/card_reader/self-test", &nothing(), &fresh_key()).await;
        (told.status == 200).then_some(())
    })
    .await;
    shop.customer(CHIP);
    shop.key_card(900).await;
    shop.step("pin", None).await;
    let sales = shop.till.get("/api/sales").await;
    assert_eq!((sales["items"].as_array().unwrap().len(), shop.presented().len()), (1, 1), "{sales}");
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_core_does_not_answer_for_is_sent_again_with_the_same_number() {
    let shop = open().await;
    shop.core.look(|known| known.silent = true);
    shop.key_card(1_250).await;
    shop.insert_and_key_pin().await;
    let payment = number(&shop.first_sale().await);
    until("a second request", async || (shop.presented().len() > 1).then_some(())).await;
    assert_eq!(shop.till.sale(payment).await["state"], "sending");
    shop.core.look(|known| known.silent = false);
    shop.till.sees(payment, "state", "succeeded").await;
    let presented = shop.presented();
    assert!(presented.iter().all(|card| *card == presented[0]), "the same card, under the same key");
    let created = shop.core.look(|known| known.created.clone());
    assert!(created.iter().all(|key| *key == payment.to_string()), "{created:?}");
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_taken_out_too_early_leaves_no_trace_and_may_come_again() {
    let shop = open().await;
    shop.key_card(1_250).await;
    shop.customer(CHIP);
    shop.step("pin", None).await;
    shop.customer("remove");
    shop.customer("pin 1234");
    shop.step("present", Some("taken_out")).await;
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]));
    shop.insert_and_key_pin().await;
    shop.till.sees(number(&shop.first_sale().await), "state", "succeeded").await;
    assert_eq!(shop.presented().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_stands_in_for_a_chip_that_does_not_answer_and_for_no_other() {
    let shop = open().await;
    shop.key_card(1_250).await;
    shop.step("present", None).await;
    shop.customer(&format!("swipe {STRIPE}"));
    shop.step("present", Some("use_chip")).await;
    shop.customer("swipe ;401234567");
    shop.step("present", Some("stripe_unreadable")).await;
    shop.customer(r#"insert {"number": "4012345678909", "is_broken": true}"#);
    shop.step("remove", Some("chip_unreadable")).await;
    shop.customer("remove");
    shop.step("swipe", Some("chip_unreadable")).await;
    shop.customer(&format!("swipe {STRIPE}"));
    let sale = shop.first_sale().await;
    shop.till.sees(number(&sale), "state", "succeeded").await;
    let [card] = shop.presented().try_into().unwrap();
    assert_eq!((card.entry, card.emv.is_some(), card.pin.is_some()), (CardEntry::Fallback, false, false));
    assert_eq!(opened(card.track_2.as_ref().unwrap()), "4012345678909=30122010000012345");
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_no_card_is_asked_for_and_cash_is_taken() {
    let mut shop = open().await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let card = json!({"amount_minor": 1_250, "method": "card"});
    let refused = shop.till.post("/api/sales", &card, &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("core_unreachable")), "{}", refused.body);
    assert_eq!(shop.till.get("/api/state").await["awaiting_card"], Value::Null);
    assert_eq!(shop.till.sell(json!({"amount_minor": 1_250, "method": "cash"})).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_at_once_are_one_sale() {
    let shop = open().await;
    let card = json!({"amount_minor": 1_250, "method": "card"});
    let (one, other) = (fresh_key(), fresh_key());
    let (first, second) =
        tokio::join!(shop.till.post("/api/sales", &card, &one), shop.till.post("/api/sales", &card, &other));
    let mut told = [(first, one), (second, other)];
    told.sort_by_key(|(reply, _)| reply.status);
    let [(taken, key), (refused, _)] = told;
    assert_eq!((taken.status.as_u16(), refused.status.as_u16()), (202, 409));
    assert_eq!(refused.body["code"], "card_busy");
    // The page sends the same press again: it waits for the same card, and then hears of the sale.
    assert_eq!(shop.till.post("/api/sales", &card, &key).await.status, 202);
    shop.reader_has_looked().await;
    let another = json!({"amount_minor": 1_251, "method": "card"});
    assert_eq!(shop.till.post("/api/sales", &another, &key).await.body["code"], "idempotency_key_reused");
    shop.insert_and_key_pin().await;
    let payment = number(&shop.first_sale().await);
    shop.till.sees(payment, "state", "succeeded").await;
    let seen = shop.till.post("/api/sales", &card, &key).await;
    assert_eq!((seen.status.as_u16(), number(&seen.body)), (200, payment));
    assert_eq!(shop.presented().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_comes_where_codes_are_scanned_is_no_code() {
    let shop = open().await;
    for text in [STRIPE, "4012345678909=30122010000012345", "%B4012345678909^CARD/TEST^30122010000?"] {
        let scanned = shop.till.post("/api/scan", &json!({ "text": text }), &fresh_key()).await;
        assert_eq!((scanned.status.as_u16(), &scanned.body["code"]), (409, &json!("card_swiped")), "{text}");
        let sale = json!({"amount_minor": 1_250, "method": "scan", "code": text});
        let sold = shop.till.post("/api/sales", &sale, &fresh_key()).await;
        assert_eq!((sold.status.as_u16(), &sold.body["code"]), (409, &json!("card_swiped")), "{text}");
        assert!(!format!("{}{}", scanned.body, sold.body).contains(NUMBER));
    }
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_batch_counts_what_cards_paid() {
    let shop = open().await;
    let open = json!({"float_minor": 0, "cashier": "Li", "cashier_number": "7"});
    assert!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status.is_success());
    shop.key_card(1_250).await;
    shop.insert_and_key_pin().await;
    let payment = number(&shop.first_sale().await);
    shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!(shop.till.press(payment, "refund", json!({"amount_minor": 250})).await.status, 200);
    shop.till.sees(payment, "state", "partly_refunded").await;
    let closed = shop.till.post("/api/shift/close", &json!({"batch": 1, "counted_minor": 0}), &fresh_key()).await;
    let card = &closed.body["closed"]["totals"]["card"];
    assert_eq!((&card["sales"]["minor"], &card["refunds"]["minor"]), (&json!(1_250), &json!(250)), "{}", closed.body);
    shop.till.receipt_with("银行卡 Card").await;
}

/// A reader of stripes on a serial line, as those of scanners are.
#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_is_read_from_a_serial_line() {
    static LINE: OnceLock<String> = OnceLock::new();
    fn striped(config: &mut Config, folder: &Path) {
        config.peripherals.card_reader = "stripe".to_owned();
        config.peripherals.card_reader_stripe = "serial".to_owned();
        config.peripherals.card_reader_stripe_device.clone_from(LINE.get().unwrap());
        config.peripherals.card_reader_keys = keys(folder);
    }
    let (mut far_end, path, _line) = pseudo_terminal();
    LINE.set(path.to_str().unwrap().to_owned()).unwrap();
    log();
    let shop = Shop::open_with(striped).await;
    // Nobody waits for it.
    far_end.write_all(b";6228480402564890018=30121010000012345?\r").unwrap();
    shop.key_card(1_250).await;
    shop.step("present", None).await;
    far_end.write_all(b"%B4012345678909^CARD/TEST^30121010000?\r;4012345678909=30121010000012345?\r\n").unwrap();
    let sale = shop.first_sale().await;
    let sale = shop.till.sees(number(&sale), "state", "succeeded").await;
    assert_eq!(sale["card"]["entry"], "swiped");
    let [card] = shop.presented().try_into().unwrap();
    assert_eq!(opened(card.track_2.as_ref().unwrap()), "4012345678909=30121010000012345");
    assert_kept_nowhere(&shop);
}

/// The page that lost its event stream carries out again what it still believes to wait for.
#[tokio::test(flavor = "multi_thread")]
async fn a_press_whose_waiting_has_ended_begins_nothing_anew() {
    let shop = open().await;
    let card = json!({"amount_minor": 1_250, "method": "card"});
    for cancel in [true, false] {
        let key = fresh_key();
        assert_eq!(shop.till.post("/api/sales", &card, &key).await.status, 202);
        if cancel {
            assert_eq!(shop.till.post("/api/card/cancel", &nothing(), &fresh_key()).await.status, 200);
        } else {
            shop.reader_has_looked().await;
            shop.customer(CHIP);
            shop.step("pin", None).await;
            shop.customer("pin cancel");
            until("nobody waits", async || {
                (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(())
            })
            .await;
        }
        let again = shop.till.post("/api/sales", &card, &key).await;
        assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("card_over")), "{}", again.body);
        assert_eq!(shop.till.get("/api/state").await["awaiting_card"], Value::Null);
        let other = json!({"amount_minor": 1_251, "method": "card"});
        assert_eq!(shop.till.post("/api/sales", &other, &key).await.body["code"], "idempotency_key_reused");
    }
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]));
}

/// The plug, or the button that opens the reader anew: what is in its slot may have paid before.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_stays_in_a_reader_that_is_opened_anew_pays_no_other_sale() {
    let shop = open().await;
    shop.key_card(1_250).await;
    shop.insert_and_key_pin().await;
    shop.till.sees(number(&shop.first_sale().await), "state", "succeeded").await;
    let restarted = shop.till.post("/api/peripherals/card_reader/restart", &nothing(), &fresh_key()).await;
    assert_eq!(restarted.status, 200, "{}", restarted.body);
    // The new one has a socket of its own.
    shop.customer(CHIP);
    shop.key_card(700).await;
    shop.step("remove", None).await;
    assert_eq!(shop.presented().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_opened_anew_ends_the_waiting_for_a_card() {
    let shop = open().await;
    shop.key_card(1_250).await;
    let restarted = shop.till.post("/api/peripherals/card_reader/restart", &nothing(), &fresh_key()).await;
    assert_eq!((restarted.status.as_u16(), &restarted.body["state"]), (200, &json!("ok")), "{}", restarted.body);
    assert_eq!(shop.till.get("/api/state").await["awaiting_card"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_sent_before_a_restart_goes_with_it_and_core_is_asked() {
    let mut shop = open().await;
    shop.core.look(|known| known.silent = true);
    shop.key_card(1_250).await;
    shop.insert_and_key_pin().await;
    let payment = number(&shop.first_sale().await);
    until("a request", async || (!shop.presented().is_empty()).then_some(())).await;
    shop.kill_till();
    let sent = shop.presented().len();
    shop.start_till().await;
    shop.core.look(|known| known.silent = false);
    shop.till.sees(payment, "state", "succeeded").await;
    assert!(shop.presented().len() <= sent + 1, "what was under way, and no other");
    assert_kept_nowhere(&shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_goes_while_the_card_is_read_leaves_no_sale() {
    let mut shop = open().await;
    shop.key_card(1_250).await;
    shop.customer(CHIP);
    shop.step("pin", None).await;
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.customer("pin 1234");
    until("nobody waits", async || (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(()))
        .await;
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]));
}

/// The page that waits is told, and whoever stands there knows what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_never_comes_or_is_never_taken_out_ends_the_waiting_in_its_time() {
    fn impatient(config: &mut Config, folder: &Path) {
        simulated(config, folder);
        config.till.card_wait_seconds = 2;
    }
    log();
    let shop = Shop::open_with(impatient).await;
    until("the reader's socket", async || shop.folder.path().join("reader").exists().then_some(())).await;
    let ends = async |key: &str, code: &str| {
        let card = json!({"amount_minor": 1_250, "method": "card"});
        assert_eq!(shop.till.post("/api/sales", &card, key).await.status, 202);
        until("nobody to wait", async || {
            (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(())
        })
        .await;
        let again = shop.till.post("/api/sales", &card, key).await;
        assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &json!("card_over")), "{}", again.body);
        let told = String::from_utf8(log().lock().unwrap().clone()).unwrap();
        assert!(told.lines().any(|line| line.contains("did not lead to a sale") && line.contains(code)), "{code}");
    };
    ends("never", "card_late").await;
    // It is left in the slot from before, and pays nothing.
    shop.customer(CHIP);
    let key = fresh_key();
    assert_eq!(shop.till.post("/api/sales", &json!({"amount_minor": 700, "method": "card"}), &key).await.status, 202);
    shop.step("pin", None).await;
    shop.customer("pin cancel");
    until("the holder to cancel", async || {
        (shop.till.get("/api/state").await["awaiting_card"] == Value::Null).then_some(())
    })
    .await;
    ends("left", "card_left").await;
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]));
}

/// A part of a split payment (分次付款).
#[tokio::test(flavor = "multi_thread")]
async fn a_card_pays_the_rest_of_what_cash_began() {
    let shop = open().await;
    let begun = json!({"amount_minor": 5_000, "method": "cash", "split": {"begin": {"total_minor": 12_000}}});
    assert_eq!(shop.till.post("/api/sales", &begun, &fresh_key()).await.status, 201);
    let rest = json!({"amount_minor": 7_000, "method": "card", "split": {"go_on": {"number": 1, "rest_minor": 7_000}}});
    let awaited = shop.till.post("/api/sales", &rest, &fresh_key()).await;
    assert_eq!((awaited.status.as_u16(), &awaited.body["awaiting_card"]["amount_minor"]), (202, &json!(7_000)));
    shop.reader_has_looked().await;
    shop.insert_and_key_pin().await;
    let split = until("the split to be paid", async || {
        let split = shop.till.get("/api/splits/1").await;
        (split["state"] == "paid").then_some(split)
    })
    .await;
    assert_eq!((&split["paid_minor"], &split["rest_minor"]), (&json!(12_000), &json!(0)), "{split}");
    let [card] = shop.presented().try_into().unwrap();
    assert!(card.emv.unwrap().contains("9f0206000000007000"), "the chip was told of its part");
    let slip = shop.till.receipt_with("分次付款 Split").await;
    for line in ["120.00 CNY", "50.00", "70.00", "401234***8909"] {
        assert!(slip.contains(line), "{line}: {slip}");
    }
}

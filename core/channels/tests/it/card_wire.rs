//! The `card` channel at acquirers whose wire differs: what stands in front of a message, and the form of PINs.

use saoma_channels::{Account, CardEntry, ChannelCaller as _, DeclineCode, Failure, PaymentStatus};
use serde_json::{Value, json};

use super::card_channel::{CHIP, CHIP_TRACK, CHIP_WRONG_PIN, Shop, card, chip, fresh, no_answer, stripe};

const HEADERS: [&str; 4] = ["binary", "binary-with-itself", "decimal", "decimal-with-itself"];

fn with(account: &Account, name: &str, value: Value) -> Account {
    let mut settings: Value = serde_json::from_str(&account.settings_json).expect("JSON");
    settings[name] = value;
    Account { settings_json: settings.to_string(), ..account.clone() }
}

#[tokio::test]
async fn each_length_header_carries_sales_refusals_and_reversals() {
    for header in HEADERS {
        let shop = Shop::open(&["--length-header", header]).await;
        shop.sold(1).await;
        shop.next("charge", "insufficient-funds").await;
        let answer = shop.charge(2, &chip()).await.expect("an answer");
        let is_refused =
            matches!(&answer.status, PaymentStatus::Failed(decline) if decline.code == DeclineCode::InsufficientFunds);
        assert!(is_refused, "{header}: {answer:?}");
        assert_eq!((shop.books(1).await, shop.books(2).await), ((1, 0), (0, 0)), "{header}");
        // Half a message, one of no length, and the longest that can be named.
        for (n, fault) in [(3, "cut"), (4, "empty"), (5, "huge")] {
            shop.next("charge", fault).await;
            assert!(no_answer(&shop.charge(n, &chip()).await), "{header} {fault}");
            assert_eq!(shop.cancel(n, "").await, Ok(PaymentStatus::Closed), "{header} {fault}");
            assert_eq!(shop.books(n).await, (1, 1_250), "{header} {fault}");
        }
    }
}

/// Whichever of the two waits for the rest of a message: the setting is named, and nothing is sold.
#[tokio::test]
async fn a_wrong_length_header_is_told_by_the_sign_on() {
    let [one, two, three, four] = HEADERS.map(wrong_length_headers_for);
    tokio::join!(one, two, three, four);
}

async fn wrong_length_headers_for(theirs: &str) {
    let shop = Shop::open(&["--length-header", theirs]).await;
    for ours in HEADERS.into_iter().filter(|ours| *ours != theirs) {
        let account = with(&shop.account, "length_header", json!(ours));
        let tested = shop.host.self_test(&account).await;
        let is_told = matches!(&tested, Err(Failure::NoAnswer { why }) if why.contains("check length_header"));
        assert!(is_told, "{ours} for {theirs}: {tested:?}");
        assert!(no_answer(&shop.host.charge_card(&account, &fresh(1), &chip()).await), "{ours} for {theirs}");
    }
    assert_eq!(shop.books(1).await, (0, 0), "{theirs}");
    assert!(shop.kinds().await.is_empty(), "{theirs}");
    // And with the right one nothing of it stands in the way.
    shop.sold(2).await;
}

#[tokio::test]
async fn pins_go_out_in_format_4_where_all_keys_are_of_aes() {
    let shop = Shop::open(&["--mac", "aes-cmac"]).await;
    shop.sold(1).await;
    let swiped = shop.charge(2, &stripe()).await.expect("an answer");
    assert_eq!((swiped.status, shop.books(2).await), (PaymentStatus::Succeeded, (1, 0)));
    // The acquirer opened it, and it is another one.
    let wrong = card(CardEntry::Chip, CHIP, Some(CHIP_TRACK), Some(CHIP_WRONG_PIN));
    let answer = shop.charge(3, &wrong).await.expect("an answer");
    assert!(matches!(&answer.status, PaymentStatus::Failed(decline) if decline.message.contains("55")), "{answer:?}");
    // Of a format 4 block no two are alike.
    shop.sold(4).await;
    let sales = shop.heard().await.into_iter().filter(|(kind, _)| kind == "0200").map(|(_, message)| message);
    let blocks: Vec<Vec<u8>> = sales.map(|message| pin_block(&message)).collect();
    assert!(blocks.len() == 4 && blocks[0] != blocks[3], "{blocks:?}");
    // A MAC that does not fit is refused as under any key, and what it was about is taken back.
    for (n, fault) in [(5, "forged"), (6, "unsigned"), (7, "silent")] {
        shop.next("charge", fault).await;
        assert!(no_answer(&shop.charge(n, &chip()).await), "{fault}");
        assert_eq!((shop.cancel(n, "").await, shop.books(n).await), (Ok(PaymentStatus::Closed), (1, 1_250)), "{fault}");
    }
}

/// The 16 bytes before field 53, which this acquirer wants to be a fixed one.
fn pin_block(message: &[u8]) -> Vec<u8> {
    let security = [0x24, 0, 0, 0, 0, 0, 0, 0];
    let at = message.windows(8).position(|window| window == security).expect("field 53");
    message[at - 16..at].to_vec()
}

#[tokio::test]
async fn keys_and_formats_that_do_not_go_together_are_named() {
    let aes = Shop::open(&["--mac", "aes-cmac"]).await;
    let tdes = Shop::open(&["--mac", "retail"]).await;
    let with_key = |shop: &Shop, key: &str| {
        let secrets = shop.account.secrets.clone().with("terminal-master-key", key);
        Account { secrets, ..shop.account.clone() }
    };
    let rows = [
        (&aes, with(&aes.account, "pin_format", json!("iso-0")), "pin_format iso-4 and mac aes-cmac go together"),
        (&aes, with(&aes.account, "mac", json!("retail")), "pin_format iso-4 and mac aes-cmac go together"),
        (&aes, with(&aes.account, "pin_format", json!("iso-3")), "pin_format"),
        (&aes, with(&aes.account, "security_control", json!("24000000000000")), "security_control"),
        (&aes, with(&aes.account, "security_control", json!("240000000000000x")), "security_control"),
        (&aes, with(&aes.account, "length_header", json!("text")), "length_header"),
        // A key of the other cipher opens none of the working keys.
        (&aes, with_key(&aes, "00112233445566778899AABBCCDDEEFF"), "terminal-master-key"),
        (&tdes, with_key(&tdes, "aes:11223344556677889900AABBCCDDEEFF"), "terminal-master-key"),
    ];
    for (shop, account, named) in rows {
        let outcome = shop.host.charge_card(&account, &fresh(1), &chip()).await;
        assert!(matches!(&outcome, Err(Failure::Misconfigured { why }) if why.contains(named)), "{named}: {outcome:?}");
    }
    // Without field 53 nothing goes out.
    let mut settings: Value = serde_json::from_str(&aes.account.settings_json).expect("JSON");
    settings.as_object_mut().expect("an object").remove("security_control");
    let account = Account { settings_json: settings.to_string(), ..aes.account.clone() };
    let outcome = aes.host.self_test(&account).await;
    assert!(matches!(&outcome, Err(Failure::Misconfigured { why }) if why.contains("security_control")), "{outcome:?}");
}

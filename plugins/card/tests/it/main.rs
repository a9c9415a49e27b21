//! What the channel sends, to the byte, and what it believes of what comes back. Where something of the card goes the bytes are
//! zeros: the host writes it. `oracle/` reads the same files with software that others wrote.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;

use insta::assert_snapshot;
use saoma_card::messages::{
    Settings,
    batch::{Compared, Listed, Tally, Totals, compared},
    build::{Approved, Sent},
    codec::{Draft, encode},
};
use saoma_channel_sdk::{
    card::{EntryMode, PresentedCard},
    from_hex, to_hex,
};
use serde_json::{Value, json};

pub const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const EMV: &str = "9F260811223344556677889F2701809F100807010103A00000019F3704112233449F36020001950500000000009A032611269C01009F0206\
    0000000012505F2A02015682027C009F1A0201569F3303E0E1C8";

pub fn settings(more: &Value) -> Settings {
    let mut all = json!({
        "address": "tls://acquirer.example:7001",
        "terminal_number": "10000019",
        "merchant_number": "850100082410002",
        "mac": "unionpay-ecb",
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

pub fn card(entry: EntryMode) -> PresentedCard {
    let has_chip = matches!(entry, EntryMode::Chip | EntryMode::Contactless);
    PresentedCard {
        entry,
        number_masked: "401234***8909".to_owned(),
        track_2_length: if entry == EntryMode::Keyed { 0 } else { 31 },
        service_code: if entry == EntryMode::Keyed { String::new() } else { "201".to_owned() },
        sequence_number: Some(1),
        emv: if has_chip { from_hex(EMV).unwrap() } else { Vec::new() },
        has_pin: entry != EntryMode::Contactless,
    }
}

pub fn approved() -> Approved {
    Approved {
        retrieval: "000000000007".to_owned(),
        batch: 24,
        trace: 403,
        date: "1126".to_owned(),
        authorisation: "A00007".to_owned(),
        terminal: "10000019".to_owned(),
    }
}

/// The bytes in hex, a line for each place where the host writes, and where the MAC begins.
fn sent(settings: &Settings, draft: &Draft) -> String {
    let (tpdu, header) = settings.prefix().unwrap();
    let encoded = encode(draft, tpdu, header).unwrap();
    let places = encoded.card.iter().map(|(at, part)| format!("\n{part:?} at {at}"));
    format!("{}{}", to_hex(&encoded.bytes), places.collect::<String>())
}

#[test]
fn what_is_sent() {
    let settings = settings(&json!({}));
    for (name, entry) in [
        ("sale_swiped", EntryMode::Swiped),
        ("sale_fallback", EntryMode::Fallback),
        ("sale_chip", EntryMode::Chip),
        ("sale_contactless", EntryMode::Contactless),
        ("sale_contactless_stripe", EntryMode::ContactlessStripe),
        ("sale_keyed", EntryMode::Keyed),
    ] {
        let card = card(entry);
        let draft = settings.sale(&Sent::sale(403, 24, 1_250, &card), &card, NUMBER).unwrap();
        assert_snapshot!(name, sent(&settings, &draft));
    }
    for (name, entry) in [("advice_chip", EntryMode::Chip), ("advice_swiped", EntryMode::Swiped)] {
        let card = PresentedCard { has_pin: false, ..card(entry) };
        let sent_then = Sent::stored(409, 24, 1_250, &card, "1126105958".to_owned());
        assert_snapshot!(name, sent(&settings, &settings.advice(&sent_then, &card, NUMBER).unwrap()));
    }
    let chip = card(EntryMode::Chip);
    let sale = Sent::sale(403, 24, 1_250, &chip);
    assert_snapshot!("reversal", sent(&settings, &settings.reversal(&sale, "98", Some(&chip))));
    assert_snapshot!("reversal_without_card", sent(&settings, &settings.reversal(&sale, "A0", None)));
    let void = Sent::about(404, 24, 1_250, &approved());
    assert_snapshot!("void", sent(&settings, &settings.void(&void, &approved(), &chip)));
    assert_snapshot!("reversal_of_void", sent(&settings, &settings.reversal(&void, "98", Some(&chip))));
    let refund = Sent::about(405, 25, 500, &approved());
    assert_snapshot!("refund", sent(&settings, &settings.refund(&refund, &approved(), &chip, NUMBER)));
    let tally = |minor, count| Tally { minor, count };
    let totals = Totals { debits: tally(125_050, 12), credits: tally(500, 1) };
    assert_snapshot!("settlement", sent(&settings, &settings.settle(406, 24, &totals).unwrap()));
    let row = Listed { trace: 403, minor: 1_250 };
    assert_snapshot!("upload", sent(&settings, &settings.upload(407, 24, &row, Some(&chip))));
    assert_snapshot!("upload_without_card", sent(&settings, &settings.upload(407, 24, &row, None)));
    assert_snapshot!("upload_end", sent(&settings, &settings.finish(408, 24, 13)));
    assert_snapshot!("sign_on", sent(&settings, &settings.sign_on(1, 24)));
}

#[test]
fn what_is_sent_by_settings() {
    let settings = settings(&json!({
        "tpdu": "6005250000", "header": "603100311001", "order_number_field": "62", "serial_number": "3135320-017-687",
    }));
    assert_snapshot!("sign_on_with_serial_number", sent(&settings, &settings.sign_on(1, 1)));
    let four =
        self::settings(&json!({ "mac": "aes-cmac", "pin_format": "iso-4", "security_control": "2400000000000000" }));
    let chip = card(EntryMode::Chip);
    let draft = four.sale(&Sent::sale(403, 24, 1_250, &chip), &chip, NUMBER).unwrap();
    assert_snapshot!("sale_pin_format_4", sent(&four, &draft));
    let keyed = card(EntryMode::Keyed);
    let draft = settings.sale(&Sent::sale(999_999, 1, 1, &keyed), &keyed, NUMBER).unwrap();
    assert_snapshot!("sale_with_order_number", sent(&settings, &draft));
}

#[test]
fn cards_that_cannot_be_charged() {
    let settings = settings(&json!({}));
    type Spoil = fn(&mut PresentedCard);
    let rows: [(EntryMode, Spoil, &str); 3] = [
        (EntryMode::Swiped, |card| card.track_2_length = 0, "no track 2"),
        (EntryMode::Chip, |card| card.emv.clear(), "no data"),
        (EntryMode::Contactless, |card| card.emv.resize(256, 0), "255 bytes"),
    ];
    for (entry, spoil, why) in rows {
        let mut card = card(entry);
        spoil(&mut card);
        let refused = settings.sale(&Sent::sale(1, 1, 1, &card), &card, NUMBER).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn totals_fit_or_are_refused() {
    let settings = settings(&json!({}));
    let totals = |minor, count| Totals { debits: Tally { minor, count }, credits: Tally::default() };
    for (minor, count, fits) in
        [(999_999_999_999, 999, true), (1, 1, true), (1_000_000_000_000, 1, false), (1, 1_000, false), (-1, 1, false)]
    {
        assert_eq!(settings.settle(1, 1, &totals(minor, count)).is_ok(), fits, "{minor} {count}");
    }
}

#[test]
fn what_an_answer_says_of_totals() {
    let tally = |minor, count| Tally { minor, count };
    let ours = Totals { debits: tally(1_250, 1), credits: tally(500, 2) };
    let home = "000000001250001000000000500002";
    let nothing = "0".repeat(30);
    let theirs = Totals { debits: tally(1_251, 1), credits: tally(500, 2) };
    for (said, expected) in [
        (format!("{home}1{nothing}1"), Some(Compared::Equal)),
        (format!("{home}2{nothing}1"), Some(Compared::Unequal(None))),
        (format!("{home}1{nothing}2"), Some(Compared::Unequal(None))),
        (format!("{home}3{nothing}1"), Some(Compared::Unequal(None))),
        (format!("{}2{nothing}1", home.replace("1250", "1251")), Some(Compared::Unequal(Some(theirs)))),
        // Others than ours, and called equal.
        (format!("{}1{nothing}1", home.replace("1250", "1251")), None),
        (format!("{home}1{}1", nothing.replacen('0', "1", 1)), None),
        (format!("{home}0{nothing}0"), None),
        (format!("{home}4{nothing}1"), None),
        (format!("{home}1{nothing}"), None),
        (format!("{home}1{nothing}x"), None),
        (String::new(), None),
    ] {
        assert_eq!(compared(&said, &ours), expected, "{said}");
    }
}

#[test]
fn references_are_read_as_they_were_written() {
    let text = approved().text();
    assert_eq!(text, "000000000007/000024/000403/1126/A00007/10000019");
    assert_eq!(Approved::from_text(&text), Some(approved()));
    let slashed = Approved { authorisation: String::new(), terminal: "1/0/0019".to_owned(), ..approved() };
    assert_eq!(Approved::from_text(&slashed.text()), Some(slashed));
    for other in ["", "4200002345", "000000000007/24/403/1126/A00007/10000019", "a/b/c/d/e/f"] {
        assert_eq!(Approved::from_text(other), None, "{other}");
    }
}

//! What an acquirer looks at before it asks anybody for money: the card, how it was read, the chip's data. Each refusal is a
//! response code (field 39).

use super::codec::Message;

/// The largest sale: 50,000.00 yuan.
pub const AMOUNT_MAX: i64 = 5_000_000;

/// What the chip must have said (UnionPay's POS specification, field 55 of a sale).
const CHIP_TAGS: [u32; 13] =
    [0x9f26, 0x9f27, 0x9f10, 0x9f37, 0x9f36, 0x95, 0x9a, 0x9c, 0x9f02, 0x5f2a, 0x82, 0x9f1a, 0x9f33];

/// A card as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub number: String,
    /// Year and month.
    pub expiry: String,
}

/// The card of a message: its number from field 2 or from track 2, which must agree.
///
/// # Errors
/// 30 if there is none; 14 for a number that is no card's.
pub fn card(message: &Message) -> Result<Shown, &'static str> {
    let (number, track) = (message.text(2), message.text(35));
    let (on_track, rest) = track.split_once('D').unwrap_or_default();
    if number.is_empty() && on_track.is_empty() || !number.is_empty() && !on_track.is_empty() && number != on_track {
        return Err("30");
    }
    let number = if number.is_empty() { on_track } else { number };
    let expiry = if message.has(14) { message.text(14) } else { rest.get(..4).unwrap_or_default() };
    if !is_card_number(number) {
        return Err("14");
    }
    Ok(Shown { number: number.to_owned(), expiry: expiry.to_owned() })
}

/// Whether the entry mode (field 22), what came with it, and the card fit each other. `this_month`: year and month, `YYMM`.
///
/// # Errors
/// 30, 45 (the stripe of a card with a chip), 54 (expired).
pub fn entry(message: &Message, card: &Shown, this_month: &str) -> Result<(), &'static str> {
    let (mode, track) = (message.text(22), message.text(35));
    let (how, pin) = mode.split_at_checked(2).ok_or("30")?;
    let has_pin = message.has(52);
    if pin != if has_pin { "1" } else { "2" } || has_pin != message.has(26) || has_pin && !message.has(53) {
        return Err("30");
    }
    let has_chip = match how {
        "01" => false,
        // The stripe, of a chip card only where the terminal says that the chip failed (60.5).
        "02" | "90" => {
            let service = track.split_once('D').and_then(|(_, rest)| rest.get(4..5)).ok_or("30")?;
            if matches!(service, "2" | "6") && message.text(60).get(12..13) != Some("2") {
                return Err("45");
            }
            false
        }
        "91" if !track.is_empty() => false,
        "05" | "07" => true,
        _ => return Err("30"),
    };
    if has_chip != message.has(55) || how == "01" && (!message.has(2) || !message.has(14)) {
        return Err("30");
    }
    if has_chip {
        chip(message)?;
    }
    // Nobody's card is older than half a century, so the year's two digits are of this one.
    if card.expiry.as_str() < this_month { Err("54") } else { Ok(()) }
}

/// Field 55 has what is asked for, and is about this amount.
fn chip(message: &Message) -> Result<(), &'static str> {
    let tags = message.fields.get(&55).and_then(|data| tags(data)).ok_or("30")?;
    if CHIP_TAGS.iter().any(|wanted| !tags.iter().any(|(tag, _)| tag == wanted)) {
        return Err("30");
    }
    let amount = tags.iter().find(|(tag, _)| *tag == 0x9f02).map(|(_, value)| hex::encode(value));
    if amount.as_deref() == Some(message.text(4)) { Ok(()) } else { Err("30") }
}

/// BER-TLV, one level of it: tags of one or two bytes, lengths of one or two.
fn tags(mut data: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut found = Vec::new();
    while let [first, rest @ ..] = data {
        data = rest;
        let mut tag = u32::from(*first);
        if first & 0x1f == 0x1f {
            let (next, rest) = data.split_first()?;
            tag = tag << 8 | u32::from(*next);
            data = rest;
        }
        let (len, rest) = match data {
            [0x81, len, rest @ ..] | [len @ ..=0x7f, rest @ ..] => (usize::from(*len), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(len)?;
        found.push((tag, value));
        data = rest;
    }
    Some(found)
}

/// A positive amount within limits, in minor units.
///
/// # Errors
/// 30, 13 (nothing), 61 (too much).
pub fn amount(message: &Message) -> Result<i64, &'static str> {
    if message.text(49) != "156" {
        return Err("30");
    }
    match message.text(4).parse::<i64>() {
        Err(_) => Err("30"),
        Ok(0) => Err("13"),
        Ok(minor) if minor > AMOUNT_MAX => Err("61"),
        Ok(minor) => Ok(minor),
    }
}

/// 13 to 19 digits whose last makes the sum right (ISO/IEC 7812-1, annex B).
fn is_card_number(text: &str) -> bool {
    let digits = text.bytes().rev().enumerate().map(|(idx, byte)| {
        let digit = u32::from(byte.wrapping_sub(b'0')) << (idx % 2);
        if digit > 9 { digit - 9 } else { digit }
    });
    (13..=19).contains(&text.len()) && digits.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const CHIP: &str = "9F260811223344556677889F2701809F100807010103A00000019F3704112233449F36020001950500000000009A03261126\
        9C01009F02060000000012505F2A02015682027C009F1A0201569F3303E0E1C8";

    fn message(fields: &[(u8, &str)]) -> Message {
        let bytes = |field: u8, text: &str| {
            if matches!(field, 52 | 55) { hex::decode(text).expect("hex") } else { text.as_bytes().to_vec() }
        };
        let fields: BTreeMap<u8, Vec<u8>> = fields.iter().map(|(field, text)| (*field, bytes(*field, text))).collect();
        Message { to: [0; 2], from: [0; 2], header: [0; 6], kind: "0200".to_owned(), fields }
    }

    #[test]
    fn cards_and_how_they_were_read() {
        let (number, track) = ("4012345678909", "4012345678909D30122010000012345");
        let stripe = "4012345678909D30121010000012345";
        let pin = [(26, "12"), (52, "0011223344556677"), (53, "2600000000000000")];
        let with = |more: &[(u8, &str)]| {
            let mut fields = vec![(4, "000000001250"), (60, "22000001000500")];
            fields.extend_from_slice(more);
            message(&fields)
        };
        let rows: &[(Message, Result<(), &str>)] = &[
            (with(&[(2, number), (14, "3012"), (22, "012")]), Ok(())),
            (with(&[(2, number), (22, "012")]), Err("30")),
            (with(&[(2, number), (14, "2610"), (22, "012")]), Err("54")),
            (with(&[(2, "4012345678908"), (14, "3012"), (22, "012")]), Err("14")),
            (with(&[(2, "5555555555554444"), (35, stripe), (22, "022")]), Err("30")),
            (with(&[(35, stripe), (22, "022")]), Ok(())),
            (with(&[(35, track), (22, "022")]), Err("45")),
            (with(&[(35, track), (22, "022"), (60, "22000001000520")]), Ok(())),
            (with(&[(35, stripe), (22, "021")]), Err("30")),
            (with(&[&[(35, stripe), (22, "021")], &pin[..]].concat()), Ok(())),
            (with(&[&[(35, stripe), (22, "022")], &pin[..]].concat()), Err("30")),
            (with(&[(2, number), (14, "3012"), (22, "052"), (55, CHIP)]), Ok(())),
            (with(&[(2, number), (14, "3012"), (22, "072"), (55, CHIP)]), Ok(())),
            (with(&[(2, number), (14, "3012"), (22, "052"), (55, &CHIP[..100])]), Err("30")),
            (with(&[(2, number), (14, "3012"), (22, "052"), (55, CHIP), (4, "000000001251")]), Err("30")),
            (with(&[(2, number), (14, "3012"), (22, "052")]), Err("30")),
            (with(&[(2, number), (14, "3012"), (22, "002")]), Err("30")),
            (with(&[(22, "012")]), Err("30")),
        ];
        for (idx, (message, expected)) in rows.iter().enumerate() {
            let checked = card(message).and_then(|card| entry(message, &card, "2611"));
            assert_eq!(checked, *expected, "row {idx}");
        }
    }

    #[test]
    fn amounts() {
        for (text, currency, expected) in [
            ("000000001250", "156", Ok(1_250)),
            ("000005000000", "156", Ok(AMOUNT_MAX)),
            ("000005000001", "156", Err("61")),
            ("000000000000", "156", Err("13")),
            ("", "156", Err("30")),
            ("000000001250", "840", Err("30")),
        ] {
            assert_eq!(amount(&message(&[(4, text), (49, currency)])), expected);
        }
    }
}

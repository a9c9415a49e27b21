//! What was sent or stored once must be readable for ever, and come out the same: the golden vectors of both sides.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;

use saoma_protocol::{
    Millis, Sequence, TenantId, TerminalId,
    api::{CardDigits, CardEntry},
    journal::{CoreTime, Entry, EntryError, GENESIS, Method, PAYLOAD_LEN_MAX, Record, Stamp, signed_bytes},
    message::{Envelope, Health, JournalAck, JournalBatch, MESSAGE_LEN_MAX, MessageError, Presence, Push, PushAck},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
struct JournalVector {
    entry: Entry,
    hash: String,
}

fn journal_vector() -> JournalVector {
    serde_json::from_str(include_str!("../vectors/journal-1.json")).unwrap()
}

#[test]
fn the_hash_of_an_entry_is_what_an_independent_implementation_computed() {
    let JournalVector { entry, hash } = journal_vector();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let Record::CashSale {
        payment,
        counter,
        amount,
        tendered_minor,
        goods,
        cashier,
        split: None,
        quote: None,
        reference: None,
    } = entry.checked(GENESIS).unwrap()
    else {
        panic!("the vector is a cash sale")
    };
    assert_eq!((counter, amount.minor(), tendered_minor), (Sequence(7), 1250, 2000));
    assert_eq!((goods[0].name.as_str(), cashier.as_str()), ("奶茶", "Li"));
    let tenant = TenantId::from_bytes([1; 16]);
    assert_eq!(payment, saoma_protocol::PaymentId::for_sale(tenant, TerminalId::from_bytes([2; 16]), counter));
}

#[test]
fn an_entry_we_write_today_is_the_vector() {
    let JournalVector { entry, .. } = journal_vector();
    let again = Entry::new(entry.sequence, entry.at, GENESIS, entry.record().unwrap()).unwrap();
    assert_eq!(again, entry);
}

/// A shift, from signing on to the close, each entry hanging on the one before.
#[test]
fn the_records_of_a_shift_are_those_of_format_2() {
    let vectors: Vec<JournalVector> = serde_json::from_str(include_str!("../vectors/journal-2.json")).unwrap();
    let mut before = GENESIS;
    for JournalVector { entry, hash } in &vectors {
        assert_eq!(&data_encoding::HEXLOWER.encode(&entry.hash()), hash, "{}", entry.payload);
        let record = entry.checked(before).unwrap();
        assert_eq!(record.version(), 2);
        assert_eq!(&Entry::new(entry.sequence, entry.at, before, record).unwrap(), entry);
        before = entry.hash();
    }
    let Record::ShiftClosed { batch, counted, expected, .. } = vectors.last().unwrap().entry.record().unwrap() else {
        panic!("the last closes the batch")
    };
    assert_eq!((batch, counted.minor(), expected.minor()), (Sequence(3), 54_900, 55_000));
}

#[test]
fn lines_with_discounts_and_taxes_are_of_format_3_and_cost_what_was_paid() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-3.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!(Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap(), entry);
    let Record::CashSale { amount, goods, .. } = record else { panic!("the vector is a cash sale") };
    assert_eq!(saoma_protocol::pricing::totals(&goods).unwrap().total_minor, amount.minor());
}

/// A core that knows no splits must not stop at one: it takes the part for a sale of its own.
#[test]
fn a_part_of_a_split_is_of_format_1_and_its_goods_come_to_the_total() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-1-split.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!((record.version(), Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap()), (1, entry));
    let Record::CashSale { amount, goods, split: Some(part), .. } = record else { panic!("the vector is a part") };
    assert_eq!((amount.minor(), goods.len(), part.of, part.part), (5_000, 0, Sequence(7), 1));
    assert_eq!(saoma_protocol::pricing::totals(&part.goods).unwrap().total_minor, part.total.minor());
    assert_eq!(part.reference(None), "split 7-1");
    assert_eq!(part.reference(Some("桌 7")), "桌 7 · split 7-1");
}

/// A core that knows none takes the sale without it.
#[test]
fn a_sale_with_a_tables_number_is_of_format_1() {
    let JournalVector { entry, hash } =
        serde_json::from_str(include_str!("../vectors/journal-1-reference.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!((record.version(), Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap()), (1, entry));
    let Record::CashSale { reference, .. } = record else { panic!("the vector is a cash sale") };
    assert_eq!(reference.as_deref(), Some("包厢 3"));
}

#[test]
fn a_sale_by_card_is_of_format_4() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-4.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!(Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap(), entry);
    assert!(matches!(record, Record::SaleKeyed { method: Method::Card, .. }));
}

#[test]
fn a_sale_that_an_offline_code_paid_is_of_format_5() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-5.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!(Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap(), entry);
    let Record::OfflineSale { code, amount, .. } = record else { panic!("the vector is an offline sale") };
    // A space is a character of it.
    assert!(code.starts_with("OPC1:") && code.contains(' '));
    assert_eq!(amount.minor(), 1_250);
}

#[test]
fn a_card_sale_that_waits_to_be_forwarded_is_of_format_6() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-6.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!(Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap(), entry);
    let printed = format!("{record:?}");
    let Record::StoredCardSale { amount, card, digits, .. } = record else { panic!("the vector is a stored sale") };
    assert_eq!((amount.minor(), card.entry, &card.pin), (1_250, CardEntry::Chip, &None));
    assert_eq!(Some(digits), CardDigits::of_masked("401234***8909"));
    assert!(!printed.contains(&card.number) && !printed.contains(&card.ksn), "{printed}");
    let kept = entry.payload_without_card();
    let secrets = [Some(card.number), Some(card.ksn), card.track_2, card.emv];
    assert!(secrets.iter().flatten().all(|secret| !kept.contains(secret.as_str())), "{kept}");
    assert!(matches!(Entry { payload: kept.into_owned(), ..entry }.record(), Ok(Record::StoredCardSale { .. })));
}

#[test]
fn a_sale_of_a_quoted_amount_is_of_format_7_and_its_goods_come_to_what_was_asked_about() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-7.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!((record.version(), Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap()), (7, entry));
    let Record::CashSale { amount, goods, quote: Some(quote), .. } = record else { panic!("the vector is quoted") };
    assert_eq!((amount.minor(), quote.asked_minor, quote.adjustments[0].minor), (800, 1_000, -200));
    assert!(saoma_protocol::pricing::check_amount(&goods, quote.asked_minor).is_ok());
    assert!(saoma_protocol::pricing::check_amount(&goods, amount.minor()).is_err());
}

/// The version is the record's own: whoever knows that reads it, as before there were stamps.
#[test]
fn an_entry_says_what_time_it_was_at_core_under_its_hash_and_who_does_not_know_that_reads_past_it() {
    #[derive(Deserialize)]
    struct OfBefore {
        v: u16,
        record: Record,
    }
    let vectors: Vec<JournalVector> = serde_json::from_str(include_str!("../vectors/journal-stamped-1.json")).unwrap();
    let core = Millis(1_790_000_000_000);
    let stamp = |machine, core| Stamp { machine: Millis(machine), core };
    let stamps = [stamp(5_000, CoreTime::At(core)), stamp(6_000, CoreTime::Unknown)];
    let mut before = GENESIS;
    for (JournalVector { entry, hash }, expected) in vectors.iter().zip(stamps) {
        assert_eq!(&data_encoding::HEXLOWER.encode(&entry.hash()), hash, "{}", entry.payload);
        let record = entry.checked(before).unwrap();
        assert_eq!(entry.stamp(), expected);
        assert_eq!(&Entry::new(entry.sequence, expected, before, record.clone()).unwrap(), entry);
        let old: OfBefore = serde_json::from_str(&entry.payload).unwrap();
        assert_eq!((old.v, &old.record), (record.version(), &record));
        let moved = Entry { payload: entry.payload.replace("1790000000000", "1790000000001"), ..entry.clone() };
        assert_eq!(moved.hash() == entry.hash(), expected.core == CoreTime::Unknown);
        before = entry.hash();
    }
    assert_eq!(journal_vector().entry.stamp(), Stamp::from(Millis(1_790_000_000_000)));
    let unreadable = Entry { payload: "{".to_owned(), ..journal_vector().entry };
    assert_eq!(unreadable.stamp().core, CoreTime::Unsaid);
}

#[test]
fn a_moment_is_cores_as_soon_as_the_machines_clock_is_known_to_be_wrong() {
    let core = Millis(1_790_000_000_000);
    for (machine, known, at, is_wrong) in [
        (core.plus(30_000), CoreTime::At(core), core.plus(30_000), false),
        (core.plus(30_001), CoreTime::At(core), core, true),
        (core.plus(-30_000), CoreTime::At(core), core.plus(-30_000), false),
        (core.plus(-30_001), CoreTime::At(core), core, true),
        (Millis(0), CoreTime::At(core), core, true),
        (Millis(i64::MIN), CoreTime::At(Millis(i64::MAX)), Millis(i64::MAX), true),
        (Millis(0), CoreTime::Unknown, Millis(0), false),
        (Millis(0), CoreTime::Unsaid, Millis(0), false),
    ] {
        let stamp = Stamp { machine, core: known };
        assert_eq!((stamp.at(), stamp.is_machine_wrong()), (at, is_wrong), "{stamp:?}");
    }
}

#[test]
fn goods_that_were_weighed_are_of_format_8() {
    let JournalVector { entry, hash } = serde_json::from_str(include_str!("../vectors/journal-8.json")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&entry.hash()), hash);
    let record = entry.checked(GENESIS).unwrap();
    assert_eq!((record.version(), Entry::new(entry.sequence, entry.at, GENESIS, record.clone()).unwrap()), (8, entry));
    let Record::CashSale { amount, goods, .. } = &record else { panic!("the vector is a cash sale") };
    assert_eq!(goods[0].weight_grams, Some(saoma_protocol::Grams(456)));
    assert!(saoma_protocol::pricing::check_amount(goods, amount.minor()).is_ok());
    // Of a split, what is sold stands in its first part.
    let Record::CashSale { payment, counter, tendered_minor, cashier, .. } = record.clone() else { return };
    let part = saoma_protocol::journal::SplitPart { of: counter, part: 1, total: *amount, goods: goods.clone() };
    let (amount, goods, split) = (*amount, Vec::new(), Some(part));
    let part = Record::CashSale {
        payment,
        counter,
        amount,
        tendered_minor,
        goods,
        cashier,
        split,
        quote: None,
        reference: None,
    };
    assert_eq!(part.version(), 8);
}

#[test]
fn what_a_terminal_signs_of_an_entry_is_what_an_independent_implementation_signed() {
    #[derive(Deserialize)]
    struct SignatureVector {
        tenant: String,
        terminal: String,
        public_key: String,
        signed: String,
        entry: Entry,
    }
    let vector: SignatureVector = serde_json::from_str(include_str!("../vectors/journal-signature-1.json")).unwrap();
    let bytes = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let id = |text: &str| <[u8; 16]>::try_from(bytes(text)).unwrap();
    let (tenant, terminal) = (TenantId::from_bytes(id(&vector.tenant)), TerminalId::from_bytes(id(&vector.terminal)));
    let hash = vector.entry.hash();
    assert_eq!(hash, journal_vector().entry.hash(), "the hash does not cover it");
    let signed = signed_bytes(tenant, terminal, vector.entry.sequence, &hash);
    assert_eq!(data_encoding::HEXLOWER.encode(&signed), vector.signed);
    let signature = vector.entry.signature.unwrap();
    assert_eq!(signature.value.len(), 86);
    #[cfg(feature = "offline-codes")]
    {
        let key = bytes(&vector.public_key);
        assert!(signature.fits(&key, &signed));
        for other in [
            signed_bytes(TenantId::from_bytes([9; 16]), terminal, Sequence(1), &hash),
            signed_bytes(tenant, TerminalId::from_bytes([9; 16]), Sequence(1), &hash),
            signed_bytes(tenant, terminal, Sequence(2), &hash),
            signed_bytes(tenant, terminal, Sequence(1), &GENESIS),
        ] {
            assert!(!signature.fits(&key, &other));
        }
        let other =
            |value: &str| saoma_protocol::journal::EntrySignature { value: value.to_owned(), ..signature.clone() };
        for value in ["", "!", &signature.value[4..], &signature.value.replace(&signature.value[..2], "AA")] {
            assert!(!other(value).fits(&key, &signed), "{value}");
        }
        assert!(!signature.fits(&key[1..], &signed));
    }
}

#[test]
fn of_a_cards_number_six_and_four_digits_are_told() {
    for (masked, digits) in [
        ("622848*********0018", Some(("622848", "0018"))),
        ("62284*********0018", None),
        ("622848*********018", None),
        ("62284x*********0018", None),
        ("6228480018", None),
    ] {
        assert_eq!(CardDigits::of_masked(masked), digits.map(|(first, last)| CardDigits::new(first, last).unwrap()));
    }
}

#[test]
fn a_changed_entry_is_noticed() {
    let JournalVector { entry, .. } = journal_vector();
    let hash = entry.hash();
    let changed = |change: fn(&mut Entry)| {
        let mut entry = entry.clone();
        change(&mut entry);
        entry
    };
    for other in [
        changed(|entry| entry.sequence = Sequence(2)),
        changed(|entry| entry.at.0 += 1),
        changed(|entry| entry.prev_hash.replace_range(..1, "1")),
        changed(|entry| entry.payload = entry.payload.replace("1250", "1251")),
    ] {
        assert_ne!(other.hash(), hash, "{other:?}");
    }
    assert_eq!(entry.checked([1; 32]), Err(EntryError::BrokenChain { sequence: Sequence(1) }));
    let newer = changed(|entry| entry.payload = entry.payload.replace(r#""v":1"#, r#""v":9"#));
    assert_eq!(newer.checked(GENESIS), Err(EntryError::Newer { sequence: Sequence(1), version: 9 }));
    let unreadable = changed(|entry| entry.payload = "{".to_owned());
    assert!(matches!(unreadable.checked(GENESIS), Err(EntryError::Unreadable { .. })));
    let long = changed(|entry| entry.payload = " ".repeat(PAYLOAD_LEN_MAX + 1));
    assert!(matches!(long.checked(GENESIS), Err(EntryError::TooLong { .. })));
}

#[derive(Deserialize)]
struct MessageVector {
    kind: String,
    bytes: Value,
}

fn reads_back<T: Serialize + for<'de> Deserialize<'de>>(name: &str, golden: &Value) {
    let envelope =
        Envelope::<T>::decode(golden.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again: Value = serde_json::from_slice(&envelope.encode().unwrap()).unwrap();
    assert_eq!(&again, golden, "{name}");
}

#[test]
fn every_message_reads_back_to_the_same_bytes() {
    let vectors: BTreeMap<String, MessageVector> =
        serde_json::from_str(include_str!("../vectors/messages-1.json")).unwrap();
    for (name, MessageVector { kind, bytes }) in &vectors {
        match kind.as_str() {
            "push" => reads_back::<Push>(name, bytes),
            "push_ack" => reads_back::<PushAck>(name, bytes),
            "journal_batch" => reads_back::<JournalBatch>(name, bytes),
            "journal_ack" => reads_back::<JournalAck>(name, bytes),
            "health" => reads_back::<Health>(name, bytes),
            "presence" => reads_back::<Presence>(name, bytes),
            other => panic!("{name} is of the unknown kind {other}"),
        }
    }
}

#[test]
fn other_bytes_are_refused_with_the_reason() {
    let decode = |bytes: &[u8]| Envelope::<Presence>::decode(bytes);
    assert!(matches!(decode(b"\xff\x00"), Err(MessageError::Unreadable(_))));
    assert!(matches!(decode(br#"{"body":{"online":true}}"#), Err(MessageError::Unreadable(_))));
    assert!(matches!(decode(br#"{"v":2,"body":{"offline":1}}"#), Err(MessageError::Version(2))));
    assert!(matches!(decode(br#"{"v":1,"body":{"offline":1}}"#), Err(MessageError::Unreadable(_))));
    assert!(matches!(decode(&vec![b' '; MESSAGE_LEN_MAX + 1]), Err(MessageError::TooLong(_))));
    // A newer core may say more; an older terminal must not stumble over it.
    assert!(decode(br#"{"v":1,"later":"x","body":{"online":true,"later":"x"}}"#).unwrap().body.online);
}

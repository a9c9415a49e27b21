//! Entries of the journal as JSON Lines and CSV, for an accountant or a person who looks for a sale. Pure.
//!
//! An offline code that paid stands there as its issuer's key, the mark of its grant, and its counter; a card that was sold to without a
//! network as the first and last digits of its number.
//! The journal holds no other code of a customer and no key. What a person typed (goods, reasons, names) might hold a card's
//! number all the same: each run of digits that could be one is masked. So an export does not prove a chain; `journal
//! verify` does, and the hash of each entry says which one a line is.

use saoma_protocol::{
    Grams,
    code::offline::Code,
    journal::{CoreTime, Entry, EntryError, Stamp},
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The columns of a CSV export, in order. Amounts are in minor units, beside their currency.
pub const COLUMNS: [&str; 32] = [
    "sequence",
    "at",
    "kind",
    "payment",
    "counter",
    "refund",
    "batch",
    "amount_minor",
    "currency",
    "state",
    "amount_refunded_minor",
    "method",
    "void",
    "tendered_minor",
    "float_minor",
    "counted_minor",
    "expected_minor",
    "cashier",
    "cashier_number",
    "approved_by",
    "approved_by_id",
    "reason",
    "goods",
    "discount_minor",
    "split_number",
    "split_part",
    "split_total_minor",
    "hash",
    "signed_by",
    "signature",
    "core_ms",
    "reference",
];

/// Shortest and longest number of a card (ISO/IEC 7812-1, section 4: up to 19; schemes begin at 12).
const CARD_LEN_MIN: usize = 12;
const CARD_LEN_MAX: usize = 19;
/// What PCI DSS lets stand of one (requirement 3.4.1).
const SHOWN_FIRST: usize = 6;
const SHOWN_LAST: usize = 4;

/// One entry, as an object on one line. `at`: its time as people read it.
///
/// # Errors
/// As [`Entry::record`].
pub fn json_line(entry: &Entry, at: &str) -> Result<Value, EntryError> {
    Ok(json!({
        "sequence": entry.sequence,
        "at": at,
        "at_ms": entry.at,
        "core_time": entry.stamp().core,
        "record": record(entry)?,
        "prev_hash": entry.prev_hash,
        "hash": hex::encode(entry.hash()),
        "signature": entry.signature,
    }))
}

/// One entry, as the cells of [`COLUMNS`], quoted where that is needed (RFC 4180).
///
/// # Errors
/// As [`Entry::record`].
pub fn csv_line(entry: &Entry, at: &str) -> Result<String, EntryError> {
    let record = record(entry)?;
    let signature = entry.signature.as_ref();
    let cells = COLUMNS.map(|column| match column {
        "sequence" => entry.sequence.to_string(),
        "at" => at.to_owned(),
        "core_ms" => match entry.stamp() {
            Stamp { core: CoreTime::At(core), .. } => core.0.to_string(),
            Stamp { core: CoreTime::Unknown | CoreTime::Unsaid, .. } => String::new(),
        },
        "hash" => hex::encode(entry.hash()),
        "signed_by" => signature.map_or_else(String::new, |signature| quoted(&signature.certificate)),
        "signature" => signature.map_or_else(String::new, |signature| quoted(&signature.value)),
        column => quoted(&cell(&record, column)),
    });
    Ok(cells.join(","))
}

fn cell(record: &Value, column: &str) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let split = &record["split"];
    // The first part of a split has the lines of the whole.
    let goods = record["goods"].as_array().filter(|goods| !goods.is_empty()).or(split["goods"].as_array());
    let goods = goods.map(Vec::as_slice).unwrap_or_default();
    match column {
        "goods" => {
            let much = |line: &Value| match line["weight_grams"].as_u64().and_then(|grams| u32::try_from(grams).ok()) {
                Some(grams) => Grams(grams).to_string(),
                None => text(&line["quantity"]),
            };
            let lines = goods.iter().map(|line| format!("{} x {}", much(line), text(&line["name"])));
            return lines.collect::<Vec<_>>().join("; ");
        }
        // Off each line, and off all of it. Empty where nothing was.
        "discount_minor" => {
            let off = |line: &Value| {
                ["discount_minor", "sale_discount_minor"].iter().filter_map(|name| line[name].as_i64()).sum::<i64>()
            };
            let minor = goods.iter().map(off).fold(0_i64, i64::saturating_add);
            return if minor == 0 { String::new() } else { minor.to_string() };
        }
        "split_number" => return text(&split["of"]),
        "split_part" => return text(&split["part"]),
        "split_total_minor" => return text(&split["total"]["minor"]),
        _ => {}
    }
    if column == "currency" {
        let money = ["amount", "float", "counted"].iter().find_map(|name| record[name].get("currency"));
        return money.map(text).unwrap_or_default();
    }
    if let Some(part) = match column {
        "approved_by" => Some("name"),
        "approved_by_id" => Some("id"),
        _ => None,
    } {
        return text(&record["approved_by"][part]);
    }
    let whole = &record[column];
    let minor = column.strip_suffix("_minor").map(|name| &record[name]["minor"]);
    text(if whole.is_null() { minor.unwrap_or(whole) } else { whole })
}

/// A spreadsheet takes a cell that begins like this for a formula.
fn quoted(cell: &str) -> String {
    let is_number = cell.parse::<i64>().is_ok();
    let shown = match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') if !is_number => format!("'{cell}"),
        _ => cell.to_owned(),
    };
    if shown.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", shown.replace('"', "\"\"")) } else { shown }
}

fn record(entry: &Entry) -> Result<Value, EntryError> {
    // As this side understands it: what it does not know is not handed out.
    let record = serde_json::to_value(entry.record()?);
    let unreadable =
        |error: serde_json::Error| EntryError::Unreadable { sequence: entry.sequence, why: error.to_string() };
    let mut record = record.map_err(unreadable)?;
    if let Value::Object(fields) = &mut record {
        mask_fields(fields);
        if let Some(code) = fields.get_mut("code") {
            *code = code.as_str().map_or(Value::Null, named_code);
        }
        // Of a card what names it, in `digits`, and how it was read: nothing of what is encrypted.
        if let Some(card) = fields.get_mut("card").and_then(Value::as_object_mut) {
            card.retain(|name, _| name == "entry");
        }
        if let Some(approver) = fields.get_mut("approved_by").and_then(Value::as_object_mut) {
            mask_fields(approver);
        }
        mask_goods(fields);
        if let Some(split) = fields.get_mut("split").and_then(Value::as_object_mut) {
            mask_goods(split);
        }
    }
    Ok(record)
}

/// What names an offline code and cannot be shown again as one.
fn named_code(text: &str) -> Value {
    Code::parse(text).map_or(Value::Null, |code| {
        let grant = code.grant();
        let mark = hex::encode(Sha256::digest(grant.token.0));
        json!({ "issuer": grant.issuer.to_string(), "grant": mark, "counter": code.counter })
    })
}

fn mask_goods(fields: &mut Map<String, Value>) {
    if let Some(goods) = fields.get_mut("goods").and_then(Value::as_array_mut) {
        goods.iter_mut().filter_map(Value::as_object_mut).for_each(mask_fields);
    }
}

fn mask_fields(fields: &mut Map<String, Value>) {
    // All others are numbers, words of ours, and ids.
    for name in ["name", "reason", "reference", "cashier", "cashier_number"] {
        if let Some(Value::String(text)) = fields.get_mut(name) {
            *text = masked(text);
        }
    }
}

/// `text` with each run of digits masked, whatever stands between them that is no letter, that may hold a card's number.
fn masked(text: &str) -> String {
    let mut shown: Vec<char> = text.chars().collect();
    let mut run: Vec<usize> = Vec::new();
    for place in 0..=shown.len() {
        let here = shown.get(place).copied();
        match here {
            Some(digit) if digit.is_numeric() => run.push(place),
            Some(between) if !between.is_alphanumeric() => {}
            _ => {
                if run.len() >= CARD_LEN_MIN {
                    // A longer run is a number with something behind it (a date, a CVV): where the number ends, nobody can say.
                    let hidden =
                        if run.len() > CARD_LEN_MAX { 0..run.len() } else { SHOWN_FIRST..run.len() - SHOWN_LAST };
                    for place in run.get(hidden).unwrap_or_default() {
                        if let Some(digit) = shown.get_mut(*place) {
                            *digit = '*';
                        }
                    }
                }
                run.clear();
            }
        }
    }
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{
        CashierId, Millis, Money, PaymentId, RefundId, Sequence,
        api::Goods,
        journal::{Approver, EntrySignature, GENESIS, Record},
    };

    use super::*;

    #[test]
    fn what_may_be_a_cards_number_is_masked_and_nothing_else_is() {
        for (text, expected) in [
            ("tea", "tea"),
            ("6222021234567890123", "622202*********0123"),
            ("card 4111 1111 1111 1111 paid", "card 4111 11** **** 1111 paid"),
            ("4111-1111-1111-1111", "4111-11**-****-1111"),
            ("茶 4111111111111111", "茶 411111******1111"),
            ("12345678901", "12345678901"),
            ("12 3  456789012345", "12 3  456*****2345"),
            ("4111.1111.1111.1111", "4111.11**.****.1111"),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}11**\u{a0}****\u{a0}1111"),
            ("４１１１１１１１１１１１１１１１", "４１１１１１******１１１１"),
            ("4111111111111111 12/27 123", "**************** **/** ***"),
            ("table 4, 2 teas", "table 4, 2 teas"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn discounts_and_the_parts_of_a_split_have_their_columns() {
        let amount = |minor: i64| json!({"minor": minor, "currency": "CNY"});
        let goods = json!([{"name": "tea", "quantity": 2, "price_minor": 700, "discount_minor": 100,
                            "sale_discount_minor": 20, "tax": null}, {"name": "cup", "quantity": 1, "price_minor": 20,
                            "sale_discount_minor": 1}, {"name": "apples", "quantity": 1, "price_minor": 1280,
                            "weight_grams": 456}]);
        let sale = |goods: &Value, split: Value| {
            let record = json!({"kind": "cash_sale", "payment": PaymentId::from_bytes([7; 16]), "counter": 12,
                                "amount": amount(500), "tendered_minor": 500, "goods": goods, "cashier": "Li", "split": split});
            let entry = Entry::new(Sequence(1), Millis(5), GENESIS, serde_json::from_value(record).unwrap()).unwrap();
            let line = csv_line(&entry, "then").unwrap();
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            let cell = |column| cells[COLUMNS.iter().position(|name| *name == column).unwrap()].clone();
            ["goods", "discount_minor", "split_number", "split_part", "split_total_minor"].map(cell).join("|")
        };
        assert_eq!(sale(&goods, Value::Null), "2 x tea; 1 x cup; 0.456 kg x apples|121|||");
        let part = |part: u32, goods: &Value| json!({"of": 12, "part": part, "total": amount(1_299), "goods": goods});
        assert_eq!(sale(&json!([]), part(1, &goods)), "2 x tea; 1 x cup; 0.456 kg x apples|121|12|1|1299");
        assert_eq!(sale(&json!([]), part(2, &json!([]))), "||12|2|1299");
    }

    #[test]
    fn a_sale_on_a_line_of_each_kind() {
        let sold = Record::CashSale {
            payment: PaymentId::from_bytes([7; 16]),
            counter: Sequence(3),
            amount: serde_json::from_value(json!({"minor": 1250, "currency": "CNY"})).unwrap(),
            tendered_minor: 2000,
            goods: vec![Goods::plain("=tea, \"green\"".to_owned(), 2, 625)],
            cashier: "-Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        };
        let mut entry = Entry::new(Sequence(1), Millis(5), GENESIS, sold).unwrap();
        entry.signature = Some(EntrySignature { certificate: "ab01".to_owned(), value: "-Aw".to_owned() });
        let line = csv_line(&entry, "then").unwrap();
        let payment = PaymentId::from_bytes([7; 16]);
        let hash = hex::encode(entry.hash());
        let expected = format!(
            "1,then,cash_sale,{payment},3,,,1250,CNY,,,,,2000,,,,'-Li,,,,,\"2 x =tea, \"\"green\"\"\",,,,,{hash},ab01,'-Aw,,"
        );
        assert_eq!(line, expected);
        let object = json_line(&entry, "then").unwrap();
        assert_eq!((&object["record"]["amount"]["minor"], &object["hash"]), (&json!(1250), &json!(hash)));
        assert_eq!(object["signature"], json!({"certificate": "ab01", "value": "-Aw"}));

        let float = Money::new(5000, "CNY".parse().unwrap());
        let opened =
            Record::ShiftOpened { batch: Sequence(1), cashier: "Li".to_owned(), cashier_number: "7".to_owned(), float };
        let entry = Entry::new(Sequence(2), Millis(5), entry.hash(), opened).unwrap();
        let hash = hex::encode(entry.hash());
        assert_eq!(
            csv_line(&entry, "then").unwrap(),
            format!("2,then,shift_opened,,,,1,,CNY,,,,,,5000,,,Li,7,,,,,,,,,{hash},,,,")
        );

        let approver = Approver { id: CashierId::from_bytes([8; 16]), name: "吴 4111111111111111".to_owned() };
        let refund = Record::CashRefund {
            refund: RefundId::from_bytes([9; 16]),
            payment: PaymentId::from_bytes([7; 16]),
            amount: serde_json::from_value(json!({"minor": 300, "currency": "CNY"})).unwrap(),
            void: false,
            cashier: "Li".to_owned(),
            approved_by: Some(approver.clone()),
        };
        let entry = Entry::new(Sequence(3), Millis(5), entry.hash(), refund).unwrap();
        let (hash, refund) = (hex::encode(entry.hash()), RefundId::from_bytes([9; 16]));
        let id = approver.id;
        assert_eq!(
            csv_line(&entry, "then").unwrap(),
            format!(
                "3,then,cash_refund,{payment},,{refund},,300,CNY,,,,,,,,,Li,,吴 411111******1111,{id},,,,,,,{hash},,,,"
            )
        );
        let object = json_line(&entry, "then").unwrap();
        assert_eq!(object["record"]["approved_by"], json!({ "id": id, "name": "吴 411111******1111" }));
    }
}

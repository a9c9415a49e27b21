//! A page of the scheme's bill.

use saoma_channel_sdk::{BillKind, BillLine, BillPage, BillRow, Error, is_garbled, no_answer, not_sent, text};
use serde::Deserialize;
use serde_json::Value;

use super::read::{parsed, refusal, said};

#[derive(Deserialize)]
struct BillMessage {
    rows: Vec<Value>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct BillRowMessage {
    order_number: String,
    refund_number: Option<String>,
    reference: String,
    amount: String,
    fee: String,
    currency: String,
    at: i64,
}

/// One page of a bill, in the encoding that its `content_type` names. A row that cannot be read is handed on as it stands: it
/// costs itself alone.
///
/// # Errors
/// `not-sent` for a day that the scheme refuses, `no-answer` for a page that cannot be read.
pub fn read_bill(status: u16, content_type: &str, body: &[u8]) -> Result<BillPage, Error> {
    if status != 200 {
        let refusal = refusal(status, body)?;
        return Err(if (400..500).contains(&status) { not_sent(refusal.words()) } else { no_answer(refusal.words()) });
    }
    let bill: BillMessage = parsed(text(body, content_type)?.as_bytes())?;
    let lines = bill.rows.into_iter().map(bill_line).collect();
    Ok(BillPage { lines, next_cursor: bill.next_cursor })
}

fn bill_line(row: Value) -> BillLine {
    let text = row.to_string();
    let read = serde_json::from_value(row).ok().and_then(|row| bill_row(row).ok());
    read.map_or(BillLine::Unreadable(text), BillLine::Row)
}

fn bill_row(row: BillRowMessage) -> Result<BillRow, Error> {
    let texts = [Some(&row.order_number), row.refund_number.as_ref(), Some(&row.reference)];
    if texts.into_iter().flatten().any(|text| is_garbled(text)) {
        return Err(no_answer("the row is garbled"));
    }
    let amount_minor = said(&row.amount, &row.currency)?.minor;
    let kind = match (&row.refund_number, amount_minor) {
        (Some(_), _) => BillKind::Refund,
        (None, ..0) => BillKind::Reversal,
        (None, _) => BillKind::Payment,
    };
    Ok(BillRow {
        kind,
        number: row.order_number,
        refund_number: row.refund_number.unwrap_or_default(),
        case_number: String::new(),
        reference: row.reference,
        // The contract wants the size; that it went back is said by the kind.
        amount_minor: amount_minor.saturating_abs(),
        fee_minor: said(&row.fee, &row.currency)?.minor,
        currency: row.currency,
        at: row.at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills() {
        let page = |rows: &str| read_bill(200, "", format!(r#"{{"rows":[{rows}],"next_cursor":"2"}}"#).as_bytes());
        let row = |refund: &str, amount: &str, fee: &str| {
            format!(
                r#"{{"order_number":"pay_1","refund_number":{refund},"reference":"W1","amount":{amount},"fee":{fee},"currency":"CNY","at":1700000000000}}"#
            )
        };
        let told = |rows: &str| match page(rows).unwrap().lines.remove(0) {
            BillLine::Row(row) => {
                format!("{:?} {} {} {}", row.kind, row.refund_number, row.amount_minor, row.fee_minor)
            }
            BillLine::Unreadable(text) => text,
        };
        assert_eq!(told(&row("null", r#""12.50""#, r#""0.08""#)), "BillKind::Payment  1250 8");
        assert_eq!(told(&row(r#""rfd_1""#, r#""-2.00""#, r#""-0.01""#)), "BillKind::Refund rfd_1 200 -1");
        // Undone on a later day.
        assert_eq!(told(&row("null", r#""-12.50""#, r#""-0.08""#)), "BillKind::Reversal  1250 -8");
        // What is no row costs itself alone.
        for broken in
            [row("null", "12.5", r#""0.08""#), row("null", r#""12.505""#, r#""0""#), r#"{"total":"12.50"}"#.to_owned()]
        {
            let rows = format!("{broken},{}", row("null", r#""1.00""#, r#""0.00""#));
            let lines = page(&rows).unwrap().lines;
            assert!(matches!(lines.as_slice(), [BillLine::Unreadable(_), BillLine::Row(_)]), "{lines:?}");
        }
        assert_eq!(page("").unwrap().next_cursor.as_deref(), Some("2"));
        assert!(matches!(read_bill(200, "", b"no bill"), Err(Error::NoAnswer(_))));
        assert!(matches!(read_bill(400, "", br#"{"code":"BAD_DAY","message":""}"#), Err(Error::NotSent(_))));
    }

    #[test]
    fn a_bill_comes_in_any_encoding_and_a_garbled_row_costs_itself_alone() {
        // `@` and `#` stand for bytes that no text of this file can hold.
        let row = |number: &str, reference: &str, goods: &str| {
            format!(
                r#"{{"order_number":"{number}","refund_number":null,"reference":"{reference}","goods":"{goods}","amount":"12.50","fee":"0.08","currency":"CNY","at":1700000000000}}"#
            )
        };
        let rows =
            [row("pay_1", "@-1", "@"), row("pay_2", "W#2", "tea"), row("pay_3#", "W3", "tea"), row("pay_4", "W4", "#")];
        let body = format!(r#"{{"rows":[{}],"next_cursor":null}}"#, rows.join(","));
        let bytes = |shop: &[u8]| {
            let put = |byte: u8| match byte {
                b'@' => shop.to_vec(),
                b'#' => vec![0xff],
                other => vec![other],
            };
            body.bytes().flat_map(put).collect::<Vec<u8>>()
        };
        let in_utf8 = bytes("门店".as_bytes());
        let with_mark = [b"\xef\xbb\xbf".as_slice(), &in_utf8].concat();
        for (content_type, body) in [
            ("application/json", in_utf8),
            ("application/json", with_mark),
            ("application/json; charset=GB18030", bytes(b"\xc3\xc5\xb5\xea")),
        ] {
            let lines = read_bill(200, content_type, &body).unwrap().lines;
            let [BillLine::Row(one), BillLine::Unreadable(two), BillLine::Unreadable(three), BillLine::Row(four)] =
                lines.as_slice()
            else {
                panic!("{content_type}: {lines:?}")
            };
            assert_eq!(
                (one.number.as_str(), one.reference.as_str(), four.number.as_str()),
                ("pay_1", "门店-1", "pay_4")
            );
            assert!(two.contains("W\u{fffd}2") && three.contains("pay_3\u{fffd}"), "{two} {three}");
        }
        let strange = read_bill(200, "application/json; charset=klingon", b"{}");
        assert!(matches!(strange, Err(Error::NoAnswer(_))), "{strange:?}");
    }
}

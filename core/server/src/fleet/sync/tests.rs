//! What is doubted of a price that a till says it was quoted, however the sale was paid.

use saoma_protocol::{Currency, QuoteId, TenantId, api::Adjustment};
use serde_json::json;

use super::*;
use crate::payments::signed_quote;

const OVER_AT: Millis = Millis(1_790_000_000_000);

/// The three kinds of sales that a till makes by itself, of 8.00 for lines of 10.00.
fn sales(quote: Option<&Quoted>) -> [Record; 3] {
    let tax = json!({ "name": "VAT", "basis_points": 600, "included": true });
    let common = json!({
        "payment": PaymentId::from_bytes([1; 16]), "counter": 7, "amount": { "minor": 800, "currency": "CNY" }, "cashier": "Li",
        "goods": [{ "name": "员工餐", "quantity": 1, "price_minor": 1_000, "tax": tax }], "quote": quote,
    });
    [
        json!({ "kind": "cash_sale", "tendered_minor": 1_000 }),
        json!({ "kind": "offline_sale", "code": "OPC1:" }),
        json!({
            "kind": "stored_card_sale", "channel_account": ChannelAccountId::from_bytes([2; 16]),
            "card": { "entry": "chip", "ksn": "FFFF9876543210E00001", "number": "00" },
            "digits": { "first_6": "401234", "last_4": "8909" },
        }),
    ]
    .map(|mut sale| {
        sale.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        serde_json::from_value(sale).unwrap()
    })
}

#[test]
fn a_price_that_core_has_not_quoted_or_that_was_over_long_ago_is_doubted_however_it_was_paid() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let to = QuotedTo {
        tenant: TenantId::from_bytes([1; 16]),
        store: StoreId::from_bytes([2; 16]),
        terminal: Some(TerminalId::from_bytes([3; 16])),
    };
    let (amount, lines) = match &sales(None)[0] {
        Record::CashSale { amount, goods, .. } => (*amount, goods.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(amount.currency(), Currency::CNY);
    let quote = Quoted {
        id: QuoteId::from_bytes([0; 16]),
        asked_minor: 1_000,
        adjustments: vec![Adjustment { name: "Staff discount".to_owned(), minor: -200 }],
        receipt_lines: Vec::new(),
        expires_at: OVER_AT,
    };
    let quote = signed_quote(&key, to, quote, amount, &lines);
    let forged = Quoted { receipt_lines: vec!["free".to_owned()], ..quote.clone() };
    let late = OVER_AT.plus(CLOCKS_APART_MS);
    for (named, at, why) in [
        (Some(&quote), OVER_AT, None),
        // By a clock that is wrong by an hour.
        (Some(&quote), late, None),
        (Some(&quote), late.plus(1), Some("over by then")),
        (Some(&quote), Millis(i64::MIN), None),
        (Some(&quote), Millis(i64::MAX), Some("over by then")),
        (Some(&forged), OVER_AT, Some("has not quoted")),
        (None, OVER_AT, Some("the lines come to 1000")),
    ] {
        for sale in sales(named) {
            let told = lines_differ(&sale, not_quoted(&sale, at, (&key, to)));
            match (&told, why) {
                (None, None) => {}
                (Some(told), Some(why)) if told.contains(why) => {}
                _ => panic!("{at:?} {sale:?}: {told:?} in the place of {why:?}"),
            }
        }
    }
}

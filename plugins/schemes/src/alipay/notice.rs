//! Asynchronous notifications: a form, signed over all its fields but `sign` and `sign_type`.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use form_urlencoded::Serializer;

use super::{
    book::{Refund, Trade},
    clock,
    gate::yuan,
    keys::{APP_ID, Keys, SELLER_ID},
};
use crate::stage::{Fault, Notification};

/// The message about a trade, or about one of its refunds, at `now`.
#[must_use]
pub fn message(keys: &Keys, trade: &Trade, refund: Option<&Refund>, fault: Option<Fault>, now: i64) -> Notification {
    let wrong_amount = i64::from(fault == Some(Fault::WrongAmount));
    let number = match fault {
        Some(Fault::WrongNumber) => "pay_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        _ => &trade.order.number,
    };
    let amount = yuan(trade.order.amount_minor + wrong_amount);
    let mut fields = BTreeMap::from([
        ("app_id", APP_ID.to_owned()),
        ("auth_app_id", APP_ID.to_owned()),
        ("body", String::new()),
        ("buyer_id", "2088101117955611".to_owned()),
        ("buyer_logon_id", "159****5620".to_owned()),
        ("charset", "utf-8".to_owned()),
        ("gmt_create", clock::second(trade.created_at)),
        ("notify_id", format!("{}{}", trade.trade_no, trade.status.word().len())),
        ("notify_time", clock::second(now)),
        ("notify_type", "trade_status_sync".to_owned()),
        ("out_trade_no", number.to_owned()),
        ("receipt_amount", amount.clone()),
        ("seller_id", SELLER_ID.to_owned()),
        ("subject", trade.order.subject.clone()),
        ("total_amount", amount),
        ("trade_no", trade.trade_no.clone()),
        ("trade_status", trade.status.word().to_owned()),
        ("version", "1.0".to_owned()),
    ]);
    if let Some(paid_at) = trade.paid_at {
        fields.insert("gmt_payment", clock::second(paid_at));
    }
    // With the sum of all refunds, not with the amount of this one.
    if let Some(refund) = refund {
        fields.insert("out_biz_no", refund.number.clone());
        fields.insert("refund_fee", yuan(trade.given_back_minor()));
        fields.insert("gmt_refund", format!("{}.000", clock::second(refund.at)));
    }
    let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sign = match fault {
        Some(Fault::Unsigned) => None,
        Some(Fault::Forged) => Some(keys.sign("trade_status=TRADE_SUCCESS")),
        _ => Some(keys.sign(&text.join("&"))),
    };
    let mut form = Serializer::new(String::new());
    form.extend_pairs(&fields);
    if let Some(sign) = sign {
        form.append_pair("sign_type", "RSA2").append_pair("sign", &sign);
    }
    Notification {
        headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body_base64: STANDARD.encode(form.finish()),
    }
}

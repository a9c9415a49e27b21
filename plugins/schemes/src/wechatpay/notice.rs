//! Notifications (`doc/v3/merchant/4012791882`, `4012791865`), as the scheme would send them now.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{WechatPay, http, moment};
use crate::stage::{FarSide as _, Fault, Notification, Unplayable};

pub(super) fn notification(
    scheme: &WechatPay,
    number: &str,
    refund: Option<&str>,
    fault: Option<Fault>,
) -> Result<Notification, Unplayable> {
    let nothing = || Unplayable(format!("there is nothing to tell of {number}"));
    let now = scheme.stage().now_ms();
    let (event, summary, kind, mut told) = {
        let book = scheme.book();
        match refund {
            None => {
                let order = book.order(number).filter(|order| order.is_paid()).ok_or_else(nothing)?;
                ("TRANSACTION.SUCCESS", "支付成功", "transaction", http::order_told(scheme.config, order, "SUCCESS"))
            }
            Some(refund) => {
                let (order, refund) =
                    book.refund_of(refund).filter(|(order, _)| order.number == number).ok_or_else(nothing)?;
                if !refund.is_done {
                    return Err(nothing());
                }
                ("REFUND.SUCCESS", "退款成功", "refund", http::refund_notified(scheme.config, order, refund))
            }
        }
    };
    match fault {
        None | Some(Fault::Forged | Fault::Unsigned) => {}
        Some(fault @ (Fault::WrongAmount | Fault::WrongNumber)) => http::spoil(&mut told, fault),
        Some(other) => return Err(Unplayable(format!("no notification of this scheme plays {other:?}"))),
    }
    let unsealed = |why: anyhow::Error| Unplayable(format!("{why:#}"));
    let mut resource = scheme.keys.seal(kind, told.to_string().as_bytes()).map_err(unsealed)?;
    resource["original_type"] = kind.into();
    let body = json!({
        "id": format!("EV-{now}"), "create_time": moment::rfc3339(now), "resource_type": "encrypt-resource",
        "event_type": event, "summary": summary, "resource": resource,
    })
    .to_string()
    .into_bytes();
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if fault != Some(Fault::Unsigned) {
        headers.extend(scheme.keys.headers(now, &body, false).map_err(unsealed)?);
    }
    if fault == Some(Fault::Forged) {
        // The scheme itself sends these now and then, to see who lets them in.
        for (_, value) in headers.iter_mut().filter(|(name, _)| name == "wechatpay-signature") {
            value.insert_str(0, "WECHATPAY/SIGNTEST/");
        }
    }
    Ok(Notification { headers, body_base64: STANDARD.encode(body) })
}

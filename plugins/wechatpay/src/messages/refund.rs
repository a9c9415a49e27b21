//! What the scheme's verified answers about refunds mean. Source: `doc/v3/merchant/4012791862` and `4012791863`.

use saoma_channel_sdk::{Error, RefundAnswer, RefundOrder, RefundStatus, declined, no_answer};
use serde::Deserialize;

use super::{
    read::{parsed, said},
    refusal::refusal,
};

#[derive(Deserialize)]
struct RefundMessage {
    out_trade_no: String,
    out_refund_no: String,
    refund_id: Option<String>,
    status: String,
    amount: RefundAmountMessage,
}

#[derive(Deserialize)]
pub(super) struct RefundAmountMessage {
    pub(super) refund: Option<i64>,
    pub(super) currency: Option<String>,
}

/// The outcome of a refund.
///
/// # Errors
/// `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read, is about another order, or is not
/// foreseen.
pub fn read_refunded(status: u16, body: &[u8], refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(body, refund);
    }
    let refusal = refusal(status, body)?;
    let failure = match (status, refusal.code.as_str()) {
        // The merchant's own balance.
        (403, "NOTENOUGH") => "insufficient-funds",
        (403, "USERACCOUNTABNORMAL" | "TRADEERROR" | "RULELIMIT") => "declined",
        // The order.
        (404, "RESOURCENOTEXISTS" | "ORDERNOTEXIST") => "not-permitted",
        _ => return Err(refusal.into_error()),
    };
    Ok(without_refund(RefundStatus::Failed(declined(failure, refusal.words)), &refund.refund_number))
}

/// Whether a refund was refused by a rule that an earlier request of the same number may have broken: a query tells.
#[must_use]
pub fn is_refund_in_doubt(status: u16, body: &[u8]) -> bool {
    (400..500).contains(&status) && refusal(status, body).is_ok_and(|refusal| refusal.code == "INVALIDREQUEST")
}

/// What the scheme knows of a refund.
///
/// # Errors
/// `no-answer` for all but a refund of this order or its absence: a refusal to tell says nothing of the refund.
pub fn read_refund_queried(status: u16, body: &[u8], refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(body, refund);
    }
    let refusal = refusal(status, body)?;
    match (status, refusal.code.as_str()) {
        (404, "RESOURCENOTEXISTS" | "REFUNDNOTEXISTS" | "REFUNDNOTEXIST") => {
            Ok(without_refund(RefundStatus::NotFound, &refund.refund_number))
        }
        _ => Err(no_answer(refusal.words)),
    }
}

fn refund_answer(body: &[u8], asked: &RefundOrder) -> Result<RefundAnswer, Error> {
    let told: RefundMessage = parsed(body)?;
    if told.out_trade_no != asked.number {
        return Err(no_answer(format!("the refund is told of order {:?}", told.out_trade_no)));
    }
    Ok(RefundAnswer {
        status: refund_status(&told.status)?,
        refund_number: told.out_refund_no,
        amount: said(told.amount.refund, told.amount.currency),
        reference: told.refund_id.unwrap_or_default(),
    })
}

/// The scheme's word for how a refund stands.
pub(super) fn refund_status(word: &str) -> Result<RefundStatus, Error> {
    Ok(match word {
        "SUCCESS" => RefundStatus::Succeeded,
        // The customer's card is gone: a person has to say in the merchant console where the money shall go, and then it goes on.
        "PROCESSING" | "ABNORMAL" => RefundStatus::Pending,
        "CLOSED" => RefundStatus::Failed(declined("other", "CLOSED: 退款关闭")),
        other => return Err(no_answer(format!("the refund has the status {other:?}, which no document names"))),
    })
}

/// An answer about a refund that the scheme does not describe.
#[must_use]
pub fn without_refund(status: RefundStatus, refund_number: &str) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund_number.to_owned(), amount: None, reference: String::new() }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            build::samples::{NUMBER, REFUND, cny, refund_order},
            refusal::samples::{kind, refused},
        },
        *,
    };

    fn told(status: &str, number: &str) -> Vec<u8> {
        format!(
            r#"{{"refund_id":"50300000001","out_refund_no":"{REFUND}","transaction_id":"4200000001","out_trade_no":"{number}",
                "channel":"ORIGINAL","user_received_account":"…","create_time":"2023-11-15T06:15:20+08:00","status":"{status}",
                "amount":{{"total":1250,"refund":5,"payer_total":1250,"payer_refund":5,"currency":"CNY"}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_whole_answer() {
        let answer = read_refunded(200, &told("SUCCESS", NUMBER), &refund_order()).unwrap();
        assert_eq!(answer.amount, Some(cny(5)));
        assert_eq!((answer.refund_number.as_str(), answer.reference.as_str()), (REFUND, "50300000001"));
    }

    #[test]
    fn refunds() {
        let shown = |outcome: Result<RefundAnswer, Error>| match outcome {
            Ok(RefundAnswer { status: RefundStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status).replace("RefundStatus::", ""),
            Err(error) => kind(&error).to_owned(),
        };
        for (status, body, done, queried) in [
            (200, told("SUCCESS", NUMBER), "Succeeded", "Succeeded"),
            (200, told("PROCESSING", NUMBER), "Pending", "Pending"),
            (200, told("ABNORMAL", NUMBER), "Pending", "Pending"),
            (200, told("CLOSED", NUMBER), "failed other", "failed other"),
            (200, told("DREAMING", NUMBER), "no-answer", "no-answer"),
            (200, told("SUCCESS", "another"), "no-answer", "no-answer"),
            (200, b"{}".to_vec(), "no-answer", "no-answer"),
            (400, refused("INVALID_REQUEST"), "no-answer", "no-answer"),
            (400, refused("PARAM_ERROR"), "not-sent", "no-answer"),
            (401, refused("SIGN_ERROR"), "not-sent", "no-answer"),
            (403, refused("NOT_ENOUGH"), "failed insufficient-funds", "no-answer"),
            (403, refused("USER_ACCOUNT_ABNORMAL"), "failed declined", "no-answer"),
            (404, refused("RESOURCE_NOT_EXISTS"), "failed not-permitted", "NotFound"),
            (404, refused("MCH_NOT_EXISTS"), "not-sent", "no-answer"),
            (429, refused("FREQUENCY_LIMITED"), "not-sent", "no-answer"),
            (500, refused("SYSTEM_ERROR"), "no-answer", "no-answer"),
            (400, refused("MOON_PHASE_ERROR"), "no-answer", "no-answer"),
        ] {
            let named = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(shown(read_refunded(status, &body, &refund_order())), done, "{status} {named}");
            assert_eq!(shown(read_refund_queried(status, &body, &refund_order())), queried, "{status} {named}");
        }
        assert!(
            is_refund_in_doubt(400, &refused("INVALID_REQUEST"))
                && !is_refund_in_doubt(500, &refused("INVALID_REQUEST"))
        );
    }
}

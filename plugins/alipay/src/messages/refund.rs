//! What Alipay's verified answers say of a refund.

use saoma_channel_sdk::{Error, RefundAnswer, RefundStatus, declined, no_answer};

use super::{
    answer::{Answer, Outcome},
    payment::yuan,
};

/// The outcome of a refund. Alipay has it then, but says only the sum of all refunds of the trade: its own amount and its end
/// are a query's to tell, so that `pending` is all that is known here.
///
/// # Errors
/// `no-answer` for what leaves it open; else as [`Answer::outcome`].
pub fn read_refunded(answer: &Answer, number: &str, refund_number: &str) -> Result<RefundAnswer, Error> {
    match answer.outcome()? {
        Outcome::Done => {
            is_about(answer, number)?;
            Ok(unnamed(RefundStatus::Pending, refund_number))
        }
        Outcome::Refused(code) => match refusal(code) {
            Some(why) => Ok(unnamed(RefundStatus::Failed(declined(why, answer.words())), refund_number)),
            None => Err(no_answer(answer.words())),
        },
        Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// What Alipay knows of a refund. 10000 alone means that the question was understood: only `REFUND_SUCCESS` is a refund, and
/// without any data there is none under this number.
///
/// # Errors
/// `no-answer` for what leaves it open.
pub fn read_refund_queried(answer: &Answer, number: &str, refund_number: &str) -> Result<RefundAnswer, Error> {
    match (answer.outcome_of_question()?, answer.refund_status.as_str(), answer.refund_amount.as_deref()) {
        (Outcome::Done, "", None) | (Outcome::Refused("ACQ.TRADE_NOT_EXIST"), ..) => {
            Ok(unnamed(RefundStatus::NotFound, refund_number))
        }
        (Outcome::Done, status @ ("" | "REFUND_SUCCESS"), Some(amount)) => {
            is_about(answer, number)?;
            Ok(RefundAnswer {
                status: if status.is_empty() { RefundStatus::Pending } else { RefundStatus::Succeeded },
                refund_number: answer.out_request_no.clone().ok_or_else(|| no_answer("the answer names no refund"))?,
                amount: Some(yuan(amount)?),
                // Refunds have no number at Alipay but ours.
                reference: String::new(),
            })
        }
        (Outcome::Done, status, _) => Err(no_answer(format!("the refund has the status {status:?}"))),
        (Outcome::Refused(_) | Outcome::Underway, ..) => Err(no_answer(answer.words())),
    }
}

/// The contract carries only the refund's number to core, so that the trade's is compared here.
fn is_about(answer: &Answer, number: &str) -> Result<(), Error> {
    match answer.out_trade_no.as_deref() {
        Some(about) if about == number => Ok(()),
        about => Err(no_answer(format!("the answer is about order {about:?}"))),
    }
}

fn unnamed(status: RefundStatus, refund_number: &str) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund_number.to_owned(), amount: None, reference: String::new() }
}

/// Alipay's final refusals of a refund ("业务错误码" of `alipay.trade.refund`). `None` for those that leave it open
/// (`ACQ.SYSTEM_ERROR`, `ACQ.DISCORDANT_REPEAT_REQUEST`: another amount had this number) and for all that are not listed.
fn refusal(code: &str) -> Option<&'static str> {
    Some(match code {
        // Nothing was moved; once the account is topped up, a new refund can be made.
        "ACQ.SELLER_BALANCE_NOT_ENOUGH" => "insufficient-funds",
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL" | "ACQ.REASON_TRADE_REFUND_FEE_ERR" | "ACQ.REFUND_FEE_ERROR" => {
            "amount-invalid"
        }
        "ACQ.TRADE_NOT_EXIST"
        | "ACQ.TRADE_STATUS_ERROR"
        | "ACQ.TRADE_HAS_FINISHED"
        | "ACQ.TRADE_HAS_CLOSE"
        | "ACQ.TRADE_NOT_ALLOW_REFUND"
        | "ACQ.REASON_TRADE_BEEN_FREEZEN"
        | "ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND" => "not-permitted",
        "ACQ.INVALID_PARAMETER" | "ACQ.BUYER_ERROR" | "ACQ.BUYER_NOT_EXIST" => "other",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn line(outcome: Result<RefundAnswer, Error>) -> String {
        match outcome {
            Ok(RefundAnswer { status: RefundStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => {
                let amount = answer.amount.map(|amount| format!(" {}", amount.minor)).unwrap_or_default();
                format!("{:?}{amount}", answer.status).replace("RefundStatus::", "").to_lowercase()
            }
            Err(Error::NoAnswer(_)) => "no-answer".to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    fn refused(code: &str) -> Answer {
        Answer { code: "40004".to_owned(), sub_code: format!("ACQ.{code}"), ..Answer::default() }
    }

    #[test]
    fn refunds() {
        let done = Answer { code: "10000".to_owned(), out_trade_no: Some(NUMBER.to_owned()), ..Answer::default() };
        for (answer, outcome) in [
            (done.clone(), "pending"),
            (Answer { out_trade_no: Some("pay_b".to_owned()), ..done.clone() }, "no-answer"),
            (Answer { out_trade_no: None, ..done.clone() }, "no-answer"),
            (Answer { code: "20000".to_owned(), ..done.clone() }, "no-answer"),
            (Answer { code: "10003".to_owned(), ..done.clone() }, "no-answer"),
            (refused("SELLER_BALANCE_NOT_ENOUGH"), "failed insufficient-funds"),
            (refused("REFUND_AMT_NOT_EQUAL_TOTAL"), "failed amount-invalid"),
            (refused("TRADE_HAS_FINISHED"), "failed not-permitted"),
            (refused("TRADE_NOT_EXIST"), "failed not-permitted"),
            (refused("DISCORDANT_REPEAT_REQUEST"), "no-answer"),
            (refused("SYSTEM_ERROR"), "no-answer"),
            (refused("NEW_REASON"), "no-answer"),
        ] {
            assert_eq!(line(read_refunded(&answer, NUMBER, REFUND)), outcome, "{answer:?}");
        }
        let found = |status: &str, amount: Option<&str>| Answer {
            out_request_no: Some(REFUND.to_owned()),
            refund_status: status.to_owned(),
            refund_amount: amount.map(str::to_owned),
            ..done.clone()
        };
        for (answer, outcome) in [
            (found("REFUND_SUCCESS", Some("0.05")), "succeeded 5"),
            (found("", Some("0.05")), "pending 5"),
            (found("", None), "notfound"),
            (done.clone(), "notfound"),
            (found("REFUND_SUCCESS", None), "no-answer"),
            (found("REFUND_SUCCESS", Some("much")), "no-answer"),
            (found("REFUND_DREAMING", Some("0.05")), "no-answer"),
            (Answer { out_trade_no: Some("pay_b".to_owned()), ..found("REFUND_SUCCESS", Some("0.05")) }, "no-answer"),
            (Answer { out_request_no: None, ..found("REFUND_SUCCESS", Some("0.05")) }, "no-answer"),
            (refused("TRADE_NOT_EXIST"), "notfound"),
            (refused("SYSTEM_ERROR"), "no-answer"),
            (Answer { code: "40006".to_owned(), ..done.clone() }, "no-answer"),
        ] {
            assert_eq!(line(read_refund_queried(&answer, NUMBER, REFUND)), outcome, "{answer:?}");
        }
    }
}

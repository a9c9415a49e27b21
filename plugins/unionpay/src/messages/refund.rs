//! What the scheme's verified answers mean for refunds (退货).

use saoma_channel_sdk::{Error, RefundAnswer, RefundOrder, RefundStatus, declined, no_answer, not_sent};

use super::{
    code::{Meaning, meaning, standing},
    form::Message,
    number::number,
    read::{Heard, in_doubt, is_of_type, original_words, said_amount, said_number, words},
};

/// The outcome of a refund: what was heard, and what the query behind it says.
///
/// # Errors
/// `no-answer` if neither tells, `not-sent` if the request was refused as such and the scheme has no such refund.
pub fn refunded(
    heard: Heard,
    queried: Result<RefundAnswer, Error>,
    refund: &RefundOrder,
) -> Result<RefundAnswer, Error> {
    let is_absent = matches!(&queried, Ok(answer) if answer.status == RefundStatus::NotFound);
    match (heard, queried) {
        (Heard::Taken { amount, reference }, queried) if is_absent || queried.is_err() => {
            Ok(RefundAnswer { amount, reference, ..bare_refund(RefundStatus::Pending, &refund.refund_number) })
        }
        (Heard::Refused(failure), _) if is_absent => {
            Ok(bare_refund(RefundStatus::Failed(failure), &refund.refund_number))
        }
        (Heard::NotTaken(words), _) if is_absent => Err(not_sent(words)),
        (Heard::Before(words), _) if is_absent => Err(no_answer(words)),
        (_, queried) => queried.map_err(in_doubt),
    }
}

/// What the scheme knows of a refund.
///
/// # Errors
/// `no-answer` for all that is not foreseen.
pub fn read_refund_queried(message: &Message, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    match meaning(message.get("respCode")) {
        Meaning::Done => {}
        Meaning::Absent => {
            return Ok(bare_refund(RefundStatus::NotFound, &said_number(message, &refund.refund_number)));
        }
        _ => return Err(no_answer(words(message))),
    }
    is_of_type(message, "04")?;
    let paid_by = message.get("origOrderId");
    if !paid_by.is_empty() && number(paid_by) != refund.number {
        return Err(no_answer(format!("the answer is about a refund of {paid_by:?}")));
    }
    match standing(message.get("origRespCode")) {
        Meaning::Done if !message.get("queryId").is_empty() => given_back(message, RefundStatus::Succeeded),
        Meaning::Working => given_back(message, RefundStatus::Pending),
        Meaning::Absent => Ok(bare_refund(RefundStatus::NotFound, &said_number(message, &refund.refund_number))),
        Meaning::Refused(code) => given_back(message, RefundStatus::Failed(declined(code, original_words(message)))),
        _ => Err(no_answer(original_words(message))),
    }
}

/// A refund as the scheme tells it.
pub(super) fn given_back(message: &Message, status: RefundStatus) -> Result<RefundAnswer, Error> {
    Ok(RefundAnswer {
        status,
        refund_number: number(message.get("orderId")),
        amount: said_amount(message)?,
        reference: message.get("queryId").to_owned(),
    })
}

fn bare_refund(status: RefundStatus, refund_number: &str) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund_number.to_owned(), amount: None, reference: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        build::tests::{REFUND, cny, refund_order},
        read::{
            heard,
            tests::{message, told},
        },
    };

    fn refund(outcome: Result<RefundAnswer, Error>) -> String {
        told(outcome, |answer| match answer.status {
            RefundStatus::Failed(failure) => format!("failed {}", failure.code),
            other => format!("{other:?}").replace("RefundStatus::", ""),
        })
    }

    #[test]
    fn refunds() {
        let queried = |codes: &str| {
            let fields =
                "txnType=04&orderId=rfdaaaaaaaaaaaaaaaaaaaaaaaaaa&origOrderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&txnAmt=5";
            message(&format!("{codes}&{fields}&queryId=202311150613207654321"))
        };
        let order = refund_order();
        for (codes, outcome) in [
            ("respCode=00&origRespCode=00", "Succeeded"),
            ("respCode=00&origRespCode=05", "Pending"),
            ("respCode=00&origRespCode=04", "Pending"),
            ("respCode=00&origRespCode=35", "failed not-permitted"),
            ("respCode=00&origRespCode=34", "NotFound"),
            ("respCode=34", "NotFound"),
            ("respCode=00&origRespCode=Q7", "no-answer"),
            ("respCode=06", "no-answer"),
        ] {
            assert_eq!(refund(read_refund_queried(&queried(codes), &order)), outcome, "{codes}");
        }
        let done = queried("respCode=00&origRespCode=00");
        for (field, value) in [("txnType", "01"), ("origOrderId", "another")] {
            assert_eq!(refund(read_refund_queried(&done.clone().with(field, value), &order)), "no-answer", "{field}");
        }
        let answer = read_refund_queried(&done, &order).unwrap();
        assert_eq!((answer.refund_number.as_str(), answer.amount), (REFUND, Some(cny(5))));
        let absent = || read_refund_queried(&message("respCode=34"), &order);
        for (code, outcome) in [
            ("00", "Pending"),
            ("12", "no-answer"),
            ("36", "failed amount-invalid"),
            ("45", "failed not-permitted"),
            ("13", "not-sent"),
        ] {
            let heard = heard(&message(&format!("respCode={code}&respMsg=x")), REFUND, &cny(5)).unwrap();
            assert_eq!(refund(refunded(heard.clone(), absent(), &order)), outcome, "{code}");
            assert_eq!(refund(refunded(heard, read_refund_queried(&done, &order), &order)), "Succeeded", "{code}");
        }
    }
}

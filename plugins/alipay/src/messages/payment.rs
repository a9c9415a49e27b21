//! What Alipay's verified answers say of a payment.
//!
//! What no document names is no answer: core asks again. The error codes are those of `alipay.trade.pay`, `.precreate`,
//! `.query`, `.cancel` and `.close` ("业务错误码").

use saoma_channel_sdk::{Error, Money, PaymentAnswer, PaymentStatus, declined, from_decimal, no_answer, not_sent};
use serde_json::Value;

use super::{
    answer::{Answer, Outcome},
    beijing,
};

/// All trades of this gateway are in yuan.
pub const CURRENCY: &str = "CNY";

/// How far a step of `cancel` has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Undone {
    /// The end of it.
    Told(PaymentAnswer),
    /// No trade has this number.
    NoTrade,
    /// It cannot be undone this way: what has become of it, a query tells.
    NotThisWay,
}

/// The code of an announced order. The answer repeats no amount: only the number can be compared.
///
/// # Errors
/// `not-sent` if Alipay refused it, `no-answer` for all that is not a code for this order.
pub fn read_created(answer: &Answer, number: &str) -> Result<String, Error> {
    match answer.outcome()? {
        Outcome::Done if answer.out_trade_no.as_deref() != Some(number) => {
            Err(no_answer(format!("the answer is about order {:?}", answer.out_trade_no)))
        }
        Outcome::Done if answer.qr_code.is_empty() => Err(no_answer("the answer has no code")),
        Outcome::Done => Ok(answer.qr_code.clone()),
        Outcome::Refused("ACQ.TRADE_HAS_CLOSE") => Err(not_sent(answer.words())),
        Outcome::Refused(code) if refusal(code).is_some() => Err(not_sent(answer.words())),
        Outcome::Refused(_) | Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// The trade that was opened for a buyer, by Alipay's number.
///
/// # Errors
/// As [`read_created`].
pub fn read_opened(answer: &Answer, number: &str) -> Result<String, Error> {
    match answer.outcome()? {
        Outcome::Done if answer.out_trade_no.as_deref() != Some(number) => {
            Err(no_answer(format!("the answer is about order {:?}", answer.out_trade_no)))
        }
        Outcome::Done if answer.trade_no.is_empty() => Err(no_answer("the answer has no trade")),
        Outcome::Done => Ok(answer.trade_no.clone()),
        Outcome::Refused("ACQ.TRADE_HAS_CLOSE") => Err(not_sent(answer.words())),
        Outcome::Refused(code) if refusal(code).is_some() => Err(not_sent(answer.words())),
        Outcome::Refused(_) | Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// Who came back. The answer to a good code has no `code` of its own.
///
/// # Errors
/// `not-sent` for a code that Alipay does not take, else as [`Answer::outcome`].
pub fn read_payer(answer: &Answer) -> Result<String, Error> {
    if let Some(id) = [&answer.user_id, &answer.open_id].into_iter().find(|id| !id.is_empty()) {
        return Ok(id.clone());
    }
    match answer.outcome()? {
        Outcome::Refused(_) => Err(not_sent(answer.words())),
        Outcome::Done | Outcome::Underway => Err(no_answer("the answer names nobody")),
    }
}

/// Whether a charge may have been refused for being a repeat: its number has a trade already, the customer's code is used up, or its
/// time is. Then a query tells how the first one went.
#[must_use]
pub fn may_be_a_repeat(answer: &Answer) -> bool {
    let code = match answer.outcome() {
        Ok(Outcome::Refused(code)) => code,
        _ => return false,
    };
    matches!(
        code,
        "ACQ.TRADE_HAS_SUCCESS"
            | "ACQ.TRADE_BUYER_NOT_MATCH"
            | "ACQ.CONTEXT_INCONSISTENT"
            | "ACQ.PAYMENT_AUTH_CODE_INVALID"
            | "ACQ.INVALID_PARAMETER"
    )
}

/// The outcome of a charge.
///
/// # Errors
/// `no-answer` for what leaves it open; else as [`Answer::outcome`].
pub fn read_charged(answer: &Answer, number: &str) -> Result<PaymentAnswer, Error> {
    match answer.outcome()? {
        Outcome::Done => told(answer, PaymentStatus::Succeeded),
        Outcome::Underway => told(answer, PaymentStatus::Pending),
        // We closed this number before the charge came through: it can never take money.
        Outcome::Refused("ACQ.TRADE_HAS_CLOSE") => Ok(without_trade(PaymentStatus::Closed, number)),
        Outcome::Refused(code) => match refusal(code) {
            Some(why) => Ok(without_trade(PaymentStatus::Failed(declined(why, answer.words())), number)),
            None => Err(no_answer(answer.words())),
        },
    }
}

/// What Alipay knows of an order. A code on show has no trade before somebody scans it: until then it is `not-found`, which says of an
/// announced order that nobody has paid yet.
///
/// # Errors
/// `no-answer` for all but a trade or its absence.
pub fn read_queried(answer: &Answer, number: &str) -> Result<PaymentAnswer, Error> {
    match answer.outcome_of_question()? {
        Outcome::Done => {
            let status = trade_status(answer)?;
            told(answer, status)
        }
        Outcome::Refused("ACQ.TRADE_NOT_EXIST") => Ok(without_trade(PaymentStatus::NotFound, number)),
        Outcome::Refused(_) | Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// The outcome of a close, which takes only what waits for the customer.
///
/// # Errors
/// `no-answer` for what leaves it open.
pub fn read_closed(answer: &Answer) -> Result<Undone, Error> {
    match answer.outcome_of_question()? {
        Outcome::Done => Ok(Undone::Told(named(answer, PaymentStatus::Closed)?)),
        Outcome::Refused("ACQ.TRADE_NOT_EXIST") => Ok(Undone::NoTrade),
        Outcome::Refused(
            "ACQ.TRADE_STATUS_ERROR"
            | "ACQ.REASON_TRADE_STATUS_INVALID"
            | "ACQ.REASON_ILLEGAL_STATUS"
            | "ACQ.TRADE_HAS_SUCCESS",
        ) => Ok(Undone::NotThisWay),
        Outcome::Refused(_) | Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// The outcome of a cancel. `action` says what it did, and is missing if there was nothing to do it to.
///
/// # Errors
/// `no-answer` for what leaves it open, also if Alipay wants it repeated or the account is too empty to give the money back.
pub fn read_cancelled(answer: &Answer) -> Result<Undone, Error> {
    match answer.outcome_of_question()? {
        Outcome::Done if answer.retry_flag != "N" => Err(no_answer("Alipay wants the cancel repeated")),
        Outcome::Done => match answer.action.as_str() {
            "close" | "refund" => Ok(Undone::Told(named(answer, PaymentStatus::Closed)?)),
            "" => Ok(Undone::NoTrade),
            other => Err(no_answer(format!("the cancel did {other:?}, which no document names"))),
        },
        Outcome::Refused("ACQ.TRADE_NOT_EXIST") => Ok(Undone::NoTrade),
        Outcome::Refused(
            "ACQ.CANCEL_NOT_ALLOWED"
            | "ACQ.TRADE_CANCEL_TIME_OUT"
            | "ACQ.TRADE_HAS_FINISHED"
            | "ACQ.REASON_TRADE_REFUND_FEE_ERR"
            | "ACQ.REASON_TRADE_BEEN_FREEZEN",
        ) => Ok(Undone::NotThisWay),
        Outcome::Refused(_) | Outcome::Underway => Err(no_answer(answer.words())),
    }
}

/// What `cancel` says of a trade that could not be undone this way: "refunded" is a query's word, and Alipay's for a trade of which
/// all was given back.
#[must_use]
pub fn past_undoing(known: PaymentAnswer) -> PaymentAnswer {
    match known.status {
        PaymentStatus::Refunded => PaymentAnswer { status: PaymentStatus::Closed, ..known },
        _ => known,
    }
}

/// Whether the keys work, by the answer to a query for nobody's number.
///
/// # Errors
/// As [`Answer::outcome`]; `no-answer` for any other answer than that there is no such trade.
pub fn read_self_test(answer: &Answer, app_id: &str) -> Result<String, Error> {
    match answer.outcome()? {
        Outcome::Refused("ACQ.TRADE_NOT_EXIST") => Ok(format!(
            "Alipay answers app {app_id}, and the keys fit both ways. 支付宝网关连接正常，应用密钥与支付宝公钥有效。"
        )),
        _ => Err(no_answer(answer.words())),
    }
}

/// `trade_status`, of queries and notifications.
///
/// # Errors
/// `no-answer` for one that no document names.
pub fn trade_status(answer: &Answer) -> Result<PaymentStatus, Error> {
    match answer.trade_status.as_str() {
        "WAIT_BUYER_PAY" => Ok(PaymentStatus::Pending),
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Ok(PaymentStatus::Succeeded),
        // Closed unpaid, undone by a cancel, or given back in full: only what was paid has a day on which it was.
        "TRADE_CLOSED" if answer.send_pay_date.is_some() && !is_cancelled(answer) => Ok(PaymentStatus::Refunded),
        "TRADE_CLOSED" => Ok(PaymentStatus::Closed),
        other => Err(no_answer(format!("the trade has the status {other:?}, which no document names"))),
    }
}

/// `{"action":"cancel"}`.
fn is_cancelled(answer: &Answer) -> bool {
    serde_json::from_str::<Value>(&answer.ext_infos).is_ok_and(|infos| infos["action"] == "cancel")
}

/// A trade as the answer has it, which must name its amount.
///
/// # Errors
/// `no-answer` if it lacks number or amount, or they cannot be read.
pub fn told(answer: &Answer, status: PaymentStatus) -> Result<PaymentAnswer, Error> {
    let amount = answer.total_amount.as_deref().ok_or_else(|| no_answer("the answer names no amount"))?;
    Ok(PaymentAnswer { amount: Some(yuan(amount)?), ..named(answer, status)? })
}

/// # Errors
/// `no-answer` if it is no amount in yuan.
pub fn yuan(amount: &str) -> Result<Money, Error> {
    from_decimal(amount, CURRENCY).map_err(|why| no_answer(why.0))
}

/// The same without the amount, which answers to close and cancel do not repeat.
fn named(answer: &Answer, status: PaymentStatus) -> Result<PaymentAnswer, Error> {
    let number = answer.out_trade_no.clone().ok_or_else(|| no_answer("the answer names no order"))?;
    let paid_at = answer.gmt_payment.as_deref().or(answer.send_pay_date.as_deref()).and_then(beijing::moment);
    Ok(PaymentAnswer {
        status,
        number,
        amount: None,
        reference: answer.trade_no.clone(),
        paid_at,
        // Alipay masks it itself.
        payer_hint: answer.buyer_logon_id.clone(),
    })
}

/// An answer about an order that Alipay does not hold: our own number, and nothing that it did not say.
#[must_use]
pub fn without_trade(status: PaymentStatus, number: &str) -> PaymentAnswer {
    let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
    PaymentAnswer { status, number, amount: None, reference, paid_at: None, payer_hint }
}

/// Alipay's final refusals of a payment in the contract's words. `None` for those that leave it open
/// (`ACQ.SYSTEM_ERROR`; `ACQ.CONTEXT_INCONSISTENT` and `ACQ.TRADE_BUYER_NOT_MATCH`: the number has another trade) and for all that
/// are not listed.
fn refusal(code: &str) -> Option<&'static str> {
    let name = code.strip_prefix("ACQ.")?;
    Some(match name {
        // Too old, used before or never issued: Alipay does not tell them apart.
        "PAYMENT_AUTH_CODE_INVALID" => "code-invalid",
        "BUYER_BALANCE_NOT_ENOUGH" | "BUYER_BANKCARD_BALANCE_NOT_ENOUGH" => "insufficient-funds",
        "BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR"
        | "BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR"
        | "BEYOND_PAY_RESTRICTION"
        | "BEYOND_PER_RECEIPT_RESTRICTION" => "limit-exceeded",
        "TOTAL_FEE_EXCEED" => "amount-invalid",
        "ERROR_BALANCE_PAYMENT_DISABLE"
        | "PULL_MOBILE_CASHIER_FAIL"
        | "MOBILE_PAYMENT_SWITCH_OFF"
        | "PAYMENT_FAIL"
        | "PAYMENT_REQUEST_HAS_RISK"
        | "NO_PAYMENT_INSTRUMENTS_AVAILABLE" => "declined",
        "BUYER_SELLER_EQUAL"
        | "BUYER_ENABLE_STATUS_FORBID"
        | "SELLER_BEEN_BLOCKED"
        | "PARTNER_ERROR"
        | "ACCESS_FORBIDDEN" => "not-permitted",
        "EXIST_FORBIDDEN_WORD" | "INVALID_PARAMETER" | "INVALID_STORE_ID" => "other",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_debug_snapshot;

    use super::{super::answer::read, *};

    const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn paid() -> Answer {
        read(&format!(
            r#"{{"code":"10000","msg":"Success","out_trade_no":"{NUMBER}","trade_no":"2026112622001","total_amount":"12.50",
                "buyer_logon_id":"159****5620","gmt_payment":"2023-11-15 06:13:20"}}"#
        ))
        .unwrap()
    }

    fn refused(code: &str) -> Answer {
        Answer { code: "40004".to_owned(), sub_code: format!("ACQ.{code}"), ..Answer::default() }
    }

    fn with_code(code: &str) -> Answer {
        Answer { code: code.to_owned(), ..paid() }
    }

    fn queried(trade_status: &str) -> Answer {
        Answer { trade_status: trade_status.to_owned(), gmt_payment: None, ..paid() }
    }

    /// One line of an outcome: the status, or the error's kind.
    fn line(outcome: Result<PaymentAnswer, Error>) -> String {
        match outcome {
            Ok(PaymentAnswer { status: PaymentStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status).replace("PaymentStatus::", "").to_lowercase(),
            Err(error) => kind(&error).to_owned(),
        }
    }

    fn kind(error: &Error) -> &'static str {
        match error {
            Error::NoAnswer(_) => "no-answer",
            Error::NotSent(_) => "not-sent",
            Error::Misconfigured(_) => "misconfigured",
            Error::Unsupported => "unsupported",
        }
    }

    #[test]
    fn a_whole_answer() {
        assert_debug_snapshot!(read_charged(&paid(), NUMBER), @r#"
        Ok(
            PaymentAnswer {
                status: PaymentStatus::Succeeded,
                number: "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                amount: Some(
                    Money {
                        minor: 1250,
                        currency: "CNY",
                    },
                ),
                reference: "2026112622001",
                paid-at: Some(
                    1700000000000,
                ),
                payer-hint: "159****5620",
            },
        )
        "#);
    }

    #[test]
    fn who_came_back_and_what_was_opened_for_them() {
        let payer = |answer: &Answer| match read_payer(answer) {
            Ok(id) => id,
            Err(error) => kind(&error).to_owned(),
        };
        let known = |user_id: &str, open_id: &str| Answer {
            user_id: user_id.to_owned(),
            open_id: open_id.to_owned(),
            ..Answer::default()
        };
        let invalid =
            |sub_code: &str| Answer { code: "40002".to_owned(), sub_code: sub_code.to_owned(), ..Answer::default() };
        for (answer, outcome) in [
            (known("2088102150527498", ""), "2088102150527498"),
            (known("", "074a1"), "074a1"),
            (invalid("isv.code-invalid"), "not-sent"),
            (invalid("isv.invalid-signature"), "misconfigured"),
            (with_code("20000"), "no-answer"),
            (Answer::default(), "no-answer"),
        ] {
            assert_eq!(payer(&answer), outcome, "{answer:?}");
        }
        let opened = |answer: &Answer| read_opened(answer, NUMBER).unwrap_or_else(|error| kind(&error).to_owned());
        for (answer, outcome) in [
            (paid(), "2026112622001"),
            (Answer { trade_no: String::new(), ..paid() }, "no-answer"),
            (Answer { out_trade_no: Some("pay_b".to_owned()), ..paid() }, "no-answer"),
            (refused("TRADE_HAS_CLOSE"), "not-sent"),
            (refused("TRADE_HAS_SUCCESS"), "no-answer"),
            (refused("SYSTEM_ERROR"), "no-answer"),
        ] {
            assert_eq!(opened(&answer), outcome, "{answer:?}");
        }
    }

    #[test]
    fn charges() {
        for (answer, outcome) in [
            (paid(), "succeeded"),
            (with_code("10003"), "pending"),
            (with_code("20000"), "no-answer"),
            (with_code("40001"), "not-sent"),
            (with_code("10001"), "no-answer"),
            (Answer { total_amount: None, ..paid() }, "no-answer"),
            (Answer { total_amount: Some("12.505".to_owned()), ..paid() }, "no-answer"),
            (Answer { out_trade_no: None, ..paid() }, "no-answer"),
            (refused("TRADE_HAS_CLOSE"), "closed"),
            (refused("PAYMENT_AUTH_CODE_INVALID"), "failed code-invalid"),
            (refused("BUYER_BALANCE_NOT_ENOUGH"), "failed insufficient-funds"),
            (refused("BUYER_BANKCARD_BALANCE_NOT_ENOUGH"), "failed insufficient-funds"),
            (refused("BEYOND_PAY_RESTRICTION"), "failed limit-exceeded"),
            (refused("TOTAL_FEE_EXCEED"), "failed amount-invalid"),
            (refused("PAYMENT_FAIL"), "failed declined"),
            (refused("SELLER_BEEN_BLOCKED"), "failed not-permitted"),
            (refused("EXIST_FORBIDDEN_WORD"), "failed other"),
            // These leave it open, or are nowhere described.
            (refused("SYSTEM_ERROR"), "no-answer"),
            (refused("CONTEXT_INCONSISTENT"), "no-answer"),
            (refused("TRADE_HAS_SUCCESS"), "no-answer"),
            (refused("TRADE_BUYER_NOT_MATCH"), "no-answer"),
            (refused("NEW_REASON"), "no-answer"),
            (Answer { sub_code: "PAYMENT_FAIL".to_owned(), ..refused("") }, "no-answer"),
        ] {
            assert_eq!(line(read_charged(&answer, NUMBER)), outcome, "{answer:?}");
        }
        for code in ["TRADE_HAS_SUCCESS", "TRADE_BUYER_NOT_MATCH", "CONTEXT_INCONSISTENT", "PAYMENT_AUTH_CODE_INVALID"]
        {
            assert!(may_be_a_repeat(&refused(code)), "{code}");
        }
        assert!(!may_be_a_repeat(&paid()) && !may_be_a_repeat(&refused("BUYER_BALANCE_NOT_ENOUGH")));
    }

    #[test]
    fn queries() {
        let gone = Answer { send_pay_date: Some("2023-11-15 06:13:20".to_owned()), ..queried("TRADE_CLOSED") };
        let cancelled = Answer { ext_infos: r#"{"action":"cancel"}"#.to_owned(), ..gone.clone() };
        for (answer, outcome) in [
            (queried("WAIT_BUYER_PAY"), "pending"),
            (queried("TRADE_SUCCESS"), "succeeded"),
            (queried("TRADE_FINISHED"), "succeeded"),
            (queried("TRADE_CLOSED"), "closed"),
            (gone, "refunded"),
            (cancelled, "closed"),
            (queried("TRADE_DREAMING"), "no-answer"),
            (queried(""), "no-answer"),
            (refused("TRADE_NOT_EXIST"), "notfound"),
            (refused("SYSTEM_ERROR"), "no-answer"),
            (with_code("10003"), "no-answer"),
            // Whatever is wrong with the question, the payment may have been made.
            (with_code("40006"), "no-answer"),
            (with_code("40001"), "no-answer"),
        ] {
            assert_eq!(line(read_queried(&answer, NUMBER)), outcome, "{answer:?}");
        }
        let known = without_trade(PaymentStatus::Refunded, NUMBER);
        assert_eq!(past_undoing(known).status, PaymentStatus::Closed);
    }

    #[test]
    fn closes_and_cancels() {
        let line = |outcome: Result<Undone, Error>| match outcome {
            Ok(Undone::Told(answer)) => line(Ok(answer)),
            Ok(other) => format!("{other:?}"),
            Err(error) => kind(&error).to_owned(),
        };
        for (answer, outcome) in [
            (paid(), "closed"),
            (Answer { out_trade_no: None, ..paid() }, "no-answer"),
            (refused("TRADE_NOT_EXIST"), "NoTrade"),
            (refused("TRADE_STATUS_ERROR"), "NotThisWay"),
            (refused("REASON_ILLEGAL_STATUS"), "NotThisWay"),
            (with_code("40006"), "no-answer"),
            (refused("SYSTEM_ERROR"), "no-answer"),
            (refused("NEW_REASON"), "no-answer"),
        ] {
            assert_eq!(line(read_closed(&answer)), outcome, "{answer:?}");
        }
        let did = |action: &str, retry_flag: &str| Answer {
            action: action.to_owned(),
            retry_flag: retry_flag.to_owned(),
            ..paid()
        };
        for (answer, outcome) in [
            (did("close", "N"), "closed"),
            (did("refund", "N"), "closed"),
            (did("", "N"), "NoTrade"),
            (did("refund", "Y"), "no-answer"),
            (did("close", ""), "no-answer"),
            (did("dance", "N"), "no-answer"),
            (with_code("40006"), "no-answer"),
            (refused("TRADE_NOT_EXIST"), "NoTrade"),
            (refused("TRADE_CANCEL_TIME_OUT"), "NotThisWay"),
            (refused("TRADE_HAS_FINISHED"), "NotThisWay"),
            (refused("REASON_TRADE_REFUND_FEE_ERR"), "NotThisWay"),
            (refused("SELLER_BALANCE_NOT_ENOUGH"), "no-answer"),
            (refused("SYSTEM_ERROR"), "no-answer"),
            (refused("NEW_REASON"), "no-answer"),
        ] {
            assert_eq!(line(read_cancelled(&answer)), outcome, "{answer:?}");
        }
    }

    #[test]
    fn created_codes() {
        let shown = Answer { qr_code: "https://qr.alipay.com/bavh4wjlxf12tper3a".to_owned(), ..paid() };
        assert_eq!(read_created(&shown, NUMBER).as_deref(), Ok("https://qr.alipay.com/bavh4wjlxf12tper3a"));
        for (answer, outcome) in [
            (paid(), "no-answer"),
            (Answer { out_trade_no: Some("pay_b".to_owned()), ..shown.clone() }, "no-answer"),
            (Answer { code: "10003".to_owned(), ..shown }, "no-answer"),
            (refused("TRADE_HAS_CLOSE"), "not-sent"),
            (refused("INVALID_PARAMETER"), "not-sent"),
            (refused("TRADE_HAS_SUCCESS"), "no-answer"),
            (refused("SYSTEM_ERROR"), "no-answer"),
        ] {
            assert_eq!(read_created(&answer, NUMBER).map_err(|error| kind(&error)), Err(outcome), "{answer:?}");
        }
    }

    #[test]
    fn self_tests() {
        assert!(read_self_test(&refused("TRADE_NOT_EXIST"), "2014").is_ok());
        assert_eq!(read_self_test(&paid(), "2014").map_err(|error| kind(&error)), Err("no-answer"));
        assert_eq!(read_self_test(&with_code("40006"), "2014").map_err(|error| kind(&error)), Err("misconfigured"));
    }
}

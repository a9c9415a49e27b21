//! What the issuer's answers mean. What is not foreseen is no answer.

use saoma_channel_sdk::{
    BillKind, BillLine, BillPage, BillRow, Error, Money, PaymentAnswer, PaymentStatus, RefundAnswer, RefundOrder,
    RefundStatus, declined, misconfigured, no_answer, not_sent,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

#[derive(Deserialize)]
struct Amount {
    minor: i64,
    currency: String,
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Self {
        Self { minor: amount.minor, currency: amount.currency }
    }
}

#[derive(Deserialize)]
struct Charge {
    number: String,
    state: String,
    amount: Option<Amount>,
    returned_minor: i64,
    refusal: Option<String>,
    movement: Option<String>,
    at: i64,
}

#[derive(Deserialize)]
struct Line {
    kind: String,
    number: String,
    charge: String,
    amount: Amount,
    movement: String,
    at: i64,
}

#[derive(Deserialize)]
struct Bill {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Issuer {
    acceptor: String,
    issuer: String,
}

/// Problem details (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    fn words(&self) -> String {
        format!("{}: {}", self.code, self.detail)
    }

    /// Whether the request was refused before it was looked at: nothing came of it.
    fn is_refused_unread(&self, status: u16) -> bool {
        matches!(
            (status, self.code.as_str()),
            (400, "body_unreadable" | "idempotency_key_missing" | "idempotency_key_invalid")
                | (401, "unauthenticated")
                | (403, "forbidden")
                | (422, "invalid")
                | (429, "too_many_requests")
        )
    }
}

/// The outcome of a charge.
///
/// # Errors
/// `not-sent` if the issuer refused the request itself, `no-answer` for what cannot be read or is not foreseen.
pub fn charged(status: u16, body: &[u8]) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        // It may have been given back since the first time.
        return payment(parsed(body)?).map(past_undoing);
    }
    refused(status, body)
}

/// What has become of a charge.
///
/// # Errors
/// `no-answer`: whatever is refused here, the charge or refund may have been carried out before.
pub fn queried(status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment(parsed(body)?);
    }
    let problem = problem(status, body)?;
    match (status, problem.code.as_str()) {
        (404, "charge_unknown") => Ok(PaymentAnswer {
            status: PaymentStatus::NotFound,
            number: number.to_owned(),
            amount: None,
            reference: String::new(),
            paid_at: None,
            payer_hint: String::new(),
        }),
        _ => Err(no_answer(problem.words())),
    }
}

/// The outcome of a cancel.
///
/// # Errors
/// `no-answer`: whatever is refused here, the charge or refund may have been carried out before.
pub fn cancelled(status: u16, body: &[u8]) -> Result<PaymentAnswer, Error> {
    if status == 200 { payment(parsed(body)?) } else { Err(no_answer(problem(status, body)?.words())) }
}

/// Whether a charge can no longer be undone whole: a part was refunded, or its holder's account is closed.
#[must_use]
pub fn is_past_undoing(status: u16, body: &[u8]) -> bool {
    status == 409
        && problem(status, body)
            .is_ok_and(|problem| matches!(problem.code.as_str(), "not_reversible" | "account_closed"))
}

/// The same answer where only `query` may say that something was given back.
#[must_use]
pub fn past_undoing(answer: PaymentAnswer) -> PaymentAnswer {
    let status = match answer.status {
        PaymentStatus::Refunded => PaymentStatus::Succeeded,
        other => other,
    };
    PaymentAnswer { status, ..answer }
}

/// The outcome of a refund.
///
/// # Errors
/// As [`charged`].
pub fn refunded(status: u16, body: &[u8], refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(parsed(body)?);
    }
    let problem = problem(status, body)?;
    let failed = |code| Ok(without(RefundStatus::Failed(declined(code, problem.words())), refund));
    match (status, problem.code.as_str()) {
        (409, "refund_exceeds") | (422, "currency_mismatch") => failed("amount-invalid"),
        (409, "account_closed" | "charge_not_charged") | (404, "charge_unknown") => failed("not-permitted"),
        _ => refused(status, body),
    }
}

/// What the issuer knows of a refund.
///
/// # Errors
/// `no-answer`: whatever is refused here, the charge or refund may have been carried out before.
pub fn refund_queried(status: u16, body: &[u8], refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(parsed(body)?);
    }
    let problem = problem(status, body)?;
    match (status, problem.code.as_str()) {
        (404, "charge_unknown") => Ok(without(RefundStatus::NotFound, refund)),
        _ => Err(no_answer(problem.words())),
    }
}

/// A page of the bill.
///
/// # Errors
/// As [`charged`].
pub fn bill(status: u16, body: &[u8]) -> Result<BillPage, Error> {
    if status != 200 {
        return refused(status, body);
    }
    let bill: Bill = parsed(body)?;
    Ok(BillPage { lines: bill.items.iter().map(line).collect(), next_cursor: bill.next_cursor })
}

/// Whether the issuer knows us.
///
/// # Errors
/// `misconfigured` if it does not.
pub fn introduced(status: u16, body: &[u8], acceptor: &str) -> Result<String, Error> {
    if status != 200 {
        return Err(misconfigured(problem(status, body)?.words()));
    }
    let issuer: Issuer = parsed(body)?;
    if issuer.acceptor == acceptor {
        Ok(format!("{} answers and takes this key for {acceptor}. 连接正常，密钥有效。", issuer.issuer))
    } else {
        Err(misconfigured(format!("the issuer answers for the acceptor {:?}", issuer.acceptor)))
    }
}

fn payment(charge: Charge) -> Result<PaymentAnswer, Error> {
    let status = match charge.state.as_str() {
        "charged" if charge.returned_minor > 0 => PaymentStatus::Refunded,
        "charged" => PaymentStatus::Succeeded,
        "refused" => PaymentStatus::Failed(refusal(charge.refusal.as_deref().unwrap_or_default())),
        "cancelled" | "barred" => PaymentStatus::Closed,
        other => return Err(no_answer(format!("the charge is {other:?}, which the API does not know"))),
    };
    let was_paid = matches!(status, PaymentStatus::Succeeded | PaymentStatus::Refunded);
    Ok(PaymentAnswer {
        status,
        number: charge.number,
        amount: charge.amount.map(Money::from),
        reference: charge.movement.unwrap_or_default(),
        paid_at: was_paid.then_some(charge.at),
        payer_hint: String::new(),
    })
}

fn refusal(reason: &str) -> saoma_channel_sdk::Failure {
    let code = match reason {
        "code" => "code-invalid",
        "code_expired" => "code-expired",
        "insufficient" => "insufficient-funds",
        "charge_limit" | "day_limit" => "limit-exceeded",
        "frozen" | "closed" => "not-permitted",
        "currency" => "amount-invalid",
        _ => "other",
    };
    declined(code, reason)
}

fn refund_answer(line: Line) -> Result<RefundAnswer, Error> {
    if line.kind != "refunded" {
        return Err(no_answer(format!("the refund is {:?}, which the API does not know", line.kind)));
    }
    Ok(RefundAnswer {
        status: RefundStatus::Succeeded,
        refund_number: line.number,
        amount: Some(line.amount.into()),
        reference: line.movement,
    })
}

/// An answer about a refund that the issuer does not hold: our own number, and nothing that it did not say.
fn without(status: RefundStatus, refund: &RefundOrder) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund.refund_number.clone(), amount: None, reference: String::new() }
}

fn line(item: &Value) -> BillLine {
    let read = serde_json::from_value::<Line>(item.clone()).ok().and_then(|line| {
        let (kind, number, refund_number) = match line.kind.as_str() {
            "charged" => (BillKind::Payment, line.number, String::new()),
            "charge_cancelled" => (BillKind::Reversal, line.charge, String::new()),
            "refunded" => (BillKind::Refund, line.charge, line.number),
            _ => return None,
        };
        Some(BillLine::Row(BillRow {
            kind,
            number,
            refund_number,
            case_number: String::new(),
            reference: line.movement,
            amount_minor: line.amount.minor,
            // The issuer takes none.
            fee_minor: 0,
            currency: line.amount.currency,
            at: line.at,
        }))
    });
    read.unwrap_or_else(|| BillLine::Unreadable(item.to_string()))
}

fn refused<T>(status: u16, body: &[u8]) -> Result<T, Error> {
    let problem = problem(status, body)?;
    Err(if problem.is_refused_unread(status) { not_sent(problem.words()) } else { no_answer(problem.words()) })
}

fn problem(status: u16, body: &[u8]) -> Result<Problem, Error> {
    serde_json::from_slice(body).map_err(|_| no_answer(format!("status {status} with a body that cannot be read")))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| no_answer(format!("the answer cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn charge(state: &str, returned_minor: i64, refusal: &str) -> Vec<u8> {
        format!(
            r#"{{"number":"{NUMBER}","state":"{state}","amount":{{"minor":1250,"currency":"CNY"}},
                "returned_minor":{returned_minor},"refusal":{refusal},"movement":"svm_a","at":1700000000000}}"#
        )
        .into_bytes()
    }

    fn refused_with(code: &str) -> Vec<u8> {
        format!(r#"{{"type":"about:blank","status":0,"code":"{code}","detail":"no"}}"#).into_bytes()
    }

    fn told(outcome: Result<PaymentAnswer, Error>) -> String {
        match outcome {
            Ok(PaymentAnswer { status: PaymentStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status).replace("PaymentStatus::", ""),
            Err(Error::NoAnswer(_)) => "no-answer".to_owned(),
            Err(Error::NotSent(_)) => "not-sent".to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn charges_and_what_became_of_them() {
        for (status, body, of_charge, of_query, of_cancel) in [
            (200, charge("charged", 0, "null"), "Succeeded", "Succeeded", "Succeeded"),
            (200, charge("charged", 50, "null"), "Succeeded", "Refunded", "Refunded"),
            (200, charge("cancelled", 1250, "null"), "Closed", "Closed", "Closed"),
            (200, charge("barred", 0, "null"), "Closed", "Closed", "Closed"),
            (
                200,
                charge("refused", 0, "\"insufficient\""),
                "failed insufficient-funds",
                "failed insufficient-funds",
                "failed insufficient-funds",
            ),
            (
                200,
                charge("refused", 0, "\"code\""),
                "failed code-invalid",
                "failed code-invalid",
                "failed code-invalid",
            ),
            (200, charge("refused", 0, "\"new\""), "failed other", "failed other", "failed other"),
            (200, charge("dreaming", 0, "null"), "no-answer", "no-answer", "no-answer"),
            (200, b"<html>".to_vec(), "no-answer", "no-answer", "no-answer"),
            (404, refused_with("charge_unknown"), "no-answer", "NotFound", "no-answer"),
            // A 404 of something on the way is not the issuer's word.
            (404, refused_with("not_found"), "no-answer", "no-answer", "no-answer"),
            (409, refused_with("charge_exists_differently"), "no-answer", "no-answer", "no-answer"),
            (401, refused_with("unauthenticated"), "not-sent", "no-answer", "no-answer"),
            (429, refused_with("too_many_requests"), "not-sent", "no-answer", "no-answer"),
            (503, refused_with("outcome_unknown"), "no-answer", "no-answer", "no-answer"),
            (502, b"<html>".to_vec(), "no-answer", "no-answer", "no-answer"),
        ] {
            let shown = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(told(charged(status, &body)), of_charge, "{status} {shown}");
            assert_eq!(told(queried(status, &body, NUMBER)), of_query, "{status} {shown}");
            assert_eq!(told(cancelled(status, &body)), of_cancel, "{status} {shown}");
        }
        assert!(is_past_undoing(409, &refused_with("not_reversible")));
        assert!(
            !is_past_undoing(409, &refused_with("other")) && !is_past_undoing(500, &refused_with("not_reversible"))
        );
    }

    #[test]
    fn refunds() {
        let asked = RefundOrder {
            number: NUMBER.to_owned(),
            reference: String::new(),
            refund_number: REFUND.to_owned(),
            amount: Money { minor: 5, currency: "CNY".to_owned() },
            total: Money { minor: 1250, currency: "CNY".to_owned() },
            reason: String::new(),
            created_at: 1,
        };
        let done = format!(
            r#"{{"kind":"refunded","number":"{REFUND}","charge":"{NUMBER}","amount":{{"minor":5,"currency":"CNY"}},"movement":"svm_b","at":1}}"#
        );
        let told = |outcome: Result<RefundAnswer, Error>| match outcome {
            Ok(RefundAnswer { status: RefundStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status).replace("RefundStatus::", ""),
            Err(Error::NoAnswer(_)) => "no-answer".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        for (status, body, of_refund, of_query) in [
            (200, done.clone().into_bytes(), "Succeeded", "Succeeded"),
            (200, done.replace("refunded", "charged").into_bytes(), "no-answer", "no-answer"),
            (409, refused_with("refund_exceeds"), "failed amount-invalid", "no-answer"),
            (409, refused_with("account_closed"), "failed not-permitted", "no-answer"),
            (409, refused_with("refund_exists_differently"), "no-answer", "no-answer"),
            (404, refused_with("charge_unknown"), "failed not-permitted", "NotFound"),
            (500, refused_with("internal"), "no-answer", "no-answer"),
        ] {
            assert_eq!(told(refunded(status, &body, &asked)), of_refund, "{status}");
            assert_eq!(told(refund_queried(status, &body, &asked)), of_query, "{status}");
        }
    }

    #[test]
    fn bills() {
        let item = |kind: &str, number: &str| {
            format!(
                r#"{{"kind":"{kind}","number":"{number}","charge":"{NUMBER}","amount":{{"minor":5,"currency":"CNY"}},"movement":"svm_b","at":1}}"#
            )
        };
        let items = [
            item("charged", NUMBER),
            item("refunded", REFUND),
            item("charge_cancelled", NUMBER),
            "{\"kind\":7}".to_owned(),
        ];
        let body = format!(r#"{{"items":[{}],"next_cursor":"1-svm_b"}}"#, items.join(","));
        let page = bill(200, body.as_bytes()).expect("a page");
        let rows: Vec<String> = page
            .lines
            .iter()
            .map(|line| match line {
                BillLine::Row(row) => format!("{:?} {} {}", row.kind, row.number, row.refund_number),
                BillLine::Unreadable(text) => text.clone(),
            })
            .collect();
        assert_eq!(
            rows,
            [
                format!("BillKind::Payment {NUMBER} "),
                format!("BillKind::Refund {NUMBER} {REFUND}"),
                format!("BillKind::Reversal {NUMBER} "),
                "{\"kind\":7}".to_owned(),
            ]
        );
        assert_eq!(page.next_cursor.as_deref(), Some("1-svm_b"));
        assert!(bill(503, b"").is_err());
    }
}

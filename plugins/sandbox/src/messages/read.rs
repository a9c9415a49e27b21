//! What the scheme's verified answers mean.
//!
//! A signed refusal of the request itself, under a code that the protocol names for it, had no effect. Any other surprise is no
//! answer, and core asks again.

use saoma_channel_sdk::{
    DisputeNews, DisputeNotice, Error, Failure, Money, NotificationEvent, Order, PaymentAnswer, PaymentStatus,
    RefundAnswer, RefundStatus, declined, from_decimal, misconfigured, no_answer, not_sent,
};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Deserialize)]
struct OrderMessage {
    order_number: String,
    status: String,
    amount: String,
    currency: String,
    reference: String,
    paid_at: Option<i64>,
    payer_hint: Option<String>,
    decline_code: Option<String>,
    code_url: Option<String>,
}

#[derive(Deserialize)]
struct RefundMessage {
    refund_number: String,
    status: String,
    amount: String,
    currency: String,
    reference: String,
}

#[derive(Deserialize)]
struct DisputeMessage {
    dispute_number: String,
    order_number: String,
    status: String,
    amount: String,
    currency: String,
    reason: String,
    respond_by: Option<i64>,
    fee: String,
    at: i64,
}

/// Of either message: what tells which.
#[derive(Deserialize)]
struct OfSomeKind {
    dispute_number: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    pub(super) fn words(&self) -> String {
        format!("{}: {}", self.code, self.message)
    }
}

#[derive(Deserialize)]
struct Pong {
    merchant_id: String,
}

/// The code of the order that was announced. The contract carries nothing else of this answer to core, so number and amount
/// are compared here: whoever scans the code pays what the scheme has down.
///
/// # Errors
/// `not-sent` if the scheme refused it, `no-answer` for all that is not a code of this order and amount.
pub fn read_created(status: u16, body: &[u8], asked: &Order) -> Result<String, Error> {
    if status != 200 {
        let refusal = refusal(status, body)?;
        return Err(match (status, refusal.code.as_str()) {
            (409, "ORDER_CLOSED") => not_sent(refusal.words()),
            (status, code) if is_refused_unread(status, code) => not_sent(refusal.words()),
            _ => no_answer(refusal.words()),
        });
    }
    let order: OrderMessage = parsed(body)?;
    let amount = said(&order.amount, &order.currency)?;
    if order.order_number != asked.number || amount != asked.amount {
        let OrderMessage { order_number, amount, currency, .. } = order;
        return Err(no_answer(format!("the answer is about {amount} {currency} for order {order_number:?}")));
    }
    match (order.status.as_str(), order.code_url) {
        ("WAITING" | "PAYING", Some(code)) => Ok(code),
        ("CLOSED", _) => Err(not_sent("the order was closed before")),
        (status, _) => Err(no_answer(format!("the order is {status} and has no code to show"))),
    }
}

/// The outcome of a charge.
///
/// # Errors
/// `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
pub fn read_charged(status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment_answer(parsed(body)?);
    }
    let refusal = refusal(status, body)?;
    let failed = |code| Ok(without_order(PaymentStatus::Failed(declined(code, refusal.words())), number));
    match (status, refusal.code.as_str()) {
        (400, "CODE_INVALID") => failed("code-invalid"),
        (400, "CODE_EXPIRED") => failed("code-expired"),
        // We closed this number before the charge came through: it can never take money.
        (409, "ORDER_CLOSED") => Ok(without_order(PaymentStatus::Closed, number)),
        (status, code) if is_refused_unread(status, code) => Err(not_sent(refusal.words())),
        _ => Err(no_answer(refusal.words())),
    }
}

/// Whether the protocol says that such a refusal had no effect. A code that it does not name may mean anything.
fn is_refused_unread(status: u16, code: &str) -> bool {
    matches!((status, code), (400, "BAD_REQUEST" | "CURRENCY_UNSUPPORTED") | (401, "BAD_SIGNATURE"))
}

/// What the scheme knows of an order.
///
/// # Errors
/// `no-answer` for all but an order or its absence.
pub fn read_queried(status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment_answer(parsed(body)?);
    }
    let refusal = refusal(status, body)?;
    match (status, refusal.code.as_str()) {
        (404, "ORDER_NOT_FOUND") => Ok(without_order(PaymentStatus::NotFound, number)),
        (401, _) => Err(not_sent(refusal.words())),
        _ => Err(no_answer(refusal.words())),
    }
}

/// What `cancel` says of an order of which money was given back: that it is paid, and can no longer be undone this way.
#[must_use]
pub fn past_undoing(known: PaymentAnswer) -> PaymentAnswer {
    match known.status {
        PaymentStatus::Refunded => PaymentAnswer { status: PaymentStatus::Succeeded, ..known },
        _ => known,
    }
}

/// Whether a close was refused because part of the money was given back before.
#[must_use]
pub fn is_not_reversible(status: u16, body: &[u8]) -> bool {
    status == 409 && refusal(status, body).is_ok_and(|refusal| refusal.code == "NOT_REVERSIBLE")
}

/// The outcome of a close. An unknown number is burnt by the asking, so it is `closed`.
///
/// # Errors
/// As [`read_queried`].
pub fn read_closed(status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    match read_queried(status, body, number)? {
        // The scheme has burnt the number by this very request: it can never take money.
        PaymentAnswer { status: PaymentStatus::NotFound, .. } => Ok(without_order(PaymentStatus::Closed, number)),
        answer => Ok(past_undoing(answer)),
    }
}

/// The outcome of a refund.
///
/// # Errors
/// `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
pub fn read_refunded(status: u16, body: &[u8], refund_number: &str) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(parsed(body)?);
    }
    let refusal = refusal(status, body)?;
    let failed = |code| Ok(without_refund(RefundStatus::Failed(declined(code, refusal.words())), refund_number));
    match (status, refusal.code.as_str()) {
        (409, "REFUND_EXCEEDS") => failed("amount-invalid"),
        // Another amount under this number was carried out before: only a query tells.
        (409, "REFUND_CONFLICT") => Err(no_answer(refusal.words())),
        (404, "ORDER_NOT_FOUND") => failed("not-permitted"),
        (status, code) if is_refused_unread(status, code) => Err(not_sent(refusal.words())),
        _ => Err(no_answer(refusal.words())),
    }
}

/// What the scheme knows of a refund.
///
/// # Errors
/// `no-answer` for all but a refund or its absence.
pub fn read_refund_queried(status: u16, body: &[u8], refund_number: &str) -> Result<RefundAnswer, Error> {
    if status == 200 {
        return refund_answer(parsed(body)?);
    }
    let refusal = refusal(status, body)?;
    match (status, refusal.code.as_str()) {
        (404, "REFUND_NOT_FOUND" | "ORDER_NOT_FOUND") => Ok(without_refund(RefundStatus::NotFound, refund_number)),
        (401, _) => Err(not_sent(refusal.words())),
        _ => Err(no_answer(refusal.words())),
    }
}

/// What a verified notification says, of an order or of a dispute.
///
/// # Errors
/// What cannot be read.
pub fn read_notification(body: &[u8]) -> Result<NotificationEvent, String> {
    let unreadable = |error: serde_json::Error| error.to_string();
    let OfSomeKind { dispute_number } = serde_json::from_slice(body).map_err(unreadable)?;
    let event = if dispute_number.is_some() {
        dispute_notice(serde_json::from_slice(body).map_err(unreadable)?).map(NotificationEvent::Dispute)
    } else {
        payment_answer(serde_json::from_slice(body).map_err(unreadable)?).map(NotificationEvent::Payment)
    };
    event.map_err(|error| match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => "unsupported".to_owned(),
    })
}

/// Whether the scheme knows us.
///
/// # Errors
/// `misconfigured` if it takes us for another merchant or refuses us.
pub fn read_pong(status: u16, body: &[u8], merchant_id: &str) -> Result<String, Error> {
    if status != 200 {
        return Err(misconfigured(refusal(status, body)?.words()));
    }
    let pong: Pong = parsed(body)?;
    if pong.merchant_id == merchant_id {
        Ok(format!("The wallet scheme answers and knows merchant {merchant_id}. 连接正常，商户号与密钥有效。"))
    } else {
        Err(misconfigured(format!("the scheme answers for merchant {:?}", pong.merchant_id)))
    }
}

fn dispute_notice(dispute: DisputeMessage) -> Result<DisputeNotice, Error> {
    let fee = || said(&dispute.fee, &dispute.currency).map(Some);
    let news = match dispute.status.as_str() {
        "OPENED" => DisputeNews::Opened(dispute.respond_by),
        "EVIDENCE_WANTED" => DisputeNews::EvidenceWanted(dispute.respond_by),
        "WON" => DisputeNews::Won(fee()?),
        "LOST" => DisputeNews::Lost(fee()?),
        other => {
            return Err(no_answer(format!("the dispute has the status {other:?}, which the protocol does not know")));
        }
    };
    Ok(DisputeNotice {
        amount: said(&dispute.amount, &dispute.currency)?,
        number: dispute.order_number,
        case_number: dispute.dispute_number,
        reason: dispute.reason,
        news,
        at: dispute.at,
    })
}

fn payment_answer(order: OrderMessage) -> Result<PaymentAnswer, Error> {
    let status = match order.status.as_str() {
        "WAITING" | "PAYING" => PaymentStatus::Pending,
        "PAID" => PaymentStatus::Succeeded,
        "DECLINED" => PaymentStatus::Failed(failure(order.decline_code.as_deref().unwrap_or("DECLINED"))),
        "CLOSED" | "REVERSED" => PaymentStatus::Closed,
        "REFUNDED" | "PARTLY_REFUNDED" => PaymentStatus::Refunded,
        other => {
            return Err(no_answer(format!("the order has the status {other:?}, which the protocol does not know")));
        }
    };
    Ok(PaymentAnswer {
        status,
        number: order.order_number,
        amount: Some(said(&order.amount, &order.currency)?),
        reference: order.reference,
        paid_at: order.paid_at,
        payer_hint: order.payer_hint.unwrap_or_default(),
    })
}

fn failure(decline_code: &str) -> Failure {
    let code = match decline_code {
        "INSUFFICIENT_FUNDS" => "insufficient-funds",
        "DECLINED" => "declined",
        "LIMIT_EXCEEDED" => "limit-exceeded",
        _ => "other",
    };
    declined(code, decline_code)
}

fn refund_answer(refund: RefundMessage) -> Result<RefundAnswer, Error> {
    let status = match refund.status.as_str() {
        "PROCESSING" => RefundStatus::Pending,
        "DONE" => RefundStatus::Succeeded,
        "FAILED" => RefundStatus::Failed(declined("other", "FAILED")),
        other => {
            return Err(no_answer(format!("the refund has the status {other:?}, which the protocol does not know")));
        }
    };
    Ok(RefundAnswer {
        status,
        refund_number: refund.refund_number,
        amount: Some(said(&refund.amount, &refund.currency)?),
        reference: refund.reference,
    })
}

/// An answer about an order that the scheme does not hold: our own number, and nothing that it did not say.
fn without_order(status: PaymentStatus, number: &str) -> PaymentAnswer {
    let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
    PaymentAnswer { status, number, amount: None, reference, paid_at: None, payer_hint }
}

fn without_refund(status: RefundStatus, refund_number: &str) -> RefundAnswer {
    RefundAnswer { status, refund_number: refund_number.to_owned(), amount: None, reference: String::new() }
}

pub(super) fn said(amount: &str, currency: &str) -> Result<Money, Error> {
    from_decimal(amount, currency).map_err(|why| no_answer(why.0))
}

pub(super) fn refusal(status: u16, body: &[u8]) -> Result<Refusal, Error> {
    serde_json::from_slice(body).map_err(|_| no_answer(format!("status {status} with a body that cannot be read")))
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| no_answer(format!("the answer cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use insta::assert_debug_snapshot;

    use super::*;

    const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn order(status: &str, decline: &str) -> Vec<u8> {
        format!(
            r#"{{"order_number":"{NUMBER}","status":"{status}","amount":"12.50","currency":"CNY","reference":"W1",
                "paid_at":1700000000000,"payer_hint":"a***e","decline_code":{decline},"refunded":"0.00","code_url":null}}"#
        )
        .into_bytes()
    }

    fn refused(code: &str) -> Vec<u8> {
        format!(r#"{{"code":"{code}","message":"no"}}"#).into_bytes()
    }

    /// One line of an outcome: the status, or the error's kind.
    fn told(outcome: Result<PaymentAnswer, Error>) -> String {
        match outcome {
            Ok(PaymentAnswer { status: PaymentStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status),
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
    fn a_dispute_is_told_by_its_own_message() {
        let told = |status: &str, respond_by: &str, fee: &str| {
            let body = format!(
                r#"{{"dispute_number":"D-1","order_number":"{NUMBER}","status":"{status}","amount":"12.50","currency":"CNY",
                    "reason":"fraud","respond_by":{respond_by},"fee":"{fee}","at":1700000000000}}"#
            );
            read_notification(body.as_bytes())
        };
        let fee = |minor| Some(Money { minor, currency: "CNY".to_owned() });
        for (status, respond_by, news) in [
            ("OPENED", "1700000000001", DisputeNews::Opened(Some(1_700_000_000_001))),
            ("EVIDENCE_WANTED", "null", DisputeNews::EvidenceWanted(None)),
            ("WON", "null", DisputeNews::Won(fee(0))),
            ("LOST", "null", DisputeNews::Lost(fee(0))),
        ] {
            let Ok(NotificationEvent::Dispute(notice)) = told(status, respond_by, "0.00") else { panic!("{status}") };
            assert_eq!(
                (notice.case_number.as_str(), notice.number.as_str(), notice.at),
                ("D-1", NUMBER, 1_700_000_000_000)
            );
            assert_eq!((notice.amount.minor, notice.news), (1_250, news));
        }
        let lost = told("LOST", "null", "15.00");
        assert!(
            matches!(lost, Ok(NotificationEvent::Dispute(DisputeNotice { news: DisputeNews::Lost(told), .. })) if told == fee(1_500))
        );
        assert!(told("DREAMING", "null", "0.00").is_err_and(|why| why.contains("DREAMING")));
        assert!(told("LOST", "null", "free").is_err());
    }

    #[test]
    fn a_whole_answer() {
        assert_debug_snapshot!(read_charged(200, &order("PAID", "null"), NUMBER), @r#"
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
                reference: "W1",
                paid-at: Some(
                    1700000000000,
                ),
                payer-hint: "a***e",
            },
        )
        "#);
    }

    #[test]
    fn charges() {
        for (status, body, outcome) in [
            (200, order("PAID", "null"), "PaymentStatus::Succeeded"),
            (200, order("PAYING", "null"), "PaymentStatus::Pending"),
            (200, order("DECLINED", "\"INSUFFICIENT_FUNDS\""), "failed insufficient-funds"),
            (200, order("DECLINED", "\"DECLINED\""), "failed declined"),
            (200, order("DECLINED", "\"LIMIT_EXCEEDED\""), "failed limit-exceeded"),
            (200, order("DECLINED", "\"NEW_REASON\""), "failed other"),
            (200, order("DECLINED", "null"), "failed declined"),
            (200, order("REVERSED", "null"), "PaymentStatus::Closed"),
            (200, order("DREAMING", "null"), "no-answer"),
            (200, b"\xff\xfe garbage".to_vec(), "no-answer"),
            (200, Vec::new(), "no-answer"),
            (400, refused("CODE_INVALID"), "failed code-invalid"),
            (400, refused("CODE_EXPIRED"), "failed code-expired"),
            (400, refused("BAD_REQUEST"), "not-sent"),
            (400, refused("E7041"), "no-answer"),
            (401, refused("BAD_SIGNATURE"), "not-sent"),
            (409, refused("ORDER_CLOSED"), "PaymentStatus::Closed"),
            (409, refused("ORDER_CONFLICT"), "no-answer"),
            (409, b"?".to_vec(), "no-answer"),
            (500, refused("INTERNAL"), "no-answer"),
            (302, Vec::new(), "no-answer"),
        ] {
            assert_eq!(
                told(read_charged(status, &body, NUMBER)),
                outcome,
                "{status} {}",
                String::from_utf8_lossy(&body)
            );
        }
    }

    #[test]
    fn queries_and_closes() {
        for (status, body, outcome) in [
            (200, order("WAITING", "null"), "PaymentStatus::Pending"),
            (200, order("CLOSED", "null"), "PaymentStatus::Closed"),
            (200, order("REFUNDED", "null"), "PaymentStatus::Refunded"),
            (200, order("PARTLY_REFUNDED", "null"), "PaymentStatus::Refunded"),
            (404, refused("ORDER_NOT_FOUND"), "PaymentStatus::NotFound"),
            // A 404 of something on the way is not the scheme's word.
            (404, refused("NO_ROUTE"), "no-answer"),
            (404, b"<html>".to_vec(), "no-answer"),
            (401, refused("BAD_SIGNATURE"), "not-sent"),
            (503, refused("BUSY"), "no-answer"),
        ] {
            assert_eq!(told(read_queried(status, &body, NUMBER)), outcome);
            let closed = match outcome {
                "PaymentStatus::NotFound" => "PaymentStatus::Closed",
                "PaymentStatus::Refunded" => "PaymentStatus::Succeeded",
                other => other,
            };
            assert_eq!(told(read_closed(status, &body, NUMBER)), closed);
        }
        for (status, told) in [
            ("PARTLY_REFUNDED", "PaymentStatus::Succeeded"),
            ("PAID", "PaymentStatus::Succeeded"),
            ("REVERSED", "PaymentStatus::Closed"),
        ] {
            let known = read_queried(200, &order(status, "null"), NUMBER).map(past_undoing).expect("an answer");
            assert_eq!(format!("{:?}", known.status), told, "{status}");
        }
        assert!(is_not_reversible(409, &refused("NOT_REVERSIBLE")));
        assert!(
            !is_not_reversible(409, &refused("ORDER_CLOSED")) && !is_not_reversible(500, &refused("NOT_REVERSIBLE"))
        );
    }

    #[test]
    fn created_codes() {
        let asked = Order {
            number: NUMBER.to_owned(),
            amount: Money { minor: 1_250, currency: "CNY".to_owned() },
            subject: String::new(),
            merchant_name: String::new(),
            store_name: String::new(),
            store_id: String::new(),
            terminal_id: String::new(),
            terminal_name: String::new(),
            created_at: 1_700_000_000_000,
            expires_at: 1_700_000_120_000,
        };
        let shown = |order: Vec<u8>| {
            let order = String::from_utf8(order).expect("text");
            order.replace(r#""code_url":null"#, r#""code_url":"http://w/pay/t""#)
        };
        let with_code = shown(order("WAITING", "null"));
        assert_eq!(read_created(200, with_code.as_bytes(), &asked), Ok("http://w/pay/t".to_owned()));
        for (status, body, outcome) in [
            (200, order("PAID", "null"), "no-answer"),
            (200, order("WAITING", "null"), "no-answer"),
            (200, order("CLOSED", "null"), "not-sent"),
            // Another order's code, or one that collects another amount, is not shown to anybody.
            (200, with_code.replace(NUMBER, "pay_bbbbbbbbbbbbbbbbbbbbbbbbbb").into_bytes(), "no-answer"),
            (200, with_code.replace("12.50", "12.51").into_bytes(), "no-answer"),
            (200, with_code.replace("CNY", "USD").into_bytes(), "no-answer"),
            (400, refused("BAD_REQUEST"), "not-sent"),
            (409, refused("ORDER_CLOSED"), "not-sent"),
            (409, refused("ORDER_CONFLICT"), "no-answer"),
            (403, refused("X"), "no-answer"),
            (500, refused("X"), "no-answer"),
        ] {
            assert_eq!(read_created(status, &body, &asked).map_err(|error| kind(&error)), Err(outcome), "{status}");
        }
    }

    #[test]
    fn refunds() {
        let refund = |status: &str| {
            format!(
                r#"{{"refund_number":"{REFUND}","order_number":"{NUMBER}","status":"{status}","amount":"0.05","currency":"CNY","reference":"R1"}}"#
            )
            .into_bytes()
        };
        let told = |outcome: Result<RefundAnswer, Error>| match outcome {
            Ok(RefundAnswer { status: RefundStatus::Failed(failure), .. }) => format!("failed {}", failure.code),
            Ok(answer) => format!("{:?}", answer.status),
            Err(error) => kind(&error).to_owned(),
        };
        for (status, body, done, queried) in [
            (200, refund("DONE"), "RefundStatus::Succeeded", "RefundStatus::Succeeded"),
            (200, refund("PROCESSING"), "RefundStatus::Pending", "RefundStatus::Pending"),
            (200, refund("FAILED"), "failed other", "failed other"),
            (200, refund("?"), "no-answer", "no-answer"),
            (409, refused("REFUND_EXCEEDS"), "failed amount-invalid", "no-answer"),
            (409, refused("REFUND_CONFLICT"), "no-answer", "no-answer"),
            // The protocol does not foresee it: only a query tells whether the refund is paid.
            (409, refused("BUSY"), "no-answer", "no-answer"),
            (404, refused("ORDER_NOT_FOUND"), "failed not-permitted", "RefundStatus::NotFound"),
            (404, refused("REFUND_NOT_FOUND"), "no-answer", "RefundStatus::NotFound"),
            (400, refused("BAD_REQUEST"), "not-sent", "no-answer"),
            (500, refused("X"), "no-answer", "no-answer"),
        ] {
            assert_eq!(told(read_refunded(status, &body, REFUND)), done, "{status}");
            assert_eq!(told(read_refund_queried(status, &body, REFUND)), queried, "{status}");
        }
    }

    #[test]
    fn pongs() {
        assert!(read_pong(200, br#"{"merchant_id":"m1"}"#, "m1").is_ok());
        assert_eq!(read_pong(200, br#"{"merchant_id":"m2"}"#, "m1").map_err(|e| kind(&e)), Err("misconfigured"));
        assert_eq!(read_pong(401, &refused("BAD_SIGNATURE"), "m1").map_err(|e| kind(&e)), Err("misconfigured"));
    }
}

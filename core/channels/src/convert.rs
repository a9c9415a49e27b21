//! Between the contract's types and ours. What comes out of a plugin is bounded and checked here, once.

use saoma_protocol::{Amount, Millis, Money, PaymentId};

use crate::{
    bindings::{contract, types as wit},
    failure::{Failure, NotificationFailure},
    message::{
        BillPage, BillRow, Created, Decline, DeclineCode, HttpReply, NotificationOutcome, Order, PaymentAnswer,
        PaymentStatus, RefundAnswer, RefundOrder, RefundStatus,
    },
};

/// Longest code to show: far beyond what a QR code of the largest version holds as text (4,296 characters, ISO/IEC 18004).
const CODE_CHARS_MAX: usize = 4_096;
/// Longest number of a scheme's own. The longest known is 64 characters.
const REFERENCE_CHARS_MAX: usize = 128;
const NUMBER_CHARS_MAX: usize = 64;
const PAYER_CHARS_MAX: usize = 64;
/// A scheme's words in a log: cut, not refused.
pub(crate) const WORDS_CHARS_MAX: usize = 500;
/// Longest text in a field that a customer may see (the contract's `order.subject`).
const SUBJECT_CHARS_MAX: usize = 127;
/// Rows of one page of a bill. Beyond it the plugin has to page.
const BILL_ROWS_MAX: usize = 5_000;
/// An acknowledgement is a word or a small document.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// The first `chars_max` characters, without control characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn money(amount: Amount) -> wit::Money {
    wit::Money { minor: amount.minor(), currency: amount.currency().code().to_owned() }
}

pub(crate) fn order(order: &Order) -> wit::Order {
    wit::Order {
        number: order.number.to_string(),
        amount: money(order.amount),
        subject: cut(&order.subject, SUBJECT_CHARS_MAX),
        merchant_name: cut(&order.merchant_name, SUBJECT_CHARS_MAX),
        store_name: cut(&order.store_name, SUBJECT_CHARS_MAX),
        terminal_name: cut(&order.terminal_name, SUBJECT_CHARS_MAX),
        created_at: order.created_at.0,
        expires_at: order.expires_at.0,
        notify_url: order.notify_url.clone(),
    }
}

pub(crate) fn refund_order(refund: &RefundOrder) -> wit::RefundOrder {
    wit::RefundOrder {
        number: refund.number.to_string(),
        reference: refund.reference.clone(),
        refund_number: refund.refund_number.to_string(),
        amount: money(refund.amount),
        total: money(refund.total),
        reason: cut(&refund.reason, SUBJECT_CHARS_MAX),
    }
}

pub(crate) fn failure(error: wit::Error) -> Failure {
    match error {
        wit::Error::NoAnswer(why) => Failure::NoAnswer { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::NotSent(why) => Failure::NotSent { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::Misconfigured(why) => Failure::Misconfigured { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::Unsupported => Failure::Unsupported,
    }
}

pub(crate) fn created(created: contract::Created) -> Result<Created, Failure> {
    let code = bounded("code", created.code, CODE_CHARS_MAX)?;
    if code.is_empty() || code.chars().any(char::is_control) {
        return Err(bad("the code is empty or holds control characters"));
    }
    Ok(Created { code })
}

/// An answer to a question about a known order, and for `charge` about a known amount.
pub(crate) fn payment_answer_about(
    answer: wit::PaymentAnswer,
    asked: PaymentId,
    amount: Option<Amount>,
) -> Result<PaymentAnswer, Failure> {
    let answer = payment_answer(answer)?;
    if answer.number != asked.to_string() {
        return Err(bad(format!("it is about order {:?}, and {asked} was asked", answer.number)));
    }
    match (answer.amount, amount) {
        (Some(given), Some(asked)) if given != asked.money() => {
            Err(bad(format!("it states {given}, and {asked} was asked")))
        }
        _ => Ok(answer),
    }
}

fn payment_answer(answer: wit::PaymentAnswer) -> Result<PaymentAnswer, Failure> {
    let status = match answer.status {
        wit::PaymentStatus::Succeeded => PaymentStatus::Succeeded,
        wit::PaymentStatus::Pending => PaymentStatus::Pending,
        wit::PaymentStatus::Failed(failure) => PaymentStatus::Failed(decline(&failure)),
        wit::PaymentStatus::NotFound => PaymentStatus::NotFound,
        wit::PaymentStatus::Closed => PaymentStatus::Closed,
        wit::PaymentStatus::Refunded => PaymentStatus::Refunded,
    };
    Ok(PaymentAnswer {
        status,
        number: bounded("number", answer.number, NUMBER_CHARS_MAX)?,
        amount: answer.amount.map(said_amount).transpose()?,
        reference: bounded("reference", answer.reference, REFERENCE_CHARS_MAX)?,
        paid_at: answer.paid_at.map(said_moment).transpose()?,
        payer_hint: cut(&answer.payer_hint, PAYER_CHARS_MAX),
    })
}

pub(crate) fn refund_answer_about(answer: wit::RefundAnswer, asked: &RefundOrder) -> Result<RefundAnswer, Failure> {
    let status = match answer.status {
        wit::RefundStatus::Succeeded => RefundStatus::Succeeded,
        wit::RefundStatus::Pending => RefundStatus::Pending,
        wit::RefundStatus::Failed(failure) => RefundStatus::Failed(decline(&failure)),
        wit::RefundStatus::NotFound => RefundStatus::NotFound,
    };
    let answer = RefundAnswer {
        status,
        refund_number: bounded("refund number", answer.refund_number, NUMBER_CHARS_MAX)?,
        amount: answer.amount.map(said_amount).transpose()?,
        reference: bounded("reference", answer.reference, REFERENCE_CHARS_MAX)?,
    };
    if answer.refund_number != asked.refund_number.to_string() {
        let (given, asked) = (&answer.refund_number, asked.refund_number);
        return Err(bad(format!("it is about refund {given:?}, and {asked} was asked")));
    }
    match answer.amount {
        Some(given) if given != asked.amount.money() => {
            Err(bad(format!("it states {given}, and a refund of {} was asked", asked.amount)))
        }
        _ => Ok(answer),
    }
}

pub(crate) fn notification(
    outcome: Result<contract::NotificationOutcome, contract::NotificationError>,
) -> Result<NotificationOutcome, NotificationFailure> {
    match outcome {
        Ok(outcome) => Ok(NotificationOutcome {
            answer: payment_answer(outcome.answer)?,
            acknowledgement: reply(outcome.acknowledgement)?,
        }),
        Err(contract::NotificationError::Forged(why)) => Err(NotificationFailure::Forged(cut(&why, WORDS_CHARS_MAX))),
        Err(contract::NotificationError::Malformed(why)) => {
            Err(NotificationFailure::Malformed(cut(&why, WORDS_CHARS_MAX)))
        }
        Err(contract::NotificationError::Irrelevant(given)) => Err(NotificationFailure::Irrelevant(reply(given)?)),
    }
}

fn reply(reply: contract::HttpReply) -> Result<HttpReply, Failure> {
    let is_header_text =
        reply.content_type.len() <= 100 && reply.content_type.bytes().all(|b| (0x20..0x7f).contains(&b));
    if !(100..=599).contains(&reply.status) || reply.body.len() > REPLY_BYTES_MAX || !is_header_text {
        return Err(bad("the acknowledgement is not a sendable HTTP reply"));
    }
    Ok(HttpReply { status: reply.status, content_type: reply.content_type, body: reply.body })
}

pub(crate) fn bill_page(page: contract::BillPage) -> Result<BillPage, Failure> {
    if page.rows.len() > BILL_ROWS_MAX {
        return Err(bad(format!("a page of {} rows; at most {BILL_ROWS_MAX}", page.rows.len())));
    }
    let rows = page.rows.into_iter().map(bill_row).collect::<Result<_, _>>()?;
    let next_cursor = page.next_cursor.map(|cursor| bounded("cursor", cursor, 1_024)).transpose()?;
    Ok(BillPage { rows, next_cursor })
}

fn bill_row(row: contract::BillRow) -> Result<BillRow, Failure> {
    let amount = said_amount(wit::Money { minor: row.amount_minor, currency: row.currency })?;
    if row.fee_minor.unsigned_abs() > amount.minor().unsigned_abs() {
        return Err(bad(format!("a fee of {} minor units on {amount}", row.fee_minor)));
    }
    Ok(BillRow {
        number: bounded("number", row.number, NUMBER_CHARS_MAX)?,
        refund_number: bounded("refund number", row.refund_number, NUMBER_CHARS_MAX)?,
        reference: bounded("reference", row.reference, REFERENCE_CHARS_MAX)?,
        amount,
        fee: Money::new(row.fee_minor, amount.currency()),
        at: said_moment(row.at)?,
    })
}

fn decline(failure: &wit::Failure) -> Decline {
    Decline { code: DeclineCode::from_contract(&failure.code), message: cut(&failure.message, WORDS_CHARS_MAX) }
}

fn said_amount(money: wit::Money) -> Result<Money, Failure> {
    let currency = money.currency.parse().map_err(|error| bad(format!("{error}")))?;
    Amount::new(money.minor, currency).map(Amount::money).map_err(|error| bad(format!("{error}")))
}

/// A moment between 2000 and 2100: a scheme that says seconds where milliseconds are meant lands in 1970.
fn said_moment(millis: i64) -> Result<Millis, Failure> {
    if (946_684_800_000..4_102_444_800_000).contains(&millis) {
        Ok(Millis(millis))
    } else {
        Err(bad(format!("{millis} is no moment in milliseconds since 1970")))
    }
}

fn bounded(what: &str, text: String, chars_max: usize) -> Result<String, Failure> {
    if text.chars().count() > chars_max {
        return Err(bad(format!("its {what} is longer than {chars_max} characters")));
    }
    Ok(text)
}

fn bad(why: impl Into<String>) -> Failure {
    Failure::BadAnswer { why: why.into() }
}

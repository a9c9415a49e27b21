//! What the scheme's verified answers about orders mean.
//!
//! Whatever no document names is no answer, and core asks again. So is what is told of another merchant.

use saoma_channel_sdk::{Error, Money, PaymentAnswer, PaymentStatus, declined, misconfigured, no_answer, not_sent};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    moment,
    refusal::refusal,
    settings::{Mode, Settings},
};

#[derive(Deserialize)]
pub(super) struct OrderMessage {
    mchid: Option<String>,
    sp_mchid: Option<String>,
    sub_mchid: Option<String>,
    out_trade_no: Option<String>,
    transaction_id: Option<String>,
    trade_state: String,
    #[serde(default)]
    trade_state_desc: String,
    success_time: Option<String>,
    amount: Option<AmountMessage>,
    payer: Option<PayerMessage>,
}

#[derive(Deserialize)]
struct AmountMessage {
    total: Option<i64>,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct PayerMessage {
    openid: Option<String>,
    sp_openid: Option<String>,
    sub_openid: Option<String>,
}

#[derive(Deserialize)]
struct CodeMessage {
    code_url: String,
}

#[derive(Deserialize)]
struct ReversedMessage {
    out_trade_no: String,
}

/// The code of an order that was announced. The answer says neither its number nor its amount, so there is nothing to compare.
///
/// # Errors
/// `not-sent` if the scheme refused it, `no-answer` for all that is not a code.
pub fn read_created(status: u16, body: &[u8]) -> Result<String, Error> {
    if status == 200 {
        let code = parsed::<CodeMessage>(body)?.code_url;
        return (!code.is_empty()).then_some(code).ok_or_else(|| no_answer("the answer has an empty code"));
    }
    let refusal = refusal(status, body)?;
    Err(match refusal.code.as_str() {
        "ORDERCLOSED" | "RULELIMIT" | "TRADEERROR" | "ACCOUNTERROR" if status < 500 => not_sent(refusal.words),
        _ => refusal.into_error(),
    })
}

/// Whether a charge was refused because of what became of an earlier request for the same number, or by a rule that it may have
/// broken (its code may be used up by that very order): a query tells.
#[must_use]
pub fn is_answered_by_query(status: u16, body: &[u8]) -> bool {
    let is_of_order = |code: &str| matches!(code, "ORDERPAID" | "OUTTRADENOUSED" | "INVALIDREQUEST" | "BUYERMISMATCH");
    is_code_refused(status, body)
        || (400..500).contains(&status) && refusal(status, body).is_ok_and(|refusal| is_of_order(&refusal.code))
}

/// Whether it was the customer's code that the scheme did not take.
#[must_use]
pub fn is_code_refused(status: u16, body: &[u8]) -> bool {
    let code = refusal(status, body).ok().and_then(|refusal| refusal.failure_code());
    matches!(code, Some("code-invalid" | "code-expired"))
}

/// What such a refusal comes to if the scheme then has no such order: one of `INVALID_REQUEST` was about this very request.
#[must_use]
pub fn read_unheard(status: u16, body: &[u8]) -> Error {
    match refusal(status, body) {
        Ok(refusal) if refusal.code == "INVALIDREQUEST" => not_sent(refusal.words),
        Ok(refusal) => no_answer(format!("{}, but the scheme has no such order", refusal.words)),
        Err(error) => error,
    }
}

/// The outcome of a charge.
///
/// # Errors
/// `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
pub fn read_charged(settings: &Settings, status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment_answer(settings, parsed(body)?, Some(number)).map(as_paid);
    }
    let refusal = refusal(status, body)?;
    if let Some(code) = refusal.failure_code() {
        return Ok(without_order(PaymentStatus::Failed(declined(code, refusal.words)), number));
    }
    match refusal.code.as_str() {
        // The customer's password is asked for.
        "USERPAYING" => Ok(without_order(PaymentStatus::Pending, number)),
        // We undid this number before the charge came through: it can never take money.
        "ORDERCLOSED" | "ORDERREVERSED" if status < 500 => Ok(without_order(PaymentStatus::Closed, number)),
        _ => Err(refusal.into_error()),
    }
}

/// What the scheme knows of an order.
///
/// # Errors
/// `no-answer` for all but an order or its absence: a refusal to tell says nothing of the order.
pub fn read_queried(settings: &Settings, status: u16, body: &[u8], number: &str) -> Result<PaymentAnswer, Error> {
    if status == 200 {
        return payment_answer(settings, parsed(body)?, Some(number));
    }
    let refusal = refusal(status, body)?;
    if refusal.is_no_order() {
        Ok(without_order(PaymentStatus::NotFound, number))
    } else {
        Err(no_answer(refusal.words))
    }
}

/// How far the undoing of an order has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Undone {
    Answer(Box<PaymentAnswer>),
    /// Done, as the scheme says: a query must confirm it.
    ToConfirm,
    /// Refused, in the scheme's words: a query tells how the order stands.
    Refused(String),
}

/// The outcome of a close.
///
/// # Errors
/// As [`read_queried`].
pub fn read_closed(status: u16, body: &[u8], number: &str) -> Result<Undone, Error> {
    if status == 204 {
        return Ok(answer(PaymentStatus::Closed, number));
    }
    let refusal = refusal(status, body)?;
    match refusal.code.as_str() {
        "ORDERCLOSED" if status < 500 => Ok(answer(PaymentStatus::Closed, number)),
        "ORDERPAID" | "INVALIDREQUEST" if status < 500 => Ok(Undone::Refused(refusal.words)),
        _ if refusal.is_no_order() => Ok(answer(PaymentStatus::NotFound, number)),
        _ => Err(no_answer(refusal.words)),
    }
}

/// The outcome of a reversal.
///
/// # Errors
/// As [`read_queried`]; `no-answer` too if it is about another order.
pub fn read_reversed(status: u16, body: &[u8], number: &str) -> Result<Undone, Error> {
    if status == 200 {
        let said = parsed::<ReversedMessage>(body)?.out_trade_no;
        // Said of any number, even of another merchant's: it is not believed without a query.
        return if said == number {
            Ok(Undone::ToConfirm)
        } else {
            Err(no_answer(format!("order {said:?} was reversed")))
        };
    }
    let refusal = refusal(status, body)?;
    match refusal.code.as_str() {
        _ if refusal.is_no_order() => Ok(answer(PaymentStatus::NotFound, number)),
        "ORDERREVERSED" | "ORDERCLOSED" if status < 500 => Ok(Undone::ToConfirm),
        "REVERSEEXPIRE" | "INVALIDREQUEST" | "TRADEERROR" | "ORDERPAID" if status < 500 => {
            Ok(Undone::Refused(refusal.words))
        }
        _ => Err(no_answer(refusal.words)),
    }
}

fn answer(status: PaymentStatus, number: &str) -> Undone {
    Undone::Answer(Box::new(without_order(status, number)))
}

/// What a query after an undoing says for `cancel`.
///
/// # Errors
/// `no-answer` if the order stands as if nothing had been undone, or if money of it was given back and nobody knows by what.
pub fn read_undone(undone: Undone, known: PaymentAnswer) -> Result<PaymentAnswer, Error> {
    match (undone, &known.status) {
        (Undone::Answer(answer), _) => Ok(*answer),
        (_, PaymentStatus::Closed | PaymentStatus::NotFound | PaymentStatus::Failed(_)) => Ok(known),
        // Paid, and the scheme will not undo it this way: refunds are the way then.
        (Undone::Refused(_), PaymentStatus::Succeeded | PaymentStatus::Refunded) => Ok(as_paid(known)),
        (Undone::Refused(words), _) => Err(no_answer(words)),
        (Undone::ToConfirm, status) => Err(no_answer(format!("reversed, but the order is still told as {status:?}"))),
    }
}

/// That an order was paid, where the contract has no word for what was given back since.
#[must_use]
pub fn as_paid(known: PaymentAnswer) -> PaymentAnswer {
    match known.status {
        PaymentStatus::Refunded => PaymentAnswer { status: PaymentStatus::Succeeded, ..known },
        _ => known,
    }
}

/// Whether the scheme knows us, from a query of an order that is not there.
///
/// # Errors
/// `misconfigured` if it refuses us.
pub fn read_self_test(status: u16, body: &[u8]) -> Result<(), Error> {
    let refusal = refusal(status, body)?;
    if refusal.is_no_order() {
        return Ok(());
    }
    let words = &refusal.words;
    Err(match refusal.code.as_str() {
        "SIGNERROR" => {
            misconfigured(format!("{words} (check merchant_serial, the merchant key, and this machine's clock)"))
        }
        _ if refusal.is_before_effect() => misconfigured(words.as_str()),
        _ => no_answer(words.as_str()),
    })
}

/// An order as the scheme tells it. `asked` is the number that was asked about; a notification names its own.
pub(super) fn payment_answer(
    settings: &Settings,
    order: OrderMessage,
    asked: Option<&str>,
) -> Result<PaymentAnswer, Error> {
    let status = match order.trade_state.as_str() {
        "SUCCESS" => PaymentStatus::Succeeded,
        "REFUND" => PaymentStatus::Refunded,
        "NOTPAY" | "USERPAYING" => PaymentStatus::Pending,
        "CLOSED" | "REVOKED" => PaymentStatus::Closed,
        "PAYERROR" => PaymentStatus::Failed(declined("declined", format!("PAYERROR: {}", order.trade_state_desc))),
        other => return Err(no_answer(format!("the order has the state {other:?}, which no document names"))),
    };
    let is_paid = matches!(status, PaymentStatus::Succeeded | PaymentStatus::Refunded);
    let told = match settings.mode {
        Mode::Direct => vec![(&order.mchid, &settings.mchid)],
        Mode::Partner => vec![(&order.sp_mchid, &settings.mchid), (&order.sub_mchid, &settings.sub_mchid)],
    };
    // While the customer types a password an answer may be of one word; a payment must say whose it is.
    if told.into_iter().any(|(told, ours)| told.as_ref().map_or(is_paid, |told| told != ours)) {
        return Err(no_answer("the answer is about another merchant"));
    }
    let number = match (order.out_trade_no, asked) {
        (Some(number), _) => number,
        (None, Some(asked)) if !is_paid => asked.to_owned(),
        _ => return Err(no_answer("the answer does not say which order it is about")),
    };
    Ok(PaymentAnswer {
        status,
        number,
        amount: order.amount.and_then(|amount| said(amount.total, amount.currency)),
        reference: order.transaction_id.unwrap_or_default(),
        paid_at: order.success_time.as_deref().and_then(moment::from_rfc3339),
        payer_hint: order.payer.map(payer_hint).unwrap_or_default(),
    })
}

/// An amount in fen. Merchants in China have CNY alone, and some answers leave it out.
pub(super) fn said(fen: Option<i64>, currency: Option<String>) -> Option<Money> {
    Some(Money { minor: fen?, currency: currency.unwrap_or_else(|| "CNY".to_owned()) })
}

/// The payer's id in the app, of which the ends are enough to tell two payers apart.
fn payer_hint(payer: PayerMessage) -> String {
    let id = payer.openid.or(payer.sub_openid).or(payer.sp_openid).unwrap_or_default();
    let letters: Vec<char> = id.chars().collect();
    match letters.as_slice() {
        [a, b, c, d, .., y, z] if letters.len() > 8 => [*a, *b, *c, *d, '*', '*', '*', *y, *z].iter().collect(),
        _ => String::new(),
    }
}

/// An answer about an order that the scheme does not describe: our own number, and nothing that it did not say.
fn without_order(status: PaymentStatus, number: &str) -> PaymentAnswer {
    let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
    PaymentAnswer { status, number, amount: None, reference, paid_at: None, payer_hint }
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| no_answer(format!("the answer cannot be read: {error}")))
}

#[cfg(test)]
mod tests;

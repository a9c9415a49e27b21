//! What the scheme's verified answers mean.
//!
//! An answer to a request that moves money only says that the request was taken in, so the transaction is asked about behind
//! it. A refusal counts only if the scheme then knows no transaction of that number: the request may have been a repetition.

use saoma_channel_sdk::{
    Error, Failure, Money, Order, PaymentAnswer, PaymentStatus, declined, misconfigured, no_answer, not_sent,
};

use super::{
    code::{Meaning, meaning, standing},
    form::Message,
    moment::{near, year_and_month},
    number::{number, voided_number},
};

/// The longest code that the contract takes.
const CODE_LEN_MAX: usize = 4_096;

/// What the synchronous answer to a sale, a void or a refund said.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The scheme has it.
    Taken { amount: Option<Money>, reference: String },
    /// It had one of this number before.
    Before(String),
    /// It refused it for good.
    Refused(Failure),
    /// It refused the request as such.
    NotTaken(String),
}

/// What an announced order is that nobody has paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaid {
    /// A charge that the scheme does not have never happened.
    Charge,
    /// Its code can still be paid.
    CodeAlive,
    /// Its code can no longer be paid.
    CodeDead,
}

/// The code of the order that was announced.
///
/// # Errors
/// `not-sent` if the scheme refused it, `no-answer` for all that is not a code of this order and amount.
pub fn read_created(message: &Message, asked: &Order) -> Result<String, Error> {
    is_about(message, &asked.number, Some(&asked.amount))?;
    match meaning(message.get("respCode")) {
        Meaning::Done => {}
        Meaning::Refused(_) | Meaning::Unreadable | Meaning::Unsigned => return Err(not_sent(words(message))),
        _ => return Err(no_answer(words(message))),
    }
    let code = message.get("qrCode");
    if code.is_empty() || code.chars().count() > CODE_LEN_MAX || code.chars().any(char::is_control) {
        return Err(no_answer("the answer has no code to show"));
    }
    Ok(code.to_owned())
}

/// The synchronous answer to a request that moves this amount under this number (a sale's or a refund's, or a void's in the
/// scheme's words).
///
/// # Errors
/// `no-answer` if it is about another number or amount, or says itself that it does not know; `not-sent` if the scheme did not
/// accept the signature.
pub fn heard(message: &Message, asked_number: &str, amount: &Money) -> Result<Heard, Error> {
    is_about(message, asked_number, Some(amount))?;
    Ok(match meaning(message.get("respCode")) {
        Meaning::Done | Meaning::Working => {
            Heard::Taken { amount: said_amount(message)?, reference: message.get("queryId").to_owned() }
        }
        Meaning::Duplicate => Heard::Before(words(message)),
        Meaning::Refused(code) => Heard::Refused(declined(code, words(message))),
        Meaning::Unreadable => Heard::NotTaken(words(message)),
        Meaning::Unsigned => return Err(not_sent(words(message))),
        Meaning::Open | Meaning::Absent | Meaning::GivenBack => return Err(no_answer(words(message))),
    })
}

/// The outcome of a charge: what was heard, and what the query behind it says.
///
/// # Errors
/// `no-answer` if neither tells, `not-sent` if the request was refused as such and the scheme has no such charge.
pub fn charged(heard: Heard, queried: Result<PaymentAnswer, Error>, number: &str) -> Result<PaymentAnswer, Error> {
    let is_absent = matches!(&queried, Ok(answer) if answer.status == PaymentStatus::NotFound);
    match (heard, queried) {
        (Heard::Taken { amount, reference }, queried) if is_absent || queried.is_err() => {
            Ok(PaymentAnswer { amount, reference, ..bare(PaymentStatus::Pending, number) })
        }
        (Heard::Refused(failure), _) if is_absent => Ok(bare(PaymentStatus::Failed(failure), number)),
        (Heard::NotTaken(words), _) if is_absent => Err(not_sent(words)),
        (Heard::Before(words), _) if is_absent => Err(no_answer(words)),
        (_, queried) => queried.map_err(in_doubt),
    }
}

/// What the scheme knows of a sale.
///
/// # Errors
/// `no-answer` for all that is not foreseen.
pub fn read_queried(message: &Message, asked_number: &str, unpaid: Unpaid) -> Result<PaymentAnswer, Error> {
    match meaning(message.get("respCode")) {
        Meaning::Done => {}
        Meaning::Absent => return Ok(without_payment(message, asked_number, unpaid)),
        _ => return Err(no_answer(words(message))),
    }
    is_of_type(message, "01")?;
    match standing(message.get("origRespCode")) {
        Meaning::Done if is_settled(message) => sale(message, PaymentStatus::Succeeded),
        // The code was made, which is not to say that it was paid.
        Meaning::Done if unpaid != Unpaid::Charge => Ok(without_payment(message, asked_number, unpaid)),
        Meaning::Working => sale(message, PaymentStatus::Pending),
        Meaning::GivenBack if !message.get("queryId").is_empty() => sale(message, PaymentStatus::Refunded),
        Meaning::Absent => Ok(without_payment(message, asked_number, unpaid)),
        Meaning::Refused(code) if unpaid == Unpaid::Charge => {
            sale(message, PaymentStatus::Failed(declined(code, original_words(message))))
        }
        // Before the code is dead, the customer may try again with another card.
        Meaning::Refused(_) => Ok(without_payment(message, asked_number, unpaid)),
        _ => Err(no_answer(original_words(message))),
    }
}

/// The outcome of a reversal (冲正), which the scheme gives at once. `None`: it did not reverse, and a query tells how it stands.
///
/// # Errors
/// `no-answer` for what leaves it open, `not-sent` if the scheme did not accept the signature.
pub fn read_reversed(message: &Message, asked_number: &str) -> Result<Option<PaymentAnswer>, Error> {
    is_about(message, asked_number, None)?;
    match (message.get("respCode"), meaning(message.get("respCode"))) {
        (_, Meaning::Done) => Ok(Some(bare(PaymentStatus::Closed, asked_number))),
        (_, Meaning::Absent) => Ok(Some(bare(PaymentStatus::NotFound, asked_number))),
        // Undone before, or given back in part: the scheme does not say which.
        ("45", _) => Err(no_answer(words(message))),
        (_, Meaning::Refused(_) | Meaning::Unreadable) => Ok(None),
        (_, Meaning::Unsigned) => Err(not_sent(words(message))),
        (_, Meaning::Working | Meaning::Open | Meaning::Duplicate | Meaning::GivenBack) => {
            Err(no_answer(words(message)))
        }
    }
}

/// What `cancel` says of a sale that was not undone: what was given back of it is a refund's, so it is paid all the same.
#[must_use]
pub fn past_undoing(known: PaymentAnswer) -> PaymentAnswer {
    match known.status {
        PaymentStatus::Refunded => PaymentAnswer { status: PaymentStatus::Succeeded, ..known },
        _ => known,
    }
}

/// Whether the void of a sale was done; `None` if the scheme has no void of it.
///
/// # Errors
/// `no-answer` while it is not known.
pub fn read_void_queried(message: &Message, sale_number: &str) -> Result<Option<bool>, Error> {
    match meaning(message.get("respCode")) {
        Meaning::Done => {}
        Meaning::Absent => return Ok(None),
        _ => return Err(no_answer(words(message))),
    }
    is_of_type(message, "31")?;
    let said = voided_number(message.get("orderId"));
    if said != sale_number {
        return Err(no_answer(format!("the answer is about the void of {said:?}")));
    }
    match standing(message.get("origRespCode")) {
        Meaning::Done if !message.get("queryId").is_empty() => Ok(Some(true)),
        Meaning::Refused(_) => Ok(Some(false)),
        Meaning::Absent => Ok(None),
        _ => Err(no_answer(original_words(message))),
    }
}

/// Whether the scheme knows us: it found no transaction of a number that was never used.
///
/// # Errors
/// `misconfigured` if it refuses us, `no-answer` for anything else.
pub fn read_probe(message: &Message, merchant_id: &str) -> Result<String, Error> {
    match meaning(message.get("respCode")) {
        Meaning::Absent => {
            Ok(format!("UnionPay answers and knows merchant {merchant_id}. 连接正常，商户代码与证书有效。"))
        }
        Meaning::Unsigned => Err(misconfigured(format!(
            "UnionPay does not accept the signature ({}): check signing-key, and that certificate_id is its certificate's serial \
             number in decimal",
            words(message)
        ))),
        Meaning::Refused(_) | Meaning::Unreadable => {
            Err(misconfigured(format!("UnionPay refuses the merchant ({}): check merchant_id", words(message))))
        }
        _ => Err(no_answer(words(message))),
    }
}

/// A sale as the scheme tells it, in an answer or a notification.
pub(super) fn sale(message: &Message, status: PaymentStatus) -> Result<PaymentAnswer, Error> {
    Ok(PaymentAnswer {
        paid_at: (status == PaymentStatus::Succeeded).then(|| traced_at(message)).flatten(),
        status,
        number: number(message.get("orderId")),
        amount: said_amount(message)?,
        reference: message.get("queryId").to_owned(),
        payer_hint: masked(message.get("accNo")),
    })
}

/// Whether money was moved: the documents promise these fields of every transaction that moves money, and of no other.
pub(super) fn is_settled(message: &Message) -> bool {
    !message.get("queryId").is_empty() && !message.get("settleDate").is_empty()
}

pub(super) fn words(message: &Message) -> String {
    format!("{}: {}", message.get("respCode"), message.get("respMsg"))
}

pub(super) fn original_words(message: &Message) -> String {
    format!("{}: {}", message.get("origRespCode"), message.get("origRespMsg"))
}

pub(super) fn in_doubt(error: Error) -> Error {
    match error {
        Error::NotSent(why) | Error::Misconfigured(why) | Error::NoAnswer(why) => no_answer(why),
        Error::Unsupported => Error::Unsupported,
    }
}

fn without_payment(message: &Message, asked_number: &str, unpaid: Unpaid) -> PaymentAnswer {
    let status = match unpaid {
        Unpaid::Charge => PaymentStatus::NotFound,
        Unpaid::CodeAlive => PaymentStatus::Pending,
        Unpaid::CodeDead => PaymentStatus::Closed,
    };
    bare(status, &said_number(message, asked_number))
}

/// An answer that says no more than this.
fn bare(status: PaymentStatus, number: &str) -> PaymentAnswer {
    let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
    PaymentAnswer { status, number, amount: None, reference, paid_at: None, payer_hint }
}

pub(super) fn said_number(message: &Message, asked: &str) -> String {
    match message.get("orderId") {
        "" => asked.to_owned(),
        order_id => number(order_id),
    }
}

/// The answer must not be about another number or amount than was asked for; what it does not say, it cannot say wrongly.
fn is_about(message: &Message, asked: &str, amount: Option<&Money>) -> Result<(), Error> {
    let said = said_number(message, asked);
    if said != asked {
        return Err(no_answer(format!("the answer is about {said:?}")));
    }
    match (said_amount(message)?, amount) {
        (Some(said), Some(amount)) if said != *amount => {
            Err(no_answer(format!("the answer is about {} {}", said.minor, said.currency)))
        }
        _ => Ok(()),
    }
}

pub(super) fn is_of_type(message: &Message, txn_type: &str) -> Result<(), Error> {
    match message.get("txnType") {
        said if said == txn_type => Ok(()),
        said => Err(no_answer(format!("the answer is about a transaction of type {said:?}"))),
    }
}

pub(super) fn said_amount(message: &Message) -> Result<Option<Money>, Error> {
    let text = message.get("txnAmt");
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let minor = text.parse().ok().filter(|_| is_number);
    let minor = minor.ok_or_else(|| no_answer(format!("{text:?} is no amount")))?;
    match message.get("currencyCode") {
        // Refunds and voids do not repeat it; a direct merchant's transactions are all in yuan.
        "" | "156" => Ok(Some(Money { minor, currency: "CNY".to_owned() })),
        other => Err(no_answer(format!("the answer is in the currency {other:?}"))),
    }
}

fn traced_at(message: &Message) -> Option<i64> {
    let (year, month) = year_and_month(message.get("txnTime"))?;
    near(message.get("traceTime"), year, month)
}

/// The last four digits of an account number that comes in digits, masked or not; nothing of an encrypted one.
fn masked(account: &str) -> String {
    let is_number = account.len() >= 12 && account.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
    let last = account.len().saturating_sub(4);
    match account.get(last..) {
        Some(four) if is_number && !four.contains('*') => format!("**** {four}"),
        _ => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use insta::assert_debug_snapshot;

    use super::*;
    use crate::messages::build::tests::{NUMBER, cny, order};

    pub fn message(text: &str) -> Message {
        Message::from_answer(text.as_bytes()).unwrap()
    }

    /// The fields of a settled sale, its query's codes first.
    fn queried(codes: &str) -> Message {
        message(&format!(
            "{codes}&txnType=01&txnSubType=06&orderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&txnTime=20231115061320&txnAmt=1250\
             &currencyCode=156&queryId=202311150613201234567&traceTime=1115061325&settleDate=1115&accNo=6216***********0018"
        ))
    }

    pub fn told<T>(outcome: Result<T, Error>, status: impl Fn(T) -> String) -> String {
        match outcome {
            Ok(answer) => status(answer),
            Err(Error::NoAnswer(_)) => "no-answer".to_owned(),
            Err(Error::NotSent(_)) => "not-sent".to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    fn payment(outcome: Result<PaymentAnswer, Error>) -> String {
        told(outcome, |answer| match answer.status {
            PaymentStatus::Failed(failure) => format!("failed {}", failure.code),
            other => format!("{other:?}").replace("PaymentStatus::", ""),
        })
    }

    #[test]
    fn a_whole_answer() {
        assert_debug_snapshot!(read_queried(&queried("respCode=00&origRespCode=00"), NUMBER, Unpaid::Charge));
    }

    #[test]
    fn queries() {
        let unsettled = "respCode=00&origRespCode=00&txnType=01&orderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&txnAmt=1250";
        for (codes, charge, alive, dead) in [
            ("respCode=00&origRespCode=00", "Succeeded", "Succeeded", "Succeeded"),
            ("respCode=00&origRespCode=A6", "Succeeded", "Succeeded", "Succeeded"),
            ("respCode=00&origRespCode=05", "Pending", "Pending", "Pending"),
            ("respCode=00&origRespCode=03", "Pending", "Pending", "Pending"),
            ("respCode=00&origRespCode=04", "Pending", "Pending", "Pending"),
            ("respCode=00&origRespCode=64", "failed insufficient-funds", "Pending", "Closed"),
            ("respCode=00&origRespCode=80", "failed code-expired", "Pending", "Closed"),
            ("respCode=00&origRespCode=34", "NotFound", "Pending", "Closed"),
            ("respCode=00&origRespCode=45", "Refunded", "Refunded", "Refunded"),
            ("respCode=34", "NotFound", "Pending", "Closed"),
            // Money was taken, but: a person must look. And what no document names.
            ("respCode=00&origRespCode=42", "no-answer", "no-answer", "no-answer"),
            ("respCode=00&origRespCode=A1", "no-answer", "no-answer", "no-answer"),
            ("respCode=00&origRespCode=Q7", "no-answer", "no-answer", "no-answer"),
            ("respCode=00&origRespCode=", "no-answer", "no-answer", "no-answer"),
            ("respCode=Q7&origRespCode=00", "no-answer", "no-answer", "no-answer"),
            ("respCode=&origRespCode=00", "no-answer", "no-answer", "no-answer"),
            ("respCode=05&origRespCode=00", "no-answer", "no-answer", "no-answer"),
            ("respCode=11", "no-answer", "no-answer", "no-answer"),
            ("respCode=37", "no-answer", "no-answer", "no-answer"),
        ] {
            let outcome = |unpaid| payment(read_queried(&queried(codes), NUMBER, unpaid));
            let outcomes = (outcome(Unpaid::Charge), outcome(Unpaid::CodeAlive), outcome(Unpaid::CodeDead));
            assert_eq!(outcomes, (charge.to_owned(), alive.to_owned(), dead.to_owned()), "{codes}");
        }
        // A code was made: nobody has paid it.
        let unsettled = message(unsettled);
        assert_eq!(payment(read_queried(&unsettled, NUMBER, Unpaid::Charge)), "no-answer");
        assert_eq!(payment(read_queried(&unsettled, NUMBER, Unpaid::CodeAlive)), "Pending");
        let other_type = queried("respCode=00&origRespCode=00").with("txnType", "04");
        assert_eq!(payment(read_queried(&other_type, NUMBER, Unpaid::Charge)), "no-answer");
        for (field, value) in
            [("txnAmt", "12.50"), ("txnAmt", "-1"), ("txnAmt", "1250000000000"), ("currencyCode", "840")]
        {
            let strange = queried("respCode=00&origRespCode=00").with(field, value);
            assert_eq!(payment(read_queried(&strange, NUMBER, Unpaid::Charge)), "no-answer", "{field} {value}");
        }
        // Number and amount are told as they were said: core compares them.
        let other = queried("respCode=00&origRespCode=00").with("orderId", "another").with("txnAmt", "1251");
        let other = read_queried(&other, NUMBER, Unpaid::Charge).unwrap();
        assert_eq!((other.number.as_str(), other.amount), ("another", Some(cny(1_251))));
        let absent = read_queried(&message("respCode=34&orderId=another"), NUMBER, Unpaid::Charge).unwrap();
        assert_eq!(absent.number, "another");
    }

    #[test]
    fn charges() {
        let answer = |codes: &str| read_queried(&queried(codes), NUMBER, Unpaid::Charge);
        let (paid, failed) = (answer("respCode=00&origRespCode=00"), answer("respCode=00&origRespCode=64"));
        let (absent, open) = (answer("respCode=34"), answer("respCode=06"));
        for (code, paid_then, failed_then, absent_then, open_then) in [
            ("00", "Succeeded", "failed insufficient-funds", "Pending", "Pending"),
            ("05", "Succeeded", "failed insufficient-funds", "Pending", "Pending"),
            ("12", "Succeeded", "failed insufficient-funds", "no-answer", "no-answer"),
            // A repetition may be refused for its age: the first counts.
            ("80", "Succeeded", "failed insufficient-funds", "failed code-expired", "no-answer"),
            ("61", "Succeeded", "failed insufficient-funds", "failed code-invalid", "no-answer"),
            ("33", "Succeeded", "failed insufficient-funds", "failed limit-exceeded", "no-answer"),
            ("60", "Succeeded", "failed insufficient-funds", "failed declined", "no-answer"),
            ("32", "Succeeded", "failed insufficient-funds", "failed not-permitted", "no-answer"),
            ("10", "Succeeded", "failed insufficient-funds", "not-sent", "no-answer"),
        ] {
            let outcome = |queried: &Result<PaymentAnswer, Error>| {
                let heard = heard(&message(&format!("respCode={code}&respMsg=x")), NUMBER, &cny(1_250)).unwrap();
                payment(charged(heard, queried.clone(), NUMBER))
            };
            let outcomes = [outcome(&paid), outcome(&failed), outcome(&absent), outcome(&open)];
            assert_eq!(outcomes, [paid_then, failed_then, absent_then, open_then], "{code}");
        }
        for (answer, outcome) in [
            ("respCode=11", "not-sent"),
            ("respCode=03", "no-answer"),
            ("respCode=04", "no-answer"),
            ("respCode=06", "no-answer"),
            ("respCode=Q7", "no-answer"),
            ("respCode=34", "no-answer"),
            ("respCode=", "no-answer"),
            ("respCode=00&txnAmt=1251", "no-answer"),
            ("respCode=00&txnAmt=1250&currencyCode=840", "no-answer"),
            ("respCode=00&orderId=another", "no-answer"),
        ] {
            assert_eq!(
                told(heard(&message(answer), NUMBER, &cny(1_250)), |heard| format!("{heard:?}")),
                outcome,
                "{answer}"
            );
        }
    }

    #[test]
    fn reversals_and_voids() {
        for (answer, outcome) in [
            ("respCode=00", "Closed"),
            ("respCode=34", "NotFound"),
            ("respCode=35", "ask"),
            ("respCode=39", "ask"),
            ("respCode=10", "ask"),
            ("respCode=45", "no-answer"),
            ("respCode=05", "no-answer"),
            ("respCode=12", "no-answer"),
            ("respCode=Q7", "no-answer"),
            ("respCode=11", "not-sent"),
            ("respCode=00&orderId=another", "no-answer"),
        ] {
            let read = read_reversed(&message(answer), NUMBER);
            assert_eq!(
                told(read, |read| read.map_or("ask".to_owned(), |answer| payment(Ok(answer)))),
                outcome,
                "{answer}"
            );
        }
        // Part was given back by a refund: for `cancel` it is paid, and nothing else changes.
        for (known, undone) in
            [("45", "Succeeded"), ("00", "Succeeded"), ("05", "Pending"), ("64", "failed insufficient-funds")]
        {
            let known = queried(&format!("respCode=00&origRespCode={known}"));
            assert_eq!(payment(read_queried(&known, NUMBER, Unpaid::Charge).map(past_undoing)), undone);
        }
        let void = "txnType=31&orderId=vpayaaaaaaaaaaaaaaaaaaaaaaaaaa&queryId=1";
        for (codes, outcome) in [
            ("respCode=00&origRespCode=00", "Some(true)"),
            ("respCode=00&origRespCode=35", "Some(false)"),
            ("respCode=34", "None"),
            ("respCode=00&origRespCode=05", "no-answer"),
            ("respCode=00&origRespCode=Q7", "no-answer"),
            ("respCode=06", "no-answer"),
        ] {
            let read = read_void_queried(&message(&format!("{codes}&{void}")), NUMBER);
            assert_eq!(told(read, |done| format!("{done:?}")), outcome, "{codes}");
        }
        let sale = message("respCode=00&origRespCode=00&txnType=31&orderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&queryId=1");
        assert_eq!(
            told(read_void_queried(&sale.with("orderId", "vpay"), NUMBER), |done| format!("{done:?}")),
            "no-answer"
        );
    }

    #[test]
    fn codes_to_show() {
        let made = "respCode=00&orderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&qrCode=https://qr.95516.com/00010000/62";
        assert_eq!(read_created(&message(made), &order()).unwrap(), "https://qr.95516.com/00010000/62");
        for (answer, outcome) in [
            (format!("{made}&txnAmt=1251"), "no-answer"),
            (made.replace("aa&", "ab&"), "no-answer"),
            ("respCode=00&qrCode=".to_owned(), "no-answer"),
            ("respCode=00&qrCode=a\nb".to_owned(), "no-answer"),
            (format!("respCode=00&qrCode={}", "a".repeat(CODE_LEN_MAX + 1)), "no-answer"),
            ("respCode=12".to_owned(), "no-answer"),
            ("respCode=Q7".to_owned(), "no-answer"),
            ("respCode=10".to_owned(), "not-sent"),
            ("respCode=11".to_owned(), "not-sent"),
            ("respCode=31".to_owned(), "not-sent"),
        ] {
            assert_eq!(told(read_created(&message(&answer), &order()), |code| code), outcome, "{answer}");
        }
    }

    #[test]
    fn probes_and_account_numbers() {
        assert!(read_probe(&message("respCode=34"), "m").is_ok());
        for code in ["11", "10", "31", "32"] {
            let refused = read_probe(&message(&format!("respCode={code}")), "m");
            assert!(matches!(refused, Err(Error::Misconfigured(_))), "{code}: {refused:?}");
        }
        assert!(matches!(read_probe(&message("respCode=06"), "m"), Err(Error::NoAnswer(_))));
        for (account, hint) in [
            ("6216261000000000018", "**** 0018"),
            ("6216********0018", "**** 0018"),
            ("621626*************", ""),
            ("0018", ""),
            ("aGVsbG8gd29ybGQ=", ""),
            ("", ""),
            ("６２１６２６", ""),
        ] {
            assert_eq!(masked(account), hint, "{account}");
        }
    }
}

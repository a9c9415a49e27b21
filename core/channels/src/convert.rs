//! Between the contract's types and ours. What comes out of a plugin is bounded and checked here, once.

mod dispute;

use dispute::{case_number, dispute_notice};
use saoma_domain::recon::{Key, Movement, Side};
use saoma_protocol::{Amount, Millis, Money, PaymentId};

use crate::{
    bindings::{contract, types as wit},
    failure::{Failure, NotificationFailure},
    message::{
        Account, BillLine, BillPage, BillRow, Created, Decline, DeclineCode, HttpReply, KnownOrder, NotificationEvent,
        NotificationOutcome, Order, PaymentAnswer, PaymentStatus, Presenter, RefundAnswer, RefundOrder, RefundStatus,
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
/// Events of one notification: Pix groups what came within seconds.
const EVENTS_MAX: usize = 100;
/// An acknowledgement is a word or a small document.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// The first `chars_max` characters, without control characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(crate) fn money(amount: Amount) -> wit::Money {
    wit::Money { minor: amount.minor(), currency: amount.currency().code().to_owned() }
}

pub(crate) fn account(account: &Account) -> wit::Account {
    wit::Account {
        id: account.id.to_string(),
        settings_json: account.settings_json.clone(),
        notify_url: account.notify_url.clone(),
    }
}

pub(crate) fn order(order: &Order) -> wit::Order {
    wit::Order {
        number: order.number.to_string(),
        amount: money(order.amount),
        subject: cut(&order.subject, SUBJECT_CHARS_MAX),
        merchant_name: cut(&order.merchant_name, SUBJECT_CHARS_MAX),
        store_id: order.store.to_string(),
        store_name: cut(&order.store_name, SUBJECT_CHARS_MAX),
        terminal_id: order.terminal.map(|terminal| terminal.to_string()).unwrap_or_default(),
        terminal_name: cut(&order.terminal_name, SUBJECT_CHARS_MAX),
        created_at: order.created_at.0,
        expires_at: order.expires_at.0,
    }
}

pub(crate) fn known_order(order: &KnownOrder) -> wit::KnownOrder {
    wit::KnownOrder {
        number: order.number.to_string(),
        reference: order.reference.clone(),
        amount: money(order.amount),
        presented_by: match order.presented_by {
            Presenter::Merchant => wit::Presenter::Merchant,
            Presenter::Customer => wit::Presenter::Customer,
        },
        created_at: order.created_at.0,
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
        created_at: refund.created_at.0,
    }
}

/// `has_unanswered`: a request of this call may have been received, and no answer to it came back.
pub(crate) fn failure(error: wit::Error, has_unanswered: bool) -> Failure {
    let failure = match error {
        wit::Error::NoAnswer(why) => Failure::NoAnswer { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::NotSent(why) => Failure::NotSent { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::Misconfigured(why) => Failure::Misconfigured { why: cut(&why, WORDS_CHARS_MAX) },
        wit::Error::Unsupported => Failure::Unsupported,
    };
    // A second request that never left says nothing about the first, and an author easily takes one for the other.
    if has_unanswered && !failure.may_have_taken_effect() {
        let why = format!("the channel says \"{failure}\", but a request it sent went unanswered");
        return Failure::NoAnswer { why: cut(&why, WORDS_CHARS_MAX) };
    }
    failure
}

pub(crate) fn created(created: contract::Created) -> Result<Created, Failure> {
    let code = bounded("code", created.code, CODE_CHARS_MAX)?;
    if code.is_empty() {
        return Err(bad("its code is empty"));
    }
    Ok(Created { code })
}

/// An answer to `query`: about the order that was asked for.
pub(crate) fn query_answer(answer: wit::PaymentAnswer, asked: PaymentId) -> Result<PaymentAnswer, Failure> {
    let answer = payment_answer(answer)?;
    if answer.number != asked.to_string() {
        return Err(bad(format!("it is about order {:?}, and {asked} was asked", answer.number)));
    }
    Ok(answer)
}

/// An answer to `cancel`. `refunded` is none: in part or in whole, it would not say whether anything is left to undo.
pub(crate) fn cancel_answer(answer: wit::PaymentAnswer, asked: PaymentId) -> Result<PaymentAnswer, Failure> {
    let answer = query_answer(answer, asked)?;
    if answer.status == PaymentStatus::Refunded {
        return Err(bad("it says refunded, which only a query may"));
    }
    Ok(answer)
}

/// An answer to `charge`: about the order and the amount that was sent.
pub(crate) fn charge_answer(answer: wit::PaymentAnswer, asked: &Order) -> Result<PaymentAnswer, Failure> {
    let answer = cancel_answer(answer, asked.number)?;
    match answer.amount {
        Some(given) if given != asked.amount.money() => {
            Err(bad(format!("it states {given}, and {} was asked", asked.amount)))
        }
        _ => Ok(answer),
    }
}

/// An answer to `forward`: the scheme's last word, since what was sold is never undone for want of one.
pub(crate) fn forward_answer(answer: wit::PaymentAnswer, asked: &Order) -> Result<PaymentAnswer, Failure> {
    let answer = charge_answer(answer, asked)?;
    match answer.status {
        PaymentStatus::Succeeded | PaymentStatus::Failed(_) => Ok(answer),
        PaymentStatus::Pending | PaymentStatus::NotFound | PaymentStatus::Closed | PaymentStatus::Refunded => {
            Err(bad("it says neither that a forwarded sale is paid nor that it never will be"))
        }
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
        amount: answer.amount.map(said_amount).transpose()?.map(Amount::money),
        reference: bounded("reference", answer.reference, REFERENCE_CHARS_MAX)?,
        paid_at: answer.paid_at.map(said_moment).transpose()?,
        payer_hint: cut(&answer.payer_hint, PAYER_CHARS_MAX),
    })
}

fn refund_answer(answer: wit::RefundAnswer) -> Result<RefundAnswer, Failure> {
    let status = match answer.status {
        wit::RefundStatus::Succeeded => RefundStatus::Succeeded,
        wit::RefundStatus::Pending => RefundStatus::Pending,
        wit::RefundStatus::Failed(failure) => RefundStatus::Failed(decline(&failure)),
        wit::RefundStatus::NotFound => RefundStatus::NotFound,
    };
    Ok(RefundAnswer {
        status,
        refund_number: bounded("refund number", answer.refund_number, NUMBER_CHARS_MAX)?,
        amount: answer.amount.map(said_amount).transpose()?.map(Amount::money),
        reference: bounded("reference", answer.reference, REFERENCE_CHARS_MAX)?,
    })
}

pub(crate) fn refund_answer_about(answer: wit::RefundAnswer, asked: &RefundOrder) -> Result<RefundAnswer, Failure> {
    let answer = refund_answer(answer)?;
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
        Ok(outcome) if !(1..=EVENTS_MAX).contains(&outcome.events.len()) => {
            Err(bad(format!("it tells of {} events; 1 to {EVENTS_MAX}", outcome.events.len())).into())
        }
        Ok(outcome) => Ok(NotificationOutcome {
            events: outcome.events.into_iter().map(notification_event).collect::<Result<_, _>>()?,
            acknowledgement: reply(outcome.acknowledgement)?,
        }),
        Err(contract::NotificationError::Forged(why)) => Err(NotificationFailure::Forged(cut(&why, WORDS_CHARS_MAX))),
        Err(contract::NotificationError::Malformed(why)) => {
            Err(NotificationFailure::Malformed(cut(&why, WORDS_CHARS_MAX)))
        }
        Err(contract::NotificationError::NotNow(why)) => Err(NotificationFailure::NotNow(cut(&why, WORDS_CHARS_MAX))),
        Err(contract::NotificationError::Irrelevant(given)) => Err(NotificationFailure::Irrelevant(reply(given)?)),
    }
}

fn notification_event(event: contract::NotificationEvent) -> Result<NotificationEvent, Failure> {
    Ok(match event {
        contract::NotificationEvent::Payment(answer) => NotificationEvent::Payment(payment_answer(answer)?),
        contract::NotificationEvent::Refund(answer) => NotificationEvent::Refund(refund_answer(answer)?),
        contract::NotificationEvent::Dispute(notice) => NotificationEvent::Dispute(dispute_notice(notice)?),
    })
}

fn reply(reply: contract::HttpReply) -> Result<HttpReply, Failure> {
    let is_header_text =
        reply.content_type.len() <= 100 && reply.content_type.bytes().all(|b| (0x20..0x7f).contains(&b));
    // What RFC 9110 lets nobody send as a last answer, and a body where it allows none, would confuse the connection.
    let is_final = (200..=599).contains(&reply.status);
    let may_have_body = !matches!(reply.status, 204 | 205 | 304);
    let fits = reply.body.len() <= if may_have_body { REPLY_BYTES_MAX } else { 0 };
    if !is_final || !fits || !is_header_text {
        return Err(bad("the acknowledgement is not a sendable HTTP reply"));
    }
    Ok(HttpReply { status: reply.status, content_type: reply.content_type, body: reply.body })
}

pub(crate) fn bill_page(page: contract::BillPage) -> Result<BillPage, Failure> {
    if page.lines.len() > BILL_ROWS_MAX {
        return Err(bad(format!("a page of {} rows; at most {BILL_ROWS_MAX}", page.lines.len())));
    }
    let next_cursor = page.next_cursor.map(|cursor| bounded("cursor", cursor, 1_024)).transpose()?;
    Ok(BillPage { lines: page.lines.into_iter().map(bill_line).collect(), next_cursor })
}

/// A row that breaks a bound is as unreadable as one that the plugin could not read: it costs itself, not the bill.
fn bill_line(line: contract::BillLine) -> BillLine {
    match line {
        contract::BillLine::Unreadable(text) => BillLine::Unreadable(masked(&text)),
        contract::BillLine::Row(row) => {
            let said = format!(
                "{:?} {} {} {} {} {} {} {} {}",
                row.kind,
                row.number,
                row.refund_number,
                row.case_number,
                row.reference,
                row.amount_minor,
                row.fee_minor,
                row.currency,
                row.at
            );
            bill_row(row)
                .map_or_else(|failure| BillLine::Unreadable(masked(&format!("{failure}: {said}"))), BillLine::Row)
        }
    }
}

fn bill_row(row: contract::BillRow) -> Result<BillRow, Failure> {
    let amount = said_amount(wit::Money { minor: row.amount_minor, currency: row.currency })?;
    if row.fee_minor.unsigned_abs() > amount.minor().unsigned_abs() {
        return Err(bad(format!("a fee of {} minor units on {amount}", row.fee_minor)));
    }
    let order_number = bounded("number", row.number, NUMBER_CHARS_MAX)?;
    let refund_number = bounded("refund number", row.refund_number, NUMBER_CHARS_MAX)?;
    let case_number = case_number(row.case_number, &order_number)?;
    let (movement, number) = match (row.kind, refund_number.is_empty()) {
        (contract::BillKind::Payment, true) => (Movement::Payment, order_number.clone()),
        (contract::BillKind::Refund, false) => (Movement::Refund, refund_number),
        (contract::BillKind::Reversal, true) => (Movement::Reversal, order_number.clone()),
        (contract::BillKind::Chargeback, true) => (Movement::Chargeback, case_number),
        (contract::BillKind::ChargebackReversal, true) => (Movement::ChargebackReversal, case_number),
        _ => return Err(bad("a refund has a number of its own, and nothing else has one")),
    };
    if number.is_empty() {
        return Err(bad("a movement without a number".to_owned()));
    }
    Ok(BillRow {
        key: Key { number, movement },
        order_number,
        reference: bounded("reference", row.reference, REFERENCE_CHARS_MAX)?,
        side: Side {
            money: amount.money(),
            fee: Money::new(row.fee_minor, amount.currency()),
            at: said_moment(row.at)?,
        },
    })
}

/// Most characters that are kept of a line that cannot be read.
const UNREADABLE_CHARS_MAX: usize = 200;
/// From this many digits on, a number may be a card's (ISO/IEC 7812-1) or a person's, and only its end is kept.
const MASKED_DIGITS_MIN: usize = 12;

/// Cut, without control characters, and with every long run of digits but for its last four masked.
fn masked(text: &str) -> String {
    let text = cut(text, UNREADABLE_CHARS_MAX);
    let mut shown = String::with_capacity(text.len());
    let mut digits = String::new();
    for letter in text.chars().map(Some).chain([None]) {
        if let Some(digit) = letter.filter(|letter| letter.is_numeric()) {
            digits.push(digit);
            continue;
        }
        let n = digits.chars().count();
        let hidden = if n >= MASKED_DIGITS_MIN { n - 4 } else { 0 };
        shown.extend(digits.drain(..).enumerate().map(|(idx, digit)| if idx < hidden { '*' } else { digit }));
        shown.extend(letter);
    }
    shown
}

fn decline(failure: &wit::Failure) -> Decline {
    Decline { code: DeclineCode::from_contract(&failure.code), message: cut(&failure.message, WORDS_CHARS_MAX) }
}

fn said_amount(money: wit::Money) -> Result<Amount, Failure> {
    let currency = money.currency.parse().map_err(|error| bad(format!("{error}")))?;
    Amount::new(money.minor, currency).map_err(|error| bad(format!("{error}")))
}

/// A moment between 2000 and 2100: a scheme that says seconds where milliseconds are meant lands in 1970.
fn said_moment(millis: i64) -> Result<Millis, Failure> {
    if (946_684_800_000..4_102_444_800_000).contains(&millis) {
        Ok(Millis(millis))
    } else {
        Err(bad(format!("{millis} is no moment in milliseconds since 1970")))
    }
}

/// A name or number that is kept as it is, in databases and on receipts: PostgreSQL refuses NUL, and a printer obeys ESC.
fn bounded(what: &str, text: String, chars_max: usize) -> Result<String, Failure> {
    if text.chars().count() > chars_max {
        return Err(bad(format!("its {what} is longer than {chars_max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(bad(format!("its {what} holds control characters")));
    }
    Ok(text)
}

pub(crate) fn bad(why: impl Into<String>) -> Failure {
    Failure::BadAnswer { why: why.into() }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Currency, RefundId};

    use super::*;

    fn cny(minor: i64) -> wit::Money {
        wit::Money { minor, currency: "CNY".to_owned() }
    }

    fn asked() -> PaymentId {
        PaymentId::from_bytes([1; 16])
    }

    fn amount(minor: i64) -> Amount {
        Amount::new(minor, Currency::CNY).expect("an amount")
    }

    fn order() -> Order {
        Order {
            number: asked(),
            amount: amount(1_250),
            subject: String::new(),
            merchant_name: String::new(),
            store_name: String::new(),
            store: saoma_protocol::StoreId::from_bytes([7; 16]),
            terminal: None,
            terminal_name: String::new(),
            created_at: Millis(1_700_000_000_000),
            expires_at: Millis(1_700_000_120_000),
        }
    }

    fn answer() -> wit::PaymentAnswer {
        wit::PaymentAnswer {
            status: wit::PaymentStatus::Succeeded,
            number: asked().to_string(),
            amount: Some(cny(1_250)),
            reference: "W1".to_owned(),
            paid_at: Some(1_700_000_000_000),
            payer_hint: "a***e\n".to_owned(),
        }
    }

    fn why<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
        match outcome {
            Err(Failure::BadAnswer { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_sound_answer_passes() {
        let read = charge_answer(answer(), &order()).expect("sound");
        assert_eq!((read.amount, read.payer_hint.as_str()), (Some(amount(1_250).money()), "a***e "));
        let silent = wit::PaymentAnswer { amount: None, paid_at: None, ..answer() };
        assert!(charge_answer(silent, &order()).is_ok());
        let refunded = || wit::PaymentAnswer { status: wit::PaymentStatus::Refunded, ..answer() };
        assert!(query_answer(refunded(), asked()).is_ok());
        assert!(why(cancel_answer(refunded(), asked())).contains("only a query"));
        assert!(why(charge_answer(refunded(), &order())).contains("only a query"));
    }

    #[test]
    fn what_no_answer_may_say_is_refused() {
        type Spoil = fn(&mut wit::PaymentAnswer);
        let rows: &[(Spoil, &str)] = &[
            (|a| a.number = "pay_x".to_owned(), "about order"),
            (|a| a.number = String::new(), "about order"),
            (|a| a.number = "x".repeat(65), "number is longer"),
            (|a| a.amount = Some(cny(1_251)), "12.51"),
            (|a| a.amount = Some(cny(0)), "at least 1"),
            (|a| a.amount = Some(cny(-1_250)), "at least 1"),
            (|a| a.amount = Some(cny(i64::MIN)), "at least 1"),
            (|a| a.amount = Some(cny(i64::MAX)), "at most"),
            (|a| a.amount = Some(wit::Money { minor: 1_250, currency: "USD".to_owned() }), "USD"),
            (|a| a.amount = Some(wit::Money { minor: 1_250, currency: "XXX".to_owned() }), "ISO 4217"),
            (|a| a.reference = "x".repeat(129), "reference is longer"),
            (|a| a.reference = "W\0".to_owned(), "reference holds control"),
            (|a| a.reference = "W\u{1b}p".to_owned(), "reference holds control"),
            // Seconds where milliseconds are meant.
            (|a| a.paid_at = Some(1_700_000_000), "no moment"),
            (|a| a.paid_at = Some(-1), "no moment"),
            (|a| a.paid_at = Some(i64::MAX), "no moment"),
        ];
        for (idx, (spoil, expected)) in rows.iter().enumerate() {
            let mut answer = answer();
            spoil(&mut answer);
            let why = why(charge_answer(answer, &order()));
            assert!(why.contains(expected), "row {idx}: {why}");
        }
    }

    #[test]
    fn refunds_are_about_what_was_asked() {
        let asked = RefundOrder {
            number: asked(),
            reference: String::new(),
            refund_number: RefundId::from_bytes([2; 16]),
            amount: amount(5),
            total: amount(10),
            reason: String::new(),
            created_at: Millis(1_700_000_000_000),
            card: None,
        };
        let answer = |refund_number: &str, minor| wit::RefundAnswer {
            status: wit::RefundStatus::Succeeded,
            refund_number: refund_number.to_owned(),
            amount: Some(cny(minor)),
            reference: String::new(),
        };
        let number = asked.refund_number.to_string();
        assert!(refund_answer_about(answer(&number, 5), &asked).is_ok());
        assert!(why(refund_answer_about(answer(&number, 6), &asked)).contains("0.06"));
        assert!(why(refund_answer_about(answer("rfd_x", 5), &asked)).contains("about refund"));
    }

    #[test]
    fn a_plugins_word_that_nothing_was_sent_is_taken_only_if_everything_was_answered() {
        let no = || "no".to_owned();
        for (error, told) in [
            (wit::Error::NotSent(no()), "not_sent"),
            (wit::Error::Misconfigured(no()), "misconfigured"),
            (wit::Error::Unsupported, "unsupported"),
            (wit::Error::NoAnswer(no()), "no_answer"),
        ] {
            assert_eq!(failure(error.clone(), false).code(), told);
            let doubted = failure(error, true);
            assert_eq!((doubted.code(), doubted.may_have_taken_effect()), ("no_answer", true), "{doubted}");
        }
    }

    #[test]
    fn codes_to_show() {
        let read = |code: &str| created(contract::Created { code: code.to_owned() });
        assert!(read("https://w.example/pay/t").is_ok());
        for code in ["", "a\nb", &"x".repeat(4_097)] {
            assert!(matches!(read(code), Err(Failure::BadAnswer { .. })));
        }
    }

    #[test]
    fn acknowledgements_and_bills() {
        let sendable = contract::HttpReply { status: 200, content_type: "text/plain".to_owned(), body: b"OK".to_vec() };
        assert!(reply(sendable.clone()).is_ok());
        for unsendable in [
            contract::HttpReply { status: 0, ..sendable.clone() },
            contract::HttpReply { status: 100, ..sendable.clone() },
            contract::HttpReply { status: 204, ..sendable.clone() },
            contract::HttpReply { status: 600, ..sendable.clone() },
            contract::HttpReply { content_type: "text/plain\r\nset-cookie: x".to_owned(), ..sendable.clone() },
            contract::HttpReply { body: vec![0; REPLY_BYTES_MAX + 1], ..sendable },
        ] {
            assert!(matches!(reply(unsendable), Err(Failure::BadAnswer { .. })));
        }
        let row = contract::BillRow {
            kind: contract::BillKind::Payment,
            number: "pay_1".to_owned(),
            refund_number: String::new(),
            case_number: String::new(),
            reference: String::new(),
            amount_minor: 100,
            fee_minor: 1,
            currency: "CNY".to_owned(),
            at: 1_700_000_000_000,
        };
        let key = |row: &contract::BillRow| bill_row(row.clone()).unwrap().key;
        assert_eq!(key(&row), Key { number: "pay_1".to_owned(), movement: Movement::Payment });
        let refund =
            contract::BillRow { kind: contract::BillKind::Refund, refund_number: "rfd_1".to_owned(), ..row.clone() };
        assert_eq!(key(&refund), Key { number: "rfd_1".to_owned(), movement: Movement::Refund });
        for (broken, why) in [
            (contract::BillRow { fee_minor: 101, ..row.clone() }, "a fee of"),
            (contract::BillRow { fee_minor: i64::MIN, ..row.clone() }, "a fee of"),
            (contract::BillRow { amount_minor: 0, ..row.clone() }, "at least 1"),
            (contract::BillRow { amount_minor: i64::MAX, ..row.clone() }, "at most"),
            (contract::BillRow { currency: "RMB".to_owned(), ..row.clone() }, "ISO 4217"),
            (contract::BillRow { at: 1_700_000_000, ..row.clone() }, "no moment"),
            (contract::BillRow { number: "x".repeat(65), ..row.clone() }, "number is longer"),
            (contract::BillRow { number: String::new(), ..row.clone() }, "without a number"),
            (contract::BillRow { refund_number: "rfd_1".to_owned(), ..row.clone() }, "a number of its own"),
            (contract::BillRow { kind: contract::BillKind::Refund, ..row.clone() }, "a number of its own"),
        ] {
            let BillLine::Unreadable(words) = bill_line(contract::BillLine::Row(broken)) else { panic!("{why}") };
            assert!(words.contains(why), "{words}");
        }
        let page =
            contract::BillPage { lines: vec![contract::BillLine::Row(row); BILL_ROWS_MAX + 1], next_cursor: None };
        assert!(why(bill_page(page)).contains("rows"));
    }

    #[test]
    fn an_unreadable_line_shows_no_long_number() {
        for (given, shown) in [
            ("6222020012345678,12.50", "************5678,12.50"),
            ("a12345678901b 123456789012", "a12345678901b ********9012"),
            ("\u{feff}合计\t3", "\u{feff}合计 3"),
        ] {
            assert_eq!(masked(given), shown);
        }
        assert_eq!(masked(&"茶".repeat(500)).chars().count(), UNREADABLE_CHARS_MAX);
    }

    #[test]
    fn a_schemes_words_are_cut_not_refused() {
        let failure = failure(wit::Error::NotSent("€".repeat(600)), false);
        assert_eq!(failure, Failure::NotSent { why: "€".repeat(500) });
        let declined = decline(&wit::Failure { code: "new-code".to_owned(), message: "a\u{0}b".to_owned() });
        assert_eq!(declined, Decline { code: DeclineCode::Other, message: "a b".to_owned() });
    }
}

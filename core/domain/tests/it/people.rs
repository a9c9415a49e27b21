//! Payments and answers to try things on.

use saoma_domain::payment::{Amounts, Answer, AnswerStatus, Capture, Close, Event, Method, Payment, Source, State};
use saoma_protocol::{Amount, Currency, DisputeId, Millis, PaymentId, RefundId, api::Failure};

pub const NOW: Millis = Millis(1_790_000_000_000);
pub const REFUND: RefundId = RefundId::from_bytes([9; 16]);
pub const DISPUTE: DisputeId = DisputeId::from_bytes([8; 16]);

pub fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

pub fn payment(state: State) -> Payment {
    Payment { id: PaymentId::from_bytes([1; 16]), amount: cny(1000), method: Method::CustomerPresented, state }
}

pub fn failure(code: &str) -> Failure {
    Failure { code: code.to_owned(), message: String::new() }
}

pub fn captured(refunded_minor: i64, reserved_minor: i64) -> State {
    State::Captured(Capture { at: NOW, late: false, by_hand: false, refunded_minor, reserved_minor, disputed_minor: 0 })
}

/// The same with so much of it in disputes.
pub fn disputed(refunded_minor: i64, reserved_minor: i64, disputed_minor: i64) -> State {
    match captured(refunded_minor, reserved_minor) {
        State::Captured(capture) => State::Captured(Capture { disputed_minor, ..capture }),
        other => other,
    }
}

fn by_hand(at: Millis, reserved_minor: i64) -> State {
    match captured(0, reserved_minor) {
        State::Captured(capture) => State::Captured(Capture { at, by_hand: true, ..capture }),
        other => other,
    }
}

pub fn states() -> Vec<(&'static str, State)> {
    vec![
        ("created", State::Created),
        ("presenting", State::Presenting { expires_at: NOW }),
        ("submitting", State::Submitting { since: NOW }),
        ("pending", State::Pending { since: NOW }),
        ("unknown", State::Unknown { since: NOW }),
        ("unknown for long", State::Unknown { since: Millis(0) }),
        ("captured", captured(0, 0)),
        ("captured by hand", by_hand(NOW, 0)),
        ("captured by hand long ago", by_hand(Millis(0), 0)),
        ("captured by hand long ago, 600 reserved", by_hand(Millis(0), 600)),
        ("captured, 400 refunded", captured(400, 0)),
        ("captured, 1000 reserved", captured(0, 1000)),
        ("captured, 1000 refunded", captured(1000, 0)),
        ("captured, 600 disputed", disputed(0, 0, 600)),
        ("captured, more disputed than is left", disputed(400, 0, 1000)),
        ("voided", State::Voided { captured_at: NOW }),
        ("failed", State::Failed { failure: failure("declined") }),
        ("reversed", State::Reversed),
        ("expired, close asked", State::Expired { close: Close::Asked }),
        ("expired, close confirmed", State::Expired { close: Close::Confirmed }),
        ("cancelled, close asked", State::Cancelled { close: Close::Asked }),
        ("cancelled, close confirmed", State::Cancelled { close: Close::Confirmed }),
    ]
}

pub fn answer(status: AnswerStatus, source: Source) -> Event {
    let payment = payment(State::Created);
    let amount = Some(payment.amount.money());
    Event::Answered(Answer::about(&payment, &payment.id.to_string(), amount, Amounts::Named, status, source).unwrap())
}

pub fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("present", Event::Present { expires_at: NOW }),
        ("submit", Event::Submit),
        ("store", Event::Store),
        ("take cash", Event::TakeCash { at: NOW }),
        ("reply: succeeded", answer(AnswerStatus::Succeeded { paid_at: NOW }, Source::Reply)),
        ("notified: succeeded", answer(AnswerStatus::Succeeded { paid_at: NOW }, Source::Notification)),
        ("reply: pending", answer(AnswerStatus::Pending, Source::Reply)),
        ("notified: pending", answer(AnswerStatus::Pending, Source::Notification)),
        ("reply: failed", answer(AnswerStatus::Failed { failure: failure("declined") }, Source::Reply)),
        ("notified: failed", answer(AnswerStatus::Failed { failure: failure("declined") }, Source::Notification)),
        ("reply: not found", answer(AnswerStatus::NotFound, Source::Reply)),
        ("reply to cancel: not found", answer(AnswerStatus::NotFound, Source::CancelReply)),
        ("notified: not found", answer(AnswerStatus::NotFound, Source::Notification)),
        ("reply: closed", answer(AnswerStatus::Closed, Source::Reply)),
        ("notified: closed", answer(AnswerStatus::Closed, Source::Notification)),
        ("reply: refunded", answer(AnswerStatus::Refunded { paid_at: NOW }, Source::Reply)),
        ("notified: refunded", answer(AnswerStatus::Refunded { paid_at: NOW }, Source::Notification)),
        ("not sent", Event::NotSent { failure: failure("channel_unavailable") }),
        ("no answer", Event::NoAnswer),
        ("notified: unbelievable", Event::Unbelieved),
        ("expire", Event::Expire),
        ("cancel", Event::Cancel),
        ("reserve 600", Event::ReserveRefund { refund: REFUND, amount: cny(600) }),
        ("refund of 600 heard late", Event::RefundHeardLate { refund: REFUND, amount: cny(600) }),
        ("refund of 600 succeeded", Event::RefundSucceeded { refund: REFUND, amount: cny(600) }),
        ("refund of 600 failed", Event::RefundFailed { refund: REFUND, amount: cny(600) }),
        ("void succeeded", Event::VoidSucceeded { refund: REFUND }),
        ("dispute of 600", Event::DisputeOpened { amount: cny(600) }),
        ("dispute of 600 won", Event::DisputeWon { amount: cny(600) }),
        ("by hand: paid", Event::SettledByHand { paid: true, at: NOW }),
        ("by hand: not paid", Event::SettledByHand { paid: false, at: NOW }),
    ]
}

//! The whole rule book of a payment in one function.
//!
//! Late truth wins: a success that the channel confirms is booked whatever we had decided before, and what was closed by
//! then is given back by the tenant's policy. Nothing final is ever overwritten by an older answer: an answer that says
//! less than we know changes nothing, and a notification (which may be old) that contradicts what the channel has told us
//! since makes us ask again instead of believing either.

use saoma_protocol::{Millis, api::PaymentState};

use super::{Answer, AnswerStatus, Capture, Close, Event, Payment, Refusal, Source, State};

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The payment's next state; `None` if nothing changes (a repeated or older answer).
    pub next: Option<State>,
    /// In this order, with the state change, in one transaction (and calls to the channel after it).
    pub effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Book the capture of the whole amount ([`crate::ledger::rules::captured`]).
    BookCapture,
    /// Ask the channel to close or undo it, until it confirms.
    AskClose,
    /// Ask the channel how things stand now: a notification says something else than the channel's last reply.
    AskAgain,
    /// Book that the channel has undone a capture by itself ([`crate::ledger::rules::undone`]).
    BookUndone,
    /// Give the whole amount back: it was paid after it had been closed.
    RefundLate,
    /// Something a person should see.
    Alert(Notice),
}

/// What a person should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Paid after it had been closed here.
    PaidLate,
    /// The channel says failed or closed of a payment that it had confirmed before.
    ContradictsCapture,
    /// The channel gave part of the money back, or all of it, and we had not asked for it.
    RefundedElsewhere,
    /// The channel undid the payment, and we had not asked for it.
    UndoneElsewhere,
}

impl Notice {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::PaidLate => "paid_late",
            Self::ContradictsCapture => "contradicts_capture",
            Self::RefundedElsewhere => "refunded_elsewhere",
            Self::UndoneElsewhere => "undone_elsewhere",
        }
    }
}

impl Decision {
    const NOTHING: Self = Self { next: None, effects: Vec::new() };

    fn to(next: State) -> Result<Self, Refusal> {
        Ok(Self { next: Some(next), effects: Vec::new() })
    }

    fn with(next: State, effects: impl Into<Vec<Effect>>) -> Result<Self, Refusal> {
        Ok(Self { next: Some(next), effects: effects.into() })
    }
}

/// What `event` does to `payment` at `now`.
///
/// # Errors
/// A [`Refusal`] says why it cannot happen; the payment stays as it is.
pub fn decide(payment: &Payment, event: &Event, now: Millis) -> Result<Decision, Refusal> {
    match event {
        Event::Present { expires_at } => match &payment.state {
            State::Created => Decision::to(State::Presenting { expires_at: *expires_at }),
            // The code was announced, and meanwhile somebody cancelled: the channel must close it.
            State::Cancelled { .. } => Decision::with(State::Cancelled { close: Close::Asked }, [Effect::AskClose]),
            _ => refused(payment, "presented"),
        },
        Event::Submit => match &payment.state {
            State::Created => Decision::to(State::Submitting { since: now }),
            _ => refused(payment, "submitted"),
        },
        Event::TakeCash { at } => match &payment.state {
            State::Created => Decision::with(captured(*at, false), [Effect::BookCapture]),
            _ => refused(payment, "taken in cash"),
        },
        Event::Answered(answer) => answered(payment, answer, now),
        Event::NotSent { failure } => match &payment.state {
            State::Created | State::Submitting { .. } => Decision::to(State::Failed { failure: failure.clone() }),
            // A retry that did not get through says nothing about the first attempt.
            _ => Ok(Decision::NOTHING),
        },
        Event::NoAnswer => match &payment.state {
            State::Submitting { .. } => Decision::to(State::Unknown { since: now }),
            // The code was never shown, so nobody can pay it; but the channel may have the order.
            State::Created => Decision::with(State::Cancelled { close: Close::Asked }, [Effect::AskClose]),
            _ => Ok(Decision::NOTHING),
        },
        Event::Expire => match &payment.state {
            State::Presenting { .. } => Decision::with(State::Expired { close: Close::Asked }, [Effect::AskClose]),
            _ => Ok(Decision::NOTHING),
        },
        Event::Cancel => cancel(payment),
        Event::ReserveRefund { amount, .. } => reserve(payment, *amount),
        Event::RefundSucceeded { amount, .. } => refund_done(payment, amount.minor(), true),
        Event::RefundFailed { amount, .. } => refund_done(payment, amount.minor(), false),
        Event::VoidSucceeded { .. } => match &payment.state {
            State::Captured(capture)
                if capture.refunded_minor == 0 && capture.reserved_minor == payment.amount.minor() =>
            {
                Decision::to(State::Voided { captured_at: capture.at })
            }
            State::Captured(_) => Err(Refusal::VoidAfterRefund),
            State::Voided { .. } => Ok(Decision::NOTHING),
            _ => refused(payment, "voided"),
        },
    }
}

fn answered(payment: &Payment, answer: &Answer, now: Millis) -> Result<Decision, Refusal> {
    match answer.status() {
        AnswerStatus::Succeeded { .. }
            if answer.source() == Source::Notification && channel_said_no(&payment.state) =>
        {
            ask_again()
        }
        AnswerStatus::Succeeded { paid_at } => succeeded(payment, *paid_at, &[]),
        AnswerStatus::Refunded { paid_at } => match &payment.state {
            State::Captured(capture) if capture.refunded_minor + capture.reserved_minor > 0 => Ok(Decision::NOTHING),
            State::Captured(_) => Ok(Decision { next: None, effects: vec![Effect::Alert(Notice::RefundedElsewhere)] }),
            State::Voided { .. } => Ok(Decision::NOTHING),
            // Undone at the channel before we learned that it was paid: it was taken and given back, nothing is left.
            State::Unknown { .. } | State::Submitting { .. } | State::Pending { .. } => Decision::to(State::Reversed),
            State::Expired { close: Close::Asked } => Decision::to(State::Expired { close: Close::Confirmed }),
            State::Cancelled { close: Close::Asked } => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Created | State::Presenting { .. } => succeeded(payment, *paid_at, &[Notice::RefundedElsewhere]),
            State::Failed { .. } | State::Reversed | State::Expired { .. } | State::Cancelled { .. } => {
                Ok(Decision::NOTHING)
            }
        },
        AnswerStatus::Pending => match &payment.state {
            State::Submitting { .. } | State::Unknown { .. } => Decision::to(State::Pending { since: now }),
            _ => Ok(Decision::NOTHING),
        },
        AnswerStatus::Failed { failure } => match &payment.state {
            State::Presenting { .. }
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Created => Decision::to(State::Failed { failure: failure.clone() }),
            State::Expired { close: Close::Asked } => Decision::to(State::Expired { close: Close::Confirmed }),
            State::Cancelled { close: Close::Asked } => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Captured(_) => contradiction(answer),
            _ => Ok(Decision::NOTHING),
        },
        // Not found is no proof while the charge may still be on its way: only an open reversal or close may end on it.
        AnswerStatus::NotFound => match &payment.state {
            State::Expired { close: Close::Asked } => Decision::to(State::Expired { close: Close::Confirmed }),
            State::Cancelled { close: Close::Asked } => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Captured(_) => contradiction(answer),
            State::Submitting { .. } => Decision::to(State::Unknown { since: now }),
            _ => Ok(Decision::NOTHING),
        },
        AnswerStatus::Closed => match &payment.state {
            State::Submitting { .. } | State::Pending { .. } | State::Unknown { .. } => Decision::to(State::Reversed),
            // Its time was over, and the channel has drawn the same line by itself.
            State::Presenting { expires_at } if now >= *expires_at => {
                Decision::to(State::Expired { close: Close::Confirmed })
            }
            State::Presenting { .. } | State::Created => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Expired { close: Close::Asked } => Decision::to(State::Expired { close: Close::Confirmed }),
            State::Cancelled { close: Close::Asked } => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Captured(capture) if capture.reserved_minor + capture.refunded_minor == 0 => match answer.source() {
                Source::Notification => ask_again(),
                Source::Reply => Decision::with(
                    State::Voided { captured_at: capture.at },
                    [Effect::BookUndone, Effect::Alert(Notice::UndoneElsewhere)],
                ),
            },
            _ => Ok(Decision::NOTHING),
        },
    }
}

fn succeeded(payment: &Payment, paid_at: Millis, notices: &[Notice]) -> Result<Decision, Refusal> {
    let late = match &payment.state {
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. } => false,
        State::Failed { .. } | State::Reversed | State::Expired { .. } | State::Cancelled { .. } => true,
        State::Captured(_) | State::Voided { .. } => return Ok(Decision::NOTHING),
    };
    let mut effects = vec![Effect::BookCapture];
    if late {
        effects.extend([Effect::Alert(Notice::PaidLate), Effect::RefundLate]);
    }
    effects.extend(notices.iter().copied().map(Effect::Alert));
    Decision::with(captured(paid_at, late), effects)
}

fn cancel(payment: &Payment) -> Result<Decision, Refusal> {
    match &payment.state {
        State::Created => Decision::to(State::Cancelled { close: Close::Confirmed }),
        State::Presenting { .. } => Decision::with(State::Cancelled { close: Close::Asked }, [Effect::AskClose]),
        // Sent to the channel: only the channel can say that it is undone. The state stays, the channel is asked.
        State::Submitting { .. } | State::Pending { .. } | State::Unknown { .. } => {
            Ok(Decision { next: None, effects: vec![Effect::AskClose] })
        }
        State::Cancelled { .. } | State::Expired { .. } | State::Reversed | State::Failed { .. } => {
            Ok(Decision::NOTHING)
        }
        State::Captured(_) | State::Voided { .. } => refused(payment, "cancelled"),
    }
}

fn reserve(payment: &Payment, amount: saoma_protocol::Amount) -> Result<Decision, Refusal> {
    let State::Captured(capture) = &payment.state else { return refused(payment, "refunded") };
    if amount.currency() != payment.amount.currency() {
        return Err(Refusal::RefundCurrency);
    }
    let left_minor = payment.refundable_minor();
    if amount.minor() > left_minor {
        return Err(Refusal::RefundExceeds { asked: amount, left_minor });
    }
    let reserved_minor = capture.reserved_minor + amount.minor();
    Decision::to(State::Captured(Capture { reserved_minor, ..*capture }))
}

fn refund_done(payment: &Payment, amount_minor: i64, paid: bool) -> Result<Decision, Refusal> {
    let State::Captured(capture) = &payment.state else { return refused(payment, "refunded") };
    let reserved_minor = capture.reserved_minor - amount_minor;
    if reserved_minor < 0 {
        return Err(Refusal::Invariant("a refund ended that was never set aside"));
    }
    let refunded_minor = capture.refunded_minor + if paid { amount_minor } else { 0 };
    Decision::to(State::Captured(Capture { refunded_minor, reserved_minor, ..*capture }))
}

const fn captured(at: Millis, late: bool) -> State {
    State::Captured(Capture { at, late, refunded_minor: 0, reserved_minor: 0 })
}

/// Whether the channel itself has told us, in a reply, that there is no money in it.
const fn channel_said_no(state: &State) -> bool {
    matches!(
        state,
        State::Failed { .. }
            | State::Reversed
            | State::Expired { close: Close::Confirmed }
            | State::Cancelled { close: Close::Confirmed }
    )
}

fn ask_again() -> Result<Decision, Refusal> {
    Ok(Decision { next: None, effects: vec![Effect::AskAgain] })
}

fn contradiction(answer: &Answer) -> Result<Decision, Refusal> {
    match answer.source() {
        Source::Notification => ask_again(),
        Source::Reply => Ok(Decision { next: None, effects: vec![Effect::Alert(Notice::ContradictsCapture)] }),
    }
}

fn refused(payment: &Payment, verb: &'static str) -> Result<Decision, Refusal> {
    let state: PaymentState = payment.public_state();
    Err(Refusal::NotInState { state, verb })
}

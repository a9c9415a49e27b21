//! The whole rule book of a payment in one function.
//!
//! Late truth wins: a success that the channel confirms is booked whatever we had decided before, and what was closed by
//! then is given back by the tenant's policy. Nothing final is ever overwritten by an older answer: an answer that says
//! less than we know changes nothing, and an answer that may be old and contradicts what the channel has told us since
//! makes us ask again instead of believing either.

use saoma_protocol::{Millis, api::PaymentState};

use super::{Answer, AnswerStatus, Capture, Close, Event, Method, Notice, Payment, Refusal, Source, State, has_passed};

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
    /// There is doubt: ask the channel how things stand now, until it says something definite ([`Answer::is_definite`]).
    AskAgain,
    /// Book that the channel has undone a capture by itself ([`crate::ledger::rules::undone`]).
    BookUndone,
    /// Give the whole amount back: it was paid after it had been closed.
    RefundLate,
    /// Refunds that are open give back what was never paid: none of them can succeed
    /// ([`crate::refund::Event::NeverPaid`]).
    EndRefunds,
    /// Something a person should see.
    Alert(Notice),
}

impl Decision {
    const NOTHING: Self = Self { next: None, effects: Vec::new() };

    fn to(next: State) -> Result<Self, Refusal> {
        Ok(Self { next: Some(next), effects: Vec::new() })
    }

    fn with(next: State, effects: impl Into<Vec<Effect>>) -> Result<Self, Refusal> {
        Ok(Self { next: Some(next), effects: effects.into() })
    }

    /// The same of a payment that a person has given up, while only the channel could undo it: what is paid now came too
    /// late for them, whatever the state was until then.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        if let Some(State::Captured(capture)) = &mut self.next
            && self.effects == [Effect::BookCapture]
        {
            capture.late = true;
            self.effects.extend([Effect::Alert(Notice::PaidLate), Effect::RefundLate]);
        }
        self
    }
}

/// How long a request that was cut off from us may still be on its way to the channel, in milliseconds: past the retries of
/// TCP and the queues of proxies. Before that, "no such order" is no proof that a charge is not made, and "paid" is none that
/// a close which we asked for does not undo it.
pub const ON_ITS_WAY_MS: i64 = 30_000;

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
            State::Presenting { .. }
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Captured(_)
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. } => refused(payment, "presented"),
        },
        Event::Submit => only_when_created(payment, "submitted", || Decision::to(State::Submitting { since: now })),
        Event::Store => only_when_created(payment, "stored", || Decision::to(State::Pending { since: now })),
        Event::TakeCash { at } => {
            only_when_created(payment, "taken in cash", || Decision::with(captured(*at, false), [Effect::BookCapture]))
        }
        Event::Answered(answer) => answered(payment, answer, now),
        Event::NotSent { failure } => match &payment.state {
            State::Created | State::Submitting { .. } => Decision::to(State::Failed { failure: failure.clone() }),
            // A retry that did not get through says nothing about the first attempt.
            State::Presenting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Captured(_)
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(Decision::NOTHING),
        },
        Event::NoAnswer => match &payment.state {
            State::Submitting { .. } => Decision::to(State::Unknown { since: now }),
            // The code was never shown, so nobody can pay it; but the channel may have the order.
            State::Created => Decision::with(State::Cancelled { close: Close::Asked }, [Effect::AskClose]),
            State::Presenting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Captured(_)
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(Decision::NOTHING),
        },
        // Where the channel has told us that there is no money, that may be over; everything else is asked about anyway.
        Event::Unbelieved if channel_said_no(&payment.state) => ask_again(),
        Event::Unbelieved => Ok(Decision::NOTHING),
        Event::Expire => match &payment.state {
            State::Presenting { .. } => Decision::with(State::Expired { close: Close::Asked }, [Effect::AskClose]),
            State::Created
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Captured(_)
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(Decision::NOTHING),
        },
        Event::Cancel => cancel(payment),
        Event::ReserveRefund { amount, .. } => reserve(payment, *amount),
        Event::RefundHeardLate { amount, .. } => set_aside(payment, *amount, payment.amount.minor()),
        Event::RefundSucceeded { amount, .. } => refund_done(payment, amount.minor(), true),
        Event::RefundFailed { amount, .. } => refund_done(payment, amount.minor(), false),
        Event::VoidSucceeded { .. } => voided(payment),
        Event::DisputeOpened { amount } => disputed(payment, *amount),
        Event::DisputeWon { amount } => dispute_won(payment, *amount),
        Event::SettledByHand { paid, at } => settled_by_hand(payment, *paid, *at),
    }
}

fn only_when_created(
    payment: &Payment,
    verb: &'static str,
    then: impl FnOnce() -> Result<Decision, Refusal>,
) -> Result<Decision, Refusal> {
    if payment.state == State::Created { then() } else { refused(payment, verb) }
}

fn voided(payment: &Payment) -> Result<Decision, Refusal> {
    match &payment.state {
        State::Captured(capture) if capture.refunded_minor == 0 && capture.reserved_minor == payment.amount.minor() => {
            Decision::to(State::Voided { captured_at: capture.at })
        }
        State::Captured(_) => Err(Refusal::VoidAfterRefund),
        State::Voided { .. } => Ok(Decision::NOTHING),
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { .. }
        | State::Cancelled { .. } => refused(payment, "voided"),
    }
}

/// Only where the channel keeps silent. Core goes on asking: what the channel says in the end is booked. What persons called paid they may
/// take back as long as the channel has not said so too and nothing of it was given back; then it is over, and who was paid for nothing
/// is for persons.
fn settled_by_hand(payment: &Payment, paid: bool, at: Millis) -> Result<Decision, Refusal> {
    let by_hand = |late| State::Captured(Capture { by_hand: true, ..fresh(at, late) });
    match &payment.state {
        State::Pending { .. } | State::Unknown { .. } => {
            if paid {
                Decision::with(by_hand(false), [Effect::BookCapture, Effect::AskAgain])
            } else {
                Decision::with(State::Reversed, [Effect::AskAgain])
            }
        }
        State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => {
            if paid {
                let late = [Effect::BookCapture, Effect::Alert(Notice::PaidLate), Effect::RefundLate, Effect::AskAgain];
                Decision::with(by_hand(true), late)
            } else {
                Decision::with(confirmed(&payment.state), [Effect::AskAgain])
            }
        }
        State::Captured(capture)
            if !paid
                && capture.by_hand
                && capture.refunded_minor + capture.reserved_minor + capture.disputed_minor == 0 =>
        {
            Decision::with(State::Voided { captured_at: capture.at }, [Effect::BookUndone])
        }
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Captured(_)
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => refused(payment, "settled by hand"),
    }
}

/// The state once the channel has confirmed the close that we asked for.
fn confirmed(state: &State) -> State {
    match state {
        State::Expired { .. } => State::Expired { close: Close::Confirmed },
        State::Cancelled { .. } => State::Cancelled { close: Close::Confirmed },
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Captured(_)
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed => state.clone(),
    }
}

fn answered(payment: &Payment, answer: &Answer, now: Millis) -> Result<Decision, Refusal> {
    match answer.status() {
        AnswerStatus::Succeeded { .. }
            if answer.source() == Source::Notification && channel_said_no(&payment.state) =>
        {
            ask_again()
        }
        AnswerStatus::Succeeded { paid_at } => succeeded(payment, *paid_at, answer.source()),
        AnswerStatus::Refunded { paid_at } => refunded(payment, *paid_at),
        AnswerStatus::Pending => match &payment.state {
            State::Submitting { .. } | State::Unknown { .. } => Decision::to(State::Pending { since: now }),
            State::Created
            | State::Presenting { .. }
            | State::Pending { .. }
            | State::Captured(_)
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(Decision::NOTHING),
        },
        AnswerStatus::Failed { failure } => match &payment.state {
            State::Presenting { .. }
            | State::Submitting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Created => Decision::to(State::Failed { failure: failure.clone() }),
            State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => {
                Decision::to(confirmed(&payment.state))
            }
            State::Captured(capture) => unpaid_after_all(payment, capture, answer),
            State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { close: Close::Confirmed }
            | State::Cancelled { close: Close::Confirmed } => Ok(Decision::NOTHING),
        },
        // Not found is no proof while something may still be on its way: only an open reversal or close may end on it, and only
        // by what the channel says to that. A question that was under way when the close began was answered before it.
        AnswerStatus::NotFound => match &payment.state {
            State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked }
                if answer.source() == Source::CancelReply =>
            {
                Decision::to(confirmed(&payment.state))
            }
            State::Pending { since } | State::Unknown { since }
                if answer.source() == Source::CancelReply && has_passed(*since, ON_ITS_WAY_MS, now) =>
            {
                Decision::to(State::Reversed)
            }
            // What persons alone had said was never there.
            State::Captured(capture) if capture.by_hand => {
                if has_passed(capture.at, ON_ITS_WAY_MS, now) {
                    undone(payment, capture, answer.source(), Notice::ContradictsHand)
                } else {
                    Ok(Decision::NOTHING)
                }
            }
            State::Captured(_) => contradiction(answer),
            State::Submitting { .. } => Decision::to(State::Unknown { since: now }),
            State::Created
            | State::Presenting { .. }
            | State::Pending { .. }
            | State::Unknown { .. }
            | State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { .. }
            | State::Cancelled { .. } => Ok(Decision::NOTHING),
        },
        AnswerStatus::Closed => match &payment.state {
            State::Submitting { .. } | State::Pending { .. } | State::Unknown { .. } => Decision::to(State::Reversed),
            // Its time was over, and the channel has drawn the same line by itself.
            State::Presenting { expires_at } if now >= *expires_at => {
                Decision::to(State::Expired { close: Close::Confirmed })
            }
            State::Presenting { .. } | State::Created => Decision::to(State::Cancelled { close: Close::Confirmed }),
            State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => {
                Decision::to(confirmed(&payment.state))
            }
            State::Captured(capture) => undone(payment, capture, answer.source(), Notice::UndoneElsewhere),
            State::Voided { .. }
            | State::Failed { .. }
            | State::Reversed
            | State::Expired { close: Close::Confirmed }
            | State::Cancelled { close: Close::Confirmed } => Ok(Decision::NOTHING),
        },
    }
}

fn succeeded(payment: &Payment, paid_at: Millis, source: Source) -> Result<Decision, Refusal> {
    match &payment.state {
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. } => Decision::with(captured(paid_at, false), [Effect::BookCapture]),
        State::Failed { .. } | State::Reversed | State::Expired { .. } | State::Cancelled { .. } => {
            let mut late = vec![Effect::BookCapture, Effect::Alert(Notice::PaidLate), Effect::RefundLate];
            // The close that we asked for may have undone it since this was sent.
            if source == Source::Notification {
                late.push(Effect::AskAgain);
            }
            Decision::with(captured(paid_at, true), late)
        }
        // The channel says what two persons had said.
        State::Captured(capture) if capture.by_hand && source != Source::Notification => {
            Decision::to(State::Captured(Capture { by_hand: false, ..*capture }))
        }
        State::Captured(_) => Ok(Decision::NOTHING),
        State::Voided { .. } if source == Source::Notification => ask_again(),
        State::Voided { .. } => Ok(Decision { next: None, effects: vec![Effect::Alert(Notice::ContradictsVoid)] }),
    }
}

/// Paid, and given back in part or in whole by somebody else than us. How much is not said, so that the whole is booked as
/// paid and a person is called. Nothing is given back by itself: a part of it is gone already.
fn refunded(payment: &Payment, paid_at: Millis) -> Result<Decision, Refusal> {
    let elsewhere =
        |late| Decision::with(captured(paid_at, late), [Effect::BookCapture, Effect::Alert(Notice::RefundedElsewhere)]);
    match &payment.state {
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. } => elsewhere(false),
        State::Failed { .. } | State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => {
            elsewhere(true)
        }
        // A channel may tell a chargeback as money given back.
        State::Captured(capture)
            if capture.refunded_minor + capture.reserved_minor > 0 || capture.disputed_minor > 0 =>
        {
            Ok(Decision::NOTHING)
        }
        State::Captured(_) => Ok(Decision { next: None, effects: vec![Effect::Alert(Notice::RefundedElsewhere)] }),
        // Given back by our own void, reversal or close.
        State::Voided { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => Ok(Decision::NOTHING),
    }
}

/// The channel says that a capture has failed. Of its own earlier word that is a contradiction for a person; of the word of
/// persons it is the truth that they did not have.
fn unpaid_after_all(payment: &Payment, capture: &Capture, answer: &Answer) -> Result<Decision, Refusal> {
    if capture.by_hand {
        return undone(payment, capture, answer.source(), Notice::ContradictsHand);
    }
    contradiction(answer)
}

/// The channel has undone a capture by itself.
fn undone(payment: &Payment, capture: &Capture, source: Source, notice: Notice) -> Result<Decision, Refusal> {
    let given_back_minor = capture.refunded_minor + capture.reserved_minor;
    let was_never_paid = notice == Notice::ContradictsHand && capture.refunded_minor + capture.disputed_minor == 0;
    match source {
        Source::Reply | Source::CancelReply if was_never_paid && capture.reserved_minor > 0 => {
            Ok(Decision { next: None, effects: vec![Effect::EndRefunds] })
        }
        // Our own refunds and voids end by their own answers.
        _ if given_back_minor == payment.amount.minor() => Ok(Decision::NOTHING),
        Source::Notification => ask_again(),
        Source::Reply | Source::CancelReply if given_back_minor > 0 || capture.disputed_minor > 0 => {
            Ok(Decision { next: None, effects: vec![Effect::Alert(notice)] })
        }
        Source::Reply | Source::CancelReply => {
            Decision::with(State::Voided { captured_at: capture.at }, [Effect::BookUndone, Effect::Alert(notice)])
        }
    }
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
        let kept_minor = payment.amount.minor() - capture.refunded_minor - capture.reserved_minor;
        return Err(if amount.minor() <= kept_minor {
            Refusal::Disputed { asked: amount, left_minor, disputed_minor: capture.disputed_minor }
        } else {
            Refusal::RefundExceeds { asked: amount, left_minor }
        });
    }
    set_aside(payment, amount, left_minor)
}

/// Sets aside at most `most_minor`, and what is not given back or on its way.
fn set_aside(payment: &Payment, amount: saoma_protocol::Amount, most_minor: i64) -> Result<Decision, Refusal> {
    let State::Captured(capture) = &payment.state else { return refused(payment, "refunded") };
    let left_minor = most_minor.min(payment.amount.minor() - capture.refunded_minor - capture.reserved_minor);
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

/// Recorded whatever is left: the channel has the money. What is more than that is for a person.
fn disputed(payment: &Payment, amount: saoma_protocol::Amount) -> Result<Decision, Refusal> {
    if payment.method == Method::Cash {
        return Err(Refusal::CashDisputed);
    }
    if amount.currency() != payment.amount.currency() {
        return Err(Refusal::DisputeCurrency);
    }
    let exceeds = Effect::Alert(Notice::DisputeExceeds);
    match &payment.state {
        State::Captured(capture) => {
            let disputed_minor = capture.disputed_minor.checked_add(amount.minor());
            let disputed_minor = disputed_minor.ok_or(Refusal::Invariant("disputes past 64 bits"))?;
            let effects = if amount.minor() > payment.refundable_minor() { vec![exceeds] } else { Vec::new() };
            Decision::with(State::Captured(Capture { disputed_minor, ..*capture }), effects)
        }
        // Wholly given back already, so nothing of it can be given back again.
        State::Voided { .. } => Ok(Decision { next: None, effects: vec![exceeds] }),
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { .. }
        | State::Cancelled { .. } => refused(payment, "disputed"),
    }
}

fn dispute_won(payment: &Payment, amount: saoma_protocol::Amount) -> Result<Decision, Refusal> {
    match &payment.state {
        State::Captured(capture) => {
            let disputed_minor = capture.disputed_minor - amount.minor();
            if disputed_minor < 0 {
                return Err(Refusal::Invariant("a dispute ended that was never opened"));
            }
            Decision::to(State::Captured(Capture { disputed_minor, ..*capture }))
        }
        State::Voided { .. } => Ok(Decision::NOTHING),
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { .. }
        | State::Cancelled { .. } => refused(payment, "disputed"),
    }
}

const fn captured(at: Millis, late: bool) -> State {
    State::Captured(fresh(at, late))
}

/// A capture of which nothing has gone back yet.
const fn fresh(at: Millis, late: bool) -> Capture {
    Capture { at, late, by_hand: false, refunded_minor: 0, reserved_minor: 0, disputed_minor: 0 }
}

/// Whether the channel itself has told us, in a reply, that there is no money in it.
const fn channel_said_no(state: &State) -> bool {
    match state {
        State::Failed { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => true,
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Captured(_)
        | State::Voided { .. }
        | State::Expired { close: Close::Asked }
        | State::Cancelled { close: Close::Asked } => false,
    }
}

fn ask_again() -> Result<Decision, Refusal> {
    Ok(Decision { next: None, effects: vec![Effect::AskAgain] })
}

fn contradiction(answer: &Answer) -> Result<Decision, Refusal> {
    match answer.source() {
        Source::Notification => ask_again(),
        Source::Reply | Source::CancelReply => {
            Ok(Decision { next: None, effects: vec![Effect::Alert(Notice::ContradictsCapture)] })
        }
    }
}

fn refused(payment: &Payment, verb: &'static str) -> Result<Decision, Refusal> {
    let state: PaymentState = payment.public_state();
    Err(Refusal::NotInState { state, verb })
}

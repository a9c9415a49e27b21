//! Sales, and how they are undone.
//!
//! The wire knows no question about a sale. What is certain is an answer with a right MAC; all else is taken back by a reversal,
//! which the acquirer acknowledges as often as it is sent. So `charge` writes down what it sends before it sends it, and
//! `cancel` reverses by that record.

use saoma_channel_sdk::{Error, KnownOrder, Money, Order, PaymentAnswer, PaymentStatus, log, no_answer, not_sent};

use crate::{
    desk::{ATTEMPTS, Desk, Outcome},
    messages::{
        build::{Approved, Sent},
        read::{Heard, NO_ANSWER, Said, Verdict, verdict},
    },
    record::{Approval, State, Unanswered},
    turn::{Entry, Turn, beside},
};

/// By which the acquirer says that it never had what is to be reversed.
const NO_ORIGINAL: &str = "25";
/// By which the acquirer says that the trace number is another transaction's.
pub const TRACE_TAKEN: &str = "94";

/// # Errors
/// The contract's.
pub fn charge(desk: &Desk, order: &Order) -> Result<PaymentAnswer, Error> {
    let mut turn = match Turn::enter(desk, &order.number, order.created_at)? {
        Entry::Mine(turn) => turn,
        Entry::Known(state) => return known(&order.number, &state),
        Entry::Beside(_) => return Err(beside()),
    };
    let outcome = sell(desk, order, &mut turn);
    if matches!(outcome, Err(Error::NotSent(_) | Error::Misconfigured(_))) {
        turn.leave();
    }
    outcome
}

/// # Errors
/// The contract's. `not-sent` and `misconfigured`: nothing of it is at the acquirer, not by an earlier message either.
fn sell(desk: &Desk, order: &Order, turn: &mut Turn) -> Result<PaymentAnswer, Error> {
    let number = order.number.as_str();
    let card = desk.card.as_ref().ok_or_else(|| not_sent("core has no card for this payment"))?;
    for _ in 0..ATTEMPTS {
        let session = desk.session()?;
        let sent = Sent::sale(desk.trace()?, session.batch, order.amount.minor, card);
        let draft = desk.settings.sale(&sent, card, number).map_err(not_sent)?;
        let mut message = desk.unanswered(sent, NO_ANSWER);
        turn.keep(&State::Sent(message.clone()))?;
        let heard = match desk.exchange(&draft, session)? {
            Outcome::Heard(heard) => heard,
            Outcome::NoKeys => {
                desk.keep_outcome(number, &State::UNSENT);
                desk.renewed(session)?;
                continue;
            }
        };
        match heard {
            Heard::Answered(said) => return sold(desk, number, turn, message.sent, &said),
            Heard::SignOn { signed: true } => {
                desk.keep_outcome(number, &State::UNSENT);
                desk.renewed(session)?;
            }
            // Whoever sits between could have put this in the place of an approval, or hold the first message and old keys back. What
            // the acquirer took is undone; what it has not seen may still come, unless nobody sits between.
            Heard::SignOn { signed: false } => {
                desk.renewed(session).map_err(unknown)?;
                if reverse(desk, &message)? == Reversed::NeverSeen && !desk.settings.is_tls() {
                    return Err(no_answer(
                        "somebody asks for a sign-on without a MAC, and the sale may still be on its way",
                    ));
                }
                desk.keep_outcome(number, &State::UNSENT);
            }
            Heard::Unclear { why, reason } => {
                message.reason = reason.to_owned();
                turn.settle(&State::Sent(message))?;
                return Err(no_answer(why));
            }
        }
    }
    Err(not_sent("the acquirer asks for a sign-on although there just was one"))
}

/// An answer with a right MAC about a sale.
pub fn sold(desk: &Desk, number: &str, turn: &mut Turn, sent: Sent, said: &Said) -> Result<PaymentAnswer, Error> {
    let state = match verdict(&said.code) {
        Verdict::Approved => State::Approved(Approval {
            reference: said.approved(&sent, &desk.settings).text(),
            minor: sent.minor,
            at_ms: said.at_ms,
            doubted: false,
        }),
        Verdict::Refused(_) => State::Refused { code: said.code.clone() },
        Verdict::Unclear if said.code == TRACE_TAKEN => State::TraceTaken,
        Verdict::Unclear => return Err(no_answer(format!("the acquirer answers {}, which leaves it open", said.code))),
    };
    turn.settle(&state)?;
    let answer = known(number, &state)?;
    let payer_hint = desk.card.as_ref().map(|card| card.number_masked.clone()).unwrap_or_default();
    Ok(PaymentAnswer { payer_hint, ..answer })
}

/// What the record says, which is what the acquirer said.
///
/// # Errors
/// `no-answer` where that is nothing definite.
pub fn known(number: &str, state: &State) -> Result<PaymentAnswer, Error> {
    Ok(match state {
        State::Unsent { .. } => answer(number, PaymentStatus::NotFound),
        State::Sent(message) if message.sent.sold_at.is_some() => {
            return Err(no_answer("the acquirer did not answer, and is told of it again"));
        }
        State::Sent { .. } => return Err(no_answer("the acquirer did not answer, and cannot be asked: reverse it")),
        State::Voiding { .. } => return Err(no_answer("the acquirer did not answer the void, and cannot be asked")),
        State::Approved(approval) if approval.doubted => {
            return Err(no_answer("a void of it may have been carried out"));
        }
        State::Approved(approval) => paid(number, approval),
        State::Refused { code } => match verdict(code) {
            Verdict::Refused(failure) => answer(number, PaymentStatus::Failed(failure)),
            _ => return Err(no_answer(format!("the acquirer answered {code}"))),
        },
        State::Undone => answer(number, PaymentStatus::Closed),
        State::TraceTaken => {
            return Err(no_answer("the acquirer took the trace number for another transaction's: ask it by hand"));
        }
    })
}

fn answer(number: &str, status: PaymentStatus) -> PaymentAnswer {
    let (number, reference, payer_hint) = (number.to_owned(), String::new(), String::new());
    PaymentAnswer { status, number, amount: None, reference, paid_at: None, payer_hint }
}

fn paid(number: &str, approval: &Approval) -> PaymentAnswer {
    PaymentAnswer {
        amount: Some(Money { minor: approval.minor, currency: "CNY".to_owned() }),
        reference: approval.reference.clone(),
        paid_at: approval.at_ms,
        ..answer(number, PaymentStatus::Succeeded)
    }
}

/// # Errors
/// The contract's; `no-answer` for what only a reversal can settle.
pub fn query(desk: &Desk, order: &KnownOrder) -> Result<PaymentAnswer, Error> {
    match desk.record(&order.number)? {
        Some(state) => known(&order.number, &state),
        None => Err(nothing_kept()),
    }
}

fn nothing_kept() -> Error {
    no_answer("nothing is kept of this payment: ask the acquirer by hand")
}

/// # Errors
/// The contract's.
pub fn cancel(desk: &Desk, order: &KnownOrder) -> Result<PaymentAnswer, Error> {
    let number = order.number.as_str();
    // What core heard, where the record does not know of it.
    let heard = State::Approved(Approval {
        reference: order.reference.clone(),
        minor: order.amount.minor,
        at_ms: None,
        doubted: true,
    });
    if desk.record(number)?.is_none() {
        if order.reference.is_empty() {
            return Err(nothing_kept());
        }
        desk.begin(number, &heard).map_err(unknown)?;
    }
    let mut turn = Turn::take(desk, number).map_err(unknown)?;
    let state = match desk.record(number)? {
        None => return Err(nothing_kept()),
        Some(State::Unsent { .. } | State::Sent(_)) if !order.reference.is_empty() => heard,
        Some(state) => state,
    };
    match state {
        // The goods are gone: it is told again until it has an answer, and never reversed.
        state @ State::Sent(Unanswered { sent: Sent { sold_at: Some(_), .. }, .. }) => known(number, &state),
        State::Sent(message) => match reverse(desk, &message)? {
            Reversed::Done => {
                desk.keep_outcome(number, &State::Undone);
                Ok(answer(number, PaymentStatus::Closed))
            }
            // It may still be on its way: core waits, and asks again.
            Reversed::NeverSeen => {
                desk.keep_outcome(number, &State::Sent(Unanswered { never_seen: true, ..message }));
                Ok(answer(number, PaymentStatus::NotFound))
            }
        },
        State::Approved(approval) => void(desk, number, &mut turn, approval),
        State::Voiding { mut approval, void: message } => {
            approval.doubted |= reverse(desk, &message)? == Reversed::NeverSeen;
            void(desk, number, &mut turn, approval)
        }
        // What is not sent stays so: a call that would send it finds that this one came in between.
        state @ (State::Unsent { .. } | State::Refused { .. } | State::Undone | State::TraceTaken) => {
            known(number, &state)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reversed {
    Done,
    NeverSeen,
}

/// Takes back a message that has no answer.
///
/// Only 00 and 25 count. UnionPay's terminals take 12 as an end too; but it says that the acquirer does not carry the reversal
/// out, and so not that nothing was taken.
///
/// # Errors
/// `no-answer` unless the acquirer acknowledges it: whatever else comes, the first message may stand.
fn reverse(desk: &Desk, message: &Unanswered) -> Result<Reversed, Error> {
    let Unanswered { sent, reason, terminal, merchant, .. } = message;
    // There it could be another's message, or none.
    if (terminal, merchant) != (&desk.settings.terminal_number, &desk.settings.merchant_number) {
        return Err(no_answer(
            "it was sent under another terminal or merchant number, and only that one can reverse it",
        ));
    }
    let draft = desk.settings.reversal(sent, reason, desk.card.as_ref());
    let mut session = desk.session().map_err(unknown)?;
    for _ in 0..ATTEMPTS {
        match desk.exchange(&draft, session).map_err(unknown)? {
            Outcome::Heard(Heard::Answered(said)) => {
                return match said.code.as_str() {
                    "00" => Ok(Reversed::Done),
                    // Once the batch is closed the acquirer may not look into it.
                    NO_ORIGINAL if session.batch != sent.batch => {
                        Err(no_answer("the acquirer does not find it, and its batch is closed: ask it by hand"))
                    }
                    NO_ORIGINAL => Ok(Reversed::NeverSeen),
                    code => Err(no_answer(format!("the acquirer answers {code} to the reversal"))),
                };
            }
            Outcome::Heard(Heard::Unclear { why, .. }) => return Err(no_answer(why)),
            // To send it again is safe in any case.
            Outcome::NoKeys | Outcome::Heard(Heard::SignOn { .. }) => {
                session = desk.renewed(session).map_err(unknown)?
            }
        }
    }
    Err(no_answer("the acquirer asks for a sign-on although there just was one"))
}

/// Takes back an approved sale of the open batch, in whole. Of a batch that is closed only a refund gives money back.
fn void(desk: &Desk, number: &str, turn: &mut Turn, mut approval: Approval) -> Result<PaymentAnswer, Error> {
    let sale = Approved::from_text(&approval.reference)
        .ok_or_else(|| no_answer("the payment's reference is not of this channel"))?;
    if sale.terminal != desk.settings.terminal_number {
        return Err(no_answer("it was sold under another terminal number, and only that one can void it"));
    }
    let card = desk.card.as_ref();
    let card = card.ok_or_else(|| no_answer("core has no card for this payment: ask the acquirer by hand"))?;
    for _ in 0..ATTEMPTS {
        let mut session = desk.session().map_err(unknown)?;
        // What is kept of the batch may be old.
        if sale.batch != session.batch && !desk.has_signed_on() {
            session = desk.sign_on().map_err(unknown)?;
        }
        if sale.batch != session.batch {
            let state = State::Approved(approval);
            turn.settle(&state)?;
            return known(number, &state);
        }
        let sent = Sent::about(desk.trace().map_err(unknown)?, session.batch, approval.minor, &sale);
        let draft = desk.settings.void(&sent, &sale, card);
        let mut message = desk.unanswered(sent, NO_ANSWER);
        turn.keep(&State::Voiding { approval: approval.clone(), void: message.clone() }).map_err(unknown)?;
        match desk.exchange(&draft, session) {
            Ok(Outcome::Heard(Heard::Answered(said))) => match verdict(&said.code) {
                Verdict::Approved => {
                    turn.settle(&State::Undone)?;
                    return Ok(answer(number, PaymentStatus::Closed));
                }
                Verdict::Refused(failure) => {
                    let state = State::Approved(approval);
                    turn.settle(&state)?;
                    desk.host.log(log::Level::Warn, &format!("the acquirer refuses a void: {}", failure.message));
                    // It is paid, then, unless another void was carried out.
                    return known(number, &state);
                }
                Verdict::Unclear => {
                    // This void is not to be reversed: that would take back whatever has the number.
                    if said.code == TRACE_TAKEN {
                        approval.doubted = true;
                        turn.settle(&State::Approved(approval))?;
                    }
                    return Err(no_answer(format!("the acquirer answers {} to the void", said.code)));
                }
            },
            Ok(Outcome::Heard(Heard::Unclear { why, reason })) => {
                message.reason = reason.to_owned();
                turn.settle(&State::Voiding { approval, void: message })?;
                return Err(no_answer(why));
            }
            Ok(Outcome::NoKeys | Outcome::Heard(Heard::SignOn { signed: true })) => {
                desk.renewed(session).map_err(unknown)?;
            }
            Ok(Outcome::Heard(Heard::SignOn { signed: false })) => {
                desk.renewed(session).map_err(unknown)?;
                // As in `charge`.
                approval.doubted |= reverse(desk, &message)? == Reversed::NeverSeen;
            }
            Err(error) => {
                turn.settle(&State::Approved(approval))?;
                return Err(unknown(error));
            }
        }
        turn.settle(&State::Approved(approval.clone()))?;
    }
    Err(no_answer("the acquirer asks for a sign-on although there just was one"))
}

/// What cannot be sent now, for whatever reason, leaves open what was sent before.
pub fn unknown(error: Error) -> Error {
    match error {
        Error::NotSent(why) | Error::NoAnswer(why) | Error::Misconfigured(why) => no_answer(why),
        Error::Unsupported => Error::Unsupported,
    }
}

//! Sales, and how they are undone.
//!
//! The wire knows no question about a sale. What is certain is an answer with a right MAC; all else is taken back by a reversal,
//! which the acquirer acknowledges as often as it is sent. So `charge` writes down what it sends before it sends it, and
//! `cancel` reverses by that record.

use saoma_channel_sdk::{Error, KnownOrder, Money, Order, PaymentAnswer, PaymentStatus, log, no_answer, not_sent};

use crate::{
    desk::{Desk, Outcome},
    messages::{
        build::{Approved, Sent},
        read::{Heard, NO_ANSWER, Said, Verdict, verdict},
    },
    record::{Approval, State},
};

/// Messages of one kind in one call: the first, and one more after a sign-on.
const ATTEMPTS: usize = 2;
/// By which the acquirer says that it never had what is to be reversed.
const NO_ORIGINAL: &str = "25";

/// # Errors
/// The contract's.
pub fn charge(desk: &Desk, order: &Order) -> Result<PaymentAnswer, Error> {
    match desk.record(&order.number)? {
        None | Some(State::Unsent) => {}
        Some(state) => return known(&order.number, &state),
    }
    let card = desk.card()?;
    desk.begin(&order.number, &State::Unsent)?;
    for _ in 0..ATTEMPTS {
        let session = desk.session()?;
        let sent = Sent::sale(desk.trace()?, session.batch, order.amount.minor, card);
        let draft = desk.settings.sale(&sent, card, &order.number).map_err(not_sent)?;
        desk.keep(&order.number, &State::Sent { sent: sent.clone(), reason: NO_ANSWER.to_owned() })?;
        let heard = match desk.exchange(&draft, session) {
            Ok(Outcome::Heard(heard)) => heard,
            Ok(Outcome::NoKeys) => {
                desk.keep_outcome(&order.number, &State::Unsent);
                desk.renewed(session)?;
                continue;
            }
            Err(error) => {
                desk.keep_outcome(&order.number, &State::Unsent);
                return Err(error);
            }
        };
        match heard {
            Heard::Answered(said) => return sold(desk, &order.number, sent, &said),
            Heard::SignOn { signed: true } => {
                desk.keep_outcome(&order.number, &State::Unsent);
                desk.renewed(session)?;
            }
            // Whoever sits between could have put this in the place of an approval. The new keys end what may still come of the first
            // message, the reversal what has come of it.
            Heard::SignOn { signed: false } => {
                desk.renewed(session).map_err(unknown)?;
                reverse(desk, &sent, NO_ANSWER)?;
                desk.keep_outcome(&order.number, &State::Unsent);
            }
            Heard::Unclear { why, reason } => {
                desk.keep_outcome(&order.number, &State::Sent { sent, reason: reason.to_owned() });
                return Err(no_answer(why));
            }
        }
    }
    Err(not_sent("the acquirer asks for a sign-on although there just was one"))
}

/// An answer with a right MAC about a sale.
fn sold(desk: &Desk, number: &str, sent: Sent, said: &Said) -> Result<PaymentAnswer, Error> {
    let state = match verdict(&said.code) {
        Verdict::Approved => State::Approved(Approval {
            reference: said.approved(&sent, &desk.settings).text(),
            minor: sent.minor,
            at_ms: said.at_ms,
            doubted: false,
        }),
        Verdict::Refused(_) => State::Refused { code: said.code.clone() },
        Verdict::Unclear => return Err(no_answer(format!("the acquirer answers {}, which leaves it open", said.code))),
    };
    desk.keep_outcome(number, &state);
    let answer = known(number, &state)?;
    let payer_hint = desk.card.as_ref().map(|card| card.number_masked.clone()).unwrap_or_default();
    Ok(PaymentAnswer { payer_hint, ..answer })
}

/// What the record says, which is what the acquirer said.
///
/// # Errors
/// `no-answer` where that is nothing definite.
fn known(number: &str, state: &State) -> Result<PaymentAnswer, Error> {
    Ok(match state {
        State::Unsent => answer(number, PaymentStatus::NotFound),
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
    let state = match desk.record(number)? {
        None if order.reference.is_empty() => return Err(nothing_kept()),
        None => {
            desk.begin(number, &heard).map_err(unknown)?;
            heard
        }
        Some(State::Unsent | State::Sent { .. }) if !order.reference.is_empty() => heard,
        Some(state) => state,
    };
    match state {
        State::Sent { sent, reason } => match reverse(desk, &sent, &reason)? {
            Reversed::Done => {
                desk.keep_outcome(number, &State::Undone);
                Ok(answer(number, PaymentStatus::Closed))
            }
            // It may still be on its way: core waits, and asks again.
            Reversed::NeverSeen => Ok(answer(number, PaymentStatus::NotFound)),
        },
        State::Approved(approval) => void(desk, number, approval),
        State::Voiding { mut approval, void: sent, reason } => {
            approval.doubted |= reverse(desk, &sent, &reason)? == Reversed::NeverSeen;
            void(desk, number, approval)
        }
        state @ (State::Unsent | State::Refused { .. } | State::Undone) => known(number, &state),
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
fn reverse(desk: &Desk, sent: &Sent, reason: &str) -> Result<Reversed, Error> {
    let draft = desk.settings.reversal(sent, reason, desk.card.as_ref());
    let mut session = desk.session().map_err(unknown)?;
    for _ in 0..ATTEMPTS {
        match desk.exchange(&draft, session).map_err(unknown)? {
            Outcome::Heard(Heard::Answered(said)) => {
                return match said.code.as_str() {
                    "00" => Ok(Reversed::Done),
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
fn void(desk: &Desk, number: &str, approval: Approval) -> Result<PaymentAnswer, Error> {
    let sale = Approved::from_text(&approval.reference)
        .ok_or_else(|| no_answer("the payment's reference is not of this channel"))?;
    if sale.terminal != desk.settings.terminal_number {
        return Err(no_answer("it was sold under another terminal number, and only that one can void it"));
    }
    let card = desk.card()?;
    for _ in 0..ATTEMPTS {
        let session = desk.session().map_err(unknown)?;
        if sale.batch != session.batch {
            desk.keep_outcome(number, &State::Approved(approval.clone()));
            return known(number, &State::Approved(approval));
        }
        let trace = desk.trace().map_err(unknown)?;
        let sent = Sent::about(trace, session.batch, approval.minor, &sale);
        let voiding = |approval: &Approval, reason: &str| State::Voiding {
            approval: approval.clone(),
            void: sent.clone(),
            reason: reason.to_owned(),
        };
        desk.keep(number, &voiding(&approval, NO_ANSWER)).map_err(unknown)?;
        match desk.exchange(&desk.settings.void(&sent, &sale, card), session) {
            Ok(Outcome::Heard(Heard::Answered(said))) => match verdict(&said.code) {
                Verdict::Approved => {
                    desk.keep_outcome(number, &State::Undone);
                    return Ok(answer(number, PaymentStatus::Closed));
                }
                Verdict::Refused(failure) => {
                    desk.keep_outcome(number, &State::Approved(approval.clone()));
                    log::write(log::Level::Warn, &format!("the acquirer refuses a void: {}", failure.message));
                    // It is paid, then, unless another void was carried out.
                    return known(number, &State::Approved(approval));
                }
                Verdict::Unclear => return Err(no_answer(format!("the acquirer answers {} to the void", said.code))),
            },
            Ok(Outcome::Heard(Heard::Unclear { why, reason })) => {
                desk.keep_outcome(number, &voiding(&approval, reason));
                return Err(no_answer(why));
            }
            Ok(Outcome::NoKeys | Outcome::Heard(Heard::SignOn { signed: true })) => {
                desk.renewed(session).map_err(unknown)?;
            }
            Ok(Outcome::Heard(Heard::SignOn { signed: false })) => {
                desk.renewed(session).map_err(unknown)?;
                // As in `charge`: under the old keys nothing can come of it any more.
                reverse(desk, &sent, NO_ANSWER)?;
            }
            Err(error) => {
                desk.keep_outcome(number, &State::Approved(approval));
                return Err(unknown(error));
            }
        }
        desk.keep_outcome(number, &State::Approved(approval.clone()));
    }
    Err(no_answer("the acquirer asks for a sign-on although there just was one"))
}

/// What cannot be sent now, for whatever reason, leaves open what was sent before.
fn unknown(error: Error) -> Error {
    match error {
        Error::NotSent(why) | Error::NoAnswer(why) | Error::Misconfigured(why) => no_answer(why),
        Error::Unsupported => Error::Unsupported,
    }
}

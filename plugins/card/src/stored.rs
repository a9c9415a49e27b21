//! Sales that a terminal made without a network, told as advices (0220, field 60.1 = 30).
//!
//! The acquirer knows an advice again by batch and trace number, so a repeat is the first message once more; it is never reversed. What is
//! sent is written down before, as in [`crate::payment`], and what the acquirer says of it is kept in the same record: voids and refunds
//! find it as they find any sale.

use saoma_channel_sdk::{Error, Order, PaymentAnswer, card::PresentedCard, misconfigured, no_answer, not_sent};

use crate::{
    desk::{ATTEMPTS, Desk, Outcome},
    messages::{
        build::Sent,
        moment::written,
        read::{Heard, NO_ANSWER},
    },
    payment::{known, sold, unknown},
    record::{State, Unanswered},
    turn::{Entry, Turn, beside},
};

/// `at`: when the terminal sold, milliseconds since 1970.
///
/// # Errors
/// The contract's.
pub fn forward(desk: &Desk, order: &Order, at: i64) -> Result<PaymentAnswer, Error> {
    let number = order.number.as_str();
    let card = desk.card.as_ref().ok_or_else(|| not_sent("core has no card for this payment"))?;
    let mut turn = match Turn::enter(desk, number, order.created_at)? {
        Entry::Mine(turn) => turn,
        Entry::Known(state) if is_unanswered(&state) => return again(desk, number, card),
        Entry::Known(state) => return known(number, &state),
        Entry::Beside(turn) => return Err(freed(desk, number, turn)),
    };
    match first(desk, order, at, card, &mut turn) {
        // What another call does of it is that call's to say.
        Err(error @ (Error::NotSent(_) | Error::Misconfigured(_))) if !turn.leave() => Err(unknown(error)),
        outcome => outcome,
    }
}

/// Makes way for the next call where one did not come to its end: nobody cancels such a sale, and so nothing else would. It sends nothing
/// itself: a call that is still at work finds that this one came in between, and has written its last before the next one begins.
fn freed(desk: &Desk, number: &str, mut turn: Turn) -> Error {
    let is_begun = match desk.record(number) {
        Ok(None) => desk.begin(number, &State::UNSENT),
        Ok(Some(State::Unsent { .. })) => Ok(()),
        Ok(Some(_)) => Err(beside()),
        Err(error) => Err(error),
    };
    match is_begun {
        Ok(()) if turn.leave() => {
            not_sent("another call about it was at work, or did not come to its end: the next sends it")
        }
        Ok(()) => beside(),
        Err(error) => error,
    }
}

/// What was to come before it failed, so that nothing of the sale is out.
fn unsent(error: Error) -> Error {
    match error {
        Error::NoAnswer(why) => not_sent(why),
        error => error,
    }
}

/// The codes by which the acquirer refuses the terminal, the merchant or the message, and does not speak of the card. They end no sale whose
/// goods are gone: it can be sent once what they complain of is mended.
fn complaint(code: &str) -> Option<Error> {
    Some(match code {
        "03" | "58" | "97" => misconfigured(format!(
            "the acquirer refuses the terminal by {code}: check terminal_number, merchant_number, and what it may do"
        )),
        "12" | "40" => misconfigured(format!(
            "the acquirer answers {code}: ask it whether this terminal may forward sales made without a network"
        )),
        "13" | "30" | "64" => {
            not_sent(format!("the acquirer answers {code}, that it does not take the message as it is"))
        }
        _ => return None,
    })
}

fn is_unanswered(state: &State) -> bool {
    matches!(state, State::Sent(message) if message.sent.sold_at.is_some())
}

/// # Errors
/// The contract's. `not-sent` and `misconfigured`: nothing of it is at the acquirer.
fn first(desk: &Desk, order: &Order, at: i64, card: &PresentedCard, turn: &mut Turn) -> Result<PaymentAnswer, Error> {
    let number = order.number.as_str();
    let sold_at = written(at).ok_or_else(|| not_sent("the terminal's time is in no calendar"))?;
    for _ in 0..ATTEMPTS {
        let session = desk.session().map_err(unsent)?;
        let sent = Sent::stored(desk.trace()?, session.batch, order.amount.minor, card, sold_at.clone());
        let draft = desk.settings.advice(&sent, card, number).map_err(not_sent)?;
        turn.keep(&State::Sent(desk.unanswered(sent.clone(), NO_ANSWER)))?;
        match desk.exchange(&draft, session)? {
            // Nothing of the sale is out but this message, and it is not taken.
            Outcome::Heard(Heard::Answered(said)) => {
                return complaint(&said.code).map_or_else(|| sold(desk, number, turn, sent, &said), Err);
            }
            Outcome::Heard(Heard::Unclear { why, .. }) => return Err(no_answer(why)),
            // Nothing of it was taken: it goes out under the number and batch that are good now.
            Outcome::NoKeys | Outcome::Heard(Heard::SignOn { signed: true }) => {
                turn.settle(&State::UNSENT)?;
                desk.renewed(session).map_err(unsent)?;
            }
            // Whoever sits between may have put this in the place of an answer: the same message again is safe.
            Outcome::Heard(Heard::SignOn { signed: false }) => {
                desk.renewed(session).map_err(unknown)?;
                return again(desk, number, card);
            }
        }
    }
    Err(not_sent("the acquirer asks for a sign-on although there just was one"))
}

/// Sends what has no answer once more, to the letter.
///
/// # Errors
/// `no-answer`: it may have been taken, whatever comes.
fn again(desk: &Desk, number: &str, card: &PresentedCard) -> Result<PaymentAnswer, Error> {
    let mut turn = Turn::take(desk, number).map_err(unknown)?;
    let message = match desk.record(number)? {
        Some(State::Sent(message)) if message.sent.sold_at.is_some() => message,
        Some(state) => return known(number, &state),
        None => return Err(no_answer("nothing is kept of it any more: ask the acquirer by hand")),
    };
    let Unanswered { sent, terminal, merchant, .. } = message;
    if (&terminal, &merchant) != (&desk.settings.terminal_number, &desk.settings.merchant_number) {
        return Err(no_answer(
            "it was sent under another terminal or merchant number, and only that one can send it again",
        ));
    }
    let draft = desk.settings.advice(&sent, card, number).map_err(no_answer)?;
    let mut session = desk.session().map_err(unknown)?;
    for _ in 0..ATTEMPTS {
        match desk.exchange(&draft, session).map_err(unknown)? {
            Outcome::Heard(Heard::Answered(said)) => {
                // The first may have been taken before there was anything to complain of: under another number it could be paid twice.
                return match complaint(&said.code) {
                    Some(error) => Err(unknown(error)),
                    None => sold(desk, number, &mut turn, sent, &said),
                };
            }
            Outcome::Heard(Heard::Unclear { why, .. }) => return Err(no_answer(why)),
            Outcome::NoKeys | Outcome::Heard(Heard::SignOn { .. }) => {
                session = desk.renewed(session).map_err(unknown)?;
            }
        }
    }
    Err(no_answer(if session.batch == sent.batch {
        "the acquirer asks for a sign-on although there just was one"
    } else {
        "the acquirer's batch in which it was sent is closed: ask the acquirer by hand"
    }))
}

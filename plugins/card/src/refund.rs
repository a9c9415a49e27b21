//! Refunds. The wire has no reversal of them and no question about them, so one without an answer is left to persons; it is never
//! sent twice.

use saoma_channel_sdk::{Error, Money, RefundAnswer, RefundOrder, RefundStatus, no_answer, not_sent};

use crate::{
    desk::{ATTEMPTS, Desk, Outcome},
    messages::{
        build::{Approved, Sent},
        read::{Heard, NO_ANSWER, Verdict, verdict},
    },
    record::{Approval, State},
    turn::{Entry, Turn, beside},
};

/// # Errors
/// The contract's.
pub fn refund(desk: &Desk, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    let mut turn = match Turn::enter(desk, &refund.refund_number, refund.created_at)? {
        Entry::Mine(turn) => turn,
        Entry::Known(state) => return known(&refund.refund_number, &state),
        Entry::Beside(_) => return Err(beside()),
    };
    let outcome = give_back(desk, refund);
    if matches!(outcome, Err(Error::NotSent(_) | Error::Misconfigured(_))) {
        // Nobody else writes of it, so that it stands even if another call has looked in.
        desk.keep_outcome(&refund.refund_number, &State::UNSENT);
        turn.leave();
    }
    outcome
}

/// # Errors
/// The contract's. `not-sent` and `misconfigured`: nothing of it is at the acquirer.
fn give_back(desk: &Desk, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    let number = refund.refund_number.as_str();
    let sale = Approved::from_text(&refund.reference).ok_or_else(|| {
        not_sent("the payment's reference is not of this channel, so that the acquirer cannot be told of it")
    })?;
    let card = desk.card.as_ref().ok_or_else(|| not_sent("core has no card for this payment"))?;
    for _ in 0..ATTEMPTS {
        let session = desk.session()?;
        let sent = Sent::about(desk.trace()?, session.batch, refund.amount.minor, &sale);
        let draft = desk.settings.refund(&sent, &sale, card, number);
        desk.keep(number, &State::Sent(desk.unanswered(sent.clone(), NO_ANSWER)))?;
        let heard = match desk.exchange(&draft, session)? {
            Outcome::Heard(heard) => heard,
            Outcome::NoKeys => {
                desk.keep_outcome(number, &State::UNSENT);
                desk.renewed(session)?;
                continue;
            }
        };
        match heard {
            Heard::Answered(said) => {
                let state = match verdict(&said.code) {
                    Verdict::Approved => State::Approved(Approval {
                        reference: said.approved(&sent, &desk.settings).text(),
                        minor: sent.minor,
                        at_ms: said.at_ms,
                        doubted: false,
                    }),
                    Verdict::Refused(_) => State::Refused { code: said.code },
                    Verdict::Unclear => return Err(no_answer(format!("the acquirer answers {}", said.code))),
                };
                desk.keep_outcome(number, &state);
                return known(number, &state);
            }
            // Over TLS it is the acquirer who says so, with or without a MAC.
            Heard::SignOn { signed } if signed || desk.settings.is_tls() => {
                desk.keep_outcome(number, &State::UNSENT);
                desk.renewed(session)?;
            }
            Heard::SignOn { .. } => {
                desk.renewed(session).map_err(|_| no_answer("the acquirer asks for a sign-on, which fails"))?;
                return Err(no_answer(
                    "somebody asks for a sign-on without a MAC, and the refund may have been carried out",
                ));
            }
            Heard::Unclear { why, .. } => return Err(no_answer(why)),
        }
    }
    Err(not_sent("the acquirer asks for a sign-on although there just was one"))
}

/// # Errors
/// `no-answer` unless its answer came.
pub fn query(desk: &Desk, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    match desk.record(&refund.refund_number)? {
        Some(state) => known(&refund.refund_number, &state),
        None => Err(no_answer("nothing is kept of this refund: ask the acquirer by hand")),
    }
}

fn known(number: &str, state: &State) -> Result<RefundAnswer, Error> {
    let answer =
        |status| RefundAnswer { status, refund_number: number.to_owned(), amount: None, reference: String::new() };
    Ok(match state {
        State::Unsent { .. } => answer(RefundStatus::NotFound),
        State::Approved(approval) => RefundAnswer {
            amount: Some(Money { minor: approval.minor, currency: "CNY".to_owned() }),
            reference: approval.reference.clone(),
            ..answer(RefundStatus::Succeeded)
        },
        State::Refused { code } => match verdict(code) {
            Verdict::Refused(failure) => answer(RefundStatus::Failed(failure)),
            _ => return Err(no_answer(format!("the acquirer answered {code}"))),
        },
        State::Sent(_) | State::Voiding { .. } | State::Undone | State::TraceTaken => {
            return Err(no_answer("the acquirer did not answer the refund, and cannot be asked"));
        }
    })
}

//! Refunds. The wire has no reversal of them and no question about them, so one without an answer is left to persons; it is never
//! sent twice.

use saoma_channel_sdk::{Error, Money, RefundAnswer, RefundOrder, RefundStatus, clock, no_answer, not_sent};

use crate::{
    desk::{Desk, Outcome},
    messages::{
        build::{Approved, Sent},
        read::{Heard, NO_ANSWER, Verdict, verdict},
    },
    record::{Approval, State},
};

const ATTEMPTS: usize = 2;
/// A refund of which nothing is kept is sent only this long after core took it in: later it may be that it was sent, and its record is
/// lost.
const FRESH_MS: i64 = 600_000;

/// # Errors
/// The contract's.
pub fn refund(desk: &Desk, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    let number = refund.refund_number.as_str();
    match desk.record(number)? {
        Some(State::Unsent) => {}
        None if clock::now().abs_diff(refund.created_at) <= FRESH_MS.unsigned_abs() => {}
        None => return Err(no_answer("nothing is kept of this refund, which is not new: ask the acquirer by hand")),
        Some(state) => return known(number, &state),
    }
    let sale = Approved::from_text(&refund.reference).ok_or_else(|| {
        not_sent("the payment's reference is not of this channel, so that the acquirer cannot be told of it")
    })?;
    let card = desk.card.as_ref().ok_or_else(|| not_sent("core has no card for this payment"))?;
    desk.begin(number, &State::Unsent)?;
    for _ in 0..ATTEMPTS {
        let session = desk.session()?;
        let sent = Sent::about(desk.trace()?, session.batch, refund.amount.minor, &sale);
        let draft = desk.settings.refund(&sent, &sale, card, number);
        desk.keep(number, &State::Sent { sent: sent.clone(), reason: NO_ANSWER.to_owned() })?;
        let heard = match desk.exchange(&draft, session) {
            Ok(Outcome::Heard(heard)) => heard,
            Ok(Outcome::NoKeys) => {
                desk.keep_outcome(number, &State::Unsent);
                desk.renewed(session)?;
                continue;
            }
            Err(error) => {
                desk.keep_outcome(number, &State::Unsent);
                return Err(error);
            }
        };
        match heard {
            Heard::Answered(said) => {
                let state = match verdict(&said.code) {
                    Verdict::Approved => State::Approved(Approval {
                        reference: said.retrieval,
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
            Heard::SignOn { signed } if signed || desk.settings.address.starts_with("tls://") => {
                desk.keep_outcome(number, &State::Unsent);
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
        State::Unsent => answer(RefundStatus::NotFound),
        State::Approved(approval) => RefundAnswer {
            amount: Some(Money { minor: approval.minor, currency: "CNY".to_owned() }),
            reference: approval.reference.clone(),
            ..answer(RefundStatus::Succeeded)
        },
        State::Refused { code } => match verdict(code) {
            Verdict::Refused(failure) => answer(RefundStatus::Failed(failure)),
            _ => return Err(no_answer(format!("the acquirer answered {code}"))),
        },
        State::Sent { .. } | State::Voiding { .. } | State::Undone => {
            return Err(no_answer("the acquirer did not answer the refund, and cannot be asked"));
        }
    })
}

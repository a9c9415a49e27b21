//! One attempt to give money back, by refund or by void.
//!
//! A refund that was sent is never closed by us while the channel may still pay it: only the channel's own word ends it.

use saoma_protocol::{Amount, Money, RefundId, api::Failure, api::RefundKind, api::RefundState};

use crate::payment::Amounts;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub kind: RefundKind,
    pub amount: Amount,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Set aside, and not sent yet: by core itself, for what came late or twice.
    Created,
    /// Committed before it is sent.
    Submitting,
    /// The channel has it and has not finished.
    Pending,
    /// The channel did not answer.
    Unknown,
    Succeeded,
    Failed {
        failure: Failure,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// About to send it.
    Submit,
    Answered(Answer),
    /// It certainly did not reach the channel.
    NotSent {
        failure: Failure,
    },
    NoAnswer,
    /// Two persons say how it ended, since the channel does not.
    SettledByHand {
        paid: bool,
    },
    /// Persons alone had called the payment paid, and its channel says that it never was.
    NeverPaid,
}

/// What the channel said, checked to be about this refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: AnswerStatus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerStatus {
    Succeeded,
    Pending,
    Failed {
        failure: Failure,
    },
    /// The channel has no such refund: it may be sent again under the same number.
    NotFound,
}

/// Why something cannot happen to a refund. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the channel answered about refund {given:?}")]
    AnswerForAnother { given: String },
    #[error("the channel answered with {given} where {expected} was asked")]
    AnswerAmount { expected: Amount, given: Money },
    #[error("the channel answered that it is paid and did not say how much")]
    AnswerWithoutAmount,
    #[error("a refund that is {state:?} cannot be {verb}")]
    NotInState { state: RefundState, verb: &'static str },
}

impl Answer {
    /// # Errors
    /// `AnswerForAnother`, then `AnswerAmount`, then `AnswerWithoutAmount`.
    pub fn about(
        refund: &Refund,
        number: &str,
        amount: Option<Money>,
        amounts: Amounts,
        status: AnswerStatus,
    ) -> Result<Self, Refusal> {
        if number != refund.id.to_string() {
            return Err(Refusal::AnswerForAnother { given: number.chars().take(64).collect() });
        }
        match amount {
            Some(given) if given != refund.amount.money() => {
                Err(Refusal::AnswerAmount { expected: refund.amount, given })
            }
            None if amounts == Amounts::Named && status == AnswerStatus::Succeeded => Err(Refusal::AnswerWithoutAmount),
            Some(_) | None => Ok(Self { status }),
        }
    }

    #[must_use]
    pub const fn status(&self) -> &AnswerStatus {
        &self.status
    }
}

/// The refund's next state after `event`; `None`: nothing new.
///
/// # Errors
/// `NotInState` if it cannot be sent, or settled by hand, as it stands.
pub fn decide(refund: &Refund, event: &Event) -> Result<Option<State>, Refusal> {
    let refused = |verb| Err(Refusal::NotInState { state: refund.public_state(), verb });
    Ok(match (&refund.state, event) {
        (State::Created, Event::Submit) => Some(State::Submitting),
        (
            State::Submitting | State::Pending | State::Unknown | State::Succeeded | State::Failed { .. },
            Event::Submit,
        ) => {
            return refused("sent for the first time");
        }
        // One that never got through is settled like one without an answer: its channel may be gone for good.
        (State::Created | State::Pending | State::Unknown, Event::SettledByHand { paid: true }) => {
            Some(State::Succeeded)
        }
        (State::Created | State::Pending | State::Unknown, Event::SettledByHand { paid: false }) => {
            Some(State::Failed { failure: by_hand() })
        }
        (State::Submitting | State::Succeeded | State::Failed { .. }, Event::SettledByHand { .. }) => {
            return refused("settled by hand");
        }
        // A channel that has a request in hand, or has promised to pay, is heard first.
        (State::Submitting | State::Pending | State::Succeeded | State::Failed { .. }, Event::NeverPaid) => None,
        (State::Created | State::Unknown, Event::NeverPaid) => Some(State::Failed { failure: never_paid() }),
        (State::Succeeded | State::Failed { .. }, Event::Answered(_) | Event::NotSent { .. } | Event::NoAnswer) => None,
        // Of core's own accord, so that nobody else would try again.
        (State::Submitting, Event::NotSent { .. }) if refund.kind == RefundKind::Late => Some(State::Created),
        (State::Created, Event::NotSent { .. }) => None,
        (State::Submitting, Event::NotSent { failure }) => Some(State::Failed { failure: failure.clone() }),
        // A repeat that did not get through says nothing about the attempt before it.
        (State::Pending | State::Unknown, Event::NotSent { .. }) => None,
        (State::Submitting, Event::NoAnswer) => Some(State::Unknown),
        (State::Created | State::Pending | State::Unknown, Event::NoAnswer) => None,
        (State::Created | State::Submitting | State::Pending | State::Unknown, Event::Answered(answer)) => {
            match &answer.status {
                AnswerStatus::Succeeded => Some(State::Succeeded),
                AnswerStatus::Failed { failure } => Some(State::Failed { failure: failure.clone() }),
                AnswerStatus::Pending if refund.state == State::Pending => None,
                AnswerStatus::Pending => Some(State::Pending),
                // It may be sent again under the same number.
                AnswerStatus::NotFound => None,
            }
        }
    })
}

/// Whether an answer says otherwise than how the refund has ended here: paid of one that had failed, or failed of one that was
/// paid. Neither may be passed over, and neither is believed on a word that may be old: the channel is asked again.
#[must_use]
pub const fn contradicts(ended: &State, status: &AnswerStatus) -> bool {
    matches!(
        (ended, status),
        (State::Failed { .. }, AnswerStatus::Succeeded) | (State::Succeeded, AnswerStatus::Failed { .. })
    )
}

/// What an answer means for a refund whose end is in doubt: two persons have settled it while its channel kept silent, or the
/// channel has said otherwise since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWord {
    /// Nothing definite: the channel is asked again.
    AskOn,
    /// It had ended so.
    Confirmed,
    /// It counted as not paid, and the channel has paid it.
    PaidAfterAll,
    /// It counted as paid, and the channel has not paid it and will not.
    NotPaidAfterAll,
}

/// The channel has the last word on what is in doubt. That it knows of no such refund counts once nothing can be on its way to it
/// any more.
#[must_use]
pub fn last_word(ended: &State, status: &AnswerStatus) -> LastWord {
    let is_paid = *ended == State::Succeeded;
    match status {
        AnswerStatus::Pending => LastWord::AskOn,
        AnswerStatus::Succeeded if is_paid => LastWord::Confirmed,
        AnswerStatus::Succeeded => LastWord::PaidAfterAll,
        AnswerStatus::NotFound | AnswerStatus::Failed { .. } if is_paid => LastWord::NotPaidAfterAll,
        AnswerStatus::NotFound | AnswerStatus::Failed { .. } => LastWord::Confirmed,
    }
}

fn by_hand() -> Failure {
    Failure { code: "settled_by_hand".to_owned(), message: "Two persons settled it as not paid.".to_owned() }
}

fn never_paid() -> Failure {
    Failure { code: "never_paid".to_owned(), message: "The channel never had the payment.".to_owned() }
}

impl Refund {
    #[must_use]
    pub const fn public_state(&self) -> RefundState {
        match self.state {
            State::Created | State::Submitting => RefundState::Submitting,
            State::Pending => RefundState::Pending,
            State::Unknown => RefundState::Unknown,
            State::Succeeded => RefundState::Succeeded,
            State::Failed { .. } => RefundState::Failed,
        }
    }
}

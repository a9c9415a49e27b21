//! One attempt to give money back, by refund or by void.
//!
//! A refund that was sent is never closed by us while the channel may still pay it: only the channel's own word ends it.

use saoma_protocol::{Amount, Money, RefundId, api::Failure, api::RefundKind, api::RefundState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub kind: RefundKind,
    pub amount: Amount,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
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
    Answered(Answer),
    /// It certainly did not reach the channel.
    NotSent {
        failure: Failure,
    },
    NoAnswer,
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
}

impl Answer {
    /// # Errors
    /// `AnswerForAnother`, then `AnswerAmount`.
    pub fn about(refund: &Refund, number: &str, amount: Option<Money>, status: AnswerStatus) -> Result<Self, Refusal> {
        if number != refund.id.to_string() {
            return Err(Refusal::AnswerForAnother { given: number.chars().take(64).collect() });
        }
        match amount {
            Some(given) if given != refund.amount.money() => {
                Err(Refusal::AnswerAmount { expected: refund.amount, given })
            }
            _ => Ok(Self { status }),
        }
    }
}

/// What follows: the next state (`None`: nothing new), and whether the refund must be sent (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub next: Option<State>,
    pub resend: bool,
}

/// What `event` does to `refund`.
#[must_use]
pub fn decide(refund: &Refund, event: &Event) -> Decision {
    let to = |next| Decision { next: Some(next), resend: false };
    let nothing = Decision { next: None, resend: false };
    match (&refund.state, event) {
        (State::Succeeded | State::Failed { .. }, _) => nothing,
        (State::Submitting, Event::NotSent { failure }) => to(State::Failed { failure: failure.clone() }),
        // A repeat that did not get through says nothing about the attempt before it.
        (State::Pending | State::Unknown, Event::NotSent { .. }) => nothing,
        (State::Submitting, Event::NoAnswer) => to(State::Unknown),
        (State::Pending | State::Unknown, Event::NoAnswer) => nothing,
        (State::Submitting | State::Pending | State::Unknown, Event::Answered(answer)) => match &answer.status {
            AnswerStatus::Succeeded => to(State::Succeeded),
            AnswerStatus::Failed { failure } => to(State::Failed { failure: failure.clone() }),
            AnswerStatus::Pending if refund.state == State::Pending => nothing,
            AnswerStatus::Pending => to(State::Pending),
            AnswerStatus::NotFound => Decision { next: None, resend: true },
        },
    }
}

impl Refund {
    #[must_use]
    pub const fn public_state(&self) -> RefundState {
        match self.state {
            State::Submitting => RefundState::Submitting,
            State::Pending => RefundState::Pending,
            State::Unknown => RefundState::Unknown,
            State::Succeeded => RefundState::Succeeded,
            State::Failed { .. } => RefundState::Failed,
        }
    }
}

//! A customer's dispute of a payment (拒付, chargeback), from the case that the channel opens to its decision.
//!
//! The money is with the channel from the first day on: it is held back, and given back if the merchant wins. What only asks
//! for information while no money moves (an inquiry, a retrieval request, a complaint) is no dispute here.
//!
//! Only the channel's word ends a dispute. Before that its word goes over ours in every state; after that nothing moves any
//! more: where a scheme takes the money once again after the merchant has won (a second chargeback), that is a case of its
//! own, with another reference. What schemes call pre-arbitration comes before the decision: the channel asks once more.

use saoma_protocol::{Amount, DisputeId, Millis};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub id: DisputeId,
    /// What the channel took: all of the payment, a part of it, or more.
    pub amount: Amount,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The channel waits for the merchant's evidence.
    NeedsResponse {
        /// Until when, if it says so.
        respond_by: Option<Millis>,
    },
    /// Evidence was handed in, and the channel decides.
    UnderReview,
    /// The merchant does not contest it; the channel has not closed it yet.
    Accepted,
    /// Decided for the merchant, who has the money back.
    Won {
        /// What the channel charged for the case, if anything.
        fee: Option<Amount>,
    },
    /// Decided for the customer, who has the money.
    Lost {
        /// By the merchant's own word.
        accepted: bool,
        fee: Option<Amount>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The channel asks for evidence: once more, or until another moment.
    Asked { respond_by: Option<Millis> },
    /// The merchant handed evidence in at the channel.
    EvidenceSubmitted,
    /// The merchant told the channel that they do not contest it.
    Accepted,
    /// The channel decided.
    Closed { outcome: Outcome, fee: Option<Amount> },
}

/// What the channel itself says of a case, as it comes in: late, twice, and out of turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It took the money.
    Opened { respond_by: Option<Millis> },
    /// As [`Event::Asked`].
    Asked { respond_by: Option<Millis> },
    /// As [`Event::Closed`]; without a fee it says nothing about one.
    Closed { outcome: Outcome, fee: Option<Amount> },
}

/// For whom the channel decided, seen from the merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Won,
    Lost,
}

/// Why something cannot happen to a dispute. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The channel decided before, and otherwise.
    #[error("the dispute is decided: it was {0}")]
    Decided(&'static str),
    #[error("a dispute that is {state} cannot be {verb}")]
    NotInState { state: &'static str, verb: &'static str },
    #[error("the fee is in another currency than the dispute")]
    FeeCurrency,
}

/// The dispute's next state after `event`; `None`: nothing new.
///
/// # Errors
/// `FeeCurrency`, then `Decided` once the channel has decided, unless it only says so again; `NotInState` for what the
/// merchant cannot do as it stands.
pub fn decide(dispute: &Dispute, event: &Event) -> Result<Option<State>, Refusal> {
    let state = &dispute.state;
    if let Event::Closed { fee: Some(fee), .. } = event
        && fee.currency() != dispute.amount.currency()
    {
        return Err(Refusal::FeeCurrency);
    }
    let next = match (state, event) {
        (State::NeedsResponse { .. } | State::UnderReview | State::Accepted, Event::Asked { respond_by }) => {
            State::NeedsResponse { respond_by: *respond_by }
        }
        (State::NeedsResponse { .. }, Event::EvidenceSubmitted) => State::UnderReview,
        (State::NeedsResponse { .. }, Event::Accepted) => State::Accepted,
        (State::UnderReview | State::Accepted, Event::EvidenceSubmitted) => {
            return Err(Refusal::NotInState { state: state.text(), verb: "contested" });
        }
        (State::UnderReview | State::Accepted, Event::Accepted) => {
            return Err(Refusal::NotInState { state: state.text(), verb: "accepted" });
        }
        (State::NeedsResponse { .. } | State::UnderReview | State::Accepted, Event::Closed { outcome, fee }) => {
            match outcome {
                Outcome::Won => State::Won { fee: *fee },
                Outcome::Lost => State::Lost { accepted: *state == State::Accepted, fee: *fee },
            }
        }
        (State::Won { fee: booked }, Event::Closed { outcome: Outcome::Won, fee })
        | (State::Lost { fee: booked, .. }, Event::Closed { outcome: Outcome::Lost, fee })
            if booked == fee =>
        {
            return Ok(None);
        }
        (
            State::Won { .. } | State::Lost { .. },
            Event::Asked { .. } | Event::EvidenceSubmitted | Event::Accepted | Event::Closed { .. },
        ) => return Err(Refusal::Decided(state.text())),
    };
    Ok(Some(next).filter(|next| next != state))
}

/// What news of the moment `at` makes of a dispute; `None`: nothing new. `heard_at`: the moment of the newest that was heard
/// before. What is not newer is only heard if it is the decision, which may overtake and be overtaken.
///
/// # Errors
/// As [`decide`]: `FeeCurrency`; `Decided` if newer news contradict the decision.
pub fn hear(dispute: &Dispute, heard_at: Option<Millis>, news: &News, at: Millis) -> Result<Option<State>, Refusal> {
    let is_newer = heard_at.is_none_or(|heard_at| heard_at < at);
    match news {
        News::Closed { outcome, fee } => match (&dispute.state, fee) {
            (State::Won { .. }, None) if *outcome == Outcome::Won => Ok(None),
            (State::Lost { .. }, None) if *outcome == Outcome::Lost => Ok(None),
            (state, _) if state.is_final() && !is_newer => Ok(None),
            _ => decide(dispute, &Event::Closed { outcome: *outcome, fee: *fee }),
        },
        News::Opened { .. } | News::Asked { .. } if !is_newer => Ok(None),
        // The opening says nothing about what came of the case since, whenever it is heard.
        News::Opened { respond_by: Some(respond_by) } if matches!(dispute.state, State::NeedsResponse { .. }) => {
            decide(dispute, &Event::Asked { respond_by: Some(*respond_by) })
        }
        News::Opened { .. } => Ok(None),
        News::Asked { respond_by } => decide(dispute, &Event::Asked { respond_by: *respond_by }),
    }
}

impl State {
    /// The stable text of this state, as stored and sent.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::NeedsResponse { .. } => "needs_response",
            Self::UnderReview => "under_review",
            Self::Accepted => "accepted",
            Self::Won { .. } => "won",
            Self::Lost { .. } => "lost",
        }
    }

    /// Whether the channel has decided.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Won { .. } | Self::Lost { .. })
    }

    /// What the channel charged for the case; known once it has decided.
    #[must_use]
    pub const fn fee(&self) -> Option<Amount> {
        match self {
            Self::NeedsResponse { .. } | Self::UnderReview | Self::Accepted => None,
            Self::Won { fee } | Self::Lost { fee, .. } => *fee,
        }
    }
}

//! Disputes as the API shows them.

use saoma_domain::dispute::State;
use saoma_protocol::{Amount, ChannelAccountId, DisputeId, Millis, PaymentId};
use saoma_store::disputes::StoredDispute;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// The channel waits for evidence.
    NeedsResponse,
    /// Evidence was handed in, and the channel decides.
    UnderReview,
    /// Not contested; the channel has not closed it yet.
    Accepted,
    /// Decided for the merchant, who has the money back.
    Won,
    /// Decided for the customer.
    Lost,
}

/// A dispute as everyone with the right to it sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DisputeView {
    pub id: DisputeId,
    pub payment: PaymentId,
    pub channel_account: ChannelAccountId,
    /// Grows with each change; of two views the higher is the newer.
    pub version: u64,
    pub state: DisputeState,
    /// What the channel has taken back.
    pub amount: Amount,
    /// The channel's own number of the case.
    pub case_reference: String,
    /// Why the customer disputes it, as the scheme numbers reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Until when the channel waits for evidence. Only while `needs_response`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<Millis>,
    /// What was handed in last, a line each.
    pub evidence: Vec<String>,
    /// The merchant did not contest it. Only while `accepted`, or if it was lost by that.
    pub accepted: bool,
    /// What the channel charged for the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<Amount>,
    /// Since when a person is called, because the time to answer is running out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<Millis>,
    pub opened_by: String,
    pub created_at: Millis,
    pub updated_at: Millis,
}

#[must_use]
pub fn dispute_view(stored: &StoredDispute) -> DisputeView {
    let state = &stored.dispute.state;
    let (mut respond_by, mut is_accepted) = (None, false);
    let shown = match state {
        State::NeedsResponse { respond_by: until } => {
            respond_by = *until;
            DisputeState::NeedsResponse
        }
        State::UnderReview => DisputeState::UnderReview,
        State::Accepted => {
            is_accepted = true;
            DisputeState::Accepted
        }
        State::Won { .. } => DisputeState::Won,
        State::Lost { accepted, .. } => {
            is_accepted = *accepted;
            DisputeState::Lost
        }
    };
    DisputeView {
        id: stored.dispute.id,
        payment: stored.payment,
        channel_account: stored.channel_account,
        version: stored.version,
        state: shown,
        amount: stored.dispute.amount,
        case_reference: stored.case_reference.clone(),
        reason_code: stored.reason_code.clone(),
        respond_by,
        evidence: stored.evidence.iter().flat_map(|text| text.lines()).map(str::to_owned).collect(),
        accepted: is_accepted,
        fee: state.fee(),
        needs_attention: stored.attention_at,
        opened_by: stored.opened_by.clone(),
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

impl DisputeState {
    /// As the domain calls it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Accepted => "accepted",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_sent_as_it_is_stored() {
        for state in [
            DisputeState::NeedsResponse,
            DisputeState::UnderReview,
            DisputeState::Accepted,
            DisputeState::Won,
            DisputeState::Lost,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.text());
        }
    }
}

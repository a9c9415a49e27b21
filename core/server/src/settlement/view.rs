//! A batch as the API and webhooks show it.

use saoma_domain::settlement::{Difference, State, Tally, Total};
use saoma_protocol::{ChannelAccountId, Currency, Millis, SettlementBatchId};
use saoma_store::settlement_batches::{Resolved, SettlementBatch};
use serde::Serialize;
use utoipa::ToSchema;

/// A batch: what came into the books through a channel account since the one before it, whenever it was paid.
#[derive(Serialize, ToSchema)]
pub struct SettlementBatchView {
    id: SettlementBatchId,
    channel_account: ChannelAccountId,
    /// From 1, for each account.
    sequence: u64,
    /// `closing`: the totals are on their way; `uploading`: they differ, and rows are on their way; `settled`: both sides count the same;
    /// `differs`: it is over at the scheme, and a person has to see to it; `cancelled`: a person took it back before anything of it was sent,
    /// and what was in it is in the next one.
    state: &'static str,
    /// Sales, refunds and voids.
    rows: u32,
    /// Of those that were uploaded, once the totals differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u32>,
    totals: Vec<SettlementTotal>,
    /// The scheme's own totals, if it said them.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_totals: Option<Vec<SettlementTotal>>,
    /// What keeps it from its end, or what the scheme said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The id of a person or key, or `core`.
    closed_by: String,
    closed_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Millis>,
    /// Whether a person has to see to it.
    needs_attention: bool,
    /// Whether it can be taken back: nothing of it was sent.
    cancellable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<SettlementResolution>,
    version: u64,
}

/// A close that waits for what is under way.
#[derive(Serialize, ToSchema)]
pub struct SettlementCloseView {
    pub channel_account: ChannelAccountId,
    /// When it was asked for, by a person or the account's time of the day.
    pub wanted_at: Millis,
    /// Payments and refunds of the account without an end.
    pub under_way: u64,
}

/// What a batch comes to in one currency.
#[derive(Serialize, ToSchema)]
pub struct SettlementTotal {
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// Sales, whatever became of them later.
    debits: SettlementTally,
    /// Refunds and voids.
    credits: SettlementTally,
}

#[derive(Serialize, ToSchema)]
pub struct SettlementTally {
    count: u32,
    minor: i64,
}

/// That a person has seen to it.
#[derive(Serialize, ToSchema)]
pub struct SettlementResolution {
    by: String,
    at: Millis,
    reason: String,
}

impl From<&Total> for SettlementTotal {
    fn from(total: &Total) -> Self {
        let tally = |Tally { count, minor }: Tally| SettlementTally { count, minor };
        Self { currency: total.currency, debits: tally(total.debits), credits: tally(total.credits) }
    }
}

impl From<SettlementBatch> for SettlementBatchView {
    fn from(batch: SettlementBatch) -> Self {
        let (sent, said) = match &batch.state {
            State::Uploading { sent } => (Some(*sent), None),
            State::Differs(Difference::Totals) => (Some(batch.rows), None),
            State::Differs(Difference::Elsewhere(words)) => (None, Some(words.clone())),
            State::Closing | State::Settled | State::Cancelled => (None, None),
        };
        let resolved = |Resolved { by, at, reason }: Resolved| SettlementResolution { by, at, reason };
        let cancellable = batch.state.is_cancellable(batch.unsent) && batch.lease_until.is_none();
        Self {
            id: batch.id,
            channel_account: batch.account,
            sequence: batch.sequence,
            state: batch.state.text(),
            rows: batch.rows,
            sent,
            totals: batch.totals.iter().map(Into::into).collect(),
            channel_totals: batch.theirs.map(|theirs| theirs.iter().map(Into::into).collect()),
            why: said.or(batch.words),
            closed_by: batch.closed_by,
            closed_at: batch.closed_at,
            ended_at: batch.ended_at,
            needs_attention: batch.attention_at.is_some(),
            cancellable,
            resolved: batch.resolved.map(resolved),
            version: batch.version,
        }
    }
}

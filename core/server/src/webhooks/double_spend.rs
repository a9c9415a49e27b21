//! An offline code that was too much, as the API and webhooks show it.

use saoma_domain::stored_value::offline::Over;
use saoma_protocol::{Amount, Millis, Money, PaymentId, StoredValueAccountId, TerminalId};
use saoma_store::stored_value::offline::spends::{Excess, Resolution, Spend};
use serde::Serialize;
use utoipa::ToSchema;

/// An offline code of stored value that was spent, and was too much. The payment stands for the shop.
#[derive(Serialize, ToSchema)]
pub struct DoubleSpendView {
    payment: PaymentId,
    account: StoredValueAccountId,
    /// The grant's token, as in its codes.
    grant: String,
    /// The code's number within its grant.
    counter: u32,
    terminal: TerminalId,
    amount: Amount,
    /// Paid by the account.
    covered: Money,
    /// `counter`: the same code was spent twice; which freezes the account; `cap`: more than was granted, and the account did not hold
    /// it; `uncovered`: it came in so late that nothing was set aside any more.
    why: &'static str,
    /// By the terminal's clock.
    sold_at: Millis,
    at: Millis,
    /// What a person decided about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<DoubleSpendResolution>,
}

#[derive(Serialize, ToSchema)]
pub struct DoubleSpendResolution {
    /// Taken from the account for what the issuer bore.
    recovered_minor: i64,
    reason: String,
    by: String,
    at: Millis,
}

impl From<Resolution> for DoubleSpendResolution {
    fn from(resolution: Resolution) -> Self {
        let Resolution { recovered_minor, reason, made_by: by, at } = resolution;
        Self { recovered_minor, reason, by, at }
    }
}

impl From<Excess> for DoubleSpendView {
    fn from((spend, resolution): Excess) -> Self {
        Self { resolution: resolution.map(Into::into), ..spend.into() }
    }
}

impl From<Spend> for DoubleSpendView {
    fn from(spend: Spend) -> Self {
        Self {
            payment: spend.payment,
            account: spend.account,
            grant: spend.grant.to_string(),
            counter: spend.counter,
            terminal: spend.terminal,
            amount: spend.amount,
            covered: Money::new(spend.covered_minor, spend.amount.currency()),
            why: spend.over.map_or("", Over::text),
            sold_at: spend.sold_at,
            at: spend.at,
            resolution: None,
        }
    }
}

//! A cashier's shift at this till, from signing on (签到) to the batch close (结算). Pure: no I/O, no clock.
//!
//! What a batch comes to is counted from the journal's own entries between its two ends, so that it cannot differ from what
//! core gets. What should be in the drawer is told to nobody before the drawer was counted.

mod tally;

use saoma_protocol::{
    CashierId, Millis, Money, Sequence,
    api::{PaymentState, RefundState},
    journal::{CoreTime, Stamp},
    money::MoneyError,
};
use serde::{Deserialize, Serialize};

use crate::sale::{ReceiptState, Sale, state_text};
pub use tally::{Line, MethodTotals, Tally, Totals};

/// What the disk has of a shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// From 1, growing on this terminal; printed on the report.
    pub batch: Sequence,
    pub cashier: String,
    /// As the merchant numbers its people; may be empty.
    pub cashier_number: String,
    /// Whose PIN opened it; none if it was opened by a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashier_id: Option<CashierId>,
    /// 0 or more; its currency is the batch's.
    pub float: Money,
    pub opened_at: Millis,
    /// What time it was at core then.
    #[serde(default, skip_serializing_if = "CoreTime::is_unsaid")]
    pub opened_core: CoreTime,
    pub closed: Option<Closed>,
}

/// How a shift ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub at: Millis,
    /// What time it was at core then.
    #[serde(default, skip_serializing_if = "CoreTime::is_unsaid")]
    pub at_core: CoreTime,
    pub counted: Money,
    pub expected: Money,
    pub totals: Totals,
    /// Sales over which it was closed although nobody knew how they stood.
    #[serde(default)]
    pub in_doubt: Vec<InDoubt>,
    pub report: ReceiptState,
}

/// A sale of which nobody knows how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InDoubt {
    pub counter: Sequence,
    pub amount_minor: i64,
    /// What is to be found out, in words for the cashier.
    pub why: String,
}

impl Shift {
    /// When it was opened, by both clocks.
    #[must_use]
    pub const fn opened(&self) -> Stamp {
        Stamp { machine: self.opened_at, core: self.opened_core }
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Whether its report is at the printer, as far as is known.
    #[must_use]
    pub fn is_report_queued(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.report == ReceiptState::Queued)
    }

    /// What should be in the drawer once all of `totals` happened.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn expected(&self, totals: &Totals) -> Result<Money, MoneyError> {
        let money = |line: Line| Money::new(line.minor, self.float.currency());
        let came = self.float.checked_add(money(totals.cash.sales))?.checked_add(money(totals.paid_in))?;
        let went = money(totals.cash.refunds).checked_add(money(totals.cash.voids))?;
        came.checked_sub(went)?.checked_sub(money(totals.paid_out))
    }
}

impl Closed {
    /// When it was closed, by both clocks.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        Stamp { machine: self.at, core: self.at_core }
    }

    /// What was counted more than expected, or less if it is negative.
    #[must_use]
    pub const fn over_short_minor(&self) -> i64 {
        self.counted.minor().saturating_sub(self.expected.minor())
    }
}

/// The sale, if a batch cannot be closed over it without a second look.
#[must_use]
pub fn in_doubt(sale: &Sale) -> Option<InDoubt> {
    let (counter, amount_minor) = (sale.kept.counter, sale.kept.amount.minor());
    in_the_way(sale).map(|why| InDoubt { counter, amount_minor, why })
}

/// Why a batch cannot be closed while this sale stands as it does; `None` if it does not matter. A refund that the channel
/// has and works on may take days: it does not.
fn in_the_way(sale: &Sale) -> Option<String> {
    let counter = sale.kept.counter;
    if sale.is_cancelling() && !sale.state().is_some_and(PaymentState::is_settled) {
        return Some(format!("sale {counter} is being cancelled: wait until it is"));
    }
    match sale.state() {
        None => return Some(format!("sale {counter} is being sent: wait, query it or cancel it")),
        // What is to come of a card that core forwards is no matter of the batch.
        Some(state) if !state.is_settled() && !sale.is_forwarded() => {
            let state = state_text(state);
            return Some(format!("sale {counter} is {state}: wait, query it or cancel it"));
        }
        Some(_) => {}
    }
    let in_doubt = sale.kept.refunds.iter().find(|refund| {
        refund.keyed_here
            && (!refund.answered || matches!(refund.state, RefundState::Submitting | RefundState::Unknown))
            && refund.state != RefundState::Failed
    });
    in_doubt
        .map(|_| format!("nobody knows yet whether a refund of sale {counter} went through: wait, or query the sale"))
}

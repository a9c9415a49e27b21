//! Whether a payment and its postings tell the same story.

use saoma_protocol::RefundId;

use super::{Account, Kind, PostingSet};
use crate::{
    dispute::{self, Dispute},
    payment::{Method, Payment, State},
    refund::{self, Refund},
};

/// A set as it was booked for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    pub kind: Kind,
    pub refund: Option<RefundId>,
    pub set: PostingSet,
}

/// In what way they do not. Amounts in minor units of the payment's currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    #[error("the books are in another currency than the payment")]
    Currency,
    #[error("{account:?} holds {booked_minor} of it, and by its state it should be {expected_minor}")]
    Account { account: Account, expected_minor: i128, booked_minor: i128 },
    #[error("{refund} has {booked_minor} in transit, and by its state it should be {expected_minor}")]
    InTransit { refund: RefundId, expected_minor: i128, booked_minor: i128 },
    #[error("more of the fee came back than was taken: {fees_minor}")]
    Fees { fees_minor: i128 },
    #[error("its refunds that succeeded sum to {refunds_minor}, and it says {refunded_minor}")]
    Refunded { refunds_minor: i128, refunded_minor: i128 },
    #[error("its refunds under way sum to {refunds_minor}, and it says {reserved_minor}")]
    Reserved { refunds_minor: i128, reserved_minor: i128 },
    #[error("{account:?} holds {booked_minor} of its disputes, and by their states it should be {expected_minor}")]
    Dispute { account: Account, expected_minor: i128, booked_minor: i128 },
    #[error("its disputes that are open or lost sum to {disputes_minor}, and it says {disputed_minor}")]
    Disputed { disputes_minor: i128, disputed_minor: i128 },
}

impl Disagreement {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::Account { .. } => "account",
            Self::InTransit { .. } => "in_transit",
            Self::Fees { .. } => "fees",
            Self::Refunded { .. } => "refunded",
            Self::Reserved { .. } => "reserved",
            Self::Dispute { .. } => "dispute",
            Self::Disputed { .. } => "disputed",
        }
    }
}

/// All ways in which `payment`, its `refunds` and `disputes`, and what was `booked` for it disagree; none if the books hold.
/// Movements that change no state ([`Kind::moves_payment`], [`Kind::is_of_dispute`]) are not looked at.
///
/// It shares nothing with [`super::rules`] but the names of the accounts, so that a rule that is wrong does not prove itself.
#[must_use]
pub fn disagreements(
    payment: &Payment,
    refunds: &[Refund],
    disputes: &[Dispute],
    booked: &[Booked],
) -> Vec<Disagreement> {
    let of_disputes: Vec<&Booked> = booked.iter().filter(|booked| booked.kind.is_of_dispute()).collect();
    // Refunds give back of the fee that was really taken, with what a bill said later.
    let of_bills: Vec<&Booked> = booked.iter().filter(|booked| booked.kind == Kind::FeeCorrected).collect();
    let booked: Vec<&Booked> = booked.iter().filter(|booked| booked.kind.moves_payment()).collect();
    let currency = payment.amount.currency();
    let mut postings = booked.iter().chain(&of_disputes).flat_map(|booked| booked.set.postings());
    if postings.any(|posting| posting.money.currency() != currency) {
        return vec![Disagreement::Currency];
    }
    let amount_minor = i128::from(payment.amount.minor());
    // How much was captured, given back, and is on its way back.
    let (captured_minor, refunded_minor, reserved_minor) = match &payment.state {
        State::Captured(capture) => {
            (amount_minor, i128::from(capture.refunded_minor), i128::from(capture.reserved_minor))
        }
        State::Voided { .. } => (amount_minor, amount_minor, 0),
        _ => (0, 0, 0),
    };
    let fees_minor = sum(&booked, Account::Fees);
    let holding = match payment.method {
        Method::Cash => Account::CashInDrawer,
        Method::MerchantPresented | Method::CustomerPresented | Method::Card => Account::ChannelClearing,
    };
    let expected = |account: Account| match account {
        Account::MerchantPayable => refunded_minor + reserved_minor - captured_minor,
        Account::RefundsInTransit => -reserved_minor,
        Account::Fees => fees_minor,
        account if account == holding => captured_minor - refunded_minor - fees_minor,
        _ => 0,
    };
    let mut found: Vec<Disagreement> = Account::ALL
        .iter()
        .map(|account| (*account, expected(*account), sum(&booked, *account)))
        .filter(|(_, expected_minor, booked_minor)| expected_minor != booked_minor)
        .map(|(account, expected_minor, booked_minor)| Disagreement::Account { account, expected_minor, booked_minor })
        .collect();
    if fees_minor + sum(&of_bills, Account::Fees).max(0) < 0 {
        found.push(Disagreement::Fees { fees_minor });
    }
    found.extend(refunds_disagree(refunds, &booked, refunded_minor, reserved_minor));
    found.extend(disputes_disagree(payment, disputes, &of_disputes));
    found
}

fn disputes_disagree(payment: &Payment, disputes: &[Dispute], booked: &[&Booked]) -> Vec<Disagreement> {
    let (mut held_minor, mut lost_minor, mut fees_minor) = (0_i128, 0_i128, 0_i128);
    for dispute in disputes {
        let amount_minor = i128::from(dispute.amount.minor());
        match dispute.state {
            dispute::State::NeedsResponse { .. } | dispute::State::UnderReview | dispute::State::Accepted => {
                held_minor += amount_minor;
            }
            dispute::State::Won { .. } => {}
            dispute::State::Lost { .. } => lost_minor += amount_minor,
        }
        fees_minor += dispute.state.fee().map_or(0, |fee| i128::from(fee.minor()));
    }
    let expected = |account: Account| match account {
        Account::DisputesHeld => held_minor,
        Account::RiskLoss => lost_minor,
        Account::Fees => fees_minor,
        Account::ChannelClearing => -(held_minor + lost_minor + fees_minor),
        _ => 0,
    };
    let mut found: Vec<Disagreement> = Account::ALL
        .iter()
        .map(|account| (*account, expected(*account), sum(booked, *account)))
        .filter(|(_, expected_minor, booked_minor)| expected_minor != booked_minor)
        .map(|(account, expected_minor, booked_minor)| Disagreement::Dispute { account, expected_minor, booked_minor })
        .collect();
    if let State::Captured(capture) = &payment.state {
        let (disputes_minor, disputed_minor) = (held_minor + lost_minor, i128::from(capture.disputed_minor));
        if disputes_minor != disputed_minor {
            found.push(Disagreement::Disputed { disputes_minor, disputed_minor });
        }
    }
    found
}

fn refunds_disagree(
    refunds: &[Refund],
    booked: &[&Booked],
    refunded_minor: i128,
    reserved_minor: i128,
) -> Vec<Disagreement> {
    let under_way = |refund: &Refund| !matches!(refund.state, refund::State::Succeeded | refund::State::Failed { .. });
    let mut found = Vec::new();
    for refund in refunds {
        let of_refund: Vec<&Booked> =
            booked.iter().filter(|booked| booked.refund == Some(refund.id)).copied().collect();
        let expected_minor = if under_way(refund) { -i128::from(refund.amount.minor()) } else { 0 };
        let booked_minor = sum(&of_refund, Account::RefundsInTransit);
        if expected_minor != booked_minor {
            found.push(Disagreement::InTransit { refund: refund.id, expected_minor, booked_minor });
        }
    }
    let total = |which: &dyn Fn(&Refund) -> bool| -> i128 {
        refunds.iter().filter(|refund| which(refund)).map(|refund| i128::from(refund.amount.minor())).sum()
    };
    let succeeded = total(&|refund| refund.state == refund::State::Succeeded);
    // What the channel undid by itself has no refund of ours.
    let undone = booked.iter().any(|booked| booked.kind == Kind::Undone);
    if !undone && succeeded != refunded_minor {
        found.push(Disagreement::Refunded { refunds_minor: succeeded, refunded_minor });
    }
    let reserved = total(&under_way);
    if reserved != reserved_minor {
        found.push(Disagreement::Reserved { refunds_minor: reserved, reserved_minor });
    }
    found
}

fn sum(booked: &[&Booked], account: Account) -> i128 {
    booked
        .iter()
        .flat_map(|booked| booked.set.postings())
        .filter(|posting| posting.account == account)
        .map(|posting| i128::from(posting.money.minor()))
        .sum()
}

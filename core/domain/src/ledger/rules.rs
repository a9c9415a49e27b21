//! Which postings follow from what happened. The one place that says so.
//!
//! Amounts are positive by their type; a fee of zero has no postings.

use saoma_protocol::{Amount, Money};

use super::{Account, PostingSet, Unbalanced};
use crate::payment::Method;

/// Where a payment's money is until it is paid out.
const fn holding(method: Method) -> Account {
    match method {
        Method::MerchantPresented | Method::CustomerPresented | Method::Card => Account::ChannelClearing,
        Method::Cash => Account::CashInDrawer,
    }
}

fn one(from: Account, to: Account, money: Money) -> Vec<PostingSet> {
    PostingSet::transfer(from, to, money).into_iter().collect()
}

/// The same, the other way round for a negative sum.
fn either(from: Account, to: Account, money: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    let other_way = Money::new(money.minor().checked_neg().ok_or(Unbalanced::Overflow)?, money.currency());
    Ok(both(one(from, to, money), one(to, from, other_way)))
}

fn both(first: Vec<PostingSet>, second: Vec<PostingSet>) -> Vec<PostingSet> {
    first.into_iter().chain(second).collect()
}

/// Money was captured: the channel (or the drawer) holds it, the merchant is owed it, and the channel's fee is an expense
/// that lowers what the channel owes.
#[must_use]
pub fn captured(method: Method, amount: Amount, fee: Money) -> Vec<PostingSet> {
    both(one(Account::MerchantPayable, holding(method), amount.money()), one(holding(method), Account::Fees, fee))
}

/// A refund or void is under way: its amount is no longer due to the merchant, and not yet gone.
#[must_use]
pub fn refund_reserved(amount: Amount) -> Vec<PostingSet> {
    one(Account::RefundsInTransit, Account::MerchantPayable, amount.money())
}

/// The channel (or the drawer) paid it, and gave `fee_returned` of its fee back
/// ([`crate::fee::FeeOnRefund::returned`] says how much).
#[must_use]
pub fn refund_succeeded(method: Method, amount: Amount, fee_returned: Money) -> Vec<PostingSet> {
    both(
        one(holding(method), Account::RefundsInTransit, amount.money()),
        one(Account::Fees, holding(method), fee_returned),
    )
}

/// The channel will not pay it: due to the merchant again.
#[must_use]
pub fn refund_failed(amount: Amount) -> Vec<PostingSet> {
    one(Account::MerchantPayable, Account::RefundsInTransit, amount.money())
}

/// The channel undid a capture by itself: both halves of a refund at once.
#[must_use]
pub fn undone(method: Method, amount: Amount, fee_returned: Money) -> Vec<PostingSet> {
    both(
        one(holding(method), Account::MerchantPayable, amount.money()),
        one(Account::Fees, holding(method), fee_returned),
    )
}

/// The channel's bill names another fee than was booked: `difference` more than that, or less if it is negative.
///
/// # Errors
/// `Overflow` for the one number that has no negative, −2^63.
pub fn fee_corrected(difference: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    either(Account::ChannelClearing, Account::Fees, difference)
}

/// The channel's bill moves `difference` more than the books do, or less if it is negative, and the merchant has it or bears
/// it.
///
/// # Errors
/// `Overflow` for the one number that has no negative, −2^63.
pub fn bill_corrected(difference: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    either(Account::MerchantPayable, Account::ChannelClearing, difference)
}

/// The channel pays `difference` more than the books say, fees counted, or less if it is negative, and nobody makes it good.
///
/// # Errors
/// `Overflow` for the one number that has no negative, −2^63.
pub fn written_off(difference: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    either(Account::RiskLoss, Account::ChannelClearing, difference)
}

/// Change was put into a drawer at the start of a shift.
#[must_use]
pub fn drawer_float(amount: Amount) -> Vec<PostingSet> {
    paid_in(amount)
}

/// Cash was put into a drawer that no sale brought.
#[must_use]
pub fn paid_in(amount: Amount) -> Vec<PostingSet> {
    one(Account::CashInSafe, Account::CashInDrawer, amount.money())
}

/// Cash was taken out of a drawer that no refund took: to the safe, or for an errand.
#[must_use]
pub fn paid_out(amount: Amount) -> Vec<PostingSet> {
    one(Account::CashInDrawer, Account::CashInSafe, amount.money())
}

/// Cash that no shift counted came to light: `sum` of it is taken for the safe's, or came from there if it is negative.
///
/// # Errors
/// `Overflow` for the one number that has no negative, −2^63.
pub fn drawer_swept(sum: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    either(Account::CashInDrawer, Account::CashInSafe, sum)
}

/// A drawer was counted: `difference` more than the books had in it, or less if it is negative.
///
/// # Errors
/// `Overflow` for the one number that has no negative, −2^63.
pub fn drawer_counted(difference: Money) -> Result<Vec<PostingSet>, Unbalanced> {
    either(Account::CashOverShort, Account::CashInDrawer, difference)
}

/// A holder paid cash in for stored value.
///
/// The issuer's books and the merchant's are two stories of one charge, also where both are one tenant, and no account is moved by
/// both. So money is counted once: the merchant's claim on the channel and the issuer's debt to it are the same sum until it is
/// paid out, when both leave through the bank.
///
/// ```text
///              issuer                                    merchant, through the channel
/// top-up       cash_in_safe     ← stored_value
/// charge       stored_value     ← stored_value_due      channel_clearing ← merchant_payable
/// refund       stored_value_due ← stored_value          refunds_in_transit ← channel_clearing
/// loss         risk_loss        ← stored_value_due      (as any charge)
/// its refund   stored_value_due ← risk_loss             (as any refund)
/// recovered    stored_value     ← risk_loss
/// pay-out      stored_value_due ← bank                  bank ← channel_clearing
/// closing      stored_value     ← cash_in_safe
/// ```
///
/// The cash is the safe's: what a drawer should hold is counted from its terminal's journal, which does not know of a top-up at a
/// desk.
#[must_use]
pub fn stored_value_topped_up(amount: Amount) -> Vec<PostingSet> {
    one(Account::StoredValue, Account::CashInSafe, amount.money())
}

/// Stored value was given back for cash: a top-up was a mistake, or the account was closed.
#[must_use]
pub fn stored_value_paid_out(amount: Amount) -> Vec<PostingSet> {
    one(Account::CashInSafe, Account::StoredValue, amount.money())
}

/// A holder paid with stored value, and the issuer owes it to whoever accepted it.
#[must_use]
pub fn stored_value_charged(amount: Amount) -> Vec<PostingSet> {
    one(Account::StoredValueDue, Account::StoredValue, amount.money())
}

/// What was paid with stored value went back into it.
#[must_use]
pub fn stored_value_returned(amount: Amount) -> Vec<PostingSet> {
    one(Account::StoredValue, Account::StoredValueDue, amount.money())
}

/// An offline code was spent a second time: the issuer owes it to whoever accepted it, the holder's stored value does not cover
/// it, and the issuer bears it.
#[must_use]
pub fn double_spent(amount: Amount) -> Vec<PostingSet> {
    one(Account::StoredValueDue, Account::RiskLoss, amount.money())
}

/// What the issuer bore of an offline code came back: the acceptor gave the sale back, and its loss is that much less.
#[must_use]
pub fn double_spent_returned(amount: Amount) -> Vec<PostingSet> {
    one(Account::RiskLoss, Account::StoredValueDue, amount.money())
}

/// The holder's account paid for what the issuer bore.
#[must_use]
pub fn loss_recovered(amount: Amount) -> Vec<PostingSet> {
    one(Account::RiskLoss, Account::StoredValue, amount.money())
}

/// A customer disputes a payment, and the channel holds the money back until that is decided.
#[must_use]
pub fn dispute_opened(amount: Amount) -> Vec<PostingSet> {
    one(Account::ChannelClearing, Account::DisputesHeld, amount.money())
}

/// The dispute was decided for the merchant, who has the money back; a channel may charge `fee` for it all the same.
#[must_use]
pub fn dispute_won(amount: Amount, fee: Money) -> Vec<PostingSet> {
    both(
        one(Account::DisputesHeld, Account::ChannelClearing, amount.money()),
        one(Account::ChannelClearing, Account::Fees, fee),
    )
}

/// The dispute was decided for the customer (a chargeback), who has the money; the channel charges `fee` for it.
#[must_use]
pub fn dispute_lost(amount: Amount, fee: Money) -> Vec<PostingSet> {
    both(
        one(Account::DisputesHeld, Account::RiskLoss, amount.money()),
        one(Account::ChannelClearing, Account::Fees, fee),
    )
}

/// The channel paid out.
#[must_use]
pub fn payout_received(amount: Amount) -> Vec<PostingSet> {
    one(Account::ChannelClearing, Account::Bank, amount.money())
}

/// A payout that was booked by mistake.
#[must_use]
pub fn payout_reversed(amount: Amount) -> Vec<PostingSet> {
    one(Account::Bank, Account::ChannelClearing, amount.money())
}

//! Which postings follow from what happened. The one place that says so.

use saoma_protocol::{Amount, Money};

use super::{Account, PostingSet};
use crate::payment::Method;

/// Where a payment's money is until it is paid out.
const fn holding(method: Method) -> Account {
    match method {
        Method::MerchantPresented | Method::CustomerPresented => Account::ChannelClearing,
        Method::Cash => Account::CashInDrawer,
    }
}

/// Money was captured: the channel (or the drawer) holds it, the merchant is owed it, and the channel's fee is an expense
/// that lowers what the channel owes. A fee of zero has no postings.
#[must_use]
pub fn captured(method: Method, amount: Amount, fee: Money) -> Vec<PostingSet> {
    let gross = PostingSet::transfer(Account::MerchantPayable, holding(method), amount.money());
    let fee = PostingSet::transfer(holding(method), Account::Fees, fee);
    gross.into_iter().chain(fee).collect()
}

/// A refund or void is under way: its amount is no longer due to the merchant, and not yet gone.
#[must_use]
pub fn refund_reserved(amount: Amount) -> Vec<PostingSet> {
    PostingSet::transfer(Account::RefundsInTransit, Account::MerchantPayable, amount.money()).into_iter().collect()
}

/// The channel (or the drawer) paid it. Fees stay with the channel.
#[must_use]
pub fn refund_succeeded(method: Method, amount: Amount) -> Vec<PostingSet> {
    PostingSet::transfer(holding(method), Account::RefundsInTransit, amount.money()).into_iter().collect()
}

/// The channel will not pay it: due to the merchant again.
#[must_use]
pub fn refund_failed(amount: Amount) -> Vec<PostingSet> {
    PostingSet::transfer(Account::MerchantPayable, Account::RefundsInTransit, amount.money()).into_iter().collect()
}

/// The channel undid a capture by itself: both halves of a refund at once.
#[must_use]
pub fn undone(method: Method, amount: Amount) -> Vec<PostingSet> {
    PostingSet::transfer(holding(method), Account::MerchantPayable, amount.money()).into_iter().collect()
}

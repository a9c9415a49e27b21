//! A sale of another till of the shop, as core tells of it: looked at here, and given back through core. Pure.
//!
//! Only core knows how it stands, so that nothing of it is done without a network. Cash is left out: the drawer that it lies in is the other
//! till's, and that till may be giving it back at this moment without core's knowing.

use saoma_protocol::{
    Sequence,
    api::{PaymentView, RefundState},
    journal::{CoreTime, Method},
};

use super::{Kept, ReceiptState, Reference, Sale, Slip, Stage, Waits};

/// Why nothing of it goes back at this till.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGivenBackHere {
    #[error("it was paid in cash")]
    Cash,
    #[error("this till does not know how it was paid")]
    Unknown,
}

impl Sale {
    /// The sale that core tells of.
    ///
    /// # Errors
    /// In the order of [`NotGivenBackHere`].
    pub fn elsewhere(view: PaymentView) -> Result<Self, NotGivenBackHere> {
        let method = match view.method.as_str() {
            "cash" => return Err(NotGivenBackHere::Cash),
            "merchant_presented" => Method::MerchantPresented,
            "customer_presented" => Method::CustomerPresented,
            "card" => Method::Card,
            _ => return Err(NotGivenBackHere::Unknown),
        };
        let kept = Kept {
            payment: view.id,
            // Of that till. What was sold over the API has none.
            counter: view.counter.unwrap_or(Sequence(0)),
            amount: view.amount,
            goods: view.goods.clone(),
            // Longer ones than a till writes do not fit its paper.
            reference: view.reference.as_deref().and_then(|text| Reference::parse(text).ok().flatten()),
            split: None,
            quote: None,
            cashier: view.cashier.clone().unwrap_or_default(),
            card: None,
            phone: None,
            given_up: false,
            paid_after_all_unseen: false,
            keyed_at: view.created_at,
            keyed_core: CoreTime::At(view.created_at),
            stage: Stage::Known { method, view: Box::new(view), cancelling: false },
            refunds: Vec::new(),
            receipt: ReceiptState::None,
            journaled: None,
            offline: false,
            stored: false,
            loss_unseen: false,
            elsewhere: true,
        };
        Ok(Self { kept, waits: Waits::default() })
    }

    /// The slip that may be printed again, if there is one: of another till's sale that of the last refund here.
    pub(super) fn slip_again(&self) -> Option<Slip> {
        if self.kept.elsewhere {
            let mut given = self.kept.refunds.iter().rev();
            let last = given.find(|refund| refund.keyed_here && refund.state == RefundState::Succeeded);
            return last.map(|refund| Slip::RefundCopy(refund.refund));
        }
        // One that was signed is wanted whatever the acquirer says.
        ((self.was_captured() || self.kept.stored) && self.kept.split.is_none()).then_some(Slip::Copy)
    }
}

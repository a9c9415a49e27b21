//! What the stage door does to the book, in the place of customers and their banks (`STAGE.md`).

use super::{Book, DeclineCode, Order, Presentation, RefundStatus, Status};
use crate::stage::{Fault, OrderSeen, Unplayable};

/// Who pays at the stage door: the rich one.
const CUSTOMER: &str = "alice";

impl Book {
    /// From here on amounts are plain: what goes wrong is armed at the stage door.
    #[must_use]
    pub fn on_stage(mut self) -> Self {
        self.is_on_stage = true;
        self
    }

    /// What the next call runs into, until it is set again.
    pub fn set_staged(&mut self, fault: Option<Fault>) {
        self.staged = fault;
    }

    /// Why the bank says no to this charge.
    pub(super) fn staged_decline(&self) -> Option<DeclineCode> {
        match self.staged? {
            Fault::InsufficientFunds => Some(DeclineCode::InsufficientFunds),
            Fault::LimitExceeded => Some(DeclineCode::LimitExceeded),
            Fault::Declined => Some(DeclineCode::Declined),
            _ => None,
        }
    }

    /// # Errors
    /// Nothing of that number waits for the customer, and no refund of it is worked on.
    pub fn stage_pays(&mut self, number: &str, now: i64) -> Result<(), Unplayable> {
        if let Some(idx) = self.position(number, now) {
            let order = &mut self.orders[idx];
            match (order.status, &order.presentation) {
                (Status::Waiting, Presentation::MerchantShows { token }) => {
                    let token = token.clone();
                    return self.pay(&token, CUSTOMER, None, now).map(drop).map_err(|no| Unplayable(no.to_string()));
                }
                (Status::Paying, _) => {
                    order.settles_at = Some(now);
                    self.look_at(idx, now);
                    return Ok(());
                }
                (status, _) => return Err(Unplayable(format!("the order is {status:?} and waits for nobody"))),
            }
        }
        let waits = |order: &Order| {
            let of = |refund: &super::Refund| refund.number == number && refund.status == RefundStatus::Processing;
            order.refunds.iter().position(of)
        };
        let found = self.orders.iter().enumerate().find_map(|(idx, order)| Some((idx, waits(order)?)));
        let (idx, refund_idx) = found.ok_or_else(|| Unplayable(format!("nothing of number {number} waits")))?;
        self.orders[idx].refunds[refund_idx].done_at = now;
        self.look_at(idx, now);
        Ok(())
    }

    /// # Errors
    /// Nothing of that number waits for the customer.
    pub fn stage_declines(&mut self, number: &str, now: i64) -> Result<(), Unplayable> {
        let waiting = |order: &Order| matches!(order.status, Status::Waiting | Status::Paying);
        let idx = self.position(number, now).filter(|idx| waiting(&self.orders[*idx]));
        let idx = idx.ok_or_else(|| Unplayable(format!("no order {number} waits for the customer")))?;
        let payer = self.orders[idx].payer.unwrap_or(CUSTOMER);
        self.decline(idx, payer, DeclineCode::Declined, now);
        Ok(())
    }

    /// The order of that number; the stage has one merchant.
    pub fn staged_order(&mut self, number: &str, now: i64) -> Option<&Order> {
        self.position(number, now).map(|idx| &self.orders[idx])
    }

    /// How often customers' money was taken.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.orders.iter().map(|order| order.charged_count).sum()
    }

    fn position(&mut self, number: &str, now: i64) -> Option<usize> {
        let idx = self.orders.iter().position(|order| order.number == number)?;
        self.look_at(idx, now);
        Some(idx)
    }
}

impl Order {
    /// As the stage door shows it.
    #[must_use]
    pub fn seen(&self) -> OrderSeen {
        OrderSeen {
            code: self.token().cloned(),
            subject: Some(self.subject.clone()),
            number: self.number.clone(),
            amount_minor: self.amount_minor,
            currency: self.currency.code().to_owned(),
            state: format!("{:?}", self.shown_status()),
            times_taken: self.charged_count,
            given_back_minor: self.refunded_minor() + self.amount_minor * i64::from(self.reversed_count),
        }
    }
}

//! A receipt of another till of the shop: core is asked about its sale, and what it says is shown. What is then given back goes the way of
//! any refund through core.

use std::collections::{BTreeSet, VecDeque};

use saoma_protocol::{PaymentId, api::PaymentView};
use tracing::field::Empty;

use super::{
    happen::Beside,
    owner::{Done, Owner},
};
use crate::{
    link::https::Call,
    sale::{Event, NotGivenBackHere, Outcome, Refusal, Sale},
    telemetry,
    till::{
        command::{Press, Reply},
        problem::Refused,
        view::ScanView,
    },
};

/// Sales that are remembered of which nothing has gone back here: of the last few customers.
const LOOKED_AT_MAX: usize = 8;

/// What was looked at. Once something goes back, the journal has it.
#[derive(Default)]
pub(super) struct LookedAt {
    /// Newest last.
    sales: VecDeque<Sale>,
    /// What core is asked for because the hardware scanner has read it, and has not answered yet.
    asked: BTreeSet<PaymentId>,
}

impl LookedAt {
    pub(super) fn find(&self, payment: PaymentId) -> Option<&Sale> {
        self.sales.iter().find(|sale| sale.kept.payment == payment)
    }

    fn take(&mut self, sale: Sale) {
        self.sales.retain(|held| held.kept.payment != sale.kept.payment);
        if self.sales.len() == LOOKED_AT_MAX {
            self.sales.pop_front();
        }
        self.sales.push_back(sale);
    }

    /// Whether core is to be asked: whoever scans it once more, since nothing has come yet, gets the answer that is on its way.
    fn may_ask(&mut self, payment: PaymentId) -> bool {
        self.asked.len() < LOOKED_AT_MAX && self.asked.insert(payment)
    }
}

/// What core said, and to whom: the page that asked, or all of them after a hardware scan.
pub(super) struct Told {
    payment: PaymentId,
    outcome: Outcome,
    reply: Option<Reply<ScanView>>,
}

impl Owner {
    /// Asks core about a sale that this till has not made. Never without a network, and not in training.
    pub(super) fn ask_elsewhere(&mut self, payment: PaymentId, reply: Option<Reply<ScanView>>) {
        if !self.line.is_online() {
            return self.answer_elsewhere(reply, Err(Refused::ReceiptElsewhere));
        }
        if reply.is_none() && !self.elsewhere.may_ask(payment) {
            return;
        }
        let core = self.core.clone();
        let span = tracing::info_span!("core.request", otel.kind = "client", payment.id = %payment, ask = "fetch", trace_id = Empty);
        telemetry::continue_trace(&span, None);
        let asking = async move {
            let outcome = core.call(&Call::Fetch { payment }).await;
            Done::Elsewhere(Box::new(Told { payment, outcome, reply }))
        };
        self.calls.spawn(tracing::Instrument::instrument(asking, span));
    }

    pub(super) async fn elsewhere_told(&mut self, told: Told) {
        let Told { payment, outcome, reply } = told;
        if reply.is_none() {
            self.elsewhere.asked.remove(&payment);
        }
        self.line_told(&outcome).await;
        let scanned = match outcome {
            Outcome::View(view) if view.id == payment => self.found_elsewhere(*view).await,
            Outcome::NotFound => Err(Refused::ReceiptUnknown),
            Outcome::View(_)
            | Outcome::Refund(_)
            | Outcome::Refunds(_)
            | Outcome::Refused(_)
            | Outcome::Locked(_)
            | Outcome::NotSent
            | Outcome::Silent => Err(Refused::ReceiptElsewhere),
        };
        self.answer_elsewhere(reply, scanned);
    }

    async fn found_elsewhere(&mut self, view: PaymentView) -> Result<ScanView, Refused> {
        // Training may have begun since.
        self.check_not_training()?;
        let payment = view.id;
        let sale = Sale::elsewhere(view.clone()).map_err(|why| match why {
            NotGivenBackHere::Cash => Refused::CashElsewhere,
            NotGivenBackHere::Unknown => Refused::ReceiptElsewhere,
        })?;
        if self.sale(payment).await?.is_some_and(|held| !held.sale.kept.refunds.is_empty()) {
            let event = Event::Pushed { view: Box::new(view), refund: None };
            self.happen(payment, event, Beside::default()).await?;
        } else {
            self.elsewhere.take(sale);
        }
        Ok(ScanView::Found { sale: Box::new(self.view(payment).await?) })
    }

    fn answer_elsewhere(&self, reply: Option<Reply<ScanView>>, scanned: Result<ScanView, Refused>) {
        match reply {
            // The page went away: nothing was begun.
            Some(reply) => drop(reply.send(scanned)),
            None => self.tell_scan(scanned),
        }
    }

    /// Of another till's sale nothing is done here but to give it back, with a network alone, and to print that again.
    ///
    /// # Errors
    /// `NotNow`, `CoreUnreachable`, the journal's.
    pub(super) async fn check_elsewhere(&self, payment: PaymentId, press: Press) -> Result<(), Refused> {
        let Some(held) = self.sale(payment).await?.filter(|held| held.sale.kept.elsewhere) else { return Ok(()) };
        match press {
            Press::Reprint => Ok(()),
            Press::Refund { .. } if self.line.is_online() => Ok(()),
            Press::Refund { .. } => {
                let why = "what another till has sold is given back with a network alone";
                Err(Refused::CoreUnreachable(why.to_owned()))
            }
            Press::Query | Press::Cancel | Press::Void | Press::Acknowledge | Press::Confirm { .. } => {
                let (state, what) = (held.sale.state_text(), "changed but by a refund, since another till made it");
                Err(Refusal::NotNow { state, what }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_that_is_scanned_again_before_core_has_answered_is_asked_for_once() {
        let payment = |number| PaymentId::from_bytes([number; 16]);
        let mut looked_at = LookedAt::default();
        assert_eq!([1, 1, 2, 1].map(|number| looked_at.may_ask(payment(number))), [true, false, true, false]);
        looked_at.asked.remove(&payment(1));
        assert!(looked_at.may_ask(payment(1)));
        let asked = (3..100).filter(|number| looked_at.may_ask(payment(*number))).count();
        assert_eq!(asked + 2, LOOKED_AT_MAX);
    }
}

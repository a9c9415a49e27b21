//! The core that a played sale is answered by: made up here, by the sale's plot. Pure.
//!
//! It answers after a moment, as core does, and tells by itself what the customer did. It knows one sale and nothing of money.

use saoma_protocol::{
    Millis, OrderId, RefundId, StoreId,
    api::{Failure, PaymentState, PaymentView, RefundKind, RefundState, RefundView},
    journal::Method,
};

use crate::{
    sale::{Ask, Event, Outcome, Sale},
    training::Plot,
};

/// How long an answer takes: long enough to be seen coming.
const ANSWER_MS: i64 = 500;
/// How long the customer takes to pay a code.
const CUSTOMER_MS: i64 = 3_000;
/// How long a result stays unknown if nobody asks.
const UNKNOWN_MS: i64 = 30_000;

/// What is going to happen.
#[derive(Clone, Copy, Debug)]
enum Beat {
    Answer(Ask),
    /// The channel or the customer did something.
    Turn(PaymentState),
}

pub(super) struct Scene {
    plot: Plot,
    is_code: bool,
    /// How long a code on show can be paid.
    code_ms: i64,
    view: PaymentView,
    refunds: Vec<RefundView>,
    beats: Vec<(Millis, Beat)>,
}

impl Scene {
    pub(super) fn of(sale: &Sale, code_ms: i64) -> Self {
        let kept = &sale.kept;
        let is_code = sale.method() == Some(Method::MerchantPresented);
        let view = PaymentView {
            id: kept.payment,
            order: OrderId::from_bytes([0; 16]),
            version: 0,
            state: PaymentState::Created,
            amount: kept.amount,
            refunded_minor: 0,
            disputed_minor: 0,
            method: match sale.method() {
                Some(Method::Card) => "card",
                Some(Method::CustomerPresented) => "customer_presented",
                Some(Method::MerchantPresented) | None => "merchant_presented",
            }
            .to_owned(),
            channel: "training".to_owned(),
            channel_account: None,
            channel_reference: None,
            store: StoreId::from_bytes([0; 16]),
            terminal: None,
            counter: Some(kept.counter),
            cashier: Some(kept.cashier.clone()),
            reference: None,
            goods: kept.goods.clone(),
            // There is nothing to scan: somebody might try to pay it.
            code_url: None,
            static_code: None,
            expires_at: None,
            paid_late: false,
            paid_by_hand: false,
            needs_attention: None,
            failure: None,
            created_at: kept.keyed_at,
            updated_at: kept.keyed_at,
            paid_at: None,
            stored_at: None,
        };
        Self { plot: Plot::of(kept.amount), is_code, code_ms, view, refunds: Vec::new(), beats: Vec::new() }
    }

    pub(super) fn ask(&mut self, ask: Ask, now: Millis) {
        self.beats.push((now.plus(ANSWER_MS), Beat::Answer(ask)));
    }

    /// What happens to the sale next, if it is time for it.
    pub(super) fn next(&mut self, sale: &Sale, now: Millis) -> Option<Event> {
        // A wait that is longer than any there is comes from a clock that was set back.
        let longest = self.code_ms.max(UNKNOWN_MS);
        let is_due = |at: Millis| !(1..=longest).contains(&at.since(now));
        loop {
            let due = self.beats.iter().enumerate().filter(|(_, (at, _))| is_due(*at));
            let (place, _) = due.min_by_key(|(_, (at, _))| *at)?;
            match self.beats.remove(place).1 {
                Beat::Answer(ask) => return Some(Event::Answered { ask, outcome: self.answer(ask, sale, now) }),
                // It has ended otherwise meanwhile.
                Beat::Turn(_) if self.view.state.is_settled() => {}
                Beat::Turn(state) => {
                    self.set(state, now);
                    return Some(Event::Pushed { view: Box::new(self.view.clone()), refund: None });
                }
            }
        }
    }

    fn answer(&mut self, ask: Ask, sale: &Sale, now: Millis) -> Outcome {
        match ask {
            Ask::Create => {
                if self.plot == Plot::Offline {
                    return Outcome::NotSent;
                }
                self.begin(now);
            }
            // As in earnest: what may be paid does not become unpaid by being cancelled.
            Ask::Query | Ask::Cancel if self.view.state == PaymentState::Unknown => self.set(self.end(), now),
            Ask::Cancel if !self.view.state.is_settled() => self.set(PaymentState::Cancelled, now),
            Ask::Refund(refund) => return self.give_back(refund, sale, now),
            Ask::ListRefunds => return Outcome::Refunds(self.refunds.clone()),
            Ask::Query | Ask::Cancel | Ask::Fetch => {}
        }
        Outcome::View(Box::new(self.view.clone()))
    }

    fn begin(&mut self, now: Millis) {
        let turn = match self.plot {
            Plot::Paid | Plot::Offline => PaymentState::Succeeded,
            Plot::Declined => PaymentState::Failed,
            Plot::UnknownThenPaid | Plot::UnknownThenReversed => PaymentState::Unknown,
            Plot::NeverPaid => PaymentState::Pending,
        };
        if !self.is_code {
            return self.set(turn, now);
        }
        self.view.expires_at = Some(now.plus(self.code_ms));
        self.set(PaymentState::Presenting, now);
        let (after_ms, turn) = match self.plot {
            Plot::NeverPaid => (self.code_ms, PaymentState::Expired),
            _ => (CUSTOMER_MS.min(self.code_ms), turn),
        };
        self.beats.push((now.plus(after_ms), Beat::Turn(turn)));
    }

    /// How a result that was unknown ends.
    fn end(&self) -> PaymentState {
        if self.plot == Plot::UnknownThenPaid { PaymentState::Succeeded } else { PaymentState::Reversed }
    }

    fn set(&mut self, state: PaymentState, now: Millis) {
        let view = &mut self.view;
        view.state = state;
        view.version += 1;
        view.updated_at = now;
        if state != PaymentState::Presenting {
            view.expires_at = None;
        }
        match state {
            PaymentState::Succeeded => view.paid_at = Some(now),
            PaymentState::Failed => view.failure = Some(no_money()),
            PaymentState::Unknown => {
                let end = self.end();
                self.beats.push((now.plus(UNKNOWN_MS), Beat::Turn(end)));
            }
            _ => {}
        }
    }

    fn give_back(&mut self, refund: RefundId, sale: &Sale, now: Millis) -> Outcome {
        let Some(held) = sale.refund(refund) else { return Outcome::NotFound };
        let goes_well = Plot::gives_back(held.amount);
        let view = RefundView {
            id: refund,
            payment: sale.kept.payment,
            version: 1,
            kind: if held.void { RefundKind::Void } else { RefundKind::Refund },
            state: if goes_well { RefundState::Succeeded } else { RefundState::Failed },
            amount: held.amount,
            reason: None,
            channel_reference: None,
            failure: (!goes_well).then(no_money),
            needs_attention: None,
            created_at: now,
            updated_at: now,
        };
        if goes_well {
            self.view.refunded_minor += held.amount.minor();
            let is_all = self.view.refunded_minor >= self.view.amount.minor();
            self.set(
                match (is_all, held.void) {
                    (true, true) => PaymentState::Voided,
                    (true, false) => PaymentState::Refunded,
                    (false, _) => PaymentState::PartlyRefunded,
                },
                now,
            );
        }
        self.refunds.push(view.clone());
        Outcome::Refund(Box::new(view))
    }
}

fn no_money() -> Failure {
    Failure { code: "insufficient_funds".to_owned(), message: "training: not enough money".to_owned() }
}

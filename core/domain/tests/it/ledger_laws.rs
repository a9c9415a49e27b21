//! Whatever happens to payments, the books say the same as a plain count of the money does.

use std::collections::BTreeMap;

use proptest::prelude::*;
use saoma_domain::{
    dispute::{Dispute, Event as DisputeEvent, Outcome, State as DisputeState, decide as decide_dispute},
    fee::{BasisPoints, FeeOnRefund},
    ledger::{Account, Booked, Disagreement, Kind, PostingSet, disagreements, rules},
    payment::{Capture, Event, Method, Payment, State, decide},
    refund::{Refund, State as RefundState},
};
use saoma_protocol::{DisputeId, Money, RefundId, api::RefundKind};

use crate::people::{DISPUTE, NOW, REFUND, captured, cny, disputed, failure, payment};

/// What may happen to a paid payment, by turns.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Reserve(i64),
    /// Of the oldest, newest, … refund under way.
    Succeed(usize),
    Fail(usize),
    Void,
    Dispute(i64),
    /// Of the oldest, newest, … dispute that is open: whether it is won, and the channel's fee for it.
    Close(usize, bool, i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (1_i64..700).prop_map(Deed::Reserve),
        3 => any::<usize>().prop_map(Deed::Succeed),
        2 => any::<usize>().prop_map(Deed::Fail),
        1 => Just(Deed::Void),
        2 => (1_i64..1_200).prop_map(Deed::Dispute),
        2 => (any::<usize>(), any::<bool>(), 0_i64..40).prop_map(|(pick, won, fee)| Deed::Close(pick, won, fee)),
    ]
}

/// A payment with its refunds, and everything that was booked for it.
struct Story {
    payment: Payment,
    refunds: Vec<Refund>,
    disputes: Vec<Dispute>,
    booked: Vec<Booked>,
    fee: Money,
    on_refund: FeeOnRefund,
}

impl Story {
    fn begin(method: Method, fee: Money, on_refund: FeeOnRefund) -> Self {
        let payment = Payment { method, ..payment(captured(0, 0)) };
        let (refunds, disputes) = (Vec::new(), Vec::new());
        let mut story = Self { payment, refunds, disputes, booked: Vec::new(), fee, on_refund };
        let sets = rules::captured(method, story.payment.amount, fee);
        story.book(Kind::Captured, None, sets);
        story
    }

    fn book(&mut self, kind: Kind, refund: Option<RefundId>, sets: Vec<PostingSet>) {
        self.booked.extend(sets.into_iter().map(|set| Booked { kind, refund, set }));
    }

    fn moved(&mut self, event: &Event) -> bool {
        match decide(&self.payment, event, NOW) {
            Ok(decision) => {
                self.payment.state = decision.next.unwrap_or(self.payment.state.clone());
                true
            }
            Err(_) => false,
        }
    }

    fn given_back(&self) -> i64 {
        match &self.payment.state {
            State::Captured(Capture { refunded_minor, .. }) => *refunded_minor,
            _ => self.payment.amount.minor(),
        }
    }

    fn reserve(&mut self, kind: RefundKind, minor: i64) {
        let amount = cny(minor);
        let id = RefundId::from_bytes([u8::try_from(self.refunds.len()).unwrap() + 1; 16]);
        if self.moved(&Event::ReserveRefund { refund: id, amount }) {
            self.refunds.push(Refund { id, kind, amount, state: RefundState::Pending });
            self.book(Kind::RefundReserved, Some(id), rules::refund_reserved(amount));
        }
    }

    fn end(&mut self, pick: usize, paid: bool) {
        let pending: Vec<usize> =
            (0..self.refunds.len()).filter(|idx| self.refunds[*idx].state == RefundState::Pending).collect();
        let Some(idx) = pending.get(pick % pending.len().max(1)).copied() else { return };
        let Refund { id, amount, kind, .. } = self.refunds[idx].clone();
        let before = self.given_back();
        let event = match (paid, kind) {
            (true, RefundKind::Void) => Event::VoidSucceeded { refund: id },
            (true, _) => Event::RefundSucceeded { refund: id, amount },
            (false, _) => Event::RefundFailed { refund: id, amount },
        };
        if !self.moved(&event) {
            return;
        }
        if paid {
            let back = |minor| self.on_refund.returned(self.fee, self.payment.amount, minor);
            let returned = back(self.given_back()).checked_sub(back(before)).unwrap();
            self.refunds[idx].state = RefundState::Succeeded;
            self.book(Kind::RefundSucceeded, Some(id), rules::refund_succeeded(self.payment.method, amount, returned));
        } else {
            self.refunds[idx].state = RefundState::Failed { failure: failure("other") };
            self.book(Kind::RefundFailed, Some(id), rules::refund_failed(amount));
        }
    }

    fn dispute(&mut self, minor: i64) {
        let amount = cny(minor);
        let id = DisputeId::from_bytes([u8::try_from(self.disputes.len()).unwrap() + 1; 16]);
        if self.moved(&Event::DisputeOpened { amount }) {
            self.disputes.push(Dispute { id, amount, state: DisputeState::NeedsResponse { respond_by: None } });
            self.book(Kind::DisputeOpened, None, rules::dispute_opened(amount));
        }
    }

    fn close(&mut self, pick: usize, won: bool, fee_minor: i64) {
        let open: Vec<usize> = (0..self.disputes.len()).filter(|idx| !self.disputes[*idx].state.is_final()).collect();
        let Some(idx) = open.get(pick % open.len().max(1)).copied() else { return };
        let amount = self.disputes[idx].amount;
        let fee = (fee_minor > 0).then(|| cny(fee_minor));
        let outcome = if won { Outcome::Won } else { Outcome::Lost };
        let next = decide_dispute(&self.disputes[idx], &DisputeEvent::Closed { outcome, fee }).unwrap().unwrap();
        self.disputes[idx].state = next;
        let charged = Money::new(fee_minor, amount.currency());
        if won {
            assert!(self.moved(&Event::DisputeWon { amount }));
            self.book(Kind::DisputeWon, None, rules::dispute_won(amount, charged));
        } else {
            self.book(Kind::DisputeLost, None, rules::dispute_lost(amount, charged));
        }
    }

    fn balances(&self) -> BTreeMap<Account, i64> {
        let mut balances = BTreeMap::new();
        for posting in self.booked.iter().flat_map(|booked| booked.set.postings()) {
            *balances.entry(posting.account).or_default() += posting.money.minor();
        }
        balances.retain(|_, minor| *minor != 0);
        balances
    }

    /// The same by counting refunds and not looking at postings.
    fn counted(&self) -> BTreeMap<Account, i64> {
        let of = |state: RefundState| -> i64 {
            let in_state = self.refunds.iter().filter(|refund| refund.state == state);
            in_state.map(|refund| refund.amount.minor()).sum()
        };
        let (total, back, transit) =
            (self.payment.amount.minor(), of(RefundState::Succeeded), of(RefundState::Pending));
        let fee_left = match self.on_refund {
            FeeOnRefund::Keep => self.fee.minor(),
            FeeOnRefund::Whole => {
                if back == total {
                    0
                } else {
                    self.fee.minor()
                }
            }
            // Half of a minor unit that comes back counts as one, so half of one that is left counts as none.
            FeeOnRefund::Proportional => {
                let doubled = 2 * self.fee.minor() * (total - back);
                doubled / (2 * total) + i64::from(doubled % (2 * total) > total)
            }
        };
        let place = if self.payment.method == Method::Cash { Account::CashInDrawer } else { Account::ChannelClearing };
        let disputed = |which: fn(&DisputeState) -> bool| -> i64 {
            let these = self.disputes.iter().filter(|dispute| which(&dispute.state));
            these.map(|dispute| dispute.amount.minor()).sum()
        };
        let held = disputed(|state| !state.is_final());
        let lost = disputed(|state| matches!(state, DisputeState::Lost { .. }));
        let charged: i64 = self.disputes.iter().filter_map(|dispute| dispute.state.fee()).map(|fee| fee.minor()).sum();
        let mut counted = BTreeMap::from([
            (place, total - back - fee_left - held - lost - charged),
            (Account::DisputesHeld, held),
            (Account::RiskLoss, lost),
            (Account::Fees, fee_left + charged),
            (Account::RefundsInTransit, -transit),
            (Account::MerchantPayable, -(total - back - transit)),
        ]);
        counted.retain(|_, minor| *minor != 0);
        counted
    }
}

fn stories() -> impl Strategy<Value = Story> {
    let methods = prop_oneof![Just(Method::Cash), Just(Method::MerchantPresented), Just(Method::CustomerPresented)];
    let on_refund = prop_oneof![Just(FeeOnRefund::Keep), Just(FeeOnRefund::Whole), Just(FeeOnRefund::Proportional)];
    (methods, 0_u16..=10_000, on_refund, prop::collection::vec(deed(), 0..30)).prop_map(
        |(method, basis_points, on_refund, deeds)| {
            let rate = BasisPoints::new(if method == Method::Cash { 0 } else { basis_points }).unwrap();
            let mut story = Story::begin(method, rate.of(cny(1_000)), on_refund);
            for deed in deeds {
                match deed {
                    Deed::Reserve(minor) => story.reserve(RefundKind::Refund, minor),
                    Deed::Succeed(pick) => story.end(pick, true),
                    Deed::Fail(pick) => story.end(pick, false),
                    Deed::Dispute(minor) => story.dispute(minor),
                    Deed::Close(pick, won, fee) => story.close(pick, won, fee),
                    Deed::Void
                        if story.refunds.iter().all(|refund| matches!(refund.state, RefundState::Failed { .. })) =>
                    {
                        story.reserve(RefundKind::Void, 1_000);
                    }
                    Deed::Void => {}
                }
            }
            story
        },
    )
}

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {:?} and {:?}", self.payment, self.refunds, self.disputes)
    }
}

proptest! {
    #[test]
    fn the_books_say_what_counting_says(story in stories()) {
        prop_assert_eq!(story.balances(), story.counted());
        prop_assert_eq!(story.balances().values().sum::<i64>(), 0);
        prop_assert!(story.given_back() <= story.payment.amount.minor(), "refunds never exceed the capture");
        let found = disagreements(&story.payment, &story.refunds, &story.disputes, &story.booked);
        prop_assert_eq!(found, vec![]);
    }

    #[test]
    fn a_set_that_is_missing_or_stands_twice_is_found(story in stories(), which in any::<prop::sample::Index>()) {
        let idx = which.index(story.booked.len());
        // A fee that was never booked, or booked twice, is no matter of the payment's state; the channel's bill tells.
        let is_fee = |booked: &Booked| booked.set.postings().iter().any(|posting| posting.account == Account::Fees);
        prop_assume!(story.booked[idx].kind.is_of_dispute() || !is_fee(&story.booked[idx]));
        let mut missing = story.booked.clone();
        missing.remove(idx);
        prop_assert!(!disagreements(&story.payment, &story.refunds, &story.disputes, &missing).is_empty());
        let mut twice = story.booked.clone();
        twice.push(story.booked[idx].clone());
        prop_assert!(!disagreements(&story.payment, &story.refunds, &story.disputes, &twice).is_empty());
    }
}

fn booked(kind: Kind, refund: Option<RefundId>, sets: Vec<PostingSet>) -> Vec<Booked> {
    sets.into_iter().map(|set| Booked { kind, refund, set }).collect()
}

#[test]
fn each_disagreement_is_named() {
    let method = Method::CustomerPresented;
    let fee = |minor| cny(minor).money();
    let sale = |fee| booked(Kind::Captured, None, rules::captured(method, cny(1_000), fee));
    let refund = |state| Refund { id: REFUND, kind: RefundKind::Refund, amount: cny(600), state };
    let reserved = booked(Kind::RefundReserved, Some(REFUND), rules::refund_reserved(cny(600)));
    let codes = |state, refunds: &[Refund], booked: &[Booked]| -> Vec<&str> {
        disagreements(&payment(state), refunds, &[], booked).iter().map(Disagreement::code).collect()
    };
    let returned = booked(Kind::RefundSucceeded, Some(REFUND), rules::refund_succeeded(method, cny(600), fee(7)));
    let all = [sale(fee(6)), reserved.clone(), returned].concat();
    for (what, found, expected) in [
        ("a sale that holds", codes(captured(0, 0), &[], &sale(fee(6))), vec![]),
        ("paid, and nothing booked", codes(captured(0, 0), &[], &[]), vec!["account", "account"]),
        ("booked, and not paid", codes(State::Reversed, &[], &sale(fee(6))), vec!["account", "account"]),
        (
            "more of the fee back than was taken",
            codes(captured(600, 0), &[refund(RefundState::Succeeded)], &all),
            vec!["fees"],
        ),
        (
            "more of the fee back than the plan took, and not more than the bill said was taken",
            codes(
                captured(600, 0),
                &[refund(RefundState::Succeeded)],
                &[all.clone(), booked(Kind::FeeCorrected, None, rules::fee_corrected(fee(1)).unwrap())].concat(),
            ),
            vec![],
        ),
        (
            "a fee that a bill made smaller after some of it came back",
            codes(
                captured(600, 0),
                &[refund(RefundState::Succeeded)],
                &[
                    sale(fee(7)),
                    all[1..].to_vec(),
                    booked(Kind::FeeCorrected, None, rules::fee_corrected(Money::new(-2, fee(1).currency())).unwrap()),
                ]
                .concat(),
            ),
            vec![],
        ),
        (
            "a refund that no row knows",
            codes(captured(0, 600), &[], &[sale(fee(6)), reserved.clone()].concat()),
            vec!["reserved"],
        ),
        (
            "a refund that failed and stayed in transit",
            codes(
                captured(0, 0),
                &[refund(RefundState::Failed { failure: failure("other") })],
                &[sale(fee(6)), reserved].concat(),
            ),
            vec!["account", "account", "in_transit"],
        ),
        ("refunded, and no refund succeeded", codes(captured(600, 0), &[], &all), vec!["fees", "refunded"]),
        (
            "undone by the channel",
            codes(
                State::Voided { captured_at: NOW },
                &[],
                &[sale(fee(6)), booked(Kind::Undone, None, rules::undone(method, cny(1_000), fee(6)))].concat(),
            ),
            vec![],
        ),
    ] {
        assert_eq!(found, expected, "{what}");
    }
    let open = Dispute { id: DISPUTE, amount: cny(600), state: DisputeState::UnderReview };
    let held = [sale(fee(6)), booked(Kind::DisputeOpened, None, rules::dispute_opened(cny(600)))].concat();
    let codes = |state, disputes: &[Dispute], booked: &[Booked]| -> Vec<&str> {
        disagreements(&payment(state), &[], disputes, booked).iter().map(Disagreement::code).collect()
    };
    let one = std::slice::from_ref(&open);
    for (what, found, expected) in [
        ("a dispute beside it", codes(disputed(0, 0, 600), one, &held), vec![]),
        ("one that was never booked", codes(disputed(0, 0, 600), one, &sale(fee(6))), vec!["dispute", "dispute"]),
        ("one that no row knows", codes(captured(0, 0), &[], &held), vec!["dispute", "dispute"]),
        ("one that does not keep refunds away", codes(captured(0, 0), one, &held), vec!["disputed"]),
    ] {
        assert_eq!(found, expected, "{what}");
    }
    let dollars = saoma_protocol::Amount::new(1_000, saoma_protocol::Currency::USD).unwrap();
    let none = Money::new(0, dollars.currency());
    let other = booked(Kind::Captured, None, rules::captured(method, dollars, none));
    assert_eq!(codes(captured(0, 0), &[], &other), ["currency"]);
}

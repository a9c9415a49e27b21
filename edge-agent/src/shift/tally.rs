//! Counting a batch from its journal entries, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use saoma_protocol::{
    Amount, Currency, PaymentId, RefundId, Sequence,
    api::{PaymentState, RefundState},
    journal::{Method, Record},
    money::MoneyError,
};
use serde::{Deserialize, Serialize};

use crate::sale::{Kept, Sale};

/// How many, and how much in minor units of the batch's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub count: u64,
    pub minor: i64,
}

/// What one way to pay comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodTotals {
    /// Paid, whatever became of it later.
    pub sales: Line,
    /// Gone back in this batch, also for sales of earlier ones and for what was keyed in them.
    pub refunds: Line,
    pub voids: Line,
}

/// What a batch comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub cash: MethodTotals,
    pub merchant_presented: MethodTotals,
    pub customer_presented: MethodTotals,
    #[serde(default)]
    pub card: MethodTotals,
    /// By offline codes.
    #[serde(default)]
    pub offline: MethodTotals,
    /// By card without a network, unless the acquirer has declined.
    #[serde(default)]
    pub stored: MethodTotals,
    pub paid_in: Line,
    pub paid_out: Line,
    /// Refunds and voids keyed in this batch that nobody knows the end of: they are of the batch in which they go out.
    #[serde(default)]
    pub under_way: Line,
    /// Of this batch's sales, by others than this till.
    #[serde(default)]
    pub elsewhere: Line,
    /// Sold by card without a network in earlier batches, as their reports say, and declined in this one or since the last close.
    #[serde(default)]
    pub declined: Line,
}

impl Line {
    fn add(&mut self, amount: Amount) -> Result<(), MoneyError> {
        self.minor = self.minor.checked_add(amount.minor()).ok_or(MoneyError::Overflow)?;
        self.count += 1;
        Ok(())
    }
}

/// Takes a batch's records in their order, from the opening of the shift before it on.
pub struct Tally {
    batch: Sequence,
    currency: Currency,
    part: Part,
    totals: Totals,
    cash: Vec<PaymentId>,
    /// Sales through core, and how the journal says they stand.
    sales: BTreeMap<PaymentId, (Way, Amount, Option<PaymentState>)>,
    refunds: BTreeMap<RefundId, RefundKeyed>,
    /// Keyed since the last close with no shift open: of no batch, if they went out by then.
    keyed_between: BTreeSet<RefundId>,
    /// Keyed before this batch, and gone out in it or since the last close.
    paid_later: BTreeMap<RefundId, PaymentId>,
    /// Sales of before that came to nothing in this one or since the last close.
    lost_later: BTreeSet<PaymentId>,
}

/// Where the records are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    ShiftBefore,
    Between,
    Ours,
}

/// How a sale that was not cash was paid.
#[derive(Clone, Copy)]
enum Way {
    Core(Method),
    Offline,
    Stored,
}

struct RefundKeyed {
    payment: PaymentId,
    amount: Amount,
    void: bool,
    state: Option<RefundState>,
}

impl Tally {
    #[must_use]
    pub const fn new(batch: Sequence, currency: Currency) -> Self {
        const NONE: Line = Line { count: 0, minor: 0 };
        const NOTHING: MethodTotals = MethodTotals { sales: NONE, refunds: NONE, voids: NONE };
        let totals = Totals {
            cash: NOTHING,
            merchant_presented: NOTHING,
            customer_presented: NOTHING,
            card: NOTHING,
            offline: NOTHING,
            stored: NOTHING,
            paid_in: NONE,
            paid_out: NONE,
            under_way: NONE,
            elsewhere: NONE,
            declined: NONE,
        };
        Self {
            batch,
            currency,
            part: Part::ShiftBefore,
            totals,
            cash: Vec::new(),
            sales: BTreeMap::new(),
            refunds: BTreeMap::new(),
            keyed_between: BTreeSet::new(),
            paid_later: BTreeMap::new(),
            lost_later: BTreeSet::new(),
        }
    }

    /// The next record. What is of another currency is no part of this batch's sums.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn take(&mut self, record: Record) -> Result<(), MoneyError> {
        match (self.part, record) {
            (_, Record::ShiftOpened { batch, .. }) if batch == self.batch => self.part = Part::Ours,
            (Part::ShiftBefore, Record::ShiftClosed { .. }) => self.part = Part::Between,
            (Part::ShiftBefore, _) => {}
            (Part::Between, Record::RefundKeyed { refund, .. }) => {
                self.keyed_between.insert(refund);
            }
            (Part::Between, Record::RefundSettled { refund, payment, state: RefundState::Succeeded }) => {
                if !self.keyed_between.contains(&refund) {
                    self.paid_later.insert(refund, payment);
                }
            }
            (Part::Between, Record::SaleSettled { payment, state, .. }) => self.lost(payment, state),
            (Part::Between, _) => {}
            (Part::Ours, record) => return self.take_ours(record),
        }
        Ok(())
    }

    fn take_ours(&mut self, record: Record) -> Result<(), MoneyError> {
        let is_ours = |amount: Amount| amount.currency() == self.currency;
        match record {
            Record::CashSale { payment, amount, .. } if is_ours(amount) => {
                self.cash.push(payment);
                self.totals.cash.sales.add(amount)
            }
            Record::CashRefund { amount, void, .. } if is_ours(amount) => {
                let cash = &mut self.totals.cash;
                if void { &mut cash.voids } else { &mut cash.refunds }.add(amount)
            }
            Record::PaidIn { amount, .. } if is_ours(amount) => self.totals.paid_in.add(amount),
            Record::PaidOut { amount, .. } if is_ours(amount) => self.totals.paid_out.add(amount),
            Record::SaleKeyed { payment, amount, method, .. } if is_ours(amount) => {
                self.sales.insert(payment, (Way::Core(method), amount, None));
                Ok(())
            }
            Record::OfflineSale { payment, amount, .. } if is_ours(amount) => {
                self.sales.insert(payment, (Way::Offline, amount, Some(PaymentState::Succeeded)));
                Ok(())
            }
            Record::StoredCardSale { payment, amount, .. } if is_ours(amount) => {
                self.sales.insert(payment, (Way::Stored, amount, None));
                Ok(())
            }
            Record::SaleSettled { payment, state: now, .. } => {
                match self.sales.get_mut(&payment) {
                    Some((_, _, state)) => *state = Some(now),
                    None => self.lost(payment, now),
                }
                Ok(())
            }
            Record::RefundKeyed { refund, payment, amount, void, .. } if is_ours(amount) => {
                self.refunds.insert(refund, RefundKeyed { payment, amount, void, state: None });
                Ok(())
            }
            Record::RefundSettled { refund, payment, state: now } => {
                match self.refunds.get_mut(&refund) {
                    Some(RefundKeyed { state, .. }) => *state = Some(now),
                    None if now == RefundState::Succeeded => {
                        self.paid_later.insert(refund, payment);
                    }
                    None => {}
                }
                Ok(())
            }
            Record::CashSale { .. }
            | Record::OfflineSale { .. }
            | Record::StoredCardSale { .. }
            | Record::CashRefund { .. }
            | Record::PaidIn { .. }
            | Record::PaidOut { .. }
            | Record::SaleKeyed { .. }
            | Record::RefundKeyed { .. }
            | Record::ShiftOpened { .. }
            | Record::ShiftClosed { .. } => Ok(()),
        }
    }

    /// A sale that is none of this batch's has come to that; what is paid after all is not lost.
    fn lost(&mut self, payment: PaymentId, state: PaymentState) {
        if was_paid(state) {
            self.lost_later.remove(&payment);
        } else {
            self.lost_later.insert(payment);
        }
    }

    /// Whether it is a sale of before that came to nothing in this batch or since the last close: in a report, if it was of a batch.
    #[must_use]
    pub fn is_lost(&self, payment: &PaymentId) -> bool {
        self.lost_later.contains(payment)
    }

    /// It was keyed with no shift open, and so is in no report.
    pub fn of_no_batch(&mut self, payment: &PaymentId) {
        self.lost_later.remove(payment);
    }

    /// All sales that the totals are about, also those of earlier batches.
    #[must_use]
    pub fn sales(&self) -> BTreeSet<PaymentId> {
        let of_refunds = self.refunds.values().map(|refund| refund.payment).chain(self.paid_later.values().copied());
        let keyed = self.sales.keys().chain(&self.cash).chain(&self.lost_later).copied();
        keyed.chain(of_refunds).collect()
    }

    /// What all of it comes to. `known`: what this till has of [`Self::sales`].
    ///
    /// # Errors
    /// `Overflow`.
    pub fn totals(&self, known: &BTreeMap<PaymentId, Kept>) -> Result<Totals, MoneyError> {
        let mut totals = self.totals;
        for (method, amount, state) in self.sales.values() {
            // Sold is sold, until the acquirer says no.
            let is_sold = matches!(method, Way::Stored) && state.is_none();
            if is_sold || state.is_some_and(was_paid) {
                of_method(&mut totals, *method).sales.add(*amount)?;
            }
        }
        let method_of = |payment: &PaymentId| {
            let keyed = self.sales.get(payment).map(|(method, ..)| *method);
            keyed.or_else(|| known.get(payment).and_then(way_of))
        };
        for RefundKeyed { payment, amount, void, state } in self.refunds.values() {
            match (state, method_of(payment)) {
                (Some(RefundState::Succeeded), Some(method)) => {
                    went_back(&mut totals, method, *void).add(*amount)?;
                }
                (Some(RefundState::Failed), _) | (Some(RefundState::Succeeded), None) => {}
                (None | Some(RefundState::Submitting | RefundState::Pending | RefundState::Unknown), _) => {
                    totals.under_way.add(*amount)?;
                }
            }
        }
        for (refund, payment) in &self.paid_later {
            let keyed = known.get(payment).and_then(|kept| kept.refunds.iter().find(|held| held.refund == *refund));
            let (Some(keyed), Some(method)) = (keyed, method_of(payment)) else { continue };
            if keyed.amount.currency() == self.currency {
                went_back(&mut totals, method, keyed.void).add(keyed.amount)?;
            }
        }
        let ours = self.sales.keys().chain(&self.cash).filter_map(|payment| known.get(payment));
        let of_others = ours.flat_map(|kept| &kept.refunds).filter(|held| !held.keyed_here);
        for held in of_others.filter(|held| held.state == RefundState::Succeeded) {
            totals.elsewhere.add(held.amount)?;
        }
        for kept in self.lost_later.iter().filter_map(|payment| known.get(payment)).filter(|kept| kept.stored) {
            if kept.amount.currency() == self.currency {
                totals.declined.add(kept.amount)?;
            }
        }
        Ok(totals)
    }
}

fn way_of(kept: &Kept) -> Option<Way> {
    match kept {
        Kept { offline: true, .. } => Some(Way::Offline),
        Kept { stored: true, .. } => Some(Way::Stored),
        kept => Sale::reopened(kept.clone()).method().map(Way::Core),
    }
}

const fn went_back(totals: &mut Totals, method: Way, void: bool) -> &mut Line {
    let of = of_method(totals, method);
    if void { &mut of.voids } else { &mut of.refunds }
}

const fn was_paid(state: PaymentState) -> bool {
    matches!(
        state,
        PaymentState::Succeeded | PaymentState::PartlyRefunded | PaymentState::Refunded | PaymentState::Voided
    )
}

const fn of_method(totals: &mut Totals, method: Way) -> &mut MethodTotals {
    match method {
        Way::Core(Method::MerchantPresented) => &mut totals.merchant_presented,
        Way::Core(Method::CustomerPresented) => &mut totals.customer_presented,
        Way::Core(Method::Card) => &mut totals.card,
        Way::Offline => &mut totals.offline,
        Way::Stored => &mut totals.stored,
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Millis, Money, api::Failure, journal::CoreTime};

    use super::*;
    use crate::sale::{ReceiptState, Refund, Stage};
    use crate::shift::Shift;

    fn cny(minor: i64) -> Amount {
        Amount::new(minor, Currency::CNY).unwrap()
    }

    const fn payment(number: u8) -> PaymentId {
        PaymentId::from_bytes([number; 16])
    }

    fn keyed(number: u8, minor: i64, method: Method) -> Record {
        Record::SaleKeyed {
            payment: payment(number),
            counter: Sequence(number.into()),
            amount: cny(minor),
            method,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
        }
    }

    fn settled(number: u8, state: PaymentState) -> Record {
        Record::SaleSettled { payment: payment(number), state, amount_refunded_minor: 0 }
    }

    fn cash(minor: i64) -> Record {
        Record::CashSale {
            payment: payment(0),
            counter: Sequence(1),
            amount: cny(minor),
            tendered_minor: minor,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        }
    }

    fn given_back(minor: i64, void: bool) -> Record {
        let refund = RefundId::from_bytes([minor as u8; 16]);
        Record::CashRefund {
            refund,
            payment: payment(0),
            amount: cny(minor),
            void,
            cashier: "Li".to_owned(),
            approved_by: None,
        }
    }

    fn refund(number: u8, of: u8, minor: i64, void: bool, state: RefundState) -> [Record; 2] {
        let refund = RefundId::from_bytes([number; 16]);
        let payment = payment(of);
        [
            Record::RefundKeyed {
                refund,
                payment,
                amount: cny(minor),
                void,
                cashier: "Li".to_owned(),
                approved_by: None,
            },
            Record::RefundSettled { refund, payment, state },
        ]
    }

    fn moved(is_in: bool, minor: i64) -> Record {
        let (batch, amount, cashier) = (Sequence(1), cny(minor), "Li".to_owned());
        let reason = "change".to_owned();
        if is_in {
            Record::PaidIn { batch, amount, reason, cashier }
        } else {
            Record::PaidOut { batch, amount, reason, cashier }
        }
    }

    fn opened(batch: u64) -> Record {
        let float = Money::new(0, Currency::CNY);
        Record::ShiftOpened { batch: Sequence(batch), cashier: "Li".to_owned(), cashier_number: String::new(), float }
    }

    fn closed(batch: u64) -> Record {
        let (counted, expected) = (Money::new(0, Currency::CNY), Money::new(0, Currency::CNY));
        Record::ShiftClosed { batch: Sequence(batch), counted, expected, cashier: "Li".to_owned() }
    }

    /// A sale as the disk has it: refunds by number, amount, and whether they were keyed here.
    fn kept(number: u8, refunds: &[(u8, i64, bool)]) -> (PaymentId, Kept) {
        let refund = |(number, minor, keyed_here): &(u8, i64, bool)| Refund {
            refund: RefundId::from_bytes([*number; 16]),
            amount: cny(*minor),
            void: false,
            state: RefundState::Succeeded,
            answered: true,
            keyed_here: *keyed_here,
            failure: None,
            approved_by: None,
            version: 2,
            keyed_at: Millis(0),
        };
        // Its method is all that is looked at here.
        let failure = Failure { code: "x".to_owned(), message: "x".to_owned() };
        let kept = Kept {
            payment: payment(number),
            counter: Sequence(number.into()),
            amount: cny(500),
            goods: Vec::new(),
            reference: None,
            split: None,
            quote: None,
            cashier: "Li".to_owned(),
            card: None,
            keyed_at: Millis(0),
            keyed_core: CoreTime::Unsaid,
            stage: Stage::NotSent { method: Method::CustomerPresented, state: PaymentState::Failed, failure },
            refunds: refunds.iter().map(refund).collect(),
            receipt: ReceiptState::None,
            journaled: None,
            offline: false,
            stored: false,
            loss_unseen: false,
            elsewhere: false,
            phone: None,
            given_up: false,
            paid_after_all_unseen: false,
        };
        (payment(number), kept)
    }

    /// What is under way at a close is of the batch in which it goes out; what others give back of its sales is told beside it.
    #[test]
    fn each_refund_is_counted_once() {
        let keyed_1 = [keyed(1, 500, Method::CustomerPresented), settled(1, PaymentState::PartlyRefunded)];
        let [late, late_end] = refund(1, 1, 20, false, RefundState::Succeeded);
        let [between, between_end] = refund(2, 1, 30, false, RefundState::Succeeded);
        let [of_nobody, of_nobody_end] = refund(3, 1, 40, false, RefundState::Succeeded);
        let [failed, failed_end] = refund(4, 1, 50, false, RefundState::Failed);
        let mut journal = vec![opened(1)];
        journal.extend(keyed_1);
        journal.extend([late, between, failed, closed(1), between_end, of_nobody, of_nobody_end, opened(2)]);
        journal.extend([late_end, failed_end, closed(2)]);
        let known = BTreeMap::from([kept(1, &[(1, 20, true), (2, 30, true), (3, 40, true), (9, 70, false)])]);
        let of = |batch: u64, records: &[Record]| {
            let mut tally = Tally::new(Sequence(batch), Currency::CNY);
            for record in records {
                tally.take(record.clone()).unwrap();
            }
            let totals = tally.totals(&known).unwrap();
            (totals.customer_presented.refunds, totals.under_way, totals.elsewhere)
        };
        let line = |count, minor| Line { count, minor };
        let close = journal.iter().position(|record| *record == closed(1)).unwrap();
        assert_eq!(of(1, &journal[..close]), (line(0, 0), line(3, 100), line(1, 70)));
        assert_eq!(of(2, &journal), (line(2, 50), line(0, 0), line(0, 0)));
    }

    /// The reports of a shop come to what was paid: each sale that the acquirer declines after its batch's close is told once.
    #[test]
    fn what_is_declined_after_the_close_is_told_by_the_next_report() {
        let stored = |number: u8| {
            serde_json::from_value::<Record>(serde_json::json!({
                "kind": "stored_card_sale", "payment": payment(number), "counter": number, "amount": cny(500),
                "channel_account": saoma_protocol::ChannelAccountId::from_bytes([5; 16]),
                "card": {"entry": "chip", "ksn": "FFFF9876543210E00001", "number": "0011223344556677"},
                "digits": {"first_6": "401234", "last_4": "8909"}, "goods": [], "cashier": "Li",
            }))
            .unwrap()
        };
        let declined = |number| settled(number, PaymentState::Failed);
        let mut journal = vec![opened(1), stored(1), stored(2), stored(3), stored(4), keyed(7, 500, Method::Card)];
        journal.extend([declined(4), closed(1)]);
        // Sold and declined with no shift open; then one of batch 1, one that is paid, and one that is paid after all.
        journal.extend([stored(5), stored(6), declined(5), declined(1), settled(2, PaymentState::Succeeded)]);
        journal.extend([declined(8), settled(8, PaymentState::Succeeded)]);
        // The seventh is no card without a network, the sixth of no batch.
        journal.extend([opened(2), declined(3), declined(3), declined(7), declined(6), closed(2)]);
        let mut known: BTreeMap<PaymentId, Kept> = (1..=8).map(|number| kept(number, &[])).collect();
        known.iter_mut().for_each(|(of, kept)| kept.stored = *of != payment(7));
        let of = |batch: u64, records: &[Record]| {
            let mut tally = Tally::new(Sequence(batch), Currency::CNY);
            records.iter().for_each(|record| tally.take(record.clone()).unwrap());
            [payment(5), payment(6)].iter().for_each(|between| tally.of_no_batch(between));
            let totals = tally.totals(&known).unwrap();
            (totals.stored.sales.minor, totals.declined)
        };
        let close = journal.iter().position(|record| *record == closed(1)).unwrap();
        assert_eq!(of(1, &journal[..close]), (1_500, Line::default()));
        assert_eq!(of(2, &journal), (0, Line { count: 2, minor: 1_000 }));
    }

    #[test]
    fn a_batch_is_counted_by_method() {
        let mut tally = Tally::new(Sequence(1), Currency::CNY);
        let mut records = vec![
            opened(1),
            cash(1250),
            cash(300),
            given_back(250, false),
            given_back(300, true),
            moved(true, 1000),
            moved(false, 400),
            keyed(1, 500, Method::CustomerPresented),
            settled(1, PaymentState::Succeeded),
            keyed(2, 700, Method::MerchantPresented),
            settled(2, PaymentState::Expired),
            keyed(3, 900, Method::MerchantPresented),
            settled(3, PaymentState::Succeeded),
            // Given back since: it was sold all the same.
            settled(3, PaymentState::Voided),
            // Never settled.
            keyed(4, 9999, Method::CustomerPresented),
        ];
        records.extend(refund(1, 3, 900, true, RefundState::Succeeded));
        // Of an earlier batch, and one that failed.
        records.extend(refund(2, 9, 50, false, RefundState::Succeeded));
        records.extend(refund(3, 1, 10, false, RefundState::Failed));
        for record in records {
            tally.take(record).unwrap();
        }
        assert_eq!(tally.sales(), [0, 1, 2, 3, 4, 9].map(payment).into());
        let totals = tally.totals(&BTreeMap::from([kept(9, &[])])).unwrap();
        let line = |count, minor| Line { count, minor };
        assert_eq!(
            totals,
            Totals {
                cash: MethodTotals { sales: line(2, 1550), refunds: line(1, 250), voids: line(1, 300) },
                merchant_presented: MethodTotals { sales: line(1, 900), refunds: line(0, 0), voids: line(1, 900) },
                customer_presented: MethodTotals { sales: line(1, 500), refunds: line(1, 50), voids: line(0, 0) },
                paid_in: line(1, 1000),
                paid_out: line(1, 400),
                ..Totals::default()
            }
        );
        let shift = Shift {
            batch: Sequence(1),
            cashier: "Li".to_owned(),
            cashier_number: String::new(),
            cashier_id: None,
            float: Money::new(5000, Currency::CNY),
            opened_at: Millis(0),
            opened_core: CoreTime::Unsaid,
            closed: None,
        };
        assert_eq!(shift.expected(&totals).unwrap().minor(), 5000 + 1550 - 250 - 300 + 1000 - 400);
    }

    #[test]
    fn sums_that_do_not_fit_are_an_error() {
        let mut tally = Tally::new(Sequence(1), Currency::CNY);
        tally.take(opened(1)).unwrap();
        tally.totals.cash.sales.minor = i64::MAX;
        assert_eq!(tally.take(cash(1)), Err(MoneyError::Overflow));
        let dollars = Amount::new(5, "USD".parse().unwrap()).unwrap();
        let mut tally = Tally::new(Sequence(1), Currency::CNY);
        tally.take(opened(1)).unwrap();
        let record =
            Record::PaidIn { batch: Sequence(1), amount: dollars, reason: "x".to_owned(), cashier: "Li".to_owned() };
        tally.take(record).unwrap();
        assert_eq!(tally.totals(&BTreeMap::new()).unwrap(), Totals::default());
    }
}

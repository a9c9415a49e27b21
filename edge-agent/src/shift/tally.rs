//! Counting a batch from its journal entries, one after the other.

use std::collections::BTreeMap;

use saoma_protocol::{
    Amount, Currency, PaymentId, RefundId,
    api::{PaymentState, RefundState},
    journal::{Method, Record},
    money::MoneyError,
};
use serde::{Deserialize, Serialize};

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
    /// Given back in this batch, also for sales of earlier ones.
    pub refunds: Line,
    pub voids: Line,
}

/// What a batch comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub cash: MethodTotals,
    pub merchant_presented: MethodTotals,
    pub customer_presented: MethodTotals,
    pub paid_in: Line,
    pub paid_out: Line,
}

impl Line {
    fn add(&mut self, amount: Amount) -> Result<(), MoneyError> {
        self.minor = self.minor.checked_add(amount.minor()).ok_or(MoneyError::Overflow)?;
        self.count += 1;
        Ok(())
    }
}

/// Takes a batch's records in their order.
pub struct Tally {
    currency: Currency,
    totals: Totals,
    /// Sales through core, and how the journal says they stand.
    sales: BTreeMap<PaymentId, (Method, Amount, Option<PaymentState>)>,
    refunds: BTreeMap<RefundId, RefundKeyed>,
}

struct RefundKeyed {
    payment: PaymentId,
    amount: Amount,
    void: bool,
    state: Option<RefundState>,
}

impl Tally {
    #[must_use]
    pub const fn new(currency: Currency) -> Self {
        const NONE: Line = Line { count: 0, minor: 0 };
        const NOTHING: MethodTotals = MethodTotals { sales: NONE, refunds: NONE, voids: NONE };
        let totals = Totals {
            cash: NOTHING,
            merchant_presented: NOTHING,
            customer_presented: NOTHING,
            paid_in: NONE,
            paid_out: NONE,
        };
        Self { currency, totals, sales: BTreeMap::new(), refunds: BTreeMap::new() }
    }

    /// The next record. What is of another currency is no part of this batch's sums.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn take(&mut self, record: Record) -> Result<(), MoneyError> {
        let is_ours = |amount: Amount| amount.currency() == self.currency;
        match record {
            Record::CashSale { amount, .. } if is_ours(amount) => self.totals.cash.sales.add(amount),
            Record::CashRefund { amount, void, .. } if is_ours(amount) => {
                let cash = &mut self.totals.cash;
                if void { &mut cash.voids } else { &mut cash.refunds }.add(amount)
            }
            Record::PaidIn { amount, .. } if is_ours(amount) => self.totals.paid_in.add(amount),
            Record::PaidOut { amount, .. } if is_ours(amount) => self.totals.paid_out.add(amount),
            Record::SaleKeyed { payment, amount, method, .. } if is_ours(amount) => {
                self.sales.insert(payment, (method, amount, None));
                Ok(())
            }
            Record::SaleSettled { payment, state: now, .. } => {
                if let Some((_, _, state)) = self.sales.get_mut(&payment) {
                    *state = Some(now);
                }
                Ok(())
            }
            Record::RefundKeyed { refund, payment, amount, void, .. } if is_ours(amount) => {
                self.refunds.insert(refund, RefundKeyed { payment, amount, void, state: None });
                Ok(())
            }
            Record::RefundSettled { refund, state: now, .. } => {
                if let Some(RefundKeyed { state, .. }) = self.refunds.get_mut(&refund) {
                    *state = Some(now);
                }
                Ok(())
            }
            Record::CashSale { .. }
            | Record::CashRefund { .. }
            | Record::PaidIn { .. }
            | Record::PaidOut { .. }
            | Record::SaleKeyed { .. }
            | Record::RefundKeyed { .. }
            | Record::ShiftOpened { .. }
            | Record::ShiftClosed { .. } => Ok(()),
        }
    }

    /// Sales of earlier batches of which something was given back in this one: how they were paid is not in its entries.
    #[must_use]
    pub fn earlier_sales(&self) -> Vec<PaymentId> {
        let of_refunds = self.refunds.values().map(|refund| refund.payment);
        of_refunds.filter(|payment| !self.sales.contains_key(payment)).collect()
    }

    /// What all of it comes to. `earlier`: how the sales of [`Self::earlier_sales`] were paid.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn totals(&self, earlier: &BTreeMap<PaymentId, Method>) -> Result<Totals, MoneyError> {
        let mut totals = self.totals;
        for (method, amount, state) in self.sales.values() {
            if state.is_some_and(was_paid) {
                of_method(&mut totals, *method).sales.add(*amount)?;
            }
        }
        for RefundKeyed { payment, amount, void, state } in self.refunds.values() {
            let method = self.sales.get(payment).map(|(method, ..)| *method).or_else(|| earlier.get(payment).copied());
            let (Some(method), Some(RefundState::Succeeded)) = (method, state) else { continue };
            let of = of_method(&mut totals, method);
            if *void { &mut of.voids } else { &mut of.refunds }.add(*amount)?;
        }
        Ok(totals)
    }
}

const fn was_paid(state: PaymentState) -> bool {
    matches!(
        state,
        PaymentState::Succeeded | PaymentState::PartlyRefunded | PaymentState::Refunded | PaymentState::Voided
    )
}

const fn of_method(totals: &mut Totals, method: Method) -> &mut MethodTotals {
    match method {
        Method::MerchantPresented => &mut totals.merchant_presented,
        Method::CustomerPresented => &mut totals.customer_presented,
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Millis, Money, Sequence};

    use super::*;
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
        }
    }

    fn given_back(minor: i64, void: bool) -> Record {
        let refund = RefundId::from_bytes([minor as u8; 16]);
        Record::CashRefund { refund, payment: payment(0), amount: cny(minor), void, cashier: "Li".to_owned() }
    }

    fn refund(number: u8, of: u8, minor: i64, void: bool, state: RefundState) -> [Record; 2] {
        let refund = RefundId::from_bytes([number; 16]);
        let payment = payment(of);
        [
            Record::RefundKeyed { refund, payment, amount: cny(minor), void, cashier: "Li".to_owned() },
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

    #[test]
    fn a_batch_is_counted_by_method() {
        let mut tally = Tally::new(Currency::CNY);
        let mut records = vec![
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
        assert_eq!(tally.earlier_sales(), [payment(9)]);
        let totals = tally.totals(&BTreeMap::from([(payment(9), Method::CustomerPresented)])).unwrap();
        let line = |count, minor| Line { count, minor };
        assert_eq!(
            totals,
            Totals {
                cash: MethodTotals { sales: line(2, 1550), refunds: line(1, 250), voids: line(1, 300) },
                merchant_presented: MethodTotals { sales: line(1, 900), refunds: line(0, 0), voids: line(1, 900) },
                customer_presented: MethodTotals { sales: line(1, 500), refunds: line(1, 50), voids: line(0, 0) },
                paid_in: line(1, 1000),
                paid_out: line(1, 400),
            }
        );
        let shift = Shift {
            batch: Sequence(1),
            cashier: "Li".to_owned(),
            cashier_number: String::new(),
            float: Money::new(5000, Currency::CNY),
            opened_at: Millis(0),
            closed: None,
        };
        assert_eq!(shift.expected(&totals).unwrap().minor(), 5000 + 1550 - 250 - 300 + 1000 - 400);
    }

    #[test]
    fn sums_that_do_not_fit_are_an_error() {
        let mut tally = Tally::new(Currency::CNY);
        tally.totals.cash.sales.minor = i64::MAX;
        assert_eq!(tally.take(cash(1)), Err(MoneyError::Overflow));
        let dollars = Amount::new(5, "USD".parse().unwrap()).unwrap();
        let mut tally = Tally::new(Currency::CNY);
        let record =
            Record::PaidIn { batch: Sequence(1), amount: dollars, reason: "x".to_owned(), cashier: "Li".to_owned() };
        tally.take(record).unwrap();
        assert_eq!(tally.totals(&BTreeMap::new()).unwrap(), Totals::default());
    }
}

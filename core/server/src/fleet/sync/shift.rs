//! What a terminal's shift means: its batch, the cash that moved without a sale, and which sales and refunds are the batch's.
//!
//! The journal's order is the truth: what stands between a batch's opening and its close is of that batch. A record that does
//! not follow (a second opening, a close of what is not open) is held for a person and books nothing.
//!
//! At the close the drawer is booked to what was counted, and that to the safe: the next shift begins with an empty drawer
//! and a float of its own. Cash that moved while no shift was open is counted by nobody: the next opening takes it out of the
//! drawer's account, since the float was counted over it, and leaves a difference for a person.

use saoma_domain::ledger::{Kind, PostingSet, rules};
use saoma_protocol::{
    Amount, BatchId, Millis, Money, PaymentId, Sequence, StoreId,
    api::PaymentState,
    journal::Record,
    money::{AMOUNT_MINOR_MAX, MoneyError},
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{self, Batch, Closed, DrawerMovement, TerminalRefund, TerminalSale},
    ledger::Subject,
};

use super::{
    book::{self, Source},
    chain::Taken,
    post, readable,
};
use crate::batches as leg;

/// A number past this would not be exact in a dashboard, and is no number of a batch.
const NUMBER_MAX: u64 = 1 << 53;

/// Whether a record was taken, or the reason to hold it.
type Held = Option<String>;

/// The shifts of one terminal while its journal is taken in.
pub struct Shifts {
    source: Source,
    store: StoreId,
    /// The terminal's last batch, open or closed.
    last: Option<Batch>,
}

impl Shifts {
    /// # Errors
    /// What the store says.
    pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, source: Source, store: StoreId) -> Result<Self, StoreError> {
        Ok(Self { source, store, last: batches::last_of(tx, scope, source.terminal)? })
    }

    /// Takes a record that is booked, or that only this is about. `stored`: the payment of a card sale that is to be forwarded, whatever number its
    /// terminal tells.
    ///
    /// # Errors
    /// What the store says.
    pub fn follow(
        &mut self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        taken: &Taken<'_>,
        stored: Option<PaymentId>,
    ) -> Result<Held, StoreError> {
        let keyed_at = book::believed(taken.stamp, self.source.now);
        let (terminal, batch) = (self.source.terminal, self.open().map(|batch| batch.id));
        match &taken.record {
            Record::ShiftOpened { batch, cashier, cashier_number, float } => {
                self.opened(tx, scope, taken, (*batch, *float), (cashier, cashier_number))
            }
            Record::PaidIn { batch, amount, reason, cashier } => {
                self.moved(tx, scope, taken, (*batch, true, *amount), (reason, cashier))
            }
            Record::PaidOut { batch, amount, reason, cashier } => {
                self.moved(tx, scope, taken, (*batch, false, *amount), (reason, cashier))
            }
            Record::ShiftClosed { batch, counted, expected, cashier } => {
                self.closed(tx, scope, taken, (*batch, *counted, *expected), cashier)
            }
            // What becomes of a stored sale its terminal tells when it learns it.
            Record::CashSale { payment, amount, .. }
            | Record::SaleKeyed { payment, amount, .. }
            | Record::StoredCardSale { payment, amount, .. } => {
                let cash = matches!(taken.record, Record::CashSale { .. });
                let payment = stored.unwrap_or(*payment);
                let sale = TerminalSale { terminal, payment, batch, cash, amount: *amount, keyed_at };
                batches::note_sale(tx, scope, &sale).map(|()| None)
            }
            Record::OfflineSale { payment, amount, .. } => {
                let sale = TerminalSale { terminal, payment: *payment, batch, cash: false, amount: *amount, keyed_at };
                batches::note_sale(tx, scope, &sale)?;
                batches::note_sale_state(tx, scope, terminal, *payment, PaymentState::Succeeded, 0).map(|()| None)
            }
            Record::CashRefund { refund, payment, amount, .. }
            | Record::RefundKeyed { refund, payment, amount, .. } => {
                let cash = matches!(taken.record, Record::CashRefund { .. });
                let (refund, payment, amount) = (*refund, *payment, *amount);
                let refund = TerminalRefund { terminal, refund, payment, batch, cash, amount, keyed_at };
                batches::note_refund(tx, scope, &refund).map(|()| None)
            }
            Record::SaleSettled { payment, state, amount_refunded_minor } => {
                let refunded = *amount_refunded_minor;
                batches::note_sale_state(tx, scope, terminal, *payment, *state, refunded).map(|()| None)
            }
            Record::RefundSettled { refund, state, .. } => {
                batches::note_refund_state(tx, scope, terminal, *refund, *state, batch).map(|()| None)
            }
        }
    }

    fn open(&self) -> Option<&Batch> {
        self.last.as_ref().filter(|batch| batch.closed.is_none())
    }

    /// The open batch, if it is the one that a record names.
    fn named(&self, number: Sequence) -> Result<&Batch, String> {
        match self.open() {
            Some(batch) if batch.number == number => Ok(batch),
            Some(batch) => Err(format!("it is of batch {number}, and batch {} is open", batch.number)),
            None => Err(format!("it is of batch {number}, and no batch is open")),
        }
    }

    fn opened(
        &mut self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        taken: &Taken<'_>,
        (number, float): (Sequence, Money),
        (cashier, cashier_number): (&str, &str),
    ) -> Result<Held, StoreError> {
        if let Some(batch) = self.open() {
            return Ok(Some(format!("batch {number} was opened while batch {} is open", batch.number)));
        }
        let last = self.last.as_ref().map_or(Sequence(0), |batch| batch.number);
        if number <= last || number.0 > NUMBER_MAX {
            return Ok(Some(format!("batch {number} does not come after batch {last}")));
        }
        if !(0..=AMOUNT_MINOR_MAX).contains(&float.minor()) {
            return Ok(Some(format!("{float} cannot be the float of a drawer")));
        }
        let at = book::believed(taken.stamp, self.source.now);
        let batch = Batch {
            id: BatchId::of(self.source.tenant, self.source.terminal, number),
            store: self.store,
            terminal: self.source.terminal,
            number,
            cashier: readable(cashier),
            cashier_number: readable(cashier_number),
            float,
            opened_at: at,
            opened_sequence: taken.entry.sequence,
            closed: None,
        };
        batches::open(tx, scope, &batch)?;
        batches::adopt_paid(tx, scope, self.source.terminal, batch.id)?;
        self.sweep(tx, scope, &batch)?;
        if let Ok(float) = Amount::try_from(float) {
            let subject = Subject::Other(batch.id.to_string());
            post(tx, scope, self.source, subject, Kind::DrawerFloat, at, &rules::drawer_float(float))?;
        }
        self.last = Some(batch);
        Ok(None)
    }

    /// Cash that moved since the last close, or before the first shift.
    fn sweep(&self, tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<(), StoreError> {
        let Some(uncounted) = batches::sweep(tx, scope, batch)?.filter(|uncounted| uncounted.sum.minor() != 0) else {
            return Ok(());
        };
        let sets = rules::drawer_swept(uncounted.sum)
            .map_err(|_| StoreError::Corrupt { why: format!("{} in the drawer of no shift", uncounted.sum) })?;
        let subject = Subject::Other(format!("{}/uncounted", batch.id));
        post(tx, scope, self.source, subject, Kind::PaidOut, batch.opened_at, &sets)?;
        batches::keep_uncounted(tx, scope, batch.id, uncounted, self.source.now)
    }

    fn moved(
        &self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        taken: &Taken<'_>,
        (number, is_in, amount): (Sequence, bool, Amount),
        (reason, cashier): (&str, &str),
    ) -> Result<Held, StoreError> {
        let batch = match self.named(number) {
            Ok(batch) => batch,
            Err(why) => return Ok(Some(why)),
        };
        if amount.currency() != batch.float.currency() {
            return Ok(Some(other_currency(amount.money(), batch)));
        }
        let (at, sequence) = (book::believed(taken.stamp, self.source.now), taken.entry.sequence);
        let movement = DrawerMovement {
            batch: batch.id,
            sequence,
            is_in,
            amount,
            reason: readable(reason),
            cashier: readable(cashier),
            at,
        };
        batches::move_cash(tx, scope, &movement)?;
        let (kind, sets) =
            if is_in { (Kind::PaidIn, rules::paid_in(amount)) } else { (Kind::PaidOut, rules::paid_out(amount)) };
        let subject = Subject::Other(format!("{}/{sequence}", batch.id));
        post(tx, scope, self.source, subject, kind, at, &sets)?;
        Ok(None)
    }

    fn closed(
        &mut self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        taken: &Taken<'_>,
        (number, counted, told): (Sequence, Money, Money),
        cashier: &str,
    ) -> Result<Held, StoreError> {
        let batch = match self.named(number) {
            Ok(batch) => batch,
            Err(why) => return Ok(Some(why)),
        };
        let close = Close {
            counted,
            told: Some(told),
            by: readable(cashier),
            at: book::believed(taken.stamp, self.source.now),
            sequence: taken.entry.sequence,
        };
        match end(tx, scope, self.source, batch, close)? {
            Ok(batch) => self.last = Some(batch),
            Err(why) => return Ok(Some(why)),
        }
        Ok(None)
    }
}

/// How a batch is to be closed.
#[derive(Clone, Debug)]
pub struct Close {
    pub counted: Money,
    /// What the terminal expected; `None` if it is not the terminal that closes.
    pub told: Option<Money>,
    pub by: String,
    pub at: Millis,
    /// How far its terminal's journal is then.
    pub sequence: Sequence,
}

/// Closes an open batch: the drawer is booked to what was counted, and that to the safe. The closed batch, or why it cannot be.
///
/// # Errors
/// What the store says; `NotFound` if it is not open.
pub fn end(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    batch: &Batch,
    close: Close,
) -> Result<Result<Batch, String>, StoreError> {
    let Close { counted, told, by, at, sequence } = close;
    for money in [Some(counted), told].into_iter().flatten() {
        if money.currency() != batch.float.currency() {
            return Ok(Err(other_currency(money, batch)));
        }
    }
    if !(0..=AMOUNT_MINOR_MAX).contains(&counted.minor()) {
        return Ok(Err(format!("{counted} cannot be what a drawer held")));
    }
    let expected = batches::drawer(tx, scope, batch)?.expected();
    let counted_out = expected.and_then(|expected| Ok((expected, over_short(counted, expected)?)));
    let Ok((expected, difference)) = counted_out else {
        return Ok(Err("the sums of its cash do not fit".to_owned()));
    };
    let at = at.max(batch.opened_at);
    let closed = Closed {
        at,
        sequence,
        by,
        expected_minor: expected.minor(),
        counted_minor: counted.minor(),
        told_minor: told.unwrap_or(expected).minor(),
        received_at: source.now,
    };
    batches::close(tx, scope, batch.id, &closed)?;
    let subject = || Subject::Other(batch.id.to_string());
    post(tx, scope, source, subject(), Kind::DrawerCounted, at, &difference)?;
    if let Ok(counted) = Amount::try_from(counted) {
        post(tx, scope, source, subject(), Kind::PaidOut, at, &rules::paid_out(counted))?;
    }
    let batch = Batch { closed: Some(closed), ..batch.clone() };
    leg::compare(tx, scope, &leg::Compared::Batch(&batch), source.now)?;
    Ok(Ok(batch))
}

fn over_short(counted: Money, expected: Money) -> Result<Vec<PostingSet>, MoneyError> {
    rules::drawer_counted(counted.checked_sub(expected)?).map_err(|_| MoneyError::Overflow)
}

fn other_currency(money: Money, batch: &Batch) -> String {
    format!("it is of {}, and batch {} of {}", money.currency(), batch.number, batch.float.currency())
}

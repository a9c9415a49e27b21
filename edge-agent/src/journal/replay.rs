//! The journal's entries told again from the first, and what became of them held against what the tables say.
//!
//! Sales, refunds and shifts are kept beside the entries, since a till cannot count a year for each look. Both are written in
//! one transaction; where they differ, the disk or somebody changed one of them. Nothing is repaired: a person decides.

mod limits;

use std::{collections::BTreeMap, fmt::Display};

use diesel::prelude::*;
use saoma_protocol::{
    Amount, Money, PaymentId, RefundId, Sequence,
    api::{Goods, PaymentState, Quoted, RefundState},
    journal::{Entry, Method, Record, SplitPart},
};

use self::limits::Taken;
use super::{
    JournalError, Store,
    rows::{RefundRow, SaleRow, ShiftRow},
    schema::{refunds, sales, shifts},
    seal::SealError,
    splits,
    store::{loaded, refund_state_text, stored, unreadable},
};
use crate::{
    sale::{Kept, Refund, Sale, Stage},
    shift::Shift,
};

/// Rows that are read at once.
const PAGE: i64 = 200;

/// What was told again, and where the tables say something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    pub entries: u64,
    pub sales: u64,
    pub refunds: u64,
    pub shifts: u64,
    /// In sentences; empty if the tables hold what the entries say.
    pub differences: Vec<String>,
}

/// How a sale is paid for, as its first entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paid {
    Cash { tendered_minor: i64 },
    Offline,
    Stored,
    Core(Method),
}

struct ToldSale {
    entry: Sequence,
    counter: Sequence,
    amount: Amount,
    paid: Paid,
    goods: Vec<Goods>,
    cashier: String,
    split: Option<SplitPart>,
    quote: Option<Quoted>,
    /// Sales through core, and entries of before, have none.
    reference: Option<String>,
    settled: Option<(PaymentState, i64)>,
    refunds: BTreeMap<RefundId, ToldRefund>,
}

pub(super) struct ToldRefund {
    amount: Amount,
    void: bool,
    /// None: keyed, and not heard of since.
    state: Option<RefundState>,
}

struct ToldShift {
    entry: Sequence,
    cashier: String,
    cashier_number: String,
    float: Money,
    /// Counted and expected.
    closed: Option<(Money, Money)>,
}

/// What the entries say.
#[derive(Default)]
struct Told {
    entries: u64,
    sales: BTreeMap<PaymentId, ToldSale>,
    /// What went back on sales that no entry began, with the first entry of each.
    elsewhere: BTreeMap<PaymentId, (Sequence, BTreeMap<RefundId, ToldRefund>)>,
    shifts: BTreeMap<Sequence, ToldShift>,
    taken: Taken,
    differences: Vec<String>,
}

impl Told {
    fn take(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.entries += 1;
        let at = entry.sequence;
        match entry.record()? {
            Record::SaleKeyed { payment, counter, amount, method, goods, cashier, split, quote } => {
                let told = ToldSale::new(at, counter, amount, Paid::Core(method), goods, cashier);
                self.begin(payment, ToldSale { split, quote, ..told });
            }
            Record::CashSale { payment, counter, amount, tendered_minor, goods, cashier, split, quote, reference } => {
                let told = ToldSale::new(at, counter, amount, Paid::Cash { tendered_minor }, goods, cashier);
                self.begin(payment, ToldSale { split, quote, reference, ..told });
            }
            Record::OfflineSale { payment, counter, amount, code, goods, cashier, quote, reference } => {
                self.differences.extend(self.taken.code(at, &code, amount, entry.at));
                let told = ToldSale::new(at, counter, amount, Paid::Offline, goods, cashier);
                // It says itself how it ended.
                let settled = Some((PaymentState::Succeeded, 0));
                self.begin(payment, ToldSale { settled, quote, reference, ..told });
            }
            Record::StoredCardSale { payment, counter, amount, digits, goods, cashier, quote, reference, .. } => {
                self.taken.card(at, digits, amount, entry.at);
                let told = ToldSale::new(at, counter, amount, Paid::Stored, goods, cashier);
                self.begin(payment, ToldSale { quote, reference, ..told });
            }
            Record::SaleSettled { payment, state, amount_refunded_minor } => {
                if let Some(sale) = self.sale(at, payment) {
                    sale.settled = Some((state, amount_refunded_minor));
                }
            }
            Record::CashRefund { refund, payment, amount, void, .. } => {
                if let Some(sale) = self.sale(at, payment) {
                    let state = Some(RefundState::Succeeded);
                    sale.refunds.insert(refund, ToldRefund { amount, void, state });
                }
            }
            Record::RefundKeyed { refund, payment, amount, void, .. } => {
                let told = ToldRefund { amount, void, state: None };
                match self.sales.get_mut(&payment) {
                    Some(sale) => drop(sale.refunds.insert(refund, told)),
                    // Another till's, or none: whether it is kept as one is seen at the end.
                    None => drop(self.elsewhere.entry(payment).or_insert((at, BTreeMap::new())).1.insert(refund, told)),
                }
            }
            Record::RefundSettled { refund, payment, state } => {
                let refunds = match self.sales.get_mut(&payment) {
                    Some(sale) => Some(&mut sale.refunds),
                    None => self.elsewhere.get_mut(&payment).map(|(_, refunds)| refunds),
                };
                match refunds.map(|refunds| refunds.get_mut(&refund)) {
                    Some(Some(told)) => told.state = Some(state),
                    Some(None) => self.differ(format!("entry {at} ends {refund}, which no entry before it began")),
                    None => self.differ(format!("entry {at} is about {payment}, which no entry before it began")),
                }
            }
            Record::ShiftOpened { batch, cashier, cashier_number, float } => {
                let shift = ToldShift { entry: at, cashier, cashier_number, float, closed: None };
                if self.shifts.insert(batch, shift).is_some() {
                    self.differ(format!("entry {at} opens batch {batch} a second time"));
                }
            }
            Record::ShiftClosed { batch, counted, expected, .. } => match self.shifts.get_mut(&batch) {
                Some(shift) => shift.closed = Some((counted, expected)),
                None => self.differ(format!("entry {at} closes batch {batch}, which no entry before it opened")),
            },
            // They change what should be in the drawer, and no row.
            Record::PaidIn { .. } | Record::PaidOut { .. } => {}
        }
        Ok(())
    }

    fn begin(&mut self, payment: PaymentId, sale: ToldSale) {
        let at = sale.entry;
        if self.sales.insert(payment, sale).is_some() {
            self.differ(format!("entry {at} begins {payment} a second time"));
        }
    }

    fn sale(&mut self, at: Sequence, payment: PaymentId) -> Option<&mut ToldSale> {
        let sale = self.sales.get_mut(&payment);
        if sale.is_none() {
            self.differences.push(format!("entry {at} is about {payment}, which no entry before it began"));
        }
        sale
    }

    fn differ(&mut self, what: String) {
        self.differences.push(what);
    }
}

impl ToldSale {
    const fn new(
        entry: Sequence,
        counter: Sequence,
        amount: Amount,
        paid: Paid,
        goods: Vec<Goods>,
        cashier: String,
    ) -> Self {
        Self {
            entry,
            counter,
            amount,
            paid,
            goods,
            cashier,
            split: None,
            quote: None,
            reference: None,
            settled: None,
            refunds: BTreeMap::new(),
        }
    }
}

/// A row of `sales` with those of its refunds, opened.
struct HeldSale {
    row: SaleRow,
    amount: (i64, String),
    kept: Kept,
    /// Number, state, minor units and currency of each.
    refunds: Vec<(String, String, i64, String)>,
}

/// Says of one thing where two sides differ.
pub(super) struct Compared<'a> {
    pub(super) of: String,
    pub(super) differences: &'a mut Vec<String>,
}

impl Compared<'_> {
    pub(super) fn same<T: PartialEq + Display>(&mut self, what: &str, told: &T, held: &T) {
        if told != held {
            self.differences.push(format!("{}: {what} is {held}, and the entries say {told}", self.of));
        }
    }

    /// For what is too long, or no business of a terminal's screen.
    pub(super) fn alike<T: PartialEq>(&mut self, what: &str, told: &T, held: &T) {
        if told != held {
            self.differences.push(format!("{}: {what} is not as the entries say", self.of));
        }
    }
}

impl Store {
    /// Tells every entry again and compares. Sees one moment of the journal, also while an agent writes.
    ///
    /// # Errors
    /// `Unreadable` for an entry or a row that cannot be read; `Database`.
    pub fn replay(&mut self) -> Result<Replayed, JournalError> {
        self.execute("BEGIN DEFERRED")?;
        let replayed = self.told_again();
        // Nothing was written: there is nothing to keep or to undo.
        self.execute("ROLLBACK")?;
        replayed
    }

    fn told_again(&mut self) -> Result<Replayed, JournalError> {
        let mut told = Told::default();
        let signers = self.signers()?;
        let mut after = Sequence(0);
        loop {
            let page = self.signed_after(after)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in &page {
                told.differences.extend(signers.fault(entry));
                told.take(entry)?;
            }
        }
        let Told { entries, sales, elsewhere, shifts, taken, mut differences } = told;
        let parts = splits::parts_told(sales.iter().map(|(payment, sale)| (*payment, sale.split.as_ref())));
        let counts = [sales.len(), sales.values().map(|sale| sale.refunds.len()).sum(), shifts.len()];
        self.compare_sales(sales, &mut differences)?;
        self.compare_elsewhere(elsewhere, &mut differences)?;
        self.compare_splits(&parts, &mut differences)?;
        self.compare_shifts(shifts, &mut differences)?;
        self.compare_limits(taken, &mut differences)?;
        let [sales, refunds, shifts] = counts.map(|count| count as u64);
        Ok(Replayed { entries, sales, refunds, shifts, differences })
    }

    fn compare_sales(
        &mut self,
        mut told: BTreeMap<PaymentId, ToldSale>,
        differences: &mut Vec<String>,
    ) -> Result<(), JournalError> {
        let mut after = i64::MIN;
        loop {
            let page: Vec<SaleRow> = sales::table
                .filter(sales::counter.gt(after))
                .order(sales::counter)
                .limit(PAGE)
                .load(&mut self.connection)?;
            let Some(last) = page.last() else { break };
            after = last.counter;
            for row in page {
                let payment: PaymentId = row.payment.parse().map_err(|error| unreadable("a sale", error))?;
                let Some(told) = told.remove(&payment) else {
                    differences.push(format!("{payment}: it is among the sales, and no entry begins it"));
                    continue;
                };
                match self.held_sale(row) {
                    Ok(held) => compare_sale(payment, &told, held, differences),
                    Err(error) => differ_unless_other(&payment, error, differences)?,
                }
            }
        }
        let missing = told
            .iter()
            .map(|(payment, told)| format!("{payment}: entry {} begins it, and it is not among the sales", told.entry));
        differences.extend(missing);
        Ok(())
    }

    fn held_sale(&mut self, row: SaleRow) -> Result<HeldSale, JournalError> {
        let rows: Vec<RefundRow> =
            refunds::table.filter(refunds::payment.eq(&row.payment)).load(&mut self.connection)?;
        let open = |row: RefundRow| {
            let (minor, currency) = row.sum(&self.seals)?;
            Ok((row.refund, row.state, minor, currency))
        };
        let refunds = rows.into_iter().map(open).collect::<Result<_, SealError>>()?;
        Ok(HeldSale { amount: row.sum(&self.seals)?, kept: row.kept(&self.seals)?, refunds, row })
    }

    fn compare_shifts(
        &mut self,
        mut told: BTreeMap<Sequence, ToldShift>,
        differences: &mut Vec<String>,
    ) -> Result<(), JournalError> {
        let rows: Vec<ShiftRow> = shifts::table.order(shifts::batch).load(&mut self.connection)?;
        for row in rows {
            let batch = loaded(row.batch);
            let Some(told) = told.remove(&batch) else {
                differences.push(format!("batch {batch}: it is among the shifts, and no entry opens it"));
                continue;
            };
            let of = format!("batch {batch}");
            match row.kept(&self.seals) {
                Ok(held) => {
                    let mut compared = Compared { of, differences: &mut *differences };
                    compared.same("its first entry", &told.entry, &loaded(row.entry));
                    compare_shift(&told, &held, row.open != 0, &mut compared);
                }
                Err(error) => differ_unless_other(&of, error, differences)?,
            }
        }
        let missing = told.iter().map(|(batch, told)| {
            format!("batch {batch}: entry {} opens it, and it is not among the shifts", told.entry)
        });
        differences.extend(missing);
        Ok(())
    }
}

/// What was altered on the disk is a difference like others; all else ends the comparison.
pub(super) fn differ_unless_other(
    of: &dyn Display,
    error: JournalError,
    differences: &mut Vec<String>,
) -> Result<(), JournalError> {
    let JournalError::Sealed(SealError::Altered { place }) = error else { return Err(error) };
    differences.push(format!("{of}: {place} was altered, or moved there from elsewhere"));
    Ok(())
}

fn compare_sale(payment: PaymentId, told: &ToldSale, held: HeldSale, differences: &mut Vec<String>) {
    let HeldSale { row, amount, kept, refunds } = held;
    let sale = Sale::reopened(kept);
    let kept = &sale.kept;
    let mut compared = Compared { of: payment.to_string(), differences };
    compared.alike("its own id", &payment, &kept.payment);
    compared.same("its first entry", &told.entry, &loaded(row.entry));
    compared.same("its number", &told.counter, &kept.counter);
    compared.same("its number's column", &stored(told.counter), &row.counter);
    compared.same("its amount", &told.amount.to_string(), &kept.amount.to_string());
    let column = (amount.0, amount.1.as_str());
    compared.alike("its amount's column", &(told.amount.minor(), told.amount.currency().code()), &column);
    compared.alike("its goods", &told.goods, &kept.goods);
    compared.alike("its cashier", &told.cashier, &kept.cashier);
    compared.alike("what it is a part of", &told.split, &kept.split);
    compared.alike("what was quoted", &told.quote, &kept.quote);
    if told.reference.is_some() {
        compared.alike("its table or order", &told.reference, &kept.reference.as_ref().map(ToString::to_string));
    }
    compared.alike("how it is paid for", &told.paid, &paid(kept));
    compared.alike("how it ended, as it was last written down,", &told.settled, &kept.journaled);
    let (state, settled) = (sale.state(), told.settled.map(|(state, _)| state));
    if !matches!(told.paid, Paid::Cash { .. }) && state.is_some_and(PaymentState::is_settled) {
        compared.alike("how it stands", &settled, &state);
    }
    compared.same("its state's column", &sale.state_text().to_owned(), &row.state);
    compared.same("whether money came in on it", &sale.was_captured(), &(row.captured != 0));
    compare_refunds(&told.refunds, kept, &mut compared);
    compare_refund_rows(kept, refunds, &mut compared);
}

const fn paid(kept: &Kept) -> Paid {
    match &kept.stage {
        _ if kept.offline => Paid::Offline,
        _ if kept.stored => Paid::Stored,
        Stage::Cash { tendered_minor } => Paid::Cash { tendered_minor: *tendered_minor },
        Stage::Offline => Paid::Offline,
        Stage::Stored { .. } => Paid::Stored,
        Stage::Confirmed { .. } => Paid::Core(Method::MerchantPresented),
        Stage::Sending { method, .. } | Stage::Known { method, .. } | Stage::NotSent { method, .. } => {
            Paid::Core(*method)
        }
    }
}

pub(super) fn compare_refunds(told_here: &BTreeMap<RefundId, ToldRefund>, kept: &Kept, compared: &mut Compared<'_>) {
    for (refund, told) in told_here {
        let Some(held) = kept.refunds.iter().find(|held| held.refund == *refund) else {
            compared.differences.push(format!("{}: {refund} is not kept, and the entries have it", compared.of));
            continue;
        };
        compared.same(&format!("the amount of {refund}"), &told.amount.to_string(), &held.amount.to_string());
        compared.same(&format!("whether {refund} is a void"), &told.void, &held.void);
        match told.state {
            Some(state) => {
                let [told, held] = [state, held.state].map(|state| refund_state_text(state).to_owned());
                compared.same(&format!("the state of {refund}"), &told, &held);
            }
            None if !held.is_open() => {
                compared.differences.push(format!("{}: {refund} has ended, and no entry says so", compared.of));
            }
            None => {}
        }
    }
    // What core or the dashboard gave back is journaled there.
    for Refund { refund, .. } in kept.refunds.iter().filter(|held| held.keyed_here) {
        if !told_here.contains_key(refund) {
            compared.differences.push(format!("{}: {refund} was keyed here, and no entry says so", compared.of));
        }
    }
}

fn compare_refund_rows(kept: &Kept, mut rows: Vec<(String, String, i64, String)>, compared: &mut Compared<'_>) {
    let mut held: Vec<_> = kept
        .refunds
        .iter()
        .map(|held| {
            let (minor, currency) = (held.amount.minor(), held.amount.currency().code().to_owned());
            (held.refund.to_string(), refund_state_text(held.state).to_owned(), minor, currency)
        })
        .collect();
    held.sort();
    rows.sort();
    compared.alike("the list of its refunds", &held, &rows);
}

fn compare_shift(told: &ToldShift, held: &Shift, open: bool, compared: &mut Compared<'_>) {
    compared.alike("its cashier", &(&told.cashier, &told.cashier_number), &(&held.cashier, &held.cashier_number));
    compared.same("its float", &told.float, &held.float);
    compared.same("whether it is open", &told.closed.is_none(), &held.is_open());
    compared.same("whether its column says open", &told.closed.is_none(), &open);
    if let (Some((counted, expected)), Some(closed)) = (&told.closed, &held.closed) {
        compared.same("what was counted", counted, &closed.counted);
        compared.same("what was expected", expected, &closed.expected);
    }
}

//! What terminals' journals say of each sale and refund, and what core has of the same: the two sides of the terminal leg.

use std::collections::BTreeMap;

use diesel::{
    dsl::max,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use saoma_domain::batch::{Side, State, Subject};
use saoma_protocol::{
    Amount, BatchId, Currency, Millis, Money, PaymentId, RefundId, TerminalId,
    api::{PaymentState, RefundState},
};

use super::{
    Batch,
    schema::{terminal_refunds, terminal_sales},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Tag, Txt, corrupt},
    dialect::insert_or_ignore,
};

/// A sale as the journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSale {
    pub terminal: TerminalId,
    pub payment: PaymentId,
    /// `None`: keyed while no shift was open.
    pub batch: Option<BatchId>,
    /// Cash that is booked from the journal itself.
    pub cash: bool,
    pub amount: Amount,
    pub keyed_at: Millis,
}

/// A refund or void as the journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalRefund {
    pub terminal: TerminalId,
    pub refund: RefundId,
    pub payment: PaymentId,
    pub batch: Option<BatchId>,
    pub cash: bool,
    pub amount: Amount,
    pub keyed_at: Millis,
}

/// Notes a sale. One that the terminal's journal had before is left as it was.
///
/// # Errors
/// `NotFound` if the terminal is not the tenant's.
pub fn note_sale(tx: &mut Tx<'_>, scope: &TenantScope, sale: &TerminalSale) -> Result<(), StoreError> {
    let row = (
        terminal_sales::tenant_id.eq(Txt(scope.tenant())),
        terminal_sales::terminal_id.eq(Txt(sale.terminal)),
        terminal_sales::payment_id.eq(Txt(sale.payment)),
        terminal_sales::batch_id.eq(sale.batch.map(Txt)),
        terminal_sales::cash.eq(sale.cash),
        terminal_sales::currency.eq(Txt(sale.amount.currency())),
        terminal_sales::amount_minor.eq(sale.amount.minor()),
        terminal_sales::keyed_at.eq(sale.keyed_at.0),
        terminal_sales::state.eq(None::<Tag<PaymentState>>),
        terminal_sales::refunded_minor.eq(0_i64),
    );
    insert_or_ignore!(tx, scope, terminal_sales::table, row).map(drop)
}

/// Notes how the journal says that a sale stands. Of a sale that it never had, nothing is noted.
///
/// # Errors
/// None of its own.
pub fn note_sale_state(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    payment: PaymentId,
    state: PaymentState,
    refunded_minor: i64,
) -> Result<(), StoreError> {
    let row = terminal_sales::table
        .filter(terminal_sales::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_sales::terminal_id.eq(Txt(terminal)))
        .filter(terminal_sales::payment_id.eq(Txt(payment)));
    let changes = (terminal_sales::state.eq(Some(Tag(state))), terminal_sales::refunded_minor.eq(refunded_minor));
    tx.run(scope, |conn| diesel::update(row).set(changes).execute(conn)).map(drop)
}

/// Notes a refund. One that the terminal's journal had before is left as it was.
///
/// # Errors
/// `NotFound` if the terminal is not the tenant's.
pub fn note_refund(tx: &mut Tx<'_>, scope: &TenantScope, refund: &TerminalRefund) -> Result<(), StoreError> {
    let row = (
        terminal_refunds::tenant_id.eq(Txt(scope.tenant())),
        terminal_refunds::terminal_id.eq(Txt(refund.terminal)),
        terminal_refunds::refund_id.eq(Txt(refund.refund)),
        terminal_refunds::payment_id.eq(Txt(refund.payment)),
        terminal_refunds::batch_id.eq(refund.batch.map(Txt)),
        terminal_refunds::cash.eq(refund.cash),
        terminal_refunds::currency.eq(Txt(refund.amount.currency())),
        terminal_refunds::amount_minor.eq(refund.amount.minor()),
        terminal_refunds::keyed_at.eq(refund.keyed_at.0),
        terminal_refunds::state.eq(None::<Tag<RefundState>>),
        // Cash is given back when it is keyed.
        terminal_refunds::paid_batch_id.eq(refund.batch.filter(|_| refund.cash).map(Txt)),
    );
    insert_or_ignore!(tx, scope, terminal_refunds::table, row).map(drop)
}

/// Notes how the journal says that a refund stands, and in which open batch it went out if it did. Of a refund that it never
/// had, nothing is noted.
///
/// # Errors
/// None of its own.
pub fn note_refund_state(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    refund: RefundId,
    state: RefundState,
    batch: Option<BatchId>,
) -> Result<(), StoreError> {
    let row = || {
        terminal_refunds::table
            .filter(terminal_refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_refunds::terminal_id.eq(Txt(terminal)))
            .filter(terminal_refunds::refund_id.eq(Txt(refund)))
    };
    let changes = terminal_refunds::state.eq(Some(Tag(state)));
    tx.run(scope, |conn| diesel::update(row()).set(changes).execute(conn))?;
    if let (RefundState::Succeeded, Some(batch)) = (state, batch) {
        let first = row().filter(terminal_refunds::paid_batch_id.is_null());
        let paid = terminal_refunds::paid_batch_id.eq(Txt(batch));
        tx.run(scope, |conn| diesel::update(first).set(paid).execute(conn))?;
    }
    Ok(())
}

/// A batch begins: refunds keyed in an earlier one of its terminal that were found to have gone out since the last close are
/// of this one.
///
/// # Errors
/// `NotFound` if the batch is not the tenant's.
pub fn adopt_paid(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    batch: BatchId,
) -> Result<(), StoreError> {
    let paid = terminal_refunds::table
        .filter(terminal_refunds::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_refunds::terminal_id.eq(Txt(terminal)))
        .filter(terminal_refunds::state.eq(Some(Tag(RefundState::Succeeded))))
        .filter(terminal_refunds::batch_id.is_not_null())
        .filter(terminal_refunds::paid_batch_id.is_null());
    tx.run(scope, |conn| diesel::update(paid).set(terminal_refunds::paid_batch_id.eq(Txt(batch))).execute(conn))
        .map(drop)
}

/// When the first sale was keyed of which the terminal's journal is known here. `None`: of none.
///
/// # Errors
/// None of its own.
pub fn first_keyed_at(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
) -> Result<Option<Millis>, StoreError> {
    let first: Option<i64> = tx.run(scope, |conn| {
        terminal_sales::table
            .filter(terminal_sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_sales::terminal_id.eq(Txt(terminal)))
            .order(terminal_sales::keyed_at)
            .select(terminal_sales::keyed_at)
            .first(conn)
            .optional()
    })?;
    Ok(first.map(Millis))
}

/// The terminals whose journal has a sale keyed from `since` on, and when the last was.
///
/// # Errors
/// None of its own.
pub fn last_keyed(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    since: Millis,
) -> Result<BTreeMap<TerminalId, Millis>, StoreError> {
    let rows: Vec<(Txt<TerminalId>, Option<i64>)> = tx.run(scope, |conn| {
        terminal_sales::table
            .filter(terminal_sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(terminal_sales::keyed_at.ge(since.0))
            .group_by(terminal_sales::terminal_id)
            .select((terminal_sales::terminal_id, max(terminal_sales::keyed_at)))
            .load(conn)
    })?;
    Ok(rows.into_iter().filter_map(|(terminal, last)| Some((terminal.0, Millis(last?)))).collect())
}

/// What of a terminal is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// What was keyed in a closed batch.
    Batch { id: BatchId, terminal: TerminalId, from: Millis, to: Millis },
    /// What was keyed from a moment on and before another.
    Time { terminal: TerminalId, from: Millis, to: Millis },
    /// The same, while no shift was open.
    Loose { terminal: TerminalId, from: Millis, to: Millis },
}

impl Span {
    /// `None` while the batch is open.
    #[must_use]
    pub fn of(batch: &Batch) -> Option<Self> {
        let to = batch.closed.as_ref()?.at;
        Some(Self::Batch { id: batch.id, terminal: batch.terminal, from: batch.opened_at, to })
    }

    const fn window(&self) -> (TerminalId, Millis, Millis) {
        match self {
            Self::Batch { terminal, from, to, .. }
            | Self::Time { terminal, from, to }
            | Self::Loose { terminal, from, to } => (*terminal, *from, *to),
        }
    }
}

/// What the journal says of the channels' sales and refunds of a span.
///
/// # Errors
/// `Corrupt`.
pub fn terminal_says(tx: &mut Tx<'_>, scope: &TenantScope, span: &Span) -> Result<BTreeMap<Subject, Side>, StoreError> {
    let sales = "SELECT t.payment_id AS number, t.currency AS currency, t.amount_minor AS amount_minor, t.state AS state, \
                 t.refunded_minor AS refunded_minor FROM terminal_sales t WHERE t.tenant_id = $1 AND {span} AND NOT t.cash";
    let refunds = "SELECT t.refund_id AS number, t.currency AS currency, t.amount_minor AS amount_minor, t.state AS state, \
                   CAST(0 AS BIGINT) AS refunded_minor FROM terminal_refunds t \
                   WHERE t.tenant_id = $1 AND {span} AND NOT t.cash";
    let sales = of_span(tx, scope, span, sales)?.into_iter().map(Row::sale);
    let mut sides = sales.collect::<Result<BTreeMap<_, _>, _>>()?;
    for row in of_span(tx, scope, span, refunds)? {
        let (subject, side) = row.refund()?;
        sides.insert(subject, side);
    }
    Ok(sides)
}

/// What core has of the same, and of what else the terminal made in that time that its journal does not have at all.
///
/// # Errors
/// `Corrupt`.
pub fn core_says(tx: &mut Tx<'_>, scope: &TenantScope, span: &Span) -> Result<BTreeMap<Subject, Side>, StoreError> {
    // As the view has it that the terminal writes down: the whole of a void, and what is on its way back.
    const SALE: &str = "SELECT p.id AS number, p.currency AS currency, p.amount_minor AS amount_minor, \
                        p.public_state AS state, CAST(CASE WHEN p.state = 'voided' THEN p.amount_minor \
                        ELSE p.refunded_minor + p.reserved_minor END AS BIGINT) AS refunded_minor FROM payments p";
    const REFUND: &str = "SELECT r.id AS number, r.currency AS currency, r.amount_minor AS amount_minor, \
                          r.state AS state, CAST(0 AS BIGINT) AS refunded_minor FROM refunds r";
    let sales = format!(
        "{SALE} JOIN terminal_sales t \
         ON t.tenant_id = p.tenant_id AND t.payment_id = p.id AND t.terminal_id = p.terminal_id \
         WHERE t.tenant_id = $1 AND {{span}} AND NOT t.cash"
    );
    let refunds = format!(
        "{REFUND} JOIN terminal_refunds t \
         ON t.tenant_id = r.tenant_id AND t.refund_id = r.id AND t.terminal_id = r.requested_by \
         WHERE t.tenant_id = $1 AND {{span}} AND NOT t.cash"
    );
    // Terminals read no cards for their journals yet: what sells by card over the API is in none.
    let unknown_sales = format!(
        "{SALE} WHERE p.tenant_id = $1 AND p.terminal_id = $2 AND p.created_at >= $3 AND p.created_at < $4 \
         AND p.channel_account_id IS NOT NULL AND p.method <> 'card' AND NOT EXISTS (SELECT 1 FROM terminal_sales t \
           WHERE t.tenant_id = p.tenant_id AND t.terminal_id = p.terminal_id AND t.payment_id = p.id){}",
        outside_of_shifts(span, "p.created_at")
    );
    let unknown_refunds = format!(
        "{REFUND} JOIN payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id \
         WHERE r.tenant_id = $1 AND r.requested_by = $2 AND r.created_at >= $3 AND r.created_at < $4 \
         AND p.channel_account_id IS NOT NULL AND p.method <> 'card' AND NOT EXISTS (SELECT 1 FROM terminal_refunds t \
           WHERE t.tenant_id = r.tenant_id AND t.terminal_id = r.requested_by AND t.refund_id = r.id){}",
        outside_of_shifts(span, "r.created_at")
    );
    let mut sides = BTreeMap::new();
    for rows in [of_span(tx, scope, span, &sales)?, of_window(tx, scope, span, unknown_sales)?] {
        for row in rows {
            let (subject, side) = row.sale()?;
            sides.insert(subject, side);
        }
    }
    for rows in [of_span(tx, scope, span, &refunds)?, of_window(tx, scope, span, unknown_refunds)?] {
        for row in rows {
            let (subject, side) = row.refund()?;
            sides.insert(subject, side);
        }
    }
    Ok(sides)
}

/// `query` with what the span means for the journal's rows `t` in the place of `{span}`.
fn of_span(tx: &mut Tx<'_>, scope: &TenantScope, span: &Span, query: &str) -> Result<Vec<Row>, StoreError> {
    match span {
        Span::Batch { id, .. } => {
            let query = query.replace("{span}", "t.batch_id = $2");
            tx.run(scope, |conn| {
                sql_query(query).bind::<Text, _>(scope.tenant().to_string()).bind::<Text, _>(id.to_string()).load(conn)
            })
        }
        Span::Time { .. } => of_window(tx, scope, span, query.replace("{span}", WINDOW)),
        Span::Loose { .. } => {
            of_window(tx, scope, span, query.replace("{span}", &format!("{WINDOW} AND t.batch_id IS NULL")))
        }
    }
}

/// Of what a journal lacks it is not known whether a shift was open: that goes by the clock.
fn outside_of_shifts(span: &Span, made_at: &str) -> String {
    match span {
        Span::Batch { .. } | Span::Time { .. } => String::new(),
        Span::Loose { .. } => format!(
            " AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.tenant_id = $1 AND b.terminal_id = $2 \
             AND b.opened_at <= {made_at} AND (b.closed_at IS NULL OR b.closed_at > {made_at}))"
        ),
    }
}

const WINDOW: &str = "t.terminal_id = $2 AND t.keyed_at >= $3 AND t.keyed_at < $4";

fn of_window(tx: &mut Tx<'_>, scope: &TenantScope, span: &Span, query: String) -> Result<Vec<Row>, StoreError> {
    let (terminal, from, to) = span.window();
    tx.run(scope, |conn| {
        sql_query(query)
            .bind::<Text, _>(scope.tenant().to_string())
            .bind::<Text, _>(terminal.to_string())
            .bind::<BigInt, _>(from.0)
            .bind::<BigInt, _>(to.0)
            .load(conn)
    })
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    amount_minor: i64,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = BigInt)]
    refunded_minor: i64,
}

impl Row {
    fn sale(self) -> Result<(Subject, Side), StoreError> {
        let number = self.number.parse().map_err(|_| corrupt("the number of a sale"))?;
        let state = self.state.as_deref().map(tag::<PaymentState>).transpose()?.map(State::Sale);
        Ok((Subject::Sale(number), self.side(state)))
    }

    fn refund(self) -> Result<(Subject, Side), StoreError> {
        let number = self.number.parse().map_err(|_| corrupt("the number of a refund"))?;
        let state = match self.state.as_deref() {
            // Set aside by core and not sent yet: on the wire that is the same.
            Some("created") => Some(RefundState::Submitting),
            state => state.map(tag).transpose()?,
        };
        Ok((Subject::Refund(number), self.side(state.map(State::Refund))))
    }

    fn side(&self, state: Option<State>) -> Side {
        let money = Money::new(self.amount_minor, self.currency.0);
        Side { money, state, refunded_minor: self.refunded_minor }
    }
}

fn tag<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| corrupt(format!("{text:?} where a state is expected")))
}

//! What is being sold.

use diesel::prelude::*;
use saoma_protocol::{
    Amount, Currency, Millis, OrderId, PaymentId, Sequence, StoreId, TenantId, TerminalId, api::Goods,
};

use crate::{
    Insertion, StoreError, TenantScope, Tx,
    column::{Txt, amount, from_json, sequence, signed, to_json},
    dialect::insert_or_ignore,
    schema::orders,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub amount: Amount,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    /// The terminal's number of this sale.
    pub counter: Option<Sequence>,
    pub cashier: Option<String>,
    pub reference: Option<String>,
    pub goods: Vec<Goods>,
    pub created_at: Millis,
    /// The first payment whose success was booked to be kept.
    pub paid_by: Option<PaymentId>,
}

/// # Errors
/// None of its own.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, order: &Order) -> Result<Insertion, StoreError> {
    let row = OrderRow {
        tenant_id: Txt(scope.tenant()),
        id: Txt(order.id),
        store_id: Txt(order.store),
        terminal_id: order.terminal.map(Txt),
        counter: order.counter.map(|counter| signed(counter.0)),
        cashier: order.cashier.clone(),
        reference: order.reference.clone(),
        currency: Txt(order.amount.currency()),
        amount_minor: order.amount.minor(),
        goods_json: to_json(&order.goods)?,
        created_at: order.created_at.0,
        paid_by: order.paid_by.map(Txt),
    };
    match insert_or_ignore!(tx, scope, orders::table, &row)? {
        0 => Ok(Insertion::Existing),
        _ => Ok(Insertion::Inserted),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, order: OrderId) -> Result<Order, StoreError> {
    of_ids(tx, scope, &[order])?.pop().ok_or(StoreError::NotFound { what: "the order" })
}

/// Several orders, in no order.
pub(crate) fn of_ids(tx: &mut Tx<'_>, scope: &TenantScope, ids: &[OrderId]) -> Result<Vec<Order>, StoreError> {
    let rows: Vec<OrderRow> = tx.run(scope, |conn| {
        orders::table
            .filter(orders::tenant_id.eq(Txt(scope.tenant())))
            .filter(orders::id.eq_any(ids.iter().map(|id| Txt(*id))))
            .select(OrderRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Order::try_from).collect()
}

/// Lets `payment` be the one that paid the order. `false` if another one is: of two that come at once the first to commit
/// stays, and the other waits for that commit, so that neither is rolled back.
///
/// # Errors
/// `NotFound` if the order is not the tenant's.
pub fn keep(tx: &mut Tx<'_>, scope: &TenantScope, order: OrderId, payment: PaymentId) -> Result<bool, StoreError> {
    let unpaid = orders::table
        .filter(orders::tenant_id.eq(Txt(scope.tenant())))
        .filter(orders::id.eq(Txt(order)))
        .filter(orders::paid_by.is_null().or(orders::paid_by.eq(Txt(payment))));
    let kept = tx.run(scope, |conn| diesel::update(unpaid).set(orders::paid_by.eq(Txt(payment))).execute(conn))?;
    if kept == 0 {
        load(tx, scope, order)?;
    }
    Ok(kept == 1)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = orders)]
struct OrderRow {
    tenant_id: Txt<TenantId>,
    id: Txt<OrderId>,
    store_id: Txt<StoreId>,
    terminal_id: Option<Txt<TerminalId>>,
    counter: Option<i64>,
    cashier: Option<String>,
    reference: Option<String>,
    currency: Txt<Currency>,
    amount_minor: i64,
    goods_json: String,
    created_at: i64,
    paid_by: Option<Txt<PaymentId>>,
}

impl TryFrom<OrderRow> for Order {
    type Error = StoreError;

    fn try_from(row: OrderRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            amount: amount(row.amount_minor, row.currency.0)?,
            store: row.store_id.0,
            terminal: row.terminal_id.map(|terminal| terminal.0),
            counter: row.counter.map(sequence).transpose()?,
            cashier: row.cashier,
            reference: row.reference,
            goods: from_json(&row.goods_json, "the goods of an order")?,
            created_at: Millis(row.created_at),
            paid_by: row.paid_by.map(|payment| payment.0),
        })
    }
}

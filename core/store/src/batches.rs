//! Cashiers' shifts and the batches that they close, what moved the cash of each, and what they come to.

mod differences;
mod schema;
mod totals;
mod uncounted;
mod words;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::batch::Drawer;
use saoma_protocol::{Amount, BatchId, Currency, Millis, Money, Sequence, StoreId, TenantId, TerminalId};

use self::schema::{batches, drawer_movements};
pub use self::{
    differences::{
        OpenDay, Place, Stated, StoredDifference, differences, keep_differences, news, open_count, open_days,
    },
    totals::{Tally, Total, totals},
    uncounted::{Uncounted, accept_uncounted, keep_uncounted, sweep},
    words::{
        Span, TerminalRefund, TerminalSale, adopt_paid, core_says, first_keyed_at, last_keyed, note_refund,
        note_refund_state, note_sale, note_sale_state, terminal_says,
    },
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, found, sequence, signed},
};
pub(crate) use totals::REFUNDS;

/// What a terminal keyed from signing on to the close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: BatchId,
    pub store: StoreId,
    pub terminal: TerminalId,
    /// From 1, growing on each terminal.
    pub number: Sequence,
    pub cashier: String,
    /// As the merchant numbers its people; may be empty.
    pub cashier_number: String,
    /// Its currency is the batch's; 0 or more.
    pub float: Money,
    /// By the terminal's clock, as far as it is believed.
    pub opened_at: Millis,
    /// The journal's entry that began it.
    pub opened_sequence: Sequence,
    pub closed: Option<Closed>,
}

/// How a batch ended; sums in minor units of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub at: Millis,
    pub sequence: Sequence,
    pub by: String,
    /// What the books had in the drawer, what was counted, and what the terminal had expected.
    pub expected_minor: i64,
    pub counted_minor: i64,
    pub told_minor: i64,
    /// When core heard of it, by its own clock.
    pub received_at: Millis,
}

/// Which to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub store: Option<StoreId>,
    pub terminal: Option<TerminalId>,
    /// Opened at or after.
    pub from: Option<Millis>,
    /// Opened before.
    pub to: Option<Millis>,
}

/// A place in the list, by `opened_at`.
pub type Cursor = crate::Cursor<BatchId>;

/// Cash that neither a sale brought nor a refund took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawerMovement {
    pub batch: BatchId,
    /// The journal's entry.
    pub sequence: Sequence,
    /// Into the drawer, else out of it.
    pub is_in: bool,
    pub amount: Amount,
    pub reason: String,
    pub cashier: String,
    pub at: Millis,
}

/// Begins a batch.
///
/// # Errors
/// `NotFound` if store or terminal are not the tenant's, `Conflict` if the terminal has an open batch or one of that number.
pub fn open(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<(), StoreError> {
    let row = Row::new(scope, batch);
    tx.run(scope, |conn| diesel::insert_into(batches::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the terminal's open batch"))
}

/// Writes down how an open batch ended.
///
/// # Errors
/// `NotFound` if it is not open (any more).
pub fn close(tx: &mut Tx<'_>, scope: &TenantScope, batch: BatchId, closed: &Closed) -> Result<(), StoreError> {
    let open = row_of(scope, batch).filter(batches::closed_at.is_null());
    let changes = (
        batches::closed_at.eq(closed.at.0),
        batches::closed_sequence.eq(signed(closed.sequence.0)),
        batches::closed_by.eq(&closed.by),
        batches::expected_minor.eq(closed.expected_minor),
        batches::counted_minor.eq(closed.counted_minor),
        batches::told_minor.eq(closed.told_minor),
        batches::close_received_at.eq(closed.received_at.0),
    );
    found(tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn))?, "the open batch")
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, batch: BatchId) -> Result<Batch, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, batch).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the batch" })?.try_into()
}

/// The terminal's last batch, open or closed.
///
/// # Errors
/// None of its own.
pub fn last_of(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<Option<Batch>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        batches::table
            .filter(batches::tenant_id.eq(Txt(scope.tenant())))
            .filter(batches::terminal_id.eq(Txt(terminal)))
            .order(batches::number.desc())
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(Batch::try_from).transpose()
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Batch>, StoreError> {
    let mut query = batches::table
        .filter(batches::tenant_id.eq(Txt(scope.tenant())))
        .order((batches::opened_at.desc(), batches::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(store) = filter.store {
        query = query.filter(batches::store_id.eq(Txt(store)));
    }
    if let Some(terminal) = filter.terminal {
        query = query.filter(batches::terminal_id.eq(Txt(terminal)));
    }
    if let Some(from) = filter.from {
        query = query.filter(batches::opened_at.ge(from.0));
    }
    if let Some(to) = filter.to {
        query = query.filter(batches::opened_at.lt(to.0));
    }
    if let Some(Cursor { at: opened_at, id }) = after {
        let same_moment = batches::opened_at.eq(opened_at.0).and(batches::id.lt(Txt(id)));
        query = query.filter(batches::opened_at.lt(opened_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Batch::try_from).collect()
}

/// Closed batches that are worth another look, in the order of their ids: those whose close came in at `since` or later, and
/// those with a difference that may end by itself.
///
/// # Errors
/// None of its own.
pub fn to_compare(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    since: Millis,
    after: Option<BatchId>,
    limit: u32,
) -> Result<Vec<Batch>, StoreError> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let rows: Vec<Row> = tx.run(scope, |conn| {
        sql_query(
            "SELECT b.* FROM batches b WHERE b.tenant_id = $1 AND b.id > $2 AND b.closed_at IS NOT NULL AND b.id IN \
             (SELECT id FROM batches WHERE tenant_id = $1 AND close_received_at >= $3 \
              UNION SELECT place FROM leg_differences \
                WHERE tenant_id = $1 AND closed_at IS NULL AND class <> 'uncounted') \
             ORDER BY b.id LIMIT $4",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(after)
        .bind::<BigInt, _>(since.0)
        .bind::<BigInt, _>(i64::from(limit))
        .load(conn)
    })?;
    rows.into_iter().map(Batch::try_from).collect()
}

/// # Errors
/// `NotFound` if the batch is not the tenant's, `Conflict` if the entry was written down before.
pub fn move_cash(tx: &mut Tx<'_>, scope: &TenantScope, movement: &DrawerMovement) -> Result<(), StoreError> {
    let row = MovementRow {
        tenant_id: Txt(scope.tenant()),
        batch_id: Txt(movement.batch),
        sequence: signed(movement.sequence.0),
        kind: if movement.is_in { PAID_IN } else { PAID_OUT }.to_owned(),
        amount_minor: movement.amount.minor(),
        reason: movement.reason.clone(),
        cashier: movement.cashier.clone(),
        at: movement.at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(drawer_movements::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the drawer's movement"))
}

const PAID_IN: &str = "paid_in";
const PAID_OUT: &str = "paid_out";

/// In the order of the journal.
///
/// # Errors
/// `Corrupt`.
pub fn movements(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<Vec<DrawerMovement>, StoreError> {
    let rows: Vec<MovementRow> = tx.run(scope, |conn| {
        drawer_movements::table
            .filter(drawer_movements::tenant_id.eq(Txt(scope.tenant())))
            .filter(drawer_movements::batch_id.eq(Txt(batch.id)))
            .order(drawer_movements::sequence)
            .select(MovementRow::as_select())
            .load(conn)
    })?;
    let movement = |row: MovementRow| {
        Ok(DrawerMovement {
            batch: row.batch_id.0,
            sequence: sequence(row.sequence)?,
            is_in: row.kind == PAID_IN,
            amount: amount(row.amount_minor, batch.float.currency())?,
            reason: row.reason,
            cashier: row.cashier,
            at: Millis(row.at),
        })
    };
    rows.into_iter().map(movement).collect()
}

/// What moved the cash of the batch so far, of its currency.
///
/// # Errors
/// None of its own.
pub fn drawer(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<Drawer, StoreError> {
    let sums: DrawerRow = tx.run(scope, |conn| {
        sql_query(
            "SELECT CAST(COALESCE(SUM(CASE WHEN m.kind = 'sale' THEN m.amount_minor ELSE 0 END), 0) AS BIGINT) AS sales, \
             CAST(COALESCE(SUM(CASE WHEN m.kind = 'refund' THEN m.amount_minor ELSE 0 END), 0) AS BIGINT) AS given_back, \
             CAST(COALESCE(SUM(CASE WHEN m.kind = 'paid_in' THEN m.amount_minor ELSE 0 END), 0) AS BIGINT) AS paid_in, \
             CAST(COALESCE(SUM(CASE WHEN m.kind = 'paid_out' THEN m.amount_minor ELSE 0 END), 0) AS BIGINT) AS paid_out \
             FROM (SELECT 'sale' AS kind, amount_minor FROM terminal_sales \
               WHERE tenant_id = $1 AND batch_id = $2 AND currency = $3 AND cash \
             UNION ALL SELECT 'refund', amount_minor FROM terminal_refunds \
               WHERE tenant_id = $1 AND batch_id = $2 AND currency = $3 AND cash \
             UNION ALL SELECT kind, amount_minor FROM drawer_movements WHERE tenant_id = $1 AND batch_id = $2) m",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(batch.id.to_string())
        .bind::<Text, _>(batch.float.currency().code())
        .get_result(conn)
    })?;
    let money = |minor| Money::new(minor, batch.float.currency());
    Ok(Drawer {
        float: batch.float,
        sales: money(sums.sales),
        given_back: money(sums.given_back),
        paid_in: money(sums.paid_in),
        paid_out: money(sums.paid_out),
    })
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, batch: BatchId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<BatchId> = Txt(batch);
    batches::table.filter(batches::tenant_id.eq(tenant)).filter(batches::id.eq(id))
}

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = batches)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<BatchId>,
    store_id: Txt<StoreId>,
    terminal_id: Txt<TerminalId>,
    number: i64,
    cashier: String,
    cashier_number: String,
    currency: Txt<Currency>,
    float_minor: i64,
    opened_at: i64,
    opened_sequence: i64,
    closed_at: Option<i64>,
    closed_sequence: Option<i64>,
    closed_by: Option<String>,
    expected_minor: Option<i64>,
    counted_minor: Option<i64>,
    told_minor: Option<i64>,
    close_received_at: Option<i64>,
}

impl Row {
    fn new(scope: &TenantScope, batch: &Batch) -> Self {
        let closed = batch.closed.as_ref();
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(batch.id),
            store_id: Txt(batch.store),
            terminal_id: Txt(batch.terminal),
            number: signed(batch.number.0),
            cashier: batch.cashier.clone(),
            cashier_number: batch.cashier_number.clone(),
            currency: Txt(batch.float.currency()),
            float_minor: batch.float.minor(),
            opened_at: batch.opened_at.0,
            opened_sequence: signed(batch.opened_sequence.0),
            closed_at: closed.map(|closed| closed.at.0),
            closed_sequence: closed.map(|closed| signed(closed.sequence.0)),
            closed_by: closed.map(|closed| closed.by.clone()),
            expected_minor: closed.map(|closed| closed.expected_minor),
            counted_minor: closed.map(|closed| closed.counted_minor),
            told_minor: closed.map(|closed| closed.told_minor),
            close_received_at: closed.map(|closed| closed.received_at.0),
        }
    }
}

impl TryFrom<Row> for Batch {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let closed = match (row.closed_at, row.closed_sequence, row.closed_by) {
            (Some(at), Some(number), Some(by)) => {
                let sum = |minor: Option<i64>| minor.ok_or_else(|| corrupt("a closed batch without its sums"));
                Some(Closed {
                    at: Millis(at),
                    sequence: sequence(number)?,
                    by,
                    expected_minor: sum(row.expected_minor)?,
                    counted_minor: sum(row.counted_minor)?,
                    told_minor: sum(row.told_minor)?,
                    received_at: Millis(row.close_received_at.unwrap_or(at)),
                })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id.0,
            store: row.store_id.0,
            terminal: row.terminal_id.0,
            number: sequence(row.number)?,
            cashier: row.cashier,
            cashier_number: row.cashier_number,
            float: Money::new(row.float_minor, row.currency.0),
            opened_at: Millis(row.opened_at),
            opened_sequence: sequence(row.opened_sequence)?,
            closed,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = drawer_movements)]
struct MovementRow {
    tenant_id: Txt<TenantId>,
    batch_id: Txt<BatchId>,
    sequence: i64,
    kind: String,
    amount_minor: i64,
    reason: String,
    cashier: String,
    at: i64,
}

#[derive(QueryableByName)]
struct DrawerRow {
    #[diesel(sql_type = BigInt)]
    sales: i64,
    #[diesel(sql_type = BigInt)]
    given_back: i64,
    #[diesel(sql_type = BigInt)]
    paid_in: i64,
    #[diesel(sql_type = BigInt)]
    paid_out: i64,
}

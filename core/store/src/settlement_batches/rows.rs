//! What a batch is made of: the books' sets of an account, read as sales, refunds and voids.

use diesel::{
    dsl::count_star,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use saoma_domain::{
    ledger::Kind,
    settlement::{RowKind, Total, totals},
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, RefundId};

use super::{SettlementBatch, last};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, unsigned},
    ledger,
    payments::AHEAD_MS_MAX,
    schema::{payments, refunds},
    stored_cards::schema::stored_card_sales,
};

/// How far an account's first batch looks back: what is older, the scheme has closed by itself, before core settled with it.
const FIRST_LOOKS_BACK_MS: i64 = 48 * 3_600_000;

/// What is open of an account: confirmed, and in no batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub(super) after_set: i64,
    pub(super) through_set: i64,
    pub rows: u32,
    pub totals: Vec<Total>,
    /// When its first row came into the books. What a clock wrote that ran ahead says nothing: then the close before it, or long ago.
    pub since: Millis,
}

/// A row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    pub kind: RowKind,
    pub payment: PaymentId,
    pub reference: String,
    pub refund: Option<RefundId>,
    pub refund_reference: String,
    pub amount: Amount,
    pub at: Millis,
}

/// What is open of an account now, as far as one batch of `rows_max` rows goes: the first that came into the books.
///
/// # Errors
/// `Corrupt`.
pub fn open(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    rows_max: u32,
    now: Millis,
) -> Result<Open, StoreError> {
    let last = last(tx, scope, account)?;
    let after_set = match &last {
        Some(last) => last.through_set,
        None => ledger::last_set_before(tx, scope, now.plus(-FIRST_LOOKS_BACK_MS))?,
    };
    let read = read(tx, scope, account, (after_set, i64::MAX), 0, rows_max)?;
    let through_set = read.last().map_or(after_set, |read| read.set);
    let booked_at = read.first().map(|read| read.booked_at);
    let mut moments = booked_at.into_iter().chain(last.map(|last| last.closed_at));
    let since = moments.find(|at| *at <= now.plus(AHEAD_MS_MAX)).unwrap_or(Millis(0));
    let rows = u32::try_from(read.len()).map_err(|_| corrupt("a batch of more rows than can be counted"))?;
    let sums = totals(read.iter().map(|read| (read.row.kind, read.row.amount.money())));
    let totals = sums.ok_or_else(|| corrupt("a batch's totals past 64 bits"))?;
    Ok(Open { after_set, through_set, rows, totals, since })
}

/// Rows of a batch, in the order in which they came into the books, from after the first `skipped` on.
///
/// # Errors
/// `Corrupt`.
pub fn page(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: &SettlementBatch,
    skipped: u32,
    limit: u32,
) -> Result<Vec<BatchRow>, StoreError> {
    let sets = (batch.after_set, batch.through_set);
    let rows = read(tx, scope, batch.account, sets, skipped, limit)?;
    Ok(rows.into_iter().map(|read| read.row).collect())
}

/// Payments and refunds of the account that the scheme may yet confirm or undo, and that no person is called for: what a batch is not
/// closed among.
///
/// # Errors
/// None of its own.
pub fn in_flight(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId) -> Result<u64, StoreError> {
    let of_payments: i64 = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::channel_account_id.eq(Txt(account)))
            .filter(payments::attention_at.is_null())
            .filter(payments::next_attempt_at.is_not_null())
            .filter(payments::state.eq_any(["submitting", "pending", "unknown"]).or(payments::close.eq("asked")))
            .count()
            .get_result(conn)
    })?;
    let of_refunds: i64 = tx.run(scope, |conn| {
        refunds::table
            .inner_join(
                payments::table
                    .on(payments::tenant_id.eq(refunds::tenant_id).and(payments::id.eq(refunds::payment_id))),
            )
            .filter(refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::channel_account_id.eq(Txt(account)))
            .filter(refunds::attention_at.is_null())
            .filter(refunds::next_attempt_at.is_not_null())
            .filter(refunds::state.eq_any(["created", "submitting", "pending", "unknown"]))
            .select(count_star())
            .get_result(conn)
    })?;
    // What was sold without a network is told before the batch ends.
    let of_stored: i64 = tx.run(scope, |conn| {
        stored_card_sales::table
            .inner_join(
                payments::table.on(payments::tenant_id
                    .eq(stored_card_sales::tenant_id)
                    .and(payments::id.eq(stored_card_sales::payment_id))),
            )
            .filter(stored_card_sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(stored_card_sales::channel_account_id.eq(Txt(account)))
            .filter(stored_card_sales::ended_at.is_null())
            .filter(payments::attention_at.is_null())
            .select(count_star())
            .get_result(conn)
    })?;
    Ok(unsigned(of_payments)? + unsigned(of_refunds)? + unsigned(of_stored)?)
}

fn read(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    (after_set, through_set): (i64, i64),
    skipped: u32,
    limit: u32,
) -> Result<Vec<Read>, StoreError> {
    let [captured, refunded, undone] = [Kind::Captured, Kind::RefundSucceeded, Kind::Undone].map(Kind::text);
    let query = sql_query(format!(
        "SELECT s.id AS set_id, s.booked_at AS booked_at, s.kind AS kind, s.at AS at, p.id AS payment, p.channel_reference AS reference, \
           r.id AS refund, r.kind AS refund_kind, r.channel_reference AS refund_reference, \
           COALESCE(r.amount_minor, p.amount_minor) AS amount_minor, p.currency AS currency \
         FROM posting_sets s \
           JOIN payments p ON p.tenant_id = s.tenant_id AND p.id = s.payment_id \
           LEFT JOIN refunds r ON r.tenant_id = s.tenant_id AND r.id = s.refund_id \
         WHERE s.tenant_id = $1 AND s.channel_account_id = $2 AND s.part = 0 \
           AND s.kind IN ('{captured}', '{refunded}', '{undone}') AND s.id > $3 AND s.id <= $4 \
         ORDER BY s.id LIMIT $5 OFFSET $6"
    ))
    .bind::<Text, _>(scope.tenant().to_string())
    .bind::<Text, _>(account.to_string())
    .bind::<BigInt, _>(after_set)
    .bind::<BigInt, _>(through_set)
    .bind::<BigInt, _>(i64::from(limit))
    .bind::<BigInt, _>(i64::from(skipped));
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Row::read).collect()
}

/// A row, and where it stands in the books.
struct Read {
    set: i64,
    booked_at: Millis,
    row: BatchRow,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    set_id: i64,
    #[diesel(sql_type = BigInt)]
    booked_at: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Text)]
    payment: Txt<PaymentId>,
    #[diesel(sql_type = Nullable<Text>)]
    reference: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    refund: Option<Txt<RefundId>>,
    #[diesel(sql_type = Nullable<Text>)]
    refund_kind: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    refund_reference: Option<String>,
    #[diesel(sql_type = BigInt)]
    amount_minor: i64,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
}

impl Row {
    fn read(self) -> Result<Read, StoreError> {
        let kind = if self.kind == Kind::Captured.text() {
            RowKind::Sale
        } else if self.kind == Kind::Undone.text() || self.refund_kind.as_deref() == Some("void") {
            RowKind::Void
        } else {
            RowKind::Refund
        };
        let row = BatchRow {
            kind,
            payment: self.payment.0,
            reference: self.reference.unwrap_or_default(),
            refund: self.refund.map(|refund| refund.0),
            refund_reference: self.refund_reference.unwrap_or_default(),
            amount: amount(self.amount_minor, self.currency.0)?,
            at: Millis(self.at),
        };
        Ok(Read { set: self.set_id, booked_at: Millis(self.booked_at), row })
    }
}

//! What a batch is made of: the books' sets of an account, read as sales, refunds and voids.

use diesel::{
    dsl::{count_star, max},
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use saoma_domain::{
    ledger::Kind,
    settlement::{RowKind, Total, UnderWay, totals},
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, RefundId};

use super::{
    CALL_MS_MAX, SettlementBatch,
    accounts::{first_set, settling},
    last,
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, unsigned},
    hand_settlements,
    payments::AHEAD_MS_MAX,
    schema::{payments, posting_sets, refunds},
    stored_cards::schema::stored_card_sales,
};

/// What is open of an account: confirmed, and in no batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub(super) after_set: i64,
    pub(super) through_set: i64,
    pub rows: u32,
    pub totals: Vec<Total>,
}

/// What is open, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// At most as many as were asked for.
    pub rows: u32,
    /// When the first came into the books. What a clock wrote that ran ahead says nothing: then the close before it, or long ago.
    pub since: Millis,
}

/// Where a row of a batch stands in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowAt(pub(super) i64);

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
    let after_set = after_set(tx, scope, account, last.as_ref(), now)?;
    let read = read(tx, scope, account, (after_set, i64::MAX), rows_max)?;
    let through_set = read.last().map_or(after_set, |read| read.set.0);
    let rows = u32::try_from(read.len()).map_err(|_| corrupt("a batch of more rows than can be counted"))?;
    let sums = totals(read.iter().map(|read| (read.row.kind, read.row.amount.money())));
    let totals = sums.ok_or_else(|| corrupt("a batch's totals past 64 bits"))?;
    Ok(Open { after_set, through_set, rows, totals })
}

/// How many rows are open, up to `enough`, and since when; `None` if none is. Reads no payment.
///
/// # Errors
/// `Corrupt`.
pub fn glance(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    enough: u32,
    now: Millis,
) -> Result<Option<Glance>, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n_rows: i64,
        #[diesel(sql_type = Nullable<BigInt>)]
        first: Option<i64>,
    }
    let last = last(tx, scope, account)?;
    let after_set = after_set(tx, scope, account, last.as_ref(), now)?;
    let [captured, refunded, undone] = [Kind::Captured, Kind::RefundSucceeded, Kind::Undone].map(Kind::text);
    let query = sql_query(format!(
        "SELECT COUNT(*) AS n_rows, MIN(booked_at) AS first FROM (SELECT s.booked_at FROM posting_sets s \
           WHERE s.tenant_id = $1 AND s.channel_account_id = $2 AND s.part = 0 \
             AND s.kind IN ('{captured}', '{refunded}', '{undone}') AND s.id > $3 AND {COUNTS} ORDER BY s.id LIMIT $4) AS open"
    ))
    .bind::<Text, _>(scope.tenant().to_string())
    .bind::<Text, _>(account.to_string())
    .bind::<BigInt, _>(after_set)
    .bind::<BigInt, _>(i64::from(enough));
    let row: Row = tx.run(scope, |conn| query.get_result(conn))?;
    let Some(first) = row.first else { return Ok(None) };
    let mut moments = [Some(Millis(first)), last.map(|last| last.closed_at)].into_iter().flatten();
    let since = moments.find(|at| *at <= now.plus(AHEAD_MS_MAX)).unwrap_or(Millis(0));
    let rows = u32::try_from(row.n_rows).map_err(|_| corrupt("more rows than were asked for"))?;
    Ok(Some(Glance { rows, since }))
}

/// Behind which set what is open of an account begins.
fn after_set(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    last: Option<&SettlementBatch>,
    now: Millis,
) -> Result<i64, StoreError> {
    if let Some(last) = last {
        return Ok(last.through_set);
    }
    match settling(tx, scope, account)? {
        Some(settling) => Ok(settling.from_set),
        None => first_set(tx, scope, now),
    }
}

/// Rows of a batch that were not uploaded yet, in the order in which they came into the books.
///
/// # Errors
/// `Corrupt`.
pub fn page(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: &SettlementBatch,
    limit: u32,
) -> Result<Vec<(RowAt, BatchRow)>, StoreError> {
    // A node of before writes no place down: the batch's own beginning then.
    let sets = (batch.sent_through.0.max(batch.after_set), batch.through_set);
    let rows = read(tx, scope, batch.account, sets, limit)?;
    Ok(rows.into_iter().map(|read| (read.set, read.row)).collect())
}

/// What of the account has no end, and no person called for it: what a batch is not closed among. What may be going out is under way
/// whoever is called.
///
/// # Errors
/// None of its own.
pub fn under_way(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<UnderWay, StoreError> {
    // An answer that calls a person may come while the call is out that began it; what was called for before is in `busy`.
    let (lately, soon) = (now.0 - CALL_MS_MAX + 1, now.plus(CALL_MS_MAX).0);
    let of_payments: i64 = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::channel_account_id.eq(Txt(account)))
            .filter(payments::attention_at.is_null().or(payments::updated_at.between(lately, soon)))
            .filter(payments::next_attempt_at.is_not_null())
            .filter(payments::state.eq_any(["submitting", "pending", "unknown"]).or(payments::close.eq("asked")))
            .count()
            .get_result(conn)
    })?;
    let of_refunds: Vec<(String, i64)> = tx.run(scope, |conn| {
        refunds::table
            .inner_join(
                payments::table
                    .on(payments::tenant_id.eq(refunds::tenant_id).and(payments::id.eq(refunds::payment_id))),
            )
            .filter(refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::channel_account_id.eq(Txt(account)))
            .filter(refunds::attention_at.is_null().or(refunds::updated_at.between(lately, soon)))
            .filter(refunds::next_attempt_at.is_not_null())
            .filter(refunds::state.eq_any(["created", "submitting", "pending", "unknown"]))
            .group_by(refunds::state)
            .select((refunds::state, count_star()))
            .load(conn)
    })?;
    // What was sold without a network is told before the batch ends, but for what does not go out by itself.
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
            .filter(stored_card_sales::next_attempt_at.is_not_null())
            .filter(payments::attention_at.is_null().or(payments::updated_at.between(lately, soon)))
            .select(count_star())
            .get_result(conn)
    })?;
    let busy = settling(tx, scope, account)?.is_some_and(|settling| settling.is_busy(now));
    let sent = unsigned(of_payments)? + unsigned(of_stored)? + u64::from(busy);
    let mut under_way = UnderWay { sent, unsent: 0 };
    for (state, count) in of_refunds {
        let side = if state == "created" { &mut under_way.unsent } else { &mut under_way.sent };
        *side += unsigned(count)?;
    }
    Ok(under_way)
}

/// Whether the payment's capture is in a batch, or before the first one: it can be given back then, and not undone any more.
///
/// # Errors
/// None of its own.
pub fn is_in_batch(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    payment: PaymentId,
) -> Result<bool, StoreError> {
    let Some(last) = last(tx, scope, account)? else { return Ok(false) };
    let set: Option<i64> = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::payment_id.eq(Txt(payment)))
            .filter(posting_sets::channel_account_id.eq(Txt(account)))
            .filter(posting_sets::part.eq(0))
            .filter(posting_sets::kind.eq(Kind::Captured.text()))
            .select(max(posting_sets::id))
            .first(conn)
    })?;
    Ok(set.is_some_and(|set| set <= last.through_set))
}

/// What persons called paid turned out never to be: the scheme counts neither that nor its undoing. A batch that is closed keeps what is in
/// it; all that comes behind it is in none. In the tenant's turn at the books ([`crate::ledger::take_turn`]), like a close.
///
/// # Errors
/// None of its own.
pub fn leave_out(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    payment: PaymentId,
) -> Result<(), StoreError> {
    let behind = last(tx, scope, account)?.map_or(0, |last| last.through_set);
    hand_settlements::deny(tx, scope, payment, behind)
}

/// The rows of a batch are open again, which is about to be taken back: what was denied behind it is in the next one neither. In the tenant's
/// turn at the books.
///
/// # Errors
/// None of its own.
pub fn open_again(tx: &mut Tx<'_>, scope: &TenantScope, batch: &SettlementBatch) -> Result<(), StoreError> {
    hand_settlements::deny_from(tx, scope, batch.through_set, batch.after_set)
}

/// Of the sets `s`: whether it is anything that the scheme has, as far as anybody knows.
const COUNTS: &str = "NOT EXISTS (SELECT 1 FROM hand_settlements h \
    WHERE h.tenant_id = s.tenant_id AND h.payment_id = s.payment_id AND h.denied_behind < s.id)";

fn read(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    (after_set, through_set): (i64, i64),
    limit: u32,
) -> Result<Vec<Read>, StoreError> {
    let [captured, refunded, undone] = [Kind::Captured, Kind::RefundSucceeded, Kind::Undone].map(Kind::text);
    let query = sql_query(format!(
        "SELECT s.id AS set_id, s.kind AS kind, s.at AS at, p.id AS payment, p.channel_reference AS reference, \
           r.id AS refund, r.kind AS refund_kind, r.channel_reference AS refund_reference, \
           COALESCE(r.amount_minor, p.amount_minor) AS amount_minor, p.currency AS currency \
         FROM posting_sets s \
           JOIN payments p ON p.tenant_id = s.tenant_id AND p.id = s.payment_id \
           LEFT JOIN refunds r ON r.tenant_id = s.tenant_id AND r.id = s.refund_id \
         WHERE s.tenant_id = $1 AND s.channel_account_id = $2 AND s.part = 0 \
           AND s.kind IN ('{captured}', '{refunded}', '{undone}') AND s.id > $3 AND s.id <= $4 AND {COUNTS} \
         ORDER BY s.id LIMIT $5"
    ))
    .bind::<Text, _>(scope.tenant().to_string())
    .bind::<Text, _>(account.to_string())
    .bind::<BigInt, _>(after_set)
    .bind::<BigInt, _>(through_set)
    .bind::<BigInt, _>(i64::from(limit));
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Row::read).collect()
}

/// A row, and where it stands in the books.
struct Read {
    set: RowAt,
    row: BatchRow,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    set_id: i64,
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
        Ok(Read { set: RowAt(self.set_id), row })
    }
}

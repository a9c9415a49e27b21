//! What a batch comes to by channel, and which refunds are its own.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_protocol::{BatchId, Currency};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, unsigned},
};

/// The refunds of the batch `$2` of the tenant `$1`: what its terminal gave back and learned of in it, and what anybody but a
/// terminal gave back of its sales. A terminal's journal can name what is not its own: that is not of its batch.
pub const REFUNDS: &str = "SELECT t.refund_id FROM terminal_refunds t JOIN refunds k \
       ON k.tenant_id = t.tenant_id AND k.id = t.refund_id AND k.requested_by = t.terminal_id \
       WHERE t.tenant_id = $1 AND t.paid_batch_id = $2 \
     UNION ALL SELECT k.id FROM terminal_sales t JOIN payments q \
       ON q.tenant_id = t.tenant_id AND q.id = t.payment_id AND q.terminal_id = t.terminal_id \
       JOIN refunds k ON k.tenant_id = t.tenant_id AND k.payment_id = t.payment_id \
       WHERE t.tenant_id = $1 AND t.batch_id = $2 AND NOT EXISTS (SELECT 1 FROM terminal_refunds x \
         WHERE x.tenant_id = k.tenant_id AND x.refund_id = k.id AND x.terminal_id = k.requested_by)";

/// What one channel comes to in a batch, as the payments and refunds stand now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Name of the plugin, or `cash`.
    pub channel: String,
    pub currency: Currency,
    /// Captured, whatever became of them later.
    pub sales: Tally,
    /// Given back: by the terminal in this batch, also of sales of earlier ones, and of its sales by anybody else.
    pub refunds: Tally,
    pub voids: Tally,
}

/// How many, and how much in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub minor: i64,
}

/// By channel and currency, in the order of their names. Only payments that the terminal itself made count as its sales.
///
/// # Errors
/// `Corrupt` for what is not in the form of these columns.
pub fn totals(tx: &mut Tx<'_>, scope: &TenantScope, batch: BatchId) -> Result<Vec<Total>, StoreError> {
    let rows: Vec<TotalRow> = tx.run(scope, |conn| {
        sql_query(format!(
            "SELECT m.channel AS channel, m.currency AS currency, m.kind AS kind, COUNT(*) AS n, \
             CAST(SUM(m.amount_minor) AS BIGINT) AS sum_minor FROM \
             (SELECT p.channel AS channel, p.currency AS currency, 'sale' AS kind, p.amount_minor AS amount_minor \
                FROM terminal_sales t JOIN payments p \
                ON p.tenant_id = t.tenant_id AND p.id = t.payment_id AND p.terminal_id = t.terminal_id \
                WHERE t.tenant_id = $1 AND t.batch_id = $2 AND p.captured_at IS NOT NULL \
              UNION ALL SELECT p.channel, r.currency, CASE WHEN r.kind = 'void' THEN 'void' ELSE 'refund' END, \
                r.amount_minor \
                FROM refunds r JOIN payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id \
                WHERE r.tenant_id = $1 AND r.state = 'succeeded' AND r.id IN ({REFUNDS})) m \
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ))
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(batch.to_string())
        .load(conn)
    })?;
    let mut totals: Vec<Total> = Vec::new();
    for row in rows {
        let is_same = |last: &Total| last.channel == row.channel && last.currency == row.currency.0;
        if !totals.last().is_some_and(is_same) {
            totals.push(Total {
                channel: row.channel.clone(),
                currency: row.currency.0,
                sales: Tally::default(),
                refunds: Tally::default(),
                voids: Tally::default(),
            });
        }
        let tally = Tally { count: unsigned(row.n)?, minor: row.sum_minor };
        let Some(total) = totals.last_mut() else { continue };
        match row.kind.as_str() {
            "sale" => total.sales = tally,
            "void" => total.voids = tally,
            "refund" => total.refunds = tally,
            other => return Err(corrupt(format!("a refund by a terminal that is a {other:?}"))),
        }
    }
    Ok(totals)
}

#[derive(QueryableByName)]
struct TotalRow {
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}

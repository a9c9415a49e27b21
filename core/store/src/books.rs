//! One terminal's books, to compare with its journal.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_protocol::{Currency, Money, TerminalId, api::TerminalBooks};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, unsigned},
    journal, terminals,
};

/// Sums over the terminal's captured payments (voided ones too) and over the refunds and voids of them that succeeded.
///
/// # Errors
/// `NotFound` if the terminal is not the tenant's.
pub fn of_terminal(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<TerminalBooks, StoreError> {
    terminals::load(tx, scope, terminal)?;
    let journal_through = journal::through(tx, scope, terminal)?.sequence;
    let (sales_count, sales) = sums(
        tx,
        scope,
        terminal,
        "SELECT currency, COUNT(*) AS n, CAST(SUM(amount_minor) AS BIGINT) AS sum_minor FROM payments \
         WHERE tenant_id = $1 AND terminal_id = $2 AND captured_at IS NOT NULL GROUP BY currency ORDER BY currency",
    )?;
    let (refunds_count, refunds) = sums(
        tx,
        scope,
        terminal,
        "SELECT r.currency AS currency, COUNT(*) AS n, CAST(SUM(r.amount_minor) AS BIGINT) AS sum_minor FROM refunds r \
         JOIN payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id \
         WHERE r.tenant_id = $1 AND p.terminal_id = $2 AND r.state = 'succeeded' GROUP BY r.currency ORDER BY r.currency",
    )?;
    Ok(TerminalBooks { journal_through, sales_count, sales, refunds_count, refunds })
}

/// How many in all, and one sum per currency.
fn sums(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    query: &str,
) -> Result<(u64, Vec<Money>), StoreError> {
    let rows: Vec<SumRow> = tx.run(scope, |conn| {
        sql_query(query).bind::<Text, _>(scope.tenant().to_string()).bind::<Text, _>(terminal.to_string()).load(conn)
    })?;
    let count = rows.iter().map(|row| row.n).sum();
    Ok((unsigned(count)?, rows.into_iter().map(|row| Money::new(row.sum_minor, row.currency.0)).collect()))
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}

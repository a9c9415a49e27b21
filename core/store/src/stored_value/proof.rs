//! Whether what accounts say they hold is what moved on them, and what the books owe their holders.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_protocol::Currency;

use crate::{StoreError, TenantScope, Tx, column::Txt, ledger::Finding};

/// Accounts whose balance is not the sum of their movements.
///
/// # Errors
/// None of its own.
pub(crate) fn check_balances(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Finding>, StoreError> {
    let rows: Vec<BalanceRow> = tx.run(scope, |conn| {
        sql_query(
            "SELECT a.id AS id, a.balance_minor AS balance_minor, \
             CAST(COALESCE(SUM(m.amount_minor), 0) AS BIGINT) AS sum_minor FROM stored_value_accounts a \
             LEFT JOIN stored_value_movements m ON m.tenant_id = a.tenant_id AND m.account_id = a.id \
             WHERE a.tenant_id = $1 GROUP BY a.id, a.balance_minor \
             HAVING a.balance_minor <> COALESCE(SUM(m.amount_minor), 0) ORDER BY a.id",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .load(conn)
    })?;
    let finding = |row: BalanceRow| Finding {
        subject: row.id,
        code: "stored_value_balance",
        detail: format!("it says {} minor units, and its movements sum to {}", row.balance_minor, row.sum_minor),
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Currencies in which holders have another sum than the books owe them. `owed_minor`: by currency, a debt positive.
///
/// # Errors
/// None of its own.
pub(crate) fn check_owed(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    mut owed_minor: BTreeMap<Currency, i128>,
) -> Result<Vec<Finding>, StoreError> {
    let rows: Vec<HeldRow> = tx.run(scope, |conn| {
        sql_query(
            "SELECT currency, CAST(SUM(balance_minor) AS BIGINT) AS held_minor FROM stored_value_accounts \
             WHERE tenant_id = $1 GROUP BY currency",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .load(conn)
    })?;
    for row in rows {
        *owed_minor.entry(row.currency.0).or_default() -= i128::from(row.held_minor);
    }
    let differ = owed_minor.into_iter().filter(|(_, difference)| *difference != 0);
    let finding = |(currency, difference): (Currency, i128)| Finding {
        subject: format!("stored value in {currency}"),
        code: "stored_value",
        detail: format!("the books owe holders {difference} minor units more than their accounts hold"),
    };
    Ok(differ.map(finding).collect())
}

#[derive(QueryableByName)]
struct BalanceRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    balance_minor: i64,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}

#[derive(QueryableByName)]
struct HeldRow {
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    held_minor: i64,
}

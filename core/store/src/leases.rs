//! Putting off the ends of leases that a worker holds, as `claim_due_for_resolving` of payments and of refunds gave them.

use diesel::prelude::*;
use saoma_protocol::{Millis, PaymentId, RefundId, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::Txt,
    dialect::claim,
    schema::{payments, refunds},
};

/// What became of a lease that was to be put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Done,
    /// Somebody else has the row at this moment: it is the worker's as before, and may be put off a moment later.
    Later,
    /// It is not the worker's any more: the row was saved, planned anew, or taken by another after the end.
    Lost,
}

macro_rules! renew {
    ($tx:expr, $scope:expr, $table:ident, $id:expr, $from:expr, $until:expr) => {{
        let row = || {
            $table::table
                .filter($table::tenant_id.eq::<Txt<TenantId>>(Txt($scope.tenant())))
                .filter($table::id.eq(Txt($id)))
                .filter($table::lease_until.eq($from.0))
        };
        // Never waits for a row: others' leases go on in the same transaction.
        let free: Vec<Option<i64>> = claim!($tx, $scope, row().select($table::lease_until))?;
        if free.is_empty() {
            let held: i64 = $tx.run($scope, |conn| row().count().get_result(conn))?;
            return Ok(if held == 0 { Renewal::Lost } else { Renewal::Later });
        }
        let renewed = diesel::update(row()).set($table::lease_until.eq($until.0));
        let rows = $tx.run($scope, |conn| renewed.execute(conn))?;
        Ok(if rows == 1 { Renewal::Done } else { Renewal::Lost })
    }};
}

/// Puts the end of a payment's lease off from `from` to `until`.
///
/// # Errors
/// None of its own.
pub fn renew_of_payment(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    from: Millis,
    until: Millis,
) -> Result<Renewal, StoreError> {
    renew!(tx, scope, payments, payment, from, until)
}

/// Puts the end of a refund's lease off from `from` to `until`.
///
/// # Errors
/// None of its own.
pub fn renew_of_refund(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: RefundId,
    from: Millis,
    until: Millis,
) -> Result<Renewal, StoreError> {
    renew!(tx, scope, refunds, refund, from, until)
}

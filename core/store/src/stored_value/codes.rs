//! The one-time codes that holders show. Only a hash of each is kept, and an account has one at a time.

use diesel::prelude::*;
use saoma_protocol::{Millis, StoredValueAccountId, TenantId};

use super::schema::stored_value_codes as codes;
use crate::{StoreError, TenantScope, Tx, column::Txt, dialect::upsert};

/// Makes this the account's code, by SHA-256 of it: the one before is good for nothing any more.
///
/// # Errors
/// `NotFound` if the account is not the tenant's.
pub fn put(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: StoredValueAccountId,
    code_hash: &[u8; 32],
    expires_at: Millis,
) -> Result<(), StoreError> {
    super::load(tx, scope, account)?;
    let row = (
        codes::tenant_id.eq(Txt(scope.tenant())),
        codes::account_id.eq(Txt(account)),
        codes::code_hash.eq(code_hash.as_slice()),
        codes::expires_at.eq(expires_at.0),
    );
    let changes = (codes::code_hash.eq(code_hash.as_slice()), codes::expires_at.eq(expires_at.0));
    upsert!(tx, scope, codes::table, row, (codes::tenant_id, codes::account_id), changes).map(drop)
}

/// Uses a code up, whether it is still good or not: whose it was, and until when it was good.
///
/// # Errors
/// None of its own.
pub fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    code_hash: &[u8; 32],
) -> Result<Option<(StoredValueAccountId, Millis)>, StoreError> {
    let of_code =
        codes::table.filter(codes::tenant_id.eq(Txt(scope.tenant()))).filter(codes::code_hash.eq(code_hash.as_slice()));
    let found: Option<(Txt<StoredValueAccountId>, i64)> =
        tx.run(scope, |conn| of_code.select((codes::account_id, codes::expires_at)).first(conn).optional())?;
    if found.is_some() {
        tx.run(scope, |conn| diesel::delete(of_code).execute(conn))?;
    }
    Ok(found.map(|(account, expires_at)| (account.0, Millis(expires_at))))
}

/// Leaves the account without a code.
///
/// # Errors
/// None of its own.
pub fn kill(tx: &mut Tx<'_>, scope: &TenantScope, account: StoredValueAccountId) -> Result<(), StoreError> {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let of_account = codes::table.filter(codes::tenant_id.eq(tenant)).filter(codes::account_id.eq(Txt(account)));
    tx.run(scope, |conn| diesel::delete(of_account).execute(conn)).map(drop)
}

//! A close that a person takes back: one that waits for what is under way, or a batch of which nothing ever left.
//!
//! Neither side has counted anything then, so that nothing is lost by it: what would have been in the batch is in the next one. Core wants
//! none of the account before the merchant's next day; a person may close one at any time. What the scheme may have is never taken back:
//! that batch comes to its end, or a person gives it up.

use saoma_domain::settlement::Drain;
use saoma_protocol::{ChannelAccountId, Millis, SettlementBatchId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit, ledger,
    settlement_batches::{self as batches, Resolved, SettlementBatch},
};

use super::{SettlementCloseView, SettlementError};

/// A person takes a batch back of which nothing ever left.
///
/// # Errors
/// `Store` (`NotFound`, `Stale`), `MayBeSent`, also while a node has it in hand.
pub fn cancel_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    id: SettlementBatchId,
    version: u64,
    reason: &str,
    by: &str,
    now: Millis,
) -> Result<SettlementBatch, SettlementError> {
    let account = batches::load(tx, scope, id)?.account;
    // What is open of the account changes: nothing is closed or booked meanwhile.
    batches::take_turn(tx, scope, account)?;
    ledger::take_turn(tx, scope)?;
    let mut batch = batches::load(tx, scope, id)?;
    if !batch.state.is_cancellable(batch.unsent) || batch.lease_until.is_some() {
        return Err(SettlementError::MayBeSent(batch.state.text()));
    }
    if batch.version != version {
        return Err(StoreError::Stale { what: "the settlement batch" }.into());
    }
    batches::open_again(tx, scope, &batch)?;
    batch.take_back(Resolved { by: by.to_owned(), at: now, reason: reason.to_owned() });
    batches::save(tx, scope, &mut batch)?;
    batches::put_off(tx, scope, account, now)?;
    let about = serde_json::json!({ "channel_account": account, "rows": batch.rows, "reason": reason });
    let entry = audit::NewEntry::new(by, "settlement_batch.cancelled", &id, &about, now);
    audit::append(tx, scope, &entry)?;
    Ok(batch)
}

/// A person takes a close back that waits for payments under way; those held back for it go on.
///
/// # Errors
/// `NoneWaits`; `Store` (`NotFound`, `Stale` if the one that waits is wanted since another moment).
pub fn cancel_close_in(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    wanted_at: Millis,
    reason: &str,
    by: &str,
    now: Millis,
) -> Result<SettlementCloseView, SettlementError> {
    batches::take_turn(tx, scope, account)?;
    let drain: Option<Drain> = batches::settling(tx, scope, account)?.and_then(|settling| settling.drain);
    let drain = drain.filter(|drain| drain.is_wanted_at(now)).ok_or(SettlementError::NoneWaits)?;
    if drain.wanted_at != wanted_at {
        return Err(StoreError::Stale { what: "the close that waits" }.into());
    }
    let under_way = batches::under_way(tx, scope, account, now)?.sent;
    batches::put_off(tx, scope, account, now)?;
    let about = serde_json::json!({ "wanted_at": wanted_at, "under_way": under_way, "reason": reason });
    let entry = audit::NewEntry::new(by, "settlement_batch.close_cancelled", &account, &about, now);
    audit::append(tx, scope, &entry)?;
    Ok(SettlementCloseView { channel_account: account, wanted_at, under_way })
}

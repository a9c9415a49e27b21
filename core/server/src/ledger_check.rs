//! Proving the books of one tenant after the other, a page at a time, and writing down what does not hold.

use std::time::Duration;

use saoma_protocol::{Millis, TenantId};
use saoma_store::{
    Store, StoreError, TenantScope, access,
    ledger::{self, CHECKPOINT_SETS, CheckState, Finding},
    tenants,
};

/// Another node has just done it.
const FRESH: Duration = Duration::from_secs(300);
/// The news alone would miss what was changed behind our back.
const WHOLE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Tenants of one page.
const TENANTS: u32 = 100;

/// Calls `work` with every tenant.
///
/// # Errors
/// Of the store, or of `work`.
pub fn each_tenant(
    store: &Store,
    mut work: impl FnMut(TenantScope) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after: Option<TenantId> = None;
    loop {
        let page = store.read_blocking(|tx| tenants::list(tx, &access::process(), after, TENANTS))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for tenant in &page {
            work(store.read_blocking(|tx| access::enter_tenant(tx, &access::process(), tenant.id))?)?;
        }
    }
}

/// Proves a tenant's books from where the last check ended, or all of them once a day, and writes down what was found.
/// `None`: another node has just done it. Blocks.
///
/// # Errors
/// Of the store; then nothing was proven.
pub fn prove(store: &Store, scope: &TenantScope, now: Millis) -> Result<Option<Vec<Finding>>, StoreError> {
    while store.write_blocking(|tx| ledger::checkpoint(tx, scope, CHECKPOINT_SETS))? {}
    let before = store.read_blocking(|tx| ledger::state(tx, scope))?;
    // A moment that is still to come was written by a clock that was ahead: it keeps nobody from looking.
    let is_within = |since: Millis, span: Duration| (0..ms(span)).contains(&now.since(since));
    match before {
        Some(state) if is_within(state.checked_at, FRESH) => Ok(None),
        Some(state) if is_within(state.whole_at, WHOLE_EVERY) => prove_news(store, scope, state, now).map(Some),
        _ => prove_whole(store, scope, now).map(Some),
    }
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Proves all of a tenant's books and writes down what was found. Blocks.
///
/// # Errors
/// Of the store; then nothing was proven.
pub fn prove_whole(store: &Store, scope: &TenantScope, now: Millis) -> Result<Vec<Finding>, StoreError> {
    // What happens while we look is news for the next check.
    let state = store.read_blocking(|tx| CheckState::newest(tx, scope, now))?;
    let mut found = Vec::new();
    let mut after_set = Some(0);
    while let Some(after) = after_set {
        let (page, next) = store.read_blocking(|tx| ledger::check_sets(tx, scope, after))?;
        found.extend(page);
        after_set = next;
    }
    let mut after_payment = Some(None);
    while let Some(after) = after_payment {
        let (page, next) = store.read_blocking(|tx| ledger::check_payments(tx, scope, after))?;
        found.extend(page.findings);
        after_payment = next.map(Some);
    }
    found.extend(store.read_blocking(|tx| ledger::check_sums(tx, scope))?);
    store.write_blocking(|tx| ledger::record(tx, scope, &state, &found, None))?;
    Ok(found)
}

fn prove_news(
    store: &Store,
    scope: &TenantScope,
    mut state: CheckState,
    now: Millis,
) -> Result<Vec<Finding>, StoreError> {
    state.checked_at = now;
    let (mut found, mut looked_at) = (Vec::new(), Vec::new());
    while let (page, Some(last)) = store.read_blocking(|tx| ledger::check_sets(tx, scope, state.through_set))? {
        found.extend(page);
        state.through_set = last;
    }
    while let (page, Some(last)) = store.read_blocking(|tx| ledger::check_news(tx, scope, state.through_event))? {
        found.extend(page.findings);
        looked_at.extend(page.payments.iter().map(ToString::to_string));
        state.through_event = last;
    }
    // One payment can be on several pages; what its last page says holds.
    found.sort();
    found.dedup_by(|next, before| next.subject == before.subject && next.code == before.code);
    store.write_blocking(|tx| ledger::record(tx, scope, &state, &found, Some(&looked_at)))?;
    Ok(found)
}

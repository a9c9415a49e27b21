//! The terminal leg of reconciliation: a terminal's journal against core's payments, for a batch when it is closed and again
//! while it is young, and for any day of a terminal when somebody asks.

use saoma_domain::batch::{Difference, Leg, compare as compare_sides, compare_drawer};
use saoma_protocol::{Millis, Money};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{self, Batch, Span},
};

/// Compares a closed batch and writes down what differs. An open one has nothing to compare yet.
///
/// # Errors
/// What the store says.
pub fn compare(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch, at: Millis) -> Result<(), StoreError> {
    let found = differing(tx, scope, batch)?;
    batches::keep_differences(tx, scope, batch.id, &found, at)
}

/// Whether [`compare`] would write anything now.
///
/// # Errors
/// What the store says.
pub fn has_news(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch, at: Millis) -> Result<bool, StoreError> {
    let found = differing(tx, scope, batch)?;
    Ok(!batches::news(tx, scope, batch.id, &found, at)?.is_empty())
}

fn differing(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<Vec<Difference>, StoreError> {
    let (Some(span), Some(closed)) = (Span::of(batch), batch.closed.as_ref()) else { return Ok(Vec::new()) };
    let money = |minor| Money::new(minor, batch.float.currency());
    let mut found = leg(tx, scope, &span)?.differences;
    found.extend(compare_drawer(batch.id, money(closed.told_minor), money(closed.expected_minor)));
    Ok(found)
}

/// What the comparison of a span comes to now.
///
/// # Errors
/// What the store says.
pub fn leg(tx: &mut Tx<'_>, scope: &TenantScope, span: &Span) -> Result<Leg, StoreError> {
    let terminal = batches::terminal_says(tx, scope, span)?;
    Ok(compare_sides(&terminal, &batches::core_says(tx, scope, span)?))
}

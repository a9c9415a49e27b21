//! The terminal leg of reconciliation: a terminal's journal against core's payments, for a batch when it is closed and again
//! while it is young, for what a terminal keyed outside of shifts each day, and for any day of a terminal when somebody asks.

use saoma_domain::batch::{Difference, Leg, compare as compare_sides, compare_drawer};
use saoma_protocol::{Millis, Money, TerminalId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{self, Batch, Place, Span},
};

/// Compares a closed batch and writes down what differs. An open one has nothing to compare yet.
///
/// # Errors
/// What the store says.
pub fn compare(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch, at: Millis) -> Result<(), StoreError> {
    let found = differing(tx, scope, batch)?;
    batches::keep_differences(tx, scope, &Place::Batch(batch.id), &found, at)
}

/// Whether [`compare`] would write anything now.
///
/// # Errors
/// What the store says.
pub fn has_news(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch, at: Millis) -> Result<bool, StoreError> {
    let found = differing(tx, scope, batch)?;
    Ok(!batches::news(tx, scope, &Place::Batch(batch.id), &found, at)?.is_empty())
}

/// A day of a terminal: what it keyed while no shift was open, up to before a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseDay {
    pub terminal: TerminalId,
    /// `YYYY-MM-DD` in the merchant's time zone.
    pub day: String,
    pub from: Millis,
    pub to: Millis,
}

impl LooseDay {
    fn place(&self) -> Place {
        Place::Day { terminal: self.terminal, day: self.day.clone() }
    }

    fn differing(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Difference>, StoreError> {
        let Self { terminal, from, to, .. } = *self;
        Ok(leg(tx, scope, &Span::Loose { terminal, from, to })?.differences)
    }
}

/// Compares a day and writes down what differs.
///
/// # Errors
/// What the store says.
pub fn compare_day(tx: &mut Tx<'_>, scope: &TenantScope, day: &LooseDay, at: Millis) -> Result<(), StoreError> {
    let found = day.differing(tx, scope)?;
    batches::keep_differences(tx, scope, &day.place(), &found, at)
}

/// Whether [`compare_day`] would write anything now.
///
/// # Errors
/// What the store says.
pub fn day_has_news(tx: &mut Tx<'_>, scope: &TenantScope, day: &LooseDay, at: Millis) -> Result<bool, StoreError> {
    let found = day.differing(tx, scope)?;
    Ok(!batches::news(tx, scope, &day.place(), &found, at)?.is_empty())
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

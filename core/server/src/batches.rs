//! The terminal leg of reconciliation: a terminal's journal against core's payments, for a batch when it is closed and again
//! while it is young, for what a terminal keyed outside of shifts each day, and for any day of a terminal when somebody asks.

use saoma_domain::batch::{Difference, Leg, compare as compare_sides, compare_drawer};
use saoma_protocol::{Millis, Money, TerminalId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    batches::{self, Batch, Place, Span},
};

/// Days with differences that are looked after and shown, of one merchant.
pub const OPEN_DAYS_MAX: u32 = 200;

/// What is compared again and again, as long as something differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared<'a> {
    /// An open one has nothing to compare yet.
    Batch(&'a Batch),
    /// What a terminal keyed on a day (`YYYY-MM-DD` in the merchant's time zone) while no shift was open, up to before a moment.
    Day { terminal: TerminalId, day: String, from: Millis, to: Millis },
}

/// Compares it and writes down what differs.
///
/// # Errors
/// What the store says.
pub fn compare(tx: &mut Tx<'_>, scope: &TenantScope, what: &Compared<'_>, at: Millis) -> Result<(), StoreError> {
    let found = what.differing(tx, scope)?;
    batches::keep_differences(tx, scope, &what.place(), &found, at)
}

/// Whether [`compare`] would write anything now.
///
/// # Errors
/// What the store says.
pub fn has_news(tx: &mut Tx<'_>, scope: &TenantScope, what: &Compared<'_>, at: Millis) -> Result<bool, StoreError> {
    let found = what.differing(tx, scope)?;
    Ok(!batches::news(tx, scope, &what.place(), &found, at)?.is_empty())
}

impl Compared<'_> {
    fn place(&self) -> Place {
        match self {
            Self::Batch(batch) => Place::Batch(batch.id),
            Self::Day { terminal, day, .. } => Place::Day { terminal: *terminal, day: day.clone() },
        }
    }

    fn differing(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Difference>, StoreError> {
        match self {
            Self::Batch(batch) => differing(tx, scope, batch),
            Self::Day { terminal, from, to, .. } => {
                let span = Span::Loose { terminal: *terminal, from: *from, to: *to };
                Ok(leg(tx, scope, &span)?.differences)
            }
        }
    }
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

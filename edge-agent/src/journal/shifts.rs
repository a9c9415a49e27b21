//! The journal's statements about shifts.

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_protocol::{Millis, Sequence, journal::Record};

use super::{
    JournalError, ShiftPress, Store,
    rows::{PRESS_FINGERPRINT, PressRow, SHIFT_KEPT, ShiftRow},
    schema::{shift_presses, shifts},
    seal::Seals,
    store::{loaded, stored, unreadable},
};
use crate::shift::{Shift, Tally, Totals};

/// Writes down how a shift stands. `first`: the first entry of this commit, which is the one that begins a new shift.
pub(super) fn keep(
    tx: &mut SqliteConnection,
    seals: &Seals,
    shift: &Shift,
    first: Sequence,
) -> Result<(), JournalError> {
    let batch = stored(shift.batch);
    let text = serde_json::to_string(shift).map_err(|error| unreadable("a shift", error))?;
    let known: Option<i64> = shifts::table.find(batch).select(shifts::entry).first(tx).optional()?;
    let row = ShiftRow {
        batch,
        entry: known.unwrap_or_else(|| stored(first)),
        open: i64::from(shift.is_open()),
        kept: seals.seal_text(SHIFT_KEPT, &batch.to_string(), &text)?,
    };
    diesel::insert_into(shifts::table).values(&row).on_conflict(shifts::batch).do_update().set(&row).execute(tx)?;
    Ok(())
}

/// Writes down what was pressed about a shift, for a page that repeats it.
pub(super) fn keep_press(
    tx: &mut SqliteConnection,
    seals: &Seals,
    pressed: &ShiftPress,
    now: Millis,
) -> Result<(), JournalError> {
    let ShiftPress { key, fingerprint } = pressed;
    let fingerprint = seals.seal_text(PRESS_FINGERPRINT, key, fingerprint)?;
    let row = PressRow { key: key.clone(), fingerprint, at: now.0 };
    diesel::insert_into(shift_presses::table).values(row).execute(tx)?;
    Ok(())
}

pub(super) fn forget_presses(tx: &mut SqliteConnection, before: i64) -> Result<(), JournalError> {
    diesel::delete(shift_presses::table.filter(shift_presses::at.lt(before))).execute(tx)?;
    Ok(())
}

impl Store {
    /// The last shift of this till, open or closed.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn last_shift(&mut self) -> Result<Option<Shift>, JournalError> {
        let row = shifts::table.order(shifts::batch.desc()).first(&mut self.connection).optional()?;
        self.kept_shift(row)
    }

    /// The last shift of this till that is over.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn last_closed_shift(&mut self) -> Result<Option<Shift>, JournalError> {
        let closed = shifts::table.filter(shifts::open.eq(0)).order(shifts::batch.desc());
        let row = closed.first(&mut self.connection).optional()?;
        self.kept_shift(row)
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn shift(&mut self, batch: Sequence) -> Result<Option<Shift>, JournalError> {
        let row = shifts::table.find(stored(batch)).first(&mut self.connection).optional()?;
        self.kept_shift(row)
    }

    fn kept_shift(&self, row: Option<ShiftRow>) -> Result<Option<Shift>, JournalError> {
        row.map(|row| row.kept(&self.seals)).transpose()
    }

    /// What was asked under this key about a shift, if anything was.
    ///
    /// # Errors
    /// `Database`.
    pub fn shift_press(&mut self, key: &str) -> Result<Option<String>, JournalError> {
        let row: Option<PressRow> = shift_presses::table.find(key).first(&mut self.connection).optional()?;
        let open = |row: PressRow| self.seals.open_text(PRESS_FINGERPRINT, &row.key, &row.fingerprint);
        Ok(row.map(open).transpose()?)
    }

    /// What the shift comes to so far, counted from all entries since the one that began it, and from what became of earlier
    /// refunds since the shift before it was closed.
    ///
    /// # Errors
    /// `Database`, `Unreadable`: also for sums that do not fit.
    pub fn tally(&mut self, shift: &Shift) -> Result<Totals, JournalError> {
        let sums = |error| unreadable("the sums of a batch", error);
        let before = shifts::table.filter(shifts::batch.le(stored(shift.batch))).order(shifts::batch.desc());
        let began: Vec<i64> = before.limit(2).select(shifts::entry).load(&mut self.connection)?;
        let Some(entry) = began.last() else { return Err(unreadable("the sums of a batch", "it was never opened")) };
        let mut tally = Tally::new(shift.batch, shift.float.currency());
        let mut after = Sequence(loaded(*entry).0.saturating_sub(1));
        loop {
            let page = self.entries_after(after)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in page {
                tally.take(entry.record()?).map_err(sums)?;
            }
        }
        let mut known = BTreeMap::new();
        for payment in tally.sales() {
            let Some((kept, entry)) = self.sale(payment)? else { continue };
            if kept.stored && tally.is_lost(&payment) && !self.is_of_a_batch(entry)? {
                tally.of_no_batch(&payment);
            }
            known.insert(payment, kept);
        }
        tally.totals(&known).map_err(sums)
    }

    /// Whether a shift was open at this entry: what the journal says next of shifts is that one was closed.
    fn is_of_a_batch(&mut self, mut after: Sequence) -> Result<bool, JournalError> {
        loop {
            let page = self.entries_after(after)?;
            let Some(last) = page.last() else { return Ok(false) };
            after = last.sequence;
            for entry in page {
                match entry.record()? {
                    Record::ShiftClosed { .. } => return Ok(true),
                    Record::ShiftOpened { .. } => return Ok(false),
                    _ => {}
                }
            }
        }
    }
}

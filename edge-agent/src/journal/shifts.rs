//! The journal's statements about shifts.

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_protocol::{Millis, Sequence};

use super::{
    JournalError, ShiftPress, Store,
    schema::{shift_presses, shifts},
    store::{loaded, stored, unreadable},
};
use crate::{
    sale::Sale,
    shift::{Shift, Tally, Totals},
};

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = shifts)]
struct ShiftRow {
    batch: i64,
    entry: i64,
    open: i64,
    kept: String,
}

/// Writes down how a shift stands. `first`: the first entry of this commit, which is the one that begins a new shift.
pub(super) fn keep(tx: &mut SqliteConnection, shift: &Shift, first: Sequence) -> Result<(), JournalError> {
    let batch = stored(shift.batch);
    let known: Option<i64> = shifts::table.find(batch).select(shifts::entry).first(tx).optional()?;
    let row = ShiftRow {
        batch,
        entry: known.unwrap_or_else(|| stored(first)),
        open: i64::from(shift.is_open()),
        kept: serde_json::to_string(shift).map_err(|error| unreadable("a shift", error))?,
    };
    diesel::insert_into(shifts::table).values(&row).on_conflict(shifts::batch).do_update().set(&row).execute(tx)?;
    Ok(())
}

/// Writes down what was pressed about a shift, for a page that repeats it.
pub(super) fn keep_press(tx: &mut SqliteConnection, pressed: &ShiftPress, now: Millis) -> Result<(), JournalError> {
    let row = (
        shift_presses::key.eq(&pressed.key),
        shift_presses::fingerprint.eq(&pressed.fingerprint),
        shift_presses::at.eq(now.0),
    );
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
        let text: Option<String> =
            shifts::table.order(shifts::batch.desc()).select(shifts::kept).first(&mut self.connection).optional()?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable("a shift", error))).transpose()
    }

    /// What was asked under this key about a shift, if anything was.
    ///
    /// # Errors
    /// `Database`.
    pub fn shift_press(&mut self, key: &str) -> Result<Option<String>, JournalError> {
        let fingerprint = shift_presses::table.find(key).select(shift_presses::fingerprint);
        Ok(fingerprint.first(&mut self.connection).optional()?)
    }

    /// What the shift comes to so far, counted from all entries since the one that began it.
    ///
    /// # Errors
    /// `Database`, `Unreadable`: also for sums that do not fit.
    pub fn tally(&mut self, shift: &Shift) -> Result<Totals, JournalError> {
        let entry: i64 = shifts::table.find(stored(shift.batch)).select(shifts::entry).first(&mut self.connection)?;
        let mut tally = Tally::new(shift.float.currency());
        let mut after = loaded(entry);
        loop {
            let page = self.entries_after(after)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in page {
                tally.take(entry.record()?).map_err(|error| unreadable("the sums of a batch", error))?;
            }
        }
        let mut earlier = BTreeMap::new();
        for payment in tally.earlier_sales() {
            if let Some(method) = self.sale(payment)?.and_then(|(kept, _)| Sale::reopened(kept).method()) {
                earlier.insert(payment, method);
            }
        }
        tally.totals(&earlier).map_err(|error| unreadable("the sums of a batch", error))
    }
}

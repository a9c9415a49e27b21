//! The journal's statements about what is put aside.

use diesel::prelude::*;
use saoma_protocol::Sequence;

use super::{
    JournalError, Store,
    rows::{HELD_KEPT, HeldRow},
    schema::held,
    seal::Seals,
    store::{set_meta, stored, unreadable},
};
use crate::held::{Held, HeldChange};

/// In `meta`: the last number that was given. The rows go, and a number that was shown once means nothing else later.
const LAST: &str = "held";

pub(super) fn change(tx: &mut SqliteConnection, seals: &Seals, change: &HeldChange) -> Result<(), JournalError> {
    match change {
        HeldChange::Keep(kept) => {
            let number = stored(kept.number);
            let text = serde_json::to_string(kept).map_err(|error| unreadable("what is put aside", error))?;
            let row = HeldRow { number, kept: seals.seal_text(HELD_KEPT, &number.to_string(), &text)? };
            let is_known = diesel::update(held::table.find(number)).set(&row).execute(tx)? > 0;
            if !is_known {
                diesel::insert_into(held::table).values(&row).execute(tx)?;
                set_meta(tx, LAST, &kept.number.to_string())?;
            }
        }
        HeldChange::Drop(number) => {
            diesel::delete(held::table.find(stored(*number))).execute(tx)?;
        }
    }
    Ok(())
}

impl Store {
    /// What is put aside, oldest first, and the last number that was given.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn held(&mut self) -> Result<(Vec<Held>, Sequence), JournalError> {
        let rows: Vec<HeldRow> = held::table.order(held::number).load(&mut self.connection)?;
        let kept = rows.into_iter().map(|row| row.kept(&self.seals)).collect::<Result<_, _>>()?;
        let last = self.meta(LAST)?.unwrap_or_else(|| "0".to_owned());
        let last = last.parse().map(Sequence).map_err(|error| unreadable("the last number put aside", error))?;
        Ok((kept, last))
    }
}

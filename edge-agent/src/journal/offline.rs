//! The journal's statements about offline codes: what core said last of them, and which were taken here.

use diesel::prelude::*;
use saoma_protocol::Sequence;

use super::{
    JournalError, Store,
    rows::{OFFLINE_LIST_KEPT, OFFLINE_SPEND_KEPT},
    schema::{offline_list, offline_spends},
    seal::Seals,
    store::{loaded, stored, unreadable},
};
use crate::offline::{Known, Spent};

/// The one row of `offline_list`.
const LIST: &str = "list";

type SpendRow = (String, i64, Vec<u8>);

pub(super) fn keep_list(tx: &mut SqliteConnection, seals: &Seals, known: &Known) -> Result<(), JournalError> {
    let text = serde_json::to_string(known).map_err(|error| unreadable("the offline list", error))?;
    let kept = seals.seal_text(OFFLINE_LIST_KEPT, LIST, &text)?;
    diesel::replace_into(offline_list::table)
        .values((offline_list::name.eq(LIST), offline_list::kept.eq(kept)))
        .execute(tx)?;
    Ok(())
}

/// A code is taken by the entry. One that was taken before fails, and with it the sale that it would have paid.
pub(super) fn take(
    tx: &mut SqliteConnection,
    seals: &Seals,
    spent: &Spent,
    entry: Sequence,
    through: Sequence,
) -> Result<(), JournalError> {
    let over = offline_spends::table
        .filter(offline_spends::until.le(spent.at.0))
        .filter(offline_spends::entry.le(stored(through)));
    diesel::delete(over).execute(tx)?;
    let code = spent.mark();
    let text = serde_json::to_string(spent).map_err(|error| unreadable("an offline code", error))?;
    let row = (
        offline_spends::kept.eq(seals.seal_text(OFFLINE_SPEND_KEPT, &code, &text)?),
        offline_spends::code.eq(code),
        offline_spends::entry.eq(stored(entry)),
        offline_spends::until.eq(spent.until.0),
    );
    diesel::insert_into(offline_spends::table).values(row).execute(tx)?;
    Ok(())
}

impl Store {
    /// What core said last of offline codes. What cannot be read is none: no code is taken until core has said it again.
    ///
    /// # Errors
    /// `Database`.
    pub(super) fn offline_known(&mut self) -> Result<Option<Known>, JournalError> {
        let kept: Option<Vec<u8>> =
            offline_list::table.find(LIST).select(offline_list::kept).first(&mut self.connection).optional()?;
        let Some(kept) = kept else { return Ok(None) };
        let text = self.seals.open_text(OFFLINE_LIST_KEPT, LIST, &kept).map_err(|error| error.to_string());
        let known = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        Ok(known.inspect_err(|error| tracing::error!(%error, "what core said of offline codes cannot be read")).ok())
    }

    /// The codes that were taken here, oldest first, with the entries of their sales.
    ///
    /// # Errors
    /// `Database`; `Sealed`, `Unreadable`: without them a code could be taken twice.
    pub(super) fn offline_spent(&mut self) -> Result<Vec<(Sequence, Spent)>, JournalError> {
        let rows: Vec<SpendRow> = offline_spends::table
            .order(offline_spends::entry)
            .select((offline_spends::code, offline_spends::entry, offline_spends::kept))
            .load(&mut self.connection)?;
        let read = |(code, entry, kept): SpendRow| {
            let text = self.seals.open_text(OFFLINE_SPEND_KEPT, &code, &kept)?;
            let spent = serde_json::from_str(&text).map_err(|error| unreadable("an offline code", error))?;
            Ok((loaded(entry), spent))
        };
        rows.into_iter().map(read).collect()
    }
}

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

#[cfg(test)]
mod tests {
    use saoma_protocol::{Millis, TerminalId, journal::Record};

    use super::*;
    use crate::journal::{Commit, Settings};

    fn spent(counter: u32, until: i64, at: i64) -> Spent {
        let amount = serde_json::json!({"minor": 100, "currency": "CNY"});
        let spent = serde_json::json!({
            "token": [1, 1, 1, 1, 1, 1, 1, 1], "counter": counter, "amount": amount, "at": at, "until": until,
        });
        serde_json::from_value(spent).unwrap()
    }

    fn sold(counter: u64) -> Record {
        serde_json::from_value(serde_json::json!({
            "kind": "offline_sale", "payment": saoma_protocol::PaymentId::from_bytes([1; 16]), "counter": counter,
            "amount": {"minor": 100, "currency": "CNY"}, "code": "OPC1:ABC", "goods": [], "cashier": "Li",
        }))
        .unwrap()
    }

    #[test]
    fn a_code_is_taken_once_with_its_entry_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let terminal = TerminalId::from_bytes([2; 16]);
        let (mut store, _) = Store::open(&settings, terminal, Millis(0)).unwrap();
        let take = |store: &mut Store, spent: Spent| {
            let commit = Commit { records: vec![sold(1)], spent: Some(spent), ..Commit::default() };
            store.commit(&commit, Millis(99))
        };
        let first = take(&mut store, spent(7, 1_000, 5)).unwrap();
        let entry = store.entries_after(Sequence(first.0 - 1)).unwrap().remove(0);
        assert_eq!(entry.at, Millis(5), "by core's clock, by which the code was judged");
        let before = store.entries_after(Sequence(0)).unwrap().len();
        assert!(take(&mut store, spent(7, 1_000, 6)).is_err(), "the same code");
        assert_eq!(store.entries_after(Sequence(0)).unwrap().len(), before, "nor its sale");
        let second = take(&mut store, spent(8, 2_000, 6)).unwrap();
        drop(store);
        let (mut store, opened) = Store::open(&settings, terminal, Millis(0)).unwrap();
        assert_eq!(opened.spent, [(first, spent(7, 1_000, 5)), (second, spent(8, 2_000, 6))]);
        // The grant of the first is over, and core has its sale: it goes. One of an unsent sale stays.
        store.commit(&Commit { synced_through: Some(first), ..Commit::default() }, Millis(0)).unwrap();
        let third = take(&mut store, spent(9, 5_000, 3_000)).unwrap();
        let kept: Vec<Sequence> = store.offline_spent().unwrap().into_iter().map(|(entry, _)| entry).collect();
        assert_eq!(kept, [second, third]);
    }
}

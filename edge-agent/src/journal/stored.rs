//! The journal's statements about cards that were sold to without a network: what the limits look at. The card itself, as it was
//! encrypted for core, stands in its entry alone.

use diesel::prelude::*;
use saoma_protocol::Sequence;

use super::{
    JournalError, Store,
    rows::STORED_CARD_KEPT,
    schema::stored_cards,
    seal::Seals,
    store::{loaded, stored, unreadable},
};
use crate::stored::SoldCard;

/// A card is sold to by the entry. What no limit looks at any more goes.
pub(super) fn take(
    tx: &mut SqliteConnection,
    seals: &Seals,
    sold: &SoldCard,
    entry: Sequence,
    through: Sequence,
) -> Result<(), JournalError> {
    let over =
        stored_cards::table.filter(stored_cards::until.le(sold.at.0)).filter(stored_cards::entry.le(stored(through)));
    diesel::delete(over).execute(tx)?;
    let text = serde_json::to_string(sold).map_err(|error| unreadable("a card sale", error))?;
    let row = (
        stored_cards::entry.eq(stored(entry)),
        stored_cards::until.eq(sold.until().0),
        stored_cards::kept.eq(seals.seal_text(STORED_CARD_KEPT, &stored(entry).to_string(), &text)?),
    );
    diesel::insert_into(stored_cards::table).values(row).execute(tx)?;
    Ok(())
}

impl Store {
    /// The cards that were sold to here, oldest first, with the entries of their sales.
    ///
    /// # Errors
    /// `Database`; `Sealed`, `Unreadable`: without them no limit would hold.
    pub(super) fn stored_cards(&mut self) -> Result<Vec<(Sequence, SoldCard)>, JournalError> {
        let rows: Vec<(i64, Vec<u8>)> = stored_cards::table
            .order(stored_cards::entry)
            .select((stored_cards::entry, stored_cards::kept))
            .load(&mut self.connection)?;
        let read = |(entry, kept): (i64, Vec<u8>)| {
            let text = self.seals.open_text(STORED_CARD_KEPT, &entry.to_string(), &kept)?;
            let sold = serde_json::from_str(&text).map_err(|error| unreadable("a card sale", error))?;
            Ok((loaded(entry), sold))
        };
        rows.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Millis, TerminalId, api::CardDigits, journal::Record};

    use super::*;
    use crate::{
        journal::{Commit, Settings},
        offline::DAY_MS,
    };

    fn sold(at: i64) -> SoldCard {
        let amount = serde_json::from_value(serde_json::json!({"minor": 100, "currency": "CNY"})).unwrap();
        SoldCard { digits: CardDigits::new("401234", "8909").unwrap(), amount, at: Millis(at) }
    }

    fn entry(sold: &SoldCard) -> Record {
        serde_json::from_value(serde_json::json!({
            "kind": "stored_card_sale", "payment": saoma_protocol::PaymentId::from_bytes([1; 16]), "counter": 1,
            "amount": sold.amount, "channel_account": saoma_protocol::ChannelAccountId::from_bytes([5; 16]),
            "card": {"entry": "chip", "ksn": "FFFF9876543210E00001", "number": "0011223344556677"},
            "digits": sold.digits, "goods": [], "cashier": "Li",
        }))
        .unwrap()
    }

    #[test]
    fn a_sale_stands_with_its_card_at_cores_time_and_is_kept_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let terminal = TerminalId::from_bytes([2; 16]);
        let (mut store, _) = Store::open(&settings, terminal, Millis(0)).unwrap();
        let take = |store: &mut Store, sold: SoldCard| {
            let commit = Commit { records: vec![entry(&sold)], stored: Some(sold), ..Commit::default() };
            store.commit(&commit, Millis(99)).unwrap()
        };
        let first = take(&mut store, sold(5));
        let written = store.entries_after(Sequence(first.0 - 1)).unwrap().remove(0);
        assert_eq!(written.at, Millis(5), "by core's clock, by which the limits were judged");
        let at_risk = store.unsent().unwrap().at_risk;
        assert_eq!(at_risk.iter().map(|sum| sum.minor()).collect::<Vec<_>>(), [100]);
        let second = take(&mut store, sold(6));
        drop(store);
        let (mut store, opened) = Store::open(&settings, terminal, Millis(0)).unwrap();
        assert_eq!(opened.stored, [(first, sold(5)), (second, sold(6))]);
        // A day later, core has the first: it goes. The second is unsent, and stays.
        store.commit(&Commit { synced_through: Some(first), ..Commit::default() }, Millis(0)).unwrap();
        let third = take(&mut store, sold(DAY_MS + 6));
        assert_eq!(store.stored_cards().unwrap(), [(second, sold(6)), (third, sold(DAY_MS + 6))]);
    }
}

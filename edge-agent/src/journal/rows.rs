//! The rows as they are on the disk: what of each is sealed, and why the rest is not.
//!
//! Sealed: every amount, what a sale, a shift, a split payment, what is put aside or was paid through a printed code is (goods, cashiers, codes on show), the payload of each entry, who
//! may sign on here with the verifiers of their PINs, and wrong PINs. An entry's hashes and signature too, and the fingerprints of what was
//! pressed: all else being known, a few thousand guesses at the amount would find it by them. No PIN is in any of it.
//!
//! Plain, because queries sort and search by it: numbers of entries, sales and batches, the ids made from them, the page's
//! keys, core's ids of cashiers and marks of offline codes (random), the terminal's certificates, times, states, and which entries are cash, paid by an offline code, or by card without a network. Whoever takes the disk learns how many sales there were, and when.

use diesel::prelude::*;
use saoma_protocol::{Millis, journal::Entry};

use super::{
    JournalError,
    schema::{elsewhere, entries, held, intents, refunds, sales, shift_presses, shifts, splits},
    seal::{Place, SealError, Seals},
    store::{loaded, stored, unreadable},
};
use crate::{held::Held, sale::Kept, shift::Shift, split::Split};

pub(super) const ENTRY_BODY: Place = Place { table: "entries", column: "body", key: "sequence" };
pub(super) const ENTRY_CASH: Place = Place { table: "entries", column: "cash", key: "sequence" };
pub(super) const SALE_AMOUNT: Place = Place { table: "sales", column: "amount", key: "payment" };
pub(super) const SALE_KEPT: Place = Place { table: "sales", column: "kept", key: "payment" };
pub(super) const ELSEWHERE_KEPT: Place = Place { table: "elsewhere", column: "kept", key: "payment" };
pub(super) const REFUND_AMOUNT: Place = Place { table: "refunds", column: "amount", key: "refund" };
pub(super) const INTENT_FINGERPRINT: Place = Place { table: "intents", column: "fingerprint", key: "key" };
pub(super) const SHIFT_KEPT: Place = Place { table: "shifts", column: "kept", key: "batch" };
pub(super) const PRESS_FINGERPRINT: Place = Place { table: "shift_presses", column: "fingerprint", key: "key" };
pub(super) const HELD_KEPT: Place = Place { table: "held", column: "kept", key: "number" };
pub(super) const SPLIT_KEPT: Place = Place { table: "splits", column: "kept", key: "number" };
pub(super) const CASHIERS_KEPT: Place = Place { table: "cashiers", column: "kept", key: "name" };
pub(super) const TRIES_KEPT: Place = Place { table: "pin_tries", column: "kept", key: "cashier" };
pub(super) const OFFLINE_LIST_KEPT: Place = Place { table: "offline_list", column: "kept", key: "name" };
pub(super) const OFFLINE_SPEND_KEPT: Place = Place { table: "offline_spends", column: "kept", key: "code" };
pub(super) const STORED_CARD_KEPT: Place = Place { table: "stored_cards", column: "kept", key: "entry" };
pub(super) const SIGNATURE_KEPT: Place = Place { table: "signatures", column: "kept", key: "entry" };
pub(super) const RECEIVED_KEPT: Place = Place { table: "received", column: "kept", key: "payment" };

/// All that is sealed.
pub(super) const SEALED: [Place; 18] = [
    ENTRY_BODY,
    ENTRY_CASH,
    SALE_AMOUNT,
    SALE_KEPT,
    ELSEWHERE_KEPT,
    REFUND_AMOUNT,
    INTENT_FINGERPRINT,
    SHIFT_KEPT,
    PRESS_FINGERPRINT,
    HELD_KEPT,
    SPLIT_KEPT,
    CASHIERS_KEPT,
    TRIES_KEPT,
    OFFLINE_LIST_KEPT,
    OFFLINE_SPEND_KEPT,
    STORED_CARD_KEPT,
    SIGNATURE_KEPT,
    RECEIVED_KEPT,
];

#[derive(Queryable, Insertable)]
#[diesel(table_name = entries)]
pub(super) struct EntryRow {
    pub(super) sequence: i64,
    at: i64,
    body: Vec<u8>,
    cash: Option<Vec<u8>>,
}

impl EntryRow {
    /// `hash`: as it is kept beside the entry. `cash`: minor units and currency of a sale that is at risk until core has it.
    pub(super) fn seal(seals: &Seals, entry: &Entry, hash: &str, cash: Option<(i64, &str)>) -> Result<Self, SealError> {
        let sequence = stored(entry.sequence);
        let row = sequence.to_string();
        // As they are, right or wrong: whether they fit is for whoever checks the chain.
        let body = format!("{}\n{hash}\n{}", entry.prev_hash, entry.payload);
        let cash = cash.map(|(minor, currency)| seals.seal_sum(ENTRY_CASH, &row, minor, currency)).transpose()?;
        Ok(Self { sequence, at: entry.at.0, body: seals.seal_text(ENTRY_BODY, &row, &body)?, cash })
    }

    /// The entry, and the hash that is kept beside it.
    pub(super) fn open(self, seals: &Seals) -> Result<(Entry, String), JournalError> {
        let Self { sequence, at, body, .. } = self;
        let body = seals.open_text(ENTRY_BODY, &sequence.to_string(), &body)?;
        let mut parts = body.splitn(3, '\n').map(str::to_owned);
        let (Some(prev_hash), Some(hash), Some(payload)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(unreadable("an entry", "it has no payload"));
        };
        Ok((Entry { sequence: loaded(sequence), at: Millis(at), prev_hash, payload, signature: None }, hash))
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = sales)]
pub(super) struct SaleRow {
    pub(super) payment: String,
    pub(super) counter: i64,
    pub(super) entry: i64,
    pub(super) state: String,
    pub(super) open: i64,
    pub(super) captured: i64,
    pub(super) amount: Vec<u8>,
    pub(super) kept: Vec<u8>,
}

impl SaleRow {
    pub(super) fn sum(&self, seals: &Seals) -> Result<(i64, String), SealError> {
        seals.open_sum(SALE_AMOUNT, &self.payment, &self.amount)
    }

    pub(super) fn kept(&self, seals: &Seals) -> Result<Kept, JournalError> {
        kept_sale(seals, &self.payment, &self.kept)
    }
}

/// What the sale `payment` is, from its column.
pub(super) fn kept_sale(seals: &Seals, payment: &str, kept: &[u8]) -> Result<Kept, JournalError> {
    kept_in(SALE_KEPT, seals, payment, kept)
}

/// The column from which [`kept_in`] reads a sale.
pub(super) fn seal_kept(place: Place, seals: &Seals, payment: &str, kept: &Kept) -> Result<Vec<u8>, JournalError> {
    let text = serde_json::to_string(kept).map_err(|error| unreadable("a sale", error))?;
    Ok(seals.seal_text(place, payment, &text)?)
}

fn kept_in(place: Place, seals: &Seals, payment: &str, kept: &[u8]) -> Result<Kept, JournalError> {
    let text = seals.open_text(place, payment, kept)?;
    serde_json::from_str(&text).map_err(|error| unreadable("a sale", error))
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = elsewhere)]
pub(super) struct ElsewhereRow {
    pub(super) payment: String,
    pub(super) entry: i64,
    pub(super) open: i64,
    pub(super) kept: Vec<u8>,
}

impl ElsewhereRow {
    pub(super) fn kept(&self, seals: &Seals) -> Result<Kept, JournalError> {
        kept_in(ELSEWHERE_KEPT, seals, &self.payment, &self.kept)
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = refunds)]
pub(super) struct RefundRow {
    pub(super) refund: String,
    pub(super) payment: String,
    pub(super) state: String,
    pub(super) amount: Vec<u8>,
}

impl RefundRow {
    pub(super) fn sum(&self, seals: &Seals) -> Result<(i64, String), SealError> {
        seals.open_sum(REFUND_AMOUNT, &self.refund, &self.amount)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = intents)]
pub(super) struct IntentRow {
    pub(super) key: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) payment: String,
    pub(super) refund: Option<String>,
    pub(super) at: i64,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = shifts)]
pub(super) struct ShiftRow {
    pub(super) batch: i64,
    pub(super) entry: i64,
    pub(super) open: i64,
    pub(super) kept: Vec<u8>,
}

impl ShiftRow {
    pub(super) fn kept(&self, seals: &Seals) -> Result<Shift, JournalError> {
        let text = seals.open_text(SHIFT_KEPT, &self.batch.to_string(), &self.kept)?;
        serde_json::from_str(&text).map_err(|error| unreadable("a shift", error))
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = shift_presses)]
pub(super) struct PressRow {
    pub(super) key: String,
    pub(super) fingerprint: Vec<u8>,
    pub(super) at: i64,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = held)]
pub(super) struct HeldRow {
    pub(super) number: i64,
    pub(super) kept: Vec<u8>,
}

impl HeldRow {
    pub(super) fn kept(&self, seals: &Seals) -> Result<Held, JournalError> {
        let text = seals.open_text(HELD_KEPT, &self.number.to_string(), &self.kept)?;
        serde_json::from_str(&text).map_err(|error| unreadable("what is put aside", error))
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = splits)]
pub(super) struct SplitRow {
    pub(super) number: i64,
    pub(super) open: i64,
    pub(super) kept: Vec<u8>,
}

impl SplitRow {
    pub(super) fn kept(&self, seals: &Seals) -> Result<Split, JournalError> {
        let text = seals.open_text(SPLIT_KEPT, &self.number.to_string(), &self.kept)?;
        serde_json::from_str(&text).map_err(|error| unreadable("a split payment", error))
    }
}

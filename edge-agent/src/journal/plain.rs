//! The journal of the version before, which was not encrypted: its rows are sealed, and what is left of them is wiped out.
//!
//! A migration has put the old tables aside. Each batch moves rows over in one transaction, so that each row is in one of both
//! at any moment, and the next start goes on where the power went. Then the old tables go, and with them, by a vacuum, what
//! deleted rows have left in the file.

use diesel::{connection::SimpleConnection as _, prelude::*};
use saoma_protocol::{Millis, journal::Entry};

use super::{
    JournalError, Store,
    rows::{
        EntryRow, INTENT_FINGERPRINT, IntentRow, PRESS_FINGERPRINT, PressRow, REFUND_AMOUNT, RefundRow, SALE_AMOUNT,
        SALE_KEPT, SHIFT_KEPT, SaleRow, ShiftRow,
    },
    schema::{entries, intents, refunds, sales, shift_presses, shifts},
    seal::{Place, Seals},
    store::{loaded, set_meta},
};

/// Rows that are moved at once: with the longest payloads, 3 MiB.
pub(super) const BATCH: i64 = 100;

/// In `meta`: the file may still hold, in pages that are free, what nobody may read. Gone once it surely does not.
const REMAINS: &str = "remains";

diesel::table! {
    plain_entries (sequence) {
        sequence -> BigInt,
        at -> BigInt,
        prev_hash -> Text,
        payload -> Text,
        hash -> Text,
        cash_minor -> Nullable<BigInt>,
        currency -> Nullable<Text>,
    }
}

diesel::table! {
    plain_sales (payment) {
        payment -> Text,
        counter -> BigInt,
        entry -> BigInt,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        open -> BigInt,
        captured -> BigInt,
        kept -> Text,
    }
}

diesel::table! {
    plain_refunds (refund) {
        refund -> Text,
        payment -> Text,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
    }
}

diesel::table! {
    plain_intents (key) {
        key -> Text,
        fingerprint -> Text,
        payment -> Text,
        refund -> Nullable<Text>,
        at -> BigInt,
    }
}

diesel::table! {
    plain_shifts (batch) {
        batch -> BigInt,
        entry -> BigInt,
        open -> BigInt,
        kept -> Text,
    }
}

diesel::table! {
    plain_shift_presses (key) {
        key -> Text,
        fingerprint -> Text,
        at -> BigInt,
    }
}

/// The old tables, those that refer to others first.
const TABLES: [&str; 6] =
    ["plain_refunds", "plain_sales", "plain_entries", "plain_intents", "plain_shifts", "plain_shift_presses"];

#[derive(Queryable)]
struct PlainEntry {
    sequence: i64,
    at: i64,
    prev_hash: String,
    payload: String,
    hash: String,
    cash_minor: Option<i64>,
    currency: Option<String>,
}

#[derive(Queryable)]
struct PlainSale {
    payment: String,
    counter: i64,
    entry: i64,
    state: String,
    amount_minor: i64,
    currency: String,
    open: i64,
    captured: i64,
    kept: String,
}

#[derive(Queryable)]
struct PlainRefund {
    refund: String,
    payment: String,
    state: String,
    amount_minor: i64,
    currency: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// Whether rows of the version before may be there, or a version before has not been followed at all.
pub(super) fn is_plain(store: &mut Store) -> Result<bool, JournalError> {
    let sql = "SELECT (SELECT count(*) FROM pragma_table_info('plain_entries')) \
               + (SELECT count(*) = 0 FROM pragma_table_info('entries') WHERE name = 'body') AS count";
    let found: Count = diesel::sql_query(sql).get_result(&mut store.connection)?;
    Ok(found.count > 0)
}

/// Whether the journal has that column yet: an agent of before may have written it last.
pub(super) fn has(store: &mut Store, place: Place) -> Result<bool, JournalError> {
    let sql = "SELECT count(*) AS count FROM pragma_table_info(?) WHERE name = ?";
    let query = diesel::sql_query(sql)
        .bind::<diesel::sql_types::Text, _>(place.table)
        .bind::<diesel::sql_types::Text, _>(place.column);
    let found: Count = query.get_result(&mut store.connection)?;
    Ok(found.count > 0)
}

/// Seals all that is not yet.
pub(super) fn seal_all(store: &mut Store) -> Result<(), JournalError> {
    if !is_plain(store)? {
        return Ok(());
    }
    // What is deleted is overwritten, from the first batch on.
    store.execute("PRAGMA secure_delete = ON")?;
    let mut moved = 0;
    loop {
        match seal_batch(store)? {
            0 => break,
            rows => moved += rows,
        }
    }
    let was_used = store.owner()?.is_some();
    store.connection.immediate_transaction(|tx| {
        for table in TABLES {
            tx.batch_execute(&format!("DROP TABLE {table}"))?;
        }
        if was_used {
            leave_remains(tx)?;
        }
        Ok::<_, JournalError>(())
    })?;
    if moved > 0 {
        tracing::info!(rows = moved, "the journal is encrypted now");
    }
    Ok(())
}

/// Moves one batch; how many rows. None are left if it moves none.
pub(super) fn seal_batch(store: &mut Store) -> Result<usize, JournalError> {
    let Store { connection, seals, .. } = store;
    connection.immediate_transaction(|tx| {
        for step in [seal_entries, seal_sales, seal_intents, seal_shifts, seal_presses] {
            let moved = step(tx, seals)?;
            if moved > 0 {
                return Ok(moved);
            }
        }
        Ok(0)
    })
}

fn seal_entries(tx: &mut SqliteConnection, seals: &Seals) -> Result<usize, JournalError> {
    let plain: Vec<PlainEntry> = plain_entries::table.order(plain_entries::sequence).limit(BATCH).load(tx)?;
    let moved: Vec<i64> = plain.iter().map(|row| row.sequence).collect();
    for row in plain {
        let PlainEntry { sequence, at, prev_hash, payload, hash, cash_minor, currency } = row;
        let entry = Entry { sequence: loaded(sequence), at: Millis(at), prev_hash, payload, signature: None };
        let cash = cash_minor.zip(currency.as_deref());
        diesel::insert_into(entries::table).values(EntryRow::seal(seals, &entry, &hash, cash)?).execute(tx)?;
    }
    Ok(diesel::delete(plain_entries::table.filter(plain_entries::sequence.eq_any(moved))).execute(tx)?)
}

/// With their refunds, which refer to them.
fn seal_sales(tx: &mut SqliteConnection, seals: &Seals) -> Result<usize, JournalError> {
    let plain: Vec<PlainSale> = plain_sales::table.order(plain_sales::counter).limit(BATCH).load(tx)?;
    let moved: Vec<String> = plain.iter().map(|row| row.payment.clone()).collect();
    for row in plain {
        let PlainSale { payment, counter, entry, state, amount_minor, currency, open, captured, kept } = row;
        let amount = seals.seal_sum(SALE_AMOUNT, &payment, amount_minor, &currency)?;
        let kept = seals.seal_text(SALE_KEPT, &payment, &kept)?;
        let row = SaleRow { payment, counter, entry, state, open, captured, amount, kept };
        diesel::insert_into(sales::table).values(row).execute(tx)?;
    }
    let of_moved = || plain_refunds::table.filter(plain_refunds::payment.eq_any(&moved));
    let plain: Vec<PlainRefund> = of_moved().load(tx)?;
    for row in plain {
        let PlainRefund { refund, payment, state, amount_minor, currency } = row;
        let amount = seals.seal_sum(REFUND_AMOUNT, &refund, amount_minor, &currency)?;
        diesel::insert_into(refunds::table).values(RefundRow { refund, payment, state, amount }).execute(tx)?;
    }
    diesel::delete(of_moved()).execute(tx)?;
    Ok(diesel::delete(plain_sales::table.filter(plain_sales::payment.eq_any(&moved))).execute(tx)?)
}

fn seal_intents(tx: &mut SqliteConnection, seals: &Seals) -> Result<usize, JournalError> {
    let plain: Vec<(String, String, String, Option<String>, i64)> =
        plain_intents::table.order(plain_intents::key).limit(BATCH).load(tx)?;
    let moved: Vec<String> = plain.iter().map(|(key, ..)| key.clone()).collect();
    for (key, fingerprint, payment, refund, at) in plain {
        let fingerprint = seals.seal_text(INTENT_FINGERPRINT, &key, &fingerprint)?;
        let row = IntentRow { key, fingerprint, payment, refund, at };
        diesel::insert_into(intents::table).values(row).execute(tx)?;
    }
    Ok(diesel::delete(plain_intents::table.filter(plain_intents::key.eq_any(&moved))).execute(tx)?)
}

fn seal_shifts(tx: &mut SqliteConnection, seals: &Seals) -> Result<usize, JournalError> {
    let plain: Vec<(i64, i64, i64, String)> = plain_shifts::table.order(plain_shifts::batch).limit(BATCH).load(tx)?;
    let moved: Vec<i64> = plain.iter().map(|(batch, ..)| *batch).collect();
    for (batch, entry, open, kept) in plain {
        let kept = seals.seal_text(SHIFT_KEPT, &batch.to_string(), &kept)?;
        diesel::insert_into(shifts::table).values(ShiftRow { batch, entry, open, kept }).execute(tx)?;
    }
    Ok(diesel::delete(plain_shifts::table.filter(plain_shifts::batch.eq_any(moved))).execute(tx)?)
}

fn seal_presses(tx: &mut SqliteConnection, seals: &Seals) -> Result<usize, JournalError> {
    let plain: Vec<(String, String, i64)> =
        plain_shift_presses::table.order(plain_shift_presses::key).limit(BATCH).load(tx)?;
    let moved: Vec<String> = plain.iter().map(|(key, ..)| key.clone()).collect();
    for (key, fingerprint, at) in plain {
        let fingerprint = seals.seal_text(PRESS_FINGERPRINT, &key, &fingerprint)?;
        diesel::insert_into(shift_presses::table).values(PressRow { key, fingerprint, at }).execute(tx)?;
    }
    let plain = plain_shift_presses::table.filter(plain_shift_presses::key.eq_any(&moved));
    Ok(diesel::delete(plain).execute(tx)?)
}

/// Notes that the file holds what [`wipe`] has to take out.
pub(super) fn leave_remains(tx: &mut SqliteConnection) -> Result<(), JournalError> {
    set_meta(tx, REMAINS, "pages")
}

/// Whether what was deleted may still stand in the file.
pub(super) fn has_remains(store: &mut Store) -> Result<bool, JournalError> {
    Ok(store.meta(REMAINS)?.is_some())
}

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// Takes what was deleted out of the file and its log; nothing to do if nothing was.
///
/// # Errors
/// `Full` if there is no room for a second copy of the journal, `InUse` if another program reads it: all of the journal is
/// there and sealed, and it is to be tried again.
pub(super) fn wipe(store: &mut Store) -> Result<(), JournalError> {
    if !has_remains(store)? {
        return Ok(());
    }
    let wiped = wipe_now(store);
    wiped.map_err(|error| store.told_by_disk(error))
}

fn wipe_now(store: &mut Store) -> Result<(), JournalError> {
    // The log is cut first, so that the vacuum's copy finds room in it.
    for sql in ["PRAGMA secure_delete = ON", "PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"] {
        store.execute(sql)?;
    }
    let checkpoint: Checkpoint =
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut store.connection)?;
    if checkpoint.busy != 0 {
        return Err(JournalError::InUse);
    }
    store.forget_meta(REMAINS)?;
    store.execute("PRAGMA secure_delete = OFF")
}

//! The journal's statements: each function is one query or one transaction.

use diesel::{connection::SimpleConnection as _, dsl::max, prelude::*};
use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};
use saoma_protocol::{
    Currency, Millis, Money, PaymentId, RefundId, Sequence, TerminalId,
    api::RefundState,
    journal::{CoreTime, Entry, GENESIS, Record, Stamp},
    message::sync::BATCH_ENTRIES_MAX,
};

use super::{
    Books, Commit, Intent, JournalError, Opened, Settings, cashiers, elsewhere,
    goods::BASKET_OPEN,
    held, offline, received,
    rows::{
        EntryRow, INTENT_FINGERPRINT, IntentRow, REFUND_AMOUNT, RefundRow, SALE_AMOUNT, SALE_KEPT, SaleRow, kept_sale,
        seal_kept,
    },
    schema::{entries, intents, meta, pushes_seen, refunds, sales},
    seal::{SealError, Seals},
    shifts, signatures, splits, stored as stored_cards,
    unsent::Tally,
};
use crate::{sale::Kept, signer::Signer};

/// How long an intent of the page is remembered. Pages retry for minutes; a week covers a till that was switched off.
const INTENT_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How many ids of pushes are remembered. An older one that comes again is harmless: the version in it is old.
const PUSHES_KEPT: i64 = 20_000;
/// Less than this is full: the journal's shared memory alone grows by 32 KiB at a time.
const FULL_BYTES: u64 = 64 * 1024;
/// Size of a page, SQLite's default since 3.12.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Bytes of a batch's payloads, so that a batch with long entries stays under the longest message.
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// The open file. Lives on the journal's thread.
pub struct Store {
    pub(super) connection: SqliteConnection,
    pub(super) settings: Settings,
    /// None until the journal's key was found: it opens and seals nothing then.
    pub(super) seals: Seals,
    /// How far what core does not have is counted.
    pub(super) tally: Tally,
    /// Who signs what is written; nobody where a tool looks at the journal.
    pub(super) signer: Option<Signer>,
}

/// SQLite has no unsigned 64 bits; a sequence past 2^63 would take a sale every nanosecond for 292 years.
pub(super) fn stored(sequence: Sequence) -> i64 {
    i64::try_from(sequence.0).unwrap_or(i64::MAX)
}

pub(super) fn loaded(sequence: i64) -> Sequence {
    Sequence(u64::try_from(sequence).unwrap_or(0))
}

pub(super) fn unreadable(what: &str, error: impl std::fmt::Display) -> JournalError {
    JournalError::Unreadable(format!("{what}: {error}"))
}

impl Store {
    /// Opens (or makes) the journal of `terminal`, for use on this thread.
    ///
    /// # Errors
    /// As [`super::Journal::open`].
    pub fn open(settings: &Settings, terminal: TerminalId, now: Millis) -> Result<(Self, Opened), JournalError> {
        let mut store = super::open::open(settings, terminal)?;
        match store.forget_old(now).map_err(|error| store.told_by_disk(error)) {
            // What is not forgotten today is forgotten at a start with more room; what is under way must go on.
            Ok(()) | Err(JournalError::Full) => {}
            Err(error) => return Err(error),
        }
        let opened = store.opened()?;
        Ok((store, opened))
    }

    /// # Errors
    /// As [`super::Journal::commit`].
    pub fn commit(&mut self, commit: &Commit, now: Millis) -> Result<Sequence, JournalError> {
        let written = self.write(commit, now);
        if matches!(written, Err(JournalError::Database(_))) {
            self.write_over();
        }
        written.map_err(|error| self.told_by_disk(error))
    }

    /// A commit whose fsync failed stands whole in the write-ahead log, in nobody's view: the next start would find it there and
    /// take it for true, after everybody was told that it has not happened. What is written next takes its place.
    fn write_over(&mut self) {
        // If this fails as well, it has taken the place all the same.
        if let Err(error) = self.set_meta("written_over", "") {
            tracing::warn!(%error, "the journal's disk refuses to keep anything");
        }
    }

    /// SQLite has several words for a disk without room (its shared memory, a half-written page); the disk itself has one.
    /// Of a disk that fails, or that the kernel has made read-only after an error, SQLite alone tells: such a file system still
    /// says that it is writable (`emergency_ro` of ext4).
    pub(super) fn told_by_disk(&self, error: JournalError) -> JournalError {
        match error {
            JournalError::Database(_) if self.free_bytes().is_ok_and(|free| free < FULL_BYTES) => JournalError::Full,
            // SQLITE_IOERR and SQLITE_READONLY have no kinds of their own in diesel; their texts are fixed (sqlite3ErrStr).
            JournalError::Database(diesel::result::Error::DatabaseError(_, information))
                if ["disk I/O error", "attempt to write a readonly database"].contains(&information.message()) =>
            {
                JournalError::Unwritable { why: information.message().to_owned() }
            }
            other => other,
        }
    }

    /// Whether the disk keeps what is written.
    ///
    /// # Errors
    /// As [`super::Journal::commit`].
    pub fn check_writes(&mut self) -> Result<(), JournalError> {
        self.set_meta("written_over", "").map_err(|error| self.told_by_disk(error))
    }

    fn write(&mut self, commit: &Commit, now: Millis) -> Result<Sequence, JournalError> {
        let Self { connection, seals, signer, .. } = self;
        connection.immediate_transaction(|tx| {
            let (mut head, mut prev_hash) = last(tx, seals)?;
            let first = head.next();
            if !commit.records.is_empty() {
                signatures::begin(tx, signer.as_ref(), first)?;
            }
            let sold_at = commit.spent.as_ref().map(|spent| spent.at);
            let sold_at = sold_at.or(commit.stored.as_ref().map(|sold| sold.at));
            let at = sold_at.map_or(Stamp { machine: now, core: commit.core_time }, |at| Stamp {
                machine: at,
                core: CoreTime::At(at),
            });
            for record in &commit.records {
                let entry = Entry::new(head.next(), at, prev_hash, record.clone())?;
                (head, prev_hash) = (entry.sequence, entry.hash());
                let row = EntryRow::seal(seals, &entry, &hex::encode(prev_hash), cash_of(record))?;
                diesel::insert_into(entries::table).values(row).execute(tx)?;
                if let Some(signer) = signer {
                    signatures::keep(tx, seals, signer, head, &prev_hash)?;
                }
            }
            match &commit.sale {
                Some(kept) if kept.elsewhere => elsewhere::keep(tx, seals, commit, kept, first)?,
                Some(kept) => keep_sale(tx, seals, commit, kept, first)?,
                None => {}
            }
            if let Some(Intent { key, fingerprint, payment, refund }) = &commit.intent {
                let row = IntentRow {
                    key: key.clone(),
                    fingerprint: seals.seal_text(INTENT_FINGERPRINT, key, fingerprint)?,
                    payment: payment.to_string(),
                    refund: refund.map(|refund| refund.to_string()),
                    at: now.0,
                };
                diesel::insert_into(intents::table).values(row).execute(tx)?;
            }
            if let Some(shift) = &commit.shift {
                shifts::keep(tx, seals, shift, first)?;
            }
            if let Some(pressed) = &commit.shift_press {
                shifts::keep_press(tx, seals, pressed, now)?;
            }
            for change in &commit.held {
                held::change(tx, seals, change)?;
            }
            if let Some(split) = &commit.split {
                splits::keep(tx, seals, split)?;
            }
            for change in &commit.cashiers {
                cashiers::change(tx, seals, change)?;
            }
            if commit.basket_done {
                forget_meta(tx, BASKET_OPEN)?;
            }
            if let Some(known) = &commit.offline {
                offline::keep_list(tx, seals, known)?;
            }
            if let Some(spent) = &commit.spent {
                let through = synced_through(tx)?;
                offline::take(tx, seals, spent, first, through)?;
            }
            if let Some(sold) = &commit.stored {
                let through = synced_through(tx)?;
                stored_cards::take(tx, seals, sold, first, through)?;
            }
            if let Some(told) = &commit.received {
                received::take(tx, seals, told, now)?;
            }
            for id in &commit.pushes {
                diesel::insert_or_ignore_into(pushes_seen::table)
                    .values(pushes_seen::id.eq(stored(*id)))
                    .execute(tx)?;
            }
            if let Some(through) = commit.synced_through {
                set_meta(tx, "synced_through", &through.to_string())?;
            }
            Ok(head)
        })
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn opened(&mut self) -> Result<Opened, JournalError> {
        let (head, _) = last(&mut self.connection, &self.seals)?;
        let counter: Option<i64> = sales::table.select(max(sales::counter)).first(&mut self.connection)?;
        let open: Vec<(String, Vec<u8>)> = sales::table
            .filter(sales::open.ne(0))
            .order(sales::counter)
            .select((sales::payment, sales::kept))
            .load(&mut self.connection)?;
        let mut open_sales =
            open.iter().map(|(payment, kept)| kept_sale(&self.seals, payment, kept)).collect::<Result<Vec<_>, _>>()?;
        open_sales.extend(self.open_elsewhere()?);
        let (held, held_last) = self.held()?;
        let (cashiers, tries) = self.cashiers()?;
        Ok(Opened {
            head,
            synced_through: self.synced_through()?.min(head),
            counter: loaded(counter.unwrap_or(0)),
            open_sales,
            shift: self.last_shift()?,
            held,
            held_last,
            splits: self.open_splits()?,
            cashiers,
            tries,
            offline: self.offline_known()?,
            spent: self.offline_spent()?,
            stored: self.stored_cards()?,
            received: self.received()?,
        })
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn synced_through(&mut self) -> Result<Sequence, JournalError> {
        synced_through(&mut self.connection)
    }

    /// The terminal whose journal this is, in words; none before its first start.
    ///
    /// # Errors
    /// `Database`.
    pub fn owner(&mut self) -> Result<Option<String>, JournalError> {
        self.meta("terminal")
    }

    pub(super) fn meta(&mut self, name: &str) -> Result<Option<String>, JournalError> {
        meta_of(&mut self.connection, name)
    }

    pub(super) fn set_meta(&mut self, name: &str, value: &str) -> Result<(), JournalError> {
        set_meta(&mut self.connection, name, value)
    }

    pub(super) fn forget_meta(&mut self, name: &str) -> Result<(), JournalError> {
        forget_meta(&mut self.connection, name)
    }

    /// The entries after `after`, in order, as many as one batch takes; without their signatures.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn entries_after(&mut self, after: Sequence) -> Result<Vec<Entry>, JournalError> {
        Ok(self.hashed_after(after)?.into_iter().map(|(entry, _)| entry).collect())
    }

    /// As [`Self::entries_after`], each with its stored hash.
    pub(super) fn hashed_after(&mut self, after: Sequence) -> Result<Vec<(Entry, String)>, JournalError> {
        let rows: Vec<EntryRow> = entries::table
            .filter(entries::sequence.gt(stored(after)))
            .order(entries::sequence)
            .limit(i64::try_from(BATCH_ENTRIES_MAX).unwrap_or(1))
            .load(&mut self.connection)?;
        let mut bytes = 0;
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let (entry, hash) = row.open(&self.seals)?;
            // The first always fits: an entry is at most a sixteenth of it.
            bytes += entry.payload.len() + 512;
            if bytes > BATCH_BYTES_MAX {
                break;
            }
            page.push((entry, hash));
        }
        Ok(page)
    }

    /// The entry with its stored hash.
    pub(super) fn entry(&mut self, sequence: Sequence) -> Result<Option<(Entry, String)>, JournalError> {
        let row: Option<EntryRow> = entries::table.find(stored(sequence)).first(&mut self.connection).optional()?;
        row.map(|row| row.open(&self.seals)).transpose()
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn sale(&mut self, payment: PaymentId) -> Result<Option<(Kept, Sequence)>, JournalError> {
        let row: Option<SaleRow> = sales::table.find(payment.to_string()).first(&mut self.connection).optional()?;
        match row {
            Some(row) => Ok(Some((row.kept(&self.seals)?, loaded(row.entry)))),
            None => self.elsewhere(payment),
        }
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn latest_sales(&mut self, limit: u32) -> Result<Vec<(Kept, Sequence)>, JournalError> {
        let rows: Vec<SaleRow> =
            sales::table.order(sales::counter.desc()).limit(i64::from(limit)).load(&mut self.connection)?;
        rows.iter().map(|row| Ok((row.kept(&self.seals)?, loaded(row.entry)))).collect()
    }

    /// The sale with that number on its slip.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn sale_numbered(&mut self, counter: Sequence) -> Result<Option<(Kept, Sequence)>, JournalError> {
        let row = sales::table.filter(sales::counter.eq(stored(counter)));
        let row: Option<SaleRow> = row.first(&mut self.connection).optional()?;
        row.map(|row| Ok((row.kept(&self.seals)?, loaded(row.entry)))).transpose()
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn intent(&mut self, key: &str) -> Result<Option<Intent>, JournalError> {
        let row: Option<IntentRow> = intents::table.find(key).first(&mut self.connection).optional()?;
        row.map(|row| {
            let payment = row.payment.parse().map_err(|error| unreadable("an intent", error))?;
            let refund = row.refund.map(|text| text.parse::<RefundId>()).transpose();
            let refund = refund.map_err(|error| unreadable("an intent", error))?;
            let fingerprint = self.seals.open_text(INTENT_FINGERPRINT, &row.key, &row.fingerprint)?;
            Ok(Intent { key: row.key, fingerprint, payment, refund })
        })
        .transpose()
    }

    /// # Errors
    /// `Database`.
    pub fn is_push_seen(&mut self, id: Sequence) -> Result<bool, JournalError> {
        let found: Option<i64> =
            pushes_seen::table.find(stored(id)).select(pushes_seen::id).first(&mut self.connection).optional()?;
        Ok(found.is_some())
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn books(&mut self) -> Result<Books, JournalError> {
        let captured: Vec<(String, Vec<u8>)> = sales::table
            .filter(sales::captured.eq(1))
            .select((sales::payment, sales::amount))
            .load(&mut self.connection)?;
        let given_back: Vec<(String, Vec<u8>)> = refunds::table
            .filter(refunds::state.eq(refund_state_text(RefundState::Succeeded)))
            .select((refunds::refund, refunds::amount))
            .load(&mut self.connection)?;
        let journal_through = self.synced_through()?;
        let of = |place, rows: &[(String, Vec<u8>)]| {
            sums(rows.iter().map(|(row, sum)| self.seals.open_sum(place, row, sum)))
        };
        Ok(Books {
            journal_through,
            sales_count: captured.len() as u64,
            sales: of(SALE_AMOUNT, &captured)?,
            refunds_count: given_back.len() as u64,
            refunds: of(REFUND_AMOUNT, &given_back)?,
        })
    }

    /// Whether there is room for a new sale, with what is kept free so that its result and its refunds still fit.
    ///
    /// # Errors
    /// `Full` if not; `Unwritable` if it is mounted read-only; `Database`.
    pub fn check_room(&mut self) -> Result<(), JournalError> {
        let Settings { free_bytes_min, pages_max, .. } = &self.settings;
        if *pages_max > 0 {
            let used = pragma(&mut self.connection, "page_count")? - pragma(&mut self.connection, "freelist_count")?;
            let free_pages = pages_max.saturating_sub(u64::try_from(used).unwrap_or(0));
            // A tenth of a small journal is kept for what follows from sales already keyed.
            let kept_free = (*free_bytes_min / PAGE_BYTES).min(pages_max / 10);
            if free_pages <= kept_free {
                return Err(JournalError::Full);
            }
        }
        if self.disk()?.flags().contains(FsFlags::ST_RDONLY) {
            return Err(JournalError::Unwritable { why: "it is mounted read-only".to_owned() });
        }
        if self.free_bytes()? < *free_bytes_min { Err(JournalError::Full) } else { Ok(()) }
    }

    fn disk(&self) -> Result<Statvfs, JournalError> {
        let path = &self.settings.path;
        statvfs(path.parent().unwrap_or(path))
            .map_err(|error| JournalError::Open { path: path.clone(), why: error.desc().to_owned() })
    }

    fn free_bytes(&self) -> Result<u64, JournalError> {
        let disk = self.disk()?;
        // Block counts are 32 bits on some machines.
        #[allow(clippy::useless_conversion)]
        Ok(u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size())))
    }

    /// Drops what only serves repetitions that can no longer come.
    pub(super) fn forget_old(&mut self, now: Millis) -> Result<(), JournalError> {
        let before = now.plus(-INTENT_DAYS * DAY_MS).0;
        diesel::delete(intents::table.filter(intents::at.lt(before))).execute(&mut self.connection)?;
        shifts::forget_presses(&mut self.connection, before)?;
        let newest: Option<i64> = pushes_seen::table.select(max(pushes_seen::id)).first(&mut self.connection)?;
        if let Some(newest) = newest {
            let before = newest.saturating_sub(PUSHES_KEPT);
            diesel::delete(pushes_seen::table.filter(pushes_seen::id.lt(before))).execute(&mut self.connection)?;
        }
        Ok(())
    }

    pub(super) fn execute(&mut self, sql: &str) -> Result<(), JournalError> {
        Ok(self.connection.batch_execute(sql)?)
    }
}

pub(super) fn last(tx: &mut SqliteConnection, seals: &Seals) -> Result<(Sequence, [u8; 32]), JournalError> {
    let row: Option<EntryRow> = entries::table.order(entries::sequence.desc()).first(tx).optional()?;
    let Some(row) = row else { return Ok((Sequence(0), GENESIS)) };
    let (entry, _) = row.open(seals)?;
    Ok((entry.sequence, entry.hash()))
}

pub(super) fn meta_of(tx: &mut SqliteConnection, name: &str) -> Result<Option<String>, JournalError> {
    Ok(meta::table.find(name).select(meta::value).first(tx).optional()?)
}

fn synced_through(tx: &mut SqliteConnection) -> Result<Sequence, JournalError> {
    let text = meta_of(tx, "synced_through")?.unwrap_or_else(|| "0".to_owned());
    text.parse().map(Sequence).map_err(|error| unreadable("synced_through", error))
}

/// Money that is at risk until core has this record.
fn cash_of(record: &Record) -> Option<(i64, &'static str)> {
    match record {
        Record::CashSale { amount, .. }
        | Record::OfflineSale { amount, .. }
        | Record::StoredCardSale { amount, .. } => Some((amount.minor(), amount.currency().code())),
        _ => None,
    }
}

fn keep_sale(
    tx: &mut SqliteConnection,
    seals: &Seals,
    commit: &Commit,
    kept: &Kept,
    first: Sequence,
) -> Result<(), JournalError> {
    let payment = kept.payment.to_string();
    let known: Option<i64> = sales::table.find(&payment).select(sales::entry).first(tx).optional()?;
    let row = SaleRow {
        payment: payment.clone(),
        counter: stored(kept.counter),
        entry: known.unwrap_or_else(|| stored(first)),
        state: commit.sale_state.to_owned(),
        open: commit.sale_open as i64,
        captured: i64::from(commit.sale_captured),
        amount: seals.seal_sum(SALE_AMOUNT, &payment, kept.amount.minor(), kept.amount.currency().code())?,
        kept: seal_kept(SALE_KEPT, seals, &payment, kept)?,
    };
    if known.is_some() {
        diesel::update(sales::table.find(&payment)).set(&row).execute(tx)?;
    } else {
        diesel::insert_into(sales::table).values(&row).execute(tx)?;
    }
    for refund in &kept.refunds {
        let (id, amount) = (refund.refund.to_string(), refund.amount);
        let row = RefundRow {
            amount: seals.seal_sum(REFUND_AMOUNT, &id, amount.minor(), amount.currency().code())?,
            refund: id,
            payment: payment.clone(),
            state: refund_state_text(refund.state).to_owned(),
        };
        diesel::insert_into(refunds::table)
            .values(&row)
            .on_conflict(refunds::refund)
            .do_update()
            .set(&row)
            .execute(tx)?;
    }
    Ok(())
}

pub(super) fn set_meta(tx: &mut SqliteConnection, name: &str, value: &str) -> Result<(), JournalError> {
    diesel::replace_into(meta::table).values((meta::name.eq(name), meta::value.eq(value))).execute(tx)?;
    Ok(())
}

pub(super) fn forget_meta(tx: &mut SqliteConnection, name: &str) -> Result<(), JournalError> {
    diesel::delete(meta::table.find(name)).execute(tx)?;
    Ok(())
}

#[derive(QueryableByName)]
struct PragmaRow {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}

fn pragma(tx: &mut SqliteConnection, name: &'static str) -> Result<i64, JournalError> {
    let row: PragmaRow = diesel::sql_query(format!("SELECT {name} AS value FROM pragma_{name}")).get_result(tx)?;
    Ok(row.value)
}

/// One sum per currency, in the order of the codes.
fn sums(rows: impl Iterator<Item = Result<(i64, String), SealError>>) -> Result<Vec<Money>, JournalError> {
    let mut sums = std::collections::BTreeMap::<Currency, Money>::new();
    for row in rows {
        let (minor, code) = row?;
        let currency: Currency = code.parse().map_err(|error| unreadable("a currency", error))?;
        let sum = sums.entry(currency).or_insert_with(|| Money::new(0, currency));
        *sum = sum.checked_add(Money::new(minor, currency)).map_err(|error| unreadable("a sum", error))?;
    }
    Ok(sums.into_values().collect())
}

pub(super) const fn refund_state_text(state: RefundState) -> &'static str {
    match state {
        RefundState::Submitting => "submitting",
        RefundState::Pending => "pending",
        RefundState::Unknown => "unknown",
        RefundState::Succeeded => "succeeded",
        RefundState::Failed => "failed",
    }
}

//! Opening the journal, and believing it: its settings, its migrations, its key, its chain.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use diesel::{Connection as _, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use saoma_protocol::{Sequence, TerminalId, journal::GENESIS};

use super::{JournalError, Store, keys::Keys, plain, rekey, seal::Seals, standing, unsent::Tally};

pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Where the journal is and how large it may grow.
#[derive(Clone, Debug)]
pub struct Settings {
    pub path: PathBuf,
    /// No sale begins with less than this free on the disk.
    pub free_bytes_min: u64,
    /// Largest file in pages of 4096 bytes; 0 is as large as the disk.
    pub pages_max: u64,
}

/// What a check of the whole journal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries whose chain is whole.
    pub entries: u64,
    /// Those of them whose signatures were looked at, and fit; the others are of before there were any.
    pub signed: u64,
    pub synced_through: Sequence,
}

/// Opens the journal of `terminal`, makes it if there is none, brings its tables up to date, seals what is not, ends a change of
/// keys that was cut off, and checks the chain of all that core does not have yet (core checked the rest).
pub(super) fn open(settings: &Settings, terminal: TerminalId) -> Result<Store, JournalError> {
    let path = &settings.path;
    let mut store = connect(settings)?;
    store
        .connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| JournalError::Open { path: path.clone(), why: error.to_string() })?;
    let owner = store.owner()?;
    if let Some(owner) = owner.as_ref().filter(|owner| **owner != terminal.to_string()) {
        let why = format!("it is the journal of terminal {owner}, and this is {terminal}");
        return Err(JournalError::Damaged { path: path.clone(), why });
    }
    let mut keys = Keys::read(path)?;
    seal(&mut store, &mut keys).map_err(|error| store.told_by_disk(error))?;
    if owner.is_none() {
        store.set_meta("terminal", &terminal.to_string())?;
    }
    let synced = store.synced_through()?;
    check_chain(&mut store, synced)?;
    Ok(store)
}

fn seal(store: &mut Store, keys: &mut Keys) -> Result<(), JournalError> {
    rekey::unlock(store, keys)?;
    plain::seal_all(store)?;
    rekey::finish(store, keys)?;
    if let Some(key) = rekey::key_of(store)?.filter(|key| keys.is_to_follow(*key)) {
        tracing::warn!(%key, "systemd hands over another key than the journal's: stop the agent, run saoma-edge journal rekey");
    }
    if let Err(error) = plain::wipe(store) {
        // Everything is sealed; only what was deleted may still stand in free pages.
        tracing::warn!(error = error.chain(), "what the journal was before it was encrypted is not wiped out yet");
    }
    Ok(())
}

/// How a journal is locked, for whoever looks after the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The key in force, by its name.
    pub key: String,
    /// Where that key is.
    pub source: String,
    /// systemd hands over another one by now.
    pub is_to_follow: bool,
    /// What was deleted when the journal, or its key, was changed may still stand in the file.
    pub has_remains: bool,
}

/// How the journal in `settings` is locked. Changes nothing.
///
/// # Errors
/// As [`look`].
pub fn lock(settings: &Settings) -> Result<Lock, JournalError> {
    let mut store = look(settings)?;
    let keys = Keys::read(&settings.path)?;
    let Some(key) = rekey::key_of(&mut store)? else {
        return Err(JournalError::NotSealedYet { path: settings.path.clone() });
    };
    Ok(Lock {
        key: key.to_string(),
        source: keys.source(key),
        is_to_follow: keys.is_to_follow(key),
        has_remains: plain::has_remains(&mut store)?,
    })
}

/// Checks every entry of the journal in `path` against its chain, and its signature. Changes nothing but what SQLite repairs by itself.
///
/// # Errors
/// As [`look`]; `Damaged` or `Sealed` at the first entry that is not whole.
pub fn verify(path: &Path) -> Result<Verified, JournalError> {
    let verified = verify_chain(path)?;
    let mut store = look(&Settings { path: path.to_owned(), free_bytes_min: 0, pages_max: 0 })?;
    let signers = store.signers()?;
    let (mut checked, mut signed) = (Sequence(0), 0);
    // What an agent has added meanwhile is for the next look.
    while checked.0 < verified.entries {
        let page = store.signed_after(checked)?;
        let Some(last) = page.last() else { break };
        checked = last.sequence;
        if let Some(why) = page.iter().find_map(|entry| signers.fault(entry)) {
            return Err(JournalError::Damaged { path: path.to_owned(), why });
        }
        signed += page.iter().filter(|entry| entry.signature.is_some()).count() as u64;
    }
    Ok(Verified { signed, ..verified })
}

/// The same without the signatures, each of which takes some ten times as long as a hash.
///
/// # Errors
/// As [`verify`].
pub fn verify_chain(path: &Path) -> Result<Verified, JournalError> {
    let mut store = look(&Settings { path: path.to_owned(), free_bytes_min: 0, pages_max: 0 })?;
    let entries = check_chain(&mut store, Sequence(0))?;
    Ok(Verified { entries, signed: 0, synced_through: store.synced_through()? })
}

/// A journal that is there, to look at and not to write to: beside the agent, and whosever it is. Its chain is not checked.
///
/// # Errors
/// `Open` if there is no journal, `Damaged` if it is no database, `NotSealedYet` if the version before wrote it, `Key` if its
/// key is not there.
pub fn look(settings: &Settings) -> Result<Store, JournalError> {
    let mut store = present(settings)?;
    store.execute("PRAGMA query_only = ON")?;
    if let Some(key) = rekey::key_of(&mut store)? {
        store.seals = Keys::read(&settings.path)?.seals(key)?;
    }
    Ok(store)
}

/// A journal that is there and of this version, without its key.
pub(super) fn present(settings: &Settings) -> Result<Store, JournalError> {
    let path = &settings.path;
    if !path.exists() {
        return Err(JournalError::Open { path: path.clone(), why: "there is no such file".to_owned() });
    }
    let mut store = connect(settings)?;
    if plain::is_plain(&mut store)? {
        return Err(JournalError::NotSealedYet { path: path.clone() });
    }
    Ok(store)
}

pub(super) fn connect(settings: &Settings) -> Result<Store, JournalError> {
    let path = &settings.path;
    let failed = |why: String| JournalError::Open { path: path.clone(), why };
    // Made by us first, so that it is never readable by others; SQLite gives its side files the same mode.
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(error.to_string()))?;
    let shown = path.to_str().ok_or_else(|| failed("its path is not UTF-8".to_owned()))?;
    let connection = SqliteConnection::establish(shown).map_err(|error| failed(error.to_string()))?;
    let (seals, tally) = (Seals::default(), Tally::none_after(Sequence(0)));
    let mut store = Store { connection, settings: settings.clone(), seals, tally, signer: None };
    let pragmas = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                   PRAGMA foreign_keys = ON; PRAGMA cache_size = -512; PRAGMA journal_size_limit = 1048576; \
                   PRAGMA trusted_schema = OFF;";
    if let Err(error) = store.execute(pragmas) {
        return Err(match store.told_by_disk(error) {
            JournalError::Database(source) => JournalError::Damaged { path: path.clone(), why: source.to_string() },
            other => other,
        });
    }
    // Here, so that no command goes past it.
    standing::check_known(&mut store.connection, path)?;
    if settings.pages_max > 0 {
        store.execute(&format!("PRAGMA max_page_count = {}", settings.pages_max))?;
    }
    Ok(store)
}

/// Checks numbers and hashes of all entries after `from`; how many there are.
fn check_chain(store: &mut Store, from: Sequence) -> Result<u64, JournalError> {
    let path = store.settings.path.clone();
    let damaged = |why: String| JournalError::Damaged { path: path.clone(), why };
    let mut prev_hash = match from {
        Sequence(0) => GENESIS,
        from => match store.entry(from)? {
            Some((entry, _)) => entry.hash(),
            None => return Err(damaged(format!("entry {from} is missing, which core has"))),
        },
    };
    let mut checked = from;
    loop {
        let batch = store.hashed_after(checked)?;
        if batch.is_empty() {
            return Ok(checked.0 - from.0);
        }
        for (entry, kept) in batch {
            if entry.sequence != checked.next() {
                return Err(damaged(format!("entry {} is missing", checked.next())));
            }
            entry.checked(prev_hash).map_err(|error| damaged(error.to_string()))?;
            prev_hash = entry.hash();
            if kept != data_encoding::HEXLOWER.encode(&prev_hash) {
                return Err(damaged(format!("entry {} was altered", entry.sequence)));
            }
            checked = entry.sequence;
        }
    }
}

//! What the databases' errors mean: by kind where diesel has one, by their words where it has none.

use diesel::result::{DatabaseErrorKind, Error};

use crate::StoreError;

/// What an error of the database means to whoever runs the transaction.
pub(crate) struct Failure {
    pub error: StoreError,
    /// It may be gone the next time.
    pub again: bool,
    /// The connection is of no more use.
    pub broken: bool,
}

/// Texts of errors that diesel has no kind for. SQLite's are constants of `sqlite3ErrStr` (main.c); PostgreSQL's are those
/// of a server with English messages. An error that is not known here is `Internal` and is not tried again.
const AGAIN: &[&str] = &["database is locked", "database table is locked", "deadlock detected", "due to lock timeout"];
const FULL: &[&str] = &["database or disk is full", "No space left on device", "could not extend file"];
const BROKEN_FILE: &[&str] = &["database disk image is malformed", "file is not a database"];
/// A sum of what is stored, since nothing that is stored by itself is near 64 bits.
const OVERFLOW: &[&str] = &["integer overflow", "bigint out of range"];
const AWAY: &[&str] = &[
    "the database system is",
    "terminating connection",
    "too many clients",
    "remaining connection slots",
    "unable to open database file",
    "disk I/O error",
    "server closed the connection",
];

pub(crate) fn classify(error: &Error) -> Failure {
    let failure = |error, again, broken| Failure { error, again, broken };
    match error {
        Error::NotFound => failure(StoreError::NotFound { what: "a row" }, false, false),
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            failure(StoreError::Conflict { what: "a row" }, false, false)
        }
        Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            failure(StoreError::NotFound { what: "what a row belongs to" }, false, false)
        }
        Error::DatabaseError(DatabaseErrorKind::SerializationFailure, info) => {
            failure(unavailable(info.message()), true, false)
        }
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, info) => {
            failure(unavailable(info.message()), true, true)
        }
        Error::DatabaseError(_, info) => {
            let message = info.message();
            let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
            if says(AGAIN) {
                failure(unavailable(message), true, false)
            } else if says(FULL) {
                failure(StoreError::DiskFull, false, false)
            } else if says(BROKEN_FILE) || says(OVERFLOW) {
                failure(StoreError::Corrupt { why: message.to_owned() }, false, false)
            } else if says(AWAY) {
                failure(unavailable(message), true, true)
            } else {
                failure(StoreError::Internal { why: message.to_owned() }, false, false)
            }
        }
        Error::DeserializationError(error) => failure(StoreError::Corrupt { why: error.to_string() }, false, false),
        other => failure(StoreError::Internal { why: other.to_string() }, false, false),
    }
}

pub(crate) fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable { why: why.to_owned() }
}

//! What can go wrong with stored things, in words that a caller can act on.

/// Why the store did not do what was asked. Nothing of the transaction was kept, but for [`StoreError::InDoubt`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such row, or it is another tenant's: the two look the same on purpose.
    #[error("find {what}")]
    NotFound { what: &'static str },
    /// Something unique is taken: a name, a number, a code.
    #[error("keep {what} unique")]
    Conflict { what: &'static str },
    /// Somebody else saved the row since it was loaded. Load it again and decide again.
    #[error("save {what}: it was changed meanwhile")]
    Stale { what: &'static str },
    /// A credential, claim code or session whose time is over.
    #[error("use {what}: its time is over")]
    Expired { what: &'static str },
    /// A credential or code that was withdrawn, or used up.
    #[error("use {what}: it was withdrawn or is used up")]
    Revoked { what: &'static str },
    /// The value is outside of what the store takes.
    #[error("store {what}: at most {max}")]
    Limit { what: &'static str, max: u64 },
    /// The database is locked, unreachable or over its limit of connections, also after retries. Try again later.
    #[error("reach the database: {why}")]
    Unavailable { why: String },
    /// The connection broke at the commit: the transaction may have been kept, or not. Look before trying again.
    #[error("hear whether the database kept it: {why}")]
    InDoubt { why: String },
    /// No space is left. Nothing can be sold until there is some.
    #[error("write to the database: the disk is full")]
    DiskFull,
    /// The database holds what no version of this code wrote, or a check of the books failed. A person must look.
    #[error("trust the database: {why}")]
    Corrupt { why: String },
    /// The database was migrated by a newer version of this program.
    #[error("open the database: it was written by a newer version (migration {migration})")]
    Newer { migration: String },
    /// Our own mistake: a query that does not fit the schema, a panic in a transaction.
    #[error("carry out a query: {why}")]
    Internal { why: String },
}

impl StoreError {
    /// The same error about `what`, where a general function could not know.
    #[must_use]
    pub(crate) fn about(self, what: &'static str) -> Self {
        match self {
            Self::NotFound { .. } => Self::NotFound { what },
            Self::Conflict { .. } => Self::Conflict { what },
            other => other,
        }
    }
}

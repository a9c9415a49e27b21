//! Proving an audit log: from its first entry to its last, and against what was noted of it elsewhere.

use std::fmt;

use saoma_store::{
    Store, StoreError, access,
    audit::{self, Broken, Flaw, Head, NewEntry, Walked},
};

use crate::audit_anchor::Anchor;

/// What does not hold, in words for an auditor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The first entry that is not as it was written; what comes after it proves nothing.
    Broken(Broken),
    /// The log was longer once.
    Cut { anchor: Anchor, end: u64 },
    /// The log fits in itself, but says something else than it did once.
    Rewritten { anchor: Anchor, hash: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(Broken { sequence, flaw }) => {
                let number = sequence.0;
                match flaw {
                    Flaw::BeforeFirst { count } => {
                        write!(f, "has {count} entries with numbers from before the first: nobody wrote them")
                    }
                    Flaw::Missing { next } => write!(f, "entry {number} is missing: the next one is {}", next.0),
                    Flaw::Fields { entry, hash, of_fields } => write!(
                        f,
                        "entry {number} was changed: its fields give the hash {of_fields}, and it and the entry after it have \
                         {hash}; it says now: {}",
                        shown(entry)
                    ),
                    Flaw::Hash { entry, hash, of_fields } => write!(
                        f,
                        "the hash of entry {number} was changed: it is {hash}, and its fields and the entry after it say \
                         {of_fields}; it says: {}",
                        shown(entry)
                    ),
                    Flaw::Unclear { entry, hash, of_fields } => write!(
                        f,
                        "entry {number} is not what was written there: it has the hash {hash}, and its fields after the entry \
                         before give {of_fields}; it says now: {}",
                        shown(entry)
                    ),
                }
            }
            Self::Cut { anchor, end } => {
                write!(
                    f,
                    "was cut off: it ends with entry {end}, and had entry {} at {}",
                    anchor.sequence,
                    anchor.time()
                )
            }
            Self::Rewritten { anchor, hash } => write!(
                f,
                "was written anew: entry {} had the hash {} at {}, and has {hash} now",
                anchor.sequence,
                anchor.hash,
                anchor.time()
            ),
        }
    }
}

fn shown(entry: &NewEntry) -> String {
    let NewEntry { actor, action, subject, detail_json, at } = entry;
    format!("{} {actor} {action} {subject} {detail_json}", time(at.0))
}

fn time(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Proves one log, and holds it against anchors of its own: how many entries hold, and what does not. Blocks.
///
/// # Errors
/// Of the store.
pub fn check(store: &Store, chain: &str, anchors: &[&Anchor]) -> Result<(u64, Vec<Finding>), StoreError> {
    let process = access::process();
    let mut findings = Vec::new();
    let mut head = Head::genesis();
    loop {
        match store.read_blocking(|tx| audit::walk(tx, &process, chain, &head))? {
            Walked::On(next) => head = next,
            Walked::End(end) => {
                head = end;
                break;
            }
            Walked::Broken(broken) => {
                findings.push(Finding::Broken(broken));
                break;
            }
        }
    }
    for anchor in anchors {
        findings.extend(against(store, anchor)?);
    }
    Ok((head.sequence, findings))
}

/// What of its log does not hold by this anchor. Blocks.
///
/// # Errors
/// Of the store.
pub fn against(store: &Store, anchor: &Anchor) -> Result<Option<Finding>, StoreError> {
    store.read_blocking(|tx| {
        let (process, chain) = (access::process(), &anchor.chain);
        let anchor = anchor.clone();
        Ok(match audit::hash_at(tx, &process, chain, anchor.sequence)? {
            None => {
                let end = audit::head(tx, &process, chain)?.map_or(0, |head| head.sequence);
                Some(Finding::Cut { anchor, end })
            }
            Some(hash) if hash != anchor.hash => Some(Finding::Rewritten { anchor, hash }),
            Some(_) => None,
        })
    })
}

//! Whose word an entry is. Pure: the certificates come in, and what of the batch may be taken goes out.
//!
//! The connection says who sends a journal; the signature says who wrote it, whatever carried it since: a broker, a copy of the disk in
//! another machine. A signature counts if it is by a certificate that core gave this terminal and has not withdrawn. One that is over
//! counts, since sales may wait for longer; so does the one before a renewal, until the renewal after that. One that was withdrawn does not
//! count, whenever the entry was written: the time in it is the word of whoever holds that key. A machine that enrolled again signs anew
//! what core does not have.
//!
//! Unsigned entries are of agents from before. Whether they are taken is decided in [`super::chain`].

use std::collections::HashMap;

use data_encoding::BASE64;
use saoma_protocol::{
    Sequence, TenantId, TerminalId,
    journal::{Entry, EntrySignature, signed_bytes},
    message::{JournalBatch, sync::BATCH_CERTIFICATES_MAX},
};
use saoma_store::terminals::Certificate;

use crate::fleet::ca::{Ca, Known};

/// An entry whose signature is this terminal's. Made by [`read`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEntry {
    entry: Entry,
    hash: [u8; 32],
}

/// An entry that core does not have yet, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewEntry {
    Signed(SignedEntry),
    Unsigned(Entry),
}

impl NewEntry {
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        match self {
            Self::Signed(SignedEntry { entry, .. }) | Self::Unsigned(entry) => entry,
        }
    }

    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Self::Signed(SignedEntry { hash, .. }) => *hash,
            Self::Unsigned(entry) => entry.hash(),
        }
    }
}

/// A batch whose signatures were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBatch {
    /// Entries that core has under their numbers. Their hashes alone say whether they are the same: the key of one that is sent again
    /// late may have been withdrawn since.
    pub known: Vec<Entry>,
    /// Up to the first that is refused, in the order of the batch.
    pub new: Vec<NewEntry>,
    pub refused: Option<(Sequence, SignatureError)>,
    /// The keys of the certificates that came along, by serial number; of those that core gave this terminal.
    pub keys: Vec<(String, Vec<u8>)>,
}

/// Why an entry's signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is signed by a certificate ({0}) that core did not give this terminal")]
    Foreign(String),
    #[error(
        "it is signed by a certificate ({0}) that was withdrawn: restart the terminal, it signs anew what core does not have"
    )]
    Withdrawn(String),
    #[error("the certificate ({0}) that it is signed by did not come along")]
    Missing(String),
    #[error("its signature does not fit: it was altered, or signed for another number, terminal or merchant")]
    Wrong,
}

/// Looks at the signatures of what comes after `through`. `issued`: the certificates that core gave the terminal.
#[must_use]
pub fn read(
    (tenant, terminal): (TenantId, TerminalId),
    through: Sequence,
    batch: JournalBatch,
    ca: &Ca,
    issued: &[Certificate],
) -> ReadBatch {
    let shown = batch.certificates.iter().take(BATCH_CERTIFICATES_MAX).filter_map(|certificate| {
        let known = BASE64.decode(certificate.as_bytes()).ok().and_then(|der| ca.know(&der))?;
        (known.terminal == terminal).then_some((known.serial.clone(), known))
    });
    let shown: HashMap<String, Known> = shown.collect();
    let is_issued = |serial: &String| issued.iter().any(|certificate| certificate.serial == *serial);
    let keys = shown.values().filter(|known| is_issued(&known.serial));
    let keys = keys.map(|known| (known.serial.clone(), known.public_key.clone())).collect();
    let mut read = ReadBatch { keys, ..ReadBatch::default() };
    for entry in batch.entries {
        if entry.sequence <= through {
            read.known.push(entry);
            continue;
        }
        let hash = entry.hash();
        let signed = signed_bytes(tenant, terminal, entry.sequence, &hash);
        let fits = entry.signature.as_ref().map(|signature| check(signature, &signed, &shown, issued)).transpose();
        match fits {
            Ok(Some(())) => read.new.push(NewEntry::Signed(SignedEntry { entry, hash })),
            Ok(None) => read.new.push(NewEntry::Unsigned(entry)),
            Err(error) => {
                read.refused = Some((entry.sequence, error));
                break;
            }
        }
    }
    read
}

fn check(
    signature: &EntrySignature,
    signed: &[u8; saoma_protocol::journal::SIGNED_LEN],
    shown: &HashMap<String, Known>,
    issued: &[Certificate],
) -> Result<(), SignatureError> {
    let serial = &signature.certificate;
    // A serial of the terminal's own making may be long.
    let named = || serial.chars().take(40).collect::<String>();
    let certificate = issued.iter().find(|certificate| certificate.serial == *serial);
    let certificate = certificate.ok_or_else(|| SignatureError::Foreign(named()))?;
    if certificate.revoked_at.is_some() {
        return Err(SignatureError::Withdrawn(named()));
    }
    let Known { public_key, .. } = shown.get(serial).ok_or_else(|| SignatureError::Missing(named()))?;
    if signature.fits(public_key, signed) { Ok(()) } else { Err(SignatureError::Wrong) }
}

#[cfg(test)]
impl ReadBatch {
    /// As if the signatures had been looked at, and fitted.
    pub fn signed(through: Sequence, entries: &[Entry]) -> Self {
        let (known, new): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|entry| entry.sequence <= through);
        let new = new.into_iter().map(|entry| NewEntry::Signed(SignedEntry { hash: entry.hash(), entry })).collect();
        Self { known, new, refused: None, keys: Vec::new() }
    }
}

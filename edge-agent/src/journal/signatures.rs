//! Each entry's signature, made in its own transaction; and what is sent with it.
//!
//! Core takes what the certificate in use has signed. So one rule serves all: an entry that has no signature of that one is signed by it when
//! it is sent, whether it is of before there were signatures, the certificate was renewed or the machine enrolled again since (core may have
//! withdrawn the one before), or the signature is lost. The entry's chain was checked when the journal was opened, and each is sealed. From
//! the number on at which this release began (`signed_from`), an entry without a signature is one that has lost it, and is told as that.

use std::collections::HashMap;

use diesel::prelude::*;
use saoma_protocol::{
    Amount, Millis, Sequence, TenantId, TerminalId,
    code::phone::PhoneCode,
    journal::{Entry, EntrySignature, signed_bytes},
    message::JournalBatch,
};

use super::{
    JournalError, Store, plain,
    rows::SIGNATURE_KEPT,
    schema::{signatures, signers},
    seal::Seals,
    store::{loaded, meta_of, set_meta, stored, unreadable},
};
use crate::signer::{Signer, SignerError, public_key};

/// In `meta`: the first entry that was signed when it was written.
const SIGNED_FROM: &str = "signed_from";

/// Writes down who signs what the same transaction writes, from the entry `first` on. Mostly that is known.
///
/// # Errors
/// `Sign` if nobody does, and this journal is signed.
pub(super) fn begin(tx: &mut SqliteConnection, signer: Option<&Signer>, first: Sequence) -> Result<(), JournalError> {
    let is_signed = meta_of(tx, SIGNED_FROM)?.is_some();
    let Some(signer) = signer else {
        return if is_signed { Err(SignerError::Nobody.into()) } else { Ok(()) };
    };
    let row = (
        signers::certificate.eq(signer.serial()),
        signers::tenant.eq(signer.tenant().to_string()),
        signers::der.eq(signer.certificate()),
    );
    diesel::insert_or_ignore_into(signers::table).values(row).execute(tx)?;
    if !is_signed {
        set_meta(tx, SIGNED_FROM, &first.to_string())?;
    }
    Ok(())
}

/// Writes down the signature of an entry that is written in the same transaction.
pub(super) fn keep(
    tx: &mut SqliteConnection,
    seals: &Seals,
    signer: &Signer,
    sequence: Sequence,
    hash: &[u8; 32],
) -> Result<(), JournalError> {
    let EntrySignature { certificate, value } = signer.sign(sequence, hash)?;
    let entry = stored(sequence);
    let kept = seals.seal_text(SIGNATURE_KEPT, &entry.to_string(), &format!("{certificate} {value}"))?;
    diesel::insert_into(signatures::table)
        .values((signatures::entry.eq(entry), signatures::kept.eq(kept)))
        .execute(tx)?;
    Ok(())
}

fn read_kept(seals: &Seals, entry: i64, sealed: &[u8]) -> Result<EntrySignature, JournalError> {
    let text = seals.open_text(SIGNATURE_KEPT, &entry.to_string(), sealed)?;
    let (certificate, value) = text.split_once(' ').ok_or_else(|| unreadable("a signature", "it names no key"))?;
    Ok(EntrySignature { certificate: certificate.to_owned(), value: value.to_owned() })
}

/// The signatures that are kept of a page, by their entries.
type KeptSignatures = HashMap<Sequence, Result<EntrySignature, JournalError>>;

impl Store {
    /// From here on `signer` signs. Nothing is written until something is signed: a full disk stops no start.
    pub fn sign_by(&mut self, signer: Signer) {
        self.signer = Some(signer);
    }

    /// See [`Signer::phone_code`]. Nothing is written: the sale that it is of is, before anybody is shown it.
    ///
    /// # Errors
    /// `Sign`.
    pub fn sign_phone(
        &mut self,
        counter: Sequence,
        amount: Amount,
        at: Millis,
        lives_seconds: u16,
    ) -> Result<PhoneCode, JournalError> {
        let signer = self.signer.as_ref().ok_or(SignerError::Nobody)?;
        Ok(signer.phone_code(counter, amount, at, lives_seconds)?)
    }

    /// As [`Store::entries_after`], with the signatures that are kept of them.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, `Sealed`.
    pub fn signed_after(&mut self, after: Sequence) -> Result<Vec<Entry>, JournalError> {
        let mut page = self.entries_after(after)?;
        let mut kept = self.kept_signatures(after, &page)?;
        for entry in &mut page {
            entry.signature = kept.remove(&entry.sequence).transpose()?;
        }
        Ok(page)
    }

    fn kept_signatures(&mut self, after: Sequence, page: &[Entry]) -> Result<KeptSignatures, JournalError> {
        // A journal that no agent of this release has opened yet has none.
        let (Some(last), true) = (page.last(), plain::has(self, SIGNATURE_KEPT)?) else { return Ok(HashMap::new()) };
        let of_page = signatures::entry.gt(stored(after)).and(signatures::entry.le(stored(last.sequence)));
        let rows: Vec<(i64, Vec<u8>)> = signatures::table.filter(of_page).load(&mut self.connection)?;
        Ok(rows.iter().map(|(entry, sealed)| (loaded(*entry), read_kept(&self.seals, *entry, sealed))).collect())
    }

    /// The entries after `after` as core takes them: as many as one batch may have, each signed by the certificate in use.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, `Sealed`, `Sign`; none for a signature that is lost or cannot be read, which `journal verify` tells of.
    pub fn batch_after(&mut self, after: Sequence) -> Result<JournalBatch, JournalError> {
        let mut entries = self.entries_after(after)?;
        let mut kept = self.kept_signatures(after, &entries)?;
        // For the log alone.
        let from = self.signed_from().ok().flatten();
        let signer = self.signer.as_ref().ok_or(SignerError::Nobody)?;
        for entry in &mut entries {
            let sequence = entry.sequence;
            match kept.remove(&sequence) {
                Some(Ok(signature)) if signature.certificate == signer.serial() => {
                    entry.signature = Some(signature);
                    continue;
                }
                Some(Err(error)) => {
                    tracing::error!(%sequence, error = error.chain(), "an unreadable signature is made anew");
                }
                None if from.is_some_and(|from| from <= sequence) => {
                    tracing::error!(%sequence, "a lost signature is made anew");
                }
                Some(Ok(_)) | None => {}
            }
            entry.signature = Some(signer.sign(sequence, &entry.hash())?);
        }
        let certificates = if entries.is_empty() { Vec::new() } else { vec![signer.certificate().to_owned()] };
        Ok(JournalBatch { entries, certificates })
    }

    fn signed_from(&mut self) -> Result<Option<Sequence>, JournalError> {
        let text = self.meta(SIGNED_FROM)?;
        text.map(|text| text.parse().map(Sequence).map_err(|error| unreadable(SIGNED_FROM, error))).transpose()
    }

    /// Who signed this journal.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub(super) fn signers(&mut self) -> Result<Signers, JournalError> {
        let mut known = Signers { terminal: None, from: self.signed_from()?, keys: HashMap::new() };
        let owner = self.owner()?;
        known.terminal = owner.map(|id| id.parse().map_err(|error| unreadable("whose it is", error))).transpose()?;
        if !plain::has(self, SIGNATURE_KEPT)? {
            return Ok(known);
        }
        let rows: Vec<(String, String, String)> =
            signers::table.select((signers::certificate, signers::tenant, signers::der)).load(&mut self.connection)?;
        for (serial, tenant, der) in rows {
            let tenant: TenantId = tenant.parse().map_err(|error| unreadable("a signer's tenant", error))?;
            let key = public_key(&der).ok_or_else(|| unreadable("a signer's certificate", &serial))?;
            known.keys.insert(serial, (tenant, key));
        }
        Ok(known)
    }
}

/// The keys by which a journal was signed.
pub(super) struct Signers {
    terminal: Option<TerminalId>,
    from: Option<Sequence>,
    keys: HashMap<String, (TenantId, Vec<u8>)>,
}

impl Signers {
    /// What is wrong with the signature of `entry`. One of before needs none.
    pub(super) fn fault(&self, entry: &Entry) -> Option<String> {
        let sequence = entry.sequence;
        let Some(signature) = &entry.signature else {
            let is_of_before = self.from.is_none_or(|from| sequence < from);
            return (!is_of_before).then(|| format!("entry {sequence} has lost its signature"));
        };
        let Some(((tenant, key), terminal)) = self.keys.get(&signature.certificate).zip(self.terminal) else {
            return Some(format!("entry {sequence} is signed by a certificate that is not here"));
        };
        let signed = signed_bytes(*tenant, terminal, sequence, &entry.hash());
        (!signature.fits(key, &signed)).then(|| format!("the signature of entry {sequence} does not fit"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
    use saoma_protocol::{Currency, PaymentId, journal::Record};

    use super::*;
    use crate::journal::{Commit, Settings, verify};

    const TENANT: TenantId = TenantId::from_bytes([1; 16]);
    const TERMINAL: TerminalId = TerminalId::from_bytes([2; 16]);

    struct Key(String, String);

    impl Key {
        fn draw() -> Self {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            Self(CertificateParams::default().self_signed(&key).unwrap().pem(), key.serialize_pem())
        }

        fn signer(&self) -> Signer {
            Signer::new(TENANT, TERMINAL, &self.0, &self.1).unwrap()
        }
    }

    fn open(folder: &Path) -> Store {
        let settings = Settings { path: folder.join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        Store::open(&settings, TERMINAL, Millis(0)).unwrap().0
    }

    fn sale(counter: u64) -> Record {
        let amount = Amount::new(1250, Currency::CNY).unwrap();
        Record::CashSale {
            payment: PaymentId::for_sale(TENANT, TERMINAL, Sequence(counter)),
            counter: Sequence(counter),
            amount,
            tendered_minor: 1250,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        }
    }

    fn sell(store: &mut Store, counter: u64) {
        store.commit(&Commit { records: vec![sale(counter)], ..Commit::default() }, Millis(1)).unwrap();
    }

    fn fits(signature: &EntrySignature, by: &Key, entry: &Entry) -> bool {
        let key = public_key(by.signer().certificate()).unwrap();
        signature.fits(&key, &signed_bytes(TENANT, TERMINAL, entry.sequence, &entry.hash()))
    }

    /// The journal is sent whole, each entry signed by `by`, whose certificate comes along.
    fn sent_signed(store: &mut Store, by: &Key, entries: usize) {
        let batch = store.batch_after(Sequence(0)).unwrap();
        assert_eq!((batch.entries.len(), batch.certificates), (entries, vec![by.signer().certificate().to_owned()]));
        for entry in &batch.entries {
            let signature = entry.signature.as_ref().unwrap();
            assert!(signature.certificate == by.signer().serial() && fits(signature, by, entry), "{entry:?}");
        }
    }

    #[test]
    fn an_entry_is_sent_with_the_signature_it_was_written_with_or_that_of_the_key_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<Key> = (0..3).map(|_| Key::draw()).collect();
        let path = folder.path().join("journal.db");
        let mut store = open(folder.path());
        // An agent of before.
        sell(&mut store, 1);
        sell(&mut store, 2);
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[0].signer());
        sell(&mut store, 3);
        sent_signed(&mut store, &keys[0], 3);
        let third = |store: &mut Store| store.batch_after(Sequence(2)).unwrap().entries[0].signature.clone();
        assert_eq!(third(&mut store), third(&mut store), "it is not signed a second time");
        assert_eq!(verify(&path).map(|it| (it.entries, it.signed)).unwrap(), (3, 1));

        // Renewed while it runs, and started again.
        store.sign_by(keys[1].signer());
        sell(&mut store, 4);
        sent_signed(&mut store, &keys[1], 4);
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[1].signer());
        sent_signed(&mut store, &keys[1], 4);
        // Enrolled again.
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[2].signer());
        sell(&mut store, 5);
        sent_signed(&mut store, &keys[2], 5);
        // On the disk each is as it was written, and still fits.
        assert_eq!(verify(&path).map(|it| (it.entries, it.signed)).unwrap(), (5, 3));
        assert_eq!(store.replay().unwrap().differences.iter().filter(|told| told.contains("sign")).count(), 0);
    }

    #[test]
    fn a_start_writes_nothing_and_nobody_writes_unsigned_once_it_is_signed() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::draw();
        let mut store = open(folder.path());
        store.execute("PRAGMA query_only = ON").unwrap();
        store.sign_by(key.signer());
        let batch = store.batch_after(Sequence(0)).unwrap();
        assert_eq!((batch.entries.len(), batch.certificates.len()), (0, 0));
        store.execute("PRAGMA query_only = OFF").unwrap();
        sell(&mut store, 1);
        drop(store);

        let mut store = open(folder.path());
        let unsigned = Commit { records: vec![sale(2)], ..Commit::default() };
        let refused = store.commit(&unsigned, Millis(1));
        assert!(matches!(refused, Err(JournalError::Sign(SignerError::Nobody))), "{refused:?}");
        // What is no entry needs no signature.
        store.commit(&Commit { synced_through: Some(Sequence(0)), ..Commit::default() }, Millis(1)).unwrap();
        store.sign_by(key.signer());
        sell(&mut store, 2);
        sent_signed(&mut store, &key, 2);
    }

    #[test]
    fn a_signature_that_is_gone_or_another_entrys_is_found() {
        let (key, other) = (Key::draw(), Key::draw());
        type Forge = fn(&mut Store, &Signer);
        let forge: [(&str, Forge, &str); 4] = [
            ("gone", |store, _| store.execute("DELETE FROM signatures WHERE entry = 2").unwrap(), "lost its signature"),
            (
                "moved as it is",
                |store, _| {
                    store
                        .execute("UPDATE signatures SET kept = (SELECT kept FROM signatures WHERE entry = 1) WHERE entry = 2")
                        .unwrap();
                },
                "kept of signatures 2",
            ),
            (
                "of another entry",
                |store, _| {
                    let (entry, _) = store.entry(Sequence(1)).unwrap().unwrap();
                    store.execute("DELETE FROM signatures WHERE entry = 2").unwrap();
                    let Store { connection, seals, signer, .. } = store;
                    keep(connection, seals, signer.as_ref().unwrap(), Sequence(2), &entry.hash()).unwrap();
                },
                "does not fit",
            ),
            (
                "by nobody who is known here",
                |store, other| {
                    let (entry, _) = store.entry(Sequence(2)).unwrap().unwrap();
                    store.execute("DELETE FROM signatures WHERE entry = 2").unwrap();
                    let Store { connection, seals, .. } = store;
                    keep(connection, seals, other, Sequence(2), &entry.hash()).unwrap();
                },
                "certificate that is not here",
            ),
        ];
        for (what, forge, words) in forge {
            let folder = tempfile::tempdir().unwrap();
            let mut store = open(folder.path());
            store.sign_by(key.signer());
            sell(&mut store, 1);
            sell(&mut store, 2);
            forge(&mut store, &other.signer());
            let error = verify(&folder.path().join("journal.db")).unwrap_err().to_string();
            assert!(error.contains(words), "{what}: {error}");
            match store.replay() {
                Ok(told) => assert!(told.differences.iter().any(|told| told.contains(words)), "{what}: {told:?}"),
                Err(error) => assert!(error.to_string().contains(words), "{what}: {error}"),
            }
            if what != "of another entry" {
                sent_signed(&mut store, &key, 2);
            }
        }
    }
}

//! Each entry's signature, made in its own transaction; and which of them core takes.
//!
//! Core takes what was signed by the certificate in use and by the one before its last renewal (`fleet/sync/signed.rs` of core). One rule
//! serves all else: entries of before there were signatures, and entries whose certificate core has withdrawn since, because this machine
//! was enrolled again, are signed by the key in use when they are sent. Their chain was checked when the journal was opened. From the
//! number on at which this release began (`signed_from`), an entry without a signature is not taken for one of before.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use saoma_protocol::{
    Sequence, TenantId, TerminalId,
    journal::{Entry, EntrySignature, signed_bytes},
    message::JournalBatch,
};

use super::{
    JournalError, Store, plain,
    rows::SIGNATURE_KEPT,
    schema::{signatures, signers},
    seal::Seals,
    store::{last, loaded, meta_of, set_meta, stored, unreadable},
};
use crate::signer::{Signer, public_key};

/// In `meta`: the first entry that was signed when it was written.
const SIGNED_FROM: &str = "signed_from";

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

fn insert(tx: &mut SqliteConnection, signer: &Signer) -> Result<(), JournalError> {
    let row = (
        signers::certificate.eq(signer.serial()),
        signers::tenant.eq(signer.tenant().to_string()),
        signers::der.eq(signer.certificate()),
        signers::taken.eq(1),
    );
    diesel::replace_into(signers::table).values(row).execute(tx)?;
    Ok(())
}

impl Store {
    /// From here on `signer` signs. If its certificate is not known here, the terminal was enrolled again (or signs for the first time), and
    /// core takes nothing of the certificates before.
    ///
    /// # Errors
    /// As [`super::Journal::commit`].
    pub fn sign_by(&mut self, signer: Signer) -> Result<(), JournalError> {
        let known = signers::table.find(signer.serial()).filter(signers::taken.eq(1));
        let known: i64 = known.count().get_result(&mut self.connection)?;
        // Mostly there is nothing to write, which a full disk would refuse.
        if known == 0 {
            let signed = self.connection.immediate_transaction(|tx| {
                diesel::update(signers::table).set(signers::taken.eq(0)).execute(tx)?;
                insert(tx, &signer)?;
                if meta_of(tx, SIGNED_FROM)?.is_none() {
                    let (head, _) = last(tx, &self.seals)?;
                    set_meta(tx, SIGNED_FROM, &head.next().to_string())?;
                }
                Ok::<_, JournalError>(())
            });
            signed.map_err(|error| self.told_by_disk(error))?;
        }
        self.signer = Some(signer);
        Ok(())
    }

    /// The certificate was renewed: `signer` signs from here on, and of those before core takes the last one's signatures alone.
    ///
    /// # Errors
    /// As [`super::Journal::commit`]; the one before goes on then.
    pub fn sign_on_by(&mut self, signer: Signer) -> Result<(), JournalError> {
        let before = self.signer.as_ref().map(|before| before.serial().to_owned()).unwrap_or_default();
        let signed = self.connection.immediate_transaction(|tx| {
            let older = signers::table.filter(signers::certificate.ne(before));
            diesel::update(older).set(signers::taken.eq(0)).execute(tx)?;
            insert(tx, &signer)
        });
        signed.map_err(|error| self.told_by_disk(error))?;
        self.signer = Some(signer);
        Ok(())
    }

    /// As [`Store::entries_after`], with the signatures that are kept of them.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, `Sealed`.
    pub fn signed_after(&mut self, after: Sequence) -> Result<Vec<Entry>, JournalError> {
        let mut page = self.entries_after(after)?;
        // A journal that no agent of this release has opened yet has none.
        let (Some(last), true) = (page.last(), plain::has(self, SIGNATURE_KEPT)?) else { return Ok(page) };
        let of_page = signatures::entry.gt(stored(after)).and(signatures::entry.le(stored(last.sequence)));
        let rows: Vec<(i64, Vec<u8>)> = signatures::table.filter(of_page).load(&mut self.connection)?;
        let mut kept = HashMap::with_capacity(rows.len());
        for (entry, sealed) in rows {
            let text = self.seals.open_text(SIGNATURE_KEPT, &entry.to_string(), &sealed)?;
            let (certificate, value) =
                text.split_once(' ').ok_or_else(|| unreadable("a signature", "it names no key"))?;
            let signature = EntrySignature { certificate: certificate.to_owned(), value: value.to_owned() };
            kept.insert(loaded(entry), signature);
        }
        for entry in &mut page {
            entry.signature = kept.remove(&entry.sequence);
        }
        Ok(page)
    }

    /// The entries after `after` as core takes them: as many as one batch may have, each signed.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, `Sealed`; `Damaged` if one has lost its signature; `Sign`.
    pub fn batch_after(&mut self, after: Sequence) -> Result<JournalBatch, JournalError> {
        let mut entries = self.signed_after(after)?;
        let taken: Vec<(String, String)> = signers::table
            .filter(signers::taken.eq(1))
            .select((signers::certificate, signers::der))
            .load(&mut self.connection)?;
        let from = self.signed_from()?;
        let signer = self.signer.as_ref().ok_or_else(|| unreadable("the terminal's key", "nobody signs here"))?;
        let mut named = BTreeSet::new();
        for entry in &mut entries {
            let is_taken =
                |signature: &EntrySignature| taken.iter().any(|(serial, _)| *serial == signature.certificate);
            let signature = match entry.signature.take() {
                Some(signature) if is_taken(&signature) => signature,
                None if from.is_none_or(|from| from <= entry.sequence) => return Err(self.unsigned(entry.sequence)),
                Some(_) | None => signer.sign(entry.sequence, &entry.hash())?,
            };
            named.insert(signature.certificate.clone());
            entry.signature = Some(signature);
        }
        let certificates = taken.into_iter().filter(|(serial, _)| named.contains(serial)).map(|(_, der)| der).collect();
        Ok(JournalBatch { entries, certificates })
    }

    fn unsigned(&self, sequence: Sequence) -> JournalError {
        let why = format!("entry {sequence} has lost its signature");
        JournalError::Damaged { path: self.settings.path.clone(), why }
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
    use saoma_protocol::{Amount, Currency, Millis, PaymentId, journal::Record};

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

    fn sell(store: &mut Store, counter: u64) {
        let amount = Amount::new(1250, Currency::CNY).unwrap();
        let record = Record::CashSale {
            payment: PaymentId::for_sale(TENANT, TERMINAL, Sequence(counter)),
            counter: Sequence(counter),
            amount,
            tendered_minor: 1250,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
        };
        store.commit(&Commit { records: vec![record], ..Commit::default() }, Millis(1)).unwrap();
    }

    /// Who signed each entry of the journal as it is sent, by their places in `keys`; each signature fits, and each certificate is there.
    fn signed_by(store: &mut Store, keys: &[&Key]) -> Vec<usize> {
        let batch = store.batch_after(Sequence(0)).unwrap();
        let signers: Vec<Signer> = keys.iter().map(|key| key.signer()).collect();
        let whose = |entry: &Entry| {
            let signature = entry.signature.as_ref().unwrap();
            let idx = signers.iter().position(|signer| signer.serial() == signature.certificate).unwrap();
            let key = public_key(signers[idx].certificate()).unwrap();
            assert!(signature.fits(&key, &signed_bytes(TENANT, TERMINAL, entry.sequence, &entry.hash())));
            idx
        };
        let by: Vec<usize> = batch.entries.iter().map(whose).collect();
        let brought: BTreeSet<&str> = batch.certificates.iter().map(String::as_str).collect();
        assert_eq!(brought, by.iter().map(|idx| signers[*idx].certificate()).collect());
        by
    }

    #[test]
    fn an_entry_keeps_the_signature_it_was_written_with_as_long_as_core_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<Key> = (0..4).map(|_| Key::draw()).collect();
        let all: Vec<&Key> = keys.iter().collect();
        let mut store = open(folder.path());
        // An agent of before.
        sell(&mut store, 1);
        sell(&mut store, 2);
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[0].signer()).unwrap();
        sell(&mut store, 3);
        assert_eq!(signed_by(&mut store, &all), [0, 0, 0]);
        let third = |store: &mut Store| store.batch_after(Sequence(2)).unwrap().entries[0].signature.clone();
        assert_eq!(third(&mut store), third(&mut store), "it is not signed a second time");
        assert_eq!(verify(&folder.path().join("journal.db")).map(|it| (it.entries, it.signed)).unwrap(), (3, 1));

        // Renewed while it runs, and started again.
        store.sign_on_by(keys[1].signer()).unwrap();
        sell(&mut store, 4);
        assert_eq!(signed_by(&mut store, &all), [1, 1, 0, 1]);
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[1].signer()).unwrap();
        assert_eq!(signed_by(&mut store, &all), [1, 1, 0, 1]);
        // At the next renewal core gives the first one up.
        store.sign_on_by(keys[2].signer()).unwrap();
        assert_eq!(signed_by(&mut store, &all), [2, 2, 2, 1]);
        // Enrolled again, core has given up all of before.
        drop(store);
        let mut store = open(folder.path());
        store.sign_by(keys[3].signer()).unwrap();
        sell(&mut store, 5);
        assert_eq!(signed_by(&mut store, &all), [3, 3, 3, 3, 3]);
        // On the disk each is as it was written, and still fits.
        assert_eq!(verify(&folder.path().join("journal.db")).map(|it| (it.entries, it.signed)).unwrap(), (5, 3));
        assert_eq!(store.replay().unwrap().differences.iter().filter(|told| told.contains("sign")).count(), 0);
    }

    #[test]
    fn a_signature_that_is_gone_or_another_entrys_is_found() {
        let (key, other) = (Key::draw(), Key::draw());
        let forge: [(&str, fn(&mut Store, &Signer), &str); 4] = [
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
                    let by = Key::draw().signer();
                    store.sign_on_by(by).unwrap();
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
            store.sign_by(key.signer()).unwrap();
            sell(&mut store, 1);
            sell(&mut store, 2);
            forge(&mut store, &other.signer());
            let error = verify(&folder.path().join("journal.db")).unwrap_err().to_string();
            assert!(error.contains(words), "{what}: {error}");
            match store.replay() {
                Ok(told) => assert!(told.differences.iter().any(|told| told.contains(words)), "{what}: {told:?}"),
                Err(error) => assert!(error.to_string().contains(words), "{what}: {error}"),
            }
            if what == "gone" {
                assert!(matches!(store.batch_after(Sequence(0)), Err(JournalError::Damaged { .. })));
            }
        }
    }
}

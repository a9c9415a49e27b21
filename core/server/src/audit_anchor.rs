//! The ends of audit logs, noted outside of the database and signed.
//!
//! The chain of hashes shows whatever is changed inside a log. It cannot show that its last entries were cut off, or that
//! somebody with the database in their hands wrote it anew from some entry on: both leave a chain that fits. An anchor is the
//! number and hash of a log's last entry at some time, kept where that somebody cannot write: whoever holds one finds the
//! entry there with that hash, or knows. The signature keeps anchors from being made up; its key lies in the database, sealed
//! under the master key, which is not in it. Entries younger than the last anchor are not protected by it.

use std::{collections::BTreeSet, str::FromStr};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use saoma_protocol::Millis;
use saoma_store::{Store, StoreError, access, audit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    own_keys::{self, KeysError},
    secrets::{SecretsError, Vault},
};

/// The end of one log at one time. One line of JSON; readers pass over fields that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Of this format: 1.
    pub version: u8,
    /// A tenant's id, or `platform`.
    pub chain: String,
    /// Of the last entry.
    pub sequence: u64,
    /// Of the last entry: 64 lower-case hex digits.
    pub hash: String,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Of the key that signed.
    pub kid: String,
    /// Ed25519 (RFC 8032) over [`Anchor::signed_text`], in hex.
    pub signature: String,
}

impl Anchor {
    /// What is signed: `saoma audit anchor 1`, the chain, the number, the hash and the time, each with a line feed after it.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let Self { version, chain, sequence, hash, at, .. } = self;
        format!("saoma audit anchor {version}\n{chain}\n{sequence}\n{hash}\n{at}\n")
    }

    /// When it was noted, for a person.
    #[must_use]
    pub fn time(&self) -> String {
        jiff::Timestamp::from_millisecond(self.at).map_or_else(|_| self.at.to_string(), |at| at.to_string())
    }

    /// One line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Not an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnchor;

/// Of a line of its own, or of a line of core's log that has it in its field `anchor`.
impl FromStr for Anchor {
    type Err = NoAnchor;

    fn from_str(line: &str) -> Result<Self, NoAnchor> {
        let value: Value = serde_json::from_str(line).map_err(|_| NoAnchor)?;
        if let Some(inner) = value.get("anchor").and_then(Value::as_str) {
            return serde_json::from_str(inner).map_err(|_| NoAnchor);
        }
        serde_json::from_value(value).map_err(|_| NoAnchor)
    }
}

/// What signs anchors, and knows its own.
pub struct Signer {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Draws its key at the first time. Blocks.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn open(store: &Store, vault: &Vault, now: Millis) -> Result<Self, KeysError> {
        let (kid, seed) = own_keys::anchor_seed(store, vault, now)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SecretsError::Sealed)?;
        Ok(Self { kid, pair })
    }

    /// In hex, for whoever checks anchors without core.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex::encode(self.pair.public_key().as_ref())
    }

    #[must_use]
    pub fn anchor(&self, chain: &str, head: &audit::Head, at: Millis) -> Anchor {
        let mut anchor = Anchor {
            version: 1,
            chain: chain.to_owned(),
            sequence: head.sequence,
            hash: head.hash.clone(),
            at: at.0,
            kid: self.kid.clone(),
            signature: String::new(),
        };
        anchor.signature = hex::encode(self.pair.sign(anchor.signed_text().as_bytes()).as_ref());
        anchor
    }

    fn is_ours(&self, anchor: &Anchor) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref());
        let signature = hex::decode(&anchor.signature).unwrap_or_default();
        anchor.version == 1 && key.verify(anchor.signed_text().as_bytes(), &signature).is_ok()
    }
}

/// The end of every log. Blocks.
///
/// # Errors
/// Of the store.
pub fn ends(store: &Store, signer: &Signer, at: Millis) -> Result<Vec<Anchor>, StoreError> {
    let process = access::process();
    let mut anchors = Vec::new();
    for chain in store.read_blocking(|tx| audit::chains(tx, &process))? {
        if let Some(head) = store.read_blocking(|tx| audit::head(tx, &process, &chain))? {
            anchors.push(signer.anchor(&chain, &head, at));
        }
    }
    Ok(anchors)
}

/// The anchors in a text, and the numbers of lines that look like one and are not whole, or not signed by us. Other lines are passed over.
#[must_use]
pub fn read(text: &str, signer: &Signer) -> (Vec<Anchor>, BTreeSet<usize>) {
    let (mut ours, mut foreign) = (Vec::new(), BTreeSet::new());
    for (idx, line) in text.lines().enumerate() {
        match line.parse::<Anchor>() {
            Ok(anchor) if signer.is_ours(&anchor) => ours.push(anchor),
            Ok(_) => drop(foreign.insert(idx + 1)),
            // Half of one, or one that was changed until it is none.
            Err(NoAnchor) if line.contains("\"signature") => drop(foreign.insert(idx + 1)),
            Err(NoAnchor) => {}
        }
    }
    (ours, foreign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::tests::vault;

    #[test]
    fn an_anchor_is_read_back_from_its_line_and_from_a_log_and_a_changed_one_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ours) = vault(folder.path(), "ours", Millis(0));
        let signer = Signer::open(&store, &ours, Millis(0)).unwrap();
        let (store, theirs) = vault(folder.path(), "theirs", Millis(0));
        let forger = Signer::open(&store, &theirs, Millis(0)).unwrap();
        let head = audit::Head { sequence: 7, hash: "ab".repeat(32) };
        let anchor = signer.anchor("platform", &head, Millis(1_790_000_000_000));
        let in_log = serde_json::json!({ "level": "INFO", "anchor": anchor.line() }).to_string();
        let forged = forger.anchor("platform", &head, Millis(1)).line();
        let changed = Anchor { sequence: 6, ..anchor.clone() }.line();
        let half = &anchor.line()[..anchor.line().len() - 9];
        let text =
            [&anchor.line(), "started", "{}", &in_log, &forged, &changed, half, ""].map(str::to_owned).join("\n");
        let (read, foreign) = super::read(&text, &signer);
        assert_eq!((read, foreign), (vec![anchor.clone(), anchor.clone()], BTreeSet::from([5, 6, 7])));
        // Whoever has the public key can check it with any implementation.
        let key = UnparsedPublicKey::new(&ED25519, hex::decode(signer.public_key()).unwrap());
        let text = "saoma audit anchor 1\nplatform\n7\n".to_owned() + &"ab".repeat(32) + "\n1790000000000\n";
        key.verify(text.as_bytes(), &hex::decode(&anchor.signature).unwrap()).unwrap();
    }
}

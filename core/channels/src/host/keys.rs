//! `keys`: working keys, opened in here, kept in the host's store, and used by `tcp` alone.
//!
//! A key is bound to its use when it comes in. Otherwise a plugin could load a PIN key as another and have PIN blocks opened.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{CallState, Given};
use crate::{
    bindings::{
        keys::{Error, Host, KeyUse},
        secrets,
    },
    card::cipher::{Cipher, CipherKey},
    manifest::SecretKind,
    secret::key::Key,
};

/// Limits of the contract (`sdk/wit`, interface `keys`).
const SLOTS_MAX: usize = 8;
const SLOT_CHARS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Pin,
    Mac,
}

impl Use {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pin => "PIN",
            Self::Mac => "MAC",
        }
    }
}

/// A working key and what it is for.
pub(super) struct WorkingKey {
    pub(super) usage: Use,
    pub(super) key: CipherKey,
}

/// The first byte of what is stored: the form of the rest (use, cipher, key).
const FORM: u8 = 1;

impl WorkingKey {
    fn written(&self) -> Zeroizing<Vec<u8>> {
        let usage = match self.usage {
            Use::Pin => b'p',
            Use::Mac => b'm',
        };
        let cipher = match self.key.cipher() {
            Cipher::Tdes => b't',
            Cipher::Aes => b'a',
        };
        let mut written = Zeroizing::new(Vec::with_capacity(3 + self.key.bytes().len()));
        written.extend([FORM, usage, cipher]);
        written.extend_from_slice(self.key.bytes());
        written
    }

    /// `None` for a form that a newer core wrote: to this one there is no key, and the plugin signs on.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let ([FORM, usage, cipher], key) = bytes.split_first_chunk()? else { return None };
        let usage = match usage {
            b'p' => Use::Pin,
            b'm' => Use::Mac,
            _ => return None,
        };
        let cipher = match cipher {
            b't' => Cipher::Tdes,
            b'a' => Cipher::Aes,
            _ => return None,
        };
        Some(Self { usage, key: CipherKey::new(cipher, Zeroizing::new(key.to_vec()))? })
    }
}

impl Host for CallState {
    async fn load(
        &mut self,
        slot: String,
        usage: KeyUse,
        under: String,
        sealed: Vec<u8>,
        check_value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let given = self.given_mut()?;
        given.key_loads += 1;
        if given.key_loads > KEY_LOADS_MAX {
            return Ok(Err(Error::Refused(format!("more than {KEY_LOADS_MAX} keys in one call"))));
        }
        let key = match given.opened(&slot, usage, &under, &sealed, &check_value) {
            Ok(key) => key.written(),
            Err(error) => return Ok(Err(error)),
        };
        let put = given.ports.keys.put(given.account.id, &slot, key, SLOTS_MAX).await;
        Ok(match put {
            Ok(true) => {
                tracing::info!(slot, "a working key was loaded");
                Ok(())
            }
            Ok(false) => Err(Error::Refused(format!("the account has {SLOTS_MAX} slots with keys already"))),
            Err(error) => {
                tracing::warn!(%error, "the working keys of a channel account are not reachable");
                Err(Error::Unavailable("try again later".to_owned()))
            }
        })
    }
}

/// Keys loaded in one call: a sign-on brings two or three. Each is a write, and a chance to guess at a key's halves.
const KEY_LOADS_MAX: u32 = 8;

impl Given {
    fn opened(
        &self,
        slot: &str,
        usage: KeyUse,
        under: &str,
        sealed: &[u8],
        check_value: &[u8],
    ) -> Result<WorkingKey, Error> {
        let refused = |why: &str| Error::Refused(why.to_owned());
        let is_slot = (1..=SLOT_CHARS_MAX).contains(&slot.len())
            && slot.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_slot {
            return Err(refused("a slot's name has 1 to 32 lower-case letters, digits and `-`"));
        }
        if !(3..=8).contains(&check_value.len()) {
            return Err(refused("a check value has 3 to 8 bytes"));
        }
        let under = self.secret(under, SecretKind::KeyEncryptionKey).map_err(|error| {
            Error::NoSecret(match error {
                secrets::Error::Missing(name) => format!("the secret {name:?} is missing"),
                _ => "the secret is of another kind".to_owned(),
            })
        })?;
        let Key::Wrapping(under) = &*under else {
            return Err(Error::NoSecret("the secret is of another kind".to_owned()));
        };
        let (cipher, schedule) = (under.cipher(), under.schedule());
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let blocks = bytes.chunks_exact_mut(cipher.block_len());
        if !blocks.into_remainder().is_empty() {
            return Err(refused("the sealed key is not whole blocks long"));
        }
        bytes.chunks_exact_mut(cipher.block_len()).for_each(|block| schedule.decrypt(block));
        let key = CipherKey::new(cipher, bytes).ok_or_else(|| refused("no key of this cipher has that length"))?;
        // Before anything else is said about the key: what does not open says nothing.
        let made = key.check_value();
        if !bool::from(made[..check_value.len()].ct_eq(check_value)) {
            return Err(refused(
                "the check value is not this key's: it was sealed under another, or changed on its way",
            ));
        }
        let usage = match usage {
            KeyUse::Pin if key.is_single_in_disguise() => {
                return Err(refused("a PIN key has two different halves"));
            }
            KeyUse::Pin => Use::Pin,
            KeyUse::Mac => Use::Mac,
        };
        Ok(WorkingKey { usage, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::keys::KeyUse,
        card::tests::{manifest, secrets},
        host::tests::call_of,
    };

    const MASTER: &str = "11223344556677889900AABBCCDDEEFF";
    const MASTER_AES: &str = "aes:00112233445566778899AABBCCDDEEFF";

    fn call() -> CallState {
        call_of(manifest(), secrets().with("master", MASTER).with("master-aes", MASTER_AES), None)
    }

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hex")
    }

    /// Sealed by `pycryptodome`.
    #[tokio::test]
    async fn keys_come_in_sealed_and_checked() {
        let mut call = call();
        let pin = "B4DCD42525D1AA0BA81E19DF8217886F";
        let rows: &[(&str, KeyUse, &str, &str, &str, &str)] = &[
            ("pin", KeyUse::Pin, "master", pin, "C3F11D73", ""),
            ("mac", KeyUse::Mac, "master", "FC0FE250F9250C81", "0547DB3E", ""),
            ("pin-aes", KeyUse::Pin, "master-aes", "C66789FFB92E7835A40F17AE2E729879", "EA173F5C1B", ""),
            ("pin", KeyUse::Pin, "master", pin, "C3F11D74", "check value is not this key's"),
            ("pin", KeyUse::Pin, "master", pin, "", "3 to 8 bytes"),
            ("pin", KeyUse::Pin, "master", pin, "C3F11D7382983CA700", "3 to 8 bytes"),
            ("pin", KeyUse::Pin, "master", &pin[..30], "C3F11D73", "whole blocks"),
            ("pin", KeyUse::Pin, "master", "", "C3F11D73", "that length"),
            ("pin", KeyUse::Pin, "master", "FC0FE250F9250C81", "0547DB3E", "two different halves"),
            // The same half twice, which a block cipher in its plain mode cannot hide.
            ("pin", KeyUse::Pin, "master", "FC0FE250F9250C81FC0FE250F9250C81", "0547DB3E", "two different halves"),
        ];
        for (slot, usage, under, sealed, check, told) in rows {
            call.given_mut().expect("given").key_loads = 0;
            let loaded = call.load((*slot).into(), *usage, (*under).into(), bytes(sealed), bytes(check)).await;
            match loaded.expect("no trap") {
                Ok(()) => assert_eq!(*told, "", "{sealed}"),
                Err(Error::Refused(why)) => assert!(!told.is_empty() && why.contains(told), "{sealed}: {why}"),
                Err(other) => panic!("{sealed}: {other:?}"),
            }
        }
        let given = call.given().expect("given");
        let stored = given.ports.keys.load(given.account.id).await.expect("keys");
        let read: Vec<_> =
            stored.iter().map(|(slot, key)| (slot.as_str(), WorkingKey::read(key).expect("reads"))).collect();
        let told: Vec<_> =
            read.iter().map(|(slot, key)| (*slot, key.usage, hex::encode_upper(key.key.bytes()))).collect();
        assert_eq!(
            told,
            [
                ("mac", Use::Mac, "C24A8FB57AA20123".to_owned()),
                ("pin", Use::Pin, "89B07B35A1B3F47E89B07B35A1B3F488".to_owned()),
                ("pin-aes", Use::Pin, "89B07B35A1B3F47E89B07B35A1B3F488".to_owned()),
            ]
        );
        assert!(WorkingKey::read(&[2, b'p', b't', 0]).is_none() && WorkingKey::read(&[]).is_none());
    }

    #[tokio::test]
    async fn slots_and_secrets_have_bounds() {
        let mut call = call();
        let (sealed, check) = (bytes("FC0FE250F9250C81"), bytes("0547DB3E"));
        for n in 0..10 {
            let slot = format!("mac-{n}");
            call.given_mut().expect("given").key_loads = 0;
            let loaded = call.load(slot, KeyUse::Mac, "master".into(), sealed.clone(), check.clone()).await;
            assert_eq!(loaded.expect("no trap").is_ok(), n < 8, "slot {n}");
        }
        for (slot, under) in [("", "master"), ("A", "master"), ("mac-0", "nothing"), ("mac-0", "data-base")] {
            let loaded = call.load(slot.into(), KeyUse::Mac, under.into(), sealed.clone(), check.clone()).await;
            assert!(loaded.expect("no trap").is_err(), "{slot} {under}");
        }
        let n = async |call: &mut CallState| {
            let load = call.load("mac-0".into(), KeyUse::Mac, "master".into(), sealed.clone(), check.clone());
            load.await.expect("no trap").is_ok()
        };
        call.given_mut().expect("given").key_loads = 7;
        assert_eq!((n(&mut call).await, n(&mut call).await), (true, false));
    }
}

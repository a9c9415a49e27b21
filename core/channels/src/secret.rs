//! An account's secrets on their way to the host's own key operations. They never enter a plugin.
//!
//! A secret is text that a person entered; what it is for, its kind, is the manifest's word. It is read as that kind when it is
//! entered ([`SecretKind::check_at`]), and again when a call first uses it; then it is kept read with the set.

pub(crate) mod envelope;
pub(crate) mod key;
pub(crate) mod pem;
mod validity;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use zeroize::Zeroizing;

use self::key::Key;
pub use self::key::SecretFault;
use crate::manifest::SecretKind;

/// Secrets by name, wiped from memory with the last copy of the set. Printing shows the names alone.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Secret>>);

#[derive(Clone)]
struct Secret {
    text: Zeroizing<Vec<u8>>,
    /// As what it was first used: a set lives as long as a call, and a plugin has one opinion of what it is.
    read: OnceLock<(SecretKind, Result<Arc<Key>, SecretFault>)>,
}

impl Secrets {
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This set and one more; a name that is there already is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        let secret = Secret { text: Zeroizing::new(value.into()), read: OnceLock::new() };
        Arc::make_mut(&mut self.0).insert(name.into(), secret);
        self
    }

    /// The secret of that name, read as one of that kind; `None` if there is none.
    pub(crate) fn key(&self, name: &str, kind: SecretKind) -> Option<Result<Arc<Key>, SecretFault>> {
        let secret = self.0.get(name)?;
        let read = || Key::read(kind, &secret.text).map(Arc::new);
        let (first, key) = secret.read.get_or_init(|| (kind, read()));
        Some(if *first == kind { key.clone() } else { read() })
    }

    /// The names, in alphabetic order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<N: Into<String>> FromIterator<(N, Zeroizing<Vec<u8>>)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (N, Zeroizing<Vec<u8>>)>>(pairs: I) -> Self {
        let secret = |text| Secret { text, read: OnceLock::new() };
        Self(Arc::new(pairs.into_iter().map(|(name, text)| (name.into(), secret(text))).collect()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_never_shows_a_value() {
        let secrets = Secrets::none().with("merchant-key", "hunter2 hunter2");
        assert_eq!(format!("{secrets:?}"), r#"{"merchant-key"}"#);
        assert!(secrets.key("other", SecretKind::Text).is_none());
        for kind in [SecretKind::Text, SecretKind::MacKey] {
            let key = secrets.key("merchant-key", kind).expect("there").expect("sound");
            assert!(!format!("{key:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_is_read_once_and_never_taken_for_another_kind() {
        let secrets = Secrets::none().with("key", "k".repeat(32));
        let first = secrets.key("key", SecretKind::Aes256Key).expect("there").expect("sound");
        let again = secrets.clone().key("key", SecretKind::Aes256Key).expect("there").expect("sound");
        assert!(Arc::ptr_eq(&first, &again));
        let other = secrets.key("key", SecretKind::MacKey).expect("there").expect("sound");
        assert!(matches!((&*first, &*other), (Key::Aes256(_), Key::Mac(_))));
        assert!(secrets.key("key", SecretKind::RsaPrivateKey).expect("there").is_err());
    }
}

//! An account's secrets on their way to the host's own key operations. They never enter a plugin.

use std::{collections::BTreeMap, fmt, sync::Arc};

use zeroize::Zeroizing;

/// Secret bytes by name, wiped from memory with the last copy of the set. Printing shows the names alone.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Zeroizing<Vec<u8>>>>);

impl Secrets {
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This set and one more; a name that is there already is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Arc::make_mut(&mut self.0).insert(name.into(), Zeroizing::new(value.into()));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|value| value.as_slice())
    }

    /// The names, in alphabetic order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<N: Into<String>> FromIterator<(N, Zeroizing<Vec<u8>>)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (N, Zeroizing<Vec<u8>>)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()))
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
        let secrets = Secrets::none().with("merchant-key", "hunter2");
        assert_eq!(format!("{secrets:?}"), r#"{"merchant-key"}"#);
        assert_eq!(secrets.get("merchant-key"), Some(b"hunter2".as_slice()));
    }
}

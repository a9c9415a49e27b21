//! The journal's statements about core's last word: when it was heard, and since when core lets this terminal do nothing.
//!
//! They tell of neither money nor people, and lie open in `meta`.

use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};

use super::{
    JournalError, Store,
    store::{forget_meta, set_meta, unreadable},
};

const HEARD_AT: &str = "core_heard_at";
const LOCKED: &str = "core_locked";

/// Core's last word, as far as this terminal has heard it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWord {
    /// By the machine's clock; none if core was never heard.
    pub heard_at: Option<Millis>,
    pub locked: Option<Locked>,
}

/// Core has shut this terminal out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    pub since: Millis,
    /// The certificate that core did not take, by its SHA-256. A terminal that was enrolled again shows another, of which core has said
    /// nothing yet.
    pub certificate: String,
}

impl Store {
    /// What was kept last. What cannot be read is not known: core says it again when it is there.
    ///
    /// # Errors
    /// `Database`.
    pub fn last_word(&mut self) -> Result<LastWord, JournalError> {
        let heard_at = self.meta(HEARD_AT)?.and_then(|at| at.parse().ok()).map(Millis);
        let locked = self.meta(LOCKED)?.and_then(|locked| serde_json::from_str(&locked).ok());
        Ok(LastWord { heard_at, locked })
    }

    /// # Errors
    /// `Full`, `Unwritable`, `Database`: what was kept before stands then.
    pub fn keep_last_word(&mut self, word: &LastWord) -> Result<(), JournalError> {
        let locked = word.locked.as_ref().map(serde_json::to_string).transpose();
        let locked = locked.map_err(|error| unreadable(LOCKED, error))?;
        let rows = [(HEARD_AT, word.heard_at.map(|at| at.0.to_string())), (LOCKED, locked)];
        let kept = self.connection.immediate_transaction(|tx| {
            rows.iter().try_for_each(|(name, value)| match value {
                Some(value) => set_meta(tx, name, value),
                None => forget_meta(tx, name),
            })
        });
        kept.map_err(|error| self.told_by_disk(error))
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::TerminalId;

    use super::*;
    use crate::journal::Settings;

    #[test]
    fn the_last_word_is_there_after_a_restart_until_another_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { path: folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let open = || Store::open(&settings, TerminalId::from_bytes([2; 16]), Millis(0)).unwrap().0;
        assert_eq!(open().last_word().unwrap(), LastWord::default());
        let locked = Some(Locked { since: Millis(7), certificate: "ab".to_owned() });
        for word in [
            LastWord { heard_at: Some(Millis(5)), locked: None },
            LastWord { heard_at: Some(Millis(8)), locked },
            LastWord { heard_at: Some(Millis(9)), locked: None },
        ] {
            open().keep_last_word(&word).unwrap();
            assert_eq!(open().last_word().unwrap(), word);
        }
        open().set_meta(LOCKED, "of a later release").unwrap();
        assert_eq!(open().last_word().unwrap().locked, None);
    }
}

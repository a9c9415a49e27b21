//! The number of a table or an order, as a cashier writes it. Pure.

use std::fmt;

use saoma_protocol::api::{TEXT_LEN_MAX, stands_in_text};
use serde::{Deserialize, Serialize};

/// Longest, in characters (Unicode scalar values): a line of the narrowest paper.
pub const REFERENCE_LEN_MAX: usize = 32;
const _: () = assert!(REFERENCE_LEN_MAX <= TEXT_LEN_MAX, "core takes it as the order's reference");

/// 1 to [`REFERENCE_LEN_MAX`] characters on one line, no spaces around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);

/// It is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a table or order number has 1 to 32 characters on one line")]
pub struct NotAReference;

impl Reference {
    /// Nothing, if there is nothing but spaces.
    ///
    /// # Errors
    /// If it is too long, or has characters that no text may have ([`stands_in_text`]).
    pub fn parse(text: &str) -> Result<Option<Self>, NotAReference> {
        match text.trim() {
            "" => Ok(None),
            text if text.chars().count() <= REFERENCE_LEN_MAX && text.chars().all(stands_in_text) => {
                Ok(Some(Self(text.to_owned())))
            }
            _ => Err(NotAReference),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Reference {
    type Error = NotAReference;

    fn try_from(text: String) -> Result<Self, NotAReference> {
        Self::parse(&text)?.ok_or(NotAReference)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_at_most_32_characters() {
        let long = "桌".repeat(32);
        for (text, reference) in [
            ("7", Ok(Some("7"))),
            (" 包厢 3 ", Ok(Some("包厢 3"))),
            ("A-12/b", Ok(Some("A-12/b"))),
            ("🍜👨‍👩‍👧 4", Ok(Some("🍜👨‍👩‍👧 4"))),
            (&long, Ok(Some(long.as_str()))),
            ("", Ok(None)),
            (" \u{3000}\n", Ok(None)),
            (&"x".repeat(33), Err(NotAReference)),
            ("a\nb", Err(NotAReference)),
            ("a\u{0}", Err(NotAReference)),
            ("\u{202e}12.50", Err(NotAReference)),
            ("\u{1b}@7", Err(NotAReference)),
        ] {
            let told = Reference::parse(text);
            assert_eq!(
                told.as_ref().map(|told| told.as_ref().map(Reference::as_str)),
                reference.as_ref().map(|it| *it),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_the_disk_has_is_read_again_and_an_empty_one_is_none() {
        let reference = Reference::parse("桌 7").unwrap().unwrap();
        let text = serde_json::to_string(&reference).unwrap();
        assert_eq!(serde_json::from_str::<Reference>(&text).unwrap(), reference);
        assert!(serde_json::from_str::<Reference>("\" \"").is_err());
    }
}

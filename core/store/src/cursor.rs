//! A place in a list that goes by time: its text is for the API's `cursor`.

use std::{fmt, str::FromStr};

use saoma_protocol::Millis;

use crate::StoreError;

/// After the one of this moment and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<Id> {
    pub at: Millis,
    pub id: Id,
}

impl<Id: fmt::Display> fmt::Display for Cursor<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.0, self.id)
    }
}

impl<Id: FromStr> FromStr for Cursor<Id> {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::NotFound { what: "the cursor's place in the list" };
        let (at, id) = text.split_once('-').ok_or_else(bad)?;
        Ok(Self { at: Millis(at.parse().map_err(|_| bad())?), id: id.parse().map_err(|_| bad())? })
    }
}

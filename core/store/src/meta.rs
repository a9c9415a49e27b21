//! Small facts about the installation, by name.

use crate::{PlatformScope, StoreError, Tx};

/// # Errors
/// None of its own.
pub fn get(tx: &mut Tx<'_>, _: &PlatformScope, name: &str) -> Result<Option<String>, StoreError> {
    todo!()
}

/// # Errors
/// None of its own.
pub fn set(tx: &mut Tx<'_>, _: &PlatformScope, name: &str, value: &str) -> Result<(), StoreError> {
    todo!()
}

/// Sets it unless it is set; the answer is what is set now. Two nodes agree on one value.
///
/// # Errors
/// None of its own.
pub fn set_once(tx: &mut Tx<'_>, _: &PlatformScope, name: &str, value: &str) -> Result<String, StoreError> {
    todo!()
}

//! Saying what went wrong in the contract's words.

use serde::de::DeserializeOwned;

use crate::{Account, Error, Failure};

/// The request may have reached the scheme, and what came of it is not known.
#[must_use]
pub fn no_answer(why: impl Into<String>) -> Error {
    Error::NoAnswer(why.into())
}

/// The request certainly did not take effect.
#[must_use]
pub fn not_sent(why: impl Into<String>) -> Error {
    Error::NotSent(why.into())
}

/// A person must mend the account's settings or secrets.
#[must_use]
pub fn misconfigured(why: impl Into<String>) -> Error {
    Error::Misconfigured(why.into())
}

/// The scheme's no. `code` is one of the contract's (`declined`, `insufficient-funds`, …), `message` the scheme's own words.
#[must_use]
pub fn declined(code: &str, message: impl Into<String>) -> Failure {
    Failure { code: code.to_owned(), message: message.into() }
}

/// The account's settings as a type of yours. The host has checked them against your schema.
///
/// # Errors
/// `misconfigured`, naming the field.
pub fn settings<T: DeserializeOwned>(account: &Account) -> Result<T, Error> {
    serde_json::from_str(&account.settings_json).map_err(|error| misconfigured(format!("the settings: {error}")))
}

/// What a schema cannot say of the settings. Each check: whether it holds, the field, and what the field must be, with an example.
///
/// # Errors
/// `misconfigured`, naming the first field that is wrong and what it must be.
pub fn check_fields<'a>(checks: impl IntoIterator<Item = (bool, &'a str, &'a str)>) -> Result<(), Error> {
    let wrong = checks.into_iter().find(|(holds, ..)| !holds);
    wrong.map_or(Ok(()), |(_, field, fix)| Err(misconfigured(format!("{field:?} must be {fix}"))))
}

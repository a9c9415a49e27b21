//! Texts that people write into requests.

use saoma_protocol::api::{TEXT_LEN_MAX, stands_in_text};

use super::problem::{INVALID, Problem};

/// A name: 1 to [`TEXT_LEN_MAX`] characters without control characters, trimmed.
///
/// # Errors
/// `INVALID` at `pointer`.
pub fn name(text: &str, pointer: &str) -> Result<String, Problem> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Problem::new(INVALID, "A text is needed here.").at(pointer));
    }
    optional(Some(trimmed.to_owned()), pointer).map(Option::unwrap_or_default)
}

/// Longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const EMAIL_LEN_MAX: usize = 254;

/// An e-mail address in lower case: something, an `@`, something. Whether it exists is seen when mail is sent there.
///
/// # Errors
/// `INVALID` at `pointer`.
pub fn email(text: &str, pointer: &str) -> Result<String, Problem> {
    let trimmed = text.trim().to_lowercase();
    let parts = trimmed.split_once('@');
    let plain = !trimmed.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    if plain && trimmed.len() <= EMAIL_LEN_MAX && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
    {
        return Ok(trimmed);
    }
    Err(Problem::new(INVALID, "An e-mail address is needed here, such as owner@example.com.").at(pointer))
}

/// A text that may be missing.
///
/// # Errors
/// `INVALID` at `pointer`.
pub fn optional(text: Option<String>, pointer: &str) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > TEXT_LEN_MAX {
        return Err(Problem::new(INVALID, format!("At most {TEXT_LEN_MAX} characters.")).at(pointer));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::new(INVALID, "Control characters (line breaks, tabs) cannot stand here.").at(pointer));
    }
    if !text.chars().all(stands_in_text) {
        let detail =
            "Characters that turn the direction of writing around cannot stand here; Arabic and Hebrew need none.";
        return Err(Problem::new(INVALID, detail).at(pointer));
    }
    Ok(Some(text))
}

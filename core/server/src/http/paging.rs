//! Lists, a page at a time: how much is asked for, from where on, and whether there is more.

use std::str::FromStr;

use saoma_protocol::api::Page;

use super::problem::{INVALID, Problem};

const LIMIT_MAX: u32 = 200;
const LIMIT_DEFAULT: u32 = 50;

/// How many of a list are wanted: 1 to [`LIMIT_MAX`].
///
/// # Errors
/// `INVALID`.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::new(INVALID, format!("limit must be from 1 to {LIMIT_MAX}."))),
    }
}

/// After which item the page begins.
///
/// # Errors
/// `INVALID` for what is no `next_cursor`.
pub fn after<C: FromStr>(cursor: Option<&str>) -> Result<Option<C>, Problem> {
    let read = cursor.map(str::parse).transpose();
    read.map_err(|_| Problem::new(INVALID, "cursor must be the next_cursor of a page."))
}

/// The page of `found`, of which one more than `limit` was asked for: that one tells whether there is a next page.
pub fn page<T, V: From<T>, C: ToString>(mut found: Vec<T>, limit: u32, cursor: impl Fn(&T) -> C) -> Page<V> {
    let is_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor = found.last().filter(|_| is_more).map(|last| cursor(last).to_string());
    Page { items: found.into_iter().map(V::from).collect(), next_cursor }
}

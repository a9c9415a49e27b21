//! Moments and spans in whole milliseconds, the one unit of time on every wire and in every table.

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored (POSIX time).
///
/// Passed in by the caller, never read here: the same day can then be replayed from a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// This moment moved by `span_ms` milliseconds (negative: earlier), stopping at the ends of the range.
    #[must_use]
    pub const fn plus(self, span_ms: i64) -> Self {
        Self(self.0.saturating_add(span_ms))
    }

    /// How many milliseconds lie between `earlier` and this moment; negative if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

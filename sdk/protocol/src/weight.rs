//! Weights in whole grams: what retail scales divide no further.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A weight: whole grams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Grams(pub u32);

impl fmt::Display for Grams {
    /// In kilograms, as a scale shows it: `1.250 kg`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} kg", self.0 / 1_000, self.0 % 1_000)
    }
}

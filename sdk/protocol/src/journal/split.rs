//! What the parts of a split payment (分次付款) say of the whole that they belong to.

use serde::{Deserialize, Serialize};

use crate::{Amount, Sequence, api::Goods};

/// A payment that is one part of a total which several pay, or one pays in several ways.
///
/// Each part is a payment like any other, of its own amount. What is sold stands here and not among the part's own goods, which
/// would have to come to the part's amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPart {
    /// The terminal's number of the part that was keyed first: on this terminal it names the whole.
    pub of: Sequence,
    /// From 1, in the order in which they were keyed; those that came to nothing count.
    pub part: u32,
    /// What all of it costs.
    pub total: Amount,
    /// What is sold, on the first part alone; lines with discounts or taxes come to the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Goods>,
}

impl SplitPart {
    /// By what core's payments of one split are found together: `split 12-2`, behind the table's or order's number if there is one.
    #[must_use]
    pub fn reference(&self, own: Option<&str>) -> String {
        let Self { of, part, .. } = self;
        own.map_or_else(|| format!("split {of}-{part}"), |own| format!("{own} · split {of}-{part}"))
    }
}

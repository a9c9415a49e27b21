//! What a receipt says, as an abstract document: no printer commands, no pixels. Pure.
//!
//! A driver under `peripherals/printer/` turns it into bytes. The drawer is not part of it: it opens by an order of its own,
//! so that a printer without paper does not keep the cashier from the change.

mod compose;
mod report;
mod split;

pub use compose::{compose, compose_training};
pub use report::report;
pub use split::compose_split;

/// A receipt, from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A line of text; the driver wraps it at the paper's width.
    Text { text: String, align: Align, bold: bool, size: Size },
    /// Two texts on one line, at its two ends; the driver puts the right one on a line of its own if both do not fit.
    Columns { left: String, right: String, bold: bool, size: Size },
    /// A line across the paper.
    Rule,
    /// A QR code (error correction M), centred.
    Qr { text: String },
    /// Empty lines.
    Feed { lines: u8 },
    /// The end of the slip; always the last element.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Normal,
    /// Twice as wide and twice as high.
    Double,
}

/// The shop as a receipt names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    pub merchant_name: String,
    pub store_name: String,
    pub terminal_name: String,
    /// Offset of printed times from UTC, in minutes.
    pub utc_offset_minutes: i32,
}

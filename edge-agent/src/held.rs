//! What was keyed and put aside (挂单), to be taken up again (取单). Pure.
//!
//! It is no sale: it has no payment's number, is in no entry, and core hears nothing of it. It is kept until a sale is made of it
//! (in that sale's transaction), a cashier drops it, or the batch is closed over it after the cashier has seen what goes.

use saoma_protocol::{Amount, Millis, Sequence};
use serde::{Deserialize, Serialize};

use crate::{basket::Basket, sale::Reference};

/// How many may be put aside at once: a list that a cashier can still look through.
pub const HELD_MAX: usize = 50;

/// What the disk has of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// From 1, growing on this terminal, never used twice.
    pub number: Sequence,
    pub amount: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    pub cashier: String,
    /// What is in it, if it was scanned; the amount is what that costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basket: Option<Basket>,
    /// When it was put aside first; its age counts from then.
    pub held_at: Millis,
    /// The press that wrote this, for a page that repeats it.
    pub key: String,
}

/// A change to what is put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldChange {
    /// New, or in the place of the one with its number.
    Keep(Held),
    Drop(Sequence),
}

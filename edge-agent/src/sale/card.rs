//! A card that pays: encrypted for core, and as little of it as people need.

use saoma_protocol::api::{CardEntry, PresentedCard};
use serde::{Deserialize, Serialize};

/// What the reader made of a card: for the request to core alone, and what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardTender {
    pub presented: PresentedCard,
    pub shown: CardShown,
}

/// What the receipt says of a card, and the till's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardShown {
    pub entry: CardEntry,
    /// The first 6 digits, the last 4, and `*` between them.
    pub masked: String,
    /// Of the application on the chip; empty for a stripe.
    pub label: String,
    /// In hexadecimal digits; empty for a stripe.
    pub aid: String,
    /// The holder signs the slip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wants_signature: bool,
}

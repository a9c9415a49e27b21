//! A card that pays: encrypted for core, and as little of it as people need.

use saoma_protocol::{
    Millis,
    api::{CardEntry, PresentedCard},
};
use serde::{Deserialize, Serialize};

use super::{RESEND_MS_MAX, Sale};

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

impl Sale {
    /// The card leaves memory once the sale is not sent again with it: from then on core is only asked whether it has it.
    pub fn forget_card(&mut self, now: Millis) {
        if !(-RESEND_MS_MAX..=RESEND_MS_MAX).contains(&now.since(self.kept.keyed_at)) {
            self.waits.card = None;
        }
    }
}

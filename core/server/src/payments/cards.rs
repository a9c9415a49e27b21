//! What core keeps of cards while their terminals' encryption hides them.

use saoma_channels::KeptCard;
use saoma_store::cards;

/// How long what is kept of a card is kept, in milliseconds, whatever became of its payment: acquirers take refunds by number for some
/// months, and longer than it is needed nobody may keep one (PCI DSS 3.2.1).
pub const CARDS_KEPT_MS: i64 = 180 * 24 * 3_600_000;

/// How long track 2 and what the chip signed are kept of a sale without a network that has no end, in milliseconds. Before the authorisation
/// they may be, encrypted, and no longer than there is a use for them (PCI DSS 3.2.1 and 3.3.2): an acquirer that was told of it for a month and
/// has not answered is asked by hand, and a sale that nobody let go in a month nobody takes any more.
pub const TRACKS_KEPT_MS: i64 = 30 * 24 * 3_600_000;

pub(crate) fn to_store(card: &KeptCard) -> cards::KeptCard {
    let KeptCard { entry, sequence_number, ksn, number } = card.clone();
    cards::KeptCard { entry, sequence_number, ksn, number }
}

pub(crate) fn of_stored(card: cards::KeptCard) -> KeptCard {
    let cards::KeptCard { entry, sequence_number, ksn, number } = card;
    KeptCard { entry, sequence_number, ksn, number }
}

//! `card`: what a plugin may know of the card that a call is about.

use super::CallState;
use crate::{
    bindings::card::{EntryMode, Host, PresentedCard},
    card::{CardEntry, OpenCard},
};

impl Host for CallState {
    fn presented(&mut self) -> wasmtime::Result<Option<PresentedCard>> {
        Ok(self.given()?.card.as_deref().map(shown))
    }
}

fn shown(card: &OpenCard) -> PresentedCard {
    PresentedCard {
        entry: match card.entry {
            CardEntry::Swiped => EntryMode::Swiped,
            CardEntry::Fallback => EntryMode::Fallback,
            CardEntry::Chip => EntryMode::Chip,
            CardEntry::Contactless => EntryMode::Contactless,
            CardEntry::ContactlessStripe => EntryMode::ContactlessStripe,
            CardEntry::Keyed => EntryMode::Keyed,
        },
        number_masked: card.masked(),
        // At most 37.
        track_2_length: card.track_2.as_ref().map_or(0, |track| u8::try_from(track.len()).unwrap_or(u8::MAX)),
        service_code: card.service_code().to_owned(),
        sequence_number: card.sequence_number,
        emv: card.emv.clone(),
        has_pin: card.pin.is_some(),
    }
}

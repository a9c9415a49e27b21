//! One chip in the slot: switched on, asked, and let go of, in bounded time and only while somebody waits for it.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use ring::rand::SecureRandom as _;
use saoma_protocol::api::CardEntry;
use zeroize::Zeroizing;

use super::{Asking, Attendant, CardReader, CardSale, CardTrouble, CardWay, NoCard, vault::ClearCard};
use crate::{
    emv::{
        Purchase, Terminal,
        apdu::{Card, Gone},
        kernel::{ChipFault, ChipRead, pay},
    },
    peripherals::PeripheralError,
};

/// Longest that a chip may take for all its answers of one sale; two to four seconds are usual. The holder's time for a PIN is not in it.
const CHIP_MAX: Duration = Duration::from_secs(30);

/// A card that answers only while somebody waits, and for a while.
struct Attended<'a, 'b> {
    card: &'a mut dyn Card,
    attendant: &'a RefCell<&'b mut dyn Attendant>,
    left: Duration,
}

impl Card for Attended<'_, '_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        if self.left.is_zero() || self.attendant.borrow().is_cancelled() {
            return Err(Gone);
        }
        let since = Instant::now();
        let answer = self.card.transmit(command);
        self.left = self.left.saturating_sub(since.elapsed());
        answer
    }

    fn is_t0(&self) -> bool {
        self.card.is_t0()
    }
}

impl CardReader {
    /// Has the chip ask its issuer. The card in the slot counts as seen, whatever comes of it.
    pub(super) fn read_chip(
        &mut self,
        sale: &CardSale,
        has_pin_pad: bool,
        attendant: &mut dyn Attendant,
    ) -> Result<Result<ClearCard, CardTrouble>, NoCard> {
        let Some(slot) = &mut self.slot else { return Ok(Err(CardTrouble::ChipFailed)) };
        let terminal = Terminal { country: self.country, has_pin_pad, has_stripe: self.swipes.is_some() };
        let mut unpredictable = [0; 4];
        ring::rand::SystemRandom::new().fill(&mut unpredictable).map_err(|_| {
            NoCard::Failed(PeripheralError::Unable {
                device: "the card reader".to_owned(),
                why: "no chance".to_owned(),
            })
        })?;
        let CardSale { amount, at, utc_offset_minutes, counter, way } = *sale;
        let purchase = Purchase { amount, at, utc_offset_minutes, counter, unpredictable };
        let attendant = RefCell::new(attendant);
        let mut asking = Asking { pad: self.pad.as_deref_mut(), attendant: &attendant, pin: None };
        let outcome = match slot.power_up() {
            Ok(mut card) => {
                let mut card = Attended { card: card.as_mut(), attendant: &attendant, left: CHIP_MAX };
                match pay(&mut card, &terminal, &purchase, &mut asking) {
                    Err(ChipFault::Gone) if card.left.is_zero() => Err(ChipFault::Odd("it takes too long")),
                    outcome => outcome,
                }
            }
            Err(PeripheralError::Unable { .. }) => Err(ChipFault::Unreadable("it does not answer")),
            Err(error) => return Err(error.into()),
        };
        let pin = asking.pin.take();
        slot.power_down();
        if attendant.borrow().is_cancelled() {
            return Err(NoCard::Cancelled);
        }
        let fault = match outcome {
            Ok(read) if !(13..=19).contains(&read.number.len()) => ChipFault::NotAccepted,
            Ok(read) if way != CardWay::Online && !read.is_in_date => return Ok(Err(CardTrouble::OutOfDate)),
            Ok(read) if way != CardWay::Online && !read.is_verified => return Ok(Err(CardTrouble::NeedsBank)),
            Ok(read) => return Ok(Ok(of_chip(read, pin))),
            Err(fault) => fault,
        };
        tracing::info!(%fault, "a chip does not pay");
        Ok(Err(match fault {
            ChipFault::Cancelled => return Err(NoCard::Refused(CardTrouble::PinCancelled)),
            ChipFault::NotAccepted => CardTrouble::NotAccepted,
            ChipFault::Declined => CardTrouble::Declined,
            ChipFault::Gone => CardTrouble::TakenOut,
            // A card that is pulled out may well say odd things before it is missed; its stripe stands in for no chip.
            ChipFault::Unreadable(_) | ChipFault::Odd(_) if self.is_gone_soon() => CardTrouble::TakenOut,
            ChipFault::Unreadable(_) => CardTrouble::ChipUnreadable,
            ChipFault::Odd(_) => CardTrouble::ChipFailed,
        }))
    }
}

fn of_chip(read: ChipRead, pin: Option<Zeroizing<String>>) -> ClearCard {
    let ChipRead { number, expiry, track_2, sequence_number, aid, label, acquirer_data, wants_signature, .. } = read;
    ClearCard {
        entry: CardEntry::Chip,
        number,
        expiry,
        track_2,
        sequence_number,
        pin,
        emv: acquirer_data,
        label,
        aid,
        wants_signature,
    }
}

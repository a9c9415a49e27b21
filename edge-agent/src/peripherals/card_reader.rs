//! The card reader: a slot for chips, a slit for stripes, and a pad for PINs, as far as each is there.
//!
//! A card in the clear does not leave this room: what comes out is encrypted for core ([`vault`]), and what may be shown. A reader is
//! asked for one card at a time, and reads none otherwise. Survives: a card that is taken out too early, a chip that does not answer
//! (then its stripe may be used), and a card that is still there from the sale before, which pays no other.

mod chip;
pub mod dukpt;
pub mod pcsc;
pub mod simulated;
pub mod stripe;
pub mod vault;

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use saoma_protocol::{Amount, Millis, Sequence, api::CardEntry};
use serde::Serialize;
use zeroize::Zeroizing;

use self::{
    stripe::{Stripe, Swipes},
    vault::{ClearCard, Vault},
};
use super::{PeripheralError, PeripheralHealth, PeripheralState, health};
use crate::{
    emv::{
        apdu::Card,
        day_and_time,
        kernel::{Holder, PinKeyed},
    },
    sale::CardTender,
};

/// How often each part is looked at while a card is awaited; also how fast a cancel is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A card counts as taken out when no look saw it for so long: readers miss one for a moment when its contacts bounce.
const GONE_MIN: Duration = Duration::from_millis(300);
/// Cards that a device may have keys left for when its health begins to warn.
const KEYS_LOW: u32 = 5_000;
/// How long a reader may take to miss a card that was taken out.
const MISSED_MAX: Duration = Duration::from_millis(800);
/// How long the holder may take for the PIN.
const PIN_MAX: Duration = Duration::from_secs(60);

/// What is to be paid by card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSale {
    pub amount: Amount,
    pub at: Millis,
    pub utc_offset_minutes: i32,
    pub counter: Sequence,
    pub way: CardWay,
}

/// When the issuer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardWay {
    Online,
    /// Later, by the merchant, whose risk it is until then: no PIN is asked for, and no card is read that cannot do without its issuer.
    /// `stripe`: whether stripes are.
    Stored {
        stripe: bool,
    },
}

/// What the customer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStep {
    /// The reader is not ready yet.
    Wait,
    /// Insert or swipe a card, whichever this reader has.
    Present,
    /// The chip cannot be read: swipe the card.
    Swipe,
    /// Leave the card where it is.
    Reading,
    /// Key the PIN on the pad.
    Pin,
    /// Take the card out.
    Remove,
}

/// Why the last card did not pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum CardTrouble {
    #[error("the card was taken out too early")]
    TakenOut,
    #[error("the chip cannot be read")]
    ChipUnreadable,
    /// It was read, and what it said then is no answer: no stripe stands in for it.
    #[error("the chip does not answer as it should")]
    ChipFailed,
    #[error("the stripe cannot be read")]
    StripeUnreadable,
    #[error("the card has a chip: insert it")]
    UseChip,
    #[error("this terminal takes no card of this kind")]
    NotAccepted,
    #[error("the card declines")]
    Declined,
    #[error("it was cancelled at the PIN pad")]
    PinCancelled,
    #[error("without a network only chips are taken")]
    ChipOnly,
    /// Without a network: a PIN is wanted, or the card says that it is never to be taken so.
    #[error("the card must ask its bank, which cannot be reached")]
    NeedsBank,
    /// Without a network; with one its issuer decides.
    #[error("the card is not good at this date")]
    OutOfDate,
}

impl CardSale {
    /// Why this stripe cannot pay it without asking the issuer at once; none if that is asked, or it can.
    fn refused(&self, stripe: &Stripe) -> Option<CardTrouble> {
        let CardWay::Stored { stripe: takes_stripes } = self.way else { return None };
        let (today, _) = day_and_time(self.at, self.utc_offset_minutes);
        let month = hex::encode(&today[..2]);
        match () {
            () if !takes_stripes => Some(CardTrouble::ChipOnly),
            // Without a slot it cannot be inserted, and a copied stripe is told from it by its issuer alone.
            () if stripe.has_chip() => Some(CardTrouble::NeedsBank),
            () if stripe.needs_issuer() => Some(CardTrouble::NeedsBank),
            () if stripe.expiry.as_str() < month.as_str() => Some(CardTrouble::OutOfDate),
            () => None,
        }
    }
}

/// Why there is no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCard {
    /// The cashier does not wait any more.
    Cancelled,
    /// The holder does not.
    Refused(CardTrouble),
    Failed(PeripheralError),
}

impl From<PeripheralError> for NoCard {
    fn from(error: PeripheralError) -> Self {
        Self::Failed(error)
    }
}

/// Who hears meanwhile what the customer is to do.
pub trait Attendant {
    fn tell(&mut self, step: CardStep, trouble: Option<CardTrouble>);

    fn is_cancelled(&self) -> bool;
}

/// A slot for chips.
pub trait Slot: Send {
    /// Whether a card is in it.
    ///
    /// # Errors
    /// `Unreachable`, `Silent`.
    fn is_there(&mut self) -> Result<bool, PeripheralError>;

    /// Switches the card on.
    ///
    /// # Errors
    /// As [`Slot::is_there`]; `Unable` for a card that does not answer.
    fn power_up(&mut self) -> Result<Box<dyn Card + '_>, PeripheralError>;

    /// Lets go of the card.
    fn power_down(&mut self);
}

/// A pad for PINs.
pub trait PinPad: Send {
    /// A new PIN is to be keyed: what was keyed before is gone.
    fn begin(&mut self);

    /// Waits at most `wait`; none while it is not done.
    ///
    /// # Errors
    /// `Unreachable`.
    fn keyed(&mut self, wait: Duration) -> Result<Option<Pad>, PeripheralError>;
}

/// What came of the pad.
pub enum Pad {
    Pin(Zeroizing<String>),
    Bypassed,
    Cancelled,
}

/// All of it.
pub struct CardReader {
    pub(super) driver: &'static str,
    pub(super) slot: Option<Box<dyn Slot>>,
    pub(super) swipes: Option<Swipes>,
    pub(super) pad: Option<Box<dyn PinPad>>,
    pub(super) vault: Vault,
    /// ISO 3166-1 numeric.
    pub(super) country: u16,
    /// What is in the slot has paid, or was seen to fail, or was there before this driver.
    is_spent: bool,
    /// No look has seen a card since.
    missing_since: Option<Instant>,
}

/// What one look brought.
enum Seen {
    Nothing,
    Chip,
    Stripe(Result<Stripe, stripe::Unreadable>),
}

impl CardReader {
    /// With no part yet. What is in its slot already may have paid a sale of the run before: it pays none.
    #[must_use]
    pub(super) fn new(driver: &'static str, vault: Vault, country: u16) -> Self {
        Self { driver, slot: None, swipes: None, pad: None, vault, country, is_spent: true, missing_since: None }
    }

    #[must_use]
    pub fn driver(&self) -> &'static str {
        self.driver
    }

    /// Waits for a card, reads it for this sale, and has its PIN keyed if it wants one. It ends by a card, or when the attendant
    /// cancels.
    ///
    /// # Errors
    /// `Cancelled`; `Refused` when the holder cancels at the pad; `Failed` if a part does not work, or there are no keys.
    pub fn read(&mut self, sale: &CardSale, attendant: &mut dyn Attendant) -> Result<CardTender, NoCard> {
        let has_pin_pad = self.check()?.has_pin_key && self.pad.is_some() && sale.way == CardWay::Online;
        // Before anybody keys a PIN: without keys nothing comes of the card.
        let keys = self.vault.take(has_pin_pad)?;
        if let Some(swipes) = &mut self.swipes
            && let Err(error) = swipes.forget()
            && self.slot.is_none()
        {
            return Err(error.into());
        }
        let (mut trouble, mut may_swipe_chip_card) = (None, self.slot.is_none());
        let mut told = None;
        loop {
            let is_in = self.is_in();
            if attendant.is_cancelled() {
                return Err(NoCard::Cancelled);
            }
            let step = match (&is_in, may_swipe_chip_card && self.slot.is_some() && self.swipes.is_some()) {
                (Ok(true), _) if self.is_spent => Some(CardStep::Remove),
                // It is seen in a moment whether it was taken out.
                (Ok(false), _) if self.is_spent && self.slot.is_some() => None,
                (_, true) => Some(CardStep::Swipe),
                (_, false) => Some(CardStep::Present),
            };
            if let Some(step) = step
                && told != Some((step, trouble))
            {
                told = Some((step, trouble));
                attendant.tell(step, trouble);
            }
            let read = match self.look(is_in)? {
                Seen::Nothing => continue,
                Seen::Chip => {
                    attendant.tell(CardStep::Reading, None);
                    self.is_spent = true;
                    let read = self.read_chip(sale, has_pin_pad, attendant)?;
                    // Of this card, and until another chip is put in.
                    may_swipe_chip_card =
                        matches!(read, Err(CardTrouble::ChipUnreadable)) && sale.way == CardWay::Online;
                    read
                }
                Seen::Stripe(Err(stripe::Unreadable)) => Err(CardTrouble::StripeUnreadable),
                Seen::Stripe(Ok(stripe)) if stripe.has_chip() && !may_swipe_chip_card => Err(CardTrouble::UseChip),
                Seen::Stripe(Ok(stripe)) => match sale.refused(&stripe) {
                    Some(trouble) => Err(trouble),
                    None => Ok(self.read_stripe(stripe, has_pin_pad, attendant)?),
                },
            };
            told = None;
            match read {
                Ok(card) => {
                    let tender = vault::seal(&card, keys)?;
                    attendant.tell(CardStep::Remove, None);
                    return Ok(tender);
                }
                Err(ended) => trouble = Some(ended),
            }
        }
    }

    /// Whether a card that was just read is taken out; so it is if the reader is gone with it.
    fn is_gone_soon(&mut self) -> bool {
        let until = Instant::now() + MISSED_MAX;
        while self.is_in() == Ok(true) {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// Whether a card is in the slot. One that was taken out is a new one when it comes again.
    fn is_in(&mut self) -> Result<bool, PeripheralError> {
        let is_in = self.slot.as_mut().map_or(Ok(false), |slot| slot.is_there())?;
        if is_in {
            self.missing_since = None;
        } else if self.missing_since.get_or_insert_with(Instant::now).elapsed() >= GONE_MIN {
            self.is_spent = false;
        }
        Ok(is_in)
    }

    /// Looks for a card at the parts that work. An error if none does.
    fn look(&mut self, is_in: Result<bool, PeripheralError>) -> Result<Seen, PeripheralError> {
        if is_in == Ok(true) && !self.is_spent {
            return Ok(Seen::Chip);
        }
        let stripe = match &mut self.swipes {
            Some(swipes) => swipes.next(LOOK_EVERY),
            None => {
                is_in?;
                std::thread::sleep(LOOK_EVERY);
                return Ok(Seen::Nothing);
            }
        };
        match stripe {
            Ok(stripe) => Ok(stripe.map_or(Seen::Nothing, Seen::Stripe)),
            Err(_) if self.slot.is_some() && is_in.is_ok() => {
                std::thread::sleep(LOOK_EVERY);
                Ok(Seen::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    fn read_stripe(
        &mut self,
        stripe: Stripe,
        has_pin_pad: bool,
        attendant: &mut dyn Attendant,
    ) -> Result<ClearCard, NoCard> {
        let mut pin = None;
        if stripe.wants_pin() && has_pin_pad {
            let attendant = RefCell::new(attendant);
            let mut asking = Asking { pad: self.pad.as_deref_mut(), attendant: &attendant, pin: None };
            match asking.key_pin() {
                PinKeyed::Keyed => pin = asking.pin.take(),
                // The issuer decides.
                PinKeyed::Bypassed | PinKeyed::PadFailed => {}
                PinKeyed::Cancelled if attendant.borrow().is_cancelled() => return Err(NoCard::Cancelled),
                PinKeyed::Cancelled => return Err(NoCard::Refused(CardTrouble::PinCancelled)),
            }
        }
        let is_fallback = stripe.has_chip() && self.slot.is_some();
        let Stripe { number, expiry, track_2, .. } = stripe;
        Ok(ClearCard {
            entry: if is_fallback { CardEntry::Fallback } else { CardEntry::Swiped },
            number,
            expiry,
            track_2: Some(track_2),
            sequence_number: None,
            wants_signature: pin.is_none(),
            pin,
            emv: Vec::new(),
            label: String::new(),
            aid: Vec::new(),
        })
    }

    /// Whether it has something to read by, and its keys.
    fn check(&mut self) -> Result<vault::Checked, PeripheralError> {
        if self.slot.is_none() && self.swipes.is_none() {
            let why = "nothing of it reads cards; set peripherals.card_reader_stripe".to_owned();
            return Err(PeripheralError::Unable { device: "the card reader".to_owned(), why });
        }
        self.vault.check()
    }

    /// How it does: the first part that does not work, or that keys are missing.
    pub fn health(&mut self) -> PeripheralHealth {
        let failed =
            |error: &PeripheralError| health("card_reader", self.driver, PeripheralState::Failed, error.to_string());
        let keys = match self.check() {
            Ok(keys) => keys,
            Err(error) => return failed(&error),
        };
        let slot = self.is_in().map(|_| ());
        let stripes = self.swipes.as_mut().map(Swipes::health).filter(|told| told.state == PeripheralState::Failed);
        let warned = match (slot, stripes) {
            (Err(error), stripes) if self.swipes.is_none() || stripes.is_some() => return failed(&error),
            (Err(error), _) => format!("it reads stripes alone: {error}"),
            (Ok(()), Some(told)) if self.slot.is_none() => {
                return health("card_reader", self.driver, told.state, told.detail);
            }
            (Ok(()), Some(told)) => format!("it reads chips alone: {}", told.detail),
            (Ok(()), None) if self.pad.is_some() && !keys.has_pin_key => {
                "it has a PIN pad and no key to encrypt PINs by".to_owned()
            }
            (Ok(()), None) if keys.left < KEYS_LOW => {
                format!("its keys last for {} more cards; have new ones brought", keys.left)
            }
            (Ok(()), None) => String::new(),
        };
        if !warned.is_empty() {
            return health("card_reader", self.driver, PeripheralState::Warning, warned);
        }
        health("card_reader", self.driver, PeripheralState::Ok, "")
    }

    /// # Errors
    /// What keeps it from reading cards.
    pub fn self_test(&mut self) -> Result<String, PeripheralError> {
        let told = self.health();
        if told.state == PeripheralState::Failed {
            return Err(PeripheralError::Unable { device: "the card reader".to_owned(), why: told.detail });
        }
        let seen = if self.is_in() == Ok(true) { "a card is in it" } else { "no card is in it" };
        let warned = if told.detail.is_empty() { String::new() } else { format!("; but {}", told.detail) };
        Ok(format!("the card reader answers and has its keys; {seen}{warned}"))
    }
}

/// Asks the holder through the pad.
struct Asking<'a, 'b> {
    pad: Option<&'a mut (dyn PinPad + 'static)>,
    attendant: &'a RefCell<&'b mut dyn Attendant>,
    pin: Option<Zeroizing<String>>,
}

impl Holder for Asking<'_, '_> {
    fn key_pin(&mut self) -> PinKeyed {
        let Some(pad) = &mut self.pad else { return PinKeyed::PadFailed };
        self.attendant.borrow_mut().tell(CardStep::Pin, None);
        pad.begin();
        let until = Instant::now() + PIN_MAX;
        while Instant::now() < until && !self.attendant.borrow().is_cancelled() {
            match pad.keyed(LOOK_EVERY) {
                Ok(None) => {}
                Ok(Some(Pad::Pin(pin))) => {
                    self.pin = Some(pin);
                    self.attendant.borrow_mut().tell(CardStep::Reading, None);
                    return PinKeyed::Keyed;
                }
                Ok(Some(Pad::Bypassed)) => return PinKeyed::Bypassed,
                Ok(Some(Pad::Cancelled)) => return PinKeyed::Cancelled,
                Err(error) => {
                    tracing::warn!(%error, "the PIN pad does not work");
                    return PinKeyed::PadFailed;
                }
            }
        }
        PinKeyed::Cancelled
    }
}

#[cfg(test)]
mod tests;

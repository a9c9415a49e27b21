//! The card reader: a slot for chips, a slit for stripes, and a pad for PINs, as far as each is there.
//!
//! A card in the clear does not leave this room: what comes out is encrypted for core ([`vault`]), and what may be shown. A reader is
//! asked for one card at a time, and reads none otherwise. Survives: a card that is taken out too early, a chip that does not answer
//! (then its stripe may be used), and a card that is still there from the sale before, which pays no other.

pub mod dukpt;
pub mod pcsc;
pub mod simulated;
pub mod stripe;
pub mod vault;

use std::time::{Duration, Instant};

use ring::rand::SecureRandom as _;
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
        Purchase, Terminal,
        apdu::Card,
        kernel::{ChipFault, ChipRead, Holder, PinKeyed, pay},
    },
    sale::CardTender,
};

/// How often each part is looked at while a card is awaited; also how fast a cancel is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
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
}

/// What the customer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStep {
    /// The reader is not ready yet.
    Wait,
    /// Insert or swipe a card, whichever this reader has.
    Present,
    /// The chip does not answer: swipe the card.
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
    /// What is in the slot has paid, or was seen to fail.
    pub(super) is_spent: bool,
}

/// What one look brought.
enum Seen {
    Nothing,
    Chip,
    Stripe(Result<Stripe, stripe::Unreadable>),
}

impl CardReader {
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
        let has_pin_key = self.check()?;
        if let Some(swipes) = &mut self.swipes {
            swipes.forget()?;
        }
        let (mut trouble, mut may_swipe_chip_card) = (None, self.slot.is_none());
        let mut told = None;
        loop {
            let is_in = self.is_in()?;
            if attendant.is_cancelled() {
                return Err(NoCard::Cancelled);
            }
            let step = match (self.is_spent, may_swipe_chip_card && self.slot.is_some() && self.swipes.is_some()) {
                (true, _) => CardStep::Remove,
                (false, true) => CardStep::Swipe,
                (false, false) => CardStep::Present,
            };
            if told != Some((step, trouble)) {
                told = Some((step, trouble));
                attendant.tell(step, trouble);
            }
            let read = match self.look(is_in && !self.is_spent)? {
                Seen::Nothing => continue,
                Seen::Chip => {
                    attendant.tell(CardStep::Reading, None);
                    self.is_spent = true;
                    self.read_chip(sale, has_pin_key, attendant)?
                }
                Seen::Stripe(Err(stripe::Unreadable)) => Err(CardTrouble::StripeUnreadable),
                Seen::Stripe(Ok(stripe)) if stripe.has_chip() && !may_swipe_chip_card => Err(CardTrouble::UseChip),
                Seen::Stripe(Ok(stripe)) => self.read_stripe(stripe, has_pin_key, attendant)?,
            };
            told = None;
            match read {
                Ok(card) => {
                    let tender = self.vault.seal(&card)?;
                    attendant.tell(CardStep::Remove, None);
                    return Ok(tender);
                }
                Err(ended) => {
                    may_swipe_chip_card |= ended == CardTrouble::ChipUnreadable;
                    trouble = Some(ended);
                }
            }
        }
    }

    fn is_gone_soon(&mut self) -> Result<bool, PeripheralError> {
        let until = Instant::now() + MISSED_MAX;
        while self.is_in()? {
            if Instant::now() >= until {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(true)
    }

    /// Whether a card is in the slot. One that was taken out is a new one when it comes again.
    fn is_in(&mut self) -> Result<bool, PeripheralError> {
        let is_in = self.slot.as_mut().map_or(Ok(false), |slot| slot.is_there())?;
        self.is_spent &= is_in;
        Ok(is_in)
    }

    fn look(&mut self, is_chip_there: bool) -> Result<Seen, PeripheralError> {
        if is_chip_there {
            return Ok(Seen::Chip);
        }
        match &mut self.swipes {
            Some(swipes) => Ok(swipes.next(LOOK_EVERY)?.map_or(Seen::Nothing, Seen::Stripe)),
            None => {
                std::thread::sleep(LOOK_EVERY);
                Ok(Seen::Nothing)
            }
        }
    }

    fn read_chip(
        &mut self,
        sale: &CardSale,
        has_pin_key: bool,
        attendant: &mut dyn Attendant,
    ) -> Result<Result<ClearCard, CardTrouble>, NoCard> {
        let Some(slot) = &mut self.slot else { return Ok(Err(CardTrouble::ChipUnreadable)) };
        let has_pin_pad = has_pin_key && self.pad.is_some();
        let terminal = Terminal { country: self.country, has_pin_pad, has_stripe: self.swipes.is_some() };
        let mut unpredictable = [0; 4];
        ring::rand::SystemRandom::new().fill(&mut unpredictable).map_err(|_| {
            NoCard::Failed(PeripheralError::Unable {
                device: "the card reader".to_owned(),
                why: "no chance".to_owned(),
            })
        })?;
        let CardSale { amount, at, utc_offset_minutes, counter } = *sale;
        let purchase = Purchase { amount, at, utc_offset_minutes, counter, unpredictable };
        let mut asking = Asking { pad: self.pad.as_deref_mut(), attendant, pin: None };
        let outcome = match slot.power_up() {
            Ok(mut card) => pay(card.as_mut(), &terminal, &purchase, &mut asking),
            Err(PeripheralError::Unable { .. }) => Err(ChipFault::Unreadable("it does not answer")),
            Err(error) => return Err(error.into()),
        };
        let pin = asking.pin.take();
        slot.power_down();
        match outcome {
            Ok(read) => Ok(Ok(of_chip(read, pin))),
            // The cashier's cancel, or the holder's.
            Err(ChipFault::Cancelled) if attendant.is_cancelled() => Err(NoCard::Cancelled),
            Err(ChipFault::Cancelled) => Err(NoCard::Refused(CardTrouble::PinCancelled)),
            Err(fault) => {
                tracing::info!(%fault, "a chip does not pay");
                Ok(Err(match fault {
                    // A card that is pulled out may well say odd things before it is missed; its stripe stands in for no chip.
                    ChipFault::Unreadable(_) if self.is_gone_soon()? => CardTrouble::TakenOut,
                    ChipFault::Gone => CardTrouble::TakenOut,
                    ChipFault::NotAccepted => CardTrouble::NotAccepted,
                    ChipFault::Declined => CardTrouble::Declined,
                    ChipFault::Unreadable(_) | ChipFault::Cancelled => CardTrouble::ChipUnreadable,
                }))
            }
        }
    }

    fn read_stripe(
        &mut self,
        stripe: Stripe,
        has_pin_key: bool,
        attendant: &mut dyn Attendant,
    ) -> Result<Result<ClearCard, CardTrouble>, NoCard> {
        let mut pin = None;
        if stripe.wants_pin() && has_pin_key {
            let mut asking = Asking { pad: self.pad.as_deref_mut(), attendant, pin: None };
            match asking.key_pin() {
                PinKeyed::Keyed => pin = asking.pin.take(),
                // The issuer decides.
                PinKeyed::Bypassed | PinKeyed::PadFailed => {}
                PinKeyed::Cancelled if attendant.is_cancelled() => return Err(NoCard::Cancelled),
                PinKeyed::Cancelled => return Err(NoCard::Refused(CardTrouble::PinCancelled)),
            }
        }
        let is_fallback = stripe.has_chip() && self.slot.is_some();
        let Stripe { number, expiry, track_2, .. } = stripe;
        Ok(Ok(ClearCard {
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
        }))
    }

    /// Whether it has something to read by and its keys; and if so, whether one for PINs.
    fn check(&self) -> Result<bool, PeripheralError> {
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
        let keys = self.check();
        if let Err(error) = &keys {
            return failed(error);
        }
        if let Err(error) = self.is_in() {
            return failed(&error);
        }
        if let Some(swipes) = &mut self.swipes {
            let told = swipes.health();
            if told.state == PeripheralState::Failed {
                return health("card_reader", self.driver, told.state, told.detail);
            }
        }
        if self.pad.is_some() && keys == Ok(false) {
            let why = "it has a PIN pad and no key to encrypt PINs by";
            return health("card_reader", self.driver, PeripheralState::Warning, why);
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
        let is_in = self.is_in()?;
        let seen = if is_in { "a card is in it" } else { "no card is in it" };
        Ok(format!("the card reader answers and has its keys; {seen}"))
    }
}

fn of_chip(read: ChipRead, pin: Option<Zeroizing<String>>) -> ClearCard {
    let ChipRead { number, expiry, track_2, sequence_number, aid, label, acquirer_data, wants_signature } = read;
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

/// Asks the holder through the pad.
struct Asking<'a> {
    pad: Option<&'a mut (dyn PinPad + 'static)>,
    attendant: &'a mut dyn Attendant,
    pin: Option<Zeroizing<String>>,
}

impl Holder for Asking<'_> {
    fn key_pin(&mut self) -> PinKeyed {
        let Some(pad) = &mut self.pad else { return PinKeyed::PadFailed };
        self.attendant.tell(CardStep::Pin, None);
        pad.begin();
        let until = Instant::now() + PIN_MAX;
        while Instant::now() < until && !self.attendant.is_cancelled() {
            match pad.keyed(LOOK_EVERY) {
                Ok(None) => {}
                Ok(Some(Pad::Pin(pin))) => {
                    self.pin = Some(pin);
                    self.attendant.tell(CardStep::Reading, None);
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

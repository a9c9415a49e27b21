//! What is plugged into the terminal: one trait per kind of device, one file per driver under `peripherals/`.
//!
//! Every call here may block (a serial line, a TCP connection), so each device lives on a thread of its own
//! ([`crate::counter`]) and the till's loop only sends it orders. Losing a device never loses a sale: a driver reports its
//! failure as an error or as health, never by panicking, and every wait inside a driver has a deadline.

pub mod card_reader;
pub mod catalogue;
pub mod connected;
pub mod display;
pub mod drawer;
mod line;
pub mod printer;
pub mod registry;
pub mod scale;
pub mod scanner;
pub mod search;
mod simulated_socket;
pub mod speaker;

use std::{fmt, str::FromStr, time::Duration};

pub use saoma_protocol::message::{PeripheralHealth, PeripheralState};

use crate::receipt::Document;

/// Longest that one call into a driver may take, unless its own parameter says otherwise. A receipt of a metre at 100 mm/s
/// takes ten seconds to leave a slow printer; a device that is silent for longer is treated as failed.
pub const CALL_MAX: Duration = Duration::from_secs(12);

/// The kinds of devices, by the names that the API, the settings and core know them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Printer,
    Drawer,
    Display,
    Scanner,
    Scale,
    Speaker,
    CardReader,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Printer, Self::Drawer, Self::Display, Self::Scanner, Self::Scale, Self::Speaker, Self::CardReader];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Printer => "printer",
            Self::Drawer => "drawer",
            Self::Display => "display",
            Self::Scanner => "scanner",
            Self::Scale => "scale",
            Self::Speaker => "speaker",
            Self::CardReader => "card_reader",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no kind of device called {name:?}"))
    }
}

/// Why a device did not do what it was asked. The text is for the cashier and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeripheralError {
    #[error("{device} cannot be reached ({why}); check its cable and that it is switched on")]
    Unreachable { device: String, why: String },
    #[error("{device} did not answer in time; switch it off and on")]
    Silent { device: String },
    #[error("the printer is out of paper; put in a new roll")]
    PaperOut,
    #[error("the printer's cover is open; close it")]
    CoverOpen,
    #[error("{device} cannot do this: {why}")]
    Unable { device: String, why: String },
}

/// What is wrong with a device, for pages that say it in words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    Unreachable,
    Silent,
    PaperOut,
    CoverOpen,
    Unable,
}

impl Trouble {
    /// What a device's health is about, which crosses to core and to pages as the words of a [`PeripheralError`].
    #[must_use]
    pub fn told_in(detail: &str) -> Option<Self> {
        let words = [
            (" cannot be reached (", Self::Unreachable),
            (" did not answer in time", Self::Silent),
            (" is out of paper", Self::PaperOut),
            (" cover is open", Self::CoverOpen),
            (" cannot do this: ", Self::Unable),
        ];
        words.into_iter().find(|(words, _)| detail.contains(words)).map(|(_, trouble)| trouble)
    }
}

/// What came out of a printer, for the till's page and for tests: the bytes that the device was sent, drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// The receipt as lines of text, Chinese characters two columns wide.
    pub text: String,
    /// The receipt as the paper would look, PNG.
    pub png: Vec<u8>,
}

/// A receipt printer.
pub trait Printer: Send {
    /// The driver's name as configured: `escpos-tcp`, `escpos-serial`, `simulated`, …
    fn driver(&self) -> &'static str;

    /// Prints a whole receipt. When it returns `Ok`, the device has taken every byte.
    ///
    /// # Errors
    /// Any; nothing or a part may be on the paper then. The caller offers a reprint and never undoes the sale.
    fn print(&mut self, document: &Document) -> Result<(), PeripheralError>;

    /// Whether a part of the slip that failed last may be on the paper.
    fn has_begun(&self) -> bool {
        true
    }

    /// Sends the pulse that opens a drawer wired to this printer (ESC/POS `ESC p`).
    ///
    /// # Errors
    /// `Unable` for a printer without a drawer port.
    fn pulse_drawer(&mut self) -> Result<(), PeripheralError>;

    /// How it does, asked cheaply (a status byte, not a test print). Never an error: a dead device is health `Failed`.
    fn health(&mut self) -> PeripheralHealth;

    /// Prints a test slip, and says what a person should now see.
    ///
    /// # Errors
    /// As [`Printer::print`].
    fn self_test(&mut self) -> Result<String, PeripheralError>;

    /// The last receipt as a picture, if this driver draws what it prints (the simulated one does).
    fn rendering(&self) -> Option<Rendering> {
        None
    }
}

/// A barcode scanner that is not a keyboard to the till's page.
pub trait Scanner: Send {
    fn driver(&self) -> &'static str;

    /// Waits at most `wait` for a code; `None` if nothing was scanned. Line ends are cut off; at most
    /// [`saoma_protocol::api::SCANNED_CODE_LEN_MAX`] bytes, longer scans are dropped with `Unable`.
    /// The text may be a bearer credential: never log it.
    ///
    /// # Errors
    /// `Unreachable` when the device is gone; the caller tries again later.
    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError>;

    fn health(&mut self) -> PeripheralHealth;

    /// # Errors
    /// What keeps it from scanning.
    fn self_test(&mut self) -> Result<String, PeripheralError>;
}

/// What the customer sees. Also the body of `GET /api/display`, from which the second-screen page draws itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Display {
    Idle {
        merchant_name: String,
    },
    /// A code to scan.
    Code {
        payment: saoma_protocol::PaymentId,
        /// As a person reads it: `12.50`.
        amount: String,
        currency: saoma_protocol::Currency,
        /// What the QR code holds.
        code_url: String,
        expires_at: Option<saoma_protocol::Millis>,
    },
    /// Words, with the amount if there is one.
    Message {
        message: DisplayMessage,
        amount: Option<String>,
        currency: Option<saoma_protocol::Currency>,
        /// Cash only: what the customer gets back, if anything.
        change: Option<String>,
    },
    /// What is being scanned: the line that changed last, and what all of it costs.
    Basket {
        name: String,
        quantity: u32,
        /// Of what was weighed.
        weight_grams: Option<saoma_protocol::Grams>,
        line: String,
        total: String,
        currency: saoma_protocol::Currency,
    },
    /// Training is on: nothing that is shown is real, and there is no code that anybody could pay.
    Training {
        /// None: nothing is keyed.
        message: Option<DisplayMessage>,
        amount: Option<String>,
        currency: Option<saoma_protocol::Currency>,
        change: Option<String>,
    },
}

impl Display {
    /// That training is on, and nothing else.
    #[must_use]
    pub const fn training() -> Self {
        Self::Training { message: None, amount: None, currency: None, change: None }
    }
}

/// What is said; the words in each language are the page's and the drivers'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisplayMessage {
    /// Please show your payment code.
    ShowYourCode,
    /// The shop's code would be on show now. In training alone: there is a real one otherwise.
    ScanCode,
    /// Please wait / please confirm on your phone.
    Confirming,
    /// Paid, thank you.
    Paid,
    /// Not paid.
    Failed,
    Cancelled,
    Expired,
    /// Money was given back.
    Refunded,
    /// Please insert or swipe your card.
    PresentCard,
    /// Please swipe your card.
    SwipeCard,
    /// Please leave your card where it is.
    ReadingCard,
    /// Please key your PIN on the pad.
    KeyPin,
    /// Please take your card out.
    RemoveCard,
    /// Sold by card without a network: please sign the slip.
    SignSlip,
}

/// A customer display.
pub trait CustomerDisplay: Send {
    fn driver(&self) -> &'static str;

    /// # Errors
    /// Any; the till goes on without it.
    fn show(&mut self, display: &Display) -> Result<(), PeripheralError>;

    fn health(&mut self) -> PeripheralHealth;

    /// # Errors
    /// As [`CustomerDisplay::show`].
    fn self_test(&mut self) -> Result<String, PeripheralError>;
}

/// A cash drawer.
pub trait Drawer: Send {
    fn driver(&self) -> &'static str;

    /// Opens it. Most drawers hang on the receipt printer, which is therefore passed in; others ignore it.
    ///
    /// # Errors
    /// Any; the cashier has a key.
    fn open(&mut self, printer: &mut dyn Printer) -> Result<(), PeripheralError>;

    fn health(&mut self) -> PeripheralHealth;
}

/// A scale on the counter.
pub trait Scale: Send {
    fn driver(&self) -> &'static str;

    /// Asks once, which takes at most a few seconds.
    ///
    /// # Errors
    /// `Unreachable` when it is gone, `Silent` when it does not answer, `Unable` when its answer cannot be used.
    fn weigh(&mut self) -> Result<scale::Weighing, PeripheralError>;

    fn health(&mut self) -> PeripheralHealth;

    /// Weighs, and says what the scale's own display should now say.
    ///
    /// # Errors
    /// As [`Scale::weigh`].
    fn self_test(&mut self) -> Result<String, PeripheralError>;
}

/// What says aloud that money came in.
pub trait Speaker: Send {
    fn driver(&self) -> &'static str;

    /// Says the amount, and returns when it was said.
    ///
    /// # Errors
    /// Any; nobody heard it then, and nothing else follows.
    fn announce(&mut self, amount: saoma_protocol::Money) -> Result<(), PeripheralError>;

    /// Without a sound: whether what it needs is there, and how the last announcement went.
    fn health(&mut self) -> PeripheralHealth;

    /// Says a few words, and which ones.
    ///
    /// # Errors
    /// As [`Speaker::announce`].
    fn self_test(&mut self) -> Result<String, PeripheralError>;
}

/// All devices of this terminal, opened from the configuration.
pub struct Devices {
    pub printer: Box<dyn Printer>,
    pub drawer: Box<dyn Drawer>,
    pub display: Box<dyn CustomerDisplay>,
    /// None: codes come from the till's page alone.
    pub scanner: Option<Box<dyn Scanner>>,
    pub scale: Option<Box<dyn Scale>>,
    pub speaker: Option<Box<dyn Speaker>>,
    pub card_reader: Option<Box<card_reader::CardReader>>,
}

/// Health of a device in words; what most drivers return.
#[must_use]
pub fn health(kind: &str, driver: &str, state: PeripheralState, detail: impl Into<String>) -> PeripheralHealth {
    PeripheralHealth { kind: kind.to_owned(), driver: driver.to_owned(), state, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_known_by_its_words() {
        let device = || "the scale at /dev/ttyUSB1".to_owned();
        let why = || "it is on fire".to_owned();
        for (error, trouble) in [
            (PeripheralError::Unreachable { device: device(), why: why() }, Trouble::Unreachable),
            (PeripheralError::Silent { device: device() }, Trouble::Silent),
            (PeripheralError::PaperOut, Trouble::PaperOut),
            (PeripheralError::CoverOpen, Trouble::CoverOpen),
            (PeripheralError::Unable { device: device(), why: why() }, Trouble::Unable),
        ] {
            assert_eq!(Trouble::told_in(&error.to_string()), Some(trouble));
        }
        assert_eq!(Trouble::told_in("it does not tell its status"), None);
    }
}

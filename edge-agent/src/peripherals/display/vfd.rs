//! A pole display of two lines of twenty characters on a serial line, in Epson's command set for displays.
//!
//! It has letters only: names are shown without what it lacks, and codes to scan are on the second screen or on paper.

use std::{
    io,
    time::{Duration, Instant},
};

use saoma_protocol::Currency;

use crate::peripherals::{
    CustomerDisplay, Display, DisplayMessage, PeripheralError, PeripheralHealth, PeripheralState, health,
    line::{Line, failure},
};

pub const DRIVER: &str = "serial-vfd";

pub(super) const COLUMNS: usize = 20;
/// Two lines at 9600 baud take 50 ms; a display is never worth waiting for.
const WRITE_WAIT: Duration = Duration::from_secs(1);

/// ESC @ (initialize), US MD1 (overwrite, no scrolling), US C 0 (no cursor).
const INITIALIZE: [u8; 7] = [0x1b, b'@', 0x1f, 0x01, 0x1f, b'C', 0];
/// CLR.
const CLEAR: u8 = 0x0c;
/// US $ 1 2: the beginning of the lower line.
const LOWER_LINE: [u8; 4] = [0x1f, b'$', 1, 2];

/// The way to a display's bytes.
pub trait Wire: Send {
    /// The driver's name as configured.
    fn driver(&self) -> &'static str;

    /// What an error calls it: "the customer display at /dev/ttyS0".
    fn device(&self) -> String;

    /// Makes sure that bytes can be written.
    ///
    /// # Errors
    /// The system's.
    fn open(&mut self) -> io::Result<()>;

    /// Returns when the device has taken every byte.
    ///
    /// # Errors
    /// The system's; `TimedOut` if it does not take them in time.
    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()>;
}

pub struct SerialWire {
    path: String,
    baud: u32,
    line: Option<Line>,
}

pub struct Vfd<W> {
    wire: W,
    /// It was told how it is to show things, and nothing has failed since.
    has_begun: bool,
}

impl Vfd<SerialWire> {
    #[must_use]
    pub fn new(path: &str, baud: u32) -> Self {
        Self::over(SerialWire { path: path.to_owned(), baud, line: None })
    }
}

impl Wire for SerialWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn device(&self) -> String {
        format!("the customer display at {}", self.path)
    }

    fn open(&mut self) -> io::Result<()> {
        self.line = Some(Line::open_serial(&self.path, self.baud)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let written = self.line.as_mut().ok_or(io::ErrorKind::NotConnected)?.write_all(bytes, deadline);
        if written.is_err() {
            // One that is put in again gets its name back once nobody holds it.
            self.line = None;
        }
        written
    }
}

impl<W: Wire> Vfd<W> {
    pub(super) const fn over(wire: W) -> Self {
        Self { wire, has_begun: false }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PeripheralError> {
        let deadline = Instant::now() + WRITE_WAIT;
        let begun = if self.has_begun {
            Ok(())
        } else {
            self.wire.open().and_then(|()| self.wire.write(&INITIALIZE, deadline))
        };
        let written = begun.and_then(|()| self.wire.write(bytes, deadline));
        self.has_begun = written.is_ok();
        written.map_err(|error| failure(&self.wire.device(), &error))
    }

    fn show_lines(&mut self, [upper, lower]: &[String; 2]) -> Result<(), PeripheralError> {
        let mut bytes = vec![CLEAR];
        bytes.extend_from_slice(upper.as_bytes());
        bytes.extend_from_slice(&LOWER_LINE);
        bytes.extend_from_slice(lower.as_bytes());
        self.write(&bytes)
    }
}

impl<W: Wire> CustomerDisplay for Vfd<W> {
    fn driver(&self) -> &'static str {
        self.wire.driver()
    }

    fn show(&mut self, display: &Display) -> Result<(), PeripheralError> {
        self.show_lines(&lines(display))
    }

    fn health(&mut self) -> PeripheralHealth {
        // Writing nothing opens the line, and finds one that is gone.
        match self.write(&[]) {
            Ok(()) => health("display", self.wire.driver(), PeripheralState::Ok, ""),
            Err(error) => health("display", self.wire.driver(), PeripheralState::Failed, error.to_string()),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.show_lines(&[fitted("SAOMA"), fitted("DISPLAY TEST 0.00")])?;
        Ok("SAOMA on the upper line of the customer display, DISPLAY TEST 0.00 on the lower one".to_owned())
    }
}

fn lines(display: &Display) -> [String; 2] {
    match display {
        Display::Idle { merchant_name } => {
            let name = fitted(merchant_name);
            [if name.is_empty() { "WELCOME".to_owned() } else { name }, String::new()]
        }
        Display::Code { amount, currency, .. } => ["PLEASE SCAN TO PAY".to_owned(), money(amount, Some(*currency))],
        Display::Message { message, amount, currency, change } => {
            let words = words(*message);
            match (amount, change) {
                (Some(amount), Some(change)) => [both_ends(words, amount), both_ends("CHANGE", change)],
                (Some(amount), None) => [words.to_owned(), money(amount, *currency)],
                (None, _) => [words.to_owned(), String::new()],
            }
        }
        Display::Basket { name, weight_grams: Some(weight), line, total, .. } => {
            [both_ends(&format!("{weight} {}", fitted(name)), line), both_ends("TOTAL", total)]
        }
        Display::Basket { name, quantity, line, total, .. } => {
            let name = fitted(name);
            let goods = if name.is_empty() { format!("x{quantity}") } else { format!("{quantity} {name}") };
            [both_ends(&goods, line), both_ends("TOTAL", total)]
        }
        Display::Training { message, amount, .. } => {
            let words = message.map(words).unwrap_or_default();
            [TRAINING.to_owned(), both_ends(words, amount.as_deref().unwrap_or_default())]
        }
    }
}

/// What the upper line says in training, whatever is played on the lower one.
const TRAINING: &str = "*** TRAINING ***";

const fn words(message: DisplayMessage) -> &'static str {
    match message {
        DisplayMessage::ShowYourCode => "SHOW YOUR CODE",
        DisplayMessage::ScanCode => "SCAN TO PAY",
        DisplayMessage::Confirming => "PLEASE CONFIRM",
        DisplayMessage::Paid => "PAID",
        DisplayMessage::Failed => "NOT PAID",
        DisplayMessage::Cancelled => "CANCELLED",
        DisplayMessage::Expired => "CODE EXPIRED",
        DisplayMessage::Refunded => "REFUNDED",
        DisplayMessage::PresentCard => "INSERT/SWIPE CARD",
        DisplayMessage::SwipeCard => "SWIPE YOUR CARD",
        DisplayMessage::ReadingCard => "DO NOT REMOVE CARD",
        DisplayMessage::KeyPin => "ENTER YOUR PIN",
        DisplayMessage::RemoveCard => "REMOVE YOUR CARD",
        DisplayMessage::SignSlip => "PLEASE SIGN",
    }
}

fn money(amount: &str, currency: Option<Currency>) -> String {
    let currency = currency.map(|currency| currency.to_string()).unwrap_or_default();
    both_ends(&currency, amount)
}

/// Two texts at the ends of one line; the right one is an amount and never cut.
fn both_ends(left: &str, right: &str) -> String {
    let right = fitted(right);
    let space = COLUMNS.saturating_sub(right.len());
    let left: String = left.chars().filter(char::is_ascii).take(space.saturating_sub(1)).collect();
    format!("{left:<space$}{right}")
}

/// What the display can show of `text`: printable ASCII, twenty at most. Everything else could be one of its commands.
fn fitted(text: &str) -> String {
    let shown: String = text.chars().filter(|character| matches!(character, ' '..='~')).collect();
    shown.trim().chars().take(COLUMNS).collect()
}

#[cfg(test)]
mod tests {
    use saoma_protocol::PaymentId;

    use super::*;

    #[test]
    fn two_lines_of_twenty_characters() {
        let message = |message, amount: Option<&str>, change: Option<&str>| Display::Message {
            message,
            amount: amount.map(str::to_owned),
            currency: amount.map(|_| Currency::CNY),
            change: change.map(str::to_owned),
        };
        let idle = |name: &str| Display::Idle { merchant_name: name.to_owned() };
        let code = Display::Code {
            payment: PaymentId::from_bytes([1; 16]),
            amount: "12.50".to_owned(),
            currency: Currency::CNY,
            code_url: "https://pay.example/c/1".to_owned(),
            expires_at: None,
        };
        let basket = |name: &str, quantity| Display::Basket {
            name: name.to_owned(),
            quantity,
            weight_grams: None,
            line: "25.00".to_owned(),
            total: "38.00".to_owned(),
            currency: Currency::CNY,
        };
        let weighed = Display::Basket {
            name: "苹果 Apples".to_owned(),
            quantity: 1,
            weight_grams: Some(saoma_protocol::Grams(456)),
            line: "5.84".to_owned(),
            total: "38.00".to_owned(),
            currency: Currency::CNY,
        };
        let table = [
            (weighed, ["0.456 kg Apples 5.84", "TOTAL          38.00"]),
            (idle("扫码茶饮 Saoma Tea"), ["Saoma Tea", ""]),
            (idle("扫码茶饮"), ["WELCOME", ""]),
            (idle("\u{1b}@The longest name of all shops"), ["@The longest name of", ""]),
            (code, ["PLEASE SCAN TO PAY", "CNY            12.50"]),
            (message(DisplayMessage::Paid, Some("12.50"), None), ["PAID", "CNY            12.50"]),
            (
                message(DisplayMessage::Paid, Some("12.50"), Some("7.50")),
                ["PAID           12.50", "CHANGE          7.50"],
            ),
            (message(DisplayMessage::Expired, None, None), ["CODE EXPIRED", ""]),
            (basket("奶茶 Milk tea with pearls", 2), ["2 Milk tea wit 25.00", "TOTAL          38.00"]),
            (basket("奶茶", 12), ["x12            25.00", "TOTAL          38.00"]),
            (Display::training(), ["*** TRAINING ***", "                    "]),
            (
                Display::Training {
                    message: Some(DisplayMessage::ScanCode),
                    amount: Some("12.50".to_owned()),
                    currency: Some(Currency::CNY),
                    change: None,
                },
                ["*** TRAINING ***", "SCAN TO PAY    12.50"],
            ),
        ];
        for (display, shown) in table {
            assert_eq!(lines(&display), shown, "{display:?}");
        }
    }
}

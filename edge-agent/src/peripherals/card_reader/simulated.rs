//! A reader that is not there: each datagram on its socket is something that a customer does, so that a test or a script can hold cards
//! before it. Its card is made of software ([`crate::emv::applet`]).
//!
//! `insert` (with fields of another card: `insert {"number": "…"}`), `remove`, `break` (the chip in it does not answer any more),
//! `swipe …` with what a reader of stripes tells, `pin 1234`, `pin` (bypassed), `pin cancel`.

use std::{
    collections::VecDeque,
    io,
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Pad, PinPad, Slot};
use crate::{
    emv::{
        apdu::{Card, Gone},
        applet::{Applet, Profile},
    },
    peripherals::{
        PeripheralError, PeripheralHealth, PeripheralState, Scanner, health, line::failure, simulated_socket::bind,
    },
};

pub const DRIVER: &str = "simulated";
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Swipes and PINs that nobody took yet.
const WAITING_MAX: usize = 8;

/// The counter before the reader, which slot, slit and pad share.
#[derive(Clone)]
pub struct Counter(Arc<Mutex<Inside>>);

struct Inside {
    path: String,
    socket: Option<UnixDatagram>,
    card: Option<Inserted>,
    swipes: VecDeque<String>,
    pins: VecDeque<Pad>,
}

struct Inserted {
    card: Applet,
    is_broken: bool,
}

/// What another card has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Other {
    number: String,
    expiry: String,
    decision: u8,
    label: String,
    has_directory: bool,
    /// Its chip does not answer from the first on.
    is_broken: bool,
}

impl Default for Other {
    fn default() -> Self {
        let Profile { number, expiry, decision, label, has_directory, .. } = Profile::default();
        Self { number, expiry, decision, label, has_directory, is_broken: false }
    }
}

impl Counter {
    /// At the socket of that path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let inside =
            Inside { path: path.to_owned(), socket: None, card: None, swipes: VecDeque::new(), pins: VecDeque::new() };
        Self(Arc::new(Mutex::new(inside)))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what was done, for at most `wait`.
    fn look(&self, wait: Duration) -> Result<MutexGuard<'_, Inside>, PeripheralError> {
        let mut inside = self.inside();
        inside.take_in(wait).map_err(|error| {
            inside.socket = None;
            failure(&format!("the simulated card reader at {}", inside.path), &error)
        })?;
        Ok(inside)
    }
}

impl Inside {
    fn take_in(&mut self, wait: Duration) -> io::Result<()> {
        let mut wait = wait.max(WAIT_MIN);
        loop {
            let socket = match self.socket.take() {
                Some(socket) => socket,
                None => bind(&self.path)?,
            };
            socket.set_read_timeout(Some(wait))?;
            let mut told = Zeroizing::new([0; 1_024]);
            let came = socket.recv(told.as_mut_slice());
            self.socket = Some(socket);
            match came {
                Ok(len) => self.take(String::from_utf8_lossy(told.get(..len).unwrap_or_default()).trim()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            wait = WAIT_MIN;
        }
    }

    fn take(&mut self, told: &str) {
        let (what, how) = told.split_once(' ').unwrap_or((told, ""));
        match what {
            "insert" => {
                let Ok(other) = serde_json::from_str::<Other>(if how.is_empty() { "{}" } else { how }) else {
                    tracing::warn!("the simulated card reader was given a card that is none");
                    return;
                };
                let Other { number, expiry, decision, label, has_directory, is_broken } = other;
                let profile = Profile { number, expiry, decision, label, has_directory, ..Profile::default() };
                self.card = Some(Inserted { card: Applet::new(profile), is_broken });
            }
            "remove" => self.card = None,
            "break" => {
                if let Some(inserted) = &mut self.card {
                    inserted.is_broken = true;
                }
            }
            "swipe" if self.swipes.len() < WAITING_MAX => self.swipes.push_back(how.to_owned()),
            "pin" if self.pins.len() < WAITING_MAX => self.pins.push_back(match how {
                "" => Pad::Bypassed,
                "cancel" => Pad::Cancelled,
                pin => Pad::Pin(Zeroizing::new(pin.to_owned())),
            }),
            // What it is, is not told: somebody may have typed a card.
            _ => tracing::warn!("the simulated card reader does not know what was done"),
        }
    }
}

impl Slot for Counter {
    fn is_there(&mut self) -> Result<bool, PeripheralError> {
        Ok(self.look(WAIT_MIN)?.card.is_some())
    }

    fn power_up(&mut self) -> Result<Box<dyn Card + '_>, PeripheralError> {
        if let Some(inserted) = &mut self.inside().card {
            inserted.card.reset();
        }
        Ok(Box::new(self.clone()))
    }

    fn power_down(&mut self) {}
}

impl Card for Counter {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        let mut inside = self.look(WAIT_MIN).map_err(|_| Gone)?;
        let inserted = inside.card.as_mut().ok_or(Gone)?;
        Ok(Zeroizing::new(if inserted.is_broken { Vec::new() } else { inserted.card.answer(command) }))
    }

    fn is_t0(&self) -> bool {
        false
    }
}

impl PinPad for Counter {
    fn begin(&mut self) {
        self.inside().pins.clear();
    }

    fn keyed(&mut self, wait: Duration) -> Result<Option<Pad>, PeripheralError> {
        let mut inside = self.look(if self.inside().pins.is_empty() { wait } else { WAIT_MIN })?;
        Ok(inside.pins.pop_front())
    }
}

/// The slit: it tells lines as a reader of stripes does.
impl Scanner for Counter {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn read(&mut self, wait: Duration) -> Result<Option<String>, PeripheralError> {
        let has_one = !self.inside().swipes.is_empty();
        let mut inside = self.look(if has_one { WAIT_MIN } else { wait })?;
        Ok(inside.swipes.pop_front())
    }

    fn health(&mut self) -> PeripheralHealth {
        match self.look(WAIT_MIN) {
            Ok(_) => health("card_reader", DRIVER, PeripheralState::Ok, ""),
            Err(error) => health("card_reader", DRIVER, PeripheralState::Failed, error.to_string()),
        }
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        drop(self.look(WAIT_MIN)?);
        Ok("nothing: the card reader is simulated".to_owned())
    }
}

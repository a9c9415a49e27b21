//! The driver of every ESC/POS printer, over whatever wire.
//!
//! A printer that tells its status is asked before and after a receipt: a receipt on no paper must be known. Many cheap
//! printers tell nothing; they are then believed for as long as they take bytes. One that has answered once and is silent now
//! has failed.

use std::time::{Duration, Instant};

use super::{
    escpos::{self, Dialect, Status},
    test_slip,
};
use crate::{
    peripherals::{CALL_MAX, PeripheralError, PeripheralHealth, PeripheralState, Printer, Rendering, health},
    receipt::Document,
};

/// How long a printer gets to say how it does. Real-time commands are answered within milliseconds; a network adds its own.
const STATUS_WAIT: Duration = Duration::from_millis(500);
/// How much old news is thrown away before a question.
const STALE_READS_MAX: usize = 16;

/// The way to a printer's bytes. Every call ends at its deadline.
pub trait Wire: Send {
    /// The driver's name as configured.
    fn driver(&self) -> &'static str;

    /// Makes sure that bytes can be written.
    ///
    /// # Errors
    /// `Unreachable` mostly.
    fn begin(&mut self, deadline: Instant) -> Result<(), PeripheralError>;

    /// Returns when the device has taken every byte.
    ///
    /// # Errors
    /// `Silent` if it does not take them in time; `Unreachable` if it is gone.
    fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), PeripheralError>;

    /// What has come by the deadline; 0 bytes if nothing has, or if nothing ever comes on this wire.
    ///
    /// # Errors
    /// `Unreachable` if it is gone.
    fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, PeripheralError>;

    /// The end of what [`Wire::begin`] began; `well` if nothing failed.
    fn end(&mut self, well: bool);

    /// What an error calls it: "the printer at 192.168.1.100:9100".
    fn device(&self) -> String;

    /// Whether `begin` shows that there is a printer (it accepted a connection), rather than only a cable.
    fn proves_presence(&self) -> bool;

    /// See [`Printer::rendering`].
    fn rendering(&self) -> Option<Rendering> {
        None
    }
}

pub struct EscPosPrinter<W> {
    wire: W,
    dialect: Dialect,
    /// It has told its status before, so that silence means something.
    has_answered: bool,
    /// Bytes of the last slip were sent.
    has_begun: bool,
}

impl<W: Wire> EscPosPrinter<W> {
    pub const fn new(wire: W, dialect: Dialect) -> Self {
        Self { wire, dialect, has_answered: false, has_begun: false }
    }

    /// `exchange` between the wire's beginning and its end.
    fn during<T>(
        &mut self,
        exchange: impl FnOnce(&mut Self, Instant) -> Result<T, PeripheralError>,
    ) -> Result<T, PeripheralError> {
        let deadline = Instant::now() + CALL_MAX;
        self.wire.begin(deadline)?;
        let result = exchange(self, deadline);
        self.wire.end(result.is_ok());
        result
    }

    fn print_by(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), PeripheralError> {
        match self.status(soon(deadline))? {
            Some(status) => refuse(status)?,
            None if self.has_answered => return Err(self.silent()),
            None => {}
        }
        self.has_begun = true;
        if let Err(error) = self.wire.write(bytes, deadline) {
            // It stopped taking bytes; perhaps it can say why. Its own failure to say so is not news.
            if let (PeripheralError::Silent { .. }, Ok(Some(status))) = (&error, self.status(soon_anyway())) {
                refuse(status)?;
            }
            return Err(error);
        }
        if !self.has_answered {
            return Ok(());
        }
        // The answer comes after the receipt has been taken, which a long one on a slow line needs its time for.
        let status = self.status(deadline)?.ok_or_else(|| self.silent())?;
        refuse(status)
    }

    /// None: it does not tell, at least not in time.
    fn status(&mut self, deadline: Instant) -> Result<Option<Status>, PeripheralError> {
        let mut stale = [0; 64];
        for _ in 0..STALE_READS_MAX {
            if self.wire.read(&mut stale, Instant::now())? == 0 {
                break;
            }
        }
        let Some(offline) = self.ask(&escpos::ASK_OFFLINE, deadline)? else { return Ok(None) };
        let Some(paper) = self.ask(&escpos::ASK_PAPER, deadline)? else { return Ok(None) };
        self.has_answered = true;
        Ok(Some(Status::from_answers(offline, paper)))
    }

    fn ask(&mut self, question: &[u8], deadline: Instant) -> Result<Option<u8>, PeripheralError> {
        match self.wire.write(question, deadline) {
            Err(PeripheralError::Silent { .. }) => return Ok(None),
            result => result?,
        }
        // Something that talks without end is not listened to without end.
        while Instant::now() < deadline {
            let mut byte = [0];
            if self.wire.read(&mut byte, deadline)? == 0 {
                return Ok(None);
            }
            if escpos::is_answer(byte[0]) {
                return Ok(Some(byte[0]));
            }
        }
        Ok(None)
    }

    fn silent(&self) -> PeripheralError {
        PeripheralError::Silent { device: self.wire.device() }
    }

    fn state(&mut self) -> (PeripheralState, String) {
        let status = match self.during(|printer, deadline| printer.status(soon(deadline))) {
            Ok(status) => status,
            Err(error) => return (PeripheralState::Failed, error.to_string()),
        };
        match status {
            None if self.has_answered => (PeripheralState::Failed, self.silent().to_string()),
            None if self.wire.proves_presence() => (PeripheralState::Ok, "it does not tell its status".to_owned()),
            None => (PeripheralState::Warning, "it does not answer; a test slip shows whether it prints".to_owned()),
            Some(status) => match refuse(status) {
                Err(error) => (PeripheralState::Failed, error.to_string()),
                Ok(()) if status.error => {
                    (PeripheralState::Failed, "the printer reports an error; switch it off and on".to_owned())
                }
                Ok(()) if status.paper_low => {
                    (PeripheralState::Warning, "the paper is nearly used up; have a new roll ready".to_owned())
                }
                Ok(()) => (PeripheralState::Ok, String::new()),
            },
        }
    }
}

impl<W: Wire> Printer for EscPosPrinter<W> {
    fn driver(&self) -> &'static str {
        self.wire.driver()
    }

    fn print(&mut self, document: &Document) -> Result<(), PeripheralError> {
        let bytes = escpos::encode(document, &self.dialect);
        self.has_begun = false;
        self.during(|printer, deadline| printer.print_by(&bytes, deadline))
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn pulse_drawer(&mut self) -> Result<(), PeripheralError> {
        self.during(|printer, deadline| {
            let offline = match printer.status(soon(deadline))? {
                Some(status) => status.cover_open || status.paper_out || status.error,
                None => false,
            };
            let pulse = if offline { &escpos::DRAWER_PULSE_NOW } else { &escpos::DRAWER_PULSE };
            printer.wire.write(pulse, deadline)
        })
    }

    fn health(&mut self) -> PeripheralHealth {
        let (state, detail) = self.state();
        health("printer", self.wire.driver(), state, detail)
    }

    fn self_test(&mut self) -> Result<String, PeripheralError> {
        self.print(&test_slip::test_slip())?;
        Ok(test_slip::SEEN.to_owned())
    }

    fn rendering(&self) -> Option<Rendering> {
        self.wire.rendering()
    }
}

fn soon(deadline: Instant) -> Instant {
    deadline.min(soon_anyway())
}

fn soon_anyway() -> Instant {
    Instant::now() + STATUS_WAIT
}

/// An error that the printer gets over, such as a hot head, is not refused here: what is printed then waits inside it.
fn refuse(status: Status) -> Result<(), PeripheralError> {
    // An open cover also reads as no paper; closing it comes first.
    if status.cover_open {
        return Err(PeripheralError::CoverOpen);
    }
    if status.paper_out {
        return Err(PeripheralError::PaperOut);
    }
    Ok(())
}

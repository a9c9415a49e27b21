//! Readers of chips that PC/SC Lite's service has: spoken with over its socket, in the protocol of its own library (`winscard_msg.h`,
//! version 4.4, which services up to 4.6 speak as well). The library itself is not used: it loads others, and the agent is one static
//! binary.
//!
//! Numbers are in the machine's own order: both sides run on it. Survives: a service that is started anew, a reader that is pulled out
//! and comes back, a card that another program has (it is not this reader's then).

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::Slot;
use crate::{
    emv::apdu::{Card, Gone},
    peripherals::{PeripheralError, line::failure},
};

pub const DRIVER: &str = "pcsc";

/// Longest that the service may take for one answer: a card has a second for each command and may ask for more.
const ANSWER_MAX: Duration = Duration::from_secs(10);

mod command {
    pub(super) const ESTABLISH_CONTEXT: u32 = 0x01;
    pub(super) const CONNECT: u32 = 0x04;
    pub(super) const DISCONNECT: u32 = 0x06;
    pub(super) const TRANSMIT: u32 = 0x09;
    pub(super) const VERSION: u32 = 0x11;
    pub(super) const READERS_STATE: u32 = 0x12;
}

/// `pcsclite.h`.
mod said {
    pub(super) const DONE: u32 = 0;
    pub(super) const NO_CARD: u32 = 0x8010_000c;
    pub(super) const SHARED: u32 = 0x8010_000b;
    pub(super) const NOT_TRANSACTED: u32 = 0x8010_0016;
    pub(super) const OTHER_PROTOCOL: u32 = 0x8010_000f;
    pub(super) const UNSUPPORTED: u32 = 0x8010_0065;
    pub(super) const UNRESPONSIVE: u32 = 0x8010_0066;
    pub(super) const UNPOWERED: u32 = 0x8010_0067;
    pub(super) const RESET: u32 = 0x8010_0068;
    pub(super) const REMOVED: u32 = 0x8010_0069;
}

const MAJOR: u32 = 4;
const MINOR: u32 = 4;
const SCOPE_SYSTEM: u32 = 2;
const SHARE_EXCLUSIVE: u32 = 1;
const T0: u32 = 1;
const T1: u32 = 2;
const UNPOWER_CARD: u32 = 2;
const PRESENT: u32 = 4;
/// `SCARD_IO_REQUEST`: two longs.
const REQUEST_LEN: u32 = 16;
const NAME_LEN: usize = 128;
const READERS: usize = 16;
/// Name, counter, state, sharing, answer to reset (33 bytes and three to fill up), its length, protocol.
const READER_STATE_LEN: usize = NAME_LEN + 4 * 3 + 36 + 4 * 2;
/// Of a short command, with status.
const ANSWER_LEN_MAX: usize = 264;

pub struct Pcsc {
    socket: String,
    /// A part of the reader's name; empty for the first one.
    name: String,
    session: Option<Session>,
}

struct Session {
    stream: UnixStream,
    context: u32,
    /// The card that is switched on, and its protocol.
    card: Option<(i32, u32)>,
    /// When the answer to what was sent last is to be whole.
    answer_by: Instant,
}

/// The names of the readers that the service at `socket` has; none if it does not answer.
#[must_use]
pub fn readers(socket: &str) -> Vec<String> {
    let readers = Session::open(socket).and_then(|mut session| session.readers()).unwrap_or_default();
    readers.into_iter().map(|(name, _)| name).collect()
}

impl Pcsc {
    #[must_use]
    pub fn new(socket: &str, name: &str) -> Self {
        Self { socket: socket.to_owned(), name: name.to_owned(), session: None }
    }

    fn device(&self) -> String {
        if self.name.is_empty() { "the card reader".to_owned() } else { format!("the card reader {}", self.name) }
    }

    /// Carries it out with the service; a failure of the line ends the session.
    fn with<T>(&mut self, work: impl FnOnce(&mut Session) -> io::Result<T>) -> Result<T, PeripheralError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.socket)
                .map_err(|error| failure(&format!("the service of card readers at {}", self.socket), &error))?,
        };
        let session = self.session.insert(session);
        work(session).map_err(|error| {
            self.session = None;
            failure(&format!("the service of card readers at {}", self.socket), &error)
        })
    }

    /// Our reader's name as the service has it, and its state.
    fn reader(&mut self) -> Result<(String, u32), PeripheralError> {
        let readers = self.with(Session::readers)?;
        let ours = readers.into_iter().find(|(name, _)| name.contains(&self.name));
        ours.ok_or_else(|| PeripheralError::Unreachable {
            device: self.device(),
            why: "the service of card readers does not see it".to_owned(),
        })
    }
}

impl Slot for Pcsc {
    fn is_there(&mut self) -> Result<bool, PeripheralError> {
        Ok(self.reader()?.1 & PRESENT != 0)
    }

    fn power_up(&mut self) -> Result<Box<dyn Card + '_>, PeripheralError> {
        let (name, _) = self.reader()?;
        let status = self.with(|session| session.connect(&name))?;
        let device = self.device();
        match status {
            said::DONE | said::NO_CARD | said::REMOVED => Ok(Box::new(Inserted(self))),
            said::OTHER_PROTOCOL | said::UNSUPPORTED | said::UNRESPONSIVE | said::UNPOWERED => {
                Err(PeripheralError::Unable { device, why: "the card does not answer".to_owned() })
            }
            said::SHARED => {
                Err(PeripheralError::Unreachable { device, why: "another program has its card".to_owned() })
            }
            other => Err(PeripheralError::Unreachable { device, why: format!("the service says {other:#010x}") }),
        }
    }

    fn power_down(&mut self) {
        if let Some(session) = &mut self.session
            && let Err(error) = session.disconnect()
        {
            tracing::debug!(%error, "a card was not let go of");
            self.session = None;
        }
    }
}

struct Inserted<'a>(&'a mut Pcsc);

impl Card for Inserted<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        match self.0.with(|session| session.transmit(command)) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Gone),
            Err(error) => {
                tracing::warn!(%error, "the card reader failed with a card in it");
                Err(Gone)
            }
        }
    }

    fn is_t0(&self) -> bool {
        self.0.session.as_ref().and_then(|session| session.card).is_some_and(|(_, protocol)| protocol == T0)
    }
}

impl Session {
    fn open(socket: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        let mut session = Self { stream, context: 0, card: None, answer_by: Instant::now() };
        let [major, minor, status] = session.exchange(command::VERSION, [MAJOR, MINOR, 0])?;
        if status != said::DONE {
            let why = format!("it speaks version {major}.{minor} of its protocol, and not {MAJOR}.{MINOR}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let [_, context, status] = session.exchange(command::ESTABLISH_CONTEXT, [SCOPE_SYSTEM, 0, 0])?;
        session.context = context;
        done(status)?;
        Ok(session)
    }

    /// A message of numbers, answered by as many.
    fn exchange<const N: usize>(&mut self, command: u32, body: [u32; N]) -> io::Result<[u32; N]> {
        self.send(command, &bytes_of(&body), &[])?;
        self.numbers()
    }

    fn send(&mut self, command: u32, body: &[u8], behind: &[u8]) -> io::Result<()> {
        let len = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let message = Zeroizing::new([&bytes_of(&[len, command]), body, behind].concat());
        self.answer_by = Instant::now() + ANSWER_MAX;
        self.stream.write_all(&message)
    }

    /// A part of the answer to what was sent last, whose parts have [`ANSWER_MAX`] together.
    fn receive(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let mut at = 0;
        while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let left = self.answer_by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => at += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn numbers<const N: usize>(&mut self) -> io::Result<[u32; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            let mut bytes = [0; 4];
            self.receive(&mut bytes)?;
            *number = u32::from_ne_bytes(bytes);
        }
        Ok(numbers)
    }

    /// All readers, with their state.
    fn readers(&mut self) -> io::Result<Vec<(String, u32)>> {
        self.send(command::READERS_STATE, &[], &[])?;
        let mut states = vec![0; READERS * READER_STATE_LEN];
        self.receive(&mut states)?;
        let reader = |state: &[u8]| {
            let name = state.get(..NAME_LEN)?.split(|byte| *byte == 0).next()?;
            let flags = state.get(NAME_LEN + 4..NAME_LEN + 8)?.try_into().ok()?;
            (!name.is_empty()).then(|| (String::from_utf8_lossy(name).into_owned(), u32::from_ne_bytes(flags)))
        };
        Ok(states.chunks_exact(READER_STATE_LEN).filter_map(reader).collect())
    }

    /// What the service says to it; with [`said::DONE`], there is a card.
    fn connect(&mut self, name: &str) -> io::Result<u32> {
        self.disconnect()?;
        let mut padded = [0; NAME_LEN];
        for (to, from) in padded.iter_mut().zip(name.bytes().take(NAME_LEN - 1)) {
            *to = from;
        }
        let settings = bytes_of(&[SHARE_EXCLUSIVE, T0 | T1, 0, 0, 0]);
        self.send(command::CONNECT, &[&bytes_of(&[self.context]), padded.as_slice(), &settings].concat(), &[])?;
        let [_] = self.numbers()?;
        self.receive(&mut padded)?;
        let [_, _, card, protocol, status] = self.numbers()?;
        if status == said::DONE {
            self.card = Some((card.cast_signed(), protocol));
        }
        Ok(status)
    }

    fn disconnect(&mut self) -> io::Result<()> {
        if let Some((card, _)) = self.card.take() {
            // Of a card that is gone it is refused, which changes nothing.
            let [_, _, _] = self.exchange(command::DISCONNECT, [card.cast_unsigned(), UNPOWER_CARD, 0])?;
        }
        Ok(())
    }

    /// None if the card is gone; nothing at all if it does not answer.
    fn transmit(&mut self, command: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let Some((card, protocol)) = self.card else { return Ok(None) };
        let len = |len: usize| u32::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let (command_len, answer_len) = (len(command.len())?, len(ANSWER_LEN_MAX)?);
        let card = card.cast_unsigned();
        let body = [card, protocol, REQUEST_LEN, command_len, T0 | T1, REQUEST_LEN, answer_len, 0];
        self.send(command::TRANSMIT, &bytes_of(&body), command)?;
        let [_, _, _, _, _, _, answered, status] = self.numbers()?;
        match status {
            said::DONE if answered <= answer_len => {
                let mut answer = Zeroizing::new(vec![0; usize::try_from(answered).unwrap_or(0)]);
                self.receive(&mut answer)?;
                Ok(Some(answer))
            }
            said::DONE => Err(io::ErrorKind::InvalidData.into()),
            said::NO_CARD | said::REMOVED | said::RESET => Ok(None),
            // Taken out, some readers say that the line is bad.
            said::NOT_TRANSACTED | said::UNRESPONSIVE | said::UNPOWERED => {
                tracing::info!(status = format!("{status:#010x}"), "a card does not answer");
                Ok(Some(Zeroizing::new(Vec::new())))
            }
            // The reader's fault, and none of the card's.
            other => done(other).map(|()| None),
        }
    }
}

fn bytes_of(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn done(status: u32) -> io::Result<()> {
    if status == said::DONE { Ok(()) } else { Err(io::Error::other(format!("it says {status:#010x}"))) }
}

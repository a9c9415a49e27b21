//! What systemd is told, where it started the agent: that the till is open, that the agent stops, and that it is not stuck.
//!
//! The protocol is sd_notify(3): lines of `NAME=value` in one datagram to the socket that `NOTIFY_SOCKET` names. None of its
//! other words are used. Survives: a systemd that does not listen (a warning, and sales go on). By hand, without that variable,
//! nothing is told.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// How long systemd may take to make room for a message: its queue is full when it is stuck itself.
const SEND_MAX: Duration = Duration::from_secs(1);
/// How often within the watchdog's span systemd hears that the agent is alive: one message may be lost, and one late.
const BEATS: u32 = 3;

/// Why systemd cannot be told anything.
#[derive(Debug, thiserror::Error)]
pub enum SystemdError {
    #[error(
        "tell systemd that the till is open: NOTIFY_SOCKET={0:?} names no socket; unset it to run the agent by hand"
    )]
    Address(OsString),
    #[error(
        "tell systemd that the till is open: its socket {address:?} cannot be used; unset NOTIFY_SOCKET to run the agent by hand"
    )]
    Socket { address: OsString, source: io::Error },
    #[error(
        "understand WATCHDOG_USEC={0:?}: it must be a number of microseconds above 0, as systemd's WatchdogSec= makes it"
    )]
    Watchdog(OsString),
}

/// What systemd is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The till answers at this address.
    Ready { till: std::net::SocketAddr },
    /// No new sales from here on.
    Stopping,
    /// Not stuck.
    Alive,
}

impl Word {
    fn lines(self) -> String {
        match self {
            Self::Ready { till } => format!("READY=1\nSTATUS=The till is open at http://{till}/"),
            Self::Stopping => "STOPPING=1\nSTATUS=Stopping: payments under way end first".to_owned(),
            Self::Alive => "WATCHDOG=1".to_owned(),
        }
    }
}

/// The way to the systemd that started this agent.
#[derive(Debug)]
pub struct Systemd {
    socket: UnixDatagram,
    /// It kills an agent of which it has not heard for so long.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// By the variables that systemd sets; `None` if it did not start this process, or does not want to hear of it. `process`:
    /// our own number.
    ///
    /// # Errors
    /// `Address`, `Socket`, `Watchdog`.
    pub fn of(environment: impl Fn(&str) -> Option<OsString>, process: u32) -> Result<Option<Self>, SystemdError> {
        let Some(address) = environment("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else { return Ok(None) };
        let parsed = parse_address(&address).ok_or_else(|| SystemdError::Address(address.clone()))?;
        let connected = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(SEND_MAX))?;
            socket.connect_addr(&parsed)?;
            Ok(socket)
        });
        let socket = connected.map_err(|source| SystemdError::Socket { address, source })?;
        let is_ours = environment("WATCHDOG_PID").is_none_or(|asked| asked.to_str() == Some(&process.to_string()));
        let watchdog = match environment("WATCHDOG_USEC").filter(|_| is_ours) {
            Some(span) => Some(parse_span(&span).ok_or(SystemdError::Watchdog(span))?),
            None => None,
        };
        Ok(Some(Self { socket, watchdog }))
    }

    /// A message that does not arrive is told in the log: the agent has nobody else to turn to.
    pub fn tell(&self, word: Word) {
        if let Err(error) = self.socket.send(word.lines().as_bytes()) {
            tracing::warn!(%error, ?word, "systemd could not be told");
        }
    }

    /// How often systemd wants to hear that the agent is not stuck; `None` if it does not look.
    #[must_use]
    pub fn beats_every(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / BEATS)
    }
}

/// A path, or an abstract name after an `@`.
fn parse_address(text: &OsStr) -> Option<SocketAddr> {
    match text.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(text).ok(),
        // Sockets of other families are for virtual machines and containers.
        _ => None,
    }
}

fn parse_span(text: &OsStr) -> Option<Duration> {
    text.to_str()?.parse().ok().filter(|micros| *micros > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Systemd>, SystemdError> {
        Systemd::of(|name| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into()), 7)
    }

    #[test]
    fn what_systemd_sets_is_understood_and_all_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _listening = UnixDatagram::bind(&path).unwrap();
        let here = path.to_str().unwrap();
        let abstract_name = format!("saoma-edge-test-{}", std::process::id());
        let _too = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
        let abstract_name = format!("@{abstract_name}");
        let third = Some(Duration::from_secs(1));
        for (variables, watchdog) in [
            (&[("NOTIFY_SOCKET", here)][..], None),
            (&[("NOTIFY_SOCKET", &abstract_name)], None),
            (&[("NOTIFY_SOCKET", here), ("WATCHDOG_USEC", "3000000")], third),
            (&[("NOTIFY_SOCKET", here), ("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "7")], third),
            // Of the process that started us.
            (&[("NOTIFY_SOCKET", here), ("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "8")], None),
        ] {
            assert_eq!(of(variables).unwrap().unwrap().beats_every(), watchdog, "{variables:?}");
        }
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("NOTIFY_SOCKET", ""), ("WATCHDOG_USEC", "1")]).unwrap().is_none());
        for (variables, words) in [
            (&[("NOTIFY_SOCKET", "vsock:2:1234")][..], "names no socket"),
            (&[("NOTIFY_SOCKET", "notify")], "names no socket"),
            (&[("NOTIFY_SOCKET", "/does/not/exist")], "unset NOTIFY_SOCKET"),
            (&[("NOTIFY_SOCKET", here), ("WATCHDOG_USEC", "0")], "above 0"),
            (&[("NOTIFY_SOCKET", here), ("WATCHDOG_USEC", "a minute")], "a minute"),
        ] {
            let told = of(variables).unwrap_err().to_string();
            assert!(told.contains(words), "{variables:?}: {told}");
        }
    }

    #[test]
    fn nobody_waits_for_a_systemd_that_does_not_listen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        let systemd = of(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).unwrap().unwrap();
        systemd.tell(Word::Stopping);
        let mut heard = [0; 128];
        let heard = listening.recv(&mut heard).map(|len| heard[..len].to_vec()).unwrap();
        assert!(heard.starts_with(b"STOPPING=1\nSTATUS="), "{}", String::from_utf8_lossy(&heard));
        drop(listening);
        systemd.tell(Word::Alive);
    }
}

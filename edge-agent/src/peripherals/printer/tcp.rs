//! A printer on the network: raw bytes to port 9100, a connection for each receipt.
//!
//! A connection each, because most of these printers serve one at a time and forget idle ones: a kept one would shut out the
//! other tills, and break at the worst moment.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use super::driver::Wire;
use crate::peripherals::{PeripheralError, line::failure};

pub const DRIVER: &str = "escpos-tcp";

/// How long a connection may take; on the shop's own network it takes milliseconds.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// How long the printer gets to close its end. Closing first, with an answer of its own unread, would reset the connection and
/// lose what it has not printed yet.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

pub struct TcpWire {
    /// `host:port`.
    address: String,
    stream: Option<TcpStream>,
}

impl TcpWire {
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let deadline = deadline.min(Instant::now() + CONNECT_WAIT);
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "its address names no machine");
        let addresses: Vec<SocketAddr> = self.address.to_socket_addrs()?.collect();
        for address in addresses {
            match left(deadline).and_then(|wait| TcpStream::connect_timeout(&address, wait)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        while !bytes.is_empty() {
            stream.set_write_timeout(Some(left(deadline)?))?;
            match stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> PeripheralError {
        failure(&self.device(), error)
    }
}

impl Wire for TcpWire {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    fn begin(&mut self, deadline: Instant) -> Result<(), PeripheralError> {
        let stream = self.connect(deadline).map_err(|error| PeripheralError::Unreachable {
            device: self.device(),
            why: match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer from its address".to_owned(),
                _ => error.to_string(),
            },
        })?;
        self.stream = Some(stream);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), PeripheralError> {
        self.write_all(bytes, deadline).map_err(|error| self.failure(&error))
    }

    fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, PeripheralError> {
        let Some(stream) = self.stream.as_mut() else { return Ok(0) };
        // A deadline that is over still takes what is there.
        let wait = left(deadline).unwrap_or(Duration::from_millis(1));
        let result = stream.set_read_timeout(Some(wait)).and_then(|()| stream.read(buffer));
        match result {
            Ok(0) => Err(self.failure(&io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"))),
            Ok(len) => Ok(len),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(0)
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn end(&mut self, well: bool) {
        let Some(mut stream) = self.stream.take() else { return };
        if !well || stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + CLOSE_WAIT;
        let mut unread = [0; 64];
        while let Ok(wait) = left(deadline) {
            if stream.set_read_timeout(Some(wait)).is_err() || !matches!(stream.read(&mut unread), Ok(1..)) {
                return;
            }
        }
    }

    fn device(&self) -> String {
        format!("the printer at {}", self.address)
    }

    fn proves_presence(&self) -> bool {
        true
    }
}

/// What is left until `deadline`.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        // A socket takes no time of zero.
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

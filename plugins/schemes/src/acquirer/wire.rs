//! The acquirer's port: frames with their length in front over TCP or TLS, any number on a connection, and what goes wrong with
//! their answers.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Acquirer, codec, desk};
use crate::stage::Fault;

/// How long an answer that is late takes: longer than a test lets its channel wait.
const LATE: Duration = Duration::from_millis(2_500);
/// A terminal that says nothing is let go.
const IDLE_MAX: Duration = Duration::from_secs(120);
const HTML: &[u8] =
    b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\n\r\n<html><body>502 Bad Gateway</body></html>";

/// How long a message is, in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LengthHeader {
    /// Two bytes, the higher first.
    #[default]
    Binary,
    /// The same, themselves counted.
    BinaryWithItself,
    /// Four digits.
    Decimal,
    /// The same, themselves counted.
    DecimalWithItself,
}

impl LengthHeader {
    /// As settings of a channel name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::BinaryWithItself => "binary-with-itself",
            Self::Decimal => "decimal",
            Self::DecimalWithItself => "decimal-with-itself",
        }
    }

    const fn is_binary(self) -> bool {
        matches!(self, Self::Binary | Self::BinaryWithItself)
    }

    /// What it counts beside the message.
    const fn counted(self) -> usize {
        match self {
            Self::Binary | Self::Decimal => 0,
            Self::BinaryWithItself => 2,
            Self::DecimalWithItself => 4,
        }
    }

    /// The longest message that it can name.
    const fn len_max(self) -> usize {
        let all = if self.is_binary() { 0xffff } else { 9_999 };
        all - self.counted()
    }
}

/// Takes connections until it is dropped.
pub async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, acquirer: Arc<Acquirer>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let (tls, acquirer) = (tls.clone(), Arc::clone(&acquirer));
        tokio::spawn(async move {
            let served = match tls {
                None => serve(stream, &acquirer).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &acquirer).await,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, acquirer: &Acquirer) -> io::Result<()> {
    let (header, pin_block_len) = (acquirer.config.length_header, acquirer.config.mac.pin_block_len());
    loop {
        let Ok(message) = timeout(IDLE_MAX, frame(&mut stream, header)).await else { return Ok(()) };
        let message = message?;
        let request = match codec::decode(&message, pin_block_len) {
            Ok(request) => request,
            Err(error) => {
                // As hosts do with what is no message of theirs.
                tracing::warn!(%error, "a message cannot be read");
                return Ok(());
            }
        };
        let fault = acquirer.stage.enter_frame(desk::act(&request), &request.kind, &message);
        if fault == Some(Fault::Unheard) {
            return Ok(());
        }
        let answer = acquirer.answer(&request, &message, fault);
        let whole = framed(header, &answer);
        match fault {
            Some(Fault::Silent) => {
                // Until the terminal has waited long enough.
                let _ = timeout(IDLE_MAX, stream.read(&mut [0; 1])).await;
                return Ok(());
            }
            Some(Fault::Late) => sleep(LATE).await,
            _ => {}
        }
        let (bytes, is_last): (Vec<u8>, bool) = match fault {
            Some(Fault::Cut) => (whole[..whole.len() / 2].to_vec(), true),
            Some(Fault::Html) => (HTML.to_vec(), true),
            Some(Fault::Empty) => (framed(header, &[]), true),
            Some(Fault::Huge) => (framed(header, &vec![0xff; header.len_max()]), true),
            Some(Fault::Twice) => (whole.repeat(2), false),
            _ => (whole, false),
        };
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        if is_last {
            return stream.shutdown().await;
        }
    }
}

/// What begins with no length is not waited for.
async fn frame(stream: &mut (impl AsyncRead + Unpin), header: LengthHeader) -> io::Result<Vec<u8>> {
    let len = if header.is_binary() {
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        Some(usize::from(u16::from_be_bytes(length)))
    } else {
        let mut digits = [0; 4];
        stream.read_exact(&mut digits).await?;
        let value = |digits: u16| usize::from(digits);
        let is_number = digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(&digits).ok().filter(|_| is_number).and_then(|text| text.parse().ok()).map(value)
    };
    let len = len.and_then(|len| len.checked_sub(header.counted()));
    let len = len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it begins with no length"))?;
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn framed(header: LengthHeader, message: &[u8]) -> Vec<u8> {
    let len = message.len() + header.counted();
    let length = if header.is_binary() {
        u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes().to_vec()
    } else {
        format!("{len:04}").into_bytes()
    };
    [&length, message].concat()
}

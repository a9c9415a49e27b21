//! The acquirer's port: frames with two bytes of length over TCP or TLS, any number on a connection, and what goes wrong with
//! their answers.

use std::{sync::Arc, time::Duration};

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

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, acquirer: &Acquirer) -> std::io::Result<()> {
    loop {
        let Ok(message) = timeout(IDLE_MAX, frame(&mut stream)).await else { return Ok(()) };
        let message = message?;
        let request = match codec::decode(&message) {
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
        let framed = framed(&answer);
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
            Some(Fault::Cut) => (framed[..framed.len() / 2].to_vec(), true),
            Some(Fault::Html) => (HTML.to_vec(), true),
            Some(Fault::Empty) => (vec![0, 0], true),
            // The longest that two bytes of length can announce.
            Some(Fault::Huge) => (vec![0xff; 2 + 0xffff], true),
            Some(Fault::Twice) => (framed.repeat(2), false),
            _ => (framed, false),
        };
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        if is_last {
            return stream.shutdown().await;
        }
    }
}

async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes(), message].concat()
}

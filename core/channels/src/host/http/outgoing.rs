//! Core's own requests to URLs that merchants chose: through the very client that plugins have, since these addresses are
//! strangers' words as well.

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    Checked, Sent,
    address::Policy,
    client::{Network, check_literal, innermost},
};
use crate::{bindings::http::Error, failure::HostError, host::HostConfig};

/// Sends to public addresses over https; to private ones, and there without TLS too, if the operator allows it. No redirects,
/// no proxies, no retries.
pub struct Outgoing(Network);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// As much of the body as was asked for and came in time.
    pub body: Vec<u8>,
}

/// Why nothing came back, in words for the one who chose the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    #[error("not sent: {0}")]
    Forbidden(String),
    /// Not a byte of the request has left.
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl Outgoing {
    /// # Errors
    /// The HTTP client does not start.
    pub fn new(allow_private_addresses: bool) -> Result<Self, HostError> {
        let config = HostConfig { allow_private_addresses, ..HostConfig::new("") };
        Network::new(&config).map(Self)
    }

    /// Posts `body`, and reads at most `answer_bytes_max` of the answer; what is beyond is not waited for. One `timeout` for
    /// all. Dropping the future stops it; what was sent stays sent.
    ///
    /// # Errors
    /// See [`NotAnswered`]. Once there is a status there is an answer, whatever becomes of its body.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
        answer_bytes_max: usize,
    ) -> Result<Answer, NotAnswered> {
        let until = Instant::now() + timeout;
        let request = Checked {
            method: reqwest::Method::POST,
            url: url.clone(),
            headers,
            body,
            timeout,
            answer_bytes_max,
            sent: Sent::default(),
            identity: None,
        };
        let begun = match self.0.begin(request, None) {
            Ok(begun) => timeout_at(until, begun).await.unwrap_or(Err(Error::TimedOut)),
            Err(error) => Err(error),
        };
        let mut response = begun.map_err(|error| match error {
            Error::Forbidden(why) | Error::Invalid(why) | Error::NoSecret(why) => NotAnswered::Forbidden(why),
            Error::Unreachable(why) => NotAnswered::Unreachable(why),
            Error::TimedOut => NotAnswered::TimedOut,
            Error::Broken(why) => NotAnswered::Broken(why),
        })?;
        let mut body = Vec::new();
        while body.len() < answer_bytes_max {
            match timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk[..chunk.len().min(answer_bytes_max - body.len())]),
                Ok(Err(error)) => {
                    tracing::debug!(error = %innermost(&error), "an answer's body broke off");
                    break;
                }
                Ok(Ok(None)) | Err(_) => break,
            }
        }
        Ok(Answer { status: response.status().as_u16(), body })
    }
}

/// Whether [`Outgoing`] would try this URL, as far as its text tells: what its name leads to is seen when it is sent.
///
/// # Errors
/// Why not, in a sentence fragment for the one who chose it.
pub fn url_is_allowed(url: &Url, allow_private_addresses: bool) -> Result<(), String> {
    let policy = match (url.scheme(), allow_private_addresses) {
        ("https", false) => Policy::PublicOnly,
        ("https", true) => Policy::Any,
        ("http", true) => Policy::PrivateOnly,
        ("http", false) => return Err("only https is allowed".to_owned()),
        _ => return Err("it must begin with https://".to_owned()),
    };
    if !url.has_host() {
        return Err("it has no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user name or password".to_owned());
    }
    match check_literal(url, policy) {
        Err(Error::Forbidden(why)) => Err(why),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A receiver that does this with every connection once the request's head is there; and the port of its address.
    async fn receiver<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> u16
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut some = [0; 4_096];
                if stream.read(&mut some).await.is_ok_and(|count| count > 0) {
                    tokio::spawn(answer(stream));
                }
            }
        });
        port
    }

    async fn post(outgoing: &Outgoing, url: &str, timeout: Duration) -> (Result<Answer, NotAnswered>, Duration) {
        let (url, began) = (url.parse().expect("a URL"), Instant::now());
        let answer = outgoing.post(&url, HeaderMap::new(), b"{}".to_vec(), timeout, 16).await;
        (answer, began.elapsed())
    }

    async fn nobody_comes(listener: &TcpListener) -> bool {
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err()
    }

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn an_answer_is_read_as_far_as_it_helps() {
        let outgoing = Outgoing::new(true).expect("a client");
        let endless = receiver(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 500 no\r\n\r\n").await?;
            loop {
                stream.write_all(b"0123456789").await?;
            }
        });
        let (answer, took) = post(&outgoing, &format!("http://127.0.0.1:{}/", endless.await), LONG).await;
        assert_eq!(answer, Ok(Answer { status: 500, body: b"0123456789012345".to_vec() }));
        assert!(took < LONG / 3, "what comes after is not waited for");
        let stuck = receiver(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 200 yes\r\ncontent-length: 9\r\n\r\nwait").await?;
            std::future::pending().await
        });
        let (answer, _) = post(&outgoing, &format!("http://127.0.0.1:{}/", stuck.await), SHORT).await;
        assert_eq!(answer, Ok(Answer { status: 200, body: b"wait".to_vec() }), "the status was said");
    }

    #[tokio::test]
    async fn silence_has_an_end_and_a_name() {
        let outgoing = Outgoing::new(true).expect("a client");
        let silent = receiver(|stream| async move {
            let _held = stream;
            std::future::pending().await
        });
        let (answer, took) = post(&outgoing, &format!("http://127.0.0.1:{}/", silent.await), SHORT).await;
        assert_eq!(answer, Err(NotAnswered::TimedOut));
        assert!(took >= SHORT && took < LONG, "{took:?}");
        let hangs_up = receiver(|_| async { Ok(()) }).await;
        let (answer, _) = post(&outgoing, &format!("http://127.0.0.1:{hangs_up}/"), LONG).await;
        assert!(matches!(answer, Err(NotAnswered::Broken(_))), "{answer:?}");
        let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let (answer, _) = post(&outgoing, &format!("http://{nobody}/"), LONG).await;
        assert!(matches!(answer, Err(NotAnswered::Unreachable(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn nobody_is_led_elsewhere() {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = elsewhere.local_addr().expect("an address");
        let redirects = receiver(move |mut stream| async move {
            let location = format!("HTTP/1.1 308 there\r\nlocation: http://{address}/\r\n\r\n");
            stream.write_all(location.as_bytes()).await
        });
        let outgoing = Outgoing::new(true).expect("a client");
        let (answer, _) = post(&outgoing, &format!("http://127.0.0.1:{}/", redirects.await), LONG).await;
        assert_eq!(answer, Ok(Answer { status: 308, body: Vec::new() }));
        assert!(nobody_comes(&elsewhere).await);
    }

    /// The text of a URL says little: what its name leads to is looked at when the connection is made.
    #[tokio::test]
    async fn closed_addresses_are_never_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let outgoing = Outgoing::new(false).expect("a client");
        let by_name = format!("https://localhost:{port}/");
        assert_eq!(url_is_allowed(&by_name.parse().expect("a URL"), false), Ok(()), "a name tells nothing");
        for url in [
            by_name,
            format!("https://127.0.0.1:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://[64:ff9b::7f00:1]:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("http://localhost:{port}/"),
        ] {
            let (answer, _) = post(&outgoing, &url, LONG).await;
            assert!(matches!(answer, Err(NotAnswered::Forbidden(_))), "{url}: {answer:?}");
        }
        assert!(nobody_comes(&listener).await);
    }

    #[test]
    fn urls() {
        for (text, public, private) in [
            ("https://shop.example/hooks", true, true),
            ("http://shop.example/hooks", false, true),
            ("https://8.8.8.8/", true, true),
            ("http://8.8.8.8/", false, false),
            ("https://127.0.0.1/", false, true),
            ("http://127.0.0.1:9/", false, true),
            ("https://2130706433/", false, true),
            ("https://[::ffff:10.0.0.1]/", false, true),
            ("https://[64:ff9b::a00:1]/", false, true),
            ("https://169.254.169.254/latest/meta-data", false, true),
            ("https://user:pass@shop.example/", false, false),
            ("ftp://shop.example/", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let url: Url = text.parse().expect("a URL");
            assert_eq!(url_is_allowed(&url, false).is_ok(), public, "{text}");
            assert_eq!(url_is_allowed(&url, true).is_ok(), private, "{text}");
        }
    }
}

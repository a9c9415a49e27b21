//! A far side: the process that plays the scheme, and its stage door.

use std::{fmt, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_protocol::api::PresentedCard;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout},
    time::timeout,
};

/// From its start to the line that says it is ready. One in an interpreted language on a busy machine takes some seconds.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The stage door is on this machine and waits for nobody.
const DOOR_WITHIN: Duration = Duration::from_secs(20);
/// Longest that a request or answer is shown in a report, in characters.
const SHOWN_CHARS_MAX: usize = 2_000;

/// Why there is no far side to play against.
#[derive(Debug, thiserror::Error)]
pub enum FarSideError {
    #[error("the command {0:?} of the far side has an open quote or no words")]
    Words(String),
    #[error("the far side does not start: {command}: {source}")]
    Start { command: String, source: std::io::Error },
    #[error(
        "the far side did not say that it is ready: it has to print one line {{\"listening\": \"http://…\", \"door\": \"http://…\"}}, \
         and {0}"
    )]
    NotReady(String),
    #[error("the stage door did not answer {request}: {why}")]
    Door { request: String, why: String },
}

/// The command that starts a far side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(Vec<String>);

impl Command {
    /// Reads it as a shell would read plain words: split at spaces, with single or double quotes around a word that has some.
    ///
    /// # Errors
    /// An open quote, or nothing to start.
    pub fn read(text: &str) -> Result<Self, FarSideError> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for letter in text.chars() {
            match (letter, quote) {
                (letter, Some(open)) if letter == open => quote = None,
                ('"' | '\'', None) => {
                    quote = Some(letter);
                    word.get_or_insert_default();
                }
                (letter, None) if letter.is_whitespace() => words.extend(word.take()),
                (letter, _) => word.get_or_insert_default().push(letter),
            }
        }
        words.extend(word);
        if quote.is_some() || words.is_empty() {
            return Err(FarSideError::Words(text.to_owned()));
        }
        Ok(Self(words))
    }
}

/// What an account needs to reach the scheme.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Script {
    pub settings: Map<String, Value>,
    pub secrets: Map<String, Value>,
    pub code: Option<String>,
    #[serde(default)]
    pub card: Option<ScriptCard>,
    /// Settings, each of which a schema takes and the channel cannot use.
    #[serde(default)]
    pub unusable: Map<String, Value>,
    pub faults: Vec<String>,
}

/// A card of a customer's.
#[derive(Clone, Deserialize)]
pub(super) struct ScriptCard {
    /// In the clear: what nothing may show but the wire.
    pub number: String,
    /// As a terminal sends it.
    pub presented: PresentedCard,
}

impl fmt::Debug for ScriptCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.presented.fmt(f)
    }
}

/// An order in the far side's books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Books {
    pub amount_minor: i64,
    pub currency: String,
    pub state: String,
    pub times_taken: u32,
    pub given_back_minor: i64,
    /// What a customer scans to pay it, or the part of it that leads here.
    pub code: Option<String>,
    /// What it is for, as the scheme has it.
    pub subject: Option<String>,
}

/// A dispute in the far side's books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct DisputeBooks {
    pub case_number: String,
    pub amount_minor: i64,
    pub currency: String,
    /// Its steps, oldest first.
    pub told: Vec<DisputeStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct DisputeStep {
    /// In the contract's word.
    pub news: String,
    pub at_ms: i64,
    /// What the case cost the merchant, if the scheme says so with this step.
    pub fee_minor: Option<i64>,
}

/// A batch that is over in the far side's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct BatchBooks {
    pub balanced: bool,
    pub uploaded: u32,
}

/// A request that the far side heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// In the contract's words: `charge`, `query`, …
    pub act: String,
    pub method: String,
    pub path: String,
    /// As they came.
    pub headers: Vec<(String, String)>,
    /// As text, cut to 2,000 characters.
    pub body: String,
    #[serde(skip)]
    pub(super) raw: Vec<u8>,
}

#[derive(Deserialize)]
struct HeardMessage {
    act: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body_base64: String,
}

/// A notification as it would arrive.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct MessageMessage {
    headers: Vec<(String, String)>,
    body_base64: String,
}

#[derive(Deserialize)]
struct Taken {
    times: u32,
}

#[derive(Deserialize)]
struct Ready {
    door: String,
}

#[derive(Deserialize)]
struct Unplayable {
    why: String,
}

/// What the stage door made of a wish.
#[derive(Debug)]
pub(super) enum Played<T> {
    Done(T),
    /// This far side cannot do that now, in its words.
    Unplayable(String),
}

/// A running far side; it ends with this value.
pub(super) struct FarSide {
    door: String,
    http: reqwest::Client,
    _process: Child,
    /// Kept open, so that what it prints later does not break its pipe.
    _printed: BufReader<ChildStdout>,
}

impl FarSide {
    pub(super) async fn start(command: &Command) -> Result<Self, FarSideError> {
        let [program, arguments @ ..] = command.0.as_slice() else {
            return Err(FarSideError::Words(String::new()));
        };
        let shown = || command.0.join(" ");
        let mut process = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| FarSideError::Start { command: shown(), source })?;
        let not_ready = |why: &str| FarSideError::NotReady(format!("`{}` {why}", shown()));
        let stdout = process.stdout.take().ok_or_else(|| not_ready("has no output"))?;
        let mut printed = BufReader::new(stdout);
        let mut line = String::new();
        match timeout(READY_WITHIN, printed.read_line(&mut line)).await {
            Err(_) => return Err(not_ready("printed nothing for 30 s")),
            Ok(Err(error)) => return Err(not_ready(&format!("cannot be read: {error}"))),
            Ok(Ok(0)) => return Err(not_ready("ended before; start it by hand to see why")),
            Ok(Ok(_)) => {}
        }
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|_| not_ready(&format!("printed {:?}", line.trim().chars().take(200).collect::<String>())))?;
        // Refused if it is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(DOOR_WITHIN)
            .tls_certs_only([])
            .build()
            .map_err(|error| not_ready(&error.to_string()))?;
        Ok(Self { door: ready.door.trim_end_matches('/').to_owned(), http, _process: process, _printed: printed })
    }

    pub(super) async fn script(&self) -> Result<Script, FarSideError> {
        self.get("/script").await
    }

    /// Arms a fault for the next request of that kind.
    pub(super) async fn next(&self, act: &str, fault: &str) -> Result<Played<()>, FarSideError> {
        self.play("/next", Some(json!({ "act": act, "fault": fault }))).await
    }

    pub(super) async fn pays(&self, number: &str) -> Result<Played<()>, FarSideError> {
        self.play(&format!("/orders/{number}/pay"), None).await
    }

    pub(super) async fn declines(&self, number: &str) -> Result<Played<()>, FarSideError> {
        self.play(&format!("/orders/{number}/decline"), None).await
    }

    pub(super) async fn books(&self, number: &str) -> Result<Option<Books>, FarSideError> {
        let path = format!("/orders/{number}");
        let answer = self.send(reqwest::Method::GET, &path, None).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(&path, answer).await.map(Some)
    }

    /// How often customers' money was taken, for whichever orders; `None` from a far side that does not count.
    pub(super) async fn taken(&self) -> Result<Option<u32>, FarSideError> {
        let answer = self.send(reqwest::Method::GET, "/taken", None).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read::<Taken>("/taken", answer).await.map(|taken| Some(taken.times))
    }

    /// The batches that are over, oldest first.
    pub(super) async fn batches(&self) -> Result<Played<Vec<BatchBooks>>, FarSideError> {
        let answer = self.send(reqwest::Method::GET, "/batches", None).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(Played::Unplayable("it has no GET /batches".to_owned()));
        }
        read("/batches", answer).await.map(Played::Done)
    }

    pub(super) async fn notification(
        &self,
        number: &str,
        refund_number: Option<&str>,
        fault: Option<&str>,
    ) -> Result<Played<Message>, FarSideError> {
        let about = json!({ "number": number, "refund_number": refund_number, "fault": fault });
        self.message("/notification", about).await
    }

    async fn message(&self, path: &str, about: Value) -> Result<Played<Message>, FarSideError> {
        let answer = self.send(reqwest::Method::POST, path, Some(about)).await?;
        if answer.status() == reqwest::StatusCode::CONFLICT {
            return Ok(Played::Unplayable(read::<Unplayable>(path, answer).await?.why));
        }
        let message: MessageMessage = read(path, answer).await?;
        let body = decoded(path, &message.body_base64)?;
        Ok(Played::Done(Message { headers: message.headers, body }))
    }

    /// The scheme takes a step in a dispute about the order.
    pub(super) async fn disputes(&self, number: &str, news: &str) -> Result<Played<()>, FarSideError> {
        let path = format!("/orders/{number}/dispute");
        let answer = self.send(reqwest::Method::POST, &path, Some(json!({ "news": news }))).await?;
        match answer.status().as_u16() {
            200..300 => Ok(Played::Done(())),
            // Not every far side has that door.
            404 | 405 | 501 => Ok(Played::Unplayable("it has no POST /orders/{number}/dispute".to_owned())),
            409 => Ok(Played::Unplayable(read::<Unplayable>(&path, answer).await?.why)),
            status => Err(refused(&path, format!("status {status}"))),
        }
    }

    pub(super) async fn dispute(&self, number: &str) -> Result<DisputeBooks, FarSideError> {
        self.get(&format!("/orders/{number}/dispute")).await
    }

    /// The message about the dispute's last step.
    pub(super) async fn dispute_notification(
        &self,
        number: &str,
        fault: Option<&str>,
    ) -> Result<Played<Message>, FarSideError> {
        self.message(&format!("/orders/{number}/dispute/notification"), json!({ "fault": fault })).await
    }

    pub(super) async fn heard(&self) -> Result<Vec<Heard>, FarSideError> {
        let heard: Vec<HeardMessage> = self.get("/heard").await?;
        heard
            .into_iter()
            .map(|heard| {
                let raw = decoded("/heard", &heard.body_base64)?;
                let body = String::from_utf8_lossy(&raw).chars().take(SHOWN_CHARS_MAX).collect();
                let HeardMessage { act, method, path, headers, .. } = heard;
                Ok(Heard { act, method, path, headers, body, raw })
            })
            .collect()
    }

    pub(super) async fn forget(&self) -> Result<(), FarSideError> {
        self.send(reqwest::Method::DELETE, "/heard", None).await.map(drop)
    }

    pub(super) async fn set_clock(&self, ahead_ms: i64) -> Result<(), FarSideError> {
        self.send(reqwest::Method::PUT, "/clock", Some(json!({ "ahead_ms": ahead_ms }))).await.map(drop)
    }

    /// Where a browser that opens this address is sent on to.
    pub(super) async fn visited(&self, url: &str) -> Result<String, FarSideError> {
        let browser =
            reqwest::Client::builder().no_proxy().timeout(DOOR_WITHIN).redirect(reqwest::redirect::Policy::none());
        let answer = browser.tls_certs_only([]).build()?.get(url).send().await?;
        let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
        to.ok_or_else(|| refused("the visitor's", format!("status {} without a way back", answer.status())))
    }

    async fn play(&self, path: &str, body: Option<Value>) -> Result<Played<()>, FarSideError> {
        let answer = self.send(reqwest::Method::POST, path, body).await?;
        match answer.status().as_u16() {
            200..300 => Ok(Played::Done(())),
            404 | 409 => Ok(Played::Unplayable(read::<Unplayable>(path, answer).await?.why)),
            status => Err(refused(path, format!("status {status}"))),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, FarSideError> {
        read(path, self.send(reqwest::Method::GET, path, None).await?).await
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<reqwest::Response, FarSideError> {
        let mut request = self.http.request(method, format!("{}{path}", self.door));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.map_err(|error| refused(path, error.to_string()))
    }
}

async fn read<T: DeserializeOwned>(path: &str, answer: reqwest::Response) -> Result<T, FarSideError> {
    let status = answer.status();
    let text = answer.text().await.map_err(|error| refused(path, error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| {
        refused(path, format!("status {status}, {error}: {}", text.chars().take(200).collect::<String>()))
    })
}

fn decoded(path: &str, text: &str) -> Result<Vec<u8>, FarSideError> {
    STANDARD.decode(text).map_err(|error| refused(path, format!("its body_base64 is no Base64: {error}")))
}

fn refused(request: &str, why: String) -> FarSideError {
    FarSideError::Door { request: request.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_a_shell_reads_plain_words() {
        for (text, words) in
            [("a b  c", &["a", "b", "c"][..]), (" 'a b' \"c d\"e", &["a b", "c de"]), ("a ''", &["a", ""])]
        {
            assert_eq!(Command::read(text).expect("sound").0, words, "{text}");
        }
        for text in ["", "  ", "a 'b"] {
            assert!(Command::read(text).is_err(), "{text}");
        }
    }
}

//! The till's door, from outside: as its page uses it (`TILL-API.md`).

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{Client, StatusCode};
use saoma_protocol::{Currency, PaymentId, Sequence, TerminalId, api::Problem, message::Unsent};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// How long an answer is waited for: the till itself waits 10 s for core.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// How often a press is sent, the same each time, that nobody answers.
const TRIES: u32 = 3;
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Why the till was not understood or not there.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("reach the till at {0}: is the agent running, and is till.listen (or --till) its address?")]
    Away(SocketAddr, #[source] reqwest::Error),
    #[error("understand the till at {0}: its agent and this program are of different versions")]
    Unreadable(SocketAddr, #[source] serde_json::Error),
    #[error("look at the till at {0}: it answered {1}")]
    Status(SocketAddr, StatusCode),
    #[error("prepare requests to the till")]
    Client(#[source] reqwest::Error),
}

/// What came of a press.
#[derive(Debug)]
pub enum Answer<T> {
    Done(T),
    /// The till said no: nothing has happened.
    Refused(Problem),
    /// No answer that can be read: it may have happened.
    Unheard(String),
}

/// A sale as far as people here look at it.
#[derive(Clone, Debug, Deserialize)]
pub struct SaleSeen {
    pub payment: PaymentId,
    pub state: String,
    pub settled: bool,
    pub paid: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct StateSeen {
    pub till: TillSeen,
    pub currency: Currency,
    pub shift: Option<ShiftBriefSeen>,
    pub link: LinkSeen,
    pub unsent: Unsent,
    pub sync: SyncSeen,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TillSeen {
    pub merchant_name: String,
    pub store_name: String,
    pub terminal_name: String,
    pub terminal: TerminalId,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ShiftBriefSeen {
    pub cashier: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LinkSeen {
    pub online: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct SyncSeen {
    pub head: Sequence,
    pub through: Sequence,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ShiftSeen {
    pub batch: Sequence,
    pub closed: Option<ClosedSeen>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ClosedSeen {
    pub expected_minor: i64,
}

/// The door of one till, for one day: each press has a key that no other day has.
pub struct Door {
    client: Client,
    till: SocketAddr,
    /// What all keys of this day begin with.
    day: String,
    pressed: AtomicU64,
}

impl Door {
    /// # Errors
    /// `Client`.
    pub fn of(till: SocketAddr, day: String) -> Result<Self, DoorError> {
        let client = Client::builder().no_proxy().timeout(ANSWER_MAX).build().map_err(DoorError::Client)?;
        Ok(Self { client, till, day, pressed: AtomicU64::new(0) })
    }

    /// A key for one press.
    pub fn key(&self) -> String {
        format!("{}-{}", self.day, self.pressed.fetch_add(1, Ordering::Relaxed))
    }

    /// # Errors
    /// `Away`, `Status`, `Unreadable`.
    pub async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<T, DoorError> {
        let away = |error| DoorError::Away(self.till, error);
        let answer = self.client.get(format!("http://{}{path}", self.till)).send().await.map_err(away)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(DoorError::Status(self.till, status));
        }
        let bytes = answer.bytes().await.map_err(away)?;
        serde_json::from_slice(&bytes).map_err(|error| DoorError::Unreadable(self.till, error))
    }

    /// Presses once; without an answer the same press is sent again, as the page does.
    pub async fn press<T: DeserializeOwned>(&self, path: &str, body: &Value, key: &str) -> Answer<T> {
        let mut why = String::new();
        for again in 0..TRIES {
            if again > 0 {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            match self.send(path, body, key).await {
                Ok(answer) => return answer,
                Err(error) => why = error.to_string(),
            }
        }
        Answer::Unheard(why)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Result<Answer<T>, reqwest::Error> {
        let request = self.client.post(format!("http://{}{path}", self.till));
        let answer = request.header("x-saoma-till", "1").header("idempotency-key", key).json(body).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        Ok(if status.is_success() {
            serde_json::from_slice(&bytes).map_or_else(|error| Answer::Unheard(error.to_string()), Answer::Done)
        } else {
            let unclear = |_| Answer::Unheard(format!("the till answered {status} without saying why"));
            serde_json::from_slice(&bytes).map_or_else(unclear, Answer::Refused)
        })
    }
}

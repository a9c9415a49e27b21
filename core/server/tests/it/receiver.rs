//! A merchant's own server: it hears webhooks, and answers them as a story wants.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};

use crate::town::DEADLINE;

/// What it answers.
#[derive(Clone)]
pub enum Reply {
    Status(u16),
    Says(u16, String),
    MovedTo(String),
    /// The connection ends without a word.
    HangUp,
    /// 200 after this time.
    After(Duration),
}

/// One request, as it came.
#[derive(Clone)]
pub struct Heard {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// By the specification's own library: this request, signed with this secret, not long ago.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    replies: VecDeque<Reply>,
    usual: Option<Reply>,
    in_hand: usize,
    in_hand_most: usize,
}

pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    listens: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listens.abort();
    }
}

impl Receiver {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let listens = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { drop(serve(stream, &state).await) });
            }
        });
        Self { url, state, listens }
    }

    /// The next requests are answered so, in this order; those after them as usual.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.state).replies.extend(replies);
    }

    /// Unless said otherwise: 204 at once.
    pub fn usually(&self, reply: Reply) {
        lock(&self.state).usual = Some(reply);
    }

    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.state).heard.clone()
    }

    /// Most requests that it had at one moment.
    pub fn at_once_most(&self) -> usize {
        lock(&self.state).in_hand_most
    }

    /// Waits until it has heard so many.
    pub async fn hears(&self, count: usize) -> Vec<Heard> {
        let until = Instant::now() + DEADLINE;
        loop {
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            let kinds: Vec<_> = heard.iter().map(Heard::kind).collect();
            assert!(Instant::now() < until, "{count} in time, not {kinds:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the first event of this type.
    pub async fn hears_of(&self, kind: &str) -> Heard {
        for count in 1.. {
            if let Some(heard) = self.hears(count).await.into_iter().find(|heard| heard.kind() == kind) {
                return heard;
            }
        }
        unreachable!("it waits until its deadline")
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&some[..count]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    assert!(head.starts_with("POST /hooks HTTP/1.1\r\n"), "{head}");
    let headers: HeaderMap = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await?;
        assert!(count > 0, "a request ends where it says");
        body.extend_from_slice(&some[..count]);
    }
    let reply = {
        let mut state = lock(state);
        state.heard.push(Heard { headers, body });
        state.in_hand += 1;
        state.in_hand_most = state.in_hand_most.max(state.in_hand);
        state.replies.pop_front().or_else(|| state.usual.clone()).unwrap_or(Reply::Status(204))
    };
    let (status, extra, said) = match reply {
        Reply::Status(status) => (status, String::new(), String::new()),
        Reply::Says(status, said) => (status, String::new(), said),
        Reply::MovedTo(url) => (307, format!("location: {url}\r\n"), String::new()),
        Reply::HangUp => (0, String::new(), String::new()),
        Reply::After(pause) => {
            tokio::time::sleep(pause).await;
            (200, String::new(), String::new())
        }
    };
    lock(state).in_hand -= 1;
    if status == 0 {
        return Ok(());
    }
    let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", said.len()) };
    let head = format!("HTTP/1.1 {status} said\r\n{length}{extra}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(said.as_bytes()).await?;
    stream.shutdown().await
}

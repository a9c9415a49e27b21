//! Two nodes and a Redis of this test's own: what they hear of each other, and what its absence costs.

use std::{
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use saoma_protocol::{Millis, TenantId};
use saoma_server::{
    limits::{Limits, sign_in},
    peers::{Bell, Peers, REPLY_MAX, Standing},
};
use tokio::sync::watch;

use crate::fleet_world::eventually;

const NOW: Millis = Millis(1_790_000_000_000);

/// A server on a socket in a folder that goes away.
struct Redis {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Redis {
    fn start() -> Self {
        let mut redis = Self { folder: tempfile::tempdir().unwrap(), child: None };
        redis.again();
        redis
    }

    fn socket(&self) -> String {
        self.folder.path().join("redis.sock").display().to_string()
    }

    fn again(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket", &self.socket()])
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("Debian's package redis-server is installed"));
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `STOP`: it keeps its connections and says nothing. `CONT`: it goes on.
    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    async fn forget_everything(&self) {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.socket())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.signal("CONT");
            self.kill();
        }
    }
}

struct Node {
    peers: Peers,
    heard: Arc<Mutex<Vec<Bell>>>,
    _stop: watch::Sender<bool>,
}

impl Node {
    async fn on(redis: &Redis, name: &str) -> Self {
        let node = Self::beside(redis, name);
        node.is(Standing::Up).await;
        node
    }

    fn beside(redis: &Redis, name: &str) -> Self {
        let peers = Peers::at(&redis.url(), "test", name).unwrap();
        let (stop, stopping) = watch::channel(false);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (keeper, ear) = (peers.clone(), Arc::clone(&heard));
        tokio::spawn(async move { keeper.keep(|bell| ear.lock().unwrap().push(bell), stopping).await });
        Self { peers, heard, _stop: stop }
    }

    async fn is(&self, standing: Standing) {
        eventually(&format!("Redis {standing:?}"), async || self.peers.standing() == standing).await;
    }

    async fn hears(&self, bell: Bell) {
        eventually(&format!("{bell:?}"), async || self.heard.lock().unwrap().contains(&bell)).await;
    }
}

#[tokio::test]
async fn what_one_tells_the_others_hear_and_it_does_not() {
    let redis = Redis::start();
    let (a, b) = (Node::on(&redis, "a").await, Node::on(&redis, "b").await);
    let news = Bell::News(TenantId::from_bytes([1; 16]));
    for bell in [Bell::Outbox, news, news, Bell::Outbox] {
        a.peers.tell(bell);
    }
    b.hears(news).await;
    b.hears(Bell::Outbox).await;
    b.peers.tell(Bell::Resolver);
    a.hears(Bell::Resolver).await;
    assert_eq!(*a.heard.lock().unwrap(), [Bell::Resolver]);
}

#[tokio::test]
async fn nodes_count_together_and_each_for_itself_without() {
    let mut redis = Redis::start();
    let nodes = [Node::on(&redis, "a").await, Node::on(&redis, "b").await];
    let limits = nodes.each_ref().map(|node| Limits::new(node.peers.clone()));
    let guess = sign_in("192.0.2.7".parse().unwrap(), "mei");
    for number in 0..10 {
        assert!(limits[number % 2].begin(&guess, NOW).await.is_ok(), "guess {number}");
    }
    for node in &limits {
        let too_often = node.begin(&guess, NOW).await.unwrap_err();
        assert!((1..=600_000).contains(&too_often.wait_ms), "{too_often:?}");
    }
    // One that was right is taken back for all.
    limits[0].forgive(&guess).await;
    assert!(limits[1].begin(&guess, NOW).await.is_ok());
    assert!(limits[0].begin(&guess, NOW).await.is_err());
    // Emptied: what each has counted itself still counts, so a guesser gains at most what there is on each.
    redis.forget_everything().await;
    let let_through = async |limits: &Limits| {
        let mut let_through = 0;
        while limits.begin(&guess, NOW).await.is_ok() {
            let_through += 1;
        }
        let_through
    };
    let gained = let_through(&limits[0]).await + let_through(&limits[1]).await;
    assert!((1..=10).contains(&gained), "{gained}");
    redis.kill();
    nodes[0].is(Standing::Down).await;
    let other = sign_in("192.0.2.8".parse().unwrap(), "li");
    for _ in 0..10 {
        assert!(limits[0].begin(&other, NOW).await.is_ok());
    }
    assert!(limits[0].begin(&other, NOW).await.is_err());
}

#[tokio::test]
async fn one_that_says_nothing_holds_up_one_call_and_comes_back_by_itself() {
    let redis = Redis::start();
    let (a, b) = (Node::on(&redis, "a").await, Node::on(&redis, "b").await);
    a.peers.keep_text("x", "kept".to_owned(), Duration::from_secs(60));
    eventually("a kept text", async || b.peers.recall("x").await.is_some()).await;
    redis.signal("STOP");
    let began = Instant::now();
    for _ in 0..100 {
        a.peers.recall("x").await;
    }
    // A hundred calls, and not a hundred times the bound.
    assert!(began.elapsed() < REPLY_MAX * 20, "{:?}", began.elapsed());
    assert_eq!(a.peers.standing(), Standing::Down);
    redis.signal("CONT");
    a.is(Standing::Up).await;
    eventually("the kept text again", async || a.peers.recall("x").await.as_deref() == Some("kept")).await;
    b.is(Standing::Up).await;
    a.peers.tell(Bell::Resolver);
    b.hears(Bell::Resolver).await;
}

#[tokio::test]
async fn one_that_starts_later_is_found() {
    let mut redis = Redis::start();
    redis.kill();
    let node = Node::beside(&redis, "a");
    assert_eq!(node.peers.recall("x").await, None);
    assert_eq!(node.peers.standing(), Standing::Down);
    redis.again();
    node.is(Standing::Up).await;
    redis.kill();
    node.is(Standing::Down).await;
    redis.again();
    node.is(Standing::Up).await;
}

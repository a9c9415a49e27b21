//! The connection to Redis: kept, given up when it does not answer, and taken up again by itself.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use redis::{
    AsyncConnectionConfig, Client, RedisResult,
    aio::{MultiplexedConnection, PubSub},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, timeout},
};

use super::{Bell, REPLY_MAX};

/// Bells that wait to be told; past it one is lost, which costs a look at the database a second later.
const BELLS_MAX: usize = 1_024;
/// Bells are gathered for so long, so that a thousand payments a second are fifty messages.
const GATHER: Duration = Duration::from_millis(20);
/// Longest that a connection may take to be made, in the background.
const CONNECT_MAX: Duration = Duration::from_secs(2);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often the connection is tried when nothing else is said.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// A subscription on which not even our own word is heard for so long is dead.
const DEAF_AFTER: Duration = Duration::from_secs(4);
/// The word by which a node hears itself.
const HERE: &str = "here";

pub struct Link {
    client: Client,
    /// Before every key and channel. The braces keep the keys of one script together in a Redis Cluster.
    prefix: String,
    node: String,
    /// There while Redis works.
    redis: Mutex<Option<MultiplexedConnection>>,
    /// Somebody got no answer.
    failed: Notify,
    bells: mpsc::Sender<Bell>,
    untold: tokio::sync::Mutex<mpsc::Receiver<Bell>>,
}

impl Link {
    pub fn new(client: Client, installation: &str, node: &str) -> Self {
        let (bells, untold) = mpsc::channel(BELLS_MAX);
        Self {
            client,
            prefix: format!("saoma:{{{installation}}}"),
            node: node.to_owned(),
            redis: Mutex::default(),
            failed: Notify::new(),
            bells,
            untold: tokio::sync::Mutex::new(untold),
        }
    }

    pub fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}:{name}", self.prefix)
    }

    pub fn is_up(&self) -> bool {
        self.redis().is_some()
    }

    pub fn tell(&self, bell: Bell) {
        if self.is_up() {
            // A full queue loses it: see BELLS_MAX.
            self.bells.try_send(bell).ok();
        }
    }

    /// Asks Redis; `None` if it is away or does not answer in time, and then nobody asks again until it works.
    pub async fn ask<T>(&self, work: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>) -> Option<T> {
        let redis = self.redis().clone()?;
        let why = match timeout(REPLY_MAX, work(redis)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {REPLY_MAX:?}"),
        };
        self.away(&why);
        None
    }

    /// Says it once, when it goes.
    fn away(&self, why: &str) {
        if self.redis().take().is_some() {
            tracing::warn!(
                why,
                "Redis is away: each node counts for itself and looks into the database by its own clock"
            );
            self.failed.notify_one();
        }
    }

    fn redis(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn keep(&self, hear: &impl Fn(Bell), mut stopping: watch::Receiver<bool>) {
        let (mut pause, mut said) = (PAUSE_MIN, false);
        while !*stopping.borrow() {
            let connected = timeout(CONNECT_MAX, self.connect()).await;
            match connected.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())) {
                Ok((redis, subscription)) => {
                    tracing::info!("Redis is there: the nodes hear each other");
                    (pause, said) = (PAUSE_MIN, true);
                    *self.redis() = Some(redis);
                    if let Some(why) = self.while_up(subscription, hear, &mut stopping).await {
                        self.away(&why);
                    }
                }
                Err(error) if !said => {
                    said = true;
                    tracing::warn!(%error, "Redis is not there: core goes on without, and tries again by itself");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                _ = stopping.changed() => {}
            }
        }
        self.redis().take();
    }

    async fn connect(&self) -> RedisResult<(MultiplexedConnection, PubSub)> {
        // The times are ours; the connection's own would end calls without saying so here.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut redis = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.prove(&mut redis).await?;
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(self.channel()).await?;
        Ok((redis, subscription))
    }

    /// Writes something, since a Redis that is full or a replica answers to everything else.
    async fn prove(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        redis::cmd("SET").arg(self.key("node", &self.node)).arg(HERE).arg("PX").arg(10_000).query_async(redis).await
    }

    fn channel(&self) -> String {
        format!("{}:bells", self.prefix)
    }

    /// Tells and hears until something fails, and returns what; nothing if this core stops.
    async fn while_up(
        &self,
        subscription: PubSub,
        hear: &impl Fn(Bell),
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<String> {
        let mut messages = subscription.into_on_message();
        let mut untold = self.untold.lock().await;
        let mut ticks = tokio::time::interval(TRY_EVERY);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Some("the subscription ended".to_owned()) };
                    let text: String = message.get_payload().unwrap_or_default();
                    let Some((node, words)) = text.split_once('\n') else { continue };
                    if node == self.node {
                        heard_at = Instant::now();
                    } else {
                        words.lines().filter_map(|word| word.parse().ok()).for_each(hear);
                    }
                }
                Some(bell) = untold.recv() => {
                    tokio::time::sleep(GATHER).await;
                    let mut bells = vec![bell];
                    while let Ok(bell) = untold.try_recv() {
                        if !bells.contains(&bell) {
                            bells.push(bell);
                        }
                    }
                    let words: Vec<String> = bells.iter().map(ToString::to_string).collect();
                    self.publish(&words.join("\n")).await;
                }
                _ = ticks.tick() => {
                    if heard_at.elapsed() > DEAF_AFTER {
                        return Some(format!("nothing was heard for {DEAF_AFTER:?}"));
                    }
                    self.ask(async |mut redis| self.prove(&mut redis).await).await;
                    self.publish(HERE).await;
                }
                // Somebody may have said so before this connection was made.
                () = self.failed.notified() => if !self.is_up() { return Some("a call got no answer".to_owned()) },
                _ = stopping.changed() => return None,
            }
        }
    }

    async fn publish(&self, words: &str) {
        let (channel, message) = (self.channel(), format!("{}\n{words}", self.node));
        let publish = async |mut redis: MultiplexedConnection| {
            redis::cmd("PUBLISH").arg(channel).arg(message).query_async::<()>(&mut redis).await
        };
        self.ask(publish).await;
    }
}

//! What the cores on one database tell each other and count together, through Redis.
//!
//! Redis holds no facts: it wakes those who would have looked a little later, counts attempts that each node counts as well,
//! and keeps answers whose version the database is asked for. It may be slow, emptied, or gone at any moment; then calls
//! give up within [`REPLY_MAX`], nobody asks it again until it has proven to work, and everything is as it is without.

mod bell;
mod link;

use std::{sync::Arc, time::Duration};

pub use self::bell::Bell;
use self::link::Link;

/// Longest that anybody waits for an answer of Redis; on one network it takes well below a millisecond. The first call past
/// it makes all others go without, so a payment is held up once at most.
pub const REPLY_MAX: Duration = Duration::from_millis(50);

/// Counts each key up, unless one of them is at its maximum: then none. Returns 0, or how long that one's window lasts.
const COUNT: &str = "
for i, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
        return math.max(redis.call('PTTL', key), 1)
    end
end
for i, key in ipairs(KEYS) do
    if redis.call('INCR', key) == 1 then
        redis.call('PEXPIRE', key, ARGV[2 * i])
    end
end
return 0";

/// Takes one back, also if the window is over by now.
const UNCOUNT: &str = "
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then
        redis.call('DECR', key)
    end
end";

/// Whether Redis is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None is configured.
    Off,
    Up,
    /// It is configured and does not work now.
    Down,
}

/// The way to the other nodes. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Peers(Option<Arc<Link>>);

impl Peers {
    /// This core is alone, or the others are told nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Nothing is connected until [`Self::keep`] runs. `installation` keeps those apart who share a Redis.
    ///
    /// # Errors
    /// An address that is none.
    pub fn at(url: &str, installation: &str, node: &str) -> redis::RedisResult<Self> {
        Ok(Self(Some(Arc::new(Link::new(redis::Client::open(url)?, installation, node)))))
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.0 {
            None => Standing::Off,
            Some(link) if link.is_up() => Standing::Up,
            Some(_) => Standing::Down,
        }
    }

    /// Tells the other nodes, soon. Nobody hears it while Redis is away.
    pub fn tell(&self, bell: Bell) {
        if let Some(link) = &self.0 {
            link.tell(bell);
        }
    }

    /// Counts each of (key, maximum, window in milliseconds), unless one is at its maximum. 0 if it was counted, else how
    /// long to wait in milliseconds; `None` if Redis does not say.
    pub async fn count(&self, wanted: &[(String, u32, i64)]) -> Option<i64> {
        let link = self.0.as_ref().filter(|_| !wanted.is_empty())?;
        let script = redis::Script::new(COUNT);
        let mut call = script.prepare_invoke();
        for (key, max, window_ms) in wanted {
            call.key(link.key("count", key)).arg(*max).arg(*window_ms);
        }
        link.ask(async |mut redis| call.invoke_async(&mut redis).await).await
    }

    /// Takes back one of each.
    pub async fn uncount(&self, keys: &[String]) {
        let Some(link) = &self.0 else { return };
        let script = redis::Script::new(UNCOUNT);
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(link.key("count", key));
        }
        let _: Option<()> = link.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
    }

    /// What was kept under this name, if it is still there.
    pub async fn recall(&self, name: &str) -> Option<String> {
        let link = self.0.as_ref()?;
        let key = link.key("answer", name);
        link.ask(async |mut redis| redis::cmd("GET").arg(key).query_async::<Option<String>>(&mut redis).await).await?
    }

    /// Keeps a text for a while. In the background: nobody waits for it.
    pub fn keep_text(&self, name: &str, text: String, lives: Duration) {
        let Some(link) = self.0.clone() else { return };
        let key = link.key("answer", name);
        tokio::spawn(async move {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(text).arg("PX").arg(u64::try_from(lives.as_millis()).unwrap_or(u64::MAX));
            let _: Option<()> = link.ask(async |mut redis| set.query_async(&mut redis).await).await;
        });
    }

    /// Connects, and again whenever the connection is lost, until `stopping`; `hear` is called for each bell of another.
    pub async fn keep(&self, hear: impl Fn(Bell), stopping: tokio::sync::watch::Receiver<bool>) {
        if let Some(link) = &self.0 {
            link.keep(&hear, stopping).await;
        }
    }
}

//! What the kit controls around a component: clock, randomness, the small store, and where its log lines go.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use saoma_protocol::{ChannelAccountId, Millis};
use sha2::{Digest as _, Sha256};
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::layer::{Context, Layer};

use crate::ports::{Chance, Clock, KvError, KvStore, MemoryKv, NoChance, SystemChance, SystemClock};

/// Where `host/log.rs` writes what plugins say.
const PLUGIN_TARGET: &str = "saoma_channels::plugin";

/// The machine's clock, ahead by so much; or standing still.
#[derive(Debug, Default)]
pub(super) struct KitClock {
    ahead_ms: AtomicI64,
    /// 0 while it runs.
    stands_at: AtomicI64,
}

impl KitClock {
    pub(super) fn set_ahead(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::SeqCst);
    }

    pub(super) fn stand_still(&self) {
        self.stands_at.store(self.now().0, Ordering::SeqCst);
    }

    pub(super) fn run_again(&self) {
        self.stands_at.store(0, Ordering::SeqCst);
        self.set_ahead(0);
    }
}

impl Clock for KitClock {
    fn now(&self) -> Millis {
        match self.stands_at.load(Ordering::SeqCst) {
            0 => SystemClock.now().plus(self.ahead_ms.load(Ordering::SeqCst)),
            at => Millis(at),
        }
    }
}

/// A stream of bytes from a seed: SHA-256 of the seed and a counter.
#[derive(Debug, Default)]
pub(super) struct KitChance(Mutex<(Vec<u8>, u64)>);

impl KitChance {
    pub(super) fn begin(&self, seed: &[u8]) {
        *lock(&self.0) = (seed.to_vec(), 0);
    }
}

impl Chance for KitChance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoChance> {
        let mut stream = lock(&self.0);
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(&stream.0).chain_update(stream.1.to_be_bytes()).finalize();
            stream.1 += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

/// The plugins' small store, to be emptied at will.
#[derive(Debug, Default)]
pub(super) struct KitKv(Mutex<Arc<MemoryKv>>);

impl KitKv {
    pub(super) fn empty(&self) {
        *lock(&self.0) = Arc::default();
    }

    fn now(&self) -> Arc<MemoryKv> {
        Arc::clone(&lock(&self.0))
    }
}

#[async_trait]
impl KvStore for KitKv {
    async fn get(&self, account: ChannelAccountId, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.now().get(account, key).await
    }

    async fn set(&self, account: ChannelAccountId, key: &str, value: Vec<u8>, keys_max: usize) -> Result<(), KvError> {
        self.now().set(account, key, value, keys_max).await
    }

    async fn delete(&self, account: ChannelAccountId, key: &str) -> Result<(), KvError> {
        self.now().delete(account, key).await
    }

    async fn next(&self, account: ChannelAccountId, key: &str, keys_max: usize) -> Result<u64, KvError> {
        self.now().next(account, key, keys_max).await
    }
}

/// The lines that a plugin has logged.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0))
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == PLUGIN_TARGET {
            let mut text = Message(String::new());
            event.record(&mut text);
            lock(&self.0).push(text.0);
        }
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// 128 bits that nobody has drawn before.
pub(super) fn fresh() -> Result<[u8; 16], NoChance> {
    let mut bytes = [0; 16];
    SystemChance.fill(&mut bytes)?;
    Ok(bytes)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half changed.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let chance = KitChance::default();
        let drawn = |seed: &[u8]| {
            let mut bytes = [0; 70];
            chance.begin(seed);
            chance.fill(&mut bytes).expect("bytes");
            bytes
        };
        assert_eq!(drawn(b"a"), drawn(b"a"));
        assert_ne!(drawn(b"a"), drawn(b"b"));
    }
}

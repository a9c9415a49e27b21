//! The time that all nodes on one database agree on.
//!
//! What one node plans, leases or waits for, another finds due by its own clock; with clocks minutes apart a charge could be
//! undone while it is on its way. So on PostgreSQL each node goes by the database's clock, asked now and then and counted on
//! by a clock that nobody sets in between. In a file there is one node, and its machine's clock is everybody's.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use saoma_channels::Clock;
use saoma_protocol::Millis;
use saoma_store::{Store, StoreError, access, nodes};

const ASK_EVERY: Duration = Duration::from_secs(10);
/// Less is how long the question took, and how clocks drift: following it would make time go to and fro.
const APART_MS_MIN: i64 = 500;
/// An answer that took longer says too little of when it was given.
const ASKED_MS_MAX: u128 = 2_000;

pub struct SharedClock {
    own: Arc<dyn Clock>,
    /// What the database's clock was, and when by ours that is never set. `None`: not asked, or there is none.
    heard: Mutex<Option<(Instant, Millis)>>,
}

impl Clock for SharedClock {
    fn now(&self) -> Millis {
        self.since_heard(Instant::now()).unwrap_or_else(|| self.own.now())
    }
}

impl SharedClock {
    #[must_use]
    pub fn over(own: Arc<dyn Clock>) -> Self {
        Self { own, heard: Mutex::default() }
    }

    fn since_heard(&self, at: Instant) -> Option<Millis> {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|(then, theirs)| {
            theirs.plus(i64::try_from(at.saturating_duration_since(then).as_millis()).unwrap_or(i64::MAX))
        })
    }

    /// Asks the database, if it has a clock.
    ///
    /// # Errors
    /// If it cannot be asked: the time goes on as it was last heard.
    pub async fn ask(&self, store: &Store) -> Result<(), StoreError> {
        let asked = Instant::now();
        let Some(theirs) = store.read(|tx| nodes::time(tx, &access::process())).await? else { return Ok(()) };
        self.hear(asked, theirs, Instant::now());
        Ok(())
    }

    /// The database's clock was `theirs` at some moment from `asked` to `answered`.
    fn hear(&self, asked: Instant, theirs: Millis, answered: Instant) {
        let took = answered.saturating_duration_since(asked);
        let at = asked + took / 2;
        let ours = self.since_heard(at);
        let apart_ms = theirs.since(ours.unwrap_or_else(|| self.own.now())).abs();
        let is_first = ours.is_none();
        if !is_first && (took.as_millis() > ASKED_MS_MAX || apart_ms < APART_MS_MIN) {
            return;
        }
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, theirs));
        if apart_ms >= APART_MS_MIN {
            tracing::warn!(
                apart_ms,
                first = is_first,
                "this node's time was not the database's: it goes by the database's"
            );
        }
    }

    /// Asks again and again, until it is dropped.
    pub async fn keep(self: Arc<Self>, store: Store) {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if let Err(error) = self.ask(&store).await {
                tracing::debug!(%error, "the database's clock is not heard");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still(Millis);

    impl Clock for Still {
        fn now(&self) -> Millis {
            self.0
        }
    }

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn the_first_word_counts_and_then_only_what_is_more_than_the_question_took() {
        let clock = SharedClock::over(Arc::new(Still(Millis(5 * DAY_MS))));
        assert_eq!(clock.now(), Millis(5 * DAY_MS), "before anybody was asked");
        let began = Instant::now();
        let after = |ms: u64| began + Duration::from_millis(ms);
        // Asked at, answered at, what the database says, and what the time is a second after the question.
        for (asked, answered, theirs, is) in [
            (0, 100, 1_000_000, 1_000_950),
            (10_000, 10_100, 1_010_300, 1_010_950),
            (20_000, 20_100, 1_020_600, 1_021_550),
            // An hour back.
            (30_000, 30_000, 1_030_550 - 3_600_000, 1_031_550 - 3_600_000),
            // Slow: it may have been said at any time.
            (40_000, 43_000, 9_000_000, 1_041_550 - 3_600_000),
        ] {
            clock.hear(after(asked), Millis(theirs), after(answered));
            assert_eq!(clock.since_heard(after(asked + 1_000)), Some(Millis(is)), "{asked}");
        }
    }
}

//! Turns at running: a guest whose own code runs for long waits for one, and there are turns for half of the machine. A call that
//! runs for a moment, as nearly all do, finds the other half free, however many others loop.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};

/// Ticks for which anybody may run: a Python guest needs one or two.
pub(crate) const FREE_TICKS: u64 = 3;

/// As many turns as guests may run for long at once.
pub(super) fn of_this_machine() -> Arc<Semaphore> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new((processors / 2).max(1)))
}

/// The turn that a call has, if it runs for long. Given back with the call.
#[derive(Clone, Default)]
pub(crate) struct Turn(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Turn {
    /// Before it waits for something: a turn is for running.
    pub(crate) fn give_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Gives way to all others, and goes on when it is this call's turn again.
    pub(crate) fn wait(&self, turns: &Arc<Semaphore>) -> impl Future<Output = ()> + Send + 'static {
        self.give_back();
        let (turn, turns) = (self.clone(), Arc::clone(turns));
        async move {
            yield_now().await;
            // They are never closed.
            let permit = turns.acquire_owned().await.ok();
            *turn.0.lock().unwrap_or_else(PoisonError::into_inner) = permit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    /// Polled until it waits for something that only another can do.
    fn came(waiting: impl Future<Output = ()>) -> bool {
        let mut waiting = pin!(waiting);
        let mut context = Context::from_waker(Waker::noop());
        (0..3).any(|_| matches!(waiting.as_mut().poll(&mut context), Poll::Ready(())))
    }

    #[test]
    fn one_turn_is_had_by_one_until_it_waits_is_over_or_has_had_it() {
        let turns = Arc::new(Semaphore::new(1));
        let (first, second) = (Turn::default(), Turn::default());
        assert!(came(first.wait(&turns)) && !came(second.wait(&turns)));
        first.give_back();
        assert!(came(second.wait(&turns)) && !came(first.wait(&turns)));
        drop(second);
        assert!(came(first.wait(&turns)), "a call that is over has none");
        assert!(came(first.wait(&turns)), "and whoever waits again gave back what it had");
    }
}

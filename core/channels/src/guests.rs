//! Where plugins' code runs: on threads of its own, so that whoever serves HTTP, the database or a timer never stands behind a
//! plugin that does not stop.
//!
//! A call is a task. It runs until it waits for something, is over, or the next tick of the engine's epoch ends its turn; whose turn
//! comes next is said in [`queue`]. What a call waits for (connections, TLS, timers) runs on a small runtime beside the threads,
//! which no guest ever holds: an answer that has come is read at once.

mod flow;
mod queue;

use std::{
    cell::Cell,
    num::NonZero,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use async_task::{Builder, FallibleTask, Runnable, ScheduleInfo, WithInfo};
use tokio::runtime::{self, Handle, Runtime};
use tracing::{Instrument as _, instrument::WithSubscriber as _};

pub(crate) use self::flow::{Burner, Flow, Machine};
use self::queue::Queue;
use crate::failure::HostError;

/// Threads for what calls wait for: while one is busy with a TLS handshake (about 1 ms), the other reads answers.
const ERRAND_THREADS: usize = 2;

/// The threads; they end with it.
pub(crate) struct Guests {
    shared: Arc<Shared>,
    machine: Arc<Machine>,
    describing: Arc<Flow>,
    /// `None` while it is dropped.
    errands: Option<Runtime>,
}

struct Shared {
    state: Mutex<State>,
    /// There is a turn for a thread that waits, or everything ends.
    changed: Condvar,
}

struct State {
    queue: Queue<Runnable>,
    /// Threads that wait for a turn.
    idle: u32,
    is_over: bool,
}

thread_local! {
    /// The task that this thread has run, if it wants to go on: it gets in line when what it burnt is counted, not before.
    static AGAIN: Cell<Option<Runnable>> = const { Cell::new(None) };
}

impl Guests {
    /// As many threads as there are processors, two at least: one for those who run for long, one for all others.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(crate) fn start() -> Result<Self, HostError> {
        let failed = |error: std::io::Error| HostError::Engine(format!("no threads for plugins: {error}"));
        let processors: u32 = thread::available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX);
        let threads = processors.max(2);
        let errands = runtime::Builder::new_multi_thread()
            .worker_threads(ERRAND_THREADS)
            .thread_name("plugin-errands")
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = errands.handle().clone();
        let state = State { queue: Queue::new(threads), idle: 0, is_over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let machine = Machine::new(processors);
        let describing = Flow::of(Burner::new(&machine));
        let guests = Self { shared, machine, describing, errands: Some(errands) };
        for _ in 0..threads {
            let (shared, errands) = (Arc::clone(&guests.shared), handle.clone());
            let thread = thread::Builder::new().name("plugin-guests".to_owned());
            thread.spawn(move || shared.run_turns(&errands)).map_err(failed)?;
        }
        Ok(guests)
    }

    /// What burning is measured by.
    pub(crate) fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// Whose turns those are that nobody has a place for: all plugins' that describe themselves together, so that many which do not
    /// stop stand in each other's way.
    pub(crate) fn describing(&self) -> Arc<Flow> {
        Arc::clone(&self.describing)
    }

    /// Begins the work there, in the caller's span. Dropping what is returned ends it, on a guests' thread as well; `None` if the
    /// threads ended before it. A panic in it comes to the caller.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        flow: Arc<Flow>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> FallibleTask<T> {
        let shared = Arc::clone(&self.shared);
        let schedule = move |task: Runnable, info: ScheduleInfo| {
            if info.woken_while_running {
                AGAIN.set(Some(task));
            } else {
                shared.push(&flow, task);
            }
        };
        // Whoever listens to this call alone, as the kit does, hears it there too.
        let work = work.in_current_span().with_current_subscriber();
        let (task, running) = Builder::new().propagate_panic(true).spawn(|()| work, WithInfo(schedule));
        task.schedule();
        running.fallible()
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        self.shared.drop_all();
        if let Some(errands) = self.errands.take() {
            // Whoever drops a host may be a thread of another runtime, which must not wait.
            errands.shutdown_background();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, flow: &Arc<Flow>, task: Runnable) {
        let mut state = self.lock();
        if state.is_over {
            drop(state);
            return drop(task);
        }
        let now = Instant::now();
        state.queue.push(Arc::clone(flow), task, now);
        // A thread that is not idle looks by itself before it waits.
        let has_turn = state.idle > 0 && state.queue.has_next(now);
        drop(state);
        if has_turn {
            self.changed.notify_one();
        }
    }

    /// What each of the threads does.
    fn run_turns(&self, errands: &Handle) {
        let _entered = errands.enter();
        let mut state = self.lock();
        while !state.is_over {
            let began = Instant::now();
            let Some((turn, task)) = state.queue.next(began) else {
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let has_turn = state.idle > 0 && state.queue.has_next(began);
            drop(state);
            if has_turn {
                self.changed.notify_one();
            }
            task.run();
            let (again, now) = (AGAIN.take(), Instant::now());
            state = self.lock();
            let flow = state.queue.over(turn, now.saturating_duration_since(began), now);
            if let Some(task) = again {
                state.queue.push(flow, task, now);
            }
        }
        drop(state);
        self.drop_all();
    }

    /// Ends the tasks that are in line.
    fn drop_all(&self) {
        let left = self.lock().queue.take_all();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    /// Long enough for any machine, for what comes at once.
    const SOON: Duration = Duration::from_secs(20);

    /// Of a tenant of its own.
    fn flow(guests: &Guests) -> Arc<Flow> {
        Flow::of(Burner::new(guests.machine()))
    }

    struct Told(mpsc::Sender<&'static str>, &'static str);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(self.1);
        }
    }

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_comes_to_who_asked() {
        let guests = Guests::start().expect("threads");
        let here = thread::current().id();
        let there = guests.run(flow(&guests), async { thread::current().id() }).await;
        assert!(there.is_some_and(|there| there != here));
        let slept = async { tokio::time::sleep(Duration::from_millis(1)).await };
        assert_eq!(guests.run(flow(&guests), slept).await, Some(()), "timers go on");
        let guests = Arc::new(guests);
        let panicked = Arc::clone(&guests);
        let panicked =
            tokio::spawn(
                async move { panicked.run::<()>(flow(&panicked), async { panic!("a mistake of ours") }).await },
            );
        assert!(panicked.await.is_err_and(|error| error.is_panic()));
        assert_eq!(guests.run(flow(&guests), async { 7 }).await, Some(7), "and the threads go on");
    }

    #[tokio::test]
    async fn who_is_not_waited_for_any_more_ends() {
        let guests = Guests::start().expect("threads");
        let (tell, told) = mpsc::channel();
        for what in ["asleep", "running"] {
            let (began, has_begun) = mpsc::channel();
            let held = Told(tell.clone(), what);
            let running = guests.run::<()>(flow(&guests), async move {
                let _held = held;
                let _ = began.send(());
                loop {
                    match what {
                        "asleep" => std::future::pending().await,
                        _ => tokio::task::yield_now().await,
                    }
                }
            });
            has_begun.recv_timeout(SOON).expect("it begins");
            drop(running);
            assert_eq!(told.recv_timeout(SOON), Ok(what));
        }
        // Threads that end leave nothing in line.
        let held = Told(tell, "left");
        let running = guests.run::<()>(flow(&guests), async move {
            let _held = held;
            loop {
                tokio::task::yield_now().await;
            }
        });
        drop(guests);
        assert_eq!(running.await, None);
        assert_eq!(told.recv_timeout(SOON), Ok("left"));
    }
}

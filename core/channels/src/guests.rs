//! Where plugins' code runs: on threads of its own, so that whoever serves HTTP, the database or a timer never stands behind a
//! plugin that does not stop.
//!
//! A call is a task. It runs until it waits for something, is over, or the next tick of the engine's epoch ends its turn; whose turn
//! comes next is said in [`queue`]. What a call waits for (connections, TLS, timers) runs on a small runtime beside the threads,
//! which no guest ever holds: an answer that has come is read at once.

mod flow;
mod line;
mod queue;

use std::{
    cell::Cell,
    num::NonZero,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
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
    /// Of those that are kept here, and of those that somebody publishes.
    describing: [Arc<Flow>; 2],
    /// `None` while it is dropped.
    errands: Option<Runtime>,
}

/// Where a plugin comes from that is asked what it says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The operator's folder, or the database, where whatever is kept has said it once.
    Kept,
    /// Somebody who publishes it, and nobody has heard it yet.
    Published,
}

struct Shared {
    state: Mutex<State>,
    /// There is a turn for a thread that waits, or everything ends. Nobody is told when time has paid for a turn: a thread that waits
    /// for that finds out at the end of the turn that is under way, a tick later at most, or what the host itself does in one go (an
    /// RSA-4096 signature: 6 ms).
    changed: Condvar,
}

struct State {
    queue: Queue<Task>,
    /// Threads that wait for a turn.
    idle: u32,
    is_over: bool,
}

type Task = Runnable<Arc<Mark>>;

/// What a task has on it for whoever gives it up.
#[derive(Default)]
struct Mark {
    is_given_up: AtomicBool,
    /// Of its last time in line; read and written under the lock.
    ticket: AtomicU64,
}

impl State {
    /// Gets it in line; in front if it was given up on its way here.
    fn put(&mut self, flow: &Arc<Flow>, task: Task, now: Instant) {
        let mark = Arc::clone(task.metadata());
        let ticket = self.queue.push(Arc::clone(flow), task, now);
        mark.ticket.store(ticket, Ordering::Relaxed);
        if mark.is_given_up.load(Ordering::Relaxed) {
            self.queue.bring_forward(flow, ticket);
        }
    }
}

thread_local! {
    /// The task that this thread has run, if it wants to go on: it gets in line when what it burnt is counted, not before.
    static AGAIN: Cell<Option<Task>> = const { Cell::new(None) };
}

/// A call that was begun. Dropping it ends the call, on a guests' thread as well and ahead of all turns: what it holds is given back,
/// and its requests end, however much its tenant owes.
pub(crate) struct Begun<T> {
    /// `None` while it is dropped.
    task: Option<FallibleTask<T, Arc<Mark>>>,
    mark: Arc<Mark>,
    flow: Arc<Flow>,
    shared: Arc<Shared>,
}

/// `None` if the threads ended before the call.
impl<T> Future for Begun<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        match &mut self.task {
            Some(task) => Pin::new(task).poll(context),
            None => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take().filter(|task| !task.is_finished()) {
            // What is marked is not run again, for its future is dropped instead.
            drop(task);
            self.mark.is_given_up.store(true, Ordering::Relaxed);
            self.shared.bring_forward(&self.flow, &self.mark);
        }
    }
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
        let describing = [(); 2].map(|()| Flow::of(Burner::new(&machine)));
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

    /// Whose turns those are that nobody has a place for: of all plugins together that describe themselves, so that many which do
    /// not stop stand in each other's way, and in that of no payment which waits for a package that was kept.
    pub(crate) fn describing(&self, source: Source) -> Arc<Flow> {
        let [kept, published] = &self.describing;
        Arc::clone(match source {
            Source::Kept => kept,
            Source::Published => published,
        })
    }

    /// Begins the work there, in the caller's span. A panic in it comes to the caller; one while it is dropped would end the process
    /// (async-task aborts then), so nothing that a call holds may panic as it is dropped.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        flow: Arc<Flow>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Begun<T> {
        let shared = Arc::clone(&self.shared);
        let its = Arc::clone(&flow);
        let schedule = move |task: Task, info: ScheduleInfo| {
            if info.woken_while_running {
                AGAIN.set(Some(task));
            } else {
                shared.push(&its, task);
            }
        };
        // Whoever listens to this call alone, as the kit does, hears it there too.
        let work = work.in_current_span().with_current_subscriber();
        let mark = Arc::new(Mark::default());
        let builder = Builder::new().metadata(Arc::clone(&mark)).propagate_panic(true);
        let (task, running) = builder.spawn(|_| work, WithInfo(schedule));
        task.schedule();
        Begun { task: Some(running.fallible()), mark, flow, shared: Arc::clone(&self.shared) }
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

    fn push(&self, flow: &Arc<Flow>, task: Task) {
        let mut state = self.lock();
        if state.is_over {
            drop(state);
            return drop(task);
        }
        let now = Instant::now();
        state.put(flow, task, now);
        self.tell(state, now);
    }

    fn bring_forward(&self, flow: &Arc<Flow>, mark: &Mark) {
        let mut state = self.lock();
        state.queue.bring_forward(flow, mark.ticket.load(Ordering::Relaxed));
        self.tell(state, Instant::now());
    }

    /// Wakes a thread if there is a turn for it. One that is not idle looks by itself before it waits.
    fn tell(&self, state: MutexGuard<'_, State>, now: Instant) {
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
            self.tell(state, began);
            task.run();
            let (again, now) = (AGAIN.take(), Instant::now());
            state = self.lock();
            let flow = state.queue.over(turn, now.saturating_duration_since(began), now);
            if let Some(task) = again {
                state.put(&flow, task, now);
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

    /// However much its tenant owes, and whatever of that tenant runs meanwhile.
    #[tokio::test]
    async fn who_is_given_up_gives_back_at_once() {
        let guests = Guests::start().expect("threads");
        let (flow, neighbour) = (flow(&guests), flow(&guests));
        let (tell, told) = mpsc::channel();
        let (began, has_begun) = mpsc::channel();
        let waits = |what| {
            let (held, began) = (Told(tell.clone(), what), began.clone());
            guests.run(Arc::clone(&flow), async move {
                let _held = held;
                let _ = began.send(());
                std::future::pending::<()>().await;
            })
        };
        let asleep = waits("asleep");
        has_begun.recv_timeout(SOON).expect("it begins");
        flow.charge(Duration::from_secs(60), Instant::now());
        // No thread is free, and none of these ends by itself: who owes much has all that it may have, a neighbour the others.
        let runs = |flow: &Arc<Flow>| {
            let (began, (release, released)) = (began.clone(), mpsc::channel::<()>());
            let running = guests.run(Arc::clone(flow), async move {
                let _ = began.send(());
                let _ = released.recv();
            });
            has_begun.recv_timeout(SOON).expect("it runs");
            (running, release)
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).max(2);
        let _owing: Vec<_> = (0..threads / 2).map(|_| runs(&flow)).collect();
        let others: Vec<_> = (threads / 2..threads).map(|_| runs(&neighbour)).collect();
        let in_line = waits("in line");
        drop((asleep, in_line));
        drop(others);
        let ended = [told.recv_timeout(SOON), told.recv_timeout(SOON)];
        assert_eq!(ended, [Ok("asleep"), Ok("in line")]);
        assert!(has_begun.try_recv().is_err(), "it has not begun for that");
    }
}

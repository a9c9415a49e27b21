//! Whose turn is next.
//!
//! A tenant's calls of one plugin are a flow. It may burn an eighth of the machine by right: what it burns is paid off at that rate,
//! and whoever's is paid off first goes first (a virtual clock: Zhang, "VirtualClock: a new traffic control algorithm", 1991).
//! So one that wakes after waiting for its scheme goes ahead of those who run all the time, and of these none starves: time pays for
//! them all. Who owes much is kept to half of the threads, so that a call that runs for a moment, as nearly all do, finds a thread
//! free instead of waiting for the end of somebody's turn.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What a flow may burn by right: one part in so many of all processors.
const SHARE: u32 = 8;

/// From here on a flow owes much. On two processors 30 ms of running at a stretch: a call of a Rust channel takes less than one, of a
/// Python one some 10.
const DEBT_FREE: Duration = Duration::from_millis(120);

/// Longest that what was burnt is held against a flow.
const DEBT_MAX: Duration = Duration::from_secs(1);

/// One tenant's calls of one plugin.
#[derive(Debug)]
pub(crate) struct Flow {
    /// When all that it burnt is paid off.
    paid_off: Mutex<Instant>,
}

impl Flow {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { paid_off: Mutex::new(Instant::now()) })
    }

    /// Whether it burnt what is not paid off yet.
    pub(crate) fn owes(&self, now: Instant) -> bool {
        self.paid_off() > now
    }

    fn paid_off(&self) -> Instant {
        *self.paid_off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self, burnt: Duration, processors: u32, now: Instant) {
        let mut paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = paid_off.saturating_duration_since(now) + burnt * SHARE / processors;
        *paid_off = now + debt.min(DEBT_MAX);
    }
}

/// Tasks that are ready to run, `T`, each of its flow.
pub(super) struct Queue<T> {
    /// By when it is paid for, and who came first.
    ready: BTreeMap<(Instant, u64), (Arc<Flow>, T)>,
    came: u64,
    processors: u32,
    /// Turns under way of flows that owed much.
    in_debt: u32,
    in_debt_max: u32,
}

/// A turn under way.
#[must_use]
pub(super) struct Turn {
    flow: Arc<Flow>,
    is_in_debt: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(processors: u32, threads: u32) -> Self {
        Self { ready: BTreeMap::new(), came: 0, processors, in_debt: 0, in_debt_max: (threads / 2).max(1) }
    }

    pub(super) fn push(&mut self, flow: Arc<Flow>, task: T, now: Instant) {
        self.came += 1;
        self.ready.insert((flow.paid_off().max(now), self.came), (flow, task));
    }

    /// Begins the next turn; `None` if there is none that may begin now.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Turn, T)> {
        let is_in_debt = self.first(now)?;
        let (_, (flow, task)) = self.ready.pop_first()?;
        self.in_debt += u32::from(is_in_debt);
        Some((Turn { flow, is_in_debt }, task))
    }

    /// Whether another thread would find a turn.
    pub(super) fn has_next(&mut self, now: Instant) -> bool {
        self.first(now).is_some()
    }

    /// Ends a turn that took so long; whose it was.
    pub(super) fn over(&mut self, turn: Turn, burnt: Duration, now: Instant) -> Arc<Flow> {
        self.in_debt -= u32::from(turn.is_in_debt);
        turn.flow.charge(burnt, self.processors, now);
        turn.flow
    }

    /// All that are ready; for the end of everything.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.ready).into_values().map(|(_, task)| task).collect()
    }

    /// Puts the one whose turn is next in front, and tells whether it owes much; `None` if it may not begin now.
    fn first(&mut self, now: Instant) -> Option<bool> {
        loop {
            let first = self.ready.first_entry()?;
            let (place, came) = *first.key();
            let paid_off = first.get().0.paid_off();
            if paid_off > place {
                // Its flow has burnt more since it came.
                let waiting = first.remove();
                self.ready.insert((paid_off, came), waiting);
                continue;
            }
            let is_in_debt = place > now + DEBT_FREE;
            return (!is_in_debt || self.in_debt < self.in_debt_max).then_some(is_in_debt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    /// Two processors, two threads.
    struct Machine {
        queue: Queue<&'static str>,
        now: Instant,
    }

    impl Machine {
        fn new() -> Self {
            Self { queue: Queue::new(2, 2), now: Instant::now() }
        }

        fn comes(&mut self, flow: &Arc<Flow>, task: &'static str) {
            self.queue.push(Arc::clone(flow), task, self.now);
        }

        /// One thread runs it for a tick, after which it wants to go on.
        fn runs(&mut self) -> Option<&'static str> {
            let (turn, task) = self.queue.next(self.now)?;
            self.now += TICK;
            let flow = self.queue.over(turn, TICK, self.now);
            self.queue.push(flow, task, self.now);
            Some(task)
        }

        fn rages(&mut self, flow: &Arc<Flow>, task: &'static str) {
            self.comes(flow, task);
            (0..50).for_each(|_| assert!(self.runs().is_some()));
        }
    }

    #[test]
    fn whoever_wakes_goes_ahead_of_who_rages() {
        let (mut machine, raging, neighbour) = (Machine::new(), Flow::new(), Flow::new());
        machine.rages(&raging, "loop");
        machine.comes(&raging, "another loop");
        machine.comes(&neighbour, "charge");
        assert_eq!(machine.runs(), Some("charge"));
    }

    #[test]
    fn who_rages_has_half_of_the_threads() {
        let (mut machine, raging, neighbour) = (Machine::new(), Flow::new(), Flow::new());
        machine.rages(&raging, "loop");
        machine.comes(&raging, "another loop");
        let (turn, _) = machine.queue.next(machine.now).expect("a turn");
        assert!(!machine.queue.has_next(machine.now) && machine.queue.next(machine.now).is_none());
        machine.comes(&neighbour, "charge");
        let (charging, task) = machine.queue.next(machine.now).expect("a thread is kept for it");
        assert_eq!(task, "charge");
        let _ = machine.queue.over(turn, TICK, machine.now);
        assert!(machine.queue.has_next(machine.now), "the turn was given back");
        let _ = machine.queue.over(charging, TICK, machine.now);
    }

    /// What each gets of 1,000 turns on one thread.
    fn shares(machine: &mut Machine, tasks: [&str; 2]) -> [usize; 2] {
        let turns: Vec<_> = (0..1_000).filter_map(|_| machine.runs()).collect();
        tasks.map(|wanted| turns.iter().filter(|task| **task == wanted).count())
    }

    #[test]
    fn flows_get_equal_shares_however_many_calls_they_have() {
        let (mut machine, many, one) = (Machine::new(), Flow::new(), Flow::new());
        (0..16).for_each(|_| machine.comes(&many, "of many"));
        machine.comes(&one, "the one");
        let shares = shares(&mut machine, ["of many", "the one"]);
        assert!(shares.iter().all(|turns| (490..=510).contains(turns)), "{shares:?}");
    }

    #[test]
    fn nobody_starves_and_time_pays() {
        let (mut machine, raging, neighbour) = (Machine::new(), Flow::new(), Flow::new());
        machine.rages(&raging, "loop");
        machine.comes(&neighbour, "another loop");
        let shares = shares(&mut machine, ["loop", "another loop"]);
        assert!(shares[1] > shares[0] && shares[0] > 450, "the newcomer first, and then both: {shares:?}");
        assert!(raging.owes(machine.now));
        machine.now += DEBT_MAX;
        assert!(!raging.owes(machine.now), "nothing is held against it for longer");
        let _ = machine.queue.take_all();
        machine.comes(&raging, "again");
        machine.comes(&neighbour, "after it");
        assert_eq!(machine.runs(), Some("again"));
    }

    /// Calls that are each short, but without an end, are the flow's all the same.
    #[test]
    fn many_short_calls_are_as_one_long() {
        let (mut machine, raging, neighbour) = (Machine::new(), Flow::new(), Flow::new());
        for _ in 0..500 {
            machine.comes(&raging, "trap");
            let (turn, _) = machine.queue.next(machine.now).expect("a turn");
            machine.now += Duration::from_millis(1);
            let _ = machine.queue.over(turn, Duration::from_millis(1), machine.now);
        }
        machine.comes(&raging, "trap");
        machine.comes(&raging, "trap");
        machine.comes(&neighbour, "charge");
        let (_charging, first) = machine.queue.next(machine.now).expect("a turn");
        let (_trapping, second) = machine.queue.next(machine.now).expect("a turn");
        assert_eq!((first, second), ("charge", "trap"));
        assert!(machine.queue.next(machine.now).is_none(), "of two that owe much one runs");
    }
}

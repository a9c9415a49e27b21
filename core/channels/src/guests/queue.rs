//! Whose turn is next.
//!
//! What each burns is paid off with time ([`super::flow`]), and whoever's is paid off first goes first (a virtual clock: Zhang,
//! "VirtualClock: a new traffic control algorithm", 1991): first among tenants, then among a tenant's plugins. So one that wakes
//! after waiting for its scheme goes ahead of those who run all the time, and of these none starves: time pays for them all. Who owes
//! much is kept to half of the threads, so that a call that runs for a moment, as nearly all do, finds a thread free instead of
//! waiting for the end of somebody's turn.
//!
//! It is a right to an eighth: if eight tenants and more rage at once, none burns more than that, none owes, and a call waits for the
//! turns of them all.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::flow::{Flow, owes_much};

/// By when a tenant has paid, by when for this plugin, and who came first.
type Place = (Instant, Instant, u64);

/// Tasks that are ready to run, `T`, each of its flow.
pub(super) struct Queue<T> {
    ready: BTreeMap<Place, (Arc<Flow>, T)>,
    /// Ahead of all: those that nobody waits for any more. Nothing of them is run; what they hold is given back.
    given_up: Vec<(Arc<Flow>, T)>,
    came: u64,
    /// Turns under way of tenants that owed much.
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
    pub(super) fn new(threads: u32) -> Self {
        let in_debt_max = (threads / 2).max(1);
        Self { ready: BTreeMap::new(), given_up: Vec::new(), came: 0, in_debt: 0, in_debt_max }
    }

    pub(super) fn push(&mut self, flow: Arc<Flow>, task: T, now: Instant) {
        self.came += 1;
        let (tenant, own) = flow.paid_off();
        self.ready.insert((tenant.max(now), own.max(now), self.came), (flow, task));
    }

    /// Has those go first that nobody waits for any more.
    pub(super) fn bring_forward(&mut self, is_given_up: impl Fn(&T) -> bool) {
        let given_up = self.ready.extract_if(.., |_, (_, task)| is_given_up(task));
        self.given_up.extend(given_up.map(|(_, waiting)| waiting));
    }

    /// Begins the next turn; `None` if there is none that may begin now.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Turn, T)> {
        if let Some((flow, task)) = self.given_up.pop() {
            return Some((Turn { flow, is_in_debt: false }, task));
        }
        let is_in_debt = self.first(now)?;
        let (_, (flow, task)) = self.ready.pop_first()?;
        self.in_debt += u32::from(is_in_debt);
        Some((Turn { flow, is_in_debt }, task))
    }

    /// Whether another thread would find a turn.
    pub(super) fn has_next(&mut self, now: Instant) -> bool {
        !self.given_up.is_empty() || self.first(now).is_some()
    }

    /// Ends a turn that took so long; whose it was.
    pub(super) fn over(&mut self, turn: Turn, burnt: Duration, now: Instant) -> Arc<Flow> {
        self.in_debt -= u32::from(turn.is_in_debt);
        turn.flow.charge(burnt, now);
        turn.flow
    }

    /// All that are ready; for the end of everything.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        let ready = std::mem::take(&mut self.ready).into_values();
        ready.chain(self.given_up.drain(..)).map(|(_, task)| task).collect()
    }

    /// Puts the one whose turn is next in front, and tells whether its tenant owes much; `None` if it may not begin now.
    fn first(&mut self, now: Instant) -> Option<bool> {
        loop {
            let first = self.ready.first_entry()?;
            let (by_tenant, by_flow, came) = *first.key();
            let (tenant, own) = first.get().0.paid_off();
            if tenant > by_tenant || own > by_flow {
                // They have burnt more since it came.
                let waiting = first.remove();
                self.ready.insert((tenant.max(by_tenant), own.max(by_flow), came), waiting);
                continue;
            }
            let is_in_debt = owes_much(by_tenant, now);
            return (!is_in_debt || self.in_debt < self.in_debt_max).then_some(is_in_debt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::flow::{Burner, DEBT_MAX, Machine};

    const TICK: Duration = Duration::from_millis(10);

    /// Two processors, two threads.
    struct Threads {
        queue: Queue<&'static str>,
        now: Instant,
    }

    impl Threads {
        fn new() -> Self {
            Self { queue: Queue::new(2), now: Instant::now() }
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

    /// Each of a tenant of its own.
    fn flows<const N: usize>() -> [Arc<Flow>; N] {
        let machine = Machine::new(2);
        [(); N].map(|()| Flow::of(Burner::new(&machine)))
    }

    #[test]
    fn whoever_wakes_goes_ahead_of_who_rages() {
        let (mut threads, [raging, neighbour]) = (Threads::new(), flows());
        threads.rages(&raging, "loop");
        threads.comes(&raging, "another loop");
        threads.comes(&neighbour, "charge");
        assert_eq!(threads.runs(), Some("charge"));
    }

    #[test]
    fn who_rages_has_half_of_the_threads() {
        let (mut threads, [raging, neighbour]) = (Threads::new(), flows());
        threads.rages(&raging, "loop");
        threads.comes(&raging, "another loop");
        let (turn, _) = threads.queue.next(threads.now).expect("a turn");
        assert!(!threads.queue.has_next(threads.now) && threads.queue.next(threads.now).is_none());
        threads.comes(&neighbour, "charge");
        let (charging, task) = threads.queue.next(threads.now).expect("a thread is kept for it");
        assert_eq!(task, "charge");
        let _ = threads.queue.over(turn, TICK, threads.now);
        assert!(threads.queue.has_next(threads.now), "the turn was given back");
        let _ = threads.queue.over(charging, TICK, threads.now);
    }

    /// However many plugins a tenant has loop, each of them a sixteenth of the time.
    #[test]
    fn plugins_of_one_tenant_rage_as_one() {
        let machine = Machine::new(2);
        let (tenant, neighbour) = (Burner::new(&machine), Flow::of(Burner::new(&machine)));
        let plugins: Vec<_> = (0..16).map(|_| Flow::of(Arc::clone(&tenant))).collect();
        let mut threads = Threads::new();
        plugins.iter().for_each(|plugin| threads.comes(plugin, "loop"));
        (0..200).for_each(|_| assert!(threads.runs().is_some()));
        assert!(plugins.iter().all(|plugin| !owes_much(plugin.paid_off().1, threads.now)), "none of them by itself");
        let (turn, _) = threads.queue.next(threads.now).expect("a turn");
        assert!(!threads.queue.has_next(threads.now), "half of the threads, all together");
        threads.comes(&neighbour, "charge");
        let (charging, task) = threads.queue.next(threads.now).expect("a thread is kept for it");
        assert_eq!(task, "charge");
        let _ = (threads.queue.over(turn, TICK, threads.now), threads.queue.over(charging, TICK, threads.now));
        threads.comes(&neighbour, "again");
        assert_eq!(threads.runs(), Some("again"), "and it goes first");
    }

    #[test]
    fn of_a_tenants_plugins_the_one_that_rages_stands_behind() {
        let machine = Machine::new(2);
        let tenant = Burner::new(&machine);
        let [bills, till] = [(); 2].map(|()| Flow::of(Arc::clone(&tenant)));
        let mut threads = Threads::new();
        threads.rages(&bills, "bill");
        threads.comes(&bills, "another bill");
        threads.comes(&till, "charge");
        assert_eq!(threads.runs(), Some("charge"));
    }

    #[test]
    fn whoever_is_given_up_goes_first() {
        let (mut threads, [raging, neighbour]) = (Threads::new(), flows());
        threads.rages(&raging, "loop");
        threads.comes(&raging, "given up");
        threads.comes(&neighbour, "charge");
        let (charging, _) = threads.queue.next(threads.now).expect("a turn");
        let (looping, _) = threads.queue.next(threads.now).expect("a turn");
        assert!(!threads.queue.has_next(threads.now), "who owes much has its half");
        threads.queue.bring_forward(|task| *task == "elsewhere");
        assert!(!threads.queue.has_next(threads.now));
        threads.queue.bring_forward(|task| *task == "given up");
        assert!(threads.queue.has_next(threads.now));
        let (ending, task) = threads.queue.next(threads.now).expect("a turn of no limit");
        assert_eq!(task, "given up");
        for turn in [charging, looping, ending] {
            let _ = threads.queue.over(turn, TICK, threads.now);
        }
        assert!(threads.queue.take_all().is_empty(), "it was there once");
    }

    /// What each gets of 1,000 turns on one thread.
    fn shares(threads: &mut Threads, tasks: [&str; 2]) -> [usize; 2] {
        let turns: Vec<_> = (0..1_000).filter_map(|_| threads.runs()).collect();
        tasks.map(|wanted| turns.iter().filter(|task| **task == wanted).count())
    }

    #[test]
    fn flows_get_equal_shares_however_many_calls_they_have() {
        let (mut threads, [many, one]) = (Threads::new(), flows());
        (0..16).for_each(|_| threads.comes(&many, "of many"));
        threads.comes(&one, "the one");
        let shares = shares(&mut threads, ["of many", "the one"]);
        assert!(shares.iter().all(|turns| (490..=510).contains(turns)), "{shares:?}");
    }

    #[test]
    fn nobody_starves_and_time_pays() {
        let (mut threads, [raging, neighbour]) = (Threads::new(), flows());
        threads.rages(&raging, "loop");
        threads.comes(&neighbour, "another loop");
        let shares = shares(&mut threads, ["loop", "another loop"]);
        assert!(shares[1] > shares[0] && shares[0] > 450, "the newcomer first, and then both: {shares:?}");
        assert!(raging.owes(threads.now));
        threads.now += DEBT_MAX;
        assert!(!raging.owes(threads.now), "nothing is held against it for longer");
        let _ = threads.queue.take_all();
        threads.comes(&raging, "again");
        threads.comes(&neighbour, "after it");
        assert_eq!(threads.runs(), Some("again"));
    }

    /// Calls that are each short, but without an end, are the flow's all the same.
    #[test]
    fn many_short_calls_are_as_one_long() {
        let (mut threads, [raging, neighbour]) = (Threads::new(), flows());
        for _ in 0..500 {
            threads.comes(&raging, "trap");
            let (turn, _) = threads.queue.next(threads.now).expect("a turn");
            threads.now += Duration::from_millis(1);
            let _ = threads.queue.over(turn, Duration::from_millis(1), threads.now);
        }
        threads.comes(&raging, "trap");
        threads.comes(&raging, "trap");
        threads.comes(&neighbour, "charge");
        let (_charging, first) = threads.queue.next(threads.now).expect("a turn");
        let (_trapping, second) = threads.queue.next(threads.now).expect("a turn");
        assert_eq!((first, second), ("charge", "trap"));
        assert!(threads.queue.next(threads.now).is_none(), "of two that owe much one runs");
    }
}

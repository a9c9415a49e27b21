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
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    flow::{Flow, owes_much},
    line::Line,
};

/// Tasks that are ready to run, `T`, each of its flow.
pub(super) struct Queue<T> {
    /// Tenants, and of each its flows: what one burns moves one entry in either, however many tasks it has.
    tenants: Line<Line<Ready<T>>>,
    /// Ahead of all: those that nobody waits for any more. Nothing of them is run; what they hold is given back.
    given_up: VecDeque<(Arc<Flow>, T)>,
    came: u64,
    /// Turns under way of tenants that owed much.
    in_debt: u32,
    /// Turns under way of those that are given up.
    ending: u32,
    /// Threads that those two have, all together; the others are kept for whoever comes, but see [`Self::may_end`].
    half: u32,
}

/// What a flow has ready, first what came first.
struct Ready<T> {
    flow: Arc<Flow>,
    tasks: BTreeMap<Ticket, T>,
}

/// By which a task is found that is in line. Zero is none's.
pub(super) type Ticket = u64;

/// A turn under way.
#[must_use]
pub(super) struct Turn {
    flow: Arc<Flow>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    OfRight,
    InDebt,
    Ending,
}

impl<T> Queue<T> {
    pub(super) fn new(threads: u32) -> Self {
        let half = (threads / 2).max(1);
        Self { tenants: Line::new(), given_up: VecDeque::new(), came: 0, in_debt: 0, ending: 0, half }
    }

    pub(super) fn push(&mut self, flow: Arc<Flow>, task: T, now: Instant) -> Ticket {
        self.came += 1;
        let ticket = self.came;
        let (by_tenant, by_flow) = flow.paid_off();
        let (tenant, own) = flow.ids();
        let flows = self.tenants.entry(tenant, (by_tenant.max(now), ticket), Line::new);
        let fresh = || Ready { flow, tasks: BTreeMap::new() };
        flows.entry(own, (by_flow.max(now), ticket), fresh).tasks.insert(ticket, task);
        ticket
    }

    /// Has the flow's task of that ticket go first, which nobody waits for any more. Nothing happens if it is not in line.
    pub(super) fn bring_forward(&mut self, flow: &Arc<Flow>, ticket: Ticket) {
        let task = self.take(flow, |tasks| tasks.remove(&ticket));
        self.given_up.extend(task.map(|task| (Arc::clone(flow), task)));
    }

    /// Begins the next turn; `None` if there is none that may begin now.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Turn, T)> {
        if self.may_end()
            && let Some((flow, task)) = self.given_up.pop_front()
        {
            self.ending += 1;
            return Some((Turn { flow, kind: Kind::Ending }, task));
        }
        let kind = self.first(now)?;
        let flow = Arc::clone(&self.tenants.first_key_value()?.1.first_key_value()?.1.flow);
        let task = self.take(&flow, |tasks| tasks.pop_first().map(|(_, task)| task))?;
        // What else it has comes after those that wait already.
        self.put_off(&flow, now);
        self.in_debt += u32::from(kind == Kind::InDebt);
        Some((Turn { flow, kind }, task))
    }

    /// Whether another thread would find a turn.
    pub(super) fn has_next(&self, now: Instant) -> bool {
        self.may_end() && !self.given_up.is_empty() || self.first(now).is_some()
    }

    /// Ends a turn that took so long; whose it was.
    pub(super) fn over(&mut self, turn: Turn, burnt: Duration, now: Instant) -> Arc<Flow> {
        match turn.kind {
            Kind::OfRight => {}
            Kind::InDebt => self.in_debt -= 1,
            Kind::Ending => self.ending -= 1,
        }
        turn.flow.charge(burnt, now);
        self.put_off(&turn.flow, now);
        turn.flow
    }

    /// All that are ready; for the end of everything.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        let flows = std::mem::replace(&mut self.tenants, Line::new()).into_values().flat_map(Line::into_values);
        let ready = flows.flat_map(|ready| ready.tasks.into_values());
        ready.chain(self.given_up.drain(..).map(|(_, task)| task)).collect()
    }

    /// Giving back what a call holds takes milliseconds if it has touched much memory, and no tick interrupts it. So those who owe
    /// much make room for it, and beside them one is given back at a time.
    fn may_end(&self) -> bool {
        self.ending == 0 || self.ending + self.in_debt < self.half
    }

    /// Of what kind the next turn is; `None` if it may not begin now.
    fn first(&self, now: Instant) -> Option<Kind> {
        let ((by_tenant, _), _) = self.tenants.first_key_value()?;
        if !owes_much(*by_tenant, now) {
            return Some(Kind::OfRight);
        }
        (self.ending + self.in_debt < self.half).then_some(Kind::InDebt)
    }

    /// One of the flow's tasks, out of the line.
    fn take(&mut self, flow: &Flow, pick: impl FnOnce(&mut BTreeMap<Ticket, T>) -> Option<T>) -> Option<T> {
        let (tenant, own) = flow.ids();
        let flows = self.tenants.get_mut(tenant)?;
        let ready = flows.get_mut(own)?;
        let task = pick(&mut ready.tasks)?;
        if ready.tasks.is_empty() {
            flows.remove(own);
        }
        if flows.is_empty() {
            self.tenants.remove(tenant);
        }
        Some(task)
    }

    /// Its tenant, and it among that one's flows, to where they belong after a turn.
    fn put_off(&mut self, flow: &Flow, now: Instant) {
        let (by_tenant, by_flow) = flow.paid_off();
        let (tenant, own) = flow.ids();
        self.tenants.put_off(tenant, by_tenant.max(now));
        if let Some(flows) = self.tenants.get_mut(tenant) {
            flows.put_off(own, by_flow.max(now));
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

        fn comes(&mut self, flow: &Arc<Flow>, task: &'static str) -> Ticket {
            self.queue.push(Arc::clone(flow), task, self.now)
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
        plugins.iter().for_each(|plugin| _ = threads.comes(plugin, "loop"));
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
        let alone = threads.comes(&raging, "alone");
        threads.queue.bring_forward(&raging, alone);
        let (ending, task) = threads.queue.next(threads.now).expect("a turn");
        assert_eq!(task, "alone");
        let _ = threads.queue.over(ending, TICK, threads.now);
        assert!(!threads.queue.has_next(threads.now), "it was there once");
        threads.rages(&raging, "loop");
        threads.comes(&raging, "another loop");
        let given_up = ["given up", "as well"].map(|task| threads.comes(&raging, task));
        threads.comes(&neighbour, "charge");
        let (charging, _) = threads.queue.next(threads.now).expect("a turn");
        let (looping, _) = threads.queue.next(threads.now).expect("a turn");
        assert!(!threads.queue.has_next(threads.now), "who owes much has its half");
        threads.queue.bring_forward(&neighbour, given_up[0]);
        assert!(!threads.queue.has_next(threads.now), "that was not its own");
        given_up.iter().for_each(|ticket| threads.queue.bring_forward(&raging, *ticket));
        assert!(threads.queue.has_next(threads.now));
        let (ending, task) = threads.queue.next(threads.now).expect("a turn beside those who owe much");
        assert_eq!(task, "given up");
        assert!(!threads.queue.has_next(threads.now), "one at a time");
        threads.comes(&neighbour, "another charge");
        let (charging_too, task) = threads.queue.next(threads.now).expect("it is kept waiting by neither");
        assert_eq!(task, "another charge");
        let _ = threads.queue.over(ending, TICK, threads.now);
        let (ending, task) = threads.queue.next(threads.now).expect("the next one");
        assert_eq!(task, "as well");
        for turn in [charging, charging_too, looping] {
            let _ = threads.queue.over(turn, TICK, threads.now);
        }
        assert!(!threads.queue.has_next(threads.now), "who owes much makes room for it");
        let _ = threads.queue.over(ending, TICK, threads.now);
        assert_eq!(threads.queue.take_all(), ["another loop"]);
    }

    /// What each gets of 1,000 turns on one thread.
    fn shares(threads: &mut Threads, tasks: [&str; 2]) -> [usize; 2] {
        let turns: Vec<_> = (0..1_000).filter_map(|_| threads.runs()).collect();
        tasks.map(|wanted| turns.iter().filter(|task| **task == wanted).count())
    }

    #[test]
    fn flows_get_equal_shares_however_many_calls_they_have() {
        let (mut threads, [many, one]) = (Threads::new(), flows());
        (0..16).for_each(|_| _ = threads.comes(&many, "of many"));
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

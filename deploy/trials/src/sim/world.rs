//! The world of one run: what happens next, in which order, until everything has come to an end.
//!
//! Nothing here waits: the next thing that happens is the earliest of those that are to happen, and the clock is set to it.
//! What happens at the same moment happens in the order in which it was caused.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    path::Path,
};

use anyhow::Result;
use saoma_channels::Failure;
use saoma_protocol::{HandSettlementId, Millis, PaymentId, TerminalId, api::PaymentState, topic::Topic};
use saoma_store::Store;
use tokio::sync::oneshot;

use super::{
    auditor::{self, Broken},
    canary::Canary,
    door::{Answer, Asked},
    facts,
    luck::{Mishaps, Struck},
    network::Back,
    node::{self, Node},
    plan::{Action, PLAY_MS, Plan, Planned, Says},
    scheme::{Ask, Later, Said, Scheme},
    template::{TENANT, TERMINALS, Template},
    terminal::{End, Terminal, Unheard},
    wires::{Wanted, Wires},
};

/// What is open after that long will not end by itself.
const OPEN_MS_MAX: i64 = 4 * 3_600_000;
/// Nothing of core's is planned that far ahead.
const FAR_AHEAD_MS: i64 = 3_600_000;
/// Longest run in events; one that goes on past it turns in circles.
const EVENTS_MAX: u64 = 400_000;

/// What is to happen.
pub(super) enum Event {
    Act(Action),
    Gate(oneshot::Sender<()>),
    AtScheme {
        ask: Ask,
        call: Option<u64>,
    },
    FromScheme {
        call: u64,
        said: Result<Said, Failure>,
    },
    AtCore {
        request: u64,
        asked: Asked,
    },
    Back {
        request: u64,
        end: Result<Answer, Unheard>,
    },
    AtTerminal {
        terminal: usize,
        topic: Topic,
        payload: Vec<u8>,
    },
    Scheme(Later),
    Pay {
        sale: usize,
        number: String,
    },
    Confirm {
        settlement: HandSettlementId,
        by: &'static str,
    },
    Workers,
    Ticks,
    StartCore(usize),
    StartTerminal(usize),
    Mended {
        terminal: usize,
    },
    /// Mishaps are over.
    Calm,
    /// Is everything at its end?
    Look,
}

pub(super) struct Due {
    at: Reverse<(i64, u64)>,
    pub(super) event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    pub hash: u64,
    pub events: u64,
    pub broken: Vec<Broken>,
    pub struck: Vec<Struck>,
    pub lines: Vec<String>,
    pub virtual_ms: i64,
}

/// What is left out of a run, for a shorter one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub actions: BTreeSet<usize>,
    pub mishaps: BTreeSet<u32>,
}

pub struct World<'a> {
    pub(super) wires: Wires,
    pub(super) template: &'a Template,
    pub(super) store: Store,
    pub(super) plan: Plan,
    pub(super) canary: Option<Canary>,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) terminals: Vec<Terminal>,
    /// Terminals without network, and without the broker alone, until mended.
    pub(super) cut: BTreeSet<usize>,
    pub(super) hushed: BTreeSet<usize>,
    pub(super) scheme: Scheme,
    /// Until when it answers nobody of ours.
    pub(super) scheme_back_at_ms: i64,
    /// Settlements by hand that nobody but their proposer has confirmed.
    pub(super) lone: BTreeSet<HandSettlementId>,
    pub(super) queue: BinaryHeap<Due>,
    pub(super) n_queued: u64,
    pub(super) n_numbers: u64,
    pub(super) calls: BTreeMap<u64, oneshot::Sender<Result<Said, Failure>>>,
    pub(super) requests: BTreeMap<u64, Back>,
    /// Codes that their customers have seen.
    seen: BTreeSet<PaymentId>,
    watch: auditor::Watch,
    pub(super) broken: Vec<Broken>,
    /// When core's next work is due, as it stood after so many commits.
    pub(super) next_due: Option<(u64, Option<Millis>)>,
    /// When mishaps ended.
    calm_at_ms: Option<i64>,
    sets_clocks: bool,
}

/// Which run is played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Game {
    pub seed: u64,
    pub canary: Option<Canary>,
    pub left_out: LeftOut,
}

/// Plays a run.
///
/// # Errors
/// If the world itself cannot be set up; what the run finds is in the outcome.
pub fn play(template: &Template, room: &Path, game: &Game, in_words: bool) -> Result<Outcome> {
    let Game { seed, canary, left_out } = game;
    node::hear_panics();
    let mut plan = Plan::draw(*seed);
    if canary.is_none_or(Canary::is_alone) {
        plan.sell_alone(*seed);
    }
    let mut idx = 0;
    plan.actions.retain(|_| {
        idx += 1;
        !left_out.actions.contains(&(idx - 1))
    });
    let mishaps = Mishaps { left_out: left_out.mishaps.clone(), ..Mishaps::default() };
    let wires = Wires::new(*seed, plan.nodes + plan.terminals, mishaps, in_words);
    let (store, journals) = template.lay(room, plan.alone)?;
    super::template::keep_terminals(&store, template.scope, plan.terminals)?;
    if plan.keeps_late {
        super::template::set_late_policy(&store, template.scope, true)?;
    }
    let mut world = World::new(template, wires, store, &journals, plan, *canary);
    world.begin()?;
    world.run()?;
    world.end()
}

impl<'a> World<'a> {
    fn new(
        template: &'a Template,
        wires: Wires,
        store: Store,
        journals: &[std::path::PathBuf],
        plan: Plan,
        canary: Option<Canary>,
    ) -> Self {
        let terminals = journals
            .iter()
            .take(plan.terminals)
            .enumerate()
            .map(|(idx, path)| Terminal {
                idx,
                clock: plan.nodes + idx,
                tenant: TENANT,
                id: TERMINALS[idx],
                path: path.clone(),
                hand: template.hands[idx].clone(),
                run: None,
                incarnation: 0,
                wires: wires.clone(),
                canary,
                sent: Vec::new(),
                told: Vec::new(),
                promised: BTreeMap::new(),
                numbers: BTreeMap::new(),
                cash: BTreeSet::new(),
                acknowledged: Vec::new(),
                alarms: Vec::new(),
                grant: plan.alone.then_some(template.grant),
            })
            .collect();
        Self {
            scheme: Scheme::new(plan.customers.clone()),
            nodes: (0..plan.nodes).map(|_| None).collect(),
            scheme_back_at_ms: 0,
            lone: BTreeSet::new(),
            wires,
            template,
            store,
            plan,
            canary,
            terminals,
            cut: BTreeSet::new(),
            hushed: BTreeSet::new(),
            queue: BinaryHeap::new(),
            n_queued: 0,
            n_numbers: 0,
            calls: BTreeMap::new(),
            requests: BTreeMap::new(),
            seen: BTreeSet::new(),
            watch: auditor::Watch::default(),
            broken: Vec::new(),
            next_due: None,
            calm_at_ms: None,
            sets_clocks: false,
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.sets_clocks = self.plan.actions.iter().any(|planned| matches!(planned.action, Action::SetClock { .. }));
        for (idx, planned) in std::mem::take(&mut self.plan.actions).into_iter().enumerate() {
            let Planned { at_ms, action } = planned;
            self.wires.note(format_args!("a{idx}: at {at_ms} {action:?}"));
            self.at(at_ms, Event::Act(action));
        }
        for node in 0..self.nodes.len() {
            self.start_core(node)?;
        }
        for terminal in 0..self.terminals.len() {
            self.with_terminal(terminal, Terminal::start);
        }
        self.at(0, Event::Workers);
        self.at(0, Event::Ticks);
        self.at(PLAY_MS, Event::Calm);
        Ok(())
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.wires.lock().now_ms
    }

    fn at(&mut self, at_ms: i64, event: Event) {
        self.n_queued += 1;
        self.queue.push(Due { at: Reverse((at_ms, self.n_queued)), event });
    }

    pub(super) fn after(&mut self, ms: i64, event: Event) {
        let at_ms = self.now_ms() + ms;
        self.at(at_ms, event);
    }

    fn run(&mut self) -> Result<()> {
        let mut n_events = 0;
        while let Some(Due { at: Reverse((at_ms, _)), event }) = self.queue.pop() {
            self.wires.lock().now_ms = at_ms;
            n_events += 1;
            if at_ms > OPEN_MS_MAX || n_events > EVENTS_MAX {
                let open = self.still_open()?;
                self.broken.push(Broken::new("everything open gets resolved", open));
                break;
            }
            if matches!(event, Event::Look) {
                if self.is_over()? {
                    break;
                }
                self.after(2_000, Event::Look);
                continue;
            }
            self.happen(event)?;
            self.settle()?;
            for panic in node::panics() {
                self.broken.push(Broken::new("core does not panic", panic));
            }
            if !self.broken.is_empty() {
                break;
            }
        }
        self.n_queued = n_events;
        Ok(())
    }

    /// Lets core's code run until it waits for the world, and takes up what it wants.
    fn settle(&mut self) -> Result<()> {
        for node in self.nodes.iter().flatten() {
            node.settle();
        }
        let wanted = std::mem::take(&mut self.wires.lock().wanted);
        for wanted in wanted {
            match wanted {
                Wanted::Gate { release, hold_ms } => self.after(hold_ms, Event::Gate(release)),
                Wanted::Crash { node } => self.kill_core(node),
                Wanted::Call(call) => self.call(call),
                Wanted::Publish { topic, payload } => self.publish(topic, payload),
                Wanted::Served { request, answer } => self.served(request, answer),
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Act(action) => self.act(&action),
            // Its node may be gone.
            Event::Gate(release) => drop(release.send(())),
            Event::AtScheme { ask, call } => self.at_scheme(&ask, call),
            Event::FromScheme { call, said } => {
                if let Some(answer) = self.calls.remove(&call) {
                    drop(answer.send(said));
                }
            }
            Event::AtCore { request, asked } => self.at_core(request, asked),
            Event::Back { request, end } => self.back(request, end),
            Event::AtTerminal { terminal, topic, payload } => {
                // What was on its way when the connection ended is lost.
                if !self.terminals[terminal].run.as_ref().is_some_and(|run| run.mqtt) {
                    return Ok(());
                }
                self.wires.note(format_args!("t{terminal} hears {:?}", topic.leaf));
                self.with_terminal(terminal, |terminal| terminal.told_by_broker(&topic, &payload));
            }
            Event::Scheme(later) => self.scheme_happens(&later),
            Event::Pay { sale, number } => {
                self.wires.note(format_args!("customer {sale} pays {number}"));
                let later = self.scheme.pay(&number, sale, &self.wires);
                self.later(later);
            }
            Event::Confirm { settlement, by } => self.request(Asked::Confirm { settlement, by }, Back::Nobody),
            Event::Workers => self.workers()?,
            Event::Ticks => self.ticks(),
            Event::StartCore(node) => self.start_core(node)?,
            Event::StartTerminal(terminal) => {
                if self.terminals[terminal].run.is_none() {
                    self.with_terminal(terminal, Terminal::start);
                }
            }
            Event::Mended { terminal } => {
                self.cut.remove(&terminal);
                self.hushed.remove(&terminal);
            }
            Event::Calm => self.calm()?,
            Event::Look => {}
        }
        Ok(())
    }

    fn start_core(&mut self, node: usize) -> Result<()> {
        if self.nodes[node].is_none() {
            self.wires.note(format_args!("core {node} starts"));
            let started = Node::start(
                node,
                self.n_queued,
                self.template,
                &self.wires,
                &self.store,
                (self.canary, self.plan.alone),
            )?;
            self.nodes[node] = Some(started);
        }
        Ok(())
    }

    pub(super) fn kill_core(&mut self, node: usize) {
        if self.nodes[node].take().is_none() {
            return;
        }
        self.wires.note(format_args!("core {node} is dead"));
        let calm = self.calm_at_ms.is_some();
        let (back_ms, drops) = {
            let mut world = self.wires.lock();
            let back_ms = if calm { 1_000 } else { world.luck.pick(&[100, 2_000, 20_000, 90_000]) };
            (back_ms, world.luck.permille(500))
        };
        if drops || self.nodes.iter().all(Option::is_none) {
            for terminal in 0..self.terminals.len() {
                self.unlink(terminal);
            }
        }
        self.after(back_ms, Event::StartCore(node));
    }

    /// Runs a step of a terminal, carries away what it sends, and ends its process if the step did.
    pub(super) fn with_terminal(&mut self, idx: usize, step: impl FnOnce(&mut Terminal) -> Result<(), End>) {
        let terminal = &mut self.terminals[idx];
        let done = step(terminal);
        let sent = std::mem::take(&mut terminal.sent);
        for sent in sent {
            self.send(idx, sent);
        }
        self.codes_on_show(idx);
        match done {
            Ok(()) => {}
            Err(End::Crash) => self.kill_terminal(idx),
            Err(End::Broken(why)) => self.broken.push(Broken::new("a terminal can go on", why)),
        }
    }

    pub(super) fn kill_terminal(&mut self, idx: usize) {
        let terminal = &mut self.terminals[idx];
        if terminal.run.take().is_none() {
            return;
        }
        let id = terminal.id;
        let back_ms = {
            let mut world = self.wires.lock();
            world.note(format_args!("t{idx} is dead"));
            world.connected.retain(|connected| *connected != id);
            if self.calm_at_ms.is_some() { 500 } else { world.luck.pick(&[500, 5_000, 40_000, 80_000]) }
        };
        self.after(back_ms, Event::StartTerminal(idx));
    }

    /// Customers who see a code for the first time.
    fn codes_on_show(&mut self, idx: usize) {
        let terminal = &self.terminals[idx];
        let shown: Vec<(PaymentId, usize)> = terminal
            .run
            .iter()
            .flat_map(|run| run.sales.values())
            .filter(|sale| sale.state() == Some(PaymentState::Presenting) && !self.seen.contains(&sale.kept.payment))
            .filter_map(|sale| Some((sale.kept.payment, *terminal.numbers.get(&sale.kept.payment)?)))
            .collect();
        for (payment, sale) in shown {
            self.sees(sale, payment);
        }
    }

    /// A customer who sees a code for the first time, and will pay it or not.
    pub(super) fn sees(&mut self, sale: usize, payment: PaymentId) {
        if !self.seen.insert(payment) {
            return;
        }
        let customer = self.plan.customers[sale];
        let after_ms = match customer.says {
            Says::Yes => customer.pays_after_ms,
            Says::Later { after_ms } => customer.pays_after_ms + after_ms,
            Says::No | Says::Never => return,
        };
        self.after(after_ms, Event::Pay { sale, number: payment.to_string() });
    }

    fn workers(&mut self) -> Result<()> {
        let due_at = self.next_due()?;
        let commits = self.wires.lock().commits;
        let is_forwarding = self.terminals.iter().any(Terminal::is_forwarding);
        let mut watched = false;
        for idx in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[idx] else { continue };
            if node.looked_at != commits {
                node.looked_at = commits;
                watched = true;
            }
            let now = self.wires.clock(idx);
            // A real worker looks all the time, so it also sees what lies oddly far ahead.
            if due_at.is_some_and(|due_at| due_at <= now || due_at > now.plus(FAR_AHEAD_MS)) {
                node.ring();
            }
            if is_forwarding {
                node.ring_forward();
            }
        }
        if watched && commits.is_multiple_of(4) {
            let seen = self.store.read_blocking(|tx| facts::standings(tx, &self.template.scope))?;
            let since = if self.sets_clocks { None } else { self.calm_at_ms };
            self.broken.extend(self.watch.look(&seen, self.now_ms(), since));
        }
        self.after(500, Event::Workers);
        Ok(())
    }

    fn ticks(&mut self) {
        for idx in 0..self.terminals.len() {
            let Some(run) = &self.terminals[idx].run else { continue };
            if !run.mqtt {
                self.link_again(idx);
            }
            let idle = !self.plan.alone
                && self.terminals[idx].is_quiet()
                && self.terminals[idx].run.as_ref().is_some_and(|run| run.mqtt);
            if !idle {
                self.with_terminal(idx, Terminal::tick);
            }
        }
        self.after(if self.calm_at_ms.is_some() { 2_000 } else { 500 }, Event::Ticks);
    }

    fn calm(&mut self) -> Result<()> {
        {
            let mut world = self.wires.lock();
            world.note(format_args!("calm"));
            world.mishaps.over = true;
            world.clocks_ms.fill(0);
        }
        self.calm_at_ms = Some(self.now_ms());
        self.cut.clear();
        self.hushed.clear();
        for node in 0..self.nodes.len() {
            self.start_core(node)?;
        }
        for terminal in 0..self.terminals.len() {
            if self.terminals[terminal].run.is_none() {
                self.with_terminal(terminal, Terminal::start);
            }
        }
        self.after(2_000, Event::Look);
        Ok(())
    }

    pub(super) fn terminal_of(&self, id: TerminalId) -> Option<usize> {
        self.terminals.iter().position(|terminal| terminal.id == id)
    }
}

#[cfg(test)]
mod tests;

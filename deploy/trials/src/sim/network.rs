//! Everything between the parties: what is lost on the way, comes twice, comes late, or comes to nobody.

use saoma_channels::Failure;
use saoma_edge::sale;
use saoma_protocol::{
    PaymentId,
    api::{PaymentState, PaymentView},
    topic::Topic,
};
use tokio::sync::oneshot;

use super::{
    caller::{CALL_MS_MAX, Call, Notice},
    door::{Answer, Asked},
    scheme::{Ask, Later, Said, Standing, Subject},
    terminal::{Sent, Unheard},
    wires::Inner,
    world::{Event, World},
};

/// How long a terminal waits for an answer of core, and a scheme for the acknowledgement of its news, in milliseconds.
const ANSWER_MS_MAX: i64 = 15_000;

/// How long a call can be on its way to the scheme, in milliseconds: core's promise holds for networks that are done with a
/// request within 30 s.
const ON_ITS_WAY_MS_MAX: i64 = 25_000;

/// By how much a wrong amount is wrong: not by the one that a customer may pay too little, so that two wrongs make no right.
const WRONG_BY_MINOR: i64 = 3;

/// Who waits for the answer to a request.
pub enum Back {
    Sale {
        terminal: usize,
        incarnation: u64,
        payment: PaymentId,
        ask: sale::Ask,
    },
    Journal {
        terminal: usize,
        incarnation: u64,
    },
    Pushes {
        terminal: usize,
        incarnation: u64,
    },
    OfflineList {
        terminal: usize,
        incarnation: u64,
    },
    /// With what was told of it.
    Scheme {
        of: Subject,
        paid: bool,
    },
    OtherWay {
        sale: usize,
        payment: PaymentId,
    },
    Nobody,
}

/// When copies of a message arrive, in milliseconds from now. None: it is lost.
fn arrivals(world: &mut Inner, lost: &'static str, doubled: &'static str, slow: &'static str) -> Vec<i64> {
    let (chance_lost, chance_doubled, chance_slow) = (world.rates.lost, world.rates.doubled, world.rates.slow);
    if world.strikes(chance_lost, lost) {
        return Vec::new();
    }
    let mut arrivals = vec![world.luck.between(2, 60)];
    if world.strikes(chance_doubled, doubled) {
        arrivals.push(world.luck.pick(&[3, 500, 20_000]));
    }
    if world.strikes(chance_slow, slow) {
        arrivals[0] += world.luck.pick(&[300, 2_000, 4_990, 12_000, 40_000]);
    }
    arrivals
}

impl World<'_> {
    fn number(&mut self) -> u64 {
        self.n_numbers += 1;
        self.n_numbers
    }

    /// Core calls the scheme.
    pub(super) fn call(&mut self, call: Call) {
        let Call { node, ask, answer } = call;
        let id = self.number();
        let wires = self.wires.clone();
        let mut world = wires.lock();
        world.note(format_args!("c{id} {ask:?}"));
        if world.now_ms < self.scheme_back_at_ms {
            let refused = world.luck.permille(500);
            drop(world);
            let (ms, failure) = if refused {
                (5, Failure::NotSent { why: "connection refused".to_owned() })
            } else {
                (CALL_MS_MAX, Failure::TimedOut { after_ms: CALL_MS_MAX.unsigned_abs() })
            };
            return self.end_call(id, answer, ms, failure);
        }
        let (not_sent, trap) = (world.rates.not_sent, world.rates.trap);
        if world.strikes(not_sent, "the scheme cannot be reached") {
            drop(world);
            return self.end_call(id, answer, 5, Failure::NotSent { why: "connection refused".to_owned() });
        }
        if world.strikes(trap, "the plugin crashes in a call") {
            let reached = world.luck.permille(500);
            drop(world);
            if reached {
                self.after(4, Event::AtScheme { ask, call: None });
            }
            return self.end_call(id, answer, 10, Failure::Trapped { why: "unreachable".to_owned() });
        }
        let arrivals = arrivals(
            &mut world,
            "a call to the scheme is lost",
            "a call to the scheme arrives twice",
            "a call to the scheme is slow",
        );
        let chance = world.rates.core_crash;
        let dies = self.nodes[node].is_some() && world.strikes(chance, "core dies while it waits for the scheme");
        drop(world);
        for (copy, arrives_ms) in arrivals.into_iter().enumerate() {
            let call = (copy == 0).then_some(id);
            self.after(arrives_ms.min(ON_ITS_WAY_MS_MAX), Event::AtScheme { ask: ask.clone(), call });
        }
        self.end_call(id, answer, CALL_MS_MAX, Failure::TimedOut { after_ms: CALL_MS_MAX.unsigned_abs() });
        if dies {
            self.kill_core(node);
        }
    }

    /// The call ends with `failure` unless an answer comes first.
    fn end_call(&mut self, id: u64, answer: oneshot::Sender<Result<Said, Failure>>, ms: i64, failure: Failure) {
        self.calls.insert(id, answer);
        self.after(ms, Event::FromScheme { call: id, said: Err(failure) });
    }

    pub(super) fn at_scheme(&mut self, ask: &Ask, call: Option<u64>) {
        let (said, later) = self.scheme.take(ask, &self.wires);
        self.later(later);
        let wires = self.wires.clone();
        let mut world = wires.lock();
        world.note(format_args!("scheme: {ask:?} → {said:?}"));
        let Some(call) = call else { return };
        let back = arrivals(
            &mut world,
            "an answer of the scheme is lost",
            "an answer of the scheme comes twice",
            "an answer of the scheme is slow",
        );
        let chance = world.rates.lie;
        let said = if world.strikes(chance, "an answer of the scheme is wrong") {
            bent(said, world.luck.permille(700))
        } else {
            said
        };
        drop(world);
        // Nobody hears a second copy: the call is over with the first.
        if let Some(ms) = back.first() {
            self.after(*ms, Event::FromScheme { call, said: Ok(said) });
        }
    }

    pub(super) fn later(&mut self, later: Vec<(i64, Later)>) {
        for (ms, later) in later {
            self.after(ms, Event::Scheme(later));
        }
    }

    pub(super) fn scheme_happens(&mut self, what: &Later) {
        self.wires.note(format_args!("scheme: {what:?}"));
        let later = self.scheme.happen(what, &self.wires);
        self.later(later);
        if let Later::Tell(of) = what {
            self.tell(of);
        }
    }

    /// The scheme tells the merchant that an order is paid, or how a refund has ended, until it is acknowledged.
    fn tell(&mut self, of: &Subject) {
        let Some(tries) = self.scheme.untold.get_mut(of) else { return };
        *tries += 1;
        let again_ms = (1_000_i64 << (*tries).min(8)).min(120_000) + ANSWER_MS_MAX;
        self.after(again_ms, Event::Scheme(Later::Tell(of.clone())));
        let Some(order) = self.scheme.orders.get(&of.number) else { return };
        let (minor, currency) = order.sum.clone();
        let held = of.refund.as_ref().and_then(|refund| order.refunds.get(refund));
        let (minor, paid) = (held.map_or(minor, |held| held.minor), self.scheme.is_paid(of));
        let wrong = {
            let mut world = self.wires.lock();
            let chance = world.rates.lie / 3;
            if world.strikes(chance, "a notification names a wrong amount") { WRONG_BY_MINOR } else { 0 }
        };
        let (number, refund) = (of.number.clone(), of.refund.clone());
        let notice = Notice { number, refund, paid, minor: minor + wrong, currency, signed: true };
        self.notify(&notice, Back::Scheme { of: of.clone(), paid });
    }

    pub(super) fn notify(&mut self, notice: &Notice, back: Back) {
        let body = serde_json::to_vec(notice).unwrap_or_default();
        let message = saoma_channels::HttpMessage { headers: Vec::new(), body };
        self.request(Asked::Notified { message }, back);
    }

    /// A request sets out for core over HTTPS.
    pub(super) fn request(&mut self, asked: Asked, back: Back) {
        let request = self.number();
        let arrivals = {
            let mut world = self.wires.lock();
            arrivals(&mut world, "a request is lost", "a request arrives twice", "a request is slow")
        };
        self.requests.insert(request, back);
        for ms in arrivals {
            self.after(ms, Event::AtCore { request, asked: asked.clone() });
        }
        self.after(ANSWER_MS_MAX, Event::Back { request, end: Err(Unheard::Silent) });
    }

    pub(super) fn at_core(&mut self, request: u64, asked: Asked) {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|idx| self.nodes[*idx].is_some()).collect();
        if up.is_empty() {
            return;
        }
        let idx = self.wires.lock().luck.pick(&up);
        let Some(node) = &self.nodes[idx] else { return };
        self.wires.note(format_args!("r{request} core {idx}: {}", named(&asked)));
        node.take(request, asked);
    }

    pub(super) fn served(&mut self, request: u64, answer: Answer) {
        if !self.requests.contains_key(&request) {
            return;
        }
        let back = {
            let mut world = self.wires.lock();
            world.note(format_args!("r{request} → {}", answer.status));
            arrivals(&mut world, "an answer is lost", "an answer comes twice", "an answer is slow")
        };
        if let Some(ms) = back.first() {
            self.after(*ms, Event::Back { request, end: Ok(answer) });
        }
    }

    pub(super) fn back(&mut self, request: u64, end: Result<Answer, Unheard>) {
        let Some(back) = self.requests.remove(&request) else { return };
        if let Err(unheard) = &end {
            self.wires.note(format_args!("r{request} → {unheard:?}"));
        }
        match back {
            Back::Sale { terminal, incarnation, payment, ask } if self.is_run(terminal, incarnation) => {
                self.with_terminal(terminal, |terminal| terminal.answered(payment, ask, end));
            }
            Back::Journal { terminal, incarnation } if self.is_run(terminal, incarnation) => {
                self.with_terminal(terminal, |terminal| terminal.journal_answered(end));
            }
            Back::Pushes { terminal, incarnation } if self.is_run(terminal, incarnation) => {
                self.with_terminal(terminal, |terminal| terminal.pushes_answered(end));
            }
            Back::OfflineList { terminal, incarnation } if self.is_run(terminal, incarnation) => {
                self.with_terminal(terminal, |terminal| terminal.list_answered(end));
            }
            Back::OtherWay { sale, payment } => {
                let shown = end.ok().and_then(|answer| serde_json::from_slice::<PaymentView>(&answer.body).ok());
                if shown.is_some_and(|view| view.state == PaymentState::Presenting) {
                    self.sees(sale, payment);
                }
            }
            // What it has done since is told yet.
            Back::Scheme { of, paid }
                if end.as_ref().is_ok_and(|answer| answer.status == 200) && self.scheme.is_paid(&of) == paid =>
            {
                self.scheme.untold.remove(&of);
            }
            _ => {}
        }
    }

    fn is_run(&self, terminal: usize, incarnation: u64) -> bool {
        self.terminals[terminal].run.is_some() && self.terminals[terminal].incarnation == incarnation
    }

    /// A message leaves a terminal.
    pub(super) fn send(&mut self, idx: usize, sent: Sent) {
        let (id, incarnation) = (self.terminals[idx].id, self.terminals[idx].incarnation);
        let (asked, back) = match sent {
            Sent::Sale { payment, ask, call } => {
                self.wires.note(format_args!("t{idx} {ask:?} {payment}"));
                (Asked::Sale { terminal: id, call }, Back::Sale { terminal: idx, incarnation, payment, ask })
            }
            Sent::Journal { batch, by_broker: true } => {
                return self.by_broker(idx, Asked::Journal { terminal: id, batch, by_broker: true });
            }
            Sent::Journal { batch, by_broker: false } => {
                let asked = Asked::Journal { terminal: id, batch, by_broker: false };
                (asked, Back::Journal { terminal: idx, incarnation })
            }
            Sent::Acknowledge { ack, by_broker: true } => {
                return self.by_broker(idx, Asked::Acknowledged { terminal: id, ack });
            }
            Sent::Acknowledge { ack, by_broker: false } => (Asked::Acknowledged { terminal: id, ack }, Back::Nobody),
            Sent::Pushes => (Asked::Pushes { terminal: id }, Back::Pushes { terminal: idx, incarnation }),
            Sent::OfflineList => (Asked::OfflineList, Back::OfflineList { terminal: idx, incarnation }),
        };
        let unreachable = self.cut.contains(&idx) || self.nodes.iter().all(Option::is_none) || {
            let mut world = self.wires.lock();
            let chance = world.rates.not_sent;
            world.strikes(chance, "a terminal does not reach core")
        };
        if unreachable {
            let request = self.number();
            self.requests.insert(request, back);
            return self.after(20, Event::Back { request, end: Err(Unheard::NotSent) });
        }
        self.request(asked, back);
    }

    fn by_broker(&mut self, idx: usize, asked: Asked) {
        if self.cut.contains(&idx) {
            return;
        }
        let request = self.number();
        let arrivals = {
            let mut world = self.wires.lock();
            arrivals(&mut world, "the broker loses a message", "the broker doubles a message", "the broker is slow")
        };
        for ms in arrivals {
            self.after(ms, Event::AtCore { request, asked: asked.clone() });
        }
    }

    /// Core hands a message to the broker.
    pub(super) fn publish(&mut self, topic: Topic, payload: Vec<u8>) {
        let Some(terminal) = self.terminal_of(topic.terminal) else { return };
        let arrivals = {
            let mut world = self.wires.lock();
            arrivals(&mut world, "the broker loses a message", "the broker doubles a message", "the broker is slow")
        };
        for ms in arrivals {
            self.after(ms, Event::AtTerminal { terminal, topic, payload: payload.clone() });
        }
    }

    /// Tries to connect a terminal to the broker again.
    pub(super) fn link_again(&mut self, idx: usize) {
        let possible =
            !self.cut.contains(&idx) && !self.hushed.contains(&idx) && self.nodes.iter().any(Option::is_some);
        if !possible || !self.wires.lock().luck.permille(500) {
            return;
        }
        let id = self.terminals[idx].id;
        self.wires.note(format_args!("t{idx} is connected"));
        self.wires.lock().connected.push(id);
        self.by_broker(idx, Asked::Connected { terminal: id });
        self.with_terminal(idx, |terminal| terminal.link(true));
    }

    pub(super) fn unlink(&mut self, idx: usize) {
        let id = self.terminals[idx].id;
        self.wires.lock().connected.retain(|connected| *connected != id);
        if self.terminals[idx].run.as_ref().is_some_and(|run| run.mqtt) {
            self.wires.note(format_args!("t{idx} is cut off from the broker"));
            self.with_terminal(idx, |terminal| terminal.link(false));
        }
    }
}

/// An answer that is about another amount or another order.
fn bent(said: Said, amount: bool) -> Said {
    match said {
        Said::Order { number, standing, sum: Some((minor, currency)), reference } if standing != Standing::NoSuch => {
            if amount {
                Said::Order { number, standing, sum: Some((minor + WRONG_BY_MINOR, currency)), reference }
            } else {
                Said::Order { number: format!("{number}x"), standing, sum: Some((minor, currency)), reference }
            }
        }
        Said::Refund { refund, standing, sum: Some((minor, currency)) } => {
            Said::Refund { refund, standing, sum: Some((minor + WRONG_BY_MINOR, currency)) }
        }
        other => other,
    }
}

fn named(asked: &Asked) -> String {
    match asked {
        Asked::Sale { call, .. } => match call.as_ref() {
            saoma_edge::link::https::Call::Create { payment, .. } => format!("create {payment}"),
            other => format!("{other:?}"),
        },
        Asked::Journal { batch, .. } => format!("journal, {} entries", batch.entries.len()),
        Asked::Pushes { .. } => "pushes".to_owned(),
        Asked::OfflineList => "what may be sold without core".to_owned(),
        Asked::Acknowledged { ack, .. } => {
            format!("has pushes {:?}", ack.ids.iter().map(|id| id.0).collect::<Vec<_>>())
        }
        Asked::Connected { .. } => "connected".to_owned(),
        Asked::Office { payment, amount, .. } => format!("office gives back {amount} of {payment}"),
        Asked::OtherWay { order, payment, .. } => format!("{payment} is another way to pay {order}"),
        Asked::Propose { said } => format!("{} says that {} is paid: {}", said.actor, said.payment, said.paid),
        Asked::Confirm { settlement, by } => format!("{by} confirms {settlement}"),
        Asked::Notified { message } => String::from_utf8_lossy(&message.body).into_owned(),
    }
}

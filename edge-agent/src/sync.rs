//! Getting the journal to core, each entry once and in order. Pure: events in, orders out.
//!
//! One batch is under way at a time. Core's `through` is the only thing that counts: whatever is lost, doubled or reordered
//! on the way, the next batch starts after it. Core drops what it has already, so sending too much does no harm.
//!
//! An entry of a format that core does not know yet waits, and all behind it, until core is updated: it is offered again at each
//! connection and every few minutes.
//!
//! Stops, with an alarm, when core rejects an entry (the chain is broken: a person must look) and when core has more of this
//! journal than this disk ever sent, or other entries under its numbers (the disk was set back: sales would take numbers
//! that are used). Until core has answered once since the start nobody knows that it was not.

use saoma_protocol::{
    Millis, Sequence,
    message::{JournalAck, JournalVerdict, Verdict},
};

/// First wait for an answer to a batch; it doubles up to the largest.
const ANSWER_MS_MIN: i64 = 5_000;
const ANSWER_MS_MAX: i64 = 60_000;
/// Pause before core is offered again what it does not know yet.
const NEWER_MS: i64 = 180_000;

/// Where the sync stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// The last entry on this disk.
    head: Sequence,
    /// The last entry that core says it has.
    through: Sequence,
    /// The last entry that can have been sent from this disk.
    offered: Sequence,
    /// Core's word since the start fits this disk.
    compared: bool,
    connected: bool,
    /// When the batch under way is sent again; none is under way without it.
    resend_at: Option<Millis>,
    silences: u32,
    stopped: Option<Stop>,
}

/// Why nothing is sent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Core will not take this entry.
    Rejected { sequence: Sequence, why: String },
    /// Core does not know the format of this entry yet. It is sent again now and then, without being asked for.
    Newer { sequence: Sequence, why: String },
    /// Core has entries up to `through` that are not those of this disk, which ends at `head`.
    SetBack { through: Sequence, head: Sequence },
}

impl Stop {
    /// Of its alarm: stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "journal_rejected",
            Self::Newer { .. } => "journal_newer",
            Self::SetBack { .. } => "journal_set_back",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A way to core opened.
    Connected,
    Disconnected,
    /// The journal grew to `head`.
    Appended {
        head: Sequence,
    },
    Ack(JournalAck),
    /// A person, or core, asked for the journal now; also lifts a stop, which comes back if its cause is still there.
    Asked,
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Send the entries after `after`, at most `BATCH_ENTRIES_MAX`; an empty batch asks core where it stands.
    Send { after: Sequence },
    /// Remember that core has everything up to and with `through`. It may be lower than before (core was restored).
    Synced { through: Sequence },
    /// Sync has stopped.
    Stopped(Stop),
    /// An entry waits for a person at core; sync goes on.
    Held { sequence: Sequence, why: String },
}

impl Sync {
    #[must_use]
    pub const fn new(head: Sequence, through: Sequence) -> Self {
        Self {
            head,
            through,
            offered: head,
            compared: false,
            connected: false,
            resend_at: None,
            silences: 0,
            stopped: None,
        }
    }

    #[must_use]
    pub const fn head(&self) -> Sequence {
        self.head
    }

    #[must_use]
    pub const fn through(&self) -> Sequence {
        self.through
    }

    /// Whether core was heard of since the start, so that the next number is known to be unused.
    #[must_use]
    pub const fn is_compared(&self) -> bool {
        self.compared
    }

    #[must_use]
    pub const fn stopped(&self) -> Option<&Stop> {
        self.stopped.as_ref()
    }

    /// What follows from `event`.
    pub fn handle(&mut self, event: Event, now: Millis) -> Vec<Order> {
        let mut orders = Vec::new();
        match event {
            Event::Connected => {
                self.connected = true;
                self.silences = 0;
                // Even with nothing to send: core may have been restored and lack what it once acknowledged.
                orders.extend(self.send(now));
            }
            Event::Disconnected => {
                self.connected = false;
                self.resend_at = None;
            }
            Event::Appended { head } => {
                self.head = self.head.max(head);
                if self.resend_at.is_none() {
                    orders.extend(self.send_if_needed(now));
                }
            }
            Event::Ack(ack) => self.acknowledged(ack, now, &mut orders),
            Event::Asked => {
                if matches!(self.stopped.take(), Some(Stop::SetBack { .. })) {
                    self.compared = false;
                }
                orders.extend(self.send(now));
            }
            Event::Tick => {
                // Further ahead than anything is put off: the clock was set back.
                let overdue = |at: Millis| at <= now || at.since(now) > NEWER_MS;
                if self.resend_at.is_some_and(overdue) {
                    self.silences = self.silences.saturating_add(1);
                    orders.extend(self.send(now));
                } else if self.resend_at.is_none() {
                    orders.extend(self.send_if_needed(now));
                }
            }
        }
        orders
    }

    fn acknowledged(&mut self, ack: JournalAck, now: Millis, orders: &mut Vec<Order>) {
        self.silences = 0;
        let through = ack.through;
        let is_other = |verdict: &JournalVerdict| verdict.verdict == Verdict::Rejected && verdict.sequence <= through;
        if through > self.offered || ack.verdicts.iter().any(is_other) {
            self.stop(Stop::SetBack { through: ack.through, head: self.head }, orders);
            return;
        }
        self.compared = true;
        let moved = ack.through != self.through;
        if moved {
            self.through = ack.through;
            orders.push(Order::Synced { through: ack.through });
        }
        self.stopped.take_if(|stop| matches!(stop, Stop::Newer { sequence, .. } if *sequence <= through));
        for verdict in ack.verdicts {
            match verdict.verdict {
                _ if verdict.is_newer() => {
                    self.stop(Stop::Newer { sequence: verdict.sequence, why: verdict.why }, orders);
                    if matches!(self.stopped, Some(Stop::Newer { .. })) {
                        self.resend_at = Some(now.plus(NEWER_MS));
                    }
                    return;
                }
                Verdict::Held => orders.push(Order::Held { sequence: verdict.sequence, why: verdict.why }),
                Verdict::Rejected => {
                    self.stop(Stop::Rejected { sequence: verdict.sequence, why: verdict.why }, orders);
                    return;
                }
            }
        }
        if moved || self.through == self.head {
            self.resend_at = None;
            orders.extend(self.send_if_needed(now));
        }
        // An answer that moved nothing is a copy of an older one: the wait for the right one goes on.
    }

    fn stop(&mut self, stop: Stop, orders: &mut Vec<Order>) {
        self.resend_at = None;
        // Sales are stopped until a person has looked, whatever comes late by another road.
        let is_set_back = |stop: &Stop| matches!(stop, Stop::SetBack { .. });
        if self.stopped.as_ref().is_some_and(is_set_back) && !is_set_back(&stop) {
            return;
        }
        if self.stopped.as_ref() != Some(&stop) {
            self.stopped = Some(stop.clone());
            orders.push(Order::Stopped(stop));
        }
    }

    fn send_if_needed(&mut self, now: Millis) -> Option<Order> {
        if self.through < self.head { self.send(now) } else { None }
    }

    fn send(&mut self, now: Millis) -> Option<Order> {
        if !self.connected || matches!(self.stopped, Some(Stop::Rejected { .. } | Stop::SetBack { .. })) {
            return None;
        }
        let wait = ANSWER_MS_MIN.saturating_mul(1 << self.silences.min(6)).min(ANSWER_MS_MAX);
        self.resend_at = Some(now.plus(wait));
        self.offered = self.head;
        Some(Order::Send { after: self.through })
    }
}

/// [`Stop::SetBack`] for people.
#[must_use]
pub fn set_back(through: Sequence, head: Sequence) -> String {
    format!("core has other entries up to {through} than this disk, which ends at {head}: it was set back")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saoma_protocol::message::sync::BATCH_ENTRIES_MAX;

    use super::*;

    fn ack(through: u64) -> Event {
        Event::Ack(JournalAck { through: Sequence(through), verdicts: Vec::new() })
    }

    fn verdict(through: u64, sequence: u64, verdict: Verdict) -> Event {
        let verdicts =
            vec![JournalVerdict { sequence: Sequence(sequence), verdict, why: "because".to_owned(), newer: false }];
        Event::Ack(JournalAck { through: Sequence(through), verdicts })
    }

    /// One line per event: `seconds event`, then the orders it gave.
    fn play(sync: &mut Sync, script: &[(i64, Event)]) -> String {
        let mut text = String::new();
        for (seconds, event) in script {
            let shown = format!("{event:?}");
            let orders = sync.handle(event.clone(), Millis(seconds * 1000));
            let shown = shown.chars().take(60).collect::<String>();
            text.push_str(&format!("{seconds:>3} {shown} → {orders:?}\n"));
        }
        text
    }

    /// What is heard late by another road does not open sales again.
    #[test]
    fn a_journal_that_was_set_back_stays_stopped_until_somebody_asks() {
        let mut sync = Sync::new(Sequence(5), Sequence(3));
        let newer = JournalVerdict {
            sequence: Sequence(4),
            verdict: Verdict::Rejected,
            why: "because".to_owned(),
            newer: true,
        };
        let set_back = |sync: &Sync| matches!(sync.stopped(), Some(Stop::SetBack { .. }));
        play(&mut sync, &[(0, Event::Connected), (1, ack(9))]);
        assert!(set_back(&sync));
        let late = JournalAck { through: Sequence(3), verdicts: vec![newer] };
        play(&mut sync, &[(2, Event::Ack(late)), (3, Event::Tick), (600, Event::Tick)]);
        assert!(set_back(&sync), "{:?}", sync.stopped());
        play(&mut sync, &[(601, Event::Asked)]);
        assert!(sync.stopped().is_none());
    }

    #[test]
    fn one_batch_at_a_time_until_core_has_all() {
        let mut sync = Sync::new(Sequence(3), Sequence(1));
        insta::assert_snapshot!(play(&mut sync, &[
            (0, Event::Tick),
            (1, Event::Connected),
            (2, Event::Appended { head: Sequence(4) }),
            (3, ack(3)),
            (4, ack(3)),
            (5, Event::Tick),
            (9, Event::Tick),
            (10, ack(4)),
            (11, Event::Tick),
            (12, Event::Appended { head: Sequence(5) }),
            (13, Event::Disconnected),
            (60, Event::Tick),
            (61, Event::Connected),
            (62, ack(5)),
        ]), @"
          0 Tick → []
          1 Connected → [Send { after: Sequence(1) }]
          2 Appended { head: Sequence(4) } → []
          3 Ack(JournalAck { through: Sequence(3), verdicts: [] }) → [Synced { through: Sequence(3) }, Send { after: Sequence(3) }]
          4 Ack(JournalAck { through: Sequence(3), verdicts: [] }) → []
          5 Tick → []
          9 Tick → [Send { after: Sequence(3) }]
         10 Ack(JournalAck { through: Sequence(4), verdicts: [] }) → [Synced { through: Sequence(4) }]
         11 Tick → []
         12 Appended { head: Sequence(5) } → [Send { after: Sequence(4) }]
         13 Disconnected → []
         60 Tick → []
         61 Connected → [Send { after: Sequence(4) }]
         62 Ack(JournalAck { through: Sequence(5), verdicts: [] }) → [Synced { through: Sequence(5) }]
        ");
    }

    #[test]
    fn a_core_that_was_restored_gets_again_what_it_lost() {
        let mut sync = Sync::new(Sequence(9), Sequence(9));
        assert_eq!(sync.handle(Event::Connected, Millis(0)), [Order::Send { after: Sequence(9) }]);
        assert_eq!(
            sync.handle(ack(4), Millis(1)),
            [Order::Synced { through: Sequence(4) }, Order::Send { after: Sequence(4) }]
        );
    }

    #[test]
    fn a_rejected_entry_and_a_disk_that_was_set_back_stop_the_sync() {
        let rejected = Stop::Rejected { sequence: Sequence(3), why: "because".to_owned() };
        let set_back = Stop::SetBack { through: Sequence(9), head: Sequence(5) };
        for (event, stop) in [(verdict(2, 3, Verdict::Rejected), rejected), (ack(9), set_back)] {
            let mut sync = Sync::new(Sequence(5), Sequence(2));
            sync.handle(Event::Connected, Millis(0));
            assert_eq!(sync.handle(event.clone(), Millis(1)), [Order::Stopped(stop.clone())]);
            assert_eq!(sync.handle(event.clone(), Millis(2)), [], "said once");
            assert_eq!(sync.handle(Event::Tick, Millis(900_000)), []);
            assert_eq!(sync.handle(Event::Appended { head: Sequence(6) }, Millis(900_001)), []);
            assert_eq!(sync.stopped(), Some(&stop));
            assert_eq!(sync.handle(Event::Asked, Millis(900_002)), [Order::Send { after: Sequence(2) }]);
        }
    }

    /// It was said in words alone before there was a field for it.
    #[test]
    fn what_core_does_not_know_yet_is_offered_again_until_it_does() {
        let words = "entry 4 is of format 3; this side reads up to 2: update core, the terminal sends it again";
        for newer in [true, false] {
            let why = if newer { "because".to_owned() } else { words.to_owned() };
            let stop = Stop::Newer { sequence: Sequence(4), why: why.clone() };
            let verdict = JournalVerdict { sequence: Sequence(4), verdict: Verdict::Rejected, why, newer };
            let ack = |through| Event::Ack(JournalAck { through: Sequence(through), verdicts: vec![verdict.clone()] });
            let send = |after| Order::Send { after: Sequence(after) };
            let mut sync = Sync::new(Sequence(5), Sequence(2));
            sync.handle(Event::Connected, Millis(0));
            // What is before it is taken.
            let synced = Order::Synced { through: Sequence(3) };
            assert_eq!(sync.handle(ack(3), Millis(1)), [synced, Order::Stopped(stop.clone())]);
            assert_eq!(sync.handle(Event::Appended { head: Sequence(6) }, Millis(2)), []);
            assert_eq!(sync.handle(Event::Tick, Millis(NEWER_MS)), []);
            assert_eq!(sync.handle(Event::Tick, Millis(NEWER_MS + 1)), [send(3)]);
            assert_eq!(sync.handle(ack(3), Millis(NEWER_MS + 2)), [], "said once");
            assert_eq!((sync.stopped(), sync.is_compared()), (Some(&stop), true));
            // A clock that is set back puts nothing off.
            assert_eq!(sync.handle(Event::Tick, Millis(0)), [send(3)]);
            sync.handle(Event::Disconnected, Millis(3));
            assert_eq!(sync.handle(Event::Tick, Millis(900_000)), []);
            assert_eq!(sync.handle(Event::Connected, Millis(900_001)), [send(3)]);
            // Core was updated.
            let done = Event::Ack(JournalAck { through: Sequence(6), verdicts: Vec::new() });
            assert_eq!(sync.handle(done, Millis(900_002)), [Order::Synced { through: Sequence(6) }]);
            assert_eq!(sync.stopped(), None);
        }
    }

    /// It sold on without a line, past the number that core has: its entries look new, and are not.
    #[test]
    fn a_disk_that_was_set_back_and_sold_on_is_found_by_its_numbers() {
        let set_back = Stop::SetBack { through: Sequence(9), head: Sequence(12) };
        let mut sync = Sync::new(Sequence(12), Sequence(5));
        assert!(!sync.is_compared());
        sync.handle(Event::Connected, Millis(0));
        let orders = sync.handle(verdict(9, 6, Verdict::Rejected), Millis(1));
        assert_eq!((orders, sync.through()), (vec![Order::Stopped(set_back.clone())], Sequence(5)));
        assert!(!sync.is_compared());

        // It sold on while core's first word was under way.
        let mut sync = Sync::new(Sequence(5), Sequence(5));
        sync.handle(Event::Connected, Millis(0));
        sync.handle(Event::Appended { head: Sequence(12) }, Millis(1));
        assert_eq!(sync.handle(ack(9), Millis(2)), [Order::Stopped(set_back)]);
    }

    #[test]
    fn numbers_are_compared_once_core_was_heard() {
        let mut sync = Sync::new(Sequence(5), Sequence(5));
        sync.handle(Event::Connected, Millis(0));
        assert!(!sync.is_compared());
        sync.handle(ack(5), Millis(1));
        sync.handle(Event::Disconnected, Millis(2));
        assert!(sync.is_compared());
        // A stop that is lifted is to be confirmed or not by core.
        sync.handle(ack(9), Millis(3));
        sync.handle(Event::Asked, Millis(4));
        assert_eq!((sync.stopped(), sync.is_compared()), (None, false));
    }

    #[test]
    fn a_held_entry_does_not_stop_the_sync() {
        let mut sync = Sync::new(Sequence(5), Sequence(2));
        sync.handle(Event::Connected, Millis(0));
        let orders = sync.handle(verdict(4, 3, Verdict::Held), Millis(1));
        assert_eq!(orders.len(), 3, "{orders:?}");
        assert!(orders.contains(&Order::Held { sequence: Sequence(3), why: "because".to_owned() }));
        assert!(orders.contains(&Order::Send { after: Sequence(4) }));
    }

    /// A core that keeps the rule and nothing else: it takes the next entry, once.
    struct ModelCore {
        through: u64,
        taken: Vec<u64>,
    }

    impl ModelCore {
        fn take(&mut self, batch: std::ops::RangeInclusive<u64>) -> JournalAck {
            for number in batch {
                if number == self.through + 1 {
                    self.through = number;
                    self.taken.push(number);
                }
            }
            JournalAck { through: Sequence(self.through), verdicts: Vec::new() }
        }
    }

    proptest! {
        /// Whatever the wire does to messages both ways, core ends with every entry, each taken once and in order.
        #[test]
        fn nothing_is_lost_and_nothing_doubled(steps in prop::collection::vec((0_u8..8, any::<u8>()), 0..300)) {
            let mut sync = Sync::new(Sequence(0), Sequence(0));
            let mut core = ModelCore { through: 0, taken: Vec::new() };
            let (mut up, mut down) = (Vec::<(u64, u64)>::new(), Vec::<JournalAck>::new());
            let (mut now, mut head) = (0_i64, 0_u64);
            let run = |sync: &mut Sync, event: Event, now: i64, up: &mut Vec<(u64, u64)>| {
                for order in sync.handle(event, Millis(now)) {
                    if let Order::Send { after } = order {
                        let last = sync.head().0.min(after.0 + BATCH_ENTRIES_MAX as u64);
                        up.push((after.0 + 1, last));
                    }
                }
            };
            for (step, pick) in steps {
                now += i64::from(pick) * 100;
                let pick = usize::from(pick);
                match step {
                    0 => { head += 1 + pick as u64 % 300; run(&mut sync, Event::Appended { head: Sequence(head) }, now, &mut up); }
                    1 => run(&mut sync, Event::Connected, now, &mut up),
                    2 => run(&mut sync, Event::Disconnected, now, &mut up),
                    3 if !up.is_empty() => { let (first, last) = up.remove(pick % up.len()); down.push(core.take(first..=last)); }
                    4 if !up.is_empty() => { let (first, last) = up[pick % up.len()]; down.push(core.take(first..=last)); }
                    5 if !down.is_empty() => { let ack = down.remove(pick % down.len()); run(&mut sync, Event::Ack(ack), now, &mut up); }
                    6 if !down.is_empty() => { let ack = down[pick % down.len()].clone(); run(&mut sync, Event::Ack(ack), now, &mut up); }
                    7 if pick % 3 == 0 => { up.clear(); down.clear(); }
                    _ => run(&mut sync, Event::Tick, now, &mut up),
                }
                prop_assert!(sync.stopped().is_none());
            }
            // The wire is mended.
            now += 100_000;
            run(&mut sync, Event::Connected, now, &mut up);
            for _ in 0..1000 {
                now += 100_000;
                for (first, last) in std::mem::take(&mut up) { down.push(core.take(first..=last)); }
                for ack in std::mem::take(&mut down) { run(&mut sync, Event::Ack(ack), now, &mut up); }
                run(&mut sync, Event::Tick, now, &mut up);
            }
            prop_assert_eq!(&core.taken, &(1..=head).collect::<Vec<_>>());
            prop_assert_eq!(sync.through(), Sequence(head));
        }
    }
}

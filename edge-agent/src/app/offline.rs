//! Offline codes at the till: what core says of them, and of cards without a network, is fetched and kept, and a sale that a code pays
//! begins.
//!
//! Core is asked at the start, when it is there again, when it says that something changed, and every few minutes besides. Its answer
//! tells the time as well: codes are good for seconds, and the machine's own clock may be anything.

use std::{
    fs,
    sync::OnceLock,
    time::{Duration, Instant},
};

use saoma_protocol::{
    Amount, Millis,
    api::OfflineList,
    code::offline::Code,
    journal::{CoreTime, Stamp},
};

use super::{
    now,
    owner::{Done, Owner},
};
use crate::{
    journal::Commit,
    link::https::{Core, HttpsError},
    offline::{
        Known, OfflineCodes, OfflineRefusal, Untimely,
        clock::{Anchor, Moment},
        is_meant,
    },
    sale::{ScannedCode, Tender},
    sync::Stop,
    till::{problem::Refused, view::OfflineView},
};

/// The alarm that core's time cannot be kept; `doctor` looks for it.
pub(crate) const TIME_UNKEPT: &str = "core_time_unkept";
/// How often core is asked without having said anything: so long a terminal may take a code that was blocked, should its word be lost.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// Pause before core is asked once more after it has said that something changed: what changed while its word was not acknowledged yet,
/// it has not said again.
const ONCE_MORE: Duration = Duration::from_secs(3);
/// Pause after a question without an answer.
const AGAIN: Duration = Duration::from_secs(15);

/// What is known of offline codes, and when core is asked next.
pub(super) struct Offline {
    codes: OfflineCodes,
    asking: bool,
    /// Something was said since it was asked.
    again: bool,
    /// Core is to be asked [`ONCE_MORE`].
    once_more: bool,
    due: Instant,
}

/// Core's answer, and the moments between which it was given.
pub(super) struct Told {
    answer: Result<OfflineList, HttpsError>,
    /// With what the machine's clock said at the second.
    between: Option<(Moment, Moment, Millis)>,
}

impl Offline {
    pub(super) fn new(codes: OfflineCodes) -> Self {
        Self { codes, asking: false, again: false, once_more: false, due: Instant::now() }
    }

    /// Core is there again, or somebody there wants the till to look.
    pub(super) fn connected(&mut self) {
        self.again |= self.asking;
        self.due = Instant::now();
    }

    /// Core says that something changed.
    pub(super) fn changed(&mut self) {
        self.once_more = true;
        self.connected();
    }

    pub(super) const fn codes(&mut self) -> &mut OfflineCodes {
        &mut self.codes
    }

    /// Whether a code may be scanned that pays without core.
    pub(super) fn is_on(&self) -> bool {
        self.codes.is_on()
    }

    /// What core said last.
    pub(super) const fn known(&self) -> Option<&Known> {
        self.codes.known()
    }

    /// Whether core lets cards be sold to without it.
    pub(super) fn sells_to_cards(&self) -> bool {
        self.known().is_some_and(|known| known.list.cards.is_some())
    }
}

impl Owner {
    pub(super) async fn offline_tick(&mut self) {
        self.judge_clock();
        if self.offline.asking || self.offline.due > Instant::now() {
            return;
        }
        if self.core_takes_nothing() {
            // Usually it is written down already.
            self.stop_offline_sales().await;
            self.offline.due = Instant::now() + AGAIN;
            return;
        }
        if !self.line.is_online() {
            return;
        }
        // No time is known after the machine's start before this: no code is taken on a disk that nobody has compared since.
        if !self.knows_its_numbers() {
            return;
        }
        self.offline.asking = true;
        let core = self.core.clone();
        self.calls.spawn(async move { Done::Offline(Box::new(ask(core).await)) });
    }

    pub(super) async fn offline_told(&mut self, told: Told) {
        self.offline.asking = false;
        let Told { answer, between } = told;
        let is_unknown = matches!(&answer, Err(HttpsError::Refused(problem)) if problem.status == 404);
        let pause = match self.answered_beside("offline list", answer).await {
            None if is_unknown => self.forget_offline_list().await,
            None => AGAIN,
            Some(_) if self.core_takes_nothing() => AGAIN,
            Some(list) if self.offline.codes.is_stale(&list, now()) => {
                tracing::warn!(issued_at = list.issued_at.0, "an old answer about offline codes; core is asked again");
                AGAIN
            }
            Some(list) => match self.take_offline_list(list, between).await {
                Ok(()) if !self.offline.again && std::mem::take(&mut self.offline.once_more) => ONCE_MORE,
                Ok(()) => EVERY,
                Err(error) => {
                    tracing::warn!(%error, "what core says of offline codes could not be kept; it is asked for again");
                    AGAIN
                }
            },
        };
        let pause = if std::mem::take(&mut self.offline.again) { Duration::ZERO } else { pause };
        self.offline.due = Instant::now() + pause;
    }

    /// A core of before has no such list, and cannot read what a code, or a card, would be written down as: none is taken from now on,
    /// whatever a core that was newer has said.
    async fn forget_offline_list(&mut self) -> Duration {
        let Some(known) = self.offline.codes.without_list() else { return EVERY };
        tracing::warn!("core does not know offline codes any more; none is taken until it says what may be");
        match self.commit(Commit { offline: Some(known.clone()), ..Commit::default() }).await {
            Ok(_) => {
                self.offline.codes.learn(known);
                EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "that core does not know offline codes could not be kept; it is asked again");
                AGAIN
            }
        }
    }

    /// Without the machine's uptime no offline code and no card is ever taken, and no code shown that a phone carries, whatever core allows: said
    /// at once, and not when a customer stands there.
    pub(super) fn tell_unkept_time(&mut self) {
        if moment().is_none() {
            let why = "core's time cannot be kept here, so without a network no offline code and no card is taken, and no code shown: let the agent read \
                       /proc/uptime and /proc/sys/kernel/random/boot_id (no ProcSubset=pid in its unit), and restart it";
            self.alarm(TIME_UNKEPT, why.to_owned());
        }
    }

    /// Whether core takes nothing of this terminal until a person has looked there.
    fn core_takes_nothing(&self) -> bool {
        let is_for_good = |stop: &Stop| matches!(stop, Stop::Rejected { .. } | Stop::SetBack { .. });
        self.sync.stopped().is_some_and(is_for_good) || self.is_locked_out()
    }

    /// Core would never book, or forward, what is sold by its list from now on, and a restart without a network forgets why: the disk
    /// keeps it. The next list that core gives opens it again.
    pub(super) async fn stop_offline_sales(&mut self) {
        let Some(known) = self.offline.codes.stopped() else { return };
        match self.journal.commit(Commit { offline: Some(known.clone()), ..Commit::default() }, now()).await {
            Ok(_) => self.offline.codes.learn(known),
            Err(error) => tracing::error!(%error, "that core takes nothing could not be kept; it is tried again"),
        }
    }

    async fn take_offline_list(
        &mut self,
        list: OfflineList,
        between: Option<(Moment, Moment, Millis)>,
    ) -> Result<(), Refused> {
        let core = list.issued_at;
        let clock = between.and_then(|(asked, answered, machine)| Anchor::between(&asked, &answered, core, machine));
        let known = Known { clock: clock.or_else(|| self.offline.codes.clock().cloned()), list, stopped: false };
        self.commit(Commit { offline: Some(known.clone()), ..Commit::default() }).await?;
        self.offline.codes.learn(known);
        self.judge_clock();
        Ok(())
    }

    /// This moment by both clocks.
    pub(super) fn stamp(&self) -> Stamp {
        let machine = now();
        let clock = self.offline.codes.clock().zip(moment());
        let core = match clock.and_then(|(clock, moment)| clock.stamped(&moment, machine)) {
            Some(core) => CoreTime::At(core),
            None if self.offline.known().is_some_and(|known| known.was_heard_after(machine)) => CoreTime::Lost,
            None => CoreTime::Unknown,
        };
        Stamp { machine, core }
    }

    /// A clock that is wrong, or was moved since core was heard, is said whatever is sold: after the next start of the machine nothing here
    /// has another until core is heard of.
    fn judge_clock(&mut self) {
        let known = self.offline.codes.clock().zip(moment());
        let is_wrong = known.and_then(|(clock, moment)| clock.is_machine_wrong(&moment, now()));
        if self.stamp().is_lost() {
            let why = "nobody knows what time it is: this till's clock is behind what it has heard of core before, and core was not heard \
                       since the machine was switched on. Connect the till, or set its clock; receipts say until then that their time \
                       is not known";
            self.alarm("clock_lost", why.to_owned());
        } else {
            self.alarms.silence("clock_lost");
        }
        match is_wrong {
            Some(true) => {
                let why = "this till's clock is over 30 s off core's: set it. Receipts, cash and shifts bear core's time meanwhile, until \
                           the machine is switched off";
                self.alarm("clock_wrong", why.to_owned());
            }
            Some(false) => self.alarms.silence("clock_wrong"),
            None => {}
        }
    }

    /// What this code pays by, if it is an offline one: it is checked, and nothing is written yet.
    ///
    /// # Errors
    /// `Offline`, with what is wrong.
    pub(super) fn offline_tender(&self, code: ScannedCode, amount: Amount, is_part: bool) -> Result<Tender, Refused> {
        if !is_meant(code.expose()) {
            return Ok(Tender::Scan { code });
        }
        // A code that is not read whole is said to be that before all else.
        Code::parse(code.expose().trim()).map_err(OfflineRefusal::from)?;
        if is_part {
            return Err(OfflineRefusal::Split.into());
        }
        // Core might never book it; cash is at least in the drawer.
        if self.offline.is_on() && self.sync.stopped().is_some() {
            return Err(OfflineRefusal::from(Untimely::Stopped).into());
        }
        let (moment, through) = (moment(), self.sync.through());
        let checked = self.offline.codes.check(code.expose(), amount, (moment.as_ref(), now()), through);
        let spent =
            checked.inspect_err(|refusal| tracing::info!(code = refusal.code(), "an offline code is not taken"))?;
        Ok(Tender::Offline { code, spent: Box::new(spent) })
    }

    /// How offline codes stand; none where there are none.
    pub(super) fn offline_view(&self) -> Option<OfflineView> {
        if !self.offline.is_on() {
            return None;
        }
        let stopped = self.sync.stopped().map(|_| Untimely::Stopped.into());
        let refusal = stopped.or_else(|| self.offline.codes.closed(moment().as_ref(), now(), self.sync.through()));
        let (why, detail) = refusal.map(|refusal| (refusal.code(), refusal.to_string())).unzip();
        Some(OfflineView { why, detail })
    }
}

async fn ask(core: Core) -> Told {
    let asked = moment();
    let answer = core.offline_list().await;
    let machine = now();
    Told { answer, between: asked.zip(moment()).map(|(asked, answered)| (asked, answered, machine)) }
}

/// How long the machine has been running (proc(5)), read here alone; none on a system that does not tell.
pub(crate) fn moment() -> Option<Moment> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|boot| boot.trim().to_owned());
    let boot = BOOT.get_or_init(read).clone()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    // Seconds with two decimals.
    let (seconds, hundredths) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths) = (seconds.parse::<i64>().ok()?, hundredths.parse::<i64>().ok()?);
    Some(Moment { boot, up_ms: seconds.checked_mul(1_000)?.checked_add(hundredths.checked_mul(10)?)? })
}

/// At the moment by which core's clock judged it, if it did.
pub(super) const fn keyed_by(tender: &Tender, now: Stamp) -> Stamp {
    let at = match tender {
        Tender::Offline { spent, .. } => spent.at,
        Tender::Stored { sold, .. } => sold.at,
        Tender::Cash { .. } | Tender::Code | Tender::Phone(_) | Tender::Scan { .. } | Tender::Card { .. } => {
            return now;
        }
    };
    Stamp { machine: at, core: CoreTime::At(at) }
}

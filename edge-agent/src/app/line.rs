//! The line to core: what comes in over MQTT and HTTPS, what goes out, and whether core can be reached.
//!
//! MQTT tells by itself; while it is down, core is asked for its pushes over HTTPS. The journal goes over MQTT first, and over
//! HTTPS if MQTT is down or swallowed a batch.

use std::time::{Duration, Instant};

use saoma_protocol::{
    Millis, Sequence,
    message::{Health, JournalAck, Push, PushAck, PushBody},
    topic::Leaf,
};
use tracing::{Instrument as _, field::Empty};

use super::{
    happen::Beside,
    last_word::Word,
    now,
    owner::{Done, Owner},
};
use crate::{
    journal::Commit,
    link::{clock::Untimely, https::HttpsError, mqtt::News},
    received::Received,
    sale::{Event, Outcome, Sale},
    sync::{self, Order, Stop},
    telemetry,
    till::{
        command::Pressed,
        problem::Refused,
        view::{LinkView, SaleView},
    },
};

/// How long core may be silent on HTTPS before it is asked for something.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Health goes out this often, and when it changes.
const HEALTH_EVERY: Duration = Duration::from_secs(60);
/// Not more often than this, however often it changes.
const HEALTH_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to reach core over HTTPS, and that between two questions whether it lets this terminal in again.
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(10);
/// The alarm that core's certificate is not good by the machine's clock.
const CLOCK_SHUTS_OUT: &str = "clock_shuts_out";
/// Sales whose `synced` mark is told to the pages when core acknowledges them.
const TOLD_MAX: u32 = 50;

/// How core is reached.
pub(super) struct Line {
    pub(super) mqtt_up: bool,
    /// The last exchange over HTTPS ended with an answer.
    pub(super) https_up: bool,
    heard_at: Option<Instant>,
    pub(super) word: Word,
    /// Something about health changed since it was sent.
    pub(super) health_due: bool,
    health_sent_at: Option<Instant>,
    /// It is under way over HTTPS.
    telling_health: bool,
    /// Core has a request for pushes; it may hold it until there is news.
    polling: bool,
    poll_at: Instant,
    /// Core is asked for the profile: the short request that shows whether it is there.
    probing: bool,
    probe_at: Instant,
    probe_failures: u32,
    /// When the profile came last: it says also whether the merchant has rules.
    profile_at: Option<Instant>,
    /// The batch without an answer, and whether it went over MQTT: sent again, it takes the other way.
    last_batch: Option<(Sequence, bool)>,
}

impl Line {
    pub(super) fn new(word: Word) -> Self {
        let now = Instant::now();
        Self {
            mqtt_up: false,
            https_up: false,
            heard_at: None,
            word,
            health_due: false,
            health_sent_at: None,
            telling_health: false,
            polling: false,
            poll_at: now,
            probing: false,
            probe_at: now,
            probe_failures: 0,
            profile_at: None,
            last_batch: None,
        }
    }

    /// Core was looked for, and is not there.
    pub(super) const fn is_lost(&self) -> bool {
        !self.is_online() && self.probe_failures > 0
    }

    /// Core was heard of lately.
    pub(super) const fn is_online(&self) -> bool {
        self.mqtt_up || self.https_up
    }

    /// As pages see it. Without core, since its last word.
    pub(super) fn view(&self) -> LinkView {
        let online = self.is_online();
        LinkView {
            online,
            mqtt: self.mqtt_up,
            https: self.https_up,
            offline_since: self.word.heard_at().filter(|_| !online),
            locked_since: self.word.locked_since(),
        }
    }
}

impl Owner {
    pub(super) async fn news(&mut self, news: News) {
        match news {
            News::Up => {
                self.line.mqtt_up = true;
                self.line.health_due = true;
                self.line.health_sent_at = None;
                self.fetch.wanted(false);
                self.catalogue.connected();
                self.offline.connected();
                self.sync_event(sync::Event::Connected).await;
            }
            News::Down => {
                // It stood until now.
                if std::mem::replace(&mut self.line.mqtt_up, false) {
                    self.line.word.heard(now());
                }
                self.line.poll_at = Instant::now();
                if !self.line.https_up {
                    self.core_gone().await;
                }
            }
            News::Push { push, traceparent } => {
                let span =
                    tracing::info_span!("core.push", otel.kind = "consumer", push.id = push.id.0, trace_id = Empty);
                telemetry::continue_trace(&span, traceparent.as_deref());
                async {
                    if self.take_push(&push).await {
                        self.acknowledge(vec![push.id]);
                    }
                }
                .instrument(span)
                .await;
            }
            News::JournalAck { ack, traceparent } => {
                let span = tracing::info_span!("journal.ack", otel.kind = "consumer", trace_id = Empty);
                telemetry::continue_trace(&span, traceparent.as_deref());
                self.journal_ack(ack).instrument(span).await;
            }
        }
    }

    pub(super) async fn done(&mut self, done: Done) {
        match done {
            Done::Sale { payment, ask, outcome, span } => {
                self.line_told(&outcome).await;
                self.happen_logged(payment, Event::Answered { ask, outcome }).instrument(span).await;
            }
            Done::Journal(answer) => {
                if let Some(ack) = self.answered("journal", answer).await {
                    self.journal_ack(ack).await;
                }
            }
            Done::Pushes(answer) => {
                self.line.polling = false;
                let answered = self.answered("pushes", answer).await;
                self.line.poll_at = Instant::now() + Duration::from_millis(self.config.link.poll_ms);
                let mut ids = Vec::new();
                for push in answered.unwrap_or_default() {
                    if self.take_push(&push).await {
                        ids.push(push.id);
                    }
                }
                if !ids.is_empty() {
                    self.acknowledge(ids);
                }
            }
            Done::Acknowledged(answer) => {
                // If it was lost, the pushes come again.
                self.answered("acknowledgement", answer).await;
            }
            Done::Health(answer) => {
                self.line.telling_health = false;
                // What was lost is said again with the next.
                self.answered_beside("health", answer).await;
            }
            Done::Profile(answer) => {
                self.line.probing = false;
                let answered = self.answered("profile", answer).await;
                if answered.is_some() {
                    self.let_in().await;
                }
                let failures = if self.line.https_up { 0 } else { self.line.probe_failures.saturating_add(1) };
                let poll = Duration::from_millis(self.config.link.poll_ms);
                self.line.probe_failures = failures;
                let longest = PROBE_PAUSE_MAX.max(poll);
                let shut_out = self.line.https_up && self.is_locked_out();
                let pause = if shut_out { longest } else { poll.saturating_mul(failures.max(1)).min(longest) };
                self.line.probe_at = Instant::now() + pause;
                self.line.profile_at = answered.as_ref().map(|_| Instant::now()).or(self.line.profile_at);
                if let Some(profile) = answered
                    && profile != self.identity.profile
                {
                    self.identity.profile = profile;
                    let (folder, identity) = (self.held.folder.clone(), self.identity.clone());
                    let written = tokio::task::spawn_blocking(move || folder.write_identity(&identity)).await;
                    if !matches!(written, Ok(Ok(()))) {
                        // It is told again after the next start.
                        tracing::warn!(?written, "the till's new names are not on the disk");
                    }
                }
            }
            Done::Cashiers(answer) => self.cashiers_came(answer).await,
            Done::Goods(answer) => self.goods_answered(answer).await,
            Done::Offline(told) => self.offline_told(*told).await,
            Done::Quote(told) => self.quote_told(*told).await,
            Done::Elsewhere(told) => self.elsewhere_told(*told).await,
            Done::Renewed(next) => self.renewed(next).await,
        }
    }

    /// What a request about a sale tells of the line.
    pub(super) async fn line_told(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::NotSent | Outcome::Silent => self.not_heard().await,
            Outcome::Locked(problem) => {
                self.heard().await;
                self.refused_by_core(problem).await;
            }
            Outcome::View(_) | Outcome::Refund(_) | Outcome::Refunds(_) | Outcome::NotFound | Outcome::Refused(_) => {
                self.heard().await
            }
        }
    }

    /// What came of an exchange over HTTPS that is not about a sale.
    pub(super) async fn answered<T>(&mut self, what: &'static str, answer: Result<T, HttpsError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.heard().await;
                self.known_to_core();
                Some(answer)
            }
            Err(HttpsError::Refused(problem)) => {
                self.heard().await;
                // Of a terminal that is shut out it was said at the lock.
                if self.is_locked_out() {
                    tracing::debug!(what, code = problem.code, detail = problem.detail, "core refuses");
                } else {
                    tracing::warn!(what, code = problem.code, detail = problem.detail, "core refuses");
                }
                self.refused_by_core(&problem).await;
                None
            }
            Err(HttpsError::Untimely(untimely)) => {
                tracing::debug!(what, %untimely, "core is not believed");
                self.clock_shuts_out(untimely);
                self.not_heard().await;
                None
            }
            // A proxy's page is not core.
            Err(error @ HttpsError::Odd(_)) => {
                tracing::warn!(what, %error, "core was not understood");
                self.not_heard().await;
                None
            }
            Err(error) => {
                tracing::debug!(what, %error, "core was not reached");
                self.not_heard().await;
                None
            }
        }
    }

    /// As [`Self::answered`], for what a till can do without: whether core is there is found out by other questions, so that one of
    /// its answers that cannot be read does not take the line down.
    pub(super) async fn answered_beside<T>(&mut self, what: &'static str, answer: Result<T, HttpsError>) -> Option<T> {
        match answer {
            Err(HttpsError::Refused(problem)) if problem.status == 404 => {
                // A core of before; or a node of several that are being updated.
                tracing::debug!(what, detail = problem.detail, "core does not know this");
                self.heard().await;
                None
            }
            Err(error @ (HttpsError::Odd(_) | HttpsError::Silent(_))) => {
                tracing::warn!(what, %error, "core's answer is not to be had");
                None
            }
            answer => self.answered(what, answer).await,
        }
    }

    async fn heard(&mut self) {
        self.line.heard_at = Some(Instant::now());
        self.line.word.heard(now());
        if self.line.https_up {
            return;
        }
        self.line.https_up = true;
        self.alarms.silence(CLOCK_SHUTS_OUT);
        // Whatever was asked in vain before: one more silence is none yet.
        self.line.probe_failures = 0;
        self.line.poll_at = Instant::now();
        self.fetch.wanted(false);
        self.catalogue.connected();
        self.offline.connected();
        if !self.line.mqtt_up {
            if let Some(mqtt) = &self.mqtt {
                mqtt.hurry();
            }
            self.sync_event(sync::Event::Connected).await;
        }
    }

    /// No core is heard, and it is the clock alone: nobody would look there.
    fn clock_shuts_out(&mut self, untimely: Untimely) {
        let or_else = match untimely {
            Untimely::Early { .. } => "",
            Untimely::Over { .. } => " If the clock is right, core must be started anew",
        };
        let machine = now();
        let why = format!(
            "set this machine's clock: {}. Until then core is not reached, and this till sells as without a network.{or_else}",
            untimely.by(machine)
        );
        let news = self.alarms.ring_instead(CLOCK_SHUTS_OUT, why, machine);
        self.tell_alarm(CLOCK_SHUTS_OUT, news);
    }

    async fn not_heard(&mut self) {
        let was_up = std::mem::replace(&mut self.line.https_up, false);
        if was_up {
            self.line.probe_at = Instant::now();
            if !self.line.mqtt_up {
                self.core_gone().await;
            }
        }
    }

    async fn core_gone(&mut self) {
        self.sync_event(sync::Event::Disconnected).await;
        self.keep_last_word().await;
    }

    /// Takes a push in; whether it is on the disk, so that core may forget it.
    async fn take_push(&mut self, push: &Push) -> bool {
        match self.push_taken(push).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(push.id = push.id.0, %error, "news of core could not be kept; it will come again");
                false
            }
        }
    }

    /// Somebody looks at this terminal: all that core and it tell each other is told anew, whatever was stopped.
    async fn sync_all(&mut self) {
        self.fetch.wanted(false);
        self.offline.connected();
        self.sync_event(sync::Event::Asked).await;
    }

    /// `POST /api/sync-now`.
    pub(super) async fn sync_now(&mut self, pressed: Pressed) -> Result<(), Refused> {
        self.seen(&pressed).await?;
        self.remember(pressed, None);
        self.sync_all().await;
        Ok(())
    }

    async fn push_taken(&mut self, push: &Push) -> Result<(), Refused> {
        let id = push.id;
        if self.journal.run(move |store| store.is_push_seen(id)).await? {
            return Ok(());
        }
        let (view, refund) = match &push.body {
            PushBody::Payment { payment } => (payment, None),
            PushBody::Refund { refund, payment } => (payment, Some(Box::new(refund.clone()))),
            PushBody::CashiersChanged => {
                self.journal.commit(Commit { pushes: vec![id], ..Commit::default() }, now()).await?;
                self.fetch.wanted(true);
                return Ok(());
            }
            PushBody::StaticCodePaid { payment, amount, paid_at, label } => {
                // It was paid before core told of it, whatever the channel's clock says.
                let paid_at = (*paid_at).min(push.at);
                let received = Received { payment: *payment, label: label.clone(), amount: *amount, paid_at };
                return self.take_received(id, received).await;
            }
            PushBody::SyncNow => {
                self.journal.commit(Commit { pushes: vec![id], ..Commit::default() }, now()).await?;
                self.sync_all().await;
                return Ok(());
            }
            PushBody::OfflineListChanged => {
                self.journal.commit(Commit { pushes: vec![id], ..Commit::default() }, now()).await?;
                self.offline.changed();
                return Ok(());
            }
            PushBody::GoodsChanged => {
                self.journal.commit(Commit { pushes: vec![id], ..Commit::default() }, now()).await?;
                self.catalogue.changed();
                return Ok(());
            }
        };
        let event = Event::Pushed { view: Box::new(view.clone()), refund };
        match self.happen(view.id, event, Beside { push: Some(id), ..Beside::default() }).await {
            // Of a sale that this disk does not have (it was replaced): there is nobody here to tell.
            Err(Refused::SaleNotFound) => {
                tracing::warn!(payment.id = %view.id, "core told about a sale that is not in this journal");
                self.journal.commit(Commit { pushes: vec![id], ..Commit::default() }, now()).await?;
                Ok(())
            }
            other => other,
        }
    }

    fn acknowledge(&mut self, ids: Vec<Sequence>) {
        let ack = PushAck { ids };
        if self.publish(Leaf::Ack, ack.clone()) {
            return;
        }
        let core = self.core.clone();
        self.calls.spawn(async move { Done::Acknowledged(core.acknowledge(&ack).await) });
    }

    /// Hands a message to the broker, if it is there.
    fn publish<T: serde::Serialize>(&self, leaf: Leaf, body: T) -> bool {
        let Some(mqtt) = self.mqtt.as_ref().filter(|_| self.line.mqtt_up) else { return false };
        mqtt.publish(leaf, body).unwrap_or_else(|error| {
            tracing::error!(%error, ?leaf, "a message cannot be written");
            false
        })
    }

    pub(super) async fn line_tick(&mut self, at: Millis) {
        self.sync_event_at(sync::Event::Tick, at).await;
        let now = Instant::now();
        // Core tells a terminal that it has shut out nothing, and does not count what such a one asks.
        let polls = !self.line.mqtt_up && self.line.https_up && !self.is_locked_out();
        if polls && !self.line.polling && self.line.poll_at <= now {
            self.line.polling = true;
            let core = self.core.clone();
            // Always from the beginning: what is acknowledged does not come again, and numbers may become visible late.
            self.calls.spawn(async move { Done::Pushes(core.pushes(Sequence(0)).await) });
        }
        let quiet =
            [self.line.heard_at, self.line.profile_at].iter().any(|at| at.is_none_or(|at| at.elapsed() >= HEARTBEAT));
        if (quiet || !self.line.https_up || self.is_locked_out()) && self.line.probe_at <= now {
            self.probe();
        }
        self.tell_health(at);
        self.last_word_tick(at).await;
    }

    pub(super) fn probe(&mut self) {
        if !std::mem::replace(&mut self.line.probing, true) {
            let core = self.core.clone();
            self.calls.spawn(async move { Done::Profile(core.profile().await) });
        }
    }

    fn tell_health(&mut self, at: Millis) {
        let since = self.line.health_sent_at.map(|sent| sent.elapsed());
        let pause = if self.line.health_due { HEALTH_PAUSE } else { HEALTH_EVERY };
        if !self.line.is_online() || self.line.telling_health || since.is_some_and(|since| since < pause) {
            return;
        }
        let health = Health {
            version: self.updating.version(),
            at,
            peripherals: self.devices.values().cloned().collect(),
            unsent: self.unsent_view(),
            announces: true,
        };
        if self.line.mqtt_up {
            if !self.publish(Leaf::Health, health) {
                return;
            }
        } else {
            // The stand-in: a shop whose network has no way to the broker is seen and told of payments all the same.
            self.line.telling_health = true;
            let core = self.core.clone();
            self.calls.spawn(async move { Done::Health(core.health(&health).await) });
        }
        self.line.health_sent_at = Some(Instant::now());
        self.line.health_due = false;
    }

    async fn journal_ack(&mut self, ack: JournalAck) {
        // Nothing was swallowed.
        self.line.last_batch = None;
        self.sync_event(sync::Event::Ack(ack)).await;
    }

    pub(super) async fn sync_event(&mut self, event: sync::Event) {
        self.sync_event_at(event, now()).await;
    }

    async fn sync_event_at(&mut self, event: sync::Event, at: Millis) {
        let before = self.sync.through();
        for order in self.sync.handle(event, at) {
            match order {
                Order::Send { after } => self.send_journal(after).await,
                Order::Synced { through } => self.synced(before, through).await,
                Order::Stopped(stop) => {
                    // One that core does not know yet it takes once it is updated.
                    if !matches!(stop, Stop::Newer { .. }) {
                        self.stop_offline_sales().await;
                    }
                    let message = match &stop {
                        Stop::Rejected { sequence, why } => {
                            format!("core rejects entry {sequence} of the journal: {why}")
                        }
                        Stop::Newer { sequence, why } => {
                            format!(
                                "core takes entry {sequence} once it is updated, and until then none after it: {why}"
                            )
                        }
                        Stop::SetBack { through, head } => {
                            format!("{}; sales are stopped", sync::set_back(*through, *head))
                        }
                    };
                    self.alarm(stop.code(), message);
                }
                Order::Held { sequence, why } => {
                    self.alarm("journal_held", format!("entry {sequence} waits for a person at core: {why}"));
                }
            }
        }
        if self.sync.stopped().is_none() {
            for code in ["journal_rejected", "journal_newer", "journal_set_back"] {
                self.alarms.silence(code);
            }
        }
    }

    async fn send_journal(&mut self, after: Sequence) {
        let batch = match self.journal.batch_after(after).await {
            Ok(batch) => batch,
            Err(error) => {
                self.alarm("journal_failed", format!("the journal cannot be sent: {error}"));
                return;
            }
        };
        // A batch and all that comes of it are in one trace: the press's that it follows at once, or else its own.
        let span = tracing::info_span!(
            "journal.batch",
            otel.kind = "producer",
            entries = batch.entries.len(),
            trace_id = Empty
        );
        telemetry::continue_trace(&span, None);
        let swallowed = self.line.last_batch == Some((after, true)) && self.line.https_up;
        if !swallowed && span.in_scope(|| self.publish(Leaf::Journal, batch.clone())) {
            self.line.last_batch = Some((after, true));
            return;
        }
        self.line.last_batch = Some((after, false));
        let core = self.core.clone();
        self.calls.spawn(async move { Done::Journal(core.journal(&batch).await) }.instrument(span));
    }

    /// Writes down how far core has the journal.
    pub(super) async fn keep_through(&mut self) {
        let through = self.sync.through();
        let commit = Commit { synced_through: Some(through), ..Commit::default() };
        match self.journal.commit(commit, now()).await {
            Ok(_) => self.kept_through = through,
            // After a restart the same entries are sent once more, and core drops them.
            Err(error) => tracing::error!(%error, "how far core has the journal could not be kept"),
        }
        self.count_unsent().await;
    }

    async fn synced(&mut self, before: Sequence, through: Sequence) {
        tracing::debug!(through = through.0, "core has the journal");
        self.keep_through().await;
        let Ok(latest) = self.journal.latest_sales(TOLD_MAX).await else { return };
        for (kept, _) in latest.into_iter().filter(|(_, entry)| before < *entry && *entry <= through) {
            self.emit("sale", &SaleView::of(&Sale::reopened(kept), true));
        }
    }
}

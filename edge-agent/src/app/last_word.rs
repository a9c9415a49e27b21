//! Core's last word to this terminal: when it was heard, and whether core has shut the terminal out. The disk keeps both, so that a
//! restart without a network knows them.
//!
//! For the second one answer is enough. It has a code of its own, that core gives before all else of a request, and to no other than a
//! certificate of this terminal's that was withdrawn, or of which terminal or merchant was; what a proxy says is not it. A certificate
//! that is over, or that core does not have (its database is of before), is none of that: core books what was sold once the terminal is
//! enrolled again, so that it sells on, and a person is told. The lock ends when core tells the terminal its names, for which it is asked
//! every ten seconds; an answer that core held back may be of before.

use std::time::{Duration, Instant};

use saoma_protocol::{Millis, api::Problem};
use sha2::{Digest as _, Sha256};

use super::{now, owner::Owner};
use crate::{
    journal::{LastWord, Locked},
    link::{
        https::{is_locked_out, is_unknown},
        identity::Identity,
    },
    sync,
    till::problem::Refused,
};

/// The alarm that core has shut this terminal out.
const LOCKED: &str = "terminal_locked";
/// The alarm that core does not take this terminal's certificate.
const UNKNOWN: &str = "terminal_unknown";
/// How often the moment when core was heard last is written down while it is there: so much too early a terminal that lost its power, and
/// comes back without a network, says that it has been offline.
const KEPT_EVERY: Duration = Duration::from_secs(5 * 60);
/// Pause after a disk that did not take it.
const AGAIN: Duration = Duration::from_secs(30);

/// What core said, and what of it is on the disk.
pub(super) struct Word {
    told: LastWord,
    kept: LastWord,
    keep_at: Instant,
}

impl Word {
    /// As the disk has it. That core did not take another certificate than `identity`'s says nothing of this one.
    pub(super) fn kept(kept: LastWord, identity: &Identity) -> Self {
        let locked = kept.locked.clone().filter(|locked| locked.certificate == certificate_of(identity));
        Self { told: LastWord { locked, ..kept }, kept, keep_at: Instant::now() }
    }

    /// Core has said something.
    pub(super) const fn heard(&mut self, at: Millis) {
        self.told.heard_at = Some(at);
    }

    pub(super) const fn heard_at(&self) -> Option<Millis> {
        self.told.heard_at
    }

    /// Since when core has shut this terminal out, if it has.
    pub(super) fn locked_since(&self) -> Option<Millis> {
        self.told.locked.as_ref().map(|locked| locked.since)
    }
}

impl Owner {
    pub(super) fn is_locked_out(&self) -> bool {
        self.line.word.locked_since().is_some()
    }

    /// Nothing is begun that core would never take.
    ///
    /// # Errors
    /// `Locked`.
    pub(super) fn check_let_in(&self) -> Result<(), Refused> {
        if self.is_locked_out() { Err(Refused::Locked) } else { Ok(()) }
    }

    /// Core refuses something: perhaps this terminal altogether.
    pub(super) async fn refused_by_core(&mut self, problem: &Problem) {
        if is_unknown(problem) && !self.is_locked_out() {
            let why = "core does not take this terminal's certificate: call who runs the shop. If it lasts, make a claim code for this \
                       terminal on the dashboard and run saoma-edge enrol --again; what is sold stays on this disk until core has it";
            self.alarm(UNKNOWN, why.to_owned());
        }
        if !is_locked_out(problem) {
            return;
        }
        if !self.is_locked_out() {
            tracing::error!(detail = problem.detail, "core has shut this terminal out");
            let certificate = certificate_of(&self.identity);
            self.line.word.told.locked = Some(Locked { since: now(), certificate });
            self.known_to_core();
            self.keep_last_word().await;
        }
        self.tell_locked();
        self.stop_offline_sales().await;
    }

    /// Somebody here is told, at a start too.
    pub(super) fn tell_locked(&mut self) {
        if self.is_locked_out() {
            self.alarm(LOCKED, Refused::Locked.to_string());
        }
    }

    /// Core takes this terminal's certificate, or has said what is wrong with it.
    pub(super) fn known_to_core(&mut self) {
        self.alarms.silence(UNKNOWN);
    }

    /// Core does what this terminal asks now.
    pub(super) async fn let_in(&mut self) {
        if self.line.word.told.locked.take().is_none() {
            return;
        }
        tracing::info!("core has let this terminal in again");
        self.alarms.silence(LOCKED);
        // Its list was taken off at the lock.
        self.offline.connected();
        // What it did not take meanwhile need not wait for its turn.
        self.sync_event(sync::Event::Connected).await;
        self.keep_last_word().await;
    }

    pub(super) async fn last_word_tick(&mut self, at: Millis) {
        // A connection that stands has its own signs of life.
        if self.line.mqtt_up {
            self.line.word.heard(at);
        }
        if self.line.word.keep_at <= Instant::now() {
            self.keep_last_word().await;
        }
    }

    /// Writes it down, if the disk has another.
    pub(super) async fn keep_last_word(&mut self) {
        let told = self.line.word.told.clone();
        let pause = if told == self.line.word.kept {
            KEPT_EVERY
        } else {
            let keeping = told.clone();
            match self.journal.run(move |store| store.keep_last_word(&keeping)).await {
                Ok(()) => {
                    self.line.word.kept = told;
                    KEPT_EVERY
                }
                Err(error) => {
                    tracing::warn!(%error, "core's last word could not be kept; it is tried again");
                    AGAIN
                }
            }
        };
        self.line.word.keep_at = Instant::now() + pause;
    }
}

fn certificate_of(identity: &Identity) -> String {
    hex::encode(Sha256::digest(&identity.certificate_chain_pem))
}

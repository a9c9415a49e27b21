//! Who stands at the till: the list of those who may sign on, fetched from core, and their PINs, checked here.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use saoma_protocol::{
    cashier::{CashierCard, CashierList, Pin, TillRole},
    journal::Approver,
};
use sha2::{Digest as _, Sha256};

use super::{
    now,
    owner::{Done, Owner},
};
use crate::{
    cashiers::{CashierChange, NotAVerifier, fits, in_words},
    journal::Commit,
    link::https::HttpsError,
    till::{
        command::Approval,
        problem::{Code, Refused},
    },
};

/// Pause before the list is asked for again, if that failed; it doubles up to the longest.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// Presses with a wrong PIN that are remembered, for a page that repeats them.
const WRONG_MAX: usize = 32;
/// The same of a core that knows no cashiers, and of one that does not know those that another node has just told of.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(600);
const UNKNOWN_AFTER_NEWS: Duration = Duration::from_secs(30);
/// The alarm about somebody who is locked out.
const LOCKED: &str = "cashier_locked";

/// Whether the list is to be fetched. It is at each start, when a line to core comes up, and when core says so.
pub(super) struct Fetch {
    is_due: bool,
    is_asked: bool,
    /// Core has said that it changed, and it is not here yet.
    is_told: bool,
    not_before: Instant,
    failures: u32,
}

/// Presses whose PIN was wrong, in memory alone: one whose answer was lost comes again, and is no further try.
#[derive(Default)]
pub(super) struct WrongPins(VecDeque<[u8; 32]>);

impl WrongPins {
    fn mark(key: &str, card: &CashierCard, pin: &Pin) -> [u8; 32] {
        // The verifier is in it: a new PIN makes it another press.
        let parts = [key, &card.verifier.0, pin.expose()];
        let digest = parts.iter().fold(Sha256::new(), |hash, part| {
            hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part.as_bytes())
        });
        digest.finalize().into()
    }

    fn remember(&mut self, mark: [u8; 32]) {
        if self.0.len() == WRONG_MAX {
            self.0.pop_front();
        }
        self.0.push_back(mark);
    }
}

impl Fetch {
    pub(super) fn new() -> Self {
        Self { is_due: true, is_asked: false, is_told: false, not_before: Instant::now(), failures: 0 }
    }
}

impl Fetch {
    /// At once, however lately it was tried. `is_told`: core has said that it changed.
    pub(super) fn wanted(&mut self, is_told: bool) {
        (self.is_due, self.not_before) = (true, Instant::now());
        self.is_told |= is_told;
    }
}

impl Owner {
    pub(super) fn cashiers_tick(&mut self) {
        let (at, fetch) = (Instant::now(), &mut self.fetch);
        if fetch.is_due && !fetch.is_asked && fetch.not_before <= at && self.line.is_online() {
            // What changes from here on is told by another push.
            (fetch.is_due, fetch.is_asked) = (false, true);
            let core = self.core.clone();
            self.calls.spawn(async move { Done::Cashiers(core.cashiers().await) });
        }
        if self.alarms.rings(LOCKED) && !self.cashiers.is_anybody_locked(at) {
            self.alarms.silence(LOCKED);
        }
    }

    pub(super) async fn cashiers_came(&mut self, answer: Result<CashierList, HttpsError>) {
        self.fetch.is_asked = false;
        // A core before this one knows no cashiers; it may be one node of several that are being updated.
        let is_unknown = matches!(&answer, Err(HttpsError::Refused(problem)) if problem.status == 404);
        let taken = match self.answered_beside("cashiers", answer).await {
            Some(list) => self.take_list(list).await,
            None if is_unknown => {
                let pause = if self.fetch.is_told { UNKNOWN_AFTER_NEWS } else { UNKNOWN_AGAIN };
                (self.fetch.is_due, self.fetch.not_before) = (true, Instant::now() + pause);
                return;
            }
            None => Err(Refused::CoreUnreachable("the cashiers are asked for again".to_owned())),
        };
        match taken {
            Ok(()) => (self.fetch.failures, self.fetch.is_told) = (0, false),
            Err(error) => {
                tracing::warn!(code = %Code(&error), "who may sign on here is not up to date yet");
                let pause = AGAIN.saturating_mul(1 << self.fetch.failures.min(8)).min(AGAIN_MAX);
                self.fetch.failures = self.fetch.failures.saturating_add(1);
                (self.fetch.is_due, self.fetch.not_before) = (true, Instant::now() + pause);
            }
        }
    }

    async fn take_list(&mut self, list: CashierList) -> Result<(), Refused> {
        if list == *self.cashiers.list() {
            return Ok(());
        }
        let changes = self.cashiers.changes_to(&list);
        self.commit(Commit { cashiers: changes.clone(), ..Commit::default() }).await?;
        tracing::info!(version = list.version, cashiers = list.cashiers.len(), "core said who may sign on here");
        self.cashiers.apply(changes);
        Ok(())
    }

    /// Whose staff code and PIN these are. `key`: of the press. A PIN is counted on the disk as a wrong one before it is checked, so
    /// that no plug that is pulled gives a further try; the right one takes that back. The same press again is no try.
    ///
    /// # Errors
    /// In this order: `CashierUnknown`, `PinForm`, `PinLocked`, `PinUncheckable`; `PinWrong` or `PinLocked` for a wrong one; the
    /// journal's.
    pub(super) async fn person(&mut self, key: &str, staff_code: &str, pin: Pin) -> Result<CashierCard, Refused> {
        let card = self.cashiers.by_code(staff_code).ok_or(Refused::CashierUnknown)?.clone();
        if !pin.is_formed() {
            return Err(Refused::PinForm);
        }
        let (at, before) = (Instant::now(), self.cashiers.tries(card.id));
        if let Some(left) = self.cashiers.locked_for(card.id, at) {
            return Err(Refused::PinLocked { seconds: seconds(left) });
        }
        let mark = WrongPins::mark(key, &card, &pin);
        if let Some(tries) = before.filter(|_| self.wrong_pins.0.contains(&mark)) {
            return Err(Refused::PinWrong { left: tries.left() });
        }
        let tries = self.cashiers.tried(card.id, now(), at);
        if let Err(error) = self.keep(CashierChange::Tried(card.id, tries)).await {
            // Nothing was checked.
            self.cashiers.untried(card.id, before, at);
            return Err(error);
        }
        let verifier = card.verifier.clone();
        // Half a second of a slow processor. The owner waits: so one PIN is tried after the other, whoever asks.
        let checked = tokio::task::spawn_blocking(move || fits(&pin, &verifier)).await;
        match checked.map_err(|_| NotAVerifier).and_then(|checked| checked) {
            Ok(true) => {
                let forget = self.cashiers.came_in(card.id);
                self.keep(forget).await?;
                return Ok(card);
            }
            Ok(false) => {}
            Err(error) => {
                let as_before = self.cashiers.untried(card.id, before, at);
                self.keep(as_before).await?;
                return Err(Refused::PinUncheckable(error.to_string()));
            }
        }
        self.wrong_pins.remember(mark);
        let Some(left) = self.cashiers.locked_for(card.id, at) else {
            return Err(Refused::PinWrong { left: tries.left() });
        };
        let (seconds, wrong, staff_code) = (seconds(left), tries.wrong, &card.staff_code);
        let locked = in_words(seconds);
        self.alarm(LOCKED, format!("{wrong} wrong PINs in a row for cashier {staff_code}: locked for {locked}"));
        Err(Refused::PinLocked { seconds })
    }

    async fn keep(&mut self, change: CashierChange) -> Result<(), Refused> {
        self.commit(Commit { cashiers: vec![change], ..Commit::default() }).await.map(drop)
    }

    /// Whoever a request names. Where cashiers are known it is one of them, by the staff code, and by the PIN unless it is whoever
    /// signed on: what is written down of who did something is worth no more than what it takes to write somebody else.
    ///
    /// # Errors
    /// `CashierUnknown`, `PinNeeded`, those of [`Self::person`].
    pub(super) async fn named(
        &mut self,
        key: &str,
        keyed: Option<String>,
        pin: Option<Pin>,
    ) -> Result<Option<String>, Refused> {
        let Some(code) = keyed.as_deref().filter(|_| self.cashiers.are_known()) else { return Ok(keyed) };
        let card = self.cashiers.by_code(code).ok_or(Refused::CashierUnknown)?;
        if self.open_shift().is_some_and(|shift| shift.cashier_id == Some(card.id)) {
            return Ok(Some(card.name.clone()));
        }
        let pin = pin.ok_or(Refused::PinNeeded)?;
        Ok(Some(self.person(key, code, pin).await?.name))
    }

    /// Who approves that money goes back, if whoever signed on may not do it alone.
    ///
    /// # Errors
    /// `SupervisorNeeded`, `NotASupervisor`, `PinNeeded`, and those of [`Self::person`].
    pub(super) async fn approved(
        &mut self,
        key: &str,
        approval: Option<Approval>,
    ) -> Result<Option<Approver>, Refused> {
        let signed_on = self.open_shift().and_then(|shift| shift.cashier_id);
        if !self.cashiers.needs_supervisor(signed_on) {
            return Ok(None);
        }
        let Approval { staff_code, pin } = approval.ok_or(Refused::SupervisorNeeded)?;
        // Asked before the PIN: whoever is none need not show one.
        if self.cashiers.by_code(&staff_code).is_some_and(|card| card.role != TillRole::Supervisor) {
            return Err(Refused::NotASupervisor);
        }
        let pin = pin.ok_or(Refused::PinNeeded)?;
        let CashierCard { id, name, .. } = self.person(key, &staff_code, pin).await?;
        Ok(Some(Approver { id, name }))
    }
}

/// Begun ones count: nobody is told to wait for less than there is.
fn seconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

//! Who stands at the till: the list of those who may sign on, fetched from core, and their PINs, checked here.

use std::time::{Duration, Instant};

use saoma_protocol::cashier::{CashierCard, CashierList, Pin, TillRole};

use super::{
    now,
    owner::{Done, Owner},
};
use crate::{
    cashiers::{CashierChange, NotAVerifier, TRIES_MAX, fits},
    journal::Commit,
    link::https::HttpsError,
    till::{
        command::Approval,
        problem::{Code, Refused},
    },
};

/// Pause before the list is asked for again, if that failed.
const AGAIN: Duration = Duration::from_secs(5);
/// The same of a core that knows no cashiers.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(600);
/// The alarm about somebody who is locked out.
const LOCKED: &str = "cashier_locked";

/// Whether the list is to be fetched. It is at each start, when a line to core comes up, and when core says so.
pub(super) struct Fetch {
    pub(super) is_due: bool,
    is_asked: bool,
    not_before: Instant,
}

impl Fetch {
    pub(super) fn new() -> Self {
        Self { is_due: true, is_asked: false, not_before: Instant::now() }
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
        let taken = match self.answered("cashiers", answer).await {
            Some(list) => self.take_list(list).await,
            None if is_unknown => {
                (self.fetch.is_due, self.fetch.not_before) = (true, Instant::now() + UNKNOWN_AGAIN);
                return;
            }
            None => Err(Refused::CoreUnreachable("the cashiers are asked for again".to_owned())),
        };
        if let Err(error) = taken {
            tracing::warn!(code = %Code(&error), "who may sign on here is not up to date yet");
            self.fetch.is_due = true;
            self.fetch.not_before = Instant::now() + AGAIN;
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

    /// Whose staff code and PIN these are. A wrong PIN is counted on the disk before it is told.
    ///
    /// # Errors
    /// In this order: `CashierUnknown`, `PinForm`, `PinLocked`, `PinUncheckable`; `PinWrong` or `PinLocked` for a wrong one; the
    /// journal's.
    pub(super) async fn person(&mut self, staff_code: &str, pin: Pin) -> Result<CashierCard, Refused> {
        let card = self.cashiers.by_code(staff_code).ok_or(Refused::CashierUnknown)?.clone();
        if !pin.is_formed() {
            return Err(Refused::PinForm);
        }
        if let Some(left) = self.cashiers.locked_for(card.id, Instant::now()) {
            return Err(Refused::PinLocked { seconds: seconds(left) });
        }
        let verifier = card.verifier.clone();
        // Half a second of a slow processor. The owner waits: so one PIN is tried after the other, whoever asks.
        let checked = tokio::task::spawn_blocking(move || fits(&pin, &verifier)).await;
        let is_right = checked.map_err(|_| NotAVerifier).and_then(|checked| checked);
        if is_right.map_err(|error| Refused::PinUncheckable(error.to_string()))? {
            if self.cashiers.came_in(card.id) {
                let forget = vec![CashierChange::Forget(card.id)];
                self.commit(Commit { cashiers: forget, ..Commit::default() }).await?;
            }
            return Ok(card);
        }
        let at = Instant::now();
        let tries = self.cashiers.tried(card.id, now(), at);
        self.commit(Commit { cashiers: vec![CashierChange::Tried(card.id, tries)], ..Commit::default() }).await?;
        let Some(left) = self.cashiers.locked_for(card.id, at) else {
            return Err(Refused::PinWrong { left: tries.left() });
        };
        let seconds = seconds(left);
        let staff_code = &card.staff_code;
        let message =
            format!("{TRIES_MAX} wrong PINs in a row for cashier {staff_code}: locked for {}", in_words(seconds));
        self.alarm(LOCKED, message);
        Err(Refused::PinLocked { seconds })
    }

    /// Whoever a request names. Where cashiers are known it is one of them, by the staff code.
    ///
    /// # Errors
    /// `CashierUnknown`.
    pub(super) fn named(&self, keyed: Option<String>) -> Result<Option<String>, Refused> {
        match keyed {
            Some(code) if self.cashiers.are_known() => {
                let card = self.cashiers.by_code(&code).ok_or(Refused::CashierUnknown)?;
                Ok(Some(card.name.clone()))
            }
            other => Ok(other),
        }
    }

    /// Who approves that money goes back, if whoever signed on may not do it alone.
    ///
    /// # Errors
    /// `SupervisorNeeded`, `NotASupervisor`, `PinNeeded`, and those of [`Self::person`].
    pub(super) async fn approved(&mut self, approval: Option<Approval>) -> Result<Option<String>, Refused> {
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
        self.person(&staff_code, pin).await.map(|card| Some(card.name))
    }
}

/// Begun ones count: nobody is told to wait for less than there is.
fn seconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// `90` → `90 seconds`, `120` → `2 minutes`.
pub(crate) fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        60 => "1 minute".to_owned(),
        _ if seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

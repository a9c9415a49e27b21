//! What a newer release waits for: an update never comes between a cashier and a customer, nor between the till and its money.

use std::time::{Duration, Instant};

use super::owner::Owner;
use crate::{
    journal,
    sale::{LeftToDo, ReceiptState},
    shift::Shift,
    till::view::UpdateView,
    update::{slots::Program, trial::Updates},
};

/// What is under way. Its name is the till's text for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// A payment or refund is under way, or nobody knows how it ended, or a total is paid in part.
    Payment,
    /// Core does not have the whole journal.
    Unsent,
    /// Goods are being scanned.
    Basket,
    /// A customer's code or card is awaited.
    Scan,
    /// A slip is at the printer, or waits for paper.
    Printing,
    Training,
    /// Core is not reached, and was since the start, or the next release changes the journal: it could not prove that it reaches it.
    Core,
    /// Somebody pressed something a moment ago: a question may stand on the page.
    Keys,
}

/// What the owner knows of updates.
pub(super) struct Updating {
    updates: Option<Updates>,
    /// When somebody last began something.
    pressed: Instant,
    reached_core: bool,
    waits: Vec<Wait>,
}

impl Updating {
    pub(super) fn new(updates: Option<Updates>) -> Self {
        Self { updates, pressed: Instant::now(), reached_core: false, waits: Vec::new() }
    }

    pub(super) fn pressed(&mut self) {
        self.pressed = Instant::now();
    }

    /// The release that runs.
    pub(super) fn version(&self) -> String {
        self.updates
            .as_ref()
            .map_or_else(|| env!("CARGO_PKG_VERSION").to_owned(), |updates| updates.version().to_string())
    }

    pub(super) fn view(&self) -> Option<UpdateView> {
        let updates = self.updates.as_ref()?;
        let standing = updates.standing();
        let next = standing.ready.as_ref().map(|program| program.version.to_string());
        Some(UpdateView {
            running: updates.version().to_string(),
            on_trial: standing.on_trial,
            waits_for: if next.is_some() { self.waits.clone() } else { Vec::new() },
            next,
            trouble: standing.trouble.clone(),
        })
    }
}

impl Owner {
    /// Ends this agent for a release that is ready, once nothing holds it back.
    pub(super) async fn update_tick(&mut self) {
        self.updating.reached_core |= self.line.is_online();
        let Some(updates) = self.updating.updates.clone() else { return };
        let Some(program) = updates.standing().ready.clone() else { return };
        self.updating.waits = self.update_waits(&program);
        if !self.updating.waits.is_empty() {
            return;
        }
        // What the next start goes by. An agent that ended for nothing would do so again and again.
        let slots = updates.slots().clone();
        if tokio::task::spawn_blocking(move || slots.journal_rests()).await.unwrap_or(false) {
            self.leave_for(&updates, program);
        } else {
            self.updating.waits.push(Wait::Unsent);
        }
    }

    fn leave_for(&mut self, updates: &Updates, program: Program) {
        tracing::info!(version = %program.version, "nothing is under way: the next release is switched to");
        let mut standing = updates.standing();
        standing.ready = None;
        standing.leaving = Some((program, self.updating.reached_core));
        drop(standing);
        self.begin_stop();
    }

    fn update_waits(&self, next: &Program) -> Vec<Wait> {
        // One that changes the journal has to reach core before it opens its till.
        let needs_core = self.updating.reached_core || next.journal != journal::version();
        let quiet = Duration::from_secs(self.config.update.quiet_seconds);
        let mut waits = self.under_way();
        if needs_core && !self.line.is_online() {
            waits.push(Wait::Core);
        }
        if self.updating.pressed.elapsed() < quiet {
            waits.push(Wait::Keys);
        }
        waits
    }

    /// What a stop at this moment would come between.
    pub(super) fn under_way(&self) -> Vec<Wait> {
        let is_paying = self.sales.values().any(|held| held.sale.left_to_do() == LeftToDo::Here) || self.is_paying();
        let has_slips = self.sales.values().any(|held| held.sale.kept.receipt == ReceiptState::Queued);
        let is_printing = self.is_printing() || has_slips || self.shift.as_ref().is_some_and(Shift::is_report_queued);
        let is_unsent =
            self.unsent.count > 0 || self.sync.through() < self.sync.head() || self.kept_through < self.sync.head();
        [
            (
                Wait::Payment,
                is_paying
                    || self.splits.why_busy().is_some()
                    || !self.early.is_empty()
                    || !self.follow_ups.is_empty()
                    || !self.waiters.is_empty(),
            ),
            (Wait::Unsent, is_unsent),
            (Wait::Basket, self.filling.view().is_some()),
            (Wait::Scan, self.awaiting.is_some() || self.card.is_some()),
            (Wait::Printing, is_printing),
            (Wait::Training, self.training.is_on()),
        ]
        .into_iter()
        .filter_map(|(wait, holds)| holds.then_some(wait))
        .collect()
    }
}

//! The catalogue kept up with core's: asked for at the start, when core says that it changed, and every few minutes besides.
//! A page at a time, each on the disk before the next is asked for; sales go on meanwhile, and without a link with what is here.

use std::time::{Duration, Instant};

use saoma_protocol::{Sequence, api::GoodsChanges};

use super::owner::{Done, Owner};
use crate::{journal::JournalError, link::https::HttpsError};

/// How often core is asked without having said anything.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// Pause after core has said that it changed: several changes are one question.
const SETTLES: Duration = Duration::from_millis(500);
/// Pause before core is asked once more after it has said something: what changed while its word was not acknowledged yet, it has
/// not said again.
const ONCE_MORE: Duration = Duration::from_secs(3);
/// Pause after a question without an answer.
const AGAIN: Duration = Duration::from_secs(15);

/// How far the catalogue is here.
pub(super) struct Catalogue {
    pub(super) through: Sequence,
    /// How many goods there are.
    pub(super) count: u64,
    asking: bool,
    /// Something was said since it was asked.
    again: bool,
    /// Core is to be asked [`ONCE_MORE`].
    once_more: bool,
    due: Instant,
}

impl Catalogue {
    pub(super) fn new((through, count): (Sequence, u64)) -> Self {
        Self { through, count, asking: false, again: false, once_more: false, due: Instant::now() }
    }

    /// Core says that there is something new.
    pub(super) fn changed(&mut self) {
        self.again |= self.asking;
        self.once_more = true;
        self.due = self.due.min(Instant::now() + SETTLES);
    }

    /// Core is there again.
    pub(super) fn connected(&mut self) {
        self.again |= self.asking;
        self.due = self.due.min(Instant::now());
    }
}

impl Owner {
    pub(super) fn catalogue_tick(&mut self) {
        if self.catalogue.asking || self.catalogue.due > Instant::now() || !self.line.is_online() {
            return;
        }
        self.catalogue.asking = true;
        let (core, since) = (self.core.clone(), self.catalogue.through);
        self.calls.spawn(async move { Done::Goods(core.goods(since).await) });
    }

    pub(super) async fn goods_answered(&mut self, answer: Result<GoodsChanges, HttpsError>) {
        self.catalogue.asking = false;
        // A core of before keeps no catalogue; what is here is sold on.
        let is_unknown = matches!(&answer, Err(HttpsError::Refused(problem)) if problem.status == 404);
        let pause = match self.answered_beside("goods", answer).await {
            None if is_unknown => EVERY,
            None => AGAIN,
            Some(changes) => match self.take_goods(changes).await {
                Ok(true) => Duration::ZERO,
                Ok(false) if !self.catalogue.again && std::mem::take(&mut self.catalogue.once_more) => ONCE_MORE,
                Ok(false) => EVERY,
                Err(error) => {
                    tracing::warn!(%error, "the catalogue could not be kept; it is asked for again");
                    EVERY
                }
            },
        };
        let pause = if std::mem::take(&mut self.catalogue.again) { pause.min(SETTLES) } else { pause };
        self.catalogue.due = Instant::now() + pause;
    }

    /// Whether there is more.
    async fn take_goods(&mut self, changes: GoodsChanges) -> Result<bool, JournalError> {
        let (more, through) = (changes.more, changes.through);
        // Also what begins afresh goes to another version: it is asked for from none, or from one that core never gave.
        let is_new = through != self.catalogue.through;
        if is_new {
            let known = self.journal.run(move |store| {
                store.keep_goods(&changes)?;
                store.goods_known()
            });
            (self.catalogue.through, self.catalogue.count) = known.await?;
            tracing::info!(through = through.0, count = self.catalogue.count, "the catalogue is here");
        }
        // A page that goes nowhere is core's mistake, and not asked for again at once.
        Ok(more && is_new)
    }
}

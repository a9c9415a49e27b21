//! Payments through the shop's printed codes, which no till keyed: core tells this one of them, and it says and lists them.
//!
//! Said at most once: it is on the disk before, and a crash in between leaves it in the list alone.

use saoma_protocol::{Millis, Sequence};

use super::{now, offline::moment, owner::Owner};
use crate::{
    journal::Commit,
    received::{LISTED_MAX, Received},
    till::{problem::Refused, received::ReceivedView},
};

impl Owner {
    /// Core's push `id` tells of a payment.
    ///
    /// # Errors
    /// The journal's; core will tell it again then.
    pub(super) async fn take_received(&mut self, id: Sequence, received: Received) -> Result<(), Refused> {
        let payment = received.payment;
        let is_known = self.journal.run(move |store| store.is_received(payment)).await?;
        let kept = (!is_known).then(|| received.clone());
        self.journal.commit(Commit { received: kept, pushes: vec![id], ..Commit::default() }, now()).await?;
        if is_known {
            return Ok(());
        }
        let now = self.cores_now();
        let (is_announced, ago_ms) = (received.is_announced(now), now.since(received.paid_at));
        tracing::info!(payment.id = %payment, is_announced, ago_ms, "paid through a printed code");
        if is_announced {
            // Whoever is being trained is not to wonder what came in.
            if !self.training.is_on() {
                self.counter.announce(received.amount.money());
            }
            self.emit("received", &ReceivedView::of(&received));
        }
        self.received.insert(0, received);
        self.received.truncate(LISTED_MAX);
        Ok(())
    }

    /// Today's, newest first.
    pub(super) fn received_today(&self) -> Vec<ReceivedView> {
        let (now, offset) = (now(), self.config.till.utc_offset_minutes);
        let of_today = self.received.iter().filter(|received| received.is_of_day(now, offset));
        of_today.map(ReceivedView::of).collect()
    }

    /// Core's clock, or this machine's while that is not known.
    fn cores_now(&self) -> Millis {
        let clock = self.offline.known().and_then(|known| known.clock.as_ref());
        clock.zip(moment()).and_then(|(clock, moment)| clock.cores(&moment)).unwrap_or_else(now)
    }
}

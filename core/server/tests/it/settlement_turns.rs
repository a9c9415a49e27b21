//! Whose turn it is: what a node leaves behind that dies, what a long upload leaves to others, and what is not closed for want of a place.

use saoma_channels::PaymentStatus;
use saoma_domain::settlement::{Settled, State};
use saoma_server::settlement::{IN_HAND_MAX, SettlementError};

use crate::{
    fleet_world::eventually,
    reconcile::on_both,
    scheme_world::{Counter, no_answer},
    settlement::{TERMS, silent, works},
};

const MINUTE_MS: i64 = 60_000;

impl Counter {
    /// Whether the account is held while the scheme is asked for the totals, which then agree.
    async fn is_held_for_a_repeat(&self) -> bool {
        self.scheme.settling.asked();
        self.scheme.settling.then(&[Ok(Settled::Balanced)]);
        let (bell, app) = (self.scheme.settling.waits(), self.app.clone());
        let work = tokio::spawn(async move { works(&app).await });
        eventually("the totals are out", async || !self.scheme.settling.asked().is_empty()).await;
        let is_held = self.is_held().await;
        bell.notify_one();
        work.await.unwrap();
        assert_eq!(self.batches().await[0].state, State::Settled);
        self.scheme.settling.is_slow(0, self.hand());
        is_held
    }
}

#[actix_web::test]
async fn another_node_asks_again_while_the_account_is_held_for_one_that_died() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        assert_eq!(counter.claims().await, 1);
        let neighbour = counter.neighbour(0);
        works(&neighbour).await;
        assert_eq!(counter.scheme.settling.asked(), [], "it may be at it");
        counter.later(80_000);
        assert!(counter.is_held().await);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        works(&neighbour).await;
        assert_eq!(counter.batch(closed.id).await.state, State::Settled);
        assert!(!counter.is_held().await);
    })
    .await;
}

/// All nodes were down, or the acquirer was: what it counts has not changed, and must not while it is asked.
#[actix_web::test]
async fn an_account_is_held_again_for_a_repeat_while_nothing_was_sold_since() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.closes().await.unwrap();
        assert_eq!(counter.claims().await, 1);
        counter.later(30 * MINUTE_MS);
        assert!(counter.is_held_for_a_repeat().await);
        assert!(!counter.is_held().await, "it has its answer");
        // A repeat without an answer holds nobody afterwards; and once something is sold the sums differ anyway.
        counter.closes().await.unwrap();
        counter.later(2 * MINUTE_MS);
        counter.scheme.settling.then(&[silent()]);
        works(&counter.app).await;
        assert!(!counter.is_held().await, "which is a sale");
        counter.later(MINUTE_MS);
        assert!(!counter.is_held_for_a_repeat().await);
    })
    .await;
}

#[actix_web::test]
async fn a_slow_upload_gives_its_turn_back_and_goes_on_from_its_next_row() {
    on_both(async |counter| {
        counter.scheme.settles_cards(TERMS);
        for _ in 0..3 {
            counter.sells(PaymentStatus::Succeeded).await;
        }
        let closed = counter.closes().await.unwrap();
        let says = [Ok(Settled::Differs(None)), Ok(Settled::Balanced), Ok(Settled::Balanced)];
        counter.scheme.settling.then(&says);
        works(&counter.app).await;
        let standing = async || {
            let batch = counter.batch(closed.id).await;
            (batch.state, batch.lease_until, batch.next_attempt_at == Some(counter.app.now()))
        };
        assert_eq!(standing().await, (State::Uploading { sent: 0 }, None, true), "it is claimed anew, as an upload");
        counter.scheme.settling.is_slow(20_000, counter.hand());
        works(&counter.app).await;
        assert_eq!(standing().await, (State::Uploading { sent: 2 }, None, true));
        counter.scheme.settling.then(&[Ok(Settled::Balanced), Ok(Settled::Balanced)]);
        works(&counter.app).await;
        assert_eq!(counter.batch(closed.id).await.state, State::Settled);
    })
    .await;
}

#[actix_web::test]
async fn nobody_is_held_for_a_close_that_would_wait_for_its_turn() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.next("charge", no_answer());
        let doubted = counter.charges().await;
        let all = u32::try_from(IN_HAND_MAX).unwrap();
        let others = counter.app.settlement_places().clone().acquire_many_owned(all).await.unwrap();
        assert!(matches!(counter.closes().await, Err(SettlementError::NoRoom)));
        assert!(!counter.is_held().await);
        counter.notified_paid(&doubted, None).await;
        assert!(matches!(counter.closes().await, Err(SettlementError::NoRoom)));
        assert_eq!(counter.batches().await, []);
        drop(others);
        let closed = counter.closes().await.unwrap();
        // What is on its way is the answer, whoever else is being settled.
        let _others = counter.app.settlement_places().clone().acquire_many_owned(all).await.unwrap();
        assert_eq!(counter.closes().await.unwrap().id, closed.id);
    })
    .await;
}

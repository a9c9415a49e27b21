//! What a worker has in hand is its own for as long as it lives, and soon another's if it is killed.

use std::sync::Arc;

use saoma_channels::PaymentStatus;
use saoma_domain::payment::State;
use saoma_server::workers::resolver::{self, InHand, Leases};
use saoma_store::tenants::LatePolicy;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    fleet_world::eventually,
    reconcile::HOUR_MS,
    scheme_world::{Counter, Say, no_answer},
};

const SECOND_MS: i64 = 1_000;

#[derive(Default)]
struct Worker {
    work: JoinSet<InHand>,
    leases: Leases,
}

impl Worker {
    async fn looks(&mut self, counter: &Counter) {
        resolver::take_up(&counter.app, 8, &mut self.work, &mut self.leases).await.unwrap();
    }
}

#[tokio::test]
async fn a_long_call_is_nobody_elses_until_its_worker_is_killed() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    let never = Arc::new(Notify::new());
    counter.scheme.next("query", Say::Held(never, Box::new(no_answer())));
    counter.scheme.always("query", Say::Status(PaymentStatus::Succeeded));
    counter.later(HOUR_MS);
    let (mut first, mut second) = (Worker::default(), Worker::default());
    first.looks(&counter).await;
    eventually("the query is under way", async || counter.scheme.calls("query") == 1).await;
    // Longer than any lease, with looks that come late, as on a busy machine.
    for _ in 0..12 {
        counter.later(14 * SECOND_MS);
        first.looks(&counter).await;
        second.looks(&counter).await;
        assert_eq!((first.work.len(), second.work.len()), (1, 0));
    }
    // kill -9.
    drop(first);
    counter.later(14 * SECOND_MS);
    second.looks(&counter).await;
    assert!(second.work.is_empty(), "nobody knows yet that the worker is gone");
    counter.later(17 * SECOND_MS);
    second.looks(&counter).await;
    assert_eq!(second.work.len(), 1);
    eventually("it is found out, and no lease is left", async || {
        second.looks(&counter).await;
        second.leases.is_empty()
    })
    .await;
    assert_eq!(counter.scheme.calls("query"), 2);
    assert!(matches!(counter.state(id).await, State::Captured(_)));
}

//! What a worker has in hand is its own for as long as it lives, and soon another's if it is killed.

use std::sync::Arc;

use saoma_channels::PaymentStatus;
use saoma_domain::payment::State;
use saoma_protocol::PaymentId;
use saoma_server::{
    app::App,
    workers::resolver::{self, Leases},
};
use saoma_store::tenants::LatePolicy;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    fleet_world::eventually,
    reconcile::HOUR_MS,
    scheme_world::{Counter, Say, no_answer},
};

const SECOND_MS: i64 = 1_000;
/// As far as nodes' clocks may be apart.
const APART_MS: i64 = 60 * SECOND_MS;

struct Worker {
    app: App,
    work: JoinSet<()>,
    leases: Leases,
}

impl Worker {
    fn of(app: App) -> Self {
        Self { app, work: JoinSet::new(), leases: Leases::default() }
    }

    async fn looks(&mut self) {
        resolver::take_up(&self.app, 8, &mut self.work, &mut self.leases).await.unwrap();
    }
}

/// A payment about which the scheme is asked, and does not answer the first time.
async fn asked(counter: &Counter) -> (PaymentId, Worker) {
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    counter.scheme.next("query", Say::Held(Arc::new(Notify::new()), Box::new(no_answer())));
    counter.scheme.always("query", Say::Status(PaymentStatus::Succeeded));
    counter.later(HOUR_MS);
    let mut first = Worker::of(counter.app.clone());
    first.looks().await;
    eventually("the query is under way", async || counter.scheme.calls("query") == 1).await;
    (id, first)
}

#[tokio::test]
async fn a_long_call_is_nobody_elses_until_its_worker_is_killed() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (id, mut first) = asked(&counter).await;
    let mut second = Worker::of(counter.neighbour(APART_MS));
    // Longer than any lease, with looks that come late, as on a busy machine.
    for _ in 0..12 {
        counter.later(14 * SECOND_MS);
        first.looks().await;
        second.looks().await;
        assert_eq!((first.work.len(), second.work.len()), (1, 0));
    }
    // kill -9.
    drop(first);
    let mut third = Worker::of(counter.app.clone());
    counter.later(60 * SECOND_MS);
    third.looks().await;
    assert!(third.work.is_empty(), "nobody knows yet that the worker is gone");
    counter.later(16 * SECOND_MS);
    third.looks().await;
    assert_eq!(third.work.len(), 1);
    eventually("it is found out, and no lease is left", async || {
        third.looks().await;
        third.leases.is_empty()
    })
    .await;
    assert_eq!(counter.scheme.calls("query"), 2);
    assert!(matches!(counter.state(id).await, State::Captured(_)));
}

#[tokio::test]
async fn a_worker_whose_clock_was_set_back_keeps_what_it_has() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (_, mut first) = asked(&counter).await;
    let mut second = Worker::of(counter.app.clone());
    counter.later(-HOUR_MS);
    first.looks().await;
    for _ in 0..8 {
        counter.later(14 * SECOND_MS);
        first.looks().await;
        second.looks().await;
        assert_eq!((first.work.len(), second.work.len()), (1, 0));
    }
}

#[tokio::test]
async fn what_hangs_is_taken_up_anew() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (id, mut first) = asked(&counter).await;
    let mut seconds = 0;
    while first.work.len() == 1 {
        assert!(seconds < 600, "it is put off for ever");
        counter.later(14 * SECOND_MS);
        seconds += 14;
        first.looks().await;
    }
    assert!(seconds > 360, "three times as long as any call takes");
    eventually("it is found out", async || matches!(counter.state(id).await, State::Captured(_))).await;
}

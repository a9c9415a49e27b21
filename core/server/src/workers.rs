//! What goes on without anybody asking: sending what was committed, finding out what is not known, ending what is over.
//!
//! Each worker takes its work from the database, woken by a bell or by its own clock, so that a missed bell or a crash only
//! costs time. Several cores may run them at once: work is claimed before it is done.

mod anchors;
mod disputes;
pub mod expiry;
pub mod forward;
mod gauges;
mod housekeeping;
mod invariants;
pub mod nodes;
pub mod outbox;
mod packages;
mod reconcile;
pub mod resolver;
pub mod settlement;
pub mod terminal_leg;
mod webhooks;

use std::time::Duration;

use saoma_channels::Outgoing;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{app::App, telemetry::metrics::Metrics};

/// The running workers of one core.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Workers {
    /// `outgoing`: the way to merchants' webhooks.
    #[must_use]
    pub fn start(app: &App, outgoing: Outgoing) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(outbox::run(app.clone(), stopping.clone()));
        tasks.spawn(resolver::run(app.clone(), stopping.clone()));
        tasks.spawn(expiry::run(app.clone(), stopping.clone()));
        tasks.spawn(forward::run(app.clone(), stopping.clone()));
        if Metrics::is_read(&app.config().telemetry) {
            tasks.spawn(gauges::run(app.clone(), stopping.clone()));
        }
        tasks.spawn(nodes::run(app.clone(), stopping.clone()));
        let (peers, hearing) = (app.clone(), stopping.clone());
        tasks.spawn(async move { peers.peers().keep(|bell| peers.hear(bell), hearing).await });
        tasks.spawn(reconcile::run(app.clone(), stopping.clone()));
        tasks.spawn(settlement::run(app.clone(), stopping.clone()));
        tasks.spawn(terminal_leg::run(app.clone(), stopping.clone()));
        tasks.spawn(anchors::run(app.clone(), stopping.clone()));
        tasks.spawn(disputes::run(app.clone(), stopping.clone()));
        tasks.spawn(invariants::run(app.clone(), stopping.clone()));
        tasks.spawn(packages::run(app.clone(), stopping.clone()));
        tasks.spawn(webhooks::run(app.clone(), outgoing, stopping.clone()));
        tasks.spawn(housekeeping::run(app.clone(), stopping));
        Self { stop, tasks }
    }

    /// Waits until each has finished the work in its hands.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Sleeps until the bell, the clock, or the end; `false` at the end.
async fn rested(bell: Option<&Notify>, pause: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    if *stopping.borrow() {
        return false;
    }
    let rung = async {
        match bell {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = rung => {}
        () = tokio::time::sleep(pause) => {}
        _ = stopping.changed() => {}
    }
    !*stopping.borrow()
}

//! One process of core. Dropping it is the end of the process: whatever its tasks had in hand is gone.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use saoma_server::{
    app::{App, Parts},
    fleet::Fleet,
    peers::Peers,
    telemetry::metrics::Metrics,
    workers::{expiry, forward, outbox, resolver},
};
use saoma_store::Store;
use tokio::{runtime::Runtime, sync::Notify, task::JoinSet};

use super::{
    caller::Caller,
    canary::Canary,
    door::{Asked, Hall, serve},
    rogue,
    template::{ACCOUNT, SHOP, Template},
    wires::{SetClock, Wanted, Wires},
};

/// Most payments in the resolver's hands at once.
const RESOLVING_MAX: u32 = 32;
/// Most forwarded sales likewise.
const FORWARDING_MAX: usize = 32;

pub struct Node {
    runtime: Runtime,
    pub hall: Hall,
    bells: Bells,
    /// Commits that the workers have looked at.
    pub looked_at: u64,
}

#[derive(Clone, Default)]
struct Bells {
    outbox: Arc<Notify>,
    resolver: Arc<Notify>,
    expiry: Arc<Notify>,
    forward: Arc<Notify>,
}

/// Panics of core's tasks on this thread, which the runtime would otherwise keep to itself.
pub static PANICS: Mutex<Vec<(std::thread::ThreadId, String)>> = Mutex::new(Vec::new());

impl Node {
    /// `number`: of this start alone, since a node's name is new with each. `alone`: terminals sell without core as well.
    ///
    /// # Errors
    /// If its parts cannot be made.
    pub fn start(
        idx: usize,
        number: u64,
        template: &Template,
        wires: &Wires,
        store: &Store,
        (canary, alone): (Option<Canary>, bool),
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            // One turn of `block_on` then runs everything that can run, however many tasks that takes.
            .event_interval(u32::MAX)
            .build()?;
        let app = App::new(Parts {
            config: template.config.clone(),
            store: store.pausing(wires.pause(idx)),
            channels: Arc::new(Caller::new(idx, wires.clone(), canary)?),
            clock: Arc::new(SetClock { wires: wires.clone(), who: idx }),
            chance: Arc::new(wires.clone()),
            vault: template.vault.clone(),
            fleet: Fleet::carried_by(Arc::new(wires.clone()), Arc::clone(&template.ca), format!("node {idx}.{number}")),
            metrics: Metrics::open(&template.config.telemetry)?,
            peers: Peers::none(),
        });
        let hall = Hall { app, wires: wires.clone(), scope: template.scope, shop: SHOP, account: ACCOUNT, canary };
        let bells = Bells::default();
        {
            let _inside = runtime.enter();
            work(&hall, &bells);
            // Each task more changes in which order others are run: without such sales all is as it was.
            if alone {
                forwards(&hall, &bells);
            }
        }
        Ok(Self { runtime, hall, bells, looked_at: u64::MAX })
    }

    /// Something may be due.
    pub fn ring(&self) {
        for bell in [&self.bells.outbox, &self.bells.resolver, &self.bells.expiry] {
            bell.notify_one();
        }
    }

    /// A card that was sold to without a network may be due.
    pub fn ring_forward(&self) {
        self.bells.forward.notify_one();
    }

    /// A request arrives.
    pub fn take(&self, request: u64, asked: Asked) {
        let hall = self.hall.clone();
        self.runtime.spawn(async move {
            let answer = serve(&hall, request, asked).await;
            hall.wires.want(Wanted::Served { request, answer });
        });
    }

    /// Runs every task until it waits for the world.
    pub fn settle(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }
}

/// The workers, each in a loop of its own as in a real core, with a bell in place of the clock.
fn work(hall: &Hall, bells: &Bells) {
    let (hall_in, bell) = (hall.clone(), Arc::clone(&bells.outbox));
    tokio::spawn(async move {
        loop {
            bell.notified().await;
            while outbox::batch(&hall_in.app).await.is_ok_and(|sent| sent > 0) {}
            if hall_in.canary == Some(Canary::SentIsDelivered) {
                let _ = rogue::take_as_delivered(&hall_in).await;
            }
        }
    });
    let (app, bell) = (hall.app.clone(), Arc::clone(&bells.resolver));
    tokio::spawn(async move {
        let (mut work, mut leases) = (JoinSet::new(), resolver::Leases::default());
        loop {
            bell.notified().await;
            let _ = resolver::take_up(&app, RESOLVING_MAX, &mut work, &mut leases).await;
        }
    });
    let (hall, bell) = (hall.clone(), Arc::clone(&bells.expiry));
    tokio::spawn(async move {
        let (mut work, mut in_hand) = (JoinSet::new(), HashSet::new());
        loop {
            bell.notified().await;
            while let Some(done) = work.try_join_next() {
                match done {
                    Ok(done) => drop(in_hand.remove(&done)),
                    Err(_) => in_hand.clear(),
                }
            }
            let _ = match hall.canary {
                Some(canary @ (Canary::LostUpdate | Canary::PaidIsExpired)) => rogue::expire(&hall, canary).await,
                _ => expiry::take_up(&hall.app, &mut work, &mut in_hand).await,
            };
        }
    });
}

/// The worker that forwards what terminals sold to cards without core.
fn forwards(hall: &Hall, bells: &Bells) {
    let (app, bell) = (hall.app.clone(), Arc::clone(&bells.forward));
    tokio::spawn(async move {
        let mut work = JoinSet::new();
        loop {
            bell.notified().await;
            while work.try_join_next().is_some() {}
            let room = FORWARDING_MAX.saturating_sub(work.len());
            let _ = forward::take_up(&app, room, &mut work).await;
        }
    });
}

/// Makes panics of tasks known to the run they belong to. Once per process.
pub fn hear_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let heard = (std::thread::current().id(), panic.to_string());
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        }));
    });
}

/// The panics of this thread since the last time.
pub fn panics() -> Vec<String> {
    let own = std::thread::current().id();
    let mut heard = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    heard.extract_if(.., |(thread, _)| *thread == own).map(|(_, what)| what).collect()
}

/// All panics that nobody took, of any thread.
pub fn panics_of_all() -> Vec<String> {
    let heard = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    heard.iter().map(|(_, what)| what.clone()).collect()
}

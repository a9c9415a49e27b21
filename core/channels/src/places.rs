//! Places for calls, so that whoever is slow waits among their own: a tenant has a share of a plugin's places, a plugin a
//! share of the host's.
//!
//! A scheme that accepts a connection and never answers holds a place for as long as a call may take. One tenant may point
//! any number of accounts at such a place; without a share of its own it would hold every place of the plugin, and all other
//! tenants of that channel would be turned away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use saoma_protocol::TenantId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::guests::{Burner, Flow, Machine};

/// Tenants remembered before any is forgotten.
const TENANTS_KEPT: usize = 1_024;

/// Something of each tenant.
struct Remembered<V> {
    tenants: HashMap<TenantId, V>,
    /// At so many those are forgotten that are not in use: at twice as many as were left the last time, so that whoever comes
    /// never walks through all of them for the sake of a few.
    forgets_at: usize,
}

impl<V: Clone> Remembered<V> {
    fn new() -> Self {
        Self { tenants: HashMap::new(), forgets_at: TENANTS_KEPT }
    }

    fn of(&mut self, tenant: TenantId, is_in_use: impl Fn(&V) -> bool, fresh: impl FnOnce() -> V) -> V {
        if self.tenants.len() >= self.forgets_at && !self.tenants.contains_key(&tenant) {
            self.tenants.retain(|_, value| is_in_use(value));
            self.forgets_at = TENANTS_KEPT.max(2 * self.tenants.len());
        }
        self.tenants.entry(tenant).or_insert_with(fresh).clone()
    }
}

/// What the calls of all plugins share.
pub(crate) struct HostPlaces {
    all: Arc<Semaphore>,
    machine: Arc<Machine>,
    tenants: Mutex<Remembered<Arc<Burner>>>,
}

impl HostPlaces {
    pub(crate) fn new(all: u32, machine: &Arc<Machine>) -> Self {
        let (all, machine) = (Arc::new(Semaphore::new(all as usize)), Arc::clone(machine));
        Self { all, machine, tenants: Mutex::new(Remembered::new()) }
    }

    /// Lives as long as a plugin remembers one of the tenant's flows, or it owes what they have burnt.
    fn burner(&self, tenant: TenantId) -> Arc<Burner> {
        let now = std::time::Instant::now();
        let is_in_use = |burner: &Arc<Burner>| Arc::strong_count(burner) > 1 || burner.owes(now);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.of(tenant, is_in_use, || Burner::new(&self.machine))
    }
}

/// The places of one plugin.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    per_tenant: usize,
    tenants: Mutex<Remembered<Share>>,
}

/// One tenant's share of a plugin.
#[derive(Clone)]
struct Share {
    places: Arc<Semaphore>,
    flow: Arc<Flow>,
}

/// The places that one call holds; given back when dropped.
pub(crate) struct Held {
    flow: Arc<Flow>,
    /// Of the tenant, the plugin and the host.
    _places: Option<[OwnedSemaphorePermit; 3]>,
}

impl Places {
    pub(crate) fn new(all: u32, per_tenant: u32) -> Self {
        let (all, per_tenant) = (Arc::new(Semaphore::new(all as usize)), per_tenant as usize);
        Self { all, per_tenant, tenants: Mutex::new(Remembered::new()) }
    }

    /// A place of the tenant's share, then one of the plugin's, then one of the host's: whoever has used up a share waits
    /// without holding what others could use. `None` if that takes longer than `until`.
    pub(crate) async fn take(&self, tenant: TenantId, host: &HostPlaces, until: Instant) -> Option<Held> {
        let Share { places, flow } = self.share_of(tenant, host);
        let of_tenant = one(places, until).await?;
        let of_plugin = one(Arc::clone(&self.all), until).await?;
        let of_host = one(Arc::clone(&host.all), until).await?;
        Some(Held { flow, _places: Some([of_tenant, of_plugin, of_host]) })
    }

    /// Lives as long as somebody waits for a place of it, holds one, or owes what a call has burnt.
    fn share_of(&self, tenant: TenantId, host: &HostPlaces) -> Share {
        let now = std::time::Instant::now();
        let is_in_use = |share: &Share| Arc::strong_count(&share.places) > 1 || share.flow.owes(now);
        let fresh = || Share { places: Arc::new(Semaphore::new(self.per_tenant)), flow: Flow::of(host.burner(tenant)) };
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).of(tenant, is_in_use, fresh)
    }
}

impl Held {
    /// Of whoever needs no place, and is counted to that flow.
    pub(crate) fn no_place(flow: Arc<Flow>) -> Self {
        Self { flow, _places: None }
    }

    /// What the call's turns are counted to.
    pub(crate) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }
}

async fn one(places: Arc<Semaphore>, until: Instant) -> Option<OwnedSemaphorePermit> {
    timeout_at(until, places.acquire_owned()).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NO_WAIT: Duration = Duration::from_millis(5);

    fn tenant(n: u32) -> TenantId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        TenantId::from_bytes(bytes)
    }

    fn host() -> HostPlaces {
        HostPlaces::new(4, &Machine::new(2))
    }

    #[tokio::test]
    async fn each_has_a_share_of_the_larger() {
        let (host, places) = (host(), Places::new(3, 2));
        let take = |n| places.take(tenant(n), &host, Instant::now() + NO_WAIT);
        let (first, second) = (take(1).await, take(1).await);
        assert!(first.is_some() && second.is_some());
        assert!(take(1).await.is_none(), "the tenant's share is used up");
        let other = take(2).await;
        assert!(other.is_some(), "another tenant's is not");
        assert!(take(3).await.is_none(), "the plugin's is");
        drop(first);
        assert!(take(3).await.is_some());
        let _others = Arc::clone(&host.all).acquire_many_owned(2).await;
        assert!(take(3).await.is_none(), "the host's is");
    }

    #[tokio::test]
    async fn tenants_that_are_gone_are_forgotten() {
        let (host, places, other) = (host(), Places::new(4, 1), Places::new(4, 1));
        let held = places.take(tenant(0), &host, Instant::now() + NO_WAIT).await.expect("a place");
        let many = u32::try_from(3 * TENANTS_KEPT).expect("small");
        for n in 1..=many {
            assert!(places.take(tenant(n), &host, Instant::now() + NO_WAIT).await.is_some());
        }
        assert!(places.tenants.lock().expect("no panic").tenants.len() <= TENANTS_KEPT);
        assert!(host.tenants.lock().expect("no panic").tenants.len() <= TENANTS_KEPT);
        // Others' in another plugin, beside those that this one remembers.
        for n in many + 1..=2 * many {
            assert!(other.take(tenant(n), &host, Instant::now() + NO_WAIT).await.is_some());
        }
        let remembered = host.tenants.lock().expect("no panic").tenants.len();
        assert!(remembered <= 2 * 2 * TENANTS_KEPT, "{remembered}: twice as many as the plugins do at most");
        assert!(places.take(tenant(0), &host, Instant::now() + NO_WAIT).await.is_none(), "whoever holds one is not");
        let again = other.take(tenant(0), &host, Instant::now() + NO_WAIT).await.expect("another plugin's place");
        assert!(held.flow().has_tenant_of(&again.flow()), "what it burns there is one tenant's");
    }
}

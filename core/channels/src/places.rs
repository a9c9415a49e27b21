//! Places for calls, so that whoever is slow waits among their own: a tenant has a share of a plugin's places and of the host's,
//! a plugin a share of the host's. How large they are is said in `quotas.rs`.
//!
//! A scheme that accepts a connection and never answers holds a place for as long as a call may take. One tenant may point
//! any number of accounts, through any number of plugins of its own, at such a place; without a share it would hold every place, and
//! all others would be turned away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use saoma_protocol::TenantId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    guests::{Burner, Flow, Machine},
    memory::Budget,
    quotas::{CallsMax, MemoryMax},
};

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

/// Who wants a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Core,
    /// Whoever knows the address of a tenant's notifications: they may have half of each of its shares, so that its own charges find the
    /// other.
    Notification,
}

/// What the calls of all plugins share.
pub(crate) struct HostPlaces {
    all: Arc<Semaphore>,
    memory: Arc<Budget>,
    calls_max: CallsMax,
    memory_max: MemoryMax,
    machine: Arc<Machine>,
    tenants: Mutex<Remembered<Arc<Tenant>>>,
}

/// What one tenant has of all plugins together.
struct Tenant {
    burner: Arc<Burner>,
    places: Room,
    memory: Arc<Budget>,
    /// What notifications may have of it.
    memory_of_notifications: Arc<Budget>,
}

impl HostPlaces {
    pub(crate) fn new(calls_max: CallsMax, memory_max: MemoryMax, machine: &Arc<Machine>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(calls_max.in_all as usize)),
            memory: Budget::new(memory_max.in_all),
            calls_max,
            memory_max,
            machine: Arc::clone(machine),
            tenants: Mutex::new(Remembered::new()),
        }
    }

    /// Lives as long as a plugin remembers the tenant, or it owes what its calls have burnt.
    fn tenant(&self, tenant: TenantId) -> Arc<Tenant> {
        let now = std::time::Instant::now();
        let is_in_use = |known: &Arc<Tenant>| Arc::strong_count(known) > 1 || known.burner.owes(now);
        let fresh = || {
            Arc::new(Tenant {
                burner: Burner::new(&self.machine),
                places: Room::new(self.calls_max.per_tenant),
                memory: Budget::new(self.memory_max.per_tenant),
                memory_of_notifications: Budget::new(self.memory_max.per_tenant / 2),
            })
        };
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).of(tenant, is_in_use, fresh)
    }
}

/// So many places.
#[derive(Clone)]
struct Room {
    all: Arc<Semaphore>,
    /// Those that notifications may have of them.
    notifications: Arc<Semaphore>,
}

impl Room {
    fn new(places: u32) -> Self {
        let semaphore = |places: u32| Arc::new(Semaphore::new(places as usize));
        Self { all: semaphore(places), notifications: semaphore((places / 2).max(1)) }
    }

    /// What has to be had for a place.
    fn of(&self, cause: Cause) -> impl Iterator<Item = &Arc<Semaphore>> {
        (cause == Cause::Notification).then_some(&self.notifications).into_iter().chain([&self.all])
    }
}

/// The places of one plugin.
pub(crate) struct Places {
    /// What its tenants have together; `None` of tenants' own plugins, which have nothing in common but a name.
    together: Option<(Arc<Semaphore>, Arc<Budget>)>,
    tenants: Mutex<Remembered<Share>>,
}

/// One tenant's share of a plugin.
#[derive(Clone)]
struct Share {
    tenant: Arc<Tenant>,
    places: Room,
    flow: Arc<Flow>,
}

/// What one call holds and what its memory is counted to; given back when dropped.
pub(crate) struct Held {
    flow: Arc<Flow>,
    budgets: Vec<Arc<Budget>>,
    _places: Vec<OwnedSemaphorePermit>,
}

impl Places {
    /// Of a plugin that all tenants have.
    pub(crate) fn together(host: &HostPlaces) -> Self {
        let places = Arc::new(Semaphore::new(host.calls_max.per_plugin as usize));
        Self {
            together: Some((places, Budget::new(host.memory_max.per_plugin))),
            tenants: Mutex::new(Remembered::new()),
        }
    }

    /// Of plugins that tenants have each for itself.
    pub(crate) fn apart() -> Self {
        Self { together: None, tenants: Mutex::new(Remembered::new()) }
    }

    pub(crate) const fn are_apart(&self) -> bool {
        self.together.is_none()
    }

    /// A place of the tenant's share of the plugin, one of its share of the host, then one of the plugin's, then one of the host's: whoever
    /// has used up a share waits without holding what others could use. `None` if that takes longer than `until`.
    pub(crate) async fn take(&self, tenant: TenantId, cause: Cause, host: &HostPlaces, until: Instant) -> Option<Held> {
        let Share { tenant, places, flow } = self.share_of(tenant, host);
        let (of_plugin, memory_of_plugin) = self.together.as_ref().map(|(places, memory)| (places, memory)).unzip();
        let wanted = places.of(cause).chain(tenant.places.of(cause)).chain(of_plugin).chain([&host.all]);
        let mut held = Vec::new();
        for places in wanted {
            held.push(timeout_at(until, Arc::clone(places).acquire_owned()).await.ok()?.ok()?);
        }
        let of_notifications = (cause == Cause::Notification).then_some(&tenant.memory_of_notifications);
        let others = memory_of_plugin.into_iter().chain([&tenant.memory, &host.memory]);
        let budgets = of_notifications.into_iter().chain(others).cloned().collect();
        Some(Held { flow, budgets, _places: held })
    }

    /// Lives as long as somebody waits for a place of it, holds one, or owes what a call has burnt.
    fn share_of(&self, tenant: TenantId, host: &HostPlaces) -> Share {
        let now = std::time::Instant::now();
        let is_in_use = |share: &Share| Arc::strong_count(&share.places.all) > 1 || share.flow.owes(now);
        let fresh = || {
            let of_host = host.tenant(tenant);
            let flow = Flow::of(Arc::clone(&of_host.burner));
            Share { tenant: of_host, places: Room::new(host.calls_max.per_tenant_of_plugin), flow }
        };
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).of(tenant, is_in_use, fresh)
    }
}

impl Held {
    /// Of whoever needs no place, and is counted to that flow.
    pub(crate) fn no_place(flow: Arc<Flow>) -> Self {
        Self { flow, budgets: Vec::new(), _places: Vec::new() }
    }

    /// What the call's turns are counted to.
    pub(crate) fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// What its memory is counted to.
    pub(crate) fn budgets(&self) -> Vec<Arc<Budget>> {
        self.budgets.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wasmtime::ResourceLimiter as _;

    use super::*;
    use crate::memory::MemoryLimit;

    const NO_WAIT: Duration = Duration::from_millis(5);

    fn tenant(n: u32) -> TenantId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        TenantId::from_bytes(bytes)
    }

    fn host(in_all: u32, per_plugin: u32, per_tenant: u32, per_tenant_of_plugin: u32) -> HostPlaces {
        let calls_max = CallsMax { in_all, per_plugin, per_tenant, per_tenant_of_plugin };
        HostPlaces::new(calls_max, MemoryMax::of(800), &Machine::new(2))
    }

    async fn take(places: &Places, n: u32, cause: Cause, host: &HostPlaces) -> Option<Held> {
        places.take(tenant(n), cause, host, Instant::now() + NO_WAIT).await
    }

    #[tokio::test]
    async fn each_has_a_share_of_the_larger() {
        let host = host(4, 3, 4, 2);
        let places = Places::together(&host);
        let take = |n| take(&places, n, Cause::Core, &host);
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

    /// However many plugins a tenant has, its places and its memory are its own, and no more.
    #[tokio::test]
    async fn a_tenant_has_a_share_of_all_plugins_together() {
        let host = host(16, 8, 4, 2);
        let plugins: Vec<_> = (0..6).map(|n| if n < 3 { Places::together(&host) } else { Places::apart() }).collect();
        let mut held = Vec::new();
        for places in plugins.iter().chain(&plugins) {
            held.extend(take(places, 1, Cause::Core, &host).await);
        }
        assert_eq!(held.len(), 4);
        assert!(take(&plugins[5], 2, Cause::Core, &host).await.is_some(), "another tenant has its own");
        let shared = |one: &Held, other: &Held| {
            let is_of_other = |budget: &&Arc<Budget>| other.budgets.iter().any(|own| Arc::ptr_eq(budget, own));
            one.budgets.iter().filter(is_of_other).count()
        };
        assert_eq!(shared(&held[0], &held[3]), 2, "the tenant's and the host's");
        drop(held.pop());
        assert!(take(&plugins[5], 1, Cause::Core, &host).await.is_some());
    }

    /// Plugins of the same name that two tenants have brought are two.
    #[tokio::test]
    async fn what_tenants_have_for_themselves_they_do_not_share() {
        let host = host(16, 2, 4, 2);
        let (together, apart) = (Places::together(&host), Places::apart());
        for (places, others) in [(&together, 0), (&apart, 2)] {
            let _held = (take(places, 1, Cause::Core, &host).await, take(places, 1, Cause::Core, &host).await);
            let of_other = (take(places, 2, Cause::Core, &host).await, take(places, 2, Cause::Core, &host).await);
            assert_eq!(usize::from(of_other.0.is_some()) + usize::from(of_other.1.is_some()), others);
        }
        let (one, other) = (take(&apart, 1, Cause::Core, &host).await, take(&apart, 2, Cause::Core, &host).await);
        let (one, other) = (one.expect("a place"), other.expect("a place"));
        assert!(one.budgets.len() == 2 && !Arc::ptr_eq(&one.budgets[0], &other.budgets[0]));
    }

    #[tokio::test]
    async fn notifications_leave_half_of_the_places_to_charges() {
        let host = host(16, 16, 6, 4);
        let (one, other) = (Places::together(&host), Places::together(&host));
        let mut held = Vec::new();
        for places in [&one, &one, &one, &other, &other] {
            held.extend(take(places, 1, Cause::Notification, &host).await);
        }
        assert_eq!(held.len(), 3, "half of four through one plugin, half of six through both");
        for places in [&one, &one, &other] {
            held.push(take(places, 1, Cause::Core, &host).await.expect("the other half"));
        }
        assert!(take(&other, 1, Cause::Core, &host).await.is_none());
        drop(held);
        let all: Vec<_> = [take(&one, 1, Cause::Core, &host).await, take(&one, 1, Cause::Core, &host).await].into();
        assert!(all.iter().all(Option::is_some));
        let lone = self::host(1, 1, 1, 1);
        assert!(take(&Places::together(&lone), 1, Cause::Notification, &lone).await.is_some(), "one of one");
    }

    /// Through whichever plugins.
    #[tokio::test]
    async fn notifications_leave_half_of_the_memory_to_charges() {
        let host = host(16, 16, 8, 4);
        assert_eq!(host.memory_max.per_tenant, 800);
        let (one, other) = (Places::together(&host), Places::apart());
        let mut held = Vec::new();
        for (places, cause, bytes, fits) in [
            (&one, Cause::Notification, 300, true),
            (&other, Cause::Notification, 101, false),
            (&other, Cause::Notification, 100, true),
            (&one, Cause::Notification, 1, false),
            (&one, Cause::Core, 300, true),
            (&other, Cause::Core, 101, false),
            (&other, Cause::Core, 100, true),
        ] {
            let place = take(places, 1, cause, &host).await.expect("a place");
            let mut memory = MemoryLimit::new(800, place.budgets());
            let grows = memory.memory_growing(0, bytes, None).expect("no error of its own");
            assert_eq!(grows, fits, "{cause:?}: {bytes}");
            held.push((place, memory));
        }
        drop(held);
        let alone = take(&one, 1, Cause::Core, &host).await.expect("a place");
        let mut memory = MemoryLimit::new(800, alone.budgets());
        assert!(memory.memory_growing(0, 800, None).expect("no error of its own"), "all, if nobody notifies");
    }

    #[tokio::test]
    async fn tenants_that_are_gone_are_forgotten() {
        let host = host(4, 4, 4, 1);
        let (places, other) = (Places::together(&host), Places::together(&host));
        let held = take(&places, 0, Cause::Core, &host).await.expect("a place");
        let many = u32::try_from(3 * TENANTS_KEPT).expect("small");
        for n in 1..=many {
            assert!(take(&places, n, Cause::Core, &host).await.is_some());
        }
        assert!(places.tenants.lock().expect("no panic").tenants.len() <= TENANTS_KEPT);
        assert!(host.tenants.lock().expect("no panic").tenants.len() <= TENANTS_KEPT);
        // Others' in another plugin, beside those that this one remembers.
        for n in many + 1..=2 * many {
            assert!(take(&other, n, Cause::Core, &host).await.is_some());
        }
        let remembered = host.tenants.lock().expect("no panic").tenants.len();
        assert!(remembered <= 2 * 2 * TENANTS_KEPT, "{remembered}: twice as many as the plugins do at most");
        assert!(take(&places, 0, Cause::Core, &host).await.is_none(), "whoever holds one is not");
        let again = take(&other, 0, Cause::Core, &host).await.expect("another plugin's place");
        assert!(held.flow().has_tenant_of(&again.flow()), "what it burns there is one tenant's");
    }
}

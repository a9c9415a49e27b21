//! Who has burnt what: of each tenant, and of each of its plugins.
//!
//! A tenant may burn an eighth of the machine by right, whatever number of plugins it has: what it burns is paid off at that rate. Of
//! each plugin of a tenant the same is counted again, so that among a tenant's own calls those of the one that rages stand behind.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::line::Id;

/// What a tenant may burn by right: one part in so many of all processors.
const SHARE: u32 = 8;

/// From here on a tenant owes much. On two processors 30 ms of running at a stretch: a call of a Rust channel takes less than one, of a
/// Python one some 10.
const DEBT_FREE: Duration = Duration::from_millis(120);

/// Longest that what was burnt is held against anybody.
pub(super) const DEBT_MAX: Duration = Duration::from_secs(1);

/// What all that is burnt is measured by.
#[derive(Debug)]
pub(crate) struct Machine {
    processors: u32,
}

impl Machine {
    pub(crate) fn new(processors: u32) -> Arc<Self> {
        Arc::new(Self { processors })
    }
}

/// When all that was burnt is paid off.
#[derive(Debug)]
struct Debt(Mutex<Instant>);

impl Debt {
    fn none() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn paid_off(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, cost: Duration, now: Instant) {
        let mut paid_off = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = paid_off.saturating_duration_since(now) + cost;
        *paid_off = now + debt.min(DEBT_MAX);
    }
}

/// One tenant, by what its calls of all plugins burn.
#[derive(Debug)]
pub(crate) struct Burner {
    debt: Debt,
    machine: Arc<Machine>,
}

impl Burner {
    pub(crate) fn new(machine: &Arc<Machine>) -> Arc<Self> {
        Arc::new(Self { debt: Debt::none(), machine: Arc::clone(machine) })
    }

    /// Whether it burnt what is not paid off yet.
    pub(crate) fn owes(&self, now: Instant) -> bool {
        self.debt.paid_off() > now
    }
}

/// One tenant's calls of one plugin.
#[derive(Debug)]
pub(crate) struct Flow {
    debt: Debt,
    tenant: Arc<Burner>,
}

impl Flow {
    pub(crate) fn of(tenant: Arc<Burner>) -> Arc<Self> {
        Arc::new(Self { debt: Debt::none(), tenant })
    }

    /// Whether it burnt what is not paid off yet.
    pub(crate) fn owes(&self, now: Instant) -> bool {
        self.debt.paid_off() > now
    }

    #[cfg(test)]
    pub(crate) fn has_tenant_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tenant, &other.tenant)
    }

    /// Of its tenant and of itself: no others have the same for as long as it lives.
    pub(super) fn ids(&self) -> (Id, Id) {
        (Arc::as_ptr(&self.tenant).addr(), std::ptr::from_ref(self).addr())
    }

    /// When what its tenant burnt is paid off, and what it burnt itself.
    pub(super) fn paid_off(&self) -> (Instant, Instant) {
        (self.tenant.debt.paid_off(), self.debt.paid_off())
    }

    pub(super) fn charge(&self, burnt: Duration, now: Instant) {
        let cost = burnt * SHARE / self.tenant.machine.processors;
        self.tenant.debt.add(cost, now);
        self.debt.add(cost, now);
    }
}

/// Whether that is so far off that turns are limited.
pub(super) fn owes_much(paid_off: Instant, now: Instant) -> bool {
    paid_off > now + DEBT_FREE
}

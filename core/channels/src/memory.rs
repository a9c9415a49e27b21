//! How much memory calls may take: each its own share, and all calls of one plugin, of one tenant and of the host together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wasmtime::ResourceLimiter;

/// What many calls together may hold: those of a plugin, of a tenant, or all. Without it whoever hoards in every one of their places
/// would hold places × the memory of a call, which is more than a small machine has.
pub(crate) struct Budget {
    bytes_max: usize,
    bytes: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, bytes: AtomicUsize::new(0) })
    }

    fn take(&self, more: usize) -> bool {
        let fits = |held: usize| held.checked_add(more).filter(|sum| *sum <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Counts all memories of an instance together, and remembers the limit at which it said no.
pub(crate) struct MemoryLimit {
    bytes_max: usize,
    bytes: usize,
    budgets: Vec<Arc<Budget>>,
    /// In bytes: this call's own limit, or one that it has with others.
    pub(crate) refused_at: Option<usize>,
    is_crowded_out: bool,
}

impl MemoryLimit {
    /// The budgets are all those that the call shares.
    pub(crate) fn new(bytes_max: usize, budgets: Vec<Arc<Budget>>) -> Self {
        Self { bytes_max, bytes: 0, budgets, refused_at: None, is_crowded_out: false }
    }

    /// Whether it was other calls that left no memory for this one.
    pub(crate) const fn was_crowded_out(&self) -> bool {
        self.is_crowded_out
    }

    /// Whether there is room for more; of all budgets or of none.
    fn grow(&mut self, more: usize) -> bool {
        let bytes = self.bytes.saturating_add(more);
        if bytes > self.bytes_max {
            (self.refused_at, self.is_crowded_out) = (Some(self.bytes_max), false);
            return false;
        }
        if let Some(full) = self.budgets.iter().position(|budget| !budget.take(more)) {
            let (taken, rest) = self.budgets.split_at(full);
            taken.iter().for_each(|budget| budget.give_back(more));
            (self.refused_at, self.is_crowded_out) = (rest.first().map(|budget| budget.bytes_max), true);
            return false;
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        self.budgets.iter().for_each(|budget| budget.give_back(self.bytes));
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // The pool has its own hard end (`table_elements`).
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_limit_and_a_plugin_its_own() {
        let budget = Budget::new(100);
        let mut first = MemoryLimit::new(70, vec![Arc::clone(&budget)]);
        let mut grows = |current, desired| first.memory_growing(current, desired, None).expect("no error of its own");
        assert!(grows(0, 50) && grows(50, 70) && !grows(70, 71));
        assert_eq!((first.refused_at, first.was_crowded_out()), (Some(70), false));
        let mut second = MemoryLimit::new(70, vec![Arc::clone(&budget)]);
        assert!(second.memory_growing(0, 30, None).expect("no error"));
        assert!(!second.memory_growing(30, 31, None).expect("no error"));
        assert_eq!((second.refused_at, second.was_crowded_out()), (Some(100), true));
        drop(first);
        assert!(second.memory_growing(30, 70, None).expect("no error"), "what was given back can be had again");
        assert!(!second.memory_growing(usize::MAX - 1, usize::MAX, None).expect("no error"));
        drop(second);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn whoever_has_one_budget_used_up_takes_nothing_of_the_others() {
        let (plugin, tenant, host) = (Budget::new(100), Budget::new(50), Budget::new(200));
        let of = |tenant: &Arc<Budget>| vec![Arc::clone(&plugin), Arc::clone(tenant), Arc::clone(&host)];
        let mut hoarding = MemoryLimit::new(70, of(&tenant));
        assert!(hoarding.grow(50) && !hoarding.grow(1));
        assert_eq!((hoarding.refused_at, hoarding.was_crowded_out()), (Some(50), true));
        assert_eq!([&plugin, &tenant, &host].map(|budget| budget.bytes.load(Ordering::Relaxed)), [50; 3]);
        let mut other = MemoryLimit::new(70, of(&Budget::new(50)));
        assert!(other.grow(50), "another tenant has its own");
        drop((hoarding, other));
        assert_eq!([plugin, tenant, host].map(|budget| budget.bytes.load(Ordering::Relaxed)), [0; 3]);
    }
}

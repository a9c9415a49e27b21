//! How much memory calls may take: each its own share, and all calls of one plugin together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use wasmtime::ResourceLimiter;

/// What all calls of one plugin together may hold. Without it a plugin that hoards in every one of its places would hold
/// places × the memory of a call, which is more than a small machine has.
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
}

/// Counts all memories of an instance together, and remembers the limit at which it said no.
pub(crate) struct MemoryLimit {
    bytes_max: usize,
    bytes: usize,
    budget: Arc<Budget>,
    /// In bytes: this call's own limit, or the plugin's.
    pub(crate) refused_at: Option<usize>,
}

impl MemoryLimit {
    pub(crate) fn new(bytes_max: usize, budget: Arc<Budget>) -> Self {
        Self { bytes_max, bytes: 0, budget, refused_at: None }
    }

    /// Whether it was the plugin's other calls that left no memory for this one.
    pub(crate) fn was_crowded_out(&self) -> bool {
        self.refused_at == Some(self.budget.bytes_max) && self.refused_at != Some(self.bytes_max)
    }

    fn grow(&mut self, more: usize) -> Result<(), usize> {
        let bytes = self.bytes.saturating_add(more);
        if bytes > self.bytes_max {
            return Err(self.bytes_max);
        }
        if !self.budget.take(more) {
            return Err(self.budget.bytes_max);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.grow(desired.saturating_sub(current));
        self.refused_at = grown.err().or(self.refused_at);
        Ok(grown.is_ok())
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
        let mut first = MemoryLimit::new(70, Arc::clone(&budget));
        let mut grows = |current, desired| first.memory_growing(current, desired, None).expect("no error of its own");
        assert!(grows(0, 50) && grows(50, 70) && !grows(70, 71));
        assert_eq!((first.refused_at, first.was_crowded_out()), (Some(70), false));
        let mut second = MemoryLimit::new(70, Arc::clone(&budget));
        assert!(second.memory_growing(0, 30, None).expect("no error"));
        assert!(!second.memory_growing(30, 31, None).expect("no error"));
        assert_eq!((second.refused_at, second.was_crowded_out()), (Some(100), true));
        drop(first);
        assert!(second.memory_growing(30, 70, None).expect("no error"), "what was given back can be had again");
        assert!(!second.memory_growing(usize::MAX - 1, usize::MAX, None).expect("no error"));
        drop(second);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }
}

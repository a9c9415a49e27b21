//! How much calls may take at once, of places and of memory, and how much of that is one plugin's or one tenant's.
//!
//! A scheme that accepts a connection and never answers holds a place for as long as a call may take, and a plugin that hoards holds
//! memory. Nobody's share is so large that a few of them together fill the host, whatever number of plugins a tenant has.

/// Most calls at once unless somebody says otherwise. What waits for its scheme holds some 0.1 MiB (of a Rust channel), so that all
/// of them hold 100 MiB, which the smallest machine has beside core; at 30 seconds a call, a merchant's [`CallsMax::per_tenant_of_plugin`]
/// of 64 carry two sales a second through a scheme that has all but stopped.
pub const CALLS_DEFAULT: u32 = 1_024;

/// Most that can be had. Each sets aside two memories of 4 GiB and their guards, all of them in one piece, and the largest piece of address space
/// that Linux has for a program (x86-64, 47 bits) is the 85 TiB below the program itself: 10,240 take 81.
pub const CALLS_MOST: u32 = 10_240;

/// Linear memory for each of the calls, in bytes: three times what one of a Rust channel has (1.2 MiB, of which it touches 0.1). By
/// default 4 GiB in all.
const MEMORY_BYTES_PER_CALL: usize = 4 << 20;

/// The least of all calls together, in bytes: that four merchants have [`MEMORY_SHARE_BYTES_LEAST`] beside each other.
const MEMORY_BYTES_LEAST: usize = 4 << 30;

/// No share of the memory is smaller, in bytes, as long as there is as much: 25 calls of a Python channel (40 MiB each).
const MEMORY_SHARE_BYTES_LEAST: usize = 1 << 30;

/// No share of the places is smaller, as long as there are as many: a shop's few tills are not turned away on a small host.
const SHARE_LEAST: u32 = 8;

/// Most calls at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallsMax {
    pub in_all: u32,
    /// Of one plugin, by whomever.
    pub per_plugin: u32,
    /// Of one tenant, through all plugins together.
    pub per_tenant: u32,
    /// Of one tenant through one plugin, so that its other schemes go on while one does not answer.
    pub per_tenant_of_plugin: u32,
}

impl CallsMax {
    /// The usual shares: four plugins, or four tenants, must be slow together before the host is full, four tenants before a plugin
    /// is, and four schemes before a tenant has no place left.
    #[must_use]
    pub fn of(in_all: u32) -> Self {
        let quarter = |of: u32| of.div_ceil(4).max(SHARE_LEAST.min(in_all));
        let per_plugin = quarter(in_all);
        Self { in_all, per_plugin, per_tenant: quarter(in_all), per_tenant_of_plugin: quarter(per_plugin) }
    }
}

/// Most linear memory of calls at once, in bytes, beside what one call may have. Counted as it is grown, touched or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryMax {
    pub in_all: usize,
    /// Of one plugin, by whomever.
    pub per_plugin: usize,
    /// Of one tenant, through all plugins together.
    pub per_tenant: usize,
}

impl MemoryMax {
    /// The usual shares: two plugins, or four tenants, must hoard together before the host is full, and two tenants before a plugin
    /// is. Nobody waits for memory as for a place, so a share that is too small refuses what could be served.
    #[must_use]
    pub fn of(in_all: usize) -> Self {
        let share = |part: usize| part.max(MEMORY_SHARE_BYTES_LEAST).min(in_all);
        Self { in_all, per_plugin: share(in_all / 2), per_tenant: share(in_all / 4) }
    }

    /// What so many calls need.
    #[must_use]
    pub fn for_calls(calls_max: u32) -> usize {
        MEMORY_BYTES_PER_CALL.saturating_mul(calls_max as usize).max(MEMORY_BYTES_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_from_the_whole() {
        for (in_all, per_plugin, per_tenant, per_tenant_of_plugin) in [
            (1, 1, 1, 1),
            (8, 8, 8, 8),
            (64, 16, 16, 8),
            (256, 64, 64, 16),
            (CALLS_DEFAULT, 256, 256, 64),
            (CALLS_MOST, 2_560, 2_560, 640),
        ] {
            let shares = CallsMax { in_all, per_plugin, per_tenant, per_tenant_of_plugin };
            assert_eq!(CallsMax::of(in_all), shares);
        }
        // Fewer calls than by default do not have less: who sets 256 has 25 calls of a Python channel for each merchant all the same.
        for calls in [8, 256, CALLS_DEFAULT] {
            assert_eq!(MemoryMax::for_calls(calls), 4 << 30, "{calls}");
        }
        for (in_all, per_plugin, per_tenant) in [
            (512 << 20, 512 << 20, 512 << 20),
            (1 << 30, 1 << 30, 1 << 30),
            (MemoryMax::for_calls(CALLS_DEFAULT), 2 << 30, 1 << 30),
            (MemoryMax::for_calls(CALLS_MOST), 20 << 30, 10 << 30),
        ] {
            assert_eq!(MemoryMax::of(in_all), MemoryMax { in_all, per_plugin, per_tenant });
        }
    }
}

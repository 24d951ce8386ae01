// SPDX-License-Identifier: GPL-2.0

//! The sizes that a namespace begins with: module parameters, or a share of the memory.

use crate::sys::node;
use core::sync::atomic::{AtomicU32, Ordering};

static MAX_FLOWS: AtomicU32 = AtomicU32::new(0);
static MAX_BINDINGS: AtomicU32 = AtomicU32::new(0);
static BUCKETS: AtomicU32 = AtomicU32::new(0);

const GIB: u64 = 1 << 30;

/// Buckets of a table that grows with what it holds, at first and when it is empty.
pub(crate) const FEWEST_BUCKETS: usize = 256;
/// The most buckets of a table: 1 GiB of them. Twice as much is more than `kvmalloc()` gives.
pub(crate) const MOST_BUCKETS: u32 = 1 << 26;

/// Takes over the module parameters; 0 is to choose.
pub(crate) fn set(max_flows: u32, max_bindings: u32, buckets: u32) {
    let or = |given: u32, otherwise: u32| if given == 0 { otherwise } else { given };
    let max_flows = or(max_flows, by_memory(node::total_memory()));
    MAX_FLOWS.store(max_flows, Ordering::Relaxed);
    MAX_BINDINGS.store(or(max_bindings, max_flows), Ordering::Relaxed);
    BUCKETS.store(buckets.min(MOST_BUCKETS), Ordering::Relaxed);
}

/// As conntrack has it: 262144 flows from 4 GiB of memory on, 65536 from 1 GiB on, else 16384.
fn by_memory(bytes: u64) -> u32 {
    match bytes / GIB {
        4.. => 262_144,
        1..4 => 65_536,
        0 => 16_384,
    }
}

/// The default limit of flows.
pub(crate) fn max_flows() -> u32 {
    MAX_FLOWS.load(Ordering::Relaxed)
}

/// The default limit of bindings.
pub(crate) fn max_bindings() -> u32 {
    MAX_BINDINGS.load(Ordering::Relaxed)
}

/// The default number of buckets of a table of a node; 0 is automatic.
pub(crate) fn buckets() -> u32 {
    BUCKETS.load(Ordering::Relaxed)
}

/// The number of buckets that a table gets who is asked for so many: a power of two.
pub(crate) fn whole(buckets: u32) -> usize {
    buckets.clamp(1, MOST_BUCKETS).next_power_of_two() as usize
}

/// The most buckets that a table of a node grows to by itself: one for each entry when there are
/// as many objects, of two entries, as there may be, spread over all nodes.
pub(crate) fn full(objects: u32, nodes: usize) -> usize {
    let entries = (objects as usize).saturating_mul(2).checked_div(nodes);
    let buckets = entries.unwrap_or(1).checked_next_power_of_two();
    let buckets = buckets.unwrap_or(usize::MAX).min(MOST_BUCKETS as usize);
    buckets.max(FEWEST_BUCKETS)
}

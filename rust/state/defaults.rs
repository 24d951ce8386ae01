// SPDX-License-Identifier: GPL-2.0

//! The sizes that a namespace begins with: module parameters, or a share of the memory.

use crate::sys::node;
use core::sync::atomic::{AtomicU32, Ordering};

static MAX_FLOWS: AtomicU32 = AtomicU32::new(0);
static MAX_BINDINGS: AtomicU32 = AtomicU32::new(0);
static BUCKETS: AtomicU32 = AtomicU32::new(0);

const GIB: u64 = 1 << 30;

/// Takes over the module parameters; 0 is to choose.
pub(crate) fn set(max_flows: u32, max_bindings: u32, buckets: u32) {
    let or = |given: u32, otherwise: u32| if given == 0 { otherwise } else { given };
    let max_flows = or(max_flows, by_memory(node::total_memory()));
    MAX_FLOWS.store(max_flows, Ordering::Relaxed);
    MAX_BINDINGS.store(or(max_bindings, max_flows), Ordering::Relaxed);
    BUCKETS.store(buckets, Ordering::Relaxed);
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

/// Buckets of a table of a node: one for each direction of each flow, over all nodes.
pub(crate) fn buckets(nodes: usize) -> usize {
    match BUCKETS.load(Ordering::Relaxed) {
        0 => (max_flows() as usize)
            .saturating_mul(2)
            .checked_div(nodes)
            .unwrap_or(1),
        given => given as usize,
    }
}

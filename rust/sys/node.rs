// SPDX-License-Identifier: GPL-2.0

//! NUMA nodes, numbered densely from 0.

use super::ffi;
use crate::nat::ports::CHUNKS;
use kernel::prelude::*;

/// The nodes that memory is taken from: those with memory that is the nearest to some CPU. They are
/// those of the moment at which they were asked for; what is added later is mapped to the nearest.
pub(crate) struct Nodes {
    /// The kernel's numbers, in ascending order.
    ids: KVec<i32>,
    /// For every number that a node can have, the dense number of the nearest of `ids`.
    places: KVec<u16>,
}

impl Nodes {
    /// Asks the kernel.
    pub(crate) fn new() -> Result<Self> {
        let mut memory = KVec::new();
        for id in list(ffi::fastnat_shim_next_node) {
            memory.push(id, GFP_KERNEL)?;
        }
        let mut used = KVec::from_elem(false, memory.len(), GFP_KERNEL)?;
        for node in cpus().map(of_cpu) {
            let place = nearest(node, &memory);
            if let Some(used) = place.and_then(|place| used.get_mut(place)) {
                *used = true;
            }
        }
        let mut ids = KVec::new();
        for (id, _) in memory
            .iter()
            .zip(&used)
            .filter(|(_, used)| **used)
            .take(CHUNKS)
        {
            ids.push(*id, GFP_KERNEL)?;
        }
        if ids.is_empty() {
            ids.push(*memory.first().ok_or(ENODEV)?, GFP_KERNEL)?;
        }
        let mut places = KVec::new();
        // SAFETY: No requirements.
        for id in 0..unsafe { ffi::fastnat_shim_node_ids() } {
            places.push(nearest(id, &ids).unwrap_or(0) as u16, GFP_KERNEL)?;
        }
        Ok(Self { ids, places })
    }

    /// The kernel's numbers of the nodes.
    pub(crate) fn ids(&self) -> &[i32] {
        &self.ids
    }

    /// The dense number of the one nearest to a node.
    #[inline]
    pub(crate) fn place(&self, id: i32) -> usize {
        let id = usize::try_from(id).ok();
        let place = id.and_then(|id| self.places.get(id));
        place.map_or(0, |place| usize::from(*place))
    }

    /// The dense number of the one nearest to this CPU. The CPU may change right after.
    #[inline]
    pub(crate) fn here(&self) -> usize {
        if self.ids.len() == 1 {
            return 0;
        }
        // SAFETY: No requirements.
        self.place(unsafe { ffi::fastnat_shim_this_node() })
    }
}

/// Which of `nodes` is the nearest to a node: itself, if it is among them. Not all nodes choose the
/// same of those that are equally near.
fn nearest(id: i32, nodes: &[i32]) -> Option<usize> {
    let first = usize::try_from(id).ok()?.checked_rem(nodes.len())?;
    let distance = |place: &usize| match nodes.get(*place) {
        Some(node) if *node == id => 0,
        // SAFETY: Both are numbers of nodes.
        Some(node) => unsafe { ffi::fastnat_shim_node_distance(id, *node) },
        None => i32::MAX,
    };
    Iterator::chain(first..nodes.len(), 0..first).min_by_key(distance)
}

/// The CPUs that there can be, now or later.
pub(super) fn cpus() -> impl Iterator<Item = i32> {
    list(ffi::fastnat_shim_next_cpu)
}

/// The node of one of these CPUs; not the number of one if the kernel does not know.
pub(super) fn of_cpu(cpu: i32) -> i32 {
    // SAFETY: One of the CPUs that there can be.
    unsafe { ffi::fastnat_shim_cpu_node(cpu) }
}

/// What `next` leads to from -1 on, until -1.
fn list(next: unsafe extern "C" fn(i32) -> i32) -> impl Iterator<Item = i32> {
    // SAFETY: One of `fastnat_shim_next_*`, which have no requirements.
    let next = move |id: &i32| Some(unsafe { next(*id) }).filter(|id| *id >= 0);
    core::iter::successors(next(&-1), next)
}

/// Bytes of memory that can be had without taking it from programs.
pub(crate) fn available_memory() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::fastnat_shim_available_memory() }
}

/// Bytes of memory that the kernel manages.
pub(crate) fn total_memory() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::fastnat_shim_memory() }
}

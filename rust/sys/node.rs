// SPDX-License-Identifier: GPL-2.0

//! NUMA nodes with memory, numbered densely from 0.

use super::ffi;
use kernel::prelude::*;

/// The nodes that have memory, in ascending order.
pub(crate) struct Nodes {
    ids: KVec<i32>,
    index: KVec<u16>,
}

impl Nodes {
    /// Asks the kernel.
    pub(crate) fn new() -> Result<Self> {
        let mut ids = KVec::new();
        let mut index = KVec::new();
        let mut id = -1;
        loop {
            // SAFETY: No requirements.
            id = unsafe { ffi::fastnat_shim_next_node(id) };
            let Ok(place) = usize::try_from(id) else {
                break;
            };
            while index.len() <= place {
                index.push(ids.len() as u16, GFP_KERNEL)?;
            }
            ids.push(id, GFP_KERNEL)?;
        }
        if ids.is_empty() {
            return Err(ENODEV);
        }
        Ok(Self { ids, index })
    }

    /// The kernel's numbers of the nodes.
    pub(crate) fn ids(&self) -> &[i32] {
        &self.ids
    }

    /// The dense number of the node nearest to this CPU. The CPU may change right after.
    #[inline]
    pub(crate) fn here(&self) -> usize {
        if self.ids.len() == 1 {
            return 0;
        }
        // SAFETY: No requirements.
        let id = unsafe { ffi::fastnat_shim_this_node() };
        let place = usize::try_from(id).ok();
        let dense = place.and_then(|place| self.index.get(place));
        dense.map_or(0, |dense| usize::from(*dense))
    }
}

/// Bytes of memory that the kernel manages.
pub(crate) fn total_memory() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::fastnat_shim_memory() }
}

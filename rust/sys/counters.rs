// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters.

use super::{ffi, node};
use kernel::ffi::c_void;
use kernel::prelude::*;

/// A row of counters, each with a cell per CPU.
///
/// # Invariants
///
/// `base` came from `fastnat_shim_counters_alloc(count)`.
pub(crate) struct Counters {
    base: *mut c_void,
    count: u32,
}

// SAFETY: The cells are per CPU; adding and summing are safe from anywhere.
unsafe impl Send for Counters {}
// SAFETY: As above.
unsafe impl Sync for Counters {}

impl Counters {
    /// Allocates `count` counters at zero. Sleeps.
    pub(crate) fn new(count: u32) -> Result<Self> {
        // SAFETY: No requirements but that of sleeping.
        let base = unsafe { ffi::fastnat_shim_counters_alloc(count) };
        if base.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: Just allocated.
        Ok(Self { base, count })
    }

    /// Adds one on this CPU. Any context.
    #[inline]
    pub(crate) fn inc(&self, index: u32) {
        if index < self.count {
            // SAFETY: By the invariant, `index` is inside the row.
            unsafe { ffi::fastnat_shim_counter_inc(self.base, index) };
        }
    }

    /// Adds to this counter and to the next one, on this CPU. Any context.
    #[inline]
    pub(crate) fn add_two(&self, index: u32, counts: [u32; 2]) {
        let [first, second] = counts;
        if index.wrapping_add(1) < self.count {
            // SAFETY: By the invariant, `index` and the next are inside the row.
            unsafe { ffi::fastnat_shim_counters_add(self.base, index, first, second) };
        }
    }

    /// The sum over the CPUs, present or not, whose node `wanted` accepts; see [`node::of_cpu`].
    pub(crate) fn sum(&self, index: u32, wanted: impl Fn(i32) -> bool) -> u64 {
        if index >= self.count {
            return 0;
        }
        let cpus = node::cpus().filter(|cpu| wanted(node::of_cpu(*cpu)));
        // SAFETY: By the invariant, `index` is inside the row, which has a cell for each CPU.
        let cell = |cpu| unsafe { ffi::fastnat_shim_counter_get(self.base, index, cpu) };
        cpus.fold(0u64, |sum, cpu| sum.wrapping_add(cell(cpu)))
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: By the invariant; nobody counts any more.
        unsafe { ffi::fastnat_shim_counters_free(self.base) };
    }
}

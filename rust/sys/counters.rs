// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters.

use super::ffi;
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

    /// The sum over all CPUs.
    pub(crate) fn sum(&self, index: u32) -> u64 {
        if index >= self.count {
            return 0;
        }
        // SAFETY: By the invariant, `index` is inside the row.
        unsafe { ffi::fastnat_shim_counter_sum(self.base, index) }
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // SAFETY: By the invariant; nobody counts any more.
        unsafe { ffi::fastnat_shim_counters_free(self.base) };
    }
}

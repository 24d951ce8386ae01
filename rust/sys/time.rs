// SPDX-License-Identifier: GPL-2.0

//! The clock of the tables: ticks since boot, those of suspension included, cut to 32 bits.

use super::ffi;
use crate::nat::time::{Grain, Instant, Ticks};
use kernel::bindings;
use kernel::prelude::*;

/// The clock counts suspension while this lives.
pub(crate) struct Clock(());

impl Clock {
    /// Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: No requirements.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_clock_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // SAFETY: Registered.
        unsafe { ffi::fastnat_shim_clock_unregister() };
    }
}

/// Now.
#[inline]
pub(crate) fn now() -> Instant {
    // SAFETY: Both are numbers that others change at any time, read in one piece.
    let (ticks, slept) = unsafe {
        let ticks = (&raw const bindings::jiffies).read_volatile();
        (ticks, (&raw const ffi::fastnat_shim_slept).read_volatile())
    };
    Instant((ticks as u32).wrapping_add(slept))
}

/// Ticks in a second.
#[inline]
pub(crate) const fn hz() -> u32 {
    bindings::CONFIG_HZ
}

/// Lets others run, now and then, in a walk over many buckets. Sleeps.
pub(crate) fn breathe(index: usize) {
    if index % 1024 == 0 {
        // SAFETY: No requirements but that of sleeping.
        unsafe { ffi::fastnat_shim_resched() };
    }
}

/// A duration of whole seconds.
pub(crate) fn seconds(secs: u32) -> Ticks {
    Ticks::from_secs(secs, hz())
}

/// The grain of deadlines: about a second.
#[inline]
pub(crate) const fn grain() -> Grain {
    const { Grain::at_least(hz()) }
}

// SPDX-License-Identifier: GPL-2.0

//! The clock of the tables: jiffies, cut to 32 bits.

use super::ffi;
use crate::nat::time::{Instant, Ticks};

/// Now.
#[inline]
pub(crate) fn now() -> Instant {
    // SAFETY: No requirements.
    Instant(unsafe { ffi::fastnat_shim_now() })
}

/// Ticks in a second.
pub(crate) fn hz() -> u32 {
    // SAFETY: No requirements.
    unsafe { ffi::fastnat_shim_hz() }
}

/// A duration of whole seconds.
pub(crate) fn seconds(secs: u32) -> Ticks {
    Ticks::from_secs(secs, hz())
}

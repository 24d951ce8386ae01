// SPDX-License-Identifier: GPL-2.0

//! A clock that tests set.

use super::{might_sleep, schedule};
use crate::nat::time::{Grain, Instant};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ticks in a second, as in Debian's kernel.
pub(crate) const HZ: u32 = 250;

static NOW: AtomicU32 = AtomicU32::new(0);

/// Now.
pub(crate) fn now() -> Instant {
    schedule::point();
    Instant(NOW.load(Ordering::SeqCst))
}

/// The grain of deadlines.
pub(crate) fn grain() -> Grain {
    Grain::at_least(HZ)
}

/// Lets others run.
pub(crate) fn breathe(_index: usize) {
    might_sleep();
    schedule::point();
}

/// Sets the clock.
pub(crate) fn set(now: u32) {
    NOW.store(now, Ordering::SeqCst);
}

/// Lets so many ticks pass.
pub(crate) fn pass(ticks: u32) {
    NOW.fetch_add(ticks, Ordering::SeqCst);
}

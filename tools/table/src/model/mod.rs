// SPDX-License-Identifier: GPL-2.0

//! A model of the kernel: memory, locks, RCU, the clock.
//!
//! It is stricter than the kernel: locks check their order each time, what sleeps checks that it
//! may, and freed memory is overwritten and kept for a while, so that who still reads it is caught.

pub(crate) mod alloc;
pub(crate) mod ingress;
pub(crate) mod lock;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod schedule;
pub(crate) mod time;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clock and the count of memory are global, so one test runs at a time.
static WORLD: Mutex<()> = Mutex::new(());

/// The model, for one test. In the end all memory must have been freed.
pub(crate) struct World(Option<MutexGuard<'static, ()>>);

impl World {
    /// With the clock at `now`.
    pub(crate) fn begin(now: u32) -> Self {
        let guard = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        rcu::barrier();
        alloc::forget();
        time::set(now);
        Self(Some(guard))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            rcu::barrier();
            assert_eq!(alloc::live(), 0, "allocations that were never freed");
        }
        self.0 = None;
    }
}

/// Where the kernel would look whether it may sleep.
pub(crate) fn might_sleep() {
    assert!(!rcu::is_held(), "sleeps on the RCU read side");
    assert!(!lock::any_held(), "sleeps with a lock");
}

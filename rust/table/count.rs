// SPDX-License-Identifier: GPL-2.0

//! How many objects there are, and room for one more.

use core::sync::atomic::{AtomicU32, Ordering};

/// How many objects there are. In a cache line of its own: what makes and removes objects writes it,
/// and every lookup reads what lies around it.
#[repr(align(64))]
pub(crate) struct Count(AtomicU32);

/// One object that is about to be, already counted; uncounted when dropped.
pub(crate) struct Place<'a>(&'a Count);

impl Count {
    /// None.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Now.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Is there none, now that all see who sleeps? See `Shard::sleep`.
    pub(super) fn is_zero(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }

    /// Counts one more.
    pub(crate) fn reserve(&self) -> Place<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Place(self)
    }

    /// Counts one less.
    pub(super) fn sub(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place<'_> {
    /// It is there now.
    pub(super) fn fill(self) {
        core::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.sub();
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that exclude softirqs, for arrays of many.
//!
//! The order in which several are taken is that of their users; see `table::hash`.

use super::ffi;
use kernel::bindings;
use kernel::types::{NotThreadSafe, Opaque};

/// Locks of different classes may be held at once, in the order in which they stand here.
#[derive(Copy, Clone)]
pub(crate) enum Class {
    /// See `table::making`.
    Making,
    /// See `table::blocks`.
    Blocks,
    /// See `table::hash`.
    Bucket,
    /// See `table::wheel`.
    Slot,
}

/// A spinlock that guards what lies beside it.
#[repr(transparent)]
pub(crate) struct BhLock(Opaque<bindings::spinlock_t>);

// SAFETY: A spinlock is made to be shared.
unsafe impl Send for BhLock {}
// SAFETY: As above.
unsafe impl Sync for BhLock {}

impl BhLock {
    /// Initialises the lock of every element of a new array.
    ///
    /// # Safety
    ///
    /// Nobody has used the locks yet.
    pub(crate) unsafe fn init_all<T>(array: &[T], class: Class, lock: impl Fn(&T) -> &BhLock) {
        if let Some(first) = array.first() {
            let first = lock(first).0.get();
            // SAFETY: The locks lie one `T` apart, all in the array.
            unsafe {
                let init = match class {
                    Class::Making => ffi::fastnat_shim_making_init,
                    Class::Blocks => ffi::fastnat_shim_blocks_init,
                    Class::Bucket => ffi::fastnat_shim_buckets_init,
                    Class::Slot => ffi::fastnat_shim_slots_init,
                };
                init(first.cast(), core::mem::size_of::<T>(), array.len());
            }
        }
    }

    /// The cache line of the lock will be written soon.
    #[inline]
    pub(crate) fn prefetch(&self) {
        // SAFETY: Any address will do.
        unsafe { ffi::fastnat_shim_lock_prefetch(self.0.get()) };
    }

    /// Takes the lock, bottom halves off.
    #[inline]
    pub(crate) fn lock(&self) -> BhGuard<'_> {
        // SAFETY: The lock is initialised: see `init_all`.
        unsafe { ffi::fastnat_shim_lock_bh(self.0.get()) };
        BhGuard(self, NotThreadSafe)
    }
}

/// The lock is held.
pub(crate) struct BhGuard<'a>(&'a BhLock, NotThreadSafe);

impl BhGuard<'_> {
    /// Takes another lock of the same class. The caller keeps the order.
    pub(crate) fn nested<'b>(&'b self, lock: &'b BhLock) -> Nested<'b> {
        // SAFETY: The lock is initialised: see `init_all`.
        unsafe { ffi::fastnat_shim_lock_second(lock.0.get()) };
        Nested(lock, NotThreadSafe)
    }
}

/// A second lock is held, inside another.
pub(crate) struct Nested<'a>(&'a BhLock, NotThreadSafe);

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        // SAFETY: Taken by `BhGuard::nested`.
        unsafe { ffi::fastnat_shim_unlock(self.0 .0.get()) };
    }
}

impl Drop for BhGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken by `BhLock::lock`.
        unsafe { ffi::fastnat_shim_unlock_bh(self.0 .0.get()) };
    }
}

/// Two locks are held, or one.
pub(crate) struct BhPair<'a> {
    first: &'a BhLock,
    second: Option<&'a BhLock>,
    _context: NotThreadSafe,
}

impl<'a> BhPair<'a> {
    /// Takes `first`, then `second`. The caller keeps the order of its locks.
    #[inline]
    pub(crate) fn lock(first: &'a BhLock, second: Option<&'a BhLock>) -> Self {
        // SAFETY: The locks are initialised: see `init_all`.
        unsafe {
            ffi::fastnat_shim_lock_bh(first.0.get());
            if let Some(second) = second {
                ffi::fastnat_shim_lock_second(second.0.get());
            }
        }
        Self {
            first,
            second,
            _context: NotThreadSafe,
        }
    }
}

impl Drop for BhPair<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Taken by `BhPair::lock`.
        unsafe {
            if let Some(second) = self.second {
                ffi::fastnat_shim_unlock(second.0.get());
            }
            ffi::fastnat_shim_unlock_bh(self.first.0.get());
        }
    }
}

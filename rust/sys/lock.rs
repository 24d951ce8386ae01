// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that exclude softirqs, for arrays of many.
//!
//! The order in which several are taken is that of their users; see `table::hash`.

use super::ffi;
use super::memory::NodeArray;
use core::cell::UnsafeCell;
use kernel::bindings;
use kernel::prelude::*;
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
    /// See `state::held`; alone.
    Held,
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
                    Class::Held => ffi::fastnat_shim_held_init,
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

/// A value and the lock that guards it.
struct Locked<T> {
    lock: BhLock,
    value: UnsafeCell<T>,
}

// SAFETY: The value is reached only while the lock is held.
unsafe impl<T: Send> Sync for Locked<T> {}

/// An array of values, each behind a lock of its own.
pub(crate) struct LockedArray<T>(NodeArray<Locked<T>>);

impl<T> LockedArray<T> {
    /// Bytes of so many values.
    pub(crate) const fn bytes(len: usize) -> usize {
        core::mem::size_of::<Locked<T>>().saturating_mul(len)
    }

    /// So many values, as `make` makes them, on `node`. Sleeps.
    pub(crate) fn new(len: usize, node: i32, class: Class, make: impl Fn() -> T) -> Result<Self> {
        let values = core::iter::repeat_with(|| Locked {
            lock: BhLock(Opaque::uninit()),
            value: UnsafeCell::new(make()),
        });
        let array = NodeArray::new(len, node, values)?;
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&array, class, |locked: &Locked<T>| &locked.lock) };
        Ok(Self(array))
    }

    /// Runs `f` with a value, its lock held. `f` must not sleep, nor take a lock of this array.
    pub(crate) fn with<R>(&self, index: usize, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let locked = self.0.get(index)?;
        let _held = locked.lock.lock();
        // SAFETY: The lock is held until after `f`, which cannot reach the value another way.
        Some(f(unsafe { &mut *locked.value.get() }))
    }
}

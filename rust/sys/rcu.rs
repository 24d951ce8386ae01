// SPDX-License-Identifier: GPL-2.0

//! RCU: evidence that the read side is held, and a published box.

use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::bindings;
use kernel::prelude::*;
use kernel::types::NotThreadSafe;

/// Evidence that the RCU read side is held for `'a`.
///
/// # Invariants
///
/// RCU is read-locked by this context while the value lives.
#[derive(Copy, Clone)]
pub(crate) struct Rcu<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Rcu<'_> {
    /// For callers that hold the lock by contract, as netfilter hooks do.
    ///
    /// # Safety
    ///
    /// The caller holds the RCU read lock for as long as the value lives.
    pub(super) unsafe fn held() -> Self {
        // INVARIANT: The caller's promise.
        Self(PhantomData, NotThreadSafe)
    }
}

/// Runs `f` on the RCU read side. `f` must not sleep.
pub(crate) fn read<R>(f: impl FnOnce(Rcu<'_>) -> R) -> R {
    let guard = kernel::sync::rcu::read_lock();
    // SAFETY: `guard` holds the lock and lives until after `f`.
    let result = f(unsafe { Rcu::held() });
    drop(guard);
    result
}

/// Waits until all readers that run now are done. Sleeps.
pub(crate) fn synchronize() {
    // SAFETY: No requirements but that of sleeping.
    unsafe { super::ffi::synchronize_net() };
}

/// Waits until all callbacks queued with [`free_later`] have run. Sleeps.
pub(crate) fn barrier() {
    // SAFETY: No requirements but that of sleeping.
    unsafe { bindings::rcu_barrier() };
}

/// Room for RCU to queue an object with.
pub(crate) type Head = kernel::types::Opaque<bindings::callback_head>;

/// Calls `free` with `head` after a grace period.
///
/// # Safety
///
/// `head` lies in an object that stays allocated until `free` runs, is queued only once, and
/// [`barrier`] is called before the module goes.
pub(crate) unsafe fn free_later(
    head: &Head,
    free: unsafe extern "C" fn(*mut bindings::callback_head),
) {
    // SAFETY: The caller's promise.
    unsafe { bindings::call_rcu(head.get(), Some(free)) };
}

/// A box that readers see through RCU and a writer replaces as a whole.
///
/// # Invariants
///
/// The pointer is null or came from `KBox::into_raw`, and is owned by this cell.
pub(crate) struct Published<T>(AtomicPtr<T>, PhantomData<KBox<T>>);

// SAFETY: Readers on any CPU only get `&T`; the box moves with the cell.
unsafe impl<T: Send + Sync> Send for Published<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T> Published<T> {
    /// Publishes nothing.
    pub(crate) const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// What is published now.
    #[inline]
    pub(crate) fn get<'a>(&'a self, _rcu: Rcu<'a>) -> Option<&'a T> {
        // SAFETY: By the type invariant it is null or valid; a replaced box is freed only after a
        // grace period, which `_rcu` holds off for 'a.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Publishes `new` and returns the old box when no reader can hold it. Sleeps.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) -> Option<KBox<T>> {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        // INVARIANT: `new` came from a box; the old pointer leaves the cell here.
        let old = self.0.swap(new, Ordering::AcqRel);
        if old.is_null() {
            return None;
        }
        synchronize();
        // SAFETY: By the invariant it came from a box, and no reader is left.
        Some(unsafe { KBox::from_raw(old) })
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        let old = *self.0.get_mut();
        if !old.is_null() {
            // SAFETY: By the invariant it came from a box; `&mut self` says that nobody reads.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

/// A random number.
pub(crate) fn random() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::get_random_u32() }
}

/// A random 16-bit number, for half the price.
pub(crate) fn random16() -> u16 {
    // SAFETY: No requirements.
    unsafe { bindings::get_random_u16() }
}

/// A random 64-bit number.
pub(crate) fn random64() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::get_random_u64() }
}

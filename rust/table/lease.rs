// SPDX-License-Identifier: GPL-2.0

//! Leases: what holds a binding that was added by request, until it is deleted or its time is up.

use super::binding::{Binding, Held};
use super::wheel::{Timed, Timer};
use super::Family;
use crate::nat::time::Deadline;
use crate::sys::rcu::{self, Head, Rcu};
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use kernel::alloc::AllocError;
use kernel::bindings::callback_head;
use kernel::prelude::*;

/// A lease.
///
/// # Invariants
///
/// Came from a box, and is what the binding's pointer to its lease shows, until it is ended by the
/// one who retires its timer.
pub(crate) struct Lease<A: Family> {
    timer: Timer<Lease<A>>,
    held: ManuallyDrop<Held<A>>,
    until: Option<Deadline>,
    rcu: Head,
}

// SAFETY: Always the same field; `end` retires a lease before it leaves the memory to RCU.
unsafe impl<A: Family> Timed for Lease<A> {
    fn timer(&self) -> &Timer<Self> {
        &self.timer
    }
}

/// Memory for a lease.
pub(crate) struct Room<A: Family>(KBox<MaybeUninit<Lease<A>>>);

impl<A: Family> Room<A> {
    /// Sleeps.
    pub(crate) fn new() -> Result<Self, AllocError> {
        Ok(Self(KBox::new_uninit(GFP_KERNEL)?))
    }

    /// Lets a binding live until `until`, or without end.
    pub(crate) fn begin(self, held: Held<A>, until: Option<Deadline>) {
        let lease = self.0.write(Lease {
            timer: Timer::new(),
            held: ManuallyDrop::new(held),
            until,
            rcu: Head::uninit(),
        });
        let raw = KBox::into_raw(lease);
        rcu::read(|_rcu| {
            // SAFETY: From a box just now; valid while RCU is held.
            let lease = unsafe { &*raw };
            // INVARIANT: The binding shows it from here on.
            lease.held.lease_slot().store(raw, Ordering::Release);
            lease.held.home().lease_begun(lease);
        });
    }
}

impl<A: Family> Lease<A> {
    /// The binding that it holds.
    pub(super) fn binding(&self) -> &Binding<A> {
        &self.held
    }

    /// When it ends by itself.
    pub(crate) fn until(&self) -> Option<Deadline> {
        self.until
    }

    /// Ends it, and with it the binding, unless flows hold that; false if somebody else has.
    pub(crate) fn end(&self, _rcu: Rcu<'_>) -> bool {
        let shard = self.held.home();
        if !shard.leases().retire(self) {
            return false;
        }
        self.held
            .lease_slot()
            .store(ptr::null_mut(), Ordering::Release);
        shard.lease_ended();
        // SAFETY: Only the one who retires a lease gets here: its holder is let go once. The
        // binding stays readable while RCU is held.
        drop(unsafe { ptr::read(&*self.held) });
        // SAFETY: Retired, and shown by nothing any more; `Caches` waits for the callback.
        unsafe { rcu::free_later(&self.rcu, free::<A>) };
        true
    }
}

/// # Safety
///
/// `head` is the `rcu` of a lease that nobody can reach any more.
unsafe extern "C" fn free<A: Family>(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Lease<A>, rcu);
    let lease = head.cast::<u8>().wrapping_sub(offset).cast::<Lease<A>>();
    // SAFETY: The caller's promise; it came from a box.
    drop(unsafe { KBox::from_raw(NonNull::new_unchecked(lease).as_ptr()) });
}

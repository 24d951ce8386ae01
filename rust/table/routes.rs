// SPDX-License-Identifier: GPL-2.0

//! The routes that offloaded flows go by. Few, since flows with one next hop share one.
//!
//! A flow knows its route by a number that is never used again, so a route can be replaced or
//! forgotten without a look at the flows.

use crate::sys::memory::NodeArray;
use crate::sys::rcu::{self, Head, Rcu};
use crate::sys::route::Route;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use kernel::bindings::callback_head;
use kernel::prelude::*;

/// Routes of a namespace; a power of two.
const SLOTS: usize = 1024;
/// Slots where a route may be.
const WAYS: usize = 4;

/// What tells routes apart: how many there have been, and the slot. Never 0.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct RouteId(pub(super) u64);

impl RouteId {
    fn new(number: u64, slot: usize) -> Self {
        Self(number.wrapping_mul(SLOTS as u64) | slot as u64)
    }

    #[inline]
    fn slot(self) -> usize {
        self.0 as usize % SLOTS
    }
}

/// A route in a slot.
struct Kept {
    route: Route,
    id: RouteId,
    rcu: Head,
}

/// The routes.
///
/// # Invariants
///
/// A slot is null or from a box, which it owns. There are `SLOTS` slots.
pub(crate) struct Routes {
    slots: NodeArray<AtomicPtr<Kept>>,
    learned: AtomicU64,
}

// SAFETY: What slots own may be shared and sent.
unsafe impl Send for Routes {}
// SAFETY: As above.
unsafe impl Sync for Routes {}

impl Routes {
    /// Bytes that it takes, without routes.
    pub(crate) const BYTES: usize = SLOTS * size_of::<AtomicPtr<Kept>>();

    /// No routes, in memory of `node`. Sleeps.
    pub(crate) fn new(node: i32) -> Result<Self> {
        Ok(Self {
            // SAFETY: Zero is a null pointer.
            slots: unsafe { NodeArray::zeroed(SLOTS, node)? },
            learned: AtomicU64::new(0),
        })
    }

    /// A route, if it has not been forgotten. It may be invalid.
    #[inline]
    pub(crate) fn get<'a>(&'a self, id: RouteId, _rcu: Rcu<'a>) -> Option<&'a Route> {
        let slot = self.slots.get(id.slot())?;
        // SAFETY: By the invariant; what leaves a slot is freed a grace period later.
        let kept = unsafe { slot.load(Ordering::Acquire).as_ref()? };
        (kept.id == id).then_some(&kept.route)
    }

    /// Keeps a route in the place of one that is there already, of none, of one that is older, or
    /// of any. `None` if there is no memory, or another CPU was faster.
    pub(crate) fn keep(&self, route: Route, _rcu: Rcu<'_>) -> Option<RouteId> {
        let first = route.spread();
        let rotation = u64::from(rcu::random());
        let mut least: Option<(u64, usize, *mut Kept)> = None;
        for way in 0..WAYS {
            let index = first.wrapping_add(way) % SLOTS;
            let old = self.slots.get(index)?.load(Ordering::Acquire);
            // SAFETY: As in `get`.
            let worth = match unsafe { old.as_ref() } {
                Some(kept) if kept.route == route => return Some(kept.id),
                None => 0,
                Some(kept) if kept.route.is_older(&route) => 1,
                // Any: which one it is differs from one time to the next.
                Some(kept) => 2 | (kept.id.0 ^ rotation) << 2,
            };
            if least.is_none_or(|(least, ..)| worth < least) {
                least = Some((worth, index, old));
            }
        }
        let (_, index, old) = least?;
        self.put(route, index, old)
    }

    fn put(&self, route: Route, index: usize, old: *mut Kept) -> Option<RouteId> {
        let number = self.learned.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let id = RouteId::new(number, index);
        let kept = Kept {
            route,
            id,
            rcu: Head::uninit(),
        };
        let new = KBox::into_raw(KBox::new(kept, GFP_ATOMIC | __GFP_NOWARN).ok()?);
        let slot = self.slots.get(index)?;
        match slot.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(old) => {
                // SAFETY: By the invariant; it has left the slot just now.
                unsafe { free_later(old) };
                Some(id)
            }
            Err(_) => {
                // SAFETY: From a box just now, and in no slot.
                drop(unsafe { KBox::from_raw(new) });
                None
            }
        }
    }

    /// Forgets all routes: the next packet of every flow takes the whole stack.
    pub(crate) fn forget(&self) {
        for slot in self.slots.iter() {
            let old = slot.swap(ptr::null_mut(), Ordering::AcqRel);
            // SAFETY: By the invariant; it has left the slot just now.
            unsafe { free_later(old) };
        }
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        self.forget();
    }
}

/// # Safety
///
/// `kept` is null, or from a box and in no slot any more.
unsafe fn free_later(kept: *mut Kept) {
    // SAFETY: The caller's promise.
    if let Some(kept) = unsafe { kept.as_ref() } {
        // SAFETY: It is freed by `free` and nobody else; `Caches` waits for that at unload.
        unsafe { rcu::free_later(&kept.rcu, free) };
    }
}

/// # Safety
///
/// `head` is the `rcu` of a route that nobody can reach any more.
unsafe extern "C" fn free(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Kept, rcu);
    let kept = head.cast::<u8>().wrapping_sub(offset).cast::<Kept>();
    // SAFETY: From a box, see `put`.
    drop(unsafe { KBox::from_raw(kept) });
}

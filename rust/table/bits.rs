// SPDX-License-Identifier: GPL-2.0

//! A bit for each port, in memory that is not there before it is needed.

use core::alloc::Layout;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use kernel::alloc::allocator::Kmalloc;
use kernel::alloc::{Allocator, NumaNode};
use kernel::prelude::*;

/// Words of a bit for each port.
const WORDS: usize = 1024;

type Words = [AtomicU64; WORDS];

/// The bits.
///
/// # Invariants
///
/// Null, or came from `Kmalloc`; it stays until this is dropped.
pub(super) struct Bits(AtomicPtr<Words>);

/// Where the bit of a port lies: the word, and the bit in it.
pub(super) fn place(port: u16) -> (usize, u64) {
    (usize::from(port) / 64, 1 << (port % 64))
}

impl Bits {
    /// All zero; no memory yet.
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The words, if there have been any yet.
    #[inline]
    pub(super) fn known(&self) -> Option<&Words> {
        // SAFETY: By the invariant.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// The words; `None` if there is no memory.
    #[inline]
    pub(super) fn get(&self) -> Option<&Words> {
        match self.known() {
            None => self.allocate(),
            known => known,
        }
    }

    #[cold]
    fn allocate(&self) -> Option<&Words> {
        let layout = Layout::new::<Words>();
        let flags = GFP_ATOMIC | __GFP_ZERO | __GFP_NOWARN;
        let memory = Kmalloc::alloc(layout, flags, NumaNode::NO_NODE).ok()?;
        let memory = memory.cast::<Words>();
        // INVARIANT: From `Kmalloc`; zeroes are words of zero.
        let taken = self.0.compare_exchange(
            ptr::null_mut(),
            memory.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if taken.is_err() {
            // SAFETY: Allocated above with this layout, and nobody else has seen it.
            unsafe { Kmalloc::free(memory.cast(), layout) };
        }
        self.known()
    }
}

impl Drop for Bits {
    fn drop(&mut self) {
        if let Some(bits) = ptr::NonNull::new(*self.0.get_mut()) {
            // SAFETY: By the invariant; nothing refers to it any more.
            unsafe { Kmalloc::free(bits.cast(), Layout::new::<Words>()) };
        }
    }
}

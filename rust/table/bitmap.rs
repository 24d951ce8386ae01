// SPDX-License-Identifier: GPL-2.0

//! The ports of one protocol at one outside address: a bit for each.

use crate::nat::ports::{self, PortRange};
use core::alloc::Layout;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use kernel::alloc::allocator::Kmalloc;
use kernel::alloc::{Allocator, NumaNode};
use kernel::prelude::*;

/// Words of a bitmap of all ports.
const WORDS: usize = 1024;

type Bits = [AtomicU64; WORDS];

/// Which ports are taken.
///
/// # Invariants
///
/// `bits` is null or came from `Kmalloc`; it stays until this is dropped.
pub(super) struct Bitmap {
    bits: AtomicPtr<Bits>,
    /// How often a port was freed.
    freed: AtomicU32,
    /// Ranges in which a search found nothing, with what `freed` was then: one of those that begin
    /// with a well-known port, and one of others.
    empty: [AtomicU64; 2],
}

fn place(port: u16) -> (usize, u64) {
    (usize::from(port) / 64, 1 << (port % 64))
}

/// A range, and the number of ports freed before it was searched. Never 0 for a range of ports.
fn search(range: PortRange, freed: u32) -> u64 {
    let ends = (u32::from(range.min()) << 16) | u32::from(range.max());
    (u64::from(ends) << 32) | u64::from(freed)
}

impl Bitmap {
    /// All ports are free; no memory yet.
    pub(super) const fn new() -> Self {
        Self {
            bits: AtomicPtr::new(ptr::null_mut()),
            freed: AtomicU32::new(0),
            empty: [const { AtomicU64::new(0) }; 2],
        }
    }

    fn empty(&self, range: PortRange) -> &AtomicU64 {
        let [known, others] = &self.empty;
        match range.min() {
            0..1024 => known,
            _ => others,
        }
    }

    /// What [`Bitmap::pick`] wants to know of the past; `None` if no port of the range was free a
    /// moment ago, and none was freed since. So a flood does not search an exhausted range again
    /// and again.
    pub(super) fn begin(&self, range: PortRange) -> Option<u32> {
        let freed = self.freed.load(Ordering::Acquire);
        let known = self.empty(range).load(Ordering::Relaxed);
        (known != search(range, freed)).then_some(freed)
    }

    /// A free port; see [`ports::pick`]. `freed` is that of [`Bitmap::begin`].
    pub(super) fn pick(
        &self,
        range: PortRange,
        (nodes, node): (usize, Option<usize>),
        start: u16,
        freed: u32,
    ) -> Option<u16> {
        let bits = self.bits()?;
        let word = |index: usize| {
            bits.get(index)
                .map_or(u64::MAX, |word| word.load(Ordering::Relaxed))
        };
        let port = ports::pick(word, range, nodes, node, start);
        if port.is_none() && node.is_none() {
            self.empty(range)
                .store(search(range, freed), Ordering::Relaxed);
        }
        port
    }

    /// Takes a port; false if it is taken, or there is no memory.
    pub(super) fn take(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        let word = self.bits().and_then(|bits| bits.get(word));
        word.is_some_and(|word| word.fetch_or(bit, Ordering::AcqRel) & bit == 0)
    }

    /// Frees a port that was taken.
    pub(super) fn free(&self, port: u16) {
        let (word, bit) = place(port);
        if let Some(word) = self.bits().and_then(|bits| bits.get(word)) {
            word.fetch_and(!bit, Ordering::AcqRel);
            self.freed.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn bits(&self) -> Option<&Bits> {
        let bits = match self.bits.load(Ordering::Acquire) {
            none if none.is_null() => self.allocate()?,
            bits => bits,
        };
        // SAFETY: By the invariant.
        Some(unsafe { &*bits })
    }

    #[cold]
    fn allocate(&self) -> Option<*mut Bits> {
        let layout = Layout::new::<Bits>();
        let flags = GFP_ATOMIC | __GFP_ZERO | __GFP_NOWARN;
        let memory = Kmalloc::alloc(layout, flags, NumaNode::NO_NODE).ok()?;
        let memory = memory.cast::<Bits>();
        // INVARIANT: From `Kmalloc`; zeroes are a bitmap with all ports free.
        match self.bits.compare_exchange(
            ptr::null_mut(),
            memory.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => Some(memory.as_ptr()),
            Err(other) => {
                // SAFETY: Allocated above with this layout, and nobody else has seen it.
                unsafe { Kmalloc::free(memory.cast(), layout) };
                Some(other)
            }
        }
    }
}

impl Drop for Bitmap {
    fn drop(&mut self) {
        if let Some(bits) = ptr::NonNull::new(*self.bits.get_mut()) {
            // SAFETY: By the invariant; nothing refers to it any more.
            unsafe { Kmalloc::free(bits.cast(), Layout::new::<Bits>()) };
        }
    }
}

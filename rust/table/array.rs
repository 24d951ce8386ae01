// SPDX-License-Identifier: GPL-2.0

//! An array of buckets: what a hash table has one of or, while it is resized, two.

use super::hash::{random_key, Entry, Link};
use crate::nat::hash::{Hashed, Key};
use crate::sys::lock::{BhLock, Class};
use crate::sys::memory::NodeArray;
use crate::sys::rcu::Rcu;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use kernel::prelude::*;

/// A chain of entries: 16 bytes, without lock debugging.
#[repr(C)]
pub(crate) struct Bucket<E> {
    head: Link<E>,
    pub(super) lock: BhLock,
    /// How many entries there are, or [`MOVED`]. Written under the lock.
    len: AtomicU32,
}

/// The entries of the bucket are in the next array, and so is what will be linked.
const MOVED: u32 = 1 << 31;

/// The array.
///
/// # Invariants
///
/// There are `mask + 1` buckets, a power of two. `next` is null or points to an array that
/// outlives this one.
pub(super) struct Array<E> {
    buckets: NodeArray<Bucket<E>>,
    mask: usize,
    key: Key,
    next: AtomicPtr<Array<E>>,
    /// Tells the arrays of a table apart; not 0.
    pub(super) number: u32,
    /// How many buckets of the array before this one have moved.
    pub(super) filled: AtomicUsize,
}

impl<E> Array<E> {
    /// How many buckets there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.mask.wrapping_add(1)
    }

    /// Where entries go while they move.
    #[inline]
    pub(super) fn next(&self) -> Option<&Array<E>> {
        // SAFETY: By the invariant.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    pub(super) fn next_ptr(&self) -> *mut Array<E> {
        self.next.load(Ordering::Acquire)
    }

    /// From now on entries move to `next`, which outlives `self`.
    pub(super) fn set_next(&self, next: &Array<E>) {
        self.next
            .store(ptr::from_ref(next).cast_mut(), Ordering::Release);
    }

    /// The bucket at `index`.
    pub(super) fn get(&self, index: usize) -> Option<&Bucket<E>> {
        self.buckets.get(index)
    }
}

impl<E: Entry> Array<E> {
    /// At least `buckets` empty buckets in memory of `node`, with a random key. Sleeps.
    pub(super) fn new(buckets: usize, node: i32, number: u32) -> Result<KBox<Self>> {
        let buckets = buckets.max(1).checked_next_power_of_two().ok_or(E2BIG)?;
        // SAFETY: Zero is a null link and an unlocked lock in memory; nothing to drop.
        let array: NodeArray<Bucket<E>> = unsafe { NodeArray::zeroed(buckets, node)? };
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&array, Class::Bucket, |bucket| &bucket.lock) };
        let array = Self {
            buckets: array,
            mask: buckets.wrapping_sub(1),
            key: random_key(),
            next: AtomicPtr::new(ptr::null_mut()),
            number: number.max(1),
            filled: AtomicUsize::new(0),
        };
        Ok(KBox::new(array, GFP_KERNEL)?)
    }

    /// The bucket of a key.
    #[inline(always)]
    pub(super) fn bucket(&self, key: &E::Key) -> &Bucket<E> {
        self.at(self.hash(key))
    }

    /// The hash of a key.
    #[inline(always)]
    pub(super) fn hash(&self, key: &E::Key) -> u64 {
        key.hash(&self.key)
    }

    /// The bucket of a hash.
    #[inline(always)]
    pub(super) fn at(&self, hash: u64) -> &Bucket<E> {
        let index = hash as usize & self.mask;
        // SAFETY: By the invariant the masked index is below the length.
        unsafe { self.buckets.get_unchecked(index) }
    }

    /// Moves the entries of a bucket to `next`, the last one first: a reader that is carried away
    /// by one of them has nothing left to see here. Each is in the new chain before it leaves the
    /// old one.
    pub(super) fn migrate(&self, index: usize, next: &Array<E>) {
        let Some(bucket) = self.buckets.get(index) else {
            return;
        };
        let lock = bucket.lock.lock();
        while let Some((link, entry)) = bucket.last() {
            let to = next.bucket(entry.key());
            let _nested = lock.nested(&to.lock);
            // SAFETY: Both buckets are locked; the entry leaves the old chain right here.
            unsafe { to.link(entry) };
            link.set(ptr::null_mut());
        }
        bucket.len.store(MOVED, Ordering::Release);
    }
}

impl<E> Bucket<E> {
    /// Have the entries moved, and with them the right to link some? Certain under the lock.
    #[inline]
    pub(super) fn has_moved(&self) -> bool {
        self.len.load(Ordering::Acquire) & MOVED != 0
    }

    /// Where its first entry is.
    #[inline]
    pub(super) fn first(&self) -> *const E {
        self.head.get()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed) & !MOVED
    }
}

impl<E: Entry> Bucket<E> {
    /// The first entry with this key that `wanted` accepts.
    #[inline(always)]
    pub(super) fn find<'a>(
        &'a self,
        key: &E::Key,
        _rcu: Rcu<'a>,
        wanted: impl Fn(&E) -> bool,
    ) -> Option<&'a E> {
        let mut next = self.head.get();
        // SAFETY: Linked entries are valid, and stay so while `_rcu` lives (see `Table`).
        while let Some(entry) = unsafe { next.as_ref() } {
            if entry.key() == key && wanted(entry) {
                return Some(entry);
            }
            next = entry.link().get();
        }
        None
    }

    /// Calls `visit` with every entry, which it may unlink.
    pub(super) fn visit<'a>(&'a self, _rcu: Rcu<'a>, mut visit: impl FnMut(&'a E)) {
        let mut next = self.head.get();
        // SAFETY: As in `find`; an unlinked entry keeps its link until it is freed.
        while let Some(entry) = unsafe { next.as_ref() } {
            next = entry.link().get();
            visit(entry);
        }
    }

    /// The last entry, and the link that leads to it. The bucket is locked.
    fn last(&self) -> Option<(&Link<E>, &E)> {
        let mut link = &self.head;
        // SAFETY: The entries of a locked chain are valid.
        let mut entry = unsafe { link.get().as_ref()? };
        // SAFETY: As above.
        while let Some(next) = unsafe { entry.link().get().as_ref() } {
            (link, entry) = (entry.link(), next);
        }
        Some((link, entry))
    }

    /// Puts an entry at the head of the chain.
    ///
    /// # Safety
    ///
    /// The bucket is locked and is that of the entry's key; the entry is in no chain, or in the
    /// one that it is just being moved out of, and will be unlinked and outlive a grace period
    /// before it is freed.
    pub(super) unsafe fn link(&self, entry: &E) {
        entry.link().set(self.head.get());
        self.head.set(ptr::from_ref(entry).cast_mut());
        let len = self.len.load(Ordering::Relaxed);
        self.len.store(len.wrapping_add(1), Ordering::Relaxed);
    }

    /// Takes an entry out of the chain. It keeps its own link, for readers that stand on it.
    ///
    /// # Safety
    ///
    /// The bucket is locked and is that of the entry's key.
    pub(super) unsafe fn unlink(&self, entry: &E) {
        let mut link = &self.head;
        // SAFETY: The entries of a locked chain are valid.
        while let Some(here) = unsafe { link.get().as_ref() } {
            if ptr::eq(here, entry) {
                link.set(entry.link().get());
                let len = self.len.load(Ordering::Relaxed);
                self.len.store(len.wrapping_sub(1), Ordering::Relaxed);
                return;
            }
            link = here.link();
        }
    }
}

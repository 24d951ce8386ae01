// SPDX-License-Identifier: GPL-2.0

//! A hash table of objects that link themselves, on one NUMA node.
//!
//! Lock order: of two buckets, the one at the lower address first; nothing else is taken inside.

use crate::nat::hash::{Hashed, Key};
use crate::sys::lock::{BhGuard, BhLock, BhPair, Class};
use crate::sys::memory::NodeArray;
use crate::sys::rcu::Rcu;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::prelude::*;

/// What a table holds.
///
/// # Safety
///
/// `link` and `key` always return the same fields, and the key never changes.
pub(crate) unsafe trait Entry: Sized {
    /// What entries are found by.
    type Key: Copy + Eq + Hashed;
    /// The entry's place in its chain.
    fn link(&self) -> &Link<Self>;
    /// The entry's key.
    fn key(&self) -> &Self::Key;
}

/// A pointer to the next entry of a chain, or to none.
#[repr(transparent)]
pub(crate) struct Link<E>(AtomicPtr<E>);

impl<E> Link<E> {
    /// Points to nothing.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Pairs with the release in `set`: the entry is seen as it was when it was linked.
    #[inline]
    fn get(&self) -> *mut E {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    fn set(&self, entry: *mut E) {
        self.0.store(entry, Ordering::Release);
    }
}

#[repr(C)]
struct Bucket<E> {
    head: Link<E>,
    lock: BhLock,
}

/// The table.
///
/// # Invariants
///
/// There are `mask + 1` buckets, a power of two. Entries are linked and unlinked under the lock of
/// their bucket, and stay allocated for a grace period after they are unlinked.
pub(crate) struct Table<E> {
    buckets: NodeArray<Bucket<E>>,
    mask: usize,
    key: Key,
}

impl<E: Entry> Table<E> {
    /// A table of at least `buckets` buckets in memory of `node`. Sleeps.
    pub(crate) fn new(buckets: usize, node: i32, key: Key) -> Result<Self> {
        let buckets = buckets.max(1).checked_next_power_of_two().ok_or(E2BIG)?;
        // SAFETY: Zero is a null link and an unlocked lock in memory; nothing to drop.
        let array: NodeArray<Bucket<E>> = unsafe { NodeArray::zeroed(buckets, node)? };
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&array, Class::Bucket, |bucket| &bucket.lock) };
        Ok(Self {
            buckets: array,
            mask: buckets.wrapping_sub(1),
            key,
        })
    }

    /// How many buckets there are.
    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    #[inline]
    fn bucket(&self, key: &E::Key) -> &Bucket<E> {
        let index = key.hash(&self.key) as usize & self.mask;
        // SAFETY: By the invariant the masked index is below the length.
        unsafe { self.buckets.get_unchecked(index) }
    }

    /// The first entry with this key that `wanted` accepts.
    #[inline]
    pub(crate) fn find<'a>(
        &'a self,
        key: &E::Key,
        _rcu: Rcu<'a>,
        wanted: impl Fn(&E) -> bool,
    ) -> Option<&'a E> {
        let mut next = self.bucket(key).head.get();
        // SAFETY: By the invariant linked entries are valid, and stay so while `_rcu` lives.
        while let Some(entry) = unsafe { next.as_ref() } {
            if entry.key() == key && wanted(entry) {
                return Some(entry);
            }
            next = entry.link().get();
        }
        None
    }

    /// Calls `visit` with every entry of a bucket. It may unlink the entry it is given.
    pub(crate) fn visit<'a>(&'a self, index: usize, _rcu: Rcu<'a>, mut visit: impl FnMut(&'a E)) {
        let Some(bucket) = self.buckets.get(index) else {
            return;
        };
        let mut next = bucket.head.get();
        // SAFETY: As in `find`; an unlinked entry keeps its link until it is freed.
        while let Some(entry) = unsafe { next.as_ref() } {
            next = entry.link().get();
            visit(entry);
        }
    }

    /// Locks the bucket of `key`.
    pub(crate) fn lock(&self, key: &E::Key) -> BhGuard<'_> {
        self.bucket(key).lock.lock()
    }

    /// Locks the buckets of both keys.
    pub(crate) fn lock_both(&self, a: &E::Key, b: &E::Key) -> BhPair<'_> {
        BhPair::lock(&self.bucket(a).lock, &self.bucket(b).lock)
    }

    /// Puts an entry at the head of its chain.
    ///
    /// # Safety
    ///
    /// The bucket of its key is locked; the entry is in no chain, and will be unlinked and
    /// outlive a grace period before it is freed.
    pub(crate) unsafe fn link(&self, entry: &E) {
        let bucket = self.bucket(entry.key());
        entry.link().set(bucket.head.get());
        bucket.head.set(ptr::from_ref(entry).cast_mut());
    }

    /// Takes an entry out of its chain. It keeps its own link, for readers that stand on it.
    ///
    /// # Safety
    ///
    /// The bucket of its key is locked.
    pub(crate) unsafe fn unlink(&self, entry: &E) {
        let bucket = self.bucket(entry.key());
        let mut link = &bucket.head;
        // SAFETY: By the invariant the entries of a locked chain are valid.
        while let Some(here) = unsafe { link.get().as_ref() } {
            if ptr::eq(here, entry) {
                link.set(entry.link().get());
                return;
            }
            link = here.link();
        }
    }
}

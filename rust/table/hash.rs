// SPDX-License-Identifier: GPL-2.0

//! A hash table of objects that link themselves, on one NUMA node, resized while it is used.
//!
//! The entries of an array of buckets move to the next array one bucket after another. A bucket
//! whose entries have moved is never used again, so a key has one bucket at any time: that of the
//! array in use or, if that has moved, that of the next. Readers look into both, in this order.
//!
//! Lock order: of two buckets that of the older array first, within an array the one at the lower
//! address. The locks of timers may be taken inside (see `table::wheel`).

use super::array::{Array, Bucket};
use crate::nat::hash::{Hashed, Key};
use crate::sys::ingress;
use crate::sys::lock::{BhGuard, BhPair};
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
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
    pub(super) fn get(&self) -> *mut E {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn set(&self, entry: *mut E) {
        self.0.store(entry, Ordering::Release);
    }
}

/// The table.
///
/// # Invariants
///
/// `current` points to an array from `KBox`, whose `next` is null or another such array, which
/// becomes `current` before this one is freed, a grace period later. `wanted` is null or such an
/// array that nobody has seen yet. Entries are linked and unlinked under the lock of their bucket,
/// and stay allocated for a grace period after they are unlinked.
pub(crate) struct Table<E> {
    current: AtomicPtr<Array<E>>,
    wanted: AtomicPtr<Array<E>>,
    moving: AtomicBool,
    arrays: AtomicU32,
    node: i32,
}

// SAFETY: The table owns its arrays, which may be shared and sent as their entries may.
unsafe impl<E: Send + Sync> Send for Table<E> {}
// SAFETY: As above.
unsafe impl<E: Send + Sync> Sync for Table<E> {}

/// How far [`Table::resize`] has come.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Progress {
    /// There is nothing to do, or somebody else does it.
    Idle,
    /// Some buckets have moved, not all.
    Moving,
    /// All have moved.
    Done,
}

/// Where a walk over all buckets is.
#[derive(Copy, Clone, Default)]
pub(crate) struct Cursor {
    /// Which array was in use; 0 before the first step.
    pub(crate) array: u32,
    /// The next bucket, counted through the array in use and the next.
    pub(crate) index: usize,
}

/// How entries are spread over buckets.
#[derive(Copy, Clone, Default)]
pub(crate) struct Shape {
    /// Buckets that hold 0 entries, 1, 2, and so on; the last: or more.
    pub(crate) chains: [u32; 9],
    /// Entries of the fullest bucket.
    pub(crate) longest: u32,
    /// Are entries on their way to another array?
    pub(crate) resizing: bool,
}

/// The buckets of two keys, locked: what is not in them is not in the table.
pub(crate) struct Pair<'a, E> {
    /// That of the first key.
    pub(crate) a: &'a Bucket<E>,
    /// That of the second; perhaps the same.
    pub(crate) b: &'a Bucket<E>,
    _locks: BhPair<'a>,
}

/// The bucket of one key, locked.
pub(crate) struct One<'a, E> {
    /// The bucket.
    pub(crate) bucket: &'a Bucket<E>,
    _lock: BhGuard<'a>,
}

/// A bucket, and the place of its array in the lock order.
type Ranked<'a, E> = (bool, &'a Bucket<E>);

impl<E: Entry> Table<E> {
    /// Bytes of a bucket.
    pub(crate) const BUCKET_BYTES: usize = core::mem::size_of::<Bucket<E>>();

    /// A table of at least `buckets` buckets in memory of `node`. Sleeps.
    pub(crate) fn new(buckets: usize, node: i32) -> Result<Self> {
        // INVARIANT: From a box.
        let first = KBox::into_raw(Array::new(buckets, node, 1)?);
        Ok(Self {
            current: AtomicPtr::new(first),
            wanted: AtomicPtr::new(ptr::null_mut()),
            moving: AtomicBool::new(false),
            arrays: AtomicU32::new(1),
            node,
        })
    }

    #[inline]
    fn current<'a>(&'a self, _rcu: Rcu<'a>) -> &'a Array<E> {
        // SAFETY: By the invariant never null, and freed only a grace period after it is replaced.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// How many arrays of buckets there have been.
    pub(crate) fn arrays(&self) -> u32 {
        self.arrays.load(Ordering::Relaxed)
    }

    /// How many buckets there are. While they move, those of the array in use.
    pub(crate) fn len(&self) -> usize {
        rcu::read(|rcu| self.len_now(rcu))
    }

    /// The same.
    #[inline]
    pub(crate) fn len_now(&self, rcu: Rcu<'_>) -> usize {
        self.current(rcu).len()
    }

    /// The first entry with this key that `wanted` accepts.
    #[inline]
    pub(crate) fn find<'a>(
        &'a self,
        key: &E::Key,
        rcu: Rcu<'a>,
        wanted: impl Fn(&E) -> bool,
    ) -> Option<&'a E> {
        let array = self.current(rcu);
        let found = array.bucket(key).find(key, rcu, &wanted);
        if found.is_some() {
            return found;
        }
        // An entry is in its new bucket before it leaves the old one: who misses it there sees
        // that there is a next array, and finds it in that.
        array.next()?.bucket(key).find(key, rcu, &wanted)
    }

    /// The bucket of this key will be looked into soon.
    #[inline]
    pub(crate) fn prefetch(&self, key: &E::Key, rcu: Rcu<'_>) {
        self.current(rcu).bucket(key).lock.prefetch();
    }

    /// The first entry with this key, unless the table is being resized, or has just been: then it
    /// may be missed.
    #[inline(always)]
    pub(crate) fn find_quickly<'a>(&'a self, key: &E::Key, rcu: Rcu<'a>) -> Option<&'a E> {
        self.current(rcu).bucket(key).find(key, rcu, |_| true)
    }

    /// A key will be looked up soon: fetches its bucket, and the first entry in that of a key which
    /// was announced before.
    #[inline]
    pub(crate) fn expect(&self, key: &E::Key, rcu: Rcu<'_>) {
        let array = self.current(rcu);
        let hash = array.hash(key);
        ingress::prefetch(array.at(hash));
        ingress::prefetch(array.at(ingress::swap(hash)).first());
    }

    /// The keys that were announced are looked up now: fetches the first entries of the last.
    #[inline]
    pub(crate) fn expect_rest(&self, rcu: Rcu<'_>) {
        while let Some(hash) = ingress::rest() {
            ingress::prefetch(self.current(rcu).at(hash).first());
        }
    }

    /// Calls `visit` with every entry of the next bucket; false if there was none left. Every
    /// entry that is in the table all the time is visited once at least; more often if the table
    /// is resized meanwhile. It may be unlinked in `visit`.
    pub(crate) fn step<'a>(
        &'a self,
        cursor: &mut Cursor,
        rcu: Rcu<'a>,
        visit: impl FnMut(&'a E),
    ) -> bool {
        let array = self.current(rcu);
        if cursor.array != array.number {
            *cursor = Cursor {
                array: array.number,
                index: 0,
            };
        }
        let next = || array.next()?.get(cursor.index.wrapping_sub(array.len()));
        let Some(bucket) = array.get(cursor.index).or_else(next) else {
            return false;
        };
        bucket.visit(rcu, visit);
        cursor.index = cursor.index.wrapping_add(1);
        true
    }

    /// The bucket where entries of this key are linked now, seen from the array in use.
    #[inline]
    fn place<'a>(array: &'a Array<E>, key: &E::Key) -> Ranked<'a, E> {
        let bucket = array.bucket(key);
        match array.next() {
            Some(next) if bucket.has_moved() => (true, next.bucket(key)),
            _ => (false, bucket),
        }
    }

    /// Locks the bucket of `key`.
    pub(crate) fn lock<'a>(&'a self, key: &E::Key, rcu: Rcu<'a>) -> One<'a, E> {
        loop {
            let (_, bucket) = Self::place(self.current(rcu), key);
            let lock = bucket.lock.lock();
            // Moved since it was looked at: once at most, since moves are a grace period apart.
            if !bucket.has_moved() {
                return One {
                    bucket,
                    _lock: lock,
                };
            }
        }
    }

    /// Locks the buckets of both keys.
    pub(crate) fn lock_both<'a>(&'a self, a: &E::Key, b: &E::Key, rcu: Rcu<'a>) -> Pair<'a, E> {
        loop {
            // Both seen from one array: the ranks say nothing if the array in use changes between.
            let array = self.current(rcu);
            let (first, second) = (Self::place(array, a), Self::place(array, b));
            let locks = lock_ordered(first, second);
            if !first.1.has_moved() && !second.1.has_moved() {
                return Pair {
                    a: first.1,
                    b: second.1,
                    _locks: locks,
                };
            }
        }
    }

    /// An array of at least `buckets` buckets with a new key, for [`Table::want`]. Sleeps.
    pub(crate) fn prepare(&self, buckets: usize) -> Result<Prepared<E>> {
        let number = self.arrays.fetch_add(1, Ordering::Relaxed);
        Ok(Prepared(Array::new(
            buckets,
            self.node,
            number.wrapping_add(1),
        )?))
    }

    /// Lets [`Table::resize`] move all entries to this array, when it is done with what it does.
    pub(crate) fn want(&self, array: Prepared<E>) {
        let old = self.wanted.swap(KBox::into_raw(array.0), Ordering::AcqRel);
        if !old.is_null() {
            // SAFETY: From a box by the invariant, and nobody has seen it.
            drop(unsafe { KBox::from_raw(old) });
        }
    }

    /// Is there something for [`Table::resize`] to do?
    pub(crate) fn is_unsettled(&self) -> bool {
        !self.wanted.load(Ordering::Relaxed).is_null()
            || rcu::read(|rcu| self.current(rcu).next().is_some())
    }

    /// Moves the entries of up to `budget` buckets to the array that is wanted. Sleeps.
    pub(crate) fn resize(&self, budget: usize) -> Progress {
        if self.moving.swap(true, Ordering::Acquire) {
            return Progress::Idle;
        }
        let progress = self.go_on(budget);
        self.moving.store(false, Ordering::Release);
        progress
    }

    /// One caller at a time: `moving` is held.
    fn go_on(&self, budget: usize) -> Progress {
        let raw = self.current.load(Ordering::Acquire);
        // SAFETY: By the invariant; only the caller replaces and frees it.
        let array = unsafe { &*raw };
        let next = match array.next() {
            Some(next) => next,
            None => {
                let wanted = self.wanted.swap(ptr::null_mut(), Ordering::AcqRel);
                // SAFETY: By the invariant null or from a box; from here on it is the next array,
                // which stays.
                let Some(next) = (unsafe { wanted.as_ref() }) else {
                    return Progress::Idle;
                };
                array.set_next(next);
                next
            }
        };
        let begin = next.filled.load(Ordering::Relaxed);
        let end = begin.saturating_add(budget).min(array.len());
        for index in begin..end {
            time::breathe(index);
            array.migrate(index, next);
        }
        next.filled.store(end, Ordering::Relaxed);
        if end < array.len() {
            return Progress::Moving;
        }
        // INVARIANT: `next` came from a box.
        self.current
            .store(ptr::from_ref(next).cast_mut(), Ordering::Release);
        rcu::synchronize();
        // SAFETY: From a box; all its entries have moved, and all who could see it are done.
        drop(unsafe { KBox::from_raw(raw) });
        Progress::Done
    }

    /// How entries are spread. Sleeps.
    pub(crate) fn shape(&self) -> Shape {
        let mut shape = Shape::default();
        let mut cursor = Cursor::default();
        let mut number = 0;
        loop {
            time::breathe(cursor.index);
            let more = rcu::read(|rcu| {
                let array = self.current(rcu);
                if number != array.number {
                    number = array.number;
                    shape = Shape::default();
                    cursor.index = 0;
                }
                let next = || array.next()?.get(cursor.index.wrapping_sub(array.len()));
                shape.resizing = array.next().is_some();
                let bucket = array.get(cursor.index).or_else(next)?;
                cursor.index = cursor.index.wrapping_add(1);
                if !bucket.has_moved() {
                    shape.add(bucket.len());
                }
                Some(())
            });
            if more.is_none() {
                return shape;
            }
        }
    }
}

/// An array that is in no table yet.
pub(crate) struct Prepared<E>(KBox<Array<E>>);

impl Shape {
    fn add(&mut self, len: u32) {
        let last = self.chains.len().wrapping_sub(1);
        if let Some(count) = self.chains.get_mut((len as usize).min(last)) {
            *count = count.wrapping_add(1);
        }
        self.longest = self.longest.max(len);
    }
}

fn lock_ordered<'a, E>(a: Ranked<'a, E>, b: Ranked<'a, E>) -> BhPair<'a> {
    let rank = |(newer, bucket): Ranked<'a, E>| (newer, ptr::from_ref(bucket) as usize);
    match rank(a).cmp(&rank(b)) {
        core::cmp::Ordering::Less => BhPair::lock(&a.1.lock, Some(&b.1.lock)),
        core::cmp::Ordering::Equal => BhPair::lock(&a.1.lock, None),
        core::cmp::Ordering::Greater => BhPair::lock(&b.1.lock, Some(&a.1.lock)),
    }
}

impl<E> Drop for Table<E> {
    fn drop(&mut self) {
        let current = *self.current.get_mut();
        // SAFETY: By the invariant; `&mut self` says that nobody else is here.
        let next = unsafe { (*current).next_ptr() };
        for array in [current, next, *self.wanted.get_mut()] {
            if !array.is_null() {
                // SAFETY: From a box by the invariant, each once.
                drop(unsafe { KBox::from_raw(array) });
            }
        }
    }
}

/// A random key; one for each array.
pub(super) fn random_key() -> Key {
    Key(rcu::random64(), rcu::random64())
}

// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that check the documented order: by class; of two buckets that of the older array
//! first, within an array the one at the lower address; never two slots.

use super::schedule;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Copy, Clone)]
#[allow(dead_code)] // what only other files of the module use
pub(crate) enum Class {
    Making = 1,
    Bucket,
    Slot,
}

/// A spinlock. All zero bytes are one that was not initialised.
pub(crate) struct BhLock {
    taken: AtomicU32,
    class: AtomicU32,
    /// Which array it lies in: the younger one has the higher number.
    array: AtomicU32,
}

/// Class, array, address: in this order.
type Rank = (u32, u32, usize);

static ARRAYS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
}

/// Does this thread hold a lock?
pub(crate) fn any_held() -> bool {
    HELD.with_borrow(|held| !held.is_empty())
}

impl BhLock {
    /// # Safety
    ///
    /// None here.
    pub(crate) unsafe fn init_all<T>(array: &[T], class: Class, lock: impl Fn(&T) -> &BhLock) {
        let number = ARRAYS.fetch_add(1, Ordering::Relaxed);
        for lock in array.iter().map(lock) {
            lock.class.store(class as u32, Ordering::Relaxed);
            lock.array.store(number, Ordering::Relaxed);
        }
    }

    fn rank(&self) -> Rank {
        let class = self.class.load(Ordering::Relaxed);
        assert!((1..4).contains(&class), "no lock, or freed: {class:#x}");
        let at = std::ptr::from_ref(self) as usize;
        (class, self.array.load(Ordering::Relaxed), at)
    }

    fn take(&self, nested: bool) {
        let rank = self.rank();
        HELD.with_borrow(|held| {
            assert!(!held.contains(&rank), "taken twice: {rank:?} in {held:?}");
            let right = match held.last() {
                None => !nested,
                Some(last) if nested => last.0 == rank.0 && rank.0 == Class::Bucket as u32,
                Some(last) => last.0 != rank.0,
            };
            let right = right && held.last().is_none_or(|last| *last < rank);
            assert!(right, "wrong order: {rank:?} in {held:?}");
        });
        schedule::point();
        let (done, not) = (Ordering::Acquire, Ordering::Relaxed);
        while self.taken.compare_exchange(0, 1, done, not).is_err() {
            self.rank(); // still a lock?
            schedule::wait();
        }
        HELD.with_borrow_mut(|held| held.push(rank));
    }

    fn release(&self) {
        let rank = self.rank();
        HELD.with_borrow_mut(|held| {
            let place = held.iter().rposition(|one| *one == rank);
            held.remove(place.expect("held"));
        });
        self.taken.store(0, Ordering::Release);
        schedule::release();
        schedule::point();
    }

    #[allow(dead_code)] // what only other files of the module use
    pub(crate) fn prefetch(&self) {}

    pub(crate) fn lock(&self) -> BhGuard<'_> {
        self.take(false);
        BhGuard(self, PhantomData)
    }
}

/// The lock is held.
pub(crate) struct BhGuard<'a>(&'a BhLock, PhantomData<*mut ()>);

impl BhGuard<'_> {
    pub(crate) fn nested<'b>(&'b self, lock: &'b BhLock) -> Nested<'b> {
        lock.take(true);
        Nested(lock, PhantomData)
    }
}

impl Drop for BhGuard<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A second lock is held.
pub(crate) struct Nested<'a>(&'a BhLock, PhantomData<*mut ()>);

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Two locks are held, or one.
pub(crate) struct BhPair<'a> {
    first: &'a BhLock,
    second: Option<&'a BhLock>,
    _context: PhantomData<*mut ()>,
}

impl<'a> BhPair<'a> {
    pub(crate) fn lock(first: &'a BhLock, second: Option<&'a BhLock>) -> Self {
        first.take(false);
        let mut pair = Self {
            first,
            second: None,
            _context: PhantomData,
        };
        if let Some(second) = second {
            second.take(true);
            pair.second = Some(second);
        }
        pair
    }
}

impl Drop for BhPair<'_> {
    fn drop(&mut self) {
        if let Some(second) = self.second {
            second.release();
        }
        self.first.release();
    }
}

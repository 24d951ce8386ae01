// SPDX-License-Identifier: GPL-2.0

//! Deadlines: a wheel of slots, each a list of the objects to look at when its time has come.
//!
//! One turn of the wheel is about nine minutes. What is due later is looked at once a turn, so
//! work is in proportion to what is due, not to what there is. Packets that push a deadline
//! forward do not touch the wheel: the object is put off when its slot comes.
//!
//! Lock order: the lock of a slot is taken last, and never two.

use crate::nat::time::{Deadline, Instant};
use crate::sys::lock::{BhLock, Class};
use crate::sys::memory::NodeArray;
use crate::sys::rcu::Rcu;
use crate::sys::time;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::prelude::*;

/// Slots of a wheel; a power of two.
const SLOTS: u32 = 512;

/// What waits in a wheel.
///
/// # Safety
///
/// `timer` always returns the same field. An object that was armed is retired, and a grace period
/// passes, before it is freed.
pub(crate) unsafe trait Timed: Sized {
    /// Its place in the wheel.
    fn timer(&self) -> &Timer<Self>;
}

/// The place of an object in a wheel.
///
/// # Invariants
///
/// While `slot` is the number of a slot, the object is in the list of that slot, or is about to
/// enter or leave it under its lock. `next`, `prev` and `pass` are guarded by that lock.
pub(crate) struct Timer<T> {
    next: AtomicPtr<T>,
    prev: AtomicPtr<T>,
    slot: AtomicU32,
    /// Where the wheel was when the object entered.
    pass: AtomicU32,
}

/// In no slot.
const IDLE: u32 = u32::MAX;
/// In no slot, never again.
const RETIRED: u32 = u32::MAX - 1;

impl<T> Timer<T> {
    /// Not armed.
    pub(crate) const fn new() -> Self {
        Self {
            next: AtomicPtr::new(ptr::null_mut()),
            prev: AtomicPtr::new(ptr::null_mut()),
            slot: AtomicU32::new(IDLE),
            pass: AtomicU32::new(0),
        }
    }

    /// Goes from one state to another; false if it was in a third.
    fn turn(&self, from: u32, to: u32) -> bool {
        let (done, not) = (Ordering::SeqCst, Ordering::Relaxed);
        self.slot.compare_exchange(from, to, done, not).is_ok()
    }
}

#[repr(C)]
struct Slot<T> {
    /// What entered last.
    first: AtomicPtr<T>,
    /// What entered first.
    last: AtomicPtr<T>,
    lock: BhLock,
}

/// The wheel of a shard.
pub(crate) struct Wheel<T> {
    slots: NodeArray<Slot<T>>,
    /// The last grain whose slot has been emptied, as the moment when it began.
    done: AtomicU32,
    /// The grain whose slot is being emptied, or was. What enters that slot meanwhile waits for the
    /// next time round, else a slot that comes late would be emptied into itself. Written under the
    /// lock of that slot.
    pass: AtomicU32,
}

impl<T: Timed> Wheel<T> {
    /// Bytes of a wheel.
    pub(crate) const BYTES: usize = SLOTS as usize * core::mem::size_of::<Slot<T>>();

    /// An empty wheel in memory of `node`. Sleeps.
    pub(crate) fn new(node: i32) -> Result<Self> {
        // SAFETY: Zeroes are an empty list and an unlocked lock in memory; nothing to drop.
        let slots: NodeArray<Slot<T>> = unsafe { NodeArray::zeroed(SLOTS as usize, node)? };
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&slots, Class::Slot, |slot| &slot.lock) };
        let now = time::now();
        Ok(Self {
            slots,
            done: AtomicU32::new(now.0),
            pass: AtomicU32::new(now.0),
        })
    }

    /// Puts an idle object where it is looked at when `deadline` has passed, or a turn from now.
    /// Nothing happens if it was retired.
    pub(crate) fn arm(&self, object: &T, deadline: Deadline) {
        let grain = time::grain();
        loop {
            let now = time::now();
            let number = grain.slot(grain.due(deadline, now, SLOTS), SLOTS);
            let Some(slot) = self.slots.get(number as usize) else {
                return;
            };
            let _lock = slot.lock.lock();
            // Before the lock was had the wheel may have passed the slot.
            if grain.begin(time::now()) == grain.begin(now) {
                if object.timer().turn(IDLE, number) {
                    slot.push(object, self.pass.load(Ordering::Relaxed));
                }
                return;
            }
        }
    }

    /// Sees to it that an armed object is looked at when `deadline` has passed, if it waits for
    /// something later. While [`Wheel::run`] has it out, nothing happens: who arms it again looks
    /// at its deadline once more after that (both sides are sequentially consistent).
    pub(crate) fn hasten(&self, object: &T, deadline: Deadline) {
        let timer = object.timer();
        let number = timer.slot.load(Ordering::SeqCst);
        if ahead(Self::slot_for(deadline)) >= ahead(number) {
            return;
        }
        // IDLE and RETIRED are no slots.
        let Some(slot) = self.slots.get(number as usize) else {
            return;
        };
        let lock = slot.lock.lock();
        if !timer.turn(number, IDLE) {
            return;
        }
        slot.remove(object);
        drop(lock);
        self.arm(object, deadline);
    }

    /// Takes an object out for good; false if somebody else has.
    pub(crate) fn retire(&self, object: &T) -> bool {
        let number = object.timer().slot.swap(RETIRED, Ordering::AcqRel);
        if number == RETIRED {
            return false;
        }
        if let Some(slot) = self.slots.get(number as usize) {
            // Who was about to put it in has the lock, and will have done so.
            let _lock = slot.lock.lock();
            slot.remove(object);
        }
        true
    }

    /// Takes out up to `batch` objects whose time may have come and calls `due` with each, which
    /// arms or retires it; false if there may be more. One caller at a time.
    pub(crate) fn run<'a>(
        &'a self,
        batch: usize,
        _rcu: Rcu<'a>,
        mut due: impl FnMut(&'a T),
    ) -> bool {
        let (grain, now) = (time::grain(), time::now());
        for _ in 0..batch {
            let done = Instant(self.done.load(Ordering::Relaxed));
            let Some(next) = grain.next(done, now, SLOTS) else {
                return true;
            };
            match self.take(grain.slot(next, SLOTS), next) {
                // SAFETY: Objects in a list are freed a grace period after they leave it.
                Some(object) => due(unsafe { object.as_ref() }),
                None => self.done.store(next.0, Ordering::Relaxed),
            }
        }
        false
    }

    /// Takes the object that waits longest out of the slot of `pass`, of those that entered it
    /// before and that nobody else is taking out.
    fn take(&self, number: u32, pass: Instant) -> Option<ptr::NonNull<T>> {
        let slot = self.slots.get(number as usize)?;
        let _lock = slot.lock.lock();
        self.pass.store(pass.0, Ordering::Relaxed);
        let mut next = slot.last.load(Ordering::Relaxed);
        loop {
            // SAFETY: Objects in the list of a locked slot are valid.
            let object = unsafe { next.as_ref()? };
            let timer = object.timer();
            if timer.pass.load(Ordering::Relaxed) == pass.0 {
                return None;
            }
            if timer.turn(number, IDLE) {
                slot.remove(object);
                return Some(ptr::NonNull::from(object));
            }
            // It was retired just now, and will be removed by who did that.
            next = timer.prev.load(Ordering::Relaxed);
        }
    }

    /// The slot that comes when `deadline` has passed, or the last one of this turn.
    fn slot_for(deadline: Deadline) -> u32 {
        let grain = time::grain();
        grain.slot(grain.due(deadline, time::now(), SLOTS), SLOTS)
    }
}

/// How many slots from now a slot comes; 0 for what is no slot.
fn ahead(number: u32) -> u32 {
    let now = time::grain().slot(time::now(), SLOTS);
    match number < SLOTS {
        true => number.wrapping_sub(now) & (SLOTS - 1),
        false => 0,
    }
}

impl<T: Timed> Slot<T> {
    /// Puts an object in front. The slot is locked, the object in no list.
    fn push(&self, object: &T, pass: u32) {
        let (first, this) = (
            self.first.load(Ordering::Relaxed),
            ptr::from_ref(object).cast_mut(),
        );
        let timer = object.timer();
        timer.next.store(first, Ordering::Relaxed);
        timer.prev.store(ptr::null_mut(), Ordering::Relaxed);
        timer.pass.store(pass, Ordering::Relaxed);
        // SAFETY: Objects in the list of a locked slot are valid.
        match unsafe { first.as_ref() } {
            Some(first) => first.timer().prev.store(this, Ordering::Relaxed),
            None => self.last.store(this, Ordering::Relaxed),
        }
        self.first.store(this, Ordering::Relaxed);
    }

    /// Takes an object out. The slot is locked, the object in its list.
    fn remove(&self, object: &T) {
        let next = object.timer().next.load(Ordering::Relaxed);
        let prev = object.timer().prev.load(Ordering::Relaxed);
        // SAFETY: Objects in the list of a locked slot are valid.
        let (before, after) = unsafe { (prev.as_ref(), next.as_ref()) };
        match before {
            Some(before) => before.timer().next.store(next, Ordering::Relaxed),
            None => self.first.store(next, Ordering::Relaxed),
        }
        match after {
            Some(after) => after.timer().prev.store(prev, Ordering::Relaxed),
            None => self.last.store(prev, Ordering::Relaxed),
        }
    }
}

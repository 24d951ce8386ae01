// SPDX-License-Identifier: GPL-2.0

//! Memory that says who uses it after it was freed.

use super::might_sleep;
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error, Layout};
use std::collections::VecDeque;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What freed memory is full of: no address, no valid lock, no valid [`Alive`].
const POISON: u64 = 0x6b6b_6b6b_6b6b_6b6b;
/// Freed allocations that are kept.
const KEPT: usize = 4096;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static FREED: Mutex<VecDeque<Freed>> = Mutex::new(VecDeque::new());

/// An error of the kernel.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Error;
/// There is no memory; there always is.
#[derive(Copy, Clone, Debug)]
pub(crate) struct AllocError;
/// The argument list is too long.
pub(crate) const E2BIG: Error = Error;

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self
    }
}

/// How to allocate.
#[derive(Copy, Clone)]
pub(crate) struct Flags(());
/// May sleep.
pub(crate) const GFP_KERNEL: Flags = Flags(());

/// Allocations that were not freed.
pub(crate) fn live() -> isize {
    LIVE.load(Ordering::SeqCst)
}

/// A test that failed may have left some.
pub(crate) fn forget() {
    LIVE.store(0, Ordering::SeqCst);
}

struct Freed(NonNull<u8>, Layout);

// SAFETY: Owned memory without a content.
unsafe impl Send for Freed {}

impl Drop for Freed {
    fn drop(&mut self) {
        // SAFETY: From `allocate` with this layout; nobody has it any more.
        unsafe { dealloc(self.0.as_ptr(), self.1) };
    }
}

/// In whole words, since `free` overwrites it by words.
fn padded(layout: Layout) -> Layout {
    let words = layout.size().max(1).next_multiple_of(8);
    Layout::from_size_align(words, layout.align().max(8)).expect("small")
}

fn allocate(layout: Layout) -> NonNull<u8> {
    let layout = padded(layout);
    // SAFETY: Not of size 0.
    let memory = unsafe { alloc_zeroed(layout) };
    LIVE.fetch_add(1, Ordering::SeqCst);
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
///
/// `memory` came from `allocate` with this layout, and its value was dropped.
unsafe fn free(memory: NonNull<u8>, layout: Layout) {
    let layout = padded(layout);
    for word in 0..layout.size() / 8 {
        // SAFETY: Within the allocation, aligned. Atomic, since the point is that somebody may be
        // reading.
        unsafe { AtomicU64::from_ptr(memory.cast::<u64>().as_ptr().add(word)) }
            .store(POISON, Ordering::Relaxed);
    }
    LIVE.fetch_sub(1, Ordering::SeqCst);
    let mut freed = FREED.lock().unwrap_or_else(PoisonError::into_inner);
    freed.push_back(Freed(memory, layout));
    if freed.len() > KEPT {
        freed.pop_front();
    }
}

/// A box.
pub(crate) struct KBox<T>(NonNull<T>);

// SAFETY: The box owns its value.
unsafe impl<T: Send> Send for KBox<T> {}
// SAFETY: Shared access gives only `&T`.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    pub(crate) fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        let memory = allocate(Layout::new::<T>()).cast();
        // SAFETY: Fresh memory of that layout.
        unsafe { memory.write(value) };
        Ok(Self(memory))
    }

    pub(crate) fn into_raw(this: Self) -> *mut T {
        let raw = this.0.as_ptr();
        std::mem::forget(this);
        raw
    }

    /// # Safety
    ///
    /// From `into_raw`, once.
    pub(crate) unsafe fn from_raw(raw: *mut T) -> Self {
        Self(NonNull::new(raw).expect("a box"))
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: Owned and initialised.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: Owned, and dropped once.
        unsafe {
            ptr::drop_in_place(self.0.as_ptr());
            free(self.0.cast(), Layout::new::<T>());
        }
    }
}

/// An array of `T`.
pub(crate) struct NodeArray<T> {
    data: NonNull<T>,
    len: usize,
}

// SAFETY: The array owns its values.
unsafe impl<T: Send> Send for NodeArray<T> {}
// SAFETY: Shared access gives only `&T`.
unsafe impl<T: Sync> Sync for NodeArray<T> {}

impl<T> NodeArray<T> {
    /// # Safety
    ///
    /// All zero bytes must be a valid `T`, and `T` must not need dropping.
    pub(crate) unsafe fn zeroed(len: usize, _node: i32) -> Result<Self, Error> {
        might_sleep();
        let layout = Layout::array::<T>(len).map_err(|_| E2BIG)?;
        let data = allocate(layout).cast();
        Ok(Self { data, len })
    }
}

impl<T> Deref for NodeArray<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: So many valid values by the promise given to `zeroed`.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T> Drop for NodeArray<T> {
    fn drop(&mut self) {
        let layout = Layout::array::<T>(self.len).expect("as it was allocated");
        // SAFETY: From `allocate` with this layout; nothing to drop.
        unsafe { free(self.data.cast(), layout) };
    }
}

/// A field of objects that can tell whether they have been freed.
pub(crate) struct Alive(AtomicU64);

impl Alive {
    const MARK: u64 = 0x616c_6976_6521;

    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Self::MARK))
    }

    pub(crate) fn check(&self) {
        let mark = self.0.load(Ordering::Relaxed);
        assert_eq!(mark, Self::MARK, "used after it was freed");
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Arrays on a NUMA node.

use core::alloc::Layout;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};
use kernel::alloc::allocator::KVmalloc;
use kernel::alloc::{AllocError, Allocator, NumaNode};
use kernel::prelude::*;

/// An array of `T` in memory of one node.
///
/// # Invariants
///
/// `data` points to `len` initialised values, owned by the array, in memory that `KVmalloc` gave for `layout`.
pub(crate) struct NodeArray<T> {
    data: NonNull<T>,
    len: usize,
    layout: Layout,
}

// SAFETY: The array owns its values.
unsafe impl<T: Send> Send for NodeArray<T> {}
// SAFETY: Shared access gives only `&T`.
unsafe impl<T: Sync> Sync for NodeArray<T> {}

impl<T> NodeArray<T> {
    /// The first `room` of `items`, moved into memory of `node`. Sleeps.
    pub(crate) fn new(
        room: usize,
        node: i32,
        items: impl Iterator<Item = T>,
    ) -> Result<Self, AllocError> {
        let layout = Layout::array::<T>(room).map_err(|_| AllocError)?;
        let node = NumaNode::new(node).map_err(|_| AllocError)?;
        let data = KVmalloc::alloc(layout, GFP_KERNEL_ACCOUNT | __GFP_NOWARN, node)?.cast();
        // INVARIANT: Memory of that layout, and no value yet.
        let mut array = Self {
            data,
            len: 0,
            layout,
        };
        for item in items.take(room) {
            // SAFETY: `len` is below `room`, for which there is memory.
            unsafe { array.data.add(array.len).write(item) };
            // INVARIANT: Initialised just now.
            array.len = array.len.wrapping_add(1);
        }
        Ok(array)
    }

    /// Allocates `len` values of all zero bytes on `node`. Sleeps.
    ///
    /// # Safety
    ///
    /// All zero bytes must be a valid `T`.
    pub(crate) unsafe fn zeroed(len: usize, node: i32) -> Result<Self> {
        let layout = Layout::array::<T>(len).map_err(|_| E2BIG)?;
        let flags = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
        let data = KVmalloc::alloc(layout, flags, NumaNode::new(node)?)?.cast();
        // INVARIANT: Zeroed memory of that layout, valid values by the caller's promise.
        Ok(Self { data, len, layout })
    }
}

impl<T> Deref for NodeArray<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariant.
        unsafe { core::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for NodeArray<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: By the type invariant.
        unsafe { core::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl<T> Drop for NodeArray<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nothing refers to the values any more.
        unsafe { ptr::drop_in_place::<[T]>(&mut **self) };
        // SAFETY: By the type invariant; nothing refers to the array any more.
        unsafe { KVmalloc::free(self.data.cast(), self.layout) };
    }
}

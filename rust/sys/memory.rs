// SPDX-License-Identifier: GPL-2.0

//! Arrays on a NUMA node.

use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;
use kernel::alloc::allocator::KVmalloc;
use kernel::alloc::{Allocator, NumaNode};
use kernel::prelude::*;

/// An array of `T` in memory of one node.
///
/// # Invariants
///
/// `data` points to `len` initialised values in memory that `KVmalloc` gave for `layout`.
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
    /// Allocates `len` values of all zero bytes on `node`. Sleeps.
    ///
    /// # Safety
    ///
    /// All zero bytes must be a valid `T`, and `T` must not need dropping.
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

impl<T> Drop for NodeArray<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nothing refers to the array any more.
        unsafe { KVmalloc::free(self.data.cast(), self.layout) };
    }
}

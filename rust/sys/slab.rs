// SPDX-License-Identifier: GPL-2.0

//! Slab caches of one type.

use super::ffi;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::bindings;
use kernel::prelude::*;

/// A slab cache; a `static`, created when the module loads.
pub(crate) struct Cache<T>(AtomicPtr<bindings::kmem_cache>, PhantomData<fn() -> T>);

impl<T> Cache<T> {
    /// Not yet created.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Creates the cache under the name that /proc/slabinfo shows. Sleeps.
    pub(crate) fn create(&self, name: &'static CStr) -> Result {
        let size = core::mem::size_of::<T>() as u32;
        let align = core::mem::align_of::<T>() as u32;
        // SAFETY: The name is static.
        let cache = unsafe { ffi::fastnat_shim_cache_create(name.as_char_ptr(), size, align) };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        self.0.store(cache, Ordering::Release);
        Ok(())
    }

    /// Destroys the cache. Sleeps.
    ///
    /// # Safety
    ///
    /// All its objects have been freed, and none is asked for any more.
    pub(crate) unsafe fn destroy(&self) {
        let cache = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: Created by `create`, empty by the caller's promise; null is allowed.
        unsafe { bindings::kmem_cache_destroy(cache) };
    }

    /// Bytes of an object, as the cache lays them out.
    pub(crate) fn object_bytes(&self) -> u32 {
        // SAFETY: Null or a cache, which exists while the module is loaded.
        unsafe { ffi::fastnat_shim_cache_object_size(self.0.load(Ordering::Acquire)) }
    }

    /// Bytes of whole pages that so many objects take, packed.
    pub(crate) fn memory(&self, objects: u64) -> u64 {
        const PAGE: u64 = 1 << bindings::PAGE_SHIFT;
        let bytes = u64::from(self.object_bytes());
        let per_page = PAGE.checked_div(bytes).unwrap_or(1).max(1);
        objects.div_ceil(per_page).saturating_mul(PAGE)
    }

    /// Builds a value in memory of `node`, if there is any. Never sleeps.
    #[inline]
    pub(crate) fn alloc(&self, node: i32, build: impl FnOnce() -> T) -> Option<NonNull<T>> {
        let cache = self.0.load(Ordering::Acquire);
        if cache.is_null() {
            return None;
        }
        // SAFETY: The cache exists while the module is loaded.
        let place = unsafe { ffi::fastnat_shim_cache_alloc(cache, node) };
        let place = NonNull::new(place.cast::<T>())?;
        // SAFETY: Fresh memory of the size and alignment of `T`.
        unsafe { place.write(build()) };
        Some(place)
    }

    /// Drops the value and frees its memory.
    ///
    /// # Safety
    ///
    /// `object` came from `alloc` of this cache and nothing refers to it.
    pub(crate) unsafe fn free(&self, object: NonNull<T>) {
        // SAFETY: The caller's promise.
        unsafe {
            object.drop_in_place();
            bindings::kmem_cache_free(self.0.load(Ordering::Acquire), object.as_ptr().cast());
        }
    }
}

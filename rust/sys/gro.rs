// SPDX-License-Identifier: GPL-2.0

//! GRO: what devices hand over in one poll, before any of it goes up the stack.
//!
//! Our callbacks sit in front of those of IPv4 and IPv6, which they call; see `shim/gro.c`.

use super::ffi;
use super::rcu::Rcu;
use crate::nat::lro::Held;
use crate::state::Net;
use core::slice;
use kernel::ffi::c_void;
use kernel::prelude::*;

/// What decides about packets in GRO. Runs with RCU held, in softirq, or with bottom halves off.
pub(crate) trait Aggregate: Send + Sync + 'static {
    /// Here comes one. It has to be given on with [`Received::merge`] or [`Received::refuse`].
    fn receive(&self, packet: &mut Received<'_>, rcu: Rcu<'_>);
}

/// A packet in GRO.
///
/// # Invariants
///
/// `0` is that of a running callback. Its slices, if their pointers are not null, are valid while
/// that runs and do not overlap. What it says about what is held has a value only if `held` is not
/// null.
pub(crate) struct Received<'a>(&'a mut ffi::fastnat_gro);

impl Received<'_> {
    /// The number of the device in its namespace.
    #[inline]
    pub(crate) fn ifindex(&self) -> u32 {
        self.0.ifindex
    }

    /// The MTU of the device.
    pub(crate) fn mtu(&self) -> usize {
        self.0.mtu as usize
    }

    /// Finds its headers, and what is held of its flow. To be called first, once.
    #[inline]
    pub(crate) fn look(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_gro_look(self.0) };
    }

    /// Its headers from the IP header on, as far as they were needed.
    #[inline]
    pub(crate) fn headers(&self) -> &[u8] {
        // SAFETY: By the type invariant.
        unsafe { bytes(self.0.headers, self.0.headers_len) }
    }

    /// The bytes that were received, from the IP header on.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len as usize
    }

    /// What is held of its flow.
    #[inline]
    pub(crate) fn held(&self) -> Option<Held<'_>> {
        (!self.0.held.is_null()).then(|| Held {
            // SAFETY: By the type invariant.
            headers: unsafe { bytes(self.0.held_headers, self.0.held_headers_len) },
            payload: self.0.held_payload as usize,
            mss: self.0.held_mss as usize,
            segments: self.0.held_segments as usize,
        })
    }

    /// The headers of what is held; `None` if they are those of a clone, too.
    #[inline]
    pub(crate) fn held_mut(&mut self) -> Option<&mut [u8]> {
        if self.0.held.is_null() || !self.0.held_is_private {
            return None;
        }
        // SAFETY: By the type invariant, and nobody else uses them.
        let held = unsafe {
            slice::from_raw_parts_mut(self.0.held_headers, self.0.held_headers_len as usize)
        };
        Some(held)
    }

    /// Bytes of what is held, from the IP header on, after [`Self::merge`].
    #[inline]
    pub(crate) fn held_len(&self) -> usize {
        self.0.held_len as usize
    }

    /// Do the segments of what is held keep their own headers?
    #[inline]
    pub(crate) fn held_is_list(&self) -> bool {
        self.0.held_is_list
    }

    /// Leaves it to the kernel. Returns whether the packet was merged with what is held; if it was
    /// not, and nothing keeps it out, then it is held from now on.
    #[inline]
    pub(crate) fn merge(&mut self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_gro_merge(self.0) };
        self.0.is_merged
    }

    /// Does something that was held go up the stack now?
    #[inline]
    pub(crate) fn is_flushed(&self) -> bool {
        !self.0.flush.is_null()
    }

    /// Has what is held go up the stack now.
    #[inline]
    pub(crate) fn flush(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_gro_flush(self.0) };
    }

    /// Has the packet go up the stack by itself, behind what is held of its flow.
    #[inline]
    pub(crate) fn refuse(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_gro_refuse(self.0) };
    }

    /// If the packet is held from now on: what joins it does not keep its own headers.
    pub(crate) fn forget_list(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_gro_forget_list(self.0) };
    }
}

/// # Safety
///
/// `start` is null, or `len` bytes that are valid for `'a`.
unsafe fn bytes<'a>(start: *const u8, len: u32) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: The caller's promise.
    unsafe { slice::from_raw_parts(start, len as usize) }
}

/// # Safety
///
/// Called by GRO, under RCU. `state` is what the slot of the namespace of the packet's device
/// holds; `gro` is valid.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_gro(state: *const c_void, gro: *mut ffi::fastnat_gro) {
    // SAFETY: The caller's promise; the state of a namespace outlives its devices, and the module
    // does not go while GRO calls it.
    unsafe { (*state.cast::<Net>()).receive(&mut Received(&mut *gro), Rcu::held()) };
}

/// Somebody else's callback is in the way: its name and that of its module.
pub(crate) type Symbol = [u8; 64];

/// Why GRO does not call.
pub(crate) enum Unattached {
    /// It calls somebody else already. The name ends with a zero.
    Taken(Symbol),
    /// Something else.
    Error(Error),
}

/// GRO calls, until this is dropped. Meanwhile the module stays.
pub(crate) struct Attached(());

impl Attached {
    /// Sleeps.
    pub(crate) fn new() -> Result<Self, Unattached> {
        let mut who: Symbol = [0; 64];
        // SAFETY: The callee writes no more than it is told, and ends it with a zero.
        let err = unsafe { ffi::fastnat_shim_gro_attach(who.as_mut_ptr().cast(), who.len()) };
        match kernel::error::to_result(err) {
            Ok(()) => Ok(Self(())),
            Err(err) if err == EBUSY => Err(Unattached::Taken(who)),
            Err(err) => Err(Unattached::Error(err)),
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: Attached once.
        unsafe { ffi::fastnat_shim_gro_detach() };
    }
}

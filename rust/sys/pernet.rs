// SPDX-License-Identifier: GPL-2.0

//! The state of a network namespace, hung into the kernel's own.
//!
//! 1. `pre_exit` calls [`State::pre_exit`]: the hooks go off.
//! 2. The kernel lets a grace period pass, and removes the devices.
//! 3. `exit` drops the state.
//!
//! Unloading the module goes the same way for every namespace.

use super::dev::{unwire, Device};
use super::ffi;
use crate::state::Net;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use kernel::bindings;
use kernel::ffi::c_void;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A namespace that is alive.
///
/// # Invariants
///
/// The pointer is valid; a namespace outlives the state that hangs in it.
pub(crate) struct NetRef(*mut bindings::net);

// SAFETY: `struct net` is made to be shared.
unsafe impl Send for NetRef {}
// SAFETY: As above.
unsafe impl Sync for NetRef {}

impl NetRef {
    /// # Safety
    ///
    /// The namespace is alive, and stays so until its state is dropped.
    pub(super) unsafe fn new(net: *mut bindings::net) -> Self {
        Self(net)
    }

    /// Another one of the same namespace, for a part of its state.
    pub(crate) fn share(&self) -> Self {
        Self(self.0)
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0
    }

    fn slot(&self) -> &AtomicPtr<Net> {
        // SAFETY: The slot belongs to the namespace, is a pointer wide and only used as such.
        unsafe { AtomicPtr::from_ptr(ffi::fastnat_shim_net_slot(self.0).cast::<*mut Net>()) }
    }

    /// The state of the namespace, if it has any.
    pub(crate) fn state(&self) -> Option<Arc<Net>> {
        // SAFETY: The slot holds null or a pointer from `Arc::into_raw`, which stays until `exit`;
        // nobody gets here after that.
        unsafe { share(self.slot().load(Ordering::Acquire)) }
    }

    /// The state of the namespace, made now if there is none.
    pub(crate) fn state_or_new(&self) -> Result<Arc<Net>> {
        if let Some(state) = self.state() {
            return Ok(state);
        }
        // INVARIANT: Of the same namespace.
        let fresh = Net::new(Self(self.0))?;
        let raw = Arc::into_raw(fresh.clone()).cast_mut();
        let slot = self.slot();
        match slot.compare_exchange(ptr::null_mut(), raw, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // Without these files the namespace works as well.
                let _ = fresh.control.lock().show(&fresh);
                Ok(fresh)
            }
            Err(_) => {
                // SAFETY: From `into_raw` just above, and not published.
                drop(unsafe { Arc::from_raw(raw.cast_const()) });
                self.state().ok_or(EAGAIN)
            }
        }
    }
}

/// # Safety
///
/// `state` is null or came from `Arc::into_raw` and still owns a reference.
unsafe fn share(state: *mut Net) -> Option<Arc<Net>> {
    if state.is_null() {
        return None;
    }
    // SAFETY: The caller's promise; the reference of the slot is given back by `into_raw`.
    let owned = unsafe { Arc::from_raw(state.cast_const()) };
    let shared = owned.clone();
    let _ = Arc::into_raw(owned);
    Some(shared)
}

/// All namespaces, present and future, while this lives.
pub(crate) struct Namespaces(());

impl Namespaces {
    /// Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: No requirements.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_pernet_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // SAFETY: Registered; the netlink family is gone, so that no state is made any more.
        unsafe { ffi::fastnat_shim_pernet_unregister() };
    }
}

/// # Safety
///
/// `state` is what the slot of a dying namespace holds.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_net_pre_exit(state: *mut c_void) {
    // SAFETY: The caller's promise.
    if let Some(state) = unsafe { share(state.cast()) } {
        state.pre_exit();
    }
}

/// # Safety
///
/// `state` is what the slot of a dying namespace holds; the slot is cleared next.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_net_exit(state: *mut c_void) {
    if !state.is_null() {
        // SAFETY: From `Arc::into_raw`; this takes the reference of the slot over.
        let state = unsafe { Arc::from_raw(state.cast::<Net>().cast_const()) };
        state.exit();
    }
}

/// An address or a link has gone.
///
/// # Safety
///
/// `state` is what the slot of a live namespace holds.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_uplink_lost(state: *mut c_void) {
    // SAFETY: The caller's promise.
    if let Some(state) = unsafe { share(state.cast()) } {
        state.uplink_lost();
    }
}

/// # Safety
///
/// `state` is what the slot of a live namespace holds, `dev` is valid.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_dev_event(
    state: *mut c_void,
    dev: *const bindings::net_device,
    gone: bool,
) {
    // SAFETY: The caller's promise.
    if let Some(state) = unsafe { share(state.cast()) } {
        state.device_event(dev.cast(), gone);
        // SAFETY: The caller's promise.
        if let Some(device) = unsafe { Device::from_ptr(dev.cast_mut()) } {
            state.lro_device(&device.name(), device.index(), gone);
        }
    }
}

/// # Safety
///
/// `state` is what the slot of a live namespace holds, and is not null.
#[no_mangle]
unsafe extern "C" fn fastnat_rs_neigh_event(
    state: *const c_void,
    ifindex: u32,
    addr: u32,
    valid: bool,
) {
    // SAFETY: The caller's promise: the slot holds a `Net` for as long as the namespace lives.
    let state = unsafe { &*state.cast::<Net>() };
    state.neighbour_event(ifindex, unwire(addr), valid);
}

// SPDX-License-Identifier: GPL-2.0

//! Neighbours that come and go.

use super::dev::unwire;
use super::ffi;
use crate::state::Net;
use kernel::ffi::c_void;
use kernel::prelude::*;

/// Changes of neighbours are reported to `state` while this lives.
pub(crate) struct NeighbourNotifier(());

impl NeighbourNotifier {
    /// Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: No requirements.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_neigh_notifier_register() })?;
        Ok(Self(()))
    }
}

impl Drop for NeighbourNotifier {
    fn drop(&mut self) {
        // SAFETY: Registered. This waits for calls that run.
        unsafe { ffi::fastnat_shim_neigh_notifier_unregister() };
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

// SPDX-License-Identifier: GPL-2.0

//! `/proc/sys/net/fastnat`.

use super::ffi;
use super::pernet::NetRef;
use crate::state::Net;
use core::ptr::{self, NonNull};
use kernel::ffi::c_void;
use kernel::prelude::*;

/// The files of a namespace, until dropped.
///
/// # Invariants
///
/// Came from `fastnat_shim_sysctl_register`.
pub(crate) struct Sysctl(NonNull<c_void>);

// SAFETY: Only used to unregister, which may be done from anywhere that may sleep.
unsafe impl Send for Sysctl {}
// SAFETY: As above.
unsafe impl Sync for Sysctl {}

impl Sysctl {
    /// Shows the numbers of `state` in the namespace. Sleeps.
    ///
    /// # Safety
    ///
    /// `state` outlives the files.
    unsafe fn register(net: &NetRef, state: &Net) -> Result<Self> {
        let state = ptr::from_ref(state).cast::<c_void>();
        // SAFETY: The namespace is alive; the caller's promise.
        let files = unsafe { ffi::fastnat_shim_sysctl_register(net.as_ptr(), state) };
        // INVARIANT: Just registered.
        NonNull::new(files).map(Self).ok_or(ENOMEM)
    }

    /// The files of a state, for that state to keep. Sleeps.
    pub(crate) fn of(state: &Net) -> Result<Self> {
        // SAFETY: What `state` keeps does not outlive it: `Net::exit` drops it, in any case.
        unsafe { Self::register(&state.net, state) }
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        // SAFETY: By the invariant. Waits for those who read.
        unsafe { ffi::fastnat_shim_sysctl_unregister(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// `state` is that of a live [`Sysctl`].
#[no_mangle]
unsafe extern "C" fn fastnat_rs_sysctl(state: *const c_void, which: u32) -> u32 {
    // SAFETY: The caller's promise.
    let state = unsafe { &*state.cast::<Net>() };
    state.number(which)
}

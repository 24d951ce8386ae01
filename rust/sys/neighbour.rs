// SPDX-License-Identifier: GPL-2.0

//! Neighbours that come and go.

use super::ffi;
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

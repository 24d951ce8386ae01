// SPDX-License-Identifier: GPL-2.0

//! What the settings say about the early lookup, in requests and lists.

use super::devices;
use crate::nat::offload::Devices;
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attrs, Message};
use crate::sys::uapi::*;
use kernel::prelude::*;

/// What the settings say.
pub(super) fn put(message: &mut Message<'_>, early: &Devices) -> Result {
    devices::put(message, FASTNAT_A_CONFIG_EARLY_DEVICES, early)
}

/// The list after a request about it.
pub(super) fn asked(attrs: &Attrs<'_>) -> Result<Option<Devices>, Refusal> {
    let list = attrs.get(FASTNAT_A_CONFIG_EARLY_DEVICES);
    list.map(devices::read).transpose()
}

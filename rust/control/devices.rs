// SPDX-License-Identifier: GPL-2.0

//! Lists of interfaces, which a request replaces as a whole.

use super::{if_name, once_in};
use crate::nat::offload::Devices;
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attr, Message};
use crate::sys::uapi::*;
use kernel::prelude::*;

/// The list that a request has. The interfaces need not exist.
pub(super) fn read(attr: Attr<'_>) -> Result<Devices, Refusal> {
    let inside = attr.nested();
    once_in(&inside, Some(FASTNAT_A_DEVICES_NAME))?;
    let mut devices = Devices::NONE;
    for name in inside.all(FASTNAT_A_DEVICES_NAME) {
        if !devices.add(if_name(name)?) {
            let refusal = Refusal::new(E2BIG, c"at most 16 devices can be listed");
            return Err(refusal.at(Some(name)));
        }
    }
    Ok(devices)
}

/// A list as the attribute `kind`; one without names is an empty nest.
pub(super) fn put(message: &mut Message<'_>, kind: u32, devices: &Devices) -> Result {
    message.nest(kind, |message| {
        let mut names = devices.names();
        names.try_for_each(|name| message.name(FASTNAT_A_DEVICES_NAME, name))
    })
}

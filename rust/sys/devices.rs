// SPDX-License-Identifier: GPL-2.0

//! What the interfaces of a namespace are like, for requests.

use super::dev::{self, Device};
use super::ffi;
use super::pernet::NetRef;
use super::rcu;
use crate::nat::iface::{IfName, Interfaces};

/// The most interfaces that are looked at for a request.
const MOST: usize = 1024;

/// Is the interface of this name there, and none whose packets policies are asked about?
pub(crate) fn is_internal(net: &NetRef, name: &IfName) -> bool {
    rcu::read(|_rcu| {
        // SAFETY: The namespace is alive; a name ends with a zero; the device is valid under RCU.
        let device = unsafe {
            let device = ffi::fastnat_shim_dev_named(net.as_ptr(), name.as_ptr().cast());
            Device::from_ptr(device)
        };
        device.is_some_and(|device| device.is_internal())
    })
}

/// The first of these interfaces that drops packets from elsewhere to 127.0.0.0/8, or its name to
/// be; `all` if it has none.
pub(crate) fn without_localnet(net: &NetRef, among: &Interfaces) -> Option<IfName> {
    let (mut found, mut first) = (false, None);
    rcu::read(|rcu| {
        for device in dev::all(net, rcu).take(MOST) {
            if device.is_internal() || !device.is_up() || !among.contains(&device.interface()) {
                continue;
            }
            found = true;
            // SAFETY: Valid under RCU.
            if !unsafe { ffi::fastnat_shim_dev_routes_localnet(device.as_ptr()) } {
                first = Some(device.name());
                break;
            }
        }
    });
    // SAFETY: The namespace is alive.
    if found || unsafe { ffi::fastnat_shim_net_routes_localnet(net.as_ptr()) } {
        return first;
    }
    Some(among.name().unwrap_or(*b"all\0\0\0\0\0\0\0\0\0\0\0\0\0"))
}

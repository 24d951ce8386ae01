// SPDX-License-Identifier: GPL-2.0

//! Netlink multicast.

use super::ffi;
use super::msg::Message;
use super::pernet::NetRef;
use super::rcu;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::prelude::*;

/// The multicast groups, by their numbers.
#[derive(Copy, Clone)]
#[repr(u32)]
pub(crate) enum Group {
    /// New flows are refused.
    Limit = ffi::FASTNAT_NLGRP_LIMIT,
    /// Bindings come and go.
    Binding = ffi::FASTNAT_NLGRP_BINDING,
    /// Flows come and go.
    Flow = ffi::FASTNAT_NLGRP_FLOW,
    /// Hosts get blocks of ports, and lose them.
    Block = ffi::FASTNAT_NLGRP_BLOCK,
}

/// Is the family registered? Without it the numbers of its groups may belong to another.
static OPEN: AtomicBool = AtomicBool::new(false);

/// The family is registered.
pub(super) fn open() {
    OPEN.store(true, Ordering::Release);
}

/// The family will be unregistered: when this returns nobody sends any more. Sleeps.
pub(super) fn close() {
    OPEN.store(false, Ordering::Release);
    rcu::synchronize();
}

/// Does anybody in the namespace listen?
#[inline]
pub(crate) fn is_wanted(net: &NetRef, group: Group) -> bool {
    rcu::read(|_rcu| {
        // SAFETY: The namespace is alive; the family stays registered while RCU is held.
        let wanted = || unsafe { ffi::fastnat_shim_event_wanted(net.as_ptr(), group as u32) };
        OPEN.load(Ordering::Acquire) && wanted()
    })
}

/// Sends an event to all who listen in the namespace. Never sleeps. An error is that there was no
/// memory; what a listener has no room for is between it and its socket.
pub(crate) fn send(
    net: &NetRef,
    group: Group,
    command: u8,
    fill: impl FnOnce(&mut Message<'_>) -> Result,
) -> Result {
    rcu::read(|_rcu| {
        if !OPEN.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut head = core::ptr::null_mut();
        // SAFETY: No requirements.
        let skb = unsafe { ffi::fastnat_shim_event_new(command, &mut head) };
        if skb.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: A new message, ours until it is sent or freed.
        let filled = fill(&mut unsafe { Message::new(skb) });
        // SAFETY: As above; the family is registered while RCU is held.
        unsafe {
            match filled {
                Ok(()) => ffi::fastnat_shim_event_send(net.as_ptr(), skb, head, group as u32),
                Err(_) => ffi::fastnat_shim_reply_free(skb),
            }
        }
        filled
    })
}

// SPDX-License-Identifier: GPL-2.0

//! ICMP errors of the host.

use super::ffi;
use super::hook::Context;
use super::skb::Skb;
use crate::nat::time::Ticks;

/// `ICMP_PKT_FILTERED`: communication administratively prohibited.
const PROHIBITED: i32 = 13;

/// The time from one unreachable to the next to one host, as the administrator has set it; 0
/// without limit.
pub(crate) fn interval(context: &Context<'_>) -> Ticks {
    // SAFETY: The namespace is valid while the hook runs.
    Ticks(unsafe { ffi::fastnat_shim_icmp_interval(context.net()) })
}

/// Has the sender of a packet from another host told that it may not go where it wants to. The
/// packet is to be dropped then. False if there is no way back to the sender; what becomes of the
/// error is up to the kernel.
pub(crate) fn prohibit(skb: &mut Skb, context: &Context<'_>) -> bool {
    let input = context.input_ptr();
    // SAFETY: Packet and device are valid while the hook runs, under RCU. The packet stays whole:
    // it is given a route, if it has none.
    !input.is_null() && unsafe { ffi::fastnat_shim_icmp_refuse(skb.as_ptr(), input, PROHIBITED) }
}

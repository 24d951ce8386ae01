// SPDX-License-Identifier: GPL-2.0

//! Bridged packets, which br_netfilter shows to the hooks of IPv4.

use super::ffi;
use super::skb::Skb;

/// In PREROUTING: will a bridge forward this packet, rather than hand it to IP?
#[cold]
pub(crate) fn forwards(skb: &Skb) -> bool {
    // SAFETY: The packet is valid while the hook runs, under RCU; one that a bridge shows has a
    // link-layer header.
    unsafe { ffi::fastnat_shim_skb_bridged_in(skb.as_ptr()) }
}

/// In POSTROUTING: has a bridge forwarded this packet, and not IP?
#[cold]
pub(crate) fn has_forwarded(skb: &Skb) -> bool {
    // SAFETY: The packet is valid while the hook runs.
    unsafe { ffi::fastnat_shim_skb_bridged_out(skb.as_ptr()) }
}

/// In PREROUTING, at its end: the destination of the packet is what it was meant to be, so that the
/// bridge hands it to IP as it would have done.
#[cold]
pub(crate) fn keep_routed(skb: &mut Skb) {
    // SAFETY: The packet is valid while the hook runs, and its extension not shared: the bridge has
    // just added it.
    unsafe { ffi::fastnat_shim_skb_keep_routed(skb.as_ptr()) };
}

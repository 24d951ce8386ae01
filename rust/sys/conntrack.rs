// SPDX-License-Identifier: GPL-2.0

//! Other translators beside this one: connection tracking and IPVS.

use super::dev::sock_tuple;
use super::ffi;
use super::pernet::NetRef;
use super::skb::Skb;
use crate::nat::addr::V4;
use crate::nat::tuple::Tuple;

/// Who else translates the connection of a packet in POSTROUTING.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Translator {
    /// Nobody.
    Nobody,
    /// Connection tracking has changed the destination, and will restore it in answers. Nobody has
    /// an interest in the source.
    Destination,
    /// What becomes of the source is the business of connection tracking or IPVS.
    Source,
}

impl Translator {
    /// Of a packet in POSTROUTING, as connection tracking and IPVS have marked it.
    #[inline]
    pub(crate) fn of(skb: &Skb) -> Self {
        // SAFETY: The packet is valid while the hook runs.
        let nat = unsafe { ffi::fastnat_shim_skb_nat(skb.as_ptr()) };
        let (src, dst) = (ffi::FASTNAT_NAT_SRC, ffi::FASTNAT_NAT_DST);
        let is = |bits| nat & bits != 0;
        if is(ffi::FASTNAT_NAT_IPVS | src) || is(ffi::FASTNAT_NAT_REPLY) && is(dst) {
            Self::Source
        } else if is(dst) {
            Self::Destination
        } else {
            Self::Nobody
        }
    }
}

/// In PREROUTING: is it a packet of a connection that connection tracking knows and translates?
/// Only of the default zone, which is that of Docker, Kubernetes and most others.
pub(crate) fn translates(skb: &Skb, tuple: &Tuple<V4>) -> bool {
    // SAFETY: The packet is valid while the hook runs, and has a device; under RCU.
    unsafe { ffi::fastnat_shim_ct_translates(skb.as_ptr(), &sock_tuple(tuple)) }
}

/// Is the packet that the running hook sees a copy, which TEE or a rule with `dup` is sending?
pub(crate) fn is_duplicate() -> bool {
    // SAFETY: No requirements.
    unsafe { ffi::fastnat_shim_is_duplicate() }
}

/// Does a rule of iptables or nftables translate in the namespace?
pub(crate) fn has_nat(net: &NetRef) -> bool {
    // SAFETY: The namespace is alive.
    unsafe { ffi::fastnat_shim_net_has_nat(net.as_ptr()) }
}

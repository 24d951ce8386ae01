// SPDX-License-Identifier: GPL-2.0

//! ICMP errors of the host.

use super::dev::Device;
use super::ffi;
use super::hook::Context;
use super::pernet::NetRef;
use super::skb::Skb;
use crate::nat::time::Ticks;

/// `ICMP_PKT_FILTERED`: communication administratively prohibited.
const PROHIBITED: i32 = 13;
/// `ICMP_PORT_UNREACH`
const PORT: i32 = 3;
/// Bytes of a packet that are kept to be quoted: the longest headers of IP and TCP.
const QUOTED: usize = 120;

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

/// What is kept of a packet that may be answered by an error later. It holds nothing of the kernel.
pub(crate) struct Quote {
    ifindex: u32,
    mark: u32,
    len: usize,
    bytes: [u8; QUOTED],
}

impl Quote {
    /// The beginning of a packet that came in by `input`. A hook has read its headers.
    pub(crate) fn new(skb: &Skb, input: Device<'_>) -> Self {
        let mut bytes = [0; QUOTED];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(skb.linear()) {
            *to = *from;
            len = usize::wrapping_add(len, 1);
        }
        Self {
            ifindex: input.index(),
            mark: skb.mark(),
            len,
            bytes,
        }
    }

    /// Has the sender told that nobody is at the port, as if the packet came in now. False if it
    /// cannot be told any more.
    pub(crate) fn refuse_port(&self, net: &NetRef) -> bool {
        let late = ffi::fastnat_icmp_late {
            ifindex: self.ifindex,
            mark: self.mark,
            len: self.len as u32,
            packet: self.bytes.as_ptr(),
        };
        // SAFETY: The namespace is alive; `bytes` has `len` bytes, which begin with an IP header.
        unsafe { ffi::fastnat_shim_icmp_late(net.as_ptr(), &late, PORT) }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Plain packets: whole TCP segments and UDP datagrams without IP options. Nearly all packets are,
//! and what is done to them here is what [`super::packet`] and [`super::rewrite`] do, in fewer
//! instructions.

use super::addr::{Be16, V4};
use super::checksum::{Delta, Fold};
use super::packet::{Edge, Packet, IP_LEN, L4};
use super::rewrite::{udp_checksum, Checksum, Half};
use super::tuple::{Endpoint, Tuple, TCP, UDP};
use super::wire::{get, get16, get_v4, put};

/// Offset of the checksum in an IPv4 header.
const IP_CHECKSUM: usize = 10;
/// Bytes of an IPv4 header without options, and of a UDP header.
const UDP_END: usize = IP_LEN + L4::Udp.len();
/// Bytes of an IPv4 header without options, and of a TCP header without options.
const TCP_END: usize = IP_LEN + L4::Tcp.len();

/// Reads a plain packet, of which `bytes` are the first. `None` if it is not plain, or wrong.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<Packet<V4>> {
    let head: &[u8; UDP_END] = bytes.first_chunk()?;
    let [version, _, _, _, _, _, more, offset, _, proto, ..] = *head;
    let whole = (more & 0x3f) | offset == 0;
    if version != 0x45 || !whole {
        return None;
    }
    let room = usize::from(get16(head, 2)?.to_host()).checked_sub(IP_LEN)?;
    let (l4, edge) = match proto {
        UDP => {
            let len = usize::from(get16(head, 24)?.to_host());
            (L4::Udp.len()..=room).contains(&len).then_some(())?;
            (L4::Udp, Edge::None)
        }
        TCP => {
            let [offset, flags] = get(bytes.first_chunk::<TCP_END>()?, 32)?;
            let len = usize::from(offset >> 4).wrapping_mul(4);
            (L4::Tcp.len()..=room).contains(&len).then_some(())?;
            (L4::Tcp, Edge::of(flags))
        }
        _ => return None,
    };
    let end = |addr, port| {
        Some(Endpoint {
            addr: get_v4(head, addr)?,
            port: get16(head, port)?,
        })
    };
    Some(Packet {
        tuple: Tuple::new(proto, end(12, 20)?, end(16, 22)?),
        l4,
        l4_offset: IP_LEN,
        l4_len: l4.len(),
        edge,
    })
}

/// How the checksums of packets change in which one endpoint replaces another. Made once for a
/// flow.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Fix {
    addr: Fold,
    both: Fold,
}

impl Fix {
    /// From `old` to `new`.
    pub fn new(old: Endpoint<V4>, new: Endpoint<V4>) -> Self {
        let mut delta = Delta::default();
        delta.replace_v4(old.addr, new.addr);
        let addr = delta.fold();
        delta.replace16(old.port, new.port);
        Self {
            addr,
            both: delta.fold(),
        }
    }
}

/// Replaces one end of a packet that [`parse`] has read as being of `l4`; `fix` is that from its
/// old end to `new`.
///
/// Returns `false`, with nothing changed, if `bytes` end before the transport header does.
#[inline]
pub fn rewrite(
    bytes: &mut [u8],
    l4: L4,
    (half, new): (Half, Endpoint<V4>),
    fix: Fix,
    csum: Checksum,
) -> bool {
    match l4 {
        L4::Udp => match bytes.first_chunk_mut::<UDP_END>() {
            Some(head) => replace(head, 26, (half, new), fix, |old| match csum {
                Checksum::Partial => fix.addr.apply_partial(old),
                Checksum::Full => udp_checksum(old, fix.both),
            }),
            None => None,
        },
        L4::Tcp => match bytes.first_chunk_mut::<TCP_END>() {
            Some(head) => replace(head, 36, (half, new), fix, |old| match csum {
                Checksum::Partial => fix.addr.apply_partial(old),
                Checksum::Full => fix.both.apply(old),
            }),
            None => None,
        },
        L4::Icmp => None,
    }
    .is_some()
}

/// `at`: offset of the transport checksum. All offsets lie within `head`.
#[inline(always)]
fn replace<const N: usize>(
    head: &mut [u8; N],
    at: usize,
    (half, new): (Half, Endpoint<V4>),
    fix: Fix,
    checksum: impl FnOnce(Be16) -> Be16,
) -> Option<()> {
    let (ip_sum, l4_sum) = (get16(head, IP_CHECKSUM)?, get16(head, at)?);
    put(head, IP_CHECKSUM, fix.addr.apply(ip_sum).to_bytes())?;
    put(head, at, checksum(l4_sum).to_bytes())?;
    let (addr, port) = (new.addr.0.to_bytes(), new.port.to_bytes());
    match half {
        Half::Src => {
            put(head, 12, addr)?;
            put(head, 20, port)
        }
        Half::Dst => {
            put(head, 16, addr)?;
            put(head, 22, port)
        }
    }
}

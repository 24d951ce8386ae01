// SPDX-License-Identifier: GPL-2.0

//! Plain packets: whole TCP segments and UDP datagrams without IP options. Nearly all packets are,
//! and what is done to them here is what [`super::packet`] and [`super::rewrite`] do, in fewer
//! instructions.

use super::addr::V4;
use super::checksum::{Delta, Fold};
use super::packet::{Edge, Packet, IP_LEN, L4};
use super::rewrite::{udp_checksum, Checksum, Half};
use super::tuple::{Endpoint, Tuple, Zone, TCP, UDP};
use super::wire::{get, get16, put};

/// Offset of the checksum in an IPv4 header.
const IP_CHECKSUM: usize = 10;
/// Offset of the checksum of UDP behind an IPv4 header without options.
const UDP_CHECKSUM: usize = IP_LEN + 6;
/// The same of TCP.
const TCP_CHECKSUM: usize = IP_LEN + 16;
/// Bytes of an IPv4 header without options, and of a UDP header.
const UDP_END: usize = IP_LEN + L4::Udp.len();
/// Bytes of an IPv4 header without options, and of a TCP header without options.
const TCP_END: usize = IP_LEN + L4::Tcp.len();

/// A plain packet, in so few words that they fit into registers.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Plain {
    /// [`Tuple::words`].
    pub words: [u64; 2],
    /// Where in its connection it says that it is.
    pub edge: Edge,
}

impl Plain {
    /// Reads a packet, of which `bytes` are the first. `None` if it is not plain, or wrong.
    #[inline(always)]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; UDP_END] = bytes.first_chunk()?;
        let [version, _, _, _, _, _, more, offset, _, proto, ..] = *head;
        let whole = (more & 0x3f) | offset == 0;
        if version != 0x45 || !whole {
            return None;
        }
        let room = usize::from(get16(head, 2)?.to_host()).checked_sub(IP_LEN)?;
        let edge = match proto {
            UDP => {
                let len = usize::from(get16(head, 24)?.to_host());
                (L4::Udp.len()..=room).contains(&len).then_some(())?;
                Edge::None
            }
            TCP => {
                let [offset, flags] = get(bytes.first_chunk::<TCP_END>()?, 32)?;
                let len = usize::from(offset >> 4).wrapping_mul(4);
                (L4::Tcp.len()..=room).contains(&len).then_some(())?;
                Edge::of(flags)
            }
            _ => return None,
        };
        let ports = u32::from_le_bytes(get(head, 20)?);
        Some(Self {
            words: [
                u64::from_le_bytes(get(head, 12)?),
                u64::from(ports) | (u64::from(proto) << 32),
            ],
            edge,
        })
    }

    /// The tuple it carries.
    #[inline(always)]
    pub fn tuple(&self) -> Tuple<V4> {
        Tuple::from_words(self.words)
    }

    /// Is it UDP? If not it is TCP.
    #[inline(always)]
    fn is_udp(&self) -> bool {
        let [_, rest] = self.words;
        rest >> 32 == u64::from(UDP)
    }

    /// How many bytes, from the IP header on, have to be writable.
    #[inline(always)]
    pub fn end(&self) -> usize {
        match self.is_udp() {
            true => UDP_END,
            false => TCP_END,
        }
    }

    /// A packet, if it is plain. Its bytes say nothing of a routing domain.
    #[inline]
    pub fn of(packet: &Packet<V4>) -> Option<Self> {
        packet.is_plain().then(|| Self {
            words: packet.tuple.in_zone(Zone::DEFAULT).words(),
            edge: packet.edge,
        })
    }

    /// What [`super::packet::classify`] says of it.
    pub fn packet(&self) -> Packet<V4> {
        let l4 = match self.is_udp() {
            true => L4::Udp,
            false => L4::Tcp,
        };
        Packet {
            tuple: self.tuple(),
            l4,
            l4_offset: IP_LEN,
            l4_len: l4.len(),
            edge: self.edge,
        }
    }

    /// Replaces one end of the packet in `bytes`; `fix` is that from its old end to `new`.
    ///
    /// Returns `false`, with nothing changed, if `bytes` end before [`Plain::end`].
    #[inline(always)]
    pub fn rewrite(
        &self,
        bytes: &mut [u8],
        end: (Half, Endpoint<V4>),
        fix: Fix,
        csum: Checksum,
    ) -> bool {
        self.replace(bytes, end, fix, csum).is_some()
    }

    #[inline(always)]
    fn replace(
        &self,
        bytes: &mut [u8],
        (half, new): (Half, Endpoint<V4>),
        fix: Fix,
        csum: Checksum,
    ) -> Option<()> {
        let bytes = bytes.get_mut(..self.end())?;
        let at = match self.is_udp() {
            true => UDP_CHECKSUM,
            false => TCP_CHECKSUM,
        };
        let (ip_sum, old) = (get16(bytes, IP_CHECKSUM)?, get16(bytes, at)?);
        let l4_sum = match (csum, self.is_udp()) {
            (Checksum::Partial, _) => fix.addr.apply_partial(old),
            (Checksum::Full, true) => udp_checksum(old, fix.both),
            (Checksum::Full, false) => fix.both.apply(old),
        };
        let (addr_at, port_at) = match half {
            Half::Src => (12, 20),
            Half::Dst => (16, 22),
        };
        // Nothing from here on lies beyond the end.
        put(bytes, IP_CHECKSUM, fix.addr.apply(ip_sum).to_bytes())?;
        put(bytes, at, l4_sum.to_bytes())?;
        put(bytes, addr_at, new.addr.0.to_bytes())?;
        put(bytes, port_at, new.port.to_bytes())
    }
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

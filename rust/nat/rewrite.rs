// SPDX-License-Identifier: GPL-2.0

//! Changing the addresses and ports of a packet, with every checksum that covers them.
//!
//! The old values are read from the packet. A checksum that was wrong stays wrong by the same
//! amount.

use super::addr::{Addr, Be16, V4};
use super::checksum::{Delta, Fold};
use super::packet::{identified, IcmpError, Packet, IP_LEN, L4};
use super::tuple::{Endpoint, Tuple};
use super::wire::{get, get16, get_v4, put};

/// Offset of the checksum in an IPv4 header.
const IP_CHECKSUM: usize = 10;
/// Offset of the checksum in an ICMP header.
const ICMP_CHECKSUM: usize = 2;

/// What the checksum field of the transport header holds.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Checksum {
    /// The checksum.
    Full,
    /// The sum of the pseudo header, not inverted (`CHECKSUM_PARTIAL`).
    Partial,
}

/// Which end of a packet.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Half {
    /// The source.
    Src,
    /// The destination.
    Dst,
}

/// Replaces one end of `p`, which was parsed from `bytes`.
///
/// Of an ICMP query, whose identifier belongs to the asking end, only the address of the other end
/// changes.
///
/// Returns `false`, with nothing changed, if `bytes` end before the transport header does.
#[inline]
pub fn endpoint(
    bytes: &mut [u8],
    p: &Packet<V4>,
    half: Half,
    new: Endpoint<V4>,
    csum: Checksum,
) -> bool {
    let quote = Place {
        ip: 0,
        l4: p.l4,
        l4_at: p.l4_offset,
        end: p.l4_offset.saturating_add(p.l4.len()),
    };
    quote.fits(bytes) && quote.replace(bytes, &[(half, new)], csum).is_some()
}

/// Makes an ICMP error quote `inner`, and go from `outer_src` to `outer_dst`.
///
/// Its checksum has to be complete. Returns `false`, with nothing changed, if `bytes` end before
/// `e.end`.
pub fn icmp_error(
    bytes: &mut [u8],
    e: &IcmpError<V4>,
    inner: Tuple<V4>,
    outer_src: V4,
    outer_dst: V4,
) -> bool {
    let quote = Place {
        ip: e.inner_offset,
        l4: e.inner_l4,
        l4_at: e.inner_l4_offset,
        end: e.end,
    };
    let ordered = IP_LEN <= e.icmp_offset && e.icmp_offset.saturating_add(8) <= e.inner_offset;
    ordered && quote.fits(bytes) && {
        let ends = [(Half::Src, inner.src()), (Half::Dst, inner.dst())];
        let outer = [(Half::Src, outer_src), (Half::Dst, outer_dst)];
        replace_error(bytes, &quote, e.icmp_offset, &ends, &outer).is_some()
    }
}

fn replace_error(
    bytes: &mut [u8],
    quote: &Place,
    icmp_at: usize,
    ends: &[(Half, Endpoint<V4>); 2],
    outer: &[(Half, V4); 2],
) -> Option<()> {
    let delta = quote.replace(bytes, ends, Checksum::Full)?;
    let field = icmp_at.wrapping_add(ICMP_CHECKSUM);
    let checksum = delta.apply(get16(bytes, field)?);
    put(bytes, field, checksum.to_bytes())?;
    let mut delta = Delta::default();
    for (half, addr) in outer {
        put_addr(bytes, 0, *half, *addr, &mut delta)?;
    }
    fix(bytes, IP_CHECKSUM, delta).map(|_| ())
}

/// Where a packet, or a quoted one, has its headers.
struct Place {
    /// Start of the IP header.
    ip: usize,
    l4: L4,
    /// Start of the transport header.
    l4_at: usize,
    /// End of what is there of the transport header.
    end: usize,
}

impl Place {
    /// Whether everything that [`Place::replace`] changes lies within `bytes`, so that it cannot
    /// stop half-way.
    #[inline]
    fn fits(&self, bytes: &[u8]) -> bool {
        let l4_at_least = self.ip.saturating_add(IP_LEN);
        let end_at_least = self.l4_at.saturating_add(8);
        self.l4_at >= l4_at_least && self.end >= end_at_least && self.end <= bytes.len()
    }

    /// Replaces `ends`, mends both checksums, and returns the sum of all that changed.
    #[inline]
    fn replace(
        &self,
        bytes: &mut [u8],
        ends: &[(Half, Endpoint<V4>)],
        csum: Checksum,
    ) -> Option<Delta> {
        let mut addrs = Delta::default();
        let mut ports = Delta::default();
        for (half, new) in ends {
            put_addr(bytes, self.ip, *half, new.addr, &mut addrs)?;
            self.put_port(bytes, *half, new.port, &mut ports)?;
        }
        let mut all = fix(bytes, self.ip.wrapping_add(IP_CHECKSUM), addrs)?;
        all.merge(self.fix_l4(bytes, addrs, ports, csum)?);
        all.merge(addrs);
        all.merge(ports);
        Some(all)
    }

    /// Replaces a port, or the identifier if `half` is the end that asks.
    #[inline]
    fn put_port(&self, bytes: &mut [u8], half: Half, new: Be16, delta: &mut Delta) -> Option<()> {
        let at = match (self.l4, half) {
            (L4::Tcp | L4::Udp, Half::Src) => 0,
            (L4::Tcp | L4::Udp, Half::Dst) => 2,
            (L4::Icmp, half) => {
                let [kind] = get(bytes, self.l4_at)?;
                match identified(kind) == Some(half) {
                    true => 4,
                    false => return Some(()),
                }
            }
        };
        put16(bytes, self.l4_at.wrapping_add(at), new, delta)
    }

    /// Mends the transport checksum, if it is there, and returns by how much it changed.
    #[inline]
    fn fix_l4(
        &self,
        bytes: &mut [u8],
        addrs: Delta,
        ports: Delta,
        csum: Checksum,
    ) -> Option<Delta> {
        let mut change = Delta::default();
        let at = self.l4_at.wrapping_add(match self.l4 {
            L4::Tcp => 16,
            L4::Udp => 6,
            L4::Icmp => ICMP_CHECKSUM,
        });
        if at.wrapping_add(2) > self.end {
            return Some(change);
        }
        let old = get16(bytes, at)?;
        let new = match (self.l4, csum) {
            // No pseudo header: what is left to the device does not depend on what changed.
            (L4::Icmp, Checksum::Partial) => old,
            (L4::Icmp, Checksum::Full) if ports == Delta::default() => old,
            (L4::Icmp, Checksum::Full) => self.icmp_checksum(bytes, ports.apply(old))?,
            (_, Checksum::Partial) => addrs.apply_partial(old),
            (L4::Tcp, Checksum::Full) => both(addrs, ports).apply(old),
            (L4::Udp, Checksum::Full) => udp_checksum(old, both(addrs, ports).fold()),
        };
        put16(bytes, at, new, &mut change)?;
        Some(change)
    }

    /// An echo reply may be all zeros, and then only 0xffff is a right checksum; in every other
    /// message whose checksum comes out as 0, 0xffff is as good.
    #[inline]
    fn icmp_checksum(&self, bytes: &[u8], checksum: Be16) -> Option<Be16> {
        let [kind, code, _, _, rest @ ..]: [u8; 8] = get(bytes, self.l4_at)?;
        let zeros = kind == 0 && code == 0 && rest == [0; 4] && checksum == Be16::default();
        Some(if zeros {
            Be16::from_host(0xffff)
        } else {
            checksum
        })
    }
}

/// A UDP checksum of 0 means none; one that comes out as 0 is sent as 0xffff (RFC 768).
#[inline]
pub(super) fn udp_checksum(old: Be16, delta: Fold) -> Be16 {
    if old == Be16::default() {
        return old;
    }
    match delta.apply(old).to_host() {
        0 => Be16::from_host(0xffff),
        checksum => Be16::from_host(checksum),
    }
}

#[inline]
fn both(mut a: Delta, b: Delta) -> Delta {
    a.merge(b);
    a
}

#[inline]
fn put_addr(bytes: &mut [u8], ip: usize, half: Half, new: V4, delta: &mut Delta) -> Option<()> {
    let at = ip.wrapping_add(match half {
        Half::Src => 12,
        Half::Dst => 16,
    });
    delta.replace_v4(get_v4(bytes, at)?, new);
    put(bytes, at, new.to_bytes())
}

#[inline]
fn put16(bytes: &mut [u8], at: usize, new: Be16, delta: &mut Delta) -> Option<()> {
    delta.replace16(get16(bytes, at)?, new);
    put(bytes, at, new.to_bytes())
}

/// Applies `delta` to the checksum at `at`, and returns by how much that changed.
#[inline]
fn fix(bytes: &mut [u8], at: usize, delta: Delta) -> Option<Delta> {
    let mut change = Delta::default();
    let new = delta.apply(get16(bytes, at)?);
    put16(bytes, at, new, &mut change)?;
    Some(change)
}

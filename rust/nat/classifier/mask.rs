// SPDX-License-Identifier: GPL-2.0

//! What of a packet is looked at, and what a policy wants to see there.

use super::super::addr::Addr;
use super::super::hash::{folded, Key};
use super::super::iface::{Look, Seen};
use super::super::policy::{Policy, Subject};
use super::super::ports::PortRange;

/// Which bits of a packet a group looks at.
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub(super) struct Mask {
    src_bits: u8,
    dst_bits: u8,
    sport_bits: u8,
    dport_bits: u8,
    proto: bool,
    in_iface: Look,
    out_iface: Look,
    mark: u32,
}

/// The bits of a packet, or of a policy, that a mask leaves.
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub(super) struct Fields<A> {
    src: A,
    dst: A,
    mark: u32,
    sport: u16,
    dport: u16,
    proto: u8,
    in_iface: Seen,
    out_iface: Seen,
}

/// A port and how many of its leading bits count.
#[derive(Copy, Clone)]
struct Block {
    port: u16,
    bits: u8,
}

/// Cuts a range into the fewest aligned power-of-two blocks: 30 at most.
fn blocks(range: PortRange) -> impl Iterator<Item = Block> {
    let end = u32::from(range.max()).wrapping_add(1);
    let mut next = u32::from(range.min());
    core::iter::from_fn(move || {
        let left = end.checked_sub(next)?;
        let aligned = next.trailing_zeros().min(16);
        let order = left.checked_ilog2()?.min(aligned);
        let block = Block {
            port: next as u16,
            bits: 16u32.wrapping_sub(order) as u8,
        };
        next = next.wrapping_add(1u32.wrapping_shl(order));
        Some(block)
    })
}

/// Returns `port` with all but its first `bits` bits cleared.
#[inline]
fn masked_port(port: u16, bits: u8) -> u16 {
    let ignored = 16u32.saturating_sub(u32::from(bits));
    port & (0xffff_u32.wrapping_shl(ignored) as u16)
}

/// All entries of a policy.
pub(super) fn entries<A: Addr>(policy: &Policy<A>) -> impl Iterator<Item = (Mask, Fields<A>)> + '_ {
    let m = &policy.matches;
    let pairs = blocks(m.sport).flat_map(|sport| blocks(m.dport).map(move |dport| (sport, dport)));
    pairs.map(|(sport, dport)| {
        let mask = Mask {
            src_bits: m.src.bits(),
            dst_bits: m.dst.bits(),
            sport_bits: sport.bits,
            dport_bits: dport.bits,
            proto: m.proto != 0,
            in_iface: m.in_iface.look(),
            out_iface: m.out_iface.look(),
            mark: m.mark_mask,
        };
        let fields = Fields {
            src: m.src.addr(),
            dst: m.dst.addr(),
            mark: m.mark,
            sport: sport.port,
            dport: dport.port,
            proto: m.proto,
            in_iface: m.in_iface.seen(),
            out_iface: m.out_iface.seen(),
        };
        (mask, fields)
    })
}

impl Mask {
    /// What it leaves of a packet.
    #[inline]
    pub(super) fn apply<A: Addr>(&self, subject: &Subject<A>) -> Fields<A> {
        let tuple = &subject.tuple;
        Fields {
            src: tuple.src_addr.masked(self.src_bits),
            dst: tuple.dst_addr.masked(self.dst_bits),
            mark: subject.mark & self.mark,
            sport: masked_port(tuple.src_port.to_host(), self.sport_bits),
            dport: masked_port(tuple.dst_port.to_host(), self.dport_bits),
            proto: if self.proto { tuple.proto } else { 0 },
            in_iface: self.in_iface.at(&subject.in_iface),
            out_iface: self.out_iface.at(&subject.out_iface),
        }
    }
}

impl<A: Addr> Fields<A> {
    #[inline]
    pub(super) fn hash(&self, key: &Key) -> u64 {
        let low = |value: u128| value as u64;
        let high = |value: u128| (value >> 64) as u64;
        let (src, dst) = (self.src.to_u128(), self.dst.to_u128());
        let in_iface = u128::from_le_bytes(self.in_iface);
        let out_iface = u128::from_le_bytes(self.out_iface);
        let ports = (u32::from(self.sport) << 16) | u32::from(self.dport);
        folded(
            key,
            &[
                low(src),
                low(dst),
                high(src),
                high(dst),
                (u64::from(self.mark) << 32) | u64::from(ports),
                u64::from(self.proto),
                low(in_iface),
                high(in_iface),
                low(out_iface),
                high(out_iface),
            ],
        )
    }
}

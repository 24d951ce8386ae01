// SPDX-License-Identifier: GPL-2.0

//! What identifies a flow and a binding.

use super::addr::{Addr, Be16, V4};
use super::hash::Words;

/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// One end of a flow. For an ICMP query the port of the asking end is the identifier.
#[repr(C)]
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Endpoint<A> {
    /// Address.
    pub addr: A,
    /// Port, or ICMP identifier.
    pub port: Be16,
}

/// The routing domain (VRF) of a packet: the same addresses may mean other hosts in another.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Zone([u8; 3]);

impl Zone {
    /// Outside of all VRFs.
    pub const DEFAULT: Self = Self([0; 3]);
    /// As many bits tell zones apart.
    pub const BITS: u32 = 24;

    /// The zone of a number, of which only the lower bits count.
    #[inline]
    pub const fn of(number: u32) -> Self {
        let [a, b, c, _] = number.to_le_bytes();
        Self([a, b, c])
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> u32 {
        let Self([a, b, c]) = self;
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Is it outside of all VRFs?
    #[inline]
    pub fn is_default(self) -> bool {
        self == Self::DEFAULT
    }
}

/// One direction of a flow, as its packets carry it.
///
/// An ICMP query has its identifier as the source port and 0 as the destination port; a
/// reply has them the other way round, so that [`Tuple::reverse`] of a request is its reply.
#[repr(C)]
#[derive(Copy, Clone, Default, Debug)]
pub struct Tuple<A> {
    /// Source address.
    pub src_addr: A,
    /// Destination address.
    pub dst_addr: A,
    /// Source port.
    pub src_port: Be16,
    /// Destination port.
    pub dst_port: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// In which routing domain.
    pub zone: Zone,
}

const _: () = assert!(size_of::<Tuple<V4>>() == 16);

/// Word by word: half of the branches of a comparison field by field.
impl<A: Words> PartialEq for Tuple<A> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        A::tuple(self) == A::tuple(other)
    }
}

impl<A: Words> Eq for Tuple<A> {}

impl<A: Addr> Tuple<A> {
    /// The tuple of a packet of `proto` from `src` to `dst`.
    #[inline]
    pub fn new(proto: u8, src: Endpoint<A>, dst: Endpoint<A>) -> Self {
        Self {
            src_addr: src.addr,
            dst_addr: dst.addr,
            src_port: src.port,
            dst_port: dst.port,
            proto,
            zone: Zone::DEFAULT,
        }
    }

    /// The same tuple in another routing domain.
    #[inline]
    pub fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..*self }
    }

    /// The source end.
    #[inline]
    pub fn src(&self) -> Endpoint<A> {
        Endpoint {
            addr: self.src_addr,
            port: self.src_port,
        }
    }

    /// The destination end.
    #[inline]
    pub fn dst(&self) -> Endpoint<A> {
        Endpoint {
            addr: self.dst_addr,
            port: self.dst_port,
        }
    }

    /// The tuple of the answer.
    #[inline]
    pub fn reverse(&self) -> Self {
        Self {
            src_addr: self.dst_addr,
            dst_addr: self.src_addr,
            src_port: self.dst_port,
            dst_port: self.src_port,
            ..*self
        }
    }

    /// The same tuple with another source.
    #[inline]
    pub fn with_src(&self, src: Endpoint<A>) -> Self {
        Self::new(self.proto, src, self.dst()).in_zone(self.zone)
    }

    /// The same tuple with another destination.
    #[inline]
    pub fn with_dst(&self, dst: Endpoint<A>) -> Self {
        Self::new(self.proto, self.src(), dst).in_zone(self.zone)
    }
}

impl Tuple<V4> {
    /// The whole tuple as words.
    #[inline(always)]
    pub fn words(&self) -> [u64; 2] {
        let addr = |addr: V4| u64::from(u32::from_le_bytes(addr.to_bytes()));
        let port = |port: Be16| u64::from(u16::from_le_bytes(port.to_bytes()));
        // As they lie in memory: one load.
        let Zone([a, b, c]) = self.zone;
        let rest = u32::from_le_bytes([self.proto, a, b, c]);
        let ports = port(self.src_port) | (port(self.dst_port) << 16);
        [
            addr(self.src_addr) | (addr(self.dst_addr) << 32),
            ports | (u64::from(rest) << 32),
        ]
    }

    /// The tuple of these words.
    #[inline(always)]
    pub fn from_words([addrs, rest]: [u64; 2]) -> Self {
        let addr = |word: u64| V4::from_bytes((word as u32).to_le_bytes());
        let port = |word: u64| Be16::from_bytes((word as u16).to_le_bytes());
        let [proto, a, b, c] = ((rest >> 32) as u32).to_le_bytes();
        Self {
            src_addr: addr(addrs),
            dst_addr: addr(addrs >> 32),
            src_port: port(rest),
            dst_port: port(rest >> 16),
            proto,
            zone: Zone([a, b, c]),
        }
    }
}

/// Which of its two addresses a binding is looked up by.
#[repr(u8)]
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub enum Side {
    /// The address of the host behind the NAT.
    #[default]
    Inside = 0,
    /// The address the world sees.
    Outside = 1,
    /// Neither: an address that a binding has flows to, and the outside port of the binding.
    Remote = 2,
    /// The address of the host behind the NAT, of a binding that is not looked for by it: many may
    /// have it, so the protocol is another number in each.
    Lone = 3,
}

/// One of the two keys of a binding.
#[repr(C)]
#[derive(Copy, Clone, Default, Debug)]
pub struct BindKey<A> {
    /// Address on that side.
    pub addr: A,
    /// Port or ICMP identifier on that side.
    pub port: Be16,
    /// IP protocol number.
    pub proto: u8,
    /// Which side.
    pub side: Side,
}

const _: () = assert!(size_of::<BindKey<V4>>() == 8);

/// Word by word, as tuples are compared.
impl<A: Words> PartialEq for BindKey<A> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        A::bind_key(self) == A::bind_key(other)
    }
}

impl<A: Words> Eq for BindKey<A> {}

impl BindKey<V4> {
    /// The whole key as words.
    #[inline(always)]
    pub fn words(&self) -> [u64; 1] {
        let addr = u64::from(u32::from_le_bytes(self.addr.to_bytes()));
        let port = u64::from(u16::from_le_bytes(self.port.to_bytes()));
        let (proto, side) = (u64::from(self.proto), self.side as u64);
        [addr | (port << 32) | (proto << 48) | (side << 56)]
    }
}

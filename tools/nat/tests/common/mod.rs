// SPDX-License-Identifier: GPL-2.0

//! Packets built from scratch, with checksums computed over all their bytes.

#![allow(dead_code)] // Every test file uses a part of it.

pub use fastnat_fuzz::sums::*;
use fastnat_nat::nat::addr::{Addr, Be16, Prefix, V4};
use fastnat_nat::nat::iface::{IfName, Interfaces, ANY_IFACE};
use fastnat_nat::nat::policy::Match;
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::rewrite::{Checksum, Half};
use fastnat_nat::nat::tuple::{Endpoint, Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;

/// How many cases to try: `usual`, unless `PROPTEST_CASES` says otherwise.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

pub fn v4(value: u32) -> V4 {
    V4::from_u128(value.into())
}

pub fn ep(addr: u32, port: u16) -> Endpoint<V4> {
    Endpoint {
        addr: v4(addr),
        port: Be16::from_host(port),
    }
}

/// The name of an interface, filled up.
pub fn ifname(text: &str) -> IfName {
    let mut name = ANY_IFACE;
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

/// What matches everything.
pub fn anything() -> Match<V4> {
    Match {
        src: Prefix::default(),
        dst: Prefix::default(),
        proto: 0,
        sport: PortRange::ALL,
        dport: PortRange::ALL,
        in_iface: Interfaces::ANY,
        out_iface: Interfaces::ANY,
        mark: 0,
        mark_mask: 0,
    }
}

/// An IPv4 header, options included, and a payload; no checksums yet.
pub fn ip_packet(proto: u8, src: V4, dst: V4, options: usize, payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options * 4;
    let mut packet = vec![0x40 | (header_len / 4) as u8, 0];
    packet.extend(((header_len + payload.len()) as u16).to_be_bytes());
    packet.extend([0x12, 0x34, 0x40, 0, 64, proto, 0, 0]);
    packet.extend(src.to_bytes());
    packet.extend(dst.to_bytes());
    packet.extend(vec![1; options * 4]);
    packet.extend(payload);
    packet
}

/// What a packet is built from. ICMP: the port of the asking end is the identifier, the other is 0.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub tuple: Tuple<V4>,
    pub options: usize,
    pub payload: Vec<u8>,
    /// UDP without a checksum.
    pub unsummed: bool,
    /// An ICMP reply.
    pub reply: bool,
}

impl Recipe {
    pub fn build(&self) -> Vec<u8> {
        let t = &self.tuple;
        let (sport, dport) = (t.src_port.to_bytes(), t.dst_port.to_bytes());
        let mut l4 = Vec::new();
        match t.proto {
            TCP => {
                l4.extend(sport);
                l4.extend(dport);
                l4.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0]);
            }
            UDP => {
                l4.extend(sport);
                l4.extend(dport);
                l4.extend(((8 + self.payload.len()) as u16).to_be_bytes());
                l4.extend([0, 0]);
            }
            _ => {
                l4.extend([if self.reply { 0 } else { 8 }, 0, 0, 0]);
                l4.extend(if self.reply { dport } else { sport });
                l4.extend([0, 0]);
            }
        }
        l4.extend(&self.payload);
        let mut packet = ip_packet(t.proto, t.src_addr, t.dst_addr, self.options, &l4);
        seal(&mut packet);
        if t.proto == UDP && self.unsummed {
            let at = checksum_at(&packet);
            put16(&mut packet, at, 0);
        }
        packet
    }

    /// The same packet with another tuple; for ICMP, the port that is always 0 stays 0.
    pub fn with(&self, tuple: Tuple<V4>) -> Recipe {
        let mut new = Recipe {
            tuple,
            ..self.clone()
        };
        if tuple.proto == ICMP {
            if self.reply {
                new.tuple.src_port = Be16::default();
            } else {
                new.tuple.dst_port = Be16::default();
            }
        }
        new
    }
}

/// Ports and address halves with many zeros and ones, where one's-complement arithmetic is
/// delicate.
pub fn word() -> impl Strategy<Value = u16> {
    prop_oneof![3 => any::<u16>(), 1 => Just(0), 1 => Just(0xffff), 1 => 0u16..4]
}

pub fn endpoint() -> impl Strategy<Value = Endpoint<V4>> {
    (word(), word(), word()).prop_map(|(a, b, port)| ep((u32::from(a) << 16) | u32::from(b), port))
}

pub fn recipe() -> impl Strategy<Value = Recipe> {
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (0usize..10).prop_map(|len| vec![0; len]),
    ];
    let proto = prop_oneof![Just(TCP), Just(UDP), Just(ICMP)];
    let parts = (proto, endpoint(), endpoint(), 0usize..=10, payload);
    (parts, any::<bool>(), any::<bool>()).prop_map(|((proto, src, dst, options, payload), a, b)| {
        let tuple = Tuple::new(proto, src, dst);
        Recipe {
            tuple,
            options,
            payload,
            unsummed: a,
            reply: b,
        }
        .with(tuple)
    })
}

/// An end of a packet.
pub fn half() -> impl Strategy<Value = Half> {
    prop_oneof![Just(Half::Src), Just(Half::Dst)]
}

/// What a checksum field may hold.
pub fn csum() -> impl Strategy<Value = Checksum> {
    prop_oneof![Just(Checksum::Full), Just(Checksum::Partial)]
}

// SPDX-License-Identifier: GPL-2.0

//! Rewritten packets against the same packets built from scratch.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::addr::{Be16, V4};
use fastnat_nat::nat::packet::{self, classify, Edge, IcmpError, Ip, Kind, Packet, L4};
use fastnat_nat::nat::rewrite::{endpoint, icmp_error, Checksum, Half};
use fastnat_nat::nat::tuple::{Endpoint, Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::{endpoint as any_endpoint, *};

fn ip(bytes: &[u8]) -> Result<Ip, packet::Malformed> {
    packet::ip(bytes, bytes.len())
}

fn flow(bytes: &[u8]) -> Packet<V4> {
    match classify(bytes, &ip(bytes).unwrap()) {
        Ok(Kind::Flow(flow)) => flow,
        other => panic!("{other:?}"),
    }
}

fn error(bytes: &[u8]) -> IcmpError<V4> {
    match classify(bytes, &ip(bytes).unwrap()) {
        Ok(Kind::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn replaced(tuple: &Tuple<V4>, half: Half, new: Endpoint<V4>) -> Tuple<V4> {
    match half {
        Half::Src => tuple.with_src(new),
        Half::Dst => tuple.with_dst(new),
    }
}

/// An ICMP error about the first `len` bytes of `inner`.
fn quote(src: V4, dst: V4, options: usize, inner: &[u8], len: usize) -> Vec<u8> {
    let icmp = [&[3, 4, 0, 0, 0, 0, 5, 0], &inner[..len]].concat();
    let mut bytes = ip_packet(ICMP, src, dst, options, &icmp);
    seal(&mut bytes);
    bytes
}

fn corrupt(bytes: &mut [u8], at: usize, by: u16) {
    let value = get16(bytes, at) ^ by;
    put16(bytes, at, value);
}

/// An echo reply of nothing but zeros, the checksum included, is the one wrong packet that a sum
/// cannot tell from a right one.
fn zeros(packet: &[u8]) -> bool {
    packet[9] == ICMP && sum(&[&packet[header_len(packet)..]]) == 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(4096)))]

    #[test]
    fn valid(recipe in recipe(), half in half(), new in any_endpoint()) {
        let mut bytes = recipe.build();
        let p = flow(&bytes);
        prop_assert!(endpoint(&mut bytes, &p, half, new, Checksum::Full));
        let expected = recipe.with(replaced(&recipe.tuple, half, new)).build();
        prop_assert!(ip_valid(&bytes) && l4_valid(&bytes));
        prop_assert_eq!(&bytes, &expected);
        let old = match half {
            Half::Src => recipe.tuple.src(),
            Half::Dst => recipe.tuple.dst(),
        };
        prop_assert!(endpoint(&mut bytes, &p, half, old, Checksum::Full));
        prop_assert_eq!(bytes, recipe.build());
    }

    #[test]
    fn only_the_header_is_needed(recipe in recipe(), half in half(), new in any_endpoint()) {
        let mut bytes = recipe.build();
        let p = flow(&bytes);
        let (linear, _) = bytes.split_at_mut(p.l4_offset + p.l4_len);
        prop_assert!(endpoint(linear, &p, half, new, Checksum::Full));
        prop_assert_eq!(bytes, recipe.with(replaced(&recipe.tuple, half, new)).build());
    }

    #[test]
    fn wrong_stays_wrong(
        recipe in recipe(), half in half(), new in any_endpoint(), ip_by: u16, l4_by: u16,
    ) {
        let mut bytes = recipe.build();
        let at = checksum_at(&bytes);
        corrupt(&mut bytes, 10, ip_by);
        corrupt(&mut bytes, at, l4_by);
        prop_assume!(!zeros(&bytes));
        let before = (ip_valid(&bytes), l4_valid(&bytes));
        let p = flow(&bytes);
        prop_assert!(endpoint(&mut bytes, &p, half, new, Checksum::Full));
        prop_assert_eq!((ip_valid(&bytes), l4_valid(&bytes)), before);
        let mut expected = recipe.with(replaced(&recipe.tuple, half, new)).build();
        for at in [10, at] {
            put16(&mut expected, at, get16(&bytes, at));
        }
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn partial(recipe in recipe(), half in half(), new in any_endpoint()) {
        let unfinished = |recipe: &Recipe| {
            let mut bytes = recipe.build();
            let at = checksum_at(&bytes);
            let sum = if recipe.tuple.proto == ICMP { 0 } else { sum(&[&pseudo(&bytes)]) };
            put16(&mut bytes, at, sum);
            bytes
        };
        let mut bytes = unfinished(&recipe);
        let p = flow(&bytes);
        prop_assert!(endpoint(&mut bytes, &p, half, new, Checksum::Partial));
        prop_assert_eq!(bytes, unfinished(&recipe.with(replaced(&recipe.tuple, half, new))));
    }

    /// Of one's complement's two zeros, a checksum keeps the one it has if nothing changes.
    #[test]
    fn unchanged(recipe in recipe(), half in half(), csum in csum(), fields in (word(), word())) {
        let mut bytes = recipe.build();
        let at = checksum_at(&bytes);
        put16(&mut bytes, 10, fields.0);
        put16(&mut bytes, at, fields.1);
        let (p, before) = (flow(&bytes), bytes.clone());
        let same = match half {
            Half::Src => recipe.tuple.src(),
            Half::Dst => recipe.tuple.dst(),
        };
        prop_assert!(endpoint(&mut bytes, &p, half, same, csum));
        prop_assert_eq!(bytes, before);
    }

    /// A port chosen so that the checksum comes out as 0, which means something else for UDP.
    #[test]
    fn zero_checksum(recipe in recipe(), half in half(), new in any_endpoint()) {
        let proto = if recipe.tuple.proto == ICMP { TCP } else { recipe.tuple.proto };
        let tuple = Tuple::new(proto, recipe.tuple.src(), recipe.tuple.dst());
        let recipe = Recipe { tuple, unsummed: false, ..recipe };
        let other = recipe.with(replaced(&recipe.tuple, half, new)).build();
        let port = u32::from(new.port.to_host()) + u32::from(get16(&other, checksum_at(&other)));
        let port = Be16::from_host((port % 0xffff) as u16);
        let new = Endpoint { port, ..new };
        let mut bytes = recipe.build();
        let p = flow(&bytes);
        prop_assert!(endpoint(&mut bytes, &p, half, new, Checksum::Full));
        let checksum = get16(&bytes, checksum_at(&bytes));
        prop_assert_eq!(checksum, if recipe.tuple.proto == UDP { 0xffff } else { 0 });
        prop_assert_eq!(bytes, recipe.with(replaced(&recipe.tuple, half, new)).build());
    }

    /// A device may have been handed a field of 0, which under Partial is not "no checksum".
    #[test]
    fn partial_udp_zero(a in any_endpoint(), b in any_endpoint(), new in any_endpoint()) {
        let recipe = Recipe {
            tuple: Tuple::new(UDP, a, b), options: 0, payload: vec![], unsummed: true, reply: false,
        };
        let mut bytes = recipe.build();
        let (p, at) = (flow(&bytes), checksum_at(&bytes));
        let old = sum(&[&bytes[12..16]]);
        prop_assert!(endpoint(&mut bytes, &p, Half::Src, new, Checksum::Partial));
        let change = (u32::from(sum(&[&bytes[12..16]])) + 0xffff - u32::from(old)) % 0xffff;
        prop_assert_eq!(u32::from(get16(&bytes, at)) % 0xffff, change);
    }

    #[test]
    fn quoted(
        recipe in recipe(), ends in (any_endpoint(), any_endpoint()), outer in (word(), word()),
        options in 0usize..=10, cut in 0usize..50,
    ) {
        let (src, dst) = (v4(outer.0.into()), v4(u32::from(outer.1) << 8));
        let inner = recipe.build();
        let len = inner.len().min(header_len(&inner) + 8 + cut);
        let mut bytes = quote(v4(0x0102_0304), v4(0x0506_0708), options, &inner, len);
        let original = bytes.clone();
        let e = error(&bytes);
        let new = recipe.with(Tuple::new(recipe.tuple.proto, ends.0, ends.1));
        let (linear, _) = bytes.split_at_mut(e.end);
        prop_assert!(icmp_error(linear, &e, new.tuple, src, dst));
        prop_assert!(ip_valid(&bytes) && l4_valid(&bytes));
        // Half a TCP checksum cannot be mended.
        if recipe.tuple.proto != TCP || len != header_len(&inner) + 17 {
            prop_assert_eq!(&bytes, &quote(src, dst, options, &new.build(), len));
        }
        prop_assert!(icmp_error(&mut bytes, &e, e.inner, e.outer_src, e.outer_dst));
        prop_assert_eq!(bytes, original);
    }

    #[test]
    fn quoted_wrong_stays_wrong(
        recipe in recipe(), new in (any_endpoint(), any_endpoint()),
        by in (word(), word(), word(), word()),
    ) {
        let mut inner = recipe.build();
        corrupt(&mut inner, 10, by.0);
        let at = checksum_at(&inner);
        corrupt(&mut inner, at, by.1);
        prop_assume!(!zeros(&inner));
        let before = (ip_valid(&inner), l4_valid(&inner));
        let mut bytes = quote(v4(1), v4(2), 0, &inner, inner.len());
        corrupt(&mut bytes, 10, by.2);
        corrupt(&mut bytes, 22, by.3);
        let outer_before = (ip_valid(&bytes), l4_valid(&bytes));
        let e = error(&bytes);
        let tuple = recipe.with(Tuple::new(recipe.tuple.proto, new.0, new.1)).tuple;
        prop_assert!(icmp_error(&mut bytes, &e, tuple, v4(3), v4(4)));
        prop_assert_eq!((ip_valid(&bytes[28..]), l4_valid(&bytes[28..])), before);
        prop_assert_eq!((ip_valid(&bytes), l4_valid(&bytes)), outer_before);
        prop_assert_eq!(error(&bytes).inner, tuple);
    }
}

fn l4() -> impl Strategy<Value = L4> {
    prop_oneof![Just(L4::Tcp), Just(L4::Udp), Just(L4::Icmp)]
}

/// Offsets, mostly near the packet, sometimes absurd.
fn offset() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0usize..100, 1 => any::<usize>(), 1 => Just(usize::MAX)]
}

/// Bytes of which the first ones are often those of an IPv4 header, and the next of an ICMP error.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..160);
    let proto = prop_oneof![Just(TCP), Just(UDP), Just(ICMP), any::<u8>()];
    (bytes, 0u8..16, proto, any::<[u8; 2]>(), any::<[bool; 4]>()).prop_map(
        |(mut bytes, ihl, proto, quoted, [header, shape, error, nested])| {
            let mut put = |at: usize, value: u8| {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            };
            if header {
                put(0, 0x40 | ihl.max(5));
                put(9, proto);
            }
            if shape {
                (0..2).for_each(|i| put(2 + i, [0, 200][i]));
                (6..8).for_each(|at| put(at, 0));
            }
            let l4 = usize::from(ihl.max(5)) * 4;
            if error {
                put(l4, 3);
            }
            if nested {
                put(l4 + 8, 0x40 | (quoted[0] & 15));
                put(l4 + 17, [TCP, UDP, ICMP, 0][usize::from(quoted[1] & 3)]);
                (14..16).for_each(|at| put(l4 + at, 0));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(20_000)))]

    /// Nothing panics, whatever the bytes; and what parses can be rewritten.
    #[test]
    fn noise_is_survived(
        mut bytes in noise(), keep in 0usize..160,
        half in half(), csum in csum(), new in any_endpoint(),
    ) {
        let Ok(header) = ip(&bytes) else { return Ok(()) };
        prop_assert!(header.wanted() <= header.total_len);
        for len in [bytes.len(), header.wanted().min(bytes.len()), keep.min(bytes.len())] {
            let bytes = &mut bytes[..len];
            let before = bytes.to_vec();
            match classify(bytes, &header) {
                Ok(Kind::Flow(p)) => {
                    prop_assert!(p.l4_offset + p.l4_len <= header.wanted());
                    prop_assert!(endpoint(bytes, &p, half, new, csum));
                }
                Ok(Kind::Error(e)) => {
                    prop_assert!(e.end <= header.wanted());
                    let valid = l4_valid_up_to(&before);
                    let inner = Tuple::new(e.inner.proto, new, new);
                    prop_assert!(icmp_error(bytes, &e, inner, v4(1), v4(2)));
                    prop_assert_eq!(l4_valid_up_to(bytes), valid);
                }
                Ok(Kind::Other(_)) | Err(_) => prop_assert_eq!(bytes, &before[..]),
            }
        }
    }

    /// Nor does it with descriptions of packets that no packet has; and `false` means untouched.
    #[test]
    fn lies_are_survived(
        bytes in noise(), l4 in l4(), at in (offset(), offset(), offset(), offset()),
        half in half(), csum in csum(), new in any_endpoint(),
    ) {
        let tuple = Tuple::new(TCP, new, new);
        let p = Packet { tuple, l4, l4_offset: at.0, l4_len: at.1, edge: Edge::None };
        let mut after = bytes.clone();
        let done = endpoint(&mut after, &p, half, new, csum);
        prop_assert!(done || after == bytes);
        let end = at.0.saturating_add(if l4 == L4::Tcp { 20 } else { 8 });
        prop_assert_eq!(done, at.0 >= 20 && end <= bytes.len());
        let e = IcmpError {
            outer_src: v4(0), outer_dst: v4(0), icmp_offset: at.0, inner: tuple,
            inner_offset: at.1, inner_l4: l4, inner_l4_offset: at.2, end: at.3,
        };
        let mut after = bytes.clone();
        let done = icmp_error(&mut after, &e, tuple, v4(1), v4(2));
        prop_assert!(done || after == bytes);
        let after = |at: usize, len: usize| at.saturating_add(len);
        let places = [20, after(at.0, 8), after(at.1, 20), after(at.2, 8), at.3];
        let limits = [at.0, at.1, at.2, at.3, bytes.len()];
        let ordered = places.iter().zip(limits).all(|(place, limit)| *place <= limit);
        prop_assert_eq!(done, ordered);
    }
}

/// Whether the ICMP message sums up to nothing, as far as it is there.
fn l4_valid_up_to(bytes: &[u8]) -> bool {
    sum(&[&bytes[header_len(bytes)..]]) == 0xffff
}

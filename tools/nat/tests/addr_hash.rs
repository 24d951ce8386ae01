// SPDX-License-Identifier: GPL-2.0

//! Addresses, tuples, and how their hashes spread.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::addr::{Addr, Be16, Be32, Prefix, V4};
use fastnat_nat::nat::hash::{folded, Hashed, Key};
use fastnat_nat::nat::tuple::{BindKey, Side, Tuple, Zone, ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::{endpoint, ep, v4};

#[test]
fn byte_order() {
    assert_eq!(Be16::from_host(0x1234).to_bytes(), [0x12, 0x34]);
    assert_eq!(Be16::from_bytes([0x12, 0x34]).to_host(), 0x1234);
    assert_eq!(
        Be32::from_host(0x1234_5678).to_bytes(),
        [0x12, 0x34, 0x56, 0x78]
    );
    let addr = V4::from_slice(&[192, 0, 2, 1, 9]).unwrap();
    assert_eq!(addr, V4::from_bytes([192, 0, 2, 1]));
    assert_eq!(addr.to_u128(), 0xc000_0201);
    assert_eq!(V4::from_u128(0xc000_0201), addr);
    assert_eq!(V4::from_slice(&[192, 0, 2]), None);
    assert_eq!(
        format!("{addr:?} {:?}", Be16::from_host(80)),
        "192.0.2.1 80"
    );
    let mut bytes = [7; 5];
    assert!(addr.write_to(&mut bytes));
    assert_eq!(bytes, [192, 0, 2, 1, 7]);
    assert!(!addr.write_to(&mut bytes[..3]));
}

#[test]
fn multicast() {
    for (addr, expected) in [
        ([223, 255, 255, 255], false),
        ([224, 0, 0, 0], true),
        ([239, 255, 255, 255], true),
        ([240, 0, 0, 1], false),
        ([255, 255, 255, 254], false),
        ([255, 255, 255, 255], true),
    ] {
        assert_eq!(V4::from_bytes(addr).is_multicast(), expected, "{addr:?}");
    }
    assert!(v4(0).is_unspecified() && !v4(1).is_unspecified());
}

#[test]
fn words_hold_every_field() {
    let tuple = Tuple::new(TCP, ep(0x0102_0304, 0x0506), ep(0x0708_090a, 0x0b0c));
    let bytes: Vec<u8> = tuple.words().iter().flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(bytes, [1, 2, 3, 4, 7, 8, 9, 10, 5, 6, 11, 12, 6, 0, 0, 0]);
    let key = BindKey {
        addr: v4(0x0102_0304),
        port: Be16::from_host(0x0506),
        proto: UDP,
        side: Side::Outside,
    };
    assert_eq!(key.words(), [u64::from_le_bytes([1, 2, 3, 4, 5, 6, 17, 1])]);
    assert_eq!(Side::default(), Side::Inside);
}

#[test]
fn echo_reply_is_the_reverse_of_its_request() {
    let request = Tuple::new(ICMP, ep(1, 77), ep(2, 0));
    assert_eq!(request.reverse(), Tuple::new(ICMP, ep(2, 0), ep(1, 77)));
}

proptest! {
    #[test]
    fn prefix(addr: u32, len in 0u8..40, other: u32) {
        let mask = u32::MAX.checked_shl(32u32.saturating_sub(len.into())).unwrap_or(0);
        prop_assert_eq!(v4(addr).masked(len), v4(addr & mask));
        prop_assert_eq!(Prefix::new(v4(addr), len).is_some(), len <= 32 && addr & mask == addr);
        if let Some(prefix) = Prefix::new(v4(addr & mask), len) {
            prop_assert_eq!(prefix.contains(v4(other)), other & mask == addr & mask);
            prop_assert!(prefix.contains(v4(addr)));
            prop_assert_eq!((prefix.addr(), prefix.bits()), (v4(addr & mask), len));
            prop_assert_eq!(prefix.is_network(), len < 32);
            prop_assert_eq!(prefix.last(), v4(addr | !mask));
        }
    }

    /// From one network to another and back: nobody meets anybody else.
    #[test]
    fn host_parts_are_kept(addr: u32, other: u32, host: u32, len in 0u8..33) {
        let prefix = |addr| Prefix::new(v4(addr).masked(len), len).expect("a prefix");
        let (inside, outside) = (prefix(addr), prefix(other));
        let host = inside.with_host_of(v4(host));
        prop_assert!(inside.contains(host));
        let mapped = outside.with_host_of(host);
        prop_assert!(outside.contains(mapped));
        prop_assert_eq!(inside.with_host_of(mapped), host);
    }

    #[test]
    fn tuple_ends(a in endpoint(), b in endpoint(), c in endpoint()) {
        let tuple = Tuple::new(UDP, a, b);
        prop_assert_eq!((tuple.src(), tuple.dst()), (a, b));
        prop_assert_eq!(tuple.reverse(), Tuple::new(UDP, b, a));
        prop_assert_eq!(tuple.with_src(c), Tuple::new(UDP, c, b));
        prop_assert_eq!(tuple.with_dst(c), Tuple::new(UDP, a, c));
    }

    /// The routing domain goes with the tuple, into its words and back.
    #[test]
    fn zones(a in endpoint(), b in endpoint(), c in endpoint(), number: u32) {
        let zone = Zone::of(number);
        prop_assert_eq!(zone.number(), number & 0x00ff_ffff);
        prop_assert_eq!(zone.is_default(), number & 0x00ff_ffff == 0);
        let tuple = Tuple::new(UDP, a, b).in_zone(zone);
        prop_assert_eq!(Tuple::from_words(tuple.words()), tuple);
        for other in [tuple.reverse(), tuple.with_src(c), tuple.with_dst(c)] {
            prop_assert_eq!(other.zone, zone);
        }
        prop_assert_eq!(tuple == Tuple::new(UDP, a, b), zone.is_default());
        prop_assert_eq!(tuple.in_zone(Zone::DEFAULT), Tuple::new(UDP, a, b));
    }

    #[test]
    fn hashed(a in endpoint(), b in endpoint(), k0: u64, k1: u64) {
        let key = Key(k0, k1);
        let tuple = Tuple::new(TCP, a, b);
        prop_assert_eq!(tuple.hash(&key), folded(&key, &tuple.words()));
        let bind = BindKey { addr: a.addr, port: a.port, proto: TCP, side: Side::Inside };
        prop_assert_eq!(bind.hash(&key), folded(&key, &bind.words()));
    }
}

/// The longest chain when all of `tuples` go into as many buckets.
fn longest(key: &Key, tuples: &[Tuple<V4>]) -> u32 {
    let buckets = tuples.len().next_power_of_two();
    let mut chains = vec![0u32; buckets];
    for tuple in tuples {
        chains[tuple.hash(key) as usize % buckets] += 1;
    }
    chains.into_iter().max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Endpoints that follow one another at any distance, in any field, spread as random numbers
    /// would: at a load of 1 a chain of 16 is a matter of 10^-13 a bucket.
    #[test]
    fn regular_tuples_spread(k0: u64, k1: u64, field in 0usize..6, shift in 0u32..16, base: u32) {
        let tuples: Vec<_> = (0..1u32 << 14).map(|number| {
            let step = number << shift;
            let (addr, port) = (base.wrapping_add(step), number.rotate_left(shift) as u16);
            let (low, high) = (number as u16 & 0x7f, (number >> 7) as u16);
            match field {
                0 => Tuple::new(UDP, ep(addr, 53), ep(0x0808_0808, 53)),
                1 => Tuple::new(UDP, ep(0x0a00_0001, 53), ep(addr, 53)),
                2 => Tuple::new(UDP, ep(base, number as u16), ep(0x0808_0808, 53)),
                3 => Tuple::new(UDP, ep(base, 53), ep(0x0808_0808, number as u16)),
                4 => Tuple::new(UDP, ep(addr, port), ep(addr, port)),
                _ => Tuple::new(UDP, ep(base, low << (shift % 9)), ep(0x0808_0808, high)),
            }
        }).collect();
        let mut distinct = tuples.clone();
        distinct.sort_by_key(Tuple::words);
        distinct.dedup();
        let chain = longest(&Key(k0, k1), &distinct);
        prop_assert!(distinct.len() < 1000 || chain < 16, "{chain} of {}", distinct.len());
    }
}

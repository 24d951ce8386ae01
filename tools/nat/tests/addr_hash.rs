// SPDX-License-Identifier: GPL-2.0

//! Addresses, tuples, and their hashes against two other implementations of SipHash-1-3.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::addr::{masked, Addr, Be16, Be32, Prefix, V4};
use fastnat_nat::nat::hash::{siphash13, Hashed, Key};
use fastnat_nat::nat::tuple::{BindKey, Side, Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;
use std::hash::{DefaultHasher, Hasher};

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
fn tuple_words_hold_every_field() {
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
        prop_assert_eq!(masked(v4(addr), len), v4(addr & mask));
        prop_assert_eq!(Prefix::new(v4(addr), len).is_some(), len <= 32 && addr & mask == addr);
        if let Some(prefix) = Prefix::new(v4(addr & mask), len) {
            prop_assert_eq!(prefix.contains(v4(other)), other & mask == addr & mask);
            prop_assert!(prefix.contains(v4(addr)));
            prop_assert_eq!((prefix.addr(), prefix.bits()), (v4(addr & mask), len));
        }
    }

    #[test]
    fn tuple_ends(a in endpoint(), b in endpoint(), c in endpoint()) {
        let tuple = Tuple::new(UDP, a, b);
        prop_assert_eq!((tuple.src(), tuple.dst()), (a, b));
        prop_assert_eq!(tuple.reverse(), Tuple::new(UDP, b, a));
        prop_assert_eq!(tuple.with_src(c), Tuple::new(UDP, c, b));
        prop_assert_eq!(tuple.with_dst(c), Tuple::new(UDP, a, c));
    }

    #[test]
    fn siphash(k0: u64, k1: u64, words in proptest::collection::vec(any::<u64>(), 0..70)) {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let mut theirs = siphasher::sip::SipHasher13::new_with_keys(k0, k1);
        theirs.write(&bytes);
        prop_assert_eq!(siphash13(&Key(k0, k1), &words), theirs.finish());
        let mut std = DefaultHasher::new();
        std.write(&bytes);
        prop_assert_eq!(siphash13(&Key(0, 0), &words), std.finish());
    }

    #[test]
    fn hashed(a in endpoint(), b in endpoint(), k0: u64, k1: u64) {
        let key = Key(k0, k1);
        let tuple = Tuple::new(TCP, a, b);
        prop_assert_eq!(tuple.hash(&key), siphash13(&key, &tuple.words()));
        let bind = BindKey { addr: a.addr, port: a.port, proto: TCP, side: Side::Inside };
        prop_assert_eq!(bind.hash(&key), siphash13(&key, &bind.words()));
    }
}

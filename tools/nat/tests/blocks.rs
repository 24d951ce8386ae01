// SPDX-License-Identifier: GPL-2.0

//! Ports in blocks, ranges of addresses, and RFC 7422.

use fastnat_nat::nat::addr::{Addr, Prefix, V4};
use fastnat_nat::nat::blocks::{Blocks, Deterministic};
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::ranges::{self, AddrRange};
use proptest::prelude::*;

fn addr(value: u32) -> V4 {
    V4::from_u128(value.into())
}

fn ports() -> impl Strategy<Value = PortRange> {
    (any::<u16>(), any::<u16>())
        .prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).expect("in order"))
}

/// Ranges that do not overlap, in any order.
fn some_ranges() -> impl Strategy<Value = Vec<AddrRange<V4>>> {
    let lens = prop::collection::vec((1..1000u32, 0..1000u32), 1..16);
    lens.prop_map(|lens| {
        let mut next = 0x0a00_0000;
        let mut ranges: Vec<_> = lens
            .iter()
            .map(|(gap, more)| {
                let min = next + gap;
                next = min + more + 1;
                AddrRange::new(addr(min), addr(min + more)).expect("in order")
            })
            .collect();
        ranges.rotate_left(lens.len() / 2);
        ranges
    })
}

#[test]
fn the_example_of_rfc_7422() {
    // 64 inside addresses to each outside one, of 64,512 ports: 1,008 for each.
    let ports = PortRange::new(1024, 65535).expect("in order");
    let map = Deterministic::new(1 << 16, 1 << 10, ports).expect("enough ports");
    assert_eq!((map.sharing(), map.size()), (64, 1008));
    let (outside, own) = map.forward(65).expect("an inside address");
    assert_eq!((outside, own.min(), own.max()), (1, 2032, 3039));
    assert_eq!(map.back(1, 2500), Some(65));
    assert_eq!(map.back(1, 1023), None);
}

#[test]
fn too_few_ports() {
    let ports = PortRange::new(1, 4).expect("in order");
    assert_eq!(Deterministic::new(5, 1, ports), None);
    assert_eq!(Deterministic::new(0, 1, ports), None);
    assert_eq!(Deterministic::new(1, 0, ports), None);
    assert!(Deterministic::new(4, 1, ports).is_some());
}

#[test]
fn a_network_is_a_range() {
    let network = |value, bits| AddrRange::of(&Prefix::new(addr(value), bits).expect("a prefix"));
    let range = |min, max| AddrRange::new(addr(min), addr(max)).expect("in order");
    assert_eq!(network(0x0a00_0100, 24), range(0x0a00_0100, 0x0a00_01ff));
    assert_eq!(network(0x0a00_0101, 32), range(0x0a00_0101, 0x0a00_0101));
    assert_eq!(network(0, 0), range(0, u32::MAX));
}

proptest! {
    #[test]
    fn each_port_is_of_one_block(ports in ports(), size in 1..70_000u32, port in any::<u16>()) {
        let Some(blocks) = Blocks::new(ports, size) else {
            prop_assert!(size > ports.len());
            return Ok(());
        };
        let with: Vec<_> = (0..blocks.count())
            .filter(|block| blocks.ports(*block).expect("a block").contains(port))
            .collect();
        prop_assert_eq!(with, Vec::from_iter(blocks.of(port)));
        let first = blocks.ports(0).expect("at least one");
        prop_assert_eq!((first.len(), first.min()), (size, ports.min()));
        let last = blocks.ports(blocks.count() - 1).expect("the last");
        prop_assert!(last.max() <= ports.max() && u32::from(ports.max() - last.max()) < size);
        prop_assert_eq!(blocks.ports(blocks.count()), None);
    }

    #[test]
    fn there_and_back(inside in 1..100_000u64, outside in 1..300u64, ports in ports(), who in any::<u64>()) {
        let Some(map) = Deterministic::new(inside, outside, ports) else {
            prop_assert!(inside.div_ceil(outside) > ports.len().into());
            return Ok(());
        };
        let who = who % inside;
        let (at, own) = map.forward(who).expect("an inside address");
        prop_assert!(at < outside);
        prop_assert_eq!(own.len(), map.size());
        prop_assert!(ports.contains(own.min()) && ports.contains(own.max()));
        prop_assert_eq!(map.back(at, own.min()), Some(who));
        prop_assert_eq!(map.back(at, own.max()), Some(who));
        prop_assert_eq!(map.forward(inside), None);
    }

    #[test]
    fn what_leads_back_leads_there(inside in 1..5_000u64, outside in 1..300u64, ports in ports(),
                                   at in 0..310u64, port in any::<u16>()) {
        if let Some(map) = Deterministic::new(inside, outside, ports) {
            if let Some(who) = map.back(at, port) {
                let (address, own) = map.forward(who).expect("an inside address");
                prop_assert_eq!(address, at);
                prop_assert!(own.contains(port));
            }
        }
    }

    #[test]
    fn addresses_are_numbered_through(ranges in some_ranges(), index in 0..20_000u64) {
        let all: Vec<V4> = ranges
            .iter()
            .flat_map(|range| (range.min().to_u128()..=range.max().to_u128()).map(V4::from_u128))
            .collect();
        prop_assert_eq!(ranges::count(&ranges), all.len() as u64);
        let found = ranges::address(&ranges, index);
        prop_assert_eq!(found, all.get(index as usize).copied());
        if let Some(found) = found {
            prop_assert_eq!(ranges::index(&ranges, found), Some(index));
        }
        prop_assert_eq!(ranges::index(&ranges, addr(1)), None);
    }
}

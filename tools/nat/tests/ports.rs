// SPDX-License-Identifier: GPL-2.0

//! Port ranges and the port picker.

#![allow(clippy::unwrap_used)]

use fastnat_fuzz::ports::Ports;
use fastnat_nat::nat::ports::{class, home, pick, PortRange, CHUNK};
use fastnat_nat::nat::tuple::{ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::cases;

fn range() -> impl Strategy<Value = PortRange> {
    fn new(min: u16, max: u16) -> PortRange {
        PortRange::new(min, max).unwrap()
    }
    prop_oneof![
        3 => (any::<u16>(), any::<u16>()).prop_map(|(a, b)| new(a.min(b), a.max(b))),
        1 => (any::<u16>(), 0u16..70).prop_map(|(a, n)| new(a, a.saturating_add(n))),
        1 => Just(PortRange::ALL),
        1 => Just(class(TCP, 80)),
        1 => Just(class(UDP, 5000)),
    ]
}

fn nodes() -> impl Strategy<Value = (usize, Option<usize>)> {
    prop_oneof![
        Just(1usize),
        2usize..5,
        100usize..200,
        Just(0),
        any::<usize>()
    ]
    .prop_flat_map(|nodes| {
        let node = proptest::option::of(prop_oneof![0..nodes.clamp(1, 9), any::<usize>()]);
        (Just(nodes), node)
    })
}

fn eligible(range: PortRange, nodes: usize, node: Option<usize>) -> Vec<u16> {
    (range.min()..=range.max())
        .filter(|port| node.is_none_or(|node| home(*port, nodes) == node))
        .collect()
}

#[test]
fn classes() {
    for (proto, port, min, max) in [
        (TCP, 0, 1, 1023),
        (UDP, 1023, 1, 1023),
        (TCP, 1024, 1024, 65535),
        (UDP, 65535, 1024, 65535),
        (ICMP, 0, 0, 65535),
        (ICMP, 2000, 0, 65535),
    ] {
        assert_eq!(class(proto, port), PortRange::new(min, max).unwrap());
    }
}

#[test]
fn homes() {
    for nodes in 1..=4 {
        for port in 0..=u16::MAX {
            assert_eq!(
                home(port, nodes),
                usize::from(port) / CHUNK as usize % nodes
            );
        }
    }
    assert_eq!(home(5000, 0), 0);
}

/// The last free port is found wherever it is, and wherever the search starts.
#[test]
fn last_free_port() {
    let mut ports = Ports::all(true);
    for free in (0..=u16::MAX)
        .step_by(37)
        .chain([0, 63, 64, 511, 512, 65535])
    {
        ports.set(free, false);
        for start in [
            0,
            1,
            free.wrapping_sub(1),
            free,
            free.wrapping_add(1),
            512,
            65535,
        ] {
            assert_eq!(ports.pick(PortRange::ALL, 1, None, start), Some(free));
            for nodes in 2..5 {
                let node = home(free, nodes);
                assert_eq!(
                    ports.pick(PortRange::ALL, nodes, Some(node), start),
                    Some(free)
                );
                assert_eq!(
                    ports.pick(PortRange::ALL, nodes, Some((node + 1) % nodes), start),
                    None
                );
            }
        }
        ports.set(free, true);
    }
    assert_eq!(ports.pick(PortRange::ALL, 1, None, 7), None);
}

/// Every port of a node is chosen by some start, and none by very many more than its share.
#[test]
fn random_enough() {
    let ports = Ports::all(false);
    for (range, nodes, node) in [
        (PortRange::new(1024, 65535).unwrap(), 1, None),
        (PortRange::new(1024, 65535).unwrap(), 2, Some(1)),
        (PortRange::new(20_000, 40_000).unwrap(), 3, Some(2)),
        (PortRange::new(100, 700).unwrap(), 2, Some(0)),
    ] {
        let mut hits = vec![0usize; 65536];
        for start in 0..=u16::MAX {
            let port = ports.pick(range, nodes, node, start).unwrap();
            hits[usize::from(port)] += 1;
        }
        let eligible = eligible(range, nodes, node);
        let share = 65536 / eligible.len() + 2;
        for port in eligible {
            let hits = hits[usize::from(port)];
            assert!(
                (1..=2 * share).contains(&hits),
                "port {port}: {hits} of {share}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1000)))]

    #[test]
    fn ranges(a in range(), b in range(), port: u16, min: u16, max: u16) {
        prop_assert_eq!(PortRange::new(min, max).is_some(), min <= max);
        prop_assert_eq!(a.contains(port), (a.min()..=a.max()).contains(&port));
        prop_assert_eq!(a.len() as usize, (a.min()..=a.max()).count());
        let both = a.intersect(&b).is_some_and(|both| both.contains(port));
        prop_assert_eq!(both, a.contains(port) && b.contains(port));
    }

    #[test]
    fn picks_what_it_may(
        range in range(), (nodes, node) in nodes(), start: u16, density in 0u32..4, seed: u64,
    ) {
        let mut ports = Ports::all(true);
        let mut random = seed | 1;
        for word in &mut ports.0 {
            for _ in 0..density {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *word &= random ^ (random >> 29);
            }
        }
        let eligible = eligible(range, nodes, node);
        let picked = ports.pick(range, nodes, node, start);
        prop_assert_eq!(picked.is_some(), eligible.iter().any(|port| !ports.taken(*port)));
        if let Some(port) = picked {
            prop_assert!(range.contains(port) && !ports.taken(port));
            prop_assert!(node.is_none_or(|node| home(port, nodes) == node));
        }
        // A start that may be picked is.
        if eligible.contains(&start) && !ports.taken(start) {
            prop_assert_eq!(picked, Some(start));
        }
    }

    /// The words looked at are bounded by the node's share.
    #[test]
    fn bounded(range in range(), (nodes, node) in nodes(), start: u16) {
        let looked = std::cell::Cell::new(0);
        let word = |i| {
            assert!(i < 1024);
            looked.set(looked.get() + 1);
            u64::MAX
        };
        prop_assert_eq!(pick(word, range, nodes, node, start), None);
        prop_assert!(looked.get() <= eligible(range, nodes, node).len() / 64 + 3);
    }
}

/// Millions of claims and frees, more than there is room for: no port is given twice, and none is
/// refused while there is one. With a model that knows who has which.
#[test]
fn nobody_gets_what_another_has() {
    let mut ports = Ports::all(true);
    let pool = PortRange::new(900, 3000).unwrap();
    for port in pool.min()..=pool.max() {
        ports.set(port, false);
    }
    let mut owner = vec![None; 65536];
    let mut held: Vec<u16> = Vec::new();
    let (mut random, mut refused) = (88_172_645_463_325_252_u64, 0);
    for client in 0..cases(2_000_000) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let [what, inside, start, which] = [0, 16, 32, 48].map(|at| (random >> at) as u16);
        // A little more is claimed than freed, until there is nothing left.
        if what % 64 < 31 && !held.is_empty() {
            let port = held.swap_remove(usize::from(which) % held.len());
            assert!(owner[usize::from(port)].take().is_some());
            ports.set(port, false);
            continue;
        }
        let range = class(UDP, inside).intersect(&pool).unwrap();
        let node = (what & 64 != 0).then_some(usize::from(which) % 3);
        match ports.pick(range, 3, node, start) {
            Some(port) => {
                assert_eq!(
                    owner[usize::from(port)].replace(client),
                    None,
                    "{port} twice"
                );
                assert!(range.contains(port) && node.is_none_or(|node| home(port, 3) == node));
                ports.set(port, true);
                held.push(port);
            }
            None => {
                refused += 1;
                let mut free = eligible(range, 3, node)
                    .into_iter()
                    .filter(|port| !ports.taken(*port));
                assert_eq!(free.next(), None);
            }
        }
    }
    assert!(refused > 0 && held.len() > 1000, "{refused} {}", held.len());
}

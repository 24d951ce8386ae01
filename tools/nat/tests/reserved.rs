// SPDX-License-Identifier: GPL-2.0

//! The ports that destination policies take, against a search through all policies.

#![allow(clippy::unwrap_used)]

use fastnat_fuzz::ports::Ports;
use fastnat_nat::nat::addr::{Addr, Prefix, V4};
use fastnat_nat::nat::iface::{Interface, Interfaces, ANY_IFACE};
use fastnat_nat::nat::policy::*;
use fastnat_nat::nat::ports::{first, pick, PortRange};
use fastnat_nat::nat::reserved::*;
use fastnat_nat::nat::sort::{join, sort};
use fastnat_nat::nat::tuple::{TCP, UDP};
use proptest::prelude::*;
use std::cell::Cell;
use std::convert::Infallible;

mod common;
use common::{anything, cases, ifname, v4};

const NAMES: [&str; 4] = ["wan0", "wan1", "lan0", "w"];
const TEXTS: [&str; 5] = ["wan0", "wan1", "wan*", "w*", "lan0"];

fn range(min: u16, max: u16) -> PortRange {
    PortRange::new(min, max).unwrap()
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        1 => Just(PortRange::ALL),
        1 => Just(range(1, 65535)),
        1 => Just(range(1024, 65535)),
        4 => (1000u16..1400, 0u16..200).prop_map(|(min, more)| range(min, min + more)),
        2 => (1000u16..1400).prop_map(|port| range(port, port)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(a, b)| range(a.min(b), a.max(b))),
    ]
}

fn policy() -> impl Strategy<Value = Policy<V4>> {
    let len = prop_oneof![Just(0u8), Just(24), Just(31), Just(32)];
    let dst = (0u32..4, len).prop_map(|(addr, len)| {
        let addr = v4(0xc000_0200 | addr).masked(len);
        Prefix::new(addr, len).unwrap()
    });
    let iface = prop_oneof![
        2 => Just(Interfaces::ANY),
        3 => (0..TEXTS.len()).prop_map(|at| Interfaces::named(ifname(TEXTS[at])).unwrap()),
        1 => (0u32..2).prop_map(Interfaces::of_group),
    ];
    let proto = prop_oneof![Just(TCP), Just(UDP)];
    let mark = prop_oneof![4 => Just(0u32), 1 => Just(1)];
    (ports(), dst, iface, proto, mark, any::<bool>()).prop_map(
        |(dport, dst, in_iface, proto, mark_mask, exempt)| Policy {
            id: 0,
            priority: 0,
            action: if exempt { Action::NoDnat } else { Action::Dnat },
            matches: Match {
                dst,
                proto,
                dport,
                in_iface,
                mark_mask,
                ..anything()
            },
        },
    )
}

/// What a namespace keeps of its policies.
struct Kept {
    all: Vec<Taken<V4>>,
    scopes: Vec<Scope>,
}

impl Kept {
    fn of(policies: &[Policy<V4>]) -> Self {
        let (mut all, mut spared) = (Vec::new(), Vec::new());
        for policy in policies {
            if policy.action == Action::Dnat {
                let add = |taken| {
                    all.push(taken);
                    Ok::<_, Infallible>(())
                };
                taken_by(policy, &spared, add).unwrap();
            } else if is_sparing(&policy.matches) && spared.len() < MOST_SPARED {
                spared.push(policy.matches);
            }
        }
        sort(&mut all, Taken::order);
        let count = join(&mut all, Taken::joined);
        all.truncate(count);
        let mut scopes: Vec<Scope> = all.iter().map(Taken::scope).collect();
        scopes.dedup();
        Self { all, scopes }
    }

    fn at(&self, addr: V4, iface: &Interface, proto: u8) -> Reserved<'_, V4> {
        Reserved::new((&self.all, &self.scopes), addr, iface, proto)
    }
}

/// Would a policy that names ports take what comes to a port, from somebody, with some mark?
fn is_taken(policies: &[Policy<V4>], addr: V4, iface: &Interface, proto: u8, port: u16) -> bool {
    let meets = |m: &Match<V4>| {
        (m.proto == 0 || m.proto == proto)
            && m.dst.contains(addr)
            && m.in_iface.contains(iface)
            && m.dport.contains(port)
    };
    policies.iter().enumerate().any(|(at, policy)| {
        let m = &policy.matches;
        let covers = |other: &Match<V4>| {
            is_sparing(other)
                && (other.proto == 0 || other.proto == m.proto)
                && other.dst.bits() <= m.dst.bits()
                && other.dst.contains(m.dst.addr())
                && other.in_iface.contains(&m.in_iface.common())
                && other.dport.contains(port)
        };
        let mut before = policies.iter().take(at);
        policy.action == Action::Dnat
            && m.dport != PortRange::ALL
            && meets(m)
            && !before.any(|other| other.action == Action::NoDnat && covers(&other.matches))
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let name = prop_oneof![
        5 => (0..NAMES.len()).prop_map(|at| ifname(NAMES[at])),
        1 => Just(ANY_IFACE),
    ];
    (name, proptest::option::of(0u32..2)).prop_map(|(name, group)| Interface { name, group })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(400)))]

    #[test]
    fn as_the_policies_say(
        policies in proptest::collection::vec(policy(), 0..12), host in 0u32..4, iface in interface(),
        within in ports(),
    ) {
        let kept = Kept::of(&policies);
        let addr = v4(0xc000_0200 | host);
        for proto in [TCP, UDP] {
            let reserved = kept.at(addr, &iface, proto);
            let mut any = false;
            let mut all = true;
            for port in 0..=u16::MAX {
                let want = is_taken(&policies, addr, &iface, proto, port);
                any |= want;
                all &= want || !within.contains(port);
                // Every port near those of the policies, and some of the others.
                if port % 61 == 0 || (960..1664).contains(&port) {
                    prop_assert_eq!(reserved.contains(port), want, "{}", port);
                    let word = reserved.word(usize::from(port / 64));
                    prop_assert_eq!((word >> (port % 64)) & 1 == 1, want, "{}", port);
                }
            }
            prop_assert!(!reserved.is_empty() || !any);
            prop_assert!(all || !reserved.covers(within));
        }
    }

    /// All free ports that are not reserved are found, each once, then nothing; with few looks at the words.
    #[test]
    fn every_other_port_is_found(
        policies in proptest::collection::vec(policy(), 1..12), min in 900u16..1400, more in 0u16..300,
        starts in any::<u64>(),
    ) {
        let kept = Kept::of(&policies);
        let (addr, iface) = (v4(0xc000_0201), Interface { name: ifname("wan0"), group: None });
        let reserved = kept.at(addr, &iface, TCP);
        let within = range(min, min + more);
        let mut ports = Ports::all(false);
        let want = (min..=min + more).filter(|port| !reserved.contains(*port)).count();
        let (mut found, mut random) = (0, starts | 1);
        loop {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let looks = Cell::new(0);
            let word = |at: usize| {
                looks.set(looks.get() + 1);
                ports.0[at] | reserved.word(at)
            };
            let port = pick(word, within, 1, None, (random >> 32) as u16);
            prop_assert!(looks.get() <= more / 64 + 4);
            let Some(port) = port else { break };
            prop_assert!(within.contains(port) && !reserved.contains(port));
            ports.set(port, true);
            found += 1;
        }
        prop_assert_eq!(found, want);
    }

    /// A search begins at the port that is said, if that is free.
    #[test]
    fn begins_where_it_says(within in ports(), start: u16, nodes in 1usize..4, node: Option<u8>) {
        let node = node.map(usize::from);
        let at = first(within, nodes, node, start);
        prop_assert_eq!(at, pick(|_| 0, within, nodes, node, start));
    }
}

/// An exposed host.
#[test]
fn policies_that_name_no_ports_reserve_none() {
    let policy = Policy {
        id: 0,
        priority: 0,
        action: Action::Dnat,
        matches: anything(),
    };
    assert!(Kept::of(&[policy]).all.is_empty());
}

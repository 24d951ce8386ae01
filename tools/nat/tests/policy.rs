// SPDX-License-Identifier: GPL-2.0

//! Policies and time.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::addr::Prefix;
use fastnat_nat::nat::iface::{Interface, Interfaces};
use fastnat_nat::nat::policy::*;
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::time::{Instant, Ticks};
use fastnat_nat::nat::tuple::{Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::{anything, ep, ifname, v4};

fn named(text: &str) -> Interfaces {
    Interfaces::named(ifname(text)).unwrap()
}

fn interface(name: &str, group: u32) -> Interface {
    Interface {
        name: ifname(name),
        group: Some(group),
    }
}

fn policy() -> Policy<fastnat_nat::nat::addr::V4> {
    Policy {
        id: 1,
        priority: 2,
        action: Action::Snat,
        matches: anything(),
    }
}

#[test]
fn each_field_matches() {
    let subject = Subject {
        tuple: Tuple::new(TCP, ep(0x0a00_0001, 1000), ep(0xc000_0201, 80)),
        in_iface: interface("lan0", 7),
        out_iface: interface("wan0", 0),
        mark: 0x12,
    };
    let any = policy().matches;
    assert!(any.matches(&subject));
    let range = |port| PortRange::new(port, port).unwrap();
    let prefix = |addr, len| Prefix::new(v4(addr), len).unwrap();
    for (right, m) in [
        (
            true,
            Match {
                src: prefix(0x0a00_0000, 8),
                ..any
            },
        ),
        (
            false,
            Match {
                src: prefix(0x0b00_0000, 8),
                ..any
            },
        ),
        (
            true,
            Match {
                dst: prefix(0xc000_0201, 32),
                ..any
            },
        ),
        (
            false,
            Match {
                dst: prefix(0xc000_0200, 32),
                ..any
            },
        ),
        (true, Match { proto: TCP, ..any }),
        (false, Match { proto: UDP, ..any }),
        (
            true,
            Match {
                sport: range(1000),
                ..any
            },
        ),
        (
            false,
            Match {
                sport: range(80),
                ..any
            },
        ),
        (
            true,
            Match {
                dport: range(80),
                ..any
            },
        ),
        (
            false,
            Match {
                dport: range(1000),
                ..any
            },
        ),
        (
            true,
            Match {
                in_iface: named("lan0"),
                ..any
            },
        ),
        (
            false,
            Match {
                in_iface: named("lan"),
                ..any
            },
        ),
        (
            true,
            Match {
                out_iface: named("wan0"),
                ..any
            },
        ),
        (
            false,
            Match {
                out_iface: named("wan00"),
                ..any
            },
        ),
        (
            true,
            Match {
                in_iface: Interfaces::of_group(7),
                out_iface: named("w*"),
                ..any
            },
        ),
        (
            false,
            Match {
                out_iface: Interfaces::of_group(7),
                ..any
            },
        ),
        (
            true,
            Match {
                mark: 0x10,
                mark_mask: 0xf0,
                ..any
            },
        ),
        (
            false,
            Match {
                mark: 0x10,
                mark_mask: 0xff,
                ..any
            },
        ),
    ] {
        assert_eq!(m.matches(&subject), right, "{m:?}");
    }
}

#[test]
fn validation_names_the_field() {
    let good = policy();
    let with = |matches| Policy { matches, ..good }.validate();
    let m = good.matches;
    let some = PortRange::new(1, 2).unwrap();
    assert_eq!(good.validate(), Ok(()));
    for proto in [TCP, UDP] {
        assert_eq!(
            with(Match {
                proto,
                sport: some,
                dport: some,
                ..m
            }),
            Ok(())
        );
    }
    for proto in [0, ICMP, 47] {
        assert_eq!(
            with(Match {
                proto,
                sport: some,
                ..m
            }),
            Err(Invalid::SourcePort)
        );
        assert_eq!(
            with(Match {
                proto,
                dport: some,
                ..m
            }),
            Err(Invalid::DestinationPort)
        );
    }
    let multicast = Prefix::new(v4(0xe000_0000), 4).unwrap();
    for (matches, invalid) in [
        (Match { proto: 47, ..m }, Invalid::Protocol),
        (
            Match {
                dst: multicast,
                ..m
            },
            Invalid::Destination,
        ),
    ] {
        assert_eq!(with(matches), Err(invalid));
        for action in [Action::NoSnat, Action::NoDnat] {
            let exemption = Policy {
                matches,
                action,
                ..good
            };
            assert_eq!(exemption.validate(), Ok(()), "{invalid:?}");
        }
    }
    assert_eq!(
        with(Match {
            mark: 2,
            mark_mask: 1,
            ..m
        }),
        Err(Invalid::Mark)
    );
    for (action, side) in [
        (Action::Snat, Side::Source),
        (Action::Masquerade, Side::Source),
        (Action::NoSnat, Side::Source),
        (Action::Dnat, Side::Destination),
        (Action::NoDnat, Side::Destination),
        (Action::Redirect, Side::Destination),
    ] {
        assert_eq!(action.side(), side);
        let matches = Match {
            out_iface: named("wan0"),
            ..m
        };
        let verdict = Policy {
            action,
            matches,
            ..good
        }
        .validate();
        assert_eq!(verdict.is_ok(), side == Side::Source, "{action:?}");
    }
}

#[test]
fn rank_orders_by_priority_then_id() {
    let rank = |priority, id| {
        Policy {
            priority,
            id,
            ..policy()
        }
        .rank()
    };
    assert!(rank(0, u32::MAX) < rank(1, 0));
    assert!(rank(1, 0) < rank(1, 1));
}

#[test]
fn longest_duration() {
    assert_eq!(Instant(Ticks::MAX.0).since(Instant(0)), Ticks::MAX);
    assert_eq!(Instant(Ticks::MAX.0 + 1).since(Instant(0)), Ticks(0));
}

#[test]
fn port_mapping() {
    let range = |min, max| PortRange::new(min, max).unwrap();
    let from = range(8000, 8009);
    assert_eq!(map_port(from, None, 8003), 8003);
    assert_eq!(map_port(from, Some(range(80, 89)), 8003), 83);
    assert_eq!(map_port(from, Some(range(80, 80)), 8003), 80);
    assert_eq!(map_port(from, Some(range(80, 81)), 8003), 81);
    assert_eq!(map_port(PortRange::ALL, Some(PortRange::ALL), 65535), 65535);
}

proptest! {
    #[test]
    fn mapped_port_is_in_range(a: [u16; 2], b: [u16; 2], port: u16) {
        let range = |[a, b]: [u16; 2]| PortRange::new(a.min(b), a.max(b)).unwrap();
        prop_assert!(range(b).contains(map_port(range(a), Some(range(b)), port)));
    }

    #[test]
    fn time_goes_on(start: u32, step in 0..=u32::MAX / 2) {
        let (start, end) = (Instant(start), Instant(start.wrapping_add(step)));
        prop_assert_eq!(end.since(start), Ticks(step));
        prop_assert_eq!(start.since(end), Ticks(0));
    }

    #[test]
    fn seconds(secs: u32, hz in 1u32..2000) {
        let ticks = Ticks::from_secs(secs, hz);
        let exact = u64::from(secs) * u64::from(hz);
        prop_assert_eq!(u64::from(ticks.0), exact.min(u64::from(u32::MAX / 2 - 1)));
        prop_assert!(ticks < Ticks::MAX);
    }
}

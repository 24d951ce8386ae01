// SPDX-License-Identifier: GPL-2.0

//! The classifier against a search through all policies.

#![allow(clippy::unwrap_used)]

use fastnat_fuzz::policies::{linear, Classifier};
use fastnat_nat::nat::addr::{masked, Be16, Prefix, V4};
use fastnat_nat::nat::classifier::*;
use fastnat_nat::nat::hash::Key;
use fastnat_nat::nat::iface::{Interface, Interfaces};
use fastnat_nat::nat::policy::*;
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::tuple::{Endpoint, Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::{anything, cases, ep, ifname, v4};

// Few values for everything, so that policies overlap and packets hit them.

fn addr() -> impl Strategy<Value = V4> {
    (0u32..3, 0u32..3, 0u32..4).prop_map(|(a, b, c)| v4(0x0a00_0000 | (a << 16) | (b << 8) | c))
}

fn prefix() -> impl Strategy<Value = Prefix<V4>> {
    let len = prop_oneof![Just(0u8), Just(8), Just(16), Just(24), Just(31), Just(32)];
    (addr(), len).prop_map(|(addr, len)| Prefix::new(masked(addr, len), len).unwrap())
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(0u16),
        78u16..84,
        1020u16..1030,
        65530u16..=65535,
        any::<u16>()
    ]
}

fn port_range(wild: bool) -> impl Strategy<Value = PortRange> {
    let wild = if wild { 1 } else { 0 };
    prop_oneof![
        4 => Just(PortRange::ALL),
        2 => port().prop_map(|port| PortRange::new(port, port).unwrap()),
        1 => Just(PortRange::new(1024, 65535).unwrap()),
        wild => (port(), port()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap()),
    ]
}

const NAMES: [&str; 5] = ["eth0", "eth1", "eth", "ppp0", "e"];
const TEXTS: [&str; 7] = ["eth0", "eth1", "eth", "eth*", "e*", "ppp*", "eth0*"];

fn interfaces() -> impl Strategy<Value = Interfaces> {
    prop_oneof![
        6 => Just(Interfaces::ANY),
        2 => (0..TEXTS.len()).prop_map(|at| Interfaces::named(ifname(TEXTS[at])).unwrap()),
        1 => (0u32..3).prop_map(Interfaces::of_group),
    ]
}

fn iface() -> impl Strategy<Value = Interface> {
    let some = (0..NAMES.len(), 0u32..3).prop_map(|(at, group)| Interface {
        name: ifname(NAMES[at]),
        group: Some(group),
    });
    prop_oneof![1 => Just(Interface::default()), 4 => some]
}

fn policy(wild: bool) -> impl Strategy<Value = Policy<V4>> {
    let proto = prop_oneof![Just(0), Just(TCP), Just(UDP), Just(ICMP)];
    let ports = (port_range(wild), port_range(false));
    let mark_mask = prop_oneof![3 => Just(0u32), 1 => Just(1), 1 => Just(3)];
    let fields = (
        prefix(),
        prefix(),
        proto,
        ports,
        interfaces(),
        interfaces(),
        0u32..4,
        mark_mask,
    );
    (fields, 0u32..5).prop_map(
        |((src, dst, proto, ports, in_iface, out_iface, mark, mark_mask), priority)| Policy {
            id: 0,
            priority,
            action: Action::Snat,
            matches: Match {
                src,
                dst,
                proto,
                sport: ports.0,
                dport: ports.1,
                in_iface,
                out_iface,
                mark: mark & mark_mask,
                mark_mask,
            },
        },
    )
}

/// Policies with ids that are unique, and not in order.
fn policies(wild: bool, most: usize) -> impl Strategy<Value = Vec<Policy<V4>>> {
    let some = proptest::collection::vec(policy(wild), 0..=most);
    (some, any::<u32>()).prop_map(|(mut policies, xor)| {
        for (id, policy) in (0u32..).zip(&mut policies) {
            policy.id = id ^ (xor & 0xff);
        }
        policies
    })
}

fn tuple(proto: u8, src: (V4, u16), dst: (V4, u16)) -> Tuple<V4> {
    let end = |(addr, port)| Endpoint {
        addr,
        port: Be16::from_host(port),
    };
    Tuple::new(proto, end(src), end(dst))
}

fn subject() -> impl Strategy<Value = Subject<V4>> {
    let proto = prop_oneof![Just(TCP), Just(UDP), Just(ICMP), Just(47)];
    (
        addr(),
        addr(),
        proto,
        port(),
        port(),
        iface(),
        iface(),
        0u32..8,
    )
        .prop_map(
            |(src, dst, proto, sport, dport, in_iface, out_iface, mark)| Subject {
                tuple: tuple(proto, (src, sport), (dst, dport)),
                in_iface,
                out_iface,
                mark,
            },
        )
}

fn subjects(number: usize) -> impl Strategy<Value = Vec<Subject<V4>>> {
    proptest::collection::vec(subject(), number)
}

/// Whether there is a classifier, and if so, whether it finds what the linear search finds.
fn check(
    policies: &[Policy<V4>],
    subjects: &[Subject<V4>],
    key: Key,
) -> Result<bool, TestCaseError> {
    let classifier = match Classifier::new(policies, key) {
        Ok(classifier) => classifier,
        Err(error) => {
            prop_assert_eq!(error, BuildError::TooManyMasks);
            return Ok(false);
        }
    };
    for subject in subjects {
        prop_assert_eq!(
            classifier.find(subject),
            linear(policies, subject),
            "{:?}",
            subject
        );
    }
    Ok(true)
}

/// One is covered in each field, and in none by what is narrower there.
#[test]
fn covered_in_each_field() {
    let any = anything();
    let prefix = Prefix::new(v4(0x0a00_0000), 8).unwrap();
    let ports = PortRange::new(80, 89).unwrap();
    let named = |text| Interfaces::named(ifname(text)).unwrap();
    for narrow in [
        Match { src: prefix, ..any },
        Match { dst: prefix, ..any },
        Match { proto: TCP, ..any },
        Match {
            sport: ports,
            ..any
        },
        Match {
            dport: ports,
            ..any
        },
        Match {
            in_iface: named("eth0"),
            ..any
        },
        Match {
            in_iface: Interfaces::of_group(0),
            ..any
        },
        Match {
            out_iface: named("eth*"),
            ..any
        },
        Match {
            mark: 0,
            mark_mask: 1,
            ..any
        },
    ] {
        assert!(any.covers(&narrow) && !narrow.covers(&any), "{narrow:?}");
    }
    assert!(named("eth*").covers(&named("eth0")) && !named("eth0").covers(&named("eth*")));
    assert!(named("eth0").excludes(&named("eth1")) && named("ppp*").excludes(&named("eth*")));
    assert!(!named("eth0").excludes(&Interfaces::of_group(1)));
    assert!(!named("eth0").excludes(&Interfaces::ANY));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(500)))]

    #[test]
    fn one(policies in policies(true, 1), subjects in subjects(20), key: (u64, u64)) {
        prop_assert!(check(&policies, &subjects, Key(key.0, key.1))?);
    }

    #[test]
    fn ten(policies in policies(true, 10), subjects in subjects(50), key: (u64, u64)) {
        check(&policies, &subjects, Key(key.0, key.1))?;
    }

    /// All that are found match and come before, and the best is among them.
    #[test]
    fn several(policies in policies(true, 10), subjects in subjects(20), before in 0u64..6) {
        let Ok(classifier) = Classifier::new(&policies, Key(1, 2)) else {
            return Ok(());
        };
        let rank = before << 32;
        for subject in &subjects {
            let found = classifier.find_all(subject, rank);
            for index in &found {
                let policy = &policies[*index as usize];
                prop_assert!(policy.matches.matches(subject) && policy.rank() < rank);
            }
            let best = linear(&policies, subject).filter(|i| policies[*i as usize].rank() < rank);
            prop_assert_eq!(found.into_iter().min_by_key(|i| policies[*i as usize].rank()), best);
        }
    }

    /// What covers a match matches whatever that does, and finds itself by its examples.
    #[test]
    fn covering(a in policy(true), b in policy(true), subjects in subjects(50)) {
        let (a, b) = (a.matches, b.matches);
        prop_assert!(a.covers(&a) && a.of_flows().covers(&a));
        if a.covers(&b) {
            prop_assert!(b.examples().iter().all(|subject| a.matches(subject)));
            prop_assert!(subjects.iter().all(|subject| !b.matches(subject) || a.matches(subject)));
        }
        if a.in_iface.excludes(&b.in_iface) {
            let both = |s: &Subject<V4>| a.in_iface.contains(&s.in_iface) && b.in_iface.contains(&s.in_iface);
            prop_assert!(!subjects.iter().any(both));
        }
    }

    /// Packets that are made to match, at the very ends of the ranges.
    #[test]
    fn edges(policies in policies(true, 6), at: [bool; 2]) {
        let subjects: Vec<_> = policies.iter().map(|p| {
            let m = &p.matches;
            let end = |range: PortRange, low: bool| if low { range.min() } else { range.max() };
            let src = (m.src.addr(), end(m.sport, at[0]));
            let dst = (m.dst.addr(), end(m.dport, at[1]));
                        Subject {
                tuple: tuple(m.proto, src, dst),
                in_iface: m.in_iface.common(), out_iface: m.out_iface.common(), mark: m.mark,
            }
        }).collect();
        prop_assume!(subjects.iter().zip(&policies).all(|(s, p)| p.matches.matches(s)));
        check(&policies, &subjects, Key(1, 2))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(500) / 50 + 1))]

    /// Many policies with few masks.
    #[test]
    fn thousand(
        mut policies in proptest::collection::vec(policy(false), 1000),
        subjects in subjects(300), key: (u64, u64),
    ) {
        for (id, policy) in (0u32..).zip(&mut policies) {
            policy.id = id;
            let m = &mut policy.matches;
            (m.sport, m.mark, m.mark_mask, m.out_iface) = (PortRange::ALL, 0, 0, Interfaces::ANY);
            m.dst = Prefix::new(masked(m.dst.addr(), 16), 16).unwrap();
            if m.dport == PortRange::new(1024, 65535).unwrap() {
                m.dport = PortRange::ALL;
            }
        }
        prop_assert!(check(&policies, &subjects, Key(key.0, key.1))?);
    }
}

fn narrow(id: u32, addr: u32) -> Policy<V4> {
    Policy {
        id,
        priority: 0,
        action: Action::Dnat,
        matches: Match {
            dst: Prefix::new(v4(addr), 32).unwrap(),
            proto: TCP,
            ..anything()
        },
    }
}

fn towards(addr: u32, port: u16) -> Subject<V4> {
    Subject {
        tuple: Tuple::new(TCP, ep(1, 1), ep(addr, port)),
        in_iface: Interface::default(),
        out_iface: Interface::default(),
        mark: 0,
    }
}

#[test]
fn nothing() {
    let classifier = Classifier::new(&[], Key(0, 0)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((classifier.groups.len(), classifier.slots.len()), (0, 0));
    assert_eq!(classifier.find(&towards(1, 1)), None);
}

/// Policies that differ in values only are one group, and so one probe, however many there are.
#[test]
fn one_mask_one_group() {
    let policies: Vec<_> = (0..1000).map(|i| narrow(i, i)).collect();
    let classifier = Classifier::new(&policies, Key(3, 4)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((classifier.groups.len(), classifier.slots.len()), (1, 2048));
    for i in 0..1000 {
        assert_eq!(classifier.find(&towards(i, 80)), Some(i));
    }
    assert_eq!(classifier.find(&towards(1000, 80)), None);
}

/// So are names, patterns of one length, and groups; what is looked at in front is one of each.
#[test]
fn interfaces_are_few_groups() {
    let with = |id: u32, in_iface| {
        let mut policy = narrow(id, 9);
        policy.matches.in_iface = in_iface;
        policy
    };
    let named = |text: String| Interfaces::named(ifname(&text)).unwrap();
    let mut policies: Vec<_> = (0..100)
        .map(|i| with(i, named(format!("eth{i}"))))
        .collect();
    policies.extend((100..200).map(|i| with(i, named(format!("v{i}.*")))));
    policies.extend((200..300).map(|i| with(i, Interfaces::of_group(i))));
    let classifier = Classifier::new(&policies, Key(3, 4)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(classifier.groups.len(), 3);
    for (text, group, found) in [
        ("eth7", 0, Some(7)),
        ("v107.5", 0, Some(107)),
        ("v107", 0, None),
        ("v107", 250, Some(250)),
        ("eth7", 250, Some(7)),
    ] {
        let in_iface = Interface {
            name: ifname(text),
            group: Some(group),
        };
        let subject = Subject {
            in_iface,
            ..towards(9, 1)
        };
        assert_eq!(classifier.find(&subject), found, "{text} {group}");
    }
}

/// Every range, cut into blocks, covers its ports and no others.
#[test]
fn port_ranges() {
    for (min, max) in [
        (0, 0),
        (0, 1),
        (1, 65534),
        (1, 65535),
        (1024, 65535),
        (32767, 32768),
        (65535, 65535),
    ] {
        let mut policy = narrow(1, 9);
        policy.matches.dport = PortRange::new(min, max).unwrap();
        let classifier = Classifier::new(&[policy], Key(5, 6)).unwrap_or_else(|e| panic!("{e:?}"));
        assert!(classifier.groups.len() <= 30);
        for port in 0..=u16::MAX {
            assert_eq!(
                classifier.find(&towards(9, port)).is_some(),
                (min..=max).contains(&port)
            );
        }
    }
}

#[test]
fn too_many_masks() {
    let policies: Vec<_> = (0..257u32)
        .map(|i| {
            let mut policy = narrow(i, 9);
            policy.matches.mark_mask = i;
            policy
        })
        .collect();
    assert!(Classifier::new(&policies[..MAX_GROUPS], Key(0, 0)).is_ok());
    let mut groups = vec![Group::default(); 1000];
    assert_eq!(
        plan(policies.iter(), &mut groups),
        Err(BuildError::TooManyMasks)
    );
    assert_eq!(
        plan(policies[..2].iter(), &mut groups[..1]),
        Err(BuildError::TooManyMasks)
    );
}

#[test]
fn storage_that_does_not_fit() {
    let policies: Vec<_> = (0..8).map(|i| narrow(i, i)).collect();
    let mut groups = vec![Group::default(); 4];
    let sizes = plan(policies.iter(), &mut groups).unwrap();
    let groups = &groups[..sizes.groups];
    let mut slots = vec![Slot::<V4>::default(); sizes.slots];
    let mut tags = vec![0; sizes.slots];
    let key = Key(7, 8);
    let mut more = policies.clone();
    more.extend((100..120).map(|i| narrow(i, i)));
    for (policies, groups, room) in [
        (&policies, groups, 0),
        (&policies, &[][..], sizes.slots),
        (&more, groups, sizes.slots),
    ] {
        let built = build(
            (0..).zip(policies),
            &key,
            groups,
            &mut slots[..room],
            &mut tags[..room],
        );
        assert_eq!(built, Err(BuildError::NoSpace));
    }
    // A full region does not trap a lookup.
    assert_eq!(find(groups, (&slots, &tags), &key, &towards(5000, 1)), None);
    // What was there does not matter.
    assert_eq!(
        build((0..).zip(&policies), &key, groups, &mut slots, &mut tags),
        Ok(())
    );
    assert_eq!(find(groups, (&slots, &tags), &key, &towards(5, 1)), Some(5));
    assert_eq!(find(groups, (&slots, &tags), &key, &towards(100, 1)), None);
}

// SPDX-License-Identifier: GPL-2.0

//! Which packets may be offloaded.

use fastnat_nat::nat::iface::{IfName, ANY_IFACE};
use fastnat_nat::nat::offload::*;

const LAN: IfName = *b"lan0\0\0\0\0\0\0\0\0\0\0\0\0";
const WAN: IfName = *b"wan0\0\0\0\0\0\0\0\0\0\0\0\0";

fn policy(choice: Choice, after: u8) -> Offload {
    Offload { choice, after }
}

/// Out and back, without a mark.
fn may(rules: &Rules, policy: Offload) -> Option<u8> {
    let there = rules.may(policy, 0, &LAN, &WAN);
    assert_eq!(there, rules.may(policy, 0, &WAN, &LAN));
    there
}

#[test]
fn policies_decide_and_may_leave_it_to_the_settings() {
    for on in [false, true] {
        let rules = Rules {
            on,
            ..Rules::default()
        };
        assert_eq!(may(&rules, Offload::default()), on.then_some(3));
        assert_eq!(may(&rules, policy(Choice::Inherit, 7)), on.then_some(7));
        assert_eq!(may(&rules, policy(Choice::Off, 0)), None);
        assert_eq!(may(&rules, policy(Choice::On, 0)), Some(3));
        assert_eq!(may(&rules, policy(Choice::On, 255)), Some(255));
    }
}

#[test]
fn connection_tracking_sees_everything() {
    let rules = Rules {
        on: true,
        tracked: true,
        ..Rules::default()
    };
    assert_eq!(may(&rules, Offload::default()), None);
    assert_eq!(may(&rules, policy(Choice::On, 1)), None);
}

#[test]
fn marks_are_exempt_under_a_mask() {
    let rules = |mark, mask| Rules {
        on: true,
        after: 1,
        mark,
        mask,
        ..Rules::default()
    };
    let may = |rules: &Rules, mark| rules.may(Offload::default(), mark, &LAN, &WAN).is_some();
    assert!(may(&rules(0, 0), 0) && may(&rules(0, 0), 5), "no mask");
    let low = rules(0x10, 0xff);
    assert!(!may(&low, 0x10) && !may(&low, 0xab10));
    assert!(may(&low, 0x11) && may(&low, 0));
    let unmarked = rules(0, u32::MAX);
    assert!(!may(&unmarked, 0) && may(&unmarked, 1));
    assert_eq!(low.may(policy(Choice::On, 0), 0x10, &LAN, &WAN), None);
}

#[test]
fn devices_are_exempt_in_both_directions() {
    for device in [LAN, WAN] {
        let mut rules = Rules {
            on: true,
            ..Rules::default()
        };
        assert_eq!(may(&rules, Offload::default()), Some(3));
        assert!(rules.devices.add(device));
        assert_eq!(may(&rules, policy(Choice::On, 0)), None);
        let other = *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(
            rules.may(Offload::default(), 0, &other, &ANY_IFACE),
            Some(3)
        );
    }
}

#[test]
fn devices_are_listed_as_they_were_given() {
    let mut devices = Devices::NONE;
    assert_eq!(devices.names().count(), 0);
    assert!(!devices.contains(&ANY_IFACE) && !devices.contains(&LAN));
    let mut all = Vec::new();
    for number in 0..Devices::MOST {
        let name = match number % 2 {
            0 => LAN,
            _ => WAN,
        };
        all.push(name);
        assert!(devices.add(name), "{number}");
        assert!(devices.names().eq(&all));
    }
    let full = devices;
    assert!(!devices.add(LAN), "one too many");
    assert_eq!(devices, full);
}

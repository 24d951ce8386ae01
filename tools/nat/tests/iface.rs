// SPDX-License-Identifier: GPL-2.0

//! Names, patterns and groups of interfaces, against what strings say.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::iface::*;
use proptest::prelude::*;

mod common;
use common::{cases, ifname};

fn interface(name: &str, group: u32) -> Interface {
    Interface {
        name: ifname(name),
        group: Some(group),
    }
}

/// Names that begin alike, up to the longest there are.
fn text() -> impl Strategy<Value = String> {
    "[ab]{1,15}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(2000)))]

    #[test]
    fn one_name(name in text(), other in text()) {
        let named = Interfaces::named(ifname(&name)).unwrap();
        prop_assert!(named.contains(&interface(&name, 1)));
        prop_assert_eq!(named.contains(&interface(&other, 1)), name == other);
        prop_assert_eq!((named.text(), named.name()), (Some(ifname(&name)), Some(ifname(&name))));
        prop_assert_eq!(named, Interfaces::one(ifname(&name)));
    }

    #[test]
    fn a_pattern(stem in "[ab]{1,14}", other in text()) {
        let text = ifname(&format!("{stem}*"));
        let named = Interfaces::named(text).unwrap();
        prop_assert_eq!(named.contains(&interface(&other, 1)), other.starts_with(&stem));
        prop_assert!(named.contains(&interface(&stem, 1)));
        prop_assert!(!named.contains(&Interface::default()));
        prop_assert_eq!((named.text(), named.name(), named.group()), (Some(text), None, None));
        prop_assert!(!named.is_any());
    }

    #[test]
    fn a_group(group: u32, other: u32, name in text()) {
        let set = Interfaces::of_group(group);
        prop_assert!(set.contains(&interface(&name, group)));
        prop_assert_eq!(set.contains(&interface(&name, other)), group == other);
        prop_assert!(!set.contains(&Interface::default()));
        let unknown = Interface { name: ifname(&name), group: None };
        prop_assert!(!set.contains(&unknown));
        prop_assert_eq!((set.text(), set.group()), (None, Some(group)));
    }

    /// What is known of all of a pattern satisfies wider patterns, and nothing else.
    #[test]
    fn what_they_have_in_common(stem in "[ab]{1,14}", other in "[ab]{1,14}") {
        let named = |text: &str| Interfaces::named(ifname(text)).unwrap();
        let common = named(&format!("{stem}*")).common();
        prop_assert_eq!(named(&format!("{other}*")).contains(&common), stem.starts_with(&other));
        prop_assert!(!named(&stem).contains(&common));
        prop_assert!(Interfaces::ANY.contains(&common));
        prop_assert!(!Interfaces::of_group(0).contains(&common));
    }

    #[test]
    fn all_that_contain_it(name in text(), stem in "[ab]{1,14}", group in 0u32..3) {
        let named = Interfaces::named(ifname(&format!("{stem}*"))).unwrap();
        let iface = interface(&name, 1);
        for set in [named, Interfaces::one(ifname(&stem)), Interfaces::of_group(group)] {
            let found = Interfaces::all_with(&iface).any(|other| other == set);
            prop_assert_eq!(found, set.contains(&iface), "{:?}", set);
        }
    }

    #[test]
    fn no_name_is_made_of_noise(bytes: [u8; 16]) {
        if let Ok(named) = Interfaces::named(bytes) {
            prop_assert_eq!(named.text(), Some(bytes));
            prop_assert_eq!(padded(bytes), bytes);
            prop_assert!(bytes[0] != 0 && bytes[15] == 0);
        }
    }
}

#[test]
fn in_common_with_itself() {
    for set in [
        Interfaces::ANY,
        Interfaces::one(ifname("a")),
        Interfaces::of_group(0),
        Interfaces::of_group(u32::MAX),
        Interfaces::named(ifname("fourteen-chars*")).unwrap(),
    ] {
        assert!(set.contains(&set.common()), "{set:?}");
    }
}

#[test]
fn any() {
    assert!(Interfaces::ANY.is_any() && Interfaces::default().is_any());
    assert!(Interfaces::ANY.contains(&Interface::default()));
    assert!(Interfaces::ANY.contains(&interface("a", 1)));
    assert!(!Interfaces::one(ifname("a")).is_any() && !Interfaces::of_group(0).is_any());
    assert_eq!(Interfaces::ANY.text(), None);
}

#[test]
fn what_is_no_name() {
    let mut tail = ifname("lan0");
    tail[9] = b'x';
    for (text, why) in [
        (ANY_IFACE, Unnamed::NoName),
        (tail, Unnamed::NoName),
        ([b'x'; 16], Unnamed::NoName),
        (ifname("*"), Unnamed::StarAlone),
        (ifname("**"), Unnamed::Star),
        (ifname("*eth"), Unnamed::Star),
        (ifname("eth*0"), Unnamed::Star),
        (ifname("eth**"), Unnamed::Star),
    ] {
        assert_eq!(Interfaces::named(text), Err(why), "{text:?}");
    }
    assert!(Interfaces::named(ifname("fifteen-letters")).is_ok());
    // A name that an interface really has, for which nobody asked.
    let star = Interfaces::one(ifname("e*"));
    assert!(star.contains(&interface("e*", 0)) && !star.contains(&interface("eth", 0)));
}

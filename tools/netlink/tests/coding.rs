// SPDX-License-Identifier: GPL-2.0

//! Attributes on the wire: the bytes are those of the uapi header, and reading undoes writing.

use std::net::Ipv4Addr;

use fastnat_netlink::generated::{
    Allocation, Config, ConntrackMode, Devices, Flow, Policy, PolicyAction, Pool, Range, Stats,
    Tuple,
};
use fastnat_netlink::{Attributes, Proto};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

fn bytes(attributes: &impl Attributes) -> Vec<u8> {
    let mut out = Vec::new();
    attributes.emit(&mut out);
    out
}

/// An attribute header, little endian as on the machines that run the tests.
#[cfg(target_endian = "little")]
#[test]
fn a_policy_has_the_bytes_of_the_header() {
    let policy = Policy {
        action: Some(PolicyAction::Dnat),
        proto: Some(Proto::TCP),
        dst_port_min: Some(80),
        out_iface: Some("eth0".into()),
        to_addr: Some(Ipv4Addr::new(10, 0, 0, 80)),
        ..Policy::default()
    };
    let expected = [
        &[8, 0, 3, 0, 2, 0, 0, 0][..],
        &[5, 0, 4, 0, 6, 0, 0, 0],
        &[6, 0, 11, 0, 80, 0, 0, 0],
        &[9, 0, 14, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0],
        &[8, 0, 18, 0, 10, 0, 0, 80],
    ];
    assert_eq!(bytes(&policy), expected.concat());
}

#[cfg(target_endian = "little")]
#[test]
fn nests_are_flagged_and_repeated() {
    let range = |last| Range {
        addr_min: Some(Ipv4Addr::new(1, 1, 1, last)),
        addr_max: None,
    };
    let pool = Pool {
        range: vec![range(1), range(2)],
        ..Pool::default()
    };
    let expected = [
        &[12, 0, 2, 0x80, 8, 0, 1, 0, 1, 1, 1, 1][..],
        &[12, 0, 2, 0x80, 8, 0, 1, 0, 1, 1, 1, 2],
    ];
    assert_eq!(bytes(&pool), expected.concat());
}

/// No list says nothing, an empty one that there is nothing.
#[cfg(target_endian = "little")]
#[test]
fn a_list_of_names_may_be_empty() {
    let config = |devices: Option<&[&str]>| Config {
        offload_exempt_devices: devices.map(|names| Devices {
            name: names.iter().map(ToString::to_string).collect(),
        }),
        ..Config::default()
    };
    let two = config(Some(&["a", "b1"]));
    let inner = [
        &[6, 0, 1, 0, b'a', 0, 0, 0][..],
        &[7, 0, 1, 0, b'b', b'1', 0, 0],
    ];
    let expected = [&[20, 0, 15, 0x80][..], &inner.concat()].concat();
    assert_eq!(bytes(&two), expected);
    assert_eq!(bytes(&config(Some(&[]))), [4, 0, 15, 0x80]);
    assert!(bytes(&config(None)).is_empty());
    for devices in [two, config(Some(&[]))] {
        assert_eq!(Config::parse(&bytes(&devices)).unwrap(), devices);
    }
}

/// A flag is there or not; JSON has it when it is there.
#[cfg(target_endian = "little")]
#[test]
fn flags_have_no_payload() {
    let policy = Policy {
        tcp_fin: true,
        ..Policy::default()
    };
    assert_eq!(bytes(&policy), [4, 0, 27, 0]);
    assert_eq!(Policy::parse(&[4, 0, 27, 0]).unwrap(), policy);
    assert!(Policy::parse(&[5, 0, 27, 0, 1, 0, 0, 0]).is_err());
    assert!(bytes(&Policy::default()).is_empty());
    assert_eq!(
        serde_json::to_string(&policy).unwrap(),
        r#"{"tcp-fin":true}"#
    );
}

#[test]
fn attributes_of_a_newer_kernel_are_skipped() {
    let mut wire = bytes(&Config {
        max_flows: Some(7),
        ..Config::default()
    });
    wire.extend([8, 0, 200, 1, 1, 2, 3, 4]);
    let config = Config::parse(&wire).unwrap();
    assert_eq!(
        config,
        Config {
            max_flows: Some(7),
            ..Config::default()
        }
    );
}

#[test]
fn nonsense_is_an_error_that_names_the_attribute() {
    let wire = [&6u16.to_ne_bytes()[..], &6u16.to_ne_bytes(), &[0, 0, 0, 0]].concat();
    let error = Config::parse(&wire).unwrap_err();
    assert!(error.to_string().contains("config conntrack"), "{error}");
}

#[test]
fn json_has_the_names_of_the_specification() {
    let flow = Flow {
        proto: Some(Proto::UDP),
        orig: Some(Tuple {
            src_addr: Some([10, 0, 0, 2].into()),
            ..Tuple::default()
        }),
        ..Flow::default()
    };
    let json = serde_json::to_string(&flow).unwrap();
    assert_eq!(json, r#"{"proto":"udp","orig":{"src-addr":"10.0.0.2"}}"#);
    let pool = Pool {
        allocation: Some(Allocation::Preserve),
        ..Pool::default()
    };
    assert_eq!(
        serde_json::to_string(&pool).unwrap(),
        r#"{"range":[],"allocation":"preserve","inside":[]}"#
    );
}

/// The JSON names are made from the Rust ones; they must be those of the specification.
#[test]
fn rust_and_specification_agree_on_names() {
    let mut stats = Stats::default();
    for attr in Stats::SET.attrs {
        let wide = stats.absorb(attr.kind, &7u64.to_ne_bytes());
        wide.or_else(|_| stats.absorb(attr.kind, &7u32.to_ne_bytes()))
            .ok();
    }
    let json = serde_json::to_value(&stats).unwrap();
    assert!(stats.numbers().len() > 20);
    for (attr, value) in stats.numbers() {
        assert_eq!(json[attr.name], value, "{}", attr.name);
        assert!(!attr.doc.is_empty(), "{}", attr.name);
    }
}

prop_compose! {
    fn tuple()(src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), ports in any::<(u16, u16)>())
        -> Tuple
    {
        Tuple {
            src_addr: Some(src.into()),
            src_port: Some(ports.0),
            dst_addr: Some(dst.into()),
            dst_port: Some(ports.1),
        }
    }
}

prop_compose! {
    fn flow()(
        proto in any::<u8>(),
        orig in of(tuple()),
        translated in of(tuple()),
        numbers in any::<[Option<u32>; 4]>(),
        (offloaded_orig, offloaded_reply) in any::<(bool, bool)>(),
    ) -> Flow {
        let [policy, expires, node, count] = numbers;
        let seq = node;
        Flow {
            proto: Some(Proto(proto)), orig, translated, policy, expires, node, count, seq,
            offloaded_orig, offloaded_reply,
        }
    }
}

prop_compose! {
    fn pool()(
        name in of("[a-z0-9-]{1,31}"),
        ranges in vec(any::<([u8; 4], Option<[u8; 4]>)>(), 0..20),
        ports in any::<(Option<u16>, Option<u16>)>(),
        preserve in of(any::<bool>()),
    ) -> Pool {
        let range = ranges.into_iter().map(|(min, max)| Range {
            addr_min: Some(min.into()),
            addr_max: max.map(Into::into),
        });
        let mode = |keep| if keep { Allocation::Preserve } else { Allocation::Random };
        Pool {
            name,
            range: range.collect(),
            port_min: ports.0,
            port_max: ports.1,
            allocation: preserve.map(mode),
            ..Pool::default()
        }
    }
}

proptest! {
    #[test]
    fn reading_undoes_writing_a_flow(flow in flow()) {
        prop_assert_eq!(Flow::parse(&bytes(&flow)).unwrap(), flow);
    }

    #[test]
    fn reading_undoes_writing_a_pool(pool in pool()) {
        prop_assert_eq!(Pool::parse(&bytes(&pool)).unwrap(), pool);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(wire in vec(any::<u8>(), 0..200)) {
        let _ = Policy::parse(&wire);
        let _ = Flow::parse(&wire);
        let _ = Stats::parse(&wire);
    }
}

#[test]
fn enums_are_named_both_ways() {
    for mode in ConntrackMode::ALL {
        assert_eq!(mode.to_string().parse(), Ok(*mode));
    }
    assert_eq!(
        "off".parse::<ConntrackMode>(),
        Err("use one of: untracked, tracked".into())
    );
}

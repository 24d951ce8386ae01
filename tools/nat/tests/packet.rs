// SPDX-License-Identifier: GPL-2.0

//! Which packets are taken for what.

#![allow(clippy::unwrap_used)]

use fastnat_nat::nat::addr::Be16;
use fastnat_nat::nat::packet::{self, classify, Edge, Ip, Kind, Malformed, Unsupported, L4};
use fastnat_nat::nat::redirect::redirected;
use fastnat_nat::nat::tuple::{Tuple, ICMP, TCP, UDP};
use proptest::prelude::*;

mod common;
use common::*;

fn ip(bytes: &[u8]) -> Result<Ip, Malformed> {
    packet::ip(bytes, bytes.len())
}

#[test]
fn big_tcp_takes_its_length_from_the_buffer() {
    let mut bytes = packet_bytes_of_length_zero();
    assert_eq!(packet::ip(&bytes, 1500), Err(Malformed));
    assert_eq!(packet::ip(&bytes, 65535), Err(Malformed));
    assert_eq!(packet::ip(&bytes, 65536).unwrap().total_len, 65536);
    bytes[3] = 40;
    assert_eq!(packet::ip(&bytes, 65536).unwrap().total_len, 40);
}

fn packet_bytes_of_length_zero() -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[0] = 0x45;
    bytes
}

fn read(bytes: &[u8]) -> Result<Kind, Malformed> {
    classify(bytes, &ip(bytes)?)
}

fn packet(proto: u8) -> Vec<u8> {
    let recipe = Recipe {
        tuple: Tuple::new(proto, ep(0x0a00_0001, 1000), ep(0xc000_0201, 80)),
        options: 0,
        payload: vec![1, 2, 3],
        unsummed: false,
        reply: false,
    };
    recipe.with(recipe.tuple).build()
}

fn error(kind: u8, quoted: &[u8]) -> Vec<u8> {
    let icmp = [&[kind, 1, 0, 0, 0, 0, 0, 0], quoted].concat();
    let mut bytes = ip_packet(ICMP, v4(0xc000_0202), v4(0x0a00_0001), 0, &icmp);
    seal(&mut bytes);
    bytes
}

#[test]
fn redirects() {
    let quoted = |bytes: &[u8]| redirected(bytes, &ip(bytes).unwrap());
    let inner = Tuple::new(UDP, ep(0x0a00_0001, 1000), ep(0xc000_0201, 80));
    let good = error(5, &packet(UDP));
    assert_eq!(quoted(&good), Some(inner));
    // Enough is quoted with eight bytes of its transport header.
    assert_eq!(quoted(&error(5, &packet(UDP)[..28])), Some(inner));
    assert_eq!(quoted(&error(5, &packet(UDP)[..27])), None);
    assert_eq!(quoted(&good[..25]), None);
    let mut gre = packet(UDP);
    gre[9] = 47;
    assert_eq!(quoted(&error(5, &gre)), None);
    assert_eq!(quoted(&error(3, &packet(UDP))), None);
    assert_eq!(quoted(&packet(UDP)), None);
    let mut fragment = good;
    fragment[6] = 0x20;
    assert_eq!(quoted(&fragment), None);
}

#[test]
fn header_lies() {
    let good = packet(TCP);
    assert!(ip(&good).is_ok());
    for (at, value) in [(0, 0x65), (0, 0x44), (0, 0x4f), (3, 19)] {
        let mut bad = good.clone();
        bad[at] = value;
        bad.truncate(50);
        assert_eq!(ip(&bad), Err(Malformed), "byte {at} = {value}");
    }
    assert_eq!(ip(&good[..19]), Err(Malformed));
    assert_eq!(ip(&[]), Err(Malformed));
}

#[test]
fn fragments() {
    for (high, low, fragment) in [
        (0x40, 0, false),
        (0x20, 0, true),
        (0, 1, true),
        (0x80, 0, false),
    ] {
        let mut bytes = packet(UDP);
        bytes[6] = high;
        bytes[7] = low;
        assert_eq!(ip(&bytes).unwrap().fragment, fragment);
        let other = read(&bytes) == Ok(Kind::Other(Unsupported::Fragment));
        assert_eq!(other, fragment);
    }
}

#[test]
fn transport_lies() {
    for offset in [0x00, 0x40, 0x60, 0xf0] {
        let mut bytes = packet(TCP);
        bytes[32] = offset;
        assert_eq!(read(&bytes), Err(Malformed), "data offset {offset:x}");
    }
    for (len, right) in [(0, false), (7, false), (8, true), (11, true), (12, false)] {
        let mut bytes = packet(UDP);
        bytes[25] = len;
        assert_eq!(read(&bytes).is_ok(), right, "length {len}");
    }
}

#[test]
fn other_protocols() {
    for proto in [0, 2, 33, 41, 47, 50, 132, 136, 255] {
        let bytes = ip_packet(proto, v4(1), v4(2), 0, &[0; 40]);
        assert_eq!(read(&bytes), Ok(Kind::Other(Unsupported::Protocol)));
        assert_eq!(ip(&bytes).unwrap().wanted(), 20);
    }
}

#[test]
fn icmp_types() {
    for kind in 0..=255 {
        let bytes = error(kind, &packet(TCP));
        match (kind, read(&bytes).unwrap()) {
            (3 | 11 | 12, Kind::Error(_)) => (),
            (8 | 13 | 15 | 17 | 42, Kind::Flow(flow)) => {
                assert_eq!(flow.tuple.dst_port.to_host(), 0, "type {kind}");
            }
            (0 | 14 | 16 | 18 | 43, Kind::Flow(flow)) => {
                assert_eq!(flow.tuple.src_port.to_host(), 0, "type {kind}");
            }
            (_, other) => assert_eq!(other, Kind::Other(Unsupported::Protocol), "type {kind}"),
        }
    }
}

#[test]
fn quoted_icmp_types() {
    for kind in 0..=255 {
        let mut quoted = packet(ICMP);
        quoted[20] = kind;
        match (kind, read(&error(3, &quoted))) {
            (0 | 8 | 13..=18 | 42 | 43, Ok(Kind::Error(_))) => (),
            (3 | 4 | 5 | 11 | 12, Err(Malformed)) => (),
            (_, other) => assert_eq!(other, Ok(Kind::Other(Unsupported::Protocol)), "type {kind}"),
        }
    }
}

#[test]
fn quotations() {
    let mut other = packet(TCP);
    other[9] = 47;
    assert_eq!(
        read(&error(3, &other)),
        Ok(Kind::Other(Unsupported::Protocol))
    );
    let mut fragment = packet(TCP);
    fragment[7] = 1;
    assert_eq!(read(&error(3, &fragment)), Err(Malformed));
    let mut first = packet(TCP);
    first[6] = 0x20;
    assert!(matches!(read(&error(3, &first)), Ok(Kind::Error(_))));
    let mut swapped = packet(TCP);
    swapped.swap(2, 3);
    assert!(matches!(read(&error(3, &swapped)), Ok(Kind::Error(_))));
    for len in 0..28 {
        assert_eq!(read(&error(3, &packet(TCP)[..len])), Err(Malformed));
    }
}

#[test]
fn what_is_beyond_the_packet_does_not_count() {
    let mut bytes = packet(TCP);
    put16(&mut bytes, 2, 39);
    assert_eq!(read(&bytes), Err(Malformed));
    let mut bytes = error(3, &packet(TCP));
    put16(&mut bytes, 2, 28 + 27);
    assert_eq!(read(&bytes), Err(Malformed));
}

proptest! {
    #[test]
    fn flow(recipe in recipe()) {
        let bytes = recipe.build();
        let header = ip(&bytes).unwrap();
        prop_assert_eq!(header.header_len, 20 + recipe.options * 4);
        prop_assert_eq!(header.total_len, bytes.len());
        prop_assert_eq!((header.proto, header.ttl), (recipe.tuple.proto, 64));
        prop_assert!(header.wanted() <= bytes.len());
        let Ok(Kind::Flow(flow)) = classify(&bytes[..header.wanted()], &header) else {
            panic!("not a flow");
        };
        prop_assert_eq!(flow.tuple, recipe.tuple);
        prop_assert_eq!(flow.l4_offset, header.header_len);
        let (l4, len) = match header.proto {
            TCP => (L4::Tcp, 20),
            UDP => (L4::Udp, 8),
            _ => (L4::Icmp, 8),
        };
        prop_assert_eq!((flow.l4, flow.l4_len), (l4, len));
        for short in header.header_len..flow.l4_offset + len {
            prop_assert_eq!(classify(&bytes[..short], &header), Err(Malformed));
        }
    }

    #[test]
    fn icmp_error(recipe in recipe(), outer in 0usize..=10, cut in 0usize..60) {
        let inner = recipe.build();
        let at_least = header_len(&inner) + 8;
        let quoted = &inner[..inner.len().min(at_least + cut)];
        let icmp = [&[11, 0, 0, 0, 0, 0, 0, 0], quoted].concat();
        let bytes = ip_packet(ICMP, v4(1), v4(2), outer, &icmp);
        let header = ip(&bytes).unwrap();
        let Ok(Kind::Error(e)) = classify(&bytes[..header.wanted()], &header) else {
            panic!("not an error");
        };
        prop_assert_eq!(e.inner, recipe.tuple);
        prop_assert_eq!((e.outer_src, e.outer_dst), (v4(1), v4(2)));
        prop_assert_eq!(e.icmp_offset, header.header_len);
        prop_assert_eq!(e.inner_offset, header.header_len + 8);
        prop_assert_eq!(e.inner_l4_offset, header.header_len + 8 + 20 + recipe.options * 4);
        let l4_len = if recipe.tuple.proto == TCP { 20 } else { 8 };
        prop_assert_eq!(e.end, (e.inner_l4_offset + l4_len).min(bytes.len()));
        prop_assert!(e.end <= header.wanted());
        for short in header.header_len..e.end {
            prop_assert_eq!(classify(&bytes[..short], &header), Err(Malformed));
        }
    }
}

#[test]
fn identifier_is_the_port_of_the_asking_end() {
    let mut bytes = packet(ICMP);
    let Ok(Kind::Flow(request)) = read(&bytes) else {
        panic!("not a flow");
    };
    assert_eq!(request.tuple.src_port, Be16::from_host(1000));
    assert_eq!(request.tuple.dst_port, Be16::from_host(0));
    bytes[20] = 0;
    let Ok(Kind::Flow(reply)) = read(&bytes) else {
        panic!("not a flow");
    };
    assert_eq!(reply.tuple.src_port, Be16::from_host(0));
    assert_eq!(reply.tuple.dst_port, Be16::from_host(1000));
}

fn edge(flags: u8) -> Edge {
    let mut bytes = packet(TCP);
    bytes[20 + 13] = flags;
    match read(&bytes) {
        Ok(Kind::Flow(packet)) => packet.edge,
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_say_where_in_a_connection_a_segment_is() {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    for others in [0, 0x08, 0x10, 0x18, 0x30, 0xc0, 0xf8] {
        assert_eq!(edge(others), Edge::None);
        assert_eq!(edge(others | SYN), Edge::Begin);
        assert_eq!(edge(others | FIN), Edge::End);
        assert_eq!(edge(others | RST), Edge::Reset);
        assert_eq!(edge(others | FIN | RST), Edge::Reset);
        assert_eq!(edge(others | SYN | FIN), Edge::End);
        assert_eq!(edge(others | SYN | RST), Edge::Reset);
    }
    match read(&packet(UDP)) {
        Ok(Kind::Flow(packet)) => assert_eq!(packet.edge, Edge::None),
        other => panic!("{other:?}"),
    }
}

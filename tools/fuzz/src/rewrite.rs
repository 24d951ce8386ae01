// SPDX-License-Identifier: GPL-2.0

//! Rewriting changes what it is to change, keeps checksums as right or wrong as they were, and can
//! be taken back.

use fastnat_nat::nat::addr::V4;
use fastnat_nat::nat::packet::{self, IcmpError, Kind, L4, Packet};
use fastnat_nat::nat::plain::{Fix, Plain};
use fastnat_nat::nat::rewrite::{Checksum, Half, endpoint, icmp_error};
use fastnat_nat::nat::tuple::{Endpoint, ICMP, Tuple};

use crate::input::Input;
use crate::sums::{get16, header_len, ip_valid, l4_valid, put16, seal, sum};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let ends = [input.endpoint(), input.endpoint()];
    let bytes = &match how & 4 {
        0 => input.rest().to_vec(),
        _ => sealed(input.rest()),
    };
    let Ok(ip) = packet::ip(bytes, bytes.len()) else {
        return;
    };
    match packet::classify(bytes, &ip) {
        Ok(Kind::Flow(p)) => flow(bytes, &p, how, ends[0]),
        Ok(Kind::Error(e)) => error(bytes, &e, ends),
        Ok(Kind::Other(_)) | Err(_) => (),
    }
}

/// The packet with its length and its checksums put right, as far as it has any.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() < 20 {
        return bytes;
    }
    let len = bytes.len() as u16;
    put16(&mut bytes, 2, len);
    let kind = packet::ip(&bytes, bytes.len()).and_then(|ip| packet::classify(&bytes, &ip));
    if matches!(kind, Ok(Kind::Flow(_) | Kind::Error(_))) {
        seal(&mut bytes);
    }
    bytes
}

fn flow(before: &[u8], p: &Packet<V4>, how: u8, new: Endpoint<V4>) {
    let (half, old) = match how & 1 {
        0 => (Half::Src, p.tuple.src()),
        _ => (Half::Dst, p.tuple.dst()),
    };
    let csum = match how & 2 {
        0 => Checksum::Full,
        _ => Checksum::Partial,
    };
    let mut after = before.to_vec();
    assert!(endpoint(&mut after, p, half, new, csum));
    let sums = [10, p.l4_offset + checksum_of(p.l4)];
    let addr = if half == Half::Src { 12 } else { 16 };
    let port = match (p.l4, half) {
        (L4::Icmp, _) => p.l4_offset + 4,
        (_, Half::Src) => p.l4_offset,
        (_, Half::Dst) => p.l4_offset + 2,
    };
    only(
        before,
        &after,
        &[(addr, 4), (port, 2), (sums[0], 2), (sums[1], 2)],
    );
    let whole = usize::from(get16(before, 2)) == before.len();
    let sound = |bytes: &[u8]| (ip_valid(bytes), !whole || l4_valid(bytes));
    if csum == Checksum::Full && !nothing(before) {
        assert_eq!(sound(&after), sound(before));
    }
    if let Some(plain) = Plain::of(p) {
        let mut quickly = before.to_vec();
        assert!(plain.rewrite(&mut quickly, (half, new), Fix::new(old, new), csum));
        only(&after, &quickly, &[(sums[0], 2), (sums[1], 2)]);
        for at in sums {
            alike(&after, &quickly, at);
        }
    }
    assert!(endpoint(&mut after, p, half, old, csum));
    back(
        before,
        &after,
        &sums,
        sound(before) == (true, true) && csum == Checksum::Full,
    );
}

fn error(before: &[u8], e: &IcmpError<V4>, [src, dst]: [Endpoint<V4>; 2]) {
    let new = match e.inner.proto {
        ICMP => Tuple::new(ICMP, kept(src, e.inner.src()), kept(dst, e.inner.dst())),
        proto => Tuple::new(proto, src, dst),
    };
    let mut after = before.to_vec();
    assert!(icmp_error(&mut after, e, new, dst.addr, src.addr));
    let inner_sum = e.inner_l4_offset + checksum_of(e.inner_l4);
    let sums = [10, e.icmp_offset + 2, e.inner_offset + 10, inner_sum];
    let ports = match e.inner_l4 {
        L4::Icmp => (e.inner_l4_offset + 4, 2),
        _ => (e.inner_l4_offset, 4),
    };
    let mut allowed = vec![(12, 8), (e.inner_offset + 12, 8), ports];
    allowed.extend(sums.map(|at| (at, 2)));
    allowed.retain(|(at, _)| *at < e.end);
    only(before, &after, &allowed);
    let quoting = |bytes: &[u8]| sum(&[&bytes[e.icmp_offset..]]) == 0xffff;
    let was = (ip_valid(before), quoting(before));
    assert_eq!((ip_valid(&after), quoting(&after)), was);
    assert!(icmp_error(&mut after, e, e.inner, e.outer_src, e.outer_dst));
    back(before, &after, &sums, false);
}

/// The end that does not ask keeps its port, which is none.
fn kept(new: Endpoint<V4>, old: Endpoint<V4>) -> Endpoint<V4> {
    match old.port.to_host() {
        0 => Endpoint {
            port: old.port,
            ..new
        },
        _ => new,
    }
}

const fn checksum_of(l4: L4) -> usize {
    match l4 {
        L4::Tcp => 16,
        L4::Udp => 6,
        L4::Icmp => 2,
    }
}

/// An echo reply of nothing but zeros is the one wrong packet that a sum cannot tell from a right
/// one.
fn nothing(packet: &[u8]) -> bool {
    sum(&[&packet[header_len(packet)..]]) == 0 || sum(&[&packet[..header_len(packet)]]) == 0
}

/// Nothing differs but what is in `allowed`: places and lengths.
fn only(before: &[u8], after: &[u8], allowed: &[(usize, usize)]) {
    assert_eq!(before.len(), after.len());
    for (at, (a, b)) in before.iter().zip(after).enumerate() {
        let may = allowed
            .iter()
            .any(|(from, len)| (*from..from + len).contains(&at));
        assert!(a == b || may, "byte {at} of {before:02x?}");
    }
}

/// Two checksums say the same; 0 and 0xffff do.
fn alike(a: &[u8], b: &[u8], at: usize) {
    if at + 2 <= a.len() {
        let (a, b) = (get16(a, at), get16(b, at));
        assert_eq!(a % 0xffff, b % 0xffff, "checksum at {at}");
    }
}

/// What was taken back is what it was before: to the bit, if `exactly`.
fn back(before: &[u8], after: &[u8], sums: &[usize], exactly: bool) {
    if exactly {
        assert_eq!(before, after);
    }
    only(
        before,
        after,
        &sums.iter().map(|at| (*at, 2)).collect::<Vec<_>>(),
    );
    for at in sums {
        alike(before, after, *at);
    }
}

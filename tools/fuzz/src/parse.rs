// SPDX-License-Identifier: GPL-2.0

//! What is said of a packet lies within the bytes that were seen.

use fastnat_nat::nat::packet::{self, Kind};
use fastnat_nat::nat::plain::Plain;
use fastnat_nat::nat::redirect;

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let more = usize::from(input.u8()) * 300;
    let bytes = input.rest();
    let plain = Plain::parse(bytes);
    if let Some(plain) = &plain {
        assert!(plain.end() <= bytes.len());
    }
    let Ok(ip) = packet::ip(bytes, bytes.len() + more) else {
        return;
    };
    assert!((20..=60).contains(&ip.header_len) && ip.header_len <= bytes.len());
    assert!(ip.header_len <= ip.total_len && ip.wanted() <= ip.total_len);
    let tuple = packet::likely_tuple(bytes, &ip);
    assert_eq!((tuple.src_addr, tuple.dst_addr), (ip.src, ip.dst));
    let end = bytes.len().min(ip.wanted());
    let redirected = redirect::redirected(bytes, &ip);
    assert!(redirected.is_none() || bytes[ip.header_len] == 5);
    match packet::classify(bytes, &ip) {
        Ok(Kind::Flow(p)) => {
            assert!(!ip.fragment && p.l4_offset == ip.header_len);
            assert!(p.l4_len >= 8 && p.l4_offset + p.l4_len <= end);
            if let Some(plain) = &plain {
                assert_eq!((plain.tuple(), plain.edge), (p.tuple, p.edge));
            }
        }
        Ok(Kind::Error(e)) => {
            assert!(plain.is_none() && !ip.fragment && e.icmp_offset == ip.header_len);
            assert!(
                e.icmp_offset + 8 <= e.inner_offset && e.inner_offset + 20 <= e.inner_l4_offset
            );
            assert!(e.inner_l4_offset + 8 <= e.end && e.end <= end);
        }
        Ok(Kind::Other(_)) | Err(_) => (),
    }
}

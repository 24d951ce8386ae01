// SPDX-License-Identifier: GPL-2.0

//! ICMP redirects, by which a router tells a host of a shorter way.

use super::addr::V4;
use super::packet::{error, Ip, Kind, REDIRECT};
use super::tuple::{Tuple, ICMP};

/// The tuple of the packet that an ICMP redirect behind the header `ip` quotes. `None` if it is no
/// redirect, is cut short, or quotes what cannot be translated.
pub fn redirected(bytes: &[u8], ip: &Ip) -> Option<Tuple<V4>> {
    let kind = bytes.get(ip.header_len).filter(|_| ip.proto == ICMP);
    if ip.fragment || kind != Some(&REDIRECT) {
        return None;
    }
    let bytes = bytes.get(..ip.total_len).unwrap_or(bytes);
    match error(bytes, ip) {
        Ok(Kind::Error(error)) => Some(error.inner),
        _ => None,
    }
}

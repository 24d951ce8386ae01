// SPDX-License-Identifier: GPL-2.0

//! Checksums, computed over all the bytes of an IPv4 packet whose header is sound.

use fastnat_nat::nat::tuple::{ICMP, TCP, UDP};

/// One's-complement sum, folded.
pub fn sum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u64 = 0;
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// The pseudo header.
pub fn pseudo(packet: &[u8]) -> Vec<u8> {
    let l4 = header_len(packet);
    let mut bytes = packet[12..20].to_vec();
    bytes.extend([0, packet[9]]);
    bytes.extend(((packet.len() - l4) as u16).to_be_bytes());
    bytes
}

/// Bytes of the IP header.
pub fn header_len(packet: &[u8]) -> usize {
    usize::from(packet[0] & 15) * 4
}

/// Where the checksum of the transport is.
pub fn checksum_at(packet: &[u8]) -> usize {
    header_len(packet)
        + match packet[9] {
            TCP => 16,
            UDP => 6,
            ICMP => 2,
            proto => unreachable!("protocol {proto}"),
        }
}

/// A word.
pub fn get16(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

/// Sets a word.
pub fn put16(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Fills in both checksums, computed from scratch.
pub fn seal(packet: &mut [u8]) {
    let l4 = header_len(packet);
    put16(packet, 10, 0);
    let ip = !sum(&[&packet[..l4]]);
    put16(packet, 10, ip);
    let at = checksum_at(packet);
    put16(packet, at, 0);
    let checksum = match packet[9] {
        ICMP => !sum(&[&packet[l4..]]),
        UDP => match !sum(&[&pseudo(packet), &packet[l4..]]) {
            0 => 0xffff,
            checksum => checksum,
        },
        _ => !sum(&[&pseudo(packet), &packet[l4..]]),
    };
    put16(packet, at, checksum);
}

/// Does the header add up?
pub fn ip_valid(packet: &[u8]) -> bool {
    sum(&[&packet[..header_len(packet)]]) == 0xffff
}

/// Does the transport add up?
pub fn l4_valid(packet: &[u8]) -> bool {
    let l4 = header_len(packet);
    match packet[9] {
        ICMP => sum(&[&packet[l4..]]) == 0xffff,
        UDP if get16(packet, checksum_at(packet)) == 0 => true,
        _ => sum(&[&pseudo(packet), &packet[l4..]]) == 0xffff,
    }
}

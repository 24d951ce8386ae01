// SPDX-License-Identifier: GPL-2.0

//! What the headers of a TCP segment say, and which rules keep it alone.

use super::Reason;
use crate::nat::tuple::TCP;
use crate::nat::wire::{get, get16};

/// Bytes of an IPv4 header without options.
const V4_LEN: usize = 20;
/// Bytes of an IPv6 header.
const V6_LEN: usize = 40;
/// Bytes of a TCP header without options.
pub(super) const TCP_LEN: usize = 20;
/// Bytes of the timestamp option, padded as everybody does.
const STAMPS_LEN: usize = 12;
/// Two NOPs, and kind and length of the timestamp option (RFC 7323, appendix A).
const TIMESTAMP: [u8; 4] = [1, 1, 8, 10];
/// The ECN bits of the traffic class, all set: congestion experienced (RFC 3168).
const CE: u8 = 3;

pub(super) const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;
const ECE: u8 = 0x40;
const CWR: u8 = 0x80;

/// The options of a TCP header.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum Options {
    /// There are none.
    None,
    /// The timestamp alone: TSval in the upper half, TSecr in the lower.
    Stamps(u64),
    /// Others.
    Other,
}

/// A TCP header.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Header {
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// Length and reserved bits.
    pub(super) offset: u8,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) options: Options,
}

impl Header {
    /// Reads the one at `at`; `None` if `headers` end too early.
    #[inline(always)]
    pub(super) fn read(headers: &[u8], at: usize) -> Option<Self> {
        let (tcp, rest) = headers.get(at..)?.split_first_chunk::<TCP_LEN>()?;
        let [offset, flags] = get(tcp, 12)?;
        Some(Self {
            seq: u32::from_be_bytes(get(tcp, 4)?),
            ack: u32::from_be_bytes(get(tcp, 8)?),
            offset,
            flags,
            window: u16::from_be_bytes(get(tcp, 14)?),
            options: options(offset, rest),
        })
    }

    /// Its length in bytes.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        usize::from(self.offset >> 4).wrapping_mul(4)
    }
}

#[inline(always)]
fn options(offset: u8, bytes: &[u8]) -> Options {
    match (offset >> 4, bytes.first_chunk::<STAMPS_LEN>()) {
        (5, _) => Options::None,
        (8, Some([a, b, c, d, stamps @ ..])) if [*a, *b, *c, *d] == TIMESTAMP => {
            Options::Stamps(u64::from_be_bytes(*stamps))
        }
        _ => Options::Other,
    }
}

/// A TCP segment, as its headers say.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Segment {
    /// Where the TCP header begins.
    pub(super) at: usize,
    /// Bytes of payload.
    pub payload: usize,
    ecn: u8,
    pub(super) tcp: Header,
}

impl Segment {
    /// Reads the headers of a packet of which `len` bytes were received.
    ///
    /// Fails with [`Reason::NotTcp`], [`Reason::Padding`], [`Reason::IpOptions`], or
    /// [`Reason::TcpOptions`] if the TCP header is impossible.
    #[inline(always)]
    pub fn read(headers: &[u8], len: usize) -> Result<Self, Reason> {
        let (at, ecn) = match headers.first().map(|byte| byte >> 4) {
            Some(4) => v4(headers, len)?,
            Some(6) => v6(headers, len)?,
            _ => return Err(Reason::NotTcp),
        };
        let tcp = Header::read(headers, at).ok_or(Reason::NoData)?;
        match len.checked_sub(at.wrapping_add(tcp.len())) {
            Some(payload) if tcp.len() >= TCP_LEN => Ok(Self {
                at,
                payload,
                ecn,
                tcp,
            }),
            _ => Err(Reason::TcpOptions),
        }
    }

    /// Which rule of mode lro keeps it alone, whatever came before it.
    #[inline(always)]
    pub fn refusal(&self) -> Option<Reason> {
        if self.ecn == CE {
            return Some(Reason::Ce);
        }
        if self.payload == 0 {
            return Some(Reason::NoData);
        }
        if self.tcp.flags != ACK {
            return flag(self.tcp.flags, ACK);
        }
        (self.tcp.options == Options::Other).then_some(Reason::TcpOptions)
    }

    /// Which of its flags ends an aggregate of the kernel's.
    pub fn ending(&self) -> Option<Reason> {
        flag(self.tcp.flags & (URG | PSH | RST | SYN | FIN), 0)
    }
}

/// Where TCP begins, and the ECN bits.
#[inline(always)]
fn v4(headers: &[u8], len: usize) -> Result<(usize, u8), Reason> {
    let header: &[u8; V4_LEN] = headers.first_chunk().ok_or(Reason::NotTcp)?;
    let [first, tos, .., more, offset, _, proto, _, _, _, _, _, _, _, _, _, _] = *header;
    if proto != TCP {
        return Err(Reason::NotTcp);
    }
    if get16(header, 2).map(|len| usize::from(len.to_host())) != Some(len) {
        return Err(Reason::Padding);
    }
    if first != 0x45 || (more & 0x3f) | offset != 0 {
        return Err(Reason::IpOptions);
    }
    Ok((V4_LEN, tos & CE))
}

/// The same of IPv6. Its extension headers have protocol numbers of their own.
#[inline(always)]
fn v6(headers: &[u8], len: usize) -> Result<(usize, u8), Reason> {
    let header: &[u8; V6_LEN] = headers.first_chunk().ok_or(Reason::NotTcp)?;
    let [_, class, _, _, _, _, next, ..] = *header;
    match next {
        TCP => {}
        // Hop-by-hop, routing, fragment, authentication, destination options.
        0 | 43 | 44 | 51 | 60 => return Err(Reason::IpOptions),
        _ => return Err(Reason::NotTcp),
    }
    let payload = get16(header, 4).map(|len| usize::from(len.to_host()));
    if payload != len.checked_sub(V6_LEN) {
        return Err(Reason::Padding);
    }
    Ok((V6_LEN, (class >> 4) & CE))
}

/// The first flag, in the order of the rules, that is not as in `usual`.
#[cold]
pub(super) fn flag(flags: u8, usual: u8) -> Option<Reason> {
    const ORDER: [(u8, Reason); 8] = [
        (CWR, Reason::Cwr),
        (ECE, Reason::Ece),
        (SYN, Reason::Syn),
        (FIN, Reason::Fin),
        (URG, Reason::Urg),
        (PSH, Reason::Psh),
        (RST, Reason::Rst),
        (ACK, Reason::NoAck),
    ];
    let differ = flags ^ usual;
    let first = ORDER.iter().find(|(bit, _)| differ & bit != 0);
    first.map(|(_, reason)| *reason)
}

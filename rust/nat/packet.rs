// SPDX-License-Identifier: GPL-2.0

//! What a packet is: its tuple, or that of the packet an ICMP error quotes.
//!
//! The slices start at the IP header and may end before the packet does. What lies between the end
//! of the slice and [`Ip::wanted`] is taken for missing.

use super::addr::{Be16, V4};
use super::hash::Words;
use super::rewrite::Half;
use super::tuple::{Endpoint, Tuple, ICMP, TCP, UDP};
use super::wire::{get, get16, get_v4};

/// Bytes of an IPv4 header without options.
pub(super) const IP_LEN: usize = 20;
/// Bytes of an IPv4 header with all the options it can have.
const IP_MAX_LEN: usize = 60;
/// Bytes of an ICMP header.
const ICMP_LEN: usize = 8;
/// Bytes of a transport header that every quotation has (RFC 792).
const QUOTED_LEN: usize = 8;

const UNREACHABLE: u8 = 3;
const SOURCE_QUENCH: u8 = 4;
pub(super) const REDIRECT: u8 = 5;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// The packet contradicts itself or ends too early.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Malformed;

/// The IPv4 header.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Ip {
    /// Bytes of the header, with options.
    pub header_len: usize,
    /// Bytes of the packet, from the header on.
    pub total_len: usize,
    /// IP protocol number.
    pub proto: u8,
    /// Time to live.
    pub ttl: u8,
    /// Whether this is one of several fragments, the first included.
    pub fragment: bool,
    /// Source address.
    pub src: V4,
    /// Destination address.
    pub dst: V4,
}

/// Reads the IPv4 header of a packet of `len` bytes, of which `bytes` are the first.
///
/// A packet longer than 65535 bytes has a total length of 0 (BIG TCP, `iph_totlen()`).
///
/// Fails if it is cut off, not of version 4, shorter than 20 bytes, or longer than the packet.
#[inline]
pub fn ip(bytes: &[u8], len: usize) -> Result<Ip, Malformed> {
    let mut header = header(bytes).ok_or(Malformed)?;
    if header.total_len == 0 && len > usize::from(u16::MAX) {
        header.total_len = len;
    }
    let valid = bytes.len() >= header.header_len && header.total_len >= header.header_len;
    valid.then_some(header).ok_or(Malformed)
}

/// Reads an IPv4 header whose total length is not to be trusted, as in a quotation.
#[inline]
fn header(bytes: &[u8]) -> Option<Ip> {
    let bytes: &[u8; IP_LEN] = bytes.first_chunk()?;
    let [version, ..] = *bytes;
    let header_len = usize::from(version & 0xf).wrapping_mul(4);
    let [ttl, proto] = get(bytes, 8)?;
    let ip = Ip {
        header_len,
        total_len: usize::from(get16(bytes, 2)?.to_host()),
        proto,
        ttl,
        fragment: get16(bytes, 6)?.to_host() & 0x3fff != 0,
        src: get_v4(bytes, 12)?,
        dst: get_v4(bytes, 16)?,
    };
    (version >> 4 == 4 && header_len >= IP_LEN).then_some(ip)
}

impl Ip {
    /// How many bytes, from the IP header on, parsing and rewriting want to see.
    #[inline]
    pub fn wanted(&self) -> usize {
        let l4 = match self.proto {
            TCP => L4::Tcp.len(),
            UDP => L4::Udp.len(),
            ICMP => ICMP_LEN
                .wrapping_add(IP_MAX_LEN)
                .wrapping_add(L4::Tcp.len()),
            _ => 0,
        };
        self.header_len.wrapping_add(l4).min(self.total_len)
    }
}

/// A transport that is translated.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum L4 {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// An ICMP query, or the reply to one.
    Icmp,
}

impl L4 {
    /// Bytes of the header without options.
    #[inline]
    pub(super) const fn len(self) -> usize {
        match self {
            L4::Tcp => 20,
            L4::Udp => 8,
            L4::Icmp => ICMP_LEN,
        }
    }
}

/// What is to be done with a packet.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Kind<A: Words = V4> {
    /// It belongs to a flow.
    Flow(Packet<A>),
    /// It is about a packet of a flow.
    Error(IcmpError<A>),
    /// It is neither.
    Other(Unsupported),
}

/// Why a packet has no tuple.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Unsupported {
    /// A protocol, or a kind of ICMP message, that is not translated.
    Protocol,
    /// A fragment.
    Fragment,
}

/// A packet that belongs to a flow.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Packet<A: Words = V4> {
    /// The tuple it carries.
    pub tuple: Tuple<A>,
    /// Its transport.
    pub l4: L4,
    /// Where the transport header starts.
    pub l4_offset: usize,
    /// How many bytes of the transport header have to be writable.
    pub l4_len: usize,
    /// Where in its connection it says that it is.
    pub edge: Edge,
}

impl<A: Words> Packet<A> {
    /// Is it a [`super::plain::Plain`] packet?
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.l4_offset == IP_LEN && self.l4 != L4::Icmp
    }
}

/// What a packet says of its connection. Nobody has checked whether that is true.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Edge {
    /// A TCP segment with SYN.
    Begin,
    /// A TCP segment with FIN.
    End,
    /// A TCP segment with RST.
    Reset,
    /// Anything else.
    None,
}

impl Edge {
    /// What the flags of a TCP segment say.
    #[inline]
    pub(super) fn of(flags: u8) -> Self {
        match flags & (TCP_FIN | TCP_SYN | TCP_RST) {
            0 => Self::None,
            TCP_SYN => Self::Begin,
            both if both & TCP_RST != 0 => Self::Reset,
            _ => Self::End,
        }
    }
}

/// An ICMP error, and the packet it quotes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct IcmpError<A: Words = V4> {
    /// Who complains.
    pub outer_src: A,
    /// To whom.
    pub outer_dst: A,
    /// Where the ICMP header starts.
    pub icmp_offset: usize,
    /// The tuple of the quoted packet, as quoted.
    pub inner: Tuple<A>,
    /// Where the quoted IP header starts.
    pub inner_offset: usize,
    /// Transport of the quoted packet.
    pub inner_l4: L4,
    /// Where the quoted transport header starts.
    pub inner_l4_offset: usize,
    /// How many bytes, from the outer IP header on, have to be writable.
    pub end: usize,
}

/// Finds out what the packet behind the header `ip` is.
///
/// Fails if it ends too early, or its lengths contradict each other, or it is an ICMP error about
/// another or about a later fragment.
#[inline]
pub fn classify(bytes: &[u8], ip: &Ip) -> Result<Kind, Malformed> {
    if ip.fragment {
        return Ok(Kind::Other(Unsupported::Fragment));
    }
    let bytes = bytes.get(..ip.total_len).unwrap_or(bytes);
    let l4 = bytes.get(ip.header_len..).ok_or(Malformed)?;
    let room = ip.total_len.wrapping_sub(ip.header_len);
    match ip.proto {
        TCP => {
            let (ports, edge) = tcp(l4, room).ok_or(Malformed)?;
            Ok(flow(ip, L4::Tcp, ports, edge))
        }
        UDP => {
            let ports = udp(l4, room).ok_or(Malformed)?;
            Ok(flow(ip, L4::Udp, ports, Edge::None))
        }
        ICMP => icmp(bytes, l4, ip),
        _ => Ok(Kind::Other(Unsupported::Protocol)),
    }
}

/// Source and destination port.
type Ports = (Be16, Be16);

/// The tuple of a packet that [`classify`] does not take, with its ports as far as they are there:
/// enough to ask whether a policy concerns it.
pub fn likely_tuple(bytes: &[u8], ip: &Ip) -> Tuple<V4> {
    let has_ports = matches!(ip.proto, TCP | UDP) && !ip.fragment;
    let l4 = bytes.get(ip.header_len..).filter(|_| has_ports);
    tuple(ip, l4.and_then(ports).unwrap_or_default())
}

#[inline]
fn tuple(ip: &Ip, (src_port, dst_port): Ports) -> Tuple<V4> {
    let src = Endpoint {
        addr: ip.src,
        port: src_port,
    };
    let dst = Endpoint {
        addr: ip.dst,
        port: dst_port,
    };
    Tuple::new(ip.proto, src, dst)
}

#[inline]
fn flow(ip: &Ip, l4: L4, ports: Ports, edge: Edge) -> Kind {
    Kind::Flow(Packet {
        tuple: tuple(ip, ports),
        l4,
        l4_offset: ip.header_len,
        l4_len: l4.len(),
        edge,
    })
}

#[inline]
fn ports(l4: &[u8]) -> Option<Ports> {
    Some((get16(l4, 0)?, get16(l4, 2)?))
}

#[inline]
fn tcp(l4: &[u8], room: usize) -> Option<(Ports, Edge)> {
    let l4 = l4.get(..L4::Tcp.len())?;
    let [offset, flags] = get(l4, 12)?;
    let header_len = usize::from(offset >> 4).wrapping_mul(4);
    (L4::Tcp.len()..=room).contains(&header_len).then_some(())?;
    Some((ports(l4)?, Edge::of(flags)))
}

const TCP_FIN: u8 = 1;
const TCP_SYN: u8 = 2;
const TCP_RST: u8 = 4;

#[inline]
fn udp(l4: &[u8], room: usize) -> Option<Ports> {
    let l4 = l4.get(..L4::Udp.len())?;
    let len = usize::from(get16(l4, 4)?.to_host());
    (L4::Udp.len()..=room).contains(&len).then_some(())?;
    ports(l4)
}

/// Which end an ICMP query is identified for: the source by a request, the destination by a reply.
/// `None` if the message is neither.
#[inline]
pub(super) const fn identified(kind: u8) -> Option<Half> {
    match kind {
        // Echo, timestamp, information (RFC 792), address mask (RFC 950), extended echo (RFC 8335).
        8 | 13 | 15 | 17 | 42 => Some(Half::Src),
        0 | 14 | 16 | 18 | 43 => Some(Half::Dst),
        _ => None,
    }
}

/// The ports of an ICMP query; `None` if it is none.
#[inline]
fn query(kind: u8, identifier: Be16) -> Option<Ports> {
    identified(kind).map(|end| match end {
        Half::Src => (identifier, Be16::default()),
        Half::Dst => (Be16::default(), identifier),
    })
}

#[inline]
fn icmp(bytes: &[u8], l4: &[u8], ip: &Ip) -> Result<Kind, Malformed> {
    let [kind, _, _, _, id @ .., _, _] = *l4.first_chunk::<ICMP_LEN>().ok_or(Malformed)?;
    match kind {
        UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM => error(bytes, ip),
        _ => Ok(match query(kind, Be16::from_bytes(id)) {
            Some(ports) => flow(ip, L4::Icmp, ports, Edge::None),
            None => Kind::Other(Unsupported::Protocol),
        }),
    }
}

/// Reads the packet quoted by an ICMP error (RFC 792; RFC 5508 section 4). Its total length is not
/// looked at: it may have been cut, and routers are known to quote it in the wrong byte order.
pub(super) fn error(bytes: &[u8], outer: &Ip) -> Result<Kind, Malformed> {
    let inner_offset = outer.header_len.wrapping_add(ICMP_LEN);
    let quoted = bytes.get(inner_offset..).ok_or(Malformed)?;
    let inner = header(quoted).ok_or(Malformed)?;
    let later_fragment = get16(quoted, 6).ok_or(Malformed)?.to_host() & 0x1fff != 0;
    let l4 = quoted.get(inner.header_len..).ok_or(Malformed)?;
    let l4: &[u8; QUOTED_LEN] = l4.first_chunk().ok_or(Malformed)?;
    if later_fragment {
        return Err(Malformed);
    }
    let Some((inner_l4, ports)) = quoted_l4(l4, inner.proto)? else {
        return Ok(Kind::Other(Unsupported::Protocol));
    };
    let inner_l4_offset = inner_offset.wrapping_add(inner.header_len);
    let end = inner_l4_offset
        .wrapping_add(inner_l4.len())
        .min(outer.total_len);
    if end > bytes.len() {
        return Err(Malformed);
    }
    Ok(Kind::Error(IcmpError {
        outer_src: outer.src,
        outer_dst: outer.dst,
        icmp_offset: outer.header_len,
        inner: tuple(&inner, ports),
        inner_offset,
        inner_l4,
        inner_l4_offset,
        end,
    }))
}

/// Reads what is quoted of a transport header; `None` if it is none that is translated.
///
/// Fails if it is an ICMP error: nobody may send an error about an error (RFC 1122 section 3.2.2).
fn quoted_l4(l4: &[u8; QUOTED_LEN], proto: u8) -> Result<Option<(L4, Ports)>, Malformed> {
    let [a, b, c, d, e, f, ..] = *l4;
    let ports = (Be16::from_bytes([a, b]), Be16::from_bytes([c, d]));
    match (proto, a) {
        (TCP, _) => Ok(Some((L4::Tcp, ports))),
        (UDP, _) => Ok(Some((L4::Udp, ports))),
        (ICMP, UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM) => {
            Err(Malformed)
        }
        (ICMP, kind) => Ok(query(kind, Be16::from_bytes([e, f])).map(|ports| (L4::Icmp, ports))),
        _ => Ok(None),
    }
}

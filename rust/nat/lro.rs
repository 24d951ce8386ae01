// SPDX-License-Identifier: GPL-2.0

//! Aggregation of TCP segments before they are translated: which segment may join the one before
//! it, and what of it the two then carry.
//!
//! The slices hold the headers of a packet, from the IP header on. All integers of TCP's that go
//! around (RFC 9293, section 3.4; RFC 7323, section 5.2) are compared as such.

use super::tuple::TCP;
use super::wire::{get, get16, put};

/// Bytes of an IPv4 header without options.
const V4_LEN: usize = 20;
/// Bytes of an IPv6 header.
const V6_LEN: usize = 40;
/// Bytes of a TCP header without options.
const TCP_LEN: usize = 20;
/// Bytes of a TCP header with the timestamp option alone, padded as everybody does.
const TIMESTAMP_LEN: usize = 32;
/// Two NOPs, and kind and length of the timestamp option (RFC 7323, appendix A).
const TIMESTAMP: [u8; 4] = [1, 1, 8, 10];
/// The ECN bits of the traffic class, all set: congestion experienced (RFC 3168).
const CE: u8 = 3;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;
const ECE: u8 = 0x40;
const CWR: u8 = 0x80;

/// What is aggregated on a device.
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub enum Mode {
    /// Nothing but what the kernel does by itself.
    #[default]
    Off,
    /// What can be taken apart to the same bytes: what the kernel does by itself, up to the limit,
    /// and counted.
    Strict,
    /// Also segments that differ in ACK number, window and timestamps.
    Lro,
}

/// How segments are aggregated on a device.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Setting {
    /// Which.
    pub mode: Mode,
    /// Segments of an aggregate at most, 2 at least.
    pub limit: u8,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            limit: 16,
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why a packet was left alone, or an aggregate came to its end.
        #[derive(Copy, Clone, Eq, PartialEq, Debug)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    /// The packet is longer than its IP header says, or shorter.
    Padding,
    /// Not TCP.
    NotTcp,
    /// IPv4 options, IPv6 extension headers, or a fragment.
    IpOptions,
    /// ECN: congestion experienced.
    Ce,
    /// TCP without payload.
    NoData,
    /// TCP flag CWR.
    Cwr,
    /// TCP flag ECE.
    Ece,
    /// TCP flag SYN.
    Syn,
    /// TCP flag FIN.
    Fin,
    /// TCP flag URG.
    Urg,
    /// TCP flag PSH.
    Psh,
    /// TCP flag RST.
    Rst,
    /// TCP without the flag ACK.
    NoAck,
    /// TCP options other than the timestamp, or a header length that cannot be.
    TcpOptions,
    /// Not the next in sequence.
    Sequence,
    /// Another ACK number; in mode lro, one that goes back.
    Ack,
    /// Another window. Not in mode lro.
    Window,
    /// Another timestamp; in mode lro, one that goes back, or one of the two has none.
    Timestamp,
    /// Other fields of the headers differ: TTL, TOS, DF, identification, TCP's reserved bits.
    Header,
    /// Longer than the first segment.
    Mss,
    /// Shorter than the first segment, which made it the last.
    Short,
    /// As many segments as the limit says.
    Limit,
    /// No room for another segment in 64 KiB.
    MaxSize,
    /// The TCP checksum is wrong.
    Checksum,
    /// The headers of what is held may not be written: they are those of a clone, too.
    Shared,
    /// The kernel did not merge, for reasons of its own.
    Other,
}

/// A TCP segment, as its headers say.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Segment {
    /// Where the TCP header begins.
    at: usize,
    /// Bytes of the TCP header.
    header_len: usize,
    /// Bytes of payload.
    pub payload: usize,
    flags: u8,
    ecn: u8,
}

impl Segment {
    /// Reads the headers of a packet of which `len` bytes were received.
    ///
    /// Fails with [`Reason::NotTcp`], [`Reason::Padding`], [`Reason::IpOptions`], or
    /// [`Reason::TcpOptions`] if the TCP header is impossible.
    #[inline]
    pub fn read(headers: &[u8], len: usize) -> Result<Self, Reason> {
        let (at, ecn) = match headers.first().map(|byte| byte >> 4) {
            Some(4) => v4(headers, len)?,
            Some(6) => v6(headers, len)?,
            _ => return Err(Reason::NotTcp),
        };
        let [offset, flags] = get(headers, at.wrapping_add(12)).ok_or(Reason::NoData)?;
        let header_len = usize::from(offset >> 4).wrapping_mul(4);
        let end = at.wrapping_add(header_len);
        match len.checked_sub(end) {
            Some(payload) if header_len >= TCP_LEN => Ok(Self {
                at,
                header_len,
                payload,
                flags,
                ecn,
            }),
            _ => Err(Reason::TcpOptions),
        }
    }

    /// Which rule of mode lro keeps it alone, whatever came before it.
    #[inline]
    pub fn refusal(&self, headers: &[u8]) -> Option<Reason> {
        if self.ecn == CE {
            return Some(Reason::Ce);
        }
        if self.payload == 0 {
            return Some(Reason::NoData);
        }
        if self.flags != ACK {
            return flag(self.flags, ACK);
        }
        let known = self.header_len == TCP_LEN || self.has_timestamp(headers);
        (!known).then_some(Reason::TcpOptions)
    }

    /// Which of its flags ends an aggregate of the kernel's.
    pub fn ending(&self) -> Option<Reason> {
        flag(self.flags & (URG | PSH | RST | SYN | FIN), 0)
    }

    /// Is the timestamp the only option in `headers`, which lie as its own do?
    fn has_timestamp(&self, headers: &[u8]) -> bool {
        let header_len = (self.word(headers, 12) >> 28).wrapping_mul(4);
        let options = get(headers, self.at.wrapping_add(TCP_LEN));
        header_len as usize == TIMESTAMP_LEN && options == Some(TIMESTAMP)
    }

    fn word(&self, headers: &[u8], offset: usize) -> u32 {
        get(headers, self.at.wrapping_add(offset)).map_or(0, u32::from_be_bytes)
    }

    fn seq(&self, headers: &[u8]) -> u32 {
        self.word(headers, 4)
    }

    fn ack(&self, headers: &[u8]) -> u32 {
        self.word(headers, 8)
    }

    fn options<'a>(&self, headers: &'a [u8]) -> Option<&'a [u8]> {
        let end = self.at.wrapping_add(self.header_len);
        headers.get(self.at.wrapping_add(TCP_LEN)..end)
    }
}

/// Where TCP begins, and the ECN bits.
#[inline]
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
#[inline]
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
fn flag(flags: u8, usual: u8) -> Option<Reason> {
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

/// What is held of the flow of a segment: one packet, or what several were merged into.
#[derive(Copy, Clone, Debug)]
pub struct Held<'a> {
    /// Its headers. They lie as those of the segment do.
    pub headers: &'a [u8],
    /// Bytes of payload of all segments.
    pub payload: usize,
    /// Bytes of payload of the first one.
    pub mss: usize,
    /// How many segments.
    pub segments: usize,
}

/// A segment that may join what is held.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Fit {
    /// Nothing but sequence numbers and lengths differ.
    Same,
    /// ACK number, window or timestamps differ.
    Newer,
}

/// May a segment that no rule refuses join what is held? The IP headers are not looked at.
#[inline]
pub fn fit(segment: &Segment, headers: &[u8], held: &Held<'_>) -> Result<Fit, Reason> {
    let next = segment.seq(held.headers).wrapping_add(held.payload as u32);
    if next != segment.seq(headers) {
        return Err(Reason::Sequence);
    }
    // The rest of the word are flags and reserved bits.
    let header_len = |headers| segment.word(headers, 12) >> 28;
    if header_len(held.headers) != header_len(headers) {
        return Err(Reason::Timestamp);
    }
    if goes_back(segment.ack(held.headers), segment.ack(headers)) {
        return Err(Reason::Ack);
    }
    let stamp = |headers| segment.word(headers, TCP_LEN.wrapping_add(4));
    if segment.header_len == TIMESTAMP_LEN && goes_back(stamp(held.headers), stamp(headers)) {
        return Err(Reason::Timestamp);
    }
    if segment.payload > held.mss {
        return Err(Reason::Mss);
    }
    let (old, new) = (
        Changing::of(segment, held.headers),
        Changing::of(segment, headers),
    );
    Ok(match old == new {
        true => Fit::Same,
        false => Fit::Newer,
    })
}

fn goes_back(from: u32, to: u32) -> bool {
    (to.wrapping_sub(from) as i32) < 0
}

/// What an aggregate has of its last segment.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Changing {
    at: usize,
    ack: [u8; 4],
    window: [u8; 2],
    /// TSval and TSecr.
    timestamps: Option<[u8; 8]>,
}

impl Changing {
    /// That of `headers`, which lie as those of `segment` do.
    pub fn of(segment: &Segment, headers: &[u8]) -> Option<Self> {
        let at = segment.at;
        let timestamps = match segment.header_len {
            TIMESTAMP_LEN => Some(get(headers, at.wrapping_add(TCP_LEN).wrapping_add(4))?),
            _ => None,
        };
        Some(Self {
            at,
            ack: get(headers, at.wrapping_add(8))?,
            window: get(headers, at.wrapping_add(14))?,
            timestamps,
        })
    }

    /// Writes it into other headers; `None`, with nothing written, if they end too early.
    pub fn put(&self, headers: &mut [u8]) -> Option<()> {
        let end = match self.timestamps {
            Some(_) => TIMESTAMP_LEN,
            None => TCP_LEN,
        };
        let tcp = headers.get_mut(self.at..self.at.wrapping_add(end))?;
        put(tcp, 8, self.ack)?;
        put(tcp, 14, self.window)?;
        match self.timestamps {
            Some(timestamps) => put(tcp, TCP_LEN.wrapping_add(4), timestamps),
            None => Some(()),
        }
    }
}

/// Why the kernel does not merge a segment with what is held, by what it compares
/// (`tcp_gro_receive()`, `inet_gro_flush()`, `ipv6_gro_flush()`).
pub fn difference(segment: &Segment, headers: &[u8], held: &Held<'_>) -> Reason {
    if segment.payload == 0 {
        return Reason::NoData;
    }
    match fit(segment, headers, held) {
        Err(Reason::Ack | Reason::Timestamp) | Ok(_) => {}
        Err(reason) => return reason,
    }
    let flags = |headers| segment.word(headers, 12);
    let known = segment.flags ^ (flags(held.headers) >> 16) as u8;
    if let Some(reason) = flag(known & !(FIN | PSH), 0) {
        return reason;
    }
    if segment.ack(headers) != segment.ack(held.headers) {
        return Reason::Ack;
    }
    if get16(headers, segment.at.wrapping_add(14))
        != get16(held.headers, segment.at.wrapping_add(14))
    {
        return Reason::Window;
    }
    let header_len = |headers| flags(headers) >> 28;
    let alike = header_len(headers) == header_len(held.headers);
    if !alike || segment.options(headers) != segment.options(held.headers) {
        let gone = segment.header_len == TCP_LEN && segment.has_timestamp(held.headers);
        return match gone || segment.has_timestamp(headers) {
            true => Reason::Timestamp,
            false => Reason::TcpOptions,
        };
    }
    let reserved = (flags(headers) ^ flags(held.headers)) & 0x0f00_0000 != 0;
    match reserved || differs_below(headers, held) {
        true => Reason::Header,
        false => Reason::Other,
    }
}

/// Do the IP headers differ in more than lengths and checksums?
fn differs_below(headers: &[u8], held: &Held<'_>) -> bool {
    let differ = |at: usize, mask: u8| {
        let byte = |headers: &[u8]| headers.get(at).map(|byte| byte & mask);
        byte(headers) != byte(held.headers)
    };
    if headers.first().is_some_and(|byte| byte >> 4 == 6) {
        return differ(0, 0xff)
            || differ(1, 0xff)
            || differ(2, 0xff)
            || differ(3, 0xff)
            || differ(7, 0xff);
    }
    let id = |headers| get16(headers, 4).map_or(0, |id| id.to_host());
    let step = usize::from(id(headers).wrapping_sub(id(held.headers)));
    differ(1, 0xff) || differ(6, 0x40) || differ(8, 0xff) || (step != 0 && step != held.segments)
}

// SPDX-License-Identifier: GPL-2.0

//! Which segments may join what is held, and what the two then carry.

use super::segment::{flag, Header, Options, Segment, FIN, PSH, TCP_LEN};
use super::Reason;
use crate::nat::wire::{get16, put};

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
    /// ACK number, window or timestamps differ: this is what they were.
    Newer(Changing),
}

/// May a segment that no rule refuses join what is held? The IP headers are not looked at.
#[inline(always)]
pub fn fit(segment: &Segment, held: &Held<'_>) -> Result<Fit, Reason> {
    let new = &segment.tcp;
    let old = Header::read(held.headers, segment.at).ok_or(Reason::Other)?;
    if old.seq.wrapping_add(held.payload as u32) != new.seq {
        return Err(Reason::Sequence);
    }
    match (old.options, new.options) {
        (Options::None, Options::None) => {}
        (Options::Stamps(old), Options::Stamps(new)) => {
            if goes_back((old >> 32) as u32, (new >> 32) as u32) {
                return Err(Reason::Timestamp);
            }
        }
        _ => return Err(Reason::Timestamp),
    }
    if goes_back(old.ack, new.ack) {
        return Err(Reason::Ack);
    }
    if segment.payload > held.mss {
        return Err(Reason::Mss);
    }
    let (old, new) = (Changing::of(&old), Changing::of(new));
    Ok(match old == new {
        true => Fit::Same,
        false => Fit::Newer(old),
    })
}

#[inline(always)]
fn goes_back(from: u32, to: u32) -> bool {
    (to.wrapping_sub(from) as i32) < 0
}

/// What an aggregate has of its last segment.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Changing {
    ack: u32,
    window: u16,
    /// TSval and TSecr.
    stamps: Option<u64>,
}

impl Changing {
    #[inline(always)]
    fn of(tcp: &Header) -> Self {
        Self {
            ack: tcp.ack,
            window: tcp.window,
            stamps: match tcp.options {
                Options::Stamps(stamps) => Some(stamps),
                Options::None | Options::Other => None,
            },
        }
    }

    /// Writes it into headers that lie as those of `segment` do; `None`, with nothing written, if
    /// they end too early.
    #[inline(always)]
    pub fn put(&self, segment: &Segment, headers: &mut [u8]) -> Option<()> {
        let tcp = headers.get_mut(segment.at..)?;
        let (tcp, rest) = tcp.split_first_chunk_mut::<TCP_LEN>()?;
        if let Some(stamps) = self.stamps {
            put(rest, 4, stamps.to_be_bytes())?;
        }
        put(tcp, 8, self.ack.to_be_bytes())?;
        put(tcp, 14, self.window.to_be_bytes())
    }
}

impl Segment {
    /// What an aggregate that ends with it has of it.
    #[inline(always)]
    pub fn changing(&self) -> Changing {
        Changing::of(&self.tcp)
    }
}

/// Why the kernel does not merge a segment, whose headers are `headers`, with what is held, by what
/// it compares (`tcp_gro_receive()`, `inet_gro_flush()`, `ipv6_gro_flush()`).
#[cold]
pub fn difference(segment: &Segment, headers: &[u8], held: &Held<'_>) -> Reason {
    let new = &segment.tcp;
    let Some(old) = Header::read(held.headers, segment.at) else {
        return Reason::Other;
    };
    if segment.payload == 0 {
        return Reason::NoData;
    }
    if old.seq.wrapping_add(held.payload as u32) != new.seq {
        return Reason::Sequence;
    }
    if segment.payload > held.mss {
        return Reason::Mss;
    }
    if let Some(reason) = flag((new.flags ^ old.flags) & !(FIN | PSH), 0) {
        return reason;
    }
    if new.ack != old.ack {
        return Reason::Ack;
    }
    if new.window != old.window {
        return Reason::Window;
    }
    if options(segment, headers, new.len()) != options(segment, held.headers, old.len()) {
        return match (new.options, old.options) {
            (Options::Stamps(_), _) | (Options::None, Options::Stamps(_)) => Reason::Timestamp,
            _ => Reason::TcpOptions,
        };
    }
    let reserved = (new.offset ^ old.offset) & 0xf != 0;
    match reserved || differs_below(headers, held) {
        true => Reason::Header,
        false => Reason::Other,
    }
}

/// The options of a TCP header of `len` bytes, where the segment has its own.
fn options<'a>(segment: &Segment, headers: &'a [u8], len: usize) -> Option<&'a [u8]> {
    let end = segment.at.wrapping_add(len);
    headers.get(segment.at.wrapping_add(TCP_LEN)..end)
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

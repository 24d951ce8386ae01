// SPDX-License-Identifier: GPL-2.0

//! Aggregation of TCP segments before they are translated: which segment may join the one before
//! it, and what of it the two then carry.
//!
//! The slices hold the headers of a packet, from the IP header on. All integers of TCP's that go
//! around (RFC 9293, section 3.4; RFC 7323, section 5.2) are compared as such.

mod join;
mod segment;

pub use join::{difference, fit, Changing, Fit, Held};
pub use segment::Segment;

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

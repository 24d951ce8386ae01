// SPDX-License-Identifier: GPL-2.0

//! IP protocols by name.

use std::fmt;
use std::str::FromStr;

use netlink_packet_core::DecodeError;
use serde::{Serialize, Serializer};

use crate::wire::Value;

/// An IP protocol number; shown by name when it is one that can be translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proto(pub u8);

impl Proto {
    /// The Internet Control Message Protocol.
    pub const ICMP: Self = Self(1);
    /// The Transmission Control Protocol.
    pub const TCP: Self = Self(6);
    /// The User Datagram Protocol.
    pub const UDP: Self = Self(17);

    const NAMES: [(Self, &'static str); 3] =
        [(Self::ICMP, "icmp"), (Self::TCP, "tcp"), (Self::UDP, "udp")];

    fn name(self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|(proto, _)| *proto == self)
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl FromStr for Proto {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((proto, _)) = Self::NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*proto);
        }
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err("use tcp, udp, icmp or a number from 1 to 255".into()),
        }
    }
}

impl Serialize for Proto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Value for Proto {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        u8::read(payload).map(Self)
    }
}

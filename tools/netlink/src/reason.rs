// SPDX-License-Identifier: GPL-2.0

//! Reasons by name.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::generated::Stats;
use crate::schema::Attr;
use crate::wire::{Attributes, Value};
use netlink_packet_core::DecodeError;

/// Why packets are refused: the number of the counter in the set `stats`, shown by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub u32);

impl Reason {
    /// The counter, if it is known.
    pub fn counter(self) -> Option<&'static Attr> {
        let mut counters = Stats::SET.attrs.iter();
        counters.find(|attr| u32::from(attr.kind) == self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counter() {
            Some(counter) => f.pad(counter.name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Value for Reason {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        u32::read(payload).map(Self)
    }
}

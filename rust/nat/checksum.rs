// SPDX-License-Identifier: GPL-2.0

//! Incremental update of Internet checksums (RFC 1071, RFC 1624 equation 3).
//!
//! A one's-complement sum does not depend on byte order, so all of it is done on the bytes as they
//! are.

use super::addr::{Addr, Be16, V4};

/// The one's-complement sum of what was replaced: minus the old words, plus the new ones.
///
/// Words count only at even offsets from where the checksum begins.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Delta(u32);

impl Delta {
    /// The same change, for checksums alone.
    #[inline]
    pub fn fold(self) -> Fold {
        Fold(fold(self.0))
    }

    /// Adds the replacement of one 16-bit word.
    #[inline]
    pub fn replace16(&mut self, old: Be16, new: Be16) {
        self.replace(raw16(old).into(), raw16(new).into());
    }

    /// Adds the replacement of an address.
    #[inline]
    pub fn replace_v4(&mut self, old: V4, new: V4) {
        self.replace(
            u32::from_ne_bytes(old.to_bytes()),
            u32::from_ne_bytes(new.to_bytes()),
        );
    }

    /// A word that stays the same adds nothing, not even the other zero of one's complement: a
    /// packet that does not change keeps its checksum as it is.
    #[inline]
    fn replace(&mut self, old: u32, new: u32) {
        if old != new {
            self.add(!old);
            self.add(new);
        }
    }

    /// Adds everything `other` holds.
    #[inline]
    pub fn merge(&mut self, other: Delta) {
        self.add(other.0);
    }

    /// Adds with the carry brought round.
    #[inline]
    fn add(&mut self, word: u32) {
        let (sum, carry) = self.0.overflowing_add(word);
        self.0 = sum.wrapping_add(u32::from(carry));
    }

    /// Returns a complete checksum after the replacement. One that was wrong stays wrong.
    #[inline]
    pub fn apply(self, checksum: Be16) -> Be16 {
        from_raw16(!self.sum(!raw16(checksum)))
    }

    /// Returns the sum of a pseudo header after the replacement: what the checksum field holds, not
    /// inverted, when the rest is left to the device.
    #[inline]
    pub fn apply_partial(self, sum: Be16) -> Be16 {
        from_raw16(self.sum(raw16(sum)))
    }

    #[inline]
    fn sum(mut self, word: u16) -> u16 {
        self.add(u32::from(word));
        fold(self.0)
    }
}

/// A [`Delta`] with its carries brought round.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Fold(u16);

impl Fold {
    /// As [`Delta::apply`].
    #[inline]
    pub fn apply(self, checksum: Be16) -> Be16 {
        from_raw16(!self.add(!raw16(checksum)))
    }

    /// As [`Delta::apply_partial`].
    #[inline]
    pub fn apply_partial(self, sum: Be16) -> Be16 {
        from_raw16(self.add(raw16(sum)))
    }

    #[inline]
    fn add(self, word: u16) -> u16 {
        let (sum, carry) = self.0.overflowing_add(word);
        sum.wrapping_add(u16::from(carry))
    }
}

#[inline]
fn fold(sum: u32) -> u16 {
    let folded = (sum >> 16).wrapping_add(sum & 0xffff);
    (folded >> 16).wrapping_add(folded) as u16
}

#[inline]
fn raw16(value: Be16) -> u16 {
    u16::from_ne_bytes(value.to_bytes())
}

#[inline]
fn from_raw16(value: u16) -> Be16 {
    Be16::from_bytes(value.to_ne_bytes())
}

// SPDX-License-Identifier: GPL-2.0

//! Ranges of addresses, and the addresses of several ranges, numbered through from 0.

use super::addr::{Addr, Prefix};

/// Addresses from one to another, both included.
///
/// # Invariants
///
/// `min` is at most `max`.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct AddrRange<A> {
    min: A,
    max: A,
}

impl<A: Addr> AddrRange<A> {
    /// `None` if `max` is below `min`.
    pub fn new(min: A, max: A) -> Option<Self> {
        // INVARIANT: checked here.
        (min.to_u128() <= max.to_u128()).then_some(Self { min, max })
    }

    /// All addresses of a network.
    pub fn of(network: &Prefix<A>) -> Self {
        let last = network.with_host_of(A::from_u128(u128::MAX));
        // INVARIANT: No host part is above that of all ones.
        Self {
            min: network.addr(),
            max: last,
        }
    }

    /// The first address.
    pub fn min(&self) -> A {
        self.min
    }

    /// The last address.
    pub fn max(&self) -> A {
        self.max
    }

    /// Is there an address in both?
    pub fn overlaps(&self, other: &Self) -> bool {
        self.min.to_u128() <= other.max.to_u128() && other.min.to_u128() <= self.max.to_u128()
    }

    /// How many addresses there are; `u64::MAX` for more.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        let span = self.max.to_u128().wrapping_sub(self.min.to_u128());
        u64::try_from(span).map_or(u64::MAX, |span| span.saturating_add(1))
    }

    /// The place of an address, if it is one of them.
    fn place(&self, addr: A) -> Option<u64> {
        let offset = addr.to_u128().checked_sub(self.min.to_u128())?;
        let offset = u64::try_from(offset).ok()?;
        (addr.to_u128() <= self.max.to_u128()).then_some(offset)
    }
}

/// How many addresses there are.
pub fn count<A: Addr>(ranges: &[AddrRange<A>]) -> u64 {
    let lens = ranges.iter().map(AddrRange::len);
    lens.fold(0, u64::saturating_add)
}

/// The address at `index`.
pub fn address<A: Addr>(ranges: &[AddrRange<A>], mut index: u64) -> Option<A> {
    for range in ranges {
        if index < range.len() {
            let value = range.min.to_u128().wrapping_add(index.into());
            return Some(A::from_u128(value));
        }
        index = index.wrapping_sub(range.len());
    }
    None
}

/// The index of an address, if it is in one of the ranges, which do not overlap.
pub fn index<A: Addr>(ranges: &[AddrRange<A>], addr: A) -> Option<u64> {
    let mut before: u64 = 0;
    for range in ranges {
        if let Some(place) = range.place(addr) {
            return before.checked_add(place);
        }
        before = before.saturating_add(range.len());
    }
    None
}

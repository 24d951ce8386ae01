// SPDX-License-Identifier: GPL-2.0

//! Pools: outside addresses and ports, and how they are given out.

use crate::nat::addr::{Addr, V4};
use crate::nat::ports::{Parity, PortRange};
use crate::nat::tuple::ICMP;
use core::sync::atomic::AtomicU32;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A pool's name, padded with zeroes.
pub(crate) type Name = [u8; 32];

/// The most addresses a pool has.
pub(crate) const MAX_ADDRESSES: u64 = 65536;
/// The most ranges a pool has.
pub(crate) const MAX_RANGES: usize = 16;

/// Addresses from one to another, both included.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct AddrRange {
    min: V4,
    max: V4,
}

impl AddrRange {
    /// `None` if `max` is below `min`.
    pub(crate) fn new(min: V4, max: V4) -> Option<Self> {
        (min.to_u128() <= max.to_u128()).then_some(Self { min, max })
    }

    /// The first address.
    pub(crate) fn min(&self) -> V4 {
        self.min
    }

    /// The last address.
    pub(crate) fn max(&self) -> V4 {
        self.max
    }

    /// Is there an address in both?
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.min.to_u128() <= other.max.to_u128() && other.min.to_u128() <= self.max.to_u128()
    }

    /// How many addresses there are.
    pub(crate) fn len(&self) -> u64 {
        let span = self.max.to_u128().wrapping_sub(self.min.to_u128());
        (span as u64).wrapping_add(1)
    }
}

/// How the outside port of a new binding is chosen.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Allocation {
    /// At random.
    Random,
    /// The inside port if that is free, else at random.
    Preserve,
}

/// A pool. It does not change; policies that name it share it.
pub(crate) struct Pool {
    /// Its name.
    pub(crate) name: Name,
    /// Its addresses; none if it only gives a masquerade policy its ports.
    pub(crate) ranges: KVec<AddrRange>,
    /// Its ports.
    pub(crate) ports: PortRange,
    /// How ports are chosen.
    pub(crate) allocation: Allocation,
    /// Is the parity of the port kept?
    pub(crate) keeps_parity: bool,
    /// What its bindings are known by.
    pub(crate) realm: u64,
    /// Policies that name it.
    pub(crate) policies: AtomicU32,
    /// Bindings alive.
    pub(crate) bindings: Arc<AtomicU32>,
}

impl Pool {
    /// Which ports are as good as another for this inside port.
    pub(crate) fn parity(&self, proto: u8, inside: u16) -> Parity {
        match self.keeps_parity && proto != ICMP {
            true => Parity::of(inside),
            false => Parity::Any,
        }
    }

    /// How many addresses there are.
    pub(crate) fn addresses(&self) -> u64 {
        let lens = self.ranges.iter().map(AddrRange::len);
        lens.fold(0, u64::saturating_add)
    }

    /// Is this one of its addresses?
    pub(crate) fn contains(&self, addr: V4) -> bool {
        let one = AddrRange {
            min: addr,
            max: addr,
        };
        self.ranges.iter().any(|range| range.overlaps(&one))
    }

    /// The address at `index`, counted through all ranges.
    pub(crate) fn address(&self, mut index: u64) -> Option<V4> {
        for range in &self.ranges {
            if index < range.len() {
                let value = range.min.to_u128().wrapping_add(index.into());
                return Some(V4::from_u128(value));
            }
            index = index.wrapping_sub(range.len());
        }
        None
    }
}

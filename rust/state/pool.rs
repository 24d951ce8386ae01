// SPDX-License-Identifier: GPL-2.0

//! Pools: outside addresses and ports, and how they are given out.

use crate::nat::addr::V4;
use crate::nat::blocks::Deterministic;
use crate::nat::ports::{Parity, PortRange};
use crate::nat::ranges::{self, AddrRange};
use crate::nat::tuple::ICMP;
use crate::table::usage::Usage;
use core::sync::atomic::AtomicU32;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A pool's name, padded with zeroes.
pub(crate) type Name = [u8; 32];

/// The most addresses a pool has.
pub(crate) const MAX_ADDRESSES: u64 = 65536;
/// The most ranges a pool has.
pub(crate) const MAX_RANGES: usize = 16;

/// How the outside port of a new binding is chosen.
pub(crate) enum Allocation {
    /// At random.
    Random,
    /// The inside port if that is free, else at random.
    Preserve,
    /// At random, in blocks that each inside host has for itself: those of the pool's [`Usage`].
    Block,
    /// At random, among the ports that an inside host has by arithmetic.
    Deterministic(Sharing),
}

/// Which ports an inside host has by arithmetic.
pub(crate) struct Sharing {
    /// The inside hosts.
    pub(crate) inside: KVec<AddrRange<V4>>,
    /// How they share the addresses of the pool.
    pub(crate) map: Deterministic,
}

/// A pool. It does not change; policies that name it share it.
pub(crate) struct Pool {
    /// Its name.
    pub(crate) name: Name,
    /// Its addresses; none if it only gives a masquerade policy its ports.
    pub(crate) ranges: KVec<AddrRange<V4>>,
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
    /// What is in use of it.
    pub(crate) usage: Arc<Usage>,
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
        ranges::count(&self.ranges)
    }

    /// Is this one of its addresses?
    pub(crate) fn contains(&self, addr: V4) -> bool {
        ranges::index(&self.ranges, addr).is_some()
    }

    /// The address at `index`, counted through all ranges.
    pub(crate) fn address(&self, index: u64) -> Option<V4> {
        ranges::address(&self.ranges, index)
    }

    /// Is the inside port kept if it is free?
    pub(crate) fn preserves(&self) -> bool {
        matches!(self.allocation, Allocation::Preserve)
    }

    /// May a policy that masquerades take its ports from it? Not if the ports go by the pool's own
    /// addresses.
    pub(crate) fn has_ports_alone(&self) -> bool {
        matches!(self.allocation, Allocation::Random | Allocation::Preserve)
    }
}

impl Sharing {
    /// The outside address and the ports of an inside host.
    pub(crate) fn of(&self, pool: &Pool, host: V4) -> Option<(V4, PortRange)> {
        let number = ranges::index(&self.inside, host)?;
        let (outside, ports) = self.map.forward(number)?;
        Some((pool.address(outside)?, ports))
    }
}

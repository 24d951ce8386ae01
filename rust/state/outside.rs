// SPDX-License-Identifier: GPL-2.0

//! Which addresses are outside ones: those that source policies translate to.

use super::policy::{Entry, List, Target};
use super::pool::Pool;
use crate::nat::addr::{Addr, V4};
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::policy::Side;
use crate::nat::ranges::AddrRange;
use crate::nat::sort::{join, sort};
use crate::sys::dev::Device;
use crate::sys::memory::NodeArray;
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::Arc;

/// How many of the interfaces that policies name are looked at for one packet.
const UPLINKS: usize = 16;

/// The outside addresses of all source policies.
pub(super) struct Outside {
    /// Those of pools, from low to high.
    ranges: NodeArray<AddrRange<V4>>,
    /// The interfaces that policies masquerade at, in order.
    ifaces: NodeArray<Interfaces>,
    /// The interfaces that policies name which translate sources, in order.
    uplinks: NodeArray<Interfaces>,
    /// Does a policy masquerade wherever packets leave?
    anywhere: bool,
}

impl Outside {
    pub(super) fn build(list: &List, node: i32) -> Result<Self, AllocError> {
        let masquerades = |entry: &Entry| matches!(entry.target, Target::Masquerade(_));
        let translates =
            |entry: &Entry| entry.policy.action.side() == Side::Source && entry.translates();
        let (ranges, ifaces) = (ranges(list)?, ifaces(list, masquerades)?);
        let uplinks = self::ifaces(list, translates)?;
        let anywhere = |entry: &Arc<Entry>| {
            matches!(entry.target, Target::Masquerade(_)) && entry.policy.matches.out_iface.is_any()
        };
        Ok(Self {
            anywhere: list.iter().any(anywhere),
            ranges: NodeArray::new(ranges.len(), node, ranges.iter().copied())?,
            ifaces: NodeArray::new(ifaces.len(), node, ifaces.iter().copied())?,
            uplinks: NodeArray::new(uplinks.len(), node, uplinks.iter().copied())?,
        })
    }

    pub(super) fn copy(&self, node: i32) -> Result<Self, AllocError> {
        Ok(Self {
            anywhere: self.anywhere,
            ranges: NodeArray::new(self.ranges.len(), node, self.ranges.iter().copied())?,
            ifaces: NodeArray::new(self.ifaces.len(), node, self.ifaces.iter().copied())?,
            uplinks: NodeArray::new(self.uplinks.len(), node, self.uplinks.iter().copied())?,
        })
    }

    /// Is it an address of a pool?
    pub(super) fn has(&self, addr: V4) -> bool {
        let below = |range: &AddrRange<V4>| range.max().to_u128() < addr.to_u128();
        let range = self.ranges.get(self.ranges.partition_point(below));
        range.is_some_and(|range| range.min().to_u128() <= addr.to_u128())
    }

    /// Is it one that is masqueraded with at this interface, which a policy names?
    pub(super) fn masquerades(&self, addr: V4, dev: Device<'_>) -> bool {
        self.names(dev) && dev.masquerades_as(addr)
    }

    /// Does a policy masquerade?
    pub(super) fn masquerades_anywhere(&self) -> bool {
        self.anywhere || !self.ifaces.is_empty()
    }

    /// Are packets masqueraded that leave by this interface?
    pub(super) fn masquerades_at(&self, dev: Device<'_>) -> bool {
        self.anywhere || self.names(dev)
    }

    fn names(&self, dev: Device<'_>) -> bool {
        is_in(&self.ifaces, &dev.interface())
    }

    /// Does a policy that translates sources name this interface as its way out?
    pub(super) fn is_uplink(&self, iface: &Interface) -> bool {
        is_in(&self.uplinks, iface)
    }

    /// The interfaces that such policies name, some of them if they are many.
    pub(super) fn uplinks(&self) -> impl Iterator<Item = &Interfaces> {
        self.uplinks.iter().take(UPLINKS)
    }
}

/// Thousands of policies may share a few pools.
fn ranges(list: &List) -> Result<KVVec<AddrRange<V4>>, AllocError> {
    let mut pools = KVVec::<&Pool>::new();
    for entry in list {
        let Target::Pool(pool) = &entry.target else {
            continue;
        };
        if pools.last().is_none_or(|last| last.realm != pool.realm) {
            pools.push(pool, GFP_KERNEL)?;
        }
    }
    sort(&mut pools, |one, other| one.realm.cmp(&other.realm));
    let count = join(&mut pools, |one, other| {
        (one.realm == other.realm).then_some(*one)
    });
    pools.truncate(count);
    let mut ranges = KVVec::new();
    for range in pools.iter().flat_map(|pool| &pool.ranges) {
        ranges.push(*range, GFP_KERNEL)?;
    }
    for entry in list {
        if let Target::Netmap(to) = &entry.target {
            ranges.push(AddrRange::of(to), GFP_KERNEL)?;
        }
    }
    sort(&mut ranges, |one: &AddrRange<V4>, other| {
        one.min().to_u128().cmp(&other.min().to_u128())
    });
    let count = join(&mut ranges, |one, other| match one.overlaps(other) {
        true => AddrRange::new(one.min(), highest(one.max(), other.max())),
        false => None,
    });
    ranges.truncate(count);
    Ok(ranges)
}

fn is_in(sorted: &[Interfaces], iface: &Interface) -> bool {
    !sorted.is_empty()
        && Interfaces::all_with(iface).any(|some| sorted.binary_search(&some).is_ok())
}

fn highest(one: V4, other: V4) -> V4 {
    match one.to_u128() < other.to_u128() {
        true => other,
        false => one,
    }
}

/// What the policies that `wanted` picks name as the way out. One that takes any does not say which
/// interface is outside.
fn ifaces(list: &List, wanted: impl Fn(&Entry) -> bool) -> Result<KVVec<Interfaces>, AllocError> {
    let mut ifaces = KVVec::<Interfaces>::new();
    for entry in list {
        let some = entry.policy.matches.out_iface;
        if wanted(entry) && !some.is_any() && ifaces.last() != Some(&some) {
            ifaces.push(some, GFP_KERNEL)?;
        }
    }
    sort(&mut ifaces, Ord::cmp);
    let count = join(&mut ifaces, |one, other| (one == other).then_some(*one));
    ifaces.truncate(count);
    Ok(ifaces)
}

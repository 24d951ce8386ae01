// SPDX-License-Identifier: GPL-2.0

//! What a request says of a pool.

use super::super::once_in;
use crate::nat::addr::{Addr, Prefix, V4};
use crate::nat::blocks::{Blocks, Deterministic};
use crate::nat::ports::PortRange;
use crate::nat::ranges::{self, AddrRange};
use crate::state::pool::{Allocation, Name, Pool, Sharing, MAX_ADDRESSES, MAX_RANGES};
use crate::state::Net;
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attr, Attrs};
use crate::sys::uapi::*;
use crate::table::blocks::{Division, PortBlocks};
use crate::table::usage::Usage;
use core::sync::atomic::AtomicU32;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Ports of a block, if the request does not say.
const BLOCK_SIZE: u16 = 512;
/// Blocks that an inside address may have, if the request does not say.
const MAX_BLOCKS: u16 = 4;

/// The pool that is asked for.
pub(super) fn pool(attrs: &Attrs<'_>, name: Name, net: &Net, realm: u64) -> Result<Pool, Refusal> {
    let ranges = outside(attrs)?;
    let asked = attrs.get(FASTNAT_A_POOL_ALLOCATION);
    let asked = asked.map_or(FASTNAT_ALLOCATION_RANDOM, |attr| attr.u32());
    fitting(attrs, asked, &ranges)?;
    let ports = ports(attrs, asked)?;
    let (allocation, blocks) = match asked {
        FASTNAT_ALLOCATION_PRESERVE => (Allocation::Preserve, None),
        FASTNAT_ALLOCATION_BLOCK => {
            let blocks = blocks(attrs, name, net, (&ranges, ports))?;
            (Allocation::Block, Some(blocks))
        }
        FASTNAT_ALLOCATION_DETERMINISTIC => {
            let sharing = sharing(attrs, ranges::count(&ranges), ports)?;
            (Allocation::Deterministic(sharing), None)
        }
        _ => (Allocation::Random, None),
    };
    let rests = matches!(allocation, Allocation::Random | Allocation::Preserve);
    Ok(Pool {
        name,
        ranges,
        ports,
        allocation,
        keeps_parity: attrs.get(FASTNAT_A_POOL_PARITY).is_some(),
        realm,
        policies: AtomicU32::new(0),
        usage: Arc::new(Usage::new(blocks, rests), GFP_KERNEL)?,
    })
}

/// Attributes of another way of allocation would say nothing.
fn fitting(attrs: &Attrs<'_>, asked: u32, ranges: &[AddrRange<V4>]) -> Result<(), Refusal> {
    let allowed = [
        (FASTNAT_A_POOL_BLOCK_SIZE, FASTNAT_ALLOCATION_BLOCK),
        (FASTNAT_A_POOL_MAX_BLOCKS, FASTNAT_ALLOCATION_BLOCK),
        (FASTNAT_A_POOL_INSIDE, FASTNAT_ALLOCATION_DETERMINISTIC),
    ];
    let mut wrong = allowed.iter().filter(|(_, of)| *of != asked);
    if let Some(attr) = wrong.find_map(|(kind, _)| attrs.get(*kind)) {
        let refusal = Refusal::new(EINVAL, c"this allocation does not take the attribute");
        return Err(refusal.at(Some(attr)));
    }
    let by_address = matches!(
        asked,
        FASTNAT_ALLOCATION_BLOCK | FASTNAT_ALLOCATION_DETERMINISTIC
    );
    match by_address && ranges.is_empty() {
        true => Err(Refusal::missing(FASTNAT_A_POOL_RANGE)),
        false => Ok(()),
    }
}

fn blocks(
    attrs: &Attrs<'_>,
    name: Name,
    net: &Net,
    (ranges, ports): (&KVec<AddrRange<V4>>, PortRange),
) -> Result<PortBlocks, Refusal> {
    let number = |kind, default| attrs.get(kind).map_or(default, |attr| attr.u16());
    let size = number(FASTNAT_A_POOL_BLOCK_SIZE, BLOCK_SIZE);
    let refusal = Refusal::new(
        ERANGE,
        c"a block has more ports than an address of the pool",
    );
    let refusal = refusal.at(attrs.get(FASTNAT_A_POOL_BLOCK_SIZE));
    let division = Division {
        pool: name,
        blocks: Blocks::new(ports, size.into()).ok_or(refusal)?,
        most: number(FASTNAT_A_POOL_MAX_BLOCKS, MAX_BLOCKS).into(),
    };
    let node = net.nodes.ids().first().copied().unwrap_or(0);
    let mut copy = KVec::with_capacity(ranges.len(), GFP_KERNEL)?;
    copy.extend_from_slice(ranges, GFP_KERNEL)?;
    let refusal = Refusal::new(E2BIG, c"a pool has at most 1048576 blocks");
    let refusal = refusal.at(attrs.get(FASTNAT_A_POOL_BLOCK_SIZE));
    PortBlocks::new(division, copy, node, net.events.clone())?.ok_or(refusal)
}

fn sharing(attrs: &Attrs<'_>, outside: u64, ports: PortRange) -> Result<Sharing, Refusal> {
    let kind = FASTNAT_A_POOL_INSIDE;
    let first = attrs.get(kind).ok_or_else(|| Refusal::missing(kind))?;
    let inside = self::ranges(attrs, kind)?;
    let refusal = Refusal::new(
        ERANGE,
        c"the pool has fewer ports than there are inside addresses",
    );
    let map = Deterministic::new(ranges::count(&inside), outside, ports);
    Ok(Sharing {
        inside,
        map: map.ok_or_else(|| refusal.at(Some(first)))?,
    })
}

/// Outside addresses: there is memory for each.
fn outside(attrs: &Attrs<'_>) -> Result<KVec<AddrRange<V4>>, Refusal> {
    let kind = FASTNAT_A_POOL_RANGE;
    let ranges = ranges(attrs, kind)?;
    let loopback = AddrRange::of(&Prefix::LOOPBACK);
    let mut addresses = 0u64;
    for (range, attr) in ranges.iter().zip(attrs.all(kind)) {
        if loopback.overlaps(range) {
            let refusal = Refusal::new(EINVAL, c"nobody answers to loopback addresses");
            return Err(refusal.at(Some(attr)));
        }
        addresses = addresses.saturating_add(range.len());
        if addresses > MAX_ADDRESSES {
            let refusal = Refusal::new(E2BIG, c"a pool has at most 65536 addresses");
            return Err(refusal.at(Some(attr)));
        }
    }
    Ok(ranges)
}

fn ranges(attrs: &Attrs<'_>, kind: u32) -> Result<KVec<AddrRange<V4>>, Refusal> {
    let mut ranges = KVec::new();
    for attr in attrs.all(kind) {
        let range = range(attr)?;
        let at = |refusal: Refusal| refusal.at(Some(attr));
        if ranges.len() == MAX_RANGES {
            return Err(at(Refusal::new(E2BIG, c"a pool has at most 16 ranges")));
        }
        if ranges
            .iter()
            .any(|other: &AddrRange<V4>| other.overlaps(&range))
        {
            return Err(at(Refusal::new(EINVAL, c"two ranges of the pool overlap")));
        }
        ranges.push(range, GFP_KERNEL)?;
    }
    Ok(ranges)
}

fn range(attr: Attr<'_>) -> Result<AddrRange<V4>, Refusal> {
    let inside = attr.nested();
    once_in(&inside, None)?;
    let min = inside.get(FASTNAT_A_RANGE_ADDR_MIN);
    let min =
        min.ok_or_else(|| Refusal::new(EINVAL, c"the range has no first address").at(Some(attr)))?;
    let max = inside.get(FASTNAT_A_RANGE_ADDR_MAX).unwrap_or(min);
    let refusal = Refusal::new(ERANGE, c"the last address is below the first").at(Some(max));
    let range = AddrRange::new(min.addr(), max.addr()).ok_or(refusal)?;
    if min.addr().is_unspecified() || max.addr().is_multicast() || min.addr().is_multicast() {
        let refusal = Refusal::new(EINVAL, c"these are not addresses of hosts");
        return Err(refusal.at(Some(min)));
    }
    Ok(range)
}

/// Without a word, ports that are no host's own are not well-known ones.
fn ports(attrs: &Attrs<'_>, allocation: u32) -> Result<PortRange, Refusal> {
    let port = |kind, default| attrs.get(kind).map_or(default, |attr| attr.u16());
    let lowest = match allocation {
        FASTNAT_ALLOCATION_BLOCK | FASTNAT_ALLOCATION_DETERMINISTIC => 1024,
        _ => 1,
    };
    let min = port(FASTNAT_A_POOL_PORT_MIN, lowest);
    let max = port(FASTNAT_A_POOL_PORT_MAX, u16::MAX);
    let refusal = || {
        Refusal::new(ERANGE, c"the last port is below the first")
            .at(attrs.get(FASTNAT_A_POOL_PORT_MAX))
    };
    PortRange::new(min, max).ok_or_else(refusal)
}

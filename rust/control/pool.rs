// SPDX-License-Identifier: GPL-2.0

//! pool-add, pool-del, pool-get.

use super::{once, once_in};
use crate::nat::addr::Addr;
use crate::nat::ports::PortRange;
use crate::state::pool::{AddrRange, Allocation, Name, Pool, MAX_ADDRESSES, MAX_RANGES};
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Attrs, Message};
use crate::sys::uapi::*;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

doit!(fastnat_nl_pool_add_doit, add);
doit!(fastnat_nl_pool_del_doit, del);
dumpit!(fastnat_nl_pool_get_dumpit, list);

fn name(attrs: &Attrs<'_>) -> Result<Name, Refusal> {
    let attr = attrs.get(FASTNAT_A_POOL_NAME);
    let attr = attr.ok_or_else(|| Refusal::missing(FASTNAT_A_POOL_NAME))?;
    let refusal = Refusal::new(EINVAL, c"the name of a pool has 1 to 31 characters");
    attr.name().ok_or_else(|| refusal.at(Some(attr)))
}

fn add(request: &Request<'_>) -> Answer {
    once(request, Some(FASTNAT_A_POOL_RANGE))?;
    let attrs = &request.attrs;
    let (name, ranges, ports) = (name(attrs)?, ranges(attrs)?, ports(attrs)?);
    let net = request.net.state_or_new()?;
    let mut control = net.control.lock();
    let pool = Pool {
        name,
        ranges,
        ports,
        allocation: allocation(attrs),
        keeps_parity: attrs.get(FASTNAT_A_POOL_PARITY).is_some(),
        realm: control.next_realm(),
        policies: AtomicU32::new(0),
        bindings: Arc::new(AtomicU32::new(0), GFP_KERNEL)?,
    };
    control
        .add_pool(pool)
        .map_err(|refused| Refusal::from(refused).at(attrs.get(FASTNAT_A_POOL_NAME)))
}

fn allocation(attrs: &Attrs<'_>) -> Allocation {
    match attrs.get(FASTNAT_A_POOL_ALLOCATION).map(|attr| attr.u32()) {
        Some(FASTNAT_ALLOCATION_PRESERVE) => Allocation::Preserve,
        _ => Allocation::Random,
    }
}

fn ranges(attrs: &Attrs<'_>) -> Result<KVec<AddrRange>, Refusal> {
    let mut ranges = KVec::new();
    let mut addresses = 0u64;
    for attr in attrs.all(FASTNAT_A_POOL_RANGE) {
        let range = range(attr)?;
        let at = |refusal: Refusal| refusal.at(Some(attr));
        if ranges.len() == MAX_RANGES {
            return Err(at(Refusal::new(E2BIG, c"a pool has at most 16 ranges")));
        }
        addresses = addresses.saturating_add(range.len());
        if addresses > MAX_ADDRESSES {
            return Err(at(Refusal::new(
                E2BIG,
                c"a pool has at most 65536 addresses",
            )));
        }
        if ranges
            .iter()
            .any(|other: &AddrRange| other.overlaps(&range))
        {
            return Err(at(Refusal::new(EINVAL, c"two ranges of the pool overlap")));
        }
        ranges.push(range, GFP_KERNEL)?;
    }
    Ok(ranges)
}

fn range(attr: Attr<'_>) -> Result<AddrRange, Refusal> {
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

fn ports(attrs: &Attrs<'_>) -> Result<PortRange, Refusal> {
    let port = |kind, default| attrs.get(kind).map_or(default, |attr| attr.u16());
    let min = port(FASTNAT_A_POOL_PORT_MIN, 1);
    let max = port(FASTNAT_A_POOL_PORT_MAX, u16::MAX);
    let refusal = || {
        Refusal::new(ERANGE, c"the last port is below the first")
            .at(attrs.get(FASTNAT_A_POOL_PORT_MAX))
    };
    PortRange::new(min, max).ok_or_else(refusal)
}

fn del(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attr = request.attrs.get(FASTNAT_A_POOL_NAME);
    let name = name(&request.attrs)?;
    let none = || Refusal::new(ENOENT, c"there is no such pool").at(attr);
    let net = request.net.state().ok_or_else(none)?;
    let done = net.control.lock().del_pool(&name);
    done.map_err(|refused| Refusal::from(refused).at(attr))
}

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    let control = net.control.lock();
    dump.generation(control.generation());
    dump.list(control.pools().iter(), |message, pool| put(message, pool));
    Ok(())
}

fn put(message: &mut Message<'_>, pool: &Pool) -> Result {
    message.name(FASTNAT_A_POOL_NAME, &pool.name)?;
    for range in &pool.ranges {
        message.nest(FASTNAT_A_POOL_RANGE, |message| {
            message.addr(FASTNAT_A_RANGE_ADDR_MIN, range.min())?;
            message.addr(FASTNAT_A_RANGE_ADDR_MAX, range.max())
        })?;
    }
    let allocation = match pool.allocation {
        Allocation::Random => FASTNAT_ALLOCATION_RANDOM,
        Allocation::Preserve => FASTNAT_ALLOCATION_PRESERVE,
    };
    message.u16(FASTNAT_A_POOL_PORT_MIN, pool.ports.min())?;
    message.u16(FASTNAT_A_POOL_PORT_MAX, pool.ports.max())?;
    message.u32(FASTNAT_A_POOL_ALLOCATION, allocation)?;
    if pool.keeps_parity {
        message.flag(FASTNAT_A_POOL_PARITY)?;
    }
    message.u32(
        FASTNAT_A_POOL_POLICIES,
        pool.policies.load(Ordering::Relaxed),
    )?;
    message.u32(
        FASTNAT_A_POOL_BINDINGS,
        pool.bindings.load(Ordering::Relaxed),
    )
}

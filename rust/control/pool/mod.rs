// SPDX-License-Identifier: GPL-2.0

//! pool-add, pool-del, pool-get, block-get.

mod read;

use super::once;
use crate::nat::addr::V4;
use crate::nat::ranges::AddrRange;
use crate::state::describe;
use crate::state::pool::{Allocation, Name, Pool};
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attrs, Message};
use crate::sys::uapi::*;
use core::sync::atomic::Ordering;
use kernel::prelude::*;

doit!(fastnat_nl_pool_add_doit, add);
doit!(fastnat_nl_pool_del_doit, del);
dumpit!(fastnat_nl_pool_get_dumpit, list);
dumpit!(fastnat_nl_block_get_dumpit, list_blocks);

fn name(attrs: &Attrs<'_>) -> Result<Name, Refusal> {
    let attr = attrs.get(FASTNAT_A_POOL_NAME);
    let attr = attr.ok_or_else(|| Refusal::missing(FASTNAT_A_POOL_NAME))?;
    let refusal = Refusal::new(EINVAL, c"the name of a pool has 1 to 31 characters");
    attr.name().ok_or_else(|| refusal.at(Some(attr)))
}

fn add(request: &Request<'_>) -> Answer {
    once(request, [FASTNAT_A_POOL_RANGE, FASTNAT_A_POOL_INSIDE])?;
    let attrs = &request.attrs;
    let name = name(attrs)?;
    let net = request.net.state_or_new()?;
    let mut control = net.control.lock();
    let realm = control.next_realm();
    let pool = read::pool(attrs, name, &net, realm)?;
    control
        .add_pool(pool)
        .map_err(|refused| Refusal::from(refused).at(attrs.get(FASTNAT_A_POOL_NAME)))
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

fn list_blocks(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    let control = net.control.lock();
    let pools = control.pools().iter();
    let blocks = pools.filter_map(|pool| pool.usage.blocks.as_ref());
    dump.list_some(blocks.flat_map(|blocks| blocks.list()), |message, block| {
        describe::block(message, &block)?;
        message.u32(FASTNAT_A_BLOCK_BINDINGS, block.bindings)
    });
    Ok(())
}

fn put(message: &mut Message<'_>, pool: &Pool) -> Result {
    message.name(FASTNAT_A_POOL_NAME, &pool.name)?;
    put_ranges(message, FASTNAT_A_POOL_RANGE, &pool.ranges)?;
    message.u16(FASTNAT_A_POOL_PORT_MIN, pool.ports.min())?;
    message.u16(FASTNAT_A_POOL_PORT_MAX, pool.ports.max())?;
    put_allocation(message, pool)?;
    if pool.keeps_parity {
        message.flag(FASTNAT_A_POOL_PARITY)?;
    }
    message.u32(
        FASTNAT_A_POOL_POLICIES,
        pool.policies.load(Ordering::Relaxed),
    )?;
    message.u32(FASTNAT_A_POOL_BINDINGS, pool.usage.bindings())
}

fn put_ranges(message: &mut Message<'_>, kind: u32, ranges: &[AddrRange<V4>]) -> Result {
    for range in ranges {
        message.nest(kind, |message| {
            message.addr(FASTNAT_A_RANGE_ADDR_MIN, range.min())?;
            message.addr(FASTNAT_A_RANGE_ADDR_MAX, range.max())
        })?;
    }
    Ok(())
}

fn put_allocation(message: &mut Message<'_>, pool: &Pool) -> Result {
    let number = match &pool.allocation {
        Allocation::Random => FASTNAT_ALLOCATION_RANDOM,
        Allocation::Preserve => FASTNAT_ALLOCATION_PRESERVE,
        Allocation::Block => FASTNAT_ALLOCATION_BLOCK,
        Allocation::Deterministic(_) => FASTNAT_ALLOCATION_DETERMINISTIC,
    };
    message.u32(FASTNAT_A_POOL_ALLOCATION, number)?;
    if let Allocation::Deterministic(sharing) = &pool.allocation {
        put_ranges(message, FASTNAT_A_POOL_INSIDE, &sharing.inside)?;
        message.u16(FASTNAT_A_POOL_BLOCK_SIZE, sharing.map.size() as u16)?;
    }
    if let Some(blocks) = &pool.usage.blocks {
        let division = blocks.division();
        message.u16(FASTNAT_A_POOL_BLOCK_SIZE, division.blocks.size() as u16)?;
        message.u16(FASTNAT_A_POOL_MAX_BLOCKS, division.most as u16)?;
        message.u32(FASTNAT_A_POOL_BLOCKS, blocks.given())?;
    }
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0

//! Flows and bindings as netlink shows them, in lists and in events.

use crate::nat::addr::V4;
use crate::nat::time::Ticks;
use crate::nat::tuple::Tuple;
use crate::sys::msg::Message;
use crate::sys::rcu::Rcu;
use crate::sys::time;
use crate::sys::uapi::*;
use crate::table::binding::Binding;
use crate::table::blocks::BlockInfo;
use crate::table::flow::Flow;
use kernel::prelude::*;

/// What does not change of a flow.
pub(crate) fn flow(message: &mut Message<'_>, node: i32, flow: &Flow<V4>) -> Result {
    let orig = flow.tuple();
    message.u8(FASTNAT_A_FLOW_PROTO, orig.proto)?;
    tuple(message, FASTNAT_A_FLOW_ORIG, orig)?;
    tuple(message, FASTNAT_A_FLOW_TRANSLATED, flow.orig().to())?;
    message.u32(FASTNAT_A_FLOW_POLICY, flow.owner().id)?;
    message.u32(FASTNAT_A_FLOW_NODE, node as u32)
}

fn tuple(message: &mut Message<'_>, kind: u32, tuple: &Tuple<V4>) -> Result {
    message.nest(kind, |message| {
        message.addr(FASTNAT_A_TUPLE_SRC_ADDR, tuple.src_addr)?;
        message.u16(FASTNAT_A_TUPLE_SRC_PORT, tuple.src_port.to_host())?;
        message.addr(FASTNAT_A_TUPLE_DST_ADDR, tuple.dst_addr)?;
        message.u16(FASTNAT_A_TUPLE_DST_PORT, tuple.dst_port.to_host())
    })
}

/// What does not change of a binding.
pub(crate) fn binding(message: &mut Message<'_>, node: i32, binding: &Binding<V4>) -> Result {
    let (inside, outside) = (binding.inside(), binding.outside());
    message.u8(FASTNAT_A_BINDING_PROTO, binding.proto())?;
    message.addr(FASTNAT_A_BINDING_INSIDE_ADDR, inside.addr)?;
    message.u16(FASTNAT_A_BINDING_INSIDE_PORT, inside.port.to_host())?;
    message.addr(FASTNAT_A_BINDING_OUTSIDE_ADDR, outside.addr)?;
    message.u16(FASTNAT_A_BINDING_OUTSIDE_PORT, outside.port.to_host())?;
    message.u32(FASTNAT_A_BINDING_POLICY, binding.owner().id)?;
    message.u32(FASTNAT_A_BINDING_NODE, node as u32)
}

/// Who has a block of ports.
pub(crate) fn block(message: &mut Message<'_>, block: &BlockInfo) -> Result {
    message.name(FASTNAT_A_BLOCK_POOL, &block.pool)?;
    message.addr(FASTNAT_A_BLOCK_INSIDE_ADDR, block.host)?;
    message.addr(FASTNAT_A_BLOCK_OUTSIDE_ADDR, block.outside)?;
    message.u16(FASTNAT_A_BLOCK_PORT_MIN, block.ports.min())?;
    message.u16(FASTNAT_A_BLOCK_PORT_MAX, block.ports.max())
}

/// By what a binding lives, and until when.
pub(crate) fn lease(message: &mut Message<'_>, binding: &Binding<V4>, rcu: Rcu<'_>) -> Result {
    let lease = binding.lease(rcu);
    if lease.is_some() {
        message.flag(FASTNAT_A_BINDING_STATIC)?;
    }
    let until = lease.map_or_else(|| binding.until(), |lease| lease.until());
    match until {
        Some(until) => message.u32(
            FASTNAT_A_BINDING_EXPIRES,
            whole_seconds(until.left(time::now())),
        ),
        None => Ok(()),
    }
}

/// A duration in seconds, rounded down.
pub(crate) fn whole_seconds(duration: Ticks) -> u32 {
    duration.0.checked_div(time::hz()).unwrap_or(0)
}

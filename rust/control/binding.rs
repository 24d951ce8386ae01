// SPDX-License-Identifier: GPL-2.0

//! binding-get.

use super::walk::{self, Pace};
use crate::nat::addr::V4;
use crate::sys::genl::{dumpit, Answer, Dump};
use crate::sys::msg::Message;
use crate::sys::uapi::*;
use crate::table::binding::Binding;
use kernel::prelude::*;

dumpit!(fastnat_nl_binding_get_dumpit, list);

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    walk::buckets(&net, dump, |dump, shard, index, skip, rcu| {
        let mut pace = Pace::new(skip);
        shard.visit_bindings(index, rcu, |binding| {
            pace.next(|| dump.entry(|message| put(message, shard.node(), binding)));
        });
        pace.result()
    });
    Ok(())
}

fn put(message: &mut Message<'_>, node: i32, binding: &Binding<V4>) -> Result {
    let (inside, outside) = (binding.inside(), binding.outside());
    message.u8(FASTNAT_A_BINDING_PROTO, binding.proto())?;
    message.addr(FASTNAT_A_BINDING_INSIDE_ADDR, inside.addr)?;
    message.u16(FASTNAT_A_BINDING_INSIDE_PORT, inside.port.to_host())?;
    message.addr(FASTNAT_A_BINDING_OUTSIDE_ADDR, outside.addr)?;
    message.u16(FASTNAT_A_BINDING_OUTSIDE_PORT, outside.port.to_host())?;
    message.u32(FASTNAT_A_BINDING_POLICY, binding.owner().id)?;
    message.u32(FASTNAT_A_BINDING_FLOWS, binding.holders())?;
    message.u32(FASTNAT_A_BINDING_NODE, node as u32)
}

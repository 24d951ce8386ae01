// SPDX-License-Identifier: GPL-2.0

//! flow-get, flow-flush.

use super::walk;
use super::{once, once_in};
use crate::nat::addr::{Be16, V4};
use crate::nat::tuple::{Endpoint, Tuple};
use crate::state::{describe, Net};
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Message};
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use crate::sys::uapi::*;
use crate::table::flow::Flow;
use kernel::prelude::*;

doit!(fastnat_nl_flow_get_doit, get);
dumpit!(fastnat_nl_flow_get_dumpit, list);
doit!(fastnat_nl_flow_flush_doit, flush);

fn get(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attrs = &request.attrs;
    let proto = attrs.get(FASTNAT_A_FLOW_PROTO);
    let proto = proto.ok_or_else(|| Refusal::missing(FASTNAT_A_FLOW_PROTO))?;
    let orig = attrs.get(FASTNAT_A_FLOW_ORIG);
    let orig = orig.ok_or_else(|| Refusal::missing(FASTNAT_A_FLOW_ORIG))?;
    let tuple = tuple(proto.u8(), orig)?;
    let none = || Refusal::new(ENOENT, c"there is no such flow").at(Some(orig));
    let net = request.net.state().ok_or_else(none)?;
    let mut found = false;
    let answer = request.reply(|message| {
        rcu::read(|rcu| {
            let flow = net
                .any_flow(&tuple, rcu)
                .or_else(|| net.any_flow(&tuple.reverse(), rcu));
            found = flow.is_some();
            put(message, &net, flow.ok_or(ENOENT)?.flow(), rcu)
        })
    });
    match found {
        true => answer,
        false => Err(none()),
    }
}

fn tuple(proto: u8, attr: Attr<'_>) -> Result<Tuple<V4>, Refusal> {
    let inside = attr.nested();
    once_in(&inside, None)?;
    let end = |addr, port| {
        let found: Option<Attr<'_>> = inside.get(addr);
        let found = found.ok_or_else(|| {
            Refusal::new(
                EINVAL,
                c"the tuple needs a source and a destination address",
            )
            .at(Some(attr))
        })?;
        let port: Option<Attr<'_>> = inside.get(port);
        Ok::<_, Refusal>(Endpoint {
            addr: found.addr(),
            port: Be16::from_host(port.map_or(0, |port| port.u16())),
        })
    };
    let src = end(FASTNAT_A_TUPLE_SRC_ADDR, FASTNAT_A_TUPLE_SRC_PORT)?;
    let dst = end(FASTNAT_A_TUPLE_DST_ADDR, FASTNAT_A_TUPLE_DST_PORT)?;
    Ok(Tuple::new(proto, src, dst))
}

/// A flow with what changes of it.
fn put(message: &mut Message<'_>, net: &Net, flow: &Flow<V4>, rcu: Rcu<'_>) -> Result {
    let now = time::now();
    describe::flow(message, flow.node(), flow)?;
    let left = net.settings.deadline(flow, now).left(now);
    message.u32(FASTNAT_A_FLOW_EXPIRES, describe::whole_seconds(left))?;
    let ways = [
        (FASTNAT_A_FLOW_OFFLOADED_ORIG, flow.orig()),
        (FASTNAT_A_FLOW_OFFLOADED_REPLY, flow.reply()),
    ];
    for (attr, entry) in ways {
        if net.is_offloaded(entry, rcu) {
            message.flag(attr)?;
        }
    }
    Ok(())
}

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    walk::buckets(&net, dump, |dump, shard, cursor, pace, rcu| {
        shard.step_flows(cursor, rcu, |flow| {
            pace.next(|| dump.entry(|message| put(message, &net, flow, rcu)));
        })
    });
    Ok(())
}

fn flush(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attrs = &request.attrs;
    let proto = attrs.get(FASTNAT_A_FLOW_PROTO).map(|attr| attr.u8());
    let policy = attrs.get(FASTNAT_A_FLOW_POLICY).map(|attr| attr.u32());
    let wanted = |flow: &Flow<V4>| {
        proto.is_none_or(|proto| flow.tuple().proto == proto)
            && policy.is_none_or(|policy| flow.owner().id == policy)
    };
    let reply = request.prepare()?;
    let count = request.net.state().map_or(0, |net| net.flush(wanted));
    reply.confirm(|message| message.u32(FASTNAT_A_FLOW_COUNT, count))
}

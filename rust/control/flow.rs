// SPDX-License-Identifier: GPL-2.0

//! flow-get, flow-flush.

use super::once;
use super::walk::{self, Pace};
use crate::nat::addr::{Be16, V4};
use crate::nat::tuple::{Endpoint, Tuple};
use crate::state::Net;
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Message};
use crate::sys::uapi::*;
use crate::sys::{rcu, time};
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
    // Copied out under RCU: a reply is allocated, which may sleep.
    let copy = rcu::read(|rcu| {
        let found = net
            .flow(&tuple, rcu)
            .or_else(|| net.flow(&tuple.reverse(), rcu));
        found.map(|entry| Copied::of(&net, entry.flow()))
    });
    let copy = copy.ok_or_else(none)?;
    request.reply(|message| copy.put(message))
}

fn tuple(proto: u8, attr: Attr<'_>) -> Result<Tuple<V4>, Refusal> {
    let inside = attr.nested();
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

/// What is told of a flow.
struct Copied {
    orig: Tuple<V4>,
    to: Tuple<V4>,
    policy: u32,
    expires: u32,
    node: u32,
}

impl Copied {
    fn of(net: &Net, flow: &Flow<V4>) -> Self {
        let timeout = net.settings.timeout(flow.tuple().proto);
        let left = timeout.0.saturating_sub(flow.idle(time::now()).0);
        let node = net.home_of(flow);
        Self {
            orig: *flow.tuple(),
            to: *flow.orig().to(),
            policy: flow.owner().id,
            expires: left.checked_div(time::hz()).unwrap_or(0),
            node: node.map_or(0, |shard| shard.node() as u32),
        }
    }

    fn put(&self, message: &mut Message<'_>) -> Result {
        message.u8(FASTNAT_A_FLOW_PROTO, self.orig.proto)?;
        put_tuple(message, FASTNAT_A_FLOW_ORIG, &self.orig)?;
        put_tuple(message, FASTNAT_A_FLOW_TRANSLATED, &self.to)?;
        message.u32(FASTNAT_A_FLOW_POLICY, self.policy)?;
        message.u32(FASTNAT_A_FLOW_EXPIRES, self.expires)?;
        message.u32(FASTNAT_A_FLOW_NODE, self.node)
    }
}

fn put_tuple(message: &mut Message<'_>, kind: u32, tuple: &Tuple<V4>) -> Result {
    message.nest(kind, |message| {
        message.addr(FASTNAT_A_TUPLE_SRC_ADDR, tuple.src_addr)?;
        message.u16(FASTNAT_A_TUPLE_SRC_PORT, tuple.src_port.to_host())?;
        message.addr(FASTNAT_A_TUPLE_DST_ADDR, tuple.dst_addr)?;
        message.u16(FASTNAT_A_TUPLE_DST_PORT, tuple.dst_port.to_host())
    })
}

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    walk::buckets(&net, dump, |dump, shard, index, skip, rcu| {
        let mut pace = Pace::new(skip);
        shard.visit_flows(index, rcu, |flow| {
            pace.next(|| dump.entry(|message| Copied::of(&net, flow).put(message)));
        });
        pace.result()
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
    let count = request.net.state().map_or(0, |net| net.flush(wanted));
    request.reply(|message| message.u32(FASTNAT_A_FLOW_COUNT, count))
}

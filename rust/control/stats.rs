// SPDX-License-Identifier: GPL-2.0

//! stats-get.

use crate::state::stats::{Counter, ALL};
use crate::state::Net;
use crate::sys::genl::{doit, Answer, Request};
use crate::sys::msg::Message;
use crate::sys::uapi::*;
use crate::table::shard::Shard;
use kernel::prelude::*;
use kernel::sync::Arc;

doit!(fastnat_nl_stats_get_doit, get);

fn get(request: &Request<'_>) -> Answer {
    let net = request.net.state();
    request.reply(|message| put(message, net.as_ref()))
}

/// A namespace that was never configured has counted nothing.
fn put(message: &mut Message<'_>, net: Option<&Arc<Net>>) -> Result {
    for counter in ALL {
        let sum = net.map_or(0, |net| whole(*counter, |counter| net.stats.sum(counter)));
        message.u64(*counter as u32, sum)?;
    }
    let flows = net.map_or(0, |net| net.total(Shard::flow_count));
    let bindings = net.map_or(0, |net| net.total(Shard::binding_count));
    message.u32(FASTNAT_A_STATS_FLOWS, flows)?;
    message.u32(FASTNAT_A_STATS_BINDINGS, bindings)?;
    let Some(net) = net else {
        return Ok(());
    };
    for node in 0..net.shards.len() {
        message.nest(FASTNAT_A_STATS_NODE, |message| put_node(message, net, node))?;
    }
    Ok(())
}

fn put_node(message: &mut Message<'_>, net: &Net, node: usize) -> Result {
    let shard = net.shards.get(node).ok_or(ENOENT)?;
    message.u32(FASTNAT_A_NODE_ID, shard.node() as u32)?;
    message.u32(FASTNAT_A_NODE_BUCKETS, shard.flows().len() as u32)?;
    message.u32(FASTNAT_A_NODE_FLOWS, shard.flow_count().get())?;
    message.u32(FASTNAT_A_NODE_BINDINGS, shard.binding_count().get())?;
    let counters = [
        (FASTNAT_A_NODE_TRANSLATED, Counter::Translated),
        (FASTNAT_A_NODE_FLOWS_CREATED, Counter::FlowsCreated),
        (FASTNAT_A_NODE_REMOTE_HITS, Counter::RemoteHits),
    ];
    for (kind, counter) in counters {
        message.u64(kind, whole(counter, |counter| net.sum_at(counter, node)))?;
    }
    Ok(())
}

/// What a counter reads, with what is counted apart: a packet that is offloaded is translated, but
/// counts once only.
fn whole(counter: Counter, sum: impl Fn(Counter) -> u64) -> u64 {
    match counter {
        Counter::Translated => sum(counter).saturating_add(sum(Counter::Offloaded)),
        _ => sum(counter),
    }
}

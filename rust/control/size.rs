// SPDX-License-Identifier: GPL-2.0

//! size-get.

use super::once;
use crate::nat::addr::V4;
use crate::state::settings::Settings;
use crate::state::{defaults, Net};
use crate::sys::genl::{doit, Answer, Request};
use crate::sys::node::Nodes;
use crate::sys::uapi::*;
use crate::table::shard::Shard;
use crate::table::Family;
use core::sync::atomic::Ordering;

doit!(fastnat_nl_size_get_doit, get);

fn get(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let net = request.net.state();
    let fresh = Settings::new()?;
    let settings = net.as_ref().map_or(&fresh, |net| &net.settings);
    let asked = |kind| request.attrs.get(kind).map(|attr| attr.u32());
    let flows = asked(FASTNAT_A_SIZE_MAX_FLOWS);
    let bindings = asked(FASTNAT_A_SIZE_MAX_BINDINGS).or(flows);
    let flows = flows.unwrap_or(settings.max_flows.load(Ordering::Relaxed));
    let bindings = bindings.unwrap_or(settings.max_bindings.load(Ordering::Relaxed));
    let nodes = Nodes::new()?.ids().len();
    let fixed = asked(FASTNAT_A_SIZE_BUCKETS).unwrap_or(settings.buckets.load(Ordering::Relaxed));
    let buckets = |objects| match fixed {
        0 => defaults::full(objects, nodes),
        fixed => defaults::whole(fixed),
    };
    let bucket_bytes = Shard::<V4>::BUCKET_BYTES as u64;
    let all_buckets = buckets(flows).saturating_add(buckets(bindings)) as u64;
    let tables = all_buckets
        .saturating_mul(bucket_bytes)
        .saturating_mul(nodes as u64);
    let flow_memory = V4::flows().memory(flows.into());
    let binding_memory = V4::bindings().memory(bindings.into());
    let other = Net::bytes(nodes);
    let parts = [tables, flow_memory, binding_memory, other];
    request.reply(|message| {
        message.u32(FASTNAT_A_SIZE_MAX_FLOWS, flows)?;
        message.u32(FASTNAT_A_SIZE_MAX_BINDINGS, bindings)?;
        message.u32(FASTNAT_A_SIZE_BUCKETS, buckets(flows) as u32)?;
        message.u32(FASTNAT_A_SIZE_NODES, nodes as u32)?;
        message.u32(FASTNAT_A_SIZE_FLOW_BYTES, V4::flows().object_bytes())?;
        message.u32(FASTNAT_A_SIZE_BINDING_BYTES, V4::bindings().object_bytes())?;
        message.u32(FASTNAT_A_SIZE_BUCKET_BYTES, bucket_bytes as u32)?;
        message.u64(FASTNAT_A_SIZE_TABLE_MEMORY, tables)?;
        message.u64(FASTNAT_A_SIZE_FLOW_MEMORY, flow_memory)?;
        message.u64(FASTNAT_A_SIZE_BINDING_MEMORY, binding_memory)?;
        message.u64(FASTNAT_A_SIZE_OTHER_MEMORY, other)?;
        let total = parts
            .iter()
            .fold(0u64, |sum, part| sum.saturating_add(*part));
        message.u64(FASTNAT_A_SIZE_TOTAL_MEMORY, total)
    })
}

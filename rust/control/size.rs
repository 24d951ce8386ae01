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
    let size = Size::new(flows, bindings, fixed, nodes);
    let bucket_bytes = Shard::<V4>::BUCKET_BYTES as u32;
    request.reply(|message| {
        message.u32(FASTNAT_A_SIZE_MAX_FLOWS, flows)?;
        message.u32(FASTNAT_A_SIZE_MAX_BINDINGS, bindings)?;
        message.u32(FASTNAT_A_SIZE_BUCKETS, buckets(fixed, flows, nodes) as u32)?;
        message.u32(FASTNAT_A_SIZE_NODES, nodes as u32)?;
        message.u32(FASTNAT_A_SIZE_FLOW_BYTES, V4::flows().object_bytes())?;
        message.u32(FASTNAT_A_SIZE_BINDING_BYTES, V4::bindings().object_bytes())?;
        message.u32(FASTNAT_A_SIZE_BUCKET_BYTES, bucket_bytes)?;
        message.u64(FASTNAT_A_SIZE_TABLE_MEMORY, size.tables)?;
        message.u64(FASTNAT_A_SIZE_FLOW_MEMORY, size.flows)?;
        message.u64(FASTNAT_A_SIZE_BINDING_MEMORY, size.bindings)?;
        message.u64(FASTNAT_A_SIZE_OTHER_MEMORY, size.other)?;
        message.u64(FASTNAT_A_SIZE_TOTAL_MEMORY, size.total())
    })
}

/// Buckets of each table of a node that is full with so many objects.
fn buckets(fixed: u32, objects: u32, nodes: usize) -> usize {
    match fixed {
        0 => defaults::full(objects, nodes),
        fixed => defaults::whole(fixed),
    }
}

/// Bytes that a namespace takes when all is in use.
pub(super) struct Size {
    tables: u64,
    flows: u64,
    bindings: u64,
    other: u64,
}

impl Size {
    /// With these limits, and buckets of each table of a node, of which 0 is automatic.
    pub(super) fn new(flows: u32, bindings: u32, fixed: u32, nodes: usize) -> Self {
        let buckets = |objects| buckets(fixed, objects, nodes);
        let all_buckets = buckets(flows).saturating_add(buckets(bindings)) as u64;
        Self {
            tables: all_buckets
                .saturating_mul(Shard::<V4>::BUCKET_BYTES as u64)
                .saturating_mul(nodes as u64),
            flows: V4::flows().memory(flows.into()),
            bindings: V4::bindings().memory(bindings.into()),
            other: Net::bytes(nodes),
        }
    }

    /// All of it.
    pub(super) fn total(&self) -> u64 {
        let parts = [self.tables, self.flows, self.bindings, self.other];
        parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }
}

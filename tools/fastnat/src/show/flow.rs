// SPDX-License-Identifier: GPL-2.0

//! Flows.

use std::io::{self, Write};

use fastnat_netlink::Proto;
use fastnat_netlink::generated::{self, Tuple};
use serde::Serialize;

use super::{endpoint, or_empty};
use crate::output::{Align, Text, table};

/// The flows.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Flows(pub Vec<generated::Flow>);

/// One flow.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Flow(pub generated::Flow);

/// The reply to `flow flush`.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Flushed(pub generated::Flow);

impl Text for Flows {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        lines(out, &self.0)
    }
}

impl Text for Flow {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        lines(out, std::slice::from_ref(&self.0))
    }
}

impl Text for Flushed {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.0.count {
            Some(1) => writeln!(out, "1 flow removed"),
            count => writeln!(out, "{} flows removed", count.unwrap_or_default()),
        }
    }
}

/// One line a flow; the node only where there is more than one, offload only where there is any.
fn lines(out: &mut dyn Write, flows: &[generated::Flow]) -> io::Result<()> {
    let nodes = flows
        .iter()
        .any(|flow| flow.node.is_some_and(|node| node > 0));
    let rows: Vec<_> = flows.iter().map(|flow| line(flow, nodes)).collect();
    table(out, &[Align::Left; 6], &rows)
}

fn line(flow: &generated::Flow, nodes: bool) -> Vec<String> {
    let node = flow
        .node
        .filter(|_| nodes)
        .map(|node| format!("node {node}"));
    let [first, translated] = both_sides(flow);
    vec![
        first,
        format!("as {translated}"),
        format!("policy {}", or_empty(flow.policy)),
        format!("expires {}s", or_empty(flow.expires)),
        or_empty(node),
        or_empty(offloaded(flow).map(|which| format!("offloaded {which}"))),
    ]
}

/// The directions that are offloaded.
fn offloaded(flow: &generated::Flow) -> Option<&'static str> {
    match (flow.offloaded_orig, flow.offloaded_reply) {
        (true, true) => Some("both"),
        (true, false) => Some("orig"),
        (false, true) => Some("reply"),
        (false, false) => None,
    }
}

/// The first packet as it came, with its protocol, and as it left.
pub(super) fn both_sides(flow: &generated::Flow) -> [String; 2] {
    let orig = tuple(flow.proto, flow.orig.as_ref());
    [
        format!("{} {orig}", or_empty(flow.proto)),
        tuple(flow.proto, flow.translated.as_ref()),
    ]
}

fn tuple(proto: Option<Proto>, tuple: Option<&Tuple>) -> String {
    let tuple = tuple.cloned().unwrap_or_default();
    let src = endpoint(proto, tuple.src_addr, tuple.src_port);
    let dst = endpoint(proto, tuple.dst_addr, tuple.dst_port);
    format!("{src} -> {dst}")
}

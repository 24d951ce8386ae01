// SPDX-License-Identifier: GPL-2.0

//! Flows and bindings.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use fastnat_netlink::Proto;
use fastnat_netlink::generated::{self, Binding, Tuple};
use serde::Serialize;

use super::{or_empty, titles};
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

/// The bindings.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Bindings(pub Vec<Binding>);

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

/// One line a flow; the node only where there is more than one.
fn lines(out: &mut dyn Write, flows: &[generated::Flow]) -> io::Result<()> {
    let nodes = flows
        .iter()
        .any(|flow| flow.node.is_some_and(|node| node > 0));
    let rows: Vec<_> = flows.iter().map(|flow| line(flow, nodes)).collect();
    table(out, &[Align::Left; 5], &rows)
}

fn line(flow: &generated::Flow, nodes: bool) -> Vec<String> {
    let node = flow
        .node
        .filter(|_| nodes)
        .map(|node| format!("node {node}"));
    vec![
        format!(
            "{} {}",
            or_empty(flow.proto),
            tuple(flow.proto, flow.orig.as_ref())
        ),
        format!("as {}", tuple(flow.proto, flow.translated.as_ref())),
        format!("policy {}", or_empty(flow.policy)),
        format!("expires {}s", or_empty(flow.expires)),
        or_empty(node),
    ]
}

fn tuple(proto: Option<Proto>, tuple: Option<&Tuple>) -> String {
    let tuple = tuple.cloned().unwrap_or_default();
    let src = endpoint(proto, tuple.src_addr, tuple.src_port);
    let dst = endpoint(proto, tuple.dst_addr, tuple.dst_port);
    format!("{src} -> {dst}")
}

/// An address with its port; with its query identifier in ICMP, where 0 says there is none.
fn endpoint(proto: Option<Proto>, addr: Option<Ipv4Addr>, port: Option<u16>) -> String {
    match port {
        Some(0) if proto == Some(Proto::ICMP) => or_empty(addr),
        Some(port) => format!("{}:{port}", or_empty(addr)),
        None => or_empty(addr),
    }
}

const ALIGN: [Align; 6] = [
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
];

impl Text for Bindings {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = titles(&["PROTO", "INSIDE", "OUTSIDE", "POLICY", "FLOWS", "NODE"]);
        rows.extend(self.0.iter().map(|binding| {
            vec![
                or_empty(binding.proto),
                endpoint(None, binding.inside_addr, binding.inside_port),
                endpoint(None, binding.outside_addr, binding.outside_port),
                or_empty(binding.policy),
                or_empty(binding.flows),
                or_empty(binding.node),
            ]
        }));
        table(out, &ALIGN, &rows)
    }
}

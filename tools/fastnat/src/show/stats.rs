// SPDX-License-Identifier: GPL-2.0

//! Counters.

use std::io::{self, Write};

use fastnat_netlink::generated::{self, Node};
use fastnat_netlink::{Attr, Attributes};
use serde::Serialize;

use super::{or_empty, titles};
use crate::output::{Align, Text, table};

/// The counters of the namespace.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Stats {
    /// The reply.
    pub stats: generated::Stats,
    /// Whether the text has counters that are zero; those of what lives now it always has.
    #[serde(skip)]
    pub all: bool,
}

impl Text for Stats {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let numbers = self.stats.numbers();
        let shown = numbers
            .iter()
            .filter(|(attr, value)| self.all || *value > 0 || alive(attr));
        let rows: Vec<_> = shown
            .map(|(attr, value)| vec![attr.name.into(), value.to_string(), attr.doc.into()])
            .collect();
        table(out, &[Align::Left, Align::Right, Align::Left], &rows)?;
        nodes(out, &self.stats.node)
    }
}

/// Whether the number is of what lives now, rather than of what ever happened.
fn alive(attr: &Attr) -> bool {
    matches!(attr.name, "flows" | "bindings")
}

fn nodes(out: &mut dyn Write, nodes: &[Node]) -> io::Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = titles(&[
        "NODE",
        "BUCKETS",
        "FLOWS",
        "BINDINGS",
        "TRANSLATED",
        "FLOWS-CREATED",
        "REMOTE-HITS",
    ]);
    rows.extend(nodes.iter().map(|node| {
        let now = [node.id, node.buckets, node.flows, node.bindings].map(or_empty);
        let ever = [node.translated, node.flows_created, node.remote_hits].map(or_empty);
        [&now[..], &ever].concat()
    }));
    table(out, &[Align::Right; 7], &rows)
}

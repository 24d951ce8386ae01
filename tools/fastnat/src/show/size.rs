// SPDX-License-Identifier: GPL-2.0

//! What memory settings take.

use std::io::{self, Write};

use fastnat_netlink::generated;
use serde::Serialize;

use super::{or_empty, titles};
use crate::output::{Align, Text, table};
use crate::units;

/// The reply to `config size`.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Size(pub generated::Size);

const ALIGN: [Align; 5] = [
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
];

impl Text for Size {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let size = &self.0;
        let nodes = u64::from(size.nodes.unwrap_or(1).max(1));
        let mut rows = titles(&["", "NUMBER", "BYTES EACH", "MEMORY", "BYTES"]);
        rows.push(row(
            "flows",
            size.max_flows,
            size.flow_bytes,
            size.flow_memory,
        ));
        rows.push(row(
            "bindings",
            size.max_bindings,
            size.binding_bytes,
            size.binding_memory,
        ));
        rows.push(row(
            "buckets",
            buckets(size),
            size.bucket_bytes,
            size.table_memory,
        ));
        let sum = |name, memory| row(name, None::<u32>, None, memory);
        rows.push(sum("other", size.other_memory));
        rows.push(sum("total", size.total_memory));
        rows.push(sum(
            "per node",
            size.total_memory.map(|total| total.div_ceil(nodes)),
        ));
        table(out, &ALIGN, &rows)?;
        let Some((all, of_flows)) = buckets(size).zip(size.buckets.map(u64::from)) else {
            return Ok(());
        };
        let of_bindings = (all / nodes).saturating_sub(of_flows);
        writeln!(
            out,
            "\nbuckets of a node: {of_flows} for flows, {of_bindings} for bindings; nodes: {nodes}"
        )
    }
}

fn row(
    name: &str,
    number: Option<impl ToString>,
    each: Option<u32>,
    memory: Option<u64>,
) -> Vec<String> {
    vec![
        name.into(),
        or_empty(number),
        or_empty(each),
        or_empty(memory.map(units::bytes)),
        or_empty(memory),
    ]
}

/// All buckets of all tables.
fn buckets(size: &generated::Size) -> Option<u64> {
    size.table_memory?.checked_div(size.bucket_bytes?.into())
}

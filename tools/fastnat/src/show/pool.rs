// SPDX-License-Identifier: GPL-2.0

//! Pools.

use std::io::{self, Write};

use fastnat_netlink::generated::{Pool, Range};
use serde::Serialize;

use super::policy::ports;
use super::{or_empty, titles};
use crate::output::{Align, Text, table};

/// The pools.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Pools(pub Vec<Pool>);

const ALIGN: [Align; 6] = [
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
];

impl Text for Pools {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = titles(&[
            "NAME",
            "ADDRESSES",
            "PORTS",
            "ALLOCATION",
            "POLICIES",
            "BINDINGS",
        ]);
        rows.extend(self.0.iter().map(row));
        table(out, &ALIGN, &rows)
    }
}

fn row(pool: &Pool) -> Vec<String> {
    let ranges: Vec<_> = pool.range.iter().map(range).collect();
    vec![
        or_empty(pool.name.as_ref()),
        if ranges.is_empty() {
            "-".into()
        } else {
            ranges.join(",")
        },
        or_empty(ports(pool.port_min, pool.port_max)),
        allocation(pool),
        or_empty(pool.policies),
        or_empty(pool.bindings),
    ]
}

/// In the words of the command line.
fn allocation(pool: &Pool) -> String {
    let parity = if pool.parity { " parity" } else { "" };
    or_empty(pool.allocation) + parity
}

fn range(range: &Range) -> String {
    match range.addr_max {
        Some(max) if Some(max) != range.addr_min => format!("{}-{max}", or_empty(range.addr_min)),
        _ => or_empty(range.addr_min),
    }
}

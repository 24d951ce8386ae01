// SPDX-License-Identifier: GPL-2.0

//! Pools.

use std::io::{self, Write};

use fastnat_netlink::generated::{Block, Pool, Range};
use serde::{Serialize, Serializer};

use super::policy::ports;
use super::{or_empty, titles};
use crate::map::Sharing;
use crate::output::{Align, Text, table};

/// The pools.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Pools(pub Vec<Pool>);

const ALIGN: [Align; 7] = [
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
];

impl Text for Pools {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let inside = self.0.iter().any(|pool| !pool.inside.is_empty());
        let mut rows = titles(&[
            "NAME",
            "ADDRESSES",
            "PORTS",
            "ALLOCATION",
            if inside { "INSIDE" } else { "" },
            "POLICIES",
            "BINDINGS",
        ]);
        rows.extend(self.0.iter().map(row));
        table(out, &ALIGN, &rows)
    }
}

fn row(pool: &Pool) -> Vec<String> {
    let outside = match pool.range.as_slice() {
        [] => "-".into(),
        given => ranges(given),
    };
    vec![
        or_empty(pool.name.as_ref()),
        outside,
        or_empty(ports(pool.port_min, pool.port_max)),
        allocation(pool),
        ranges(&pool.inside),
        or_empty(pool.policies),
        or_empty(pool.bindings),
    ]
}

/// In the words of the command line.
fn allocation(pool: &Pool) -> String {
    let parts = [
        pool.allocation.map(|allocation| allocation.to_string()),
        pool.parity.then(|| "parity".into()),
        pool.block_size.map(|size| format!("{size} ports each")),
        pool.max_blocks.map(|most| format!("at most {most}")),
        pool.blocks.map(|blocks| format!("{blocks} given")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn ranges(ranges: &[Range]) -> String {
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

fn range(range: &Range) -> String {
    match range.addr_max {
        Some(max) if Some(max) != range.addr_min => format!("{}-{max}", or_empty(range.addr_min)),
        _ => or_empty(range.addr_min),
    }
}

/// The blocks of ports that inside addresses have.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Blocks(pub Vec<Block>);

impl Text for Blocks {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = titles(&["POOL", "INSIDE", "OUTSIDE", "BINDINGS"]);
        rows.extend(self.0.iter().map(|block| {
            vec![
                or_empty(block.pool.as_ref()),
                or_empty(block.inside_addr),
                block_ports(block),
                or_empty(block.bindings),
            ]
        }));
        let align = [Align::Left, Align::Left, Align::Left, Align::Right];
        table(out, &align, &rows)
    }
}

/// The outside address and the ports of a block.
pub(super) fn block_ports(block: &Block) -> String {
    format!(
        "{}:{}",
        or_empty(block.outside_addr),
        or_empty(ports(block.port_min, block.port_max))
    )
}

/// Who has which ports of a deterministic pool: one, or all of them, a line each.
pub enum Shares {
    /// One.
    One(Block),
    /// All.
    All(Sharing),
}

impl Serialize for Shares {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(block) => block.serialize(serializer),
            Self::All(sharing) => serializer.collect_seq(sharing.shares()),
        }
    }
}

impl Text for Shares {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |block: &Block| {
            let inside = or_empty(block.inside_addr);
            writeln!(out, "{inside:<15}  {}", block_ports(block))
        };
        match self {
            Self::One(block) => line(block),
            Self::All(sharing) => sharing.shares().try_for_each(|block| line(&block)),
        }
    }
}

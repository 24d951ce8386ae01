// SPDX-License-Identifier: GPL-2.0

//! table-get.

use crate::nat::addr::V4;
use crate::sys::genl::{dumpit, Answer, Dump};
use crate::sys::uapi::*;
use crate::table::hash::Shape;
use crate::table::shard::Shard;

dumpit!(fastnat_nl_table_get_dumpit, list);

/// What is told of a table.
struct Told {
    node: i32,
    kind: u32,
    buckets: usize,
    entries: u32,
    shape: Shape,
}

impl Told {
    fn of(shard: &Shard<V4>, kind: u32) -> Self {
        let (buckets, objects, shape) = match kind {
            FASTNAT_TABLE_KIND_FLOWS => {
                let table = shard.flows();
                (table.len(), shard.flow_count().get(), table.shape())
            }
            _ => {
                let table = shard.bindings();
                (table.len(), shard.binding_count().get(), table.shape())
            }
        };
        Self {
            node: shard.node(),
            kind,
            buckets,
            entries: objects.saturating_mul(2),
            shape,
        }
    }
}

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    let kinds = [FASTNAT_TABLE_KIND_FLOWS, FASTNAT_TABLE_KIND_BINDINGS];
    let tables = net.shards.iter();
    let tables = tables.flat_map(|shard| kinds.iter().map(move |kind| (shard, *kind)));
    dump.list(tables, |message, (shard, kind)| {
        let told = Told::of(shard, kind);
        message.u32(FASTNAT_A_TABLE_NODE, told.node as u32)?;
        message.u32(FASTNAT_A_TABLE_KIND, told.kind)?;
        message.u32(FASTNAT_A_TABLE_BUCKETS, told.buckets as u32)?;
        message.u32(FASTNAT_A_TABLE_ENTRIES, told.entries)?;
        message.u32(FASTNAT_A_TABLE_LONGEST, told.shape.longest)?;
        for count in told.shape.chains {
            message.u32(FASTNAT_A_TABLE_CHAIN, count)?;
        }
        match told.shape.resizing {
            true => message.flag(FASTNAT_A_TABLE_RESIZING),
            false => Ok(()),
        }
    });
    Ok(())
}

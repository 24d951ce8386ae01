// SPDX-License-Identifier: GPL-2.0

//! What a person reads of sizes and tables.

use fastnat::output::Text;
use fastnat::show;
use fastnat_netlink::generated::{Size, Table, TableKind};

fn text(result: &impl Text) -> String {
    let mut out = Vec::new();
    result.text(&mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

#[test]
fn a_size_is_told_in_units_and_in_bytes() {
    let size = Size {
        max_flows: Some(4 << 20),
        max_bindings: Some(1 << 20),
        buckets: Some(2 << 20),
        nodes: Some(2),
        flow_bytes: Some(128),
        binding_bytes: Some(96),
        bucket_bytes: Some(8),
        table_memory: Some(64 << 20),
        flow_memory: Some(512 << 20),
        binding_memory: Some(96 << 20),
        other_memory: Some(10_240),
        total_memory: Some((672 << 20) + 10_240),
    };
    assert_eq!(
        text(&show::Size(size)),
        "           NUMBER  BYTES EACH    MEMORY      BYTES\n\
         flows     4194304         128   512 MiB  536870912\n\
         bindings  1048576          96  96.0 MiB  100663296\n\
         buckets   8388608           8  64.0 MiB   67108864\n\
         other                          10.0 KiB      10240\n\
         total                           672 MiB  704653312\n\
         per node                        336 MiB  352326656\n\
         \n\
         buckets of a node: 2097152 for flows, 2097152 for bindings; nodes: 2\n"
    );
}

#[test]
fn tables_tell_how_full_they_are() {
    let table = |kind, chain: [u32; 3], resizing| Table {
        node: Some(0),
        kind: Some(kind),
        buckets: Some(1024),
        entries: Some(512),
        longest: Some(3),
        chain: chain.to_vec(),
        resizing,
    };
    let tables = show::Tables(vec![
        table(TableKind::Flows, [600, 400, 24], false),
        table(TableKind::Bindings, [1024, 0, 0], true),
    ]);
    assert_eq!(
        text(&tables),
        "NODE  KIND      BUCKETS  ENTRIES  LOAD  LONGEST     0    1  2+\n   \
         0  flows        1024      512  0.50        3   600  400  24\n   \
         0  bindings     1024      512  0.50        3  1024    0   0  resizing\n"
    );
    let json = serde_json::to_value(&tables).expect("plain values");
    assert_eq!(json[0]["chain"], serde_json::json!([600, 400, 24]));
    assert_eq!(json[0].get("resizing"), None);
    assert_eq!(json[1]["resizing"], true);
}

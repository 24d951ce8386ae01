// SPDX-License-Identifier: GPL-2.0

//! How full the tables are.

use std::io::{self, Write};

use fastnat_netlink::generated::Table;
use serde::Serialize;

use super::{or_empty, titles};
use crate::output::{Align, Text, table};

/// The tables of the namespace.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Tables(pub Vec<Table>);

/// The columns before those of the histogram, which the kernel gives as many numbers as it likes.
const TITLES: [&str; 6] = ["NODE", "KIND", "BUCKETS", "ENTRIES", "LOAD", "LONGEST"];

impl Text for Tables {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let chains = self.0.iter().map(|table| table.chain.len()).max();
        let chains = chains.unwrap_or_default();
        let mut rows = titles(&TITLES);
        rows[0].extend((0..chains).map(|length| match length + 1 == chains {
            true => format!("{length}+"),
            false => length.to_string(),
        }));
        rows[0].push(String::new());
        rows.extend(self.0.iter().map(|table| row(table, chains)));
        let mut align = vec![Align::Right; TITLES.len() + chains];
        align[1] = Align::Left;
        align.push(Align::Left);
        table(out, &align, &rows)
    }
}

fn row(table: &Table, chains: usize) -> Vec<String> {
    let mut cells = vec![
        or_empty(table.node),
        or_empty(table.kind),
        or_empty(table.buckets),
        or_empty(table.entries),
        or_empty(load(table)),
        or_empty(table.longest),
    ];
    cells.extend((0..chains).map(|length| or_empty(table.chain.get(length))));
    cells.push(or_empty(table.resizing.then_some("resizing")));
    cells
}

/// Entries by buckets.
fn load(table: &Table) -> Option<String> {
    let buckets = table.buckets.filter(|buckets| *buckets > 0)?;
    Some(format!(
        "{:.2}",
        f64::from(table.entries?) / f64::from(buckets)
    ))
}

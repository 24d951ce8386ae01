// SPDX-License-Identifier: GPL-2.0

//! Aggregation of what devices receive.

use std::io::{self, Write};

use fastnat_netlink::Attributes;
use fastnat_netlink::ethtool::{Features, GRO, GRO_LIST};
use fastnat_netlink::generated::{Lro, LroMode, LroReasons};
use serde::Serialize;

use super::{or_empty, titles};
use crate::output::{Align, Text, table};

/// An entry, or what holds without one; with the features of its device, if there is one.
#[derive(Serialize)]
pub struct Aggregation {
    /// As the kernel says.
    #[serde(flatten)]
    pub lro: Lro,
    /// Whether the device has no entry: the rest is of all those that have none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// Whether the kernel aggregates at all what the device receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gro: Option<bool>,
    /// Whether the kernel aggregates UDP that is forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<bool>,
}

/// The entries.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Lros(pub Vec<Aggregation>);

impl Aggregation {
    /// What the kernel says.
    pub fn new(lro: Lro, features: Option<&Features>) -> Self {
        Self {
            default: lro.device.is_none(),
            gro: features.map(|features| features.is_on(GRO)),
            udp: features.map(|features| features.is_on(GRO_LIST)),
            lro,
        }
    }

    /// What holds on a device without an entry.
    pub fn by_default(entries: &[Lro], device: String, features: &Features) -> Self {
        let default = entries.iter().find(|entry| entry.device.is_none());
        let lro = Lro {
            device: Some(device),
            ..default.cloned().unwrap_or_default()
        };
        Self {
            default: true,
            ..Self::new(lro, Some(features))
        }
    }

    /// Whether something is asked for that the device gives no occasion to.
    fn is_starved(&self) -> bool {
        let asks = self.lro.mode != Some(LroMode::Off) || self.udp == Some(true);
        asks && self.gro == Some(false)
    }

    /// What the rows and lines of text call it.
    fn name(&self) -> String {
        match (&self.lro.device, self.default) {
            (Some(device), true) => format!("{device} (default)"),
            (Some(device), false) => device.clone(),
            (None, _) => "default".into(),
        }
    }

    /// A total for each aggregate.
    fn each(&self, total: Option<u64>) -> Option<f64> {
        let aggregates = self.lro.aggregates.filter(|aggregates| *aggregates > 0)?;
        Some(total? as f64 / aggregates as f64)
    }
}

const TITLES: [&str; 9] = [
    "DEVICE",
    "MODE",
    "LIMIT",
    "GRO",
    "UDP",
    "SEGMENTS",
    "AGGREGATES",
    "SEGMENTS EACH",
    "BYTES EACH",
];

const ALIGN: [Align; 9] = [
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
];

impl Text for Lros {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = titles(&TITLES);
        rows.extend(self.0.iter().map(row));
        table(out, &ALIGN, &rows)?;
        self.0.iter().try_for_each(|entry| reasons(out, entry))?;
        let starved = self.0.iter().filter(|entry| entry.is_starved());
        let mut devices = starved.filter_map(|entry| entry.lro.device.as_ref());
        devices.try_for_each(|device| {
            writeln!(
                out,
                "\nwarning: nothing is aggregated on {device} while its generic receive offload is \
                 off; to switch it on: ethtool -K {device} gro on"
            )
        })
    }
}

fn row(entry: &Aggregation) -> Vec<String> {
    let switch = |on: Option<bool>| or_empty(on.map(|on| if on { "on" } else { "off" }));
    let lro = &entry.lro;
    vec![
        entry.name(),
        or_empty(lro.mode),
        or_empty(lro.limit),
        switch(entry.gro),
        switch(entry.udp),
        or_empty(lro.segments),
        or_empty(lro.aggregates),
        or_empty(entry.each(lro.segments).map(|each| format!("{each:.1}"))),
        or_empty(entry.each(lro.bytes).map(|each| format!("{each:.0}"))),
    ]
}

/// Those that ever were.
fn reasons(out: &mut dyn Write, entry: &Aggregation) -> io::Result<()> {
    let numbers = entry.lro.reasons.as_ref().map(LroReasons::numbers);
    let numbers = numbers.unwrap_or_default().into_iter();
    let rows: Vec<_> = numbers
        .filter(|(_, count)| *count > 0)
        .map(|(attr, count)| {
            vec![
                format!("  {}", attr.name),
                count.to_string(),
                attr.doc.into(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}:", entry.name())?;
    table(out, &[Align::Left, Align::Right, Align::Left], &rows)
}

// SPDX-License-Identifier: GPL-2.0

//! Settings.

use std::io::{self, Write};

use fastnat_netlink::generated;
use serde::Serialize;

use crate::output::{Align, Text, table};

/// The settings of the namespace.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Config(pub generated::Config);

impl Text for Config {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let config = &self.0;
        let seconds = |value: Option<u32>| value.map(|value| format!("{value} s"));
        let plain = |value: Option<u32>| value.map(|value| value.to_string());
        let rows = [
            ("max-flows", plain(config.max_flows)),
            ("max-bindings", plain(config.max_bindings)),
            ("timeout-tcp", seconds(config.timeout_tcp)),
            (
                "timeout-tcp-transitory",
                seconds(config.timeout_tcp_transitory),
            ),
            ("timeout-udp", seconds(config.timeout_udp)),
            ("timeout-icmp", seconds(config.timeout_icmp)),
            ("conntrack", config.conntrack.map(|mode| mode.to_string())),
            ("buckets", config.buckets.map(buckets)),
            ("numa", config.numa.map(|mode| mode.to_string())),
            ("events", config.events.map(|level| level.to_string())),
        ];
        let rows = rows
            .into_iter()
            .filter_map(|(name, value)| Some(vec![name.into(), value?]));
        table(out, &[Align::Left; 2], &rows.collect::<Vec<_>>())
    }
}

fn buckets(buckets: u32) -> String {
    match buckets {
        0 => "auto".into(),
        _ => format!("{buckets} per table"),
    }
}

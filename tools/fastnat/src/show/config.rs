// SPDX-License-Identifier: GPL-2.0

//! Settings.

use std::io::{self, Write};

use fastnat_netlink::generated;
use serde::Serialize;

use super::policy::mark;
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
        let early = config.early_devices.as_ref();
        // Few have a use for it.
        let early = early.filter(|devices| !devices.name.is_empty());
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
            ("port-rest", seconds(config.port_rest)),
            ("conntrack", config.conntrack.map(|mode| mode.to_string())),
            ("buckets", config.buckets.map(buckets)),
            ("numa", config.numa.map(|mode| mode.to_string())),
            ("events", config.events.map(|level| level.to_string())),
            (
                "icmp-refused",
                config.icmp_refused.map(|mode| mode.to_string()),
            ),
            ("hold-syn", seconds(config.hold_syn)),
            ("offload", config.offload.map(|mode| mode.to_string())),
            ("offload-after", config.offload_after.map(packets)),
            ("offload-exempt-mark", exempt_mark(config)),
            (
                "offload-exempt-dev",
                config.offload_exempt_devices.as_ref().map(names),
            ),
            ("early-dev", early.map(names)),
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

fn packets(packets: u8) -> String {
    match packets {
        1 => "1 packet".into(),
        _ => format!("{packets} packets"),
    }
}

fn exempt_mark(config: &generated::Config) -> Option<String> {
    match config.offload_exempt_mask {
        Some(0) => Some("none".into()),
        mask => mark(config.offload_exempt_mark, mask),
    }
}

fn names(devices: &generated::Devices) -> String {
    match devices.name.is_empty() {
        true => "none".into(),
        false => devices.name.join(" "),
    }
}

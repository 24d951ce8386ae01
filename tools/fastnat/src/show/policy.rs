// SPDX-License-Identifier: GPL-2.0

//! Policies.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use fastnat_netlink::generated::{Expiry, Filtering, Mapping, OffloadChoice, Policy};
use serde::Serialize;

use super::{or_empty, target, titles};
use crate::groups;
use crate::output::{Align, Text, table};

/// The reply to `policy add`.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Added(pub Policy);

impl Text for Added {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "policy {}", or_empty(self.0.id))?;
        flushed(out, self.0.flushed_flows)
    }
}

/// What `policy load` has done.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Loaded {
    /// The ids, in the order of the lines.
    pub id: Vec<u32>,
    /// Flows that go on as before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_flows: Option<u32>,
    /// Flows that were ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flushed_flows: Option<u32>,
}

impl Text for Loaded {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.id.len() {
            1 => writeln!(out, "1 policy added"),
            count => writeln!(out, "{count} policies added"),
        }?;
        flushed(out, self.flushed_flows)
    }
}

/// How many flows were ended, if that was asked for.
fn flushed(out: &mut dyn Write, flows: Option<u32>) -> io::Result<()> {
    match flows {
        None => Ok(()),
        Some(1) => writeln!(out, "1 flow removed"),
        Some(count) => writeln!(out, "{count} flows removed"),
    }
}

/// The policies, in the order in which they are asked.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Policies(pub Vec<Policy>);

const ALIGN: [Align; 14] = [
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
];

impl Text for Policies {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let title = |title, special: fn(&Policy) -> String| {
            let some = self.0.iter().any(|policy| !special(policy).is_empty());
            if some { title } else { "" }
        };
        let mut rows = titles(&[
            "ID",
            "PRIORITY",
            "ACTION",
            "MATCH",
            "TO",
            "FLOWS",
            "HITS",
            title("REFUSED", refused),
            title("EXPIRY", expiry),
            title("OFFLOAD", offload),
            title("MAPPING", mapping),
            title("FILTERING", filtering),
            title("EACH HOST", limits),
            title("SET MARK", set_mark),
        ]);
        rows.extend(self.0.iter().map(row));
        table(out, &ALIGN, &rows)
    }
}

fn row(policy: &Policy) -> Vec<String> {
    vec![
        or_empty(policy.id),
        or_empty(policy.priority),
        or_empty(policy.action),
        matches(policy),
        target::of(policy),
        or_empty(policy.flows),
        or_empty(policy.hits),
        refused(policy),
        expiry(policy),
        offload(policy),
        mapping(policy),
        filtering(policy),
        limits(policy),
        set_mark(policy),
    ]
}

/// The mark that packets from inside get.
fn set_mark(policy: &Policy) -> String {
    mark(policy.set_mark, policy.set_mark_mask).unwrap_or_default()
}

/// What the policy matches, in the words of the command line.
fn matches(policy: &Policy) -> String {
    let parts = [
        ("src", prefix(policy.src_addr, policy.src_prefix)),
        ("dst", prefix(policy.dst_addr, policy.dst_prefix)),
        ("proto", policy.proto.map(|proto| proto.to_string())),
        ("sport", ports(policy.src_port_min, policy.src_port_max)),
        ("dport", ports(policy.dst_port_min, policy.dst_port_max)),
        ("in", policy.in_iface.clone()),
        ("in-group", policy.in_group.map(groups::describe)),
        ("out", policy.out_iface.clone()),
        ("out-group", policy.out_group.map(groups::describe)),
        ("mark", mark(policy.mark, policy.mark_mask)),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(word, value)| Some(format!("{word} {}", value?)));
    let text = parts.collect::<Vec<_>>().join(" ");
    if text.is_empty() { "any".into() } else { text }
}

/// A network, or an address.
pub(super) fn prefix(addr: Option<Ipv4Addr>, len: Option<u8>) -> Option<String> {
    Some(match len {
        None | Some(32) => addr?.to_string(),
        Some(len) => format!("{}/{len}", addr?),
    })
}

/// A port, or a range of them.
pub(super) fn ports(min: Option<u16>, max: Option<u16>) -> Option<String> {
    let min = min?;
    Some(match max {
        Some(max) if max != min => format!("{min}-{max}"),
        _ => min.to_string(),
    })
}

/// A mark, and its mask if that leaves out bits.
pub(super) fn mark(value: Option<u32>, mask: Option<u32>) -> Option<String> {
    let value = value?;
    Some(match mask {
        None | Some(u32::MAX) => format!("{value:#x}"),
        Some(mask) => format!("{value:#x}/{mask:#x}"),
    })
}

/// The packets that it refused, if there are any.
fn refused(policy: &Policy) -> String {
    or_empty(policy.refused.filter(|refused| *refused != 0))
}

/// What is not as in the settings, in the words of the command line.
fn expiry(policy: &Policy) -> String {
    let timeout = |proto, seconds: Option<u32>| seconds.map(|value| format!("{proto} {value}s"));
    let parts = [
        policy
            .expiry
            .filter(|expiry| *expiry != Expiry::Relative)
            .map(|expiry| expiry.to_string()),
        timeout("tcp", policy.timeout_tcp),
        timeout("udp", policy.timeout_udp),
        timeout("icmp", policy.timeout_icmp),
        policy.tcp_fin.then(|| "tcp-fin".into()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What is said of offload that is not as in the settings, in the words of the command line.
fn offload(policy: &Policy) -> String {
    let choice = policy
        .offload
        .filter(|choice| *choice != OffloadChoice::Inherit);
    let after = policy.offload_after.filter(|after| *after != 0);
    let parts = [
        choice.map(|choice| choice.to_string()),
        after.map(|after| format!("after {after}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What shares a binding, unless all that an inside endpoint sends does.
fn mapping(policy: &Policy) -> String {
    let several = |mapping: &Mapping| *mapping != Mapping::EndpointIndependent;
    or_empty(policy.mapping.filter(several))
}

/// Who may send to the policy's bindings, unless everybody may.
fn filtering(policy: &Policy) -> String {
    let restricted = |filtering: &Filtering| *filtering != Filtering::EndpointIndependent;
    or_empty(policy.filtering.filter(restricted))
}

/// What each inside host may have.
fn limits(policy: &Policy) -> String {
    let limits = [
        ("bindings", policy.subscriber_bindings),
        ("flows", policy.subscriber_flows),
        ("rate", policy.subscriber_rate),
    ];
    let set = limits
        .into_iter()
        .filter_map(|(word, limit)| Some(format!("{word} {}", limit.filter(|limit| *limit != 0)?)));
    set.collect::<Vec<_>>().join(" ")
}

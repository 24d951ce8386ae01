// SPDX-License-Identifier: GPL-2.0

//! Events, one line each.

use std::io::{self, Write};
use std::time::SystemTime;

use fastnat_netlink::Reason;
use fastnat_netlink::generated::{Binding, Block, Event, Flow, Group, Limit};
use serde::{Serialize, Serializer};

use super::binding::{inside, outside};
use super::flow::both_sides;
use super::or_empty;
use super::pool::block_ports;
use crate::output::Text;

/// Something that was learnt, and when.
#[derive(Serialize)]
pub struct Line {
    /// When it was read.
    #[serde(serialize_with = "as_text")]
    pub time: SystemTime,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What was learnt.
#[derive(Serialize)]
#[serde(untagged)]
pub enum What {
    /// An event of the kernel.
    Event(Event),
    /// Something about the events.
    Mark(Mark),
}

/// What the command itself has to say among the events; in JSON an event as well.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Mark {
    /// From now on events are heard.
    Listening {
        /// Those of these groups.
        groups: Vec<Group>,
    },
    /// Events were lost.
    Lost {
        /// The group that they were sent to.
        group: Group,
        /// How many.
        count: u32,
    },
    /// Events were lost; how many is known later.
    Overrun,
    /// What follows, up to the end, lives now.
    ResyncBegin,
    /// A binding that lives.
    BindingListed(Binding),
    /// A block of ports that somebody has.
    BlockListed(Block),
    /// A flow that lives.
    FlowListed(Flow),
    /// The list is complete.
    ResyncEnd,
}

impl Text for Line {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (name, rest) = match &self.what {
            What::Event(event) => (event.name(), describe(event)),
            What::Mark(mark) => say(mark),
        };
        let line = format!(
            "{}  {:<15}  {rest}",
            time(&self.time),
            name.replace('-', " ")
        );
        writeln!(out, "{}", line.trim_end())
    }
}

fn time(time: &SystemTime) -> String {
    humantime::format_rfc3339_millis(*time).to_string()
}

fn as_text<S: Serializer>(value: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time(value))
}

fn describe(event: &Event) -> String {
    match event {
        Event::Limit(event) => limit(event),
        Event::BindingCreated(event) | Event::BindingEnded(event) => binding(event),
        Event::BlockCreated(event) | Event::BlockEnded(event) => block(event),
        Event::FlowCreated(event) | Event::FlowEnded(event) => flow(event),
    }
}

fn say(mark: &Mark) -> (&'static str, String) {
    match mark {
        Mark::Listening { groups } => ("listening", names(groups)),
        Mark::Lost { group, count } => ("lost", format!("events of {}: {count}", group.name())),
        Mark::Overrun => (
            "lost",
            "they came faster than they were read; how many is said later".into(),
        ),
        Mark::ResyncBegin => ("resync begins", String::new()),
        Mark::BindingListed(listed) => ("binding listed", binding(listed)),
        Mark::BlockListed(listed) => ("block listed", block(listed)),
        Mark::FlowListed(listed) => ("flow listed", flow(listed)),
        Mark::ResyncEnd => ("resync ends", String::new()),
    }
}

fn names(groups: &[Group]) -> String {
    let names: Vec<_> = groups.iter().map(|group| group.name()).collect();
    names.join(" ")
}

fn limit(limit: &Limit) -> String {
    let doc = limit.reason.and_then(Reason::counter).map(|attr| attr.doc);
    words([
        or_empty(limit.reason),
        or_empty(limit.count),
        or_empty(limit.inside_addr.map(|addr| format!("for {addr}"))),
        format!(" {}", doc.unwrap_or_default()),
    ])
}

fn binding(binding: &Binding) -> String {
    words([
        or_empty(binding.proto),
        inside(binding),
        format!("as {}", outside(binding)),
        format!("policy {}", or_empty(binding.policy)),
        or_empty(binding.r#static.then_some("static")),
        expires(binding.expires),
        node(binding.node),
    ])
}

fn block(block: &Block) -> String {
    format!(
        "{} of {} for {}",
        block_ports(block),
        or_empty(block.pool.as_ref()),
        or_empty(block.inside_addr)
    )
}

fn flow(flow: &Flow) -> String {
    let [first, translated] = both_sides(flow);
    words([
        first,
        format!("as {translated}"),
        format!("policy {}", or_empty(flow.policy)),
        expires(flow.expires),
        node(flow.node),
    ])
}

fn expires(seconds: Option<u32>) -> String {
    or_empty(seconds.map(|seconds| format!("expires {seconds}s")))
}

fn node(node: Option<u32>) -> String {
    let other = node.filter(|node| *node > 0);
    or_empty(other.map(|node| format!("node {node}")))
}

/// The parts that are not empty.
fn words<const N: usize>(parts: [String; N]) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

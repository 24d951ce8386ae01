// SPDX-License-Identifier: GPL-2.0

//! What the host itself sends, and destination policies that would take the answers: an ntpd of the gateway
//! asks from port 123, and udp/123 is forwarded.
//!
//! Such a packet gets a flow that changes nothing. PREROUTING finds it by the answer, before it asks
//! policies, and the answer goes on to the socket.

use super::inbound::add_flow;
use super::{subject, Hook, Outcome};
use crate::nat::addr::{Addr, V4};
use crate::nat::packet::{Edge, Packet};
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Tuple, Zone, TCP};
use crate::state::policy::{Entry, Snapshot};
use crate::sys::skb::Skb;
use crate::sys::{dev, time};
use crate::table::flow::{NewFlow, Source, Uplink};

/// Sees to it that the answer to a packet of the host comes back, if it leaves as it is.
#[inline]
pub(super) fn sent(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>, outcome: Outcome) -> Outcome {
    let rules = hook.net.rules(hook.rcu);
    let rules = rules.filter(|rules| rules.has_destination());
    if let (Some(rules), Outcome::Pass(_)) = (rules, outcome) {
        expect_answer(hook, skb, tuple, rules);
    }
    outcome
}

/// The same of a packet of another protocol: a tunnel of the gateway, GRE or ESP. Its flow has no ports.
pub(super) fn sent_other(
    hook: &Hook<'_>,
    skb: &Skb,
    tuple: &Tuple<V4>,
    outcome: Outcome,
) -> Outcome {
    let tuple = other_tuple(tuple, hook.context.zone());
    match hook.flow(&tuple) {
        Some(entry) => entry.touch(time::now()),
        None => _ = sent(hook, skb, &tuple, outcome),
    }
    outcome
}

/// Is it an answer to what the host sends by another protocol?
pub(super) fn is_answer(hook: &Hook<'_>, tuple: &Tuple<V4>) -> bool {
    let entry = hook.flow(&other_tuple(tuple, hook.context.zone()));
    entry.is_some_and(|entry| {
        entry.touch(time::now());
        entry.is_local()
    })
}

fn other_tuple(tuple: &Tuple<V4>, zone: Zone) -> Tuple<V4> {
    subject::portless(tuple.proto, tuple.src_addr, tuple.dst_addr).in_zone(zone)
}

/// POSTROUTING: has the other end begun a flow by a destination policy, to which this answer would belong?
pub(super) fn is_taken(hook: &Hook<'_>, answer: &Tuple<V4>) -> bool {
    let rules = hook.net.rules(hook.rcu);
    let answer = || answer.in_zone(hook.context.zone_out());
    rules.is_some_and(Snapshot::has_destination) && hook.flow(&answer()).is_some()
}

/// If there is no room for a flow, the packet leaves all the same.
fn expect_answer(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>, rules: &Snapshot) {
    let to_another = |output: dev::Device<'_>| !output.is_internal();
    if !hook.context.output().is_some_and(to_another) || tuple.dst_addr.is_multicast() {
        return;
    }
    let answer = subject::of_answer(hook, skb, tuple);
    let Some(entry) = rules
        .destination(&answer)
        .filter(|entry| entry.translates())
    else {
        return;
    };
    let node = hook.net.home(tuple.src_port.to_host());
    let flow = NewFlow {
        orig: *tuple,
        half: Half::Src,
        to: tuple.src(),
        back: hook.context.zone_out(),
        owner: &entry.owner,
        binding: None,
        source: Source::Closed,
        local: true,
        uplink: Uplink::ANY,
        now: time::now(),
        until: None,
    };
    let _ = add_flow(hook, node, flow);
}

/// Does a packet that a destination policy would take belong to a connection that the host had before?
pub(super) fn has_connection(hook: &Hook<'_>, packet: &Packet<V4>, entry: &Entry) -> bool {
    packet.tuple.proto == TCP
        && packet.edge != Edge::Begin
        && entry.translates()
        && dev::has_connection(hook.context, &packet.tuple, hook.context.input())
}

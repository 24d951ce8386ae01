// SPDX-License-Identifier: GPL-2.0

//! PREROUTING: destinations.

use super::{hairpin, packet as step, subject, Outcome};
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::packet::{Ip, Packet};
use crate::nat::policy::{map_port, IfName, ANY_IFACE};
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Endpoint, Side, ICMP};
use crate::state::policy::{Entry, Snapshot, Target};
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::hook::Context;
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;
use crate::sys::{dev, time};
use crate::table::binding::Held;
use crate::table::flow::{FlowEntry, NewFlow};
use crate::table::shard::Unmade;
use crate::table::Owner;
use kernel::sync::Arc;

/// A packet that can be translated.
#[inline]
pub(super) fn packet(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    let Some(entry) = net.flow(&packet.tuple, rcu) else {
        return first(net, skb, context, packet, rcu);
    };
    if entry.half() == Half::Dst {
        return step::translate(net, skb, packet, entry);
    }
    // The source is translated after routing; conntrack comes before that.
    step::untrack(net, skb, entry);
    Outcome::Elsewhere
}

/// A packet of no flow yet: dnat policies are asked first, then bindings.
fn first(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    let Some(rules) = net.rules.get(rcu) else {
        return Outcome::Elsewhere;
    };
    let internal = context.input().is_none_or(|input| input.is_internal());
    if internal || packet.tuple.dst_addr.is_multicast() {
        return Outcome::Elsewhere;
    }
    if rules.has_destination() {
        let subject = subject::of(skb, context, &packet.tuple);
        if let Some(entry) = rules.destination(&subject) {
            return by_policy(net, skb, context, packet, rules, entry, rcu);
        }
    }
    by_binding(net, skb, context, packet, rules, rcu)
}

fn by_policy(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rules: &Snapshot,
    entry: &Entry,
    rcu: Rcu<'_>,
) -> Outcome {
    let tuple = &packet.tuple;
    let Target::Endpoint { addr, ports } = entry.target else {
        return Outcome::Pass(Counter::PassExempt);
    };
    let port = match tuple.proto {
        ICMP => tuple.dst_port,
        _ => {
            let matched = entry.policy.matches.dport;
            Be16::from_host(map_port(matched, ports, tuple.dst_port.to_host()))
        }
    };
    let new = Inbound {
        inside: Endpoint { addr, port },
        owner: &entry.owner,
        binding: None,
        outside_iface: match entry.policy.matches.in_iface {
            ANY_IFACE => dev::owner_of(context, tuple.dst_addr, rcu).map(|dev| dev.name()),
            name => Some(name),
        },
    };
    match begin(net, skb, context, packet, rules, new, rcu) {
        Ok(flow) => step::translate(net, skb, packet, flow),
        Err(reason) => Outcome::Drop(reason),
    }
}

/// A binding lets in whoever sends to it (endpoint-independent filtering, RFC 4787 REQ-8). No
/// flow is made: that is for packets from inside.
fn by_binding(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rules: &Snapshot,
    rcu: Rcu<'_>,
) -> Outcome {
    let tuple = &packet.tuple;
    let found = net.binding(Side::Outside, tuple.proto, tuple.dst(), rcu, |_| true);
    let Some(held) = found.and_then(Held::new) else {
        return Outcome::Elsewhere;
    };
    // The sockets of the host come first, on its own addresses.
    if dev::has_socket(skb, context, tuple) {
        return Outcome::Pass(Counter::PassLocal);
    }
    let inside = held.inside();
    let new = Inbound {
        inside,
        owner: held.owner(),
        binding: Held::new(&held),
        outside_iface: Some(held.owner().outside_iface),
    };
    match hairpin::begin(net, skb, context, packet, rules, &new, rcu) {
        Ok(false) => (),
        Ok(true) => {
            return match add(net, packet, new, false, rcu) {
                Ok(flow) => step::translate(net, skb, packet, flow),
                Err(reason) => Outcome::Drop(reason),
            }
        }
        Err(reason) => return Outcome::Drop(reason),
    }
    if net.settings.untracked() {
        skb.untrack();
    }
    step::replace(skb, packet, Half::Dst, inside)
}

/// The translation of the first packet from outside.
pub(super) struct Inbound<'a> {
    /// Where it goes.
    pub(super) inside: Endpoint<V4>,
    /// The policy it lives by.
    pub(super) owner: &'a Arc<Owner>,
    /// The binding it lives by.
    pub(super) binding: Option<Held<V4>>,
    /// The interface that the outside endpoint belongs to, if that is known.
    pub(super) outside_iface: Option<IfName>,
}

fn begin<'a>(
    net: &'a Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rules: &Snapshot,
    new: Inbound<'_>,
    rcu: Rcu<'a>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let hairpin = hairpin::begin(net, skb, context, packet, rules, &new, rcu)?;
    add(net, packet, new, !hairpin, rcu)
}

fn add<'a>(
    net: &'a Net,
    packet: &Packet<V4>,
    new: Inbound<'_>,
    source_open: bool,
    rcu: Rcu<'a>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let node = net.home(packet.tuple.dst_port.to_host());
    let flow = NewFlow {
        orig: packet.tuple,
        half: Half::Dst,
        to: new.inside,
        owner: new.owner,
        binding: new.binding,
        source_open,
        local: false,
        now: time::now(),
    };
    add_flow(net, node, flow, rcu)
}

/// Makes a flow on a node, or finds that another CPU has.
pub(super) fn add_flow<'a>(
    net: &'a Net,
    node: usize,
    flow: NewFlow<'_, V4>,
    rcu: Rcu<'a>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let tuple = flow.orig;
    let shard = net.shards.get(node).ok_or(Counter::DropMemory)?;
    let place = net.flow_place(node).ok_or(Counter::DropMaxFlows)?;
    match shard.add_flow(flow, place, rcu) {
        Ok(entry) => {
            net.count(Counter::FlowsCreated);
            Ok(entry)
        }
        Err(Unmade::Memory) => Err(Counter::DropMemory),
        Err(Unmade::Conflict) => Err(Counter::DropConflict),
        Err(Unmade::Exists) => shard.flow(&tuple, rcu).ok_or(Counter::DropConflict),
    }
}

/// A packet that cannot be translated is dropped if a policy says that it should be.
pub(super) fn untranslatable(
    net: &Net,
    skb: &Skb,
    context: &Context<'_>,
    ip: Ip,
    reason: Counter,
    rcu: Rcu<'_>,
) -> Outcome {
    let rules = net.rules.get(rcu).filter(|rules| rules.has_destination());
    let entry = rules.and_then(|rules| rules.destination(&subject::of_header(skb, context, &ip)));
    match entry.map(|entry| &entry.target) {
        Some(Target::Endpoint { .. }) => Outcome::Drop(reason),
        _ => Outcome::Elsewhere,
    }
}

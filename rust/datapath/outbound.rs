// SPDX-License-Identifier: GPL-2.0

//! POSTROUTING: sources.

use super::binding::{Outside, Request};
use super::inbound::add_flow;
use super::{packet as step, subject, Outcome};
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::packet::{Ip, Packet};
use crate::nat::policy::{Subject, ANY_IFACE};
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Endpoint, Side, Tuple, ICMP};
use crate::state::policy::{Entry, Snapshot, Target};
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::dev::Device;
use crate::sys::hook::Context;
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;
use crate::sys::{dev, time};
use crate::table::binding::{Binding, Held};
use crate::table::flow::{Direction, Flow, FlowEntry, NewFlow, Source};
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
    if let Some(entry) = net.flow(&packet.tuple, rcu) {
        return match entry.half() {
            Half::Src => step::translate(net, skb, packet, entry),
            Half::Dst => Outcome::Elsewhere,
        };
    }
    if context.input().is_none() {
        return first(net, skb, context, packet, rcu);
    }
    // The way back of a packet whose destination PREROUTING has translated is known.
    if let Some(entry) = net.flow(&packet.tuple.reverse(), rcu) {
        return match entry.direction() {
            Direction::Orig => Outcome::Elsewhere,
            Direction::Reply => let_in_by(net, skb, context, packet, entry.flow(), rcu),
        };
    }
    if is_let_in(net, context, &packet.tuple, rcu) {
        return Outcome::Elsewhere;
    }
    first(net, skb, context, packet, rcu)
}

/// PREROUTING has translated the destination by `flow`, and no flow translates the source.
fn let_in_by(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    flow: &Flow<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    match flow.source() {
        Source::Closed => Outcome::Elsewhere,
        // The flow for the source has gone before its time: both begin anew with the next packet.
        Source::Ahead => {
            net.remove(flow);
            Outcome::Drop(Counter::DropConflict)
        }
        Source::Open => match first(net, skb, context, packet, rcu) {
            // Only that no policy wants the source is decided for good: a packet that was refused
            // is asked about again, and so is one whose flow for the source has gone.
            Outcome::Pass(_) => {
                flow.close_source();
                Outcome::Elsewhere
            }
            other => other,
        },
    }
}

/// Did PREROUTING translate the destination by a binding, without a flow?
fn is_let_in(net: &Net, context: &Context<'_>, tuple: &Tuple<V4>, rcu: Rcu<'_>) -> bool {
    context.input().is_some() && let_in_at(net, context.input(), tuple, rcu).is_some()
}

/// The outside endpoint of the binding that lets packets to the destination of `tuple` in, where
/// `outside` is the interface that they come by.
pub(super) fn let_in_at(
    net: &Net,
    outside: Option<Device<'_>>,
    tuple: &Tuple<V4>,
    rcu: Rcu<'_>,
) -> Option<Endpoint<V4>> {
    let name = outside?.name();
    let found = net.binding(Side::Inside, tuple.proto, tuple.dst(), rcu, |binding| {
        let outside = binding.owner().outside_iface;
        outside == ANY_IFACE || outside == name
    });
    found.map(Binding::outside)
}

/// A packet of no flow yet: source policies are asked.
fn first(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    packet: &Packet<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    let tuple = &packet.tuple;
    if context.output().is_none_or(|output| output.is_internal()) {
        return Outcome::Elsewhere;
    }
    let Some((rules, entry)) = policy(net, &subject::of(skb, context, tuple), rcu) else {
        return Outcome::Pass(Counter::PassUntouched);
    };
    match begin(net, skb, context, tuple, rules, entry, rcu) {
        Ok(Some(flow)) => {
            if net.settings.untracked() && !flow.is_local() {
                skb.forget_conntrack();
            }
            step::translate(net, skb, packet, flow)
        }
        Ok(None) if is_translation(entry) => Outcome::Pass(Counter::PassLocal),
        Ok(None) => Outcome::Pass(Counter::PassExempt),
        Err(reason) => refuse(context, tuple.src_addr, reason),
    }
}

fn policy<'a>(
    net: &'a Net,
    subject: &Subject<V4>,
    rcu: Rcu<'a>,
) -> Option<(&'a Snapshot, &'a Arc<Entry>)> {
    if subject.tuple.dst_addr.is_multicast() {
        return None;
    }
    let rules = net.rules.get(rcu)?;
    Some((rules, rules.source(subject)?))
}

fn begin<'a>(
    net: &'a Net,
    skb: &mut Skb,
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    rules: &Snapshot,
    entry: &Entry,
    rcu: Rcu<'a>,
) -> Result<Option<&'a FlowEntry<V4>>, Counter> {
    let outside = match &entry.target {
        Target::Pool(_) => Outside::OfPool,
        Target::Masquerade(_) => {
            let output = context.output().ok_or(Counter::DropAddress)?;
            Outside::Address(output.masquerade_addr(skb).ok_or(Counter::DropAddress)?)
        }
        _ => return Ok(None),
    };
    if is_outside_already(net, context, tuple, outside, rcu) {
        return Ok(None);
    }
    if net.is_full() {
        return Err(Counter::DropMaxFlows);
    }
    // An echo reply that answers nothing: there is no query to map.
    if tuple.proto == ICMP && tuple.dst_port != Be16::default() {
        return Err(Counter::DropIcmpNoFlow);
    }
    let held = Request {
        net,
        skb,
        context,
        rules,
        entry,
        tuple,
        rcu,
    }
    .binding(outside)?;
    add(net, tuple, entry, held, context.input().is_none(), rcu).map(Some)
}

/// Makes the flow that translates the source of `tuple` to the outside of a binding.
pub(super) fn add<'a>(
    net: &'a Net,
    tuple: &Tuple<V4>,
    entry: &Entry,
    held: Held<V4>,
    local: bool,
    rcu: Rcu<'a>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let outside = held.outside();
    let node = net.home(outside.port.to_host());
    let flow = NewFlow {
        orig: *tuple,
        half: Half::Src,
        to: outside,
        owner: &entry.owner,
        binding: Some(held),
        source: Source::Closed,
        local,
        now: time::now(),
    };
    add_flow(net, node, flow, rcu)
}

/// What the host sends from an outside address is outside already, and stays as it is, without
/// a binding: sockets of the host are seen when ports are given out. Two things get a binding
/// where a masquerade policy means this very address: what is sent from a port that an inside host
/// holds, unless a service answers from there; and ICMP queries, whose sockets cannot be seen.
fn is_outside_already(
    net: &Net,
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    outside: Outside,
    rcu: Rcu<'_>,
) -> bool {
    if !is_from_outside_address(context, tuple.src_addr) {
        return false;
    }
    let (proto, src) = (tuple.proto, tuple.src());
    match outside {
        Outside::Address(addr) if addr == src.addr && proto == ICMP => false,
        Outside::Address(addr) if addr == src.addr => {
            net.binding(Side::Outside, proto, src, rcu, |_| true)
                .is_none()
                || dev::has_listener(context, &tuple.reverse(), context.output())
        }
        _ => true,
    }
}

/// Does the host itself send this, from an address of the output interface?
fn is_from_outside_address(context: &Context<'_>, src: V4) -> bool {
    let own = context.input().is_none();
    own && context.output().is_some_and(|output| output.has_addr(src))
}

/// What the host sends from an address of the output interface may leave as it is; all else that
/// should have been translated may not.
fn refuse(context: &Context<'_>, src: V4, reason: Counter) -> Outcome {
    match is_from_outside_address(context, src) {
        true => Outcome::Pass(Counter::PassLocal),
        false => Outcome::Drop(reason),
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
    match policy(net, &subject::of_header(skb, context, &ip), rcu) {
        Some((_, entry)) if is_translation(entry) => refuse(context, ip.src, reason),
        Some(_) => Outcome::Pass(Counter::PassExempt),
        None => Outcome::Pass(Counter::PassUntouched),
    }
}

/// Does the policy translate, rather than exempt?
pub(super) fn is_translation(entry: &Entry) -> bool {
    !matches!(entry.target, Target::Exempt)
}

/// Does a source policy say that this should be translated?
pub(super) fn should_translate(net: &Net, subject: &Subject<V4>, rcu: Rcu<'_>) -> bool {
    policy(net, subject, rcu).is_some_and(|(_, entry)| is_translation(entry))
}

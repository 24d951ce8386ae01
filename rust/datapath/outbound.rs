// SPDX-License-Identifier: GPL-2.0

//! POSTROUTING: sources.

use super::binding::{Outside, Request};
use super::inbound::add_flow;
use super::{packet as step, subject, Outcome};
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::packet::{Ip, Packet};
use crate::nat::policy::{Subject, ANY_IFACE};
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Side, Tuple, ICMP};
use crate::state::policy::{Entry, Snapshot, Target};
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::hook::Context;
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;
use crate::sys::time;
use crate::table::binding::Held;
use crate::table::flow::{Direction, FlowEntry, NewFlow};
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
        let flow = entry.flow();
        if entry.direction() == Direction::Orig || !flow.source_open() {
            return Outcome::Elsewhere;
        }
        let outcome = first(net, skb, context, packet, rcu);
        if let Outcome::Drop(_) = outcome {
            return outcome;
        }
        // Decided for good; a packet that was refused is asked about again.
        flow.close_source();
        return match outcome {
            Outcome::Pass(_) => Outcome::Elsewhere,
            other => other,
        };
    }
    if is_let_in(net, context, &packet.tuple, rcu) {
        return Outcome::Elsewhere;
    }
    first(net, skb, context, packet, rcu)
}

/// Did PREROUTING translate the destination by a binding, without a flow?
fn is_let_in(net: &Net, context: &Context<'_>, tuple: &Tuple<V4>, rcu: Rcu<'_>) -> bool {
    let Some(input) = context.input() else {
        return false;
    };
    let from_outside = |outside| outside == ANY_IFACE || outside == input.name();
    let found = net.binding(Side::Inside, tuple.proto, tuple.dst(), rcu, |binding| {
        from_outside(binding.owner().outside_iface)
    });
    found.is_some()
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
        source_open: false,
        local,
        now: time::now(),
    };
    add_flow(net, node, flow, rcu)
}

/// What the host sends from an address of the output interface may leave as it is; all else that
/// should have been translated may not.
fn refuse(context: &Context<'_>, src: V4, reason: Counter) -> Outcome {
    let own = context.input().is_none();
    match context.output() {
        Some(output) if own && output.has_addr(src) => Outcome::Pass(Counter::PassLocal),
        _ => Outcome::Drop(reason),
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

/// The source policy that says a packet from `src` to `dst` should be translated.
pub(super) fn should_translate(net: &Net, subject: &Subject<V4>, rcu: Rcu<'_>) -> bool {
    policy(net, subject, rcu).is_some_and(|(_, entry)| is_translation(entry))
}

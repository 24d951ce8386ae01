// SPDX-License-Identifier: GPL-2.0

//! POSTROUTING: sources.

use super::binding::{Outside, Request};
use super::inbound::add_flow;
use super::{local, offload, other, packet as step, subject, uplink, Hook, Outcome};
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::packet::{Ip, Packet};
use crate::nat::plain::Plain;
use crate::nat::policy::Subject;
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Endpoint, Side, Tuple, ICMP};
use crate::state::policy::{inside_zone, outside_zone, Entry, Snapshot, Target};
use crate::state::stats::Counter;
use crate::sys::dev::Device;
use crate::sys::skb::Skb;
use crate::sys::{dev, time};
use crate::table::binding::{Binding, Held};
use crate::table::flow::{Direction, Flow, FlowEntry, NewFlow, Source, Uplink};
use kernel::sync::Arc;

/// A packet that can be translated.
pub(super) fn packet(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>) -> Outcome {
    if let Some(entry) = hook.flow(&packet.tuple) {
        return match entry.half() {
            Half::Src if uplink::has_changed(hook, entry) => {
                uplink::changed(hook, skb, packet, entry)
            }
            Half::Src => {
                offload::learn(hook, skb, entry);
                step::translate(hook, skb, packet, entry)
            }
            Half::Dst => Outcome::Elsewhere,
        };
    }
    if hook.context.input().is_none() {
        return own(hook, skb, packet);
    }
    let back = packet.tuple.reverse().in_zone(hook.context.zone_out());
    beyond(hook, skb, packet, hook.flow(&back))
}

/// The same for a plain packet outside of VRFs. It is put into memory only where a flow begins.
#[inline]
pub(super) fn plain(hook: &Hook<'_>, skb: &mut Skb, plain: Plain) -> Outcome {
    let tuple = plain.tuple();
    if let Some(entry) = hook.flow(&tuple) {
        return match entry.half() {
            Half::Src if uplink::has_changed(hook, entry) => {
                uplink::changed(hook, skb, &plain.packet(), entry)
            }
            Half::Src => {
                offload::learn(hook, skb, entry);
                step::translate_plain(hook, skb, plain, entry)
            }
            Half::Dst => Outcome::Elsewhere,
        };
    }
    if hook.context.input().is_none() {
        return own(hook, skb, &plain.packet());
    }
    match hook.flow(&tuple.reverse()) {
        Some(entry) if entry.direction() == Direction::Orig => {
            offload::learn_inbound(hook, skb, &tuple, entry);
            Outcome::Elsewhere
        }
        known => beyond(hook, skb, &plain.packet(), known),
    }
}

/// A packet of the host itself, of no flow.
#[inline(never)]
fn own(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>) -> Outcome {
    if uplink::is_reset_for_another(hook, skb, packet) {
        return Outcome::Pass(Counter::PassLocal);
    }
    let outcome = first(hook, skb, packet);
    local::sent(hook, skb, &packet.tuple, outcome)
}

/// A packet of which no flow translates an end here. `back` knows its way back: then PREROUTING has translated its
/// destination.
#[inline(never)]
fn beyond(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    back: Option<&FlowEntry<V4>>,
) -> Outcome {
    if let Some(entry) = back {
        let outcome = match entry.direction() {
            Direction::Orig => Outcome::Elsewhere,
            Direction::Reply => let_in_by(hook, skb, packet, entry.flow()),
        };
        if outcome == Outcome::Elsewhere {
            offload::learn_inbound(hook, skb, &packet.tuple, entry);
        }
        return outcome;
    }
    if is_let_in(hook, &packet.tuple) {
        return Outcome::Elsewhere;
    }
    first(hook, skb, packet)
}

/// PREROUTING has translated the destination by `flow`, and no flow translates the source.
fn let_in_by(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>, flow: &Flow<V4>) -> Outcome {
    match flow.source() {
        Source::Closed => Outcome::Elsewhere,
        // The flow for the source has gone before its time: both begin anew with the next packet.
        Source::Ahead => {
            hook.net.remove(flow, hook.rcu);
            flow.owner().refuse();
            Outcome::Drop(Counter::DropConflict)
        }
        Source::Open => match first(hook, skb, packet) {
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
fn is_let_in(hook: &Hook<'_>, tuple: &Tuple<V4>) -> bool {
    let tuple = tuple.in_zone(hook.context.zone_out());
    let_in_at(hook, hook.context.input(), &tuple).is_some()
}

/// The outside endpoint of the binding that lets packets to the destination of `tuple` in, which is in the
/// routing domain of the inside, where `outside` is the interface that they come by.
pub(super) fn let_in_at(
    hook: &Hook<'_>,
    outside: Option<Device<'_>>,
    tuple: &Tuple<V4>,
) -> Option<Endpoint<V4>> {
    let dev = outside?;
    let wanted = |binding: &Binding<V4>| {
        let outside = binding.owner().outside_iface;
        inside_zone(binding.realm()) == tuple.zone
            && (outside.is_any() || outside.contains(&dev.interface()))
    };
    let (proto, dst) = (tuple.proto, tuple.dst());
    let found = hook
        .net
        .binding(Side::Inside, proto, dst, hook.rcu, wanted)?;
    Some(found.outside())
}

/// A packet of no flow yet: source policies are asked.
pub(super) fn first(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>) -> Outcome {
    if let Some(outcome) = uplink::orphan(hook, skb, packet) {
        return outcome;
    }
    let tuple = &packet.tuple;
    let Some((rules, entry)) = policy(hook, &subject::of(hook, skb, tuple)) else {
        return Outcome::Pass(Counter::PassUntouched);
    };
    if entry.translates() && other::has_source(skb) {
        return Outcome::Pass(Counter::PassOtherNat);
    }
    match begin(hook, skb, tuple, rules, entry) {
        Ok(Some(flow)) => {
            if hook.net.settings.untracked() && !flow.is_local() {
                skb.forget_conntrack();
            }
            offload::learn(hook, skb, flow);
            step::translate(hook, skb, packet, flow)
        }
        Ok(None) if entry.translates() => Outcome::Pass(Counter::PassLocal),
        Ok(None) => Outcome::Pass(Counter::PassExempt),
        Err(reason) => refuse(hook, tuple.src_addr, entry, reason),
    }
}

/// The source policy for a packet, if it leaves the host for another.
pub(super) fn policy<'a>(
    hook: &Hook<'a>,
    subject: &Subject<V4>,
) -> Option<(&'a Snapshot, &'a Arc<Entry>)> {
    if hook.context.output()?.is_internal() || subject.tuple.dst_addr.is_multicast() {
        return None;
    }
    let rules = hook.net.rules(hook.rcu)?;
    Some((rules, rules.source(subject)?))
}

fn begin<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    tuple: &Tuple<V4>,
    rules: &Snapshot,
    entry: &Entry,
) -> Result<Option<&'a FlowEntry<V4>>, Counter> {
    let (outside, uplink) = match &entry.target {
        Target::Pool(_) => (Outside::OfPool, Uplink::ANY),
        Target::Masquerade(_) => {
            let output = hook.context.output().ok_or(Counter::DropAddress)?;
            let addr = output.masquerade_addr(skb).ok_or(Counter::DropAddress)?;
            (Outside::Address(addr), uplink::output(hook))
        }
        Target::Netmap(to) => {
            let addr = to.with_host_of(tuple.src_addr);
            (Outside::Same(addr), Uplink::ANY)
        }
        _ => return Ok(None),
    };
    if is_outside_already(hook, tuple, outside) {
        return Ok(None);
    }
    if hook.net.is_full() {
        return Err(Counter::DropMaxFlows);
    }
    // A reply that answers nothing: there is no query to map.
    if tuple.proto == ICMP && tuple.dst_port != Be16::default() {
        return Err(Counter::DropIcmpNoFlow);
    }
    let held = Request {
        hook,
        rules,
        entry,
        tuple,
    }
    .binding(outside)?;
    let way = Way {
        uplink,
        local: other::stays_tracked(hook, skb),
    };
    add(hook, tuple, entry, held, way).map(Some)
}

/// How the packets of a flow go whose source is translated.
pub(super) struct Way {
    /// By which interface they have to leave.
    pub(super) uplink: Uplink,
    /// Does connection tracking see them in any case?
    pub(super) local: bool,
}

/// Makes the flow that translates the source of `tuple` to the outside of a binding.
pub(super) fn add<'a>(
    hook: &Hook<'a>,
    tuple: &Tuple<V4>,
    entry: &Entry,
    held: Held<V4>,
    way: Way,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let outside = held.outside();
    let node = hook.net.home(outside.port.to_host());
    let flow = NewFlow {
        orig: *tuple,
        half: Half::Src,
        to: outside,
        back: hook.context.zone_out(),
        owner: &entry.owner,
        binding: Some(held),
        source: Source::Closed,
        local: way.local,
        uplink: way.uplink,
        now: time::now(),
        until: None,
    };
    add_flow(hook, node, flow)
}

/// What the host sends from an outside address is outside already, and stays as it is, without
/// a binding: sockets of the host are seen when ports are given out. Some things get a binding
/// where a masquerade policy means this very address: what is sent from a port that an inside host
/// holds, or whose answers belong to a flow already, unless a service answers from there; and ICMP
/// queries, whose sockets cannot be seen.
fn is_outside_already(hook: &Hook<'_>, tuple: &Tuple<V4>, outside: Outside) -> bool {
    if !is_from_outside_address(hook, tuple.src_addr) {
        return false;
    }
    let (proto, src) = (tuple.proto, tuple.src());
    match outside {
        Outside::Address(addr) if addr == src.addr && proto == ICMP => false,
        Outside::Address(addr) if addr == src.addr => {
            let held = hook
                .net
                .any_binding(Side::Outside, proto, src, hook.rcu, |binding| {
                    outside_zone(binding.realm()) == tuple.zone
                });
            held.is_none() && !local::is_taken(hook, &tuple.reverse())
                || dev::has_listener(hook.context, &tuple.reverse(), hook.context.output())
        }
        _ => true,
    }
}

/// Does the host itself send this, from an address of the output interface?
fn is_from_outside_address(hook: &Hook<'_>, src: V4) -> bool {
    let own = hook.context.input().is_none();
    own && hook
        .context
        .output()
        .is_some_and(|output| output.has_addr(src))
}

/// What the host sends from an address of the output interface may leave as it is; all else that
/// should have been translated may not.
fn refuse(hook: &Hook<'_>, src: V4, entry: &Entry, reason: Counter) -> Outcome {
    if is_from_outside_address(hook, src) {
        return Outcome::Pass(Counter::PassLocal);
    }
    entry.owner.refuse();
    Outcome::Refuse(reason)
}

/// A packet that cannot be translated is dropped if a policy says that it should be.
pub(super) fn untranslatable(hook: &Hook<'_>, skb: &Skb, ip: Ip, reason: Counter) -> Outcome {
    let subject = subject::of_header(hook, skb, &ip);
    let outcome = match policy(hook, &subject) {
        Some((_, entry)) if entry.translates() => match other::has_source(skb) {
            true => Outcome::Pass(Counter::PassOtherNat),
            false => refuse(hook, ip.src, entry, reason),
        },
        Some(_) => Outcome::Pass(Counter::PassExempt),
        None => Outcome::Pass(Counter::PassUntouched),
    };
    match hook.context.input().is_none() && reason == Counter::DropProtocol {
        true => local::sent_other(hook, skb, &subject.tuple, outcome),
        false => outcome,
    }
}

/// Does a source policy say that such a packet is to be translated?
pub(super) fn will_translate(hook: &Hook<'_>, subject: &Subject<V4>) -> bool {
    policy(hook, subject).is_some_and(|(_, entry)| entry.translates())
}

/// Does a source policy say that this should be translated, which it cannot be?
pub(super) fn is_refused(hook: &Hook<'_>, skb: &Skb, subject: &Subject<V4>) -> bool {
    match policy(hook, subject) {
        Some((_, entry)) if entry.translates() && !other::has_source(skb) => {
            entry.owner.refuse();
            true
        }
        _ => false,
    }
}

// SPDX-License-Identifier: GPL-2.0

//! PREROUTING: destinations.

use super::{hairpin, held, local, mark, other, packet as step, subject, target, Hook, Outcome};
use crate::nat::addr::{Addr, V4};
use crate::nat::iface::Interfaces;
use crate::nat::packet::{Ip, Packet};
use crate::nat::plain::Plain;
use crate::nat::policy::Filtering;
use crate::nat::rewrite::Half;
use crate::nat::time::Deadline;
use crate::nat::tuple::{Endpoint, Side, Tuple, Zone};
use crate::state::policy::{inside_zone, outside_zone, Entry, Snapshot};
use crate::state::stats::Counter;
use crate::sys::skb::Skb;
use crate::sys::{dev, time};
use crate::table::binding::Held;
use crate::table::flow::{FlowEntry, NewFlow, Source, Uplink};
use crate::table::shard::Unmade;
use crate::table::subscriber::Excess;
use crate::table::Owner;
use kernel::sync::Arc;

/// A packet that can be translated, of the flow of `entry` if there is one.
pub(super) fn packet(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    entry: Option<&FlowEntry<V4>>,
) -> Outcome {
    match entry {
        None => first(hook, skb, packet),
        Some(entry) if entry.half() == Half::Dst => step::translate(hook, skb, packet, entry),
        Some(entry) => from_inside(hook, skb, entry),
    }
}

/// The same for a plain packet outside of VRFs. It is put into memory only where a flow may begin.
#[inline]
pub(super) fn plain(
    hook: &Hook<'_>,
    skb: &mut Skb,
    plain: Plain,
    entry: Option<&FlowEntry<V4>>,
) -> Outcome {
    match entry {
        None => first(hook, skb, &plain.packet()),
        Some(entry) if entry.half() == Half::Dst => step::translate_plain(hook, skb, plain, entry),
        Some(entry) => from_inside(hook, skb, entry),
    }
}

/// A packet whose source is translated after routing; connection tracking comes before that.
#[inline]
fn from_inside(hook: &Hook<'_>, skb: &mut Skb, entry: &FlowEntry<V4>) -> Outcome {
    mark::set(skb, entry);
    step::untrack(hook, skb, entry);
    Outcome::Elsewhere
}

/// A packet of no flow yet: dnat policies are asked first, then bindings. A policy that names no ports gives
/// way to a binding that leads elsewhere, and all of them to connections that the host has.
#[inline(never)]
fn first(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>) -> Outcome {
    let Some(rules) = rules(hook, packet.tuple.dst_addr) else {
        return Outcome::Elsewhere;
    };
    hook.net.prefetch(&packet.tuple, hook.rcu);
    if rules.has_destination() {
        let subject = subject::of(hook, skb, &packet.tuple);
        if let Some(entry) = rules.destination(&subject) {
            if local::has_connection(hook, packet, entry) {
                return Outcome::Pass(Counter::PassLocal);
            }
            let outcome = match entry.translates() && !entry.names_ports() {
                true => before_policy(hook, skb, packet, rules, entry),
                false => None,
            };
            return outcome.unwrap_or_else(|| by_policy(hook, skb, packet, rules, entry));
        }
    }
    by_binding(hook, skb, packet, rules)
}

/// The policies for a packet to `dst`, if it comes from another host and for one.
fn rules<'a>(hook: &Hook<'a>, dst: V4) -> Option<&'a Snapshot> {
    if hook.context.input()?.is_internal() || dst.is_multicast() {
        return None;
    }
    hook.net.rules(hook.rcu)
}

fn by_policy(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    rules: &Snapshot,
    entry: &Entry,
) -> Outcome {
    let tuple = &packet.tuple;
    if entry.translates() && other::has_connection(skb, tuple) {
        return Outcome::Pass(Counter::PassOtherNat);
    }
    let inside = match target::of(hook, tuple, entry) {
        Ok(Some(inside)) => inside,
        Ok(None) => return Outcome::Pass(Counter::PassExempt),
        Err(reason) => {
            entry.owner.refuse();
            return Outcome::Drop(reason);
        }
    };
    let to = Destination {
        inside,
        outside_iface: match target::is_host(entry) {
            true => None,
            false => Some(entry.policy.matches.in_iface),
        },
        is_mapped: target::is_network(entry),
    };
    let source = match hairpin::begin(hook, skb, packet, rules, &to) {
        Ok(Some(_)) => Source::Ahead,
        Ok(None) => Source::Open,
        Err(reason) => return Outcome::Refuse(reason),
    };
    let new = Inbound {
        inside: to.inside,
        owner: &entry.owner,
        binding: None,
        zone: zone_of(hook, skb, &tuple.with_dst(to.inside)),
        source,
    };
    begin(hook, skb, packet, new)
}

/// The routing domain that a packet is led into: another than that of its input if routes lead there.
fn zone_of(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>) -> Zone {
    if !dev::has_rules(hook.context) {
        return tuple.zone;
    }
    let output = dev::towards(hook.context, skb, tuple, hook.rcu);
    output.map_or(tuple.zone, |dev| dev.zone())
}

/// The binding of the destination.
fn bound(hook: &Hook<'_>, tuple: &Tuple<V4>) -> Option<Held<V4>> {
    let found = hook.net.binding(
        Side::Outside,
        tuple.proto,
        tuple.dst(),
        hook.rcu,
        |binding| outside_zone(binding.realm()) == tuple.zone,
    );
    found.and_then(Held::new)
}

fn by_binding(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>, rules: &Snapshot) -> Outcome {
    let Some(held) = bound(hook, &packet.tuple) else {
        mark::set_by_binding(hook, skb, &packet.tuple, rules);
        return held::unbound(hook, skb, packet, rules);
    };
    // The sockets of the host come first, on its own addresses.
    if dev::has_socket(hook.context, &packet.tuple, hook.context.input()) {
        return Outcome::Pass(Counter::PassLocal);
    }
    let outcome = let_in(hook, skb, packet, rules, held);
    outcome.unwrap_or_else(|| held::filtered(hook, skb, packet))
}

/// What a policy leaves to a binding: packets that it lets in. Not where both lead to the same endpoint (a
/// network mapped to a network): the policy makes a flow.
#[cold]
fn before_policy(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    rules: &Snapshot,
    entry: &Entry,
) -> Option<Outcome> {
    let held = bound(hook, &packet.tuple)?;
    let target = target::of(hook, &packet.tuple, entry).ok().flatten();
    if target == Some(held.inside()) {
        return None;
    }
    let_in(hook, skb, packet, rules, held)
}

/// A binding lets in whom its policy lets (RFC 4787 REQ-8); other inside hosts always. `None` if it does
/// not. No flow is made for packets from outside.
fn let_in(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    rules: &Snapshot,
    held: Held<V4>,
) -> Option<Outcome> {
    let tuple = &packet.tuple;
    if other::has_connection(skb, tuple) {
        return Some(Outcome::Pass(Counter::PassOtherNat));
    }
    let to = Destination {
        inside: held.inside(),
        outside_iface: Some(held.owner().outside_iface),
        is_mapped: false,
    };
    let owner = match hairpin::begin(hook, skb, packet, rules, &to) {
        Ok(Some(owner)) => owner,
        Ok(None) if !admits(hook, &held, tuple.src_addr) => return None,
        Ok(None) => {
            if hook.net.settings.untracked() {
                skb.untrack();
            }
            return Some(step::replace(skb, packet, Half::Dst, to.inside));
        }
        Err(reason) => return Some(Outcome::Refuse(reason)),
    };
    let new = Inbound {
        inside: to.inside,
        owner,
        zone: inside_zone(held.realm()),
        binding: Some(held),
        source: Source::Ahead,
    };
    Some(begin(hook, skb, packet, new))
}

/// May `src`, to whom no flow goes from this very endpoint, send to a binding? What was bound by
/// request is open.
fn admits(hook: &Hook<'_>, held: &Held<V4>, src: V4) -> bool {
    held.is_static()
        || match held.owner().behavior.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => held.home().has_contact(held, src, hook.rcu),
            Filtering::AddressAndPortDependent => false,
        }
}

/// Where a packet to an outside endpoint goes.
pub(super) struct Destination {
    /// The inside endpoint.
    pub(super) inside: Endpoint<V4>,
    /// The interfaces that the outside endpoint belongs to, any if that is not known; `None` for the
    /// gateway itself, where nobody's source is translated.
    pub(super) outside_iface: Option<Interfaces>,
    /// Is a whole network led inside?
    pub(super) is_mapped: bool,
}

/// The translation of a flow that begins with a packet to an outside endpoint.
struct Inbound<'a> {
    /// Where it goes.
    inside: Endpoint<V4>,
    /// The policy it lives by.
    owner: &'a Arc<Owner>,
    /// The binding it lives by.
    binding: Option<Held<V4>>,
    /// The routing domain of the inside.
    zone: Zone,
    /// What is known of its source.
    source: Source,
}

fn begin(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>, new: Inbound<'_>) -> Outcome {
    let (owner, from_inside) = (new.owner, matches!(new.source, Source::Ahead));
    let reason = match add(hook, packet, new) {
        Ok(flow) => return step::translate(hook, skb, packet, flow),
        Err(reason) => reason,
    };
    owner.refuse();
    match from_inside {
        true => Outcome::Refuse(reason),
        false => Outcome::Drop(reason),
    }
}

fn add<'a>(
    hook: &Hook<'a>,
    packet: &Packet<V4>,
    new: Inbound<'_>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let back = packet.tuple.with_dst(new.inside).reverse();
    let back = back.in_zone(new.zone);
    let local = hook.net.is_local();
    // Flows to one inside endpoint may live on any node, by the outside port that they came to.
    let several = hook.net.shards.len() > 1 && !local;
    let _alone = several.then(|| hook.net.making.lock(&back));
    if several {
        if let Some(entry) = hook.net.flow(&packet.tuple, hook.rcu) {
            return Ok(entry);
        }
        if hook.net.flow(&back, hook.rcu).is_some() {
            return Err(Counter::DropConflict);
        }
    }
    let node = match local {
        true => hook.net.nodes.here(),
        false => hook.net.home(packet.tuple.dst_port.to_host()),
    };
    let flow = NewFlow {
        orig: packet.tuple,
        half: Half::Dst,
        to: new.inside,
        back: new.zone,
        owner: new.owner,
        binding: new.binding,
        source: new.source,
        local: false,
        uplink: Uplink::ANY,
        now: time::now(),
        until: None,
    };
    add_flow(hook, node, flow)
}

impl From<Unmade> for Counter {
    fn from(unmade: Unmade) -> Self {
        match unmade {
            Unmade::Memory => Self::DropMemory,
            Unmade::Crowded => Self::DropChain,
            Unmade::Exists | Unmade::Conflict => Self::DropConflict,
            Unmade::Excess(Excess::Bindings) => Self::DropSubscriberBindings,
            Unmade::Excess(Excess::Flows) => Self::DropSubscriberFlows,
            Unmade::Excess(Excess::Rate) => Self::DropSubscriberRate,
            Unmade::Excess(Excess::Memory) => Self::DropMemory,
        }
    }
}

/// Makes a flow on a node, or finds that another CPU has.
pub(super) fn add_flow<'a>(
    hook: &Hook<'a>,
    node: usize,
    mut flow: NewFlow<'_, V4>,
) -> Result<&'a FlowEntry<V4>, Counter> {
    let tuple = flow.orig;
    let shard = hook.net.shards.get(node).ok_or(Counter::DropMemory)?;
    let place = hook.net.flow_place(node).ok_or(Counter::DropMaxFlows)?;
    let deadline = deadline(hook, &mut flow);
    match shard.add_flow(flow, deadline, place, hook.rcu) {
        Ok(entry) => {
            hook.net.made(node);
            Ok(entry)
        }
        Err(Unmade::Exists) => shard.flow(&tuple, hook.rcu).ok_or(Counter::DropConflict),
        Err(unmade) => Err(unmade.into()),
    }
}

/// When a new flow is to be looked at first. One with a lease gets it here: that of its binding, or
/// its own.
fn deadline(hook: &Hook<'_>, flow: &mut NewFlow<'_, V4>) -> Deadline {
    let expiry = &flow.owner.expiry;
    let timeout = hook.net.settings.timeout(flow.orig.proto, expiry);
    if expiry.absolute {
        let binding = flow.binding.as_ref().and_then(|held| held.until());
        flow.until = Some(binding.unwrap_or(flow.now.plus(timeout)));
    }
    flow.until.unwrap_or(flow.now.plus(timeout))
}

/// A packet that cannot be translated is dropped if a policy says that it should be.
pub(super) fn untranslatable(hook: &Hook<'_>, skb: &Skb, ip: Ip, reason: Counter) -> Outcome {
    let rules = rules(hook, ip.dst).filter(|rules| rules.has_destination());
    let subject = subject::of_header(hook, skb, &ip);
    let entry = rules.and_then(|rules| rules.destination(&subject));
    if entry.is_some() && reason == Counter::DropProtocol && local::is_answer(hook, &subject.tuple)
    {
        return Outcome::Pass(Counter::PassLocal);
    }
    match entry.filter(|entry| entry.translates()) {
        Some(_) if other::has_connection(skb, &subject.tuple) => {
            Outcome::Pass(Counter::PassOtherNat)
        }
        Some(entry) => {
            entry.owner.refuse();
            Outcome::Drop(reason)
        }
        None => Outcome::Elsewhere,
    }
}

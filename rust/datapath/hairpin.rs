// SPDX-License-Identifier: GPL-2.0

//! Hairpins: an inside host that speaks to the outside endpoint of another (RFC 4787 REQ-9).
//!
//! The packet turns round inside, where no output interface says which source policy is meant. So
//! the policy is asked as if the packet left by an interface of the outside. The flow that translates
//! the source is made here, ahead of the packet, which POSTROUTING then finds.
//!
//! Only source policies tell inside from outside: by `--src`, or by `--out`, whose interfaces are
//! outside. Where an address is says nothing: it may be on `lo`, or on another uplink.

use super::binding::{Outside, Request};
use super::inbound::Destination;
use super::outbound::Way;
use super::{outbound, subject, Hook};
use crate::nat::addr::V4;
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::packet::Packet;
use crate::nat::policy::Subject;
use crate::state::policy::{Entry, Snapshot, Target};
use crate::state::stats::Counter;
use crate::sys::dev;
use crate::sys::skb::Skb;
use crate::table::flow::Uplink;
use crate::table::Owner;
use kernel::sync::Arc;

/// The way of a packet that turns round inside.
const INSIDE: Way = Way {
    uplink: Uplink::ANY,
    local: false,
};

/// Makes the flow for the source, if the packet comes from inside; says by which policy.
pub(super) fn begin<'a>(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    rules: &'a Snapshot,
    to: &Destination,
) -> Result<Option<&'a Arc<Owner>>, Counter> {
    let Some(outside) = to.outside_iface else {
        return Ok(None);
    };
    let mut subject = subject::of(hook, skb, &packet.tuple);
    let Some(entry) = policy(hook, rules, &mut subject, &outside) else {
        return Ok(None);
    };
    if !is_from_inside(hook, skb, rules, entry, &subject, to) {
        return Ok(None);
    }
    let addr = packet.tuple.dst_addr;
    let outside = match &entry.target {
        Target::Netmap(to) => Outside::Same(to.with_host_of(packet.tuple.src_addr)),
        // An address of a whole network that is led inside has no ports left for others.
        _ if to.is_mapped && outside.is_any() && !is_own(hook, addr) => return Ok(None),
        Target::Masquerade(_) => Outside::Address(addr),
        Target::Pool(_) => Outside::OfPool,
        _ => return Ok(None),
    };
    let tuple = packet.tuple.with_dst(to.inside);
    if hook.flow(&tuple).is_some() {
        return Ok(Some(&entry.owner));
    }
    let held = Request {
        hook,
        rules,
        entry,
        tuple: &tuple,
    }
    .binding(outside);
    held.and_then(|held| outbound::add(hook, &tuple, entry, held, INSIDE))
        .inspect_err(|_| entry.owner.refuse())?;
    hook.net.count(Counter::Hairpins);
    Ok(Some(&entry.owner))
}

fn is_own(hook: &Hook<'_>, addr: V4) -> bool {
    dev::owner_of(hook.context, addr, hook.rcu).is_some()
}

/// The source policy for a packet to an endpoint that belongs to the interfaces `outside`, if these are
/// known. Else it is the first of those for any interface that source policies name, and those that
/// name none.
fn policy<'a>(
    hook: &Hook<'_>,
    rules: &'a Snapshot,
    subject: &mut Subject<V4>,
    outside: &Interfaces,
) -> Option<&'a Arc<Entry>> {
    let addr = subject.tuple.dst_addr;
    if !outside.is_any() {
        subject.out_iface = output(hook, outside, addr);
        return rules.source(subject);
    }
    let owner = dev::owner_of(hook.context, addr, hook.rcu).map(|dev| dev.interface());
    if let Some(owner) = owner.filter(|owner| rules.is_uplink(owner)) {
        subject.out_iface = owner;
        return rules.source(subject);
    }
    let uplinks = rules.uplinks().map(|some| output(hook, some, addr));
    let ways = core::iter::once(Interface::default()).chain(uplinks);
    let entries = ways.filter_map(|way| {
        subject.out_iface = way;
        rules.source(subject)
    });
    entries.min_by_key(|entry| entry.policy.rank())
}

/// Does the policy say that the packet comes from inside, and does it turn round there? What comes in by an
/// interface of the outside does not, but for gateways with one interface, where the policy has to name the source.
/// What is led outside gets its source translated as it leaves.
fn is_from_inside(
    hook: &Hook<'_>,
    skb: &Skb,
    rules: &Snapshot,
    entry: &Entry,
    subject: &Subject<V4>,
    to: &Destination,
) -> bool {
    let matches = &entry.policy.matches;
    let (named, beyond) = (matches.src.bits() != 0, rules.is_uplink(&subject.in_iface));
    if !named && (beyond || matches.out_iface.is_any()) {
        return false;
    }
    let inside = subject.tuple.with_dst(to.inside);
    let output = dev::towards(hook.context, skb, &inside, hook.rcu);
    output.is_some_and(|output| match beyond {
        true => output.interface() == subject.in_iface,
        false => !rules.is_uplink(&output.interface()),
    })
}

/// Which of the interfaces of an outside endpoint a packet to it would leave by: the one that has
/// the address, if that is one of them. Else only what they have in common is known.
fn output(hook: &Hook<'_>, outside: &Interfaces, addr: V4) -> Interface {
    let dev = match outside.name() {
        Some(name) => dev::named(hook.context, &name, hook.rcu),
        None => dev::owner_of(hook.context, addr, hook.rcu),
    };
    let known = dev.map(|dev| dev.interface());
    let known = known.filter(|iface| outside.contains(iface));
    known.unwrap_or_else(|| outside.common())
}

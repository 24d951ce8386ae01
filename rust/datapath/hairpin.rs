// SPDX-License-Identifier: GPL-2.0

//! Hairpins: an inside host that speaks to the outside endpoint of another (RFC 4787 REQ-9).
//!
//! The packet turns round inside, where no output interface says which source policy is meant. So
//! the policy is asked as if the packet left by the interface of the outside endpoint. The flow
//! that translates the source is made here, ahead of the packet, which POSTROUTING then finds.

use super::binding::{Outside, Request};
use super::inbound::Destination;
use super::outbound::Way;
use super::{outbound, subject, Hook};
use crate::nat::addr::V4;
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::packet::Packet;
use crate::state::policy::{Snapshot, Target};
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
    if to.outside_iface.is_none() && !to.is_mapped {
        return Ok(None);
    }
    let outside = to.outside_iface.unwrap_or(Interfaces::ANY);
    let mut subject = subject::of(hook, skb, &packet.tuple);
    if !outside.is_any() && outside.contains(&subject.in_iface) {
        return Ok(None);
    }
    subject.out_iface = output(hook, &outside, packet.tuple.dst_addr);
    let Some(entry) = rules.source(&subject) else {
        return Ok(None);
    };
    // Where nothing tells outside from inside, only a policy that names its sources does.
    if outside.is_any() && entry.policy.matches.src.bits() == 0 {
        return Ok(None);
    }
    let outside = match &entry.target {
        Target::Netmap(to) => Outside::Same(to.with_host_of(packet.tuple.src_addr)),
        // An address of a whole network that is led inside has no ports left for others.
        _ if to.outside_iface.is_none() => return Ok(None),
        Target::Masquerade(_) => Outside::Address(packet.tuple.dst_addr),
        Target::Pool(_) => Outside::OfPool,
        _ => return Ok(None),
    };
    let tuple = packet.tuple.with_dst(to.inside);
    if hook.net.flow(&tuple, hook.rcu).is_some() {
        return Ok(Some(&entry.owner));
    }
    let held = Request {
        hook,
        skb,
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

// SPDX-License-Identifier: GPL-2.0

//! Hairpins: an inside host that speaks to the outside endpoint of another (RFC 4787 REQ-9).
//!
//! The packet turns round inside, where no output interface says which source policy is meant. So
//! the policy is asked as if the packet left by the interface of the outside endpoint. The flow
//! that translates the source is made here, ahead of the packet, which POSTROUTING then finds.

use super::binding::{Outside, Request};
use super::inbound::Destination;
use super::{outbound, subject, Hook};
use crate::nat::addr::V4;
use crate::nat::packet::Packet;
use crate::nat::policy::ANY_IFACE;
use crate::state::policy::{Snapshot, Target};
use crate::state::stats::Counter;
use crate::sys::skb::Skb;
use crate::table::Owner;
use kernel::sync::Arc;

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
    let outside_iface = to.outside_iface.unwrap_or(ANY_IFACE);
    let mut subject = subject::of(hook, skb, &packet.tuple);
    if outside_iface != ANY_IFACE && subject.in_iface == outside_iface {
        return Ok(None);
    }
    subject.out_iface = outside_iface;
    let Some(entry) = rules.source(&subject) else {
        return Ok(None);
    };
    // Where nothing tells outside from inside, only a policy that names its sources does.
    if outside_iface == ANY_IFACE && entry.policy.matches.src.bits() == 0 {
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
    .binding(outside)?;
    outbound::add(hook, &tuple, entry, held, false)?;
    hook.net.count(Counter::Hairpins);
    Ok(Some(&entry.owner))
}

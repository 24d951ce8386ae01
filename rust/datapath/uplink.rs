// SPDX-License-Identifier: GPL-2.0

//! Masqueraded flows whose packets leave by another interface than before, or whose address has gone
//! (as `nf_nat_oif_changed()`).
//!
//! If masquerading gives the same address there, the flow goes on. Else it ends, as nobody would answer
//! to the old address, and begins anew with the packet. Of TCP, whose other end knows the old address
//! alone, the sender gets a reset instead.

use super::{outbound, packet as step, subject, Hook, Outcome};
use crate::nat::addr::V4;
use crate::nat::packet::{Edge, Packet};
use crate::nat::rewrite::Half;
use crate::nat::tuple::TCP;
use crate::state::policy::Target;
use crate::state::stats::Counter;
use crate::sys::skb::Skb;
use crate::sys::{conntrack, dev};
use crate::table::flow::{FlowEntry, Uplink};

/// Has a packet of `entry`, whose source that translates, another way out than its flow?
#[inline]
pub(super) fn has_changed(hook: &Hook<'_>, entry: &FlowEntry<V4>) -> bool {
    let uplink = entry.uplink();
    uplink != Uplink::ANY && uplink != output(hook)
}

/// The interface by which the packet leaves.
pub(super) fn output(hook: &Hook<'_>) -> Uplink {
    let output = hook.context.output();
    output.map_or(Uplink::LOST, |dev| Uplink::of(dev.index()))
}

/// POSTROUTING: such a packet.
#[cold]
pub(super) fn changed(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    entry: &FlowEntry<V4>,
) -> Outcome {
    // A copy goes its own way; on the interface of a VRF a packet has not left yet.
    let output = hook.context.output();
    if conntrack::is_duplicate() || output.is_some_and(|output| output.is_internal()) {
        return step::translate(hook, skb, packet, entry);
    }
    let address = address(hook, skb, packet);
    match address {
        Some(Some(addr)) if entry.half() == Half::Src && addr == entry.new_end().addr => {
            entry.set_uplink(self::output(hook));
            return step::translate(hook, skb, packet, entry);
        }
        // The address may be on its way from one interface to another.
        Some(None) => return Outcome::Drop(Counter::DropAddress),
        _ => (),
    }
    hook.net.remove(entry.flow(), hook.rcu);
    if packet.tuple.proto == TCP && packet.edge != Edge::Begin {
        return reset(hook, skb);
    }
    match address {
        Some(_) => outbound::first(hook, skb, packet),
        // PREROUTING kept it from connection tracking, whose rules may want the next one.
        None => Outcome::Drop(Counter::DropRerouted),
    }
}

fn reset(hook: &Hook<'_>, skb: &mut Skb) -> Outcome {
    hook.context.reset(skb);
    Outcome::Drop(Counter::DropRerouted)
}

/// Is it a reset that the host has made in the name of another, as here and in REJECT? Its source is what
/// its receiver knows.
pub(super) fn is_reset_for_another(hook: &Hook<'_>, skb: &Skb, packet: &Packet<V4>) -> bool {
    packet.edge == Edge::Reset
        && !skb.has_socket()
        && dev::owner_of(hook.context, packet.tuple.src_addr, hook.rcu).is_none()
}

/// POSTROUTING: a packet of no flow. If it is of a TCP connection whose flow ended with its address, its
/// sender gets a reset.
#[inline]
pub(super) fn orphan(hook: &Hook<'_>, skb: &mut Skb, packet: &Packet<V4>) -> Option<Outcome> {
    if packet.tuple.proto != TCP || packet.edge == Edge::Begin {
        return None;
    }
    let orphans = hook.net.orphans.get(hook.rcu)?;
    orphans.take(&packet.tuple).then(|| reset(hook, skb))
}

/// What the packet would be translated to now, as far as an interface decides: `None` if no policy translates it,
/// `Some(None)` if the interface has no address.
fn address(hook: &Hook<'_>, skb: &Skb, packet: &Packet<V4>) -> Option<Option<V4>> {
    let subject = subject::of(hook, skb, &packet.tuple);
    let (_, entry) = outbound::policy(hook, &subject).filter(|(_, entry)| entry.translates())?;
    match &entry.target {
        Target::Masquerade(_) => Some(hook.context.output()?.masquerade_addr(skb)),
        _ => Some(Some(V4::default())),
    }
}

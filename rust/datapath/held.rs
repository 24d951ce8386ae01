// SPDX-License-Identifier: GPL-2.0

//! SYNs that nothing expects (RFC 5382 REQ-4): both ends of a connection may begin it at once, so a
//! SYN from outside may come before the one from inside that lets it in. It is dropped, but not
//! refused before there was time for that.
//!
//! The host itself would refuse it. So that is where it is stopped: when firewall, connection
//! tracking and all others have seen it and nobody has taken it, on its way to a socket that is not
//! there. Only what never gets there is stopped in PREROUTING: what bindings filter, and what goes
//! to addresses of pools that are not the host's.

use super::{outbound, packet as step, Hook, Outcome};
use crate::nat::addr::V4;
use crate::nat::packet::{Edge, Kind, Packet};
use crate::nat::plain::Plain;
use crate::nat::tuple::TCP;
use crate::state::policy::Snapshot;
use crate::state::stats::Counter;
use crate::sys::dev::{self, Device};
use crate::sys::icmp::Quote;
use crate::sys::skb::Skb;

/// TCP's flag ACK.
const ACK: u8 = 0x10;

/// PREROUTING: a packet from another host, to an endpoint without a binding.
pub(super) fn unbound(
    hook: &Hook<'_>,
    skb: &Skb,
    packet: &Packet<V4>,
    rules: &Snapshot,
) -> Outcome {
    let addr = packet.tuple.dst_addr;
    let nobodys = begins(skb, packet)
        && rules.is_of_pool(addr)
        && dev::owner_of(hook.context, addr, hook.rcu).is_none();
    match nobodys && hold(hook, skb, packet) {
        true => Outcome::Drop(Counter::DropUnsolicited),
        false => Outcome::Elsewhere,
    }
}

/// PREROUTING: a packet from outside that its binding does not admit.
pub(super) fn filtered(hook: &Hook<'_>, skb: &Skb, packet: &Packet<V4>) -> Outcome {
    if begins(skb, packet) {
        hold(hook, skb, packet);
    }
    Outcome::Drop(Counter::DropFiltered)
}

/// LOCAL_IN: a packet to the host.
pub(super) fn local(hook: &Hook<'_>, skb: &mut Skb) -> Outcome {
    let Some(packet) = begin_of(skb) else {
        return Outcome::Elsewhere;
    };
    let packet = hook.place(packet);
    let held = hook.context.input().is_some_and(|input| {
        begins(skb, &packet)
            && !input.is_internal()
            && is_unsolicited(hook, skb, &packet, input)
            && hold(hook, skb, &packet)
    });
    match held {
        true => Outcome::Drop(Counter::DropUnsolicited),
        false => Outcome::Elsewhere,
    }
}

/// The packet, if a connection may begin with it. Nearly all others are known by one look.
#[inline]
fn begin_of(skb: &mut Skb) -> Option<Packet<V4>> {
    if let Some(plain) = Plain::parse(skb.linear()) {
        return (plain.edge == Edge::Begin).then(|| plain.packet());
    }
    match step::parse(skb) {
        Ok((_, Kind::Flow(packet))) if packet.edge == Edge::Begin => Some(packet),
        _ => None,
    }
}

/// Is it a SYN, and no answer to one?
fn begins(skb: &Skb, packet: &Packet<V4>) -> bool {
    let flags = skb.linear().get(packet.l4_offset.wrapping_add(13));
    packet.tuple.proto == TCP
        && packet.edge == Edge::Begin
        && flags.is_some_and(|flags| flags & ACK == 0)
}

/// Is a SYN to the host for nobody, at an outside address? What was translated on its way here has
/// a flow back, or a binding.
fn is_unsolicited(hook: &Hook<'_>, skb: &Skb, packet: &Packet<V4>, input: Device<'_>) -> bool {
    let tuple = &packet.tuple;
    let rules = hook.net.rules(hook.rcu);
    rules.is_some_and(|rules| rules.is_outside(tuple.dst_addr, input))
        && !skb.has_socket()
        && !dev::has_socket(hook.context, tuple, Some(input))
        && hook.flow(tuple).is_none()
        && hook.flow(&tuple.reverse()).is_none()
        && outbound::let_in_at(hook, Some(input), tuple).is_none()
}

/// Has a SYN answered later; false if that is not wanted.
fn hold(hook: &Hook<'_>, skb: &Skb, packet: &Packet<V4>) -> bool {
    let (Some(length), Some(input)) = (hook.net.settings.holds_syn(), hook.context.input()) else {
        return false;
    };
    let quote = || Quote::new(skb, input);
    hook.net.hold(&packet.tuple, length, quote);
    true
}

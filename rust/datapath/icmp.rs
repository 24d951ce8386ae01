// SPDX-License-Identifier: GPL-2.0

//! ICMP errors (RFC 5508 REQ-3 to REQ-5): the packet they quote is translated back with them.
//!
//! An error is treated as an answer to the packet it quotes: the entry of the flow that an answer
//! would find tells what to do, in PREROUTING if it changes a destination, in POSTROUTING if it
//! changes a source. Errors never make, refresh or end a flow.

use super::{mark, outbound, packet, subject, Hook, Outcome};
use crate::nat::addr::V4;
use crate::nat::packet::IcmpError;
use crate::nat::rewrite::{self, Half};
use crate::nat::tuple::{Tuple, ICMP};
use crate::state::stats::Counter;
use crate::sys::skb::Skb;

/// PREROUTING: an error about a packet whose source was translated goes to the inside host.
pub(super) fn inbound(hook: &Hook<'_>, skb: &mut Skb, error: &IcmpError<V4>) -> Outcome {
    let quoted = error.inner.in_zone(hook.context.zone());
    let Some(entry) = hook.flow(&quoted.reverse()) else {
        return Outcome::Elsewhere;
    };
    mark::set(skb, entry);
    packet::untrack(hook, skb, entry);
    if entry.half() != Half::Dst {
        return Outcome::Elsewhere;
    }
    let (src, dst) = (error.outer_src, entry.new_end().addr);
    translate(hook, skb, error, entry.to().reverse(), (src, dst))
}

/// POSTROUTING: an error about a packet whose destination was translated seems to come from the
/// outside endpoint (RFC 5508 REQ-5).
pub(super) fn outbound(hook: &Hook<'_>, skb: &mut Skb, error: &IcmpError<V4>) -> Outcome {
    let quoted = error.inner.in_zone(hook.context.zone());
    let answer = hook.flow(&quoted.reverse());
    if let Some(entry) = answer.filter(|entry| entry.half() == Half::Src) {
        let src = source(hook, error, entry.new_end().addr);
        let inner = entry.to().reverse();
        return translate(hook, skb, error, inner, (src, error.outer_dst));
    }
    // PREROUTING has translated it, or it quotes a packet as the inside knows it.
    if hook
        .flow(&error.inner.in_zone(hook.context.zone_out()))
        .is_some()
    {
        return Outcome::Elsewhere;
    }
    // It quotes a packet that a binding let in without a flow.
    if let Some(outside) = outbound::let_in_at(hook, hook.context.output(), &quoted) {
        let src = source(hook, error, outside.addr);
        let inner = error.inner.with_dst(outside);
        return translate(hook, skb, error, inner, (src, error.outer_dst));
    }
    let tuple = subject::portless(ICMP, error.outer_src, error.outer_dst);
    let subject = subject::of(hook, skb, &tuple);
    match hook.context.input() {
        Some(_) if outbound::is_refused(hook, skb, &subject) => {
            Outcome::Drop(Counter::DropIcmpNoFlow)
        }
        _ => Outcome::Pass(Counter::PassUntouched),
    }
}

/// Whom an error comes from that leaves: the outside address that the quoted packet was sent to.
/// The host itself keeps its source, unless it was the end of that packet: a policy may lead to
/// 127.0.0.1, which nobody else has, or to an address inside.
fn source(hook: &Hook<'_>, error: &IcmpError<V4>, outside: V4) -> V4 {
    let own = hook.context.input().is_none() && error.outer_src != error.inner.dst().addr;
    if own {
        error.outer_src
    } else {
        outside
    }
}

fn translate(
    hook: &Hook<'_>,
    skb: &mut Skb,
    error: &IcmpError<V4>,
    inner: Tuple<V4>,
    (src, dst): (V4, V4),
) -> Outcome {
    if !skb.icmp_checksum_ok(hook.context.hook(), error.icmp_offset) {
        return Outcome::Drop(Counter::DropIcmpChecksum);
    }
    let _ = skb.checksum();
    let Some(bytes) = skb.writable(error.end) else {
        return Outcome::Drop(Counter::DropMemory);
    };
    if !rewrite::icmp_error(bytes, error, inner, src, dst) {
        return Outcome::Drop(Counter::DropMalformed);
    }
    hook.net.count(Counter::IcmpErrors);
    Outcome::Elsewhere
}

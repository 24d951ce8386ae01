// SPDX-License-Identifier: GPL-2.0

//! ICMP errors (RFC 5508 REQ-3 to REQ-5): the packet they quote is translated back with them.
//!
//! An error is treated as an answer to the packet it quotes: the entry of the flow that an answer
//! would find tells what to do, in PREROUTING if it changes a destination, in POSTROUTING if it
//! changes a source. Errors never make, refresh or end a flow.

use super::{outbound, packet, subject, Outcome};
use crate::nat::addr::V4;
use crate::nat::packet::IcmpError;
use crate::nat::rewrite::{self, Half};
use crate::nat::tuple::{Tuple, ICMP};
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::hook::Context;
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;

/// PREROUTING: an error about a packet whose source was translated goes to the inside host.
pub(super) fn inbound(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    error: &IcmpError<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    let Some(entry) = net.flow(&error.inner.reverse(), rcu) else {
        return Outcome::Elsewhere;
    };
    packet::untrack(net, skb, entry);
    if entry.half() != Half::Dst {
        return Outcome::Elsewhere;
    }
    let (src, dst) = (error.outer_src, entry.new_end().addr);
    translate(net, skb, context, error, entry.to().reverse(), (src, dst))
}

/// POSTROUTING: an error about a packet whose destination was translated seems to come from the
/// outside endpoint (RFC 5508 REQ-5); one that the host itself sends keeps its source.
pub(super) fn outbound(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    error: &IcmpError<V4>,
    rcu: Rcu<'_>,
) -> Outcome {
    let answer = net.flow(&error.inner.reverse(), rcu);
    if let Some(entry) = answer.filter(|entry| entry.half() == Half::Src) {
        let src = match context.input() {
            Some(_) => entry.new_end().addr,
            None => error.outer_src,
        };
        let inner = entry.to().reverse();
        return translate(net, skb, context, error, inner, (src, error.outer_dst));
    }
    // PREROUTING has translated it, or it quotes a packet as the inside knows it.
    if net.flow(&error.inner, rcu).is_some() {
        return Outcome::Elsewhere;
    }
    // It quotes a packet that a binding let in without a flow.
    if let Some(outside) = outbound::let_in_at(net, context.output(), &error.inner, rcu) {
        let src = match context.input() {
            Some(_) => outside.addr,
            None => error.outer_src,
        };
        let inner = error.inner.with_dst(outside);
        return translate(net, skb, context, error, inner, (src, error.outer_dst));
    }
    let tuple = subject::portless(ICMP, error.outer_src, error.outer_dst);
    let subject = subject::of(skb, context, &tuple);
    match context.input() {
        Some(_) if outbound::should_translate(net, &subject, rcu) => {
            Outcome::Drop(Counter::DropIcmpNoFlow)
        }
        _ => Outcome::Pass(Counter::PassUntouched),
    }
}

fn translate(
    net: &Net,
    skb: &mut Skb,
    context: &Context<'_>,
    error: &IcmpError<V4>,
    inner: Tuple<V4>,
    (src, dst): (V4, V4),
) -> Outcome {
    if !skb.icmp_checksum_ok(context.hook(), error.icmp_offset) {
        return Outcome::Drop(Counter::DropIcmpChecksum);
    }
    let _ = skb.checksum();
    let Some(bytes) = skb.writable(error.end) else {
        return Outcome::Drop(Counter::DropMemory);
    };
    if !rewrite::icmp_error(bytes, error, inner, src, dst) {
        return Outcome::Drop(Counter::DropMalformed);
    }
    net.count(Counter::IcmpErrors);
    Outcome::Elsewhere
}

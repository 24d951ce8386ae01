// SPDX-License-Identifier: GPL-2.0

//! The packet path. Runs in softirq, or with RCU held in process context; it never sleeps.
//!
//! Nothing is kept in the packet between the hooks: each finds its way by the tuple alone.
//!
//! 1. PREROUTING translates destinations: by a flow, a dnat policy, or a binding.
//! 2. Routing, firewall and any conntrack see the inside tuple, both ways.
//! 3. LOCAL_IN holds SYNs that nothing expects.
//! 4. POSTROUTING translates sources: by a flow, or by a policy that begins one.

mod binding;
mod bridge;
mod early;
mod hairpin;
mod held;
mod icmp;
mod inbound;
mod local;
mod lro;
mod mark;
mod offload;
mod other;
mod outbound;
mod packet;
mod redirect;
mod refused;
mod subject;
mod target;
mod uplink;

use crate::nat::addr::V4;
use crate::nat::packet::{Edge, Kind, Packet};
use crate::nat::plain::Plain;
use crate::nat::tuple::Tuple;
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::hook::{Context, Fate, Handler, Verdict};
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;
use crate::table::flow::FlowEntry;

/// Where a packet is: in a hook of a namespace.
struct Hook<'a> {
    net: &'a Net,
    context: &'a Context<'a>,
    rcu: Rcu<'a>,
}

/// What becomes of a packet, with the reason if it is not translated.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Outcome {
    /// It goes on, translated.
    Translated,
    /// It goes on; what there is to do is done in the other hook.
    Elsewhere,
    /// It goes on as it is, counted.
    Pass(Counter),
    /// It ends here, counted.
    Drop(Counter),
    /// It ends here, counted, and came from inside: its sender could not be given what it needs.
    Refuse(Counter),
}

impl<'a> Hook<'a> {
    /// The flow of a packet.
    #[inline]
    fn flow(&self, tuple: &Tuple<V4>) -> Option<&'a FlowEntry<V4>> {
        self.net.flow(tuple, self.rcu)
    }

    /// The packet, with the routing domain that it comes from.
    fn place(&self, packet: Packet<V4>) -> Packet<V4> {
        Packet {
            tuple: packet.tuple.in_zone(self.context.zone()),
            ..packet
        }
    }

    fn finish(&self, skb: &mut Skb, outcome: Outcome) -> Verdict<'a> {
        match outcome {
            Outcome::Translated => self.net.count(Counter::Translated),
            Outcome::Elsewhere => (),
            Outcome::Pass(reason) => self.net.count(reason),
            Outcome::Drop(reason) => {
                self.net.count(reason);
                self.net.events.refused(reason, None);
                return Verdict::Return(Fate::Drop);
            }
            Outcome::Refuse(reason) => {
                self.net.count(reason);
                refused::tell(self, skb, reason);
                return Verdict::Return(Fate::Drop);
            }
        }
        Verdict::Return(Fate::Accept)
    }
}

impl Handler for Net {
    #[inline]
    fn prerouting<'a>(
        &'a self,
        skb: &mut Skb,
        context: &'a Context<'a>,
        rcu: Rcu<'a>,
    ) -> Verdict<'a> {
        let hook = &Hook {
            net: self,
            context,
            rcu,
        };
        let Some(plain) = Plain::parse(skb.linear()) else {
            return prerouting(hook, skb);
        };
        self.expect_rest(rcu);
        let entry = self.flow_quickly(&plain.tuple(), rcu);
        if let Some(entry) = entry {
            mark::set_early(hook, skb, entry);
        }
        if let Some(verdict) = entry.and_then(|entry| past(hook, skb, plain, entry)) {
            return verdict;
        }
        let [addrs, rest] = plain.words;
        prerouting_plain(hook, skb, (addrs, rest), plain.edge, entry)
    }

    fn local_in<'a>(
        &'a self,
        skb: &mut Skb,
        context: &'a Context<'a>,
        rcu: Rcu<'a>,
    ) -> Verdict<'a> {
        let hook = &Hook {
            net: self,
            context,
            rcu,
        };
        let outcome = held::local(hook, skb);
        hook.finish(skb, outcome)
    }

    #[inline]
    fn postrouting<'a>(
        &'a self,
        skb: &mut Skb,
        context: &'a Context<'a>,
        rcu: Rcu<'a>,
    ) -> Verdict<'a> {
        let hook = &Hook {
            net: self,
            context,
            rcu,
        };
        match Plain::parse(skb.linear()) {
            Some(plain) if !skb.has_extensions() && context.zone().is_default() => {
                let outcome = outbound::plain(hook, skb, plain);
                hook.finish(skb, outcome)
            }
            _ => postrouting(hook, skb),
        }
    }
}

/// Sends a packet of `entry` past the stack, if it may go there.
#[inline(always)]
fn past<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    plain: Plain,
    entry: &FlowEntry<V4>,
) -> Option<Verdict<'a>> {
    match offload::forward(hook, skb, plain, (entry, entry.route()?)) {
        Ok((route, to)) => {
            hook.net.count(Counter::Offloaded);
            Some(Verdict::Forward(route, to))
        }
        Err(reason) => {
            hook.net.count(reason);
            None
        }
    }
}

/// Plain packets that take the whole stack, or whose flow was not found at once. In pieces, so that
/// others are never put into memory.
#[inline(never)]
fn prerouting_plain<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    (addrs, rest): (u64, u64),
    edge: Edge,
    entry: Option<&'a FlowEntry<V4>>,
) -> Verdict<'a> {
    // Within a VRF, what was found is of the same addresses elsewhere. A bridge may forward what has extensions.
    if skb.has_extensions() || !hook.context.zone().is_default() {
        return prerouting(hook, skb);
    }
    let words = [addrs, rest];
    let plain = Plain { words, edge };
    let late = match entry {
        Some(_) => None,
        None => hook.net.flow(&plain.tuple(), hook.rcu),
    };
    if let Some(verdict) = late.and_then(|entry| past(hook, skb, plain, entry)) {
        return verdict;
    }
    let outcome = inbound::plain(hook, skb, plain, entry.or(late));
    hook.finish(skb, outcome)
}

/// Packets that are not plain, come from within a VRF, or that a bridge may forward.
#[inline(never)]
fn prerouting<'a>(hook: &Hook<'a>, skb: &mut Skb) -> Verdict<'a> {
    let step = |skb: &mut Skb| match packet::parse(skb) {
        Ok((_, Kind::Flow(packet))) => {
            let packet = hook.place(packet);
            let entry = hook.flow(&packet.tuple);
            inbound::packet(hook, skb, &packet, entry)
        }
        Ok((_, Kind::Error(error))) => icmp::inbound(hook, skb, &error),
        Ok((ip, Kind::Other(kind))) => inbound::untranslatable(hook, skb, ip, kind.into()),
        Err(Some(ip)) => inbound::untranslatable(hook, skb, ip, Counter::DropMalformed),
        Err(None) => Outcome::Elsewhere,
    };
    if skb.has_extensions() {
        return bridge::prerouting(hook, skb, step);
    }
    let outcome = step(skb);
    hook.finish(skb, outcome)
}

/// Packets that are not plain, come from within a VRF, or that a bridge may have forwarded.
#[inline(never)]
fn postrouting<'a>(hook: &Hook<'a>, skb: &mut Skb) -> Verdict<'a> {
    let step = |skb: &mut Skb| match packet::parse(skb) {
        Ok((_, Kind::Flow(packet))) => outbound::packet(hook, skb, &hook.place(packet)),
        Ok((_, Kind::Error(error))) => icmp::outbound(hook, skb, &error),
        Ok((ip, Kind::Other(_))) if redirect::is_wrong(hook, skb, &ip) => {
            Outcome::Drop(Counter::DropRedirect)
        }
        Ok((ip, Kind::Other(kind))) => outbound::untranslatable(hook, skb, ip, kind.into()),
        Err(Some(ip)) => outbound::untranslatable(hook, skb, ip, Counter::DropMalformed),
        Err(None) => Outcome::Drop(Counter::DropMalformed),
    };
    if skb.has_extensions() {
        return bridge::postrouting(hook, skb, step);
    }
    let outcome = step(skb);
    hook.finish(skb, outcome)
}

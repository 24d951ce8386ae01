// SPDX-License-Identifier: GPL-2.0

//! The packet path. Runs in softirq, or with RCU held in process context; it never sleeps.
//!
//! Nothing is kept in the packet between the hooks: each finds its way by the tuple alone.
//!
//! 1. PREROUTING translates destinations: by a flow, a dnat policy, or a binding.
//! 2. Routing, firewall and any conntrack see the inside tuple, both ways.
//! 3. POSTROUTING translates sources: by a flow, or by a policy that begins one.

mod binding;
mod hairpin;
mod icmp;
mod inbound;
mod offload;
mod outbound;
mod packet;
mod subject;

use crate::nat::packet::Kind;
use crate::state::stats::Counter;
use crate::state::Net;
use crate::sys::hook::{Context, Handler, Verdict};
use crate::sys::rcu::Rcu;
use crate::sys::skb::Skb;

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
}

impl Net {
    fn finish(&self, outcome: Outcome) -> Verdict<'_> {
        match outcome {
            Outcome::Translated => self.count(Counter::Translated),
            Outcome::Elsewhere => (),
            Outcome::Pass(reason) => self.count(reason),
            Outcome::Drop(reason) => {
                self.count(reason);
                self.events.refused(reason);
                return Verdict::Drop;
            }
        }
        Verdict::Accept
    }
}

impl Handler for Net {
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
        let outcome = match packet::parse(skb) {
            Ok((_, Kind::Flow(packet))) => {
                let entry = self.flow(&packet.tuple, rcu);
                if let Some(route) = entry.and_then(|it| offload::forward(hook, skb, &packet, it)) {
                    self.count(Counter::Offloaded);
                    return Verdict::Forward(route);
                }
                inbound::packet(hook, skb, &packet, entry)
            }
            Ok((_, Kind::Error(error))) => icmp::inbound(hook, skb, &error),
            Ok((ip, Kind::Other(kind))) => inbound::untranslatable(hook, skb, ip, kind.into()),
            Err(Some(ip)) => inbound::untranslatable(hook, skb, ip, Counter::DropMalformed),
            Err(None) => Outcome::Elsewhere,
        };
        self.finish(outcome)
    }

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
        let outcome = match packet::parse(skb) {
            Ok((_, Kind::Flow(packet))) => outbound::packet(hook, skb, &packet),
            Ok((_, Kind::Error(error))) => icmp::outbound(hook, skb, &error),
            Ok((ip, Kind::Other(kind))) => outbound::untranslatable(hook, skb, ip, kind.into()),
            Err(Some(ip)) => outbound::untranslatable(hook, skb, ip, Counter::DropMalformed),
            Err(None) => Outcome::Drop(Counter::DropMalformed),
        };
        self.finish(outcome)
    }
}

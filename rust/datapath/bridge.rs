// SPDX-License-Identifier: GPL-2.0

//! Bridged packets, which br_netfilter shows to both hooks, are left alone. What is addressed to the
//! gateway's own link-layer address comes by a port of a bridge too, but is routed, and translated as
//! ever.

use super::{Hook, Outcome};
use crate::state::stats::Counter;
use crate::sys::bridge;
use crate::sys::hook::{Fate, Verdict};
use crate::sys::skb::Skb;

/// PREROUTING, of a packet with extensions: does what `step` does, unless it is bridged.
#[cold]
#[inline(never)]
pub(super) fn prerouting<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    step: impl FnOnce(&mut Skb) -> Outcome,
) -> Verdict<'a> {
    if bridge::forwards(skb) {
        return Verdict::Return(Fate::Accept);
    }
    let outcome = step(skb);
    let verdict = hook.finish(skb, outcome);
    bridge::keep_routed(skb);
    verdict
}

/// POSTROUTING, of a packet with extensions: does what `step` does, unless it is bridged.
#[cold]
#[inline(never)]
pub(super) fn postrouting<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    step: impl FnOnce(&mut Skb) -> Outcome,
) -> Verdict<'a> {
    let outcome = match bridge::has_forwarded(skb) {
        true => Outcome::Pass(Counter::PassBridged),
        false => step(skb),
    };
    hook.finish(skb, outcome)
}

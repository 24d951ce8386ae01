// SPDX-License-Identifier: GPL-2.0

//! Marks that packets from inside get before they are routed, so that they leave by the uplink that
//! their flow belongs to: answers to what came in by it, and what has begun there.

use super::Hook;
use crate::nat::addr::V4;
use crate::nat::tuple::{Side, Tuple};
use crate::state::policy::{inside_zone, Snapshot};
use crate::sys::skb::Skb;
use crate::table::binding::Binding;
use crate::table::flow::FlowEntry;

/// PREROUTING: a packet of `entry`.
#[inline]
pub(super) fn set(skb: &mut Skb, entry: &FlowEntry<V4>) {
    if let Some(mark) = entry.set_mark() {
        skb.set_mark(mark.of(skb.mark()));
    }
}

/// PREROUTING: a packet that has the addresses of `entry`, and is of it outside of VRFs.
#[inline]
pub(super) fn set_early(hook: &Hook<'_>, skb: &mut Skb, entry: &FlowEntry<V4>) {
    // Bridged packets, which have an extension, are nobody's business.
    if entry.set_mark().is_some() && hook.context.zone().is_default() && !skb.has_extensions() {
        set(skb, entry);
    }
}

/// PREROUTING: a packet of no flow, which may come from the inside of a binding. The flow that it begins
/// is to have that as well (RFC 4787 REQ-1).
#[inline]
pub(super) fn set_by_binding(hook: &Hook<'_>, skb: &mut Skb, tuple: &Tuple<V4>, rules: &Snapshot) {
    if !rules.sets_marks() {
        return;
    }
    let marked = |binding: &Binding<V4>| {
        binding.owner().set_mark.is_some() && inside_zone(binding.realm()) == tuple.zone
    };
    let (proto, src) = (tuple.proto, tuple.src());
    let found = hook.net.binding(Side::Inside, proto, src, hook.rcu, marked);
    if let Some(mark) = found.and_then(|binding| binding.owner().set_mark) {
        skb.set_mark(mark.of(skb.mark()));
    }
}

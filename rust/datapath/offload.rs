// SPDX-License-Identifier: GPL-2.0

//! The fast path: packets of a flow leave from PREROUTING, by the route that packets before them
//! took through the whole stack.
//!
//! A flow learns a route in POSTROUTING, where the firewall has let a packet through. Whatever is
//! not as it was then (see `Route::fit`) sends a packet down the whole stack, where it teaches the
//! flow the new route.

use super::Hook;
use crate::nat::addr::V4;
use crate::nat::packet::Edge;
use crate::nat::plain::Plain;
use crate::nat::rewrite::Half;
use crate::nat::tuple::{Tuple, ICMP};
use crate::state::offload::OffloadRules;
use crate::state::stats::Counter;
use crate::sys::route::{Neighbour, Route, Unfit};
use crate::sys::skb::Skb;
use crate::sys::time;
use crate::table::flow::{Direction, FlowEntry};
use crate::table::hash::Entry;
use crate::table::routes::RouteId;

impl From<Unfit> for Counter {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Key => Self::SlowKey,
            Unfit::Route | Unfit::Neighbour => Self::SlowRoute,
            Unfit::Header => Self::SlowHeader,
            Unfit::Size => Self::SlowSize,
            Unfit::Packet => Self::SlowPacket,
        }
    }
}

/// PREROUTING: translates a packet of `entry` that may go by its route, and returns that; or says
/// why it has to take the whole stack, for which it has not been touched.
#[inline(always)]
pub(super) fn forward<'a>(
    hook: &Hook<'a>,
    skb: &mut Skb,
    plain: Plain,
    (entry, id): (&FlowEntry<V4>, RouteId),
) -> Result<(&'a Route, Neighbour<'a>), Counter> {
    let Some(route) = hook.net.routes.get(id, hook.rcu) else {
        entry.forget_route();
        return Err(Counter::SlowRoute);
    };
    // The firewall sees connections begin and end.
    if plain.edge != Edge::None {
        return Err(Counter::SlowHeader);
    }
    let fit = route.fit(skb, hook.context, entry.to().dst_addr);
    let neighbour = fit.inspect_err(|unfit| {
        if *unfit == Unfit::Route {
            entry.forget_route();
        }
    })?;
    let csum = skb.checksum();
    let bytes = skb.writable(plain.end()).ok_or(Counter::SlowPacket)?;
    let new = (entry.half(), entry.new_end());
    match plain.rewrite(bytes, new, entry.fix(), csum) {
        true => {
            entry.touch(time::now());
            Ok((route, neighbour))
        }
        false => Err(Counter::SlowPacket),
    }
}

/// POSTROUTING: a packet of `entry` has passed the whole stack.
#[inline]
pub(super) fn learn(hook: &Hook<'_>, skb: &Skb, entry: &FlowEntry<V4>) {
    let Some(rules) = hook.net.offload.get(hook.rcu) else {
        return;
    };
    if !rules.wants(entry.offload()) {
        return;
    }
    let known = entry.route();
    let known = known.and_then(|id| hook.net.routes.get(id, hook.rcu));
    if !known.is_some_and(|route| route.is_of(skb, hook.context)) {
        learn_anew(hook, skb, entry, rules);
    }
}

fn learn_anew(hook: &Hook<'_>, skb: &Skb, entry: &FlowEntry<V4>, rules: &OffloadRules) {
    let flow = entry.flow();
    let (Some(input), Some(output)) = (hook.context.input(), hook.context.output()) else {
        return;
    };
    if entry.is_local() || flow.tuple().proto == ICMP || is_from_elsewhere(hook, entry) {
        return;
    }
    let after = rules.may(flow.owner(), skb.mark(), &input.name(), &output.name());
    if !after.is_some_and(|after| entry.has_passed(after)) {
        return;
    }
    let route = Route::learn(skb, hook.context);
    if let Some(id) = route.and_then(|route| hook.net.routes.keep(route, hook.rcu)) {
        entry.set_route(id);
    }
}

/// Did PREROUTING translate the destination of packets whose source `entry` translates? Then they
/// come with another tuple than that of the entry, by which nothing would be found.
fn is_from_elsewhere(hook: &Hook<'_>, entry: &FlowEntry<V4>) -> bool {
    let back = || hook.flow(&entry.key().reverse());
    entry.half() == Half::Src && back().is_some_and(|back| back.half() == Half::Src)
}

/// POSTROUTING: as [`learn`], for a packet with this tuple, whose destination PREROUTING has
/// translated if `back` is the direction of its answers.
#[inline]
pub(super) fn learn_inbound(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>, back: &FlowEntry<V4>) {
    let flow = back.flow();
    let entry = match back.direction() {
        Direction::Orig => flow.reply(),
        Direction::Reply => flow.orig(),
    };
    if entry.half() == Half::Dst && entry.to() == tuple {
        learn(hook, skb, entry);
    }
}

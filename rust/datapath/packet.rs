// SPDX-License-Identifier: GPL-2.0

//! Step 1 of both hooks: parse. Last step: rewrite.

use super::{Hook, Outcome};
use crate::nat::addr::V4;
use crate::nat::packet::{self, Edge, Ip, Kind, Packet, Unsupported};
use crate::nat::plain::Plain;
use crate::nat::rewrite::{self, Half};
use crate::nat::tuple::Endpoint;
use crate::state::stats::Counter;
use crate::sys::skb::Skb;
use crate::sys::time;
use crate::table::flow::FlowEntry;

impl From<Unsupported> for Counter {
    fn from(kind: Unsupported) -> Self {
        match kind {
            Unsupported::Protocol => Self::DropProtocol,
            Unsupported::Fragment => Self::DropFragment,
        }
    }
}

/// Reads the headers. If they are wrong, the IP header comes back, as far as there is one.
#[inline]
pub(super) fn parse(skb: &mut Skb) -> Result<(Ip, Kind), Option<Ip>> {
    let ip = packet::ip(skb.linear(), skb.len()).map_err(|_| None)?;
    if !skb.pull(ip.wanted()) {
        return Err(Some(ip));
    }
    let kind = packet::classify(skb.linear(), &ip).map_err(|_| Some(ip))?;
    Ok((ip, kind))
}

/// Gives a packet of this flow its new end, and takes note of it.
pub(super) fn translate(
    hook: &Hook<'_>,
    skb: &mut Skb,
    packet: &Packet<V4>,
    entry: &FlowEntry<V4>,
) -> Outcome {
    if let Some(plain) = Plain::of(packet) {
        return translate_plain(hook, skb, plain, entry);
    }
    note(hook, skb, packet.edge, entry);
    let outcome = replace(skb, packet, entry.half(), entry.new_end());
    match outcome {
        Outcome::Drop(reason) => refuse(entry, reason),
        outcome => outcome,
    }
}

/// The same for a plain packet.
#[inline]
pub(super) fn translate_plain(
    hook: &Hook<'_>,
    skb: &mut Skb,
    plain: Plain,
    entry: &FlowEntry<V4>,
) -> Outcome {
    note(hook, skb, plain.edge, entry);
    rewrite(skb, plain, entry)
}

/// Takes note of a packet of a flow.
#[inline]
fn note(hook: &Hook<'_>, skb: &mut Skb, edge: Edge, entry: &FlowEntry<V4>) {
    match edge {
        Edge::None => entry.touch(time::now()),
        other => self::edge(hook, other, entry),
    }
    untrack(hook, skb, entry);
}

/// Replaces the end that the flow says.
#[inline]
fn rewrite(skb: &mut Skb, plain: Plain, entry: &FlowEntry<V4>) -> Outcome {
    let (half, new) = (entry.half(), entry.new_end());
    let csum = skb.checksum();
    let Some(bytes) = skb.writable(plain.end()) else {
        return refuse(entry, Counter::DropMemory);
    };
    match plain.rewrite(bytes, (half, new), entry.fix(), csum) {
        true => Outcome::Translated,
        false => refuse(entry, Counter::DropMalformed),
    }
}

#[cold]
fn refuse(entry: &FlowEntry<V4>, reason: Counter) -> Outcome {
    entry.flow().owner().refuse();
    Outcome::Drop(reason)
}

/// A connection begins or ends, as far as this packet is to be believed: that decides about the
/// time for which the flow may be idle, if its policy says so. A RST keeps no flow alive (RFC 7857,
/// section 7), but for the first one that shortens that time, which has to begin then.
#[cold]
fn edge(hook: &Hook<'_>, edge: Edge, entry: &FlowEntry<V4>) {
    let flow = entry.flow();
    let by_edge = flow.owner().expiry.tcp_fin;
    if edge != Edge::Reset || by_edge && !flow.is_ending() {
        entry.touch(time::now());
    }
    if !by_edge || !flow.set_ending(edge != Edge::Begin) {
        return;
    }
    if let Some(shard) = hook.net.shard_of(flow) {
        hook.net.settings.hasten(shard.deadlines(), flow);
    }
}

/// Keeps conntrack away from a packet of this flow, unless the setting or the host wants it.
#[inline]
pub(super) fn untrack(hook: &Hook<'_>, skb: &mut Skb, entry: &FlowEntry<V4>) {
    if hook.net.settings.untracked() && !entry.is_local() {
        skb.untrack();
    }
}

/// Replaces one end of a packet.
#[inline]
pub(super) fn replace(
    skb: &mut Skb,
    packet: &Packet<V4>,
    half: Half,
    new: Endpoint<V4>,
) -> Outcome {
    let old = match half {
        Half::Src => packet.tuple.src(),
        Half::Dst => packet.tuple.dst(),
    };
    if new == old {
        return Outcome::Translated;
    }
    let csum = skb.checksum();
    let Some(bytes) = skb.writable(packet.l4_offset.wrapping_add(packet.l4_len)) else {
        return Outcome::Drop(Counter::DropMemory);
    };
    match rewrite::endpoint(bytes, packet, half, new, csum) {
        true => Outcome::Translated,
        false => Outcome::Drop(Counter::DropMalformed),
    }
}

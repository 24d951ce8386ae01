// SPDX-License-Identifier: GPL-2.0

//! Other translators: rules of nftables (Docker's published ports are such), and IPVS. A connection
//! that one of them translates is theirs in both directions, and stays as it is.
//!
//! Examples, beside a policy that masquerades what leaves by wan0:
//! * Docker publishes port 8080 of the host for 172.17.0.2:80. The answer of 172.17.0.2 leaves by
//!   wan0, and connection tracking restores its source after this hook: it is not ours.
//! * A rule leads an inside host's question to 8.8.8.8 to 9.9.9.9 instead. Nobody translates its
//!   source but we; but connection tracking has to see the answer, to restore 8.8.8.8.

use super::Hook;
use crate::nat::addr::V4;
use crate::nat::tuple::Tuple;
use crate::sys::conntrack::{self, Translator};
use crate::sys::skb::Skb;

/// POSTROUTING: does another translator decide about the source of this packet?
#[inline]
pub(super) fn has_source(skb: &Skb) -> bool {
    Translator::of(skb) == Translator::Source
}

/// POSTROUTING: must connection tracking see all packets of a flow that begins with this one? The
/// firewall of the host may want that of what the host sends itself.
pub(super) fn stays_tracked(hook: &Hook<'_>, skb: &Skb) -> bool {
    hook.context.input().is_none() || Translator::of(skb) == Translator::Destination
}

/// PREROUTING: does the packet belong to a connection that connection tracking translates? To be
/// asked before a policy or a binding takes a packet of no flow.
pub(super) fn has_connection(skb: &Skb, tuple: &Tuple<V4>) -> bool {
    conntrack::translates(skb, tuple)
}

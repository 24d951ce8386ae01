// SPDX-License-Identifier: GPL-2.0

//! Inside hosts that are refused a flow: who is told.

use super::Hook;
use crate::nat::packet;
use crate::state::events::is_limit;
use crate::state::stats::Counter;
use crate::sys::icmp;
use crate::sys::skb::Skb;

/// A packet from inside ends here, not translated. Its sender is told if that is for want of
/// something, or for a limit (RFC 5508 REQ-8); the gateway's own programs see it fail as it is.
#[cold]
pub(super) fn tell(hook: &Hook<'_>, skb: &mut Skb, reason: Counter) {
    let Ok(ip) = packet::ip(skb.linear(), skb.len()) else {
        return;
    };
    hook.net.events.refused(reason, Some(ip.src));
    let wanted = hook.context.input().is_some() && hook.net.settings.tells_refused();
    if wanted
        && is_limit(reason)
        && hook.net.told.may(ip.src, icmp::interval(hook.context))
        && icmp::prohibit(skb, hook.context)
    {
        hook.net.count(Counter::IcmpRefused);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Who was refused, and who is told.

use super::Hook;
use crate::nat::packet;
use crate::state::stats::Counter;
use crate::sys::skb::Skb;

/// A packet from inside ends here. It is as its sender sent it, as far as the hook is concerned.
#[cold]
pub(super) fn tell(hook: &Hook<'_>, skb: &mut Skb, reason: Counter) {
    let sender = packet::ip(skb.linear(), skb.len()).map(|ip| ip.src);
    hook.net.events.refused(reason, sender.ok());
}

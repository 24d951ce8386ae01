// SPDX-License-Identifier: GPL-2.0

//! ICMP redirects of the host. Where a packet leaves by the interface that it came in by, the host
//! tells its sender of the router beyond (`ip_rt_send_redirect()`), which comes before FORWARD. The
//! sender would go there directly from then on, and nobody would translate what it sends. So no
//! redirects about packets that are translated.

use super::{outbound, Hook};
use crate::nat::addr::V4;
use crate::nat::packet::Ip;
use crate::nat::policy::Subject;
use crate::nat::redirect::redirected;
use crate::nat::tuple::Tuple;
use crate::sys::skb::Skb;

/// POSTROUTING: is it a redirect of the host about a packet that is translated?
pub(super) fn is_wrong(hook: &Hook<'_>, skb: &Skb, ip: &Ip) -> bool {
    let zone = hook.context.zone();
    hook.context.input().is_none()
        && redirected(skb.linear(), ip)
            .is_some_and(|tuple| is_translated(hook, skb, &tuple.in_zone(zone)))
}

/// Is a packet translated that comes in and leaves by the interface of its redirect, `skb`? It is
/// quoted as it was between both hooks.
fn is_translated(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>) -> bool {
    let output = hook.context.output();
    hook.flow(tuple).is_some()
        || hook.flow(&tuple.reverse()).is_some()
        || outbound::let_in_at(hook, output, tuple).is_some()
        || output.is_some_and(|dev| {
            let subject = Subject {
                tuple: *tuple,
                in_iface: dev.interface(),
                out_iface: dev.interface(),
                mark: skb.mark(),
            };
            outbound::will_translate(hook, &subject)
        })
}

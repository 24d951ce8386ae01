// SPDX-License-Identifier: GPL-2.0

//! Where a destination policy leads a packet that begins a flow.

use super::Hook;
use crate::nat::addr::{Be16, V4};
use crate::nat::policy::map_port;
use crate::nat::tuple::{Endpoint, Tuple, ICMP};
use crate::state::policy::{Entry, Target};
use crate::state::stats::Counter;

/// The endpoint; `None` if the policy translates nothing.
pub(super) fn of(
    hook: &Hook<'_>,
    tuple: &Tuple<V4>,
    entry: &Entry,
) -> Result<Option<Endpoint<V4>>, Counter> {
    let (addr, ports) = match &entry.target {
        Target::Endpoint { to, ports } => (to.with_host_of(tuple.dst_addr), *ports),
        Target::Servers(servers) => {
            let server = servers.choose(tuple.src_addr);
            let server = server.ok_or(Counter::DropAddress)?;
            (server.addr, server.ports)
        }
        Target::Redirect(ports) => {
            let addr = hook.context.input().and_then(|dev| dev.primary_addr());
            (addr.ok_or(Counter::DropAddress)?, *ports)
        }
        _ => return Ok(None),
    };
    let port = match tuple.proto {
        ICMP => tuple.dst_port,
        _ => {
            let matched = entry.policy.matches.dport;
            Be16::from_host(map_port(matched, ports, tuple.dst_port.to_host()))
        }
    };
    Ok(Some(Endpoint { addr, port }))
}

/// Does the policy lead to the host itself? There nobody's source is translated.
pub(super) fn is_host(entry: &Entry) -> bool {
    matches!(&entry.target, Target::Redirect(_))
}

/// Does the policy lead a whole network to another?
pub(super) fn is_network(entry: &Entry) -> bool {
    matches!(&entry.target, Target::Endpoint { to, .. } if to.is_network())
}

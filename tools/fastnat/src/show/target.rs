// SPDX-License-Identifier: GPL-2.0

//! To what a policy translates.

use fastnat_netlink::generated::{Balance, Policy, PolicyAction, Target};

use super::or_empty;
use super::policy::{ports, prefix};

/// Targets that are listed; others are counted.
const LISTED: usize = 4;

/// The target, in the words of the command line.
pub(super) fn of(policy: &Policy) -> String {
    if let Some(pool) = &policy.pool {
        return format!("pool {pool}");
    }
    if let Some(targets) = &policy.target {
        return several(targets, policy.balance);
    }
    if policy.action == Some(PolicyAction::Redirect) {
        let ports = ports(policy.to_port_min, policy.to_port_max);
        return ports.map_or_else(String::new, |ports| format!("port {ports}"));
    }
    let to = or_empty(prefix(policy.to_addr, policy.to_prefix));
    with_ports(to, policy.to_port_min, policy.to_port_max)
}

fn with_ports(to: String, min: Option<u16>, max: Option<u16>) -> String {
    match ports(min, max) {
        Some(ports) => format!("{to}:{ports}"),
        None => to,
    }
}

fn several(targets: &[Target], balance: Option<Balance>) -> String {
    let mut parts: Vec<_> = targets.iter().take(LISTED).map(one).collect();
    if targets.len() > LISTED {
        parts.push(format!("and {} more", targets.len() - LISTED));
    }
    if balance == Some(Balance::Random) {
        parts.push("random".into());
    }
    parts.join(" ")
}

fn one(target: &Target) -> String {
    let to = with_ports(or_empty(target.addr), target.port_min, target.port_max);
    match target.weight {
        None | Some(1) => to,
        Some(weight) => format!("{to}@{weight}"),
    }
}

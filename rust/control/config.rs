// SPDX-License-Identifier: GPL-2.0

//! config-get, config-set.

use super::once;
use crate::state::settings::Settings;
use crate::state::{defaults, Net};
use crate::sys::genl::{doit, is_host_admin, Answer, Refusal, Request};
use crate::sys::uapi::*;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::prelude::*;

doit!(fastnat_nl_config_get_doit, get);
doit!(fastnat_nl_config_set_doit, set);

fn numbers(settings: &Settings) -> [(u32, &AtomicU32); 5] {
    [
        (FASTNAT_A_CONFIG_MAX_FLOWS, &settings.max_flows),
        (FASTNAT_A_CONFIG_MAX_BINDINGS, &settings.max_bindings),
        (FASTNAT_A_CONFIG_TIMEOUT_TCP, &settings.timeout_tcp),
        (FASTNAT_A_CONFIG_TIMEOUT_UDP, &settings.timeout_udp),
        (FASTNAT_A_CONFIG_TIMEOUT_ICMP, &settings.timeout_icmp),
    ]
}

fn get(request: &Request<'_>) -> Answer {
    let net = request.net.state();
    let fresh = Settings::new();
    let settings = net.as_ref().map_or(&fresh, |net| &net.settings);
    let buckets = net.as_ref().map_or_else(would_have, |net| buckets(net));
    request.reply(|message| {
        for (kind, number) in numbers(settings) {
            message.u32(kind, number.load(Ordering::Relaxed))?;
        }
        let mode = match settings.untracked() {
            true => FASTNAT_CONNTRACK_MODE_UNTRACKED,
            false => FASTNAT_CONNTRACK_MODE_TRACKED,
        };
        message.u32(FASTNAT_A_CONFIG_CONNTRACK, mode)?;
        message.u32(FASTNAT_A_CONFIG_BUCKETS, buckets)
    })
}

fn buckets(net: &Net) -> u32 {
    net.shards.first().map_or(0, |shard| shard.buckets() as u32)
}

/// The buckets of a namespace that has no tables yet.
fn would_have() -> u32 {
    let nodes = crate::sys::node::Nodes::new();
    let nodes = nodes.map_or(1, |nodes| nodes.ids().len());
    let buckets = defaults::buckets(nodes).checked_next_power_of_two();
    buckets.unwrap_or(0) as u32
}

/// Flows and bindings are kernel memory that is charged to nobody: a container may take as much
/// as the host's administrator has set when loading the module, not more.
fn within_limits(request: &Request<'_>) -> Answer {
    let limits = [
        (FASTNAT_A_CONFIG_MAX_FLOWS, defaults::max_flows()),
        (FASTNAT_A_CONFIG_MAX_BINDINGS, defaults::max_bindings()),
    ];
    for (kind, limit) in limits {
        let attr = request.attrs.get(kind);
        if attr.is_some_and(|attr| attr.u32() > limit) && !is_host_admin() {
            let message = c"only the administrator of the host may raise it above the default";
            return Err(Refusal::new(EPERM, message).at(attr));
        }
    }
    Ok(())
}

/// All is checked before anything is changed: nothing can fail half way.
fn set(request: &Request<'_>) -> Answer {
    once(request, None)?;
    within_limits(request)?;
    let net = request.net.state_or_new()?;
    let _alone = net.control.lock();
    for (kind, number) in numbers(&net.settings) {
        if let Some(attr) = request.attrs.get(kind) {
            number.store(attr.u32(), Ordering::Relaxed);
        }
    }
    if let Some(attr) = request.attrs.get(FASTNAT_A_CONFIG_CONNTRACK) {
        let tracked = attr.u32() == FASTNAT_CONNTRACK_MODE_TRACKED;
        net.settings.tracked.store(tracked, Ordering::Relaxed);
    }
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0

//! Warnings of what a policy says that does nothing, or not what it seems to.

use super::super::{text, TWO_TRANSLATORS};
use crate::nat::addr::{Prefix, V4};
use crate::nat::offload::Choice;
use crate::nat::policy::{Policy, Side};
use crate::nat::tuple::{ICMP, TCP, UDP};
use crate::state::policy::{Entry, List, Target};
use crate::state::Net;
use crate::sys::conntrack;
use crate::sys::devices;
use crate::sys::msg::Attrs;
use crate::sys::uapi::*;
use crate::sys::warning::Warnings;
use core::sync::atomic::Ordering;

/// Of a policy that is about to be added.
pub(super) fn warn(
    warnings: &mut Warnings,
    index: usize,
    attrs: &Attrs<'_>,
    entry: &Entry,
    net: &Net,
) {
    let policy = &entry.policy;
    let id = policy.id;
    let mut say = |words: &str| warnings.add(index, format_args!("policy {id}: {words}"));
    if let Some(words) = everybody(entry) {
        say(words);
    }
    if let Some(words) = idle_options(attrs, entry) {
        say(words);
    }
    let is_tracked = net.settings.tracked.load(Ordering::Relaxed);
    if is_tracked && entry.owner.offload.choice == Choice::On {
        say("nothing is offloaded while the setting conntrack is tracked");
    }
    if warnings.is_full() {
        return;
    }
    let is_source = policy.action.side() == Side::Source;
    if is_source && !net.settings.untracked() && conntrack::has_nat(&net.net) {
        warnings.add(index, format_args!("policy {id}: {TWO_TRANSLATORS}"));
    }
    for ifaces in [policy.matches.in_iface, policy.matches.out_iface] {
        let name = ifaces
            .name()
            .filter(|name| devices::is_internal(&net.net, name));
        if let Some(name) = name {
            let name = text(&name);
            warnings.add(
                index,
                format_args!("policy {id}: no policy is asked about packets of {name}"),
            );
        }
    }
    if leads_to_loopback(&entry.target) {
        drops(warnings, index, policy, net);
    }
}

/// Nothing tells those who are translated from those who are not.
fn everybody(entry: &Entry) -> Option<&'static str> {
    let matches = &entry.policy.matches;
    if matches.src != Prefix::default() || !matches.out_iface.is_any() {
        return None;
    }
    let is_open = matches.in_iface.is_any() && matches.mark_mask == 0;
    match (&entry.target, is_open) {
        (Target::Pool(_) | Target::Masquerade(_), true) => {
            Some("without src or out, strangers are translated too, but no hairpins")
        }
        (Target::Pool(_) | Target::Masquerade(_), false) => {
            Some("without src or out it translates no hairpins")
        }
        _ => None,
    }
}

/// What is said of other packets than the policy matches, or needs something else to be said.
fn idle_options(attrs: &Attrs<'_>, entry: &Entry) -> Option<&'static str> {
    let has = |kind: u32| attrs.get(kind).is_some();
    let proto = entry.policy.matches.proto;
    let of_others = |kind, its| proto != 0 && proto != its && has(kind);
    let is_off = entry.owner.offload.choice == Choice::Off;
    let checks = [
        (
            of_others(FASTNAT_A_POLICY_TIMEOUT_TCP, TCP),
            "timeout-tcp does nothing for this protocol",
        ),
        (
            of_others(FASTNAT_A_POLICY_TIMEOUT_UDP, UDP),
            "timeout-udp does nothing for this protocol",
        ),
        (
            of_others(FASTNAT_A_POLICY_TIMEOUT_ICMP, ICMP),
            "timeout-icmp does nothing for this protocol",
        ),
        (
            of_others(FASTNAT_A_POLICY_TCP_FIN, TCP),
            "tcp-fin does nothing for this protocol",
        ),
        (
            is_off && entry.owner.offload.after != 0,
            "offload-after does nothing with offload off",
        ),
        (
            has(FASTNAT_A_POLICY_MARK) && entry.policy.matches.mark_mask == 0,
            "a mark under the mask 0 is any mark",
        ),
        (
            matches!(&entry.target, Target::Servers(servers) if servers.list.len() == 1),
            "weight and balance do nothing with one target",
        ),
        (
            matches!(&entry.target, Target::Masquerade(Some(pool)) if !pool.ranges.is_empty()),
            "masquerade takes ports of the pool, but not its addresses",
        ),
    ];
    let idle = checks.iter().find(|(is_idle, _)| *is_idle);
    idle.map(|(_, words)| *words)
}

/// Does it lead packets to 127.0.0.0/8?
fn leads_to_loopback(target: &Target) -> bool {
    match target {
        Target::Endpoint { to, .. } => Prefix::LOOPBACK.covers(to),
        Target::Servers(servers) => servers
            .list
            .iter()
            .any(|server| Prefix::LOOPBACK.contains(server.addr)),
        _ => false,
    }
}

/// The kernel drops packets to there, unless it is told not to.
fn drops(warnings: &mut Warnings, index: usize, policy: &Policy<V4>, net: &Net) {
    let input = &policy.matches.in_iface;
    if let Some(name) = devices::without_localnet(&net.net, input) {
        let (id, name) = (policy.id, text(&name));
        warnings.add(
            index,
            format_args!(
                "policy {id}: all is dropped unless net.ipv4.conf.{name}.route_localnet is 1"
            ),
        );
    }
}

/// Of flows that are older than the policies, and which they may concern.
pub(super) fn warn_of_flows(warnings: &mut Warnings, added: &List, flows: u32) {
    if flows == 0 {
        return;
    }
    let Some(first) = added.first() else {
        return;
    };
    let id = first.policy.id;
    match added.len() {
        1 => warnings.add(
            0,
            format_args!(
                "policy {id}: {flows} older flows go on as before; flush-matching ends such"
            ),
        ),
        _ => warnings.add(
            0,
            format_args!("{flows} older flows go on as before; flush-matching ends such"),
        ),
    }
}

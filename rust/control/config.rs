// SPDX-License-Identifier: GPL-2.0

//! config-get, config-set.

use super::size::Size;
use super::{early, offload, once, TWO_TRANSLATORS};
use crate::nat::addr::V4;
use crate::nat::offload::{Choice, Devices, Rules};
use crate::nat::policy::Side;
use crate::state::policy::{Entry, List};
use crate::state::settings::Settings;
use crate::state::{defaults, Net};
use crate::sys::conntrack;
use crate::sys::genl::{doit, is_host_admin, Answer, Refusal, Request};
use crate::sys::msg::Attrs;
use crate::sys::node;
use crate::sys::uapi::*;
use crate::sys::warning::Warnings;
use crate::table::binding::BindEntry;
use crate::table::flow::FlowEntry;
use crate::table::hash::Prepared;
use crate::table::shard::Shard;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

doit!(fastnat_nl_config_get_doit, get);
doit!(fastnat_nl_config_set_doit, set);

fn numbers(settings: &Settings) -> [(u32, &AtomicU32); 9] {
    [
        (FASTNAT_A_CONFIG_MAX_FLOWS, &settings.max_flows),
        (FASTNAT_A_CONFIG_MAX_BINDINGS, &settings.max_bindings),
        (FASTNAT_A_CONFIG_BUCKETS, &settings.buckets),
        (FASTNAT_A_CONFIG_TIMEOUT_TCP, &settings.timeout_tcp),
        (
            FASTNAT_A_CONFIG_TIMEOUT_TCP_TRANSITORY,
            &settings.timeout_tcp_transitory,
        ),
        (FASTNAT_A_CONFIG_TIMEOUT_UDP, &settings.timeout_udp),
        (FASTNAT_A_CONFIG_TIMEOUT_ICMP, &settings.timeout_icmp),
        (FASTNAT_A_CONFIG_PORT_REST, &settings.port_rest),
        (FASTNAT_A_CONFIG_HOLD_SYN, &settings.hold_syn),
    ]
}

/// The settings of two choices: the attribute, the choice that is `false`, the one that is `true`.
fn choices(settings: &Settings) -> [(u32, u32, u32, &AtomicBool); 4] {
    [
        (
            FASTNAT_A_CONFIG_CONNTRACK,
            FASTNAT_CONNTRACK_MODE_UNTRACKED,
            FASTNAT_CONNTRACK_MODE_TRACKED,
            &settings.tracked,
        ),
        (
            FASTNAT_A_CONFIG_NUMA,
            FASTNAT_NUMA_MODE_HOME,
            FASTNAT_NUMA_MODE_LOCAL,
            &settings.local,
        ),
        (
            FASTNAT_A_CONFIG_EVENTS,
            FASTNAT_EVENT_LEVEL_BINDING,
            FASTNAT_EVENT_LEVEL_FLOW,
            &settings.flow_events,
        ),
        (
            FASTNAT_A_CONFIG_ICMP_REFUSED,
            FASTNAT_REFUSED_MODE_OFF,
            FASTNAT_REFUSED_MODE_ON,
            &settings.icmp_refused,
        ),
    ]
}

fn get(request: &Request<'_>) -> Answer {
    let net = request.net.state();
    let fresh = Settings::new()?;
    let settings = net.as_ref().map_or(&fresh, |net| &net.settings);
    let rules = net
        .as_ref()
        .map_or_else(Rules::default, |net| net.offload_rules());
    let devices = net
        .as_ref()
        .map_or(Devices::NONE, |net| net.early_devices());
    request.reply(|message| {
        for (kind, number) in numbers(settings) {
            message.u32(kind, number.load(Ordering::Relaxed))?;
        }
        for (kind, no, yes, choice) in choices(settings) {
            let value = if choice.load(Ordering::Relaxed) {
                yes
            } else {
                no
            };
            message.u32(kind, value)?;
        }
        offload::put(message, &rules)?;
        early::put(message, &devices)
    })
}

/// Flows and bindings are kernel memory that is charged to nobody: a container may take as much
/// as the host's administrator has set when loading the module, not more.
fn within_limits(request: &Request<'_>) -> Answer {
    // Buckets are memory too: as many as entries at the default limits.
    let buckets = defaults::full(defaults::max_flows().max(defaults::max_bindings()), 1);
    let limits = [
        (FASTNAT_A_CONFIG_BUCKETS, buckets as u32),
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

/// All is checked, and all memory is there, before anything is changed: nothing can fail half way.
fn set(request: &Request<'_>) -> Answer {
    once(request, None)?;
    within_limits(request)?;
    let attrs = &request.attrs;
    let net = request.net.state_or_new()?;
    let control = net.control.lock();
    let buckets = attrs.get(FASTNAT_A_CONFIG_BUCKETS);
    let arrays = match buckets.map(|attr| attr.u32()) {
        None | Some(0) => Arrays::new(),
        Some(count) => prepare(&net, count).map_err(|refusal| refusal.at(buckets))?,
    };
    let rules = offload::asked(attrs, net.offload_rules())?;
    // The last that can fail.
    if let Some(devices) = early::asked(attrs)? {
        let none = |errno| Refusal::new(errno, c"packets cannot be looked up early");
        let attached = net.set_early(devices).map_err(none);
        attached.map_err(|refusal| refusal.at(attrs.get(FASTNAT_A_CONFIG_EARLY_DEVICES)))?;
    }
    let was_local = net.is_local();
    store(&net.settings, attrs);
    if was_local && !net.is_local() {
        net.reunite();
    }
    if let Some(rules) = rules {
        net.set_offload(rules);
    }
    for (shard, (flows, bindings)) in net.shards.iter().zip(arrays) {
        shard.flows().want(flows);
        shard.bindings().want(bindings);
    }
    if TIMEOUTS.iter().any(|kind| attrs.get(*kind).is_some()) {
        net.hasten();
    }
    net.wake_keepers();
    let mut warnings = Warnings::new();
    warn(&mut warnings, attrs, &net, control.policies());
    warnings.tell(request);
    Ok(())
}

/// Of what will surprise about the settings as they are now, if the request is about it.
fn warn(warnings: &mut Warnings, attrs: &Attrs<'_>, net: &Net, policies: &List) {
    let asked = |kinds: &[u32]| kinds.iter().any(|kind| attrs.get(*kind).is_some());
    let number = |number: &AtomicU32| number.load(Ordering::Relaxed);
    let settings = &net.settings;
    let [flows, bindings] = [&settings.max_flows, &settings.max_bindings].map(number);
    let sizes = [
        FASTNAT_A_CONFIG_MAX_FLOWS,
        FASTNAT_A_CONFIG_MAX_BINDINGS,
        FASTNAT_A_CONFIG_BUCKETS,
    ];
    if asked(&sizes) {
        let size = Size::new(flows, bindings, number(&settings.buckets), net.shards.len());
        let (needed, memory) = (size.total(), node::total_memory());
        // The rest is for all else.
        if needed > memory / 4 * 3 {
            let (needed, memory) = (mebibytes(needed), mebibytes(memory));
            warnings.add(
                0,
                format_args!("full tables would take {needed} MiB, this machine has {memory} MiB"),
            );
        }
    }
    let rules = net.offload_rules();
    let modes = [FASTNAT_A_CONFIG_OFFLOAD, FASTNAT_A_CONFIG_CONNTRACK];
    let is_on = |entry: &Arc<Entry>| entry.owner.offload.choice == Choice::On;
    if asked(&modes) && rules.tracked && (rules.on || policies.iter().any(is_on)) {
        warnings.add(
            0,
            format_args!("nothing is offloaded while conntrack is tracked"),
        );
    }
    let sources = |entry: &Arc<Entry>| entry.policy.action.side() == Side::Source;
    let translates = policies
        .iter()
        .any(|entry| sources(entry) && entry.translates());
    if asked(&modes) && rules.tracked && translates && conntrack::has_nat(&net.net) {
        warnings.add(0, format_args!("{}", TWO_TRANSLATORS));
    }
    let is_local = settings.local.load(Ordering::Relaxed);
    if asked(&[FASTNAT_A_CONFIG_NUMA]) && is_local && net.shards.len() == 1 {
        warnings.add(0, format_args!("numa local does nothing on one node"));
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

fn store(settings: &Settings, attrs: &Attrs<'_>) {
    for (kind, number) in numbers(settings) {
        if let Some(attr) = attrs.get(kind) {
            number.store(attr.u32(), Ordering::Relaxed);
        }
    }
    for (kind, _, yes, choice) in choices(settings) {
        if let Some(attr) = attrs.get(kind) {
            choice.store(attr.u32() == yes, Ordering::Relaxed);
        }
    }
}

const TIMEOUTS: [u32; 4] = [
    FASTNAT_A_CONFIG_TIMEOUT_TCP,
    FASTNAT_A_CONFIG_TIMEOUT_TCP_TRANSITORY,
    FASTNAT_A_CONFIG_TIMEOUT_UDP,
    FASTNAT_A_CONFIG_TIMEOUT_ICMP,
];

/// New arrays of buckets for both tables, of each shard in its turn.
type Arrays = KVec<(Prepared<FlowEntry<V4>>, Prepared<BindEntry<V4>>)>;

fn prepare(net: &Net, buckets: u32) -> Result<Arrays, Refusal> {
    let none = |_| Refusal::new(ENOMEM, c"not enough memory for so many buckets");
    let bytes = (Shard::<V4>::BUCKET_BYTES as u64)
        .saturating_mul(defaults::whole(buckets) as u64)
        .saturating_mul(2)
        .saturating_mul(net.shards.len() as u64);
    // What is asked for would be taken from others, up to their end.
    if bytes > node::available_memory() / 4 * 3 {
        return Err(none(ENOMEM));
    }
    let buckets = buckets as usize;
    let mut arrays = Arrays::new();
    for shard in &net.shards {
        let flows = shard.flows().prepare(buckets).map_err(none)?;
        let bindings = shard.bindings().prepare(buckets).map_err(none)?;
        arrays.push((flows, bindings), GFP_KERNEL)?;
    }
    Ok(arrays)
}

// SPDX-License-Identifier: GPL-2.0

//! What a list says of a policy.

use super::super::offload;
use super::target;
use crate::nat::addr::{Prefix, V4};
use crate::nat::iface::Interfaces;
use crate::nat::policy::{Action, Behavior, Filtering, Mapping, Match};
use crate::nat::ports::PortRange;
use crate::state::policy::Entry;
use crate::sys::msg::Message;
use crate::sys::uapi::*;
use crate::table::subscriber::Limits;
use crate::table::Expiry;
use core::sync::atomic::Ordering;
use kernel::prelude::*;

/// Writes all of it.
pub(super) fn put(message: &mut Message<'_>, entry: &Entry) -> Result {
    let policy = &entry.policy;
    message.u32(FASTNAT_A_POLICY_ID, policy.id)?;
    message.u32(FASTNAT_A_POLICY_PRIORITY, policy.priority)?;
    message.u32(FASTNAT_A_POLICY_ACTION, action_number(policy.action))?;
    put_matches(message, &policy.matches)?;
    target::put(message, entry)?;
    if entry.translates() {
        put_expiry(message, &entry.owner.expiry)?;
        offload::put_policy(message, entry.owner.offload)?;
        put_behavior(message, entry.owner.behavior)?;
        if let Some(mark) = &entry.owner.set_mark {
            message.u32(FASTNAT_A_POLICY_SET_MARK, mark.value())?;
            message.u32(FASTNAT_A_POLICY_SET_MARK_MASK, mark.mask())?;
        }
        if let Some(subscribers) = &entry.owner.subscribers {
            put_limits(message, subscribers.limits())?;
        }
    }
    message.u32(
        FASTNAT_A_POLICY_FLOWS,
        entry.owner.flows.load(Ordering::Relaxed),
    )?;
    message.u64(
        FASTNAT_A_POLICY_HITS,
        entry.owner.hits.load(Ordering::Relaxed),
    )?;
    message.u64(FASTNAT_A_POLICY_REFUSED, entry.owner.refused())
}

fn put_matches(message: &mut Message<'_>, m: &Match<V4>) -> Result {
    if m.proto != 0 {
        message.u8(FASTNAT_A_POLICY_PROTO, m.proto)?;
    }
    let mut prefix = |addr, len, prefix: Prefix<V4>| {
        if prefix.bits() == 0 {
            return Ok(());
        }
        message.addr(addr, prefix.addr())?;
        message.u8(len, prefix.bits())
    };
    prefix(
        FASTNAT_A_POLICY_SRC_ADDR,
        FASTNAT_A_POLICY_SRC_PREFIX,
        m.src,
    )?;
    prefix(
        FASTNAT_A_POLICY_DST_ADDR,
        FASTNAT_A_POLICY_DST_PREFIX,
        m.dst,
    )?;
    let mut range = |min, max, range: PortRange| {
        if range == PortRange::ALL {
            return Ok(());
        }
        message.u16(min, range.min())?;
        message.u16(max, range.max())
    };
    range(
        FASTNAT_A_POLICY_SRC_PORT_MIN,
        FASTNAT_A_POLICY_SRC_PORT_MAX,
        m.sport,
    )?;
    range(
        FASTNAT_A_POLICY_DST_PORT_MIN,
        FASTNAT_A_POLICY_DST_PORT_MAX,
        m.dport,
    )?;
    let mut ifaces = |name, group, ifaces: Interfaces| match (ifaces.text(), ifaces.group()) {
        (Some(text), _) => message.name(name, &text),
        (None, Some(number)) => message.u32(group, number),
        (None, None) => Ok(()),
    };
    ifaces(
        FASTNAT_A_POLICY_IN_IFACE,
        FASTNAT_A_POLICY_IN_GROUP,
        m.in_iface,
    )?;
    ifaces(
        FASTNAT_A_POLICY_OUT_IFACE,
        FASTNAT_A_POLICY_OUT_GROUP,
        m.out_iface,
    )?;
    if m.mark_mask != 0 {
        message.u32(FASTNAT_A_POLICY_MARK, m.mark)?;
        message.u32(FASTNAT_A_POLICY_MARK_MASK, m.mark_mask)?;
    }
    Ok(())
}

fn put_expiry(message: &mut Message<'_>, expiry: &Expiry) -> Result {
    if expiry.absolute {
        message.u32(FASTNAT_A_POLICY_EXPIRY, FASTNAT_EXPIRY_ABSOLUTE)?;
    }
    let timeouts = [
        (FASTNAT_A_POLICY_TIMEOUT_TCP, expiry.tcp),
        (FASTNAT_A_POLICY_TIMEOUT_UDP, expiry.udp),
        (FASTNAT_A_POLICY_TIMEOUT_ICMP, expiry.icmp),
    ];
    for (kind, seconds) in timeouts.iter().filter(|(_, seconds)| *seconds != 0) {
        message.u32(*kind, *seconds)?;
    }
    match expiry.tcp_fin {
        true => message.flag(FASTNAT_A_POLICY_TCP_FIN),
        false => Ok(()),
    }
}

fn put_limits(message: &mut Message<'_>, limits: Limits) -> Result {
    let limits = [
        (FASTNAT_A_POLICY_SUBSCRIBER_BINDINGS, limits.bindings),
        (FASTNAT_A_POLICY_SUBSCRIBER_FLOWS, limits.flows),
        (FASTNAT_A_POLICY_SUBSCRIBER_RATE, limits.rate),
    ];
    let mut set = limits.iter().filter(|(_, limit)| *limit != 0);
    set.try_for_each(|(kind, limit)| message.u32(*kind, *limit))
}

/// What is not the default.
fn put_behavior(message: &mut Message<'_>, behavior: Behavior) -> Result {
    if behavior.mapping == Mapping::AddressAndPortDependent {
        let number = FASTNAT_MAPPING_ADDRESS_AND_PORT_DEPENDENT;
        message.u32(FASTNAT_A_POLICY_MAPPING, number)?;
    }
    let number = match behavior.filtering {
        Filtering::EndpointIndependent => return Ok(()),
        Filtering::AddressDependent => FASTNAT_FILTERING_ADDRESS_DEPENDENT,
        Filtering::AddressAndPortDependent => FASTNAT_FILTERING_ADDRESS_AND_PORT_DEPENDENT,
    };
    message.u32(FASTNAT_A_POLICY_FILTERING, number)
}

fn action_number(action: Action) -> u32 {
    match action {
        Action::Snat => FASTNAT_POLICY_ACTION_SNAT,
        Action::Masquerade => FASTNAT_POLICY_ACTION_MASQUERADE,
        Action::Dnat => FASTNAT_POLICY_ACTION_DNAT,
        Action::NoSnat => FASTNAT_POLICY_ACTION_NO_SNAT,
        Action::NoDnat => FASTNAT_POLICY_ACTION_NO_DNAT,
        Action::Redirect => FASTNAT_POLICY_ACTION_REDIRECT,
    }
}

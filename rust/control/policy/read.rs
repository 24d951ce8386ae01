// SPDX-License-Identifier: GPL-2.0

//! What a request says of a policy.

use super::super::{if_name, offload};
use super::target;
use crate::nat::addr::{masked, Prefix, V4};
use crate::nat::iface::{Interfaces, Unnamed};
use crate::nat::policy::{Action, Behavior, Filtering, Invalid, Mapping, Match, Policy, SetMark};
use crate::nat::ports::PortRange;
use crate::state::control::Control;
use crate::state::policy::{Entry, Target};
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attr, Attrs};
use crate::sys::uapi::*;
use crate::table::subscriber::{Limits, Subscribers};
use crate::table::{Expiry, Owner, Terms};
use kernel::prelude::*;
use kernel::sync::Arc;

/// The priority of a policy that names none.
const PRIORITY: u32 = 1000;

/// The policy that is asked for. What it has for each inside host lies on `node`.
pub(super) fn entry(
    attrs: &Attrs<'_>,
    control: &Control,
    id: u32,
    node: i32,
) -> Result<Entry, Refusal> {
    let priority = attrs.get(FASTNAT_A_POLICY_PRIORITY);
    let policy = Policy {
        id,
        priority: priority.map_or(PRIORITY, |attr| attr.u32()),
        action: action(attrs)?,
        matches: matches(attrs)?,
    };
    policy
        .validate()
        .map_err(|invalid| invalid_at(attrs, invalid))?;
    let target = target::read(attrs, control, &policy)?;
    let usage = match &target {
        Target::Pool(pool) => Some(pool.usage.clone()),
        _ => None,
    };
    for_flows_only(attrs, &policy)?;
    let terms = Terms {
        expiry: expiry(attrs),
        offload: offload::of_policy(attrs),
        behavior: behavior(attrs)?,
        set_mark: set_mark(attrs)?,
    };
    let owner = Owner::new(
        &policy,
        terms,
        Subscribers::new(limits(attrs), policy.matches.src, node)?,
        usage,
    );
    let owner = Arc::new(owner, GFP_KERNEL)?;
    Ok(Entry {
        policy,
        target,
        owner,
    })
}

/// A policy that makes no flows has nothing to say about them.
fn for_flows_only(attrs: &Attrs<'_>, policy: &Policy<V4>) -> Result<(), Refusal> {
    match policy.action {
        Action::NoSnat | Action::NoDnat => {
            unused(attrs, &OF_FLOWS)?;
            unused(attrs, &SET_MARK)?;
            unused(attrs, &OF_BINDINGS)
        }
        Action::Redirect => {
            unused(attrs, &SET_MARK)?;
            unused(attrs, &OF_BINDINGS)
        }
        Action::Dnat => unused(attrs, &OF_BINDINGS),
        Action::Snat | Action::Masquerade => Ok(()),
    }
}

/// What is said about bindings, which dnat policies do not make.
const OF_BINDINGS: [u32; 5] = [
    FASTNAT_A_POLICY_MAPPING,
    FASTNAT_A_POLICY_FILTERING,
    FASTNAT_A_POLICY_SUBSCRIBER_BINDINGS,
    FASTNAT_A_POLICY_SUBSCRIBER_FLOWS,
    FASTNAT_A_POLICY_SUBSCRIBER_RATE,
];

/// What is said about packets from inside, which are routed.
const SET_MARK: [u32; 2] = [FASTNAT_A_POLICY_SET_MARK, FASTNAT_A_POLICY_SET_MARK_MASK];

fn set_mark(attrs: &Attrs<'_>) -> Result<Option<SetMark>, Refusal> {
    let mask = attrs.get(FASTNAT_A_POLICY_SET_MARK_MASK);
    let Some(value) = attrs.get(FASTNAT_A_POLICY_SET_MARK) else {
        return match mask {
            Some(_) => Err(Refusal::missing(FASTNAT_A_POLICY_SET_MARK)),
            None => Ok(None),
        };
    };
    let mark = SetMark::new(value.u32(), mask.map_or(u32::MAX, |attr| attr.u32()));
    let refusal = Refusal::new(EINVAL, c"the mark has bits outside its mask");
    mark.map(Some).ok_or_else(|| refusal.at(Some(value)))
}

fn limits(attrs: &Attrs<'_>) -> Limits {
    let limit = |kind| attrs.get(kind).map_or(0, |attr| attr.u32());
    Limits {
        bindings: limit(FASTNAT_A_POLICY_SUBSCRIBER_BINDINGS),
        flows: limit(FASTNAT_A_POLICY_SUBSCRIBER_FLOWS),
        rate: limit(FASTNAT_A_POLICY_SUBSCRIBER_RATE),
    }
}

fn behavior(attrs: &Attrs<'_>) -> Result<Behavior, Refusal> {
    let mapping = attrs.get(FASTNAT_A_POLICY_MAPPING).map(|attr| attr.u32());
    let mapping = match mapping {
        Some(FASTNAT_MAPPING_ADDRESS_AND_PORT_DEPENDENT) => Mapping::AddressAndPortDependent,
        _ => Mapping::EndpointIndependent,
    };
    let asked = attrs.get(FASTNAT_A_POLICY_FILTERING);
    let filtering = asked.map(|attr| match attr.u32() {
        FASTNAT_FILTERING_ADDRESS_DEPENDENT => Filtering::AddressDependent,
        FASTNAT_FILTERING_ADDRESS_AND_PORT_DEPENDENT => Filtering::AddressAndPortDependent,
        _ => Filtering::EndpointIndependent,
    });
    let refusal = Refusal::new(
        EINVAL,
        c"a mapping for each remote endpoint lets nobody else in: filtering address-and-port-dependent",
    );
    Behavior::new(mapping, filtering).ok_or_else(|| refusal.at(asked))
}

pub(super) fn unused(attrs: &Attrs<'_>, kinds: &[u32]) -> Result<(), Refusal> {
    match kinds.iter().find_map(|kind| attrs.get(*kind)) {
        None => Ok(()),
        attr => Err(Refusal::new(EINVAL, c"this action does not take the attribute").at(attr)),
    }
}

fn expiry(attrs: &Attrs<'_>) -> Expiry {
    let seconds = |kind| attrs.get(kind).map_or(0, |attr| attr.u32());
    Expiry {
        tcp: seconds(FASTNAT_A_POLICY_TIMEOUT_TCP),
        udp: seconds(FASTNAT_A_POLICY_TIMEOUT_UDP),
        icmp: seconds(FASTNAT_A_POLICY_TIMEOUT_ICMP),
        absolute: seconds(FASTNAT_A_POLICY_EXPIRY) == FASTNAT_EXPIRY_ABSOLUTE,
        tcp_fin: attrs.get(FASTNAT_A_POLICY_TCP_FIN).is_some(),
    }
}

const OF_FLOWS: [u32; 7] = [
    FASTNAT_A_POLICY_EXPIRY,
    FASTNAT_A_POLICY_TIMEOUT_TCP,
    FASTNAT_A_POLICY_TIMEOUT_UDP,
    FASTNAT_A_POLICY_TIMEOUT_ICMP,
    FASTNAT_A_POLICY_TCP_FIN,
    FASTNAT_A_POLICY_OFFLOAD,
    FASTNAT_A_POLICY_OFFLOAD_AFTER,
];

fn action(attrs: &Attrs<'_>) -> Result<Action, Refusal> {
    let missing = Refusal::missing(FASTNAT_A_POLICY_ACTION);
    Ok(
        match attrs.get(FASTNAT_A_POLICY_ACTION).ok_or(missing)?.u32() {
            FASTNAT_POLICY_ACTION_SNAT => Action::Snat,
            FASTNAT_POLICY_ACTION_MASQUERADE => Action::Masquerade,
            FASTNAT_POLICY_ACTION_DNAT => Action::Dnat,
            FASTNAT_POLICY_ACTION_NO_SNAT => Action::NoSnat,
            FASTNAT_POLICY_ACTION_REDIRECT => Action::Redirect,
            _ => Action::NoDnat,
        },
    )
}

fn matches(attrs: &Attrs<'_>) -> Result<Match<V4>, Refusal> {
    let mark = attrs.get(FASTNAT_A_POLICY_MARK).map(|attr| attr.u32());
    let mask = attrs.get(FASTNAT_A_POLICY_MARK_MASK);
    if mask.is_some() && mark.is_none() {
        return Err(Refusal::missing(FASTNAT_A_POLICY_MARK));
    }
    let all = if mark.is_some() { u32::MAX } else { 0 };
    Ok(Match {
        src: prefix(
            attrs,
            FASTNAT_A_POLICY_SRC_ADDR,
            FASTNAT_A_POLICY_SRC_PREFIX,
        )?,
        dst: prefix(
            attrs,
            FASTNAT_A_POLICY_DST_ADDR,
            FASTNAT_A_POLICY_DST_PREFIX,
        )?,
        proto: attrs
            .get(FASTNAT_A_POLICY_PROTO)
            .map_or(0, |attr| attr.u8()),
        sport: range(
            attrs,
            FASTNAT_A_POLICY_SRC_PORT_MIN,
            FASTNAT_A_POLICY_SRC_PORT_MAX,
        )?
        .unwrap_or(PortRange::ALL),
        dport: range(
            attrs,
            FASTNAT_A_POLICY_DST_PORT_MIN,
            FASTNAT_A_POLICY_DST_PORT_MAX,
        )?
        .unwrap_or(PortRange::ALL),
        in_iface: ifaces(attrs, FASTNAT_A_POLICY_IN_IFACE, FASTNAT_A_POLICY_IN_GROUP)?,
        out_iface: ifaces(
            attrs,
            FASTNAT_A_POLICY_OUT_IFACE,
            FASTNAT_A_POLICY_OUT_GROUP,
        )?,
        mark: mark.unwrap_or(0),
        mark_mask: mask.map_or(all, |attr| attr.u32()),
    })
}

pub(super) fn prefix(attrs: &Attrs<'_>, addr: u32, len: u32) -> Result<Prefix<V4>, Refusal> {
    let bits = attrs.get(len);
    let Some(attr) = attrs.get(addr) else {
        return match bits {
            Some(_) => Err(Refusal::missing(addr)),
            None => Ok(Prefix::default()),
        };
    };
    let bits_or_all = bits.map_or(32, |bits| bits.u8());
    if bits_or_all > 32 {
        return Err(Refusal::new(ERANGE, c"a prefix has at most 32 bits").at(bits));
    }
    let refusal = Refusal::new(EINVAL, c"the address has bits beyond the prefix length");
    let whole = masked(attr.addr(), bits_or_all) == attr.addr();
    let prefix = Prefix::new(attr.addr(), bits_or_all).filter(|_| whole);
    prefix.ok_or_else(|| refusal.at(Some(attr)))
}

pub(super) fn range(attrs: &Attrs<'_>, min: u32, max: u32) -> Result<Option<PortRange>, Refusal> {
    let last = attrs.get(max);
    let Some(first) = attrs.get(min) else {
        return match last {
            Some(_) => Err(Refusal::missing(min)),
            None => Ok(None),
        };
    };
    let range = PortRange::new(first.u16(), last.unwrap_or(first).u16());
    let refusal = Refusal::new(ERANGE, c"the last port is below the first");
    range.map(Some).ok_or_else(|| refusal.at(last))
}

fn ifaces(attrs: &Attrs<'_>, name: u32, group: u32) -> Result<Interfaces, Refusal> {
    match (attrs.get(name), attrs.get(group)) {
        (None, None) => Ok(Interfaces::ANY),
        (None, Some(group)) => Ok(Interfaces::of_group(group.u32())),
        (Some(name), None) => named(name),
        (Some(_), both) => {
            let message = c"interfaces are chosen by name or by group, not by both";
            Err(Refusal::new(EINVAL, message).at(both))
        }
    }
}

fn named(attr: Attr<'_>) -> Result<Interfaces, Refusal> {
    Interfaces::named(if_name(attr)?).map_err(|unnamed| {
        let message = match unnamed {
            Unnamed::NoName => c"that is not the name of an interface",
            Unnamed::Star => c"a * in the name of an interface can only be its last character",
            Unnamed::StarAlone => c"a * alone would be any interface, as none at all is",
        };
        Refusal::new(EINVAL, message).at(Some(attr))
    })
}

fn invalid_at(attrs: &Attrs<'_>, invalid: Invalid) -> Refusal {
    let ports = c"ports need a protocol that has them: tcp or udp";
    let (message, attr) = match invalid {
        Invalid::SourcePort => (ports, FASTNAT_A_POLICY_SRC_PORT_MIN),
        Invalid::DestinationPort => (ports, FASTNAT_A_POLICY_DST_PORT_MIN),
        Invalid::Protocol => (
            c"the protocol cannot be translated, only left alone (no-snat, no-dnat)",
            FASTNAT_A_POLICY_PROTO,
        ),
        Invalid::Destination => (
            c"packets to many hosts are never translated",
            FASTNAT_A_POLICY_DST_ADDR,
        ),
        Invalid::OutIface => (
            c"the output interface is not known before routing, where dnat happens",
            match attrs.get(FASTNAT_A_POLICY_OUT_GROUP) {
                Some(_) => FASTNAT_A_POLICY_OUT_GROUP,
                None => FASTNAT_A_POLICY_OUT_IFACE,
            },
        ),
        Invalid::Mark => (c"the mark has bits outside its mask", FASTNAT_A_POLICY_MARK),
    };
    Refusal::new(EINVAL, message).at(attrs.get(attr))
}

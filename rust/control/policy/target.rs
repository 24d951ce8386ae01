// SPDX-License-Identifier: GPL-2.0

//! To what a policy translates: what a request says of it, and what a list says.

use super::super::once_in;
use super::read::{prefix, range, unused};
use crate::nat::addr::{Addr, Prefix, V4};
use crate::nat::balance::Server;
use crate::nat::policy::{Action, Policy};
use crate::nat::ports::PortRange;
use crate::nat::tuple::{TCP, UDP};
use crate::state::control::Control;
use crate::state::policy::{Entry, Target};
use crate::state::pool::Pool;
use crate::state::servers::{Balance, Servers};
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attr, Attrs, Message};
use crate::sys::uapi::*;
use kernel::prelude::*;
use kernel::sync::Arc;

const TO_ONE: [u32; 4] = [
    FASTNAT_A_POLICY_TO_ADDR,
    FASTNAT_A_POLICY_TO_PREFIX,
    FASTNAT_A_POLICY_TO_PORT_MIN,
    FASTNAT_A_POLICY_TO_PORT_MAX,
];
const TO: [u32; 2] = [FASTNAT_A_POLICY_TO_ADDR, FASTNAT_A_POLICY_TO_PREFIX];
const TO_PORTS: [u32; 2] = [FASTNAT_A_POLICY_TO_PORT_MIN, FASTNAT_A_POLICY_TO_PORT_MAX];
const TO_SEVERAL: [u32; 2] = [FASTNAT_A_POLICY_TARGET, FASTNAT_A_POLICY_BALANCE];

/// The target that is asked for.
pub(super) fn read(
    attrs: &Attrs<'_>,
    control: &Control,
    policy: &Policy<V4>,
) -> Result<Target, Refusal> {
    let no_pool = || unused(attrs, &[FASTNAT_A_POLICY_POOL]);
    let no_destination = || {
        unused(attrs, &TO_ONE)?;
        unused(attrs, &TO_SEVERAL)
    };
    match policy.action {
        Action::Snat => {
            unused(attrs, &TO_PORTS)?;
            unused(attrs, &TO_SEVERAL)?;
            source(attrs, control, policy)
        }
        Action::Masquerade => {
            no_destination()?;
            masquerade(attrs, control)
        }
        Action::Dnat => {
            no_pool()?;
            destination(attrs, control, policy)
        }
        Action::Redirect => {
            no_pool()?;
            unused(attrs, &TO)?;
            unused(attrs, &TO_SEVERAL)?;
            Ok(Target::Redirect(ports(attrs, TO_PORTS, policy)?))
        }
        Action::NoSnat | Action::NoDnat => {
            no_pool()?;
            no_destination()?;
            Ok(Target::Exempt)
        }
    }
}

fn source(attrs: &Attrs<'_>, control: &Control, policy: &Policy<V4>) -> Result<Target, Refusal> {
    if attrs.get(FASTNAT_A_POLICY_POOL).is_some() {
        unused_with_pool(attrs)?;
        return with_addresses(attrs, control);
    }
    if TO.iter().all(|kind| attrs.get(*kind).is_none()) {
        return Err(Refusal::missing(FASTNAT_A_POLICY_POOL));
    }
    let to = network(attrs)?;
    as_long_as(attrs, to, policy.matches.src)?;
    if Prefix::LOOPBACK.covers(&to) || to.covers(&Prefix::LOOPBACK) {
        let refusal = Refusal::new(EINVAL, c"nobody answers to loopback addresses");
        return Err(refusal.at(attrs.get(FASTNAT_A_POLICY_TO_ADDR)));
    }
    let mapping = attrs.get(FASTNAT_A_POLICY_MAPPING);
    if let Some(attr) = mapping.filter(|attr| attr.u32() != FASTNAT_MAPPING_ENDPOINT_INDEPENDENT) {
        let message = c"what keeps its port has one outside endpoint: mapping endpoint-independent";
        return Err(Refusal::new(EINVAL, message).at(Some(attr)));
    }
    Ok(Target::Netmap(to))
}

fn unused_with_pool(attrs: &Attrs<'_>) -> Result<(), Refusal> {
    let attr = TO.iter().find_map(|kind| attrs.get(*kind));
    let message = c"a policy translates to a pool or to a prefix, not to both";
    match attr {
        Some(_) => Err(Refusal::new(EINVAL, message).at(attr)),
        None => Ok(()),
    }
}

/// The network that is given: of hosts, all of it.
fn network(attrs: &Attrs<'_>) -> Result<Prefix<V4>, Refusal> {
    let missing = Refusal::missing(FASTNAT_A_POLICY_TO_ADDR);
    let addr = attrs.get(FASTNAT_A_POLICY_TO_ADDR).ok_or(missing)?;
    let to = prefix(attrs, FASTNAT_A_POLICY_TO_ADDR, FASTNAT_A_POLICY_TO_PREFIX)?;
    if to.is_network() && (to.addr().is_unspecified() || to.last().is_multicast()) {
        let refusal = Refusal::new(EINVAL, c"these are not addresses of hosts");
        return Err(refusal.at(Some(addr)));
    }
    host(addr)?;
    Ok(to)
}

fn as_long_as(attrs: &Attrs<'_>, to: Prefix<V4>, matched: Prefix<V4>) -> Result<(), Refusal> {
    if to.bits() == matched.bits() {
        return Ok(());
    }
    let message = c"the new prefix has to be as long as the one that is matched";
    let prefix = attrs.get(FASTNAT_A_POLICY_TO_PREFIX);
    let attr = prefix.or_else(|| attrs.get(FASTNAT_A_POLICY_TO_ADDR));
    Err(Refusal::new(EINVAL, message).at(attr))
}

fn with_addresses(attrs: &Attrs<'_>, control: &Control) -> Result<Target, Refusal> {
    let missing = Refusal::missing(FASTNAT_A_POLICY_POOL);
    let pool = pool(attrs, control)?.ok_or(missing)?;
    if pool.ranges.is_empty() {
        let refusal = Refusal::new(EINVAL, c"the pool has no addresses");
        return Err(refusal.at(attrs.get(FASTNAT_A_POLICY_POOL)));
    }
    Ok(Target::Pool(pool))
}

fn masquerade(attrs: &Attrs<'_>, control: &Control) -> Result<Target, Refusal> {
    match pool(attrs, control)? {
        Some(pool) if !pool.has_ports_alone() => {
            let message = c"the ports of the pool go by its own addresses: not for masquerade";
            Err(Refusal::new(EINVAL, message).at(attrs.get(FASTNAT_A_POLICY_POOL)))
        }
        pool => Ok(Target::Masquerade(pool)),
    }
}

fn pool(attrs: &Attrs<'_>, control: &Control) -> Result<Option<Arc<Pool>>, Refusal> {
    let Some(attr) = attrs.get(FASTNAT_A_POLICY_POOL) else {
        return Ok(None);
    };
    let pool = attr.name().and_then(|name| control.pool(&name));
    let refusal = Refusal::new(ENOENT, c"there is no such pool");
    pool.cloned()
        .map(Some)
        .ok_or_else(|| refusal.at(Some(attr)))
}

fn destination(
    attrs: &Attrs<'_>,
    control: &Control,
    policy: &Policy<V4>,
) -> Result<Target, Refusal> {
    let Some(several) = attrs.get(FASTNAT_A_POLICY_TARGET) else {
        return endpoint(attrs, policy);
    };
    if TO_ONE.iter().any(|kind| attrs.get(*kind).is_some()) {
        let message = c"targets are hosts; to-addr or a prefix stands alone";
        return Err(Refusal::new(EINVAL, message).at(Some(several)));
    }
    let balance = attrs.get(FASTNAT_A_POLICY_BALANCE).map(|attr| attr.u32());
    let servers = Servers {
        balance: match balance {
            Some(FASTNAT_BALANCE_RANDOM) => Balance::Random,
            _ => Balance::SourceHash(control.clients()),
        },
        list: list(attrs, policy)?,
    };
    Ok(Target::Servers(Arc::new(servers, GFP_KERNEL)?))
}

fn endpoint(attrs: &Attrs<'_>, policy: &Policy<V4>) -> Result<Target, Refusal> {
    if let Some(balance) = attrs.get(FASTNAT_A_POLICY_BALANCE) {
        let refusal = Refusal::new(EINVAL, c"there are no targets to choose from");
        return Err(refusal.at(Some(balance)));
    }
    let to = network(attrs)?;
    // Without a length it is one host, whatever is matched.
    if attrs.get(FASTNAT_A_POLICY_TO_PREFIX).is_some() {
        as_long_as(attrs, to, policy.matches.dst)?;
    }
    Ok(Target::Endpoint {
        to,
        ports: ports(attrs, TO_PORTS, policy)?,
    })
}

fn host(attr: Attr<'_>) -> Result<V4, Refusal> {
    let addr = attr.addr();
    if addr.is_multicast() || addr.is_unspecified() {
        let refusal = Refusal::new(EINVAL, c"the new destination has to be one host");
        return Err(refusal.at(Some(attr)));
    }
    Ok(addr)
}

/// The new ports, if they are given, for those that the policy matches.
fn ports(
    attrs: &Attrs<'_>,
    [min, max]: [u32; 2],
    policy: &Policy<V4>,
) -> Result<Option<PortRange>, Refusal> {
    let Some(ports) = range(attrs, min, max)? else {
        return Ok(None);
    };
    if !matches!(policy.matches.proto, TCP | UDP) {
        let refusal = Refusal::new(EINVAL, c"ports need a protocol that has them: tcp or udp");
        return Err(refusal.at(attrs.get(min)));
    }
    if ports.len() != 1 && ports.len() != policy.matches.dport.len() {
        let refusal = Refusal::new(ERANGE, c"as many new ports are needed as are matched");
        return Err(refusal.at(attrs.get(max)));
    }
    Ok(Some(ports))
}

fn list(attrs: &Attrs<'_>, policy: &Policy<V4>) -> Result<KVec<Server<V4>>, Refusal> {
    let mut list = KVec::<Server<V4>>::new();
    for attr in attrs.all(FASTNAT_A_POLICY_TARGET) {
        let at = |refusal: Refusal| Err(refusal.at(Some(attr)));
        if list.len() == Servers::MOST {
            return at(Refusal::new(E2BIG, c"a policy has at most 64 targets"));
        }
        let server = server(attr, policy)?;
        if list.iter().any(|other| other.is_same(&server)) {
            let message = c"the target is there twice; a weight gives it a larger share";
            return at(Refusal::new(EINVAL, message));
        }
        list.push(server, GFP_KERNEL)?;
    }
    Ok(list)
}

fn server(attr: Attr<'_>, policy: &Policy<V4>) -> Result<Server<V4>, Refusal> {
    let inside = attr.nested();
    once_in(&inside, None)?;
    let missing = || Refusal::new(EINVAL, c"the target has no address").at(Some(attr));
    let addr = inside.get(FASTNAT_A_TARGET_ADDR).ok_or_else(missing)?;
    let kinds = [FASTNAT_A_TARGET_PORT_MIN, FASTNAT_A_TARGET_PORT_MAX];
    let weight = inside.get(FASTNAT_A_TARGET_WEIGHT);
    Ok(Server {
        addr: host(addr)?,
        ports: ports(&inside, kinds, policy)?,
        weight: weight.map_or(1, |weight| weight.u16()),
    })
}

/// Writes the target of a policy.
pub(super) fn put(message: &mut Message<'_>, entry: &Entry) -> Result {
    if let Some(pool) = entry.pool() {
        message.name(FASTNAT_A_POLICY_POOL, &pool.name)?;
    }
    match &entry.target {
        Target::Netmap(to) => put_network(message, *to),
        // The length is listed where it could be given.
        Target::Endpoint { to, ports } => {
            match to.bits() == entry.policy.matches.dst.bits() {
                true => put_network(message, *to)?,
                false => message.addr(FASTNAT_A_POLICY_TO_ADDR, to.addr())?,
            }
            put_ports(message, TO_PORTS, *ports)
        }
        Target::Servers(servers) => put_servers(message, servers),
        Target::Redirect(ports) => put_ports(message, TO_PORTS, *ports),
        Target::Exempt | Target::Pool(_) | Target::Masquerade(_) => Ok(()),
    }
}

fn put_network(message: &mut Message<'_>, to: Prefix<V4>) -> Result {
    message.addr(FASTNAT_A_POLICY_TO_ADDR, to.addr())?;
    message.u8(FASTNAT_A_POLICY_TO_PREFIX, to.bits())
}

fn put_ports(message: &mut Message<'_>, [min, max]: [u32; 2], ports: Option<PortRange>) -> Result {
    let Some(ports) = ports else {
        return Ok(());
    };
    message.u16(min, ports.min())?;
    message.u16(max, ports.max())
}

fn put_servers(message: &mut Message<'_>, servers: &Servers) -> Result {
    for server in &servers.list {
        message.nest(FASTNAT_A_POLICY_TARGET, |message| {
            message.addr(FASTNAT_A_TARGET_ADDR, server.addr)?;
            let kinds = [FASTNAT_A_TARGET_PORT_MIN, FASTNAT_A_TARGET_PORT_MAX];
            put_ports(message, kinds, server.ports)?;
            message.u16(FASTNAT_A_TARGET_WEIGHT, server.weight)
        })?;
    }
    let balance = match servers.balance {
        Balance::SourceHash(_) => FASTNAT_BALANCE_SOURCE_HASH,
        Balance::Random => FASTNAT_BALANCE_RANDOM,
    };
    message.u32(FASTNAT_A_POLICY_BALANCE, balance)
}

// SPDX-License-Identifier: GPL-2.0

//! binding-add, binding-del, binding-get.

use super::claim::claim;
use super::once;
use super::walk;
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::iface::Interfaces;
use crate::nat::policy::Action;
use crate::nat::tuple::{Endpoint, Side, ICMP, TCP, UDP};
use crate::state::policy::{Entry, Target};
use crate::state::{describe, Net};
use crate::sys::dev::{self, Device};
use crate::sys::genl::{doit, dumpit, Answer, Dump, Refusal, Request};
use crate::sys::msg::{Attr, Attrs, Message};
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use crate::sys::uapi::*;
use crate::table::binding::{Binding, Held, NewBinding};
use crate::table::lease::Room;
use crate::table::shard::Unmade;
use kernel::prelude::*;
use kernel::sync::Arc;

doit!(fastnat_nl_binding_add_doit, add);
doit!(fastnat_nl_binding_del_doit, del);
dumpit!(fastnat_nl_binding_get_dumpit, list);

fn list(dump: &mut Dump) -> Answer {
    let Some(net) = dump.net.state() else {
        return Ok(());
    };
    walk::buckets(&net, dump, |dump, shard, cursor, pace, rcu| {
        shard.step_bindings(cursor, rcu, |binding| {
            pace.next(|| dump.entry(|message| put(message, shard.node(), binding, rcu)));
        })
    });
    Ok(())
}

fn put(message: &mut Message<'_>, node: i32, binding: &Binding<V4>, rcu: Rcu<'_>) -> Result {
    describe::binding(message, node, binding)?;
    describe::lease(message, binding, rcu)?;
    let flows = binding.holders().saturating_sub(binding.is_static().into());
    message.u32(FASTNAT_A_BINDING_FLOWS, flows)
}

/// A binding that is asked for.
pub(super) struct Wanted<'a> {
    pub(super) proto: u8,
    pub(super) inside: Endpoint<V4>,
    pub(super) inside_addr: Attr<'a>,
    /// The outside address.
    pub(super) addr: Attr<'a>,
    /// The outside port, if it is not left open.
    pub(super) port: Option<Attr<'a>>,
    pub(super) entry: &'a Arc<Entry>,
}

fn add(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attrs = &request.attrs;
    let policy = required(attrs, FASTNAT_A_BINDING_POLICY)?;
    let none = || Refusal::new(ENOENT, c"there is no such policy").at(Some(policy));
    let net = request.net.state().ok_or_else(none)?;
    let control = net.control.lock();
    let entry = control.policy(policy.u32()).ok_or_else(none)?;
    let wanted = wanted(attrs, entry)?;
    if matches!(entry.target, Target::Masquerade(_)) {
        check_masquerade(&net, &entry.policy.matches.out_iface, wanted.addr)?;
    }
    let lifetime = attrs.get(FASTNAT_A_BINDING_LIFETIME);
    let until = lifetime.map(|attr| time::now().plus(time::seconds(attr.u32())));
    let (room, reply) = (Room::new()?, request.prepare()?);
    let held = make(&net, &wanted)?;
    let outside = held.outside();
    let home = net.home(outside.port.to_host());
    room.begin(held, until);
    net.made(home);
    drop(control);
    reply.confirm(|message| {
        message.addr(FASTNAT_A_BINDING_OUTSIDE_ADDR, outside.addr)?;
        message.u16(FASTNAT_A_BINDING_OUTSIDE_PORT, outside.port.to_host())
    })
}

fn required<'a>(attrs: &Attrs<'a>, kind: u32) -> Result<Attr<'a>, Refusal> {
    attrs.get(kind).ok_or_else(|| Refusal::missing(kind))
}

fn wanted<'a>(attrs: &Attrs<'a>, entry: &'a Arc<Entry>) -> Result<Wanted<'a>, Refusal> {
    let policy = attrs.get(FASTNAT_A_BINDING_POLICY);
    let refuse = |message, attr| Err(Refusal::new(EINVAL, message).at(attr));
    if !matches!(entry.policy.action, Action::Snat | Action::Masquerade) {
        return refuse(c"the policy does not translate sources", policy);
    }
    let proto = required(attrs, FASTNAT_A_BINDING_PROTO)?;
    if !matches!(proto.u8(), TCP | UDP | ICMP) {
        return refuse(c"the protocol cannot be translated", Some(proto));
    }
    let addr = required(attrs, FASTNAT_A_BINDING_INSIDE_ADDR)?;
    let port = required(attrs, FASTNAT_A_BINDING_INSIDE_PORT)?;
    if addr.addr().is_multicast() || addr.addr().is_unspecified() {
        return refuse(c"the inside address is not that of a host", Some(addr));
    }
    let outside_port = attrs.get(FASTNAT_A_BINDING_OUTSIDE_PORT);
    // Of ICMP it is a query identifier like any other.
    if proto.u8() != ICMP {
        let zero = [Some(port), outside_port].into_iter().flatten();
        if let Some(zero) = zero.into_iter().find(|port| port.u16() == 0) {
            return refuse(c"port 0 is nobody's", Some(zero));
        }
    }
    let inside = Endpoint {
        addr: addr.addr(),
        port: Be16::from_host(port.u16()),
    };
    let matches = &entry.policy.matches;
    if !matches.src.contains(inside.addr)
        || !(matches.proto == 0 || matches.proto == proto.u8())
        || !matches.sport.contains(port.u16())
    {
        return refuse(
            c"the policy does not match what this endpoint sends",
            Some(addr),
        );
    }
    let outside = required(attrs, FASTNAT_A_BINDING_OUTSIDE_ADDR)?;
    let of_pool = match &entry.target {
        Target::Pool(pool) => pool.contains(outside.addr()),
        Target::Netmap(to) => {
            if to.with_host_of(inside.addr) != outside.addr() {
                let message = c"the policy maps the inside address to another";
                return refuse(message, Some(outside));
            }
            if let Some(other) = outside_port.filter(|other| other.u16() != port.u16()) {
                return refuse(c"the policy keeps the inside port", Some(other));
            }
            true
        }
        // See `check_masquerade`.
        _ => true,
    };
    if !of_pool {
        return refuse(c"the pool of the policy has no such address", Some(outside));
    }
    Ok(Wanted {
        proto: proto.u8(),
        inside,
        inside_addr: addr,
        addr: outside,
        port: outside_port,
        entry,
    })
}

/// An address that packets get which leave by the interfaces of a masquerade policy. What comes for any
/// other is not for this host: whoever sends there would get to the inside endpoint instead.
fn check_masquerade(net: &Net, ifaces: &Interfaces, addr: Attr<'_>) -> Answer {
    let is_outside = |dev: Device<'_>| {
        !dev.is_internal()
            // Bindings by request are outside of VRFs.
            && dev.zone().is_default()
            && ifaces.contains(&dev.interface())
            && dev.masquerades_as(addr.addr())
    };
    if rcu::read(|rcu| dev::all(&net.net, rcu).any(is_outside)) {
        return Ok(());
    }
    let message = c"no interface that the policy masquerades at gives packets this address";
    Err(Refusal::new(EINVAL, message).at(Some(addr)))
}

fn make(net: &Net, wanted: &Wanted<'_>) -> Result<Held<V4>, Refusal> {
    rcu::read(|rcu| {
        let _once = net.making.lock_for(wanted.proto, wanted.inside);
        let realm = wanted.entry.realm();
        let same = |binding: &Binding<V4>| {
            binding.realm() == realm
                && (matches!(wanted.entry.target, Target::Pool(_))
                    || binding.outside().addr == wanted.addr.addr())
        };
        if net
            .any_binding(Side::Inside, wanted.proto, wanted.inside, rcu, same)
            .is_some()
        {
            let message = c"the inside endpoint has a binding of this policy already";
            return Err(Refusal::new(EEXIST, message).at(Some(wanted.inside_addr)));
        }
        let outside = claim(net, wanted, rcu)?;
        let node = net.home(outside.port());
        let none = || Refusal::new(ENOMEM, c"not enough memory");
        let shard = net.shards.get(node).ok_or_else(none)?;
        let place = net.binding_place(node).ok_or_else(|| {
            Refusal::new(ENOSPC, c"the limit of bindings (max-bindings) is reached")
        })?;
        let expiry = &wanted.entry.owner.expiry;
        let timeout = net.settings.timeout(wanted.proto, expiry);
        let new = NewBinding {
            inside: wanted.inside,
            proto: wanted.proto,
            outside,
            realm,
            owner: &wanted.entry.owner,
            until: time::now().plus(timeout),
            for_lease: true,
        };
        shard
            .add_binding(new, place, rcu)
            .map_err(|unmade| match unmade {
                Unmade::Crowded => Refusal::new(ENOSPC, c"a bucket of the table is full"),
                _ => none(),
            })
    })
}

fn del(request: &Request<'_>) -> Answer {
    once(request, None)?;
    let attrs = &request.attrs;
    let proto = required(attrs, FASTNAT_A_BINDING_PROTO)?;
    let addr = required(attrs, FASTNAT_A_BINDING_OUTSIDE_ADDR)?;
    let port = required(attrs, FASTNAT_A_BINDING_OUTSIDE_PORT)?;
    let outside = Endpoint {
        addr: addr.addr(),
        port: Be16::from_host(port.u16()),
    };
    let none = || {
        let message = c"no binding with this outside endpoint was added by request";
        Refusal::new(ENOENT, message).at(Some(port))
    };
    let net = request.net.state().ok_or_else(none)?;
    let ended = rcu::read(|rcu| {
        let found = net.any_binding(Side::Outside, proto.u8(), outside, rcu, |_| true);
        found
            .and_then(|binding| binding.lease(rcu))
            .is_some_and(|lease| lease.end(rcu))
    });
    ended.then_some(()).ok_or_else(none)
}

// SPDX-License-Identifier: GPL-2.0

//! The outside port of a binding that is asked for.

use super::binding::Wanted;
use crate::nat::addr::{Be16, V4};
use crate::nat::iface::Interface;
use crate::nat::ports::{class, Parity, PortRange};
use crate::nat::reserved::Reserved;
use crate::nat::tuple::Endpoint;
use crate::state::policy::Target;
use crate::state::pool::{Allocation, Pool, Sharing};
use crate::state::Net;
use crate::sys::dev;
use crate::sys::genl::Refusal;
use crate::sys::rcu::Rcu;
use crate::table::blocks::{Full, PortBlocks};
use crate::table::ports::{Claim, PortMap, Rival, Wish};
use kernel::prelude::*;
use kernel::sync::Arc;

/// The port that is asked for, or a free one.
pub(super) fn claim<'a>(
    net: &'a Net,
    wanted: &'a Wanted<'_>,
    rcu: Rcu<'a>,
) -> Result<Claim<'a, V4>, Refusal> {
    let map = net.ports.of(wanted.addr.addr(), rcu).ok_or_else(|| {
        let message = c"no memory, or too many outside addresses are in use";
        Refusal::new(ENOSPC, message).at(Some(wanted.addr))
    })?;
    let addr = wanted.addr.addr();
    let owner = dev::all(&net.net, rcu).find(|dev| dev.has_addr(addr));
    let iface = owner.map_or(Interface::default(), |dev| dev.interface());
    let rules = net.rules(rcu);
    let reserved = rules.map(|rules| rules.reserved(addr, &iface, wanted.proto));
    let one = One {
        net,
        wanted,
        map,
        reserved: reserved.unwrap_or(Reserved::none()),
        rcu,
    };
    let pool = wanted.entry.pool();
    match pool.map(|pool| &pool.allocation) {
        Some(Allocation::Deterministic(sharing)) => one.by_arithmetic(pool, sharing),
        Some(Allocation::Block) => {
            let blocks = pool.and_then(|pool| pool.usage.blocks.as_ref());
            one.in_block(blocks.ok_or_else(|| one.none())?)
        }
        _ => one.anywhere(pool),
    }
}

struct One<'a> {
    net: &'a Net,
    wanted: &'a Wanted<'a>,
    map: &'a PortMap<V4>,
    /// What destination policies take.
    reserved: Reserved<'a, V4>,
    rcu: Rcu<'a>,
}

impl<'a> One<'a> {
    fn none(&self) -> Refusal {
        Refusal::new(ENOSPC, c"no outside port is free").at(Some(self.wanted.addr))
    }

    fn anywhere(&self, pool: Option<&Arc<Pool>>) -> Result<Claim<'a, V4>, Refusal> {
        if let Some(port) = self.given() {
            return self.exactly(port);
        }
        let ports = pool.map_or(PortRange::ALL, |pool| pool.ports);
        let inside = self.wanted.inside.port.to_host();
        let range = class(self.wanted.proto, inside).intersect(&ports);
        let claim = range.and_then(|range| self.among(range));
        claim.ok_or_else(|| self.none())
    }

    /// RFC 7422: only ports that follow from the inside address.
    fn by_arithmetic(
        &self,
        pool: Option<&Arc<Pool>>,
        sharing: &Sharing,
    ) -> Result<Claim<'a, V4>, Refusal> {
        let wrong = |message, attr| Refusal::new(EINVAL, message).at(Some(attr));
        let own = pool.and_then(|pool| sharing.of(pool, self.wanted.inside.addr));
        let (outside, ports) = own.ok_or_else(|| {
            wrong(
                c"the pool has no ports for this inside address",
                self.wanted.inside_addr,
            )
        })?;
        if outside != self.wanted.addr.addr() {
            let message = c"the pool gives the inside address another outside address";
            return Err(wrong(message, self.wanted.addr));
        }
        match (self.given(), self.wanted.port) {
            (Some(port), Some(attr)) if !ports.contains(port) => {
                let message = c"the pool gives the inside address other ports";
                Err(wrong(message, attr))
            }
            (Some(port), _) => self.exactly(port),
            (None, _) => self.among(ports).ok_or_else(|| self.none()),
        }
    }

    /// A port that is asked for takes its block, whether the host may have one more or not.
    fn in_block(&self, blocks: &'a PortBlocks) -> Result<Claim<'a, V4>, Refusal> {
        let (host, outside) = (self.wanted.inside.addr, self.wanted.addr.addr());
        if let Some(port) = self.given() {
            let message = c"the outside port is in the block of another inside address";
            let foreign = || Refusal::new(EADDRINUSE, message).at(self.wanted.port);
            let block = blocks.enter_at(host, outside, port).ok_or_else(foreign)?;
            let claim = self.exactly(port)?;
            return Ok(match block {
                Some(block) => claim.within(block),
                None => claim,
            });
        }
        let at = (blocks.number(outside).ok_or_else(|| self.none())?, 1);
        match blocks.find(host, at, |_, ports| self.among(ports)) {
            Ok((claim, block)) => Ok(claim.within(block)),
            Err(Full::Pool) => Err(self.none()),
            Err(Full::Host) => {
                let message = c"the inside address has as many blocks as it may have, all full";
                Err(Refusal::new(ENOSPC, message).at(Some(self.wanted.inside_addr)))
            }
        }
    }

    fn given(&self) -> Option<u16> {
        let asked = self.wanted.port.map(|attr| attr.u16());
        match self.wanted.entry.target {
            Target::Netmap(_) => Some(self.wanted.inside.port.to_host()),
            _ => asked,
        }
    }

    fn exactly(&self, port: u16) -> Result<Claim<'a, V4>, Refusal> {
        let taken = Refusal::new(EADDRINUSE, c"the outside port is taken").at(self.wanted.port);
        let claim = self.map.claim_early(self.wanted.proto, port);
        claim.ok_or(taken)
    }

    fn among(&self, range: PortRange) -> Option<Claim<'a, V4>> {
        let (proto, inside) = (self.wanted.proto, self.wanted.inside.port.to_host());
        let pool = self.wanted.entry.pool();
        let wish = Wish {
            proto,
            range,
            parity: pool.map_or(Parity::Any, |pool| pool.parity(proto, inside)),
            nodes: self.net.shards.len(),
            node: None,
            reserved: &self.reserved,
        };
        let end = |port| Endpoint {
            addr: self.map.addr(),
            port: Be16::from_host(port),
        };
        let rival = |port| match dev::is_served(&self.net.net, proto, end(port), self.rcu) {
            true => Rival::Socket,
            false => Rival::Nobody,
        };
        self.map.claim(&wish, rival)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The binding of an inside endpoint: the one it has, or a new one.

use super::{local, Hook};
use crate::nat::addr::{Addr, Be16, V4};
use crate::nat::hash::{folded, Key};
use crate::nat::iface::Interface;
use crate::nat::policy::Mapping;
use crate::nat::ports::{class, Parity, PortRange};
use crate::nat::reserved::Reserved;
use crate::nat::time::Ticks;
use crate::nat::tuple::{Endpoint, Side, Tuple, ICMP};
use crate::state::policy::{Entry, Snapshot};
use crate::state::pool::{Allocation, Pool};
use crate::state::stats::Counter;
use crate::sys::dev;
use crate::sys::time;
use crate::table::binding::{Binding, Held, NewBinding};
use crate::table::blocks::Full;
use crate::table::ports::{Claim, PortMap, Rival, Wish};

/// Which outside address a new binding gets.
#[derive(Copy, Clone)]
pub(super) enum Outside {
    /// This one.
    Address(V4),
    /// This one, with the port of the inside endpoint.
    Same(V4),
    /// One of the pool of the policy.
    OfPool,
}

/// Ports of a masquerade policy without a pool; port 0 is not a port.
const ANY_PORT: PortRange = match PortRange::new(1, u16::MAX) {
    Some(range) => range,
    None => PortRange::ALL,
};
/// How inside addresses are spread over those of a pool: always the same way, which is no secret.
const SPREAD: Key = Key(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
/// Addresses of a pool that are tried for one binding.
const ADDRESS_TRIES: u64 = 8;

/// A packet from inside, and the policy that says to translate its source.
pub(super) struct Request<'a> {
    pub(super) hook: &'a Hook<'a>,
    pub(super) rules: &'a Snapshot,
    pub(super) entry: &'a Entry,
    pub(super) tuple: &'a Tuple<V4>,
}

impl<'a> Request<'a> {
    /// The binding of the source: the same for every destination (endpoint-independent mapping,
    /// RFC 4787 REQ-1), unless the policy wants one for each, or a request has bound it.
    pub(super) fn binding(&self, outside: Outside) -> Result<Held<V4>, Counter> {
        if let Some(held) = self.existing(outside) {
            return Ok(held);
        }
        if self.hook.net.is_bound() {
            return Err(Counter::DropMaxBindings);
        }
        let _once = self.hook.net.making.lock(self.tuple);
        match self.existing(outside) {
            Some(held) => Ok(held),
            None => self.make(outside),
        }
    }

    fn existing(&self, outside: Outside) -> Option<Held<V4>> {
        let realm = self.realm();
        let now = time::now();
        let any = self.entry.owner.behavior.mapping == Mapping::EndpointIndependent;
        let wanted = |binding: &Binding<V4>| {
            binding.realm() == realm
                && (any || binding.is_static())
                && !binding.until().is_some_and(|until| until.has_passed(now))
                && match outside {
                    Outside::Address(addr) | Outside::Same(addr) => binding.outside().addr == addr,
                    Outside::OfPool => true,
                }
        };
        let (proto, src) = (self.tuple.proto, self.tuple.src());
        let binding = self
            .hook
            .net
            .binding(Side::Inside, proto, src, self.hook.rcu, wanted)?;
        Held::new(binding)
    }

    fn make(&self, outside: Outside) -> Result<Held<V4>, Counter> {
        let claim = self.claim(outside)?;
        let node = self.hook.net.home(claim.port());
        let shard = self.hook.net.shards.get(node).ok_or(Counter::DropMemory)?;
        let outside = Endpoint {
            addr: claim.addr(),
            port: Be16::from_host(claim.port()),
        };
        let back = self.tuple.with_src(outside).reverse();
        shard.prefetch_binding(Side::Outside, back.proto, outside, self.hook.rcu);
        shard.prefetch_flow(&back, self.hook.rcu);
        let place = self
            .hook
            .net
            .binding_place(node)
            .ok_or(Counter::DropMaxBindings)?;
        let new = NewBinding {
            inside: self.tuple.src(),
            proto: self.tuple.proto,
            outside: claim,
            realm: self.realm(),
            owner: &self.entry.owner,
            until: time::now().plus(self.timeout()),
            for_lease: false,
        };
        shard
            .add_binding(new, place, self.hook.rcu)
            .map_err(Counter::from)
    }

    fn realm(&self) -> u64 {
        let outside = self.hook.context.zone_out();
        self.entry.realm_in(self.tuple.zone, outside)
    }

    fn timeout(&self) -> Ticks {
        let expiry = &self.entry.owner.expiry;
        self.hook.net.settings.timeout(self.tuple.proto, expiry)
    }

    fn claim(&self, outside: Outside) -> Result<Claim<'a, V4>, Counter> {
        let pool = self.entry.pool();
        match outside {
            Outside::Address(addr) => self.claim_at(addr, pool.map(|pool| &**pool)),
            Outside::Same(addr) => self.claim_same(addr),
            Outside::OfPool => self.claim_of(pool.ok_or(Counter::DropAddress)?),
        }
    }

    fn claim_of(&self, pool: &'a Pool) -> Result<Claim<'a, V4>, Counter> {
        match &pool.allocation {
            Allocation::Random | Allocation::Preserve => self.claim_in(pool),
            Allocation::Block => self.claim_in_block(pool),
            Allocation::Deterministic(sharing) => {
                let own = sharing.of(pool, self.tuple.src_addr);
                let (addr, ports) = own.ok_or(Counter::DropAddress)?;
                self.claim_among(pool, addr, ports)
                    .ok_or(Counter::DropPorts)
            }
        }
    }

    /// One of the ports that the inside host has for itself, whatever their class.
    fn claim_in_block(&self, pool: &'a Pool) -> Result<Claim<'a, V4>, Counter> {
        let blocks = pool.usage.blocks.as_ref().ok_or(Counter::DropAddress)?;
        let (host, at) = (self.tuple.src_addr, (self.first(pool), ADDRESS_TRIES));
        let claim = |addr, ports| self.claim_among(pool, addr, ports);
        match blocks.find(host, at, claim) {
            Ok((claim, block)) => Ok(claim.within(block)),
            Err(Full::Host) => Err(Counter::DropBlocks),
            Err(Full::Pool) => Err(Counter::DropPorts),
        }
    }

    fn claim_among(&self, pool: &Pool, addr: V4, ports: PortRange) -> Option<Claim<'a, V4>> {
        let (proto, inside) = (self.tuple.proto, self.tuple.src_port.to_host());
        let map = self.hook.net.ports.of(addr, self.hook.rcu)?;
        self.claim_random(map, (ports, pool.parity(proto, inside)))
    }

    /// The number of the address of a pool that the inside address has, or where it begins to look.
    fn first(&self, pool: &Pool) -> u64 {
        let inside = self.tuple.src_addr.to_u128() as u64;
        let hash = folded(&SPREAD, &[inside, pool.realm]);
        (u128::from(hash).wrapping_mul(u128::from(pool.addresses())) >> 64) as u64
    }

    /// An inside address keeps its outside address (RFC 4787 REQ-2) as long as that has ports.
    fn claim_in(&self, pool: &Pool) -> Result<Claim<'a, V4>, Counter> {
        let (count, first) = (pool.addresses(), self.first(pool));
        let mut reason = match count {
            0 => Counter::DropAddress,
            _ => Counter::DropPorts,
        };
        for step in 0..count.min(ADDRESS_TRIES) {
            let index = first.wrapping_add(step);
            let index = index.checked_sub(count).unwrap_or(index);
            let addr = pool.address(index).ok_or(Counter::DropAddress)?;
            match self.claim_at(addr, Some(pool)) {
                Ok(claim) => return Ok(claim),
                Err(other) => reason = other,
            }
        }
        Err(reason)
    }

    fn claim_at(&self, addr: V4, pool: Option<&Pool>) -> Result<Claim<'a, V4>, Counter> {
        let (proto, inside) = (self.tuple.proto, self.tuple.src_port.to_host());
        let map = self
            .hook
            .net
            .ports
            .of(addr, self.hook.rcu)
            .ok_or(Counter::DropMemory)?;
        let ports = pool.map_or(ANY_PORT, |pool| pool.ports);
        let range = class(proto, inside)
            .intersect(&ports)
            .ok_or(Counter::DropPorts)?;
        // What the host itself sends keeps its port if it can: its sockets know no other.
        let own = self.hook.context.input().is_none();
        let kept = own || pool.is_some_and(|pool| pool.preserves());
        if kept && range.contains(inside) && self.hook.net.may_give(inside) {
            let claim = map.claim_one(proto, inside);
            let mine = own && self.tuple.src_addr == addr && !self.is_answered(addr, inside);
            let is_good = || {
                !self.reserved(addr).contains(inside) && self.rival(map, inside) == Rival::Nobody
            };
            if let Some(claim) = claim.filter(|_| mine || is_good()) {
                return Ok(claim);
            }
        }
        let parity = pool.map_or(Parity::Any, |pool| pool.parity(proto, inside));
        self.claim_random(map, (range, parity))
            .ok_or(Counter::DropPorts)
    }

    /// A random port, of this node's share if it has one. Packets that see only this node would
    /// not find a binding with another.
    fn claim_random(
        &self,
        map: &'a PortMap<V4>,
        (range, parity): (PortRange, Parity),
    ) -> Option<Claim<'a, V4>> {
        let nodes = self.hook.net.shards.len();
        let reserved = &self.reserved(map.addr());
        let wish = |node| Wish {
            proto: self.tuple.proto,
            range,
            parity,
            nodes,
            node,
            reserved,
        };
        let rival = |port| self.rival(map, port);
        let here = (nodes > 1).then(|| self.hook.net.nodes.here());
        let claim = here.and_then(|_| map.claim(&wish(here), rival));
        match claim {
            None if here.is_none() || !self.hook.net.is_local() => map.claim(&wish(None), rival),
            claim => claim,
        }
    }

    /// The inside port, whatever dnat policies say: they map it back. It need not rest: nobody else
    /// comes by it.
    fn claim_same(&self, addr: V4) -> Result<Claim<'a, V4>, Counter> {
        let (proto, port) = (self.tuple.proto, self.tuple.src_port.to_host());
        let map = self.hook.net.ports.of(addr, self.hook.rcu);
        let map = map.ok_or(Counter::DropMemory)?;
        let is_port = proto == ICMP || ANY_PORT.contains(port);
        let claim = match is_port && self.hook.net.may_give(port) {
            true => map.claim_early(proto, port),
            false => None,
        };
        claim
            .filter(|_| !self.meets_socket(map, port))
            .ok_or(Counter::DropPorts)
    }

    /// The answer to a packet that leaves from an outside port.
    fn back_to(&self, addr: V4, port: u16) -> Tuple<V4> {
        let port = Be16::from_host(port);
        self.tuple.with_src(Endpoint { addr, port }).reverse()
    }

    /// Would a socket of the host get what comes to an outside port?
    fn meets_socket(&self, map: &PortMap<V4>, port: u16) -> bool {
        let addr = map.addr();
        let (context, rcu) = (self.hook.context, self.hook.rcu);
        let foreign = || dev::owner_of(context, addr, rcu).is_none();
        !map.is_foreign(dev::generation(context), foreign)
            && dev::has_socket(context, &self.back_to(addr, port), context.output())
    }

    /// Who else would get the answers to an outside port: a socket of the host, or a flow that a destination policy
    /// has begun with this remote endpoint.
    fn rival(&self, map: &PortMap<V4>, port: u16) -> Rival {
        if self.meets_socket(map, port) {
            Rival::Socket
        } else if self.is_answered(map.addr(), port) {
            Rival::Flow
        } else {
            Rival::Nobody
        }
    }

    /// Has the remote endpoint begun a flow with this port, by a destination policy?
    fn is_answered(&self, addr: V4, port: u16) -> bool {
        local::is_taken(self.hook, &self.back_to(addr, port))
    }

    /// The ports of an outside address that destination policies take, where answers come in: by the output,
    /// or by the interface that has the address if there is no output yet (a hairpin).
    fn reserved(&self, addr: V4) -> Reserved<'a, V4> {
        if !self.rules.has_destination() {
            return Reserved::none();
        }
        let (context, rcu) = (self.hook.context, self.hook.rcu);
        let dev = context.output();
        let dev = dev.or_else(|| dev::owner_of(context, addr, rcu));
        let iface = dev.map_or(Interface::default(), |dev| dev.interface());
        self.rules.reserved(addr, &iface, self.tuple.proto)
    }
}

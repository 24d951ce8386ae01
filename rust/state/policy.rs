// SPDX-License-Identifier: GPL-2.0

//! Policies, and the snapshot of them in which the packet path looks up.

use super::index::{copy_of, Index};
use super::outside::Outside;
use super::pool::Pool;
use super::reserved::ReservedPorts;
use super::servers::Servers;
use crate::nat::addr::{Prefix, V4};
use crate::nat::classifier::BuildError;
use crate::nat::hash::Key;
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::policy::{Policy, Side, Subject};
use crate::nat::ports::PortRange;
use crate::nat::reserved::Reserved;
use crate::nat::tuple::Zone;
use crate::sys::dev::Device;
use crate::sys::memory::NodeArray;
use crate::sys::rcu;
use crate::table::Owner;
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::Arc;

/// To what a policy translates.
pub(crate) enum Target {
    /// Nothing: the packet stays as it is.
    Exempt,
    /// The source, to an endpoint of a pool.
    Pool(Arc<Pool>),
    /// The source, to the address of the output interface; ports as the pool says.
    Masquerade(Option<Arc<Pool>>),
    /// The source, to the host of the same number in another network; the port stays.
    Netmap(Prefix<V4>),
    /// The destination.
    Endpoint {
        /// The network in which it keeps its host part; usually of one address, which has none.
        to: Prefix<V4>,
        /// The new ports; `None` keeps the port.
        ports: Option<PortRange>,
    },
    /// The destination, to one of several servers.
    Servers(Arc<Servers>),
    /// The destination, to the address of the input interface, with the new ports; `None` keeps the
    /// port.
    Redirect(Option<PortRange>),
}

/// A policy with all that belongs to it. It does not change.
pub(crate) struct Entry {
    /// What it matches.
    pub(crate) policy: Policy<V4>,
    /// What it does.
    pub(crate) target: Target,
    /// What flows are accounted to.
    pub(crate) owner: Arc<Owner>,
}

/// Realms of masquerade policies lie above those of pools.
const MASQUERADE_REALM: u64 = 1 << 32;
/// The realm of all netmap policies, above those: by whichever of them an endpoint is mapped to an
/// address, it is the same binding.
const NETMAP_REALM: u64 = 1 << 33;

impl Entry {
    /// What the policy's bindings are known by: an inside endpoint has one in each realm.
    pub(crate) fn realm(&self) -> u64 {
        match &self.target {
            Target::Pool(pool) => pool.realm,
            Target::Netmap(_) => NETMAP_REALM,
            _ => MASQUERADE_REALM | u64::from(self.policy.id),
        }
    }

    /// Does it translate, rather than exempt?
    #[inline]
    pub(crate) fn translates(&self) -> bool {
        !matches!(self.target, Target::Exempt)
    }

    /// Does it say which destination ports it means? One that does not takes what no binding wants.
    pub(crate) fn names_ports(&self) -> bool {
        self.policy.matches.dport != PortRange::ALL
    }

    /// The pool it names.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        match &self.target {
            Target::Pool(pool) | Target::Masquerade(Some(pool)) => Some(pool),
            _ => None,
        }
    }
}

/// In a realm of bindings whose inside is in a VRF: that their outside is outside of all.
const LEAK: u64 = 1 << 39;
/// All below.
const REALM: u64 = LEAK.wrapping_sub(1);
/// Above that, the routing domain of the inside.
const ZONE: u32 = 40;

impl Entry {
    /// The realm of bindings between two routing domains: in another one the same endpoint is another. What
    /// leaves by another VRF than it came from has no answers but those of flows.
    pub(crate) fn realm_in(&self, inside: Zone, outside: Zone) -> u64 {
        let leaks = outside.is_default() && !inside.is_default();
        let leak = if leaks { LEAK } else { 0 };
        self.realm() | leak | (u64::from(inside.number()) << ZONE)
    }
}

/// The routing domain of the inside of the bindings of a realm.
pub(crate) fn inside_zone(realm: u64) -> Zone {
    Zone::of((realm >> ZONE) as u32)
}

/// The routing domain of their outside.
pub(crate) fn outside_zone(realm: u64) -> Zone {
    match realm & LEAK {
        0 => inside_zone(realm),
        _ => Zone::DEFAULT,
    }
}

/// Does this realm belong to a masquerade policy?
pub(crate) fn is_masquerade(realm: u64) -> bool {
    (MASQUERADE_REALM..NETMAP_REALM).contains(&(realm & REALM))
}

/// Policies, in the order in which they are asked.
pub(crate) type List = KVVec<Arc<Entry>>;

/// A copy of `list`, sharing its policies.
pub(crate) fn copy(list: &List) -> Result<List, AllocError> {
    let mut copy = List::with_capacity(list.len(), GFP_KERNEL)?;
    for entry in list {
        copy.push(entry.clone(), GFP_KERNEL)?;
    }
    Ok(copy)
}

/// Why a snapshot could not be made.
pub(crate) enum Unbuilt {
    /// No memory.
    Memory,
    /// Policies differ in too many ways in what they match on.
    TooManyMasks,
}

impl From<AllocError> for Unbuilt {
    fn from(_: AllocError) -> Self {
        Self::Memory
    }
}

impl From<BuildError> for Unbuilt {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::TooManyMasks => Self::TooManyMasks,
            BuildError::NoSpace => Self::Memory,
        }
    }
}

/// The policies of one side, as the packet path finds them.
struct Rules {
    entries: NodeArray<Arc<Entry>>,
    index: Index,
}

impl Rules {
    fn build(list: &List, side: Side, key: &Key, node: i32) -> Result<Self, Unbuilt> {
        let of_side = |entry: &&Arc<Entry>| entry.policy.action.side() == side;
        let of_side = || list.iter().filter(of_side);
        let entries = NodeArray::new(of_side().count(), node, of_side().cloned())?;
        let index = Index::build(entries.iter().map(|entry| &entry.policy), key, node)?;
        Ok(Self { entries, index })
    }

    fn copy(&self, node: i32) -> Result<Self, AllocError> {
        Ok(Self {
            entries: copy_of(&self.entries, node)?,
            index: self.index.copy(node)?,
        })
    }

    #[inline]
    fn find(&self, key: &Key, subject: &Subject<V4>) -> Option<&Arc<Entry>> {
        self.entries.get(self.index.find(key, subject)?)
    }
}

/// All policies, as the packet path finds them.
pub(crate) struct Snapshot {
    key: Key,
    source: Rules,
    destination: Rules,
    outside: Outside,
    sets_marks: bool,
    reserved: ReservedPorts,
}

/// A snapshot for each node, in memory of it. Replaced as a whole.
pub(crate) struct Snapshots(KVec<NodeArray<Snapshot>>);

impl Snapshots {
    /// Builds them. Sleeps.
    pub(crate) fn build(list: &List, nodes: &[i32]) -> Result<KBox<Self>, Unbuilt> {
        let mut all = KVec::<NodeArray<Snapshot>>::with_capacity(nodes.len(), GFP_KERNEL)?;
        for node in nodes {
            let snapshot = match all.first().and_then(|first| first.first()) {
                Some(first) => first.copy(*node)?,
                None => Snapshot::build(list, *node)?,
            };
            let snapshot = NodeArray::new(1, *node, core::iter::once(snapshot))?;
            all.push(snapshot, GFP_KERNEL)?;
        }
        Ok(KBox::new(Self(all), GFP_KERNEL)?)
    }

    /// That of a node.
    #[inline]
    pub(crate) fn of(&self, node: usize) -> Option<&Snapshot> {
        self.0.get(node)?.first()
    }
}

impl Snapshot {
    fn build(list: &List, node: i32) -> Result<Self, Unbuilt> {
        let key = Key(rcu::random64(), rcu::random64());
        let source = Rules::build(list, Side::Source, &key, node)?;
        let destination = Rules::build(list, Side::Destination, &key, node)?;
        let marks = |entry: &Arc<Entry>| entry.owner.set_mark.is_some();
        Ok(Self {
            sets_marks: list.iter().any(marks),
            key,
            source,
            destination,
            outside: Outside::build(list, node)?,
            reserved: ReservedPorts::build(list, node)?,
        })
    }

    fn copy(&self, node: i32) -> Result<Self, AllocError> {
        let (source, destination) = (self.source.copy(node)?, self.destination.copy(node)?);
        Ok(Self {
            sets_marks: self.sets_marks,
            key: Key(self.key.0, self.key.1),
            source,
            destination,
            outside: self.outside.copy(node)?,
            reserved: self.reserved.copy(node)?,
        })
    }

    /// Is it an address of a pool that source policies translate to?
    pub(crate) fn is_of_pool(&self, addr: V4) -> bool {
        self.outside.has(addr)
    }

    /// Is it an outside address to who comes in by `input`: of a pool, or one that policies
    /// masquerade with there?
    pub(crate) fn is_outside(&self, addr: V4, input: Device<'_>) -> bool {
        self.outside.has(addr) || self.outside.masquerades(addr, input)
    }

    /// Does a policy say which mark packets from inside get?
    pub(crate) fn sets_marks(&self) -> bool {
        self.sets_marks
    }

    /// Does a policy masquerade?
    pub(crate) fn masquerades(&self) -> bool {
        self.outside.masquerades_anywhere()
    }

    /// Are packets masqueraded, some at least, that leave by this interface?
    pub(crate) fn masquerades_at(&self, dev: Device<'_>) -> bool {
        self.outside.masquerades_at(dev)
    }

    /// Does a policy that translates sources name this interface as its way out?
    pub(crate) fn is_uplink(&self, iface: &Interface) -> bool {
        self.outside.is_uplink(iface)
    }

    /// The interfaces that such policies name, some of them if they are many.
    pub(crate) fn uplinks(&self) -> impl Iterator<Item = &Interfaces> {
        self.outside.uplinks()
    }

    /// The ports of an outside address that destination policies take, of what comes in by `iface`.
    pub(crate) fn reserved(&self, addr: V4, iface: &Interface, proto: u8) -> Reserved<'_, V4> {
        self.reserved.of(addr, iface, proto)
    }

    /// The source policy for a packet.
    pub(crate) fn source(&self, subject: &Subject<V4>) -> Option<&Arc<Entry>> {
        self.source.find(&self.key, subject)
    }

    /// Policies of one side that match a packet and are asked before `rank`. Of those that look at
    /// the same bits of a packet and want to see the same there, only the first.
    pub(super) fn earlier<'a>(
        &'a self,
        side: Side,
        subject: &'a Subject<V4>,
        rank: u64,
    ) -> impl Iterator<Item = &'a Policy<V4>> + 'a {
        let rules = match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
        };
        let places = rules.index.find_all(&self.key, subject, rank);
        places.filter_map(|place| Some(&rules.entries.get(place)?.policy))
    }

    /// A policy that is asked before `policy` and matches all that it does, if one is found.
    pub(crate) fn hides(&self, policy: &Policy<V4>) -> Option<u32> {
        let side = policy.action.side();
        policy.matches.examples().iter().find_map(|example| {
            let mut earlier = self.earlier(side, example, policy.rank());
            let hides = earlier.find(|other| other.matches.covers(&policy.matches));
            hides.map(|other| other.id)
        })
    }

    /// Are there destination policies?
    #[inline]
    pub(crate) fn has_destination(&self) -> bool {
        !self.destination.entries.is_empty()
    }

    /// The destination policy for a packet.
    pub(crate) fn destination(&self, subject: &Subject<V4>) -> Option<&Arc<Entry>> {
        self.destination.find(&self.key, subject)
    }
}

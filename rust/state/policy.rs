// SPDX-License-Identifier: GPL-2.0

//! Policies, and the snapshot of them in which the packet path looks up.

use super::pool::Pool;
use crate::nat::addr::V4;
use crate::nat::classifier::{self, BuildError, Group, Slot, MAX_GROUPS};
use crate::nat::hash::Key;
use crate::nat::policy::{Policy, Side, Subject};
use crate::nat::ports::PortRange;
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
    /// The destination.
    Endpoint {
        /// The new address.
        addr: V4,
        /// The new ports; `None` keeps the port.
        ports: Option<PortRange>,
    },
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

impl Entry {
    /// What the policy's bindings are known by: an inside endpoint has one in each realm.
    pub(crate) fn realm(&self) -> u64 {
        match &self.target {
            Target::Pool(pool) => pool.realm,
            _ => MASQUERADE_REALM | u64::from(self.policy.id),
        }
    }

    /// The pool it names.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        match &self.target {
            Target::Pool(pool) | Target::Masquerade(Some(pool)) => Some(pool),
            _ => None,
        }
    }
}

/// Does this realm belong to a masquerade policy?
pub(crate) fn is_masquerade(realm: u64) -> bool {
    realm >= MASQUERADE_REALM
}

/// Policies, in the order in which they are asked.
pub(crate) type List = KVVec<Arc<Entry>>;

/// A copy of `list`, sharing its policies.
pub(crate) fn copy(list: &List, room: usize) -> Result<List, AllocError> {
    let mut copy = List::with_capacity(list.len().saturating_add(room), GFP_KERNEL)?;
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
    entries: List,
    groups: KVec<Group>,
    slots: KVVec<Slot<V4>>,
}

impl Rules {
    fn build(list: &List, side: Side, key: &Key) -> Result<Self, Unbuilt> {
        let mut entries = List::new();
        let of_side = |entry: &&Arc<Entry>| entry.policy.action.side() == side;
        for entry in list.iter().filter(of_side) {
            entries.push(entry.clone(), GFP_KERNEL)?;
        }
        let policies = || entries.iter().map(|entry| &entry.policy);
        let mut groups = KVec::from_elem(Group::default(), MAX_GROUPS, GFP_KERNEL)?;
        let sizes = classifier::plan(policies(), &mut groups)?;
        groups.truncate(sizes.groups);
        let mut slots = KVVec::from_elem(Slot::default(), sizes.slots, GFP_KERNEL)?;
        classifier::build((0u32..).zip(policies()), key, &groups, &mut slots)?;
        Ok(Self {
            entries,
            groups,
            slots,
        })
    }

    #[inline]
    fn find(&self, key: &Key, subject: &Subject<V4>) -> Option<&Arc<Entry>> {
        let index = classifier::find(&self.groups, &self.slots, key, subject)?;
        self.entries.get(index as usize)
    }
}

/// All policies, as the packet path finds them. Replaced as a whole.
pub(crate) struct Snapshot {
    key: Key,
    source: Rules,
    destination: Rules,
}

impl Snapshot {
    /// Builds it. Sleeps.
    pub(crate) fn build(list: &List) -> Result<KBox<Self>, Unbuilt> {
        let key = Key(rcu::random64(), rcu::random64());
        let source = Rules::build(list, Side::Source, &key)?;
        let destination = Rules::build(list, Side::Destination, &key)?;
        let snapshot = Self {
            key,
            source,
            destination,
        };
        Ok(KBox::new(snapshot, GFP_KERNEL)?)
    }

    /// The source policy for a packet.
    pub(crate) fn source(&self, subject: &Subject<V4>) -> Option<&Arc<Entry>> {
        self.source.find(&self.key, subject)
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

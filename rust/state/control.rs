// SPDX-License-Identifier: GPL-2.0

//! What only the control path touches: the policies and pools of record, and the hooks.

use super::batch::{merge, Batch};
use super::blocks::BlockPools;
use super::policy::{self, Entry, List, Snapshots, Unbuilt};
use super::pool::{Name, Pool};
use super::Net;
use crate::nat::hash::Key;
use crate::sys::hook::Hooks;
use crate::sys::rcu;
use crate::sys::sysctl::Sysctl;
use core::sync::atomic::Ordering;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Guarded by the mutex in [`Net`].
pub(crate) struct Control {
    policies: List,
    /// Their ids, in ascending order.
    ids: KVVec<u32>,
    pools: KVec<Arc<Pool>>,
    blocks: Arc<BlockPools>,
    running: Option<Hooks<Net>>,
    sysctl: Option<Sysctl>,
    last_policy: u32,
    last_realm: u64,
    clients: Key,
    generation: u32,
}

/// Why a change was refused.
pub(crate) enum Refused {
    /// There is one like that.
    Exists,
    /// There is none like that.
    Missing,
    /// A policy names the pool.
    InUse,
    /// The policies cannot be looked up.
    Unbuilt(Unbuilt),
    /// The hooks cannot be turned on.
    Hooks(Error),
}

impl<E: Into<Unbuilt>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Unbuilt(error.into())
    }
}

impl Control {
    pub(super) fn new(blocks: Arc<BlockPools>) -> Self {
        Self {
            policies: List::new(),
            ids: KVVec::new(),
            pools: KVec::new(),
            blocks,
            running: None,
            sysctl: None,
            last_policy: 0,
            last_realm: 0,
            clients: Key(rcu::random64(), rcu::random64()),
            generation: 0,
        }
    }

    /// Changes with every change of policies or pools.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    fn changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// The policies, in the order in which they are asked.
    pub(crate) fn policies(&self) -> &List {
        &self.policies
    }

    /// The policy of an id.
    pub(crate) fn policy(&self, id: u32) -> Option<&Arc<Entry>> {
        self.policies.iter().find(|entry| entry.policy.id == id)
    }

    /// The pools, in the order in which they were added.
    pub(crate) fn pools(&self) -> &KVec<Arc<Pool>> {
        &self.pools
    }

    /// The pool of a name.
    pub(crate) fn pool(&self, name: &Name) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| pool.name == *name)
    }

    /// Is there a policy of this id?
    pub(super) fn has_policy(&self, id: u32) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// The id of the policy that was added last.
    pub(super) fn last_policy(&self) -> u32 {
        self.last_policy
    }

    /// What the bindings of the next pool are known by.
    pub(crate) fn next_realm(&mut self) -> u64 {
        self.last_realm = self.last_realm.wrapping_add(1);
        self.last_realm
    }

    /// By what clients are given to servers: the same for all policies, so that a client keeps its
    /// server when a policy is replaced.
    pub(crate) fn clients(&self) -> Key {
        self.clients
    }

    /// Adds policies; turns the hooks on with the first. All or nothing.
    pub(crate) fn add_policies(&mut self, net: &Arc<Net>, batch: Batch) -> Result<(), Refused> {
        let list = merge(&self.policies, batch.entries(), |entry| entry.policy.rank())?;
        let ids = merge(&self.ids, batch.ids(), |id| *id)?;
        let snapshots = Snapshots::build(&list, net.nodes.ids())?;
        if self.running.is_none() {
            self.running = Some(Hooks::register(&net.net, net.clone()).map_err(Refused::Hooks)?);
        }
        drop(net.snapshots.replace(Some(snapshots)));
        for pool in batch.entries().iter().filter_map(|entry| entry.pool()) {
            pool.policies.fetch_add(1, Ordering::Relaxed);
        }
        self.policies = list;
        self.ids = ids;
        self.last_policy = batch.last();
        self.changed();
        Ok(())
    }

    /// Deletes a policy and its flows; turns the hooks off with the last. All or nothing.
    pub(crate) fn del_policy(&mut self, net: &Net, id: u32) -> Result<(), Refused> {
        let place = self.policies.iter().position(|entry| entry.policy.id == id);
        let place = place.ok_or(Refused::Missing)?;
        let mut list = policy::copy(&self.policies)?;
        let entry = list.remove(place).map_err(|_| Refused::Missing)?;
        let snapshots = match list.is_empty() {
            true => None,
            false => Some(Snapshots::build(&list, net.nodes.ids())?),
        };
        // When this returns, no packet makes a flow by the old policies any more.
        drop(net.snapshots.replace(snapshots));
        net.end_leases(|binding| binding.owner().id == id);
        net.flush(|flow| flow.owner().id == id);
        if list.is_empty() {
            self.running = None;
        }
        if let Some(pool) = entry.pool() {
            pool.policies.fetch_sub(1, Ordering::Relaxed);
        }
        if let Ok(place) = self.ids.binary_search(&id) {
            // It is there.
            let _ = self.ids.remove(place);
        }
        self.policies = list;
        self.changed();
        Ok(())
    }

    /// Adds a pool.
    pub(crate) fn add_pool(&mut self, pool: Pool) -> Result<(), Refused> {
        if self.pool(&pool.name).is_some() {
            return Err(Refused::Exists);
        }
        let pool = Arc::new(pool, GFP_KERNEL)?;
        self.pools.reserve(1, GFP_KERNEL)?;
        self.blocks.add(&pool.usage)?;
        self.changed();
        Ok(self.pools.push(pool, GFP_KERNEL)?)
    }

    /// Deletes a pool that no policy names.
    pub(crate) fn del_pool(&mut self, name: &Name) -> Result<(), Refused> {
        let place = self.pools.iter().position(|pool| pool.name == *name);
        self.changed();
        let place = place.ok_or(Refused::Missing)?;
        match self.pools.get(place) {
            Some(pool) if pool.policies.load(Ordering::Relaxed) != 0 => Err(Refused::InUse),
            _ => {
                let pool = self.pools.remove(place).map_err(|_| Refused::Missing)?;
                self.blocks.remove(&pool.usage);
                Ok(())
            }
        }
    }

    pub(super) fn disable_hooks(&self) {
        if let Some(running) = &self.running {
            running.disable();
        }
    }

    /// What runs, to be dropped by the caller without the mutex.
    pub(super) fn shut(&mut self) -> (Option<Hooks<Net>>, Option<Sysctl>) {
        (self.running.take(), self.sysctl.take())
    }

    /// Shows the numbers of the namespace in /proc/sys. Sleeps.
    pub(crate) fn show(&mut self, net: &Net) -> Result {
        self.sysctl = Some(Sysctl::of(net)?);
        Ok(())
    }
}

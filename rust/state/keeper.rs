// SPDX-License-Identifier: GPL-2.0

//! What is done for a shard in the background: expiry, and the size of its tables; and that ports are
//! taken back from who has blocks of them.
//!
//! While there is nothing in the shard the keeper sleeps; who makes the first object wakes it.

use super::blocks::BlockPools;
use super::defaults::{self, FEWEST_BUCKETS};
use super::settings::Settings;
use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::nat::time::Instant;
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use crate::sys::work::Task;
use crate::table::flow::Flow;
use crate::table::hash::{Entry, Progress, Table};
use crate::table::lease::Lease;
use crate::table::ports::PortMaps;
use crate::table::shard::Shard;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::sync::Arc;

/// Flows looked at under one RCU lock.
const BATCH: usize = 64;
/// Such batches in one run.
const BATCHES: usize = 64;
/// Buckets that move in one run.
const MOVES: usize = 8192;
/// Seconds for which a table has to be nearly empty before it shrinks, and that lie between two
/// new keys.
const CALM: u32 = 60;

/// The keeper of one shard.
pub(super) struct Keeper {
    pub(super) shard: Arc<Shard<V4>>,
    pub(super) ports: Arc<PortMaps<V4>>,
    pub(super) blocks: Arc<BlockPools>,
    pub(super) settings: Arc<Settings>,
    pub(super) stats: Arc<Stats>,
    pub(super) nodes: usize,
    pub(super) flows: Calm,
    pub(super) bindings: Calm,
}

/// Since when a table has been nearly empty, and had its key.
pub(super) struct Calm {
    used: AtomicU32,
    keyed: AtomicU32,
}

impl Keeper {
    /// Removes what has expired; false if there may be more.
    fn expire(&self) -> bool {
        (0..BATCHES).any(|_| {
            time::breathe(0);
            rcu::read(|rcu| {
                let flow = |flow: &Flow<V4>| self.look_at(flow, rcu);
                let lease = |lease: &Lease<V4>| {
                    lease.end(rcu);
                };
                let flows = self.shard.deadlines().run(BATCH, rcu, flow);
                self.shard.leases().run(BATCH, rcu, lease) && flows
            })
        })
    }

    /// The time of a flow may have come.
    fn look_at(&self, flow: &Flow<V4>, rcu: Rcu<'_>) {
        let now = time::now();
        let deadline = self.settings.deadline(flow, now);
        if deadline.has_passed(now) {
            if self.shard.remove_flow(flow, rcu) {
                self.stats.inc(Counter::FlowsExpired);
            }
            return;
        }
        self.shard.deadlines().arm(flow, deadline);
        self.settings.hasten(self.shard.deadlines(), flow);
    }

    /// Gives the tables the size they should have.
    fn resize(&self) -> State {
        let (shard, settings) = (&self.shard, &self.settings);
        let crowded = shard.take_crowded();
        let limit = settings.max_flows.load(Ordering::Relaxed);
        let (flows, count) = (shard.flows(), shard.flow_count().get());
        let state = self.keep_size(flows, count, limit, crowded, &self.flows);
        let contacts = shard.contacts();
        let limit = settings.max_bindings.load(Ordering::Relaxed);
        let limit = limit.saturating_add(contacts);
        let count = shard.binding_count().get().saturating_add(contacts);
        let bindings = shard.bindings();
        state.max(self.keep_size(bindings, count, limit, crowded, &self.bindings))
    }

    fn keep_size<E: Entry>(
        &self,
        table: &Table<E>,
        objects: u32,
        limit: u32,
        crowded: bool,
        calm: &Calm,
    ) -> State {
        let buckets = table.len();
        let (fewest, full) = match self.settings.buckets.load(Ordering::Relaxed) {
            0 => (FEWEST_BUCKETS, defaults::full(limit, self.nodes)),
            fixed => (defaults::whole(fixed), defaults::whole(fixed)),
        };
        let load = Load {
            buckets,
            entries: (objects as usize).saturating_mul(2),
            full,
            fewest,
        };
        if !table.is_unsettled() {
            let array = calm.wants(&load, crowded).map(|size| table.prepare(size));
            if let Some(Ok(array)) = array {
                table.want(array);
            }
        }
        match table.resize(MOVES) {
            Progress::Moving => return State::Busy,
            Progress::Done => {
                self.stats.inc(Counter::Resizes);
                // Another size may be wanted by now.
                return State::Busy;
            }
            Progress::Idle => (),
        }
        match table.len() > load.fewest {
            true => State::Waiting,
            false => State::Resting,
        }
    }
}

/// What a table is to the keeper.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd)]
enum State {
    /// As small as it gets.
    Resting,
    /// It may shrink one day.
    Waiting,
    /// Entries are moving.
    Busy,
}

/// What decides about the size of a table.
struct Load {
    buckets: usize,
    entries: usize,
    /// The most buckets it may have.
    full: usize,
    /// The fewest.
    fewest: usize,
}

impl Load {
    /// The number of buckets for so many entries.
    fn fitting(&self, entries: usize) -> usize {
        let fitting = entries.checked_next_power_of_two().unwrap_or(self.full);
        fitting.min(self.full).max(self.fewest)
    }
}

impl Calm {
    /// Begins now.
    pub(super) fn new() -> Self {
        let now = || AtomicU32::new(time::now().0);
        Self {
            used: now(),
            keyed: now(),
        }
    }

    /// How many buckets a table should get, if it should get new ones.
    fn wants(&self, load: &Load, crowded: bool) -> Option<usize> {
        let now = time::now();
        let size = self.size(load, crowded, now)?;
        self.keyed.store(now.0, Ordering::Relaxed);
        self.used.store(now.0, Ordering::Relaxed);
        Some(size)
    }

    fn size(&self, load: &Load, crowded: bool, now: Instant) -> Option<usize> {
        let calm = |since: &AtomicU32| {
            now.since(Instant(since.load(Ordering::Relaxed))) >= time::seconds(CALM)
        };
        if load.buckets > load.full || load.buckets < load.fewest {
            return Some(load.buckets.clamp(load.fewest, load.full));
        }
        if load.entries > load.buckets && load.buckets < load.full {
            return Some(load.fitting(load.entries.saturating_mul(2)));
        }
        // Not by chance: somebody may have found out the key.
        if crowded && load.entries <= load.buckets && calm(&self.keyed) {
            return Some(load.buckets);
        }
        let small = load.fitting(load.entries.saturating_mul(4));
        if load.entries >= load.buckets / 16 || small >= load.buckets {
            self.used.store(now.0, Ordering::Relaxed);
            return None;
        }
        calm(&self.used).then_some(small)
    }
}

impl Task for Keeper {
    fn run(&self) -> Option<u32> {
        let expired = self.expire();
        let state = self.resize();
        let rest = time::seconds(self.settings.port_rest.load(Ordering::Relaxed));
        let unused = self.blocks.expire(rest);
        if !self.ports.grow() || !expired || state == State::Busy {
            return Some(0);
        }
        match unused && state == State::Resting && self.shard.sleep() {
            true => None,
            false => Some(time::grain().ticks()),
        }
    }
}

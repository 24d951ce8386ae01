// SPDX-License-Identifier: GPL-2.0

//! What is done to all flows and bindings of a namespace, or to those that are picked out of all.
//! Process context, but for removing one.

use super::net::Net;
use super::stats::Counter;
use crate::nat::addr::V4;
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use crate::table::binding::Binding;
use crate::table::flow::{Flow, FlowEntry};
use crate::table::hash::Cursor;
use crate::table::shard::Shard;
use core::sync::atomic::{fence, Ordering};
use kernel::sync::Arc;

/// Ends the leases of all bindings that `wanted` picks.
pub(super) fn end_leases(
    shards: &[Arc<Shard<V4>>],
    mut wanted: impl FnMut(&Binding<V4>, Rcu<'_>) -> bool,
) {
    if shards.iter().all(|shard| shard.lease_count().get() == 0) {
        return;
    }
    each_binding(shards, |binding, rcu| {
        if let Some(lease) = binding.lease(rcu).filter(|_| wanted(binding, rcu)) {
            lease.end(rcu);
        }
    });
}

/// Calls `visit` with every binding.
fn each_binding(shards: &[Arc<Shard<V4>>], mut visit: impl FnMut(&Binding<V4>, Rcu<'_>)) {
    for shard in shards {
        if shard.binding_count().get() == 0 {
            continue;
        }
        let mut cursor = Cursor::default();
        while rcu::read(|rcu| shard.step_bindings(&mut cursor, rcu, |binding| visit(binding, rcu)))
        {
            time::breathe(cursor.index);
        }
    }
}

/// Calls `visit` with every flow and the shard that it is in.
pub(super) fn each_flow(
    shards: &[Arc<Shard<V4>>],
    mut visit: impl FnMut(&Shard<V4>, &Flow<V4>, Rcu<'_>),
) {
    for shard in shards {
        if shard.flow_count().get() == 0 {
            continue;
        }
        let mut cursor = Cursor::default();
        while rcu::read(|rcu| shard.step_flows(&mut cursor, rcu, |flow| visit(shard, flow, rcu))) {
            time::breathe(cursor.index);
        }
    }
}

impl Net {
    /// Changes when a table is resized.
    pub(crate) fn arrays(&self) -> u32 {
        let shards = self.shards.iter();
        let counts = shards.map(|shard| {
            shard
                .flows()
                .arrays()
                .wrapping_add(shard.bindings().arrays())
        });
        counts.fold(0, u32::wrapping_add)
    }

    /// Ends the leases of all bindings that `wanted` picks. Process context.
    pub(crate) fn end_leases(&self, wanted: impl Fn(&Binding<V4>) -> bool) {
        end_leases(&self.shards, |binding, _| wanted(binding));
    }

    /// Calls `visit` with every flow and the shard that it is in. Process context.
    pub(super) fn each_flow(&self, visit: impl FnMut(&Shard<V4>, &Flow<V4>, Rcu<'_>)) {
        each_flow(&self.shards, visit);
    }

    /// Removes all flows that `wanted` picks, counts and returns them. Process context.
    pub(crate) fn flush(&self, wanted: impl Fn(&Flow<V4>) -> bool) -> u32 {
        let mut removed = 0u32;
        self.each_flow(|shard, flow, rcu| {
            if wanted(flow) && shard.remove_flow(flow, rcu) {
                self.count(Counter::FlowsFlushed);
                removed = removed.saturating_add(1);
            }
        });
        removed
    }

    /// Timeouts have changed: what expires earlier now is looked at earlier. Process context.
    pub(crate) fn hasten(&self) {
        // Who arms a flow that is passed here sees the new timeouts.
        fence(Ordering::SeqCst);
        self.each_flow(|shard, flow, _| self.settings.hasten(shard.deadlines(), flow));
    }

    /// The shard that a flow lives in.
    pub(crate) fn shard_of(&self, flow: &Flow<V4>) -> Option<&Arc<Shard<V4>>> {
        self.shards.get(self.nodes.place(flow.node()))
    }

    /// Flows that were made while nodes did not look at each other may share a tuple with one of
    /// another node. That of the two stays whose last packet is younger. Process context.
    pub(crate) fn reunite(&self) {
        if self.shards.len() == 1 {
            return;
        }
        // From here on every packet looks.
        rcu::synchronize();
        let now = time::now();
        self.each_flow(|shard, flow, rcu| {
            while let Some(twin) = self.twin(shard, flow, rcu) {
                let idle = |flow: &Flow<V4>| now.since(flow.last_seen(now));
                if idle(flow) > idle(twin) {
                    return self.remove(flow, rcu);
                }
                self.remove(twin, rcu);
            }
        });
    }

    /// A flow of another shard that has a tuple of this flow.
    fn twin<'a>(
        &'a self,
        shard: &Shard<V4>,
        flow: &Flow<V4>,
        rcu: Rcu<'a>,
    ) -> Option<&'a Flow<V4>> {
        let back = flow.orig().to().reverse();
        let mut others = self.shards.iter();
        let twin = others.find_map(|other| match other.node() == shard.node() {
            true => None,
            false => other
                .flow(flow.tuple(), rcu)
                .or_else(|| other.flow(&back, rcu)),
        });
        twin.map(FlowEntry::flow)
    }

    /// Removes one flow, on whatever node it is.
    pub(crate) fn remove(&self, flow: &Flow<V4>, rcu: Rcu<'_>) {
        let shard = self.shard_of(flow);
        if shard.is_some_and(|shard| shard.remove_flow(flow, rcu)) {
            self.count(Counter::FlowsFlushed);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Where things are looked up: on which node, and in which order.

use super::net::Net;
use super::policy::Snapshot;
use super::stats::Counter;
use crate::nat::addr::V4;
use crate::nat::ports;
use crate::nat::tuple::{Endpoint, Side, Tuple};
use crate::sys::rcu::Rcu;
use crate::table::binding::Binding;
use crate::table::flow::FlowEntry;
use core::sync::atomic::Ordering;

impl Net {
    /// The dense number of the node where the binding of an outside port lives.
    #[inline]
    pub(crate) fn home(&self, port: u16) -> usize {
        ports::home(port, self.shards.len())
    }

    /// Do packets see nothing but what is on this CPU's node?
    #[inline]
    pub(crate) fn is_local(&self) -> bool {
        self.settings.local.load(Ordering::Relaxed)
    }

    /// May a packet that is here be given this outside port?
    pub(crate) fn may_give(&self, port: u16) -> bool {
        !self.is_local() || self.home(port) == self.nodes.here()
    }

    /// The policies, in memory of this CPU's node.
    #[inline]
    pub(crate) fn rules<'a>(&'a self, rcu: Rcu<'a>) -> Option<&'a Snapshot> {
        self.snapshots.get(rcu)?.of(self.nodes.here())
    }

    /// The flow of a packet: looked for on this CPU's node, then where the destination port is at
    /// home, then on the others.
    #[inline]
    pub(crate) fn flow<'a>(&'a self, tuple: &Tuple<V4>, rcu: Rcu<'a>) -> Option<&'a FlowEntry<V4>> {
        let here = self.nodes.here();
        let found = self.shards.get(here)?.flow(tuple, rcu);
        if found.is_some() || self.shards.len() == 1 {
            return found;
        }
        self.remote_flow(here, tuple, rcu)
    }

    /// The flow of a packet, if it is on this CPU's node and found at once; [`Net::flow`] knows better.
    #[inline(always)]
    pub(crate) fn flow_quickly<'a>(
        &'a self,
        tuple: &Tuple<V4>,
        rcu: Rcu<'a>,
    ) -> Option<&'a FlowEntry<V4>> {
        self.shards.get(self.nodes.here())?.flow_quickly(tuple, rcu)
    }

    /// The flow of a packet will be looked up soon.
    #[inline]
    pub(crate) fn expect(&self, tuple: &Tuple<V4>, rcu: Rcu<'_>) {
        if let Some(shard) = self.shards.get(self.nodes.here()) {
            shard.expect(tuple, rcu);
        }
    }

    /// What POSTROUTING will look for if nothing translates a packet: memory that is not cached
    /// comes while the packet is routed.
    pub(crate) fn prefetch(&self, tuple: &Tuple<V4>, rcu: Rcu<'_>) {
        let Some(shard) = self.shards.get(self.nodes.here()) else {
            return;
        };
        shard.prefetch_binding(Side::Inside, tuple.proto, tuple.src(), rcu);
        shard.prefetch_binding(Side::Inside, tuple.proto, tuple.dst(), rcu);
        shard.prefetch_flow(&tuple.reverse(), rcu);
    }

    /// The flows that were announced by [`Net::expect`] are looked up now.
    #[inline]
    pub(crate) fn expect_rest(&self, rcu: Rcu<'_>) {
        if !self.is_early.load(Ordering::Relaxed) {
            return;
        }
        if let Some(shard) = self.shards.get(self.nodes.here()) {
            shard.expect_rest(rcu);
        }
    }

    #[cold]
    fn remote_flow<'a>(
        &'a self,
        here: usize,
        tuple: &Tuple<V4>,
        rcu: Rcu<'a>,
    ) -> Option<&'a FlowEntry<V4>> {
        if self.is_local() {
            return None;
        }
        let home = self.home(tuple.dst_port.to_host());
        let others = (0..self.shards.len()).filter(|node| *node != home);
        let mut order = Iterator::chain(core::iter::once(home), others);
        let found = order.find_map(|node| match node == here {
            true => None,
            false => self.shards.get(node)?.flow(tuple, rcu),
        });
        if found.is_some() {
            self.count(Counter::RemoteHits);
        }
        found
    }

    /// The flow of a tuple, on whatever node.
    pub(crate) fn any_flow<'a>(
        &'a self,
        tuple: &Tuple<V4>,
        rcu: Rcu<'a>,
    ) -> Option<&'a FlowEntry<V4>> {
        let mut shards = self.shards.iter();
        shards.find_map(|shard| shard.flow(tuple, rcu))
    }

    /// The live binding of an endpoint that `wanted` accepts, as packets on this CPU see it.
    pub(crate) fn binding<'a>(
        &'a self,
        side: Side,
        proto: u8,
        end: Endpoint<V4>,
        rcu: Rcu<'a>,
        wanted: impl Fn(&Binding<V4>) -> bool,
    ) -> Option<&'a Binding<V4>> {
        if self.is_local() {
            let shard = self.shards.get(self.nodes.here())?;
            return shard.binding(side, proto, end, rcu, wanted);
        }
        self.any_binding(side, proto, end, rcu, wanted)
    }

    /// The live binding of an endpoint that `wanted` accepts, on whatever node.
    pub(crate) fn any_binding<'a>(
        &'a self,
        side: Side,
        proto: u8,
        end: Endpoint<V4>,
        rcu: Rcu<'a>,
        wanted: impl Fn(&Binding<V4>) -> bool,
    ) -> Option<&'a Binding<V4>> {
        let mut shards = self.shards.iter();
        shards.find_map(|shard| shard.binding(side, proto, end, rcu, &wanted))
    }
}

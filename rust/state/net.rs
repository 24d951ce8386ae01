// SPDX-License-Identifier: GPL-2.0

//! The root of a namespace's state.

use super::control::Control;
use super::defaults;
use super::policy::{is_masquerade, Snapshot};
use super::settings::Settings;
use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::nat::hash::Key;
use crate::nat::ports;
use crate::nat::tuple::{Endpoint, Side, Tuple};
use crate::sys::node::Nodes;
use crate::sys::pernet::NetRef;
use crate::sys::rcu::{self, Published, Rcu};
use crate::sys::time;
use crate::table::binding::Binding;
use crate::table::flow::{Flow, FlowEntry};
use crate::table::making::Making;
use crate::table::ports::PortMaps;
use crate::table::shard::{Count, Place, Shard};
use core::sync::atomic::Ordering;
use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

/// What a namespace has. Made when it is first configured.
#[pin_data]
pub(crate) struct Net {
    /// The namespace.
    pub(crate) net: NetRef,
    /// The nodes its shards lie on.
    pub(crate) nodes: Nodes,
    /// The tables, one shard a node.
    pub(crate) shards: KVec<Arc<Shard<V4>>>,
    /// Which outside ports are in use.
    pub(crate) ports: PortMaps<V4>,
    /// Keeps two CPUs from making the same binding.
    pub(crate) making: Making,
    /// The policies, as the packet path sees them.
    pub(crate) rules: Published<Snapshot>,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// The counters.
    pub(crate) stats: Arc<Stats>,
    /// What only the control path touches.
    #[pin]
    pub(crate) control: Mutex<Control>,
}

impl Net {
    /// The state of a namespace without policies. Sleeps.
    pub(crate) fn new(net: NetRef) -> Result<Arc<Self>> {
        let nodes = Nodes::new()?;
        let buckets = defaults::buckets(nodes.ids().len());
        let key = || Key(rcu::random64(), rcu::random64());
        let mut shards = KVec::new();
        for node in nodes.ids() {
            let shard = Arc::new(Shard::new(*node, buckets, key())?, GFP_KERNEL)?;
            shards.push(shard, GFP_KERNEL)?;
        }
        let first = nodes.ids().first().copied().unwrap_or(0);
        let ports = PortMaps::new(first, key())?;
        let making = Making::new(first)?;
        let settings = Arc::new(Settings::new(), GFP_KERNEL)?;
        let stats = Arc::new(Stats::new()?, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                nodes,
                shards,
                ports,
                making,
                rules: Published::empty(),
                settings,
                stats,
                control <- new_mutex!(Control::new(), "fastnat_control"),
            }),
            GFP_KERNEL,
        )
    }

    /// The namespace goes: hooks off. Called once, a grace period before `exit`.
    pub(crate) fn pre_exit(&self) {
        self.control.lock().disable_hooks();
    }

    /// The namespace is gone: no packet and no request is left. Drops what `self` is held by.
    pub(crate) fn exit(&self) {
        let held = self.control.lock().shut();
        drop(held);
        self.flush(|_| true);
    }

    /// An address went away: what masquerades with it ends.
    pub(crate) fn address_lost(&self, addr: V4) {
        self.flush(|flow| {
            flow.binding().is_some_and(|binding| {
                is_masquerade(binding.realm()) && binding.outside().addr == addr
            })
        });
    }

    /// Removes all flows that `wanted` picks, counts and returns them. Process context.
    pub(crate) fn flush(&self, wanted: impl Fn(&Flow<V4>) -> bool) -> u32 {
        let mut removed = 0u32;
        for shard in &self.shards {
            if shard.flow_count().get() == 0 {
                continue;
            }
            for index in 0..shard.buckets() {
                time::breathe(index);
                rcu::read(|rcu| {
                    shard.visit_flows(index, rcu, |flow| {
                        if wanted(flow) && shard.remove_flow(flow) {
                            self.count(Counter::FlowsFlushed);
                            removed = removed.saturating_add(1);
                        }
                    });
                });
            }
        }
        removed
    }

    /// The shard that a flow lives in: where its outside port is at home.
    pub(crate) fn home_of(&self, flow: &Flow<V4>) -> Option<&Arc<Shard<V4>>> {
        let port = match flow.binding() {
            Some(binding) => binding.outside().port,
            None => flow.tuple().dst_port,
        };
        self.shards.get(self.home(port.to_host()))
    }

    /// Removes one flow, on whatever node it is.
    pub(crate) fn remove(&self, flow: &Flow<V4>) {
        let shard = self.home_of(flow);
        if shard.is_some_and(|shard| shard.remove_flow(flow)) {
            self.count(Counter::FlowsFlushed);
        }
    }

    /// Counts one.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.stats.inc(counter);
    }

    /// The dense number of the node where the binding of an outside port lives.
    #[inline]
    pub(crate) fn home(&self, port: u16) -> usize {
        ports::home(port, self.shards.len())
    }

    /// The flow of a tuple: looked for on this CPU's node, then where the destination port is at
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

    #[cold]
    fn remote_flow<'a>(
        &'a self,
        here: usize,
        tuple: &Tuple<V4>,
        rcu: Rcu<'a>,
    ) -> Option<&'a FlowEntry<V4>> {
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

    /// The live binding of an endpoint that `wanted` accepts, on whatever node.
    pub(crate) fn binding<'a>(
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

    /// Is the limit of flows reached? Asked before a binding is made for nothing.
    pub(crate) fn is_full(&self) -> bool {
        self.total(Shard::flow_count) >= self.settings.max_flows.load(Ordering::Relaxed)
    }

    /// Flows or bindings alive, on all nodes.
    pub(crate) fn total(&self, count: fn(&Shard<V4>) -> &Count) -> u32 {
        let counts = self.shards.iter().map(|shard| count(shard).get());
        counts.fold(0, u32::saturating_add)
    }

    /// Room for one more flow on a node, if the limit allows.
    pub(crate) fn flow_place(&self, node: usize) -> Option<Place<'_>> {
        self.place(
            node,
            self.settings.max_flows.load(Ordering::Relaxed),
            Shard::flow_count,
        )
    }

    /// Room for one more binding on a node, if the limit allows.
    pub(crate) fn binding_place(&self, node: usize) -> Option<Place<'_>> {
        let limit = self.settings.max_bindings.load(Ordering::Relaxed);
        self.place(node, limit, Shard::binding_count)
    }

    fn place(&self, node: usize, limit: u32, count: fn(&Shard<V4>) -> &Count) -> Option<Place<'_>> {
        let place = count(self.shards.get(node)?).reserve();
        (self.total(count) <= limit).then_some(place)
    }
}

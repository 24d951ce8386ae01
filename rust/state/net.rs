// SPDX-License-Identifier: GPL-2.0

//! The root of a namespace's state.

use super::control::Control;
use super::defaults::FEWEST_BUCKETS;
use super::events::Events;
use super::keeper::{Calm, Keeper};
use super::policy::{is_masquerade, Snapshot, Snapshots};
use super::settings::Settings;
use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::nat::ports;
use crate::nat::tuple::{Endpoint, Side, Tuple};
use crate::sys::node::Nodes;
use crate::sys::pernet::NetRef;
use crate::sys::rcu::{self, Published, Rcu};
use crate::sys::time;
use crate::sys::uapi::*;
use crate::sys::work::Periodic;
use crate::table::binding::Binding;
use crate::table::flow::{Flow, FlowEntry};
use crate::table::hash::Cursor;
use crate::table::making::Making;
use crate::table::ports::PortMaps;
use crate::table::shard::{Count, Place, Shard};
use crate::table::Watch;
use core::sync::atomic::{fence, AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

/// What a namespace has. Made when it is first configured.
#[pin_data]
pub(crate) struct Net {
    /// The namespace.
    pub(crate) net: NetRef,
    /// The nodes its shards lie on.
    pub(crate) nodes: Nodes,
    /// What is done for the shards in the background. Drops before what it works on.
    keepers: KVec<Periodic<Keeper>>,
    /// The tables, one shard a node.
    pub(crate) shards: KVec<Arc<Shard<V4>>>,
    /// Which outside ports are in use.
    pub(crate) ports: Arc<PortMaps<V4>>,
    /// Keeps two CPUs from making the same binding.
    pub(crate) making: Making,
    /// The policies, as the packet path sees them.
    pub(crate) snapshots: Published<Snapshots>,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// The counters.
    pub(crate) stats: Arc<Stats>,
    /// Who is told what happens.
    pub(crate) events: Arc<Events>,
    /// What only the control path touches.
    #[pin]
    pub(crate) control: Mutex<Control>,
}

impl Net {
    /// The state of a namespace without policies. Sleeps.
    pub(crate) fn new(net: NetRef) -> Result<Arc<Self>> {
        let nodes = Nodes::new()?;
        let settings = Arc::new(Settings::new(), GFP_KERNEL)?;
        let stats = Arc::new(Stats::new()?, GFP_KERNEL)?;
        let events = Events::new(net.share(), settings.clone(), stats.clone());
        let events = Arc::new(events, GFP_KERNEL)?;
        let buckets = match settings.buckets.load(Ordering::Relaxed) {
            0 => FEWEST_BUCKETS,
            fixed => fixed as usize,
        };
        let mut shards = KVec::new();
        for node in nodes.ids() {
            let watch: Arc<dyn Watch<V4>> = events.clone();
            let shard = Shard::new(*node, buckets, watch)?;
            shards.push(Arc::new(shard, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let first = nodes.ids().first().copied().unwrap_or(0);
        let ports = Arc::new(PortMaps::new(first)?, GFP_KERNEL)?;
        let mut keepers = KVec::new();
        for shard in &shards {
            let keeper = Keeper {
                shard: shard.clone(),
                ports: ports.clone(),
                settings: settings.clone(),
                stats: stats.clone(),
                nodes: shards.len(),
                flows: Calm::new(),
                bindings: Calm::new(),
            };
            let keeper = Periodic::new(Arc::new(keeper, GFP_KERNEL)?)?;
            keepers.push(keeper, GFP_KERNEL)?;
        }
        let making = Making::new(first)?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                nodes,
                keepers,
                shards,
                ports,
                making,
                snapshots: Published::empty(),
                settings,
                stats,
                events,
                control <- new_mutex!(Control::new(), "fastnat_control"),
            }),
            GFP_KERNEL,
        )
    }

    /// Bytes of a namespace, without tables, port maps and policies.
    pub(crate) fn bytes(nodes: usize) -> u64 {
        let fixed = core::mem::size_of::<Self>() + Making::BYTES + PortMaps::<V4>::BYTES;
        let shards = Shard::<V4>::BYTES.saturating_mul(nodes);
        fixed.saturating_add(shards) as u64
    }

    /// What a file under /proc/sys/net/fastnat shows.
    pub(crate) fn number(&self, which: u32) -> u32 {
        let setting = |setting: &AtomicU32| setting.load(Ordering::Relaxed);
        match which {
            FASTNAT_SYSCTL_FLOWS => self.total(Shard::flow_count),
            FASTNAT_SYSCTL_BINDINGS => self.total(Shard::binding_count),
            FASTNAT_SYSCTL_MAX_FLOWS => setting(&self.settings.max_flows),
            FASTNAT_SYSCTL_MAX_BINDINGS => setting(&self.settings.max_bindings),
            // Of each table of flows, as many as there are now.
            _ => self.shards.first().map_or(0, |shard| shard.flows().len()) as u32,
        }
    }

    /// Something was made in the shard of a node: its keeper has to know, if it sleeps or the
    /// tables should grow.
    #[inline]
    pub(crate) fn made(&self, node: usize) {
        let wakes = |shard: &Arc<Shard<V4>>| shard.wakes() || shard.is_tight(time::now());
        if self.shards.get(node).is_some_and(wakes) {
            self.keepers.get(node).into_iter().for_each(Periodic::wake);
        }
    }

    /// Lets the keepers see to changed settings at once.
    pub(crate) fn wake_keepers(&self) {
        self.keepers.iter().for_each(Periodic::wake);
    }

    /// The namespace goes: hooks off. Called once, a grace period before `exit`.
    pub(crate) fn pre_exit(&self) {
        self.control.lock().disable_hooks();
    }

    /// The namespace is gone: no packet and no request is left. Drops what `self` is held by.
    pub(crate) fn exit(&self) {
        let held = self.control.lock().shut();
        drop(held);
        self.end_leases(|_| true);
        self.flush(|_| true);
    }

    /// An address went away: what masquerades with it ends.
    pub(crate) fn address_lost(&self, addr: V4) {
        let lost = |binding: &Binding<V4>| {
            is_masquerade(binding.realm()) && binding.outside().addr == addr
        };
        self.end_leases(lost);
        self.flush(|flow| flow.binding().is_some_and(|held| lost(held)));
    }

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
        if self
            .shards
            .iter()
            .all(|shard| shard.lease_count().get() == 0)
        {
            return;
        }
        self.each_binding(|binding, rcu| {
            if let Some(lease) = binding.lease(rcu).filter(|_| wanted(binding)) {
                lease.end(rcu);
            }
        });
    }

    /// Calls `visit` with every binding. Process context.
    pub(crate) fn each_binding(&self, mut visit: impl FnMut(&Binding<V4>, Rcu<'_>)) {
        for shard in self
            .shards
            .iter()
            .filter(|shard| shard.binding_count().get() != 0)
        {
            let mut cursor = Cursor::default();
            while rcu::read(|rcu| {
                shard.step_bindings(&mut cursor, rcu, |binding| visit(binding, rcu))
            }) {
                time::breathe(cursor.index);
            }
        }
    }

    /// Calls `visit` with every flow and the shard that it is in. Process context.
    fn each_flow(&self, mut visit: impl FnMut(&Shard<V4>, &Flow<V4>, Rcu<'_>)) {
        for shard in self
            .shards
            .iter()
            .filter(|shard| shard.flow_count().get() != 0)
        {
            let mut cursor = Cursor::default();
            while rcu::read(|rcu| {
                shard.step_flows(&mut cursor, rcu, |flow| visit(shard, flow, rcu))
            }) {
                time::breathe(cursor.index);
            }
        }
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

    /// The counts of the CPUs of a node.
    pub(crate) fn sum_at(&self, counter: Counter, node: usize) -> u64 {
        let here = |id| self.nodes.place(id) == node;
        self.stats.sum_where(counter, here)
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

    /// Is the limit of flows reached? Asked before a binding is made for nothing.
    pub(crate) fn is_full(&self) -> bool {
        self.total(Shard::flow_count) >= self.settings.max_flows.load(Ordering::Relaxed)
    }

    /// Is the limit of bindings reached?
    pub(crate) fn is_bound(&self) -> bool {
        self.total(Shard::binding_count) >= self.settings.max_bindings.load(Ordering::Relaxed)
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
        // Who is refused writes nothing that others read; the last places may be lost to a race.
        if self.total(count) >= limit {
            return None;
        }
        let place = count(self.shards.get(node)?).reserve();
        (self.total(count) <= limit).then_some(place)
    }
}

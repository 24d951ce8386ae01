// SPDX-License-Identifier: GPL-2.0

//! The root of a namespace's state.

use super::blocks::BlockPools;
use super::control::Control;
use super::defaults::FEWEST_BUCKETS;
use super::early::Earlies;
use super::events::Events;
use super::held::{Held, Holding, Releaser};
use super::keeper::{Calm, Keeper};
use super::lro::Lro;
use super::neighbours::FailedNeighbours;
use super::offload::OffloadRules;
use super::orphans::Orphans;
use super::policy::Snapshots;
use super::refused::Told;
use super::settings::Settings;
use super::stats::{Counter, Stats};
use super::uplink::{Loss, UplinkTask};
use crate::nat::addr::V4;
use crate::nat::hash::Key;
use crate::nat::offload::Rules;
use crate::nat::time::Ticks;
use crate::nat::tuple::Tuple;
use crate::sys::icmp::Quote;
use crate::sys::node::Nodes;
use crate::sys::pernet::NetRef;
use crate::sys::rcu::{self, Published};
use crate::sys::time;
use crate::sys::uapi::*;
use crate::sys::work::Periodic;
use crate::table::count::{Count, Place};
use crate::table::making::Making;
use crate::table::ports::PortMaps;
use crate::table::routes::Routes;
use crate::table::shard::Shard;
use crate::table::Watch;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::alloc::AllocError;
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
    /// Answers what is held. The same.
    releaser: Periodic<Releaser>,
    /// Sees to uplinks that go. The same.
    pub(super) uplinks: Periodic<UplinkTask>,
    /// The last that has gone.
    pub(super) loss: Arc<Loss>,
    /// TCP connections that lost their flow with it.
    pub(crate) orphans: Arc<Published<Orphans>>,
    /// Unsolicited SYNs.
    held: Arc<Held>,
    /// The tables, one shard a node.
    pub(crate) shards: KVec<Arc<Shard<V4>>>,
    /// Which outside ports are in use.
    pub(crate) ports: Arc<PortMaps<V4>>,
    /// Keeps two CPUs from making the same binding.
    pub(crate) making: Making,
    /// The routes that offloaded flows go by.
    pub(crate) routes: Routes,
    /// Neighbours for which these routes may have been learned in place of others.
    pub(super) failed: FailedNeighbours,
    /// The policies, as the packet path sees them.
    pub(crate) snapshots: Arc<Published<Snapshots>>,
    /// Which packets may be forwarded past the stack.
    pub(crate) offload: Published<OffloadRules>,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// The counters.
    pub(crate) stats: Arc<Stats>,
    /// Who is told what happens.
    pub(crate) events: Arc<Events>,
    /// Which inside hosts were told that they were refused.
    pub(crate) told: Told,
    /// Are packets of some device looked up early?
    pub(crate) is_early: AtomicBool,
    /// Whose packets are looked up early.
    #[pin]
    pub(crate) early: Mutex<Earlies>,
    /// How TCP segments are aggregated.
    #[pin]
    pub(crate) lro: Lro,
    /// What only the control path touches.
    #[pin]
    pub(crate) control: Mutex<Control>,
}

impl Net {
    /// The state of a namespace without policies. Sleeps.
    pub(crate) fn new(net: NetRef) -> Result<Arc<Self>> {
        let nodes = Nodes::new()?;
        let settings = Arc::new(Settings::new()?, GFP_KERNEL)?;
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
        let ports = Arc::new(
            PortMaps::new(first, settings.port_rest.clone())?,
            GFP_KERNEL,
        )?;
        let blocks = BlockPools::new()?;
        let mut keepers = KVec::new();
        for shard in &shards {
            let keeper = Keeper {
                shard: shard.clone(),
                ports: ports.clone(),
                blocks: blocks.clone(),
                settings: settings.clone(),
                stats: stats.clone(),
                nodes: shards.len(),
                flows: Calm::new(),
                bindings: Calm::new(),
            };
            let keeper = Periodic::new(Arc::new(keeper, GFP_KERNEL)?)?;
            keepers.push(keeper, GFP_KERNEL)?;
        }
        let held = Arc::new(Held::new(first)?, GFP_KERNEL)?;
        let releaser = Releaser {
            net: net.share(),
            held: held.clone(),
            shards: share(&shards)?,
            stats: stats.clone(),
        };
        let releaser = Periodic::new(Arc::new(releaser, GFP_KERNEL)?)?;
        let snapshots = Arc::new(Published::empty(), GFP_KERNEL)?;
        let orphans = Arc::new(Published::empty(), GFP_KERNEL)?;
        let loss = Arc::new(Loss::new(), GFP_KERNEL)?;
        let uplinks = UplinkTask {
            net: net.share(),
            loss: loss.clone(),
            orphans: orphans.clone(),
            key: Key(rcu::random64(), rcu::random64()),
            snapshots: snapshots.clone(),
            shards: share(&shards)?,
            stats: stats.clone(),
        };
        let uplinks = Periodic::new(Arc::new(uplinks, GFP_KERNEL)?)?;
        let making = Making::new(first)?;
        let offload = Published::empty();
        offload.replace(Some(OffloadRules::new(Rules::default())?));
        let routes = Routes::new(first)?;
        let lro = Lro::new()?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                nodes,
                keepers,
                releaser,
                uplinks,
                loss,
                orphans,
                held,
                shards,
                ports,
                making,
                routes,
                failed: FailedNeighbours::new(),
                snapshots,
                offload,
                settings,
                stats,
                events,
                told: Told::new(),
                is_early: AtomicBool::new(false),
                early <- new_mutex!(Earlies::new(), "fastnat_early"),
                lro <- lro,
                control <- new_mutex!(Control::new(blocks), "fastnat_control"),
            }),
            GFP_KERNEL,
        )
    }

    /// Bytes of a namespace, without tables, port maps and policies.
    pub(crate) fn bytes(nodes: usize) -> u64 {
        let own = core::mem::size_of::<Self>() + core::mem::size_of::<OffloadRules>();
        let fixed = own + Making::BYTES + PortMaps::<V4>::BYTES + Routes::BYTES + Held::BYTES;
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

    /// Holds a SYN that nothing expects, so that it is answered later. `quote` is what is kept of it.
    pub(crate) fn hold(&self, tuple: &Tuple<V4>, length: Ticks, quote: impl FnOnce() -> Quote) {
        match self.held.hold(tuple, length, quote) {
            Holding::Begun { wake } => {
                self.count(Counter::SynHeld);
                if wake {
                    self.releaser.wake();
                }
            }
            Holding::Already => (),
            Holding::Excess => self.count(Counter::SynExcess),
        }
    }

    /// The namespace goes: hooks off. Called once, a grace period before `exit`.
    pub(crate) fn pre_exit(&self) {
        self.control.lock().disable_hooks();
        self.end_early();
        self.end_lro();
        self.held.shut();
        self.routes.forget();
    }

    /// The namespace is gone: no packet and no request is left. Drops what `self` is held by.
    pub(crate) fn exit(&self) {
        let held = self.control.lock().shut();
        drop(held);
        self.end_leases(|_| true);
        self.flush(|_| true);
    }

    /// Counts one.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.stats.inc(counter);
    }

    /// The counts of the CPUs of a node.
    pub(crate) fn sum_at(&self, counter: Counter, node: usize) -> u64 {
        let here = |id| self.nodes.place(id) == node;
        self.stats.sum_where(counter, here)
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
    #[inline]
    pub(crate) fn total(&self, count: fn(&Shard<V4>) -> &Count) -> u32 {
        match &*self.shards {
            [only] => count(only).get(),
            all => all
                .iter()
                .fold(0, |sum: u32, shard| sum.saturating_add(count(shard).get())),
        }
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

/// All shards once more, for work in the background.
fn share(shards: &[Arc<Shard<V4>>]) -> Result<KVec<Arc<Shard<V4>>>, AllocError> {
    let mut all = KVec::with_capacity(shards.len(), GFP_KERNEL)?;
    for shard in shards {
        all.push(shard.clone(), GFP_KERNEL)?;
    }
    Ok(all)
}

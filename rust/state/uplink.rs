// SPDX-License-Identifier: GPL-2.0

//! Uplinks that go: addresses that packets are masqueraded with, and links that they leave by.
//!
//! This happens in work in the background. At once, flows of a lost address are marked, so that their
//! next packet finds out what it is to be masqueraded with now (`datapath::uplink`). A moment later, if
//! the address has not come back, what uses it ends; TCP connections are remembered as [`Orphans`]. While
//! only the link is down, those of TCP and static bindings stay.

use super::all::{each_flow, end_leases};
use super::orphans::Orphans;
use super::policy::{is_masquerade, Snapshots};
use super::stats::{Counter, Stats};
use super::Net;
use crate::nat::addr::{Addr, V4};
use crate::nat::hash::Key;
use crate::nat::time::{Deadline, Ticks};
use crate::nat::tuple::TCP;
use crate::sys::dev::{self, Presence};
use crate::sys::pernet::NetRef;
use crate::sys::rcu::{self, Published, Rcu};
use crate::sys::time;
use crate::sys::work::Task;
use crate::table::binding::Binding;
use crate::table::flow::{Flow, Uplink};
use crate::table::shard::Shard;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Seconds for which an address may be away, as when it moves to a bridge.
const MOMENT: u32 = 2;
/// Seconds for which orphans are remembered.
const MEMORY: u32 = 900;

/// The last uplink that has gone.
pub(super) struct Loss {
    is_new: AtomicBool,
    /// Has everything ended that was to?
    is_over: AtomicBool,
    /// Until when what has gone may come back.
    until: AtomicU32,
}

impl Loss {
    /// None has.
    pub(super) fn new() -> Self {
        Self {
            is_new: AtomicBool::new(false),
            is_over: AtomicBool::new(true),
            until: AtomicU32::new(time::now().0),
        }
    }
}

/// Sees to the flows and static bindings of uplinks that have gone.
pub(super) struct UplinkTask {
    pub(super) net: NetRef,
    pub(super) loss: Arc<Loss>,
    pub(super) orphans: Arc<Published<Orphans>>,
    pub(super) key: Key,
    pub(super) snapshots: Arc<Published<Snapshots>>,
    pub(super) shards: KVec<Arc<Shard<V4>>>,
    pub(super) stats: Arc<Stats>,
}

impl Net {
    /// An address or a link has gone. Any context.
    pub(crate) fn uplink_lost(&self) {
        let until = time::now().plus(time::seconds(MOMENT));
        self.loss.until.store(until.0, Ordering::Relaxed);
        self.loss.is_new.store(true, Ordering::Release);
        self.uplinks.wake();
    }
}

impl UplinkTask {
    /// Has every interface lost the address that could masquerade with it?
    fn is_lost(&self, addr: V4, presence: Presence, rcu: Rcu<'_>) -> bool {
        let rules = self.snapshots.get(rcu).and_then(|all| all.of(0));
        !rules.is_some_and(|rules| {
            dev::any_with(&self.net, addr, presence, rcu, |dev| {
                rules.masquerades_at(dev)
            })
        })
    }

    /// Marks the flows whose address is lost; says how many of them are of TCP.
    fn mark(&self) -> usize {
        let (mut known, mut connections) = (Known::default(), 0usize);
        each_flow(&self.shards, |_, flow, rcu| {
            let Some(addr) = masqueraded(flow) else {
                return;
            };
            if known.get(addr, || self.is_lost(addr, Presence::Up, rcu)) {
                flow.orig().set_uplink(Uplink::LOST);
                connections = connections.saturating_add((flow.tuple().proto == TCP).into());
            }
        });
        connections
    }

    /// Ends what uses an address that has not come back.
    fn end(&self) {
        let connections = self.mark();
        self.remember(connections);
        let (mut down, mut gone) = (Known::default(), Known::default());
        each_flow(&self.shards, |shard, flow, rcu| {
            let Some(addr) = masqueraded(flow) else {
                return;
            };
            let is_tcp = flow.tuple().proto == TCP;
            let ends = match is_tcp {
                true => gone.get(addr, || self.is_lost(addr, Presence::Any, rcu)),
                false => down.get(addr, || self.is_lost(addr, Presence::Up, rcu)),
            };
            if !ends {
                return;
            }
            if let Some(orphans) = self.orphans.get(rcu).filter(|_| is_tcp) {
                orphans.add(flow.tuple());
            }
            if shard.remove_flow(flow, rcu) {
                self.stats.inc(Counter::FlowsFlushed);
            }
        });
        end_leases(&self.shards, |binding, rcu| {
            let addr = binding.outside().addr;
            is_masquerade(binding.realm())
                && gone.get(addr, || self.is_lost(addr, Presence::Any, rcu))
        });
    }

    /// Makes room for so many orphans.
    fn remember(&self, connections: usize) {
        if connections == 0 {
            return;
        }
        let known = rcu::read(|rcu| self.orphans.get(rcu).map_or(0, Orphans::count));
        let key = Key(self.key.0, self.key.1);
        let table = Orphans::new(known.saturating_add(connections), key);
        // Without memory they hear from their other end.
        let Ok(table) = table.and_then(|table| KBox::new(table, GFP_KERNEL)) else {
            return;
        };
        rcu::read(|rcu| {
            if let Some(others) = self.orphans.get(rcu) {
                table.add_all(others);
            }
        });
        drop(self.orphans.replace(Some(table)));
    }
}

/// The address that a flow is masqueraded with by an interface. Not of a hairpin, which turns round inside
/// at an address that need not be the gateway's.
fn masqueraded(flow: &Flow<V4>) -> Option<V4> {
    let binding: &Binding<V4> = flow.binding()?;
    let leaves = flow.orig().uplink() != Uplink::ANY;
    (leaves && is_masquerade(binding.realm())).then(|| binding.outside().addr)
}

impl Task for UplinkTask {
    fn run(&self) -> Option<u32> {
        let is_new = self.loss.is_new.swap(false, Ordering::Acquire);
        if is_new {
            self.loss.is_over.store(false, Ordering::Relaxed);
            self.mark();
        }
        let until = Deadline(self.loss.until.load(Ordering::Relaxed));
        match until.left(time::now()) {
            Ticks(0) if self.loss.is_over.swap(true, Ordering::Relaxed) => {
                drop(self.orphans.replace(None));
                None
            }
            Ticks(0) => {
                self.end();
                Some(time::seconds(MEMORY).0)
            }
            left => Some(left.0),
        }
    }
}

/// What is known of addresses; few are asked about, again and again.
#[derive(Default)]
struct Known([Option<(V4, bool)>; Known::SLOTS]);

impl Known {
    /// A power of two.
    const SLOTS: usize = 16;

    fn get(&mut self, addr: V4, find: impl FnOnce() -> bool) -> bool {
        let slot = self.0.get_mut(addr.to_u128() as usize & (Self::SLOTS - 1));
        match slot {
            Some(Some((known, answer))) if *known == addr => *answer,
            Some(slot) => slot.insert((addr, find())).1,
            None => find(),
        }
    }
}

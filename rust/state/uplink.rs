// SPDX-License-Identifier: GPL-2.0

//! Uplinks that go: addresses that packets are masqueraded with, and links that they leave by.
//!
//! This happens in work in the background. At once, flows of a lost address are marked, so that their
//! next packet finds out what it is to be masqueraded with now (`datapath::uplink`). A moment later, if
//! the address has not come back, what uses it ends; TCP connections are remembered as [`Orphans`]. While
//! only the link is down, those of TCP and static bindings stay.

use super::all::{each_flow, end_leases};
use super::orphans::Orphans;
use super::policy::{is_masquerade, Snapshot, Snapshots};
use super::stats::{Counter, Stats};
use super::Net;
use crate::nat::addr::{Addr, V4};
use crate::nat::hash::Key;
use crate::nat::time::{Deadline, Instant, Ticks};
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

/// Seconds for which an address may be away, as when it moves to a bridge or PPP dials again.
const MOMENT: u32 = 10;
/// After so many such times the first that has gone is seen to, whatever has gone since.
const PATIENCE: u32 = 3;
/// Seconds for which orphans are remembered.
const MEMORY: u32 = 900;

/// The last uplink that has gone.
pub(super) struct Loss {
    is_new: AtomicBool,
    /// Has everything ended that was to?
    is_over: AtomicBool,
    /// Until when what has gone may come back.
    until: AtomicU32,
    /// Until when the first of it may at most.
    latest: AtomicU32,
}

impl Loss {
    /// None has.
    pub(super) fn new() -> Self {
        Self {
            is_new: AtomicBool::new(false),
            is_over: AtomicBool::new(true),
            until: AtomicU32::new(time::now().0),
            latest: AtomicU32::new(time::now().0),
        }
    }

    /// Something has gone. Under the RTNL, so by one at a time.
    fn begin(&self, now: Instant) {
        let order = Ordering::Relaxed;
        let until = now.plus(time::seconds(MOMENT));
        if self.is_over.swap(false, order) {
            let latest = now.plus(time::seconds(MOMENT.saturating_mul(PATIENCE)));
            self.latest.store(latest.0, order);
        }
        let until = until.sooner(Deadline(self.latest.load(order)), now);
        self.until.store(until.0, order);
        self.is_new.store(true, Ordering::Release);
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
        if rcu::read(|rcu| self.rules(rcu).is_some_and(Snapshot::masquerades)) {
            self.loss.begin(time::now());
            self.uplinks.wake();
        }
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

    /// Marks the flows whose own interface is down or has lost their address, so that their next packet asks; says how
    /// many of them are of TCP.
    fn mark(&self) -> usize {
        let (mut known, mut connections) = (AddressCache::new(), 0usize);
        each_flow(&self.shards, |_, flow, rcu| {
            let Some(addr) = masqueraded(flow) else {
                return;
            };
            let uplink = flow.orig().uplink();
            let serves = || {
                let dev = dev::numbered(&self.net, uplink.ifindex(), rcu);
                dev.is_some_and(|dev| dev.is_up() && dev.has_addr(addr))
            };
            if uplink == Uplink::LOST || !known.get((addr, uplink.ifindex()), serves) {
                flow.orig().set_uplink(Uplink::LOST);
                flow.orig().forget_route();
                connections = connections.saturating_add((flow.tuple().proto == TCP).into());
            }
        });
        connections
    }

    /// Ends what uses an address that has not come back.
    fn end(&self) {
        let connections = self.mark();
        self.remember(connections);
        let (mut down, mut gone) = (AddressCache::new(), AddressCache::new());
        each_flow(&self.shards, |shard, flow, rcu| {
            let Some(addr) = masqueraded(flow) else {
                return;
            };
            let is_tcp = flow.tuple().proto == TCP;
            let ends = match is_tcp {
                true => gone.get((addr, 0), || self.is_lost(addr, Presence::Any, rcu)),
                false => down.get((addr, 0), || self.is_lost(addr, Presence::Up, rcu)),
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
                && gone.get((addr, 0), || self.is_lost(addr, Presence::Any, rcu))
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

/// Answers about addresses, each of an interface or of all; few are asked about, again and again.
struct AddressCache([Option<((V4, u32), bool)>; AddressCache::SLOTS]);

impl AddressCache {
    /// A power of two.
    const SLOTS: usize = 64;

    const fn new() -> Self {
        Self([None; Self::SLOTS])
    }

    fn get(&mut self, key: (V4, u32), find: impl FnOnce() -> bool) -> bool {
        let number = (key.0.to_u128() as u64) ^ (u64::from(key.1) << 32);
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        match self.0.get_mut(spread as usize & (Self::SLOTS - 1)) {
            Some(Some((known, answer))) if *known == key => *answer,
            Some(slot) => slot.insert((key, find())).1,
            None => find(),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The flows and bindings of one NUMA node.

use super::binding::{self, BindEntry, Binding, Held, NewBinding};
use super::count::{Count, Place};
use super::flow::{self, Flow, FlowEntry, NewFlow};
use super::hash::{Cursor, Entry, Table};
use super::lease::Lease;
use super::subscriber::Excess;
use super::wheel::Wheel;
use super::{Family, Watch};
use crate::nat::time::{Deadline, Instant};
use crate::nat::tuple::{Endpoint, Side, Tuple};
use crate::sys::rcu::{self, Rcu};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

/// The tables of a node.
pub(crate) struct Shard<A: Family> {
    node: i32,
    flows: Table<FlowEntry<A>>,
    pub(super) bindings: Table<BindEntry<A>>,
    deadlines: Wheel<Flow<A>>,
    leases: Wheel<Lease<A>>,
    flow_count: Count,
    binding_count: Count,
    pub(super) contact_count: Count,
    lease_count: Count,
    watch: Arc<dyn Watch<A>>,
    notes: Notes,
}

/// What is to be said to the keeper; away from what lookups read, like [`Count`].
#[repr(align(64))]
struct Notes {
    /// The keeper sleeps, and wants to be woken when there is something to keep.
    asleep: AtomicBool,
    /// When the keeper was last told that the tables should grow.
    told_tight: AtomicU32,
    /// A chain was found to be longer than it should be.
    crowded: AtomicBool,
}

/// Entries that a bucket of a table of the right size hardly ever has: with a load of 1 the chance
/// is below 10^-35.
const LONG: u32 = 32;
/// Entries that a bucket may have.
pub(super) const LONGEST: u32 = 256;

/// Why an object was not made.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Unmade {
    /// No memory.
    Memory,
    /// The same object was made at this moment by another CPU.
    Exists,
    /// Another flow uses the tuple of the way back.
    Conflict,
    /// The bucket has as many entries as it may have.
    Crowded,
    /// The inside host has what it may have.
    Excess(Excess),
}

impl<A: Family> Shard<A> {
    /// Bytes of a bucket of its tables.
    pub(crate) const BUCKET_BYTES: usize = Table::<FlowEntry<A>>::BUCKET_BYTES;
    /// Bytes of what does not depend on settings.
    pub(crate) const BYTES: usize =
        core::mem::size_of::<Self>() + Wheel::<Flow<A>>::BYTES + Wheel::<Lease<A>>::BYTES;

    /// Empty tables in memory of `node`. Sleeps.
    pub(crate) fn new(node: i32, buckets: usize, watch: Arc<dyn Watch<A>>) -> Result<Self> {
        Ok(Self {
            node,
            flows: Table::new(buckets, node)?,
            bindings: Table::new(buckets, node)?,
            deadlines: Wheel::new(node)?,
            leases: Wheel::new(node)?,
            flow_count: Count::new(),
            binding_count: Count::new(),
            contact_count: Count::new(),
            lease_count: Count::new(),
            watch,
            notes: Notes {
                asleep: AtomicBool::new(true),
                told_tight: AtomicU32::new(0),
                crowded: AtomicBool::new(false),
            },
        })
    }

    /// The kernel's number of the node.
    pub(crate) fn node(&self) -> i32 {
        self.node
    }

    /// The table of flows, two entries each.
    pub(crate) fn flows(&self) -> &Table<FlowEntry<A>> {
        &self.flows
    }

    /// The table of bindings, two entries each.
    pub(crate) fn bindings(&self) -> &Table<BindEntry<A>> {
        &self.bindings
    }

    /// When flows are looked at.
    pub(crate) fn deadlines(&self) -> &Wheel<Flow<A>> {
        &self.deadlines
    }

    /// When leases end.
    pub(crate) fn leases(&self) -> &Wheel<Lease<A>> {
        &self.leases
    }

    /// Flows alive.
    pub(crate) fn flow_count(&self) -> &Count {
        &self.flow_count
    }

    /// Bindings alive.
    pub(crate) fn binding_count(&self) -> &Count {
        &self.binding_count
    }

    /// Leases that run.
    pub(crate) fn lease_count(&self) -> &Count {
        &self.lease_count
    }

    /// The flow that packets with this tuple belong to.
    #[inline]
    pub(crate) fn flow<'a>(&'a self, tuple: &Tuple<A>, rcu: Rcu<'a>) -> Option<&'a FlowEntry<A>> {
        self.flows.find(tuple, rcu, |_| true)
    }

    /// The same, but it may be missed: see [`Table::find_quickly`].
    #[inline(always)]
    pub(crate) fn flow_quickly<'a>(
        &'a self,
        tuple: &Tuple<A>,
        rcu: Rcu<'a>,
    ) -> Option<&'a FlowEntry<A>> {
        self.flows.find_quickly(tuple, rcu)
    }

    /// A flow will be looked up soon; see [`Table::expect`].
    #[inline]
    pub(crate) fn expect(&self, tuple: &Tuple<A>, rcu: Rcu<'_>) {
        self.flows.expect(tuple, rcu);
    }

    /// The flows that were announced are looked up now; see [`Table::expect_rest`].
    #[inline]
    pub(crate) fn expect_rest(&self, rcu: Rcu<'_>) {
        self.flows.expect_rest(rcu);
    }

    /// The live binding of an endpoint on `side` that `wanted` accepts.
    #[inline]
    pub(crate) fn binding<'a>(
        &'a self,
        side: Side,
        proto: u8,
        end: Endpoint<A>,
        rcu: Rcu<'a>,
        wanted: impl Fn(&Binding<A>) -> bool,
    ) -> Option<&'a Binding<A>> {
        let key = binding::key(side, proto, end);
        let wanted = |entry: &BindEntry<A>| {
            let binding = entry.binding();
            binding.is_live() && wanted(binding)
        };
        Some(self.bindings.find(&key, rcu, wanted)?.binding())
    }

    /// The flow of this tuple will be looked for soon, or made.
    pub(crate) fn prefetch_flow(&self, tuple: &Tuple<A>, rcu: Rcu<'_>) {
        self.flows.prefetch(tuple, rcu);
    }

    /// The binding of this endpoint will be looked for soon, or made.
    pub(crate) fn prefetch_binding(&self, side: Side, proto: u8, end: Endpoint<A>, rcu: Rcu<'_>) {
        self.bindings.prefetch(&binding::key(side, proto, end), rcu);
    }

    /// Calls `visit` with the flows whose first direction lies in the next bucket; see
    /// [`Table::step`].
    pub(crate) fn step_flows<'a>(
        &'a self,
        cursor: &mut Cursor,
        rcu: Rcu<'a>,
        mut visit: impl FnMut(&'a Flow<A>),
    ) -> bool {
        self.flows.step(cursor, rcu, |entry| {
            if entry.direction() == flow::Direction::Orig {
                visit(entry.flow());
            }
        })
    }

    /// Calls `visit` with the live bindings whose inside lies in the next bucket; see
    /// [`Table::step`].
    pub(crate) fn step_bindings<'a>(
        &'a self,
        cursor: &mut Cursor,
        rcu: Rcu<'a>,
        mut visit: impl FnMut(&'a Binding<A>),
    ) -> bool {
        self.bindings.step(cursor, rcu, |entry| {
            if entry.is_inside() && entry.binding().is_live() {
                visit(entry.binding());
            }
        })
    }

    /// Is there nothing to keep? If so, who makes something has to wake the keeper.
    pub(crate) fn sleep(&self) -> bool {
        self.notes.asleep.store(true, Ordering::SeqCst);
        let counts = [&self.flow_count, &self.binding_count, &self.lease_count];
        let empty = counts.iter().all(|count| count.is_zero());
        empty || !self.wakes()
    }

    /// Does the caller have to wake the keeper?
    #[inline]
    pub(crate) fn wakes(&self) -> bool {
        self.notes.asleep.load(Ordering::SeqCst) && self.notes.asleep.swap(false, Ordering::SeqCst)
    }

    /// Was a chain too long, since this was last asked?
    pub(crate) fn take_crowded(&self) -> bool {
        self.notes.crowded.load(Ordering::Relaxed)
            && self.notes.crowded.swap(false, Ordering::Relaxed)
    }

    /// Are there more entries than buckets? Said once a tick at most.
    pub(crate) fn is_tight(&self, now: Instant) -> bool {
        let over = |objects: u32, buckets: usize| objects as usize > buckets / 2;
        let bindings = self.binding_count.get().saturating_add(self.contacts());
        let tight = rcu::read(|rcu| {
            over(self.flow_count.get(), self.flows.len_now(rcu))
                || over(bindings, self.bindings.len_now(rcu))
        });
        tight && self.notes.told_tight.swap(now.0, Ordering::Relaxed) != now.0
    }

    fn note_chain(&self, len: u32) {
        if len > LONG && !self.notes.crowded.load(Ordering::Relaxed) {
            self.notes.crowded.store(true, Ordering::Relaxed);
        }
    }

    /// `lease` was begun, for a binding of this shard.
    pub(super) fn lease_begun(&self, lease: &Lease<A>) {
        self.lease_count.reserve().fill();
        self.watch.binding_created(self.node, lease.binding());
        if let Some(until) = lease.until() {
            self.leases.arm(lease, until);
        }
    }

    pub(super) fn lease_ended(&self) {
        self.lease_count.sub();
    }

    /// Makes a flow, to be looked at when `deadline` has passed.
    pub(crate) fn add_flow<'a>(
        &'a self,
        mut new: NewFlow<'_, A>,
        deadline: Deadline,
        place: Place<'_>,
        rcu: Rcu<'a>,
    ) -> Result<&'a FlowEntry<A>, Unmade> {
        let object = A::flows().alloc(self.node, || new.build(self.node));
        let object = object.ok_or(Unmade::Memory)?;
        // SAFETY: Just made; once linked it stays for as long as RCU is held.
        let flow: &'a Flow<A> = unsafe { object.as_ref() };
        let linked = self.admit(flow, rcu).and_then(|()| {
            let linked = self.link_flow(flow, deadline, rcu);
            linked.inspect_err(|_| self.dismiss(flow, rcu))
        });
        if let Err(unmade) = linked {
            // SAFETY: Not linked.
            unsafe { flow::discard(object) };
            return Err(unmade);
        }
        place.fill();
        flow.owner().add();
        self.watch.flow_created(self.node, flow);
        Ok(flow.orig())
    }

    fn link_flow<'a>(
        &'a self,
        flow: &'a Flow<A>,
        deadline: Deadline,
        rcu: Rcu<'a>,
    ) -> Result<(), Unmade> {
        let (orig, reply) = (flow.orig(), flow.reply());
        let locked = self.flows.lock_both(orig.key(), reply.key(), rcu);
        if locked.a.find(orig.key(), rcu, |_| true).is_some() {
            return Err(Unmade::Exists);
        }
        if locked.b.find(reply.key(), rcu, |_| true).is_some() {
            return Err(Unmade::Conflict);
        }
        let longest = locked.a.len().max(locked.b.len());
        self.note_chain(longest);
        if longest >= LONGEST {
            return Err(Unmade::Crowded);
        }
        // SAFETY: Both buckets are locked; `remove_flow` undoes it.
        unsafe {
            locked.b.link(reply);
            locked.a.link(orig);
        }
        self.deadlines.arm(flow, deadline);
        Ok(())
    }

    /// Removes a flow of this shard; false if somebody else has.
    pub(crate) fn remove_flow(&self, flow: &Flow<A>, rcu: Rcu<'_>) -> bool {
        if flow.node() != self.node {
            return false;
        }
        let (orig, reply) = (flow.orig(), flow.reply());
        let locked = self.flows.lock_both(orig.key(), reply.key(), rcu);
        if !self.deadlines.retire(flow) {
            return false;
        }
        // SAFETY: Both buckets are locked.
        unsafe {
            locked.a.unlink(orig);
            locked.b.unlink(reply);
        }
        drop(locked);
        self.dismiss(flow, rcu);
        self.flow_count.sub();
        flow.owner().sub();
        self.watch.flow_ended(self.node, flow);
        // SAFETY: Retired and unlinked just now, by us.
        unsafe { flow::free_later(flow) };
        true
    }

    /// Makes a binding, held by the caller, who makes sure that the inside endpoint has none in
    /// this realm.
    pub(crate) fn add_binding(
        &self,
        new: NewBinding<'_, A>,
        place: Place<'_>,
        rcu: Rcu<'_>,
    ) -> Result<Held<A>, Unmade> {
        let (for_lease, owner, host) = (new.for_lease, new.owner.clone(), new.inside.addr);
        let Some(subscribers) = &owner.subscribers else {
            return self.link_binding(new, place, rcu);
        };
        subscribers
            .bind(host, for_lease, rcu)
            .map_err(Unmade::Excess)?;
        let made = self.link_binding(new, place, rcu);
        made.inspect_err(|_| subscribers.unbind(host))
    }

    fn link_binding(
        &self,
        new: NewBinding<'_, A>,
        place: Place<'_>,
        rcu: Rcu<'_>,
    ) -> Result<Held<A>, Unmade> {
        let for_lease = new.for_lease;
        let object = A::bindings().alloc(self.node, || Binding::new(new, self));
        let object = object.ok_or(Unmade::Memory)?;
        // SAFETY: Just made, with the caller as its holder.
        let binding = unsafe { object.as_ref() };
        let [inside, outside] = binding.sides();
        let locked = self.bindings.lock_both(inside.key(), outside.key(), rcu);
        let longest = locked.a.len().max(locked.b.len());
        self.note_chain(longest);
        if longest >= LONGEST {
            drop(locked);
            binding.free_port();
            // SAFETY: Not linked, and nobody else has seen it.
            unsafe { A::bindings().free(object) };
            return Err(Unmade::Crowded);
        }
        // SAFETY: Both buckets are locked; `end_binding` undoes it.
        unsafe {
            locked.b.link(outside);
            locked.a.link(inside);
        }
        drop(locked);
        place.fill();
        binding.owner().bound();
        if !for_lease {
            self.watch.binding_created(self.node, binding);
        }
        // SAFETY: Made with one holder, which is the caller.
        Ok(unsafe { Held::first(object) })
    }

    /// Ends a binding of this shard that nothing holds any more.
    pub(super) fn end_binding(&self, binding: &Binding<A>) {
        let [inside, outside] = binding.sides();
        rcu::read(|rcu| {
            let locked = self.bindings.lock_both(inside.key(), outside.key(), rcu);
            // SAFETY: Both buckets are locked.
            unsafe {
                locked.a.unlink(inside);
                locked.b.unlink(outside);
            }
        });
        binding.free_port();
        self.binding_count.sub();
        binding.owner().unbound();
        if let Some(subscribers) = &binding.owner().subscribers {
            subscribers.unbind(binding.inside().addr);
        }
        self.watch.binding_ended(self.node, binding);
        // SAFETY: Unlinked just now, without holders.
        unsafe { binding::free_later(binding) };
    }
}

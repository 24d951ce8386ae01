// SPDX-License-Identifier: GPL-2.0

//! The flows and bindings of one NUMA node.

use super::binding::{self, BindEntry, Binding, Held, NewBinding};
use super::flow::{self, Flow, FlowEntry, NewFlow};
use super::hash::{Entry, Table};
use super::Family;
use crate::nat::hash::Key;
use crate::nat::tuple::{Endpoint, Side, Tuple};
use crate::sys::rcu::Rcu;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::prelude::*;

/// The tables of a node.
pub(crate) struct Shard<A: Family> {
    node: i32,
    flows: Table<FlowEntry<A>>,
    bindings: Table<BindEntry<A>>,
    flow_count: Count,
    binding_count: Count,
}

/// How many objects there are.
pub(crate) struct Count(AtomicU32);

/// One object that is about to be, already counted; uncounted when dropped.
pub(crate) struct Place<'a>(&'a Count);

impl Count {
    /// Now.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more.
    pub(crate) fn reserve(&self) -> Place<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(self)
    }

    fn sub(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place<'_> {
    fn fill(self) {
        core::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.sub();
    }
}

/// Why an object was not made.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Unmade {
    /// No memory.
    Memory,
    /// The same object was made at this moment by another CPU.
    Exists,
    /// Another flow uses the tuple of the way back.
    Conflict,
}

impl<A: Family> Shard<A> {
    /// Empty tables, each with so many buckets, in memory of `node`. Sleeps.
    pub(crate) fn new(node: i32, buckets: usize, key: Key) -> Result<Self> {
        Ok(Self {
            node,
            flows: Table::new(buckets, node, key)?,
            bindings: Table::new(buckets, node, key)?,
            flow_count: Count(AtomicU32::new(0)),
            binding_count: Count(AtomicU32::new(0)),
        })
    }

    /// The kernel's number of the node.
    pub(crate) fn node(&self) -> i32 {
        self.node
    }

    /// Buckets of each table.
    pub(crate) fn buckets(&self) -> usize {
        self.flows.len()
    }

    /// Flows alive.
    pub(crate) fn flow_count(&self) -> &Count {
        &self.flow_count
    }

    /// Bindings alive.
    pub(crate) fn binding_count(&self) -> &Count {
        &self.binding_count
    }

    /// The flow that packets with this tuple belong to.
    #[inline]
    pub(crate) fn flow<'a>(&'a self, tuple: &Tuple<A>, rcu: Rcu<'a>) -> Option<&'a FlowEntry<A>> {
        self.flows.find(tuple, rcu, |_| true)
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

    /// Calls `visit` with the flows whose first direction lies in bucket `index`.
    pub(crate) fn visit_flows<'a>(
        &'a self,
        index: usize,
        rcu: Rcu<'a>,
        mut visit: impl FnMut(&'a Flow<A>),
    ) {
        self.flows.visit(index, rcu, |entry| {
            if entry.direction() == flow::Direction::Orig {
                visit(entry.flow());
            }
        });
    }

    /// Calls `visit` with the live bindings whose inside lies in bucket `index`.
    pub(crate) fn visit_bindings<'a>(
        &'a self,
        index: usize,
        rcu: Rcu<'a>,
        mut visit: impl FnMut(&'a Binding<A>),
    ) {
        self.bindings.visit(index, rcu, |entry| {
            if entry.side() == Side::Inside && entry.binding().is_live() {
                visit(entry.binding());
            }
        });
    }

    /// Makes a flow.
    pub(crate) fn add_flow<'a>(
        &'a self,
        new: NewFlow<'_, A>,
        place: Place<'_>,
        rcu: Rcu<'a>,
    ) -> Result<&'a FlowEntry<A>, Unmade> {
        let object = match A::flows().alloc(new.build(), self.node) {
            Ok(object) => object,
            Err(flow) => {
                flow.release();
                return Err(Unmade::Memory);
            }
        };
        // SAFETY: Just made; once linked it stays for as long as RCU is held.
        let flow: &'a Flow<A> = unsafe { object.as_ref() };
        let (orig, reply) = (flow.orig(), flow.reply());
        let (there, back) = (flow.tuple(), orig.to().reverse());
        let lock = self.flows.lock_both(there, &back);
        let unmade = if self.flow(there, rcu).is_some() {
            Some(Unmade::Exists)
        } else if self.flow(&back, rcu).is_some() {
            Some(Unmade::Conflict)
        } else {
            None
        };
        if let Some(unmade) = unmade {
            drop(lock);
            // SAFETY: Not linked.
            unsafe { flow::discard(object) };
            return Err(unmade);
        }
        // SAFETY: Both buckets are locked; `remove_flow` undoes it.
        unsafe {
            self.flows.link(reply);
            self.flows.link(orig);
        }
        place.fill();
        flow.owner().add();
        Ok(orig)
    }

    /// Removes a flow of this shard; false if somebody else has.
    pub(crate) fn remove_flow(&self, flow: &Flow<A>) -> bool {
        let lock = self
            .flows
            .lock_both(flow.tuple(), &flow.orig().to().reverse());
        if !flow.mark_removed() {
            return false;
        }
        // SAFETY: Both buckets are locked.
        unsafe {
            self.flows.unlink(flow.orig());
            self.flows.unlink(flow.reply());
        }
        drop(lock);
        self.flow_count.sub();
        flow.owner().sub();
        // SAFETY: Marked and unlinked just now, by us.
        unsafe { flow::free_later(flow) };
        true
    }

    /// Makes a binding, held by the caller; `None` if there is no memory. The caller makes sure
    /// that the inside endpoint has none in this realm.
    pub(crate) fn add_binding(&self, new: NewBinding<'_, A>, place: Place<'_>) -> Option<Held<A>> {
        let object = match A::bindings().alloc(Binding::new(new, self), self.node) {
            Ok(object) => object,
            Err(binding) => {
                binding.free_port();
                return None;
            }
        };
        // SAFETY: Just made, with the caller as its holder.
        let binding = unsafe { object.as_ref() };
        let [inside, outside] = binding.sides();
        let lock = self.bindings.lock_both(inside.key(), outside.key());
        // SAFETY: Both buckets are locked; `end_binding` undoes it.
        unsafe {
            self.bindings.link(outside);
            self.bindings.link(inside);
        }
        drop(lock);
        place.fill();
        // SAFETY: Made with one holder, which is the caller.
        Some(unsafe { Held::first(object) })
    }

    /// Ends a binding of this shard that nothing holds any more.
    pub(super) fn end_binding(&self, binding: &Binding<A>) {
        let [inside, outside] = binding.sides();
        let lock = self.bindings.lock_both(inside.key(), outside.key());
        // SAFETY: Both buckets are locked.
        unsafe {
            self.bindings.unlink(inside);
            self.bindings.unlink(outside);
        }
        drop(lock);
        binding.free_port();
        self.binding_count.sub();
        // SAFETY: Unlinked just now, without holders.
        unsafe { binding::free_later(binding) };
    }
}

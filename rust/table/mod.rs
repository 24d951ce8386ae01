// SPDX-License-Identifier: GPL-2.0

//! What is remembered: bindings, flows and outside ports, in hash tables per NUMA node.
//!
//! Readers need only RCU. Writers take the lock of every bucket they change. Objects are unlinked
//! under these locks and freed a grace period later.

mod admission;
mod array;
pub(crate) mod binding;
mod bitmap;
mod bits;
pub(crate) mod blocks;
mod contact;
pub(crate) mod count;
pub(crate) mod flow;
pub(crate) mod hash;
pub(crate) mod lease;
pub(crate) mod making;
pub(crate) mod ports;
mod rest;
pub(crate) mod routes;
pub(crate) mod shard;
pub(crate) mod subscriber;
#[cfg(CONFIG_KUNIT = "y")]
mod tests;
pub(crate) mod usage;
pub(crate) mod wheel;

use crate::nat::addr::V4;
use crate::nat::hash::Words;
use crate::nat::iface::Interfaces;
use crate::nat::offload::Offload;
use crate::nat::plain::Fix;
use crate::nat::policy::{Behavior, Filtering, Policy, SetMark};
use crate::nat::tuple::Endpoint;
use crate::sys::rcu;
use crate::sys::slab::Cache;
use binding::Binding;
use blocks::BlockInfo;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use flow::Flow;
use kernel::prelude::*;
use kernel::sync::Arc;
use subscriber::Subscribers;
use usage::Usage;

/// An address family that can be translated, with the slab caches of its objects.
pub(crate) trait Family: Words + Send + Sync + 'static {
    /// How checksums change in which an endpoint is replaced.
    type Fix: Copy + Send + Sync;
    /// The change when `new` replaces `old`.
    fn fix(old: Endpoint<Self>, new: Endpoint<Self>) -> Self::Fix;
    /// Where its flows come from.
    fn flows() -> &'static Cache<Flow<Self>>;
    /// Where its bindings come from.
    fn bindings() -> &'static Cache<Binding<Self>>;
}

static FLOWS_V4: Cache<Flow<V4>> = Cache::new();
static BINDINGS_V4: Cache<Binding<V4>> = Cache::new();

impl Family for V4 {
    type Fix = Fix;

    fn fix(old: Endpoint<V4>, new: Endpoint<V4>) -> Fix {
        Fix::new(old, new)
    }

    fn flows() -> &'static Cache<Flow<V4>> {
        &FLOWS_V4
    }

    fn bindings() -> &'static Cache<Binding<V4>> {
        &BINDINGS_V4
    }
}

/// The slab caches, while the module is loaded.
pub(crate) struct Caches(());

impl Caches {
    /// Creates them. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        FLOWS_V4.create(c"fastnat_flow")?;
        let caches = Self(());
        BINDINGS_V4.create(c"fastnat_binding")?;
        Ok(caches)
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        rcu::barrier();
        // SAFETY: Every namespace has emptied its tables, and the callbacks that free have run.
        unsafe {
            FLOWS_V4.destroy();
            BINDINGS_V4.destroy();
        }
    }
}

/// What a policy says about expiry.
#[derive(Copy, Clone, Default)]
pub(crate) struct Expiry {
    /// Seconds for TCP; 0 is that of the settings.
    pub(crate) tcp: u32,
    /// Seconds for UDP, as `tcp`.
    pub(crate) udp: u32,
    /// Seconds for ICMP queries, as `tcp`.
    pub(crate) icmp: u32,
    /// Counted from the beginning, not from the last packet.
    pub(crate) absolute: bool,
    /// Does a FIN or RST shorten it?
    pub(crate) tcp_fin: bool,
}

/// Who is told of what comes and goes. Called without locks, mostly in softirq.
pub(crate) trait Watch<A: Family>: Send + Sync {
    /// A flow was made.
    fn flow_created(&self, node: i32, flow: &Flow<A>);
    /// A flow has gone.
    fn flow_ended(&self, node: i32, flow: &Flow<A>);
    /// A binding was made.
    fn binding_created(&self, node: i32, binding: &Binding<A>);
    /// A binding has gone.
    fn binding_ended(&self, node: i32, binding: &Binding<A>);
    /// A host was given a block of ports, or it was taken back.
    fn block(&self, block: &BlockInfo, given: bool);
}

/// What a policy says of its flows and bindings.
pub(crate) struct Terms {
    /// When they expire.
    pub(crate) expiry: Expiry,
    /// Whether packets are forwarded past the stack.
    pub(crate) offload: Offload,
    /// How bindings behave.
    pub(crate) behavior: Behavior,
    /// The mark that packets from inside get before they are routed.
    pub(crate) set_mark: Option<SetMark>,
}

/// To whom flows and bindings are accounted: a policy.
pub(crate) struct Owner {
    /// The policy's id.
    pub(crate) id: u32,
    /// The policy's place among the others.
    pub(crate) rank: u64,
    /// The input interfaces it asks for.
    pub(crate) in_iface: Interfaces,
    /// The output interfaces it asks for, where its outside endpoints belong.
    pub(crate) outside_iface: Interfaces,
    /// When what lives by it expires.
    pub(crate) expiry: Expiry,
    /// Whether packets of its flows are forwarded past the stack.
    pub(crate) offload: Offload,
    /// How its bindings behave.
    pub(crate) behavior: Behavior,
    /// The mark that packets from inside get before they are routed.
    pub(crate) set_mark: Option<SetMark>,
    /// What each inside host has of it, if that is limited.
    pub(crate) subscribers: Option<Subscribers>,
    /// What is in use of the pool that it translates to.
    pub(crate) pool: Option<Arc<Usage>>,
    /// Flows alive.
    pub(crate) flows: AtomicU32,
    /// Flows ever made.
    pub(crate) hits: AtomicU64,
    /// Packets that were to be translated and were dropped.
    refused: AtomicU64,
}

impl Owner {
    /// Nothing yet.
    pub(crate) fn new<A>(
        policy: &Policy<A>,
        terms: Terms,
        subscribers: Option<Subscribers>,
        pool: Option<Arc<Usage>>,
    ) -> Self {
        Self {
            id: policy.id,
            rank: policy.rank(),
            in_iface: policy.matches.in_iface,
            outside_iface: policy.matches.out_iface,
            expiry: terms.expiry,
            offload: terms.offload,
            behavior: terms.behavior,
            set_mark: terms.set_mark,
            subscribers,
            pool,
            flows: AtomicU32::new(0),
            hits: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// A packet could not be translated, and is dropped.
    #[cold]
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many such packets there were.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.flows.fetch_add(1, Ordering::Relaxed);
    }

    fn sub(&self) {
        self.flows.fetch_sub(1, Ordering::Relaxed);
    }

    /// Do the ports of its bindings rest when they are free? Not where nobody but the remote
    /// addresses of the old binding could send to a new one.
    fn rests(&self) -> bool {
        let of_pool = self.pool.as_ref().is_none_or(|pool| pool.rests());
        of_pool && self.behavior.filtering == Filtering::EndpointIndependent
    }

    fn bound(&self) {
        if let Some(pool) = &self.pool {
            pool.add();
        }
    }

    fn unbound(&self) {
        if let Some(pool) = &self.pool {
            pool.sub();
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! An inside endpoint gets one binding, whichever CPUs see its first packets at once.
//!
//! A binding may be made on any node, so no bucket lock can see to that. A lock out of a few is
//! taken instead, by the inside endpoint, for as long as it takes to make a binding. It is the
//! only lock that nodes share, and packets of a flow that exists do not need it. On several nodes it
//! also keeps two flows to one inside endpoint apart, which may be made on different nodes.
//!
//! Lock order: this one first, then those of the buckets.

use crate::nat::addr::{Addr, V4};
use crate::nat::hash::{folded, Key};
use crate::nat::tuple::{Endpoint, Tuple};
use crate::sys::lock::{BhGuard, BhLock, Class};
use crate::sys::memory::NodeArray;
use crate::sys::rcu;
use kernel::prelude::*;

/// A power of two.
const LOCKS: usize = 256;

/// The locks.
pub(crate) struct Making {
    locks: NodeArray<BhLock>,
    key: Key,
}

impl Making {
    /// Bytes of the locks.
    pub(crate) const BYTES: usize = LOCKS * core::mem::size_of::<BhLock>();

    /// Sleeps.
    pub(crate) fn new(node: i32) -> Result<Self> {
        // SAFETY: Zeroes are an unlocked lock in memory; nothing to drop.
        let locks: NodeArray<BhLock> = unsafe { NodeArray::zeroed(LOCKS, node)? };
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&locks, Class::Making, |lock| lock) };
        let key = Key(rcu::random64(), rcu::random64());
        Ok(Self { locks, key })
    }

    /// Keeps others from making a binding for the source of `tuple`, or a flow back to it.
    pub(crate) fn lock(&self, tuple: &Tuple<V4>) -> Option<BhGuard<'_>> {
        self.lock_for(tuple.proto, tuple.src())
    }

    /// Keeps others from making a binding for an inside endpoint, or a flow to it.
    pub(crate) fn lock_for(&self, proto: u8, inside: Endpoint<V4>) -> Option<BhGuard<'_>> {
        let addr = inside.addr.to_u128() as u64;
        let port = (u64::from(inside.port.to_host()) << 8) | u64::from(proto);
        let index = folded(&self.key, &[addr, port]) as usize;
        Some(self.locks.get(index & (LOCKS - 1))?.lock())
    }
}

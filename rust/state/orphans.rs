// SPDX-License-Identifier: GPL-2.0

//! Orphans: TCP connections whose flow has ended with the address that it was masqueraded with. The
//! next segment from inside is answered with a reset.
//!
//! What is remembered of each is a hash of its tuple, in a table that is made when addresses are lost,
//! as large as they need, and goes after a while.

use crate::nat::addr::V4;
use crate::nat::hash::{Hashed, Key};
use crate::nat::tuple::Tuple;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel::alloc::AllocError;
use kernel::prelude::*;

/// The most that are remembered, a power of two; others hear from their other end.
const MOST: usize = 1 << 16;
/// Slots in which one may be.
const WAYS: usize = 8;

/// A table of orphans.
pub(crate) struct Orphans {
    key: Key,
    /// Hashes, none of which is 0; a power of two of them.
    slots: KVVec<AtomicU64>,
}

impl Orphans {
    /// Room for so many, up to a limit. Sleeps.
    pub(super) fn new(count: usize, key: Key) -> Result<Self, AllocError> {
        let len = count
            .saturating_mul(2)
            .clamp(WAYS, MOST)
            .next_power_of_two();
        let mut slots = KVVec::with_capacity(len, GFP_KERNEL)?;
        for _ in 0..len {
            slots.push(AtomicU64::new(0), GFP_KERNEL)?;
        }
        Ok(Self { key, slots })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all().count()
    }

    /// Adds those of a table with the same key.
    pub(super) fn add_all(&self, others: &Self) {
        others.all().for_each(|hash| self.put(hash));
    }

    fn all(&self) -> impl Iterator<Item = u64> + '_ {
        let hashes = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        hashes.filter(|hash| *hash != 0)
    }

    fn hash(&self, tuple: &Tuple<V4>) -> u64 {
        tuple.hash(&self.key) | 1
    }

    /// Where a hash may be.
    fn ways(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let (first, last) = ((hash >> 32) as usize, self.slots.len().wrapping_sub(1));
        (0..WAYS).filter_map(move |way| self.slots.get(first.wrapping_add(way) & last))
    }

    fn put(&self, hash: u64) {
        let free = |slot: &&AtomicU64| {
            let order = Ordering::Relaxed;
            slot.compare_exchange(0, hash, order, order).is_ok()
        };
        // Without room it is not remembered.
        let _ = self.ways(hash).find(free);
    }

    /// Remembers the connection of a tuple, as its packets from inside have it.
    pub(super) fn add(&self, tuple: &Tuple<V4>) {
        self.put(self.hash(tuple));
    }

    /// Is it one? Once.
    pub(crate) fn take(&self, tuple: &Tuple<V4>) -> bool {
        let hash = self.hash(tuple);
        let order = Ordering::Relaxed;
        self.ways(hash)
            .any(|slot| slot.compare_exchange(hash, 0, order, order).is_ok())
    }
}

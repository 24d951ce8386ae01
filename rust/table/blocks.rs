// SPDX-License-Identifier: GPL-2.0

//! Blocks of outside ports, each for one inside host (RFC 6888 REQ-14): who had a port is known by a
//! record for each block, not for each binding.
//!
//! A host gets a block when it has no port left, up to a number of them. A block that has had no binding
//! for as long as ports rest is taken back; until then the host has it to itself, so its ports need no
//! rest of their own.
//!
//! Which host has a block, and how many bindings live in it, stand in one word: a binding enters only a
//! block of its host, and only a block without bindings is taken back. Blocks are given out under a lock,
//! which is wanted once for each block.

use super::count::Count;
use super::Watch;
use crate::nat::addr::{Addr, V4};
use crate::nat::blocks::Blocks;
use crate::nat::ports::PortRange;
use crate::nat::ranges::{self, AddrRange};
use crate::nat::time::Ticks;
use crate::sys::lock::{BhLock, Class};
use crate::sys::memory::NodeArray;
use crate::sys::{rcu, time};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

/// The most blocks of a pool; each takes 16 bytes.
pub(crate) const MOST_BLOCKS: u64 = 1 << 20;
/// Addresses at which a host may have blocks.
const ADDRESSES: u64 = 8;
/// Blocks that are looked at before others get the CPU.
const CHUNK: usize = 4096;

/// The host, 0 for none, in the high half; its bindings in the low half.
struct Block {
    word: AtomicU64,
    /// Since when there has been no binding, if there is none.
    idle: AtomicU32,
}

fn word(host: V4) -> u64 {
    (host.to_u128() as u64) << 32
}

fn host(word: u64) -> V4 {
    V4::from_u128((word >> 32).into())
}

/// A block of ports, and who has it.
pub(crate) struct BlockInfo {
    /// The pool.
    pub(crate) pool: [u8; 32],
    /// The inside host.
    pub(crate) host: V4,
    /// The outside address.
    pub(crate) outside: V4,
    /// The ports.
    pub(crate) ports: PortRange,
    /// Bindings that live in it.
    pub(crate) bindings: u32,
}

/// How a pool divides its ports.
pub(crate) struct Division {
    /// The name of the pool.
    pub(crate) pool: [u8; 32],
    /// The ports of an address.
    pub(crate) blocks: Blocks,
    /// Blocks that a host may have.
    pub(crate) most: u32,
}

/// The blocks of a pool.
pub(crate) struct PortBlocks {
    division: Division,
    ranges: KVec<AddrRange<V4>>,
    all: NodeArray<Block>,
    /// Blocks that hosts have.
    given: Count,
    /// One lock.
    lock: NodeArray<BhLock>,
    watch: Arc<dyn Watch<V4>>,
}

/// Why a host gets no port.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Full {
    /// It has as many blocks as it may have.
    Host,
    /// No block is left, or none with a port.
    Pool,
}

/// A binding that is about to live in a block. Leaves it when dropped.
pub(crate) struct Entered<'a>(&'a PortBlocks, usize);

impl Entered<'_> {
    /// The binding lives: it leaves by [`PortBlocks::leave`].
    pub(super) fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.leave_at(self.1);
    }
}

impl PortBlocks {
    /// None are given out. `None` if there are too many. Sleeps.
    pub(crate) fn new(
        division: Division,
        ranges: KVec<AddrRange<V4>>,
        node: i32,
        watch: Arc<dyn Watch<V4>>,
    ) -> Result<Option<Self>> {
        let count = ranges::count(&ranges).saturating_mul(division.blocks.count().into());
        if count > MOST_BLOCKS {
            return Ok(None);
        }
        // SAFETY: Zeroes are a block that nobody has, and an unlocked lock in memory.
        let (all, lock) = unsafe {
            (
                NodeArray::zeroed(count as usize, node)?,
                NodeArray::zeroed(1, node)?,
            )
        };
        // SAFETY: The array is new.
        unsafe { BhLock::init_all(&lock, Class::Blocks, |lock| lock) };
        Ok(Some(Self {
            division,
            ranges,
            all,
            given: Count::new(),
            lock,
            watch,
        }))
    }

    /// How ports are divided.
    pub(crate) fn division(&self) -> &Division {
        &self.division
    }

    /// Blocks that hosts have.
    pub(crate) fn given(&self) -> u32 {
        self.given.get()
    }

    /// Does nobody have any?
    pub(crate) fn is_unused(&self) -> bool {
        self.given.is_zero()
    }

    /// Calls `claim` with an outside address and ports that `host` has there until it finds one: in its
    /// blocks at `tries` addresses from number `first` on, then in one more.
    pub(crate) fn find<T>(
        &self,
        host: V4,
        (first, tries): (u64, u64),
        claim: impl Fn(V4, PortRange) -> Option<T>,
    ) -> Result<(T, Entered<'_>), Full> {
        if host == V4::default() {
            return Err(Full::Pool);
        }
        let at = (first, tries.min(ADDRESSES));
        if let Some(found) = self.enter_own(host, at, &claim)? {
            return Ok(found);
        }
        // As with who has as many as it may have, a flood does not wait for the lock.
        if self.given.get() as usize >= self.all.len() {
            return Err(Full::Pool);
        }
        let (entered, given) = {
            let lock = self.lock.first().ok_or(Full::Pool)?;
            let _locked = lock.lock();
            // Another CPU may have been here meanwhile.
            if let Some(found) = self.enter_own(host, at, &claim)? {
                return Ok(found);
            }
            // Where it has blocks already, if there is one left.
            let known = self.own(host, at).next();
            let beside = known.and_then(|place| self.free((self.address_of(place), 1)));
            let free = beside.or_else(|| self.free(at)).ok_or(Full::Pool)?;
            (self.give(free, host), free)
        };
        self.tell(given, host, true);
        let found = entered.and_then(|entered| self.claim_in(entered, host, &claim));
        found.ok_or(Full::Pool)
    }

    /// The blocks of a host at these addresses.
    fn own(&self, host: V4, at: (u64, u64)) -> impl Iterator<Item = usize> + '_ {
        let places = self.runs(at).flatten();
        places.filter(move |place| self.is_of(*place, host))
    }

    /// Enters one of the blocks of a host in which `claim` finds a port; an error if there is none,
    /// and it has as many as it may have.
    fn enter_own<T>(
        &self,
        host: V4,
        at: (u64, u64),
        claim: &impl Fn(V4, PortRange) -> Option<T>,
    ) -> Result<Option<(T, Entered<'_>)>, Full> {
        let most = self.division.most as usize;
        let mut known: usize = 0;
        for place in self.own(host, at).take(most) {
            known = known.wrapping_add(1);
            let entered = self.enter(place, host);
            let found = entered.and_then(|entered| self.claim_in(entered, host, claim));
            if found.is_some() {
                return Ok(found);
            }
        }
        match known < most {
            true => Ok(None),
            false => Err(Full::Host),
        }
    }

    /// Enters the block of an endpoint for `host`, given out now if nobody has it. `None` if another
    /// host has it. An endpoint without a block is nobody's, `Some(None)`.
    pub(crate) fn enter_at(&self, host: V4, outside: V4, port: u16) -> Option<Option<Entered<'_>>> {
        let Some(place) = self.place(outside, port) else {
            return Some(None);
        };
        if let Some(entered) = self.enter(place, host) {
            return Some(Some(entered));
        }
        let entered = {
            let _locked = self.lock.first()?.lock();
            if !self.is_of(place, V4::default()) {
                return None;
            }
            self.give(place, host)?
        };
        self.tell(place, host, true);
        Some(Some(entered))
    }

    /// A binding with this outside endpoint has gone.
    pub(super) fn leave(&self, outside: V4, port: u16) {
        if let Some(place) = self.place(outside, port) {
            self.leave_at(place);
        }
    }

    fn leave_at(&self, place: usize) {
        if let Some(block) = self.all.get(place) {
            block.idle.store(time::now().0, Ordering::Relaxed);
            block.word.fetch_sub(1, Ordering::Release);
        }
    }

    /// Takes back what has been without a binding for as long as `rest`. Sleeps.
    pub(crate) fn expire(&self, rest: Ticks) {
        if self.is_unused() {
            return;
        }
        for (chunk, blocks) in self.all.chunks(CHUNK).enumerate() {
            time::breathe(0);
            let start = chunk.wrapping_mul(CHUNK);
            for (place, block) in (start..).zip(blocks) {
                self.expire_one(place, block, rest);
            }
        }
    }

    fn expire_one(&self, place: usize, block: &Block, rest: Ticks) {
        let word = block.word.load(Ordering::Acquire);
        let idle = time::now()
            .0
            .wrapping_sub(block.idle.load(Ordering::Relaxed));
        if word == 0 || word as u32 != 0 || idle < rest.0 {
            return;
        }
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        if block
            .word
            .compare_exchange(word, 0, order.0, order.1)
            .is_ok()
        {
            self.given.sub();
            self.tell(place, host(word), false);
        }
    }

    /// All blocks, those that somebody has with who has them.
    pub(crate) fn list(&self) -> impl Iterator<Item = Option<BlockInfo>> + '_ {
        self.all.iter().enumerate().map(|(place, block)| {
            let word = block.word.load(Ordering::Relaxed);
            let info = || self.info(place, host(word), word as u32);
            (word != 0).then(info).flatten()
        })
    }

    fn info(&self, place: usize, host: V4, bindings: u32) -> Option<BlockInfo> {
        let count = u64::from(self.division.blocks.count());
        let block = (place as u64).checked_rem(count)?;
        Some(BlockInfo {
            pool: self.division.pool,
            host,
            outside: ranges::address(&self.ranges, self.address_of(place))?,
            ports: self.division.blocks.ports(block as u32)?,
            bindings,
        })
    }

    fn tell(&self, place: usize, host: V4, given: bool) {
        if let Some(info) = self.info(place, host, 0) {
            self.watch.block(&info, given);
        }
    }

    /// The number of the address of a block.
    fn address_of(&self, place: usize) -> u64 {
        let count = self.division.blocks.count() as usize;
        place.checked_div(count).unwrap_or(0) as u64
    }

    /// The number of an outside address.
    pub(crate) fn number(&self, outside: V4) -> Option<u64> {
        ranges::index(&self.ranges, outside)
    }

    fn place(&self, outside: V4, port: u16) -> Option<usize> {
        let address = self.number(outside)?;
        let block = self.division.blocks.of(port)?;
        let first = address.checked_mul(self.division.blocks.count().into())?;
        Some(first.checked_add(block.into())? as usize)
    }

    /// The blocks of each of `tries` addresses from number `first` on, in runs of numbers.
    fn runs(&self, (first, tries): (u64, u64)) -> impl Iterator<Item = Range<usize>> {
        let (addresses, count) = (ranges::count(&self.ranges), self.division.blocks.count());
        (0..tries.min(addresses)).map(move |step| {
            let address = first.wrapping_add(step).checked_rem(addresses).unwrap_or(0);
            let start = address.wrapping_mul(count.into()) as usize;
            start..start.wrapping_add(count as usize)
        })
    }

    fn is_of(&self, place: usize, host: V4) -> bool {
        let block = self.all.get(place);
        block.is_some_and(|block| block.word.load(Ordering::Relaxed) >> 32 == word(host) >> 32)
    }

    /// A block that nobody has, at the first address that has one, looked for from a random one on.
    fn free(&self, at: (u64, u64)) -> Option<usize> {
        let count = self.division.blocks.count();
        let start = u32::from(rcu::random16()).checked_rem(count)? as usize;
        let is_free = |place: &usize| self.is_of(*place, V4::default());
        self.runs(at).find_map(|run| {
            let middle = run.start.wrapping_add(start);
            Iterator::chain(middle..run.end, run.start..middle).find(is_free)
        })
    }

    /// Gives a block that nobody has to a host, entered: so it is not taken back before there is a
    /// binding. The lock is held.
    fn give(&self, place: usize, host: V4) -> Option<Entered<'_>> {
        let block = self.all.get(place)?;
        block
            .word
            .store(word(host).wrapping_add(1), Ordering::Release);
        self.given.reserve().fill();
        Some(Entered(self, place))
    }

    /// Enters a block, if it is of `host`.
    fn enter(&self, place: usize, host: V4) -> Option<Entered<'_>> {
        let block = self.all.get(place)?;
        let mine = |known: u64| (known >> 32 == word(host) >> 32).then(|| known.wrapping_add(1));
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        block.word.fetch_update(order.0, order.1, mine).ok()?;
        Some(Entered(self, place))
    }

    /// Stays in a block if `claim` finds a port there.
    fn claim_in<'a, T>(
        &self,
        entered: Entered<'a>,
        host: V4,
        claim: &impl Fn(V4, PortRange) -> Option<T>,
    ) -> Option<(T, Entered<'a>)> {
        let info = self.info(entered.1, host, 0)?;
        Some((claim(info.outside, info.ports)?, entered))
    }
}

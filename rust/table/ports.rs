// SPDX-License-Identifier: GPL-2.0

//! Which ports of an outside address are in use.
//!
//! There is one map per address and namespace, whoever translates to it, so that a port is never
//! handed out twice. Ports are claimed and freed by atomic operations on a bitmap; no lock.

use super::bitmap::{Among, Bitmap};
use super::blocks::Entered;
use super::hash::{Cursor, Entry, Link, Progress, Table};
use crate::nat::addr::Addr;
use crate::nat::hash::{folded, Hashed, Key, Words};
use crate::nat::ports::{self, Parity, PortRange};
use crate::nat::reserved::Reserved;
use crate::nat::time::Ticks;
use crate::nat::tuple::{ICMP, TCP, UDP};
use crate::sys::rcu::{self, Rcu};
use crate::sys::time;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Ports that turn out not to be usable, or that other CPUs take, before a search gives up. What is not
/// usable is [passed over](Bitmap::pass_over) by the searches after it, so they go on where it has ended.
const TRIES: u32 = 4096;
/// The tries that one costs which cannot be remembered.
const FORGOTTEN: u32 = 64;
/// How often a search goes on at a random place when a port is not usable, since sockets often have ports
/// next to each other. Then it goes on with the next port, so that it looks at all of them in one round.
const LEAPS: u32 = 16;
/// Random places that are tried for the begin of a search, before it begins next to reserved ports.
const PLACES: u32 = 32;

/// The outside addresses of one namespace, at most `MAX_ADDRESSES`.
pub(crate) struct PortMaps<A: Words> {
    table: Table<PortMap<A>>,
    count: AtomicU32,
    rest: Arc<AtomicU32>,
}

/// Addresses that a namespace can translate to; each costs up to 24 KiB once used, 32 KiB more once ports
/// of it rest, and as much if sockets of the host are met there.
const MAX_ADDRESSES: u32 = 65536;
/// Buckets at first; see `PortMaps::grow`.
const BUCKETS: usize = 64;
/// Buckets that move in one go.
const MOVES: usize = 1024;

/// The key of a map.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct OutsideAddr<A>(A);

impl<A: Words> Hashed for OutsideAddr<A> {
    fn hash(&self, key: &Key) -> u64 {
        let value = self.0.to_u128();
        folded(key, &[value as u64, (value >> 64) as u64])
    }
}

/// The ports of one outside address.
pub(crate) struct PortMap<A> {
    link: Link<PortMap<A>>,
    addr: OutsideAddr<A>,
    /// The generation of routes in which it was seen that the address is not the host's; see
    /// [`PortMap::is_foreign`].
    foreign: AtomicU64,
    bitmaps: [Bitmap; 3],
    /// Seconds for which a port rests.
    rest: Arc<AtomicU32>,
}

// SAFETY: Both always return the same fields; `addr` is never written.
unsafe impl<A: Words> Entry for PortMap<A> {
    type Key = OutsideAddr<A>;

    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn key(&self) -> &OutsideAddr<A> {
        &self.addr
    }
}

/// A claimed port, freed when dropped.
pub(crate) struct Claim<'a, A: Words> {
    map: &'a PortMap<A>,
    proto: u8,
    port: u16,
    block: Option<Entered<'a>>,
}

impl<'a, A: Words> Claim<'a, A> {
    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address it belongs to.
    pub(crate) fn addr(&self) -> A {
        self.map.addr()
    }

    /// The same in a block, which is left together with the port.
    pub(crate) fn within(mut self, block: Entered<'a>) -> Self {
        self.block = Some(block);
        self
    }

    /// Gives up the claim without freeing the port; it is [`PortMap::free`]d later.
    pub(super) fn keep(mut self) -> &'a PortMap<A> {
        let map = self.map;
        if let Some(block) = self.block.take() {
            block.keep();
        }
        core::mem::forget(self);
        map
    }
}

impl<A: Words> Drop for Claim<'_, A> {
    fn drop(&mut self) {
        self.map.free(self.proto, self.port, false);
    }
}

/// Who else would get what comes to a port that is free.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Rival {
    /// Nobody.
    Nobody,
    /// A socket of the host, whoever sends.
    Socket,
    /// What has begun from the remote endpoint that is spoken to, and only that.
    Flow,
}

/// How a port is searched for.
pub(crate) struct Wish<'a, A> {
    /// The protocol.
    pub(crate) proto: u8,
    /// What is allowed.
    pub(crate) range: PortRange,
    /// Of that, what is as good as another.
    pub(crate) parity: Parity,
    /// Into how many shares the ports are divided.
    pub(crate) nodes: usize,
    /// The share to take from; any if `None`.
    pub(crate) node: Option<usize>,
    /// What is taken only when there is nothing else.
    pub(crate) reserved: &'a Reserved<'a, A>,
}

impl<A: Words> PortMap<A> {
    /// The address.
    pub(crate) fn addr(&self) -> A {
        self.addr.0
    }

    /// Claims a random free port without a `rival`, and that is not reserved if there is one that is not. `None` if
    /// there is none, none within a number of tries, or no memory.
    ///
    /// A search calls `rival` `TRIES` times at most, and goes over the bitmap `LEAPS` and two times for
    /// either kind of ports.
    pub(crate) fn claim(
        &self,
        wish: &Wish<'_, A>,
        rival: impl Fn(u16) -> Rival,
    ) -> Option<Claim<'_, A>> {
        let bitmap = self.bitmap(wish.proto)?;
        bitmap.freshen(self.rest());
        let among = Among {
            range: wish.range,
            parity: wish.parity,
            nodes: wish.nodes,
            node: wish.node,
        };
        let mut search = Search {
            bitmap,
            freed: bitmap.begin(&among)?,
            among,
            tries: TRIES,
        };
        let port = match wish.reserved.is_empty() || !wish.reserved.covers(wish.range) {
            true => search.port(wish.reserved, &rival),
            false => None,
        };
        let last = || match wish.reserved.is_empty() {
            true => None,
            false => search.port(&Reserved::<A>::none(), &rival),
        };
        let port = port.or_else(last)?;
        Some(self.claimed(wish.proto, port))
    }

    /// Claims this port, if it is free.
    pub(crate) fn claim_one(&self, proto: u8, port: u16) -> Option<Claim<'_, A>> {
        let bitmap = self.bitmap(proto)?;
        bitmap.freshen(self.rest());
        // Not `then_some`: a claim that is not wanted frees the port when it is dropped.
        bitmap.take_anew(port).then(|| self.claimed(proto, port))
    }

    /// Claims this port, if nobody has it: it may still rest.
    pub(crate) fn claim_early(&self, proto: u8, port: u16) -> Option<Claim<'_, A>> {
        let taken = self.bitmap(proto)?.take_early(port);
        taken.then(|| self.claimed(proto, port))
    }

    fn claimed(&self, proto: u8, port: u16) -> Claim<'_, A> {
        Claim {
            map: self,
            proto,
            port,
            block: None,
        }
    }

    fn rest(&self) -> Ticks {
        time::seconds(self.rest.load(Ordering::Relaxed))
    }

    /// Is this an address without sockets of the host? `is_foreign` finds out, once in each
    /// generation of routes: it costs more than all else that is asked about a port.
    #[inline]
    pub(crate) fn is_foreign(&self, generation: u32, is_foreign: impl FnOnce() -> bool) -> bool {
        let known = self.foreign.load(Ordering::Relaxed) == u64::from(generation);
        if !known && is_foreign() {
            self.foreign.store(u64::from(generation), Ordering::Relaxed);
            return true;
        }
        known
    }

    /// Frees a port that a [`Claim`] has kept; when it has rested, if it `rests`.
    pub(super) fn free(&self, proto: u8, port: u16, rests: bool) {
        let rest = if rests { self.rest() } else { Ticks::default() };
        if let Some(bitmap) = self.bitmap(proto) {
            bitmap.free_later(port, rest);
        }
    }

    fn bitmap(&self, proto: u8) -> Option<&Bitmap> {
        let [tcp, udp, icmp] = &self.bitmaps;
        match proto {
            TCP => Some(tcp),
            UDP => Some(udp),
            ICMP => Some(icmp),
            _ => None,
        }
    }
}

/// A search for a port.
struct Search<'a> {
    bitmap: &'a Bitmap,
    among: Among,
    freed: u32,
    tries: u32,
}

impl Search<'_> {
    /// Takes a free port that is not `reserved`, and has no `rival`.
    fn port<A: Addr>(
        &mut self,
        reserved: &Reserved<'_, A>,
        rival: &impl Fn(u16) -> Rival,
    ) -> Option<u16> {
        let mut leaps = 0..LEAPS;
        let mut start = self.start(reserved);
        while self.tries > 0 {
            let port = self.bitmap.pick(&self.among, reserved, start, self.freed)?;
            let mut cost = 1;
            if self.bitmap.take(port) {
                let rival = rival(port);
                if rival == Rival::Nobody {
                    return Some(port);
                }
                start = match leaps.next() {
                    Some(_) => self.start(reserved),
                    None => port.checked_add(1).unwrap_or(0),
                };
                // To others a port is as good as any that a flow has.
                if rival == Rival::Flow {
                    self.bitmap.free(port);
                    cost = FORGOTTEN;
                } else if !self.bitmap.pass_over(port) {
                    cost = FORGOTTEN;
                }
            }
            self.tries = self.tries.saturating_sub(cost);
        }
        None
    }

    /// A random place to begin, not among reserved ports: else the first one after those would come more
    /// often than others.
    fn start<A: Addr>(&self, reserved: &Reserved<'_, A>) -> u16 {
        let mut start = rcu::random16();
        if reserved.is_empty() {
            return start;
        }
        for _ in 0..PLACES {
            let Among {
                range, nodes, node, ..
            } = self.among;
            match ports::first(range, nodes, node, start) {
                Some(first) if reserved.contains(first) => start = rcu::random16(),
                _ => break,
            }
        }
        start
    }
}

impl<A: Words> PortMaps<A> {
    /// Bytes of an empty table.
    pub(crate) const BYTES: usize = BUCKETS * Table::<PortMap<A>>::BUCKET_BYTES;

    /// No addresses yet, where ports rest for `rest` seconds. Sleeps.
    pub(crate) fn new(node: i32, rest: Arc<AtomicU32>) -> Result<Self> {
        Ok(Self {
            table: Table::new(BUCKETS, node)?,
            count: AtomicU32::new(0),
            rest,
        })
    }

    /// The map of an address, made now if there is none; `None` if there is no room.
    pub(crate) fn of<'a>(&'a self, addr: A, rcu: Rcu<'a>) -> Option<&'a PortMap<A>> {
        let key = OutsideAddr(addr);
        if let Some(map) = self.table.find(&key, rcu, |_| true) {
            return Some(map);
        }
        let fresh = KBox::new(
            PortMap {
                link: Link::new(),
                addr: key,
                foreign: AtomicU64::new(u64::MAX),
                bitmaps: [const { Bitmap::new() }; 3],
                rest: self.rest.clone(),
            },
            GFP_ATOMIC | __GFP_NOWARN,
        )
        .ok()?;
        let locked = self.table.lock(&key, rcu);
        if let Some(map) = self.table.find(&key, rcu, |_| true) {
            return Some(map);
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= MAX_ADDRESSES {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // SAFETY: The bucket is locked; maps are only unlinked when `self` is dropped.
        unsafe {
            let fresh = &*KBox::into_raw(fresh);
            locked.bucket.link(fresh);
            Some(fresh)
        }
    }
}

impl<A: Words + Send + Sync> PortMaps<A> {
    /// Gives the table as many buckets as there are addresses; false if there is more to do.
    /// Sleeps.
    pub(crate) fn grow(&self) -> bool {
        let addresses = self.count.load(Ordering::Relaxed) as usize;
        if addresses > self.table.len() && !self.table.is_unsettled() {
            if let Ok(array) = self.table.prepare(addresses.saturating_mul(2)) {
                self.table.want(array);
            }
        }
        self.table.resize(MOVES) != Progress::Moving
    }
}

impl<A: Words> Drop for PortMaps<A> {
    fn drop(&mut self) {
        let mut cursor = Cursor::default();
        // SAFETY: From `KBox::into_raw` in `of`; `&mut self` says that nobody else is here, and
        // `step` has read the link before.
        let mut free = |map: &PortMap<A>| unsafe {
            drop(KBox::from_raw(ptr::from_ref(map).cast_mut()));
        };
        while rcu::read(|rcu| self.table.step(&mut cursor, rcu, &mut free)) {}
    }
}

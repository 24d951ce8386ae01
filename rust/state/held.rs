// SPDX-License-Identifier: GPL-2.0

//! SYNs from outside that nothing expects, held until they may be answered (RFC 5382 REQ-4).
//!
//! What is kept of a packet is a copy of its headers: no device, route or buffer is held. It is
//! answered by work in the background, unless a flow has begun meanwhile that would have wanted it.

use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::nat::hash::{Hashed, Key};
use crate::nat::time::{Deadline, Instant, Ticks};
use crate::nat::tuple::Tuple;
use crate::sys::icmp::Quote;
use crate::sys::lock::{Class, LockedArray};
use crate::sys::pernet::NetRef;
use crate::sys::work::Task;
use crate::sys::{rcu, time};
use crate::table::shard::Shard;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::alloc::flags::__GFP_NOWARN;
use kernel::prelude::*;
use kernel::sync::Arc;

/// A power of two.
const BUCKETS: usize = 64;
/// SYNs of one bucket; `BUCKETS` times as many in all.
const WAYS: usize = 16;
/// Parts of a second between two looks at all of them.
const LOOKS: u32 = 8;

/// One that is held.
struct Syn {
    tuple: Tuple<V4>,
    until: Deadline,
    quote: Quote,
}

type Bucket = [Option<KBox<Syn>>; WAYS];

/// Those of a namespace.
pub(crate) struct Held {
    buckets: LockedArray<Bucket>,
    key: Key,
    count: AtomicU32,
    /// Is somebody going to look?
    is_awake: AtomicBool,
    /// The namespace goes: nothing is answered any more.
    is_shut: AtomicBool,
}

/// What became of a SYN that was to be held.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Holding {
    /// It is; somebody who slept has to look after it, if `wake`.
    Begun {
        /// Is it?
        wake: bool,
    },
    /// One like it is, for as long as it has been.
    Already,
    /// There is no room.
    Excess,
}

impl Held {
    /// Bytes without those that are held.
    pub(super) const BYTES: usize = LockedArray::<Bucket>::bytes(BUCKETS);

    /// Sleeps.
    pub(super) fn new(node: i32) -> Result<Self> {
        let empty = || [const { None }; WAYS];
        Ok(Self {
            buckets: LockedArray::new(BUCKETS, node, Class::Held, empty)?,
            key: Key(rcu::random64(), rcu::random64()),
            count: AtomicU32::new(0),
            is_awake: AtomicBool::new(false),
            is_shut: AtomicBool::new(false),
        })
    }

    /// Holds a SYN for a while, once.
    pub(super) fn hold(
        &self,
        tuple: &Tuple<V4>,
        length: Ticks,
        quote: impl FnOnce() -> Quote,
    ) -> Holding {
        let index = tuple.hash(&self.key) as usize & (BUCKETS - 1);
        let put = |bucket: &mut Bucket| {
            if bucket.iter().flatten().any(|syn| syn.tuple == *tuple) {
                return Holding::Already;
            }
            let Some(place) = bucket.iter_mut().find(|place| place.is_none()) else {
                return Holding::Excess;
            };
            let syn = Syn {
                tuple: *tuple,
                until: time::now().plus(length),
                quote: quote(),
            };
            match KBox::new(syn, GFP_ATOMIC | __GFP_NOWARN) {
                Ok(syn) => *place = Some(syn),
                Err(_) => return Holding::Excess,
            }
            Holding::Begun { wake: false }
        };
        match self.buckets.with(index, put) {
            Some(Holding::Begun { .. }) => {
                self.count.fetch_add(1, Ordering::SeqCst);
                Holding::Begun {
                    wake: !self.is_awake.swap(true, Ordering::SeqCst),
                }
            }
            Some(other) => other,
            None => Holding::Excess,
        }
    }

    /// Takes those of a bucket whose time has come, and says how long the others have.
    fn take(&self, index: usize, now: Instant) -> (Bucket, Option<Ticks>) {
        let mut due = [const { None }; WAYS];
        let mut left = None;
        self.buckets.with(index, |bucket| {
            for (place, to) in bucket.iter_mut().zip(&mut due) {
                match place.as_ref().map(|syn| syn.until.left(now)) {
                    None => (),
                    Some(Ticks(0)) => *to = place.take(),
                    some => left = sooner(left, some),
                }
            }
        });
        (due, left)
    }

    /// Nothing is left to look after, unless it has come just now.
    fn rest(&self) -> bool {
        self.is_awake.store(false, Ordering::SeqCst);
        self.count.load(Ordering::SeqCst) == 0 || self.is_awake.swap(true, Ordering::SeqCst)
    }

    /// From a grace period later on nothing is answered.
    pub(super) fn shut(&self) {
        self.is_shut.store(true, Ordering::Relaxed);
    }
}

fn sooner(one: Option<Ticks>, other: Option<Ticks>) -> Option<Ticks> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Answers what was held long enough. Sleeps while nothing is held.
pub(super) struct Releaser {
    pub(super) net: NetRef,
    pub(super) held: Arc<Held>,
    pub(super) shards: KVec<Arc<Shard<V4>>>,
    pub(super) stats: Arc<Stats>,
}

impl Releaser {
    /// A connection from inside that has met the SYN, or anything else that translates what would
    /// come after it, makes an answer wrong.
    fn release(&self, syn: &Syn) {
        rcu::read(|rcu| {
            let wanted = |shard: &Arc<Shard<V4>>| shard.flow(&syn.tuple, rcu).is_some();
            if !self.held.is_shut.load(Ordering::Relaxed)
                && !self.shards.iter().any(wanted)
                && syn.quote.refuse_port(&self.net)
            {
                self.stats.inc(Counter::SynAnswered);
            }
        });
    }
}

impl Task for Releaser {
    fn run(&self) -> Option<u32> {
        let mut left = None;
        for index in 0..BUCKETS {
            time::breathe(0);
            let (due, others) = self.held.take(index, time::now());
            left = sooner(left, others);
            for syn in due.iter().flatten() {
                self.held.count.fetch_sub(1, Ordering::SeqCst);
                self.release(syn);
            }
        }
        let often = time::hz() / LOOKS;
        match left {
            Some(left) => Some(left.0.max(often)),
            None if self.held.rest() => None,
            None => Some(often),
        }
    }
}

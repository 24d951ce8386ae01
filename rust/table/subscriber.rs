// SPDX-License-Identifier: GPL-2.0

//! What each inside host has of a policy that limits it (RFC 6888 REQ-4).

use super::hash::{Entry, Link, One, Table};
use super::shard::LONGEST;
use crate::nat::addr::{Addr, Prefix, V4};
use crate::nat::hash::{folded, Hashed, Key};
use crate::nat::rate::Tokens;
use crate::sys::rcu::{self, Head, Rcu};
use crate::sys::time;
use core::cell::Cell;
use kernel::bindings::callback_head;
use kernel::prelude::*;

/// Buckets at most; a policy for fewer addresses has as many as these.
const MOST_BUCKETS: u64 = 65536;

/// What an inside host may have; 0 is without limit.
#[derive(Copy, Clone, Default, Eq, PartialEq)]
pub(crate) struct Limits {
    /// Bindings alive.
    pub(crate) bindings: u32,
    /// Flows alive.
    pub(crate) flows: u32,
    /// New bindings in a second.
    pub(crate) rate: u32,
}

impl Limits {
    /// Is there any?
    fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// What limit was reached, or what else was in the way.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Excess {
    /// Of bindings.
    Bindings,
    /// Of flows.
    Flows,
    /// Of new bindings in a second.
    Rate,
    /// No memory, or too many hosts in one bucket.
    Memory,
}

#[derive(Copy, Clone, Eq, PartialEq)]
struct Host(u128);

impl Hashed for Host {
    fn hash(&self, key: &Key) -> u64 {
        folded(key, &[self.0 as u64, (self.0 >> 64) as u64])
    }
}

/// A host, while it has anything.
///
/// # Invariants
///
/// Came from a box. The cells are used under the lock of the bucket only.
struct Subscriber {
    link: Link<Subscriber>,
    host: Host,
    bindings: Cell<u32>,
    flows: Cell<u32>,
    tokens: Cell<Tokens>,
    rcu: Head,
}

// SAFETY: By the invariant, one at a time uses the cells.
unsafe impl Send for Subscriber {}
// SAFETY: As above.
unsafe impl Sync for Subscriber {}

// SAFETY: Both always return the same fields; `host` is never written.
unsafe impl Entry for Subscriber {
    type Key = Host;

    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn key(&self) -> &Host {
        &self.host
    }
}

impl Subscriber {
    fn is_empty(&self) -> bool {
        self.bindings.get() == 0 && self.flows.get() == 0
    }
}

/// The hosts of a policy.
pub(crate) struct Subscribers {
    limits: Limits,
    table: Table<Subscriber>,
}

impl Subscribers {
    /// None yet, of those in `inside`; `None` if nothing is limited. Sleeps.
    pub(crate) fn new(limits: Limits, inside: Prefix<V4>, node: i32) -> Result<Option<Self>> {
        if !limits.is_any() {
            return Ok(None);
        }
        let hosts = 1u64 << 32u8.saturating_sub(inside.bits()).min(32);
        Ok(Some(Self {
            limits,
            table: Table::new(hosts.min(MOST_BUCKETS) as usize, node)?,
        }))
    }

    /// What each of them may have.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Counts a binding more, if it may be. One by `request` always may.
    pub(super) fn bind<A: Addr>(&self, host: A, request: bool, rcu: Rcu<'_>) -> Result<(), Excess> {
        let (limits, now) = (&self.limits, time::now());
        self.more(host, rcu, |host| {
            if request {
                host.bindings.set(host.bindings.get().wrapping_add(1));
                return Ok(());
            }
            if limits.bindings != 0 && host.bindings.get() >= limits.bindings {
                return Err(Excess::Bindings);
            }
            let mut tokens = host.tokens.get();
            let rate = limits.rate;
            let slow = rate == 0 || tokens.take(rate, time::hz(), now);
            host.tokens.set(tokens);
            host.bindings
                .set(host.bindings.get().wrapping_add(slow.into()));
            slow.then_some(()).ok_or(Excess::Rate)
        })
    }

    /// Counts a binding less.
    pub(super) fn unbind<A: Addr>(&self, host: A) {
        rcu::read(|rcu| self.less(host, rcu, |host| &host.bindings));
    }

    /// Counts a flow more, if it may be.
    pub(super) fn add<A: Addr>(&self, host: A, rcu: Rcu<'_>) -> Result<(), Excess> {
        self.more(host, rcu, |host| {
            let flows = host.flows.get();
            if self.limits.flows != 0 && flows >= self.limits.flows {
                return Err(Excess::Flows);
            }
            host.flows.set(flows.wrapping_add(1));
            Ok(())
        })
    }

    /// Counts a flow less.
    pub(super) fn sub<A: Addr>(&self, host: A, rcu: Rcu<'_>) {
        self.less(host, rcu, |host| &host.flows);
    }

    fn more<A: Addr>(
        &self,
        host: A,
        rcu: Rcu<'_>,
        count: impl FnOnce(&Subscriber) -> Result<(), Excess>,
    ) -> Result<(), Excess> {
        let host = Host(host.to_u128());
        let known = self.table.find(&host, rcu, |_| true).is_some();
        let fresh = match known {
            true => None,
            false => Some(self.fresh(host).ok_or(Excess::Memory)?),
        };
        let locked = self.table.lock(&host, rcu);
        if let Some(subscriber) = locked.bucket.find(&host, rcu, |_| true) {
            return count(subscriber);
        }
        // It has just gone.
        let fresh = match fresh {
            Some(fresh) => fresh,
            None => self.fresh(host).ok_or(Excess::Memory)?,
        };
        if locked.bucket.len() >= LONGEST {
            return Err(Excess::Memory);
        }
        count(&fresh)?;
        // SAFETY: The bucket is locked; `less` undoes it.
        unsafe { locked.bucket.link(&*KBox::into_raw(fresh)) };
        Ok(())
    }

    fn fresh(&self, host: Host) -> Option<KBox<Subscriber>> {
        let fresh = Subscriber {
            link: Link::new(),
            host,
            bindings: Cell::new(0),
            flows: Cell::new(0),
            tokens: Cell::new(Tokens::full(self.limits.rate, time::hz(), time::now())),
            rcu: Head::uninit(),
        };
        KBox::new(fresh, GFP_ATOMIC | __GFP_NOWARN).ok()
    }

    fn less<A: Addr>(&self, host: A, rcu: Rcu<'_>, which: impl Fn(&Subscriber) -> &Cell<u32>) {
        let host = Host(host.to_u128());
        let locked = self.table.lock(&host, rcu);
        let Some(subscriber) = locked.bucket.find(&host, rcu, |_| true) else {
            return;
        };
        let count = which(subscriber);
        count.set(count.get().saturating_sub(1));
        if subscriber.is_empty() {
            forget(&locked, subscriber);
        }
    }
}

fn forget(locked: &One<'_, Subscriber>, subscriber: &Subscriber) {
    // SAFETY: The bucket is locked; from a box by the invariant. `Caches` waits for the callback.
    unsafe {
        locked.bucket.unlink(subscriber);
        rcu::free_later(&subscriber.rcu, free);
    }
}

/// # Safety
///
/// `head` is the `rcu` of a subscriber that nobody can reach any more.
unsafe extern "C" fn free(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Subscriber, rcu);
    let subscriber = head.cast::<u8>().wrapping_sub(offset).cast::<Subscriber>();
    // SAFETY: The caller's promise; it came from a box.
    drop(unsafe { KBox::from_raw(subscriber) });
}

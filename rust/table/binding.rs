// SPDX-License-Identifier: GPL-2.0

//! Bindings: one inside endpoint and the outside endpoint that stands for it (RFC 4787).
//!
//! A binding lives while something holds it: every flow that translates by it does. The last
//! holder unlinks it, frees its port, and leaves the memory to RCU.

use super::hash::{Entry, Link};
use super::lease::Lease;
use super::ports::{Claim, PortMap};
use super::shard::Shard;
use super::{Family, Owner};
use crate::nat::addr::Be16;
use crate::nat::policy::Mapping;
use crate::nat::time::Deadline;
use crate::nat::tuple::{BindKey, Endpoint, Side, ICMP};
use crate::sys::rcu::{self, Head, Rcu};
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use kernel::bindings::callback_head;
use kernel::sync::Arc;

/// One side of a binding, as the table holds it.
pub(crate) struct BindEntry<A> {
    link: Link<BindEntry<A>>,
    key: BindKey<A>,
}

impl<A: Family> BindEntry<A> {
    /// One that is in no table.
    pub(super) fn new(key: BindKey<A>) -> Self {
        Self {
            link: Link::new(),
            key,
        }
    }
}

// SAFETY: Both always return the same fields; `key` is never written.
unsafe impl<A: Family> Entry for BindEntry<A> {
    type Key = BindKey<A>;

    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn key(&self) -> &BindKey<A> {
        &self.key
    }
}

/// A binding.
///
/// # Invariants
///
/// `home` and `ports` stay valid while the binding is linked: the namespace empties its tables
/// before it drops them. While `holders` is not 0 both sides are linked in `home` and the outside
/// port is claimed in `ports`.
#[repr(C)]
pub(crate) struct Binding<A: Family> {
    sides: [BindEntry<A>; 2],
    realm: u64,
    holders: AtomicU32,
    until: Deadline,
    owner: Arc<Owner>,
    home: *const Shard<A>,
    ports: *const PortMap<A>,
    lease: AtomicPtr<Lease<A>>,
    rcu: Head,
}

// SAFETY: What changes is atomic or guarded by the locks of the table.
unsafe impl<A: Family> Send for Binding<A> {}
// SAFETY: As above.
unsafe impl<A: Family> Sync for Binding<A> {}

/// What a new binding is made of.
pub(crate) struct NewBinding<'a, A: Family> {
    /// The inside endpoint.
    pub(crate) inside: Endpoint<A>,
    /// The protocol.
    pub(crate) proto: u8,
    /// The outside endpoint.
    pub(crate) outside: Claim<'a, A>,
    /// Which pool or policy: an inside endpoint has one binding in each realm.
    pub(crate) realm: u64,
    /// The policy it is made for.
    pub(crate) owner: &'a Arc<Owner>,
    /// When it ends, if the policy gives it a lease.
    pub(crate) until: Deadline,
    /// Will it get a lease by request? Then it is announced with that.
    pub(crate) for_lease: bool,
}

impl<A: Family> Binding<A> {
    /// A binding with one holder, in no table yet, and the outside port it has to free.
    pub(super) fn new(new: NewBinding<'_, A>, home: &Shard<A>) -> Self {
        let outside = Endpoint {
            addr: new.outside.addr(),
            port: Be16::from_host(new.outside.port()),
        };
        let side = |side, end: Endpoint<A>| BindEntry::new(key(side, new.proto, end));
        let inside = match new.owner.behavior.mapping {
            Mapping::AddressAndPortDependent if !new.for_lease => {
                BindEntry::new(lone_key(new.inside, outside.port))
            }
            _ => side(Side::Inside, new.inside),
        };
        let sides = [inside, side(Side::Outside, outside)];
        Self {
            sides,
            realm: new.realm,
            holders: AtomicU32::new(1),
            until: new.until,
            owner: new.owner.clone(),
            home,
            ports: new.outside.keep(),
            lease: AtomicPtr::new(ptr::null_mut()),
            rcu: Head::uninit(),
        }
    }

    /// The inside endpoint.
    #[inline]
    pub(crate) fn inside(&self) -> Endpoint<A> {
        let [inside, _] = &self.sides;
        end(&inside.key)
    }

    /// The outside endpoint.
    #[inline]
    pub(crate) fn outside(&self) -> Endpoint<A> {
        let [_, outside] = &self.sides;
        end(&outside.key)
    }

    /// The protocol.
    pub(crate) fn proto(&self) -> u8 {
        let [_, outside] = &self.sides;
        outside.key.proto
    }

    /// Which pool or policy it belongs to.
    pub(crate) fn realm(&self) -> u64 {
        self.realm
    }

    /// The policy it was made for.
    pub(crate) fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    /// When what lives by it ends, whatever the traffic.
    pub(crate) fn until(&self) -> Option<Deadline> {
        (self.owner.expiry.absolute && !self.is_static()).then_some(self.until)
    }

    /// Was it added by request?
    pub(crate) fn is_static(&self) -> bool {
        !self.lease.load(Ordering::Acquire).is_null()
    }

    /// The lease by which it was added.
    pub(crate) fn lease<'a>(&'a self, _rcu: Rcu<'a>) -> Option<&'a Lease<A>> {
        // SAFETY: Null or a lease, which is freed a grace period after it left the binding.
        unsafe { self.lease.load(Ordering::Acquire).as_ref() }
    }

    pub(super) fn lease_slot(&self) -> &AtomicPtr<Lease<A>> {
        &self.lease
    }

    /// The shard it is in.
    pub(crate) fn home(&self) -> &Shard<A> {
        // SAFETY: By the type invariant.
        unsafe { &*self.home }
    }

    /// How many flows, and the lease if it has one, hold it.
    pub(crate) fn holders(&self) -> u32 {
        self.holders.load(Ordering::Relaxed)
    }

    /// Does anything hold it?
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.holders() != 0
    }

    pub(super) fn sides(&self) -> &[BindEntry<A>; 2] {
        &self.sides
    }

    /// Gives back the outside port. If it is let alone for a while depends on whom a later holder
    /// could hear, who sends to this one (RFC 6888 REQ-8, with its exceptions).
    pub(super) fn free_port(&self) {
        let (outside, proto) = (self.outside(), self.proto());
        let rests = proto != ICMP && self.owner.rests();
        // SAFETY: By the type invariant.
        unsafe { (*self.ports).free(proto, outside.port.to_host(), rests) };
        if let Some(pool) = &self.owner.pool {
            pool.leave(outside);
        }
    }

    fn hold(&self) -> bool {
        let more = |holders: u32| (holders != 0).then(|| holders.wrapping_add(1));
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        self.holders.fetch_update(order.0, order.1, more).is_ok()
    }
}

/// The key of one side.
#[inline]
pub(super) fn key<A: Family>(side: Side, proto: u8, end: Endpoint<A>) -> BindKey<A> {
    BindKey {
        addr: end.addr,
        port: end.port,
        proto,
        side,
    }
}

/// The key of an inside endpoint that has a binding for each remote endpoint, spread by their outside
/// ports over many buckets.
fn lone_key<A: Family>(inside: Endpoint<A>, outside: Be16) -> BindKey<A> {
    let [high, low] = outside.to_bytes();
    key(Side::Lone, high ^ low, inside)
}

fn end<A: Family>(key: &BindKey<A>) -> Endpoint<A> {
    Endpoint {
        addr: key.addr,
        port: key.port,
    }
}

impl<A: Family> BindEntry<A> {
    /// The binding that this is a side of. Not for what stands for a remote address.
    #[inline]
    pub(super) fn binding(&self) -> &Binding<A> {
        let first = match self.key.side {
            Side::Inside | Side::Lone | Side::Remote => ptr::from_ref(self),
            Side::Outside => ptr::from_ref(self).wrapping_sub(1),
        };
        // SAFETY: Entries exist only in the `sides` of a binding, in the order of `Side`, and
        // `sides` is its first field.
        unsafe { &*first.cast() }
    }

    /// Is it the inside of a binding?
    pub(super) fn is_inside(&self) -> bool {
        matches!(self.key.side, Side::Inside | Side::Lone)
    }
}

/// A binding that cannot end while this lives.
///
/// # Invariants
///
/// Counts as one of the holders.
pub(crate) struct Held<A: Family>(NonNull<Binding<A>>);

// SAFETY: The binding is shared by nature, and may be let go from anywhere.
unsafe impl<A: Family> Send for Held<A> {}
// SAFETY: As above.
unsafe impl<A: Family> Sync for Held<A> {}

impl<A: Family> Held<A> {
    /// Holds a binding that a lookup has found, unless it is about to end.
    pub(crate) fn new(binding: &Binding<A>) -> Option<Self> {
        // INVARIANT: Counted by `hold`.
        binding.hold().then(|| Self(NonNull::from(binding)))
    }

    /// # Safety
    ///
    /// The holder that the binding was made with is passed on.
    pub(super) unsafe fn first(binding: NonNull<Binding<A>>) -> Self {
        Self(binding)
    }
}

impl<A: Family> core::ops::Deref for Held<A> {
    type Target = Binding<A>;

    #[inline]
    fn deref(&self) -> &Binding<A> {
        // SAFETY: Held, so it has not ended.
        unsafe { self.0.as_ref() }
    }
}

impl<A: Family> Drop for Held<A> {
    fn drop(&mut self) {
        if self.holders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.home().end_binding(self);
        }
    }
}

/// Leaves the memory of an unlinked binding to RCU.
///
/// # Safety
///
/// The binding is in no table, has no holder, and came from the slab cache of its family.
pub(super) unsafe fn free_later<A: Family>(binding: &Binding<A>) {
    // SAFETY: The caller's promise; called once, by the last holder.
    unsafe { rcu::free_later(&binding.rcu, free::<A>) };
}

/// # Safety
///
/// `head` is the `rcu` of a binding that nobody can reach any more.
unsafe extern "C" fn free<A: Family>(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Binding<A>, rcu);
    let binding = head.cast::<u8>().wrapping_sub(offset).cast::<Binding<A>>();
    // SAFETY: The caller's promise, and `free_later`'s.
    unsafe { A::bindings().free(NonNull::new_unchecked(binding)) };
}

/// A holder that is not let go; see [`super::flow`].
pub(super) type Kept<A> = ManuallyDrop<Option<Held<A>>>;

// SPDX-License-Identifier: GPL-2.0

//! Contacts: the addresses to which the flows of a binding go, where its policy asks who they are
//! (address-dependent filtering, RFC 4787, section 5).
//!
//! They stand in the table of bindings, with keys that no side of a binding has.

use super::binding::{BindEntry, Binding};
use super::flow::Flow;
use super::hash::{One, Table};
use super::shard::{Unmade, LONGEST};
use super::Family;
use crate::nat::policy::Filtering;
use crate::nat::rewrite::Half;
use crate::nat::tuple::{BindKey, Side};
use crate::sys::rcu::{self, Head, Rcu};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::bindings::callback_head;
use kernel::prelude::*;

/// An address to which a binding has flows.
///
/// # Invariants
///
/// Came from a box, and is linked while it has holders, which change under the lock of its bucket.
#[repr(C)]
struct Contact<A: Family> {
    entry: BindEntry<A>,
    outside: A,
    holders: AtomicU32,
    rcu: Head,
}

impl<A: Family> Contact<A> {
    /// # Safety
    ///
    /// The entry is that of a contact.
    unsafe fn of(entry: &BindEntry<A>) -> &Self {
        // SAFETY: The caller's promise; `entry` is the first field.
        unsafe { &*ptr::from_ref(entry).cast() }
    }
}

/// The key of a contact of a binding.
fn key<A: Family>(binding: &Binding<A>, remote: A) -> BindKey<A> {
    BindKey {
        addr: remote,
        port: binding.outside().port,
        proto: binding.proto(),
        side: Side::Remote,
    }
}

/// Is the entry the contact of a binding at `outside`?
fn is_of<A: Family>(outside: A) -> impl Fn(&BindEntry<A>) -> bool {
    // SAFETY: Asked of entries that were found by the key of a contact.
    move |entry| unsafe { Contact::of(entry) }.outside == outside
}

/// Does the binding have a flow to this address?
pub(super) fn exists<A: Family>(
    table: &Table<BindEntry<A>>,
    binding: &Binding<A>,
    remote: A,
    rcu: Rcu<'_>,
) -> bool {
    let found = table.find(&key(binding, remote), rcu, is_of(binding.outside().addr));
    found.is_some()
}

/// The binding of a flow from inside, if that wants to know its contacts, and the address.
fn wanted<A: Family>(flow: &Flow<A>) -> Option<(&Binding<A>, A)> {
    let binding = flow.binding()?;
    let asks = binding.owner().behavior.filtering == Filtering::AddressDependent;
    let outbound = flow.orig().half() == Half::Src;
    (asks && outbound).then(|| (&**binding, flow.tuple().dst_addr))
}

fn find<'a, A: Family>(
    locked: &'a One<'_, BindEntry<A>>,
    key: &BindKey<A>,
    outside: A,
    rcu: Rcu<'a>,
) -> Option<&'a Contact<A>> {
    let entry = locked.bucket.find(key, rcu, is_of(outside))?;
    // SAFETY: Found by the key of a contact.
    Some(unsafe { Contact::of(entry) })
}

/// A flow is about to be: it holds the contact of its binding, if that wants to know. Says whether
/// the contact is new.
pub(super) fn hold<A: Family>(
    table: &Table<BindEntry<A>>,
    flow: &Flow<A>,
    rcu: Rcu<'_>,
) -> Result<bool, Unmade> {
    let Some((binding, remote)) = wanted(flow) else {
        return Ok(false);
    };
    let (key, outside) = (key(binding, remote), binding.outside().addr);
    let fresh = Contact {
        entry: BindEntry::new(key),
        outside,
        holders: AtomicU32::new(1),
        rcu: Head::uninit(),
    };
    let fresh = KBox::new(fresh, GFP_ATOMIC | __GFP_NOWARN).map_err(|_| Unmade::Memory)?;
    let locked = table.lock(&key, rcu);
    if let Some(contact) = find(&locked, &key, outside, rcu) {
        contact.holders.fetch_add(1, Ordering::Relaxed);
        return Ok(false);
    }
    if locked.bucket.len() >= LONGEST {
        return Err(Unmade::Crowded);
    }
    // INVARIANT: From a box, with one holder.
    let fresh = KBox::into_raw(fresh);
    // SAFETY: The bucket is locked; `let_go` undoes it.
    unsafe { locked.bucket.link(&(*fresh).entry) };
    Ok(true)
}

/// A flow is no more: it lets its contact go. Says whether that was its last holder.
pub(super) fn let_go<A: Family>(table: &Table<BindEntry<A>>, flow: &Flow<A>, rcu: Rcu<'_>) -> bool {
    let Some((binding, remote)) = wanted(flow) else {
        return false;
    };
    let (key, outside) = (key(binding, remote), binding.outside().addr);
    let locked = table.lock(&key, rcu);
    let Some(contact) = find(&locked, &key, outside, rcu) else {
        return false;
    };
    let last = contact.holders.fetch_sub(1, Ordering::Relaxed) == 1;
    if last {
        // SAFETY: The bucket is locked, and nobody holds it any more; from a box by the invariant.
        // `Caches` waits for the callback.
        unsafe {
            locked.bucket.unlink(&contact.entry);
            rcu::free_later(&contact.rcu, free::<A>);
        }
    }
    last
}

/// # Safety
///
/// `head` is the `rcu` of a contact that nobody can reach any more.
unsafe extern "C" fn free<A: Family>(head: *mut callback_head) {
    let offset = core::mem::offset_of!(Contact<A>, rcu);
    let contact = head.cast::<u8>().wrapping_sub(offset).cast::<Contact<A>>();
    // SAFETY: The caller's promise; it came from a box.
    drop(unsafe { KBox::from_raw(contact) });
}

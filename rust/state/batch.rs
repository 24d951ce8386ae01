// SPDX-License-Identifier: GPL-2.0

//! Policies that are about to be added together.

use super::control::{Control, Refused};
use super::policy::{Entry, List};
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::Arc;

/// Policies that are about to be added together, and their ids.
pub(crate) struct Batch {
    ids: KVVec<u32>,
    entries: List,
    last_free: u32,
    last: u32,
}

impl Batch {
    /// None yet. All that follows is to happen without letting go of `control`.
    pub(crate) fn new(control: &Control) -> Self {
        Self {
            ids: KVVec::new(),
            entries: List::new(),
            last_free: control.last_policy(),
            last: control.last_policy(),
        }
    }

    /// The ids, in ascending order.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The policies, in the order in which they are asked.
    pub(super) fn entries(&self) -> &List {
        &self.entries
    }

    /// The id of the policy that came last.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    fn is_taken(&self, control: &Control, id: u32) -> bool {
        control.has_policy(id) || self.ids.binary_search(&id).is_ok()
    }

    /// Claims an id for one of the policies.
    pub(crate) fn claim(&mut self, control: &Control, id: u32) -> Result<(), Refused> {
        if self.is_taken(control, id) {
            return Err(Refused::Exists);
        }
        Ok(insert(&mut self.ids, id, |id| *id)?)
    }

    /// Claims an id that is free; to be called once the given ones are claimed.
    pub(crate) fn claim_free(&mut self, control: &Control) -> Result<u32, Refused> {
        // Each call goes on where the last one ended: ids that are taken are passed once in all.
        while {
            self.last_free = self.last_free.checked_add(1).unwrap_or(1);
            self.is_taken(control, self.last_free)
        } {}
        insert(&mut self.ids, self.last_free, |id| *id)?;
        Ok(self.last_free)
    }

    /// Adds a policy whose id has been claimed, and returns it.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<Arc<Entry>, AllocError> {
        self.last = entry.policy.id;
        let entry = Arc::new(entry, GFP_KERNEL)?;
        insert(&mut self.entries, entry.clone(), |entry| {
            entry.policy.rank()
        })?;
        Ok(entry)
    }
}

/// Inserts a value in the order of `key`. Cheap if that is the end; there are not many, and `core`'s
/// sort can panic.
fn insert<T, K: Ord>(
    list: &mut KVVec<T>,
    value: T,
    key: impl Fn(&T) -> K,
) -> Result<(), AllocError> {
    let place = list.partition_point(|other| key(other) <= key(&value));
    list.reserve(1, GFP_KERNEL)?;
    list.insert_within_capacity(place, value)
        .map_err(|_| AllocError)
}

/// Two lists as one, all in the order of `key`.
pub(super) fn merge<T: Clone, K: Ord>(
    a: &[T],
    b: &[T],
    key: impl Fn(&T) -> K,
) -> Result<KVVec<T>, AllocError> {
    let mut all = KVVec::with_capacity(a.len().saturating_add(b.len()), GFP_KERNEL)?;
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if key(y) < key(x) => b.next(),
            (None, _) => b.next(),
            _ => a.next(),
        };
        match next {
            Some(next) => all.push(next.clone(), GFP_KERNEL)?,
            None => return Ok(all),
        }
    }
}

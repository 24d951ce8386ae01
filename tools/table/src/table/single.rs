// SPDX-License-Identifier: GPL-2.0

//! Objects with one entry, as the ports of an address are.

use super::hash::{Entry, Link, Table};
use crate::model::alloc::{Alive, KBox, GFP_KERNEL};
use crate::model::{rcu, schedule};
use crate::nat::hash::Hashed;

/// The object.
pub(crate) struct Single<K> {
    link: Link<Single<K>>,
    key: K,
    alive: Alive,
}

// SAFETY: Always the same fields; `key` is never written.
unsafe impl<K: Copy + Eq + Hashed> Entry for Single<K> {
    type Key = K;

    fn link(&self) -> &Link<Self> {
        schedule::point();
        self.alive.check();
        &self.link
    }

    fn key(&self) -> &K {
        schedule::point();
        self.alive.check();
        &self.key
    }
}

/// Makes an object and links it.
pub(crate) fn insert<K: Copy + Eq + Hashed>(table: &Table<Single<K>>, key: K) {
    let single = Single {
        link: Link::new(),
        key,
        alive: Alive::new(),
    };
    let raw = KBox::into_raw(KBox::new(single, GFP_KERNEL).expect("memory"));
    rcu::read(|rcu| {
        let locked = table.lock(&key, rcu);
        // SAFETY: From a box just now; the bucket is locked; `remove` undoes it.
        unsafe { locked.bucket.link(&*raw) };
    });
    assert!(has(table, key), "not there after it was linked");
}

/// Unlinks an object and leaves its memory to RCU; false if it is not there.
pub(crate) fn remove<K: Copy + Eq + Hashed + 'static>(table: &Table<Single<K>>, key: K) -> bool {
    let removed = rcu::read(|rcu| {
        let locked = table.lock(&key, rcu);
        let object = table.find(&key, rcu, |_| true)?;
        // SAFETY: The bucket is locked.
        unsafe { locked.bucket.unlink(object) };
        Some(std::ptr::from_ref(object) as usize)
    });
    if let Some(raw) = removed {
        // SAFETY: From a box, in `insert`; unlinked just now, and readers have a grace period.
        rcu::free_later(move || drop(unsafe { KBox::from_raw(raw as *mut Single<K>) }));
    }
    removed.is_some()
}

/// Is it there?
pub(crate) fn has<K: Copy + Eq + Hashed>(table: &Table<Single<K>>, key: K) -> bool {
    rcu::read(|rcu| table.find(&key, rcu, |_| true).is_some())
}

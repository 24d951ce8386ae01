// SPDX-License-Identifier: GPL-2.0

//! Objects with two entries in one table, as flows and bindings are.

use super::hash::{Entry, Link, Shape, Table};
use crate::model::alloc::{Alive, KBox, GFP_KERNEL};
use crate::model::{rcu, schedule};
use crate::nat::hash::{folded, Hashed, Key};

/// A number, hashed like all keys.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Number(pub(crate) u64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        schedule::point();
        self.0 == other.0
    }
}

impl Eq for Number {}

impl Hashed for Number {
    fn hash(&self, key: &Key) -> u64 {
        schedule::point();
        folded(key, &[self.0])
    }
}

/// One of the two entries.
pub(crate) struct Side {
    link: Link<Side>,
    key: Number,
    alive: Alive,
}

// SAFETY: Always the same fields; `key` is never written.
unsafe impl Entry for Side {
    type Key = Number;

    fn link(&self) -> &Link<Self> {
        schedule::point();
        self.alive.check();
        &self.link
    }

    fn key(&self) -> &Number {
        schedule::point();
        self.alive.check();
        &self.key
    }
}

/// The object.
pub(crate) struct Pair([Side; 2]);

/// The number of the second entry of the object with this number.
pub(crate) fn second(number: u64) -> u64 {
    number | (1 << 63)
}

impl Pair {
    fn new(number: u64) -> KBox<Self> {
        let side = |number| Side {
            link: Link::new(),
            key: Number(number),
            alive: Alive::new(),
        };
        let pair = Self([side(number), side(second(number))]);
        KBox::new(pair, GFP_KERNEL).expect("memory")
    }
}

/// Makes an object and links it.
pub(crate) fn insert(table: &Table<Side>, number: u64) {
    let raw = KBox::into_raw(Pair::new(number));
    // SAFETY: From a box just now; `remove` frees it later.
    let Pair([a, b]) = unsafe { &*raw };
    rcu::read(|rcu| {
        let locked = table.lock_both(&a.key, &b.key, rcu);
        for key in [&a.key, &b.key] {
            let found = table.find(key, rcu, |_| true);
            assert!(found.is_none(), "{number} is there before it is linked");
        }
        // SAFETY: Both buckets are locked; `remove` undoes it.
        unsafe {
            locked.b.link(b);
            locked.a.link(a);
        }
    });
    assert!(
        has(table, number),
        "{number} is not there after it was linked"
    );
}

/// Unlinks an object, which is there, and leaves its memory to RCU.
pub(crate) fn remove(table: &Table<Side>, number: u64) {
    let raw = rcu::read(|rcu| {
        let (first, second) = (Number(number), Number(second(number)));
        let locked = table.lock_both(&first, &second, rcu);
        let [a, b] = [first, second].map(|key| {
            let found = table.find(&key, rcu, |_| true);
            found.unwrap_or_else(|| panic!("{number} is not there to be unlinked"))
        });
        // SAFETY: Both buckets are locked.
        unsafe {
            locked.a.unlink(a);
            locked.b.unlink(b);
        }
        // The first entry begins where the object does.
        std::ptr::from_ref(a) as usize
    });
    assert!(
        !has(table, number),
        "{number} is there after it was unlinked"
    );
    // SAFETY: From a box, in `insert`; unlinked just now, and readers have a grace period.
    rcu::free_later(move || drop(unsafe { KBox::from_raw(raw as *mut Pair) }));
}

/// Are both entries there?
pub(crate) fn has(table: &Table<Side>, number: u64) -> bool {
    has_key(table, number) && has_key(table, second(number))
}

/// Is the entry with this key there?
pub(crate) fn has_key(table: &Table<Side>, key: u64) -> bool {
    rcu::read(|rcu| {
        let found = table.find(&Number(key), rcu, |_| true);
        found.map(|side| assert_eq!(side.key().0, key)).is_some()
    })
}

/// How many entries there are by the lengths of the chains, which are all shorter than 9.
pub(crate) fn entries(shape: &Shape) -> usize {
    assert!(shape.longest <= 8 && !shape.resizing);
    let chains = shape.chains.iter().enumerate();
    chains.map(|(len, count)| len * *count as usize).sum()
}

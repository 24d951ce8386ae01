// SPDX-License-Identifier: GPL-2.0

//! Finding the policy for a packet without looking at all of them.
//!
//! Tuple-space search: policies that look at the same bits of a packet form a group, and each group
//! is a hash table over those bits. A port range is cut into aligned power-of-two blocks, of which
//! each looks at a number of leading bits of the port, so that it is an entry like any other.
//!
//! Groups are sorted by the best policy in them. A lookup probes one after the other and stops as
//! soon as no group that is left could do better: its cost grows with the number of different
//! masks, not of policies.
//!
//! [`plan`] finds the groups and says how much room they want, [`build`] fills it. Then nothing
//! changes any more until both are thrown away.

mod mask;

use super::addr::{Addr, V4};
use super::hash::Key;
use super::policy::{rank, Policy, Subject};
use core::mem::swap;
use core::num::NonZeroU32;
use mask::{entries, Fields, Mask};

/// The most groups there can be, and so the most probes of a lookup.
pub const MAX_GROUPS: usize = 256;

/// Why policies cannot be compiled.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum BuildError {
    /// They look at more different combinations of bits than there can be groups.
    TooManyMasks,
    /// The slots are too few, or the policies are not those of the plan.
    NoSpace,
}

/// How much room a classifier takes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Sizes {
    /// Groups.
    pub groups: usize,
    /// Slots.
    pub slots: usize,
}

/// The hash table of one mask.
///
/// # Invariants
///
/// `size` is 0 or a power of two, and above `entries`.
#[derive(Copy, Clone, Default)]
pub struct Group {
    mask: Mask,
    /// Lowest [`Policy::rank`] of its policies.
    best: u64,
    /// Entries, those counted that turn out to have equal keys.
    entries: usize,
    /// First slot.
    start: usize,
    /// Number of slots.
    size: usize,
}

/// An entry of a group, or room for one.
#[derive(Copy, Clone, Default)]
pub struct Slot<A> {
    fields: Fields<A>,
    entry: Option<Entry>,
}

// A cache line.
const _: () = assert!(size_of::<Slot<V4>>() == 64);

/// What of a slot is looked at first, in a fraction of the memory: 0 for one that is empty, else a
/// part of the hash. Packets that a group does not concern hardly ever look at its slots.
pub type Tag = u8;

#[inline]
fn tag(hash: u64) -> Tag {
    (hash >> 56) as Tag | 1
}

/// The policy of an entry.
#[derive(Copy, Clone)]
struct Entry {
    priority: u32,
    id: u32,
    /// One more than the index.
    number: NonZeroU32,
}

impl Entry {
    /// `None` if there is no number for the index.
    fn new<A>(policy: &Policy<A>, index: u32) -> Option<Self> {
        Some(Self {
            priority: policy.priority,
            id: policy.id,
            number: NonZeroU32::MIN.checked_add(index)?,
        })
    }

    #[inline]
    fn rank(&self) -> u64 {
        rank(self.priority, self.id)
    }
}

/// Finds the groups of `policies`, into the front of `groups`, and how many slots they want.
///
/// Fails if there are more groups than `groups` has room for, or than [`MAX_GROUPS`].
pub fn plan<'a, A: Addr + 'a>(
    policies: impl Iterator<Item = &'a Policy<A>>,
    groups: &mut [Group],
) -> Result<Sizes, BuildError> {
    let mut used = 0;
    for policy in policies {
        for (mask, _) in entries(policy) {
            count(groups, &mut used, mask, policy.rank())?;
        }
    }
    let groups = groups.get_mut(..used).unwrap_or_default();
    sort(groups);
    let slots = place(groups).ok_or(BuildError::NoSpace)?;
    Ok(Sizes {
        groups: used,
        slots,
    })
}

/// Counts an entry, in a new group if its mask is new.
fn count(groups: &mut [Group], used: &mut usize, mask: Mask, rank: u64) -> Result<(), BuildError> {
    let known = groups
        .iter_mut()
        .take(*used)
        .find(|group| group.mask == mask);
    if let Some(group) = known {
        group.best = group.best.min(rank);
        group.entries = group.entries.saturating_add(1);
        return Ok(());
    }
    let free = groups.iter_mut().take(MAX_GROUPS).nth(*used);
    *free.ok_or(BuildError::TooManyMasks)? = Group {
        mask,
        best: rank,
        entries: 1,
        ..Group::default()
    };
    *used = used.wrapping_add(1);
    Ok(())
}

/// Puts the groups with the best policies first. There are few, and `core`'s sort can panic and is
/// heavy on the stack.
fn sort(mut groups: &mut [Group]) {
    while let Some((first, rest)) = groups.split_first_mut() {
        if let Some(best) = rest.iter_mut().min_by_key(|group| group.best) {
            if best.best < first.best {
                swap(first, best);
            }
        }
        groups = rest;
    }
}

/// Gives each group its slots, at least twice its entries, and returns how many that takes.
fn place(groups: &mut [Group]) -> Option<usize> {
    let mut next: usize = 0;
    for group in groups {
        // INVARIANT: a power of two, and twice the entries is above the entries.
        group.size = group.entries.checked_mul(2)?.checked_next_power_of_two()?;
        group.start = next;
        next = next.checked_add(group.size)?;
    }
    Some(next)
}

/// Fills `slots` and their `tags`, which may hold anything, with the entries of `policies`, each with
/// the index that [`find`] is to return for it.
///
/// `groups` and the numbers of slots and of tags have to be what [`plan`] made of the same policies. Fails if an
/// entry finds no room there, or an index is `u32::MAX`.
pub fn build<'a, A: Addr + 'a>(
    policies: impl Iterator<Item = (u32, &'a Policy<A>)>,
    key: &Key,
    groups: &[Group],
    slots: &mut [Slot<A>],
    tags: &mut [Tag],
) -> Result<(), BuildError> {
    slots.fill(Slot::default());
    tags.fill(0);
    for (index, policy) in policies {
        let entry = Entry::new(policy, index).ok_or(BuildError::NoSpace)?;
        for (mask, fields) in entries(policy) {
            let group = groups.iter().find(|group| group.mask == mask);
            let group = group.ok_or(BuildError::NoSpace)?;
            let hash = fields.hash(key);
            let at = insert(group, hash, slots, fields, entry).ok_or(BuildError::NoSpace)?;
            *tags.get_mut(at).ok_or(BuildError::NoSpace)? = tag(hash);
        }
    }
    Ok(())
}

/// Stores an entry, and says where; of two with the same fields, only the better one stays.
fn insert<A: Addr>(
    group: &Group,
    hash: u64,
    slots: &mut [Slot<A>],
    fields: Fields<A>,
    entry: Entry,
) -> Option<usize> {
    let at = group.probes(hash).find(|at| {
        let there = slots.get(*at);
        there.is_some_and(|slot| slot.entry.is_none() || slot.fields == fields)
    })?;
    let slot = slots.get_mut(at)?;
    slot.fields = fields;
    slot.entry = match slot.entry {
        Some(other) if other.rank() <= entry.rank() => Some(other),
        _ => Some(entry),
    };
    Some(at)
}

/// Returns the index of the best policy that matches: the one with the lowest [`Policy::rank`].
///
/// `groups`, `slots` and `tags` are what [`build`] filled, with the same `key`.
pub fn find<A: Addr>(
    groups: &[Group],
    (slots, tags): (&[Slot<A>], &[Tag]),
    key: &Key,
    subject: &Subject<A>,
) -> Option<u32> {
    let mut best: Option<Entry> = None;
    for group in groups {
        if best.is_some_and(|best| best.rank() <= group.best) {
            break;
        }
        let found = group.lookup((slots, tags), key, subject);
        best = match (best, found) {
            (Some(a), Some(b)) if a.rank() <= b.rank() => Some(a),
            (best, found) => found.or(best),
        };
    }
    best.map(|entry| entry.number.get().wrapping_sub(1))
}

/// The indices of policies that match, at least the best of each group, up to those whose rank is
/// `before` or above. Groups, slots, tags and key as for [`find`].
pub fn find_all<'a, A: Addr>(
    groups: &'a [Group],
    (slots, tags): (&'a [Slot<A>], &'a [Tag]),
    key: &'a Key,
    subject: &'a Subject<A>,
    before: u64,
) -> impl Iterator<Item = u32> + 'a {
    let groups = groups.iter().take_while(move |group| group.best < before);
    let found = groups.filter_map(move |group| group.lookup((slots, tags), key, subject));
    let found = found.filter(move |entry| entry.rank() < before);
    found.map(|entry| entry.number.get().wrapping_sub(1))
}

impl Group {
    /// The entry for `subject`. Ends at the first empty slot, or after one round.
    #[inline]
    fn lookup<A: Addr>(
        &self,
        (slots, tags): (&[Slot<A>], &[Tag]),
        key: &Key,
        subject: &Subject<A>,
    ) -> Option<Entry> {
        let fields = self.mask.apply(subject);
        let hash = fields.hash(key);
        for at in self.probes(hash) {
            match *tags.get(at)? {
                0 => return None,
                other if other != tag(hash) => continue,
                _ => (),
            }
            let slot = slots.get(at)?;
            if slot.fields == fields {
                return slot.entry;
            }
        }
        None
    }

    /// The slots where an entry with this hash may be, in the order to look; each once.
    #[inline]
    fn probes(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (start, last) = (self.start, self.size.wrapping_sub(1));
        (0..self.size).map(move |step| {
            let offset = (hash as usize).wrapping_add(step) & last;
            start.wrapping_add(offset)
        })
    }
}

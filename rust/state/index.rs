// SPDX-License-Identifier: GPL-2.0

//! Policies by what they match, in memory of a node.

use super::policy::Unbuilt;
use crate::nat::addr::V4;
use crate::nat::classifier::{self, Group, Slot, Tag, MAX_GROUPS};
use crate::nat::hash::Key;
use crate::nat::policy::{Policy, Subject};
use crate::sys::memory::NodeArray;
use kernel::alloc::AllocError;
use kernel::prelude::*;

/// Finds policies by their places in the list that it was made of.
pub(super) struct Index {
    groups: NodeArray<Group>,
    slots: NodeArray<Slot<V4>>,
    tags: NodeArray<Tag>,
}

impl Index {
    /// Of a list of policies. Sleeps.
    pub(super) fn build<'a>(
        policies: impl Iterator<Item = &'a Policy<V4>> + Clone,
        key: &Key,
        node: i32,
    ) -> Result<Self, Unbuilt> {
        let mut groups = KVec::from_elem(Group::default(), MAX_GROUPS, GFP_KERNEL)?;
        let sizes = classifier::plan(policies.clone(), &mut groups)?;
        let groups = NodeArray::new(sizes.groups, node, groups.into_iter())?;
        let slots = core::iter::repeat(Slot::default());
        let mut slots = NodeArray::new(sizes.slots, node, slots)?;
        let tags = core::iter::repeat(Tag::default());
        let mut tags = NodeArray::new(sizes.slots, node, tags)?;
        let numbered = (0u32..).zip(policies);
        classifier::build(numbered, key, &groups, &mut slots, &mut tags)?;
        Ok(Self {
            groups,
            slots,
            tags,
        })
    }

    /// The same on another node. Sleeps.
    pub(super) fn copy(&self, node: i32) -> Result<Self, AllocError> {
        Ok(Self {
            groups: copy_of(&self.groups, node)?,
            slots: copy_of(&self.slots, node)?,
            tags: copy_of(&self.tags, node)?,
        })
    }

    /// The place of the policy that decides about a packet.
    #[inline]
    pub(super) fn find(&self, key: &Key, subject: &Subject<V4>) -> Option<usize> {
        let place = classifier::find(&self.groups, (&self.slots, &self.tags), key, subject)?;
        Some(place as usize)
    }

    /// The places of policies that match and are asked before `rank`: the best of each group.
    pub(super) fn find_all<'a>(
        &'a self,
        key: &'a Key,
        subject: &'a Subject<V4>,
        rank: u64,
    ) -> impl Iterator<Item = usize> + 'a {
        let slots: (&[_], &[_]) = (&self.slots, &self.tags);
        let places = classifier::find_all(&self.groups, slots, key, subject, rank);
        places.map(|place| place as usize)
    }
}

/// A copy in memory of a node. Sleeps.
pub(super) fn copy_of<T: Clone>(values: &[T], node: i32) -> Result<NodeArray<T>, AllocError> {
    NodeArray::new(values.len(), node, values.iter().cloned())
}

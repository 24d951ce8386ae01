// SPDX-License-Identifier: GPL-2.0

//! Which outside ports destination policies take.

use super::policy::{List, Unbuilt};
use crate::nat::addr::V4;
use crate::nat::iface::Interface;
use crate::nat::policy::{Match, Side};
use crate::nat::reserved::{self, Reserved, Scope, Taken};
use crate::nat::sort::{join, sort};
use crate::sys::memory::NodeArray;
use kernel::alloc::AllocError;
use kernel::prelude::*;

/// The ports that all destination policies take.
pub(super) struct ReservedPorts {
    all: NodeArray<Taken<V4>>,
    scopes: NodeArray<Scope>,
}

impl ReservedPorts {
    pub(super) fn build(list: &List, node: i32) -> Result<Self, Unbuilt> {
        let all = taken(list)?;
        let mut scopes = KVVec::<Scope>::new();
        for taken in &all {
            if scopes.last() != Some(&taken.scope()) {
                scopes.push(taken.scope(), GFP_KERNEL)?;
            }
        }
        Ok(Self {
            all: NodeArray::new(all.len(), node, all.iter().copied())?,
            scopes: NodeArray::new(scopes.len(), node, scopes.iter().copied())?,
        })
    }

    pub(super) fn copy(&self, node: i32) -> Result<Self, AllocError> {
        Ok(Self {
            all: NodeArray::new(self.all.len(), node, self.all.iter().copied())?,
            scopes: NodeArray::new(self.scopes.len(), node, self.scopes.iter().copied())?,
        })
    }

    /// Those of an address, for what comes in by an interface.
    #[inline]
    pub(super) fn of(&self, addr: V4, iface: &Interface, proto: u8) -> Reserved<'_, V4> {
        match self.scopes.is_empty() {
            true => Reserved::none(),
            false => Reserved::new((&self.all, &self.scopes), addr, iface, proto),
        }
    }
}

fn taken(list: &List) -> Result<KVVec<Taken<V4>>, AllocError> {
    let mut spared = KVVec::<Match<V4>>::new();
    let mut all = KVVec::new();
    for entry in list {
        let policy = &entry.policy;
        if policy.action.side() != Side::Destination {
            continue;
        }
        if entry.translates() {
            reserved::taken_by(policy, &spared, |taken| all.push(taken, GFP_KERNEL))?;
        } else if reserved::is_sparing(&policy.matches) && spared.len() < reserved::MOST_SPARED {
            spared.push(policy.matches, GFP_KERNEL)?;
        }
    }
    sort(&mut all, Taken::order);
    let count = join(&mut all, Taken::joined);
    all.truncate(count);
    Ok(all)
}

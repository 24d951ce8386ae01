// SPDX-License-Identifier: GPL-2.0

//! Which packets may be forwarded past the stack, as the packet path sees it.

use super::Net;
use crate::nat::addr::V4;
use crate::nat::iface::IfName;
use crate::nat::offload::Rules;
use crate::sys::rcu::{self, Rcu};
use crate::sys::route::Route;
use crate::table::flow::FlowEntry;
use crate::table::Owner;
use core::ops::Deref;
use kernel::prelude::*;

/// What the settings say about offload. It does not change; it is replaced as a whole.
pub(crate) struct OffloadRules(Rules);

impl Deref for OffloadRules {
    type Target = Rules;

    #[inline]
    fn deref(&self) -> &Rules {
        &self.0
    }
}

impl OffloadRules {
    /// Room for them is made before anything is changed.
    pub(crate) fn new(rules: Rules) -> Result<KBox<Self>> {
        Ok(KBox::new(Self(rules), GFP_KERNEL)?)
    }

    /// After how many packets of a direction those of the policy `owner` with the mark `mark`, from
    /// `input` to `output`, may be offloaded; `None` if they may not.
    #[inline]
    pub(crate) fn may(
        &self,
        owner: &Owner,
        mark: u32,
        input: &IfName,
        output: &IfName,
    ) -> Option<u8> {
        self.0.may(owner.offload, mark, input, output)
    }
}

impl Net {
    /// Would a packet of this direction be forwarded past the stack?
    pub(crate) fn is_offloaded(&self, entry: &FlowEntry<V4>, rcu: Rcu<'_>) -> bool {
        let route = entry.route().and_then(|id| self.routes.get(id, rcu));
        route.is_some_and(Route::is_valid)
    }

    /// What the settings say about offload now.
    pub(crate) fn offload_rules(&self) -> Rules {
        rcu::read(|rcu| {
            self.offload
                .get(rcu)
                .map_or_else(Rules::default, |rules| **rules)
        })
    }

    /// Has packets forwarded as `rules` say. When this returns, none is as the old ones said. Sleeps.
    pub(crate) fn set_offload(&self, rules: KBox<OffloadRules>) {
        drop(self.offload.replace(Some(rules)));
        self.offload_changed();
    }

    /// Other packets may be offloaded than before: forgets every route that was learned. No packet
    /// learns by the old rules any more. Sleeps.
    pub(crate) fn offload_changed(&self) {
        self.routes.forget();
    }
}

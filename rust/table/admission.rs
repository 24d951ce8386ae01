// SPDX-License-Identifier: GPL-2.0

//! Who asks before a flow is made, and hears when it has gone: the limits of its inside host, and
//! the contacts of its binding.

use super::binding::Binding;
use super::contact;
use super::flow::Flow;
use super::shard::{Shard, Unmade};
use super::subscriber::Subscribers;
use super::Family;
use crate::nat::rewrite::Half;
use crate::sys::rcu::Rcu;

impl<A: Family> Shard<A> {
    /// What stands in the table of bindings besides, in bindings: an entry is half of one.
    pub(crate) fn contacts(&self) -> u32 {
        self.contact_count.get().div_ceil(2)
    }

    /// Does a binding of this shard have a flow to this address? Known only if its policy asks.
    pub(crate) fn has_contact(&self, binding: &Binding<A>, remote: A, rcu: Rcu<'_>) -> bool {
        contact::exists(&self.bindings, binding, remote, rcu)
    }

    /// A flow is about to be: what its inside host may have, and its contact.
    pub(super) fn admit(&self, flow: &Flow<A>, rcu: Rcu<'_>) -> Result<(), Unmade> {
        let Some((subscribers, host)) = subscriber_of(flow) else {
            return self.hold_contact(flow, rcu);
        };
        subscribers.add(host, rcu).map_err(Unmade::Excess)?;
        let held = self.hold_contact(flow, rcu);
        held.inspect_err(|_| subscribers.sub(host, rcu))
    }

    /// Undoes it.
    pub(super) fn dismiss(&self, flow: &Flow<A>, rcu: Rcu<'_>) {
        self.let_contact_go(flow, rcu);
        if let Some((subscribers, host)) = subscriber_of(flow) {
            subscribers.sub(host, rcu);
        }
    }

    fn hold_contact(&self, flow: &Flow<A>, rcu: Rcu<'_>) -> Result<(), Unmade> {
        if contact::hold(&self.bindings, flow, rcu)? {
            self.contact_count.reserve().fill();
        }
        Ok(())
    }

    fn let_contact_go(&self, flow: &Flow<A>, rcu: Rcu<'_>) {
        if contact::let_go(&self.bindings, flow, rcu) {
            self.contact_count.sub();
        }
    }
}

/// The inside host of a flow from inside, if its policy limits those.
fn subscriber_of<A: Family>(flow: &Flow<A>) -> Option<(&Subscribers, A)> {
    let subscribers = flow.owner().subscribers.as_ref()?;
    let outbound = flow.orig().half() == Half::Src;
    outbound.then(|| (subscribers, flow.tuple().src_addr))
}

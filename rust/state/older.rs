// SPDX-License-Identifier: GPL-2.0

//! Flows that are older than policies that would have decided about their first packet.
//!
//! A flow remembers neither interfaces nor mark of its first packet. So a policy is taken to concern
//! it by addresses, protocol and ports; not if the policy of the flow names an interface at the
//! other end of its way.

use super::batch::Batch;
use super::control::Refused;
use super::index::Index;
use super::policy::{List, Unbuilt};
use super::Net;
use crate::nat::addr::V4;
use crate::nat::hash::Key;
use crate::nat::iface::{Interface, Interfaces};
use crate::nat::policy::{Policy, Side, Subject};
use crate::nat::rewrite::Half;
use crate::nat::tuple::Tuple;
use crate::sys::rcu::{self, Rcu};
use crate::table::flow::{Flow, Source};
use crate::table::shard::Shard;
use kernel::prelude::*;

/// The policies of one side, by what flows tell of their matches.
struct Rules {
    policies: KVVec<Policy<V4>>,
    index: Index,
}

impl Rules {
    fn build(list: &List, side: Side, key: &Key, node: i32) -> Result<Self, Unbuilt> {
        let mut policies = KVVec::new();
        let mut of_flows = KVVec::new();
        for entry in list.iter().filter(|one| one.policy.action.side() == side) {
            policies.push(entry.policy, GFP_KERNEL)?;
            let matches = entry.policy.matches.of_flows();
            let policy = Policy {
                matches,
                ..entry.policy
            };
            of_flows.push(policy, GFP_KERNEL)?;
        }
        let index = Index::build(of_flows.iter(), key, node)?;
        Ok(Self { policies, index })
    }
}

/// Policies that are about to be added. Of those that differ in interfaces and mark alone, the one
/// that is asked first stands for all.
pub(crate) struct Newcomers {
    key: Key,
    source: Rules,
    destination: Rules,
}

impl Newcomers {
    /// Those of a batch; none if there is no flow that they could concern. Sleeps.
    pub(crate) fn of(batch: &Batch, net: &Net) -> Result<Option<Self>, Refused> {
        if net.total(Shard::flow_count) == 0 {
            return Ok(None);
        }
        let node = net.nodes.ids().first().copied().unwrap_or(0);
        let key = Key(rcu::random64(), rcu::random64());
        let rules = |side| Rules::build(batch.entries(), side, &key, node);
        let (source, destination) = (rules(Side::Source)?, rules(Side::Destination)?);
        Ok(Some(Self {
            key,
            source,
            destination,
        }))
    }

    /// Would one of them decide about the first packet of a flow?
    pub(crate) fn concern(&self, net: &Net, flow: &Flow<V4>, rcu: Rcu<'_>) -> bool {
        let source = as_source_policies_saw_it(flow);
        source.is_some_and(|tuple| self.decide(Side::Source, tuple, net, flow, rcu))
            || self.decide(Side::Destination, flow.tuple(), net, flow, rcu)
                && was_asked_about(net, flow, rcu)
    }

    fn decide(
        &self,
        side: Side,
        tuple: &Tuple<V4>,
        net: &Net,
        flow: &Flow<V4>,
        rcu: Rcu<'_>,
    ) -> bool {
        let rules = match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
        };
        let subject = Subject {
            tuple: *tuple,
            in_iface: Interface::default(),
            out_iface: Interface::default(),
            mark: 0,
        };
        let place = rules.index.find(&self.key, &subject);
        let Some(policy) = place.and_then(|place| rules.policies.get(place)) else {
            return false;
        };
        let snapshot = net.snapshots.get(rcu).and_then(|all| all.of(0));
        // What matches a packet of which no interface is known asks for none.
        let decided = snapshot.is_some_and(|snapshot| {
            let mut earlier = snapshot.earlier(side, &subject, policy.rank());
            earlier.any(|other| other.matches.mark_mask == 0)
        });
        !decided && !is_of_another(policy, flow)
    }
}

/// Does the flow's own policy decide before `policy`, or about another way of packets?
fn is_of_another(policy: &Policy<V4>, flow: &Flow<V4>) -> bool {
    let (owner, matches) = (flow.owner(), &policy.matches);
    let side = match flow.orig().half() {
        Half::Src => Side::Source,
        Half::Dst => Side::Destination,
    };
    if side == policy.action.side() {
        return owner.rank <= policy.rank()
            || owner.in_iface.excludes(&matches.in_iface)
            || owner.outside_iface.excludes(&matches.out_iface);
    }
    // What leaves by an interface does not come in by it, and the other way round.
    let opposite = |a: &Interfaces, b| !a.is_any() && a.covers(b);
    opposite(&owner.in_iface, &matches.out_iface)
        || opposite(&owner.outside_iface, &matches.in_iface)
}

/// The first packet as source policies saw it, or would; none if they are asked for each packet.
fn as_source_policies_saw_it(flow: &Flow<V4>) -> Option<&Tuple<V4>> {
    match (flow.orig().half(), flow.source()) {
        (Half::Src, _) => Some(flow.tuple()),
        (Half::Dst, Source::Closed) => Some(flow.orig().to()),
        // Of packets of a hairpin, their flow for the source says all.
        (Half::Dst, Source::Open | Source::Ahead) => None,
    }
}

/// Did destination policies see the first packet as the flow has it?
fn was_asked_about(net: &Net, flow: &Flow<V4>, rcu: Rcu<'_>) -> bool {
    match flow.orig().half() {
        Half::Dst => true,
        // Packets of the host do not pass there, and those of a flow for their destination passed
        // as that has them.
        Half::Src => {
            let back = net.any_flow(&flow.tuple().reverse(), rcu);
            !flow.orig().is_local() && back.is_none_or(|entry| entry.half() != Half::Src)
        }
    }
}

impl Net {
    /// How many flows new policies concern, which go on as before. Process context.
    pub(crate) fn count_older(&self, new: &Newcomers) -> u32 {
        let mut count = 0u32;
        self.each_flow(|_, flow, rcu| {
            if new.concern(self, flow, rcu) {
                count = count.saturating_add(1);
            }
        });
        count
    }

    /// Ends those flows, and says how many. Process context.
    pub(crate) fn flush_older(&self, new: &Newcomers) -> u32 {
        self.flush(|flow| rcu::read(|rcu| new.concern(self, flow, rcu)))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Warnings of policies that are never asked, as one that is asked before matches all that they do.
//!
//! That several policies do so together is not noticed.

use crate::state::policy::{Entry, List};
use crate::state::Net;
use crate::sys::rcu;
use crate::sys::time;
use crate::sys::warning::Warnings;
use kernel::sync::Arc;

/// The most comparisons of old policies with new ones in a request: about a millisecond.
const MOST: usize = 1 << 18;

/// Of new policies, by looking up what they match.
pub(super) fn warn_of_new(warnings: &mut Warnings, net: &Net, added: &List) {
    for (index, entry) in added.iter().enumerate() {
        let policy = &entry.policy;
        let before = rcu::read(|rcu| net.snapshots.get(rcu)?.of(0)?.hides(policy));
        if let Some(before) = before {
            let id = policy.id;
            warnings.add(
                index,
                format_args!(
                    "policy {id}: is never asked, policy {before} matches all of it before"
                ),
            );
        }
        time::breathe(index);
    }
}

/// Of policies that are there already, by comparing them with the new ones, as far as it is bounded.
pub(super) fn warn_of_older(warnings: &mut Warnings, old: &List, added: &List) {
    let mut left = MOST;
    for (index, entry) in added.iter().enumerate() {
        let policy = &entry.policy;
        let after = old.partition_point(|other| other.policy.rank() < policy.rank());
        let after = old.get(after..).unwrap_or_default();
        let after = after.get(..left).unwrap_or(after);
        left = left.saturating_sub(after.len());
        let hides = |other: &&Arc<Entry>| {
            let other = &other.policy;
            other.action.side() == policy.action.side() && policy.matches.covers(&other.matches)
        };
        let mut hidden = after.iter().filter(hides);
        let Some(first) = hidden.next() else {
            continue;
        };
        let (id, first) = (policy.id, first.policy.id);
        match hidden.count() {
            0 => warnings.add(
                index,
                format_args!("policy {id}: policy {first} is never asked from now on"),
            ),
            more => warnings.add(
                index,
                format_args!(
                    "policy {id}: policy {first} and {more} others are never asked from now on"
                ),
            ),
        }
    }
}

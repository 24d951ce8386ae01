// SPDX-License-Identifier: GPL-2.0

//! The servers of a dnat policy that names several.

use crate::nat::addr::V4;
use crate::nat::balance::{at_random, of_client, Server};
use crate::nat::hash::Key;
use crate::sys::rcu;
use kernel::prelude::*;

/// How one of them is chosen.
pub(crate) enum Balance {
    /// By a hash of the source address.
    SourceHash(Key),
    /// At random.
    Random,
}

/// Servers. They do not change.
pub(crate) struct Servers {
    /// How one is chosen.
    pub(crate) balance: Balance,
    /// All of them.
    pub(crate) list: KVec<Server<V4>>,
}

impl Servers {
    /// The most servers of a policy: each is looked at for a new flow.
    pub(crate) const MOST: usize = 64;

    /// The one for a new flow of `client`.
    pub(crate) fn choose(&self, client: V4) -> Option<&Server<V4>> {
        match &self.balance {
            Balance::SourceHash(key) => of_client(&self.list, key, client),
            Balance::Random => at_random(&self.list, rcu::random()),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Lists of what the tables hold, at the pace of the reader.

use crate::nat::addr::V4;
use crate::state::Net;
use crate::sys::genl::Dump;
use crate::sys::rcu::{self, Rcu};
use crate::table::shard::Shard;

/// Where a walk is: the shard, the bucket, and how many of its entries have been sent.
const SHARD: usize = 0;
const BUCKET: usize = 1;
const SENT: usize = 2;

/// Walks over all buckets. `bucket` sends those entries of a bucket that it is not told to skip;
/// it answers how many it has got through, and whether that were all.
pub(super) fn buckets(
    net: &Net,
    dump: &mut Dump,
    bucket: impl Fn(&mut Dump, &Shard<V4>, usize, usize, Rcu<'_>) -> (usize, bool),
) {
    while let Some(shard) = net.shards.get(dump.cursor(SHARD)) {
        for index in dump.cursor(BUCKET)..shard.buckets() {
            let skip = dump.cursor(SENT);
            let (sent, complete) = rcu::read(|rcu| bucket(dump, shard, index, skip, rcu));
            if !complete {
                dump.set_cursor(BUCKET, index);
                dump.set_cursor(SENT, sent);
                return;
            }
            dump.set_cursor(SENT, 0);
        }
        let next = dump.cursor(SHARD).wrapping_add(1);
        dump.set_cursor(SHARD, next);
        dump.set_cursor(BUCKET, 0);
    }
}

/// Counts through the entries of a bucket on behalf of [`buckets`].
pub(super) struct Pace {
    skip: usize,
    sent: usize,
    complete: bool,
}

impl Pace {
    /// Skips so many.
    pub(super) fn new(skip: usize) -> Self {
        Self {
            skip,
            sent: 0,
            complete: true,
        }
    }

    /// Sends the next entry with `send`, which answers false when the packet is full.
    pub(super) fn next(&mut self, send: impl FnOnce() -> bool) {
        if !self.complete {
            return;
        }
        if self.sent >= self.skip {
            self.complete = send();
        }
        if self.complete {
            self.sent = self.sent.wrapping_add(1);
        }
    }

    /// What [`buckets`] asks for.
    pub(super) fn result(&self) -> (usize, bool) {
        (self.sent, self.complete)
    }
}

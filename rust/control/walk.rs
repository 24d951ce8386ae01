// SPDX-License-Identifier: GPL-2.0

//! Lists of what the tables hold, at the pace of the reader.

use crate::nat::addr::V4;
use crate::state::Net;
use crate::sys::genl::Dump;
use crate::sys::rcu::{self, Rcu};
use crate::table::hash::Cursor;
use crate::table::shard::Shard;

/// Where a walk is: the shard, the array of buckets, the bucket, and how many of its entries have
/// been sent.
const SHARD: usize = 0;
const ARRAY: usize = 1;
const BUCKET: usize = 2;
const SENT: usize = 3;

/// Walks over all buckets. `step` visits the next one and says whether there was one, and `pace`
/// sends those of its entries that have not been sent.
///
/// A table that is resized meanwhile is walked anew: the reader is told that the list is not of
/// one piece, and may get entries twice, but none is left out.
pub(super) fn buckets(
    net: &Net,
    dump: &mut Dump,
    step: impl Fn(&mut Dump, &Shard<V4>, &mut Cursor, &mut Pace, Rcu<'_>) -> bool,
) {
    dump.generation(net.arrays());
    while let Some(shard) = net.shards.get(dump.cursor(SHARD)) {
        loop {
            let begin = Cursor {
                array: dump.cursor(ARRAY) as u32,
                index: dump.cursor(BUCKET),
            };
            let (mut cursor, mut pace) = (begin, Pace::new(dump.cursor(SENT)));
            let mark = dump.mark();
            let more = rcu::read(|rcu| step(dump, shard, &mut cursor, &mut pace, rcu));
            if !more {
                break;
            }
            dump.set_cursor(ARRAY, cursor.array as usize);
            if !pace.complete {
                dump.set_cursor(BUCKET, cursor.index.wrapping_sub(1));
                // A bucket is best sent in one piece: what is removed from it between two packets
                // would make others be skipped.
                if pace.skip == 0 && mark != 0 {
                    dump.rewind(mark);
                    return;
                }
                dump.set_cursor(SENT, pace.sent);
                return;
            }
            dump.set_cursor(BUCKET, cursor.index);
            dump.set_cursor(SENT, 0);
        }
        let next = dump.cursor(SHARD).wrapping_add(1);
        dump.set_cursor(SHARD, next);
        dump.set_cursor(ARRAY, 0);
        dump.set_cursor(BUCKET, 0);
        dump.set_cursor(SENT, 0);
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
}

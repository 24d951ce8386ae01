// SPDX-License-Identifier: GPL-2.0

//! Idle expiry: a walk over the table of a node in bounded slices.

use super::settings::Settings;
use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::sys::work::Task;
use crate::sys::{rcu, time};
use crate::table::shard::Shard;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::sync::Arc;

/// Buckets looked at in one go.
const SLICE: usize = 4096;

/// The walk over one shard: one slice a tick, and a second of rest after the last.
pub(super) struct Sweep {
    pub(super) shard: Arc<Shard<V4>>,
    pub(super) settings: Arc<Settings>,
    pub(super) stats: Arc<Stats>,
    pub(super) next: AtomicUsize,
}

impl Sweep {
    fn bucket(&self, index: usize) {
        let now = time::now();
        rcu::read(|rcu| {
            self.shard.visit_flows(index, rcu, |flow| {
                let timeout = self.settings.timeout(flow.tuple().proto);
                if flow.idle(now) >= timeout && self.shard.remove_flow(flow) {
                    self.stats.inc(Counter::FlowsExpired);
                }
            });
        });
    }
}

impl Task for Sweep {
    fn run(&self) -> u32 {
        if self.shard.flow_count().get() == 0 {
            return time::hz();
        }
        let begin = self.next.load(Ordering::Relaxed);
        let end = begin.saturating_add(SLICE).min(self.shard.buckets());
        for index in begin..end {
            self.bucket(index);
        }
        if end < self.shard.buckets() {
            self.next.store(end, Ordering::Relaxed);
            return 1;
        }
        self.next.store(0, Ordering::Relaxed);
        time::hz()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The pools of a namespace that give out ports in blocks, for who takes blocks back.

use crate::nat::time::{Instant, Ticks};
use crate::sys::time;
use crate::table::blocks::PortBlocks;
use crate::table::usage::Usage;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::{new_mutex, Arc, Mutex};

/// Such pools.
#[pin_data]
pub(crate) struct BlockPools {
    #[pin]
    pools: Mutex<KVec<Arc<Usage>>>,
    looked: AtomicU32,
}

impl BlockPools {
    /// None. Sleeps.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let pools = pin_init!(Self {
            pools <- new_mutex!(KVec::new(), "fastnat_blocks"),
            looked: AtomicU32::new(time::now().0),
        });
        Arc::pin_init(pools, GFP_KERNEL)
    }

    /// A pool was made.
    pub(crate) fn add(&self, usage: &Arc<Usage>) -> Result<(), AllocError> {
        if usage.blocks.is_some() {
            self.pools.lock().push(usage.clone(), GFP_KERNEL)?;
        }
        Ok(())
    }

    /// A pool has gone, and nothing lives of it: what hosts still have is taken back.
    pub(crate) fn remove(&self, usage: &Arc<Usage>) {
        if let Some(blocks) = &usage.blocks {
            blocks.expire(Ticks::default());
        }
        self.pools.lock().retain(|other| !Arc::ptr_eq(other, usage));
    }

    /// Takes back what has been idle for as long as `rest`; false if some is given still. Looks
    /// once in a second at most, and in a sixteenth of that time. Sleeps.
    pub(crate) fn expire(&self, rest: Ticks) -> bool {
        let (now, last) = (time::now(), Instant(self.looked.load(Ordering::Relaxed)));
        let pause = Ticks(rest.0 / 16).max(time::seconds(1));
        let pools = self.pools.lock();
        let blocks = || pools.iter().filter_map(|usage| usage.blocks.as_ref());
        if now.since(last) >= pause {
            self.looked.store(now.0, Ordering::Relaxed);
            blocks().for_each(|blocks| blocks.expire(rest));
        }
        blocks().all(PortBlocks::is_unused)
    }
}

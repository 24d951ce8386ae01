// SPDX-License-Identifier: GPL-2.0

//! What is in use of a pool, whichever policies it was made for.

use super::blocks::PortBlocks;
use crate::nat::addr::{Addr, V4};
use crate::nat::tuple::Endpoint;
use core::sync::atomic::{AtomicU32, Ordering};

/// What is in use of a pool.
pub(crate) struct Usage {
    bindings: AtomicU32,
    /// Who has which ports, if hosts have blocks of them.
    pub(crate) blocks: Option<PortBlocks>,
    /// Do ports that fall free rest? Not where the host that had one is the only one to get it again.
    rests: bool,
}

impl Usage {
    /// Nothing is, with ports that are given to all hosts, to those of `blocks`, or to those that have them anyway.
    pub(crate) fn new(blocks: Option<PortBlocks>, rests: bool) -> Self {
        Self {
            bindings: AtomicU32::new(0),
            blocks,
            rests,
        }
    }

    /// Bindings alive.
    pub(crate) fn bindings(&self) -> u32 {
        self.bindings.load(Ordering::Relaxed)
    }

    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    pub(super) fn add(&self) {
        self.bindings.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sub(&self) {
        self.bindings.fetch_sub(1, Ordering::Relaxed);
    }

    /// An outside endpoint is free.
    pub(super) fn leave<A: Addr>(&self, outside: Endpoint<A>) {
        if let Some(blocks) = &self.blocks {
            let addr = V4::from_u128(outside.addr.to_u128());
            blocks.leave(addr, outside.port.to_host());
        }
    }
}

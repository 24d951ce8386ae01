// SPDX-License-Identifier: GPL-2.0

//! Neighbours that failed. While one has failed, routing may choose another next hop, and offloaded
//! flows have learned that. When it is back, they have to ask anew.

use super::Net;
use crate::nat::addr::{Addr, V4};
use core::sync::atomic::{AtomicU64, Ordering};

/// How many are remembered at most.
const SLOTS: usize = 256;

/// Those that failed last, by interface and address; 0 where there is none.
pub(crate) struct Failed([AtomicU64; SLOTS]);

impl Failed {
    pub(crate) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; SLOTS])
    }

    /// Takes note of what a neighbour is now. True if it had failed, and is back.
    fn is_back(&self, ifindex: u32, addr: V4, valid: bool) -> bool {
        let key = u64::from(ifindex) << 32 | u64::from(u32::from_be_bytes(addr.to_bytes()));
        let slot = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let Some(slot) = self.0.get(slot as usize % SLOTS) else {
            return false;
        };
        let order = Ordering::Relaxed;
        match valid {
            true => slot.compare_exchange(key, 0, order, order).is_ok(),
            false => {
                slot.store(key, order);
                false
            }
        }
    }
}

impl Net {
    /// A neighbour has changed; `valid` says whether packets for it can be sent. Any context.
    pub(crate) fn neighbour_event(&self, ifindex: u32, addr: V4, valid: bool) {
        if self.failed.is_back(ifindex, addr, valid) {
            self.routes.forget();
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Neighbours that failed. While one has failed, routing may choose another next hop, and offloaded
//! flows have learned that. When it is back, they have to ask anew.

use super::Net;
use crate::nat::addr::{Addr, V4};
use crate::sys::time;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many are remembered at most.
const SLOTS: usize = 256;

/// How often in a second routes are forgotten at most.
const OFTEN: u32 = 8;

/// Those that failed last, by interface and address; 0 where there is none.
pub(crate) struct FailedNeighbours {
    slots: [AtomicU64; SLOTS],
    /// When routes were forgotten last.
    forgot: AtomicU32,
}

impl FailedNeighbours {
    /// None has failed.
    pub(crate) fn new() -> Self {
        Self {
            slots: [const { AtomicU64::new(0) }; SLOTS],
            forgot: AtomicU32::new(time::now().0.wrapping_sub(time::hz())),
        }
    }

    /// May routes be forgotten now? A few times a second: whoever lets neighbours come and go has to leave the fast path to
    /// others.
    fn may_forget(&self) -> bool {
        let (now, last) = (time::now().0, self.forgot.load(Ordering::Relaxed));
        let order = Ordering::Relaxed;
        now.wrapping_sub(last) >= time::hz() / OFTEN
            && self
                .forgot
                .compare_exchange(last, now, order, order)
                .is_ok()
    }

    /// Takes note of what a neighbour is now. True if it had failed, and is back.
    fn is_back(&self, ifindex: u32, addr: V4, valid: bool) -> bool {
        let key = u64::from(ifindex) << 32 | u64::from(u32::from_be_bytes(addr.to_bytes()));
        let slot = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let Some(slot) = self.slots.get(slot as usize % SLOTS) else {
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
        if self.failed.is_back(ifindex, addr, valid) && self.failed.may_forget() {
            self.routes.forget();
        }
    }
}

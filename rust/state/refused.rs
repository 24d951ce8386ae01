// SPDX-License-Identifier: GPL-2.0

//! Which inside hosts were told lately that they were refused.
//!
//! The kernel limits ICMP errors by host, but asks for the route and looks the host up before. In a
//! flood of refusals that would cost more than refusing. So the same limit is asked here first, of
//! a few slots that hosts share.

use crate::nat::addr::{Addr, V4};
use crate::nat::hash::{folded, Key};
use crate::nat::rate::spaced;
use crate::nat::time::{Deadline, Ticks};
use crate::sys::{rcu, time};
use core::sync::atomic::{AtomicU32, Ordering};

/// A power of two.
const SLOTS: usize = 256;
/// Errors that one host may have at once, as in the kernel (`XRLIM_BURST_FACTOR`).
const AT_ONCE: u32 = 6;

/// Until when the hosts of each slot have used up what they may have.
pub(crate) struct Told {
    until: [AtomicU32; SLOTS],
    key: Key,
}

impl Told {
    /// Nobody was.
    pub(super) fn new() -> Self {
        let now = time::now().0;
        Self {
            until: core::array::from_fn(|_| AtomicU32::new(now)),
            key: Key(rcu::random64(), rcu::random64()),
        }
    }

    /// May `host` be told now, if errors to one host are to be `interval` apart? If so, it counts
    /// as told.
    pub(crate) fn may(&self, host: V4, interval: Ticks) -> bool {
        if interval == Ticks(0) {
            return true;
        }
        let index = folded(&self.key, &[host.to_u128() as u64]) as usize & (SLOTS - 1);
        let Some(slot) = self.until.get(index) else {
            return false;
        };
        let order = Ordering::Relaxed;
        let last = slot.load(order);
        let next = spaced(Deadline(last), interval, AT_ONCE, time::now());
        // Who is beaten by another CPU is one of many.
        next.is_some_and(|next| slot.compare_exchange(last, next.0, order, order).is_ok())
    }
}

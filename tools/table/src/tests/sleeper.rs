// SPDX-License-Identifier: GPL-2.0

//! What waits in a wheel.

use crate::model::alloc::Alive;
use crate::model::{schedule, time};
use crate::nat::time::{Deadline, Instant};
use crate::table::wheel::{Timed, Timer};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ticks of a grain.
pub(super) const GRAIN: u32 = 256;
/// Ticks of a turn.
pub(super) const TURN: u32 = 512 * GRAIN;

/// An object with a deadline, which can be brought forward.
pub(super) struct Sleeper {
    timer: Timer<Self>,
    deadline: AtomicU32,
    pub(super) index: usize,
    alive: Alive,
}

// SAFETY: Always the same field; the tests retire what they armed before RCU frees it.
unsafe impl Timed for Sleeper {
    fn timer(&self) -> &Timer<Self> {
        schedule::point();
        self.alive.check();
        &self.timer
    }
}

impl Sleeper {
    pub(super) fn new(index: usize, deadline: Deadline) -> Self {
        Self {
            timer: Timer::new(),
            deadline: AtomicU32::new(deadline.0),
            index,
            alive: Alive::new(),
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.alive.check();
        Deadline(self.deadline.load(Ordering::SeqCst))
    }

    /// Brings the deadline forward, never back; says to when.
    pub(super) fn bring_forward(&self, to: Deadline) -> Deadline {
        let now = time::now();
        let sooner = |old| Some(Deadline(old).sooner(to, now).0);
        let order = Ordering::SeqCst;
        let _ = self.deadline.fetch_update(order, order, sooner);
        self.deadline()
    }
}

/// Is the moment `a` not after `b`?
pub(super) fn not_after(a: u32, b: Instant) -> bool {
    Deadline(a).has_passed(b)
}

// SPDX-License-Identifier: GPL-2.0

//! Ports that nobody has any more, and that are not given out yet (RFC 6888 REQ-8).
//!
//! They stay taken. Two bitmaps are filled in turns, each for as long as a port rests; when one has
//! been full of ports that rest for so long, all of them are free at once. So a port rests for once to
//! twice the time, no timer runs, and nothing is kept for each.

use super::bits::{place, Bits};
use crate::nat::time::Ticks;
use crate::sys::time;
use core::sync::atomic::{AtomicU32, Ordering};

/// The ports of one protocol at one outside address that rest.
pub(super) struct Resting {
    turns: [Bits; 2],
    /// Which of them is filled, in its lowest bit.
    filled: AtomicU32,
    /// Since when.
    since: AtomicU32,
    ports: AtomicU32,
}

impl Resting {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            turns: [const { Bits::new() }; 2],
            filled: AtomicU32::new(0),
            since: AtomicU32::new(0),
            ports: AtomicU32::new(0),
        }
    }

    /// A port rests from now on; false if there is no memory for that.
    pub(super) fn put(&self, port: u16) -> bool {
        let filled = self.filled.load(Ordering::Acquire);
        let (word, bit) = place(port);
        let Some(word) = self
            .turn(filled)
            .and_then(Bits::get)
            .and_then(|bits| bits.get(word))
        else {
            return false;
        };
        if self.ports.fetch_add(1, Ordering::AcqRel) == 0 {
            self.since.store(time::now().0, Ordering::Release);
        }
        word.fetch_or(bit, Ordering::AcqRel);
        true
    }

    /// Wakes a port; false if it does not rest.
    pub(super) fn wake(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        let woken = self.turns.iter().any(|turn| {
            let word = turn.known().and_then(|bits| bits.get(word));
            word.is_some_and(|word| word.fetch_and(!bit, Ordering::AcqRel) & bit != 0)
        });
        if woken {
            self.ports.fetch_sub(1, Ordering::AcqRel);
        }
        woken
    }

    /// Wakes those that have rested for as long as `rest`: calls `free` with words of them, and where
    /// these lie. Not all that have, and none that has not, but in a race with [`Resting::put`].
    #[inline]
    pub(super) fn turn_over(&self, rest: Ticks, free: impl Fn(usize, u64)) {
        if self.ports.load(Ordering::Acquire) != 0 {
            self.turn_over_some(rest, free);
        }
    }

    #[cold]
    fn turn_over_some(&self, rest: Ticks, free: impl Fn(usize, u64)) {
        // In this order, so that the clock is not behind.
        let since = self.since.load(Ordering::Acquire);
        let now = time::now().0;
        let age = now.wrapping_sub(since);
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        if age < rest.0
            || self
                .since
                .compare_exchange(since, now, order.0, order.1)
                .is_err()
        {
            return;
        }
        let filled = self.filled.load(Ordering::Acquire);
        let other = filled ^ 1;
        self.empty(other, &free);
        self.filled.store(other, Ordering::Release);
        // What was put later would have turned them over.
        if age / 2 >= rest.0 {
            self.empty(filled, &free);
        }
    }

    fn turn(&self, turn: u32) -> Option<&Bits> {
        self.turns.get((turn & 1) as usize)
    }

    fn empty(&self, turn: u32, free: impl Fn(usize, u64)) {
        let Some(bits) = self.turn(turn).and_then(Bits::known) else {
            return;
        };
        for (index, word) in bits.iter().enumerate() {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let ports = word.swap(0, Ordering::AcqRel);
            self.ports.fetch_sub(ports.count_ones(), Ordering::AcqRel);
            free(index, ports);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Random numbers, fast and not good: each thread has its own.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0) | 1);
}

/// Makes what follows in this thread repeatable.
pub(crate) fn seed(seed: u64) {
    STATE.set(seed.wrapping_mul(2).wrapping_add(1));
}

/// The next state, and the random number that goes with it: splitmix64.
pub(crate) fn mix(state: u64) -> (u64, u64) {
    let sum = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mix = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (sum, mix ^ (mix >> 31))
}

/// A random number.
pub(crate) fn next() -> u64 {
    STATE.with(|state| {
        let (next, number) = mix(state.get());
        state.set(next);
        number
    })
}

/// A random number below `end`.
pub(crate) fn below(end: u64) -> u64 {
    next() % end
}

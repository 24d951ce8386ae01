// SPDX-License-Identifier: GPL-2.0

//! A rate that may be exceeded for as long as what was left before lasts: a token bucket.

use super::time::{Deadline, Instant, Ticks};

/// How much is left. A bucket holds what its rate lets through in a second.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Tokens {
    /// In fractions: as many to a token as there are ticks in a second.
    left: u64,
    /// When that was.
    at: Instant,
}

impl Tokens {
    /// A full bucket.
    pub fn full(rate: u32, hz: u32, now: Instant) -> Self {
        Self {
            left: Self::capacity(rate, hz),
            at: now,
        }
    }

    fn capacity(rate: u32, hz: u32) -> u64 {
        u64::from(rate).saturating_mul(hz.into())
    }

    /// Takes one, at `rate` a second; false if none is left.
    pub fn take(&mut self, rate: u32, hz: u32, now: Instant) -> bool {
        let passed = u64::from(now.since(self.at).0);
        let grown = passed.saturating_mul(rate.into());
        let left = self
            .left
            .saturating_add(grown)
            .min(Self::capacity(rate, hz));
        self.at = now;
        let rest = left.checked_sub(hz.into());
        self.left = rest.unwrap_or(left);
        rest.is_some()
    }
}

/// Takes one of what is `interval` apart in the long run, `at_once` together after a pause. `until`
/// is when all that was taken is made up for; what it is then comes back, `None` if it is too early.
pub fn spaced(until: Deadline, interval: Ticks, at_once: u32, now: Instant) -> Option<Deadline> {
    let most = Ticks(interval.0.saturating_mul(at_once).min(Ticks::MAX.0));
    // More than can be owed is a moment that is long past.
    let owed = match until.left(now) {
        owed if owed > most => Ticks(0),
        owed => owed,
    };
    let owed = Ticks(owed.0.saturating_add(interval.0));
    (owed <= most).then(|| now.plus(owed))
}

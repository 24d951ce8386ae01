// SPDX-License-Identifier: GPL-2.0

//! Moments and durations, which are not the same type.

/// A moment, in ticks of a clock that wraps around.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Instant(pub u32);

/// A duration, in ticks.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Default, Debug)]
pub struct Ticks(pub u32);

impl Instant {
    /// The time from `earlier` to this moment.
    ///
    /// More than half of what the clock can hold means that `earlier` is the later one, as when
    /// another CPU stamped it a moment ago: then it is 0.
    #[inline]
    pub const fn since(self, earlier: Instant) -> Ticks {
        match self.0.wrapping_sub(earlier.0) {
            ticks if ticks > Ticks::MAX.0 => Ticks(0),
            ticks => Ticks(ticks),
        }
    }
}

impl Ticks {
    /// The longest duration that [`Instant::since`] can tell from a step backwards.
    pub const MAX: Self = Self(u32::MAX / 2);

    /// `secs` seconds of a clock of `hz` ticks a second; [`Ticks::MAX`] less one if that is too
    /// long, so that it can be exceeded.
    #[inline]
    pub const fn from_secs(secs: u32, hz: u32) -> Self {
        let longest = Self::MAX.0.wrapping_sub(1);
        match secs.checked_mul(hz) {
            Some(ticks) if ticks <= longest => Self(ticks),
            _ => Self(longest),
        }
    }
}

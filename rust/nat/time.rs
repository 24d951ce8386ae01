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

/// The moment from which something has expired.
///
/// Not further from now than [`Ticks::MAX`], in either direction.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Deadline(pub u32);

impl Instant {
    /// The deadline that is so far from this moment.
    #[inline]
    pub const fn plus(self, duration: Ticks) -> Deadline {
        Deadline(self.0.wrapping_add(duration.0))
    }
}

impl Deadline {
    /// Whether it has passed.
    #[inline]
    pub const fn has_passed(self, now: Instant) -> bool {
        now.0.wrapping_sub(self.0) <= Ticks::MAX.0
    }

    /// The time until it passes; 0 when it has.
    #[inline]
    pub const fn left(self, now: Instant) -> Ticks {
        match self.has_passed(now) {
            true => Ticks(0),
            false => Ticks(self.0.wrapping_sub(now.0)),
        }
    }

    /// Whichever comes first, seen from `now`.
    #[inline]
    pub const fn sooner(self, other: Deadline, now: Instant) -> Deadline {
        match self.left(now).0 < other.left(now).0 {
            true => self,
            false => other,
        }
    }
}

/// Time in grains of a power of two of ticks, which a wheel counts in.
///
/// # Invariants
///
/// At most 16, so that a wheel of up to 65536 slots goes round without a seam when the clock wraps.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Grain(u32);

impl Grain {
    /// The finest grain of at least `ticks` ticks, up to 65536.
    pub const fn at_least(ticks: u32) -> Self {
        let mut shift: u32 = 0;
        while shift < 16 && 1 << shift < ticks {
            shift = shift.wrapping_add(1);
        }
        // INVARIANT: The loop ends at 16.
        Self(shift)
    }

    /// Ticks of a grain.
    #[inline]
    pub const fn ticks(self) -> u32 {
        1 << self.0
    }

    /// When the grain of a moment began.
    #[inline]
    pub const fn begin(self, at: Instant) -> Instant {
        Instant(at.0 & !self.ticks().wrapping_sub(1))
    }

    /// When the next grain begins, or after some more.
    #[inline]
    const fn later(self, at: Instant, grains: u32) -> Instant {
        Instant(self.begin(at).0.wrapping_add(grains << self.0))
    }

    /// The slot for the grain of a moment, in a wheel of `slots`, a power of two.
    #[inline]
    pub const fn slot(self, at: Instant, slots: u32) -> u32 {
        (at.0 >> self.0) & slots.wrapping_sub(1)
    }

    /// The first grain that begins when `deadline` has passed: the next one at the earliest, and
    /// before a wheel of `slots`, a power of two above 1, comes round to the one of `now`.
    pub const fn due(self, deadline: Deadline, now: Instant, slots: u32) -> Instant {
        let turn = slots.wrapping_sub(1) << self.0;
        let left = deadline.left(now).0;
        if left == 0 {
            return self.later(now, 1);
        }
        if left >= turn {
            return self.later(now, slots.wrapping_sub(1));
        }
        let last = now.0.wrapping_add(left).wrapping_sub(1);
        let due = self.later(Instant(last), 1);
        match self.begin(due).0 == self.later(now, slots).0 {
            true => self.later(now, slots.wrapping_sub(1)),
            false => due,
        }
    }

    /// The grain to see to after `done`: the next one, or if more than a turn of `slots` has passed
    /// since, the one that lets every slot have its turn; `None` if `done` is that of `now`. It is
    /// never later than `now`, so any distance is one of the past: a wheel may have slept for long.
    pub const fn next(self, done: Instant, now: Instant, slots: u32) -> Option<Instant> {
        let behind = self.begin(now).0.wrapping_sub(self.begin(done).0) >> self.0;
        if behind == 0 {
            None
        } else if behind > slots {
            Some(Instant(
                self.begin(now)
                    .0
                    .wrapping_sub(slots.wrapping_sub(1) << self.0),
            ))
        } else {
            Some(self.later(done, 1))
        }
    }
}

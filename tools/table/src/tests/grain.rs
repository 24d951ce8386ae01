// SPDX-License-Identifier: GPL-2.0

//! The arithmetic of deadlines and slots, on any input.

use crate::nat::time::{Deadline, Grain, Instant, Ticks};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::collections::HashSet;

/// Failures are printed, not kept in files.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

/// Ticks that are often near a seam: of the clock, of a grain, of a turn.
fn ticks() -> impl Strategy<Value = u32> {
    let near =
        |seam: u32| (0u32..2000).prop_map(move |off| seam.wrapping_add(off).wrapping_sub(1000));
    prop_oneof![
        any::<u32>(),
        near(0),
        near(1 << 31),
        (any::<u32>(), 8u32..20).prop_flat_map(move |(n, bits)| near(n >> bits << bits)),
        (0u32..32).prop_map(|bits| 1 << bits),
    ]
}

fn wheels() -> impl Strategy<Value = (Grain, u32)> {
    (0u32..17, 1u32..12).prop_map(|(grain, slots)| (Grain::at_least(1 << grain), 1 << slots))
}

/// From one grain to another, counted in grains.
fn grains(grain: Grain, from: Instant, to: Instant) -> u32 {
    let ticks = grain.begin(to).0.wrapping_sub(grain.begin(from).0);
    ticks / grain.ticks()
}

proptest! {
    #![proptest_config(cases(3000))]

    /// Due is the first grain that begins when the deadline has passed, or if that is a turn away
    /// the last one of this turn.
    #[test]
    fn due_is_within_the_turn_and_not_before_the_deadline(
        (grain, slots) in wheels(), now in ticks(), left in ticks(),
    ) {
        let (now, left) = (Instant(now), left & Ticks::MAX.0);
        let deadline = now.plus(Ticks(left));
        let due = grain.due(deadline, now, slots);
        prop_assert_eq!(due, grain.begin(due));
        let away = grains(grain, now, due);
        prop_assert!(away >= 1 && away < slots, "{} grains away", away);
        prop_assert_ne!(grain.slot(due, slots), grain.slot(now, slots));
        prop_assert!(deadline.has_passed(due) || away == slots - 1);
        // Not later than need be.
        let before = Instant(due.0.wrapping_sub(grain.ticks()));
        prop_assert!(away == 1 || !deadline.has_passed(before));
    }

    /// What has passed is due at once: in the next grain.
    #[test]
    fn the_past_is_due_next((grain, slots) in wheels(), now in ticks(), ago in ticks()) {
        let now = Instant(now);
        let deadline = Deadline(now.0.wrapping_sub(ago & Ticks::MAX.0));
        prop_assert_eq!(grains(grain, now, grain.due(deadline, now, slots)), 1);
    }

    /// Every slot that came by since has its turn, once, whether little time has passed or much.
    #[test]
    fn next_visits_every_slot_that_came_by(
        (grain, slots) in wheels(), begin in ticks(), passed in ticks(),
    ) {
        let now = Instant(begin.wrapping_add(passed));
        let (mut done, mut seen) = (Instant(begin), HashSet::new());
        let behind = grains(grain, done, now);
        while let Some(next) = grain.next(done, now, slots) {
            prop_assert_eq!(next, grain.begin(next));
            prop_assert!(seen.insert(grain.slot(next, slots)), "a slot twice in one go");
            done = next;
        }
        prop_assert_eq!(seen.len() as u32, behind.min(slots));
        prop_assert_eq!(grain.begin(done), grain.begin(now));
    }

    /// A deadline is passed from its moment on, and left and passed go together.
    #[test]
    fn left_is_the_time_until_it_has_passed(now in ticks(), left in ticks()) {
        let left = left & Ticks::MAX.0;
        let (now, deadline) = (Instant(now), Instant(now).plus(Ticks(left)));
        prop_assert_eq!(deadline.left(now), Ticks(left));
        prop_assert_eq!(deadline.has_passed(now), left == 0);
        prop_assert!(deadline.has_passed(Instant(now.0.wrapping_add(left))));
    }
}

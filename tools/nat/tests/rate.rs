// SPDX-License-Identifier: GPL-2.0

//! Token buckets.

use fastnat_nat::nat::rate::{spaced, Tokens};
use fastnat_nat::nat::time::{Deadline, Instant, Ticks};
use proptest::prelude::*;

mod common;
use common::cases;

const HZ: u32 = 250;

#[test]
fn a_second_may_go_at_once_and_then_one_after_another() {
    let begin = Instant(u32::MAX - 10);
    let mut tokens = Tokens::full(5, HZ, begin);
    let taken = (0..9).filter(|_| tokens.take(5, HZ, begin)).count();
    assert_eq!(taken, 5);
    let at = |ticks: u32| Instant(begin.0.wrapping_add(ticks));
    assert!(!tokens.take(5, HZ, at(49)));
    assert!(tokens.take(5, HZ, at(50)));
    assert!(!tokens.take(5, HZ, at(51)));
    let later = (0..9).filter(|_| tokens.take(5, HZ, at(100_000))).count();
    assert_eq!(later, 5);
}

#[test]
fn some_come_at_once_and_then_an_interval_apart() {
    let begin = Instant(u32::MAX - 700);
    let at = |ticks: u32| Instant(begin.0.wrapping_add(ticks));
    let mut until = Deadline(begin.0);
    let mut take = |ticks| {
        let next = spaced(until, Ticks(250), 6, at(ticks));
        until = next.unwrap_or(until);
        next.is_some()
    };
    assert_eq!((0..9).filter(|_| take(0)).count(), 6);
    assert!(!take(249));
    assert!(take(250));
    assert!(!take(499));
    assert_eq!((500..2000).filter(|ticks| take(*ticks)).count(), 6);
    assert_eq!((0..9).filter(|_| take(100_000)).count(), 6);
    // A slot that nobody has used for longer than the clock can tell.
    assert_eq!((0..9).filter(|_| take(u32::MAX / 2 + 200_000)).count(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(2048)))]

    /// Never more than the rate allows, and one second's worth besides.
    #[test]
    fn the_rate_is_kept(
        rate in 1..10_000u32,
        steps in proptest::collection::vec((0..500u32, 0..50u32), 1..50),
    ) {
        let mut now = Instant(7);
        let mut tokens = Tokens::full(rate, HZ, now);
        let (mut taken, mut ticks) = (0u64, 0u64);
        for (pause, wanted) in steps {
            now = Instant(now.0.wrapping_add(pause));
            ticks += u64::from(pause);
            taken += (0..wanted).filter(|_| tokens.take(rate, HZ, now)).count() as u64;
            let allowed = u64::from(rate) + ticks * u64::from(rate) / u64::from(HZ);
            prop_assert!(taken <= allowed, "{taken} of {allowed}");
        }
    }
}

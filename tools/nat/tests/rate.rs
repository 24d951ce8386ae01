// SPDX-License-Identifier: GPL-2.0

//! Token buckets.

use fastnat_nat::nat::rate::Tokens;
use fastnat_nat::nat::time::Instant;
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

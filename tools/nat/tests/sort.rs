// SPDX-License-Identifier: GPL-2.0

//! Sorting, beside that of the library.

use fastnat_nat::nat::sort::{join, sort};
use proptest::prelude::*;

mod common;
use common::cases;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1024)))]

    #[test]
    fn it_sorts(mut values in proptest::collection::vec(0u8..40, 0..200)) {
        let mut wanted = values.clone();
        wanted.sort_unstable();
        sort(&mut values, Ord::cmp);
        prop_assert_eq!(&values, &wanted);
        wanted.dedup();
        let count = join(&mut values, |one, other| (one == other).then_some(*one));
        prop_assert_eq!(&values[..count], &wanted[..]);
    }
}

#[test]
fn what_is_joined_may_change() {
    let mut spans = [(1, 3), (2, 2), (3, 7), (9, 9)];
    let overlapping = |one: &(u8, u8), other: &(u8, u8)| {
        (one.1 >= other.0).then_some((one.0, one.1.max(other.1)))
    };
    assert_eq!(join(&mut spans, overlapping), 2);
    assert_eq!(spans[..2], [(1, 7), (9, 9)]);
    assert_eq!(join(&mut [], overlapping), 0);
}

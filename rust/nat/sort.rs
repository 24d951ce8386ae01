// SPDX-License-Identifier: GPL-2.0

//! Sorting, without the panics of the library's.

use core::cmp::Ordering;

/// Puts values in order, by heapsort. Equal ones come in any order.
pub fn sort<T: Copy>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for root in (0..values.len() / 2).rev() {
        sink(values, root, values.len(), &compare);
    }
    for end in (1..values.len()).rev() {
        exchange(values, 0, end);
        sink(values, 0, end, &compare);
    }
}

/// Lets the value at `root` sink to where it is not below what lies under it, among the first `end`.
fn sink<T: Copy>(
    values: &mut [T],
    mut root: usize,
    end: usize,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    let below = |values: &[T], one: usize, other: usize| match (values.get(one), values.get(other))
    {
        (Some(one), Some(other)) => compare(one, other) == Ordering::Less,
        _ => false,
    };
    loop {
        let left = root.wrapping_mul(2).wrapping_add(1);
        let right = left.wrapping_add(1);
        let child = match right < end && below(values, left, right) {
            true => right,
            false => left,
        };
        if child >= end || !below(values, root, child) {
            return;
        }
        exchange(values, root, child);
        root = child;
    }
}

fn exchange<T: Copy>(values: &mut [T], one: usize, other: usize) {
    let (Some(first), Some(second)) = (values.get(one).copied(), values.get(other).copied()) else {
        return;
    };
    for (index, value) in [(one, second), (other, first)] {
        if let Some(place) = values.get_mut(index) {
            *place = value;
        }
    }
}

/// Leaves in front one of each of those that `join` makes one of, which follow each other, and says
/// how many are left.
pub fn join<T: Copy>(values: &mut [T], join: impl Fn(&T, &T) -> Option<T>) -> usize {
    let mut kept: usize = 0;
    for next in 0..values.len() {
        let Some(value) = values.get(next).copied() else {
            return kept;
        };
        let last = kept.checked_sub(1).and_then(|last| values.get_mut(last));
        if let Some(last) = last {
            if let Some(joined) = join(last, &value) {
                *last = joined;
                continue;
            }
        }
        if let Some(place) = values.get_mut(kept) {
            *place = value;
        }
        kept = kept.wrapping_add(1);
    }
    kept
}

// SPDX-License-Identifier: GPL-2.0

//! Which numbers are missing from a sequence that may be a little out of order.

/// How many events may overtake one that is not lost: CPUs send at the same time.
const PATIENCE: u32 = 128;

/// The numbers of the events of one group.
#[derive(Default)]
pub(crate) struct Sequence {
    newest: Option<u32>,
    missing: Vec<u32>,
}

impl Sequence {
    /// Takes note of the number of an event; how many before it are lost for certain.
    pub fn take(&mut self, number: u32) -> u32 {
        let newest = *self.newest.get_or_insert(number);
        let ahead = number.wrapping_sub(newest);
        if ahead == 0 || ahead > u32::MAX / 2 {
            self.missing.retain(|missing| *missing != number);
            return 0;
        }
        self.newest = Some(number);
        let gap = ahead - 1;
        if gap > PATIENCE {
            return gap + self.give_up();
        }
        let before = (1..=gap).rev().map(|back| number.wrapping_sub(back));
        self.missing.extend(before);
        let waited_for = self.missing.len();
        let patient = |missing: &u32| number.wrapping_sub(*missing) <= PATIENCE;
        self.missing.retain(patient);
        count(waited_for - self.missing.len())
    }

    /// Whether some that are missing may still come.
    pub fn is_waiting(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Waits no longer for those that are missing; how many these are.
    pub fn give_up(&mut self) -> u32 {
        count(std::mem::take(&mut self.missing).len())
    }
}

/// There are never more than `PATIENCE`.
fn count(missing: usize) -> u32 {
    u32::try_from(missing).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(numbers: impl IntoIterator<Item = u32>) -> (u32, Sequence) {
        let mut sequence = Sequence::default();
        let lost = numbers.into_iter().map(|number| sequence.take(number));
        (lost.sum(), sequence)
    }

    #[test]
    fn what_is_in_order_is_complete() {
        let (lost, mut sequence) = sequence(5..500);
        assert_eq!((lost, sequence.give_up()), (0, 0));
        let around = [u32::MAX - 1, u32::MAX, 0, 1];
        assert_eq!(self::sequence(around).1.give_up(), 0);
    }

    #[test]
    fn what_comes_late_is_not_lost() {
        let (lost, sequence) = sequence([5, 8, 7, 6, 9, 11, 10, 10]);
        assert_eq!(lost, 0);
        assert!(!sequence.is_waiting());
    }

    #[test]
    fn what_came_before_the_first_is_no_matter() {
        let (lost, sequence) = sequence([5, 3, 4, 6]);
        assert_eq!((lost, sequence.is_waiting()), (0, false));
    }

    #[test]
    fn what_does_not_come_is_lost_after_some_others() {
        let (lost, waiting) = sequence([5, 8, 9]);
        assert_eq!((lost, waiting.is_waiting()), (0, true));
        let (lost, done) = sequence([5].into_iter().chain(8..=7 + PATIENCE));
        assert_eq!((lost, done.missing.len()), (1, 1));
        let (lost, done) = sequence([5].into_iter().chain(8..=8 + PATIENCE));
        assert_eq!((lost, done.missing.len()), (2, 0));
    }

    #[test]
    fn many_are_lost_at_once() {
        let (lost, sequence) = sequence([1, 3, 1000]);
        assert_eq!((lost, sequence.is_waiting()), (1 + 996, false));
        assert_eq!(self::sequence([u32::MAX - 9, 990]).0, 999);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The ports of one protocol at one outside address: a bit for each.

use super::bits::{place, Bits};
use super::rest::Resting;
use crate::nat::ports::{self, Parity, PortRange};
use crate::nat::time::Ticks;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Which ports are taken.
pub(super) struct Bitmap {
    bits: Bits,
    resting: Resting,
    /// How often a port was freed.
    freed: AtomicU32,
    /// Ranges in which a search found nothing, with what `freed` was then: one of those that begin
    /// with a well-known port, and one of others.
    empty: [AtomicU64; 2],
}

/// A range, and the number of ports freed before it was searched. Never 0 for a range of ports.
fn search(range: PortRange, freed: u32) -> u64 {
    let ends = (u32::from(range.min()) << 16) | u32::from(range.max());
    (u64::from(ends) << 32) | u64::from(freed)
}

impl Bitmap {
    /// All ports are free; no memory yet.
    pub(super) const fn new() -> Self {
        Self {
            bits: Bits::new(),
            resting: Resting::new(),
            freed: AtomicU32::new(0),
            empty: [const { AtomicU64::new(0) }; 2],
        }
    }

    fn empty(&self, range: PortRange) -> &AtomicU64 {
        let [known, others] = &self.empty;
        match range.min() {
            0..1024 => known,
            _ => others,
        }
    }

    /// What [`Bitmap::pick`] wants to know of the past; `None` if no port of the range was free a
    /// moment ago, and none was freed since. So a flood does not search an exhausted range again
    /// and again.
    pub(super) fn begin(&self, range: PortRange) -> Option<u32> {
        let freed = self.freed.load(Ordering::Acquire);
        let known = self.empty(range).load(Ordering::Relaxed);
        (known != search(range, freed)).then_some(freed)
    }

    /// A free port; see [`ports::pick`]. `freed` is that of [`Bitmap::begin`].
    pub(super) fn pick(
        &self,
        (range, parity): (PortRange, Parity),
        (nodes, node): (usize, Option<usize>),
        start: u16,
        freed: u32,
    ) -> Option<u16> {
        let bits = self.bits.get()?;
        let word = |index: usize| {
            let word = bits.get(index);
            word.map_or(u64::MAX, |word| {
                word.load(Ordering::Relaxed) | parity.others()
            })
        };
        let port = ports::pick(word, range, nodes, node, start);
        if port.is_none() && node.is_none() && parity == Parity::Any {
            self.empty(range)
                .store(search(range, freed), Ordering::Relaxed);
        }
        port
    }

    /// Takes a port; false if it is taken, or there is no memory.
    pub(super) fn take(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        let word = self.bits.get().and_then(|bits| bits.get(word));
        word.is_some_and(|word| word.fetch_or(bit, Ordering::AcqRel) & bit == 0)
    }

    /// Takes a port that may still rest; false as of [`Bitmap::take`].
    pub(super) fn take_early(&self, port: u16) -> bool {
        self.resting.wake(port) || self.take(port)
    }

    /// Frees a port that was taken.
    pub(super) fn free(&self, port: u16) {
        let (word, bit) = place(port);
        self.free_some(word, bit);
    }

    /// A port that was taken is free again when it has rested for so long.
    pub(super) fn free_later(&self, port: u16, rest: Ticks) {
        self.freshen(rest);
        if rest == Ticks::default() || !self.resting.put(port) {
            self.free(port);
        }
    }

    /// Frees what has rested for so long.
    #[inline]
    pub(super) fn freshen(&self, rest: Ticks) {
        self.resting
            .turn_over(rest, |word, ports| self.free_some(word, ports));
    }

    fn free_some(&self, word: usize, ports: u64) {
        if let Some(word) = self.bits.known().and_then(|bits| bits.get(word)) {
            word.fetch_and(!ports, Ordering::AcqRel);
            self.freed.fetch_add(1, Ordering::AcqRel);
        }
    }
}

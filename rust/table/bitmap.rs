// SPDX-License-Identifier: GPL-2.0

//! The ports of one protocol at one outside address: a bit for each.

use super::bits::{place, Bits};
use super::rest::Resting;
use crate::nat::addr::Addr;
use crate::nat::ports::{self, Parity, PortRange};
use crate::nat::reserved::Reserved;
use crate::nat::time::Ticks;
use crate::sys::time;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// For how long at least a port is passed over at which a socket was met, in seconds; twice that at most.
const SOCKET_SECONDS: u32 = 1;

/// Which ports are taken.
pub(super) struct Bitmap {
    bits: Bits,
    resting: Resting,
    /// Ports at which searches have met sockets. They stay taken for a while, so that the next search
    /// does not ask about them again.
    sockets: Resting,
    /// How often a port was freed.
    freed: AtomicU32,
    /// Searches that found nothing, with what `freed` was then: in ranges that begin with a well-known
    /// port, and in others; of any or even ports, and of odd ones.
    empty: [AtomicU64; 4],
}

/// The ports that a search is about, and how many were freed before. Never 0 for a range of ports.
fn search(among: &Among, freed: u32) -> u64 {
    let (min, max) = (u64::from(among.range.min()), u64::from(among.range.max()));
    let freed = u64::from(freed) & 0x3f_ffff;
    let node = among.node.map_or(1, |node| (node as u64).wrapping_add(2));
    let parity = match among.parity {
        Parity::Any => 0,
        Parity::Even => 1,
        Parity::Odd => 2,
    };
    (min << 48) | (max << 32) | (freed << 10) | (parity << 8) | (node & 0xff)
}

/// The ports among which one is searched for.
pub(super) struct Among {
    /// What is allowed.
    pub(super) range: PortRange,
    /// Of that, what is as good as another.
    pub(super) parity: Parity,
    /// Into how many shares the ports are divided.
    pub(super) nodes: usize,
    /// The share to take from; any if `None`.
    pub(super) node: Option<usize>,
}

impl Bitmap {
    /// All ports are free; no memory yet.
    pub(super) const fn new() -> Self {
        Self {
            bits: Bits::new(),
            resting: Resting::new(),
            sockets: Resting::new(),
            freed: AtomicU32::new(0),
            empty: [const { AtomicU64::new(0) }; 4],
        }
    }

    fn empty(&self, among: &Among) -> &AtomicU64 {
        let [known, odd_known, others, odd_others] = &self.empty;
        match (among.range.min(), among.parity) {
            (0..1024, Parity::Odd) => odd_known,
            (0..1024, _) => known,
            (_, Parity::Odd) => odd_others,
            _ => others,
        }
    }

    /// What [`Bitmap::pick`] wants to know of the past; `None` if no port was free a moment ago, and none
    /// was freed since. So a flood does not search an exhausted range again and again.
    pub(super) fn begin(&self, among: &Among) -> Option<u32> {
        let freed = self.freed.load(Ordering::Acquire);
        let known = self.empty(among).load(Ordering::Relaxed);
        // No node has any, or this one has none.
        let all = Among {
            node: None,
            ..*among
        };
        (known != search(among, freed) && known != search(&all, freed)).then_some(freed)
    }

    /// A free port that is none of the `reserved`; see [`ports::pick`]. `freed` is that of
    /// [`Bitmap::begin`].
    pub(super) fn pick<A: Addr>(
        &self,
        among: &Among,
        reserved: &Reserved<'_, A>,
        start: u16,
        freed: u32,
    ) -> Option<u16> {
        let bits = self.bits.get()?;
        let word = |index: usize| {
            let word = bits.get(index);
            let taken = word.map_or(u64::MAX, |word| {
                word.load(Ordering::Relaxed) | among.parity.others()
            });
            match reserved.is_empty() || taken == u64::MAX {
                true => taken,
                false => taken | reserved.word(index),
            }
        };
        let port = ports::pick(word, among.range, among.nodes, among.node, start);
        if port.is_none() && reserved.is_empty() {
            self.empty(among)
                .store(search(among, freed), Ordering::Relaxed);
        }
        port
    }

    /// Takes a port; false if it is taken, or there is no memory.
    pub(super) fn take(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        let word = self.bits.get().and_then(|bits| bits.get(word));
        word.is_some_and(|word| word.fetch_or(bit, Ordering::AcqRel) & bit == 0)
    }

    /// Takes a port at which a search may have met a socket; false as of [`Bitmap::take`].
    pub(super) fn take_anew(&self, port: u16) -> bool {
        self.sockets.wake(port) || self.take(port)
    }

    /// Takes a port that may still rest; false as of [`Bitmap::take_anew`].
    pub(super) fn take_early(&self, port: u16) -> bool {
        self.resting.wake(port) || self.take_anew(port)
    }

    /// A port that was taken has a socket: it is passed over for a while. False if there is no memory to
    /// remember that; then it is free.
    pub(super) fn pass_over(&self, port: u16) -> bool {
        let kept = self.sockets.put(port);
        if !kept {
            self.free(port);
        }
        kept
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

    /// Frees what has rested for so long, and what was passed over for long enough.
    #[inline]
    pub(super) fn freshen(&self, rest: Ticks) {
        let free = |word, ports| self.free_some(word, ports);
        self.resting.turn_over(rest, free);
        self.sockets.turn_over(time::seconds(SOCKET_SECONDS), free);
    }

    fn free_some(&self, word: usize, ports: u64) {
        if let Some(word) = self.bits.known().and_then(|bits| bits.get(word)) {
            word.fetch_and(!ports, Ordering::AcqRel);
            self.freed.fetch_add(1, Ordering::AcqRel);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The counters that the compiler lays down, one a place of the program.

use std::sync::Mutex;

/// Where counters are, by crate: first and behind the last.
static REGIONS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called for each part of the program before `main`.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let mut regions = REGIONS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let region = (start as usize, stop as usize);
    if start != stop && !regions.contains(&region) {
        regions.push(region);
    }
}

/// What was reached so far.
pub struct Coverage {
    counters: Vec<&'static mut [u8]>,
    /// For each counter, the orders of magnitude that it has had.
    seen: Vec<u8>,
}

impl Coverage {
    /// Nothing yet. Once in a process.
    pub fn new() -> Self {
        let mut regions = REGIONS
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let counters: Vec<_> = regions
            .drain(..)
            .map(|(start, stop)| {
                // SAFETY: The compiler's own, for as long as the program runs. Nothing else here
                // refers to them; the program adds to them only while a target runs, on this very
                // thread, between calls of ours that look.
                unsafe { std::slice::from_raw_parts_mut(start as *mut u8, stop - start) }
            })
            .collect();
        let len = counters.iter().map(|region| region.len()).sum();
        assert!(len > 0, "built without counters: use tools/fuzz/run");
        Self {
            counters,
            seen: vec![0; len],
        }
    }

    /// Forgets the last run.
    pub fn reset(&mut self) {
        for region in &mut self.counters {
            region.fill(0);
        }
    }

    /// How much the last run reached that none before did.
    pub fn collect(&mut self) -> usize {
        let counters = self.counters.iter().flat_map(|region| region.iter());
        let mut new = 0;
        for (seen, counter) in self.seen.iter_mut().zip(counters) {
            let magnitude = match counter {
                0 => continue,
                1 => 1,
                2..4 => 2,
                4..8 => 4,
                8..16 => 8,
                16..32 => 16,
                32..128 => 32,
                _ => 64,
            };
            if *seen & magnitude == 0 {
                *seen |= magnitude;
                new += 1;
            }
        }
        new
    }

    /// Places that were reached.
    pub fn edges(&self) -> usize {
        self.seen.iter().filter(|seen| **seen != 0).count()
    }

    /// Places that there are.
    pub fn len(&self) -> usize {
        self.seen.len()
    }
}

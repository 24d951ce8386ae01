// SPDX-License-Identifier: GPL-2.0

//! New inputs out of old ones.

/// Numbers that look random (xorshift).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }
}

/// Bytes that headers are made of.
const TELLING: [u8; 16] = [
    0, 1, 3, 4, 5, 6, 8, 11, 17, 20, 0x40, 0x45, 0x46, 0x50, 0x60, 0xff,
];

/// One of the old ones, altered in some places.
pub fn child(random: &mut Random, old: &[Vec<u8>], longest: usize) -> Vec<u8> {
    let mut bytes = old[random.below(old.len())].clone();
    for _ in 0..1 + random.below(6) {
        alter(random, &mut bytes, old);
    }
    bytes.truncate(longest);
    bytes
}

fn alter(random: &mut Random, bytes: &mut Vec<u8>, old: &[Vec<u8>]) {
    let at = random.below(bytes.len() + 1);
    let count = 1 + random.below(8);
    match (random.below(10), bytes.get_mut(at)) {
        (0, _) => drop(bytes.splice(at..at, (0..count).map(|_| random.next() as u8))),
        (1, _) => drop(bytes.drain(at..(at + count).min(bytes.len()))),
        (2, _) => {
            let other = &old[random.below(old.len())];
            let from = random.below(other.len() + 1);
            let to = (from + random.below(64)).min(other.len());
            drop(bytes.splice(
                at..(at + to - from).min(bytes.len()),
                other[from..to].iter().copied(),
            ));
        }
        (3, _) => {
            let piece = bytes[at..(at + 4 * count).min(bytes.len())].to_vec();
            let to = random.below(bytes.len() + 1);
            drop(bytes.splice(to..to, piece));
        }
        (4, _) => bytes.truncate(at),
        (5 | 6, Some(byte)) => *byte = TELLING[random.below(TELLING.len())],
        (7, Some(byte)) => *byte ^= 1 << random.below(8),
        (8, Some(byte)) => *byte = byte.wrapping_add(random.next() as u8 & 15).wrapping_sub(8),
        (_, Some(byte)) => *byte = random.next() as u8,
        (_, None) => bytes.extend((0..8 * count).map(|_| random.next() as u8)),
    }
}

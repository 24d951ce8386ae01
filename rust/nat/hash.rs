// SPDX-License-Identifier: GPL-2.0

//! Keyed hashing, so that nobody outside can aim packets at one bucket.
//!
//! Tuples, which every packet looks up, are hashed by folded multiplication under a random key: a
//! tenth of the instructions of SipHash. Who could see the hashes could find collisions; nobody
//! does, and a table with a chain that is too long gets another key (`table::keeper`). Everything
//! else is hashed by SipHash-1-3.

use super::addr::{Addr, V4};
use super::tuple::{BindKey, Tuple};

/// A secret, random key.
#[derive(Copy, Clone)]
pub struct Key(pub u64, pub u64);

/// What tables are indexed by.
pub trait Hashed {
    /// Hashes all of the value under `key`.
    fn hash(&self, key: &Key) -> u64;
}

/// Addresses whose keys can be hashed: how the keys are laid out in words.
pub trait Words: Addr {
    /// The words of a [`Tuple`].
    type Tuple: AsRef<[u64]> + PartialEq;
    /// The words of a [`BindKey`].
    type BindKey: AsRef<[u64]>;
    /// All that tells one tuple from another.
    fn tuple(tuple: &Tuple<Self>) -> Self::Tuple;
    /// All that tells one binding key from another.
    fn bind_key(key: &BindKey<Self>) -> Self::BindKey;
}

impl Words for V4 {
    type Tuple = [u64; 2];
    type BindKey = [u64; 1];

    #[inline(always)]
    fn tuple(tuple: &Tuple<Self>) -> [u64; 2] {
        tuple.words()
    }

    #[inline(always)]
    fn bind_key(key: &BindKey<Self>) -> [u64; 1] {
        key.words()
    }
}

impl<A: Words> Hashed for Tuple<A> {
    #[inline(always)]
    fn hash(&self, key: &Key) -> u64 {
        folded(key, A::tuple(self).as_ref())
    }
}

impl<A: Words> Hashed for BindKey<A> {
    #[inline(always)]
    fn hash(&self, key: &Key) -> u64 {
        folded(key, A::bind_key(self).as_ref())
    }
}

/// Folded multiplication: each pair of words, masked by the key, gives a product of 128 bits, whose
/// halves are combined; so does the result and the key once more, that all bits count everywhere.
#[inline(always)]
pub fn folded(key: &Key, words: &[u64]) -> u64 {
    let product = words.chunks(2).fold(key.0, |sum, pair| match *pair {
        [a, b] => fold(sum ^ a, key.1 ^ b),
        [a] => fold(sum ^ a, key.1),
        _ => sum,
    });
    fold(product ^ key.1, key.0 | 1)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    (product >> 64) as u64 ^ product as u64
}

/// The four words of SipHash's state.
struct State(u64, u64, u64, u64);

impl State {
    #[inline]
    fn round(&mut self) {
        self.0 = self.0.wrapping_add(self.1);
        self.2 = self.2.wrapping_add(self.3);
        self.1 = self.1.rotate_left(13) ^ self.0;
        self.3 = self.3.rotate_left(16) ^ self.2;
        self.0 = self.0.rotate_left(32);
        self.2 = self.2.wrapping_add(self.1);
        self.0 = self.0.wrapping_add(self.3);
        self.1 = self.1.rotate_left(17) ^ self.2;
        self.3 = self.3.rotate_left(21) ^ self.0;
        self.2 = self.2.rotate_left(32);
    }

    #[inline]
    fn absorb(&mut self, word: u64) {
        self.3 ^= word;
        self.round();
        self.0 ^= word;
    }
}

/// SipHash-1-3 of the little-endian bytes of `words`.
#[inline]
pub fn siphash13(key: &Key, words: &[u64]) -> u64 {
    let mut state = State(
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    );
    for word in words {
        state.absorb(*word);
    }
    // The last block is the length in bytes, modulo 256, in the top byte; no byte of a word is left
    // over.
    state.absorb((words.len() as u64).wrapping_shl(59));
    state.2 ^= 0xff;
    state.round();
    state.round();
    state.round();
    state.0 ^ state.1 ^ state.2 ^ state.3
}

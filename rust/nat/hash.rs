// SPDX-License-Identifier: GPL-2.0

//! Keyed hashing, so that nobody outside can aim packets at one bucket.
//!
//! Folded multiplication under a random key: a tenth of the instructions of SipHash. Who could see
//! the hashes could find collisions; nobody does, and a table with a chain that is too long gets
//! another key (`table::keeper`).

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
    type BindKey: AsRef<[u64]> + PartialEq;
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

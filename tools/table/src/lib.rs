// SPDX-License-Identifier: GPL-2.0

//! Userspace build of `rust/table/{hash,array,wheel}.rs`, unchanged, on a model of what they need
//! of the kernel: threads for CPUs. There is nothing here but tests.

#![cfg(test)]

// What the files call `kernel` and `crate` is this crate.
extern crate self as kernel;
use fastnat_nat::nat;

mod model;
mod prelude;
mod sys;
mod table;
mod tests;

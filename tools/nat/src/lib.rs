// SPDX-License-Identifier: GPL-2.0

//! Userspace build of `rust/nat`. The tests are in `tests`.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![deny(clippy::arithmetic_side_effects)]

#[path = "../../../rust/nat/mod.rs"]
pub mod nat;

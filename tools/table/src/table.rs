// SPDX-License-Identifier: GPL-2.0

//! The files that are tested, and what only their siblings may do.

#![allow(dead_code, unused_qualifications)] // seen alone

#[path = "../../../rust/table/array.rs"]
mod array;
#[path = "../../../rust/table/hash.rs"]
pub(crate) mod hash;
pub(crate) mod pair;
pub(crate) mod single;
#[path = "../../../rust/table/wheel.rs"]
pub(crate) mod wheel;

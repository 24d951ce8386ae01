// SPDX-License-Identifier: GPL-2.0

//! What holds for `rust/nat` whatever the input. Each target takes bytes and panics if it does not
//! hold. The fuzzer (`engine`) looks for such bytes; `tests` replays those that it has found worth
//! keeping. The tests of `tools/nat` use the models as well.

#![allow(clippy::unwrap_used)] // A panic is what the targets are about.

mod input;
mod lro;
mod parse;
pub mod policies;
pub mod ports;
mod rewrite;
pub mod sums;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, with their names.
pub const TARGETS: [(&str, Target); 5] = [
    ("parse", parse::run),
    ("rewrite", rewrite::run),
    ("ports", ports::run),
    ("policies", policies::run),
    ("lro", lro::run),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.map(|(_, target)| *target)
}

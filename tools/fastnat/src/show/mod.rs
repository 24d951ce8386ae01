// SPDX-License-Identifier: GPL-2.0

//! The results of the commands as text.

mod config;
mod flow;
mod policy;
mod pool;
mod stats;

pub use config::Config;
pub use flow::{Bindings, Flow, Flows, Flushed};
pub use policy::{Added, Policies};
pub use pool::Pools;
pub use stats::Stats;

/// A value, or nothing.
fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The titles of a table, as its first row.
fn titles(titles: &[&str]) -> Vec<Vec<String>> {
    vec![titles.iter().map(|&title| title.into()).collect()]
}

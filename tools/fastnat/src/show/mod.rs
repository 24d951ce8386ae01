// SPDX-License-Identifier: GPL-2.0

//! The results of the commands as text.

mod binding;
mod config;
mod event;
mod flow;
mod lro;
mod policy;
mod pool;
mod size;
mod stats;
mod table;
mod target;

use std::net::Ipv4Addr;

use fastnat_netlink::Proto;

pub use binding::{BindingAdded, Bindings};
pub use config::Config;
pub use event::{Line, Mark, What};
pub use flow::{Flow, Flows, Flushed};
pub use lro::{Aggregation, Lros};
pub use policy::{Added, Loaded, Policies};
pub use pool::{Blocks, Pools, Shares};
pub use size::Size;
pub use stats::Stats;
pub use table::Tables;

/// A value, or nothing.
fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The titles of a table, as its first row.
fn titles(titles: &[&str]) -> Vec<Vec<String>> {
    vec![titles.iter().map(|&title| title.into()).collect()]
}

/// An address with its port; with its query identifier in ICMP, where 0 says there is none.
fn endpoint(proto: Option<Proto>, addr: Option<Ipv4Addr>, port: Option<u16>) -> String {
    match port {
        Some(0) if proto == Some(Proto::ICMP) => or_empty(addr),
        Some(port) => format!("{}:{port}", or_empty(addr)),
        None => or_empty(addr),
    }
}

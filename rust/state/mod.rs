// SPDX-License-Identifier: GPL-2.0

//! The state of a network namespace: where the packet path and the control path meet.

mod all;
pub(crate) mod batch;
pub(crate) mod blocks;
pub(crate) mod control;
pub(crate) mod defaults;
pub(crate) mod describe;
mod early;
pub(crate) mod events;
pub(crate) mod held;
mod index;
mod keeper;
mod lookup;
pub(crate) mod lro;
mod neighbours;
mod net;
pub(crate) mod offload;
pub(crate) mod older;
mod orphans;
mod outside;
pub(crate) mod policy;
pub(crate) mod pool;
mod refused;
mod reserved;
pub(crate) mod servers;
pub(crate) mod settings;
pub(crate) mod stats;
mod uplink;

pub(crate) use net::Net;

// SPDX-License-Identifier: GPL-2.0

//! fastnat: network address translation ahead of connection tracking.
//!
//! This file is the table of contents; start reading at `datapath`.

use kernel::prelude::*;

mod control;
mod datapath;
/// Public: in userspace the same files are a crate of their own.
pub mod nat;
mod state;
mod sys;
mod table;

module! {
    type: Fastnat,
    name: "fastnat",
    authors: ["The fastnat authors"],
    description: "Network address translation ahead of connection tracking",
    license: "GPL",
    params: {
        max_flows: u32 {
            default: 0,
            description: "Default limit of flows per network namespace (0: from memory)",
        },
        max_bindings: u32 {
            default: 0,
            description: "Default limit of bindings per network namespace (0: as max_flows)",
        },
        buckets: u32 {
            default: 0,
            description: "Hash buckets of each table of a NUMA node (0: as many as the entries need)",
        },
    },
}

/// The loaded module. Dropping it runs the teardown in the order of the fields.
struct Fastnat {
    /// 1. No more requests: waits for those that run.
    _netlink: sys::genl::Family,
    /// 2. No more calls from address changes.
    _addresses: sys::dev::AddressNotifier,
    /// 3. No more calls from changes of neighbours.
    _neighbours: sys::neighbour::NeighbourNotifier,
    /// 4. No more calls from devices.
    _devices: sys::ingress::DeviceNotifier,
    /// 5. Every namespace: hooks off, grace period, work cancelled, tables emptied.
    _namespaces: sys::pernet::Namespaces,
    /// 6. The clock stops counting suspension.
    _clock: sys::time::Clock,
    /// 7. Waits for what RCU still has to free, then returns the memory.
    _caches: table::Caches,
}

impl kernel::Module for Fastnat {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        state::defaults::set(
            module_parameters::max_flows.value(),
            module_parameters::max_bindings.value(),
            module_parameters::buckets.value(),
        );
        let caches = table::Caches::new()?;
        let clock = sys::time::Clock::register()?;
        let namespaces = sys::pernet::Namespaces::register()?;
        let addresses = sys::dev::AddressNotifier::register()?;
        let neighbours = sys::neighbour::NeighbourNotifier::register()?;
        let devices = sys::ingress::DeviceNotifier::register()?;
        let netlink = sys::genl::Family::register()?;
        Ok(Self {
            _netlink: netlink,
            _addresses: addresses,
            _neighbours: neighbours,
            _devices: devices,
            _namespaces: namespaces,
            _clock: clock,
            _caches: caches,
        })
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What `config` reads and sets.

use super::defaults;
use crate::nat::time::Ticks;
use crate::nat::tuple::{TCP, UDP};
use crate::sys::time;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The settings of a namespace. Each is read and written on its own.
pub(crate) struct Settings {
    /// Limit of flows.
    pub(crate) max_flows: AtomicU32,
    /// Limit of bindings.
    pub(crate) max_bindings: AtomicU32,
    /// Seconds of silence after which a TCP flow expires.
    pub(crate) timeout_tcp: AtomicU32,
    /// Seconds of silence after which a UDP flow expires.
    pub(crate) timeout_udp: AtomicU32,
    /// Seconds of silence after which an ICMP flow expires.
    pub(crate) timeout_icmp: AtomicU32,
    /// Does conntrack see translated packets?
    pub(crate) tracked: AtomicBool,
}

impl Settings {
    /// The defaults: RFC 5382 REQ-5 (2 h 4 min), RFC 4787 REQ-5 (5 min), RFC 5508 REQ-2 (60 s).
    pub(crate) fn new() -> Self {
        Self {
            max_flows: AtomicU32::new(defaults::max_flows()),
            max_bindings: AtomicU32::new(defaults::max_bindings()),
            timeout_tcp: AtomicU32::new(7440),
            timeout_udp: AtomicU32::new(300),
            timeout_icmp: AtomicU32::new(60),
            tracked: AtomicBool::new(false),
        }
    }

    /// How long a flow of this protocol may be idle.
    pub(crate) fn timeout(&self, proto: u8) -> Ticks {
        let setting = match proto {
            TCP => &self.timeout_tcp,
            UDP => &self.timeout_udp,
            _ => &self.timeout_icmp,
        };
        time::seconds(setting.load(Ordering::Relaxed))
    }

    /// Is conntrack kept away from translated packets?
    #[inline]
    pub(crate) fn untracked(&self) -> bool {
        !self.tracked.load(Ordering::Relaxed)
    }
}

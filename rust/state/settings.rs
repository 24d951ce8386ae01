// SPDX-License-Identifier: GPL-2.0

//! What `config` reads and sets.

use super::defaults;
use crate::nat::addr::V4;
use crate::nat::time::{Deadline, Instant, Ticks};
use crate::nat::tuple::{TCP, UDP};
use crate::sys::time;
use crate::table::flow::Flow;
use crate::table::wheel::Wheel;
use crate::table::Expiry;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use kernel::alloc::AllocError;
use kernel::prelude::*;
use kernel::sync::Arc;

/// The settings of a namespace. Each is read and written on its own.
pub(crate) struct Settings {
    /// Limit of flows.
    pub(crate) max_flows: AtomicU32,
    /// Limit of bindings.
    pub(crate) max_bindings: AtomicU32,
    /// Buckets of each table of a node; 0 is automatic.
    pub(crate) buckets: AtomicU32,
    /// Seconds of silence after which a TCP flow expires.
    pub(crate) timeout_tcp: AtomicU32,
    /// The same for one in which a FIN or RST has passed, if its policy says so.
    pub(crate) timeout_tcp_transitory: AtomicU32,
    /// Seconds of silence after which a UDP flow expires.
    pub(crate) timeout_udp: AtomicU32,
    /// Seconds of silence after which an ICMP flow expires.
    pub(crate) timeout_icmp: AtomicU32,
    /// Seconds for which an outside port is not given out again.
    pub(crate) port_rest: Arc<AtomicU32>,
    /// Seconds for which unsolicited SYNs are held; 0 is not at all.
    pub(crate) hold_syn: AtomicU32,
    /// Does conntrack see translated packets?
    pub(crate) tracked: AtomicBool,
    /// Are flows looked for on this CPU's node alone?
    pub(crate) local: AtomicBool,
    /// Are events of flows sent?
    pub(crate) flow_events: AtomicBool,
    /// Are inside hosts told that they were refused?
    pub(crate) icmp_refused: AtomicBool,
}

impl Settings {
    /// The defaults: RFC 5382 REQ-5 (2 h 4 min, 4 min) and REQ-4 (6 s), RFC 4787 REQ-5 (5 min), RFC
    /// 5508 REQ-2 (60 s), RFC 6888 REQ-8 (120 s). Sleeps.
    pub(crate) fn new() -> Result<Self, AllocError> {
        Ok(Self {
            max_flows: AtomicU32::new(defaults::max_flows()),
            max_bindings: AtomicU32::new(defaults::max_bindings()),
            buckets: AtomicU32::new(defaults::buckets()),
            timeout_tcp: AtomicU32::new(7440),
            timeout_tcp_transitory: AtomicU32::new(240),
            timeout_udp: AtomicU32::new(300),
            timeout_icmp: AtomicU32::new(60),
            port_rest: Arc::new(AtomicU32::new(120), GFP_KERNEL)?,
            hold_syn: AtomicU32::new(6),
            tracked: AtomicBool::new(false),
            local: AtomicBool::new(false),
            flow_events: AtomicBool::new(false),
            icmp_refused: AtomicBool::new(true),
        })
    }

    /// How long what lives by a policy may be idle, or lives.
    pub(crate) fn timeout(&self, proto: u8, expiry: &Expiry) -> Ticks {
        let (own, setting) = match proto {
            TCP => (expiry.tcp, &self.timeout_tcp),
            UDP => (expiry.udp, &self.timeout_udp),
            _ => (expiry.icmp, &self.timeout_icmp),
        };
        time::seconds(match own {
            0 => setting.load(Ordering::Relaxed),
            own => own,
        })
    }

    /// When a flow expires, if no packet passes.
    pub(crate) fn deadline(&self, flow: &Flow<V4>, now: Instant) -> Deadline {
        if let Some(until) = flow.until() {
            return until;
        }
        let mut timeout = self.timeout(flow.tuple().proto, &flow.owner().expiry);
        if flow.is_ending() {
            let transitory = self.timeout_tcp_transitory.load(Ordering::Relaxed);
            timeout = timeout.min(time::seconds(transitory));
        }
        flow.last_seen(now).plus(timeout)
    }

    /// Sees to it that a flow is looked at in time, after what decides about its deadline may have
    /// changed. Who finds the flow out of the wheel leaves that to who has it out: so everybody
    /// looks once more after putting it in.
    pub(crate) fn hasten(&self, wheel: &Wheel<Flow<V4>>, flow: &Flow<V4>) {
        let mut last = None::<Deadline>;
        loop {
            let now = time::now();
            let deadline = self.deadline(flow, now);
            if last.is_some_and(|last| last.left(now) <= deadline.left(now)) {
                return;
            }
            wheel.hasten(flow, deadline);
            last = Some(deadline);
        }
    }

    /// For how long unsolicited SYNs are held, if they are.
    pub(crate) fn holds_syn(&self) -> Option<Ticks> {
        match self.hold_syn.load(Ordering::Relaxed) {
            0 => None,
            // The tick that has begun does not count.
            secs => Some(Ticks(time::seconds(secs).0.saturating_add(1))),
        }
    }

    /// Are inside hosts told that they were refused?
    pub(crate) fn tells_refused(&self) -> bool {
        self.icmp_refused.load(Ordering::Relaxed)
    }

    /// Is conntrack kept away from translated packets?
    #[inline]
    pub(crate) fn untracked(&self) -> bool {
        !self.tracked.load(Ordering::Relaxed)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Events: what comes and goes is counted, and told to those who listen.
//!
//! Nothing is built for a group without listeners. Events of a group are numbered; one that cannot
//! be sent leaves a gap, so that listeners know that they have to list anew.

use super::describe;
use super::settings::Settings;
use super::stats::{Counter, Stats};
use crate::nat::addr::V4;
use crate::nat::time::Instant;
use crate::sys::event::{self, Group};
use crate::sys::msg::Message;
use crate::sys::pernet::NetRef;
use crate::sys::uapi::*;
use crate::sys::{rcu, time};
use crate::table::binding::Binding;
use crate::table::blocks::BlockInfo;
use crate::table::flow::Flow;
use crate::table::Watch;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Why new flows are refused that operators should know of.
const LIMITS: [Counter; 10] = [
    Counter::DropBlocks,
    Counter::DropPorts,
    Counter::DropAddress,
    Counter::DropMaxFlows,
    Counter::DropMaxBindings,
    Counter::DropMemory,
    Counter::DropChain,
    Counter::DropSubscriberBindings,
    Counter::DropSubscriberFlows,
    Counter::DropSubscriberRate,
];

/// Is it a limit, or a lack of something, for which new flows are refused?
pub(crate) fn is_limit(reason: Counter) -> bool {
    LIMITS.contains(&reason)
}

/// The events of a namespace.
pub(crate) struct Events {
    net: NetRef,
    settings: Arc<Settings>,
    stats: Arc<Stats>,
    /// The number of the last event, by group.
    sent: [AtomicU32; 4],
    /// When the last event was sent, by limit.
    told: [AtomicU32; LIMITS.len()],
}

impl Events {
    /// No events yet.
    pub(super) fn new(net: NetRef, settings: Arc<Settings>, stats: Arc<Stats>) -> Self {
        let long_ago = time::now().0.wrapping_sub(time::hz());
        Self {
            net,
            settings,
            stats,
            sent: [const { AtomicU32::new(0) }; 4],
            told: core::array::from_fn(|_| AtomicU32::new(long_ago)),
        }
    }

    /// A new flow was refused, of an inside host if that is known; told once a second at most for
    /// each reason.
    #[cold]
    pub(crate) fn refused(&self, reason: Counter, inside: Option<V4>) {
        let limit = LIMITS.iter().zip(&self.told);
        let Some((_, told)) = limit.into_iter().find(|(limit, _)| **limit == reason) else {
            return;
        };
        let (now, last) = (time::now(), told.load(Ordering::Relaxed));
        let order = Ordering::Relaxed;
        if now.since(Instant(last)).0 < time::hz()
            || told.compare_exchange(last, now.0, order, order).is_err()
        {
            return;
        }
        self.send(
            Group::Limit,
            FASTNAT_CMD_LIMIT_NTF,
            FASTNAT_A_LIMIT_SEQ,
            |message| {
                message.u32(FASTNAT_A_LIMIT_REASON, reason as u32)?;
                message.u64(FASTNAT_A_LIMIT_COUNT, self.stats.sum(reason))?;
                match inside {
                    Some(addr) => message.addr(FASTNAT_A_LIMIT_INSIDE_ADDR, addr),
                    None => Ok(()),
                }
            },
        );
    }

    fn send(
        &self,
        group: Group,
        command: u32,
        seq: u32,
        fill: impl FnOnce(&mut Message<'_>) -> Result,
    ) {
        if !event::is_wanted(&self.net, group) {
            return;
        }
        let sent = self.sent.get(group as usize);
        let number = sent.map_or(0, |sent| sent.fetch_add(1, Ordering::Relaxed));
        let all = |message: &mut Message<'_>| {
            message.u32(seq, number.wrapping_add(1))?;
            fill(message)
        };
        if event::send(&self.net, group, command as u8, all).is_err() {
            self.stats.inc(Counter::EventsLost);
        }
    }

    fn flow(&self, command: u32, node: i32, flow: &Flow<V4>) {
        if !self.settings.flow_events.load(Ordering::Relaxed) {
            return;
        }
        self.send(Group::Flow, command, FASTNAT_A_FLOW_SEQ, |message| {
            describe::flow(message, node, flow)
        });
    }

    fn binding(&self, command: u32, fill: impl FnOnce(&mut Message<'_>) -> Result) {
        self.send(Group::Binding, command, FASTNAT_A_BINDING_SEQ, fill);
    }
}

impl Watch<V4> for Events {
    fn flow_created(&self, node: i32, flow: &Flow<V4>) {
        self.stats.inc(Counter::FlowsCreated);
        self.flow(FASTNAT_CMD_FLOW_CREATED_NTF, node, flow);
    }

    fn flow_ended(&self, node: i32, flow: &Flow<V4>) {
        self.flow(FASTNAT_CMD_FLOW_ENDED_NTF, node, flow);
    }

    fn binding_created(&self, node: i32, binding: &Binding<V4>) {
        self.stats.inc(Counter::BindingsCreated);
        self.binding(FASTNAT_CMD_BINDING_CREATED_NTF, |message| {
            describe::binding(message, node, binding)?;
            rcu::read(|rcu| describe::lease(message, binding, rcu))
        });
    }

    fn binding_ended(&self, node: i32, binding: &Binding<V4>) {
        self.stats.inc(Counter::BindingsEnded);
        self.binding(FASTNAT_CMD_BINDING_ENDED_NTF, |message| {
            describe::binding(message, node, binding)
        });
    }

    fn block(&self, block: &BlockInfo, given: bool) {
        let command = match given {
            true => FASTNAT_CMD_BLOCK_CREATED_NTF,
            false => FASTNAT_CMD_BLOCK_ENDED_NTF,
        };
        self.send(Group::Block, command, FASTNAT_A_BLOCK_SEQ, |message| {
            describe::block(message, block)
        });
    }
}

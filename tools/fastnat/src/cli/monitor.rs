// SPDX-License-Identifier: GPL-2.0

//! `fastnat monitor`.

use std::time::Duration;

use clap::Args;
use fastnat_netlink::generated::Group;

use crate::units::duration;

/// Which events to print, and until when.
#[derive(Args, Debug)]
pub struct Monitor {
    /// Events of refused flows, one a second at most for each reason
    #[arg(long)]
    pub limits: bool,
    /// Events of bindings that are made or end
    #[arg(long)]
    pub bindings: bool,
    /// Events of blocks of ports that an inside address gets, or that are taken back
    #[arg(long)]
    pub blocks: bool,
    /// Events of flows that are made or end; needs `fastnat config set --events flow`
    #[arg(long)]
    pub flows: bool,
    /// List the bindings (blocks, flows) at the beginning, and again when events were lost
    #[arg(long)]
    pub resync: bool,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End after this time, such as 30, 30s, 5m, 2h or 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

impl Monitor {
    /// The groups to listen to; without an option, those that are always sent.
    pub fn groups(&self) -> Vec<Group> {
        let none = !(self.limits || self.bindings || self.blocks || self.flows);
        let wanted = [
            (self.limits || none, Group::Limit),
            (self.bindings || none, Group::Binding),
            (self.blocks || none, Group::Block),
            (self.flows, Group::Flow),
        ];
        let wanted = wanted.into_iter().filter(|(wanted, _)| *wanted);
        wanted.map(|(_, group)| group).collect()
    }
}

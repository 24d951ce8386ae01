// SPDX-License-Identifier: GPL-2.0

//! How the bindings of a policy behave (RFC 4787), and how many a host may have (RFC 6888).

use clap::Args;
use fastnat_netlink::generated::{Filtering, Mapping, Policy as Attributes};

/// What is promised to hosts outside, and what each inside host may have.
#[derive(Args, Debug)]
#[command(next_help_heading = "Behavior")]
pub struct Behavior {
    /// What shares an outside endpoint: endpoint-independent (all that an inside endpoint sends),
    /// address-and-port-dependent (what it sends to one remote endpoint; filtering is that, too)
    /// [default: endpoint-independent]
    #[arg(long, value_name = "WHAT")]
    pub mapping: Option<Mapping>,
    /// Who may send to the outside endpoints of the policy's bindings: endpoint-independent
    /// (everybody), address-dependent (addresses that the inside endpoint has a flow to),
    /// address-and-port-dependent (endpoints that it has a flow to)
    /// [default: endpoint-independent]
    #[arg(long, value_name = "WHO")]
    pub filtering: Option<Filtering>,
    /// Bindings of the policy that each inside address may have at once; 0 is without limit
    #[arg(long, value_name = "N")]
    pub subscriber_bindings: Option<u32>,
    /// Flows of the policy that each inside address may have at once; 0 is without limit
    #[arg(long, value_name = "N")]
    pub subscriber_flows: Option<u32>,
    /// New bindings of the policy that each inside address may make in a second; 0 is without limit
    #[arg(long, value_name = "N")]
    pub subscriber_rate: Option<u32>,
}

impl Behavior {
    /// The attributes of the request, with those for the behavior.
    pub fn attributes(&self, attributes: Attributes) -> Attributes {
        Attributes {
            mapping: self.mapping,
            filtering: self.filtering,
            subscriber_bindings: self.subscriber_bindings,
            subscriber_flows: self.subscriber_flows,
            subscriber_rate: self.subscriber_rate,
            ..attributes
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! How the bindings of a policy behave (RFC 4787).

use clap::Args;
use fastnat_netlink::generated::{Filtering, Policy as Attributes};

/// What is promised to hosts outside.
#[derive(Args, Debug)]
#[command(next_help_heading = "Behavior")]
pub struct Behavior {
    /// Who may send to the outside endpoints of the policy's bindings: endpoint-independent
    /// (everybody), address-dependent (addresses that the inside endpoint has a flow to),
    /// address-and-port-dependent (endpoints that it has a flow to)
    /// [default: endpoint-independent]
    #[arg(long, value_name = "WHO")]
    pub filtering: Option<Filtering>,
}

impl Behavior {
    /// The attributes of the request, with those for the behavior.
    pub fn attributes(&self, attributes: Attributes) -> Attributes {
        Attributes {
            filtering: self.filtering,
            ..attributes
        }
    }
}

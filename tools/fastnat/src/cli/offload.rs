// SPDX-License-Identifier: GPL-2.0

//! Which flows of a policy are offloaded.

use clap::Args;
use fastnat_netlink::generated::{OffloadChoice, Policy as Attributes};

/// Whether packets of the flows of a policy are forwarded past the stack; what is not given is as
/// in the settings.
#[derive(Args, Debug)]
#[command(next_help_heading = "Offload")]
pub struct Offload {
    /// Forward packets past routing and firewall: on, off, or inherit what the settings say
    /// [default: inherit]
    #[arg(long, value_name = "MODE")]
    pub offload: Option<OffloadChoice>,
    /// Packets of each direction of a flow that pass the whole stack first; 0 is as in the settings
    #[arg(long, value_name = "N")]
    pub offload_after: Option<u8>,
}

impl Offload {
    /// The attributes of the request, with those for offload.
    pub fn attributes(&self, attributes: Attributes) -> Attributes {
        Attributes {
            offload: self.offload,
            offload_after: self.offload_after,
            ..attributes
        }
    }
}

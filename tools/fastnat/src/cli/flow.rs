// SPDX-License-Identifier: GPL-2.0

//! `fastnat flow`.

use clap::{Args, Subcommand};
use fastnat_netlink::Proto;
use fastnat_netlink::generated::{Flow as Attributes, Tuple};

use crate::parse::Host;

/// What to do with flows.
#[derive(Debug, Subcommand)]
pub enum Flow {
    /// List the flows
    #[command(after_help = "Examples:\n  fastnat flow list\n  \
        fastnat flow list --proto udp --policy 3")]
    List(Filter),
    /// Show the flow that a tuple belongs to, in either direction, on either side
    #[command(after_help = "Examples:\n  \
        fastnat flow get --proto tcp --src 10.0.0.2:41234 --dst 198.51.100.9:443\n  \
        fastnat flow get --proto icmp --src 10.0.0.2:77 --dst 198.51.100.9")]
    Get(Get),
    /// Remove flows: all, or those of a policy, a protocol, or both
    #[command(after_help = "Examples:\n  fastnat flow flush\n  fastnat flow flush --policy 3")]
    Flush(Filter),
}

impl Flow {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Get(_) => "get",
            Self::Flush(_) => "flush",
        }
    }
}

/// Which flows; without options all.
#[derive(Args, Debug)]
pub struct Filter {
    /// Only flows of this protocol: tcp, udp, icmp or a number
    #[arg(long)]
    pub proto: Option<Proto>,
    /// Only flows of this policy
    #[arg(long, value_name = "ID")]
    pub policy: Option<u32>,
}

impl Filter {
    /// Whether it lets the flow pass.
    pub fn wants(&self, flow: &Attributes) -> bool {
        (self.proto.is_none() || self.proto == flow.proto)
            && (self.policy.is_none() || self.policy == flow.policy)
    }

    /// The attributes of a flush.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            proto: self.proto,
            policy: self.policy,
            ..Attributes::default()
        }
    }
}

/// A tuple, as a packet has it.
#[derive(Args, Debug)]
pub struct Get {
    /// Protocol: tcp, udp, icmp or a number
    #[arg(long)]
    pub proto: Proto,
    /// Source; for ICMP the query identifier takes the place of the port
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub src: Host,
    /// Destination
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub dst: Host,
}

impl Get {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        let tuple = Tuple {
            src_addr: Some(self.src.addr),
            src_port: Some(self.src.port.unwrap_or(0)),
            dst_addr: Some(self.dst.addr),
            dst_port: Some(self.dst.port.unwrap_or(0)),
        };
        Attributes {
            proto: Some(self.proto),
            orig: Some(tuple),
            ..Attributes::default()
        }
    }
}

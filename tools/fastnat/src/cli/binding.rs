// SPDX-License-Identifier: GPL-2.0

//! `fastnat binding`.

use clap::{Args, Subcommand};
use fastnat_netlink::Proto;
use fastnat_netlink::generated::Binding as Attributes;

use crate::parse::{Host, addr_port};
use crate::units::seconds;

const ADD_EXAMPLES: &str = "\
Examples:
  fastnat binding add --policy 1 --proto tcp --inside 10.0.0.2:22 --outside 203.0.113.7:2222
  fastnat binding add --policy 1 --proto udp --inside 10.0.0.2:5000 --outside 203.0.113.7 \
--lifetime 2h";

/// What to do with bindings.
#[derive(Debug, Subcommand)]
pub enum Binding {
    /// Add a binding that needs no flow to live, and print its outside endpoint
    ///
    /// The outside endpoint is reserved for the inside one and lets packets in, and what the inside
    /// endpoint sends leaves from it. The binding goes with `binding del`, at the end of its
    /// lifetime, or with its policy.
    #[command(after_help = ADD_EXAMPLES)]
    Add(Add),
    /// Delete a binding that was added by `binding add`
    #[command(after_help = "Example:\n  \
        fastnat binding del --proto tcp --outside 203.0.113.7:2222")]
    Del(Del),
    /// List the bindings
    #[command(after_help = "Example:\n  fastnat binding list")]
    List,
}

impl Binding {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Del(_) => "del",
            Self::List => "list",
        }
    }
}

/// The binding to add.
#[derive(Args, Debug)]
pub struct Add {
    /// The snat or masquerade policy that the binding belongs to
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    pub policy: u32,
    /// Protocol: tcp, udp or icmp
    #[arg(long)]
    pub proto: Proto,
    /// Inside endpoint; for ICMP the query identifier takes the place of the port
    #[arg(long, value_name = "ADDR:PORT", value_parser = addr_port)]
    pub inside: Host,
    /// Outside endpoint, of those that the policy may give; without a port the kernel picks one
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub outside: Host,
    /// How long the binding lives, such as 30, 30s, 5m, 2h or 1d [default: until it is deleted]
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub lifetime: Option<u32>,
}

impl Add {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            policy: Some(self.policy),
            inside_addr: Some(self.inside.addr),
            inside_port: self.inside.port,
            lifetime: self.lifetime,
            ..outside(self.proto, self.outside)
        }
    }
}

/// The binding to delete.
#[derive(Args, Debug)]
pub struct Del {
    /// Protocol: tcp, udp or icmp
    #[arg(long)]
    pub proto: Proto,
    /// Outside endpoint
    #[arg(long, value_name = "ADDR:PORT", value_parser = addr_port)]
    pub outside: Host,
}

impl Del {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        outside(self.proto, self.outside)
    }
}

/// An outside endpoint.
fn outside(proto: Proto, outside: Host) -> Attributes {
    Attributes {
        proto: Some(proto),
        outside_addr: Some(outside.addr),
        outside_port: outside.port,
        ..Attributes::default()
    }
}

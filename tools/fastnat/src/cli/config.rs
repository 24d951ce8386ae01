// SPDX-License-Identifier: GPL-2.0

//! `fastnat config`.

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{Config as Attributes, ConntrackMode};

const SET_EXAMPLES: &str = "\
Examples:
  fastnat config set --max-flows 1000000 --max-bindings 1000000
  fastnat config set --timeout-udp 120 --conntrack tracked";

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show the settings
    #[command(after_help = "Example:\n  fastnat config show")]
    Show,
    /// Change settings; all that are given are applied, or none
    #[command(after_help = SET_EXAMPLES, arg_required_else_help = true)]
    #[command(override_usage = "fastnat config set <OPTIONS>")]
    Set(Set),
}

impl Config {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Set(_) => "set",
        }
    }
}

/// The settings to change.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Set {
    /// Limit of flows
    #[arg(long, value_name = "N")]
    pub max_flows: Option<u32>,
    /// Limit of bindings
    #[arg(long, value_name = "N")]
    pub max_bindings: Option<u32>,
    /// Seconds of silence after which a TCP flow expires
    #[arg(long, value_name = "SECONDS")]
    pub timeout_tcp: Option<u32>,
    /// Seconds of silence after which a UDP flow expires
    #[arg(long, value_name = "SECONDS")]
    pub timeout_udp: Option<u32>,
    /// Seconds of silence after which an ICMP query flow expires
    #[arg(long, value_name = "SECONDS")]
    pub timeout_icmp: Option<u32>,
    /// What connection tracking sees of translated packets: untracked or tracked
    #[arg(long, value_name = "MODE")]
    pub conntrack: Option<ConntrackMode>,
}

impl Set {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            max_flows: self.max_flows,
            max_bindings: self.max_bindings,
            timeout_tcp: self.timeout_tcp,
            timeout_udp: self.timeout_udp,
            timeout_icmp: self.timeout_icmp,
            conntrack: self.conntrack,
            ..Attributes::default()
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! `fastnat config`.

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{
    Config as Attributes, ConntrackMode, EventLevel, NumaMode, Size as SizeAttributes,
};

use crate::units::{buckets, count, seconds};

const SET_EXAMPLES: &str = "\
Examples:
  fastnat config set --max-flows 4M --max-bindings 4M
  fastnat config set --timeout-udp 2m --conntrack tracked
  fastnat config set --buckets auto --events flow";

const SIZE_EXAMPLES: &str = "\
Examples:
  fastnat config size
  fastnat config size --flows 4M --bindings 1M";

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
    /// Show what memory settings would take when all is in use; changes nothing
    #[command(after_help = SIZE_EXAMPLES)]
    Size(Size),
}

impl Config {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Set(_) => "set",
            Self::Size(_) => "size",
        }
    }
}

/// The settings to change.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Set {
    /// Limit of flows; k, M and G at the end of a number go by 1024, 4M is 4194304
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_flows: Option<u32>,
    /// Limit of bindings
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_bindings: Option<u32>,
    /// Buckets of each table of a node; with auto the tables grow and shrink with what they hold
    #[arg(long, value_name = "N|auto", value_parser = buckets)]
    pub buckets: Option<u32>,
    /// Silence after which a TCP flow expires, such as 30, 30s, 5m, 2h or 1d
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_tcp: Option<u32>,
    /// The same after a FIN or RST, by policies with tcp-fin
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_tcp_transitory: Option<u32>,
    /// Silence after which a UDP flow expires
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_udp: Option<u32>,
    /// Silence after which an ICMP query flow expires
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub timeout_icmp: Option<u32>,
    /// What connection tracking sees of translated packets: untracked or tracked
    #[arg(long, value_name = "MODE")]
    pub conntrack: Option<ConntrackMode>,
    /// Where a packet looks for its flow: home, or local for its own NUMA node alone
    #[arg(long, value_name = "MODE")]
    pub numa: Option<NumaMode>,
    /// Which events are sent to those who listen: binding, or flow for both
    #[arg(long, value_name = "LEVEL")]
    pub events: Option<EventLevel>,
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
            buckets: self.buckets,
            timeout_tcp_transitory: self.timeout_tcp_transitory,
            numa: self.numa,
            events: self.events,
        }
    }
}

/// What to reckon with.
#[derive(Args, Debug)]
pub struct Size {
    /// Flows; k, M and G at the end of a number go by 1024, 4M is 4194304 [default: the limit
    /// of the settings]
    #[arg(long, value_name = "N", value_parser = count)]
    pub flows: Option<u32>,
    /// Bindings [default: as many as --flows, or the limit of the settings]
    #[arg(long, value_name = "N", value_parser = count)]
    pub bindings: Option<u32>,
    /// Buckets of each table of a node [default: that of the settings]
    #[arg(long, value_name = "N|auto", value_parser = buckets)]
    pub buckets: Option<u32>,
}

impl Size {
    /// The attributes of the request.
    pub fn attributes(&self) -> SizeAttributes {
        SizeAttributes {
            max_flows: self.flows,
            max_bindings: self.bindings,
            buckets: self.buckets,
            ..SizeAttributes::default()
        }
    }
}

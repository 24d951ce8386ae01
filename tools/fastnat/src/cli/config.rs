// SPDX-License-Identifier: GPL-2.0

//! `fastnat config`.

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{
    Config as Attributes, ConntrackMode, Devices, EventLevel, NumaMode, OffloadMode, RefusedMode,
    Size as SizeAttributes,
};

use crate::parse::{Iface, Mark, exempt_mark};
use crate::units::{buckets, count, seconds};

const SET_EXAMPLES: &str = "\
Examples:
  fastnat config set --max-flows 4M --max-bindings 4M
  fastnat config set --timeout-udp 2m --conntrack tracked
  fastnat config set --buckets auto --events flow
  fastnat config set --offload on --offload-after 5 --offload-exempt-mark 0x10/0xff
  fastnat config set --offload-exempt-dev wg0 --offload-exempt-dev lan7
  fastnat config set --offload-exempt-dev none
  fastnat config set --early-dev lan0 wan0";

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
    /// Time for which a TCP or UDP port that falls free is not given out again, at least
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub port_rest: Option<u32>,
    /// What connection tracking sees of translated packets: untracked or tracked
    #[arg(long, value_name = "MODE")]
    pub conntrack: Option<ConntrackMode>,
    /// Where a packet looks for its flow: home, or local for its own NUMA node alone
    #[arg(long, value_name = "MODE")]
    pub numa: Option<NumaMode>,
    /// Which events are sent to those who listen: binding, or flow for both
    #[arg(long, value_name = "LEVEL")]
    pub events: Option<EventLevel>,
    /// Interfaces whose packets are looked up early, which pays with very many flows, in place of
    /// those that were set before; none alone for no interface
    #[arg(long, value_name = "IF|none", num_args = 1..)]
    pub early_dev: Vec<Iface>,
    /// Tell inside hosts that are refused a flow by ICMP: on or off
    #[arg(long, value_name = "MODE")]
    pub icmp_refused: Option<RefusedMode>,
    /// How long a TCP SYN to an outside address that nothing there expects has no answer; 0 leaves
    /// it to the gateway, which refuses it at once
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub hold_syn: Option<u32>,
    /// Forward packets of flows past routing and firewall: on or off
    #[arg(long, value_name = "MODE", help_heading = OFFLOAD)]
    pub offload: Option<OffloadMode>,
    /// Packets of each direction of a flow that pass the whole stack first
    #[arg(long, value_name = "N", help_heading = OFFLOAD,
        value_parser = clap::value_parser!(u8).range(1..))]
    pub offload_after: Option<u8>,
    /// Mark of packets that are never offloaded, under a mask if given; none for no packet
    #[arg(long, value_name = "VALUE[/MASK]|none", help_heading = OFFLOAD,
        value_parser = exempt_mark)]
    pub offload_exempt_mark: Option<Mark>,
    /// Interfaces by which flows that come in or leave are not offloaded, in place of those that
    /// were set before; none alone for no interface
    #[arg(long, value_name = "IF|none", help_heading = OFFLOAD, num_args = 1..)]
    pub offload_exempt_dev: Vec<Iface>,
}

const OFFLOAD: &str = "Offload";

impl Set {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        Attributes {
            max_flows: self.max_flows,
            max_bindings: self.max_bindings,
            timeout_tcp: self.timeout_tcp,
            timeout_udp: self.timeout_udp,
            timeout_icmp: self.timeout_icmp,
            port_rest: self.port_rest,
            conntrack: self.conntrack,
            buckets: self.buckets,
            timeout_tcp_transitory: self.timeout_tcp_transitory,
            numa: self.numa,
            events: self.events,
            offload: self.offload,
            offload_after: self.offload_after,
            offload_exempt_mark: self.offload_exempt_mark.map(|mark| mark.value),
            offload_exempt_mask: self.offload_exempt_mark.and_then(|mark| mark.mask),
            offload_exempt_devices: devices(&self.offload_exempt_dev),
            early_devices: devices(&self.early_dev),
            icmp_refused: self.icmp_refused,
            hold_syn: self.hold_syn,
        }
    }
}

const NONE: &str = "none";

impl Set {
    /// What is wrong with options that are right each by itself.
    pub fn mistake(&self) -> Option<String> {
        let lists = [
            ("--early-dev", &self.early_dev),
            ("--offload-exempt-dev", &self.offload_exempt_dev),
        ];
        let is_mixed = |names: &[Iface]| names.len() > 1 && names.iter().any(|name| name.0 == NONE);
        let mixed = lists.iter().find(|(_, names)| is_mixed(names));
        mixed.map(|(option, _)| format!("{option}: none stands alone"))
    }
}

/// The interfaces, if some are given or none are to be.
fn devices(names: &[Iface]) -> Option<Devices> {
    let mut names: Vec<_> = names.iter().map(|name| name.0.clone()).collect();
    if names.is_empty() {
        return None;
    }
    if names == [NONE] {
        names.clear();
    }
    Some(Devices { name: names })
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

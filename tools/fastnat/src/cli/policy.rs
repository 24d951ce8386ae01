// SPDX-License-Identifier: GPL-2.0

//! `fastnat policy`.

use clap::{Args, Subcommand};
use fastnat_netlink::Proto;
use fastnat_netlink::generated::{Policy as Attributes, PolicyAction};

use super::behavior::Behavior;
use super::expiry::Expiry;
use super::offload::Offload;
use super::target::Targets;
use crate::parse::{Group, Iface, Mark, PoolName, Ports, Prefix, pool_ports};

const ADD_EXAMPLES: &str = "\
Examples:
  fastnat policy add masquerade --out eth0
  fastnat policy add masquerade --out 'ppp*'
  fastnat policy add snat --pool web --src 10.0.0.0/8 --out eth0
  fastnat policy add snat --pool web --expiry absolute --timeout-tcp 1d --timeout-udp 1h
  fastnat policy add masquerade --out eth0 --src 10.9.0.0/16 --priority 500 --offload off
  fastnat policy add no-snat --dst 192.168.0.0/16 --priority 100
  fastnat policy add dnat --to 10.0.0.80:8080 --dst 203.0.113.7 --proto tcp --dport 80
  fastnat policy add dnat --to 10.0.0.80:9000-9099 --proto udp --dport 5000-5099 --in eth0
  fastnat policy add dnat --to 10.0.0.80@2 --to 10.0.0.81 --proto tcp --dport 443 --in eth0
  fastnat policy add dnat --to 10.0.0.0/24 --dst 203.0.113.0/24
  fastnat policy add snat --to 203.0.113.0/24 --src 10.0.0.0/24
  fastnat policy add no-snat --dst 10.8.0.0/16 --priority 100 --flush-matching";

const LOAD_EXAMPLES: &str = "\
Examples:
  fastnat policy load /etc/fastnat/policies
  printf 'snat --pool web --src 10.9.%d.0/24\n' {1..99} | fastnat policy load -";

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Add a policy and print its id
    #[command(subcommand, after_help = ADD_EXAMPLES)]
    Add(Action),
    /// Add the policies of a file
    ///
    /// Each line is a policy, in the syntax of `policy add`: what follows these two words there.
    /// Empty lines and what follows a # are passed. Nothing is added when a line is no policy. The
    /// kernel gets up to 2048 at a time, and adds all of these or none; when it refuses some,
    /// those before stay.
    #[command(after_help = LOAD_EXAMPLES)]
    Load {
        /// The file; - is the standard input
        file: String,
        /// End the living flows that the policies would have decided about
        #[arg(long)]
        flush_matching: bool,
    },
    /// Delete policies and the flows that live by them
    #[command(after_help = "Example:\n  fastnat policy del 3 4")]
    Del {
        /// Ids of the policies
        #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
        ids: Vec<u32>,
    },
    /// List the policies in the order in which they are asked
    #[command(after_help = "Example:\n  fastnat --json policy list")]
    List,
}

impl Policy {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Load { .. } => "load",
            Self::Del { .. } => "del",
            Self::List => "list",
        }
    }
}

/// What a policy does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Translate the source to an endpoint of a pool, or to another network
    #[command(after_help = "Examples:\n  \
        fastnat policy add snat --pool web --src 10.0.0.0/8 --out eth0\n  \
        fastnat policy add snat --to 203.0.113.0/24 --src 10.0.0.0/24")]
    Snat {
        /// Pool of outside addresses and ports
        #[arg(
            long,
            value_name = "NAME",
            required_unless_present = "to",
            conflicts_with = "to"
        )]
        pool: Option<PoolName>,
        /// Network as long as that of --src, in which each address keeps its host part; ports stay
        #[arg(long, value_name = "PREFIX")]
        to: Option<Prefix>,
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
        /// What becomes of the flows.
        #[command(flatten)]
        flows: OfFlows,
        /// What becomes of packets from inside.
        #[command(flatten)]
        from_inside: FromInside,
        /// What its bindings are to hosts outside.
        #[command(flatten)]
        behavior: Behavior,
    },
    /// Translate the source to the address of the output interface
    #[command(after_help = "Example:\n  fastnat policy add masquerade --out eth0")]
    Masquerade {
        /// Pool whose ports and port mode to use; its addresses do not matter
        #[arg(long, value_name = "NAME")]
        pool: Option<PoolName>,
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
        /// What becomes of the flows.
        #[command(flatten)]
        flows: OfFlows,
        /// What becomes of packets from inside.
        #[command(flatten)]
        from_inside: FromInside,
        /// What its bindings are to hosts outside.
        #[command(flatten)]
        behavior: Behavior,
    },
    /// Translate the destination to a given endpoint, or to one of several
    #[command(after_help = "Examples:\n  \
        fastnat policy add dnat --to 10.0.0.80 --dst 203.0.113.7 --proto tcp --dport 80\n  \
        fastnat policy add dnat --to 10.0.0.80:9000-9099 --proto udp --dport 5000-5099\n  \
        fastnat policy add dnat --to 10.0.0.80@2 --to 10.0.0.81 --proto tcp --dport 443")]
    Dnat {
        /// Where to.
        #[command(flatten)]
        targets: Targets,
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
        /// What becomes of the flows.
        #[command(flatten)]
        flows: OfFlows,
        /// What becomes of packets from inside.
        #[command(flatten)]
        from_inside: FromInside,
    },
    /// Translate the destination to the address of the input interface: to the gateway itself
    #[command(after_help = "Example:\n  \
        fastnat policy add redirect --in lan0 --proto tcp --dport 80 --to-port 3128")]
    Redirect {
        /// New destination port; one takes all that match; a range has to be as long as what is
        /// matched, and maps one to one; by default the port stays
        #[arg(long, value_name = "PORT[-PORT]", value_parser = pool_ports)]
        to_port: Option<Ports>,
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
        /// What becomes of the flows.
        #[command(flatten)]
        flows: OfFlows,
    },
    /// Leave the source alone and ask no later source policy
    #[command(
        after_help = "Example:\n  fastnat policy add no-snat --dst 192.168.0.0/16 \
        --priority 100"
    )]
    NoSnat {
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
    },
    /// Leave the destination alone and ask no later destination policy
    #[command(
        after_help = "Example:\n  fastnat policy add no-dnat --src 10.0.0.0/8 --priority 100"
    )]
    NoDnat {
        /// Which flows.
        #[command(flatten)]
        matches: Matches,
    },
}

/// What a policy says of the flows that it makes.
#[derive(Args, Debug)]
pub struct OfFlows {
    /// For how long they live.
    #[command(flatten)]
    pub expiry: Expiry,
    /// Which way their packets go.
    #[command(flatten)]
    pub offload: Offload,
}

/// What a policy says of packets from inside, which are routed after it is known whose they are.
#[derive(Args, Debug)]
pub struct FromInside {
    /// Mark that packets from inside get before they are routed, so that they leave by the uplink of
    /// their flow; under a mask if given
    #[arg(long, value_name = "VALUE[/MASK]", help_heading = "Policy options")]
    pub set_mark: Option<Mark>,
}

impl FromInside {
    fn attributes(self, attributes: Attributes) -> Attributes {
        Attributes {
            set_mark: self.set_mark.map(|mark| mark.value),
            set_mark_mask: self.set_mark.and_then(|mark| mark.mask),
            ..attributes
        }
    }
}

/// Which flows a policy is for; what is not given matches everything.
#[derive(Args, Debug)]
#[command(next_help_heading = "Matches")]
pub struct Matches {
    /// Source addresses
    #[arg(long, value_name = "PREFIX")]
    pub src: Option<Prefix>,
    /// Destination addresses
    #[arg(long, value_name = "PREFIX")]
    pub dst: Option<Prefix>,
    /// Protocol: tcp, udp, icmp or a number
    #[arg(long)]
    pub proto: Option<Proto>,
    /// Source ports
    #[arg(long, value_name = "PORT[-PORT]")]
    pub sport: Option<Ports>,
    /// Destination ports
    #[arg(long, value_name = "PORT[-PORT]")]
    pub dport: Option<Ports>,
    /// Input interface, which need not exist yet; 'eth*' is all whose names begin with eth
    #[arg(long = "in", value_name = "IF")]
    pub in_iface: Option<Iface>,
    /// Group of the input interface, as of ip-link(8): a number, or a name of /etc/iproute2/group
    #[arg(long, value_name = "GROUP", conflicts_with = "in_iface")]
    pub in_group: Option<Group>,
    /// Output interface, which need not exist yet; 'eth*' is all whose names begin with eth
    #[arg(long = "out", value_name = "IF")]
    pub out_iface: Option<Iface>,
    /// Group of the output interface, as --in-group
    #[arg(long, value_name = "GROUP", conflicts_with = "out_iface")]
    pub out_group: Option<Group>,
    /// Packet mark, under a mask if given; decimal, or hexadecimal with 0x
    #[arg(long, value_name = "VALUE[/MASK]")]
    pub mark: Option<Mark>,
    /// Lower numbers are asked first; ties go to the lower id [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Policy options")]
    pub priority: Option<u32>,
    /// Id of the policy; the kernel picks a free one otherwise
    #[arg(long, value_name = "N", help_heading = "Policy options",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub id: Option<u32>,
    /// End the living flows that the policy would have decided about, by addresses, protocol and
    /// ports of their first packet
    #[arg(long, help_heading = "Policy options")]
    pub flush_matching: bool,
}

impl Action {
    /// The attributes of the request.
    pub fn attributes(self) -> Attributes {
        match self {
            Self::Snat {
                pool,
                to,
                matches,
                flows,
                from_inside,
                behavior,
            } => Attributes {
                pool: pool.map(|name| name.0),
                to_addr: to.map(|prefix| prefix.addr),
                to_prefix: to.map(|prefix| prefix.len),
                ..behavior.attributes(
                    from_inside
                        .attributes(flows.attributes(matches.attributes(PolicyAction::Snat))),
                )
            },
            Self::Masquerade {
                pool,
                matches,
                flows,
                from_inside,
                behavior,
            } => Attributes {
                pool: pool.map(|name| name.0),
                ..behavior.attributes(
                    from_inside
                        .attributes(flows.attributes(matches.attributes(PolicyAction::Masquerade))),
                )
            },
            Self::Dnat {
                targets,
                matches,
                flows,
                from_inside,
            } => targets.attributes(
                from_inside.attributes(flows.attributes(matches.attributes(PolicyAction::Dnat))),
            ),
            Self::Redirect {
                to_port,
                matches,
                flows,
            } => Attributes {
                to_port_min: to_port.map(|ports| ports.min),
                to_port_max: to_port.and_then(Ports::max_if_range),
                ..flows.attributes(matches.attributes(PolicyAction::Redirect))
            },
            Self::NoSnat { matches } => matches.attributes(PolicyAction::NoSnat),
            Self::NoDnat { matches } => matches.attributes(PolicyAction::NoDnat),
        }
    }
}

impl OfFlows {
    fn attributes(self, attributes: Attributes) -> Attributes {
        self.expiry.attributes(self.offload.attributes(attributes))
    }
}

impl Matches {
    fn attributes(self, action: PolicyAction) -> Attributes {
        Attributes {
            id: self.id,
            priority: self.priority,
            action: Some(action),
            proto: self.proto,
            src_addr: self.src.map(|prefix| prefix.addr),
            src_prefix: self.src.map(|prefix| prefix.len),
            dst_addr: self.dst.map(|prefix| prefix.addr),
            dst_prefix: self.dst.map(|prefix| prefix.len),
            src_port_min: self.sport.map(|ports| ports.min),
            src_port_max: self.sport.and_then(Ports::max_if_range),
            dst_port_min: self.dport.map(|ports| ports.min),
            dst_port_max: self.dport.and_then(Ports::max_if_range),
            in_iface: self.in_iface.map(|name| name.0),
            out_iface: self.out_iface.map(|name| name.0),
            in_group: self.in_group.map(|group| group.0),
            out_group: self.out_group.map(|group| group.0),
            mark: self.mark.map(|mark| mark.value),
            mark_mask: self.mark.and_then(|mark| mark.mask),
            flush_matching: self.flush_matching,
            ..Attributes::default()
        }
    }
}

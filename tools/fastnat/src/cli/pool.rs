// SPDX-License-Identifier: GPL-2.0

//! `fastnat pool`.

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{Allocation, Pool as Attributes, Range};

use crate::parse::{AddrRange, Host, PoolName, Ports, pool_ports};

const ADD_EXAMPLES: &str = "\
Examples:
  fastnat pool add web --range 203.0.113.7
  fastnat pool add big --range 203.0.113.16/28 --range 198.51.100.1-198.51.100.9
  fastnat pool add low --ports 1024-32767 --allocation preserve
  fastnat pool add cgn --range 198.51.100.0/24 --allocation block --block-size 256 --max-blocks 8
  fastnat pool add det --range 203.0.113.0/28 --allocation deterministic --inside 100.64.0.0/22";

const MAP_EXAMPLES: &str = "\
Examples:
  fastnat pool map --range 203.0.113.0/28 --inside 100.64.0.0/22
  fastnat pool map 100.64.1.7 --range 203.0.113.0/28 --inside 100.64.0.0/22
  fastnat pool map 203.0.113.4:40123 --name customers";

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum Pool {
    /// Add a pool
    #[command(after_help = ADD_EXAMPLES)]
    Add(Add),
    /// Delete a pool that no policy names
    #[command(after_help = "Example:\n  fastnat pool del web")]
    Del {
        /// Name of the pool
        name: PoolName,
    },
    /// List the pools
    #[command(after_help = "Example:\n  fastnat pool list")]
    List,
    /// List the blocks of ports that inside addresses have
    #[command(after_help = "Example:\n  fastnat pool blocks")]
    Blocks,
    /// Compute who has which ports of a deterministic pool; needs no module if all is given
    #[command(after_help = MAP_EXAMPLES)]
    Map(Map),
}

impl Pool {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Del { .. } => "del",
            Self::List => "list",
            Self::Blocks => "blocks",
            Self::Map(_) => "map",
        }
    }
}

/// What to compute.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("pool").required(true).args(["name", "ranges"])))]
pub struct Map {
    /// An inside address, for its ports; an outside address and port, for who has it; neither, for
    /// all inside addresses
    pub what: Option<Host>,
    /// The pool of this name, as it is in the kernel
    #[arg(long, value_name = "NAME")]
    pub name: Option<PoolName>,
    /// Outside addresses, as of `pool add`; may be repeated
    #[arg(long = "range", value_name = "ADDRS", requires = "inside")]
    pub ranges: Vec<AddrRange>,
    /// Outside ports [default: 1024-65535]
    #[arg(long, value_name = "MIN-MAX", value_parser = pool_ports, requires = "ranges")]
    pub ports: Option<Ports>,
    /// Inside addresses; may be repeated
    #[arg(long, value_name = "ADDRS", requires = "ranges")]
    pub inside: Vec<AddrRange>,
}

impl Map {
    /// The pool, if all of it is given.
    pub fn given(&self) -> Option<Attributes> {
        let given = |ranges: &[AddrRange]| ranges.iter().copied().map(range).collect::<Vec<_>>();
        self.name.is_none().then(|| Attributes {
            range: given(&self.ranges),
            inside: given(&self.inside),
            port_min: self.ports.map(|ports| ports.min),
            port_max: self.ports.map(|ports| ports.max),
            allocation: Some(Allocation::Deterministic),
            ..Attributes::default()
        })
    }
}

/// The pool to add.
#[derive(Args, Debug)]
pub struct Add {
    /// Name of the pool, at most 31 characters
    pub name: PoolName,
    /// Outside addresses: ADDR, ADDR-ADDR or a prefix, all of it; may be repeated; none for a pool
    /// that only gives masquerade policies their ports
    #[arg(long = "range", value_name = "ADDRS")]
    pub ranges: Vec<AddrRange>,
    /// Outside ports [default: 1-65535, and 1024-65535 of block and deterministic]
    #[arg(long, value_name = "MIN-MAX", value_parser = pool_ports)]
    pub ports: Option<Ports>,
    /// How the outside port is chosen: random; preserve, the inside port if it is free; block, among
    /// blocks of ports that each inside address gets for itself; deterministic, among the ports
    /// that an inside address has by arithmetic (RFC 7422) [default: random]
    #[arg(long, value_name = "HOW")]
    pub allocation: Option<Allocation>,
    /// Ports of a block [default: 512]
    #[arg(long, value_name = "PORTS", value_parser = clap::value_parser!(u16).range(1..))]
    pub block_size: Option<u16>,
    /// Blocks that each inside address may have at once [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_blocks: Option<u16>,
    /// With deterministic, the inside addresses among which the ports are divided; may be repeated
    #[arg(long, value_name = "ADDRS")]
    pub inside: Vec<AddrRange>,
    /// Keep even ports even and odd ones odd
    #[arg(long)]
    pub parity: bool,
}

impl Add {
    /// The attributes of the request.
    pub fn attributes(self) -> Attributes {
        Attributes {
            name: Some(self.name.0),
            range: self.ranges.into_iter().map(range).collect(),
            port_min: self.ports.map(|ports| ports.min),
            port_max: self.ports.map(|ports| ports.max),
            allocation: self.allocation,
            block_size: self.block_size,
            max_blocks: self.max_blocks,
            inside: self.inside.into_iter().map(range).collect(),
            parity: self.parity,
            ..Attributes::default()
        }
    }
}

fn range(range: AddrRange) -> Range {
    Range {
        addr_min: Some(range.min),
        addr_max: (range.max != range.min).then_some(range.max),
    }
}

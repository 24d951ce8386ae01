// SPDX-License-Identifier: GPL-2.0

//! `fastnat pool`.

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{Allocation, Pool as Attributes, Range};

use crate::parse::{AddrRange, PoolName, Ports, pool_ports};

const ADD_EXAMPLES: &str = "\
Examples:
  fastnat pool add web --range 203.0.113.7
  fastnat pool add big --range 203.0.113.16/28 --range 198.51.100.1-198.51.100.9
  fastnat pool add low --ports 1024-32767 --allocation preserve";

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
}

impl Pool {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Add(_) => "add",
            Self::Del { .. } => "del",
            Self::List => "list",
        }
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
    /// Outside ports [default: 1-65535]
    #[arg(long, value_name = "MIN-MAX", value_parser = pool_ports)]
    pub ports: Option<Ports>,
    /// How the outside port is chosen: random, or preserve for the inside port if it is free
    /// [default: random]
    #[arg(long, value_name = "HOW")]
    pub allocation: Option<Allocation>,
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

// SPDX-License-Identifier: GPL-2.0

//! Where a dnat policy leads.

use std::net::Ipv4Addr;
use std::str::FromStr;

use clap::Args;
use fastnat_netlink::generated::{Balance, Policy as Attributes, Target};

use crate::parse::{Endpoint, Ports, Prefix, pool_ports};

/// One destination, or several.
#[derive(Args, Debug)]
pub struct Targets {
    /// New destination; without a port the port stays; one port takes all that match; a range has
    /// to be as long as what is matched, and maps one to one. Repeated, each new flow goes to one
    /// of them, by weight [default: 1]. With /LEN a network as long as that of --dst, in which each
    /// address keeps its host part
    #[arg(
        long,
        required = true,
        value_name = "ADDR[/LEN][:PORT[-PORT]][@WEIGHT]"
    )]
    pub to: Vec<To>,
    /// How one of several is chosen: source-hash (a client keeps its server), random
    /// [default: source-hash]
    #[arg(long, value_name = "HOW")]
    pub balance: Option<Balance>,
}

/// A destination and its weight.
#[derive(Clone, Copy, Debug)]
pub struct To {
    addr: Ipv4Addr,
    /// Of a network.
    len: Option<u8>,
    ports: Option<Ports>,
    weight: Option<u16>,
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return network(text);
        }
        let (endpoint, weight) = match text.split_once('@') {
            Some((endpoint, weight)) => (endpoint, Some(parse_weight(weight)?)),
            None => (text, None),
        };
        let Endpoint { addr, ports } = endpoint.parse()?;
        Ok(Self {
            addr,
            len: None,
            ports,
            weight,
        })
    }
}

fn network(text: &str) -> Result<To, String> {
    if text.contains('@') {
        return Err("a network has no weight".into());
    }
    let (prefix, ports) = match text.split_once(':') {
        Some((prefix, ports)) => (prefix, Some(pool_ports(ports)?)),
        None => (text, None),
    };
    let Prefix { addr, len } = prefix.parse()?;
    Ok(To {
        addr,
        len: Some(len),
        ports,
        weight: None,
    })
}

fn parse_weight(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is not a weight, 1 to 65535")),
        Ok(weight) => Ok(weight),
    }
}

impl Targets {
    /// The attributes of the request, with those for the destination.
    pub fn attributes(self, attributes: Attributes) -> Attributes {
        match (&self.to[..], self.balance) {
            ([one @ To { weight: None, .. }], None) => one.alone(attributes),
            (several, balance) => {
                // The kernel refuses a network among others.
                let network = several.iter().find(|to| to.len.is_some());
                Attributes {
                    target: Some(several.iter().map(To::target).collect()),
                    balance,
                    ..match network {
                        Some(network) => network.alone(attributes),
                        None => attributes,
                    }
                }
            }
        }
    }
}

impl To {
    fn alone(&self, attributes: Attributes) -> Attributes {
        Attributes {
            to_addr: Some(self.addr),
            to_prefix: self.len,
            to_port_min: self.ports.map(|ports| ports.min),
            to_port_max: self.ports.and_then(Ports::max_if_range),
            ..attributes
        }
    }

    fn target(&self) -> Target {
        Target {
            addr: Some(self.addr),
            port_min: self.ports.map(|ports| ports.min),
            port_max: self.ports.and_then(Ports::max_if_range),
            weight: self.weight,
        }
    }
}

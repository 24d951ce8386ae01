// SPDX-License-Identifier: GPL-2.0

//! `fastnat pool map`: who has which ports of a deterministic pool (RFC 7422).
//!
//! It is computed by the code that the kernel module computes it with.

use std::net::Ipv4Addr;

use fastnat_nat::nat::addr::{Addr, V4};
use fastnat_nat::nat::blocks::Deterministic;
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::ranges::{self, AddrRange};
use fastnat_netlink::generated::{Allocation, Block, Pool, Range};

use crate::parse::Host;

/// A pool that shares its ports among inside addresses by arithmetic.
pub struct Sharing {
    inside: Vec<AddrRange<V4>>,
    outside: Vec<AddrRange<V4>>,
    map: Deterministic,
}

impl Sharing {
    /// Fails where the kernel would refuse the pool, or if it is of another kind.
    pub fn of(pool: &Pool) -> Result<Self, String> {
        if pool.allocation != Some(Allocation::Deterministic) {
            return Err(
                "this is not a pool with allocation deterministic; see `pool blocks`".into(),
            );
        }
        let (inside, outside) = (all(&pool.inside)?, all(&pool.range)?);
        let (min, max) = (
            pool.port_min.unwrap_or(1024),
            pool.port_max.unwrap_or(u16::MAX),
        );
        let ports = PortRange::new(min, max).ok_or("the last port is below the first")?;
        let map = Deterministic::new(ranges::count(&inside), ranges::count(&outside), ports);
        Ok(Self {
            map: map.ok_or("the pool has fewer ports than there are inside addresses")?,
            inside,
            outside,
        })
    }

    /// What the inside address has; or, with a port, what the inside address has that has this
    /// outside endpoint.
    pub fn answer(&self, what: Host) -> Result<Block, String> {
        let addr = V4::from_bytes(what.addr.octets());
        let index = match what.port {
            None => ranges::index(&self.inside, addr)
                .ok_or_else(|| format!("{} is none of the inside addresses", what.addr))?,
            Some(port) => {
                let outside = ranges::index(&self.outside, addr)
                    .ok_or_else(|| format!("{} is none of the outside addresses", what.addr))?;
                let nobody = || format!("nobody has port {port} of {}", what.addr);
                self.map.back(outside, port).ok_or_else(nobody)?
            }
        };
        let nothing = || format!("{} has no ports", what.addr);
        self.share(index).ok_or_else(nothing)
    }

    /// What all inside addresses have, in their order.
    pub fn shares(&self) -> impl Iterator<Item = Block> + '_ {
        (0..ranges::count(&self.inside)).filter_map(|index| self.share(index))
    }

    fn share(&self, index: u64) -> Option<Block> {
        let (outside, ports) = self.map.forward(index)?;
        Some(Block {
            inside_addr: ranges::address(&self.inside, index).map(ipv4),
            outside_addr: ranges::address(&self.outside, outside).map(ipv4),
            port_min: Some(ports.min()),
            port_max: Some(ports.max()),
            ..Block::default()
        })
    }
}

fn ipv4(addr: V4) -> Ipv4Addr {
    Ipv4Addr::from(addr.to_bytes())
}

fn all(given: &[Range]) -> Result<Vec<AddrRange<V4>>, String> {
    let v4 = |addr: Ipv4Addr| V4::from_bytes(addr.octets());
    let mut all: Vec<AddrRange<V4>> = Vec::new();
    for range in given {
        let min = range.addr_min.ok_or("a range has no first address")?;
        let max = range.addr_max.unwrap_or(min);
        let range =
            AddrRange::new(v4(min), v4(max)).ok_or("the last address is below the first")?;
        if all.iter().any(|other| other.overlaps(&range)) {
            return Err(format!("{min}-{max} overlaps another range"));
        }
        all.push(range);
    }
    Ok(all)
}

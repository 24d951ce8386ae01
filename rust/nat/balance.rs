// SPDX-License-Identifier: GPL-2.0

//! Which of several servers a new flow goes to.

use super::addr::Addr;
use super::hash::{folded, Key};
use super::ports::PortRange;

/// One of the endpoints that a policy translates destinations to.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Server<A> {
    /// Its address.
    pub addr: A,
    /// Its ports; `None` keeps the port.
    pub ports: Option<PortRange>,
    /// Its share of the flows, beside the weights of the others. At least 1.
    pub weight: u16,
}

/// Bits of a cost after the point: enough for a weight of 1 beside one of 65535.
const FRACTION: u32 = 24;

impl<A: Addr> Server<A> {
    /// Do both lead to the same endpoint?
    pub fn is_same(&self, other: &Self) -> bool {
        (self.addr, self.ports) == (other.addr, other.ports)
    }

    /// What a client draws for this server: always the same, and for no two servers alike.
    fn draw(&self, key: &Key, client: A) -> u64 {
        let (client, addr) = (client.to_u128(), self.addr.to_u128());
        let ports = self.ports.map_or(0, |ports| {
            u64::from(ports.min()) | (u64::from(ports.max()) << 16) | (1 << 32)
        });
        let [low, high] = [addr as u64, (addr >> 64) as u64 ^ ports];
        let words = [client as u64, low, (client >> 64) as u64, high];
        folded(key, &words)
    }

    /// Does `self`, for which `mine` was drawn, come before `other`?
    fn precedes(&self, mine: u64, other: &Self, theirs: u64) -> bool {
        if self.weight == other.weight {
            return mine > theirs;
        }
        let (mine, theirs) = (cost(mine), cost(theirs));
        mine.wrapping_mul(other.weight.into()) < theirs.wrapping_mul(self.weight.into())
    }
}

/// The server of a client: that for which it draws the lowest cost by weight (rendezvous hashing).
/// A server that comes takes clients from the others, by its weight; one that goes leaves its own
/// to them. No client changes from one server that stays to another.
pub fn of_client<'a, A: Addr>(
    servers: &'a [Server<A>],
    key: &Key,
    client: A,
) -> Option<&'a Server<A>> {
    let drawn = servers
        .iter()
        .map(|server| (server, server.draw(key, client)));
    let first = drawn.reduce(|best, next| match next.0.precedes(next.1, best.0, best.1) {
        true => next,
        false => best,
    });
    first.map(|(server, _)| server)
}

/// A server by weight alone, where `random` is any number.
pub fn at_random<A>(servers: &[Server<A>], random: u32) -> Option<&Server<A>> {
    let weights = || servers.iter().map(|server| u64::from(server.weight));
    let total = weights().fold(0, u64::wrapping_add);
    let mut point = u64::from(random).wrapping_mul(total) >> 32;
    servers.iter().find(|server| {
        let weight = u64::from(server.weight);
        let here = point < weight;
        point = point.wrapping_sub(weight);
        here
    })
}

/// How far a number is from 2^64, in powers of two, with [`FRACTION`] bits after the point: of a
/// random number a random cost with an exponential distribution.
fn cost(drawn: u64) -> u64 {
    let drawn = drawn.max(1);
    let zeros = drawn.leading_zeros();
    // A number from 1 to 2, with 63 bits after the point; its square has one more before it.
    let mut mantissa = drawn.wrapping_shl(zeros);
    let mut log = 0u64;
    for _ in 0..FRACTION {
        let square = u128::from(mantissa).wrapping_mul(mantissa.into());
        let bit = (square >> 127) as u64;
        mantissa = (square >> 63u32.wrapping_add(bit as u32)) as u64;
        log = (log << 1) | bit;
    }
    (u64::from(zeros).wrapping_add(1) << FRACTION).wrapping_sub(log)
}

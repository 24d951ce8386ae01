// SPDX-License-Identifier: GPL-2.0

//! Outside ports that destination policies take: `dnat --in wan0 --dport 8000-8999` leads what comes to
//! these ports elsewhere, so a binding with one of them would hear nothing but the answers of its flows.
//!
//! Only policies that name ports reserve any. One that leads a whole address inside leaves it to bindings.

use super::addr::{Addr, Prefix};
use super::iface::{Interface, Interfaces, Look, Seen};
use super::policy::{Match, Policy};
use super::ports::PortRange;
use core::cell::Cell;
use core::cmp::Ordering;

/// Policies that exempt from translation whose ports are left out, the first ones. Ports of more count as
/// reserved, and are given out last.
pub const MOST_SPARED: usize = 64;
/// Different networks and interfaces that reserve ports of one address, as many as are looked at.
const MOST: usize = 8;
/// Ports per word of a bitmap.
const WORD: usize = u64::BITS as usize;

/// Ports that policies take, of packets to a network that come in by certain interfaces.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Taken<A> {
    dst: Prefix<A>,
    in_iface: Interfaces,
    proto: u8,
    ports: PortRange,
}

/// Which part of address and interface is looked at.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Scope {
    bits: u8,
    look: Look,
}

/// What orders [`Taken`]: those of a scope together, in it those of an address, an interface and a protocol.
type Place = (u8, Look, u128, Seen, u8);

/// Does the policy exempt all that comes to its ports, whoever sends it?
pub fn is_sparing<A: Addr>(matches: &Match<A>) -> bool {
    matches.src.bits() == 0 && matches.sport == PortRange::ALL && matches.mark_mask == 0
}

/// Calls `f` with what a policy takes that translates destinations, but for what the policies `spared`
/// exempt, which are asked before it and are [`is_sparing`].
pub fn taken_by<A: Addr, E>(
    policy: &Policy<A>,
    spared: &[Match<A>],
    mut f: impl FnMut(Taken<A>) -> Result<(), E>,
) -> Result<(), E> {
    let m = &policy.matches;
    if m.dport == PortRange::ALL {
        return Ok(());
    }
    let spared = || spared.iter().filter(|other| covers(other, m));
    let mut from = u32::from(m.dport.min());
    // Each round goes past a port, or past all of a spared range.
    while from <= u32::from(m.dport.max()) {
        let here = |other: &&Match<A>| u32::from(other.dport.min()) <= from;
        let there = |other: &&Match<A>| u32::from(other.dport.max()) >= from;
        if let Some(other) = spared().find(|other| here(other) && there(other)) {
            from = u32::from(other.dport.max()).wrapping_add(1);
            continue;
        }
        let next = spared().map(|other| u32::from(other.dport.min()));
        let next = next.filter(|min| *min > from).min();
        let end = next.map_or(u32::MAX, |min| min.wrapping_sub(1));
        let end = end.min(m.dport.max().into());
        if let Some(ports) = PortRange::new(from as u16, end as u16) {
            f(Taken {
                dst: m.dst,
                in_iface: m.in_iface,
                proto: m.proto,
                ports,
            })?;
        }
        from = end.wrapping_add(1);
    }
    Ok(())
}

/// Does `one` match all packets that `other` matches, as far as their ports allow?
fn covers<A: Addr>(one: &Match<A>, other: &Match<A>) -> bool {
    (one.proto == 0 || one.proto == other.proto)
        && one.dst.bits() <= other.dst.bits()
        && one.dst.contains(other.dst.addr())
        && one.in_iface.contains(&other.in_iface.common())
}

impl<A: Addr> Taken<A> {
    fn place(&self) -> Place {
        let (dst, iface) = (self.dst.addr().to_u128(), &self.in_iface);
        let scope = self.scope();
        (scope.bits, scope.look, dst, iface.seen(), self.proto)
    }

    /// Its scope.
    pub fn scope(&self) -> Scope {
        Scope {
            bits: self.dst.bits(),
            look: self.in_iface.look(),
        }
    }

    /// The order in which [`Reserved::new`] wants them.
    pub fn order(&self, other: &Self) -> Ordering {
        let ports = |taken: &Self| taken.ports.min();
        let places = self.place().cmp(&other.place());
        places.then(ports(self).cmp(&ports(other)))
    }

    /// Both in one, if `other` is not before `self` and there is nothing between.
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let touch = u32::from(other.ports.min()) <= u32::from(self.ports.max()).wrapping_add(1);
        if self.place() != other.place() || !touch {
            return None;
        }
        let max = self.ports.max().max(other.ports.max());
        Some(Self {
            ports: PortRange::new(self.ports.min(), max)?,
            ..*self
        })
    }
}

/// The reserved ports of an address, for packets of one protocol that come in by one interface.
pub struct Reserved<'a, A> {
    lists: [&'a [Taken<A>]; MOST],
    count: usize,
    /// Where the last word lay that was reserved as a whole.
    around: Cell<Option<PortRange>>,
}

impl<'a, A: Addr> Reserved<'a, A> {
    /// None.
    pub const fn none() -> Self {
        Self {
            lists: [&[]; MOST],
            count: 0,
            around: Cell::new(None),
        }
    }

    /// Those of `all`, which are in [`Taken::order`] and joined; `scopes` are their different scopes.
    pub fn new(
        (all, scopes): (&'a [Taken<A>], &[Scope]),
        addr: A,
        iface: &Interface,
        proto: u8,
    ) -> Self {
        let mut found = Self::none();
        for scope in scopes {
            let dst = addr.masked(scope.bits).to_u128();
            let place = (scope.bits, scope.look, dst, scope.look.at(iface), proto);
            let start = all.partition_point(|taken| taken.place() < place);
            let rest = all.get(start..).unwrap_or_default();
            let end = rest.partition_point(|taken| taken.place() == place);
            let list = rest.get(..end).unwrap_or_default();
            let room = found.lists.get_mut(found.count);
            if let Some(room) = room.filter(|_| !list.is_empty()) {
                *room = list;
                found.count = found.count.wrapping_add(1);
            }
        }
        found
    }

    fn lists(&self) -> impl Iterator<Item = &'a [Taken<A>]> + '_ {
        self.lists.iter().take(self.count).copied()
    }

    /// Is no port reserved?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Is this port?
    pub fn contains(&self, port: u16) -> bool {
        self.lists().any(|list| {
            let at = list.partition_point(|taken| taken.ports.max() < port);
            list.get(at).is_some_and(|taken| taken.ports.contains(port))
        })
    }

    /// Is all of a range reserved by one policy, or by some whose ports follow each other?
    pub fn covers(&self, range: PortRange) -> bool {
        self.lists().any(|list| {
            let at = list.partition_point(|taken| taken.ports.max() < range.min());
            let ports = list.get(at).map(|taken| taken.ports);
            ports.and_then(|ports| ports.intersect(&range)) == Some(range)
        })
    }

    /// The reserved ones of the 64 ports of a word: bit `i` is port `64 * index + i`.
    pub fn word(&self, index: usize) -> u64 {
        let min = index.wrapping_mul(WORD) as u16;
        let Some(here) = PortRange::new(min, min | (WORD as u16).wrapping_sub(1)) else {
            return 0;
        };
        let all = |ports: &PortRange| ports.intersect(&here) == Some(here);
        if self.around.get().is_some_and(|around| all(&around)) {
            return u64::MAX;
        }
        let mut word = 0;
        for list in self.lists() {
            let at = list.partition_point(|taken| taken.ports.max() < here.min());
            for taken in list.get(at..).unwrap_or_default() {
                let Some(ports) = taken.ports.intersect(&here) else {
                    break;
                };
                if ports == here {
                    self.around.set(Some(taken.ports));
                    return u64::MAX;
                }
                word |= bits(&ports, here.min());
            }
        }
        word
    }
}

/// Bits of some ports that lie in the word that begins with port `base`.
fn bits(ports: &PortRange, base: u16) -> u64 {
    let len = ports.len().min(u64::BITS);
    let ones = u64::MAX.wrapping_shr(u64::BITS.wrapping_sub(len));
    ones.wrapping_shl(ports.min().wrapping_sub(base).into())
}

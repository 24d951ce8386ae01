// SPDX-License-Identifier: GPL-2.0

//! Policies: which packets they match, and what they have done to them.

use super::addr::{Addr, Be16, Prefix};
use super::iface::{Interface, Interfaces};
use super::ports::PortRange;
use super::tuple::{Endpoint, Tuple, ICMP, TCP, UDP};

/// What a packet has to look like when the policy is asked: a destination policy before routing,
/// as the packet came; a source policy after it, with the destination translated.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Match<A> {
    /// Where it comes from.
    pub src: Prefix<A>,
    /// Where it goes.
    pub dst: Prefix<A>,
    /// IP protocol number; 0 for any.
    pub proto: u8,
    /// Source ports.
    pub sport: PortRange,
    /// Destination ports.
    pub dport: PortRange,
    /// Interfaces it came in by.
    pub in_iface: Interfaces,
    /// Interfaces it leaves by.
    pub out_iface: Interfaces,
    /// What the bits of its mark in `mark_mask` are.
    pub mark: u32,
    /// Which bits of its mark count.
    pub mark_mask: u32,
}

/// A packet, as policies see it.
#[derive(Copy, Clone, Debug)]
pub struct Subject<A> {
    /// What the packet carries.
    pub tuple: Tuple<A>,
    /// Interface it came in by.
    pub in_iface: Interface,
    /// Interface it leaves by; none if that is not known yet.
    pub out_iface: Interface,
    /// Its mark.
    pub mark: u32,
}

impl<A: Addr> Match<A> {
    /// Whether `subject` looks like that.
    pub fn matches(&self, subject: &Subject<A>) -> bool {
        let tuple = &subject.tuple;
        self.src.contains(tuple.src_addr)
            && self.dst.contains(tuple.dst_addr)
            && (self.proto == 0 || self.proto == tuple.proto)
            && self.sport.contains(tuple.src_port.to_host())
            && self.dport.contains(tuple.dst_port.to_host())
            && self.in_iface.contains(&subject.in_iface)
            && self.out_iface.contains(&subject.out_iface)
            && subject.mark & self.mark_mask == self.mark
    }

    /// Whether whatever looks like `other` looks like that, too.
    pub fn covers(&self, other: &Self) -> bool {
        self.src.covers(&other.src)
            && self.dst.covers(&other.dst)
            && (self.proto == 0 || self.proto == other.proto)
            && self.sport.covers(&other.sport)
            && self.dport.covers(&other.dport)
            && self.in_iface.covers(&other.in_iface)
            && self.out_iface.covers(&other.out_iface)
            && self.mark_mask & !other.mark_mask == 0
            && other.mark & self.mark_mask == self.mark
    }

    /// The same without what a flow does not tell of its first packet: interfaces and mark.
    pub fn of_flows(&self) -> Self {
        Self {
            in_iface: Interfaces::ANY,
            out_iface: Interfaces::ANY,
            mark: 0,
            mark_mask: 0,
            ..*self
        }
    }

    /// Two packets that look like that, with nothing else in common: a policy that matches all such
    /// packets matches both.
    pub fn examples(&self) -> [Subject<A>; 2] {
        let example = |src, sport: u16, dst, dport: u16| Subject {
            tuple: Tuple::new(
                self.proto,
                Endpoint {
                    addr: src,
                    port: Be16::from_host(sport),
                },
                Endpoint {
                    addr: dst,
                    port: Be16::from_host(dport),
                },
            ),
            in_iface: self.in_iface.common(),
            out_iface: self.out_iface.common(),
            mark: self.mark,
        };
        let (sport, dport) = (self.sport, self.dport);
        [
            example(self.src.addr(), sport.min(), self.dst.addr(), dport.min()),
            example(self.src.last(), sport.max(), self.dst.last(), dport.max()),
        ]
    }
}

/// Which end of a packet a policy decides about.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Side {
    /// The source, after routing.
    Source,
    /// The destination, before routing.
    Destination,
}

/// What a policy does.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Action {
    /// Translates the source to an address of a pool.
    Snat,
    /// Translates the source to the address of the output interface.
    Masquerade,
    /// Translates the destination.
    Dnat,
    /// Leaves the source alone.
    NoSnat,
    /// Leaves the destination alone.
    NoDnat,
    /// Translates the destination to the address of the input interface.
    Redirect,
}

impl Action {
    /// Which end it decides about.
    #[inline]
    pub const fn side(self) -> Side {
        match self {
            Action::Snat | Action::Masquerade | Action::NoSnat => Side::Source,
            Action::Dnat | Action::NoDnat | Action::Redirect => Side::Destination,
        }
    }

    /// Does it translate, rather than exempt?
    pub const fn translates(self) -> bool {
        !matches!(self, Action::NoSnat | Action::NoDnat)
    }
}

/// What of an inside host's traffic shares an outside endpoint (RFC 4787, section 4.1).
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub enum Mapping {
    /// All that an inside endpoint sends, wherever it goes.
    #[default]
    EndpointIndependent,
    /// What an inside endpoint sends to one remote endpoint.
    AddressAndPortDependent,
}

/// Who may send to the outside endpoint of a binding (RFC 4787, section 5).
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub enum Filtering {
    /// Everybody.
    #[default]
    EndpointIndependent,
    /// Addresses to which the inside endpoint has a flow.
    AddressDependent,
    /// Endpoints to which the inside endpoint has a flow.
    AddressAndPortDependent,
}

/// The mark that packets get.
///
/// # Invariants
///
/// `value` has no bits outside `mask`.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct SetMark {
    value: u32,
    mask: u32,
}

impl SetMark {
    /// The bits of `mask` become those of `value`; `None` if that has others.
    pub fn new(value: u32, mask: u32) -> Option<Self> {
        // INVARIANT: checked here.
        (value & !mask == 0).then_some(Self { value, mask })
    }

    /// The bits that packets get.
    pub fn value(&self) -> u32 {
        self.value
    }

    /// Which bits those are.
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// The mark of a packet that had `mark`.
    pub fn of(&self, mark: u32) -> u32 {
        (mark & !self.mask) | self.value
    }
}

/// How the bindings of a policy behave towards the world.
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub struct Behavior {
    /// What shares a binding.
    pub mapping: Mapping,
    /// Who may send to it.
    pub filtering: Filtering,
}

impl Behavior {
    /// Without a word about filtering, that is as open as the mapping lets it be. `None` where they do not
    /// fit: whoever is let in to a binding of one remote endpoint would be answered from another.
    pub fn new(mapping: Mapping, filtering: Option<Filtering>) -> Option<Self> {
        let only = match mapping {
            Mapping::EndpointIndependent => None,
            Mapping::AddressAndPortDependent => Some(Filtering::AddressAndPortDependent),
        };
        let asked = filtering.or(only).unwrap_or_default();
        (asked == only.unwrap_or(asked)).then_some(Self {
            mapping,
            filtering: asked,
        })
    }
}

/// A policy. Of those that match, the one with the lowest priority decides, and among equals the
/// lowest id.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Policy<A> {
    /// What it is called by.
    pub id: u32,
    /// Lower comes first.
    pub priority: u32,
    /// Which packets it is about.
    pub matches: Match<A>,
    /// What is done to them.
    pub action: Action,
}

/// What is wrong with a policy, by the field.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Invalid {
    /// Source ports of a protocol that is neither TCP nor UDP.
    SourcePort,
    /// Destination ports of a protocol that is neither TCP nor UDP.
    DestinationPort,
    /// A protocol that cannot be translated: all that the policy could do is drop.
    Protocol,
    /// Destinations that are many hosts, whose packets are never translated.
    Destination,
    /// A destination policy, which decides before the output interface is known.
    OutIface,
    /// Bits in the mark that the mask leaves out.
    Mark,
}

/// The place of a policy among others: the lowest that matches decides.
#[inline]
pub(super) const fn rank(priority: u32, id: u32) -> u64 {
    ((priority as u64) << 32) | id as u64
}

impl<A> Policy<A> {
    /// Its place among the policies: the lowest that matches decides.
    #[inline]
    pub const fn rank(&self) -> u64 {
        rank(self.priority, self.id)
    }
}

impl<A: Addr> Policy<A> {
    /// Refuses a policy that could never match, or not as it reads.
    pub fn validate(&self) -> Result<(), Invalid> {
        let m = &self.matches;
        let has_ports = matches!(m.proto, TCP | UDP);
        let translatable = matches!(m.proto, 0 | TCP | UDP | ICMP);
        let early = self.action.side() == Side::Destination;
        let checks = [
            (has_ports || m.sport == PortRange::ALL, Invalid::SourcePort),
            (
                has_ports || m.dport == PortRange::ALL,
                Invalid::DestinationPort,
            ),
            (translatable || !self.action.translates(), Invalid::Protocol),
            (
                // A shorter prefix than that of multicast has others in it.
                !m.dst.addr().is_multicast() || m.dst.bits() < 4 || !self.action.translates(),
                Invalid::Destination,
            ),
            (!early || m.out_iface.is_any(), Invalid::OutIface),
            (m.mark & !m.mark_mask == 0, Invalid::Mark),
        ];
        match checks.iter().find(|(right, _)| !right) {
            Some((_, invalid)) => Err(*invalid),
            None => Ok(()),
        }
    }
}

/// The port a destination policy maps `port` to.
///
/// Without `to` the port stays. A single port takes all of them; a range as long as `matched` takes
/// them in order.
pub fn map_port(matched: PortRange, to: Option<PortRange>, port: u16) -> u16 {
    let Some(to) = to else {
        return port;
    };
    let offset = u32::from(port.saturating_sub(matched.min()));
    let offset = offset.checked_rem(to.len()).unwrap_or(0);
    to.min().wrapping_add(offset as u16)
}

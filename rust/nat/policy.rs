// SPDX-License-Identifier: GPL-2.0

//! Policies: which packets they match, and what they have done to them.

use super::addr::{Addr, Prefix};
use super::ports::PortRange;
use super::tuple::{Tuple, TCP, UDP};

/// The name of an interface, filled up with zeros. All zero stands for any.
pub type IfName = [u8; 16];

/// The interface name that matches any.
pub const ANY_IFACE: IfName = [0; 16];

/// The name that ends before the first zero, or the last byte, filled up with zeros.
#[inline]
pub const fn padded(name: IfName) -> IfName {
    let word = u128::from_le_bytes(name);
    let (low, high) = (word as u64, (word >> 64) as u64);
    let kept = match before_zero(low) {
        u64::MAX => (before_zero(high) & (u64::MAX >> 8)) as u128,
        _ => 0,
    };
    (word & ((kept << 64) | before_zero(low) as u128)).to_le_bytes()
}

/// All bits of the bytes before the first that is zero.
#[inline]
const fn before_zero(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    // The top bit of the first byte that is zero, and perhaps those of later ones.
    let zeros = word.wrapping_sub(EACH) & !word & (EACH << 7);
    match zeros & zeros.wrapping_neg() {
        0 => u64::MAX,
        first => (first >> 7).wrapping_sub(1),
    }
}

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
    /// Interface it came in by; all zero for any.
    pub in_iface: IfName,
    /// Interface it leaves by; all zero for any.
    pub out_iface: IfName,
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
    /// Interface it came in by; all zero if none.
    pub in_iface: IfName,
    /// Interface it leaves by; all zero if none, or not known yet.
    pub out_iface: IfName,
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
            && (self.in_iface == ANY_IFACE || self.in_iface == subject.in_iface)
            && (self.out_iface == ANY_IFACE || self.out_iface == subject.out_iface)
            && subject.mark & self.mark_mask == self.mark
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
    /// Not the name of an interface: no zero at its end, or something after the first zero.
    InIface,
    /// The same; or a destination policy, which decides before the output interface is known.
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
        let early = self.action.side() == Side::Destination;
        let checks = [
            (has_ports || m.sport == PortRange::ALL, Invalid::SourcePort),
            (
                has_ports || m.dport == PortRange::ALL,
                Invalid::DestinationPort,
            ),
            (is_name(&m.in_iface), Invalid::InIface),
            (is_name(&m.out_iface), Invalid::OutIface),
            (!early || m.out_iface == ANY_IFACE, Invalid::OutIface),
            (m.mark & !m.mark_mask == 0, Invalid::Mark),
        ];
        match checks.iter().find(|(right, _)| !right) {
            Some((_, invalid)) => Err(*invalid),
            None => Ok(()),
        }
    }
}

fn is_name(name: &IfName) -> bool {
    let mut padding = name.iter().skip_while(|byte| **byte != 0).peekable();
    padding.peek().is_some() && padding.all(|byte| *byte == 0)
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

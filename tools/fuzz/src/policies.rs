// SPDX-License-Identifier: GPL-2.0

//! The classifier finds what a search through all policies finds.

use fastnat_nat::nat::addr::{Addr, Be16, Prefix, V4, masked};
use fastnat_nat::nat::classifier::{
    BuildError, Group, MAX_GROUPS, Slot, Tag, build, find, find_all, plan,
};
use fastnat_nat::nat::hash::Key;
use fastnat_nat::nat::iface::{ANY_IFACE, IfName, Interface, Interfaces};
use fastnat_nat::nat::policy::{Action, Match, Policy, Subject};
use fastnat_nat::nat::ports::PortRange;
use fastnat_nat::nat::tuple::{Endpoint, ICMP, TCP, Tuple, UDP};

use crate::input::Input;

/// Policies that were compiled.
pub struct Classifier {
    /// The groups, the best first.
    pub groups: Vec<Group>,
    /// Their slots.
    pub slots: Vec<Slot<V4>>,
    tags: Vec<Tag>,
    key: Key,
}

impl Classifier {
    /// Compiles them.
    pub fn new(policies: &[Policy<V4>], key: Key) -> Result<Self, BuildError> {
        let mut groups = vec![Group::default(); MAX_GROUPS];
        let sizes = plan(policies.iter(), &mut groups)?;
        groups.truncate(sizes.groups);
        let mut slots = vec![Slot::default(); sizes.slots];
        let mut tags = vec![0; sizes.slots];
        build((0..).zip(policies), &key, &groups, &mut slots, &mut tags)?;
        Ok(Self {
            groups,
            slots,
            tags,
            key,
        })
    }

    /// The index of the policy for a packet.
    pub fn find(&self, subject: &Subject<V4>) -> Option<u32> {
        find(&self.groups, (&self.slots, &self.tags), &self.key, subject)
    }

    /// The indices of policies for a packet that are asked before `rank`.
    pub fn find_all(&self, subject: &Subject<V4>, rank: u64) -> Vec<u32> {
        let slots = (&self.slots[..], &self.tags[..]);
        find_all(&self.groups, slots, &self.key, subject, rank).collect()
    }
}

/// The same, by asking all of them.
pub fn linear(policies: &[Policy<V4>], subject: &Subject<V4>) -> Option<u32> {
    let matching = (0..)
        .zip(policies)
        .filter(|(_, p)| p.matches.matches(subject));
    matching
        .min_by_key(|(_, p)| (p.priority, p.id))
        .map(|(index, _)| index)
}

/// The most policies of an input.
const MOST: u8 = 24;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let count = input.u8() % MOST;
    let policies: Vec<_> = (0..u32::from(count))
        .map(|id| policy(&mut input, id))
        .collect();
    let classifier = match Classifier::new(&policies, Key(1, 2)) {
        Ok(classifier) => classifier,
        Err(error) => return assert_eq!(error, BuildError::TooManyMasks),
    };
    for policy in &policies {
        let subject = matching(policy);
        assert_eq!(
            classifier.find(&subject),
            linear(&policies, &subject),
            "{subject:?}"
        );
    }
    while !input.is_empty() {
        let subject = subject(&mut input);
        assert_eq!(
            classifier.find(&subject),
            linear(&policies, &subject),
            "{subject:?}"
        );
    }
}

// Few values for everything, so that policies overlap and packets hit them.

fn addr(byte: u8) -> V4 {
    let [a, b, c] = [byte & 3, (byte >> 2) & 3, byte >> 4].map(u128::from);
    V4::from_u128(0x0a00_0000 | (a << 16) | (b << 8) | c)
}

fn prefix(input: &mut Input<'_>) -> Prefix<V4> {
    let (addr, bits) = (addr(input.u8()), input.u8() % 33);
    Prefix::new(masked(addr, bits), bits).unwrap()
}

fn range(input: &mut Input<'_>) -> PortRange {
    let how = input.u8();
    let (a, b) = (input.u16(), input.u16());
    match how & 3 {
        0 => PortRange::new(a.min(b), a.max(b)).unwrap(),
        1 => PortRange::new(a & 15, a & 15).unwrap(),
        2 => PortRange::new(1024, u16::MAX).unwrap(),
        _ => PortRange::ALL,
    }
}

fn proto(byte: u8) -> u8 {
    [TCP, UDP, ICMP, 0][usize::from(byte & 3)]
}

fn name(byte: u8) -> IfName {
    let mut name = ANY_IFACE;
    let len = usize::from(byte & 3) + 1;
    for (at, place) in name.iter_mut().take(len).enumerate() {
        *place = if (byte >> (4 + at)) & 1 == 1 {
            b'a'
        } else {
            b'b'
        };
    }
    name
}

fn interfaces(byte: u8) -> Interfaces {
    let mut text = name(byte);
    match byte & 0xc {
        0 => Interfaces::ANY,
        4 => Interfaces::one(text),
        8 => Interfaces::of_group(u32::from(byte >> 6)),
        _ => {
            let end = text.iter().position(|byte| *byte == 0).unwrap();
            text[end] = b'*';
            Interfaces::named(text).unwrap()
        }
    }
}

fn interface(byte: u8) -> Interface {
    match byte & 0xc {
        0 => Interface::default(),
        _ => Interface {
            name: name(byte),
            group: Some(u32::from(byte >> 6)),
        },
    }
}

fn policy(input: &mut Input<'_>, id: u32) -> Policy<V4> {
    let mark_mask = u32::from(input.u8() & 3);
    Policy {
        id: id ^ 5,
        priority: u32::from(input.u8() & 7),
        action: Action::Snat,
        matches: Match {
            src: prefix(input),
            dst: prefix(input),
            proto: proto(input.u8()),
            sport: range(input),
            dport: PortRange::new(0, input.u16()).unwrap(),
            in_iface: interfaces(input.u8()),
            out_iface: interfaces(input.u8()),
            mark: u32::from(input.u8()) & mark_mask,
            mark_mask,
        },
    }
}

fn end(addr: V4, port: u16) -> Endpoint<V4> {
    Endpoint {
        addr,
        port: Be16::from_host(port),
    }
}

fn subject(input: &mut Input<'_>) -> Subject<V4> {
    let (src, dst) = (addr(input.u8()), addr(input.u8()));
    let (src, dst) = (end(src, input.u16()), end(dst, input.u16()));
    Subject {
        tuple: Tuple::new(proto(input.u8()), src, dst),
        in_iface: interface(input.u8()),
        out_iface: interface(input.u8()),
        mark: u32::from(input.u8() & 7),
    }
}

/// A packet that the policy matches, at the edge of its ranges.
fn matching(policy: &Policy<V4>) -> Subject<V4> {
    let m = &policy.matches;
    let (src, dst) = (
        end(m.src.addr(), m.sport.max()),
        end(m.dst.addr(), m.dport.max()),
    );
    let subject = Subject {
        tuple: Tuple::new(m.proto, src, dst),
        in_iface: m.in_iface.common(),
        out_iface: m.out_iface.common(),
        mark: m.mark,
    };
    assert!(m.matches(&subject), "{m:?}");
    subject
}

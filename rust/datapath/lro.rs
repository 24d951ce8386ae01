// SPDX-License-Identifier: GPL-2.0

//! Aggregation: TCP segments are merged before they are translated. What may be merged `nat::lro`
//! says; the kernel's own GRO does it.

use crate::nat::lro::{difference, fit, Changing, Fit, Mode, Reason, Segment, Setting};
use crate::state::lro::Entry;
use crate::state::Net;
use crate::sys::gro::{Aggregate, Received};
use crate::sys::rcu::Rcu;

/// The longest IP packet without jumbograms.
const LONGEST: usize = 0xffff;

impl Aggregate for Net {
    #[inline]
    fn receive(&self, packet: &mut Received<'_>, rcu: Rcu<'_>) {
        match self.lro.of(packet.ifindex(), rcu) {
            Some((entry, setting)) => aggregate(packet, entry, setting),
            None => {
                packet.merge();
            }
        }
    }
}

#[inline(always)]
fn aggregate(packet: &mut Received<'_>, entry: &Entry, setting: Setting) {
    packet.look();
    let segment = match Segment::read(packet.headers(), packet.len()) {
        Ok(segment) => segment,
        Err(reason) => return unread(packet, entry, setting, reason),
    };
    let old = match setting.mode {
        Mode::Lro => match prepare(packet, &segment) {
            Plan::Merge(old) => old,
            Plan::Refuse(reason) => return refuse(packet, entry, reason),
            Plan::Begin(reason) => return begin(packet, entry, reason),
        },
        Mode::Off | Mode::Strict => None,
    };
    if merge(packet, &segment, entry, setting) || setting.mode != Mode::Lro {
        return;
    }
    if let (Some(old), Some(held)) = (old, packet.held_mut()) {
        old.put(&segment, held);
    }
    end(packet);
    packet.forget_list();
}

/// The headers could not be read, for this reason.
#[cold]
fn unread(packet: &mut Received<'_>, entry: &Entry, setting: Setting, reason: Reason) {
    let counts = reason == Reason::NotTcp || packet.held().is_some();
    match (reason, setting.mode) {
        (Reason::NotTcp, _) | (_, Mode::Off | Mode::Strict) => {
            if counts {
                entry.count(reason);
            }
            packet.merge();
        }
        (_, Mode::Lro) => refuse(packet, entry, reason),
    }
}

/// The packet goes up the stack by itself.
fn refuse(packet: &mut Received<'_>, entry: &Entry, reason: Reason) {
    entry.count(reason);
    packet.refuse();
}

/// What is held goes up the stack, and the packet is held.
fn begin(packet: &mut Received<'_>, entry: &Entry, reason: Reason) {
    entry.count(reason);
    packet.merge();
    end(packet);
    packet.forget_list();
}

/// What mode lro does with a segment.
enum Plan {
    /// It refuses it.
    Refuse(Reason),
    /// It joins what is held, if there is anything; that had these fields before.
    Merge(Option<Changing>),
    /// It begins another aggregate.
    Begin(Reason),
}

/// Applies the rules. What is held is given the ACK number, window and timestamps of a segment that
/// may join it, so that the kernel finds the two alike. They stay if it merges them.
#[inline(always)]
fn prepare(packet: &mut Received<'_>, segment: &Segment) -> Plan {
    if let Some(reason) = segment.refusal() {
        return Plan::Refuse(reason);
    }
    let Some(held) = packet.held() else {
        return Plan::Merge(None);
    };
    let old = match fit(segment, &held) {
        Ok(Fit::Same) => return Plan::Merge(None),
        Ok(Fit::Newer(old)) => old,
        Err(reason) => return Plan::Begin(reason),
    };
    if packet.held_is_list() {
        return Plan::Begin(Reason::Other);
    }
    let held = packet.held_mut();
    match held.and_then(|held| segment.changing().put(segment, held)) {
        Some(()) => Plan::Merge(Some(old)),
        None => Plan::Begin(Reason::Shared),
    }
}

/// What is held goes up the stack ahead of the packet.
fn end(packet: &mut Received<'_>) {
    if packet.held().is_some() && !packet.is_flushed() {
        packet.flush();
    }
}

/// Leaves the segment to the kernel, and counts what becomes of it: true if it was merged.
#[inline(always)]
fn merge(packet: &mut Received<'_>, segment: &Segment, entry: &Entry, setting: Setting) -> bool {
    let before = packet.held().map(|held| (held.segments, held.payload));
    let merged = packet.merge();
    let (Some(before), Some(held)) = (before, packet.held()) else {
        return false;
    };
    if !merged {
        entry.count(unmerged(packet, segment));
        return false;
    }
    let (segments, mss) = (held.segments, held.mss);
    entry.count_merged(segments, segment.payload, before);
    if let Some(reason) = last(packet, segment, mss, segments, setting) {
        entry.count(reason);
        end(packet);
    }
    true
}

/// Why the kernel did not merge the segment with what is held.
#[cold]
fn unmerged(packet: &Received<'_>, segment: &Segment) -> Reason {
    let Some(held) = packet.held() else {
        return Reason::Other;
    };
    let reason = difference(segment, packet.headers(), &held);
    let size = packet.held_len().wrapping_add(segment.payload);
    match (reason, packet.is_flushed()) {
        // The kernel goes no further, and leaves what is held as it is.
        (Reason::Other, false) => Reason::Checksum,
        (Reason::Other, true) if size > LONGEST => Reason::MaxSize,
        (reason, _) => reason,
    }
}

/// Why the segment just merged is the last of its aggregate, if it is.
#[inline(always)]
fn last(
    packet: &Received<'_>,
    segment: &Segment,
    mss: usize,
    segments: usize,
    setting: Setting,
) -> Option<Reason> {
    let size = packet.held_len().wrapping_add(packet.mtu());
    if packet.is_flushed() {
        let ending = match segment.payload < mss {
            true => Reason::Short,
            false => segment.ending().unwrap_or(Reason::Other),
        };
        return Some(ending);
    }
    if segments >= usize::from(setting.limit) {
        return Some(Reason::Limit);
    }
    (setting.mode == Mode::Lro && size > LONGEST).then_some(Reason::MaxSize)
}

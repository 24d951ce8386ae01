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

fn aggregate(packet: &mut Received<'_>, entry: &Entry, setting: Setting) {
    packet.look();
    let segment = match Segment::read(packet.headers(), packet.len()) {
        Ok(segment) => segment,
        Err(Reason::NotTcp) => {
            entry.count(Reason::NotTcp);
            packet.merge();
            return;
        }
        Err(reason) if setting.mode == Mode::Lro => return refuse(packet, entry, reason),
        Err(reason) => {
            if packet.held().is_some() {
                entry.count(reason);
            }
            packet.merge();
            return;
        }
    };
    match setting.mode {
        Mode::Lro => match segment.refusal(packet.headers()) {
            Some(reason) => refuse(packet, entry, reason),
            None => join(packet, &segment, entry, setting),
        },
        _ => {
            merge(packet, &segment, entry, setting);
        }
    }
}

fn refuse(packet: &mut Received<'_>, entry: &Entry, reason: Reason) {
    entry.count(reason);
    packet.refuse();
}

/// Has a segment that no rule refuses join what is held, or end that and be held itself.
fn join(packet: &mut Received<'_>, segment: &Segment, entry: &Entry, setting: Setting) {
    let fits = packet
        .held()
        .map(|held| fit(segment, packet.headers(), &held));
    match fits {
        Some(Ok(Fit::Newer)) if !packet.held_is_list() => renew(packet, segment, entry, setting),
        Some(Ok(Fit::Same)) => {
            merge(packet, segment, entry, setting);
        }
        Some(Err(reason)) => {
            entry.count(reason);
            packet.merge();
            end(packet);
        }
        _ => {
            packet.merge();
            end(packet);
        }
    }
    packet.forget_list();
}

/// Gives what is held the ACK number, window and timestamps of the segment, so that the kernel
/// finds the two alike. They stay if it merges them.
fn renew(packet: &mut Received<'_>, segment: &Segment, entry: &Entry, setting: Setting) {
    let new = Changing::of(segment, packet.headers());
    let old = packet
        .held()
        .and_then(|held| Changing::of(segment, held.headers));
    let written = match (new, packet.held_mut()) {
        (Some(new), Some(held)) => new.put(held).is_some(),
        _ => false,
    };
    if !written {
        entry.count(Reason::Shared);
        packet.merge();
        return end(packet);
    }
    if !merge(packet, segment, entry, setting) {
        if let (Some(old), Some(held)) = (old, packet.held_mut()) {
            old.put(held);
        }
    }
}

/// What is held goes up the stack ahead of the packet.
fn end(packet: &mut Received<'_>) {
    if packet.held().is_some() && !packet.is_flushed() {
        packet.flush();
    }
}

/// Leaves the segment to the kernel, and counts what becomes of it: true if it was merged.
fn merge(packet: &mut Received<'_>, segment: &Segment, entry: &Entry, setting: Setting) -> bool {
    let before = packet.held().map(|held| (held.segments, held.payload));
    let merged = packet.merge();
    let (Some(before), Some(held)) = (before, packet.held()) else {
        return false;
    };
    if !merged {
        let reason = difference(segment, packet.headers(), &held);
        let size = packet.held_len().wrapping_add(segment.payload);
        entry.count(match (reason, packet.is_flushed()) {
            // The kernel goes no further, and leaves what is held as it is.
            (Reason::Other, false) => Reason::Checksum,
            (Reason::Other, true) if size > LONGEST => Reason::MaxSize,
            (reason, _) => reason,
        });
        if setting.mode == Mode::Lro {
            end(packet);
        }
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

/// Why the segment just merged is the last of its aggregate, if it is.
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

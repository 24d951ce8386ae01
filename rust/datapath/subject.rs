// SPDX-License-Identifier: GPL-2.0

//! What a policy is asked about a packet.

use super::Hook;
use crate::nat::addr::{Be16, V4};
use crate::nat::iface::Interface;
use crate::nat::packet::{self, Ip};
use crate::nat::policy::Subject;
use crate::nat::tuple::{Endpoint, Tuple};
use crate::sys::dev::Device;
use crate::sys::skb::Skb;

/// The subject of a packet.
pub(super) fn of(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>) -> Subject<V4> {
    Subject {
        tuple: *tuple,
        in_iface: interface(hook.context.input()),
        out_iface: interface(hook.context.output()),
        mark: skb.mark(),
    }
}

/// The subject of the answer to a packet that leaves.
pub(super) fn of_answer(hook: &Hook<'_>, skb: &Skb, tuple: &Tuple<V4>) -> Subject<V4> {
    let mut subject = of(hook, skb, &tuple.reverse());
    core::mem::swap(&mut subject.in_iface, &mut subject.out_iface);
    subject
}

fn interface(dev: Option<Device<'_>>) -> Interface {
    dev.map_or(Interface::default(), |dev| dev.interface())
}

/// The tuple of a packet of which only addresses and protocol are known.
pub(super) fn portless(proto: u8, src: V4, dst: V4) -> Tuple<V4> {
    let end = |addr| Endpoint {
        addr,
        port: Be16::default(),
    };
    Tuple::new(proto, end(src), end(dst))
}

/// The subject of a packet that cannot be translated.
pub(super) fn of_header(hook: &Hook<'_>, skb: &Skb, ip: &Ip) -> Subject<V4> {
    of(hook, skb, &packet::likely_tuple(skb.linear(), ip))
}

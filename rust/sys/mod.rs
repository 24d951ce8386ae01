// SPDX-License-Identifier: GPL-2.0

//! Everything that faces the kernel's C: `unsafe` in, safe types out.

pub(crate) mod bridge;
pub(crate) mod conntrack;
pub(crate) mod counters;
pub(crate) mod dev;
pub(crate) mod devices;
pub(crate) mod event;
mod ffi;
pub(crate) mod genl;
pub(crate) mod gro;
pub(crate) mod hook;
pub(crate) mod icmp;
pub(crate) mod ingress;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod msg;
pub(crate) mod neighbour;
pub(crate) mod node;
pub(crate) mod pernet;
pub(crate) mod rcu;
pub(crate) mod route;
pub(crate) mod skb;
pub(crate) mod slab;
pub(crate) mod sysctl;
pub(crate) mod time;
pub(crate) mod warning;
pub(crate) mod work;

/// The constants of the netlink family, from `include/uapi/linux/fastnat.h`.
pub(crate) mod uapi {
    pub(crate) use super::ffi::*;
}

// SPDX-License-Identifier: GPL-2.0

//! The pure half of fastnat: packets, tuples, ports, policies, checksums.
//!
//! No kernel, no allocation, no `unsafe`, and nothing here can panic: the same files build as a
//! userspace crate (`tools/nat`), where they are tested.

pub mod addr;
pub mod balance;
pub mod blocks;
pub mod checksum;
pub mod classifier;
pub mod hash;
pub mod iface;
pub mod lro;
pub mod offload;
pub mod packet;
pub mod plain;
pub mod policy;
pub mod ports;
pub mod ranges;
pub mod rate;
pub mod redirect;
pub mod reserved;
pub mod rewrite;
pub mod sort;
pub mod time;
pub mod tuple;
mod wire;

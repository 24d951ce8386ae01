// SPDX-License-Identifier: GPL-2.0

//! The userspace side of the generic netlink family `fastnat`.
//!
//! [`generated`] has the attribute sets, enums and commands of the specification; [`Client`] speaks
//! to the kernel with them and turns its extended acknowledgements into an [`Error`] that names the
//! attribute at fault.

#[macro_use]
mod define;

mod ack;
mod client;
pub mod generated;
mod message;
mod proto;
mod schema;
mod socket;
mod wire;

pub use ack::Refusal;
pub use client::{Client, Error};
pub use netlink_packet_core::DecodeError;
pub use proto::Proto;
pub use schema::{Attr, Set};
pub use socket::{Kernel, Transport};
pub use wire::{Attributes, Field, Value};

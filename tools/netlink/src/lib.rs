// SPDX-License-Identifier: GPL-2.0

//! The userspace side of the generic netlink family `fastnat`.
//!
//! [`generated`] has the attribute sets, enums, commands and events of the specification; [`Client`]
//! speaks to the kernel with them and turns its extended acknowledgements into an [`Error`] that
//! names the attribute at fault; [`Monitor`] listens to the events and tells when some were lost.
//! [`ethtool`] is a small part of the kernel's family of that name.

#[macro_use]
mod define;

mod ack;
mod client;
mod controller;
pub mod ethtool;
pub mod generated;
mod message;
mod monitor;
mod proto;
mod reason;
mod schema;
mod sequence;
mod socket;
mod wire;

pub use ack::Refusal;
pub use client::{Client, Error};
pub use monitor::{Monitor, Notice};
pub use netlink_packet_core::DecodeError;
pub use proto::Proto;
pub use reason::Reason;
pub use schema::{Attr, Set};
pub use socket::{Kernel, Listen, Transport};
pub use wire::{Attributes, Field, Value};

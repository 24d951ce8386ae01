// SPDX-License-Identifier: GPL-2.0

//! The few names of the kernel's prelude that the tables use.

pub(crate) use crate::model::alloc::{Error, KBox, E2BIG, GFP_KERNEL};

/// As in the kernel.
pub(crate) type Result<T = (), E = Error> = core::result::Result<T, E>;

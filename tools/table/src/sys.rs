// SPDX-License-Identifier: GPL-2.0

//! Stands for `rust/sys`.

pub(crate) use crate::model::{alloc as memory, ingress, lock, rcu, time};

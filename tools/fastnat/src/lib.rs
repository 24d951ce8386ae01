// SPDX-License-Identifier: GPL-2.0

//! The command `fastnat`: configures and observes the kernel module.
//!
//! The arguments ([`cli`]) become one or more requests ([`run`]), whose replies are printed as text
//! or JSON ([`output`], [`show`]); or its events are, as they come ([`monitor`]).

pub mod cli;
pub mod failure;
pub mod groups;
pub mod load;
pub mod lro;
pub mod map;
pub mod monitor;
pub mod netns;
pub mod output;
pub mod parse;
pub mod run;
pub mod show;
pub mod units;
pub mod warning;

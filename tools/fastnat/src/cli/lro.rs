// SPDX-License-Identifier: GPL-2.0

//! `fastnat lro`.

use std::ffi::OsString;

use clap::{Args, Subcommand};
use fastnat_netlink::generated::{Lro as Attributes, LroMode};

use crate::parse::{Iface, switch};

const SET_EXAMPLES: &str = "\
Examples:
  fastnat lro set dev eth0 mode lro limit 16
  fastnat lro set --dev eth0 --udp on
  fastnat lro set --mode strict";

const SHOW_EXAMPLES: &str = "\
Examples:
  fastnat lro show
  fastnat lro show dev eth0";

/// What to do with the aggregation of what devices receive.
///
/// The dashes of --dev, --mode, --limit and --udp may be left out.
#[derive(Debug, Subcommand)]
pub enum Lro {
    /// Change how TCP is aggregated on a device, or on all devices without an entry
    ///
    /// Modes: off, as the kernel does by itself; strict, only what can be taken apart to the same
    /// segments, as the kernel does, with a limit and counters; lro, also segments whose
    /// acknowledgement, window and timestamp advance, of which all get the last one. The dashes of
    /// the options may be left out.
    #[command(after_help = SET_EXAMPLES)]
    Set(Set),
    /// Delete the entry of a device, on which what holds without one holds again
    #[command(after_help = "Example:\n  fastnat lro del dev eth0")]
    Del(Del),
    /// Show how TCP is aggregated, and what came of it
    ///
    /// EACH is by aggregate. Below is counted why packets stayed alone and why aggregates ended.
    #[command(visible_alias = "list", after_help = SHOW_EXAMPLES)]
    Show(Show),
}

impl Lro {
    /// Its word on the command line.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Del(_) => "del",
            Self::Show(_) => "show",
        }
    }
}

/// What to change, and where.
#[derive(Args, Debug)]
pub struct Set {
    /// The interface, which need not exist yet [default: all without an entry]
    #[arg(long, value_name = "IF")]
    pub dev: Option<Iface>,
    /// What to change.
    #[command(flatten)]
    pub change: Change,
}

/// What to change.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Change {
    /// How TCP is aggregated: off, strict or lro
    #[arg(long)]
    pub mode: Option<LroMode>,
    /// Segments after which an aggregate is complete, 2 to 64
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=64))]
    pub limit: Option<u8>,
    /// Have the kernel aggregate UDP that is forwarded, by the feature rx-gro-list of the
    /// interface: on or off
    #[arg(long, value_name = "on|off", value_parser = switch, requires = "dev")]
    pub udp: Option<bool>,
}

impl Set {
    /// The attributes of the request, if one is needed.
    pub fn attributes(&self) -> Option<Attributes> {
        let Change { mode, limit, .. } = self.change;
        let attributes = Attributes {
            mode,
            limit,
            ..of(self.dev.as_ref())
        };
        (mode.is_some() || limit.is_some()).then_some(attributes)
    }
}

/// The entry to delete.
#[derive(Args, Debug)]
pub struct Del {
    /// The interface
    #[arg(long, value_name = "IF")]
    pub dev: Iface,
}

impl Del {
    /// The attributes of the request.
    pub fn attributes(&self) -> Attributes {
        of(Some(&self.dev))
    }
}

/// What to show.
#[derive(Args, Debug)]
pub struct Show {
    /// Only what holds on this interface
    #[arg(long, value_name = "IF")]
    pub dev: Option<Iface>,
}

fn of(device: Option<&Iface>) -> Attributes {
    Attributes {
        device: device.map(|device| device.0.clone()),
        ..Attributes::default()
    }
}

/// Options whose dashes may be left out after `lro` and its verb.
const WORDS: [&str; 4] = ["dev", "mode", "limit", "udp"];

/// The arguments, with dashes for words such as `dev` in `lro show dev eth0`.
pub fn with_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut is_value = true; // the name of the program
    let mut plain = 0;
    let mut is_lro = false;
    let with_dashes = |argument: OsString| {
        let text = argument.to_str().unwrap_or_default();
        if std::mem::take(&mut is_value) {
            return argument;
        }
        if let Some(option) = text.strip_prefix('-') {
            let long = option.strip_prefix('-');
            is_value = option == "n" || long == Some("netns") || long.is_some_and(is_word);
            return argument;
        }
        plain += 1;
        is_lro |= plain == 1 && text == "lro";
        is_value = is_lro && plain > 2 && is_word(text);
        match is_value {
            true => format!("--{text}").into(),
            false => argument,
        }
    };
    arguments.into_iter().map(with_dashes).collect()
}

fn is_word(text: &str) -> bool {
    WORDS.contains(&text)
}

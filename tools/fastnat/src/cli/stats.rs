// SPDX-License-Identifier: GPL-2.0

//! `fastnat stats`.

use clap::{Args, Subcommand};

/// Which counters to show.
#[derive(Args, Debug)]
pub struct Stats {
    /// Show counters that are zero too; JSON always has them
    #[arg(long)]
    pub all: bool,
    /// Something else to show.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What to show instead of the counters.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show how full the tables are, and how evenly
    ///
    /// A flow or binding is two entries. LOAD is entries by buckets, LONGEST the entries of the
    /// fullest bucket; then follows how many buckets hold 0 entries, 1, 2, and so on.
    #[command(after_help = "Example:\n  fastnat stats table")]
    Table,
}

impl Stats {
    /// The command as messages name it.
    pub fn context(&self) -> &'static str {
        match self.verb {
            Some(Verb::Table) => "stats table",
            None => "stats",
        }
    }
}

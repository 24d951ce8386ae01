// SPDX-License-Identifier: GPL-2.0

//! The command line.

pub mod behavior;
pub mod binding;
pub mod config;
pub mod expiry;
pub mod flow;
pub mod lro;
pub mod monitor;
pub mod offload;
pub mod policy;
pub mod pool;
pub mod stats;
pub mod target;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

const MONITOR_EXAMPLES: &str = "\
Examples:
  fastnat monitor
  fastnat monitor --bindings --resync --json
  fastnat monitor --limits --count 1 --timeout 1h";

const EXAMPLES: &str = "\
Examples:
  fastnat pool add web --range 203.0.113.7
  fastnat policy add snat --pool web --src 10.0.0.0/8 --out eth0
  fastnat policy add dnat --to 10.0.0.80 --dst 203.0.113.7 --proto tcp --dport 80
  fastnat --json flow list --proto tcp
  fastnat --netns gateway stats

Exit status:
  0  done
  1  the kernel refused, or something else failed
  2  wrong usage
  3  the kernel module is not loaded
  4  no permission";

/// Configure and observe fastnat, the NAT that works ahead of connection tracking
///
/// All policies, pools, flows and settings belong to a network namespace: that of the caller, or
/// the one that --netns names.
#[derive(Debug, Parser)]
#[command(name = "fastnat", version, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to work on.
    #[command(subcommand)]
    pub noun: Noun,
}

impl Cli {
    /// Reads the command line.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(lro::with_dashes(arguments))?;
        let mistake = match &cli.noun {
            Noun::Config(config::Config::Set(set)) => set.mistake(),
            _ => None,
        };
        let wrong = |mistake| Self::command().error(ErrorKind::ArgumentConflict, mistake);
        mistake.map_or(Ok(cli), |mistake| Err(wrong(mistake)))
    }
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print JSON; the field names are those of the netlink specification
    #[arg(long, global = true)]
    pub json: bool,
    /// Work in this named network namespace, as in `ip -n`
    #[arg(short = 'n', long, global = true, value_name = "NAME")]
    pub netns: Option<String>,
}

/// What to work on.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// What to translate, and how
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Outside addresses and ports
    #[command(subcommand)]
    Pool(pool::Pool),
    /// Translated connections
    #[command(subcommand)]
    Flow(flow::Flow),
    /// Which outside endpoint stands for which inside endpoint
    #[command(subcommand)]
    Binding(binding::Binding),
    /// Show the counters, or how full the tables are
    #[command(after_help = "Examples:\n  fastnat stats --all\n  fastnat stats table")]
    Stats(stats::Stats),
    /// Limits, timeouts and modes
    #[command(subcommand)]
    Config(config::Config),
    /// Aggregation of TCP segments ahead of translation
    #[command(subcommand)]
    Lro(lro::Lro),
    /// Print what happens, one line an event, until interrupted
    ///
    /// Without an option for what to print: limits and bindings. The time is that at which the
    /// event was read. A line says so when events were lost.
    #[command(after_help = MONITOR_EXAMPLES)]
    Monitor(monitor::Monitor),
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  \
        fastnat completions bash > /etc/bash_completion.d/fastnat")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Noun {
    /// The command as messages name it, as in `policy add`.
    pub fn context(&self) -> String {
        match self {
            Self::Policy(policy) => format!("policy {}", policy.verb()),
            Self::Pool(pool) => format!("pool {}", pool.verb()),
            Self::Flow(flow) => format!("flow {}", flow.verb()),
            Self::Binding(binding) => format!("binding {}", binding.verb()),
            Self::Stats(stats) => stats.context().into(),
            Self::Config(config) => format!("config {}", config.verb()),
            Self::Lro(lro) => format!("lro {}", lro.verb()),
            Self::Monitor(_) => "monitor".into(),
            Self::Completions { .. } => "completions".into(),
        }
    }
}

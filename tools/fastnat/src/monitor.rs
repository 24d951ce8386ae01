// SPDX-License-Identifier: GPL-2.0

//! `fastnat monitor`: events as they come.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant, SystemTime};

use fastnat_netlink::generated::{Command, Config, EventLevel, Group};
use fastnat_netlink::{Client, Error, Monitor, Notice};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::monitor::Monitor as Arguments;
use crate::failure::Failure;
use crate::output::Output;
use crate::show::{Line, Mark, What};

/// What is said when flow events are asked for that are not sent.
pub const FLOWS_OFF: &str =
    "flow events are off; switch them on with: fastnat config set --events flow";

/// A listener, and where it prints.
struct Watch {
    client: Client,
    output: Output,
    groups: Vec<Group>,
    arguments: Arguments,
    events: u64,
    stale: bool,
}

/// Prints events until it is interrupted, or what the arguments say.
pub fn run(client: Client, output: Output, arguments: Arguments) -> Result<(), Failure> {
    let signals = signals().map_err(failure)?;
    let interrupt = signals.as_fd().try_clone_to_owned().map_err(Error::Io)?;
    let groups = arguments.groups();
    let monitor = Monitor::open(&groups, Some(interrupt))?;
    let mut watch = Watch {
        client,
        output,
        groups,
        stale: arguments.resync,
        arguments,
        events: 0,
    };
    watch.begin()?;
    watch.run(monitor, &signals)?;
    watch.output.flush()
}

/// Has the signals that ask the program to end wait to be read.
fn signals() -> Result<SignalFd, Errno> {
    let mask = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

fn failure(errno: Errno) -> Failure {
    Error::Io(io::Error::from(errno)).into()
}

impl Watch {
    fn begin(&mut self) -> Result<(), Failure> {
        if self.arguments.flows {
            let config: Option<Config> = self
                .client
                .request(Command::ConfigGet, &Config::default())?;
            if config.and_then(|config| config.events) == Some(EventLevel::Binding) {
                eprintln!("fastnat: monitor: {FLOWS_OFF}");
            }
        }
        let groups = self.groups.clone();
        self.mark(Mark::Listening { groups })
    }

    fn run(&mut self, mut monitor: Monitor, signals: &SignalFd) -> Result<(), Failure> {
        let end = self.arguments.timeout.map(|limit| Instant::now() + limit);
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
            let notice = match monitor.next(Some(Duration::ZERO))? {
                None if signals.read_signal().map_err(failure)?.is_some() => return Ok(()),
                None => {
                    self.catch_up()?;
                    monitor.next(left)?
                }
                notice => notice,
            };
            if let Some(notice) = notice {
                self.take(notice)?;
            }
            if Some(self.events) == self.arguments.count {
                return Ok(());
            }
        }
    }

    fn take(&mut self, notice: Notice) -> Result<(), Failure> {
        match notice {
            Notice::Event(event) => {
                self.events += 1;
                self.print(What::Event(event))
            }
            Notice::Lost(group, count) => {
                self.stale = true;
                self.mark(Mark::Lost { group, count })
            }
            Notice::Overrun => {
                self.stale = true;
                self.mark(Mark::Overrun)
            }
        }
    }

    /// What is to be done when there is nothing to read: the events that are kept for the listener
    /// are older than a list that is read now.
    fn catch_up(&mut self) -> Result<(), Failure> {
        if self.arguments.resync && std::mem::take(&mut self.stale) {
            self.resync()?;
        }
        self.output.flush()
    }

    fn resync(&mut self) -> Result<(), Failure> {
        self.mark(Mark::ResyncBegin)?;
        if self.groups.contains(&Group::Binding) {
            for binding in self.client.dump(Command::BindingGet)? {
                self.mark(Mark::BindingListed(binding))?;
            }
        }
        if self.groups.contains(&Group::Block) {
            for block in self.client.dump(Command::BlockGet)? {
                self.mark(Mark::BlockListed(block))?;
            }
        }
        if self.groups.contains(&Group::Flow) {
            for flow in self.client.dump(Command::FlowGet)? {
                self.mark(Mark::FlowListed(flow))?;
            }
        }
        self.mark(Mark::ResyncEnd)
    }

    fn mark(&mut self, mark: Mark) -> Result<(), Failure> {
        self.print(What::Mark(mark))
    }

    fn print(&mut self, what: What) -> Result<(), Failure> {
        let time = SystemTime::now();
        self.output.add(&Line { time, what })
    }
}

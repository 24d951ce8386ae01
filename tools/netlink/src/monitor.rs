// SPDX-License-Identifier: GPL-2.0

//! Events, and what is known of those that were lost.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netlink_packet_core::NetlinkPayload;

use crate::ack::Refusal;
use crate::client::{Client, Error};
use crate::controller::{CONTROLLER, DEL_FAMILY, Family};
use crate::generated::{Event, Group};
use crate::message::{Generic, decode};
use crate::sequence::Sequence;
use crate::socket::{Kernel, Listen};
use crate::wire::Attributes;

/// What a listener learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something has happened.
    Event(Event),
    /// So many events of the group were lost: their numbers are missing.
    Lost(Group, u32),
    /// The kernel had more events than it may keep for the listener. What it still has comes first;
    /// how many were lost is known some time after a later one.
    Overrun,
}

/// How long there has to be silence before a number that is missing counts as lost.
const GRACE: Duration = Duration::from_millis(250);

/// A listener to groups of events, in one network namespace.
pub struct Monitor<T = Kernel> {
    client: Client<T>,
    sequences: Vec<(Group, Sequence)>,
    ready: VecDeque<Notice>,
}

impl Monitor {
    /// Listens in the network namespace of the calling thread. Waiting ends as soon as `interrupt`
    /// can be read.
    pub fn open(groups: &[Group], interrupt: Option<OwnedFd>) -> Result<Self, Error> {
        Self::over(Kernel::listen(interrupt)?, groups)
    }
}

impl<T: Listen> Monitor<T> {
    /// Listens over a given transport.
    pub fn over(transport: T, groups: &[Group]) -> Result<Self, Error> {
        let mut client = Client::over(transport)?;
        for group in groups {
            let name = group.name();
            let number = client.group(name).ok_or(Error::NoGroup(name))?;
            client.transport.join(number).map_err(refused)?;
        }
        client.transport.join(CONTROLLER.into())?;
        let sequences = groups.iter().map(|group| (*group, Sequence::default()));
        Ok(Self {
            client,
            sequences: sequences.collect(),
            ready: VecDeque::new(),
        })
    }

    /// The next notice. None when there was none in time, or the wait was interrupted. Fails with
    /// [`Error::NotLoaded`] when the module is unloaded.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Notice>, Error> {
        if self.ready.is_empty() {
            let waiting = self
                .sequences
                .iter()
                .any(|(_, numbers)| numbers.is_waiting());
            let patient = waiting && timeout.is_none_or(|timeout| timeout >= GRACE);
            let timeout = if patient { Some(GRACE) } else { timeout };
            match self.client.transport.receive_within(timeout) {
                Ok(Some(datagram)) => self.take(&datagram)?,
                Ok(None) if patient => self.give_up(),
                Ok(None) => {}
                Err(error) if is_overrun(&error) => self.ready.push_back(Notice::Overrun),
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.ready.pop_front())
    }

    fn take(&mut self, datagram: &[u8]) -> Result<(), Error> {
        for message in decode(datagram) {
            if let (_, NetlinkPayload::InnerMessage(message)) = message?.into_parts() {
                self.take_message(&message)?;
            }
        }
        Ok(())
    }

    fn take_message(&mut self, message: &Generic) -> Result<(), Error> {
        let family = self.client.family();
        if message.family == CONTROLLER && message.command == DEL_FAMILY {
            let gone = Family::parse(&message.attributes)?.id == Some(family);
            return if gone { Err(Error::NotLoaded) } else { Ok(()) };
        }
        if message.family != family {
            return Ok(());
        }
        if let Some(event) = Event::parse(message.command, &message.attributes)? {
            let group = event.group();
            let mut sequences = self.sequences.iter_mut();
            let numbers = sequences.find(|(listened, _)| *listened == group);
            if let (Some((_, numbers)), Some(seq)) = (numbers, event.seq()) {
                let lost = numbers.take(seq);
                self.tell(group, lost);
            }
            self.ready.push_back(Notice::Event(event));
        }
        Ok(())
    }

    /// Nothing has come for a while: what is missing now does not come any more.
    fn give_up(&mut self) {
        for index in 0..self.sequences.len() {
            let (group, numbers) = &mut self.sequences[index];
            let (group, lost) = (*group, numbers.give_up());
            self.tell(group, lost);
        }
    }

    fn tell(&mut self, group: Group, lost: u32) {
        if lost > 0 {
            self.ready.push_back(Notice::Lost(group, lost));
        }
    }
}

/// A group is refused by its error number alone.
fn refused(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(errno) => Error::Refused(Refusal {
            errno,
            ..Refusal::default()
        }),
        None => error.into(),
    }
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

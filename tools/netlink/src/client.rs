// SPDX-License-Identifier: GPL-2.0

//! Requests and dumps.

use std::{fmt, io};

use netlink_packet_core::{DecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NetlinkPayload};

use crate::ack::{self, Ack, Refusal};
use crate::controller::{self, Family};
use crate::generated::{Command, FAMILY, VERSION};
use crate::message::{Generic, decode, encode};
use crate::schema::Set;
use crate::socket::{Kernel, Transport};
use crate::wire::Attributes;

/// How often a list is read anew because it changed meanwhile.
const DUMP_ATTEMPTS: usize = 5;

/// Why a request was not done.
#[derive(Debug)]
pub enum Error {
    /// The kernel does not know the family: the module is not loaded.
    NotLoaded,
    /// The kernel refused.
    Refused(Refusal),
    /// The list changed each of the times that it was read.
    Interrupted,
    /// The kernel has no family of this name.
    NoFamily(&'static str),
    /// The module, an older one, has no group of events of this name.
    NoGroup(&'static str),
    /// The kernel's answer makes no sense.
    Malformed(DecodeError),
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoaded => f.write_str("the kernel does not know the family"),
            Self::Refused(refusal) => write!(f, "refused with error {}", refusal.errno),
            Self::Interrupted => {
                write!(
                    f,
                    "the list changed while it was read, {DUMP_ATTEMPTS} times in a row"
                )
            }
            Self::NoFamily(name) => write!(f, "the kernel has no netlink family {name}"),
            Self::NoGroup(name) => {
                write!(
                    f,
                    "the kernel module is too old, it has no events of {name}"
                )
            }
            Self::Malformed(error) => write!(f, "cannot understand the kernel: {error}"),
            Self::Io(error) => write!(f, "netlink socket: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What the kernel said, if it refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// A connection to the family, in one network namespace.
pub struct Client<T = Kernel> {
    pub(crate) transport: T,
    family: Family,
    version: u8,
    sequence: u32,
    warnings: Vec<String>,
}

/// What is to be sent, and by which set its acknowledgement is read.
struct Request {
    message: Generic,
    flags: u16,
    set: &'static Set,
}

/// What came back: the attributes of each message, and whether the list was consistent.
#[derive(Default)]
struct Answer {
    messages: Vec<Vec<u8>>,
    interrupted: bool,
}

impl Client {
    /// Connects in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Self::over(Kernel::open()?)
    }
}

impl<T: Transport> Client<T> {
    /// Connects over a given transport.
    pub fn over(transport: T) -> Result<Self, Error> {
        Self::to(FAMILY, VERSION, transport)
    }

    /// Connects to a family of any name.
    pub(crate) fn to(family: &str, version: u8, transport: T) -> Result<Self, Error> {
        let mut client = Self {
            transport,
            family: Family::default(),
            version,
            sequence: 0,
            warnings: Vec::new(),
        };
        client.family = client.resolve(family)?;
        Ok(client)
    }

    /// Does `command` with the attributes of `request`; the reply, if the command has one.
    pub fn request<R: Attributes>(
        &mut self,
        command: Command,
        request: &impl Attributes,
    ) -> Result<Option<R>, Error> {
        self.send(command as u8, request)
    }

    /// The same, with the number of a command of the family.
    pub(crate) fn send<R: Attributes>(
        &mut self,
        command: u8,
        request: &impl Attributes,
    ) -> Result<Option<R>, Error> {
        let request = self.compose(command, NLM_F_ACK, request);
        let answer = self.exchange(request)?;
        Ok(answer
            .messages
            .first()
            .map(|attributes| R::parse(attributes))
            .transpose()?)
    }

    /// Lists by `command`. A list that changed while it was read is read again, a few times.
    pub fn dump<R: Attributes>(&mut self, command: Command) -> Result<Vec<R>, Error> {
        for _ in 0..DUMP_ATTEMPTS {
            let request = self.compose(command as u8, NLM_F_DUMP, &R::default());
            let answer = self.exchange(request)?;
            if !answer.interrupted {
                let items = answer
                    .messages
                    .iter()
                    .map(|attributes| R::parse(attributes));
                return Ok(items.collect::<Result<_, _>>()?);
            }
        }
        Err(Error::Interrupted)
    }

    /// What the kernel remarked on requests that it did, since the last call.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// The number of the family.
    pub(crate) fn family(&self) -> u16 {
        self.family.id.unwrap_or_default()
    }

    /// The number of a multicast group of the family.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        let mut groups = self.family.groups.iter().flat_map(|groups| &groups.0);
        let group = groups.find(|group| group.name.as_deref() == Some(name));
        group.and_then(|group| group.id)
    }

    fn compose<A: Attributes>(&self, command: u8, flags: u16, attributes: &A) -> Request {
        let mut bytes = Vec::new();
        attributes.emit(&mut bytes);
        let message = Generic {
            family: self.family(),
            command,
            version: self.version,
            attributes: bytes,
        };
        Request {
            message,
            flags,
            set: A::SET,
        }
    }

    fn resolve(&mut self, name: &str) -> Result<Family, Error> {
        let mut attributes = Vec::new();
        Family {
            name: Some(name.into()),
            ..Family::default()
        }
        .emit(&mut attributes);
        let message = Generic {
            family: controller::CONTROLLER,
            command: controller::GET_FAMILY,
            version: controller::VERSION,
            attributes,
        };
        let set = Family::SET;
        let answer = match self.exchange(Request {
            message,
            flags: NLM_F_ACK,
            set,
        }) {
            Err(Error::Refused(refusal)) if refusal.errno == libc::ENOENT => {
                return Err(Error::NotLoaded);
            }
            other => other?,
        };
        let attributes = answer
            .messages
            .first()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let family = Family::parse(attributes)?;
        family.id.ok_or(Error::NotLoaded)?;
        Ok(family)
    }

    fn exchange(&mut self, request: Request) -> Result<Answer, Error> {
        self.sequence += 1;
        let Request {
            message,
            flags,
            set,
        } = request;
        let request = encode(message, flags, self.sequence);
        self.transport.send(&request)?;
        let mut answer = Answer::default();
        loop {
            let datagram = self.transport.receive()?;
            if self.take_datagram(&datagram, set, &request, &mut answer)? {
                return Ok(answer);
            }
        }
    }

    /// Takes over the messages of a datagram. Says whether the answer is complete.
    fn take_datagram(
        &mut self,
        datagram: &[u8],
        set: &'static Set,
        request: &[u8],
        answer: &mut Answer,
    ) -> Result<bool, Error> {
        for message in decode(datagram) {
            let (header, payload) = message?.into_parts();
            if header.sequence_number != self.sequence {
                continue;
            }
            answer.interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
            let (code, ack) = match payload {
                NetlinkPayload::InnerMessage(message) => {
                    answer.messages.push(message.attributes);
                    continue;
                }
                NetlinkPayload::Error(error) => {
                    (error.raw_code(), ack::of_error(header.flags, &error.header))
                }
                NetlinkPayload::Done(done) => {
                    (done.code, ack::of_done(header.flags, &done.extended_ack))
                }
                _ => continue,
            };
            self.finish(code, ack, set, request)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn finish(
        &mut self,
        code: i32,
        ack: Ack,
        set: &'static Set,
        request: &[u8],
    ) -> Result<(), Error> {
        if code < 0 {
            return Err(Error::Refused(Refusal::new(
                code.saturating_neg(),
                &ack,
                set,
                request,
            )));
        }
        self.warnings.extend(ack.message);
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What can go wrong, what is said about it, and the exit status.

use std::io;

use fastnat_netlink::{Error, Refusal};
use nix::errno::Errno;

/// Why the command was not done.
#[derive(Debug)]
pub enum Failure {
    /// The client or the kernel.
    Netlink(Error),
    /// The client or the kernel, about one of several things asked for.
    About(String, Error),
    /// The client or the kernel, about a line of a file, after what is said by lines before was done.
    Partly {
        /// The file and the line, or lines.
        place: String,
        /// How many were added before.
        added: usize,
        /// What is wrong.
        error: Error,
    },
    /// A device is not as it has to be.
    Device(String, &'static str),
    /// There is no answer to what is asked.
    Answer(String),
    /// A line of a file is no command.
    Line(String, String),
    /// A file cannot be read.
    Input(String, io::Error),
    /// The network namespace cannot be entered.
    Netns(String, Errno),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Netlink(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

const NOT_LOADED: &str = "the kernel module is not loaded; load it with: modprobe fastnat";
const NO_PERMISSION: &str = "no permission: CAP_NET_ADMIN in this network namespace is needed";

impl Failure {
    /// Whether the reader of the output went away, which is its right.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit status: 3 module not loaded, 4 no permission, 2 a line of wrong usage, 1 everything
    /// else. (Wrong usage on the command line is found out before anything can fail.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Netlink(Error::NotLoaded) | Self::About(_, Error::NotLoaded) => 3,
            Self::Line(..) => 2,
            Self::Netns(_, Errno::EPERM | Errno::EACCES) => 4,
            _ if self.is_permission() => 4,
            _ => 1,
        }
    }

    fn is_permission(&self) -> bool {
        self.refusal()
            .is_some_and(|refusal| refusal.errno == Errno::EPERM as i32)
    }

    /// Whether the kernel refused without a word, as it does when the capability is missing.
    fn is_silent(&self) -> bool {
        self.refusal()
            .is_some_and(|refusal| refusal.message.is_none())
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Netlink(error) | Self::About(_, error) | Self::Partly { error, .. } => {
                error.refusal()
            }
            _ => None,
        }
    }

    /// The message, where `context` is the command, as in `policy add`.
    pub fn describe(&self, context: &str) -> String {
        match self {
            Self::Netlink(Error::NotLoaded) | Self::About(_, Error::NotLoaded) => NOT_LOADED.into(),
            _ if self.is_permission() && self.is_silent() => format!("{context}: {NO_PERMISSION}"),
            Self::Netlink(error) => format!("{context}: {}", netlink(error)),
            Self::About(thing, error) => format!("{context} {thing}: {}", netlink(error)),
            Self::Partly {
                place,
                added,
                error,
            } => format!("{context} {place}: {}; {}", netlink(error), before(*added)),
            Self::Device(device, message) => format!("{context} {device}: {message}"),
            Self::Answer(message) => format!("{context}: {message}"),
            Self::Line(place, message) => format!("{context} {place}: {message}"),
            Self::Input(file, error) => format!("{context}: cannot read {file}: {error}"),
            Self::Netns(name, errno) => format!("network namespace {name}: {}", namespace(*errno)),
            Self::Output(error) => format!("{context}: cannot write the output: {error}"),
        }
    }
}

fn before(added: usize) -> String {
    match added {
        0 => "nothing was added".into(),
        1 => "1 policy was added before".into(),
        many => format!("{many} policies were added before"),
    }
}

fn netlink(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refused(refusal),
        other => other.to_string(),
    }
}

/// The kernel's message, the attribute and the error, as far as they are known.
fn refused(refusal: &Refusal) -> String {
    let errno = describe_errno(refusal.errno);
    let about = match &refusal.attribute {
        Some(name) if refusal.missing => format!("missing attribute {name}"),
        Some(name) => format!("attribute {name}"),
        None => String::new(),
    };
    match (&refusal.message, about.is_empty()) {
        (Some(message), true) => format!("{message}: {errno}"),
        (Some(message), false) => format!("{message} ({about}): {errno}"),
        (None, true) => errno,
        (None, false) => format!("{about}: {errno}"),
    }
}

/// The C library's words for an error number.
fn describe_errno(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.rsplit_once(" (os error") {
        Some((words, _)) => words.into(),
        None => text,
    }
}

fn namespace(errno: Errno) -> String {
    match errno {
        Errno::ENOENT => "there is none of this name in /run/netns".into(),
        Errno::EPERM | Errno::EACCES => "no permission: CAP_SYS_ADMIN is needed to enter it".into(),
        other => describe_errno(other as i32),
    }
}

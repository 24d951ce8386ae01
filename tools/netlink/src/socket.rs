// SPDX-License-Identifier: GPL-2.0

//! The socket below the client.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

/// More than the kernel ever puts into one datagram.
const BUFFER: usize = 64 * 1024;

/// How much the kernel may have waiting for a listener, if it lets the caller decide.
const EVENT_BUFFER: usize = 16 * 1024 * 1024;

/// What carries datagrams to the kernel and back; tests have one of their own.
pub trait Transport {
    /// Sends one datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Waits for a datagram.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// What carries events as well.
pub trait Listen: Transport {
    /// Asks for the events of the group of this number.
    fn join(&mut self, group: u32) -> io::Result<()>;

    /// Waits for a datagram; None when there was none in time. Fails as interrupted when there is
    /// something else to see to.
    fn receive_within(&mut self, timeout: Option<Duration>) -> io::Result<Option<Vec<u8>>>;
}

/// A generic netlink socket in the network namespace in which it was opened.
pub struct Kernel {
    socket: Socket,
    interrupt: Option<OwnedFd>,
}

impl Kernel {
    /// Opens a socket that hears from the kernel only, and asks it for extended acknowledgements.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Self {
            socket,
            interrupt: None,
        })
    }

    /// Opens a socket for events. It stops to wait for them as soon as `interrupt` can be read.
    pub fn listen(interrupt: Option<OwnedFd>) -> io::Result<Self> {
        let kernel = Self::open()?;
        let socket = &kernel.socket;
        setsockopt(socket, sockopt::RcvBufForce, &EVENT_BUFFER)
            .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &EVENT_BUFFER))?;
        Ok(Self {
            interrupt,
            ..kernel
        })
    }

    fn read(&mut self, flags: i32) -> io::Result<Vec<u8>> {
        let mut datagram = Vec::with_capacity(BUFFER);
        let len = self.socket.recv(&mut datagram, libc::MSG_TRUNC | flags)?;
        if len > datagram.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "datagram cut short",
            ));
        }
        Ok(datagram)
    }
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram, 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.read(0)
    }
}

impl Listen for Kernel {
    fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    fn receive_within(&mut self, timeout: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
        });
        let watch = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut watched = vec![watch(self.socket.as_fd())];
        watched.extend(self.interrupt.iter().map(|fd| watch(fd.as_fd())));
        poll(&mut watched, timeout)?;
        let mut ready = watched.iter().map(|fd| fd.any() == Some(true));
        match (ready.next(), ready.next()) {
            (_, Some(true)) => Err(io::ErrorKind::Interrupted.into()),
            (Some(true), _) => self.read(libc::MSG_DONTWAIT).map(Some),
            _ => Ok(None),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The socket below the client.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

/// More than the kernel ever puts into one datagram.
const BUFFER: usize = 64 * 1024;

/// What carries datagrams to the kernel and back; tests have one of their own.
pub trait Transport {
    /// Sends one datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// Waits for a datagram.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// A generic netlink socket in the network namespace in which it was opened.
pub struct Kernel(Socket);

impl Kernel {
    /// Opens a socket that hears from the kernel only, and asks it for extended acknowledgements.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Self(socket))
    }
}

impl Transport for Kernel {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.0.send(datagram, 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut datagram = Vec::with_capacity(BUFFER);
        let len = self.0.recv(&mut datagram, libc::MSG_TRUNC)?;
        if len > datagram.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "datagram cut short",
            ));
        }
        Ok(datagram)
    }
}

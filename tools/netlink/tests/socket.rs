// SPDX-License-Identifier: GPL-2.0

//! Waiting on a real socket, which hears of the families that come and go.

use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use fastnat_netlink::{Kernel, Listen};

const CONTROLLER: u32 = 0x10;
const SHORT: Duration = Duration::from_millis(50);

fn listener(interrupt: Option<OwnedFd>) -> Kernel {
    let mut kernel = Kernel::listen(interrupt).expect("a netlink socket");
    kernel.join(CONTROLLER).expect("open to everybody");
    kernel
}

#[test]
fn a_wait_ends_in_time() {
    let start = Instant::now();
    let datagram = listener(None).receive_within(Some(SHORT));
    if datagram.expect("no error").is_none() {
        assert!(start.elapsed() >= SHORT);
    }
}

#[test]
fn an_interrupt_ends_a_wait_without_end() {
    let (reader, mut writer) = UnixStream::pair().expect("two ends");
    writer.write_all(b"!").expect("room");
    let mut kernel = listener(Some(reader.into()));
    let ended = kernel.receive_within(None).expect_err("no datagram");
    assert_eq!(ended.kind(), ErrorKind::Interrupted);
}

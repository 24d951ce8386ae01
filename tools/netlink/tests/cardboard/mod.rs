// SPDX-License-Identifier: GPL-2.0

//! A kernel of cardboard, which answers from a script.

#![allow(dead_code)] // no test uses all of it

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use fastnat_netlink::{Attributes, Listen, Transport};

/// A group that nobody may join.
pub const SECRET: u32 = 99;
/// Number of the family.
pub const FAMILY: u16 = 0x1c;
const NLMSG_ERROR: u16 = 2;
pub const NLMSG_DONE: u16 = 3;
pub const MULTI: u16 = 2;
pub const CAPPED: u16 = 0x100;

/// Makes an answer from the request; the answer may be several datagrams.
pub type Answer = Box<dyn Fn(&[u8]) -> Vec<Vec<u8>>>;

#[derive(Default)]
pub struct Cardboard {
    /// What it answers to the requests to come.
    pub answers: VecDeque<Answer>,
    /// What it has answered.
    pub pending: VecDeque<Vec<u8>>,
    /// What a listener learns, once asked.
    pub events: VecDeque<io::Result<Vec<u8>>>,
    /// The groups that were joined.
    pub joined: Rc<RefCell<Vec<u32>>>,
}

impl Transport for Cardboard {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let answer = self.answers.pop_front().expect("an unexpected request");
        self.pending.extend(answer(request));
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.pending
            .pop_front()
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

/// The answer about the family, which has groups of these names and numbers.
pub fn family(groups: &[(&str, u32)]) -> Answer {
    let group = |(name, id): &(&str, u32)| {
        let name = attribute(1, format!("{name}\0").as_bytes());
        attribute(1, &[name, number(2, *id)].concat())
    };
    let groups: Vec<u8> = groups.iter().flat_map(group).collect();
    let id = attribute(1, &FAMILY.to_ne_bytes());
    let attributes = [id, attribute(7, &groups)].concat();
    Box::new(move |request| {
        let reply = message(request, 0x10, 0, &[&[1, 2, 0, 0], &attributes[..]].concat());
        vec![reply, error(request, 0, 0, &[])]
    })
}

pub fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((payload.len() as u16 + 4).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(payload);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

pub fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_ne_bytes())
}

impl Listen for Cardboard {
    fn join(&mut self, group: u32) -> io::Result<()> {
        self.joined.borrow_mut().push(group);
        if group == SECRET {
            return Err(io::Error::from_raw_os_error(1));
        }
        Ok(())
    }

    fn receive_within(&mut self, _: Option<Duration>) -> io::Result<Option<Vec<u8>>> {
        self.events.pop_front().transpose()
    }
}

/// A message with the sequence number of the request.
pub fn message(request: &[u8], kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend((payload.len() as u32 + 16).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(&request[8..16]);
    out.extend(payload);
    out
}

/// An acknowledgement; unless capped it repeats the request.
pub fn error(request: &[u8], errno: i32, flags: u16, tlvs: &[u8]) -> Vec<u8> {
    let echo = if flags & CAPPED == 0 {
        request
    } else {
        &request[..16]
    };
    let payload = [&(-errno).to_ne_bytes()[..], echo, tlvs].concat();
    message(request, NLMSG_ERROR, flags, &payload)
}

pub fn reply(request: &[u8], flags: u16, attributes: &impl Attributes) -> Vec<u8> {
    let mut payload = vec![1, 1, 0, 0];
    attributes.emit(&mut payload);
    message(request, FAMILY, flags, &payload)
}

pub fn done(request: &[u8], flags: u16) -> Vec<u8> {
    message(request, NLMSG_DONE, MULTI | flags, &0i32.to_ne_bytes())
}

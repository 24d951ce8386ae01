// SPDX-License-Identifier: GPL-2.0

//! The attribute sets as data, to give names to what the kernel reports by number and offset.

use std::mem::size_of;

use netlink_packet_core::{NLA_HEADER_SIZE, NLA_TYPE_MASK};

use crate::message::HEADERS_LEN;

/// An attribute set of the specification.
#[derive(Debug)]
pub struct Set {
    /// Its name in the specification.
    pub name: &'static str,
    /// Its attributes, in the order of the specification.
    pub attrs: &'static [Attr],
}

/// An attribute of a [`Set`].
#[derive(Debug)]
pub struct Attr {
    /// Its number on the wire.
    pub kind: u16,
    /// Its name in the specification, with hyphens.
    pub name: &'static str,
    /// What it means, one line.
    pub doc: &'static str,
    /// The set of what it nests, if it does.
    pub nested: Option<&'static Set>,
}

/// One attribute found in a message: where, and what is inside.
struct Found<'a> {
    attr: &'static Attr,
    start: usize,
    inner: &'a [u8],
}

impl Set {
    fn attr(&self, kind: u16) -> Option<&'static Attr> {
        self.attrs.iter().find(|attr| attr.kind == kind)
    }

    /// The name of the attribute of `request` that begins `offset` bytes after its start, or that
    /// holds this byte; nests are joined by dots, as in `range.addr-min`.
    pub fn name_at(&'static self, request: &[u8], offset: usize) -> Option<String> {
        let path = self.path(request, offset);
        (!path.is_empty()).then(|| join(&path))
    }

    /// The name of the attribute of number `kind` that is missing from the nest at `nest`, or from
    /// the message itself.
    pub fn missing_name(
        &'static self,
        request: &[u8],
        nest: Option<usize>,
        kind: u16,
    ) -> Option<String> {
        let mut path = nest.map_or_else(Vec::new, |offset| self.path(request, offset));
        let set = match path.last() {
            Some(attr) => attr.nested?,
            None => self,
        };
        path.push(set.attr(kind)?);
        Some(join(&path))
    }

    /// The attributes that lead to `offset`, outermost first.
    fn path(&'static self, request: &[u8], offset: usize) -> Vec<&'static Attr> {
        let (mut set, mut path) = (self, Vec::new());
        let mut base = HEADERS_LEN;
        let mut bytes = request.get(base..).unwrap_or_default();
        while let Some(found) = set.find(bytes, base, offset) {
            path.push(found.attr);
            let (Some(nested), true) = (found.attr.nested, offset > found.start) else {
                break;
            };
            set = nested;
            base = found.start + NLA_HEADER_SIZE;
            bytes = found.inner;
        }
        path
    }

    /// The attribute of `bytes`, which begin at `base` in the message, that covers `offset`.
    fn find<'a>(&self, mut bytes: &'a [u8], mut base: usize, offset: usize) -> Option<Found<'a>> {
        loop {
            let len = usize::from(read_u16(bytes, 0)?);
            let kind = read_u16(bytes, size_of::<u16>())? & NLA_TYPE_MASK;
            let inner = bytes.get(NLA_HEADER_SIZE..len)?;
            let next = len.next_multiple_of(4);
            if (base..base + next).contains(&offset) {
                return self.attr(kind).map(|attr| Found {
                    attr,
                    start: base,
                    inner,
                });
            }
            bytes = bytes.get(next..)?;
            base += next;
        }
    }
}

/// How many attributes of `request` stand before the one that holds the byte at `offset`.
pub(crate) fn index_at(request: &[u8], offset: usize) -> Option<usize> {
    let mut next = HEADERS_LEN;
    for index in 0.. {
        let len = usize::from(read_u16(request, next)?).max(NLA_HEADER_SIZE);
        let start = next;
        next += len.next_multiple_of(4);
        if (start..next).contains(&offset) {
            return Some(index);
        }
    }
    None
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + size_of::<u16>())?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn join(path: &[&Attr]) -> String {
    path.iter()
        .map(|attr| attr.name)
        .collect::<Vec<_>>()
        .join(".")
}

// SPDX-License-Identifier: GPL-2.0

//! What will surprise about a request that is done: told in the acknowledgement, and in the answer
//! if there is one.
//!
//! The acknowledgement has room for 79 characters, and cannot refer to memory of the request: it
//! tells the first warning, and how many more there are.

use super::genl::Request;
use super::msg::{Message, U32};
use kernel::fmt::{self, Write};
use kernel::prelude::*;
use kernel::str::Formatter;

/// Bytes of the text of a warning, its final zero included.
const TEXT: usize = 192;
/// The most warnings of a request that are told in words.
const MOST: usize = 16;
/// Bytes of the first warning beside which the number of others has room.
const FIRST_OF_MANY: usize = 66;
/// In place of what is cut off.
const DOTS: &str = "...";

struct Warning {
    index: u32,
    text: [u8; TEXT],
}

/// The warnings of a request.
pub(crate) struct Warnings {
    told: KVec<Warning>,
    count: usize,
}

impl Warnings {
    /// The room that they take in an answer, in numbers of 32 bits.
    pub(crate) const ROOM: usize = MOST * (TEXT / U32 + 4);

    /// None yet.
    pub(crate) const fn new() -> Self {
        Self {
            told: KVec::new(),
            count: 0,
        }
    }

    /// Will another one only be counted?
    pub(crate) fn is_full(&self) -> bool {
        self.told.len() >= MOST
    }

    /// Adds one about the thing of number `index` in the request. What is beyond the most, or finds
    /// no memory, is only counted.
    pub(crate) fn add(&mut self, index: usize, words: fmt::Arguments<'_>) {
        self.count = self.count.saturating_add(1);
        if self.is_full() {
            return;
        }
        let mut text = [0; TEXT];
        write(&mut text, words);
        let index = index as u32;
        let _ = self.told.push(Warning { index, text }, GFP_KERNEL);
    }

    /// Tells them in the acknowledgement of a request that is done.
    pub(crate) fn tell(&self, request: &Request<'_>) {
        let Some(first) = self.told.first() else {
            return;
        };
        let text = CStr::from_bytes_until_nul(&first.text).unwrap_or_default();
        let text = text.to_str().unwrap_or_default();
        match self.count.saturating_sub(1) {
            0 => request.say(format_args!("{text}")),
            more => {
                let cut = text.get(..FIRST_OF_MANY.saturating_sub(DOTS.len()));
                let (fits, dots) = match cut.filter(|_| text.len() > FIRST_OF_MANY) {
                    Some(cut) => (cut, DOTS),
                    None => (text, ""),
                };
                request.say(format_args!("{fits}{dots} (+{more} more)"));
            }
        }
    }

    /// Puts them into an answer: nests of type `kind` with number and text in them.
    pub(crate) fn put(
        &self,
        message: &mut Message<'_>,
        kind: u32,
        [index, text]: [u32; 2],
    ) -> Result {
        self.told.iter().try_for_each(|warning| {
            message.nest(kind, |message| {
                message.u32(index, warning.index)?;
                message.name(text, &warning.text)
            })
        })
    }
}

/// Writes words and a zero. What there is no room for is cut off.
pub(super) fn write(buffer: &mut [u8], words: fmt::Arguments<'_>) {
    buffer.fill(0);
    if let Some((_end, text)) = buffer.split_last_mut() {
        let _ = Formatter::new(text).write_fmt(words);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Numbers out of bytes.

use fastnat_nat::nat::addr::{Addr, Be16, V4};
use fastnat_nat::nat::tuple::Endpoint;

/// What is left of the input. Behind its end there are zeros.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        (u32::from(self.u16()) << 16) | u32::from(self.u16())
    }

    pub(crate) fn addr(&mut self) -> V4 {
        V4::from_u128(self.u32().into())
    }

    pub(crate) fn endpoint(&mut self) -> Endpoint<V4> {
        Endpoint {
            addr: self.addr(),
            port: Be16::from_host(self.u16()),
        }
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

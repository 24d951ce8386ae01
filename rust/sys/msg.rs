// SPDX-License-Identifier: GPL-2.0

//! Netlink attributes, read from a request and written to a message.

use super::ffi;
use crate::nat::addr::{Addr, V4};
use core::marker::PhantomData;
use kernel::bindings;
use kernel::ffi::c_void;
use kernel::prelude::*;

/// The length and type in front of an attribute's value.
const HEADER: usize = 4;
/// An attribute that is a number of 32 bits.
pub(super) const U32: usize = HEADER + size_of::<u32>();
/// The bits of the type that are flags.
const TYPE_MASK: u16 = 0x3fff;

/// A row of attributes.
#[derive(Copy, Clone)]
pub(crate) struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The attribute of type `kind`.
    pub(crate) fn get(&self, kind: u32) -> Option<Attr<'a>> {
        self.all(kind).last()
    }

    /// All attributes of type `kind`, in their order.
    pub(crate) fn all(&self, kind: u32) -> impl Iterator<Item = Attr<'a>> + Clone {
        self.iter().filter(move |attr| attr.kind == kind)
    }

    /// The first attribute that stands here a second time, those of type `many` apart.
    pub(crate) fn duplicate(&self, many: impl IntoIterator<Item = u32> + Copy) -> Option<Attr<'a>> {
        let mut seen = 0u64;
        self.iter().find(|attr| {
            let bit = 1u64.checked_shl(attr.kind).unwrap_or(0);
            let again = seen & bit != 0 && many.into_iter().all(|kind| kind != attr.kind);
            seen |= bit;
            again
        })
    }

    fn iter(&self) -> impl Iterator<Item = Attr<'a>> + Clone {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let [a, b, c, d] = *rest.first_chunk::<HEADER>()?;
            let len = usize::from(u16::from_ne_bytes([a, b]));
            let attr = Attr {
                kind: u32::from(u16::from_ne_bytes([c, d]) & TYPE_MASK),
                bytes: rest.get(..len).filter(|bytes| bytes.len() >= HEADER)?,
            };
            let next = len.checked_next_multiple_of(HEADER)?;
            rest = rest.get(next..).unwrap_or_default();
            Some(attr)
        })
    }
}

/// One attribute, of the length that the policy asks for.
#[derive(Copy, Clone)]
pub(crate) struct Attr<'a> {
    kind: u32,
    bytes: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The value, as bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// A number of 8 bits.
    pub(crate) fn u8(&self) -> u8 {
        self.bytes().first().copied().unwrap_or(0)
    }

    /// A number of 16 bits, in host byte order.
    pub(crate) fn u16(&self) -> u16 {
        u16::from_ne_bytes(self.bytes().first_chunk().copied().unwrap_or_default())
    }

    /// A number of 32 bits, in host byte order.
    pub(crate) fn u32(&self) -> u32 {
        u32::from_ne_bytes(self.bytes().first_chunk().copied().unwrap_or_default())
    }

    /// An address.
    pub(crate) fn addr(&self) -> V4 {
        V4::from_slice(self.bytes()).unwrap_or_default()
    }

    /// A string without its final zero, padded to `N` bytes with zeroes; `None` if it is longer
    /// than `N - 1`, empty, or has no end.
    pub(crate) fn name<const N: usize>(&self) -> Option<[u8; N]> {
        let mut name = [0; N];
        let end = self.bytes().iter().position(|byte| *byte == 0)?;
        let text = self.bytes().get(..end)?;
        if text.is_empty() || text.len() >= N {
            return None;
        }
        name.get_mut(..text.len())?.copy_from_slice(text);
        Some(name)
    }

    /// The attributes inside.
    pub(crate) fn nested(&self) -> Attrs<'a> {
        Attrs(self.bytes())
    }

    /// Where the attribute stands in the request.
    pub(super) fn place(&self) -> *const bindings::nlattr {
        self.bytes.as_ptr().cast()
    }
}

/// A message that is being written.
///
/// # Invariants
///
/// `skb` is valid for `'a` and owned by the writer.
pub(crate) struct Message<'a> {
    skb: *mut bindings::sk_buff,
    _owner: PhantomData<&'a mut ()>,
}

impl Message<'_> {
    /// # Safety
    ///
    /// The type invariant holds.
    pub(super) unsafe fn new(skb: *mut bindings::sk_buff) -> Self {
        Self {
            skb,
            _owner: PhantomData,
        }
    }

    /// Adds bytes.
    pub(crate) fn bytes(&mut self, kind: u32, value: &[u8]) -> Result {
        let (data, len) = (value.as_ptr().cast::<c_void>(), value.len() as i32);
        // SAFETY: By the invariant; `value` is read only during the call.
        kernel::error::to_result(unsafe { bindings::nla_put(self.skb, kind as i32, len, data) })
    }

    /// Adds an attribute that says yes by being there.
    pub(crate) fn flag(&mut self, kind: u32) -> Result {
        self.bytes(kind, &[])
    }

    /// Adds a number of 8 bits.
    pub(crate) fn u8(&mut self, kind: u32, value: u8) -> Result {
        self.bytes(kind, &[value])
    }

    /// Adds a number of 16 bits.
    pub(crate) fn u16(&mut self, kind: u32, value: u16) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a number of 32 bits.
    pub(crate) fn u32(&mut self, kind: u32, value: u32) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a number of 64 bits.
    pub(crate) fn u64(&mut self, kind: u32, value: u64) -> Result {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds an address.
    pub(crate) fn addr(&mut self, kind: u32, value: V4) -> Result {
        self.bytes(kind, &value.to_bytes())
    }

    /// Adds a string out of a buffer padded with zeroes.
    pub(crate) fn name(&mut self, kind: u32, value: &[u8]) -> Result {
        let len = value.iter().position(|byte| *byte == 0);
        let end = len.map_or(value.len(), |len| len.wrapping_add(1));
        self.bytes(kind, value.get(..end).unwrap_or(value))
    }

    /// Adds an attribute that holds what `fill` writes.
    pub(crate) fn nest(&mut self, kind: u32, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: By the invariant.
        let nest = unsafe { ffi::fastnat_shim_nest_start(self.skb, kind as i32) };
        if nest.is_null() {
            return Err(EMSGSIZE);
        }
        let filled = fill(self);
        // SAFETY: Started above.
        unsafe {
            match filled {
                Ok(()) => ffi::fastnat_shim_nest_end(self.skb, nest),
                Err(_) => ffi::fastnat_shim_nest_cancel(self.skb, nest),
            }
        }
        filled
    }
}

// SPDX-License-Identifier: GPL-2.0

//! How values become attributes and attributes values.

use std::net::Ipv4Addr;

use netlink_packet_core::{
    DecodeError, ErrorContext, NLA_F_NESTED, NLA_HEADER_SIZE, NLA_TYPE_MASK, NlasIterator,
};

use crate::schema::{Attr, Set};

/// A type that is the payload of an attribute.
pub trait Value: Sized {
    /// The set inside, when the payload is a nest.
    const NESTED: Option<&'static Set> = None;

    /// Appends the payload to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads a payload. Fails when its length or content cannot be one of this type.
    fn read(payload: &[u8]) -> Result<Self, DecodeError>;

    /// The value as a number, when it is a plain one.
    fn number(&self) -> Option<u64> {
        None
    }
}

/// A member of an attribute set: an attribute that occurs at most once (`Option`), any number of
/// times (`Vec`), or is a flag (`bool`).
pub trait Field: Default {
    /// The set inside, when the attribute is a nest.
    const NESTED: Option<&'static Set>;

    /// Appends the attribute to `out` as often as it occurs.
    fn emit(&self, kind: u16, out: &mut Vec<u8>);

    /// Takes over one occurrence.
    fn absorb(&mut self, payload: &[u8]) -> Result<(), DecodeError>;

    /// Whether the attribute is absent from JSON too; a list stays, though empty.
    fn omitted(&self) -> bool;

    /// The value as a number, when it is present and a plain one.
    fn number(&self) -> Option<u64>;
}

/// An attribute set as a Rust type.
pub trait Attributes: Default {
    /// The set as data.
    const SET: &'static Set;

    /// Appends the attributes that are present to `out`.
    fn emit(&self, out: &mut Vec<u8>);

    /// Takes over one attribute. Those of an unknown number are ignored: a newer kernel has them.
    fn absorb(&mut self, kind: u16, payload: &[u8]) -> Result<(), DecodeError>;

    /// The plain numbers that are present, in the order of the specification.
    fn numbers(&self) -> Vec<(&'static Attr, u64)>;

    /// Reads a sequence of attributes.
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut set = Self::default();
        for attr in NlasIterator::new(bytes) {
            let attr = attr.context(Self::SET.name.to_string())?;
            set.absorb(attr.kind() & NLA_TYPE_MASK, attr.value())?;
        }
        Ok(set)
    }
}

impl<T: Attributes> Value for T {
    const NESTED: Option<&'static Set> = Some(T::SET);

    fn write(&self, out: &mut Vec<u8>) {
        self.emit(out);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        T::parse(payload)
    }
}

/// Appends one attribute.
///
/// # Panics
///
/// When the payload does not fit the 16 bits of an attribute's length.
pub(crate) fn put<T: Value>(kind: u16, value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + NLA_HEADER_SIZE, 0);
    value.write(out);
    let len = u16::try_from(out.len() - start).expect("an attribute is shorter than 64 KiB");
    let flags = if T::NESTED.is_some() { NLA_F_NESTED } else { 0 };
    out[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    out[start + 2..start + 4].copy_from_slice(&(kind | flags).to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

impl<T: Value> Field for Option<T> {
    const NESTED: Option<&'static Set> = T::NESTED;

    fn emit(&self, kind: u16, out: &mut Vec<u8>) {
        if let Some(value) = self {
            put(kind, value, out);
        }
    }

    fn absorb(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        *self = Some(T::read(payload)?);
        Ok(())
    }

    fn omitted(&self) -> bool {
        self.is_none()
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }
}

impl<T: Value> Field for Vec<T> {
    const NESTED: Option<&'static Set> = T::NESTED;

    fn emit(&self, kind: u16, out: &mut Vec<u8>) {
        for value in self {
            put(kind, value, out);
        }
    }

    fn absorb(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        self.push(T::read(payload)?);
        Ok(())
    }

    fn omitted(&self) -> bool {
        false
    }

    fn number(&self) -> Option<u64> {
        None
    }
}

/// A list that most objects do not have.
impl<T: Value> Field for Option<Vec<T>> {
    const NESTED: Option<&'static Set> = T::NESTED;

    fn emit(&self, kind: u16, out: &mut Vec<u8>) {
        if let Some(list) = self {
            list.emit(kind, out);
        }
    }

    fn absorb(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        self.get_or_insert_default().absorb(payload)
    }

    fn omitted(&self) -> bool {
        self.is_none()
    }

    fn number(&self) -> Option<u64> {
        None
    }
}

/// The payload of a flag, which says all by being there.
impl Value for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        exactly::<0>(payload).map(drop)
    }
}

impl Field for bool {
    const NESTED: Option<&'static Set> = None;

    fn emit(&self, kind: u16, out: &mut Vec<u8>) {
        self.then_some(()).emit(kind, out);
    }

    fn absorb(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        *self = true;
        <()>::read(payload)
    }

    fn omitted(&self) -> bool {
        !self
    }

    fn number(&self) -> Option<u64> {
        None
    }
}

/// The payload as an array of the length that its type has.
pub(crate) fn exactly<const N: usize>(payload: &[u8]) -> Result<[u8; N], DecodeError> {
    payload
        .try_into()
        .map_err(|_| DecodeError::invalid_number(N, payload.len()))
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Value for $int {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend(self.to_ne_bytes());
            }

            fn read(payload: &[u8]) -> Result<Self, DecodeError> {
                exactly(payload).map(<$int>::from_ne_bytes)
            }

            fn number(&self) -> Option<u64> {
                Some((*self).into())
            }
        }
    )*};
}
integers!(u8 u16 u32 u64);

impl Value for Ipv4Addr {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.octets());
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        exactly::<4>(payload).map(Ipv4Addr::from)
    }
}

/// A string ends with a zero byte on the wire; the kernel may leave it out.
impl Value for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.as_bytes());
        out.push(0);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let end = payload
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(payload.len());
        Ok(String::from_utf8_lossy(&payload[..end]).into_owned())
    }
}

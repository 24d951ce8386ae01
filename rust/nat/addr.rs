// SPDX-License-Identifier: GPL-2.0

//! Addresses and integers in network byte order.

use core::fmt::{self, Debug, Formatter};

/// A 16-bit integer stored in network byte order.
#[repr(transparent)]
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub struct Be16(u16);

/// A 32-bit integer stored in network byte order.
#[repr(transparent)]
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub struct Be32(u32);

macro_rules! big_endian {
    ($be:ident, $host:ident, $len:literal) => {
        impl $be {
            /// Stores a host-order value.
            #[inline]
            pub const fn from_host(value: $host) -> Self {
                Self(value.to_be())
            }

            /// Returns the host-order value.
            #[inline]
            pub const fn to_host(self) -> $host {
                $host::from_be(self.0)
            }

            /// Takes the bytes as they are in the packet.
            #[inline]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self($host::from_ne_bytes(bytes))
            }

            /// Returns the bytes as they are in the packet.
            #[inline]
            pub const fn to_bytes(self) -> [u8; $len] {
                self.0.to_ne_bytes()
            }
        }

        impl Debug for $be {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                Debug::fmt(&self.to_host(), f)
            }
        }
    };
}

big_endian!(Be16, u16, 2);
big_endian!(Be32, u32, 4);

/// An IP address of either family.
///
/// Everything that stores or compares addresses is generic over this.
pub trait Addr: Copy + Eq + Default + Debug {
    /// Length of the address in bytes.
    const LEN: usize;

    /// The address as it is in the packet.
    type Bytes: Copy + AsRef<[u8]>;

    /// Takes the address as it is in the packet.
    fn from_bytes(bytes: Self::Bytes) -> Self;

    /// Returns the address as it is in the packet.
    fn to_bytes(self) -> Self::Bytes;

    /// Takes the low `LEN` bytes of a numeric value in host order.
    fn from_u128(value: u128) -> Self;

    /// Returns the numeric value in host order.
    fn to_u128(self) -> u128;

    /// Reads the address from the front of `bytes`; `None` if they are too few.
    fn from_slice(bytes: &[u8]) -> Option<Self>;

    /// Writes the address to the front of `bytes`; `false`, and nothing written, if they are too
    /// few.
    #[inline]
    fn write_to(self, bytes: &mut [u8]) -> bool {
        let Some(place) = bytes.get_mut(..Self::LEN) else {
            return false;
        };
        for (to, from) in place.iter_mut().zip(self.to_bytes().as_ref()) {
            *to = *from;
        }
        true
    }

    /// The address with all but its first `bits` bits cleared.
    fn masked(self, bits: u8) -> Self;

    /// Whether the address names more than one host: multicast, or the limited broadcast.
    fn is_multicast(self) -> bool;

    /// Whether this is the all-zero address.
    #[inline]
    fn is_unspecified(self) -> bool {
        self == Self::default()
    }
}

/// An IPv4 address.
#[repr(transparent)]
#[derive(Copy, Clone, Eq, PartialEq, Default)]
pub struct V4(pub Be32);

impl Addr for V4 {
    const LEN: usize = 4;

    type Bytes = [u8; 4];

    #[inline]
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(Be32::from_bytes(bytes))
    }

    #[inline]
    fn to_bytes(self) -> [u8; 4] {
        self.0.to_bytes()
    }

    #[inline]
    fn from_u128(value: u128) -> Self {
        Self(Be32::from_host(value as u32))
    }

    #[inline]
    fn to_u128(self) -> u128 {
        u128::from(self.0.to_host())
    }

    #[inline]
    fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(|bytes| Self::from_bytes(*bytes))
    }

    #[inline]
    fn masked(self, bits: u8) -> Self {
        let ignored = 32u32.saturating_sub(u32::from(bits));
        let mask = u32::MAX.checked_shl(ignored).unwrap_or(0);
        Self(Be32::from_host(self.0.to_host() & mask))
    }

    #[inline]
    fn is_multicast(self) -> bool {
        let value = self.0.to_host();
        value >> 28 == 0xe || value == u32::MAX
    }
}

impl Debug for V4 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.to_bytes();
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

/// A network: an address and how many of its leading bits count. The default is every address.
///
/// # Invariants
///
/// `len` is at most the number of bits of `A`, and the bits of `addr` after the first `len` are
/// zero.
#[derive(Copy, Clone, Eq, PartialEq, Default, Debug)]
pub struct Prefix<A> {
    addr: A,
    len: u8,
}

impl Prefix<V4> {
    /// The addresses by which a host speaks to itself, 127.0.0.0/8.
    // INVARIANT: Eight bits, and none behind them.
    pub const LOOPBACK: Self = Self {
        addr: V4(Be32::from_host(0x7f00_0000)),
        len: 8,
    };
}

impl<A: Addr> Prefix<A> {
    /// `None` if `len` exceeds the address, or a bit after the first `len` is set.
    pub fn new(addr: A, len: u8) -> Option<Self> {
        // INVARIANT: both halves are checked here.
        let fits = usize::from(len) <= A::LEN.wrapping_mul(8) && addr.masked(len) == addr;
        fits.then_some(Self { addr, len })
    }

    /// The first address.
    #[inline]
    pub fn addr(&self) -> A {
        self.addr
    }

    /// How many leading bits count.
    #[inline]
    pub fn bits(&self) -> u8 {
        self.len
    }

    /// The address of this network with the host part of `addr`.
    #[inline]
    pub fn with_host_of(&self, addr: A) -> A {
        let host = addr.to_u128() ^ addr.masked(self.len).to_u128();
        A::from_u128(self.addr.to_u128() | host)
    }

    /// Whether there is more than one address in it.
    #[inline]
    pub fn is_network(&self) -> bool {
        usize::from(self.len) < A::LEN.wrapping_mul(8)
    }

    /// The last address.
    #[inline]
    pub fn last(&self) -> A {
        self.with_host_of(A::from_u128(u128::MAX))
    }

    /// Whether all of `other` lies in the network.
    pub fn covers(&self, other: &Self) -> bool {
        self.len <= other.len && self.contains(other.addr)
    }

    /// Whether `addr` lies in the network.
    #[inline]
    pub fn contains(&self, addr: A) -> bool {
        addr.masked(self.len) == self.addr
    }
}

/// Returns [`Addr::masked`].
#[inline]
pub fn masked<A: Addr>(addr: A, len: u8) -> A {
    addr.masked(len)
}

// SPDX-License-Identifier: GPL-2.0

//! Fields of a packet, by their offset in bytes. `None`: the slice does not reach that far.

use super::addr::{Addr, Be16, V4};

#[inline]
pub(super) fn get<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
pub(super) fn get16(bytes: &[u8], at: usize) -> Option<Be16> {
    get(bytes, at).map(Be16::from_bytes)
}

#[inline]
pub(super) fn get_v4(bytes: &[u8], at: usize) -> Option<V4> {
    get(bytes, at).map(V4::from_bytes)
}

#[inline]
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = value;
    Some(())
}

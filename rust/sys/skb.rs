// SPDX-License-Identifier: GPL-2.0

//! A packet as a netfilter hook of IPv4 gets it: its data begins at the IP header.

use super::ffi;
use crate::nat::rewrite::Checksum;
use core::slice;
use kernel::bindings;

/// `ETH_P_IP`
const IPV4: u16 = 0x0800;

/// Is it an IPv4 packet?
///
/// # Safety
///
/// `skb` is valid.
#[inline]
pub(super) unsafe fn is_ipv4(skb: *const bindings::sk_buff) -> bool {
    // SAFETY: The caller's promise; both names of the union are of the same fields.
    let headers = unsafe { (*skb).__bindgen_anon_4.__bindgen_anon_1.as_ref() };
    headers.protocol == IPV4.to_be()
}

/// The packet of the running hook.
///
/// # Invariants
///
/// `ptr` is a valid packet that the running hook owns, its data begins at the IP header.
pub(crate) struct Skb {
    ptr: *mut bindings::sk_buff,
}

impl Skb {
    /// # Safety
    ///
    /// The type invariant holds for as long as the value lives.
    pub(super) unsafe fn from_hook(ptr: *mut bindings::sk_buff) -> Self {
        // INVARIANT: The caller's promise.
        Self { ptr }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.ptr
    }

    /// Bytes of the whole packet, from the IP header on.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        // SAFETY: By the type invariant.
        unsafe { (*self.ptr).len as usize }
    }

    /// The part of the packet that lies in one piece.
    #[inline]
    pub(crate) fn linear(&self) -> &[u8] {
        // SAFETY: By the type invariant; `len - data_len` bytes follow `data`, and they do not
        // move while `self` is borrowed.
        unsafe {
            let skb = &*self.ptr;
            slice::from_raw_parts(skb.data, skb.len.wrapping_sub(skb.data_len) as usize)
        }
    }

    /// Makes the first `len` bytes lie in one piece; false if they are not there, or no memory.
    #[inline]
    pub(crate) fn pull(&mut self, len: usize) -> bool {
        // SAFETY: By the type invariant.
        self.linear().len() >= len || unsafe { ffi::fastnat_shim_skb_pull(self.ptr, len as u32) }
    }

    /// The first `len` bytes, owned by this packet alone; `None` if there is no memory.
    #[inline(always)]
    pub(crate) fn writable(&mut self, len: usize) -> Option<&mut [u8]> {
        // SAFETY: By the type invariant; `len` linear bytes of a packet that is no clone, or on
        // success of one that was, are private to the packet.
        unsafe {
            let whole = (*self.ptr).cloned() == 0 && self.linear().len() >= len;
            if !whole && bindings::skb_ensure_writable(self.ptr, len as u32) != 0 {
                return None;
            }
            Some(slice::from_raw_parts_mut((*self.ptr).data, len))
        }
    }

    /// What the transport checksum field holds. To be asked before a rewrite: a sum over the
    /// whole packet that a device left becomes invalid and is forgotten.
    #[inline]
    pub(crate) fn checksum(&mut self) -> Checksum {
        // SAFETY: By the type invariant; both names of the union are of the same fields.
        let headers = unsafe { (*self.ptr).__bindgen_anon_4.__bindgen_anon_1.as_mut() };
        match u32::from(headers.ip_summed()) {
            bindings::CHECKSUM_PARTIAL => Checksum::Partial,
            bindings::CHECKSUM_COMPLETE => {
                headers.set_ip_summed(bindings::CHECKSUM_NONE as u8);
                Checksum::Full
            }
            _ => Checksum::Full,
        }
    }

    /// Keeps conntrack away from the packet.
    #[inline]
    pub(crate) fn untrack(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_skb_untrack(self.ptr, false) };
    }

    /// Keeps conntrack away, and drops the entry that it has begun for the packet.
    pub(crate) fn forget_conntrack(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_skb_untrack(self.ptr, true) };
    }

    /// Is the checksum of the ICMP message at `offset` right? `hook` says where we are.
    pub(crate) fn icmp_checksum_ok(&mut self, hook: u32, offset: usize) -> bool {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_skb_icmp_csum_ok(self.ptr, hook, offset as u32) }
    }

    /// Does somebody keep data of his own with the packet? br_netfilter and IPsec do.
    #[inline]
    pub(crate) fn has_extensions(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { (*self.ptr).active_extensions != 0 }
    }

    /// Has somebody found a socket for the packet?
    pub(crate) fn has_socket(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { !(*self.ptr).sk.is_null() }
    }

    /// Gives the packet another mark.
    pub(crate) fn set_mark(&mut self, mark: u32) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_skb_set_mark(self.ptr, mark) };
    }

    /// The packet mark.
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_skb_mark(self.ptr) }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: requests in, refusals and replies out.
//!
//! The kernel has checked a request against the policy that is generated from the specification
//! before it gets here; what is checked here is what the policy cannot say.

use super::event;
use super::ffi;
use super::msg::{Attr, Attrs, Message, U32};
use super::pernet::NetRef;
use super::warning;
use core::mem::ManuallyDrop;
use core::slice;
use kernel::bindings;
use kernel::ffi::{c_int, c_void};
use kernel::fmt;
use kernel::prelude::*;

/// The message header and the generic header in front of the attributes.
const HEADERS: usize = 20;

/// The registered family.
pub(crate) struct Family(());

impl Family {
    /// From here on requests come in. Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: The family is static and complete.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_genl_register() })?;
        event::open();
        Ok(Self(()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        event::close();
        // SAFETY: Registered. Waits for requests that run.
        unsafe { ffi::fastnat_shim_genl_unregister() };
    }
}

/// Why a request is refused.
///
/// Without a message, that of the request has been put together already.
pub(crate) struct Refusal {
    errno: Error,
    message: Option<&'static CStr>,
    attr: *const bindings::nlattr,
    missing: Option<u32>,
    nest: *const bindings::nlattr,
}

/// What a handler of a request returns.
pub(crate) type Answer = core::result::Result<(), Refusal>;

impl Refusal {
    /// Refuses with a reason in words.
    pub(crate) fn new(errno: Error, message: &'static CStr) -> Self {
        Self {
            message: Some(message),
            ..Self::silent(errno)
        }
    }

    fn silent(errno: Error) -> Self {
        Self {
            errno,
            message: None,
            attr: core::ptr::null(),
            missing: None,
            nest: core::ptr::null(),
        }
    }

    /// Blames an attribute of the request, if it is there.
    pub(crate) fn at(mut self, attr: Option<Attr<'_>>) -> Self {
        self.attr = attr.map_or(self.attr, |attr| attr.place());
        self
    }

    /// Names the nest in which it happened, if there is one: that is to blame if no attribute is.
    pub(crate) fn within(mut self, nest: Option<Attr<'_>>) -> Self {
        let Some(nest) = nest else {
            return self;
        };
        if self.attr.is_null() && self.missing.is_none() {
            self.attr = nest.place();
        }
        self.nest = nest.place();
        self
    }

    /// An attribute that has to be there is not.
    pub(crate) fn missing(attr: u32) -> Self {
        Self {
            missing: Some(attr),
            ..Self::new(EINVAL, c"a required attribute is missing")
        }
    }

    /// # Safety
    ///
    /// `extack` is null or valid, and the attributes named are of the same request.
    unsafe fn report(self, extack: *mut bindings::netlink_ext_ack) -> c_int {
        // SAFETY: The caller's promise.
        if let Some(extack) = unsafe { extack.as_mut() } {
            if let Some(message) = self.message {
                extack._msg = message.as_char_ptr();
            }
            extack.bad_attr = self.attr;
            if let Some(missing) = self.missing {
                extack.miss_type = missing as u16;
                extack.miss_nest = self.nest;
            }
        }
        self.errno.to_errno()
    }
}

impl From<Error> for Refusal {
    fn from(errno: Error) -> Self {
        match errno == ENOMEM {
            true => Self::new(errno, c"not enough memory"),
            false => Self::new(errno, c"the kernel could not do it"),
        }
    }
}

impl From<kernel::alloc::AllocError> for Refusal {
    fn from(_: kernel::alloc::AllocError) -> Self {
        ENOMEM.into()
    }
}

/// A request that runs.
///
/// # Invariants
///
/// `info` is valid.
pub(crate) struct Request<'a> {
    /// The attributes.
    pub(crate) attrs: Attrs<'a>,
    /// The namespace of the socket that asks.
    pub(crate) net: NetRef,
    info: *mut bindings::genl_info,
}

impl Request<'_> {
    /// Memory for the answer, to be had before anything is changed.
    pub(crate) fn prepare(&self) -> Result<Reply<'_>, Refusal> {
        self.prepare_for(0)
    }

    /// The same, for an answer of so many numbers of 32 bits if that is a long one.
    pub(crate) fn prepare_for(&self, numbers: usize) -> Result<Reply<'_>, Refusal> {
        let room = numbers.saturating_mul(U32);
        let mut head = core::ptr::null_mut();
        // SAFETY: `info` is valid by the invariant.
        let skb = unsafe { ffi::fastnat_shim_reply_new(self.info, room, &mut head) };
        if skb.is_null() {
            return Err(ENOMEM.into());
        }
        // INVARIANT: Just made.
        Ok(Reply {
            skb,
            head,
            request: self,
        })
    }

    /// Refuses with words that are put together. What the kernel has no room for is cut off.
    pub(crate) fn refuse(&self, errno: Error, words: fmt::Arguments<'_>) -> Refusal {
        self.say(words);
        Refusal::silent(errno)
    }

    /// Puts words into the acknowledgement. What the kernel has no room for is cut off.
    pub(super) fn say(&self, words: fmt::Arguments<'_>) {
        // SAFETY: `info` is valid by the invariant, and its extack is null or that of the request.
        if let Some(extack) = unsafe { (*self.info).extack.as_mut() } {
            warning::write(&mut extack._msg_buf, words);
            extack._msg = extack._msg_buf.as_ptr();
        }
    }

    /// Sends one message back, filled by `fill`.
    pub(crate) fn reply(&self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Answer {
        self.prepare()?.send(fill)
    }
}

/// An answer that has not been sent.
///
/// # Invariants
///
/// `skb` is a message of the running request, begun at `head`, and owned by this.
pub(crate) struct Reply<'a> {
    skb: *mut bindings::sk_buff,
    head: *mut c_void,
    request: &'a Request<'a>,
}

impl Reply<'_> {
    /// Sends it, filled by `fill`.
    pub(crate) fn send(self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Answer {
        // SAFETY: By the invariant.
        fill(&mut unsafe { Message::new(self.skb) })?;
        let this = ManuallyDrop::new(self);
        // SAFETY: By the invariant; the ownership is passed on.
        let sent = unsafe { ffi::fastnat_shim_reply_send(this.skb, this.head, this.request.info) };
        kernel::error::to_result(sent).map_err(Refusal::from)
    }

    /// Sends it after something was changed: whatever becomes of the message, that stays. A reader
    /// without room for it has none for an error either.
    pub(crate) fn confirm(self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Answer {
        let _ = self.send(fill);
        Ok(())
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { ffi::fastnat_shim_reply_free(self.skb) };
    }
}

/// May who asks administer the network of the host, and not just that of a container?
pub(crate) fn is_host_admin() -> bool {
    // SAFETY: No requirements; a request runs in the task that asks.
    unsafe { ffi::fastnat_shim_host_admin() }
}

/// Runs a handler of a request.
///
/// # Safety
///
/// `info` is that of a running doit.
pub(crate) unsafe fn request(
    info: *mut bindings::genl_info,
    handler: fn(&Request<'_>) -> Answer,
) -> c_int {
    // SAFETY: The message is `nlmsg_len` bytes long and stays while the request runs; so does
    // the namespace of the socket.
    let (request, extack) = unsafe {
        let message = (*info).nlhdr.cast::<u8>();
        let bytes = slice::from_raw_parts(message, (*(*info).nlhdr).nlmsg_len as usize);
        let request = Request {
            attrs: Attrs::new(bytes.get(HEADERS..).unwrap_or_default()),
            net: NetRef::new(ffi::fastnat_shim_info_net(info)),
            info,
        };
        (request, (*info).extack)
    };
    match handler(&request) {
        Ok(()) => 0,
        // SAFETY: `extack` is that of the request.
        Err(refusal) => unsafe { refusal.report(extack) },
    }
}

/// A list that is being sent, in as many packets as it takes.
///
/// # Invariants
///
/// Both pointers are valid.
pub(crate) struct Dump {
    /// The namespace of the socket that asks.
    pub(crate) net: NetRef,
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
}

impl Dump {
    /// A number that survives from packet to packet, 0 at first. There are six.
    pub(crate) fn cursor(&mut self, index: usize) -> usize {
        // SAFETY: By the invariant; the union is zeroed before the first call.
        let args = unsafe { (*self.cb).__bindgen_anon_1.args };
        args.get(index).map_or(0, |arg| *arg as usize)
    }

    /// Sets such a number.
    pub(crate) fn set_cursor(&mut self, index: usize, value: usize) {
        // SAFETY: By the invariant.
        let args = unsafe { &mut (*self.cb).__bindgen_anon_1.args };
        if let Some(arg) = args.get_mut(index) {
            *arg = value as isize;
        }
    }

    /// Says which state the list is of. If it changes from packet to packet, the reader is told
    /// that the list is not of one piece (`NLM_F_DUMP_INTR`).
    pub(crate) fn generation(&mut self, generation: u32) {
        // SAFETY: By the invariant. 0 would mean that there is nothing to compare.
        unsafe { (*self.cb).seq = generation | (1 << 31) };
    }

    /// How full the packet is.
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { (*self.skb).len }
    }

    /// Takes back what was added since the packet was so full.
    pub(crate) fn rewind(&mut self, mark: u32) {
        // SAFETY: By the invariant; a shorter length than it has is always right.
        unsafe { bindings::skb_trim(self.skb, mark) };
    }

    /// Adds an entry; false if the packet is full.
    pub(crate) fn entry(&mut self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> bool {
        // SAFETY: By the invariant.
        unsafe {
            let head = ffi::fastnat_shim_dump_begin(self.skb, self.cb);
            if head.is_null() {
                return false;
            }
            let filled = fill(&mut Message::new(self.skb)).is_ok();
            if filled {
                ffi::fastnat_shim_dump_end(self.skb, head);
            } else {
                ffi::fastnat_shim_dump_cancel(self.skb, head);
            }
            filled
        }
    }

    /// Lists `items`, each once, at the pace of the reader.
    pub(crate) fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        fill: impl FnMut(&mut Message<'_>, T) -> Result,
    ) {
        self.list_some(items.map(Some), fill);
    }

    /// The same, of those items that are something.
    pub(crate) fn list_some<T>(
        &mut self,
        items: impl Iterator<Item = Option<T>>,
        mut fill: impl FnMut(&mut Message<'_>, T) -> Result,
    ) {
        for item in items.skip(self.cursor(0)) {
            if let Some(item) = item {
                if !self.entry(|message| fill(message, item)) {
                    return;
                }
            }
            let next = self.cursor(0).wrapping_add(1);
            self.set_cursor(0, next);
        }
    }
}

/// Runs a handler of a dump; answers the bytes in the packet, 0 at the end.
///
/// # Safety
///
/// The arguments are those of a running dumpit.
pub(crate) unsafe fn dump(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
    handler: fn(&mut Dump) -> Answer,
) -> c_int {
    // SAFETY: The namespace lives as long as the socket that asks.
    let net = unsafe { NetRef::new(ffi::fastnat_shim_dump_net(cb)) };
    match handler(&mut Dump { net, skb, cb }) {
        // SAFETY: `skb` is valid.
        Ok(()) => unsafe { (*skb).len as c_int },
        // SAFETY: `cb` is valid, and so is its extack.
        Err(refusal) => unsafe { refusal.report((*cb).extack) },
    }
}

/// The symbol that the generated table of operations calls for a request.
macro_rules! doit {
    ($symbol:ident, $handler:path) => {
        /// # Safety
        ///
        /// Called by generic netlink.
        #[no_mangle]
        unsafe extern "C" fn $symbol(
            _skb: *mut kernel::bindings::sk_buff,
            info: *mut kernel::bindings::genl_info,
        ) -> kernel::ffi::c_int {
            // SAFETY: `info` is that of this request.
            unsafe { $crate::sys::genl::request(info, $handler) }
        }
    };
}

/// The symbol that the generated table of operations calls for a dump.
macro_rules! dumpit {
    ($symbol:ident, $handler:path) => {
        /// # Safety
        ///
        /// Called by generic netlink.
        #[no_mangle]
        unsafe extern "C" fn $symbol(
            skb: *mut kernel::bindings::sk_buff,
            cb: *mut kernel::bindings::netlink_callback,
        ) -> kernel::ffi::c_int {
            // SAFETY: The arguments are those of this dump.
            unsafe { $crate::sys::genl::dump(skb, cb, $handler) }
        }
    };
}

pub(crate) use {doit, dumpit};

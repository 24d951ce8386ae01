// SPDX-License-Identifier: GPL-2.0

//! The netfilter hooks of a network namespace.

use super::dev::{self, Device};
use super::ffi;
use super::rcu::{self, Rcu};
use super::route::{Neighbour, Route};
use super::skb::Skb;
use crate::nat::tuple::Zone;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::bindings;
use kernel::ffi::{c_uint, c_void};
use kernel::prelude::*;
use kernel::sync::Arc;

/// `NF_INET_PRE_ROUTING`
const PRE_ROUTING: u32 = 0;
/// `NF_INET_LOCAL_IN`
const LOCAL_IN: u32 = 1;
/// `NF_INET_POST_ROUTING`
const POST_ROUTING: u32 = 4;
/// After defragmentation (-400), ahead of raw (-300) and conntrack (-200).
const PRIORITY: i32 = -395;
/// The last but for conntrack, which confirms what has passed.
const LAST: i32 = i32::MAX - 1;
/// `NFPROTO_IPV4`
const IPV4: u8 = 2;

/// What netfilter does with a packet.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It goes on.
    Accept,
    /// The kernel frees it.
    Drop,
}

/// What becomes of a packet.
pub(crate) enum Verdict<'a> {
    /// Netfilter has it back.
    Return(Fate),
    /// It leaves by this route for this neighbour, past the rest of the stack. [`Route::fit`] has
    /// accepted it, and its header was made writable since. PREROUTING alone says so.
    Forward(&'a Route, Neighbour<'a>),
}

// It is returned in registers.
const _: () = assert!(size_of::<Verdict<'_>>() == 16);

/// Where a packet is on its way.
///
/// # Invariants
///
/// `state` is valid while the hook runs, and so is `skb`, of which only the control block is read.
pub(crate) struct Context<'a> {
    state: &'a ffi::nf_hook_state,
    skb: *const bindings::sk_buff,
}

impl<'a> Context<'a> {
    /// The number of the hook.
    pub(crate) fn hook(&self) -> u32 {
        self.state.hook.into()
    }

    /// The interface the packet came in on; `None` for packets of the host itself. The outer packets
    /// of its tunnels are such, though they name the device of the tunnel.
    pub(crate) fn input(&self) -> Option<Device<'a>> {
        // SAFETY: By the type invariant.
        if self.hook() == POST_ROUTING && !unsafe { ffi::fastnat_shim_skb_forwarded(self.skb) } {
            return None;
        }
        // SAFETY: Under the RCU of the hook the device is valid or null.
        unsafe { Device::from_ptr(self.state.in_) }
    }

    /// The interface the packet leaves by; `None` before routing.
    pub(crate) fn output(&self) -> Option<Device<'a>> {
        // SAFETY: As above.
        unsafe { Device::from_ptr(self.state.out) }
    }

    /// Has the sender of a TCP segment get a reset from the other end, as REJECT does. The segment is
    /// to be dropped then.
    pub(crate) fn reset(&self, skb: &mut Skb) {
        // SAFETY: Packet and state are valid while the hook runs, under RCU.
        unsafe { ffi::fastnat_shim_reset_send(self.state, skb.as_ptr()) };
    }

    /// The routing domain that the packet comes from; of packets of the host itself, the one that they
    /// go to.
    #[inline]
    pub(crate) fn zone(&self) -> Zone {
        match dev::vrf_seen() {
            true => self.zone_of(self.input().or(self.output())),
            false => Zone::DEFAULT,
        }
    }

    #[cold]
    fn zone_of(&self, dev: Option<Device<'_>>) -> Zone {
        dev.map_or(Zone::DEFAULT, |dev| dev.zone())
    }

    /// The routing domain that the packet goes to, as far as that is known.
    #[inline]
    pub(crate) fn zone_out(&self) -> Zone {
        match dev::vrf_seen() {
            true => self.zone_of(self.output().or(self.input())),
            false => Zone::DEFAULT,
        }
    }

    #[inline]
    pub(super) fn input_ptr(&self) -> *mut bindings::net_device {
        self.state.in_
    }

    pub(super) fn net(&self) -> *mut bindings::net {
        self.state.net
    }
}

/// What is done with the packets of a namespace. Runs with RCU held, mostly in softirq.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Before routing.
    fn prerouting<'a>(
        &'a self,
        skb: &mut Skb,
        context: &'a Context<'a>,
        rcu: Rcu<'a>,
    ) -> Verdict<'a>;
    /// To the host itself, after all others that might want the packet.
    fn local_in<'a>(&'a self, skb: &mut Skb, context: &'a Context<'a>, rcu: Rcu<'a>)
        -> Verdict<'a>;
    /// After routing.
    fn postrouting<'a>(
        &'a self,
        skb: &mut Skb,
        context: &'a Context<'a>,
        rcu: Rcu<'a>,
    ) -> Verdict<'a>;
}

/// PREROUTING, LOCAL_IN, POSTROUTING.
const HOOKS: usize = 3;

/// The hooks of one namespace, on until dropped.
///
/// # Invariants
///
/// While `on`, the hooks are registered in `net` with `handler` as their private data, and this
/// registration holds a reference to the use of defragmentation in `net`.
pub(crate) struct Hooks<H: Handler> {
    ops: KBox<[ffi::nf_hook_ops; HOOKS]>,
    net: *mut bindings::net,
    on: AtomicBool,
    /// Is the function held that sends resets? It is given back when the hooks have gone.
    resets: bool,
    _handler: Arc<H>,
}

// SAFETY: The C side locks registration itself, and the namespace outlives its state.
unsafe impl<H: Handler> Send for Hooks<H> {}
// SAFETY: As above.
unsafe impl<H: Handler> Sync for Hooks<H> {}

impl<H: Handler> Hooks<H> {
    /// Turns defragmentation and the hooks on in the namespace of `net`. Sleeps.
    pub(crate) fn register(net: &super::pernet::NetRef, handler: Arc<H>) -> Result<Self> {
        let net = net.as_ptr();
        let this = ptr::from_ref::<H>(&handler).cast_mut().cast::<c_void>();
        let mut ops = KBox::new(
            [
                ops(Some(prerouting::<H>), PRE_ROUTING, this),
                ffi::nf_hook_ops {
                    priority: LAST,
                    ..ops(Some(local_in::<H>), LOCAL_IN, this)
                },
                ops(Some(postrouting::<H>), POST_ROUTING, this),
            ],
            GFP_KERNEL,
        )?;
        // SAFETY: The namespace is alive; `ops` and `handler` stay until the hooks are off and a
        // grace period has passed.
        unsafe {
            kernel::error::to_result(ffi::fastnat_shim_defrag_enable(net))?;
            let err = ffi::nf_register_net_hooks(net, ops.as_mut_ptr(), HOOKS as u32);
            if err != 0 {
                ffi::fastnat_shim_defrag_disable(net);
                kernel::error::to_result(err)?;
            }
        }
        // SAFETY: No requirements but that of sleeping.
        let resets = unsafe { ffi::fastnat_shim_reset_enable() };
        // INVARIANT: Just done.
        Ok(Self {
            ops,
            net,
            on: AtomicBool::new(true),
            resets,
            _handler: handler,
        })
    }

    /// Turns the hooks off. Packets that are inside may still run for a grace period.
    pub(crate) fn disable(&self) -> bool {
        let was_on = self.on.swap(false, Ordering::AcqRel);
        if was_on {
            // SAFETY: By the type invariant.
            unsafe {
                ffi::nf_unregister_net_hooks(self.net, self.ops.as_ptr(), HOOKS as u32);
                ffi::fastnat_shim_defrag_disable(self.net);
            }
        }
        was_on
    }
}

impl<H: Handler> Drop for Hooks<H> {
    fn drop(&mut self) {
        if self.disable() {
            rcu::synchronize();
        }
        if self.resets {
            // SAFETY: Enabled by `register`, once.
            unsafe { ffi::fastnat_shim_reset_disable() };
        }
    }
}

pub(super) fn ops(hook: ffi::nf_hookfn, hooknum: u32, this: *mut c_void) -> ffi::nf_hook_ops {
    ffi::nf_hook_ops {
        hook,
        priv_: this,
        pf: IPV4,
        hooknum,
        priority: PRIORITY,
        ..Default::default()
    }
}

/// # Safety
///
/// Called by netfilter: under RCU, with the `this` of [`Hooks::register`].
unsafe extern "C" fn prerouting<H: Handler>(
    this: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const ffi::nf_hook_state,
) -> c_uint {
    // SAFETY: The hook's contract; the handler lives until a grace period after the hooks.
    unsafe { enter::<H>(this, skb, state, H::prerouting) }
}

/// # Safety
///
/// As [`prerouting`].
unsafe extern "C" fn local_in<H: Handler>(
    this: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const ffi::nf_hook_state,
) -> c_uint {
    // SAFETY: As above.
    unsafe { enter::<H>(this, skb, state, H::local_in) }
}

/// # Safety
///
/// As [`prerouting`].
unsafe extern "C" fn postrouting<H: Handler>(
    this: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const ffi::nf_hook_state,
) -> c_uint {
    // SAFETY: As above.
    unsafe { enter::<H>(this, skb, state, H::postrouting) }
}

/// # Safety
///
/// As [`prerouting`].
#[inline(always)]
unsafe fn enter<H: Handler>(
    this: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const ffi::nf_hook_state,
    step: impl for<'a> FnOnce(&'a H, &mut Skb, &'a Context<'a>, Rcu<'a>) -> Verdict<'a>,
) -> c_uint {
    // SAFETY: The hook's contract.
    let (handler, mut packet, context, rcu) = unsafe {
        let context = Context {
            state: &*state,
            skb,
        };
        (
            &*this.cast::<H>(),
            Skb::from_hook(skb),
            context,
            Rcu::held(),
        )
    };
    match step(handler, &mut packet, &context, rcu) {
        Verdict::Return(Fate::Accept) => ffi::NF_ACCEPT,
        Verdict::Return(Fate::Drop) => ffi::NF_DROP,
        Verdict::Forward(route, to) => {
            // SAFETY: The hook owns the packet, and nothing here touches it any more.
            unsafe { route.forward(skb, to) };
            ffi::NF_STOLEN
        }
    }
}

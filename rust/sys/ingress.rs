// SPDX-License-Identifier: GPL-2.0

//! Hooks where a device hands packets over, ahead of everything but tc and XDP.

use super::dev::Device;
use super::ffi;
use super::hook::ops;
use super::pernet::NetRef;
use super::rcu::{self, Rcu};
use super::skb::Skb;
use crate::nat::iface::{IfName, ANY_IFACE};
use core::ptr;
use kernel::bindings;
use kernel::ffi::{c_uint, c_void};
use kernel::prelude::*;
use kernel::sync::Arc;

/// `NFPROTO_NETDEV`
const NETDEV: u8 = 5;
/// `NF_NETDEV_INGRESS`
const INGRESS: u32 = 0;

/// What looks at the IPv4 packets of devices before their turn has come. Runs with RCU held, in
/// softirq.
pub(crate) trait Early: Send + Sync + 'static {
    /// Here comes one. It goes on in any case.
    fn early(&self, skb: &Skb, rcu: Rcu<'_>);
}

/// The hook of a device, on until dropped.
///
/// # Invariants
///
/// The hook is registered for the device `ops.dev` with `handler` as its private data. The owner
/// drops it before the device is gone.
pub(crate) struct Ingress<H: Early> {
    ops: KBox<ffi::nf_hook_ops>,
    net: *mut bindings::net,
    _handler: Arc<H>,
}

// SAFETY: The C side locks registration itself, and the namespace outlives its state.
unsafe impl<H: Early> Send for Ingress<H> {}
// SAFETY: As above.
unsafe impl<H: Early> Sync for Ingress<H> {}

impl<H: Early> Ingress<H> {
    /// Puts a hook on a device; `None` if there is no such device now. The caller holds what
    /// [`DeviceNotifier`]'s calls wait for. Sleeps.
    pub(crate) fn attach(net: &NetRef, name: &IfName, handler: Arc<H>) -> Result<Option<Self>> {
        let net = net.as_ptr();
        let this = ptr::from_ref::<H>(&handler).cast_mut().cast::<c_void>();
        let mut ops = KBox::new(ops(Some(early::<H>), INGRESS, this), GFP_KERNEL)?;
        ops.pf = NETDEV;
        // SAFETY: The namespace is alive; a name ends with a zero. The reference keeps the device
        // until the hook is on; from then on the caller takes it off when the device goes.
        unsafe {
            ops.dev = ffi::fastnat_shim_dev_get(net, name.as_ptr().cast());
            if ops.dev.is_null() {
                return Ok(None);
            }
            let err = ffi::nf_register_net_hook(net, &*ops);
            ffi::fastnat_shim_dev_put(ops.dev);
            kernel::error::to_result(err)?;
        }
        // INVARIANT: Just done.
        Ok(Some(Self {
            ops,
            net,
            _handler: handler,
        }))
    }

    /// The name of the device.
    pub(crate) fn name(&self) -> IfName {
        // SAFETY: By the type invariant the device is there.
        unsafe { Device::from_ptr(self.ops.dev) }.map_or(ANY_IFACE, |dev| dev.name())
    }

    /// Is it on this device? Compared, not looked at.
    pub(crate) fn is_on(&self, device: *const c_void) -> bool {
        self.ops.dev.cast_const().cast() == device
    }
}

impl<H: Early> Drop for Ingress<H> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::nf_unregister_net_hook(self.net, &*self.ops) };
        rcu::synchronize();
    }
}

/// # Safety
///
/// Called by netfilter: under RCU, with the `this` of [`Ingress::attach`].
unsafe extern "C" fn early<H: Early>(
    this: *mut c_void,
    skb: *mut bindings::sk_buff,
    _state: *const ffi::nf_hook_state,
) -> c_uint {
    // SAFETY: The hook's contract; the handler lives until a grace period after the hook. The data
    // begin behind the header of the link.
    unsafe {
        if super::skb::is_ipv4(skb) {
            (*this.cast::<H>()).early(&Skb::from_hook(skb), Rcu::held());
        }
    }
    ffi::NF_ACCEPT
}

/// Remembers the hash of a packet that comes, and returns that of one before it, on this CPU.
#[inline]
pub(crate) fn swap(hash: u64) -> u64 {
    // SAFETY: Called in softirq, from [`Early::early`].
    unsafe { ffi::fastnat_shim_early_swap(hash) }
}

/// The hashes that [`swap`] has not returned, each once, on this CPU.
#[inline]
pub(crate) fn rest() -> Option<u64> {
    let mut hash = 0;
    // SAFETY: The hash is written, if at all, before the call returns.
    unsafe { ffi::fastnat_shim_early_rest(&mut hash) }.then_some(hash)
}

/// Fetches a cache line, of whatever is there.
#[inline]
pub(crate) fn prefetch<T>(line: *const T) {
    // SAFETY: Any address will do.
    unsafe { ffi::fastnat_shim_prefetch(line.cast()) };
}

/// Devices that come, go and are renamed are reported to `state` while this lives.
pub(crate) struct DeviceNotifier(());

impl DeviceNotifier {
    /// Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: No requirements.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_dev_notifier_register() })?;
        Ok(Self(()))
    }
}

impl Drop for DeviceNotifier {
    fn drop(&mut self) {
        // SAFETY: Registered.
        unsafe { ffi::fastnat_shim_dev_notifier_unregister() };
    }
}

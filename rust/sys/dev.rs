// SPDX-License-Identifier: GPL-2.0

//! Interfaces, their addresses, and the sockets of the host.

use super::ffi;
use super::hook::Context;
use super::pernet::NetRef;
use super::rcu::Rcu;
use super::skb::Skb;
use crate::nat::addr::{Addr, Be32, V4};
use crate::nat::iface::{self, IfName, Interface};
use crate::nat::tuple::{Endpoint, Tuple, Zone};
use core::marker::PhantomData;
use core::ptr::NonNull;
use kernel::bindings;
use kernel::prelude::*;

/// An interface, valid on the RCU read side.
#[derive(Copy, Clone)]
pub(crate) struct Device<'a>(NonNull<bindings::net_device>, PhantomData<&'a ()>);

impl<'a> Device<'a> {
    /// # Safety
    ///
    /// `ptr` is null or valid for `'a`.
    pub(super) unsafe fn from_ptr(ptr: *mut bindings::net_device) -> Option<Self> {
        NonNull::new(ptr).map(|ptr| Self(ptr, PhantomData))
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }

    /// The name, padded with zeroes. A rename may tear it; then it is nobody's.
    #[inline]
    pub(crate) fn name(&self) -> IfName {
        let mut name = IfName::default();
        // SAFETY: Valid for 'a; the shim writes as many bytes as `name` has.
        unsafe { ffi::fastnat_shim_dev_name(self.0.as_ptr(), name.as_mut_ptr()) };
        iface::padded(name)
    }

    /// What policies look at.
    #[inline]
    pub(crate) fn interface(&self) -> Interface {
        Interface {
            name: self.name(),
            // SAFETY: Valid for 'a.
            group: Some(unsafe { ffi::fastnat_shim_dev_group(self.0.as_ptr()) }),
        }
    }

    /// The number in its namespace.
    pub(crate) fn index(&self) -> u32 {
        // SAFETY: Valid for 'a.
        unsafe { ffi::fastnat_shim_dev_index(self.0.as_ptr()) }
    }

    /// The VRF that it belongs to, or is the interface of.
    #[inline]
    pub(crate) fn zone(&self) -> Zone {
        // SAFETY: Valid for 'a, under RCU.
        Zone::of(unsafe { ffi::fastnat_shim_dev_vrf(self.0.as_ptr()) })
    }

    /// Is it up?
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: Valid for 'a.
        unsafe { ffi::fastnat_shim_dev_is_up(self.0.as_ptr()) }
    }

    /// Is it the loopback interface, or that of a VRF? What passes there either stays in the host
    /// or passes the hooks once more on the interface proper.
    pub(crate) fn is_internal(&self) -> bool {
        // SAFETY: Valid for 'a.
        unsafe { ffi::fastnat_shim_dev_is_internal(self.0.as_ptr()) }
    }

    /// Does the interface have `addr`, whatever its peer? An unnumbered one has those of the loopback interface or
    /// of its VRF.
    pub(crate) fn has_addr(&self, addr: V4) -> bool {
        // SAFETY: Valid for 'a, under RCU.
        unsafe { ffi::fastnat_shim_dev_has_addr(self.0.as_ptr(), wire(addr)) }
    }

    /// Is `addr` one that masqueraded packets may have that leave by this interface? Secondary
    /// addresses are not.
    pub(crate) fn masquerades_as(&self, addr: V4) -> bool {
        // SAFETY: Valid for 'a, under RCU.
        unsafe { ffi::fastnat_shim_dev_masquerades_as(self.0.as_ptr(), wire(addr)) }
    }

    /// Its first address; `None` if it has none.
    pub(crate) fn primary_addr(&self) -> Option<V4> {
        // SAFETY: Valid for 'a, under RCU.
        let addr = unsafe { ffi::fastnat_shim_primary_addr(self.0.as_ptr()) };
        Some(unwire(addr)).filter(|addr| !addr.is_unspecified())
    }

    /// The address with which a masqueraded packet leaves by this interface: the one that its
    /// next hop would see (`inet_select_addr()`); `None` if there is none.
    pub(crate) fn masquerade_addr(&self, skb: &Skb) -> Option<V4> {
        // SAFETY: Both are valid while the hook runs.
        let addr = unsafe { ffi::fastnat_shim_masquerade_addr(skb.as_ptr(), self.0.as_ptr()) };
        Some(unwire(addr)).filter(|addr| !addr.is_unspecified())
    }
}

/// Which interfaces count that have an address.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Presence {
    /// All.
    Any,
    /// Those that are up.
    Up,
}

/// Does `wanted` accept an interface of the namespace that has `addr`?
pub(crate) fn any_with(
    net: &NetRef,
    addr: V4,
    presence: Presence,
    rcu: Rcu<'_>,
    wanted: impl Fn(Device<'_>) -> bool,
) -> bool {
    all(net, rcu)
        .any(|dev| (presence == Presence::Any || dev.is_up()) && dev.has_addr(addr) && wanted(dev))
}

/// The number of the interface with this name, if there is one.
pub(crate) fn index_of(net: &NetRef, name: &IfName) -> Option<u32> {
    // SAFETY: The namespace is alive; a name ends with a zero. The reference is given back.
    unsafe {
        let dev = ffi::fastnat_shim_dev_get(net.as_ptr(), name.as_ptr().cast());
        let index = Device::from_ptr(dev)?.index();
        ffi::fastnat_shim_dev_put(dev);
        Some(index)
    }
}

/// Has there been a VRF since the module was loaded? Most machines have none, and packets need not be asked then.
#[inline]
pub(super) fn vrf_seen() -> bool {
    // SAFETY: A byte that is 0 or 1, and set once.
    unsafe { (&raw const ffi::fastnat_shim_vrf_seen).read_volatile() }
}

/// All interfaces of a namespace.
pub(crate) fn all<'a>(net: &'a NetRef, _rcu: Rcu<'a>) -> impl Iterator<Item = Device<'a>> {
    let next = |dev: Option<Device<'a>>| {
        let dev = dev.map_or(core::ptr::null_mut(), |dev| dev.as_ptr());
        // SAFETY: The namespace is alive; `dev` is null or valid under RCU, and so is what follows it.
        unsafe { Device::from_ptr(ffi::fastnat_shim_dev_next(net.as_ptr(), dev)) }
    };
    core::iter::successors(next(None), move |dev| next(Some(*dev)))
}

/// The interface by which the packet of a hook, which came in by another or the same, would leave if `tuple`
/// were its tuple; `None` if it would not.
pub(crate) fn towards<'a>(
    context: &Context<'_>,
    skb: &Skb,
    tuple: &Tuple<V4>,
    _rcu: Rcu<'a>,
) -> Option<Device<'a>> {
    let (input, tuple) = (context.input()?.as_ptr(), sock_tuple(tuple));
    // SAFETY: Namespace, packet and input are valid while the hook runs, the device under RCU.
    unsafe {
        let net = context.net();
        Device::from_ptr(ffi::fastnat_shim_dev_towards(
            net,
            skb.as_ptr(),
            input,
            &tuple,
        ))
    }
}

/// Are there rules of routing besides the usual ones? VRFs have one.
pub(crate) fn has_rules(context: &Context<'_>) -> bool {
    // SAFETY: The namespace is valid while the hook runs.
    unsafe { ffi::fastnat_shim_net_has_rules(context.net()) }
}

/// The interface of a namespace with this number.
pub(crate) fn numbered<'a>(net: &'a NetRef, ifindex: u32, _rcu: Rcu<'a>) -> Option<Device<'a>> {
    // SAFETY: The namespace is alive, the device valid under RCU.
    unsafe { Device::from_ptr(ffi::fastnat_shim_dev_numbered(net.as_ptr(), ifindex)) }
}

/// The interface of this namespace with this name.
pub(crate) fn named<'a>(context: &Context<'_>, name: &IfName, _rcu: Rcu<'a>) -> Option<Device<'a>> {
    // SAFETY: The namespace is valid while the hook runs, the device under RCU; a name ends with a
    // zero.
    unsafe {
        let name = name.as_ptr().cast();
        Device::from_ptr(ffi::fastnat_shim_dev_named(context.net(), name))
    }
}

/// The interface of this namespace that owns the local address `addr`.
pub(crate) fn owner_of<'a>(context: &Context<'_>, addr: V4, _rcu: Rcu<'a>) -> Option<Device<'a>> {
    // SAFETY: The namespace is valid while the hook runs, the device under RCU.
    unsafe { Device::from_ptr(ffi::fastnat_shim_addr_dev(context.net(), wire(addr))) }
}

/// A number that changes whenever an address may have become one of the host, or a route.
#[inline]
pub(crate) fn generation(context: &Context<'_>) -> u32 {
    // SAFETY: The namespace is valid while the hook runs.
    unsafe { ffi::fastnat_shim_route_generation(context.net()) }
}

/// Would a packet with this tuple, coming in by `input`, find a socket of the host?
pub(crate) fn has_socket(
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    input: Option<Device<'_>>,
) -> bool {
    lookup(context, tuple, input, ffi::fastnat_shim_local_socket)
}

/// Does a socket of the host take what anybody sends to this endpoint of it? Connections do not count.
pub(crate) fn is_served(net: &NetRef, proto: u8, end: Endpoint<V4>, _rcu: Rcu<'_>) -> bool {
    let tuple = sock_tuple(&Tuple::new(proto, Endpoint::default(), end));
    // SAFETY: The namespace is alive, and the caller under RCU.
    unsafe { ffi::fastnat_shim_local_socket(net.as_ptr(), core::ptr::null(), &tuple) }
}

/// Would a packet with this tuple, coming in by `input`, find a listening TCP socket of the host?
pub(crate) fn has_listener(
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    input: Option<Device<'_>>,
) -> bool {
    lookup(context, tuple, input, ffi::fastnat_shim_local_listener)
}

/// Would a packet with this tuple, coming in by `input`, find a TCP connection of the host?
pub(crate) fn has_connection(
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    input: Option<Device<'_>>,
) -> bool {
    lookup(context, tuple, input, ffi::fastnat_shim_local_connection)
}

/// The tuple as the shims take it.
pub(super) fn sock_tuple(tuple: &Tuple<V4>) -> ffi::fastnat_sock_tuple {
    ffi::fastnat_sock_tuple {
        saddr: wire(tuple.src_addr),
        daddr: wire(tuple.dst_addr),
        sport: u16::from_ne_bytes(tuple.src_port.to_bytes()),
        dport: u16::from_ne_bytes(tuple.dst_port.to_bytes()),
        proto: tuple.proto,
    }
}

type Lookup = unsafe extern "C" fn(
    net: *mut bindings::net,
    dev: *const bindings::net_device,
    tuple: *const ffi::fastnat_sock_tuple,
) -> bool;

fn lookup(
    context: &Context<'_>,
    tuple: &Tuple<V4>,
    input: Option<Device<'_>>,
    lookup: Lookup,
) -> bool {
    let tuple = sock_tuple(tuple);
    let dev = input.map_or(core::ptr::null(), |input| input.0.as_ptr().cast_const());
    // SAFETY: All pointers are valid while the hook runs, which is under RCU.
    unsafe { lookup(context.net(), dev, &tuple) }
}

/// Addresses that go are reported to `state` while this lives.
pub(crate) struct AddressNotifier(());

impl AddressNotifier {
    /// Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: No requirements.
        kernel::error::to_result(unsafe { ffi::fastnat_shim_addr_notifier_register() })?;
        Ok(Self(()))
    }
}

impl Drop for AddressNotifier {
    fn drop(&mut self) {
        // SAFETY: Registered.
        unsafe { ffi::fastnat_shim_addr_notifier_unregister() };
    }
}

/// As the kernel's `__be32`.
#[inline]
pub(super) fn wire(addr: V4) -> u32 {
    u32::from_ne_bytes(addr.to_bytes())
}

/// From the kernel's `__be32`.
pub(super) fn unwire(addr: u32) -> V4 {
    V4(Be32::from_bytes(addr.to_ne_bytes()))
}

// SPDX-License-Identifier: GPL-2.0

//! Routes that forwarded packets took, for others to take past the rest of the stack.

use super::dev::wire;
use super::ffi;
use super::hook::Context;
use super::skb::Skb;
use crate::nat::addr::V4;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use kernel::bindings;

/// A route. It stays allocated when it is no longer valid, and holds no device.
///
/// # Invariants
///
/// Filled by `fastnat_shim_route_learn`, with the reference to the dst that it took.
#[repr(align(64))]
pub(crate) struct Route(ffi::fastnat_route);

// SAFETY: Read-only, but for what the kernel guards itself.
unsafe impl Send for Route {}
// SAFETY: As above.
unsafe impl Sync for Route {}

/// Why a packet has to take the whole stack.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) enum Unfit {
    /// Its input interface, mark or DSCP are not those that the route was learned with.
    Key,
    /// The route is no longer valid.
    Route,
    /// Its TTL ends here, or it has IP options.
    Header,
    /// It is longer than the MTU, or was reassembled.
    Size,
    /// It has a socket, a route, a conntrack entry, or an extension.
    Packet,
    /// Nobody is known to be at its next hop. Routing may know another one.
    Neighbour,
}

/// Who gets a packet next, under RCU.
#[derive(Copy, Clone)]
pub(crate) struct Neighbour<'a>(NonNull<bindings::neighbour>, PhantomData<&'a Route>);

impl Unfit {
    #[cold]
    fn of(error: isize) -> Self {
        match error.unsigned_abs() as ffi::fastnat_fit {
            ffi::FASTNAT_UNFIT_KEY => Self::Key,
            ffi::FASTNAT_UNFIT_ROUTE => Self::Route,
            ffi::FASTNAT_UNFIT_HEADER => Self::Header,
            ffi::FASTNAT_UNFIT_SIZE => Self::Size,
            ffi::FASTNAT_UNFIT_NEIGHBOUR => Self::Neighbour,
            _ => Self::Packet,
        }
    }
}

impl Route {
    /// The route of a packet in POSTROUTING, if others may take it without asking: unicast, over
    /// IPv4 next hops, between plain interfaces, without IPsec.
    pub(crate) fn learn(skb: &Skb, context: &Context<'_>) -> Option<Self> {
        let (input, output) = (context.input()?, context.output()?);
        let mut route = MaybeUninit::uninit();
        // SAFETY: All pointers are valid while the hook runs; if it says so, `route` is filled.
        unsafe {
            ffi::fastnat_shim_route_learn(
                skb.as_ptr(),
                input.as_ptr(),
                output.as_ptr(),
                route.as_mut_ptr(),
            )
            // INVARIANT: Just filled.
            .then(|| Self(route.assume_init()))
        }
    }

    /// Does a packet in POSTROUTING take this very route?
    pub(crate) fn is_of(&self, skb: &Skb, context: &Context<'_>) -> bool {
        let input = context.input().map_or(ptr::null_mut(), |dev| dev.as_ptr());
        // SAFETY: By the type invariant; the packet is valid while the hook runs.
        unsafe { ffi::fastnat_shim_route_is(&self.0, skb.as_ptr(), input) }
    }

    /// Has nothing changed that could lead packets another way?
    pub(crate) fn is_valid(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_route_is_valid(&self.0) }
    }

    /// Who a packet in PREROUTING is for next, once it is to `dst`, if it may go by this route.
    /// Changes nothing.
    #[inline]
    pub(crate) fn fit<'a>(
        &'a self,
        skb: &Skb,
        context: &Context<'a>,
        dst: V4,
    ) -> Result<Neighbour<'a>, Unfit> {
        let (input, dst) = (context.input_ptr(), wire(dst));
        // SAFETY: By the type invariant; packet and device are valid while the hook runs, which is
        // under RCU.
        let neigh = unsafe { ffi::fastnat_shim_route_fit(&self.0, skb.as_ptr(), input, dst) };
        match neigh as isize {
            error @ -4095..=0 => Err(Unfit::of(error)),
            _ => {
                // SAFETY: It is neither null nor an error.
                let neigh = unsafe { NonNull::new_unchecked(neigh) };
                Ok(Neighbour(neigh, PhantomData))
            }
        }
    }

    /// Sends a packet that [`Route::fit`] has accepted and whose header is private.
    ///
    /// # Safety
    ///
    /// Under RCU in a hook, which owned `skb` and from here on does not. `to` is what
    /// [`Route::fit`] has returned in it.
    #[inline]
    pub(super) unsafe fn forward(&self, skb: *mut bindings::sk_buff, to: Neighbour<'_>) {
        // SAFETY: By the type invariant and the caller's promise.
        unsafe { ffi::fastnat_shim_route_forward(&self.0, skb, to.0.as_ptr()) };
    }

    /// A number by which to spread routes over slots.
    pub(crate) fn spread(&self) -> usize {
        let pointers = (self.0.dst as usize >> 6) ^ (self.0.in_ as usize >> 5).rotate_left(16);
        let key = (self.0.mark as usize).rotate_left(8) ^ usize::from(self.0.dscp);
        (pointers ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }

    /// Was it learned before the routes changed that `other` goes by?
    pub(crate) fn is_older(&self, other: &Self) -> bool {
        self.0.genid != other.0.genid
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        let key = |route: &ffi::fastnat_route| {
            let path = (route.dst, route.in_, route.out, route.gateway);
            (path, route.genid, route.mtu, route.mark, route.dscp)
        };
        key(&self.0) == key(&other.0)
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { ffi::fastnat_shim_route_release(&mut self.0) };
    }
}

const _: () = assert!(size_of::<Route>() == 64);

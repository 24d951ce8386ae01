// SPDX-License-Identifier: GPL-2.0

//! On which devices packets are looked up early.

use super::Net;
use crate::nat::offload::Devices;
use crate::sys::ingress::Ingress;
use core::ffi::c_void;
use core::sync::atomic::Ordering;
use kernel::prelude::*;
use kernel::sync::Arc;

/// The devices, and the hooks of those that exist. Guarded by a mutex of its own, since calls for
/// devices hold the RTNL: who has it does not wait for others that may want that.
pub(crate) struct Earlies {
    devices: Devices,
    hooks: KVec<Ingress<Net>>,
    shut: bool,
}

impl Earlies {
    pub(super) fn new() -> Self {
        Self {
            devices: Devices::NONE,
            hooks: KVec::new(),
            shut: false,
        }
    }

    /// Tells the packet path whether there are hooks.
    fn tell(&self, net: &Net) {
        let any = !self.hooks.is_empty();
        net.is_early.store(any, Ordering::Relaxed);
    }

    /// Takes hooks off devices that are not on the list, puts them on those that are. Sleeps.
    fn settle(&mut self, net: &Arc<Net>) -> Result {
        let devices = &self.devices;
        self.hooks.retain(|hook| devices.contains(&hook.name()));
        for name in self.devices.names() {
            if self.shut || self.hooks.iter().any(|hook| hook.name() == *name) {
                continue;
            }
            self.hooks.reserve(1, GFP_KERNEL)?;
            if let Some(hook) = Ingress::attach(&net.net, name, net.clone())? {
                self.hooks.push(hook, GFP_KERNEL)?;
            }
        }
        Ok(())
    }
}

impl Net {
    /// The devices whose packets are looked up early, those included that do not exist.
    pub(crate) fn early_devices(&self) -> Devices {
        self.early.lock().devices
    }

    /// Has packets of these devices looked up early, and of no others. All or nothing. Sleeps.
    pub(crate) fn set_early(self: &Arc<Self>, devices: Devices) -> Result {
        let mut early = self.early.lock();
        let before = core::mem::replace(&mut early.devices, devices);
        let done = early.settle(self);
        if done.is_err() {
            early.devices = before;
            // Its hooks were there a moment ago. Without one, packets are looked up when their turn
            // comes.
            let _ = early.settle(self);
        }
        early.tell(self);
        done
    }

    /// A device has come, or has another name, or goes. Under the RTNL.
    pub(crate) fn device_event(self: &Arc<Self>, device: *const c_void, gone: bool) {
        let mut early = self.early.lock();
        if gone {
            early.hooks.retain(|hook| !hook.is_on(device));
        } else {
            // Without memory, packets are looked up when their turn comes.
            let _ = early.settle(self);
        }
        early.tell(self);
    }

    /// The namespace goes: no hook any more.
    pub(super) fn end_early(&self) {
        let mut early = self.early.lock();
        early.shut = true;
        early.hooks.clear();
        early.tell(self);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The netlink operations. Process context; requests may run side by side, and what changes
//! policies or pools takes the mutex of the namespace.

mod binding;
mod claim;
mod config;
mod devices;
mod early;
mod flow;
mod lro;
mod offload;
mod policy;
mod pool;
mod size;
mod stats;
mod table;
mod walk;

use crate::nat::iface::IfName;
use crate::state::control::Refused;
use crate::state::policy::Unbuilt;
use crate::sys::genl::{Refusal, Request};
use crate::sys::msg::{Attr, Attrs};
use kernel::prelude::*;

/// What is said in mode tracked, where rules of others see what fastnat has translated.
const TWO_TRANSLATORS: &str = "nft or iptables translate here, too: only one should, of each flow";

/// A request in which an attribute stands twice is not guessed at.
fn once(request: &Request<'_>, many: impl IntoIterator<Item = u32> + Copy) -> Result<(), Refusal> {
    once_in(&request.attrs, many)
}

/// The same within a nest.
fn once_in(attrs: &Attrs<'_>, many: impl IntoIterator<Item = u32> + Copy) -> Result<(), Refusal> {
    match attrs.duplicate(many) {
        None => Ok(()),
        twice => Err(Refusal::new(EINVAL, c"the attribute is given twice").at(twice)),
    }
}

/// The name of an interface.
fn if_name(attr: Attr<'_>) -> Result<IfName, Refusal> {
    let refusal = Refusal::new(EINVAL, c"the name of an interface has 1 to 15 characters");
    attr.name().ok_or_else(|| refusal.at(Some(attr)))
}

/// The name of an interface, in a text.
fn text(name: &IfName) -> &str {
    let name = CStr::from_bytes_until_nul(name).unwrap_or_default();
    name.to_str().unwrap_or_default()
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Exists => Self::new(EEXIST, c"there is one of that name or id already"),
            Refused::Missing => Self::new(ENOENT, c"there is none of that name or id"),
            Refused::InUse => Self::new(EBUSY, c"a policy names the pool"),
            Refused::Unbuilt(Unbuilt::Memory) => Self::new(ENOMEM, c"not enough memory"),
            Refused::Unbuilt(Unbuilt::TooManyMasks) => Self::new(
                E2BIG,
                c"too many policies that differ in what they match on",
            ),
            Refused::Hooks(errno) => Self::new(
                errno,
                c"the hooks or the reassembly of fragments cannot be turned on",
            ),
        }
    }
}

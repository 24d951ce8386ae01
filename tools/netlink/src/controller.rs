// SPDX-License-Identifier: GPL-2.0

//! The generic netlink controller, which knows the numbers of the families and of their groups.

use netlink_packet_core::{DecodeError, NlasIterator};
use serde::Serialize;

use crate::schema::Set;
use crate::wire::{Attributes, Value};

/// Number of the family of the controller, and of the group that hears of all families.
pub(crate) const CONTROLLER: u16 = 0x10;
/// Version of the family of the controller.
pub(crate) const VERSION: u8 = 2;
/// Command that tells of the end of a family.
pub(crate) const DEL_FAMILY: u8 = 2;
/// Command that gets a family.
pub(crate) const GET_FAMILY: u8 = 3;

attribute_set! {
    /// `CTRL_ATTR_*` of `linux/genetlink.h`.
    Family = "family" {
        1 id: Option<u16> = "id",
        2 name: Option<String> = "name",
        7 groups: Option<McastGroups> = "mcast-groups",
    }
}

attribute_set! {
    /// `CTRL_ATTR_MCAST_GRP_*` of `linux/genetlink.h`.
    McastGroup = "mcast-group" {
        1 name: Option<String> = "name",
        2 id: Option<u32> = "id",
    }
}

/// Groups, each in a nest that has a number of no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct McastGroups(pub Vec<McastGroup>);

impl Value for McastGroups {
    const NESTED: Option<&'static Set> = Some(McastGroup::SET);

    fn write(&self, out: &mut Vec<u8>) {
        for (group, number) in self.0.iter().zip(1..) {
            crate::wire::put(number, group, out);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let groups = NlasIterator::new(payload).map(|nest| McastGroup::parse(nest?.value()));
        groups.collect::<Result<_, _>>().map(Self)
    }
}

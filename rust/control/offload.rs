// SPDX-License-Identifier: GPL-2.0

//! What policies and settings say about offload, in requests and lists.

use super::devices;
use crate::nat::offload::{Choice, Offload, Rules};
use crate::state::offload::OffloadRules;
use crate::sys::genl::Refusal;
use crate::sys::msg::{Attrs, Message};
use crate::sys::uapi::*;
use kernel::prelude::*;

/// What a new policy says.
pub(super) fn of_policy(attrs: &Attrs<'_>) -> Offload {
    let choice = attrs.get(FASTNAT_A_POLICY_OFFLOAD).map(|attr| attr.u32());
    let after = attrs.get(FASTNAT_A_POLICY_OFFLOAD_AFTER);
    Offload {
        choice: match choice {
            Some(FASTNAT_OFFLOAD_CHOICE_OFF) => Choice::Off,
            Some(FASTNAT_OFFLOAD_CHOICE_ON) => Choice::On,
            _ => Choice::Inherit,
        },
        after: after.map_or(0, |attr| attr.u8()),
    }
}

/// What a policy says that is not as in the settings.
pub(super) fn put_policy(message: &mut Message<'_>, offload: Offload) -> Result {
    match offload.choice {
        Choice::Inherit => {}
        Choice::Off => message.u32(FASTNAT_A_POLICY_OFFLOAD, FASTNAT_OFFLOAD_CHOICE_OFF)?,
        Choice::On => message.u32(FASTNAT_A_POLICY_OFFLOAD, FASTNAT_OFFLOAD_CHOICE_ON)?,
    }
    match offload.after {
        0 => Ok(()),
        after => message.u8(FASTNAT_A_POLICY_OFFLOAD_AFTER, after),
    }
}

/// What the settings say.
pub(super) fn put(message: &mut Message<'_>, rules: &Rules) -> Result {
    let mode = match rules.on {
        false => FASTNAT_OFFLOAD_MODE_OFF,
        true => FASTNAT_OFFLOAD_MODE_ON,
    };
    message.u32(FASTNAT_A_CONFIG_OFFLOAD, mode)?;
    message.u8(FASTNAT_A_CONFIG_OFFLOAD_AFTER, rules.after)?;
    message.u32(FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MARK, rules.mark)?;
    message.u32(FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MASK, rules.mask)?;
    let kind = FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_DEVICES;
    devices::put(message, kind, &rules.devices)
}

/// What the settings say after a request about offload or conntrack, with the memory for it. What
/// is set to the same value counts: it has routes forgotten.
pub(super) fn asked(attrs: &Attrs<'_>, now: Rules) -> Result<Option<KBox<OffloadRules>>, Refusal> {
    match SETTINGS.iter().any(|kind| attrs.get(*kind).is_some()) {
        true => Ok(Some(OffloadRules::new(rules(attrs, now)?)?)),
        false => Ok(None),
    }
}

const SETTINGS: [u32; 6] = [
    FASTNAT_A_CONFIG_OFFLOAD,
    FASTNAT_A_CONFIG_OFFLOAD_AFTER,
    FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MARK,
    FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MASK,
    FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_DEVICES,
    FASTNAT_A_CONFIG_CONNTRACK,
];

/// The settings, after a request that need not name all of them.
fn rules(attrs: &Attrs<'_>, now: Rules) -> Result<Rules, Refusal> {
    let mode = attrs.get(FASTNAT_A_CONFIG_OFFLOAD).map(|attr| attr.u32());
    let conntrack = attrs.get(FASTNAT_A_CONFIG_CONNTRACK);
    let after = attrs.get(FASTNAT_A_CONFIG_OFFLOAD_AFTER);
    let mark = attrs.get(FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MARK);
    let mask = attrs.get(FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MASK);
    let names = attrs.get(FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_DEVICES);
    let rules = Rules {
        on: mode.map_or(now.on, |mode| mode == FASTNAT_OFFLOAD_MODE_ON),
        after: after.map_or(now.after, |attr| attr.u8()),
        mark: mark.map_or(now.mark, |attr| attr.u32()),
        mask: mask.map_or(now.mask, |attr| attr.u32()),
        devices: names.map_or(Ok(now.devices), devices::read)?,
        tracked: conntrack.map_or(now.tracked, |attr| {
            attr.u32() == FASTNAT_CONNTRACK_MODE_TRACKED
        }),
    };
    if rules.mark & !rules.mask != 0 {
        let refusal = Refusal::new(EINVAL, c"the mark has bits outside its mask");
        return Err(refusal.at(mark.or(mask)));
    }
    Ok(rules)
}

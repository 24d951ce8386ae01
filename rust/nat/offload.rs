// SPDX-License-Identifier: GPL-2.0

//! Which packets may be forwarded past the stack: what policies and settings say.

use super::iface::{IfName, ANY_IFACE};

/// What a policy says.
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub enum Choice {
    /// As the settings say.
    #[default]
    Inherit,
    /// No, whatever the settings say.
    Off,
    /// Yes, whatever the settings say.
    On,
}

/// What a policy says about the packets of its flows.
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub struct Offload {
    /// Whether.
    pub choice: Choice,
    /// After how many packets of a direction; 0 is that of the settings.
    pub after: u8,
}

/// A list of interfaces.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Devices([IfName; Devices::MOST]);

impl Devices {
    /// How many there may be.
    pub const MOST: usize = 16;

    /// None.
    pub const NONE: Self = Self([ANY_IFACE; Self::MOST]);

    /// Adds one; says whether there was room for it.
    pub fn add(&mut self, name: IfName) -> bool {
        let free = self.0.iter_mut().find(|place| **place == ANY_IFACE);
        match free {
            Some(place) => {
                *place = name;
                true
            }
            None => false,
        }
    }

    /// Their names, as they were given.
    pub fn names(&self) -> impl Iterator<Item = &IfName> {
        self.0.iter().take_while(|name| **name != ANY_IFACE)
    }

    /// Is it one of them?
    pub fn contains(&self, name: &IfName) -> bool {
        self.names().any(|other| other == name)
    }
}

/// What the settings say.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Rules {
    /// Whether, where the policy leaves that open.
    pub on: bool,
    /// After how many packets of a direction, 1 at least, where the policy leaves that open.
    pub after: u8,
    /// Of packets that are exempt, the bits of the mark in `mask`.
    pub mark: u32,
    /// Which bits of the mark count; with none no packet is exempt.
    pub mask: u32,
    /// Interfaces by which packets that come in or leave are exempt.
    pub devices: Devices,
    /// Connection tracking has to see every packet: none is offloaded.
    pub tracked: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            on: false,
            after: 3,
            mark: 0,
            mask: 0,
            devices: Devices::NONE,
            tracked: false,
        }
    }
}

impl Rules {
    /// After how many packets of a direction those of a policy are offloaded, but for exemptions;
    /// `None` if none is.
    pub fn wanted(&self, policy: Offload) -> Option<u8> {
        self.wants(policy.choice).then_some(match policy.after {
            0 => self.after,
            after => after,
        })
    }

    /// Are packets of a policy that says so offloaded, but for exemptions?
    #[inline]
    pub fn wants(&self, choice: Choice) -> bool {
        !self.tracked
            && match choice {
                Choice::Inherit => self.on,
                Choice::Off => false,
                Choice::On => true,
            }
    }

    /// After how many packets of a direction those with the mark `mark`, from `input` to `output`,
    /// may be offloaded; `None` if they may not.
    pub fn may(&self, policy: Offload, mark: u32, input: &IfName, output: &IfName) -> Option<u8> {
        let exempt = (self.mask != 0 && mark & self.mask == self.mark)
            || self.devices.contains(input)
            || self.devices.contains(output);
        self.wanted(policy).filter(|_| !exempt)
    }
}

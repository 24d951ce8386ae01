// SPDX-License-Identifier: GPL-2.0

//! The features of network devices, by the kernel's family `ethtool`.

use crate::client::{Client, Error};
use crate::socket::{Kernel, Transport};

const FAMILY: &str = "ethtool";
const VERSION: u8 = 1;
/// Commands of the family: `ETHTOOL_MSG_*` of `linux/ethtool_netlink.h`.
const FEATURES_GET: u8 = 11;
const FEATURES_SET: u8 = 12;

/// Generic receive offload.
pub const GRO: &str = "rx-gro";
/// Generic receive offload that keeps packets as they are, in lists.
pub const GRO_LIST: &str = "rx-gro-list";

attribute_set! {
    /// `ETHTOOL_A_HEADER_*`.
    Header = "header" {
        /// The device.
        2 name: Option<String> = "dev-name",
    }
}

attribute_set! {
    /// `ETHTOOL_A_BITSET_BIT_*`.
    Bit = "bit" {
        /// The feature.
        2 name: Option<String> = "name",
        /// It is set.
        3 value: bool = "value",
    }
}

attribute_set! {
    /// `ETHTOOL_A_BITSET_BITS_*`.
    Bits = "bits" {
        /// The bits.
        1 bit: Vec<Bit> = "bit",
    }
}

attribute_set! {
    /// `ETHTOOL_A_BITSET_*`. With `nomask` the bits that are there are set, otherwise they say
    /// themselves whether they are.
    Bitset = "bitset" {
        /// All that are there are set.
        1 nomask: bool = "nomask",
        /// The bits.
        3 bits: Option<Bits> = "bits",
    }
}

attribute_set! {
    /// The features of a device, `ETHTOOL_A_FEATURES_*`.
    Features = "features" {
        /// Whose they are.
        1 header: Option<Header> = "header",
        /// Those that can be switched.
        2 hw: Option<Bitset> = "hw",
        /// Those that are asked for.
        3 wanted: Option<Bitset> = "wanted",
        /// Those that are on.
        4 active: Option<Bitset> = "active",
    }
}

impl Bitset {
    fn has(&self, name: &str) -> bool {
        let mut bits = self.bits.iter().flat_map(|bits| &bits.bit);
        bits.any(|bit| bit.name.as_deref() == Some(name) && (self.nomask || bit.value))
    }

    /// A feature by its name, and what becomes of it; the others stay.
    fn one(name: &str, value: bool) -> Self {
        let name = Some(name.into());
        let bit = vec![Bit { name, value }];
        Self {
            nomask: false,
            bits: Some(Bits { bit }),
        }
    }
}

impl Features {
    fn of(device: &str) -> Self {
        let name = Some(device.into());
        Self {
            header: Some(Header { name }),
            ..Self::default()
        }
    }

    /// Whether the feature is on.
    pub fn is_on(&self, feature: &str) -> bool {
        self.active.as_ref().is_some_and(|bits| bits.has(feature))
    }

    /// Whether the feature can be switched.
    pub fn can_change(&self, feature: &str) -> bool {
        self.hw.as_ref().is_some_and(|bits| bits.has(feature))
    }
}

/// A connection to the family, in one network namespace.
pub struct Ethtool<T = Kernel>(Client<T>);

impl Ethtool {
    /// Connects in the network namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Self::over(Kernel::open()?)
    }
}

impl<T: Transport> Ethtool<T> {
    /// Connects over a given transport.
    pub fn over(transport: T) -> Result<Self, Error> {
        match Client::to(FAMILY, VERSION, transport) {
            Err(Error::NotLoaded) => Err(Error::NoFamily(FAMILY)),
            other => other.map(Self),
        }
    }

    /// The features of a device.
    pub fn features(&mut self, device: &str) -> Result<Features, Error> {
        let features = self.0.send(FEATURES_GET, &Features::of(device))?;
        features.ok_or_else(|| Error::Malformed("no reply".into()))
    }

    /// Asks for a feature to be on or off. What the device makes of it, [`Self::features`] tells.
    pub fn switch(&mut self, device: &str, feature: &str, on: bool) -> Result<(), Error> {
        let request = Features {
            wanted: Some(Bitset::one(feature, on)),
            ..Features::of(device)
        };
        self.0.send::<Features>(FEATURES_SET, &request).map(drop)
    }
}

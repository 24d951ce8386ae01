// SPDX-License-Identifier: GPL-2.0

//! What concerns aggregation and is not in the hands of fastnat: the features of devices.

use fastnat_netlink::ethtool::{Ethtool, GRO_LIST};
use fastnat_netlink::generated::Lro;

use crate::failure::Failure;
use crate::parse::Iface;
use crate::show::{Aggregation, Lros};

/// Switches the feature by which the kernel aggregates UDP that is forwarded.
pub fn switch_udp(device: &str, on: bool) -> Result<(), Failure> {
    let about = |error| Failure::About(device.into(), error);
    let mut ethtool = Ethtool::open().map_err(about)?;
    let before = ethtool.features(device).map_err(about)?;
    if before.is_on(GRO_LIST) == on {
        return Ok(());
    }
    if !before.can_change(GRO_LIST) {
        let fixed = match on {
            true => "the device has its feature rx-gro-list fixed off",
            false => "the device has its feature rx-gro-list fixed on",
        };
        return Err(Failure::Device(device.into(), fixed));
    }
    ethtool.switch(device, GRO_LIST, on).map_err(about)?;
    let after = ethtool.features(device).map_err(about)?;
    if after.is_on(GRO_LIST) == on {
        return Ok(());
    }
    let stays = match on {
        true => "the device leaves its feature rx-gro-list off",
        false => "the device leaves its feature rx-gro-list on",
    };
    Err(Failure::Device(device.into(), stays))
}

/// The entries, with the features of their devices; or what holds on one device.
pub fn describe(entries: Vec<Lro>, device: Option<Iface>) -> Result<Lros, Failure> {
    let mut ethtool = Ethtool::open()?;
    let Some(Iface(device)) = device else {
        let described = entries.into_iter().map(|entry| {
            let device = entry.device.as_deref();
            let features = device.and_then(|device| ethtool.features(device).ok());
            Aggregation::new(entry, features.as_ref())
        });
        return Ok(Lros(described.collect()));
    };
    let features = ethtool.features(&device);
    let is_its = |entry: &Lro| entry.device.as_deref() == Some(&device);
    let described = match entries.iter().find(|entry| is_its(entry)) {
        Some(entry) => Aggregation::new(entry.clone(), features.ok().as_ref()),
        None => {
            let features = features.map_err(|error| Failure::About(device.clone(), error))?;
            Aggregation::by_default(&entries, device, &features)
        }
    };
    Ok(Lros(vec![described]))
}

// SPDX-License-Identifier: GPL-2.0

//! The values of arguments. What the kernel checks as well is checked here only where the mistake
//! can be explained better.

use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::groups;

const IFACE_MAX: usize = 15;
const POOL_NAME_MAX: usize = 31;

/// An address and the number of its leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address; bits that do not count are zero.
    pub addr: Ipv4Addr,
    /// How many bits count, 0 to 32.
    pub len: u8,
}

/// Ports from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first.
    pub min: u16,
    /// The last.
    pub max: u16,
}

/// Addresses from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrRange {
    /// The first.
    pub min: Ipv4Addr,
    /// The last.
    pub max: Ipv4Addr,
}

/// An address, with ports or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub addr: Ipv4Addr,
    /// The ports.
    pub ports: Option<Ports>,
}

/// An address, with a port or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The address.
    pub addr: Ipv4Addr,
    /// The port.
    pub port: Option<u16>,
}

/// A packet mark; without a mask all its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The value under the mask.
    pub value: u32,
    /// The bits that count.
    pub mask: Option<u32>,
}

/// Name of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iface(pub String);

/// Number of a group of interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub u32);

/// Name of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolName(pub String);

impl Ports {
    /// The last port, when there is more than one.
    pub fn max_if_range(self) -> Option<u16> {
        (self.max != self.min).then_some(self.max)
    }
}

impl Prefix {
    fn mask(len: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
    }
}

fn addr(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| {
        let hint = if text.contains("::") {
            "; only IPv4 is translated"
        } else {
            ""
        };
        format!("`{text}` is not an IPv4 address{hint}")
    })
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a port, 0 to 65535"))
}

fn ordered<T: PartialOrd>(min: T, max: T) -> Result<(T, T), String> {
    if min > max {
        Err("the range ends before it begins".into())
    } else {
        Ok((min, max))
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((addr_text, len_text)) = text.split_once('/') else {
            return Ok(Self {
                addr: addr(text)?,
                len: 32,
            });
        };
        let given = addr(addr_text)?;
        let len = match len_text.parse() {
            Ok(len @ 0..=32) => len,
            _ => return Err(format!("`{len_text}` is not a prefix length, 0 to 32")),
        };
        let network = Ipv4Addr::from(u32::from(given) & Self::mask(len));
        if network != given {
            return Err(format!(
                "has bits beyond its length; the prefix is {network}/{len}"
            ));
        }
        Ok(Self { addr: network, len })
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let (min, max) = ordered(port(min)?, port(max)?)?;
        Ok(Self { min, max })
    }
}

/// Ports of a pool, which exclude 0.
pub fn pool_ports(text: &str) -> Result<Ports, String> {
    let ports = Ports::from_str(text)?;
    if ports.min == 0 {
        Err("port 0 cannot be given to anyone".into())
    } else {
        Ok(ports)
    }
}

impl FromStr for AddrRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((min, max)) = text.split_once('-') {
            let (min, max) = ordered(addr(min)?, addr(max)?)?;
            return Ok(Self { min, max });
        }
        let prefix = Prefix::from_str(text)?;
        let last = u32::from(prefix.addr) | !Prefix::mask(prefix.len);
        Ok(Self {
            min: prefix.addr,
            max: last.into(),
        })
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((host, ports)) if !ports.contains(':') => Ok(Self {
                addr: addr(host)?,
                ports: Some(pool_ports(ports)?),
            }),
            _ => Ok(Self {
                addr: addr(text)?,
                ports: None,
            }),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((host, number)) if !number.contains(':') => Ok(Self {
                addr: addr(host)?,
                port: Some(port(number)?),
            }),
            _ => Ok(Self {
                addr: addr(text)?,
                port: None,
            }),
        }
    }
}

/// An address and a port, which has to be there.
pub fn addr_port(text: &str) -> Result<Host, String> {
    if text.contains(':') {
        text.parse()
    } else {
        Err("the port is missing, as in 10.0.0.2:5000".into())
    }
}

fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is not a 32 bit number"))
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (value, mask) = match text.split_once('/') {
            Some((value, mask)) => (number(value)?, Some(number(mask)?)),
            None => (number(text)?, None),
        };
        if value & !mask.unwrap_or(u32::MAX) != 0 {
            return Err("the value has bits outside the mask and would never match".into());
        }
        Ok(Self { value, mask })
    }
}

/// A mark under a mask, which has to be there to be sent; `none` for that of no packet.
pub fn exempt_mark(text: &str) -> Result<Mark, String> {
    let Mark { value, mask } = match text {
        "none" => Mark {
            value: 0,
            mask: Some(0),
        },
        _ => text.parse()?,
    };
    Ok(Mark {
        value,
        mask: mask.or(Some(u32::MAX)),
    })
}

/// On or off.
pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("use one of: on, off".into()),
    }
}

fn name(text: &str, max: usize) -> Result<String, String> {
    if text.is_empty() || text.len() > max {
        return Err(format!("a name has 1 to {max} characters"));
    }
    Ok(text.into())
}

impl FromStr for Iface {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        name(text, IFACE_MAX).map(Self)
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = |_| format!("`{text}` is neither a number nor in {}", groups::FILES[0]);
        let named = groups::number(text).map_or_else(|| number(text), Ok);
        named.map(Self).map_err(unknown)
    }
}

impl FromStr for PoolName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        name(text, POOL_NAME_MAX).map(Self)
    }
}

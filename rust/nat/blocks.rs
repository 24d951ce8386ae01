// SPDX-License-Identifier: GPL-2.0

//! Ports in blocks: who has one of an outside address is known by the block.
//!
//! Which inside address has which blocks is either remembered, or follows from arithmetic alone (RFC 7422),
//! so that nothing need be logged.

use super::ports::PortRange;

/// The ports of an outside address in blocks of the same size; what is left over belongs to none.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Blocks {
    ports: PortRange,
    size: u32,
}

impl Blocks {
    /// `None` if there is not a single block.
    pub const fn new(ports: PortRange, size: u32) -> Option<Self> {
        if size == 0 || size > ports.len() {
            return None;
        }
        Some(Self { ports, size })
    }

    /// Ports of each block.
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// How many blocks there are, at least 1.
    pub fn count(&self) -> u32 {
        self.ports.len().checked_div(self.size).unwrap_or(0)
    }

    /// The ports of a block.
    pub fn ports(&self, block: u32) -> Option<PortRange> {
        if block >= self.count() {
            return None;
        }
        let offset = block.checked_mul(self.size)?;
        let min = u32::from(self.ports.min()).checked_add(offset)?;
        let max = min.checked_add(self.size)?.checked_sub(1)?;
        PortRange::new(u16::try_from(min).ok()?, u16::try_from(max).ok()?)
    }

    /// The block of a port, if it has one.
    pub fn of(&self, port: u16) -> Option<u32> {
        let offset = u32::from(port).checked_sub(self.ports.min().into())?;
        let block = offset.checked_div(self.size)?;
        (block < self.count()).then_some(block)
    }
}

/// Inside addresses and the ports that each has by arithmetic, both ways: inside address number i has
/// block i mod n of outside address number i / n, where n inside addresses share an outside one. All
/// have as many ports.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Deterministic {
    inside: u64,
    sharing: u64,
    blocks: Blocks,
}

impl Deterministic {
    /// Divides the ports of `outside` addresses among `inside` ones. `None` if there is not a port for
    /// each, or no address on one side.
    pub fn new(inside: u64, outside: u64, ports: PortRange) -> Option<Self> {
        let whole = inside.checked_div(outside)?;
        let more = inside.checked_rem(outside)? != 0;
        let sharing = whole.checked_add(more.into())?;
        let size = u64::from(ports.len()).checked_div(sharing)?;
        Some(Self {
            inside,
            sharing,
            blocks: Blocks::new(ports, u32::try_from(size).ok()?)?,
        })
    }

    /// Ports that each inside address has.
    pub fn size(&self) -> u32 {
        self.blocks.size()
    }

    /// Inside addresses that share an outside one.
    pub fn sharing(&self) -> u64 {
        self.sharing
    }

    /// The number of the outside address and the ports of an inside address.
    pub fn forward(&self, inside: u64) -> Option<(u64, PortRange)> {
        if inside >= self.inside {
            return None;
        }
        let block = u32::try_from(inside.checked_rem(self.sharing)?).ok()?;
        let ports = self.blocks.ports(block)?;
        Some((inside.checked_div(self.sharing)?, ports))
    }

    /// The number of the inside address that has a port of an outside address.
    pub fn back(&self, outside: u64, port: u16) -> Option<u64> {
        let block = u64::from(self.blocks.of(port)?);
        if block >= self.sharing {
            return None;
        }
        let inside = outside.checked_mul(self.sharing)?.checked_add(block)?;
        (inside < self.inside).then_some(inside)
    }
}

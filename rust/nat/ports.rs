// SPDX-License-Identifier: GPL-2.0

//! Port ranges, the division of the port space between nodes, and the choice of a free port.

use super::tuple::ICMP;

/// Ports per chunk. The bitmap of a chunk is one cache line, and a chunk has one home node.
pub const CHUNK: u32 = 512;

/// How many chunks there are.
pub const CHUNKS: usize = 0x1_0000 / CHUNK as usize;

/// Ports per bitmap word.
const WORD: u32 = u64::BITS;

/// A range of ports, both ends included.
///
/// # Invariants
///
/// `min` is at most `max`.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct PortRange {
    min: u16,
    max: u16,
}

impl PortRange {
    /// Every port, 0 included.
    // INVARIANT: 0 is at most anything.
    pub const ALL: Self = Self {
        min: 0,
        max: u16::MAX,
    };

    /// `None` if `min` is above `max`.
    #[inline]
    pub const fn new(min: u16, max: u16) -> Option<Self> {
        if min > max {
            return None;
        }
        // INVARIANT: checked above.
        Some(Self { min, max })
    }

    /// The lowest port.
    #[inline]
    pub const fn min(&self) -> u16 {
        self.min
    }

    /// The highest port.
    #[inline]
    pub const fn max(&self) -> u16 {
        self.max
    }

    /// Whether all of `other` is in the range.
    pub const fn covers(&self, other: &Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    /// Whether `port` is in the range.
    #[inline]
    pub const fn contains(&self, port: u16) -> bool {
        self.min <= port && port <= self.max
    }

    /// How many ports there are: 1 to 65536.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u32 {
        (self.max.wrapping_sub(self.min) as u32).wrapping_add(1)
    }

    /// The ports that are in both; `None` if there are none.
    #[inline]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.min.max(other.min), self.max.min(other.max))
    }
}

/// Which ports are as good as another in a mapping that keeps the parity (RFC 4787 REQ-4).
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub enum Parity {
    /// All.
    #[default]
    Any,
    /// Even ones.
    Even,
    /// Odd ones.
    Odd,
}

impl Parity {
    /// That of a port.
    #[inline]
    pub const fn of(port: u16) -> Self {
        match port % 2 {
            0 => Self::Even,
            _ => Self::Odd,
        }
    }

    /// The other ports, in a word of a bitmap of all ports.
    #[inline]
    pub const fn others(self) -> u64 {
        match self {
            Self::Any => 0,
            Self::Even => 0xaaaa_aaaa_aaaa_aaaa,
            Self::Odd => 0x5555_5555_5555_5555,
        }
    }
}

/// The ports among which that of a mapping is chosen: well-known ports stay well-known, and others
/// stay others (RFC 4787 REQ-3a). All ICMP identifiers are alike.
#[inline]
pub const fn class(proto: u8, port: u16) -> PortRange {
    // INVARIANT: the lower bound comes first in each.
    match (proto, port) {
        (ICMP, _) => PortRange::ALL,
        (_, 0..=1023) => PortRange { min: 1, max: 1023 },
        _ => PortRange {
            min: 1024,
            max: u16::MAX,
        },
    }
}

/// The node, of `nodes`, that owns `port`.
#[inline]
pub fn home(port: u16, nodes: usize) -> usize {
    if nodes == 1 {
        return 0;
    }
    let chunk = u32::from(port) / CHUNK;
    (chunk as usize).checked_rem(nodes).unwrap_or(0)
}

/// Chooses a free port.
///
/// Bit `i % 64` of `word(i / 64)` says that port `i` is taken, for the 1024 words of the port
/// space. Only ports in `range` are considered and, unless `node` is `None`, only those whose
/// [`home`] is `node`.
///
/// The search begins at `start`, if that is one of these ports, and else at a port that depends on
/// `start`; it passes over all of them once at most. With a random `start`, that makes a random
/// choice.
pub fn pick(
    word: impl Fn(usize) -> u64,
    range: PortRange,
    nodes: usize,
    node: Option<usize>,
    start: u16,
) -> Option<u16> {
    let share = Share::new(nodes, node)?;
    let (low, wish, end) = share.begin(range, start)?;
    let free = share
        .first_free(&word, wish, end)
        .or_else(|| share.first_free(&word, low, wish))?;
    u16::try_from(share.port(free)).ok()
}

/// The port at which [`pick`] begins to look; `None` if there is none that it may choose.
#[inline]
pub fn first(range: PortRange, nodes: usize, node: Option<usize>, start: u16) -> Option<u16> {
    let share = Share::new(nodes, node)?;
    let (_, wish, _) = share.begin(range, start)?;
    u16::try_from(share.port(wish)).ok()
}

/// The ports of one node. Numbered by their rank among each other, they have no gaps.
///
/// # Invariants
///
/// `node` is below `nodes`, which is at most the number of chunks.
struct Share {
    nodes: u32,
    node: u32,
}

impl Share {
    /// `None` if the node has no port at all.
    fn new(nodes: usize, node: Option<usize>) -> Option<Self> {
        // INVARIANT: 0 is below 1; and otherwise checked here.
        let Some(node) = node else {
            return Some(Self { nodes: 1, node: 0 });
        };
        let chunks = 0x1_0000 / CHUNK;
        let node = u32::try_from(node).ok().filter(|node| *node < chunks)?;
        let nodes = u32::try_from(nodes).unwrap_or(chunks).clamp(1, chunks);
        (node < nodes).then_some(Self { nodes, node })
    }

    /// Does the node have all ports? Then ranks are ports, and nothing has to be divided.
    fn is_all(&self) -> bool {
        self.nodes == 1
    }

    /// The ranks of the first port of a range, of that where a search begins, and of that after the last.
    #[inline]
    fn begin(&self, range: PortRange, start: u16) -> Option<(u32, u32, u32)> {
        let low = self.rank(u32::from(range.min));
        let end = self.rank(u32::from(range.max).wrapping_add(1));
        let wish = if range.contains(start) && self.owns(start) {
            self.rank(u32::from(start))
        } else {
            u32::from(start)
                .checked_rem(end.wrapping_sub(low))?
                .wrapping_add(low)
        };
        Some((low, wish, end))
    }

    fn owns(&self, port: u16) -> bool {
        if self.is_all() {
            return true;
        }
        (u32::from(port) / CHUNK).checked_rem(self.nodes) == Some(self.node)
    }

    /// How many ports of the node are below `port`.
    fn rank(&self, port: u32) -> u32 {
        if self.is_all() {
            return port;
        }
        let chunk = port / CHUNK;
        let round = chunk.checked_div(self.nodes).unwrap_or(0);
        let turn = chunk.wrapping_sub(round.wrapping_mul(self.nodes));
        let inside = match turn.cmp(&self.node) {
            core::cmp::Ordering::Less => 0,
            core::cmp::Ordering::Equal => port % CHUNK,
            core::cmp::Ordering::Greater => CHUNK,
        };
        round.wrapping_mul(CHUNK).wrapping_add(inside)
    }

    /// The port of a rank.
    fn port(&self, rank: u32) -> u32 {
        if self.is_all() {
            return rank;
        }
        let chunk = (rank / CHUNK)
            .wrapping_mul(self.nodes)
            .wrapping_add(self.node);
        chunk.wrapping_mul(CHUNK).wrapping_add(rank % CHUNK)
    }

    /// The lowest rank from `low` on and before `end` whose port is free.
    fn first_free(&self, word: &impl Fn(usize) -> u64, low: u32, end: u32) -> Option<u32> {
        let mut from = low;
        while from < end {
            let base = from.wrapping_sub(from % WORD);
            let index = (self.port(base) / WORD) as usize;
            let free = !word(index) & u64::MAX.wrapping_shl(from % WORD);
            if free != 0 {
                let rank = base.wrapping_add(free.trailing_zeros());
                return (rank < end).then_some(rank);
            }
            from = base.wrapping_add(WORD);
        }
        None
    }
}

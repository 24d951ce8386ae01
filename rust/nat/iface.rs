// SPDX-License-Identifier: GPL-2.0

//! Interfaces: how they are called, and which of them a policy is about.

/// The name of an interface, filled up with zeros. All zero stands for any.
pub type IfName = [u8; 16];

/// The interface name that matches any.
pub const ANY_IFACE: IfName = [0; 16];

/// The name that ends before the first zero, or the last byte, filled up with zeros.
#[inline]
pub const fn padded(name: IfName) -> IfName {
    let word = u128::from_le_bytes(name);
    let (low, high) = (word as u64, (word >> 64) as u64);
    let kept = match before_zero(low) {
        u64::MAX => (before_zero(high) & (u64::MAX >> 8)) as u128,
        _ => 0,
    };
    (word & ((kept << 64) | before_zero(low) as u128)).to_le_bytes()
}

/// All bits of the bytes before the first that is zero.
#[inline]
const fn before_zero(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    // The top bit of the first byte that is zero, and perhaps those of later ones.
    let zeros = word.wrapping_sub(EACH) & !word & (EACH << 7);
    match zeros & zeros.wrapping_neg() {
        0 => u64::MAX,
        first => (first >> 7).wrapping_sub(1),
    }
}

/// What is known of an interface.
#[derive(Copy, Clone, Default, Eq, PartialEq, Debug)]
pub struct Interface {
    /// Its name; all zero if it is not known, or if there is no interface.
    pub name: IfName,
    /// Its group, if that is known.
    pub group: Option<u32>,
}

/// What of an interface is looked at.
#[derive(Copy, Clone, Default, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub(super) enum Look {
    /// Nothing.
    #[default]
    Nothing,
    /// So many bytes of the name.
    Name(u8),
    /// The group.
    Group,
}

/// What a look sees.
pub(super) type Seen = [u8; 16];

impl Look {
    /// All of a name, and the zero that ends it.
    const WHOLE: Self = Self::Name(16);

    #[inline]
    pub(super) fn at(self, iface: &Interface) -> Seen {
        match self {
            Self::Nothing => Seen::default(),
            Self::Name(bytes) => beginning(iface.name, bytes),
            Self::Group => iface.group.map_or(Seen::default(), of_group),
        }
    }
}

/// The first `bytes` of a name.
#[inline]
fn beginning(name: IfName, bytes: u8) -> Seen {
    let ignored = 128u32.saturating_sub(u32::from(bytes).wrapping_mul(8));
    let kept = u128::MAX.checked_shr(ignored).unwrap_or(0);
    (u128::from_le_bytes(name) & kept).to_le_bytes()
}

/// A group as something to see, which is never nothing.
#[inline]
const fn of_group(group: u32) -> Seen {
    ((1 << 32) | group as u128).to_le_bytes()
}

/// Interfaces that a policy is about: any, one, those whose names begin alike, or a group.
#[derive(Copy, Clone, Default, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct Interfaces {
    look: Look,
    /// What the look sees of those that are meant.
    seen: Seen,
}

/// Why a text names no interfaces.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Unnamed {
    /// It is empty, has no zero at its end, or has something behind the first zero.
    NoName,
    /// A `*` that is not the last character.
    Star,
    /// Nothing but a `*`.
    StarAlone,
}

/// Set in the last byte, which is zero in all names, of one of which only the beginning is known.
const OPEN: u128 = 1 << 120;

impl Interfaces {
    /// All, and none.
    pub const ANY: Self = Self {
        look: Look::Nothing,
        seen: [0; 16],
    };

    /// The one with this name, be there a `*` in it or not.
    pub const fn one(name: IfName) -> Self {
        Self {
            look: Look::WHOLE,
            seen: name,
        }
    }

    /// The one with this name; or, if it ends with a `*`, those whose names begin with what is
    /// before it.
    pub fn named(text: IfName) -> Result<Self, Unnamed> {
        let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() || name.len() >= text.len() || padded(text) != text {
            return Err(Unnamed::NoName);
        }
        match name.iter().position(|byte| *byte == b'*') {
            None => Ok(Self::one(text)),
            Some(0) if name.len() == 1 => Err(Unnamed::StarAlone),
            Some(at) if at.wrapping_add(1) == name.len() => Ok(Self {
                look: Look::Name(at as u8),
                seen: beginning(text, at as u8),
            }),
            Some(_) => Err(Unnamed::Star),
        }
    }

    /// Those of a group.
    pub const fn of_group(group: u32) -> Self {
        Self {
            look: Look::Group,
            seen: of_group(group),
        }
    }

    /// All that contain this interface, but for those that contain any.
    pub fn all_with(iface: &Interface) -> impl Iterator<Item = Self> + '_ {
        let looks = (1..=16).map(Look::Name).chain([Look::Group]);
        looks.map(|look| Self {
            look,
            seen: look.at(iface),
        })
    }

    /// Are they not limited?
    #[inline]
    pub fn is_any(&self) -> bool {
        self.look == Look::Nothing
    }

    /// Is this one of them?
    #[inline]
    pub fn contains(&self, iface: &Interface) -> bool {
        self.look.at(iface) == self.seen
    }

    /// Is each of `other` one of them, as far as the names and groups tell?
    pub fn covers(&self, other: &Self) -> bool {
        self.contains(&other.common())
    }

    /// Can no interface be one of both? Not known of a name and a group.
    pub fn excludes(&self, other: &Self) -> bool {
        self.group().is_some() == other.group().is_some()
            && !self.covers(other)
            && !other.covers(self)
    }

    /// What [`Interfaces::named`] made them of.
    pub fn text(&self) -> Option<IfName> {
        let mut text = self.seen;
        match self.look {
            Look::WHOLE => (),
            Look::Nothing | Look::Group => return None,
            Look::Name(bytes) => *text.get_mut(usize::from(bytes))? = b'*',
        }
        Some(text)
    }

    /// The name, if it is one interface.
    #[inline]
    pub fn name(&self) -> Option<IfName> {
        (self.look == Look::WHOLE).then_some(self.seen)
    }

    /// The group.
    pub fn group(&self) -> Option<u32> {
        (self.look == Look::Group).then_some(u128::from_le_bytes(self.seen) as u32)
    }

    /// What is known of each of them: it is contained in those that contain all of them.
    pub fn common(&self) -> Interface {
        let name = match self.look {
            Look::WHOLE => self.seen,
            Look::Nothing | Look::Group => ANY_IFACE,
            Look::Name(_) => (u128::from_le_bytes(self.seen) | OPEN).to_le_bytes(),
        };
        Interface {
            name,
            group: self.group(),
        }
    }

    pub(super) fn look(&self) -> Look {
        self.look
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }
}

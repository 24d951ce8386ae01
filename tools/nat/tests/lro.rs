// SPDX-License-Identifier: GPL-2.0

//! Which TCP segments are aggregated.

use fastnat_nat::nat::lro::*;
use proptest::prelude::*;

mod common;
use common::cases;

const ACK: u8 = 0x10;
/// Nothing received is longer.
const ROOM: usize = 200;

/// A segment to be built.
#[derive(Clone, Debug)]
struct Recipe {
    v6: bool,
    traffic_class: u8,
    ttl: u8,
    id: u16,
    seq: u32,
    ack: u32,
    window: u16,
    flags: u8,
    options: Vec<u8>,
    payload: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            v6: false,
            traffic_class: 0,
            ttl: 64,
            id: 7,
            seq: 1000,
            ack: 5000,
            window: 512,
            flags: ACK,
            options: Vec::new(),
            payload: 100,
        }
    }
}

impl Recipe {
    fn stamped(self, value: u32, echo: u32) -> Self {
        let mut options = vec![1, 1, 8, 10];
        options.extend(value.to_be_bytes());
        options.extend(echo.to_be_bytes());
        Self { options, ..self }
    }

    /// The headers, and the length that is received.
    fn build(&self) -> (Vec<u8>, usize) {
        let tcp_len = 20 + self.options.len();
        let mut bytes = match self.v6 {
            true => vec![0; 40],
            false => vec![0; 20],
        };
        let len = bytes.len() + tcp_len + self.payload;
        if self.v6 {
            bytes[0] = 0x60 | (self.traffic_class >> 4);
            bytes[1] = self.traffic_class << 4;
            bytes[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
            bytes[6] = 6;
            bytes[7] = self.ttl;
        } else {
            bytes[0] = 0x45;
            bytes[1] = self.traffic_class;
            bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            bytes[4..6].copy_from_slice(&self.id.to_be_bytes());
            bytes[6] = 0x40;
            bytes[8] = self.ttl;
            bytes[9] = 6;
        }
        bytes.extend([0x12, 0x34, 0x56, 0x78]);
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([(tcp_len as u8 / 4) << 4, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&self.options);
        (bytes, len)
    }

    /// Why it is kept alone, whatever was before it.
    fn alone(&self) -> Option<Reason> {
        let (bytes, len) = self.build();
        match Segment::read(&bytes, len) {
            Ok(segment) => segment.refusal(),
            Err(reason) => Some(reason),
        }
    }
}

/// Both families.
fn both(recipe: Recipe) -> [Recipe; 2] {
    [
        Recipe {
            v6: true,
            ..recipe.clone()
        },
        recipe,
    ]
}

/// May the second join the first?
fn joins(first: &Recipe, second: &Recipe) -> Result<Fit, Reason> {
    let (held, _) = first.build();
    let (bytes, len) = second.build();
    let segment = Segment::read(&bytes, len)?;
    fit(&segment, &held_of(&held, first))
}

/// Do the two merge, with fields of the second?
fn is_newer(joins: Result<Fit, Reason>) -> bool {
    matches!(joins, Ok(Fit::Newer(_)))
}

fn held_of<'a>(headers: &'a [u8], recipe: &Recipe) -> Held<'a> {
    Held {
        headers,
        payload: recipe.payload,
        mss: recipe.payload,
        segments: 1,
    }
}

/// What the kernel would say that makes the second another flow's.
fn differs(first: &Recipe, second: &Recipe) -> Reason {
    let (held, _) = first.build();
    let (bytes, len) = second.build();
    match Segment::read(&bytes, len) {
        Ok(segment) => difference(&segment, &bytes, &held_of(&held, first)),
        Err(reason) => reason,
    }
}

/// The segment behind `first`.
fn next(first: &Recipe) -> Recipe {
    Recipe {
        seq: first.seq.wrapping_add(first.payload as u32),
        id: first.id.wrapping_add(1),
        ..first.clone()
    }
}

#[test]
fn each_rule_keeps_a_segment_alone() {
    let flags = [
        (0x80, Reason::Cwr),
        (0x40, Reason::Ece),
        (0x02, Reason::Syn),
        (0x01, Reason::Fin),
        (0x20, Reason::Urg),
        (0x08, Reason::Psh),
        (0x04, Reason::Rst),
    ];
    for usual in both(Recipe::default()) {
        assert_eq!(usual.alone(), None);
        assert_eq!(usual.clone().stamped(1, 0).alone(), None);
        for (flag, reason) in flags {
            let recipe = Recipe {
                flags: ACK | flag,
                ..usual.clone()
            };
            assert_eq!(recipe.alone(), Some(reason));
        }
        let but = |change: &dyn Fn(&mut Recipe)| {
            let mut recipe = usual.clone();
            change(&mut recipe);
            recipe.alone()
        };
        assert_eq!(but(&|r| r.flags = 0), Some(Reason::NoAck));
        assert_eq!(but(&|r| r.payload = 0), Some(Reason::NoData));
        assert_eq!(but(&|r| r.traffic_class = 3), Some(Reason::Ce));
        for ecn in [1, 2, 0xb8] {
            assert_eq!(but(&|r| r.traffic_class = ecn), None);
        }
        // SACK; MD5; NOPs alone; the timestamp unpadded, or not alone.
        let sack = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        let late = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1];
        let mut both = vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        both.extend(sack);
        for options in [&sack[..], &[19, 18, 0, 0], &[1; 4], &late, &both] {
            let found = but(&|r| r.options = options.to_vec());
            assert_eq!(found, Some(Reason::TcpOptions), "{options:?}");
        }
    }
}

#[test]
fn what_is_no_plain_segment_is_not_read() {
    let read = |change: &dyn Fn(&mut [u8]), more: usize| {
        let (mut bytes, len) = Recipe::default().build();
        change(&mut bytes);
        Segment::read(&bytes, len + more).err()
    };
    assert_eq!(read(&|_| {}, 0), None);
    assert_eq!(read(&|_| {}, 6), Some(Reason::Padding));
    assert_eq!(read(&|b| b[9] = 17, 0), Some(Reason::NotTcp));
    assert_eq!(read(&|b| b[0] = 0x46, 0), Some(Reason::IpOptions));
    assert_eq!(read(&|b| b[6] = 0x20, 0), Some(Reason::IpOptions));
    assert_eq!(read(&|b| b[7] = 1, 0), Some(Reason::IpOptions));
    assert_eq!(read(&|b| b[32] = 0x40, 0), Some(Reason::TcpOptions));
    let v6 = Recipe {
        v6: true,
        ..Recipe::default()
    };
    let (bytes, len) = v6.build();
    assert_eq!(Segment::read(&bytes, len + 6), Err(Reason::Padding));
    for (next, reason) in [
        (17, Reason::NotTcp),
        (44, Reason::IpOptions),
        (0, Reason::IpOptions),
    ] {
        let mut bytes = bytes.clone();
        bytes[6] = next;
        assert_eq!(Segment::read(&bytes, len), Err(reason));
    }
}

#[test]
fn only_what_goes_on_may_join() {
    for first in both(Recipe::default()) {
        for first in [first.clone(), first.stamped(100, 200)] {
            let stamped = !first.options.is_empty();
            let next = next(&first);
            let but = |change: &dyn Fn(&mut Recipe)| {
                let mut recipe = next.clone();
                change(&mut recipe);
                joins(&first, &recipe)
            };
            assert_eq!(but(&|_| {}), Ok(Fit::Same));
            assert!(is_newer(but(&|r| r.ack += 1)));
            assert!(is_newer(but(&|r| r.window = 0)));
            assert_eq!(but(&|r| r.payload = 1), Ok(Fit::Same));
            assert_eq!(but(&|r| r.ack -= 1), Err(Reason::Ack));
            assert_eq!(but(&|r| r.seq += 1), Err(Reason::Sequence));
            assert_eq!(but(&|r| r.seq -= 100), Err(Reason::Sequence));
            assert_eq!(but(&|r| r.payload += 1), Err(Reason::Mss));
            let other = match stamped {
                true => but(&|r| r.options.clear()),
                false => joins(&first, &next.clone().stamped(1, 1)),
            };
            assert_eq!(other, Err(Reason::Timestamp));
            if stamped {
                let stamp = |value, echo| joins(&first, &next.clone().stamped(value, echo));
                assert!(is_newer(stamp(101, 200)));
                assert!(is_newer(stamp(100, 201)));
                assert_eq!(stamp(99, 200), Err(Reason::Timestamp));
            }
        }
    }
}

#[test]
fn numbers_wrap_around() {
    let first = Recipe {
        seq: u32::MAX - 50,
        ack: u32::MAX,
        ..Recipe::default()
    }
    .stamped(u32::MAX, 0);
    let second = Recipe {
        ack: 10,
        ..next(&first)
    };
    assert!(is_newer(joins(&first, &second.clone().stamped(0, 0))));
    assert_eq!(
        joins(&second.stamped(0, 0), &next(&first)),
        Err(Reason::Sequence)
    );
}

#[test]
fn differences_have_names() {
    for first in both(Recipe::default()) {
        let next = next(&first);
        let but = |change: &dyn Fn(&mut Recipe)| {
            let mut recipe = next.clone();
            change(&mut recipe);
            differs(&first, &recipe)
        };
        assert_eq!(but(&|_| {}), Reason::Other);
        assert_eq!(but(&|r| r.payload = 0), Reason::NoData);
        assert_eq!(but(&|r| r.seq += 1), Reason::Sequence);
        assert_eq!(but(&|r| r.ack += 1), Reason::Ack);
        assert_eq!(but(&|r| r.ack -= 1), Reason::Ack);
        assert_eq!(but(&|r| r.window += 1), Reason::Window);
        assert_eq!(but(&|r| r.payload += 1), Reason::Mss);
        let sack = vec![1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(but(&|r| r.options = sack.clone()), Reason::TcpOptions);
        let stamped = first.clone().stamped(1, 2);
        assert_eq!(differs(&stamped, &next), Reason::Timestamp);
        assert_eq!(
            differs(&next.clone().stamped(0, 0), &next),
            Reason::Sequence
        );
        assert_eq!(but(&|r| r.flags |= 0x40), Reason::Ece);
        assert_eq!(but(&|r| r.flags |= 0x08), Reason::Other);
        assert_eq!(but(&|r| r.ttl -= 1), Reason::Header);
        assert_eq!(but(&|r| r.traffic_class = 0x20), Reason::Header);
        let id = but(&|r| r.id += 1);
        let expected = if first.v6 {
            Reason::Other
        } else {
            Reason::Header
        };
        assert_eq!(id, expected);
    }
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let stamps = proptest::option::of((any::<u32>(), any::<u32>()));
    let numbers = (any::<u32>(), any::<u32>(), any::<u16>(), any::<u8>());
    (any::<bool>(), numbers, stamps, 0..ROOM).prop_map(|(v6, numbers, stamps, payload)| {
        let (seq, ack, window, flags) = numbers;
        let recipe = Recipe {
            v6,
            seq,
            ack,
            window,
            flags,
            payload,
            ..Recipe::default()
        };
        match stamps {
            Some((value, echo)) => recipe.stamped(value, echo),
            None => recipe,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(4096)))]

    /// Whatever the bytes: no panic, and what is read lies inside.
    #[test]
    fn arbitrary_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..100), len in 0..ROOM) {
        if let Ok(segment) = Segment::read(&bytes, len) {
            prop_assert!(segment.payload <= len);
            let held = Held { headers: &bytes, payload: 1, mss: 1, segments: 1 };
            let _ = (segment.refusal(), fit(&segment, &held), segment.ending());
            let _ = difference(&segment, &bytes, &held);
        }
    }

    /// An aggregate has ACK number, window and timestamps of the last, everything else of the
    /// first; and what was not merged has its own again.
    #[test]
    fn the_last_is_kept(first in recipe(), last in recipe()) {
        let last = Recipe {
            v6: first.v6,
            seq: first.seq.wrapping_add(first.payload as u32),
            ack: first.ack.wrapping_add(last.ack >> 1),
            payload: last.payload.min(first.payload),
            ..last
        };
        let (mut held, _) = first.build();
        let before = held.clone();
        let (bytes, len) = last.build();
        let segment = Segment::read(&bytes, len).unwrap();
        let old = match fit(&segment, &held_of(&before, &first)) {
            Ok(Fit::Newer(old)) => old,
            Ok(Fit::Same) => {
                prop_assert_eq!((first.ack, first.window, &first.options), (last.ack, last.window, &last.options));
                return Ok(());
            }
            Err(reason) => {
                prop_assert_eq!(reason, Reason::Timestamp);
                return Ok(());
            }
        };
        prop_assert!(segment.changing().put(&segment, &mut held).is_some());
        let expected = Recipe {
            ack: last.ack,
            window: last.window,
            options: last.options.clone(),
            ..first.clone()
        };
        prop_assert_eq!(&held, &expected.build().0);
        prop_assert!(old.put(&segment, &mut held).is_some());
        prop_assert_eq!(held, before);
    }

    /// Headers that end too early are left as they are.
    #[test]
    fn nothing_is_written_by_half(recipe in recipe(), cut in 1..32usize) {
        let (bytes, len) = recipe.build();
        let segment = Segment::read(&bytes, len).unwrap();
        let mut short = bytes[..bytes.len() - cut].to_vec();
        short.fill(0);
        let before = short.clone();
        prop_assert_eq!(segment.changing().put(&segment, &mut short), None);
        prop_assert_eq!(short, before);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What is done to plain packets, against what is done to any.

use fastnat_nat::nat::addr::V4;
use fastnat_nat::nat::packet::{self, classify, Kind, Packet};
use fastnat_nat::nat::plain::{Fix, Plain};
use fastnat_nat::nat::rewrite::{endpoint, Checksum, Half};
use fastnat_nat::nat::tuple::{Tuple, Zone};
use proptest::prelude::*;

mod common;
use common::{endpoint as any_endpoint, *};

fn any_kind(bytes: &[u8]) -> Option<Kind> {
    let ip = packet::ip(bytes, bytes.len()).ok()?;
    classify(bytes, &ip).ok()
}

fn fix(tuple: &Tuple<V4>, half: Half, new: fastnat_nat::nat::tuple::Endpoint<V4>) -> Fix {
    match half {
        Half::Src => Fix::new(tuple.src(), new),
        Half::Dst => Fix::new(tuple.dst(), new),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(4096)))]

    /// What is plain is read as everything is; what is not is none of a flow, or says why.
    #[test]
    fn plain_packets_are_read_alike(recipe in recipe(), flip in any::<Option<(u8, u8)>>()) {
        let mut bytes = recipe.build();
        if let Some((at, by)) = flip {
            let at = usize::from(at) % bytes.len().min(44);
            bytes[at] ^= by;
        }
        match (Plain::parse(&bytes), any_kind(&bytes)) {
            (Some(plain), Some(Kind::Flow(packet))) => {
                prop_assert_eq!(plain.packet(), packet);
                prop_assert_eq!(Some(plain), Plain::of(&packet));
                let tuple = packet.tuple.in_zone(Zone::of(7));
                prop_assert_eq!(Some(plain), Plain::of(&Packet { tuple, ..packet }));
                prop_assert_eq!(plain.end(), packet.l4_offset + packet.l4_len);
            }
            (Some(plain), other) => prop_assert!(false, "{plain:?} and {other:?}"),
            (None, Some(Kind::Flow(packet))) => prop_assert!(!packet.is_plain(), "{packet:?}"),
            (None, _) => {}
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_alike(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Some(plain) = Plain::parse(&bytes) {
            prop_assert_eq!(any_kind(&bytes), Some(Kind::Flow(plain.packet())));
        }
    }

    #[test]
    fn plain_packets_are_rewritten_alike(
        recipe in recipe(), half in half(), new in any_endpoint(), csum in csum(), wrong: u16,
    ) {
        let mut bytes = recipe.build();
        let Some(plain) = Plain::parse(&bytes) else { return Ok(()) };
        let packet = plain.packet();
        let at = if packet.l4_len == 8 { 26 } else { 36 };
        if wrong & 1 == 1 {
            put16(&mut bytes, at, wrong);
        }
        let mut same = bytes.clone();
        let fix = fix(&packet.tuple, half, new);
        prop_assert!(plain.rewrite(&mut bytes, (half, new), fix, csum));
        prop_assert!(endpoint(&mut same, &packet, half, new, csum));
        prop_assert_eq!(&bytes, &same);
    }

    #[test]
    fn short_packets_stay(recipe in recipe(), half in half(), new in any_endpoint(), len in 0usize..40) {
        let bytes = recipe.build();
        let Some(plain) = Plain::parse(&bytes) else { return Ok(()) };
        let packet = plain.packet();
        let mut short = bytes[..len.min(19 + packet.l4_len)].to_vec();
        let before = short.clone();
        let fix = fix(&packet.tuple, half, new);
        prop_assert!(!plain.rewrite(&mut short, (half, new), fix, Checksum::Full));
        prop_assert_eq!(short, before);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Features of devices, as a kernel of cardboard tells them.

mod cardboard;

use cardboard::{Answer, CAPPED, Cardboard, attribute, error, family, reply};
use fastnat_netlink::Error;
use fastnat_netlink::ethtool::{Bit, Bits, Bitset, Ethtool, Features, GRO, GRO_LIST};

fn ethtool(answers: Vec<Answer>) -> Result<Ethtool<Cardboard>, Error> {
    let answers = std::iter::once(family(&[])).chain(answers).collect();
    Ethtool::over(Cardboard {
        answers,
        ..Cardboard::default()
    })
}

/// Bits by name; those under a mask say whether they are set.
fn bits(nomask: bool, bits: &[(&str, bool)]) -> Option<Bitset> {
    let bit = |(name, value): &(&str, bool)| Bit {
        name: Some((*name).into()),
        value: *value,
    };
    let bit = bits.iter().map(bit).collect();
    let bits = Some(Bits { bit });
    Some(Bitset { nomask, bits })
}

#[test]
fn features_are_on_if_they_are_listed_and_can_change_if_it_says_so() {
    let answer: Answer = Box::new(|request| {
        let features = Features {
            hw: bits(false, &[(GRO, false), (GRO_LIST, true)]),
            active: bits(true, &[(GRO, false)]),
            ..Features::default()
        };
        vec![reply(request, 0, &features), error(request, 0, 0, &[])]
    });
    let mut ethtool = ethtool(vec![answer]).expect("the family was answered");
    let features = ethtool.features("eth0").expect("an answer");
    assert!(features.is_on(GRO) && !features.is_on(GRO_LIST));
    assert!(!features.can_change(GRO) && features.can_change(GRO_LIST));
}

/// The attributes of a request, as the kernel's header says they lie.
fn switch_request(device: &str, bit: &[u8]) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    let header = attribute(2, format!("{device}\0").as_bytes());
    let bits = attribute(1 | NESTED, bit);
    let wanted = attribute(3 | NESTED, &bits);
    [
        attribute(1 | NESTED, &header),
        attribute(3 | NESTED, &wanted),
    ]
    .concat()
}

#[test]
fn a_switch_names_one_feature_and_leaves_the_others_alone() {
    let name = attribute(2, b"rx-gro-list\0");
    let on = [name.clone(), attribute(3, &[])].concat();
    for (value, bit) in [(true, on), (false, name)] {
        let answer: Answer = Box::new(move |request| {
            assert_eq!(request[16], 12, "the command");
            assert_eq!(request[20..], switch_request("eth0", &bit));
            vec![error(request, 0, 0, &[])]
        });
        let mut ethtool = ethtool(vec![answer]).expect("the family was answered");
        ethtool.switch("eth0", GRO_LIST, value).expect("accepted");
    }
}

#[test]
fn a_kernel_without_the_family_is_no_missing_module() {
    let transport = Cardboard {
        answers: [Box::new(|request: &[u8]| vec![error(request, 2, CAPPED, &[])]) as Answer].into(),
        ..Cardboard::default()
    };
    let failure = Ethtool::over(transport).err().expect("refused");
    assert!(matches!(failure, Error::NoFamily("ethtool")), "{failure}");
}

// SPDX-License-Identifier: GPL-2.0

//! `fastnat lro`: what it accepts, the requests it makes, and what a person reads.

use fastnat::cli::{Cli, Noun, lro};
use fastnat::output::Text;
use fastnat::show::{Aggregation, Lros};
use fastnat_netlink::ethtool::{Bit, Bits, Bitset, Features, GRO, GRO_LIST};
use fastnat_netlink::generated::{Lro, LroMode, LroReasons};

fn read(line: &str) -> Result<lro::Lro, clap::Error> {
    match Cli::read(line.split_whitespace().map(Into::into))?.noun {
        Noun::Lro(verb) => Ok(verb),
        other => panic!("{other:?}"),
    }
}

fn set(line: &str) -> lro::Set {
    match read(line) {
        Ok(lro::Lro::Set(set)) => set,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> String {
    let error = read(line).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn dashes_may_be_left_out() {
    let expected = Lro {
        device: Some("eth0".into()),
        mode: Some(LroMode::Lro),
        limit: Some(16),
        ..Lro::default()
    };
    for line in [
        "fastnat lro set --dev eth0 --mode lro --limit 16",
        "fastnat lro set dev eth0 mode lro limit 16",
        "fastnat -n gw lro set limit 16 --mode=lro dev eth0 --json",
        "fastnat --netns lro lro set --limit 16 dev eth0 mode lro",
    ] {
        assert_eq!(set(line).attributes(), Some(expected.clone()), "{line}");
    }
}

#[test]
fn a_device_may_have_the_name_of_an_option() {
    let device = |line: &str| set(line).dev.map(|device| device.0);
    for name in ["dev", "mode", "lro"] {
        let line = format!("fastnat lro set dev {name} mode off");
        assert_eq!(device(&line).as_deref(), Some(name));
        let line = format!("fastnat lro set mode off --dev {name}");
        assert_eq!(device(&line).as_deref(), Some(name));
    }
    let del = read("fastnat lro del dev limit");
    assert!(matches!(del, Ok(lro::Lro::Del(lro::Del { dev })) if dev.0 == "limit"));
}

#[test]
fn other_nouns_keep_their_words() {
    let error = Cli::read("fastnat pool add mode mode".split(' ').map(Into::into));
    let error = error.expect_err("one name").to_string();
    assert!(error.contains("unexpected argument 'mode'"), "{error}");
}

#[test]
fn what_is_not_given_is_not_sent() {
    let strict = Lro {
        mode: Some(LroMode::Strict),
        ..Lro::default()
    };
    assert_eq!(
        set("fastnat lro set mode strict").attributes(),
        Some(strict)
    );
    let udp = set("fastnat lro set dev eth0 udp on");
    assert_eq!((udp.change.udp, udp.attributes()), (Some(true), None));
    let off = set("fastnat lro set dev eth0 udp off limit 2");
    assert_eq!(off.change.udp, Some(false));
    assert!(off.attributes().is_some());
}

#[test]
fn wrong_usage_is_explained() {
    for (line, words) in [
        ("fastnat lro set", "--mode"),
        ("fastnat lro set dev eth0", "--mode"),
        ("fastnat lro set udp on", "--dev"),
        ("fastnat lro set mode sometimes", "off, strict, lro"),
        ("fastnat lro set limit 1", "2..=64"),
        ("fastnat lro set limit 65", "2..=64"),
        ("fastnat lro set dev eth0 udp yes", "on, off"),
        ("fastnat lro set dev a-name-of-16-chr mode off", "1 to 15"),
        ("fastnat lro set dev eth0 mode", "value"),
        (
            "fastnat lro set eth0 mode off",
            "unexpected argument 'eth0'",
        ),
        ("fastnat lro del", "--dev"),
        ("fastnat lro show mode off", "unexpected argument"),
    ] {
        let said = refused(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn it_is_shown_or_listed() {
    for line in ["fastnat lro show", "fastnat lro list"] {
        assert!(matches!(read(line), Ok(lro::Lro::Show(show)) if show.dev.is_none()));
    }
    let one = read("fastnat lro show dev eth0");
    assert!(matches!(one, Ok(lro::Lro::Show(lro::Show { dev: Some(dev) })) if dev.0 == "eth0"));
}

/// Features of a device of which those of these names are on.
fn features(on: &[&str]) -> Features {
    let bit = |name: &&str| Bit {
        name: Some((*name).into()),
        value: false,
    };
    let bit = on.iter().map(bit).collect();
    Features {
        active: Some(Bitset {
            nomask: true,
            bits: Some(Bits { bit }),
        }),
        ..Features::default()
    }
}

fn entry(device: Option<&str>, mode: LroMode) -> Lro {
    Lro {
        device: device.map(Into::into),
        mode: Some(mode),
        limit: Some(16),
        segments: Some(0),
        aggregates: Some(0),
        bytes: Some(0),
        reasons: Some(LroReasons::default()),
        ..Lro::default()
    }
}

fn busy() -> Lro {
    Lro {
        ifindex: Some(2),
        segments: Some(410),
        aggregates: Some(40),
        bytes: Some(593_680),
        reasons: Some(LroReasons {
            psh: Some(7),
            limit: Some(25),
            window: Some(0),
            ..LroReasons::default()
        }),
        ..entry(Some("eth0"), LroMode::Lro)
    }
}

fn text(entries: Vec<Aggregation>) -> String {
    let mut out = Vec::new();
    Lros(entries).text(&mut out).expect("memory");
    String::from_utf8(out).expect("text")
}

#[test]
fn entries_are_a_table_and_reasons_are_below() {
    let shown = text(vec![
        Aggregation::new(entry(None, LroMode::Off), None),
        Aggregation::new(busy(), Some(&features(&[GRO, GRO_LIST]))),
        Aggregation::new(entry(Some("lan0"), LroMode::Off), None),
    ]);
    assert_eq!(
        shown,
        "DEVICE   MODE  LIMIT  GRO  UDP  SEGMENTS  AGGREGATES  SEGMENTS EACH  BYTES EACH\n\
         default  off      16                   0           0\n\
         eth0     lro      16  on   on        410          40           10.2       14842\n\
         lan0     off      16                   0           0\n\
         \n\
         eth0:\n  \
         psh     7  Passed on alone, the segment has the flag PSH; in mode strict it ended an \
         aggregate.\n  \
         limit  25  Ended, the aggregate has as many segments as the limit says.\n"
    );
}

#[test]
fn a_device_without_gro_is_warned_of_if_something_is_asked_of_it() {
    let warned = |mode, on: &[&str]| {
        let shown = text(vec![Aggregation::new(
            entry(Some("veth7"), mode),
            Some(&features(on)),
        )]);
        shown.contains("\nwarning: ") && shown.ends_with(": ethtool -K veth7 gro on\n")
    };
    assert!(warned(LroMode::Lro, &[]) && warned(LroMode::Strict, &[]));
    assert!(warned(LroMode::Off, &[GRO_LIST]));
    assert!(!warned(LroMode::Off, &[]) && !warned(LroMode::Lro, &[GRO]));
}

#[test]
fn what_holds_without_an_entry_is_marked() {
    let entries = [entry(None, LroMode::Strict), busy()];
    let other = Aggregation::by_default(&entries, "wan0".into(), &features(&[GRO]));
    let json = serde_json::to_value(&other).expect("plain values");
    assert_eq!(json["device"], "wan0");
    assert_eq!(json["mode"], "strict");
    assert_eq!(json["default"], true);
    assert_eq!((&json["gro"], &json["udp"]), (&true.into(), &false.into()));
    assert!(text(vec![other]).contains("\nwan0 (default)  strict "));
    let json = serde_json::to_value(Aggregation::new(busy(), None)).expect("plain values");
    assert_eq!(json["reasons"]["limit"], 25);
    for absent in ["default", "gro", "udp"] {
        assert_eq!(json.get(absent), None, "{absent}");
    }
}

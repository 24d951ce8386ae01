// SPDX-License-Identifier: GPL-2.0

//! Pools with ports that inside addresses have for themselves.

use clap::Parser;
use fastnat::cli::{Cli, Noun, pool};
use fastnat::map::Sharing;
use fastnat::output::Text;
use fastnat::show;
use fastnat_netlink::generated::{Allocation, Block, Pool, Range};

fn verb(line: &str) -> pool::Pool {
    match Cli::try_parse_from(line.split(' ')).expect(line).noun {
        Noun::Pool(verb) => verb,
        other => panic!("{line}: {other:?}"),
    }
}

fn added(line: &str) -> Pool {
    match verb(&format!("fastnat pool add {line}")) {
        pool::Pool::Add(add) => add.attributes(),
        other => panic!("{line}: {other:?}"),
    }
}

/// What `pool map` prints of a pool that is given as a whole.
fn mapped(line: &str) -> Result<String, String> {
    let pool::Pool::Map(map) = verb(&format!("fastnat pool map {line}")) else {
        panic!("{line}");
    };
    let sharing = Sharing::of(&map.given().expect("all of it"))?;
    let shares = match map.what {
        Some(what) => show::Shares::One(sharing.answer(what)?),
        None => show::Shares::All(sharing),
    };
    Ok(text(&shares))
}

fn text(result: &impl Text) -> String {
    let mut text = Vec::new();
    result.text(&mut text).expect("memory");
    String::from_utf8(text).expect("text")
}

fn range(min: [u8; 4], max: [u8; 4]) -> Range {
    Range {
        addr_min: Some(min.into()),
        addr_max: Some(max.into()),
    }
}

#[test]
fn blocks_are_asked_for() {
    let pool =
        added("cgn --range 203.0.113.0/30 --allocation block --block-size 256 --max-blocks 8");
    let expected = Pool {
        name: Some("cgn".into()),
        range: vec![range([203, 0, 113, 0], [203, 0, 113, 3])],
        allocation: Some(Allocation::Block),
        block_size: Some(256),
        max_blocks: Some(8),
        ..Pool::default()
    };
    assert_eq!(pool, expected);
}

#[test]
fn arithmetic_is_asked_for() {
    let pool =
        added("det --range 203.0.113.0/30 --allocation deterministic --inside 100.64.0.0/28");
    assert_eq!(pool.allocation, Some(Allocation::Deterministic));
    assert_eq!(pool.inside, [range([100, 64, 0, 0], [100, 64, 0, 15])]);
}

const GIVEN: &str = "--range 203.0.113.0/30 --inside 100.64.0.0/28";

#[test]
fn who_has_which_ports_is_computed() {
    let all = mapped(GIVEN).expect("a pool");
    assert_eq!(all.lines().count(), 16);
    assert_eq!(
        all.lines().next(),
        Some("100.64.0.0       203.0.113.0:1024-17151")
    );
    let forward = mapped(&format!("100.64.0.9 {GIVEN}"));
    let one = "100.64.0.9       203.0.113.2:17152-33279\n";
    assert_eq!(forward.as_deref(), Ok(one));
    let back = mapped(&format!("203.0.113.2:20000 {GIVEN}"));
    assert_eq!(back.as_deref(), Ok(one));
    let ports = mapped(&format!("100.64.0.9 {GIVEN} --ports 2000-2003"));
    assert_eq!(ports.as_deref(), Ok("100.64.0.9       203.0.113.2:2001\n"));
}

#[test]
fn what_nobody_has_is_said() {
    let wrong = |line: &str| mapped(line).expect_err(line);
    let asked = |what: &str| wrong(&format!("{what} {GIVEN}"));
    assert!(asked("10.0.0.1").contains("none of the inside addresses"));
    assert!(asked("10.0.0.1:5000").contains("none of the outside addresses"));
    assert!(asked("203.0.113.2:80").contains("nobody has port 80"));
    let few = "--range 203.0.113.0 --inside 100.64.0.0/16 --ports 1024-2000";
    assert!(wrong(few).contains("fewer ports"));
    let twice = "--range 203.0.113.0/30 --range 203.0.113.3 --inside 100.64.0.0/28";
    assert!(wrong(twice).contains("overlaps"));
}

#[test]
fn a_map_wants_a_pool() {
    for line in ["map", "map --range 203.0.113.0", "map --inside 10.0.0.0/8"] {
        let line = format!("fastnat pool {line}");
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
    let by_name = verb("fastnat pool map --name det 100.64.0.9");
    assert!(matches!(by_name, pool::Pool::Map(map) if map.given().is_none()));
}

#[test]
fn only_arithmetic_can_be_computed() {
    let pool = Pool {
        allocation: Some(Allocation::Block),
        ..Pool::default()
    };
    assert!(Sharing::of(&pool).is_err_and(|error| error.contains("pool blocks")));
}

#[test]
fn pools_and_blocks_are_shown() {
    let pools = text(&show::Pools(vec![
        Pool {
            name: Some("cgn".into()),
            allocation: Some(Allocation::Block),
            block_size: Some(256),
            max_blocks: Some(8),
            blocks: Some(3),
            ..Pool::default()
        },
        Pool {
            name: Some("det".into()),
            allocation: Some(Allocation::Deterministic),
            inside: vec![range([100, 64, 0, 0], [100, 64, 0, 15])],
            ..Pool::default()
        },
    ]));
    assert!(pools.contains("block, 256 ports each, at most 8, 3 given"));
    assert!(pools.contains("100.64.0.0-100.64.0.15"));
    let blocks = text(&show::Blocks(vec![Block {
        pool: Some("cgn".into()),
        inside_addr: Some([10, 0, 0, 2].into()),
        outside_addr: Some([203, 0, 113, 2].into()),
        port_min: Some(1024),
        port_max: Some(1279),
        bindings: Some(7),
        ..Block::default()
    }]));
    let line = "cgn   10.0.0.2  203.0.113.2:1024-1279         7";
    assert_eq!(blocks.lines().nth(1), Some(line), "{blocks}");
}

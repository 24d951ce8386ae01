// SPDX-License-Identifier: GPL-2.0

//! Readers, writers and walkers in a table that is resized all the time.

use super::clock;
use crate::model::{random, rcu, World};
use crate::table::hash::{Cursor, Entry, Progress, Table};
use crate::table::pair::{self, Side};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Objects that stay.
const STABLE: u64 = 150;
/// Objects of each writer that come and go.
const OWN: u64 = 100;
const WRITERS: u64 = 2;

/// Looks up what is always there.
fn reader(table: &Table<Side>, go_on: impl Fn() -> bool) {
    while go_on() {
        for _ in 0..100 {
            let number = random::below(STABLE);
            let key = [number, pair::second(number)][random::below(2) as usize];
            assert!(pair::has_key(table, key), "missed {key:#x}");
            // What comes and goes: it is the right one, if it is there.
            pair::has_key(table, STABLE + random::below(WRITERS * OWN));
            assert!(!pair::has_key(table, 1 << 40), "found what never was");
        }
    }
}

/// Inserts and removes its own objects; there are some in the end.
fn writer(table: &Table<Side>, first: u64, go_on: impl Fn() -> bool) -> Vec<u64> {
    let mut there = vec![false; OWN as usize];
    while go_on() {
        for _ in 0..100 {
            let one = random::below(OWN);
            let state = &mut there[one as usize];
            match *state {
                true => pair::remove(table, first + one),
                false => pair::insert(table, first + one),
            }
            *state = !*state;
        }
        rcu::reclaim();
    }
    let left = (0..OWN).filter(|one| there[*one as usize]);
    left.map(|one| first + one).collect()
}

/// Walks over all entries.
fn walker(table: &Table<Side>, walks: &AtomicU64, go_on: impl Fn() -> bool) {
    while go_on() {
        let mut seen = [false; STABLE as usize];
        let mut cursor = Cursor::default();
        let visit = |entry: &Side, seen: &mut [bool]| {
            if let Some(seen) = seen.get_mut(entry.key().0 as usize) {
                *seen = true;
            }
        };
        while rcu::read(|rcu| table.step(&mut cursor, rcu, |entry| visit(entry, &mut seen))) {}
        let missed: Vec<_> = (0..STABLE).filter(|one| !seen[*one as usize]).collect();
        assert!(missed.is_empty(), "a walk missed {missed:?}");
        walks.fetch_add(1, Ordering::Relaxed);
        table.shape();
    }
}

/// Grows, shrinks, and gives new keys; now and then there is peace.
fn resizer(table: &Table<Side>, resizes: &AtomicU64, go_on: impl Fn() -> bool) {
    while go_on() {
        let prepare = || table.prepare(1 << random::below(9)).expect("memory");
        table.want(prepare());
        if random::below(8) == 0 {
            table.want(prepare());
        }
        let budget = 1 + random::below(64) as usize;
        while table.resize(budget) == Progress::Moving {
            if random::below(32) == 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        resizes.fetch_add(1, Ordering::Relaxed);
        if random::below(16) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn settle(table: &Table<Side>, buckets: usize) {
    while table.resize(usize::MAX) != Progress::Idle {}
    table.want(table.prepare(buckets).expect("memory"));
    assert!(table.is_unsettled());
    while table.resize(100) != Progress::Done {}
    assert!(!table.is_unsettled());
    assert_eq!(table.len(), buckets);
}

/// Nothing that stays is ever missed, whoever moves it; nothing is leaked or freed too early.
#[test]
fn nothing_is_lost_while_the_table_is_resized() {
    let _world = World::begin(0);
    let table = Table::new(4, 0).expect("memory");
    (0..STABLE).for_each(|number| pair::insert(&table, number));
    let (walks, resizes) = (AtomicU64::new(0), AtomicU64::new(0));
    let (table_, walks_, resizes_) = (&table, &walks, &resizes);
    // On a busy machine it takes longer until enough has happened.
    let go_on = clock(move || {
        resizes_.load(Ordering::Relaxed) >= 50 && walks_.load(Ordering::Relaxed) >= 10
    });
    let left = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|one| scope.spawn(move || writer(table_, STABLE + one * OWN, go_on)))
            .collect();
        for _ in 0..2 {
            scope.spawn(move || reader(table_, go_on));
        }
        scope.spawn(move || walker(table_, walks_, go_on));
        scope.spawn(move || resizer(table_, resizes_, go_on));
        let left = writers
            .into_iter()
            .map(|one| one.join().expect("a writer failed"));
        left.collect::<Vec<_>>().concat()
    });
    let (walks, resizes) = (walks.into_inner(), resizes.into_inner());
    println!("{walks} walks, {resizes} resizes");
    assert!(walks >= 10 && resizes >= 50, "not much of a stress");

    settle(&table, 8192);
    let shape = table.shape();
    assert_eq!(pair::entries(&shape), 2 * (STABLE as usize + left.len()));
    (0..STABLE)
        .chain(left)
        .for_each(|number| pair::remove(&table, number));
    let shape = table.shape();
    assert_eq!((pair::entries(&shape), shape.longest), (0, 0));
}
